/* commands: what deploys add: stale vassals, two generations, check and rehearse. */
#include "tests/unit/fake_client.h"
#include "supervisor/commands_inside.h"

/* What the core says of a vassal whose handover failed. */
static void fails_and_serves_on(struct fake *f, struct court_vassal *cv)
{
	static const struct court_answer answer = { .verdict = VASSAL_FAILED_OLD_SERVES, .failure = { .why = VASSAL_WHY_PROBE, .detail = 500 } };
	cv->v.stale = 1;
	cv->v.failure = answer.failure;
	for (unsigned i = 0; i < cv->n_requests; i++)
		if (cv->requests[i].waiter)
			commands_answer(f->commands, cv->requests[i].waiter, cv, &answer);
}

static void test_stale(void **state)
{
	struct fake *f = *state;
	struct court_vassal *a = fake_ready(f, "a.ini", NULL), *b = fake_ready(f, "b.ini", NULL);
	struct client c;
	client_open(f, &c);
	client_says(f, &c, "reload a b\n");
	fails_and_serves_on(f, b);
	fake_comes_up(f, a);
	const char *text = client_hears(f, &c);
	expect_status(text, 1);
	expect_in(text, "\"text\":\"reload: 1 of 2 done; stale, the old code serves on: b.ini\"");
	expect_in(text, "\"text\":\"b.ini: reload failed, the old code serves on: its answer to a request was 500\",\"stage\":\"probe\"");
	expect_in(text, "\"reason\":\"its answer to a request was 500\",\"stale\":true");
	client_close_fd(&c);
	fake_comes_up(f, b);
	b->v.stale = 1;
	text = answer_to(f, "status");
	expect_in(text, "\"text\":\"2 vassals: 2 ready; 1 stale: serves older code\"");
	assert_int_equal(count_in(text, "\"stale\":true"), 1);
	expect_status(answer_to(f, "status --check"), 1);
	expect_status(answer_to(f, "status b --check"), 1);
	expect_status(answer_to(f, "status a --check"), 0);
	expect_in(answer_to(f, "status b"), "\"text\":\"b.ini: ready, stale: serves older code");
}

static void test_beside(void **state)
{
	static const char *const phases[] = { "none", "tried", "draining", "retiring", "killed" };
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	cv->v.held = 1;
	for (uint8_t phase = 1; phase < VASSAL_BESIDE_PHASES; phase++) {
		char expected[96];
		cv->v.beside = (struct vassal_beside){ .generation = 77, .pid = 4711, .phase = phase };
		snprintf(expected, sizeof expected, "\"beside\":{\"generation\":77,\"pid\":4711,\"phase\":\"%s\"}", phases[phase]);
		expect_in(answer_to(f, "status a"), expected);
	}
	cv->v.failure = (struct vassal_failure){ .why = VASSAL_WHY_EXIT, .detail = 22 << 8 };
	const char *text = answer_to(f, "status a");
	expect_in(text, "\"held\":true");
	expect_in(text, "\"last_failure\":{\"stage\":\"exit\",\"reason\":\"exited 22: no app could be loaded\"}");
	cv->v.beside = (struct vassal_beside){ 0 };
}

/* The new states in the words of events. */
static void test_causes(void **state)
{
	static const struct { enum vassal_event event; int64_t arg; const char *text; } causes[] = {
		{ VASSAL_BESIDE_STARTED, 12, "new one started: pid 12" }, { VASSAL_BESIDE_EXITED, 22 << 8, "other one exited 22: no app could be loaded" },
		{ VASSAL_BESIDE_EXITED, 9, "other one killed by SIGKILL" }, { VASSAL_SWITCH_FAILED, EACCES, "switch failed: Permission denied" },
		{ VASSAL_SWITCHED, 0, "switched" }, { VASSAL_PROBE_FAILED, 500, "probe failed: HTTP 500" }, { VASSAL_PROBE_FAILED, 0, "probe failed" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
		char text[160];
		event_cause(text, sizeof text, causes[i].event, causes[i].arg);
		assert_string_equal(text, causes[i].text);
	}
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_stale), T(test_beside), T(test_causes) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
