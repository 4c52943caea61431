#include "supervisor/court.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/court_inside.h"
#include "vassals/probe.h"

int court_new(const struct court_config *config, const struct court_world *world, struct court **ret)
{
	struct court *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->config = *config;
	c->world = *world;
	c->next_generation = config->first_generation;
	admission_init(&c->admission, config->max_starting);
	*ret = c;
	return 0;
}

void court_vassal_drop(struct court *c, struct court_vassal *cv)
{
	admission_leave(&c->admission, &cv->node);
	if (cv->generation_key != 0)
		HASH_DELETE(by_generation, c->by_generation, cv);
	if (cv->beside)
		HASH_DELETE(by_generation, c->beside, cv->beside);
	HASH_DELETE(by_name, c->by_name, cv);
	c->world.gone(c->world.data, cv);
	spec_free(cv->spec);
	free(cv->requests);
	free(cv->history);
	free(cv->beside);
	free(cv->sockets);
	free(cv->trial_config);
	free(cv);
}

struct court *court_free(struct court *c)
{
	if (!c)
		return NULL;
	struct court_vassal *cv, *next;
	HASH_ITER(by_name, c->by_name, cv, next)
		court_vassal_drop(c, cv);
	free(c);
	return NULL;
}

int court_vassal_new(struct court *c, const char *name, struct court_vassal **ret)
{
	size_t length = strlen(name);
	struct court_vassal *cv = calloc(1, sizeof *cv + length + 1);
	if (!cv)
		return -ENOMEM;
	memcpy(cv->name, name, length + 1);
	cv->by_uid = UINT32_MAX;
	vassal_init(&cv->v, c->world.now(c->world.data));
	HASH_ADD_KEYPTR(by_name, c->by_name, cv->name, length, cv);
	*ret = cv;
	return 0;
}

void court_rules(const struct court *c, const struct court_vassal *cv, struct vassal_rules *rules)
{
	const struct court_gate *gate = &cv->gate;
	*rules = c->config.rules;
	if (!gate->known)
		return;
	rules->signal = (enum spec_signal)gate->signal;
	rules->probe_strict = gate->probe_strict;
	rules->probe = gate->probe;
	rules->calm = gate->calm;
	rules->hold = gate->hold;
	rules->handover = gate->handover;
	rules->pause = gate->pause;
	if (gate->ready_for_ms != UINT32_MAX)
		rules->ready_for = gate->ready_for_ms * NSEC_PER_MSEC;
	if (gate->start_timeout_ms != UINT32_MAX)
		rules->start_timeout = gate->start_timeout_ms * NSEC_PER_MSEC;
	if (gate->probe_limit_ms != UINT32_MAX)
		rules->probe_limit = gate->probe_limit_ms * NSEC_PER_MSEC;
	if (gate->retire_mercy_ms != UINT32_MAX)
		rules->retire_mercy = gate->retire_mercy_ms * NSEC_PER_MSEC;
}

uint32_t court_drain_ms(const struct court *c, const struct court_vassal *cv)
{
	return cv->gate.known && cv->gate.drain_ms != UINT32_MAX ? cv->gate.drain_ms : c->config.drain_ms;
}

/* What its ini says wins over the command line. */
static void decide_handover(const struct court_config *config, const struct spec *spec, struct court_gate *gate)
{
	enum spec_handover wish = spec->handover != SPEC_HANDOVER_UNSET ? spec->handover : config->handover;
	bool wanted = wish == SPEC_HANDOVER_YES || wish == SPEC_HANDOVER_FORCE;
	bool hold = spec->hold_sockets != SPEC_CHOICE_UNSET ? spec->hold_sockets == SPEC_CHOICE_YES : config->hold_sockets;
	gate->hold = spec->sockets && (hold || wanted);
	gate->handover = gate->hold && wanted && (!spec->no_double || wish == SPEC_HANDOVER_FORCE);
	gate->forced = wish == SPEC_HANDOVER_FORCE;
	gate->pause = wanted && !gate->handover && !spec->lazy;
}

static struct court_gate gate_of(const struct court_config *config, const struct spec *spec)
{
	struct court_gate gate = { 0 };
	if (!spec)
		return gate;
	decide_handover(config, spec, &gate);
	/* With its words in our pipe uWSGI tells us itself that no app was loaded; elsewhere one request must. */
	bool asks = spec->health || (spec->has_app && !spec->need_app && spec->logger);
	/* Of a held one that says nothing by itself, its answer over the private socket must do. */
	bool silent = gate.hold && spec->signal == SPEC_SIGNAL_SPAWNED;
	gate.known = 1;
	gate.signal = (uint8_t)spec->signal;
	gate.probe = ((spec->probe != SPEC_PROBE_NONE || gate.hold) && asks) || silent;
	gate.probe_strict = spec->health != NULL;
	gate.calm = spec->calm;
	gate.ready_for_ms = spec->ready_for_ms;
	gate.start_timeout_ms = spec->start_timeout_ms;
	gate.probe_limit_ms = spec->health_timeout_ms;
	gate.retire_mercy_ms = spec->retire_mercy_ms;
	gate.drain_ms = spec->drain_ms;
	return gate;
}

/* ---- configs */

static void feed_event(struct court *c, struct court_vassal *cv, enum vassal_event event, int64_t arg)
{
	struct vassal_input in = { .event = event, .arg = arg, .class = VASSAL_CLASS_DEPLOY };
	court_feed(c, cv, &in);
}

static bool print_differs(const struct court_fingerprint *a, const struct court_fingerprint *b)
{
	return a->dev != b->dev || a->inode != b->inode || a->size != b->size || a->mtime_ns != b->mtime_ns ||
	       a->hash != b->hash || a->uid != b->uid || a->gid != b->gid;
}

bool court_differs(const struct court *c, const char *name, const struct court_fingerprint *print)
{
	const struct court_vassal *cv = court_find(c, name);
	return !cv || cv->v.wanted == VASSAL_WANTED_GONE || print_differs(&cv->print, print);
}

/* Of most vassals nothing is asked again once the gate is known: for thousands of them that is memory for nothing. */
static bool is_needed(const struct spec *spec, const struct court_gate *gate)
{
	return spec && (spec->logger || gate->probe || gate->hold);
}

int court_seen(struct court *c, const char *name, uint16_t monitor, const struct court_fingerprint *print,
	       struct spec *spec, bool booting)
{
	if (c->dissolved) {
		spec_free(spec);
		return 0;
	}
	bool differs = court_differs(c, name, print);
	struct court_vassal *cv = court_find(c, name);
	/* What changed while no ruler ruled is a deploy, first listing or not. */
	bool is_new = !cv || cv->v.state == VASSAL_GONE;	/* gone: court_expect() has just made it */
	/* In tyrant mode a reload would go on as the old owner. */
	bool new_owner = cv && cv->v.wanted == VASSAL_WANTED_RUN &&
			 (cv->print.uid != print->uid || cv->print.gid != print->gid);
	if (!cv) {
		int r = court_vassal_new(c, name, &cv);
		if (r < 0) {
			spec_free(spec);
			return r;
		}
	}
	cv->gate = gate_of(&c->config, spec);
	free(cv->sockets);
	cv->sockets = cv->gate.hold ? strdup(spec->sockets) : NULL;
	if (!cv->sockets)
		cv->gate.hold = cv->gate.handover = 0;
	spec_free(cv->spec);
	cv->spec = is_needed(spec, &cv->gate) ? spec : spec_free(spec);
	cv->print = *print;
	cv->monitor = monitor;
	cv->seen = 1;
	if (new_owner)
		feed_event(c, cv, VASSAL_PRESENT, 0);	/* a restart ends no grace */
	struct vassal_input in = {
		.event = new_owner ? VASSAL_RESTART : differs ? VASSAL_CHANGED : VASSAL_PRESENT,
		.class = booting && is_new ? VASSAL_CLASS_BOOT : VASSAL_CLASS_DEPLOY,
	};
	court_feed(c, cv, &in);
	return 0;
}

int court_expect(struct court *c, const char *name, struct court_vassal **ret)
{
	return court_vassal_new(c, name, ret);
}

void court_present(struct court *c, struct court_vassal *cv)
{
	cv->seen = 1;
	feed_event(c, cv, VASSAL_PRESENT, 0);
}

void court_missing(struct court *c, const char *name)
{
	struct court_vassal *cv = court_find(c, name);
	if (cv)
		feed_event(c, cv, VASSAL_MISSING, 0);
}

void court_sweep(struct court *c)
{
	struct court_vassal *cv, *next;
	HASH_ITER(by_name, c->by_name, cv, next)
		if (!cv->seen)
			feed_event(c, cv, VASSAL_MISSING, 0);
}

void court_dissolve(struct court *c, uint64_t mercy)
{
	struct court_vassal *cv, *next;
	c->dissolved = true;
	c->config.rules.mercy = mercy;
	HASH_ITER(by_name, c->by_name, cv, next)
		feed_event(c, cv, VASSAL_REMOVED, 0);
}

/* ---- the keeper's news */

static bool feed_generation(struct court *c, uint64_t generation, enum vassal_event event, int64_t arg)
{
	struct court_vassal *cv = court_find_generation(c, generation);
	struct vassal_input in = { .event = event, .arg = arg, .class = VASSAL_CLASS_DEPLOY, .generation = generation };
	if (cv)
		court_feed(c, cv, &in);
	return cv != NULL;
}

bool court_started(struct court *c, uint64_t generation, pid_t pid)
{
	return feed_generation(c, generation, VASSAL_STARTED, pid);
}

bool court_spawn_failed(struct court *c, uint64_t generation, unsigned stage, int error)
{
	struct court_vassal *cv = court_find_generation(c, generation);
	if (!cv)
		return false;
	struct vassal_input in = { .event = VASSAL_SPAWN_FAILED, .generation = generation, .failure = { VASSAL_WHY_SPAWN, (uint8_t)stage, error } };
	court_feed(c, cv, &in);
	return true;
}

bool court_exited(struct court *c, uint64_t generation, int status)
{
	return feed_generation(c, generation, VASSAL_EXITED, status);
}

bool court_switched(struct court *c, uint64_t generation, int error)
{
	return feed_generation(c, generation, error == 0 ? VASSAL_SWITCHED : VASSAL_SWITCH_FAILED, error);
}

bool court_drained(struct court *c, uint64_t generation)
{
	return feed_generation(c, generation, VASSAL_DRAINED, 0);
}

bool court_byte(struct court *c, uint64_t generation, unsigned char byte)
{
	return feed_generation(c, generation, VASSAL_BYTE, byte);
}

bool court_wire_eof(struct court *c, uint64_t generation)
{
	return feed_generation(c, generation, VASSAL_WIRE_EOF, 0);
}

bool court_no_app(struct court *c, uint64_t generation)
{
	return feed_generation(c, generation, VASSAL_NO_APP, 0);
}

/* A spec that is not read yet, or not any more: what most of them say. */
static bool passes(const struct court_vassal *cv, int status)
{
	if (!cv->gate.probe_strict)
		return status > 0;
	return cv->spec ? probe_passes(cv->spec, status) : status >= 200 && status < 300;
}

bool court_probed(struct court *c, uint64_t generation, int status)
{
	struct court_vassal *cv = court_find_generation(c, generation);
	if (!cv)
		return false;
	return feed_generation(c, generation, passes(cv, status) ? VASSAL_PROBE_OK : VASSAL_PROBE_FAILED, status);
}

void court_timer(struct court *c, struct court_vassal *cv)
{
	cv->armed = 0;	/* it has fired: whatever comes next is to be armed anew */
	feed_event(c, cv, VASSAL_TIMER, 0);
}

/* ---- calm, and requests for many */

void court_calm(struct court *c, struct court_vassal *cv, uint64_t ns, uint32_t uid)
{
	cv->by_uid = uid;
	feed_event(c, cv, ns > 0 ? VASSAL_FREEZE : VASSAL_THAW, (int64_t)ns);
}

void court_restart(struct court *c, struct court_vassal *cv)
{
	feed_event(c, cv, VASSAL_RESTART, 0);
}

void court_forget_blacklist(struct court *c)
{
	struct court_vassal *cv, *next;
	HASH_ITER(by_name, c->by_name, cv, next)
		if (cv->v.state == VASSAL_BLACKLISTED)
			feed_event(c, cv, VASSAL_START, 0);
}

void court_reload(struct court *c, struct court_vassal *cv)
{
	if (cv->v.wanted == VASSAL_WANTED_RUN)
		feed_event(c, cv, VASSAL_RELOAD, 0);
}

void court_reload_all(struct court *c)
{
	struct court_vassal *cv, *next;
	HASH_ITER(by_name, c->by_name, cv, next)
		court_reload(c, cv);
}

/* ---- looking */

struct court_vassal *court_find(const struct court *c, const char *name)
{
	struct court_vassal *cv;
	HASH_FIND(by_name, c->by_name, name, strlen(name), cv);
	return cv;
}

struct court_vassal *court_find_generation(const struct court *c, uint64_t generation)
{
	struct court_vassal *cv;
	struct court_beside *b = NULL;
	if (generation == 0)
		return NULL;
	HASH_FIND(by_generation, c->by_generation, &generation, sizeof generation, cv);
	if (!cv && c->beside)
		HASH_FIND(by_generation, c->beside, &generation, sizeof generation, b);
	return b ? b->cv : cv;
}

struct court_vassal *court_first(const struct court *c) { return c->by_name; }
struct court_vassal *court_next(const struct court_vassal *cv) { return cv->by_name.next; }
size_t court_count(const struct court *c) { return HASH_CNT(by_name, c->by_name); }
size_t court_running(const struct court *c) { return c->running; }
bool court_is_dissolved(const struct court *c) { return c->dissolved && c->by_name == NULL; }
const struct admission *court_admission(const struct court *c) { return &c->admission; }
