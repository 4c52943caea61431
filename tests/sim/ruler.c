/* ruler: the world that the real court acts on. Queues its orders, hands it the keeper's news and the wires' bytes, dies and
 * comes back: of what it had ordered the keeper gets a random part, everything else it knew is lost. */
#include <stdlib.h>
#include <string.h>

#include "supervisor/court_inside.h"
#include "tests/sim/sim.h"

/* ---- the court's world */

static uint64_t world_now(void *data)
{
	return ((struct sim *)data)->now;
}

static void post(struct sim *s, const struct court_order *order)
{
	struct queued *q = calloc(1, sizeof *q);
	q->at = s->now + sim_below(s, sim_chance(s, 3) ? 300 * MS : MS);
	if (q->at < s->orders_last)
		q->at = s->orders_last;
	s->orders_last = q->at;
	q->kind = order->kind;
	q->site = sim_site_of(order->vassal->name);
	q->generation = order->generation;
	q->arg = order->arg;
	q->cycle = order->vassal->v.cycle;
	if (order->record) {
		q->record = malloc(order->record_size);
		memcpy(q->record, order->record, order->record_size);
		q->record_size = order->record_size;
	}
	*s->orders_end = q;
	s->orders_end = &q->next;
	s->pushed++;
	struct proc *p = keeper_find(s, order->generation);
	if (p && order->kind == COURT_SEND && (order->arg & 0xff) == 1)
		p->reload_from = p->exec;
}

static void post_spawn(struct sim *s, struct court_vassal *cv, uint64_t generation, uint32_t arg)
{
	struct court_order order = { .kind = COURT_SPAWN, .vassal = cv, .generation = generation, .arg = arg };
	void *record;
	if (court_record_write(cv, &record, &order.record_size) < 0)
		sim_fail(s, "no memory");
	order.record = record;
	s->in_flight++;
	post(s, &order);
	free(record);
}

static bool still_wanted(const struct vassal *v, uint64_t generation)
{
	return generation == v->generation ? v->state == VASSAL_SPAWNING :
	       v->state == VASSAL_RENEW_SPAWNING && v->beside.phase == VASSAL_BESIDE_TRIED;
}

/* As ruler_world.c: the record of a spawn is written when its turn comes; who was stopped meanwhile never ran. */
static void pump_wishes(struct sim *s)
{
	while (s->wishes && s->in_flight < IN_FLIGHT_MAX) {
		struct wish *w = s->wishes;
		uint64_t generation = w->generation;
		uint32_t arg = w->arg;
		struct court_vassal *cv = court_find_generation(s->court, generation);
		s->wishes = w->next;
		if (!s->wishes)
			s->wishes_end = &s->wishes;
		free(w);
		if (cv && still_wanted(&cv->v, generation)) {
			post_spawn(s, cv, generation, arg);
		} else if (cv) {
			keeper_set_fate(s, generation, FATE_FAILED_TOLD);
			s->site[sim_site_of(cv->name)].spawn_fails++;
			court_spawn_failed(s->court, generation, 1, 125);
		}
	}
}

static void world_order(void *data, const struct court_order *order)
{
	struct sim *s = data;
	check_order(s, order);
	if (order->kind != COURT_SPAWN) {
		post(s, order);
		return;
	}
	struct wish *w = calloc(1, sizeof *w);
	w->generation = order->generation;
	w->arg = order->arg;
	*s->wishes_end = w;
	s->wishes_end = &w->next;
	keeper_set_fate(s, order->generation, FATE_ORDERED);
	pump_wishes(s);
}

static void spawn_done(struct sim *s)
{
	s->in_flight--;
	pump_wishes(s);
}

static void world_arm(void *data, struct court_vassal *cv, uint64_t deadline)
{
	struct sim *s = data;
	s->site[sim_site_of(cv->name)].armed = deadline;
}

static void world_probe(void *data, struct court_vassal *cv)
{
	struct sim *s = data;
	bool slow = !s->quiet && sim_chance(s, 5);
	s->count[C_PROBE_SLOW] += slow;
	struct site *site = &s->site[sim_site_of(cv->name)];
	site->probe_at = s->now + (slow ? sim_below(s, 20 * SEC) : sim_below(s, 50 * MS));
	if (site->probe_at > s->now + VASSAL_PROBE_NS && cv->v.state == VASSAL_SETTLING)
		site->doubtful = cv->v.cycle;	/* taken for busy: by design */
}

static void world_probe_cancel(void *data, struct court_vassal *cv)
{
	struct sim *s = data;
	s->site[sim_site_of(cv->name)].probe_at = NEVER;
}

static void world_answer(void *data, uint64_t waiter, struct court_vassal *cv, const struct court_answer *answer)
{
	client_answer(data, waiter, cv, answer);
}

static void world_transition(void *data, struct court_vassal *cv, enum vassal_state from, enum vassal_event event, int64_t arg)
{
	struct sim *s = data;
	s->states[cv->v.state]++;
	s->events[event]++;
	sim_trace(s, "%s: %s -> %s by %s %ld, cycle %u", cv->name, vassal_state_name(from), vassal_state_name(cv->v.state),
		  vassal_event_name(event), (long)arg, cv->v.cycle);
	check_transition(s, cv, from);
}

static void world_gone(void *data, struct court_vassal *cv)
{
	struct sim *s = data;
	struct site *site = &s->site[sim_site_of(cv->name)];
	site->armed = 0;
	site->probe_at = NEVER;
}

static const struct court_world world = {
	.now = world_now, .order = world_order, .arm = world_arm, .probe = world_probe, .probe_cancel = world_probe_cancel,
	.answer = world_answer, .transition = world_transition, .gone = world_gone,
};

/* ---- its news */

void ruler_see(struct sim *s, unsigned i, bool booting)
{
	struct site *site = &s->site[i];
	struct spec *spec = calloc(1, sizeof *spec);
	spec->signal = site->signal;
	spec->has_app = true;
	spec->probe = SPEC_PROBE_UWSGI;
	spec->logger = site->logger ? strdup("log") : NULL;
	spec->health = site->health ? strdup("/") : NULL;
	spec->ready_for_ms = site->ready_for_ms;
	spec->start_timeout_ms = spec->health_timeout_ms = spec->retire_mercy_ms = spec->drain_ms = UINT32_MAX;
	spec->hold_sockets = site->hold ? SPEC_CHOICE_YES : SPEC_CHOICE_NO;
	spec->handover = site->handover ? SPEC_HANDOVER_YES : SPEC_HANDOVER_NO;
	spec->sockets = site->signal == SPEC_SIGNAL_LOYAL ? NULL : strdup("\n/s\n");
	spec->no_double = site->double_bad ? strdup("stats") : NULL;
	court_seen(s->court, site->name, 0, &site->print, spec, booting);
}

void ruler_take_news(struct sim *s)
{
	struct news *n = s->news;
	struct proc *p = keeper_find(s, n->generation);
	s->news = n->next;
	if (!s->news)
		s->news_end = &s->news;
	if (n->kind == VASSAL_STARTED) {
		if (p)
			p->wired = true;
		spawn_done(s);
		court_started(s->court, n->generation, n->arg);
	} else if (n->kind == VASSAL_SPAWN_FAILED) {
		keeper_set_fate(s, n->generation, FATE_FAILED_TOLD);
		spawn_done(s);
		court_spawn_failed(s->court, n->generation, 3, n->arg);
	} else if (n->kind == VASSAL_SWITCHED || n->kind == VASSAL_SWITCH_FAILED) {
		court_switched(s->court, n->generation, n->arg);
	} else if (n->kind == VASSAL_DRAINED) {
		court_drained(s->court, n->generation);
	} else {
		if (!p)
			sim_fail(s, "end of generation %lu was forgotten before it was told", n->generation);
		p->told = true;
		s->site[p->site].exits++;
		p->wired = false;
		if (!court_exited(s->court, n->generation, n->arg))
			sim_fail(s, "the court knows nothing of generation %lu, which ended", n->generation);
	}
	free(n);
}

/* ---- wires: a byte is read, handled, and taken from the wire only when the keeper has the record with what it changed */

static void consume(struct sim *s, struct proc *p)
{
	unsigned n = 0;
	while (n + 1 < p->n_wire && p->wire[n].delivered && p->wire[n].seq <= s->taken && p->wire[n + 1].delivered)
		n++;
	memmove(p->wire, p->wire + n, (p->n_wire - n) * sizeof *p->wire);
	p->n_wire -= n;
}

uint64_t ruler_wire_due(const struct proc *p)
{
	for (unsigned i = 0; p->wired && i < p->n_wire; i++)
		if (!p->wire[i].delivered)
			return p->wire[i].at;
	return NEVER;
}

static void hand_over(struct sim *s, struct proc *p, const struct message *m)
{
	const struct court_vassal *cv = court_find_generation(s->court, p->generation);
	if (m->kind == 5) {
		p->ever_five = true;
		p->fives++;
	}
	bool old = m->exec <= p->reload_from || p->again || p->phase == PH_DRAINING;
	bool deceives = m->kind == 5 || m->kind == WIRE_NO_APP;
	if (cv && (cv->v.state == VASSAL_RELOADING || cv->v.state == VASSAL_SETTLING) && deceives && old) {
		s->count[C_OLD_WORKER_SPOKE]++;	/* nothing tells which code said it */
		s->site[p->site].doubtful = cv->v.cycle;
	}
	if (m->kind == WIRE_EOF)
		court_wire_eof(s->court, p->generation);
	else if (m->kind == WIRE_NO_APP)
		court_no_app(s->court, p->generation);
	else
		court_byte(s->court, p->generation, (unsigned char)m->kind);
}

void ruler_take_wire(struct sim *s, struct proc *p)
{
	unsigned i = 0;
	consume(s, p);
	while (p->wire[i].delivered)
		i++;
	struct message m = p->wire[i];
	p->wire[i].delivered = true;
	p->wire[i].step = s->step;
	if (m.kind != 26 || s->verbose)
		sim_trace(s, "%s: generation %lu says %u", s->site[p->site].name, p->generation, m.kind);
	hand_over(s, p, &m);
	p->wire[i].seq = s->pushed;
}

/* A new ruler reads what no record speaks of, and the byte that the dead one was about to take from the wire. */
static void rewind_wire(struct sim *s, struct proc *p)
{
	p->wired = true;
	p->told = false;
	for (unsigned i = 0; i < p->n_wire; i++) {
		struct message *m = &p->wire[i];
		bool last = i + 1 == p->n_wire || !p->wire[i + 1].delivered || p->wire[i + 1].seq > s->taken;
		if (m->delivered && m->seq > s->taken)
			s->count[C_BYTES_AGAIN]++;
		else if (m->delivered && last && m->step == s->death_step)
			s->count[C_BYTES_TWICE]++;
		else
			continue;
		m->delivered = false;
		m->at = s->now;
	}
}

static bool strict(const struct site *site)
{
	return site->health;
}

/* What a request to the process would get; INT32_MIN: nothing, ever. */
static int32_t request(const struct sim *s, const struct proc *p)
{
	if (!p || p->phase != PH_UP)
		return INT32_MIN;
	if (p->plan.outcome == OUT_NO_APP)
		return strict(&s->site[p->site]) ? 500 : -1;
	return p->plan.probe_bad ? (p->generation % 2 ? 0 : 500) : 200;
}

void ruler_take_probe(struct sim *s, unsigned i)
{
	struct court_vassal *cv = court_find(s->court, s->site[i].name);
	s->site[i].probe_at = NEVER;
	if (!cv)
		sim_fail(s, "%s: a probe outlives its vassal", s->site[i].name);
	struct proc *p = keeper_find(s, cv->v.state == VASSAL_RENEW_SETTLING ? cv->v.beside.generation : cv->v.generation);
	int32_t status = request(s, p);
	sim_trace(s, "%s: probe %d", cv->name, status);
	if (status != INT32_MIN)
		court_probed(s->court, p->generation, status);
}

void ruler_take_timer(struct sim *s, unsigned i)
{
	struct court_vassal *cv = court_find(s->court, s->site[i].name);
	if (!cv)
		sim_fail(s, "%s: a timer outlives its vassal", s->site[i].name);
	s->site[i].armed = 0;
	court_timer(s->court, cv);
}

/* ---- death and return */

void ruler_die(struct sim *s)
{
	uint64_t n = s->pushed - s->taken, lost = sim_below(s, n + 1);
	s->count[C_ORDERS_LOST] += lost;
	sim_trace(s, "the ruler dies, %lu of %lu orders are lost", lost, n);
	s->death_step = s->step;
	s->court = court_free(s->court);
	for (n -= lost; n > 0; n--)
		keeper_take_order(s);
	s->pushed = s->taken + lost;	/* so that the bytes that made them are read again */
	while (s->orders) {
		struct queued *q = s->orders;
		s->orders = q->next;
		free(q->record);
		free(q);
	}
	s->orders_end = &s->orders;
	while (s->news) {
		struct news *w = s->news;
		s->news = w->next;
		free(w);
	}
	s->news_end = &s->news;
	while (s->wishes) {
		struct wish *w = s->wishes;
		s->wishes = w->next;
		free(w);
	}
	s->wishes_end = &s->wishes;
	s->in_flight = 0;
	client_lose_all(s);
	uint64_t down = sim_below(s, sim_chance(s, 10) ? RULER_DOWN_MAX : 200 * MS);
	s->ruler_at = s->now + down;
	s->death = realloc(s->death, (s->count[C_RULER_DEATHS] + 1) * sizeof *s->death);
	s->death[s->count[C_RULER_DEATHS]].at = s->now;
	s->death[s->count[C_RULER_DEATHS]++].down = down;
}

uint64_t ruler_missing_since(const struct sim *s, uint64_t since)
{
	uint64_t sum = 0;
	for (uint64_t i = s->count[C_RULER_DEATHS]; i-- > 0 && s->death[i].at >= since;)
		sum += s->death[i].down;
	return sum;
}

static void adopt(struct sim *s)
{
	for (unsigned i = 0; i < s->n_sites; i++) {
		struct site *site = &s->site[i];
		if (site->record && court_adopt_record(s->court, site->name, site->record, site->record_size) < 0)
			sim_fail(s, "%s: its record is not adopted", site->name);
	}
	for (struct proc *p = s->procs; p; p = p->next) {
		if (!court_adopt_generation(s->court, p->generation, p->pid))
			sim_fail(s, "%s: generation %lu is unknown to a new ruler", s->site[p->site].name, p->generation);
		rewind_wire(s, p);
		if (!proc_alive(p))
			keeper_tell(s, VASSAL_EXITED, p->generation, p->status);
	}
	s->taken = s->pushed;
	court_adopted(s->court);
}

void ruler_start(struct sim *s)
{
	s->config.first_generation = s->last_generation + 1;
	for (unsigned i = 0; i < s->n_sites; i++) {
		s->site[i].armed = 0;
		s->site[i].probe_at = s->site[i].drain_at = NEVER;
	}
	struct court_world mine = world;
	mine.data = s;
	if (court_new(&s->config, &mine, &s->court) < 0)
		sim_fail(s, "no court");
	adopt(s);
	for (unsigned i = 0; i < s->n_sites; i++)
		if (s->site[i].exists)
			ruler_see(s, i, true);
	court_sweep(s->court);
	if (s->dissolving)
		court_dissolve(s->court, 30 * SEC);	/* the keeper says so again */
	sim_trace(s, "a ruler rules");
}
