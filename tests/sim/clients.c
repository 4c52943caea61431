/* clients: they ask, wait, go away, ask again with the same id after a ruler's death; and know whether the answer is true. */
#include <errno.h>
#include <string.h>

#include "tests/sim/sim.h"

static void send_request(struct sim *s, struct client *cl)
{
	struct court_vassal *cv = court_find(s->court, s->site[cl->site].name);
	if (!cv) {
		cl->state = CL_FREE;	/* "no such vassal": an answer, too */
		return;
	}
	cl->state = CL_WAITING;
	cl->waiter = ++s->next_waiter;
	uint64_t waiter = cl->waiter;
	sim_trace(s, "%s: client %lu asks for %s", cv->name, waiter, vassal_event_name(cl->kind));
	int r = cl->kind == VASSAL_REHEARSE ? court_rehearse(s->court, cv, "/new.ini", cl->id, 0, waiter) :
		court_request(s->court, cv, cl->kind, cl->id, 0, waiter);
	if (r == -EBUSY) {
		s->count[C_BUSY]++;
		cl->state = CL_FREE;
	} else if (r < 0) {
		sim_fail(s, "request refused: %d", r);
	}
}

static struct client *free_client(struct sim *s)
{
	unsigned start = (unsigned)sim_below(s, CLIENTS_MAX);
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *cl = &s->client[(start + i) % CLIENTS_MAX];
		if (cl->state == CL_FREE)
			return cl;
	}
	return NULL;
}

static uint64_t living(struct sim *s, unsigned i)
{
	const struct proc *p = keeper_of_site(s, i);
	return p ? p->generation : 0;
}

void client_ask(struct sim *s, unsigned i, enum vassal_event kind)
{
	struct site *site = &s->site[i];
	struct client *cl = free_client(s);
	struct court_vassal *cv = s->court ? court_find(s->court, site->name) : NULL;
	if (!cl)
		return;
	*cl = (struct client){
		.site = i, .kind = kind, .asked = s->now, .execs = site->execs, .exits = site->exits,
		.spawn_fails = site->spawn_fails, .stops = site->stops, .removals = site->removals,
		.was_there = site->exists, .generation = living(s, i), .cycle = cv ? cv->v.cycle : 0, .fresh = true,
	};
	uint64_t id = ++s->next_id;
	memcpy(cl->id, &id, sizeof id);
	if (kind == VASSAL_STOP)
		site->stops++;
	if (s->court) {
		send_request(s, cl);
		return;
	}
	cl->state = CL_LOST;	/* it waits in the backlog of the control socket */
	cl->fresh = false;
	cl->again = s->ruler_at + sim_below(s, SEC);
}

void client_ask_again(struct sim *s, struct client *cl)
{
	s->count[C_REASKED]++;
	if (cl->kind == VASSAL_STOP)
		s->site[cl->site].stops++;
	send_request(s, cl);
}

void client_repeat(struct sim *s)
{
	struct client *cl = &s->client[sim_below(s, CLIENTS_MAX)];
	if (!s->court || cl->waiter == 0 || (cl->state != CL_FREE && cl->state != CL_WAITING))
		return;
	s->count[C_REPEATED_ID]++;
	cl->fresh = false;
	cl->asked = s->now;
	if (cl->kind == VASSAL_STOP)
		s->site[cl->site].stops++;
	send_request(s, cl);
}

void client_forsake(struct sim *s)
{
	struct client *cl = &s->client[sim_below(s, CLIENTS_MAX)];
	if (!s->court || cl->state != CL_WAITING)
		return;
	s->count[C_FORSAKEN]++;
	court_forsake(s->court, cl->waiter);
	cl->state = CL_FREE;
}

void client_lose_all(struct sim *s)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *cl = &s->client[i];
		if (cl->state != CL_WAITING && cl->state != CL_LOST)
			continue;
		cl->state = sim_chance(s, 10) ? CL_FREE : CL_LOST;
		cl->fresh = false;
		cl->again = s->now + sim_below(s, 2 * SEC);
	}
}

/* ---- the truth */

/* Whether a byte tells when the new code of a running process is up; otherwise two seconds of life must do. */
static bool is_silent(struct sim *s, const struct site *site, const struct court_vassal *cv)
{
	const struct proc *p = keeper_find(s, cv->v.generation);
	return site->signal == SPEC_SIGNAL_SPAWNED || (site->signal == SPEC_SIGNAL_UNSURE && !(p && p->ever_five));
}

static void judge_done(struct sim *s, const struct client *cl, struct court_vassal *cv)
{
	const struct site *site = &s->site[cl->site];
	uint32_t need = cl->kind == VASSAL_START ? 0 : cl->execs;
	if (cl->fresh && !vassal_has_process(&cv->v))
		sim_fail(s, "%s: \"done\", and it is %s", cv->name, vassal_state_name(cv->v.state));
	bool serves = cv->v.state == VASSAL_READY || cv->v.state == VASSAL_RELOAD_QUEUED;	/* again, for somebody else */
	if (cl->fresh && cl->kind != VASSAL_START && !serves)
		sim_fail(s, "%s: \"done\" while %s", cv->name, vassal_state_name(cv->v.state));
	if (site->accepted <= need && !is_silent(s, site, cv) && site->doubtful != cv->v.cycle && cl->fresh)
		sim_fail(s, "%s: \"done\" for execution %u or later, but %u is the newest that accepted", cv->name, need + 1,
			 site->accepted);
}

static void judge_failed(struct sim *s, const struct client *cl, struct court_vassal *cv, const struct court_answer *answer)
{
	const struct site *site = &s->site[cl->site];
	bool ended = answer->failure.why == VASSAL_WHY_EXIT, stopped = answer->failure.why == VASSAL_WHY_STOPPED;
	bool unspawned = answer->failure.why == VASSAL_WHY_SPAWN, removed = answer->failure.why == VASSAL_WHY_REMOVED;
	if (answer->failure.why == VASSAL_WHY_NONE)
		sim_fail(s, "%s: failed for no reason", cv->name);
	if (stopped && site->stops == cl->stops)
		sim_fail(s, "%s: failed as stopped, and nobody stopped it", cv->name);
	if (removed && site->removals == cl->removals && cl->was_there)
		sim_fail(s, "%s: failed as removed, and it was there all the time", cv->name);
	if (cl->kind == VASSAL_START || stopped || removed)
		return;		/* a start is told of what became of it before */
	if (cl->fresh && cv->v.cycle <= cl->cycle)
		sim_fail(s, "%s: failed by cycle %u, which began before it was asked for", cv->name, cv->v.cycle);
	if (ended && site->exits == cl->exits)
		sim_fail(s, "%s: failed by an exit that never was", cv->name);
	if (unspawned && site->spawn_fails == cl->spawn_fails)
		sim_fail(s, "%s: failed by a spawn that did not fail", cv->name);
	bool old_serves = answer->verdict == VASSAL_FAILED_OLD_SERVES;
	s->count[C_OLD_SERVES] += old_serves;
	if (cl->fresh && !old_serves && cv->v.state == VASSAL_READY)
		sim_fail(s, "%s: failed, and it is ready", cv->name);
	if (cl->fresh && old_serves && ((cv->v.state != VASSAL_READY && cv->v.state != VASSAL_RELOAD_QUEUED) || !cv->v.stale))
		sim_fail(s, "%s: the old code is said to serve, and it is %s", cv->name, vassal_state_name(cv->v.state));
}

static struct client *client_of(struct sim *s, uint64_t waiter)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (s->client[i].state == CL_WAITING && s->client[i].waiter == waiter)
			return &s->client[i];
	return NULL;
}

void client_answer(struct sim *s, uint64_t waiter, struct court_vassal *cv, const struct court_answer *answer)
{
	struct client *cl = client_of(s, waiter);
	sim_trace(s, "%s: client %lu hears %d, why %d", cv->name, waiter, (int)answer->verdict, answer->failure.why);
	if (!cl)
		sim_fail(s, "%s: an answer to %lu, who waits for none", cv->name, waiter);
	if (answer->kind != cl->kind || strcmp(cv->name, s->site[cl->site].name) != 0)
		sim_fail(s, "%s: client %lu is told of another request", cv->name, waiter);
	cl->state = CL_FREE;
	if (cl->kind == VASSAL_STOP) {
		const struct proc *p = keeper_find(s, cl->generation);
		s->count[C_STOPS_DONE]++;
		if (answer->verdict != VASSAL_DONE || (p && proc_alive(p)))
			sim_fail(s, "%s: stopped, and generation %lu lives", cv->name, cl->generation);
	} else if (cl->kind == VASSAL_REHEARSE) {
		s->count[C_TRIALS_DONE] += answer->verdict == VASSAL_DONE;
		if ((answer->verdict == VASSAL_DONE) != (answer->failure.why == VASSAL_WHY_NONE))
			sim_fail(s, "%s: a rehearsal's verdict is %d, for reason %d", cv->name, (int)answer->verdict, answer->failure.why);
	} else if (answer->verdict == VASSAL_DONE) {
		s->count[C_DONE]++;
		judge_done(s, cl, cv);
	} else {
		s->count[C_FAILED]++;
		judge_failed(s, cl, cv, answer);
	}
}
