/* vassal_rig: one vassal, a clock that stands, and the ways into its states. For the tests of vassal*.c. */
#ifndef REGENT_TEST_VASSAL_RIG_H
#define REGENT_TEST_VASSAL_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vassals/util.h"
#include "vassals/vassal.h"

#define SEC NSEC_PER_SEC
#define MS NSEC_PER_MSEC

struct rig {
	struct vassal v;
	struct vassal_rules rules;
	struct vassal_actions out;
	uint64_t now, generations;
};

static inline struct rig rig_new(enum spec_signal signal)
{
	struct rig r = {
		.now = 1000 * SEC,
		.rules = {
			.signal = signal, .ready_for = SEC, .start_patience = 30 * SEC, .start_timeout = 60 * SEC, .mercy = 30 * SEC,
			.curse_tolerance = 20 * SEC, .heartbeat = 15 * SEC, .probe_limit = VASSAL_PROBE_NS, .retire_mercy = 60 * SEC,
			.hold_limit = 60 * SEC, .backoff = { SEC, 180 * SEC, false },
		},
	};
	vassal_init(&r.v, r.now);
	return r;
}

static inline void feed(struct rig *r, struct vassal_input in)
{
	in.now = r->now;
	if (in.event == VASSAL_ADMITTED)
		in.new_generation = ++r->generations;
	if (in.event == VASSAL_CHANGED)
		in.class = VASSAL_CLASS_DEPLOY;
	if (in.event == VASSAL_SPAWN_FAILED || in.event == VASSAL_BESIDE_SPAWN_FAILED)
		in.failure = (struct vassal_failure){ VASSAL_WHY_SPAWN, 3, 12 };
	vassal_handle(&r->v, &r->rules, &in, &r->out);
}

static inline void ev(struct rig *r, enum vassal_event event, int64_t arg)
{
	feed(r, (struct vassal_input){ .event = event, .arg = arg });
}

/* The clock goes on, and every timer that becomes due fires in its turn. */
static inline void pass(struct rig *r, uint64_t time)
{
	uint64_t end = r->now + time, due;
	while ((due = vassal_deadline(&r->v)) != 0 && due <= end) {
		if (due > r->now)
			r->now = due;
		ev(r, VASSAL_TIMER, 0);
	}
	r->now = end;
}

static inline const struct vassal_action *did(const struct rig *r, enum vassal_act act)
{
	for (unsigned i = 0; i < r->out.n; i++)
		if (r->out.list[i].act == act)
			return &r->out.list[i];
	return NULL;
}

static inline void must_do(const struct rig *r, enum vassal_act act, uint32_t arg)
{
	const struct vassal_action *a = did(r, act);
	if (!a)
		fail_msg("act %d was not done", (int)act);
	else
		assert_int_equal(a->arg, arg);
}

#define is(r, expected) assert_string_equal(vassal_state_name((r)->v.state), vassal_state_name(expected))

/* ---- ways into a state */

static inline void start(struct rig *r)
{
	ev(r, VASSAL_CHANGED, 0);
	must_do(r, VASSAL_ACT_ASK, VASSAL_CLASS_DEPLOY);
	ev(r, VASSAL_ADMITTED, 0);
	must_do(r, VASSAL_ACT_SPAWN, 0);
	ev(r, VASSAL_STARTED, 42);
	is(r, VASSAL_STARTING);
}

static inline void make_ready(struct rig *r)
{
	start(r);
	ev(r, VASSAL_BYTE, 1);
	ev(r, VASSAL_BYTE, 5);
	pass(r, SEC);
	is(r, VASSAL_READY);
}

static inline void begin_reload(struct rig *r)
{
	ev(r, VASSAL_RELOAD, 0);
	ev(r, VASSAL_ADMITTED, 0);
	must_do(r, VASSAL_ACT_SEND, 1);
	is(r, VASSAL_RELOADING);
}

/* ---- two generations */

static inline struct rig rig_held(void)
{
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	r.rules.hold = r.rules.handover = true;
	return r;
}

/* News of the generation beside. */
static inline void beside(struct rig *r, enum vassal_event event, int64_t arg)
{
	feed(r, (struct vassal_input){ .event = event, .arg = arg, .generation = r->v.beside.generation });
}

static inline void own(struct rig *r, enum vassal_event event, int64_t arg)
{
	feed(r, (struct vassal_input){ .event = event, .arg = arg, .generation = r->v.generation });
}

static inline void make_ready_held(struct rig *r)
{
	ev(r, VASSAL_CHANGED, 0);
	ev(r, VASSAL_ADMITTED, 0);
	must_do(r, VASSAL_ACT_SPAWN, VASSAL_SPAWN_HELD);
	own(r, VASSAL_STARTED, 42);
	own(r, VASSAL_BYTE, 5);
	pass(r, SEC);
	is(r, VASSAL_READY);
}

/* Up to the new one's process. */
static inline void begin_handover(struct rig *r)
{
	ev(r, VASSAL_RELOAD, 0);
	ev(r, VASSAL_ADMITTED, 0);
	must_do(r, VASSAL_ACT_SPAWN, VASSAL_SPAWN_HELD | VASSAL_SPAWN_BESIDE);
	is(r, VASSAL_RENEW_SPAWNING);
	beside(r, VASSAL_STARTED, 43);
	is(r, VASSAL_RENEW_STARTING);
}

static inline void reach_switching(struct rig *r)
{
	begin_handover(r);
	beside(r, VASSAL_BYTE, 5);
	pass(r, SEC);
	is(r, VASSAL_SWITCHING);
	must_do(r, VASSAL_ACT_SWITCH, 0);
}

static inline void reach_retiring(struct rig *r)
{
	reach_switching(r);
	beside(r, VASSAL_SWITCHED, 0);
	is(r, VASSAL_RETIRING);
}

#endif
