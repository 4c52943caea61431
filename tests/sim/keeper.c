/* keeper: the simulated one. Keeps by name the record that came with each order, keeps each generation and its end until FORGET,
 * and knows what became of every number it ever saw. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

enum fate keeper_fate(const struct sim *s, uint64_t generation)
{
	return generation < s->n_fate ? (enum fate)s->fate[generation] : FATE_NONE;
}

void keeper_set_fate(struct sim *s, uint64_t generation, enum fate fate)
{
	if (generation >= s->n_fate) {
		size_t n = generation * 2 + 64;
		s->fate = realloc(s->fate, n);
		memset(s->fate + s->n_fate, FATE_NONE, n - s->n_fate);
		s->n_fate = n;
	}
	s->fate[generation] = (uint8_t)fate;
}

struct proc *keeper_find(struct sim *s, uint64_t generation)
{
	for (struct proc *p = s->procs; p; p = p->next)
		if (p->generation == generation)
			return p;
	return NULL;
}

struct proc *keeper_of_site(struct sim *s, unsigned site)
{
	for (struct proc *p = s->procs; p; p = p->next)
		if (p->site == site && proc_alive(p))
			return p;
	return NULL;
}

void keeper_tell(struct sim *s, int kind, uint64_t generation, int32_t arg)
{
	if (!s->court)
		return;		/* the next ruler is told what there is */
	struct news *n = calloc(1, sizeof *n);
	n->at = s->now + sim_below(s, sim_chance(s, 3) ? 300 * MS : 2 * MS);
	if (n->at < s->news_last)
		n->at = s->news_last;
	s->news_last = n->at;
	n->kind = kind;
	n->generation = generation;
	n->arg = arg;
	*s->news_end = n;
	s->news_end = &n->next;
}

/* Two for a moment, each on its own side of held sockets. */
static void check_side(struct sim *s, const struct queued *q)
{
	const struct site *site = &s->site[q->site];
	bool beside = (q->arg & VASSAL_SPAWN_BESIDE) != 0, held = (q->arg & VASSAL_SPAWN_HELD) != 0;
	for (const struct proc *p = s->procs; p; p = p->next) {
		if (p->site != q->site || !proc_alive(p))
			continue;
		if (!held || !p->held || p->side == (beside ? !site->side : site->side))
			sim_fail(s, "%s: generation %lu is started beside a living one", site->name, q->generation);
	}
}

static void spawn(struct sim *s, const struct queued *q)
{
	struct site *site = &s->site[q->site];
	check_side(s, q);
	if (q->generation > s->last_generation)
		s->last_generation = q->generation;
	if (!s->quiet && sim_chance(s, 4)) {
		s->count[C_SPAWN_FAILS]++;
		site->spawn_fails++;
		keeper_set_fate(s, q->generation, FATE_FAILED);
		sim_trace(s, "%s: generation %lu cannot be started", site->name, q->generation);
		keeper_tell(s, VASSAL_SPAWN_FAILED, q->generation, 12);
		return;
	}
	struct proc *p = calloc(1, sizeof *p);
	p->site = q->site;
	p->generation = q->generation;
	p->held = (q->arg & VASSAL_SPAWN_HELD) != 0;
	p->trial = (q->arg & VASSAL_SPAWN_TRIAL) != 0;
	p->side = q->arg & VASSAL_SPAWN_BESIDE ? !site->side : site->side;
	p->pid = ++s->next_pid;
	p->next = s->procs;
	s->procs = p;
	keeper_set_fate(s, q->generation, FATE_LIVE);
	proc_spawn(s, p);
	keeper_tell(s, VASSAL_STARTED, p->generation, p->pid);
}

static void forget(struct sim *s, const struct queued *q)
{
	for (struct proc **at = &s->procs; *at; at = &(*at)->next) {
		struct proc *p = *at;
		if (p->generation != q->generation)
			continue;
		if (proc_alive(p))
			sim_fail(s, "%s: living generation %lu is forgotten", s->site[q->site].name, q->generation);
		*at = p->next;
		free(p);
		keeper_set_fate(s, q->generation, FATE_FORGOTTEN);
		return;
	}
	sim_fail(s, "%s: generation %lu is forgotten and is not there", s->site[q->site].name, q->generation);
}

static void signal_it(struct sim *s, const struct queued *q)
{
	struct proc *p = keeper_find(s, q->generation);
	enum fate fate = keeper_fate(s, q->generation);
	if (!p && (fate == FATE_FORGOTTEN || fate == FATE_NONE))
		sim_fail(s, "%s: generation %lu is signalled after its end was forgotten", s->site[q->site].name, q->generation);
	if (!p || !proc_alive(p))
		return;		/* the two crossed */
	if (q->kind == COURT_KILL) {
		proc_kill(s, p);
		return;
	}
	proc_take_byte(s, p, q->arg & 0xff);
}

/* Clients reach another generation, or the same again: is it one that may? */
static void switch_to(struct sim *s, const struct queued *q)
{
	struct site *site = &s->site[q->site];
	const struct proc *p = keeper_find(s, q->generation);
	if (!p || !proc_alive(p) || (!s->quiet && sim_chance(s, 5) && p->side != site->side)) {
		s->count[C_SWITCH_FAILS]++;
		keeper_tell(s, VASSAL_SWITCH_FAILED, q->generation, 13);
		return;
	}
	if (!p->held || p->trial)
		sim_fail(s, "%s: clients are led to generation %lu, which has no held sockets, or was only rehearsed", site->name, q->generation);
	if (p->side != site->side && p->plan.outcome == OUT_NO_APP && site->doubtful != q->cycle)
		sim_fail(s, "%s: clients are led to generation %lu, which has no app", site->name, q->generation);
	s->count[p->side != site->side ? C_SWITCHES : C_BACK]++;
	site->side = p->side;
	site->drain_at = s->now + sim_below(s, sim_chance(s, 10) ? 40 * SEC : 200 * MS);
	site->drain_generation = q->generation;
	keeper_tell(s, VASSAL_SWITCHED, q->generation, 0);
}

void keeper_drained(struct sim *s, unsigned i)
{
	s->site[i].drain_at = NEVER;
	keeper_tell(s, VASSAL_DRAINED, s->site[i].drain_generation, 0);
}

static void close_sockets(struct sim *s, const struct queued *q)
{
	s->count[C_CLOSES]++;
	if (keeper_of_site(s, q->site))
		sim_fail(s, "%s: its sockets are closed, and it lives", s->site[q->site].name);
}

static void drop(struct sim *s, const struct queued *q)
{
	struct site *site = &s->site[q->site];
	for (struct proc *p = s->procs; p; p = p->next)
		if (p->site == q->site)
			sim_fail(s, "%s: its record is dropped, generation %lu is there", site->name, p->generation);
	free(site->record);
	site->record = NULL;
	site->record_size = 0;
	site->cycle = 0;
}

static void keep_record(struct sim *s, struct queued *q)
{
	struct site *site = &s->site[q->site];
	if (!q->record)
		return;
	free(site->record);
	site->record = q->record;
	site->record_size = q->record_size;
	q->record = NULL;
}

static void check_cycle(struct sim *s, const struct queued *q)
{
	struct site *site = &s->site[q->site];
	if ((q->kind != COURT_SPAWN || (q->arg & VASSAL_SPAWN_TRIAL)) && (q->kind != COURT_SEND || (q->arg & 0xff) != 1))
		return;
	if (q->cycle <= site->cycle)
		sim_fail(s, "%s: code of cycle %u is executed twice", site->name, q->cycle);
	site->cycle = q->cycle;
}

void keeper_take_order(struct sim *s)
{
	static const char *const names[] = { "SPAWN", "SEND", "KILL", "FORGET", "SWITCH", "CLOSE", "STATE", "DROP" };
	struct queued *q = s->orders;
	s->orders = q->next;
	if (!s->orders)
		s->orders_end = &s->orders;
	s->taken++;
	if (q->kind != COURT_STATE)
		sim_trace(s, "%s: keeper takes %s of generation %lu, arg %u", s->site[q->site].name, names[q->kind],
			  q->generation, q->arg);
	check_cycle(s, q);
	keep_record(s, q);
	switch (q->kind) {
	case COURT_SPAWN: spawn(s, q); break;
	case COURT_SEND:
	case COURT_KILL: signal_it(s, q); break;
	case COURT_FORGET: forget(s, q); break;
	case COURT_SWITCH: switch_to(s, q); break;
	case COURT_CLOSE: close_sockets(s, q); break;
	case COURT_STATE: break;
	case COURT_DROP: drop(s, q); break;
	}
	free(q->record);
	free(q);
}

void keeper_free(struct sim *s)
{
	while (s->procs) {
		struct proc *p = s->procs;
		s->procs = p->next;
		free(p);
	}
	for (unsigned i = 0; i < s->n_sites; i++)
		free(s->site[i].record);
	free(s->fate);
	free(s->death);
}
