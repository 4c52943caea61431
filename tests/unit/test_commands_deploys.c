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

static struct spec *spec_of(const char *no_double)
{
	struct spec *spec = calloc(1, sizeof *spec);
	spec->ready_for_ms = spec->start_timeout_ms = spec->health_timeout_ms = spec->retire_mercy_ms = spec->drain_ms = UINT32_MAX;
	spec->health_interval_ms = UINT32_MAX;
	spec->handover = SPEC_HANDOVER_YES;
	spec->sockets = strdup("\n/run/a.sock\n");
	spec->no_double = no_double ? strdup(no_double) : NULL;
	return spec;
}

static void test_check(void **state)
{
	struct fake *f = *state;
	fake_ready(f, "a.ini", NULL);
	f->spec = spec_of(NULL);
	const char *text = answer_to(f, "check a");
	expect_in(text, "{\"result\":\"done\",\"status\":0,\"text\":\"a.ini: a reload is a handover\",\"name\":\"a.ini\",\"report\":{");
	expect_in(text, "\"addresses\":[\"/run/a.sock\"]");
	expect_in(text, "\"now\":{\"state\":\"ready\",\"held\":false,\"stale\":false,\"double_kib\":");
	spec_free(f->spec);
	f->spec = spec_of("line 9: stats");
	text = answer_to(f, "check a.ini");
	expect_status(text, 1);
	expect_in(text, "\"why_in_place\":\"line 9: stats\"");
	f->spec = spec_free(f->spec);
	f->check_error = -EBADMSG;
	expect_in(answer_to(f, "check a"), "\"status\":2,\"text\":\"a.ini: line 3 is not a setting\"");
	f->check_error = -EACCES;
	expect_in(answer_to(f, "check a"), "\"status\":2,\"text\":\"a.ini: cannot be read: Permission denied\"");
	expect_status(answer_to(f, "check"), 2);
	expect_status(answer_to(f, "check a b"), 2);
	expect_status(answer_to(f, "check nobody"), 5);
	expect_status(exchange(f, true, "check a"), 4);
}

/* The helper that reads it may outlive the client, or the vassal. */
static void test_check_takes_long(void **state)
{
	struct fake *f = *state;
	struct client c;
	fake_ready(f, "a.ini", NULL);
	client_open(f, &c);
	client_says(f, &c, "check a\n");
	expect_not_in(client_hears(f, &c), "\"result\"");
	client_close_fd(&c);
	fake_turn(f);
	commands_checked(f->commands, f->checking, NULL, -EACCES, 0);
	client_open(f, &c);
	client_says(f, &c, "check a\n");
	f->spec = spec_of(NULL);
	commands_checked(f->commands, f->checking, f->spec, 0, 0);
	expect_status(client_hears(f, &c), 0);
	commands_checked(f->commands, f->checking, f->spec, 0, 0);
	client_close_fd(&c);
	f->spec = spec_free(f->spec);
}

static void test_rehearse_usage(void **state)
{
	static const char *const bad[] = { "rehearse", "rehearse a", "rehearse a x.ini", "rehearse a /x", "rehearse a /x.ini.bak", "rehearse a /.in",
					   "rehearse a \"/x\ty.ini\"", "rehearse a /x.ini more", "rehearse --all /x.ini" };
	struct fake *f = *state;
	fake_ready(f, "a.ini", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_status(answer_to(f, bad[i]), 2);
	expect_status(answer_to(f, "rehearse nobody /x.ini"), 5);
	expect_status(exchange(f, true, "rehearse a /x.ini"), 4);
	assert_int_equal(f->rehearsing, 0);
	f->rehearse_result = -EBUSY;
	const char *text = answer_to(f, "rehearse a /x.ini");
	expect_status(text, 3);
	expect_in(text, "\"text\":\"a.ini: nothing was rehearsed: another rehearsal of it is under way");
}

/* Answers of the core, and what becomes of them. */
static void test_rehearse(void **state)
{
	static const struct { struct court_answer answer; int status; const char *text; } cases[] = {
		{ { .verdict = VASSAL_DONE, .took = 1500 * NSEC_PER_MSEC }, 0, "a.ini: passed the rehearsal (1.5 s)" },
		{ { .verdict = VASSAL_FAILED_OLD_SERVES, .failure = { .why = VASSAL_WHY_EXIT, .detail = 22 << 8 } }, 1,
		  "a.ini: the rehearsal failed, nothing was changed: exited 22: no app could be loaded" },
		{ { .verdict = VASSAL_FAILED_DOWN, .failure = { .why = VASSAL_WHY_NO_TRIAL } }, 3, "a.ini: nothing was rehearsed: it does not run" },
	};
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	f->tail = "ImportError: x\n";
	cv->v.stale = 1;	/* of an older deploy */
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct client c;
		client_open(f, &c);
		client_says(f, &c, "rehearse a /srv/next/a.ini\n");
		assert_string_equal(f->rehearsed, "/srv/next/a.ini");
		expect_in(client_hears(f, &c), "{\"accepted\":\"a.ini\",\"id\":");
		expect_not_in(client_hears(f, &c), "\"result\"");
		struct court_answer answer = cases[i].answer;
		answer.kind = VASSAL_REHEARSE;
		commands_answer(f->commands, f->rehearsing, cv, &answer);
		const char *text = client_hears(f, &c);
		expect_status(text, cases[i].status);
		expect_in(text, cases[i].text);
		expect_in(text, "\"stale\":false");
		if (cases[i].status == 1)
			expect_in(text, "\"last_lines\":\"ImportError: x\\n\"");
		client_close_fd(&c);
	}
}

static void test_defaults_are_told(void **state)
{
	struct fake *f = *state;
	f->options.handover = SPEC_HANDOVER_FORCE;
	f->options.drain_ms = 250;
	expect_in(answer_to(f, "version"), "\"defaults\":{\"hold_sockets\":false,\"handover\":\"force\",");
	expect_in(answer_to(f, "version"), "\"drain_ms\":250,");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_stale), T(test_beside), T(test_causes), T(test_check),
		T(test_check_takes_long), T(test_rehearse_usage), T(test_rehearse), T(test_defaults_are_told) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
