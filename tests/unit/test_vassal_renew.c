/* vassal_renew: the stories one tells of a handover, and of a rehearsal. (test_vassal tries every cell.) */
#include "tests/unit/vassal_rig.h"

static void a_handover(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	uint64_t old = r.v.generation;
	assert_int_equal(vassal_ticket(&r.v, VASSAL_RELOAD), 2);
	begin_handover(&r);
	beside(&r, VASSAL_BYTE, 1);
	beside(&r, VASSAL_BYTE, 5);
	must_do(&r, VASSAL_ACT_RELEASE, 0);
	is(&r, VASSAL_RENEW_SETTLING);
	assert_int_equal(r.v.generation, old);
	pass(&r, SEC);
	is(&r, VASSAL_SWITCHING);
	uint64_t new = r.v.beside.generation;
	assert_int_equal(did(&r, VASSAL_ACT_SWITCH)->generation, new);
	beside(&r, VASSAL_SWITCHED, 0);
	is(&r, VASSAL_RETIRING);
	assert_int_equal(r.v.generation, new);
	assert_int_equal(r.v.pid, 43);
	assert_int_equal(r.v.beside.generation, old);
	assert_null(did(&r, VASSAL_ACT_ANSWER));
	own(&r, VASSAL_DRAINED, 0);
	must_do(&r, VASSAL_ACT_SEND, 2);
	assert_int_equal(did(&r, VASSAL_ACT_SEND)->generation, old);
	beside(&r, VASSAL_EXITED, 0);
	is(&r, VASSAL_READY);
	must_do(&r, VASSAL_ACT_ANSWER, 2);
	assert_int_equal(did(&r, VASSAL_ACT_FORGET)->generation, old);
	assert_int_equal(r.v.result, VASSAL_DONE);
	assert_int_equal(vassal_deadline(&r.v), 0);
	assert_int_equal(r.v.stale, 0);
}

/* What ends the new one, and what is said of it. */
static void exits_at_once(struct rig *r) { begin_handover(r); beside(r, VASSAL_EXITED, 22 << 8); }
static void exits_at_the_gate(struct rig *r)
{
	begin_handover(r);
	beside(r, VASSAL_BYTE, 5);
	beside(r, VASSAL_WIRE_EOF, 0);
	is(r, VASSAL_RENEW_SETTLING);
	beside(r, VASSAL_EXITED, 11);
}
static void cannot_be_spawned(struct rig *r)
{
	ev(r, VASSAL_RELOAD, 0);
	ev(r, VASSAL_ADMITTED, 0);
	beside(r, VASSAL_SPAWN_FAILED, 0);
}
static void killed_then_gone(struct rig *r)
{
	is(r, VASSAL_ABANDONING);
	assert_null(did(r, VASSAL_ACT_ANSWER));	/* its last words are read first */
	beside(r, VASSAL_EXITED, 9);
}
static void hangs(struct rig *r)
{
	begin_handover(r);
	pass(r, 60 * SEC);
	must_do(r, VASSAL_ACT_KILL, 0);
	killed_then_gone(r);
}
static void closes_its_wire(struct rig *r)
{
	begin_handover(r);
	beside(r, VASSAL_WIRE_EOF, 0);
	pass(r, VASSAL_SILENT_NS);
	killed_then_gone(r);
}
static void has_no_app(struct rig *r)
{
	begin_handover(r);
	beside(r, VASSAL_NO_APP, 0);
	beside(r, VASSAL_BYTE, 5);
	pass(r, SEC);
	killed_then_gone(r);
}
static void answers_badly(struct rig *r)
{
	r->rules.probe = true;
	begin_handover(r);
	beside(r, VASSAL_BYTE, 5);
	pass(r, SEC);
	assert_int_equal(did(r, VASSAL_ACT_PROBE)->generation, r->v.beside.generation);
	beside(r, VASSAL_PROBE_FAILED, 500);
	killed_then_gone(r);
}
static void answers_nothing(struct rig *r)
{
	r->rules.probe = true;
	begin_handover(r);
	beside(r, VASSAL_BYTE, 5);
	pass(r, SEC + VASSAL_PROBE_NS);
	killed_then_gone(r);
}
static void respawns_for_ever(struct rig *r)
{
	begin_handover(r);
	for (int i = 0; i <= VASSAL_RESPAWNS_MAX + 1; i++)
		beside(r, VASSAL_BYTE, 5);
	killed_then_gone(r);
}
static void cannot_be_switched_to(struct rig *r)
{
	reach_switching(r);
	beside(r, VASSAL_SWITCH_FAILED, 13);
	assert_int_equal(did(r, VASSAL_ACT_SWITCH)->generation, r->v.generation);	/* back, should it have come half way */
	killed_then_gone(r);
}

static void failures(void **state)
{
	static const struct { void (*tell)(struct rig *r); enum vassal_why why; int detail; } stories[] = {
		{ exits_at_once, VASSAL_WHY_EXIT, 22 << 8 }, { exits_at_the_gate, VASSAL_WHY_EXIT, 11 },
		{ cannot_be_spawned, VASSAL_WHY_SPAWN, 12 }, { hangs, VASSAL_WHY_TIMEOUT, 0 },
		{ closes_its_wire, VASSAL_WHY_CURSED, 0 }, { has_no_app, VASSAL_WHY_NO_APP, 0 },
		{ answers_badly, VASSAL_WHY_PROBE, 500 }, { answers_nothing, VASSAL_WHY_PROBE, 0 },
		{ respawns_for_ever, VASSAL_WHY_RESPAWNING, 0 }, { cannot_be_switched_to, VASSAL_WHY_SWITCH, 13 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(stories); i++) {
		struct rig r = rig_held();
		make_ready_held(&r);
		uint64_t old = r.v.generation;
		stories[i].tell(&r);
		is(&r, VASSAL_READY);
		must_do(&r, VASSAL_ACT_ANSWER, 2);
		assert_int_equal(r.v.result, VASSAL_FAILED_OLD_SERVES);
		assert_int_equal(r.v.failure.why, stories[i].why);
		assert_int_equal(r.v.failure.detail, stories[i].detail);
		assert_int_equal(r.v.generation, old);
		assert_int_equal(r.v.stale, 1);
		assert_int_equal(r.v.slot, 0);
		assert_int_equal(r.v.restarts, 0);
		assert_int_equal(vassal_deadline(&r.v), 0);
		r.rules.probe = false;
		reach_retiring(&r);		/* the push that repairs it */
		assert_int_equal(r.v.stale, 0);
		assert_int_equal(r.v.failure.why, VASSAL_WHY_NONE);
	}
}

static void a_broken_one_is_not_said_to_serve(void **state)
{
	(void)state;
	struct rig r = rig_held();
	ev(&r, VASSAL_CHANGED, 0);
	ev(&r, VASSAL_ADMITTED, 0);
	own(&r, VASSAL_STARTED, 42);
	own(&r, VASSAL_NO_APP, 0);
	own(&r, VASSAL_BYTE, 5);
	pass(&r, SEC);
	is(&r, VASSAL_BROKEN);
	exits_at_once(&r);
	is(&r, VASSAL_BROKEN);
	assert_int_equal(r.v.result, VASSAL_FAILED_DOWN);
}

/* A second request while one is under way: the answers speak of code that is no older than the request. */
static void requests_meanwhile(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	begin_handover(&r);
	assert_int_equal(vassal_ticket(&r.v, VASSAL_RELOAD), 3);
	assert_int_equal(vassal_ticket(&r.v, VASSAL_START), 1);		/* it runs already */
	ev(&r, VASSAL_RELOAD, 0);
	is(&r, VASSAL_RENEW_STARTING);
	beside(&r, VASSAL_EXITED, 22 << 8);
	must_do(&r, VASSAL_ACT_ANSWER, 2);
	is(&r, VASSAL_RELOAD_QUEUED);
	ev(&r, VASSAL_ADMITTED, 0);
	beside(&r, VASSAL_STARTED, 44);
	beside(&r, VASSAL_BYTE, 5);
	pass(&r, SEC);
	beside(&r, VASSAL_SWITCHED, 0);
	ev(&r, VASSAL_CHANGED, 0);		/* while the old one retires */
	is(&r, VASSAL_RETIRING);
	own(&r, VASSAL_DRAINED, 0);
	beside(&r, VASSAL_EXITED, 0);
	must_do(&r, VASSAL_ACT_ANSWER, 3);
	is(&r, VASSAL_RELOAD_QUEUED);
}

static void a_hung_try_does_not_hold_up_its_repair(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	begin_handover(&r);
	pass(&r, 30 * SEC);
	must_do(&r, VASSAL_ACT_RELEASE, 0);
	ev(&r, VASSAL_RELOAD, 0);
	is(&r, VASSAL_ABANDONING);
	beside(&r, VASSAL_EXITED, 9);
	must_do(&r, VASSAL_ACT_ANSWER, 2);
	is(&r, VASSAL_RELOAD_QUEUED);
}

static void the_old_one_dies_first(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	begin_handover(&r);
	own(&r, VASSAL_EXITED, 11);
	is(&r, VASSAL_QUEUED);
	must_do(&r, VASSAL_ACT_KILL, 0);
	assert_int_equal(r.v.beside.phase, VASSAL_BESIDE_KILLED);
	assert_null(did(&r, VASSAL_ACT_ANSWER));
	ev(&r, VASSAL_ADMITTED, 0);	/* too early: it may still have the sockets' side */
	is(&r, VASSAL_QUEUED);
	must_do(&r, VASSAL_ACT_RELEASE, 0);
	beside(&r, VASSAL_EXITED, 9);
	must_do(&r, VASSAL_ACT_ASK, VASSAL_CLASS_DEPLOY);
	ev(&r, VASSAL_ADMITTED, 0);
	must_do(&r, VASSAL_ACT_SPAWN, VASSAL_SPAWN_HELD);
	own(&r, VASSAL_STARTED, 45);
	own(&r, VASSAL_BYTE, 5);
	pass(&r, SEC);
	must_do(&r, VASSAL_ACT_ANSWER, 3);	/* whoever asked for 2 has it, too */
	assert_int_equal(r.v.result, VASSAL_DONE);
}

static void the_new_one_dies_after_the_switch(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	reach_retiring(&r);
	uint64_t old = r.v.beside.generation;
	own(&r, VASSAL_EXITED, 11);
	must_do(&r, VASSAL_ACT_ANSWER, 2);
	assert_int_equal(r.v.result, VASSAL_FAILED_DOWN);
	must_do(&r, VASSAL_ACT_SEND, 2);	/* nobody will say any more that it has drained */
	assert_int_equal(did(&r, VASSAL_ACT_SEND)->generation, old);
	is(&r, VASSAL_QUEUED);
	ev(&r, VASSAL_ADMITTED, 0);		/* on its own side: the old one may take its time */
	must_do(&r, VASSAL_ACT_SPAWN, VASSAL_SPAWN_HELD);
	beside(&r, VASSAL_EXITED, 0);
	assert_int_equal(r.v.beside.generation, 0);
	is(&r, VASSAL_SPAWNING);
}

static void an_old_one_that_does_not_end(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	reach_retiring(&r);
	pass(&r, SEC);
	own(&r, VASSAL_DRAINED, 0);
	pass(&r, 60 * SEC);
	must_do(&r, VASSAL_ACT_KILL, 0);
	assert_int_equal(did(&r, VASSAL_ACT_KILL)->generation, r.v.beside.generation);
	beside(&r, VASSAL_EXITED, 9);
	is(&r, VASSAL_READY);
	assert_int_equal(r.v.result, VASSAL_DONE);
}

/* Clients still ask where only the old one listens. */
static void an_old_one_that_does_not_become_quiet(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	reach_retiring(&r);
	pass(&r, 60 * SEC);
	must_do(&r, VASSAL_ACT_SEND, 2);
	assert_int_equal(did(&r, VASSAL_ACT_SEND)->generation, r.v.beside.generation);
	own(&r, VASSAL_DRAINED, 0);		/* too late */
	assert_int_equal(r.out.n, 0);
	pass(&r, 60 * SEC);
	must_do(&r, VASSAL_ACT_KILL, 0);
	beside(&r, VASSAL_EXITED, 9);
	is(&r, VASSAL_READY);
}

static void stopped_meanwhile(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	begin_handover(&r);
	ev(&r, VASSAL_STOP, 0);
	is(&r, VASSAL_STOPPING);
	must_do(&r, VASSAL_ACT_CANCEL, VASSAL_WHY_STOPPED);
	must_do(&r, VASSAL_ACT_KILL, 0);
	own(&r, VASSAL_EXITED, 0);
	is(&r, VASSAL_STOPPED);
	assert_null(did(&r, VASSAL_ACT_ANSWER_STOPS));	/* something of it is still there */
	assert_null(did(&r, VASSAL_ACT_CLOSE));
	beside(&r, VASSAL_EXITED, 9);
	must_do(&r, VASSAL_ACT_ANSWER_STOPS, 0);
	must_do(&r, VASSAL_ACT_CLOSE, 0);
}

static void removed_meanwhile(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	reach_retiring(&r);
	ev(&r, VASSAL_MISSING, 0);
	pass(&r, VASSAL_GRACE_NS);
	is(&r, VASSAL_STOPPING);
	must_do(&r, VASSAL_ACT_KILL, 0);
	beside(&r, VASSAL_EXITED, 9);
	own(&r, VASSAL_EXITED, 0);
	is(&r, VASSAL_GONE);
}

/* Clients that wait for the next start are not reset by the end of this one. */
static void a_restart_of_held_sockets_is_gentle(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	ev(&r, VASSAL_RESTART, 0);
	must_do(&r, VASSAL_ACT_SEND, 2 | VASSAL_SEND_PAUSED);
}

static void in_place_with_a_pause(void **state)
{
	(void)state;
	struct rig r = rig_held();
	r.rules.handover = false;
	r.rules.pause = true;
	make_ready_held(&r);
	ev(&r, VASSAL_RELOAD, 0);
	ev(&r, VASSAL_ADMITTED, 0);
	must_do(&r, VASSAL_ACT_SEND, 1 | VASSAL_SEND_PAUSED);
	is(&r, VASSAL_RELOADING);
}

static void clients_wait_up_to_a_limit(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	own(&r, VASSAL_EXITED, 11);
	is(&r, VASSAL_QUEUED);
	uint64_t until = r.v.deadline[VASSAL_T_HOLD];
	assert_int_equal(until, r.now + 60 * SEC);
	pass(&r, SEC);
	ev(&r, VASSAL_ADMITTED, 0);
	own(&r, VASSAL_STARTED, 50);
	own(&r, VASSAL_EXITED, 11);
	is(&r, VASSAL_BLACKLISTED);
	assert_int_equal(r.v.deadline[VASSAL_T_HOLD], until);	/* since it last served */
	r.v.deadline[VASSAL_T_BACKOFF] = r.now + 500 * SEC;
	pass(&r, 60 * SEC);
	assert_int_equal(r.v.held, 0);
	must_do(&r, VASSAL_ACT_CLOSE, 0);
	ev(&r, VASSAL_RELOAD, 0);
	ev(&r, VASSAL_ADMITTED, 0);
	must_do(&r, VASSAL_ACT_SPAWN, VASSAL_SPAWN_HELD);	/* bound anew */
}

static void one_that_says_nothing(void **state)
{
	(void)state;
	struct rig r = rig_held();
	r.rules.signal = SPEC_SIGNAL_SPAWNED;
	r.rules.probe = true;
	ev(&r, VASSAL_CHANGED, 0);
	ev(&r, VASSAL_ADMITTED, 0);
	own(&r, VASSAL_STARTED, 42);
	is(&r, VASSAL_SETTLING);
	pass(&r, SEC);
	own(&r, VASSAL_PROBE_OK, 200);
	is(&r, VASSAL_READY);
	ev(&r, VASSAL_RELOAD, 0);
	ev(&r, VASSAL_ADMITTED, 0);
	beside(&r, VASSAL_STARTED, 43);
	is(&r, VASSAL_RENEW_SETTLING);
	pass(&r, SEC);
	beside(&r, VASSAL_PROBE_OK, 200);
	is(&r, VASSAL_SWITCHING);
}

/* ---- rehearsals */

static void rehearse(struct rig *r)
{
	ev(r, VASSAL_REHEARSE, 0);
	ev(r, VASSAL_ADMITTED, 0);
	must_do(r, VASSAL_ACT_SPAWN, VASSAL_SPAWN_HELD | VASSAL_SPAWN_BESIDE | VASSAL_SPAWN_TRIAL);
	beside(r, VASSAL_STARTED, 43);
}

static void a_rehearsal(void **state)
{
	(void)state;
	struct rig r = rig_held();
	r.rules.handover = false;	/* held sockets are enough */
	make_ready_held(&r);
	uint64_t old = r.v.generation;
	rehearse(&r);
	beside(&r, VASSAL_BYTE, 5);
	pass(&r, SEC);
	is(&r, VASSAL_ABANDONING);
	assert_null(did(&r, VASSAL_ACT_SWITCH));
	beside(&r, VASSAL_EXITED, 9);
	must_do(&r, VASSAL_ACT_ANSWER_TRIAL, VASSAL_DONE);
	is(&r, VASSAL_READY);
	assert_int_equal(r.v.generation, old);
	assert_int_equal(r.v.cycle, 1);
	assert_int_equal(r.v.stale, 0);
}

static void a_bad_rehearsal(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	rehearse(&r);
	ev(&r, VASSAL_RELOAD, 0);
	beside(&r, VASSAL_EXITED, 22 << 8);
	must_do(&r, VASSAL_ACT_ANSWER_TRIAL, VASSAL_FAILED_OLD_SERVES);
	assert_int_equal(r.v.trial_failure.why, VASSAL_WHY_EXIT);
	assert_int_equal(r.v.failure.why, VASSAL_WHY_NONE);
	assert_int_equal(r.v.stale, 0);
	is(&r, VASSAL_RELOAD_QUEUED);		/* what was asked for meanwhile */
}

static void nothing_to_rehearse_with(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	ev(&r, VASSAL_REHEARSE, 0);
	must_do(&r, VASSAL_ACT_ANSWER_TRIAL, VASSAL_FAILED_DOWN);
	assert_int_equal(r.v.trial_failure.why, VASSAL_WHY_NO_TRIAL);
	is(&r, VASSAL_READY);
	struct rig no_more = rig_held();	/* its ini wants no held sockets any more */
	make_ready_held(&no_more);
	no_more.rules.hold = no_more.rules.handover = false;
	ev(&no_more, VASSAL_REHEARSE, 0);
	must_do(&no_more, VASSAL_ACT_ANSWER_TRIAL, VASSAL_FAILED_DOWN);
	is(&no_more, VASSAL_READY);
	struct rig down = rig_held();
	make_ready_held(&down);
	own(&down, VASSAL_EXITED, 11);
	ev(&down, VASSAL_REHEARSE, 0);
	must_do(&down, VASSAL_ACT_ANSWER_TRIAL, VASSAL_FAILED_DOWN);
}

static void rehearsed_after_what_is_under_way(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	reach_retiring(&r);
	ev(&r, VASSAL_REHEARSE, 0);
	assert_int_equal(r.out.n, 0);
	own(&r, VASSAL_DRAINED, 0);
	beside(&r, VASSAL_EXITED, 0);
	must_do(&r, VASSAL_ACT_ANSWER, 2);
	is(&r, VASSAL_RELOAD_QUEUED);
	own(&r, VASSAL_EXITED, 11);
	must_do(&r, VASSAL_ACT_ANSWER_TRIAL, VASSAL_FAILED_DOWN);
}

/* ---- a new ruler */

static void adopt(struct rig *r, bool has_process, bool has_beside)
{
	vassal_adopt(&r->v, &r->rules, has_process, has_beside, r->now, &r->out);
}

static void adopted_on_the_way(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	ev(&r, VASSAL_RELOAD, 0);
	ev(&r, VASSAL_ADMITTED, 0);
	struct rig never = r;
	adopt(&never, true, false);		/* its spawn got nowhere: once more, under a new number */
	is(&never, VASSAL_RELOAD_QUEUED);
	must_do(&never, VASSAL_ACT_RELEASE, 0);
	must_do(&never, VASSAL_ACT_ASK, VASSAL_CLASS_DEPLOY);
	assert_null(did(&never, VASSAL_ACT_ANSWER));
	r.v.beside.pid = 43;
	adopt(&r, true, true);
	is(&r, VASSAL_RENEW_STARTING);
	beside(&r, VASSAL_BYTE, 5);
	pass(&r, SEC);
	adopt(&r, true, true);
	assert_int_equal(did(&r, VASSAL_ACT_SWITCH)->generation, r.v.beside.generation);
	beside(&r, VASSAL_SWITCHED, 0);
	adopt(&r, true, true);
	assert_int_equal(did(&r, VASSAL_ACT_SWITCH)->generation, r.v.generation);	/* drains once more */
	own(&r, VASSAL_DRAINED, 0);
	adopt(&r, true, true);
	assert_int_equal(r.out.n, 0);		/* no second byte 2 */
	adopt(&r, true, false);
	is(&r, VASSAL_READY);
	must_do(&r, VASSAL_ACT_ANSWER, 2);
}

static void adopted_in_a_rehearsal(void **state)
{
	(void)state;
	struct rig r = rig_held();
	make_ready_held(&r);
	ev(&r, VASSAL_REHEARSE, 0);
	struct rig queued = r;
	adopt(&queued, true, false);
	is(&queued, VASSAL_READY);
	must_do(&queued, VASSAL_ACT_ANSWER_TRIAL, VASSAL_FAILED_DOWN);
	ev(&r, VASSAL_ADMITTED, 0);
	adopt(&r, true, false);
	is(&r, VASSAL_READY);
	must_do(&r, VASSAL_ACT_ANSWER_TRIAL, VASSAL_FAILED_OLD_SERVES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handover), cmocka_unit_test(failures), cmocka_unit_test(a_broken_one_is_not_said_to_serve),
		cmocka_unit_test(requests_meanwhile), cmocka_unit_test(a_hung_try_does_not_hold_up_its_repair),
		cmocka_unit_test(the_old_one_dies_first), cmocka_unit_test(the_new_one_dies_after_the_switch),
		cmocka_unit_test(an_old_one_that_does_not_end), cmocka_unit_test(an_old_one_that_does_not_become_quiet), cmocka_unit_test(stopped_meanwhile),
		cmocka_unit_test(removed_meanwhile), cmocka_unit_test(a_restart_of_held_sockets_is_gentle),
		cmocka_unit_test(in_place_with_a_pause), cmocka_unit_test(clients_wait_up_to_a_limit),
		cmocka_unit_test(one_that_says_nothing), cmocka_unit_test(a_rehearsal), cmocka_unit_test(a_bad_rehearsal),
		cmocka_unit_test(nothing_to_rehearse_with), cmocka_unit_test(rehearsed_after_what_is_under_way),
		cmocka_unit_test(adopted_on_the_way), cmocka_unit_test(adopted_in_a_rehearsal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
