/* calm: freeze, thaw and reload-on-change: a checkout that touches many files makes one reload, the hook's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vassals/util.h"
#include "vassals/vassal.h"

struct rig { struct vassal v; struct vassal_rules rules; struct vassal_actions out; uint64_t now; };

static void feed(struct rig *r, enum vassal_event event, int64_t arg)
{
	struct vassal_input in = { .event = event, .now = r->now, .arg = arg, .class = VASSAL_CLASS_DEPLOY, .new_generation = 7 };
	vassal_handle(&r->v, &r->rules, &in, &r->out);
}

static void pass(struct rig *r, uint64_t time)
{
	uint64_t end = r->now + time, due;
	while ((due = vassal_deadline(&r->v)) != 0 && due <= end) {
		r->now = due > r->now ? due : r->now;
		feed(r, VASSAL_TIMER, 0);
	}
	r->now = end;
}

static struct rig ready(void)
{
	struct rig r = { .now = 1000 * NSEC_PER_SEC, .rules = {
		.signal = SPEC_SIGNAL_ACCEPTING, .ready_for = NSEC_PER_SEC, .start_patience = 30 * NSEC_PER_SEC,
		.start_timeout = 60 * NSEC_PER_SEC, .mercy = 30 * NSEC_PER_SEC, .curse_tolerance = 30 * NSEC_PER_SEC } };
	vassal_init(&r.v, r.now);
	feed(&r, VASSAL_CHANGED, 0);
	feed(&r, VASSAL_ADMITTED, 0);
	feed(&r, VASSAL_STARTED, 42);
	feed(&r, VASSAL_BYTE, 5);
	pass(&r, 2 * NSEC_PER_SEC);
	assert_int_equal(r.v.state, VASSAL_READY);
	return r;
}

static void test_a_frozen_change_waits_for_the_thaw(void **state)
{
	(void)state;
	struct rig r = ready();
	feed(&r, VASSAL_FREEZE, 600 * (int64_t)NSEC_PER_SEC);
	assert_true(vassal_is_frozen(&r.v));
	feed(&r, VASSAL_CHANGED, 0);
	pass(&r, 60 * NSEC_PER_SEC);
	assert_int_equal(r.v.state, VASSAL_READY);
	feed(&r, VASSAL_THAW, 0);
	assert_false(vassal_is_frozen(&r.v));
	assert_int_equal(r.v.state, VASSAL_RELOAD_QUEUED);
}

static void test_the_hooks_own_reload_serves_it(void **state)
{
	(void)state;
	struct rig r = ready();
	feed(&r, VASSAL_FREEZE, 600 * (int64_t)NSEC_PER_SEC);
	feed(&r, VASSAL_MISSING, 0);
	feed(&r, VASSAL_CHANGED, 0);
	feed(&r, VASSAL_CHANGED, 0);
	feed(&r, VASSAL_RELOAD, 0);
	assert_int_equal(r.v.state, VASSAL_RELOAD_QUEUED);
	feed(&r, VASSAL_ADMITTED, 0);
	feed(&r, VASSAL_BYTE, 5);
	pass(&r, 2 * NSEC_PER_SEC);
	assert_int_equal(r.v.state, VASSAL_READY);
	uint32_t cycle = r.v.cycle;
	feed(&r, VASSAL_THAW, 0);
	pass(&r, 10 * NSEC_PER_SEC);
	assert_int_equal(r.v.state, VASSAL_READY);
	assert_int_equal(r.v.cycle, cycle);
}

static void test_a_change_after_that_reload_still_counts(void **state)
{
	(void)state;
	struct rig r = ready();
	feed(&r, VASSAL_FREEZE, 600 * (int64_t)NSEC_PER_SEC);
	feed(&r, VASSAL_RELOAD, 0);
	feed(&r, VASSAL_ADMITTED, 0);
	feed(&r, VASSAL_CHANGED, 0);
	feed(&r, VASSAL_BYTE, 5);
	pass(&r, 2 * NSEC_PER_SEC);
	feed(&r, VASSAL_THAW, 0);
	assert_int_equal(r.v.state, VASSAL_RELOAD_QUEUED);
}

static void test_missing_counts_only_if_it_is_still_missing(void **state)
{
	(void)state;
	struct rig r = ready();
	feed(&r, VASSAL_FREEZE, 600 * (int64_t)NSEC_PER_SEC);
	feed(&r, VASSAL_MISSING, 0);
	pass(&r, 5 * NSEC_PER_SEC);
	feed(&r, VASSAL_PRESENT, 0);
	feed(&r, VASSAL_THAW, 0);
	pass(&r, 5 * NSEC_PER_SEC);
	assert_int_equal(r.v.state, VASSAL_READY);
	feed(&r, VASSAL_MISSING, 0);	/* and a grace that runs already is taken along */
	feed(&r, VASSAL_FREEZE, 600 * (int64_t)NSEC_PER_SEC);
	pass(&r, 5 * NSEC_PER_SEC);
	assert_int_equal(r.v.state, VASSAL_READY);
	feed(&r, VASSAL_THAW, 0);
	pass(&r, 2 * NSEC_PER_SEC);
	assert_int_equal(r.v.state, VASSAL_STOPPING);
}

static void test_it_thaws_by_itself(void **state)
{
	(void)state;
	struct rig r = ready();
	feed(&r, VASSAL_FREEZE, 600 * (int64_t)NSEC_PER_SEC);
	feed(&r, VASSAL_CHANGED, 0);
	pass(&r, 599 * NSEC_PER_SEC);
	assert_int_equal(r.v.state, VASSAL_READY);
	pass(&r, 2 * NSEC_PER_SEC);
	assert_false(vassal_is_frozen(&r.v));
	assert_int_equal(r.v.state, VASSAL_RELOAD_QUEUED);
}

static void test_frozen_outlives_a_death(void **state)
{
	(void)state;
	struct rig r = ready();
	feed(&r, VASSAL_FREEZE, 600 * (int64_t)NSEC_PER_SEC);
	feed(&r, VASSAL_EXITED, 9);
	assert_true(vassal_is_frozen(&r.v));
	assert_int_equal(r.v.state, VASSAL_QUEUED);
	feed(&r, VASSAL_REMOVED, 0);	/* the court is dissolved: no freeze holds that up */
	assert_int_equal(r.v.state, VASSAL_GONE);
}

static void test_reload_on_change_no(void **state)
{
	(void)state;
	struct rig r = ready();
	r.rules.calm = true;
	feed(&r, VASSAL_CHANGED, 0);
	assert_int_equal(r.v.state, VASSAL_READY);
	feed(&r, VASSAL_RELOAD, 0);
	assert_int_equal(r.v.state, VASSAL_RELOAD_QUEUED);
	feed(&r, VASSAL_STOP, 0);
	feed(&r, VASSAL_EXITED, 0);
	feed(&r, VASSAL_CHANGED, 0);	/* what does not run is started by it all the same */
	assert_int_equal(r.v.state, VASSAL_QUEUED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_frozen_change_waits_for_the_thaw), cmocka_unit_test(test_the_hooks_own_reload_serves_it),
		cmocka_unit_test(test_a_change_after_that_reload_still_counts),
		cmocka_unit_test(test_missing_counts_only_if_it_is_still_missing), cmocka_unit_test(test_it_thaws_by_itself),
		cmocka_unit_test(test_frozen_outlives_a_death), cmocka_unit_test(test_reload_on_change_no),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
