/* check: what must hold after every step, and of every order. */
#include "tests/sim/sim.h"

/* ---- after every step */

static bool rests(enum vassal_state state)
{
	return state == VASSAL_READY || state == VASSAL_BROKEN || state == VASSAL_EXILED || state == VASSAL_STOPPED ||
	       state == VASSAL_BLACKLISTED;
}

static bool dying(enum vassal_state state)
{
	return state == VASSAL_STOPPING || state == VASSAL_KILLING;
}

static bool queued(enum vassal_state state)
{
	return state == VASSAL_QUEUED || state == VASSAL_RELOAD_QUEUED;
}

/* How long a state may last by its rules. */
static uint64_t limit_of(const struct sim *s, const struct vassal_rules *r, enum vassal_state state)
{
	switch (state) {
	case VASSAL_SPAWNING:
	case VASSAL_RENEW_SPAWNING:
	case VASSAL_SWITCHING:
	case VASSAL_ABANDONING:
	case VASSAL_KILLING: return SLACK;
	case VASSAL_RETIRING: return 2 * r->retire_mercy + SLACK;
	case VASSAL_RENEW_STARTING:
	case VASSAL_STARTING: return r->start_timeout + SLACK;
	case VASSAL_RENEW_SETTLING:
	case VASSAL_SETTLING: return (VASSAL_RESPAWNS_MAX + 1) * r->ready_for + VASSAL_PROBE_NS + SLACK;
	case VASSAL_RELOADING: return r->start_timeout + VASSAL_OLD_WORKERS_NS + SLACK;
	case VASSAL_STOPPING: return r->mercy + SLACK;
	case VASSAL_CURSED: return r->curse_tolerance + SLACK;
	case VASSAL_BLACKLISTED: return r->backoff.max_ns + SLACK;
	case VASSAL_QUEUED:
	case VASSAL_RELOAD_QUEUED: return (s->n_sites + 1) * (r->start_patience + SLACK);
	case VASSAL_READY:
	case VASSAL_BROKEN:
	case VASSAL_EXILED:
	case VASSAL_STOPPED:
	case VASSAL_GONE:
	case VASSAL_STATES: break;
	}
	return NEVER;
}

static void check_wanted(struct sim *s, const struct court_vassal *cv, const struct site *site)
{
	const struct vassal *v = &cv->v;
	bool run = v->wanted == VASSAL_WANTED_RUN, gone = v->wanted == VASSAL_WANTED_GONE;
	enum vassal_state state = v->state;
	if (state >= VASSAL_STATES || state == VASSAL_GONE)
		sim_fail(s, "%s: state %d", cv->name, state);
	if (run == (state == VASSAL_STOPPED) && !(dying(state) || state == VASSAL_SPAWNING) && (run || state != VASSAL_STOPPED))
		sim_fail(s, "%s: %s, wanted %d", cv->name, vassal_state_name(state), v->wanted);
	if (!run && state != VASSAL_STOPPED && !dying(state) && state != VASSAL_SPAWNING)
		sim_fail(s, "%s: unwanted, and %s", cv->name, vassal_state_name(state));
	if (!s->quiet && site->exists && gone)
		sim_fail(s, "%s: has a config, and shall go", cv->name);
	if (!site->exists && !gone && v->deadline[VASSAL_T_GRACE] == 0 && !vassal_is_frozen(v))
		sim_fail(s, "%s: has no config, and nobody minds", cv->name);
	if (v->pending != VASSAL_CLASS_NONE && (state == VASSAL_READY || state == VASSAL_BROKEN))
		sim_fail(s, "%s: newer code is wanted and forgotten", cv->name);
}

static void check_times(struct sim *s, const struct court_vassal *cv, const struct site *site)
{
	const struct vassal *v = &cv->v;
	struct vassal_rules r;
	court_rules(s->court, cv, &r);
	uint64_t limit = limit_of(s, &r, v->state), backoff = v->deadline[VASSAL_T_BACKOFF];
	if (limit != NEVER && s->now > v->since + limit && s->now > v->since + limit + ruler_missing_since(s, v->since))
		sim_fail(s, "%s: stuck in %s", cv->name, vassal_state_name(v->state));
	if (site->armed != vassal_deadline(v))
		sim_fail(s, "%s: its timer is at %lu, its deadline at %lu", cv->name, site->armed, vassal_deadline(v));
	if (v->state == VASSAL_BLACKLISTED && (backoff == 0 || backoff > v->since + r.backoff.max_ns))
		sim_fail(s, "%s: throttled beyond the maximum", cv->name);
	for (int t = 0; t < VASSAL_TIMERS; t++)
		if (!vassal_has_process(v) && v->deadline[t] != 0 && t != VASSAL_T_GRACE && t != VASSAL_T_FREEZE && t != VASSAL_T_BACKOFF &&
		    t != VASSAL_T_HOLD && t != VASSAL_T_RETIRE)
			sim_fail(s, "%s: timer %d of a dead generation is armed", cv->name, t);
	if ((v->probing != 0) != (site->probe_at != NEVER || v->deadline[VASSAL_T_PROBE] != 0))
		sim_fail(s, "%s: probing is %d, the probe's timer %lu", cv->name, v->probing, v->deadline[VASSAL_T_PROBE]);
}

static void check_slots(struct sim *s, const struct court_vassal *cv)
{
	const struct admission *a = court_admission(s->court);
	/* The other one is in its way: it will ask when that is gone. */
	bool later = cv->v.beside.generation != 0 && !admission_waiting(&cv->node);
	if (admission_waiting(&cv->node) != queued(cv->v.state) && !later)
		sim_fail(s, "%s: %s, and its place in the queue says otherwise", cv->name, vassal_state_name(cv->v.state));
	if (admission_waiting(&cv->node) && (a->limit == 0 || a->taken < a->limit))
		sim_fail(s, "%s: waits, and %u of %u slots are taken", cv->name, a->taken, a->limit);
}

static bool ordered(const struct sim *s, uint64_t generation)
{
	for (const struct queued *q = s->orders; q; q = q->next)
		if (q->kind == COURT_SPAWN && q->generation == generation)
			return true;
	for (const struct wish *w = s->wishes; w; w = w->next)
		if (w->generation == generation)
			return true;
	return false;
}

/* What the court takes for a process is one, or will be, or was and the news are on their way. */
static void check_generation(struct sim *s, const struct court_vassal *cv, uint64_t g)
{
	if (g != 0 && !keeper_find(s, g) && !ordered(s, g) && keeper_fate(s, g) != FATE_FAILED)
		sim_fail(s, "%s: generation %lu is nowhere", cv->name, g);
	if (g != 0 && court_find_generation(s->court, g) != cv)
		sim_fail(s, "%s: generation %lu is not indexed", cv->name, g);
}

/* At rest clients reach the generation that the court takes for the vassal's own. */
static void check_side(struct sim *s, const struct court_vassal *cv, const struct site *site)
{
	const struct proc *p = keeper_find(s, cv->v.generation);
	bool settled = cv->v.state == VASSAL_READY || cv->v.state == VASSAL_BROKEN || cv->v.state == VASSAL_RETIRING;
	if (p && p->held && settled && !s->orders && !s->news && p->side != site->side)
		sim_fail(s, "%s: %s, and clients do not reach generation %lu", cv->name, vassal_state_name(cv->v.state), p->generation);
}

static void check_requests(struct sim *s, const struct court_vassal *cv)
{
	for (unsigned i = 0; i < cv->n_requests; i++) {
		const struct court_request *r = &cv->requests[i];
		bool stop = r->kind == VASSAL_STOP;
		if (r->done > 1)
			sim_fail(s, "%s: answered, and nobody was told", cv->name);
		if (r->done)
			continue;
		if (rests(cv->v.state) && !(stop && cv->v.beside.generation != 0))
			sim_fail(s, "%s: %s, and a request for %s is open", cv->name, vassal_state_name(cv->v.state),
				 vassal_event_name(r->kind));
		if (stop && cv->v.wanted == VASSAL_WANTED_RUN && !dying(cv->v.state) && cv->v.beside.generation == 0)
			sim_fail(s, "%s: a stop is open, and nothing stops", cv->name);
		if (!stop && cv->v.state == VASSAL_QUEUED && cv->node.class != VASSAL_CLASS_DEPLOY && r->ticket > cv->v.cycle)
			sim_fail(s, "%s: a deploy waits in class %u", cv->name, cv->node.class);
	}
}

static void check_clients(struct sim *s)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		const struct client *cl = &s->client[i];
		if (cl->state != CL_WAITING)
			continue;
		const struct court_vassal *cv = court_find(s->court, s->site[cl->site].name);
		bool known = false;
		for (unsigned r = 0; cv && r < cv->n_requests; r++)
			known |= cv->requests[r].waiter == cl->waiter && !cv->requests[r].done;
		if (!known)
			sim_fail(s, "%s: client %lu waits, and the court knows nothing of it", s->site[cl->site].name, cl->waiter);
		if (s->now > cl->asked + 7200 * SEC)
			sim_fail(s, "%s: client %lu waits for two hours", s->site[cl->site].name, cl->waiter);
	}
}

void check_all(struct sim *s)
{
	uint32_t slots = 0;
	size_t running = 0;
	if (!s->court)
		return;
	for (const struct court_vassal *cv = court_first(s->court); cv; cv = court_next(cv)) {
		const struct site *site = &s->site[sim_site_of(cv->name)];
		slots += cv->v.slot;
		running += vassal_has_process(&cv->v);
		check_wanted(s, cv, site);
		check_times(s, cv, site);
		check_slots(s, cv);
		check_generation(s, cv, cv->v.generation);
		check_generation(s, cv, cv->v.beside.generation);
		check_side(s, cv, site);
		check_requests(s, cv);
	}
	const struct admission *a = court_admission(s->court);
	if (slots != a->taken || (a->limit != 0 && slots > a->limit))
		sim_fail(s, "%u slots are held, %u taken, of %u", slots, a->taken, a->limit);
	if (running != court_running(s->court))
		sim_fail(s, "%zu run, the court says %zu", running, court_running(s->court));
	for (const struct proc *p = s->procs; p; p = p->next)
		if (!p->told && !court_find_generation(s->court, p->generation))
			sim_fail(s, "%s: the court knows nothing of generation %lu", s->site[p->site].name, p->generation);
	check_clients(s);
}

/* ---- orders */

static void check_signal(struct sim *s, const struct court_order *o)
{
	const struct proc *p = keeper_find(s, o->generation);
	const struct vassal *v = &o->vassal->v;
	enum fate fate = keeper_fate(s, o->generation);
	if (fate == FATE_NONE || fate == FATE_FAILED_TOLD || fate == FATE_FORGOTTEN || (p && p->told))
		sim_fail(s, "%s: generation %lu is signalled, and is known to be gone", o->vassal->name, o->generation);
	uint64_t up_at = o->generation == v->generation ? v->up_at : v->beside.up_at;
	if (o->kind == COURT_SEND && o->arg != 0 && up_at != 0 && s->now < up_at + VASSAL_WORKERS_UP_NS)
		sim_fail(s, "%s: byte %u comes too soon after it was up", o->vassal->name, o->arg);
}

static void check_turn(struct sim *s, const struct court_vassal *granted)
{
	for (const struct court_vassal *cv = court_first(s->court); cv; cv = court_next(cv))
		if (admission_waiting(&cv->node) && cv->node.class < granted->node.class)
			sim_fail(s, "%s (class %u) goes before %s (class %u)", granted->name, granted->node.class, cv->name,
				 cv->node.class);
}

void check_order(struct sim *s, const struct court_order *o)
{
	if (o->kind != COURT_DROP && !o->record)
		sim_fail(s, "%s: an order without its record", o->vassal->name);
	if (o->kind == COURT_SEND || o->kind == COURT_KILL)
		check_signal(s, o);
	if (o->kind == COURT_SPAWN || (o->kind == COURT_SEND && (o->arg & 0xff) == 1))
		check_turn(s, o->vassal);
	if (o->kind == COURT_FORGET && (o->vassal->v.generation == o->generation || o->vassal->v.beside.generation == o->generation))
		sim_fail(s, "%s: generation %lu is forgotten, and its record still speaks of it", o->vassal->name, o->generation);
}

/* ---- transitions: is the reason true? */

static bool beats_well(const struct sim *s, const struct proc *p)
{
	enum spec_signal signal = p ? s->site[p->site].signal : SPEC_SIGNAL_ACCEPTING;
	if (!p || !proc_alive(p) || signal == SPEC_SIGNAL_SPAWNED || signal == SPEC_SIGNAL_UNSURE)
		return false;	/* of the silent nobody knows which code beats */
	return p->phase == PH_DRAINING || p->phase == PH_IMPORTING ||
	       (p->phase == PH_UP && !p->plan.beat_lost && p->beat_at + 25 * SEC > s->now);
}

static void check_kill(struct sim *s, const struct court_vassal *cv, const struct proc *p)
{
	if (cv->v.failure.why == VASSAL_WHY_TIMEOUT && p && p->phase == PH_UP && p->signal_at != 0 && p->signal_at + RULER_DOWN_MAX + SLACK < s->now)
		sim_fail(s, "%s: killed for silence, and it had said that it is up", cv->name);
	if (cv->v.failure.why == VASSAL_WHY_HEARTBEAT && beats_well(s, p))
		sim_fail(s, "%s: killed for its heartbeat, and nothing is wrong with it", cv->name);
}

static void check_broken(struct sim *s, const struct court_vassal *cv, const struct proc *p)
{
	bool well = p && p->phase == PH_UP && p->plan.outcome == OUT_OK && !p->plan.probe_bad;
	bool assumed = p && s->site[p->site].signal != SPEC_SIGNAL_ACCEPTING;	/* up without a byte: then the first counts, too */
	bool doubtful = s->site[sim_site_of(cv->name)].doubtful == cv->v.cycle;
	if (!well || doubtful)
		return;
	if (cv->v.failure.why == VASSAL_WHY_RESPAWNING && p->fives <= VASSAL_RESPAWNS_MAX + (assumed ? 0U : 1U))
		sim_fail(s, "%s: broken by respawns, and it said 5 only %u times", cv->name, p->fives);
	if (cv->v.failure.why == VASSAL_WHY_NO_APP || (cv->v.failure.why == VASSAL_WHY_PROBE && cv->v.failure.detail != 0))
		sim_fail(s, "%s: broken, and its app is there", cv->name);
}

void check_transition(struct sim *s, struct court_vassal *cv, enum vassal_state from)
{
	const struct proc *p = keeper_find(s, cv->v.generation);
	if (from == cv->v.state)
		sim_fail(s, "%s: a transition to the same state", cv->name);
	if (cv->v.state == VASSAL_KILLING)
		check_kill(s, cv, p);
	if (cv->v.state == VASSAL_BROKEN && from == VASSAL_SETTLING)
		check_broken(s, cv, p);
}
