/* main: the loop of the simulation: the next thing that is due, then the invariants; now and then the ruler dies, now and then all
 * faults pause and everything must come to rest. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define REST_EVERY 5000		/* steps between two rests */
#define REST_STEPS 50000	/* by then all must be at rest */

/* ---- randomness, trace */

uint64_t sim_random(struct sim *s)	/* splitmix64 */
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15ULL;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint64_t sim_below(struct sim *s, uint64_t n)
{
	return n == 0 ? 0 : sim_random(s) % n;
}

bool sim_chance(struct sim *s, unsigned percent)
{
	return sim_below(s, 100) < percent;
}

unsigned sim_site_of(const char *name)
{
	return (unsigned)strtoul(name + 1, NULL, 10);
}

__attribute__((format(printf, 2, 0)))
static void print_line(const struct sim *s, const char *fmt, va_list ap)
{
	printf("%8lu %12.6f  ", s->step, (double)s->now / 1e9);
	vprintf(fmt, ap);
	putchar('\n');
}

void sim_trace(struct sim *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *line = s->trace[s->trace_next++ % TRACE_LINES];
	int n = snprintf(line, TRACE_WIDTH, "%8lu %12.6f  ", s->step, (double)s->now / 1e9);
	vsnprintf(line + n, TRACE_WIDTH - (size_t)n, fmt, ap);
	va_end(ap);
	if (s->verbose)
		puts(line);
}

void sim_fail(struct sim *s, const char *fmt, ...)
{
	va_list ap;
	for (unsigned i = 0; i < TRACE_LINES; i++)
		if (s->trace[(s->trace_next + i) % TRACE_LINES][0])
			puts(s->trace[(s->trace_next + i) % TRACE_LINES]);
	va_start(ap, fmt);
	print_line(s, fmt, ap);
	va_end(ap);
	printf("FAILED: seed %lu, step %lu, vassals %u\n", s->seed, s->step, s->n_sites);
	fflush(stdout);
	_exit(1);
}

/* ---- what is due */

enum what { W_NOTHING, W_WIRE, W_NEWS, W_ORDER, W_PROC, W_DRAIN, W_PROBE, W_CLIENT, W_RULER, W_DEED, W_TIMER };
struct next {
	enum what what;		/* at one moment in this order: wires before timers, as a ruler must after a pause */
	uint64_t at;
	unsigned index;
	struct proc *proc;
};

static void offer(const struct sim *s, struct next *n, enum what what, uint64_t at, unsigned index, struct proc *p)
{
	if (at == NEVER)
		return;
	if (at < s->now)
		at = s->now;
	if (n->what == W_NOTHING || at < n->at || (at == n->at && what < n->what))
		*n = (struct next){ what, at, index, p };
}

static void offer_all(struct sim *s, struct next *n)
{
	bool ruled = s->court != NULL;
	for (struct proc *p = s->procs; p; p = p->next) {
		offer(s, n, W_PROC, proc_due(p), 0, p);
		if (ruled)
			offer(s, n, W_WIRE, ruler_wire_due(p), 0, p);
	}
	for (unsigned i = 0; ruled && i < s->n_sites; i++) {
		offer(s, n, W_DRAIN, s->site[i].drain_at, i, NULL);
		offer(s, n, W_PROBE, s->site[i].probe_at, i, NULL);
		if (s->site[i].armed != 0)
			offer(s, n, W_TIMER, s->site[i].armed, i, NULL);
	}
	for (unsigned i = 0; ruled && i < CLIENTS_MAX; i++)
		if (s->client[i].state == CL_LOST)
			offer(s, n, W_CLIENT, s->client[i].again, i, NULL);
	if (ruled && s->news)
		offer(s, n, W_NEWS, s->news->at, 0, NULL);
	if (s->orders)
		offer(s, n, W_ORDER, s->orders->at, 0, NULL);
	if (!ruled)
		offer(s, n, W_RULER, s->ruler_at, 0, NULL);
	if (!s->quiet)
		offer(s, n, W_DEED, s->op_at, 0, NULL);
}

/* Operators are calm, busy or frantic for a while. */
static void plan_deed(struct sim *s)
{
	static const uint64_t moods[] = { 30 * MS, 300 * MS, 2 * SEC, 20 * SEC };
	if (s->now >= s->mood_until) {
		s->mood = moods[sim_below(s, ARRAY_SIZE(moods))];
		s->mood_until = s->now + s->mood * 100;
	}
	s->op_at = s->now + sim_below(s, 2 * s->mood);
}

static void do_next(struct sim *s, const struct next *n)
{
	switch (n->what) {
	case W_NOTHING: s->now += SEC; break;
	case W_WIRE: ruler_take_wire(s, n->proc); break;
	case W_NEWS: ruler_take_news(s); break;
	case W_ORDER: keeper_take_order(s); break;
	case W_PROC: proc_run(s, n->proc); break;
	case W_DRAIN: keeper_drained(s, n->index); break;
	case W_PROBE: ruler_take_probe(s, n->index); break;
	case W_CLIENT: client_ask_again(s, &s->client[n->index]); break;
	case W_RULER: ruler_start(s); break;
	case W_DEED: deed(s); plan_deed(s); break;
	case W_TIMER: ruler_take_timer(s, n->index); break;
	}
}

static void step(struct sim *s)
{
	struct next n = { .what = W_NOTHING };
	offer_all(s, &n);
	if (n.what != W_NOTHING)
		s->now = n.at;
	s->step++;
	do_next(s, &n);
	check_all(s);
	if ((!s->quiet || s->dissolving) && s->court && sim_below(s, s->deaths) == 0)
		ruler_die(s);
}

/* ---- rest */

static bool vassal_rests(const struct court_vassal *cv)
{
	return cv->v.state == VASSAL_READY || cv->v.state == VASSAL_BROKEN || cv->v.state == VASSAL_EXILED ||
	       cv->v.state == VASSAL_STOPPED;
}

static bool at_rest(const struct sim *s)
{
	if (!s->court || s->orders || s->news)
		return false;
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (s->client[i].state == CL_WAITING || s->client[i].state == CL_LOST)
			return false;
	for (const struct court_vassal *cv = court_first(s->court); cv; cv = court_next(cv))
		if (!vassal_rests(cv))
			return false;
	return true;
}

static void rest(struct sim *s, bool (*done)(const struct sim *s))
{
	uint64_t last = s->step + REST_STEPS;
	s->quiet = true;
	while (!done(s)) {
		if (s->step == last)
			sim_fail(s, "does not come to rest");
		step(s);
	}
	const struct court_vassal *cv;
	for (unsigned i = 0; i < s->n_sites && !court_is_dissolved(s->court); i++)
		if (s->site[i].exists && !(cv = court_find(s->court, s->site[i].name)))
			sim_fail(s, "%s: has a config, and the court does not know it", s->site[i].name);
	s->quiet = false;
	plan_deed(s);
}

static bool all_gone(const struct sim *s)
{
	return s->court && court_is_dissolved(s->court) && !s->orders && !s->procs;
}

static void dissolve(struct sim *s)
{
	while (!s->court)
		step(s);
	for (unsigned i = 0; i < s->n_sites; i++) {
		s->site[i].exists = false;
		s->site[i].removals++;
	}
	s->quiet = s->dissolving = true;
	court_dissolve(s->court, 30 * SEC);
	rest(s, all_gone);
	for (unsigned i = 0; i < s->n_sites; i++)
		if (s->site[i].record)
			sim_fail(s, "%s: all is over, and its record is kept", s->site[i].name);
	if (court_admission(s->court)->taken != 0)
		sim_fail(s, "all is over, and %u slots are out", court_admission(s->court)->taken);
	check_all(s);
}

/* ---- the whole */

static void draw_site(struct sim *s, unsigned i)
{
	struct site *site = &s->site[i];
	unsigned kind = (unsigned)sim_below(s, 10);
	snprintf(site->name, sizeof site->name, "v%u.ini", i);
	site->exists = sim_chance(s, 80);
	site->print.inode = i;
	site->signal = kind < 6 ? SPEC_SIGNAL_ACCEPTING : kind == 6 ? SPEC_SIGNAL_SPAWNED : kind == 7 ? SPEC_SIGNAL_LOYAL :
		       SPEC_SIGNAL_UNSURE;
	site->logger = sim_chance(s, 40);
	site->health = sim_chance(s, 20);
	site->ready_for_ms = sim_chance(s, 60) ? UINT32_MAX : (uint32_t)sim_below(s, 3) * 1500;
	site->beats = sim_chance(s, 10);
	site->hold = sim_chance(s, 30);
	site->handover = sim_chance(s, 60);
	site->double_bad = sim_chance(s, 10);
	site->probe_at = site->drain_at = NEVER;
	site->doubtful = UINT32_MAX;
}

static void begin(struct sim *s)
{
	s->random = s->seed;
	s->now = 1000 * SEC;
	s->deaths = 30u << sim_below(s, 6);
	s->orders_end = &s->orders;
	s->news_end = &s->news;
	s->wishes_end = &s->wishes;
	s->config = (struct court_config){
		.max_starting = (uint32_t)sim_below(s, 5),
		.rules = {
			.ready_for = SEC, .start_patience = 30 * SEC, .start_timeout = 60 * SEC, .mercy = 30 * SEC,
			.curse_tolerance = 30 * SEC, .heartbeat = 30 * SEC, .probe_limit = VASSAL_PROBE_NS, .retire_mercy = 30 * SEC,
			.hold_limit = 60 * SEC, .stop_byte = sim_chance(s, 50) ? 2 : 0,
			.backoff = { SEC, 180 * SEC, sim_chance(s, 20) },
		},
	};
	for (unsigned i = 0; i < s->n_sites; i++)
		draw_site(s, i);
	plan_deed(s);
	ruler_start(s);
}

static const char *const count_names[] = {
	[C_RULER_DEATHS] = "ruler deaths", [C_ORDERS_LOST] = "orders lost", [C_BYTES_AGAIN] = "bytes read again",
	[C_BYTES_TWICE] = "bytes read twice", [C_SPAWN_FAILS] = "spawn fails", [C_CONFIG_CHANGED] = "config changed",
	[C_CONFIG_MISSING] = "config missing", [C_CONFIG_BACK] = "config back", [C_CONFIG_NEW] = "config new",
	[C_RELOAD] = "reload", [C_RESTART] = "restart", [C_START] = "start", [C_STOP] = "stop", [C_FORSAKEN] = "forsaken",
	[C_REASKED] = "asked again", [C_REPEATED_ID] = "id repeated", [C_BUSY] = "busy",
	[C_FORGET_BLACKLIST] = "forget-blacklist", [C_RELOAD_ALL] = "reload all", [C_STORMS] = "config storms", [C_CALM] = "freezes and thaws",
	[C_EXECS] = "executions", [C_EXIT_22] = "exit 22", [C_EXIT_26] = "exit 26", [C_HANGS] = "hangs",
	[C_CRASHES] = "crashes", [C_NO_APP] = "no app", [C_BYTE_LATE] = "byte late", [C_BYTE_DOUBLED] = "byte doubled",
	[C_BYTE_MISSING] = "byte missing", [C_WIRE_CLOSED] = "wire closed alive", [C_STOP_IGNORED] = "stop ignored",
	[C_HEARTBEAT_LOST] = "heartbeat lost", [C_BYTE_22] = "byte 22", [C_DIED_IN_RELOAD] = "dies in reload",
	[C_PROBE_BAD] = "probe bad", [C_PROBE_SLOW] = "probe slow", [C_DONE] = "answered done", [C_FAILED] = "answered failed",
	[C_STOPS_DONE] = "stops done", [C_OLD_WORKER_SPOKE] = "old code's words while reloading",
	[C_SWITCHES] = "switches", [C_SWITCH_FAILS] = "switch fails", [C_BACK] = "switches to the same", [C_TRIALS] = "rehearsals",
	[C_TRIALS_DONE] = "rehearsals passed", [C_OLD_SERVES] = "old code serves on", [C_CLOSES] = "sockets closed",
};
static_assert(ARRAY_SIZE(count_names) == C_COUNTS, "a count without a name");

static void print_column(const char *head, const char *name, uint64_t n, unsigned *column)
{
	if (n == 0)
		return;
	if (*column % 4 == 0)
		printf("%s%-7s", *column ? "\n" : "", *column ? "" : head);
	printf(" %s %lu%s", name, n, *column % 4 == 3 ? "" : " |");
	(*column)++;
}

static void report(const struct sim *s)
{
	unsigned column = 0;
	printf("%lu steps, seed %lu, %u vassals, %.0f s of their time, max-starting %u: all invariants held\n", s->step, s->seed,
	       s->n_sites, (double)s->now / 1e9, s->config.max_starting);
	for (int i = 0; i < C_COUNTS; i++)
		print_column("faults", count_names[i], s->count[i], &column);
	putchar('\n');
	column = 0;
	for (int i = 0; i < VASSAL_STATES; i++)
		print_column("states", vassal_state_name((enum vassal_state)i), s->states[i], &column);
	putchar('\n');
	column = 0;
	for (int i = 0; i < VASSAL_EVENTS; i++)
		print_column("events", vassal_event_name((enum vassal_event)i), s->events[i], &column);
	putchar('\n');
}

static void run(struct sim *s, uint64_t steps)
{
	begin(s);
	for (uint64_t n = 1; n <= steps; n++) {
		step(s);
		if (n % REST_EVERY == 0)
			rest(s, at_rest);
	}
	rest(s, at_rest);
	dissolve(s);
	s->court = court_free(s->court);
	keeper_free(s);
	report(s);
}

int main(int argc, char **argv)
{
	static struct sim s = { .seed = 1, .n_sites = 24 };
	uint64_t steps = 100000, value;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--verbose") == 0) {
			s.verbose = true;
			continue;
		}
		if (i + 1 == argc || util_parse_u64(argv[i + 1], 0, UINT64_MAX, &value) < 0)
			goto usage;
		if (strcmp(argv[i], "--steps") == 0)
			steps = value;
		else if (strcmp(argv[i], "--seed") == 0)
			s.seed = value;
		else if (strcmp(argv[i], "--vassals") == 0 && value >= 1 && value <= SITES_MAX)
			s.n_sites = (unsigned)value;
		else
			goto usage;
		i++;
	}
	run(&s, steps);
	return 0;
usage:
	fprintf(stderr, "usage: sim [--steps N] [--seed S] [--vassals N, at most %d] [--verbose]\n", SITES_MAX);
	return 2;
}
