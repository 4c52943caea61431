/* commands over a real control socket and the real court; the keeper is pretence (fake_court.h). */
#include "tests/unit/fake_client.h"

static struct spec *spec_with_logger(const char *file)
{
	struct spec *spec = calloc(1, sizeof *spec);
	spec->logger = strdup(file);
	spec->ready_for_ms = spec->start_timeout_ms = UINT32_MAX;
	return spec;
}

/* ---- words and usage */

static void test_words(void **state)
{
	struct fake *f = *state;
	fake_ready(f, "a b.ini", NULL);
	fake_ready(f, "q\"\\.ini", NULL);
	expect_status(answer_to(f, "  status \t \"a b.ini\"  \r"), 0);
	expect_status(answer_to(f, "\"status\" \"a b\""), 0);
	expect_status(answer_to(f, "status \"q\\\"\\\\.ini\""), 0);
	expect_in(answer_to(f, "status \"q\\\"\\\\.ini\""), "\"name\":\"q\\\"\\\\.ini\"");
	expect_status(answer_to(f, "status a\\.ini"), 5);	/* outside quotes a backslash is a backslash */
	expect_status(answer_to(f, "status \"a b.ini"), 2);
	expect_status(answer_to(f, "status \"a b\".ini"), 2);
	expect_status(answer_to(f, "status a\"b"), 2);
	expect_status(answer_to(f, "status \"a\\b\""), 2);
	expect_status(answer_to(f, "status \"a\\"), 2);
	expect_status(answer_to(f, "status \""), 2);
	expect_status(answer_to(f, "status \"\""), 2);
	expect_status(answer_to(f, ""), 2);
	expect_status(answer_to(f, " \t\r"), 2);
}

static void test_usage(void **state)
{
	struct fake *f = *state;
	static const char *const bad[] = {
		"x", "STATUS", "status a b", "status --nonsense", "status --check=1", "list a", "reload", "reload --all a",
		"reload --id", "reload --id= a", "reload --id=12 a", "reload --id=0123456789abcdef0123456789abcdeg a",
		"reload --id=" ID "00 a", "reload --id=00000000000000000000000000000000 a", "status --id=" ID, "wait a", "wait --for=ready",
		"wait a --for=red", "wait a b --for=gone", "logs", "logs a --lines", "logs a --lines=-1", "logs a --lines 99999",
		"logs a --lines x", "rescan x", "version x", "--id=" ID, "--", "reload --all=yes", "logs a --linesx=3",
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *text = answer_to(f, bad[i]);
		if (!strstr(text, "\"status\":2,"))
			fail_msg("%s: %s", bad[i], text);
	}
	expect_status(answer_to(f, "status -- --check"), 5);	/* a name, behind -- */
	char many[CONTROL_LINE_MAX];
	memset(many, ' ', sizeof many);
	for (size_t i = 0; i < sizeof many - 1; i += 2)
		many[i] = 'a';
	memcpy(many, "reload ", 7);
	many[sizeof many - 2] = '\0';
	expect_status(answer_to(f, many), 5);
}

static void test_junk(void **state)
{
	struct fake *f = *state;
	char line[64];
	unsigned seed = 7;
	fake_ready(f, "a.ini", NULL);
	for (int i = 0; i < 2000; i++) {
		for (size_t k = 0; k < sizeof line - 1; k++) {
			seed = seed * 1103515245 + 12345;
			line[k] = (char)((seed >> 16) % 3 ? "\"\\ a.-=\t\xff"[(seed >> 20) % 10 % 9] : (char)(1 + (seed >> 18) % 255));
		}
		memcpy(line, i % 2 ? "reload " : "logs --", 7);
		line[sizeof line - 1] = '\0';
		char *newline = strchr(line, '\n');
		if (newline)
			*newline = ' ';
		expect_in(answer_to(f, line), "\"result\"");
	}
	expect_status(answer_to(f, "status a"), 0);
}

/* ---- looking */

static void test_status(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	const char *text = answer_to(f, "status a");
	expect_in(text, "{\"result\":\"done\",\"status\":0,\"text\":\"a.ini: ready\",\"vassals\":[{\"name\":\"a.ini\",\"state\":\"ready\","
			"\"wanted\":\"run\",\"generation\":1,\"pid\":1001,\"cycle\":1,\"loyal\":false,\"restarts\":0,\"reloads\":0,\"since\":");
	expect_in(text, "\"last_end\":null,\"reason\":null,\"stage\":\"none\",\"backoff_left_ms\":0,\"frozen_left_ms\":0,\"waiting_for\":null,"
			"\"monitor\":\"/etc/uwsgi/vassals\",\"uid\":33,\"logger\":null,\"dropped_lines\":7,\"unhealthy\":0,\"held\":false,\"stale\":false,\"beside\":null,\"last_failure\":null}]}\n");
	expect_status(answer_to(f, "status --check"), 0);

	fake_exits(f, cv, 1);			/* the first death: again at once */
	court_started(f->court, cv->v.generation, 5);
	fake_exits(f, cv, 22);
	text = answer_to(f, "status");
	expect_in(text, "\"text\":\"1 vassal: 1 blacklisted\"");
	expect_in(text, "\"last_end\":\"exited 22: no app could be loaded\"");
	expect_in(text, "\"waiting_for\":\"throttle\"");
	expect_not_in(text, "\"backoff_left_ms\":0");
	expect_status(text, 0);
	expect_status(answer_to(f, "status --check"), 1);
	expect_status(answer_to(f, "status a --check"), 3);
}

static void test_list_and_others(void **state)
{
	struct fake *f = *state;
	fake_ready(f, "b.ini", NULL);
	fake_vassal(f, "a.ini", NULL);
	expect_in(answer_to(f, "list"), "\"text\":\"2 vassals: 1 spawning, 1 ready\",\"vassals\":[{\"name\":\"b.ini\",\"state\":\"ready\"},"
					"{\"name\":\"a.ini\",\"state\":\"spawning\"}]}");
	expect_in(answer_to(f, "version"), "\"version\":\"" REGENT_VERSION "\",\"keeper\":11,\"ruler\":12,\"uid\":65534,");
	expect_in(answer_to(f, "help"), "{\"verb\":\"wait\",\"arguments\":\"NAME --for=ready|gone\"");
	expect_status(answer_to(f, "rescan"), 0);
	assert_int_equal(f->rescans, 1);
	expect_status(answer_to(f, "reopen"), 0);
	f->reopen_result = -ENOSPC;
	expect_status(answer_to(f, "reopen"), 1);
	assert_int_equal(f->reopens, 2);
}

static void test_forget_blacklist(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	fake_exits(f, cv, 1);
	fake_exits(f, cv, 1);
	assert_int_equal(cv->v.state, VASSAL_BLACKLISTED);
	expect_status(answer_to(f, "forget-blacklist"), 0);
	assert_int_equal(cv->v.state, VASSAL_SPAWNING);
}

static void test_names(void **state)
{
	struct fake *f = *state;
	fake_ready(f, "site.ini", NULL);
	fake_ready(f, "site.xml", NULL);
	fake_ready(f, "site.prod.ini", NULL);
	expect_status(answer_to(f, "status site.ini"), 0);
	expect_status(answer_to(f, "status site.prod"), 0);
	const char *text = answer_to(f, "reload site.prod site");
	expect_status(text, 2);
	expect_in(text, "\"candidates\":[\"site.ini\",\"site.xml\"]");
	assert_int_equal(f->byte_1s, 0);	/* nothing was done, not even for the clear name */
	expect_status(answer_to(f, "status sit"), 5);
	expect_status(answer_to(f, "status site."), 5);
}

/* ---- asking */

static void test_reload(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	struct client c;
	client_open(f, &c);
	client_says(f, &c, "reload --id=" ID " a\n");
	const char *text = client_hears(f, &c);
	assert_int_equal(f->byte_1s, 1);
	static const char first[] = "{\"accepted\":\"a.ini\",\"id\":\"0123456789abcdef0123456789abcdef\"}\n";
	assert_ptr_equal(strstr(text, first), text);
	expect_in(text, "{\"vassal\":\"a.ini\",\"from\":\"ready\",\"to\":\"reload-queued\",\"cause\":\"reload\"}\n");
	expect_not_in(text, "\"result\"");
	assert_false(c.eof);
	fake_comes_up(f, cv);
	text = client_hears(f, &c);
	expect_in(text, "\"from\":\"reloading\",\"to\":\"settling\",\"cause\":\"byte 5\"}");
	expect_in(text, "\n{\"result\":\"done\",\"status\":0,\"text\":\"a.ini: reloaded: the new code accepts requests (2.0 s)\",\"vassals\":[{"
			"\"name\":\"a.ini\",\"status\":0,\"verdict\":\"done\",");
	expect_in(text, "\"stage\":\"none\",\"reason\":\"\",\"stale\":false,\"last_lines\":null,\"logger\":null,\"took_ms\":2000,\"cycle\":2}]}\n");
	assert_true(c.eof);
	client_close_fd(&c);
}

static void test_failed_reload(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	struct client c;
	f->tail = "Traceback (most recent call last):\nImportError: x\n";
	client_open(f, &c);
	client_says(f, &c, "reload a\n");
	fake_exits(f, cv, 22);
	const char *text = client_hears(f, &c);
	expect_status(text, 3);
	expect_in(text, "\"result\":\"failed\"");
	expect_in(text, "\"text\":\"a.ini: reload failed and the site is down: exited 22: no app could be loaded\"");
	expect_in(text, "\"stage\":\"exit\",\"reason\":\"exited 22: no app could be loaded\","
			"\"stale\":false,\"last_lines\":\"Traceback (most recent call last):\\nImportError: x\\n\",\"logger\":null");
	client_close_fd(&c);
}

static void test_failed_with_logger(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", spec_with_logger("/var/log/a.log"));
	struct client c;
	client_open(f, &c);
	client_says(f, &c, "reload a\n");
	fake_exits(f, cv, 22);
	const char *text = client_hears(f, &c);
	expect_status(text, 3);
	expect_in(text, "its words are in /var/log/a.log\"");
	expect_in(text, "\"last_lines\":null,\"logger\":\"/var/log/a.log\"");
	client_close_fd(&c);
}

static void test_no_app(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	struct client c;
	client_open(f, &c);
	client_says(f, &c, "reload a\n");
	court_no_app(f->court, cv->v.generation);
	fake_comes_up(f, cv);
	const char *text = client_hears(f, &c);
	expect_status(text, 3);
	expect_in(text, "\"stage\":\"no-app\"");
	client_close_fd(&c);
	expect_status(answer_to(f, "status a --check"), 3);
}

static void test_same_id_is_the_same_request(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	struct client lost, back;
	client_open(f, &lost);
	client_says(f, &lost, "reload --id=" ID " a\n");
	client_close_fd(&lost);
	fake_turn(f);
	assert_int_equal(f->byte_1s, 1);

	commands_free(f->commands);	/* a new ruler */
	f->commands = NULL;
	assert_int_equal(fake_rule(f), 0);
	client_open(f, &back);
	client_says(f, &back, "reload --id=" ID " a\n");
	assert_string_equal(client_hears(f, &back), "");	/* held back */
	commands_ready(f->commands);
	expect_in(client_hears(f, &back), "\"accepted\"");
	assert_int_equal(f->byte_1s, 1);
	fake_comes_up(f, cv);
	expect_status(client_hears(f, &back), 0);
	assert_int_equal(f->byte_1s, 1);
	client_close_fd(&back);

	expect_status(answer_to(f, "reload --id=" ID " a"), 0);	/* asked once more: the same answer, no new reload */
	assert_int_equal(f->byte_1s, 1);
}

/* It said all and left before it could be told anything: all is done. */
static void test_client_leaves_at_once(void **state)
{
	struct fake *f = *state;
	struct client c;
	fake_ready(f, "a.ini", NULL);
	fake_ready(f, "b.ini", NULL);
	fake_ready(f, "c.ini", NULL);
	client_open(f, &c);
	assert_true(send(c.fd, "stop --all\n", 11, MSG_NOSIGNAL) == 11);
	client_close_fd(&c);
	fake_turn(f);
	assert_int_equal(f->stops, 3);
}

static void test_client_leaves(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	struct client c;
	client_open(f, &c);
	client_says(f, &c, "reload a\n");
	client_close_fd(&c);
	fake_turn(f);
	for (unsigned i = 0; i < cv->n_requests; i++)
		assert_int_equal(cv->requests[i].waiter, 0);
	assert_int_equal(cv->n_requests, 1);
	fake_comes_up(f, cv);
	assert_int_equal(cv->v.state, VASSAL_READY);
	assert_int_equal(cv->v.cycle, 2);
}

/* --parallel: one after the other; --stop-on-failure: who was not asked yet keeps the code it has. */
static void test_rolling(void **state)
{
	struct fake *f = *state;
	struct court_vassal *a = fake_ready(f, "a.ini", NULL), *b = fake_ready(f, "b.ini", NULL);
	fake_ready(f, "c.ini", NULL);
	struct client c;
	client_open(f, &c);
	client_says(f, &c, "reload --all --parallel 1 --stop-on-failure\n");
	assert_int_equal(f->byte_1s, 1);
	fake_comes_up(f, a);
	assert_int_equal(f->byte_1s, 2);
	expect_not_in(client_hears(f, &c), "\"result\"");
	fake_exits(f, b, 1);
	assert_int_equal(f->byte_1s, 2);
	const char *text = client_hears(f, &c);
	expect_status(text, 3);
	expect_in(text, "{\"name\":\"c.ini\",\"status\":1,\"verdict\":\"failed\",\"text\":\"c.ini: not asked: another one had failed\"");
	client_close_fd(&c);

	client_open(f, &c);
	client_says(f, &c, "reload a c --parallel 0\n");
	expect_status(client_hears(f, &c), 2);
	client_close_fd(&c);
}

static void test_several(void **state)
{
	struct fake *f = *state;
	struct court_vassal *a = fake_ready(f, "a.ini", NULL), *b = fake_ready(f, "b.ini", NULL);
	struct client c;
	client_open(f, &c);
	client_says(f, &c, "reload a nobody b a.ini\n");
	assert_int_equal(f->byte_1s, 2);
	fake_comes_up(f, a);
	const char *text = client_hears(f, &c);
	expect_not_in(text, "\"result\"");
	assert_int_equal(count_in(text, "\"accepted\""), 2);
	fake_exits(f, b, 1);
	text = client_hears(f, &c);
	expect_status(text, 3);
	expect_in(text, "\"text\":\"reload: 1 of 3 done; down: b.ini; not done: nobody\"");
	assert_ptr_equal(strstr(text, "{\"done\":0,\"failed\":1,\"total\":3}\n"), text);
	expect_in(text, "\n{\"done\":1,\"failed\":1,\"total\":3,\"name\":\"a.ini\",\"text\":\"a.ini: reloaded");
	expect_in(text, "\n{\"done\":1,\"failed\":2,\"total\":3,\"name\":\"b.ini\",\"text\":\"b.ini: reload failed and the site is down: ");
	expect_in(text, "{\"name\":\"nobody\",\"status\":5,\"verdict\":\"unknown\"");
	client_close_fd(&c);

	client_open(f, &c);
	client_says(f, &c, "reload a nobody\n");
	fake_comes_up(f, a);
	expect_status(client_hears(f, &c), 5);
	client_close_fd(&c);
}

static void test_all(void **state)
{
	struct fake *f = *state;
	expect_in(answer_to(f, "reload --all"), "\"status\":0,\"text\":\"no vassal to reload\"");
	struct court_vassal *vassals[40];
	for (int i = 0; i < 40; i++) {
		char name[32];
		snprintf(name, sizeof name, "v%d.ini", i);
		vassals[i] = fake_ready(f, name, NULL);
	}
	fake_ready(f, "stopped.ini", NULL);
	court_request(f->court, court_find(f->court, "stopped.ini"), VASSAL_STOP, (const uint8_t *)"1234567890123456", 0, 99);
	fake_exits(f, court_find(f->court, "stopped.ini"), 0);
	struct client c;
	client_open(f, &c);
	client_says(f, &c, "reload --all\n");
	assert_int_equal(f->byte_1s, 40);
	for (int i = 0; i < 40; i++)
		fake_comes_up(f, vassals[i]);
	const char *text = client_hears(f, &c);
	expect_in(text, "\"status\":0,\"text\":\"reload: all 40 done\"");
	assert_int_equal(count_in(text, "\"verdict\":\"done\""), 40);
	expect_not_in(text, "stopped.ini");	/* it stays so */
	client_close_fd(&c);
}

/* More progress than a client may leave unread: it misses some of it, never the result. */
static void test_all_of_very_many(void **state)
{
	enum { MANY = 5000 };
	struct fake *f = *state;
	static struct court_vassal *vassals[MANY];
	struct client c;
	for (int i = 0; i < MANY; i++) {
		char name[32];
		snprintf(name, sizeof name, "vassal-%d.ini", i);
		vassals[i] = fake_ready(f, name, NULL);
	}
	client_open(f, &c);
	client_says(f, &c, "reload --all\n");
	for (int i = 0; i < MANY; i++)
		fake_comes_up(f, vassals[i]);
	for (int i = 0; i < 100 && !c.eof; i++)
		client_hears(f, &c);
	expect_in(c.text, "\"status\":0,\"text\":\"reload: all 5000 done\"");
	assert_int_equal(count_in(c.text, "\"verdict\":\"done\""), MANY);
	client_close_fd(&c);
}

static void test_stop_start_restart(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	struct client c;
	client_open(f, &c);
	client_says(f, &c, "stop a\n");
	assert_int_equal(f->stops, 1);
	expect_not_in(client_hears(f, &c), "\"result\"");
	fake_exits(f, cv, 0);
	expect_in(client_hears(f, &c), "\"status\":0,\"text\":\"a.ini: stopped: it is gone");
	client_close_fd(&c);
	expect_status(answer_to(f, "stop a"), 0);
	expect_status(answer_to(f, "status a --check"), 3);

	client_open(f, &c);
	client_says(f, &c, "start a\n");
	assert_int_equal(cv->v.state, VASSAL_SPAWNING);
	fake_comes_up(f, cv);
	expect_in(client_hears(f, &c), "\"status\":0,\"text\":\"a.ini: started");
	client_close_fd(&c);
	expect_status(answer_to(f, "start a"), 0);

	client_open(f, &c);
	client_says(f, &c, "restart a\n");
	fake_exits(f, cv, 0);
	fake_comes_up(f, cv);
	expect_in(client_hears(f, &c), "\"status\":0,\"text\":\"a.ini: restarted");
	client_close_fd(&c);
}

static void test_stop_ends_a_reload(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	struct client c;
	client_open(f, &c);
	client_says(f, &c, "reload a\n");
	client_hears(f, &c);
	court_request(f->court, cv, VASSAL_STOP, (const uint8_t *)"1234567890123456", 0, 99);
	const char *text = client_hears(f, &c);
	expect_status(text, 3);
	expect_in(text, "was stopped meanwhile");
	client_close_fd(&c);
}

static void test_removed_while_asked(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	struct client c, follower;
	client_open(f, &c);
	client_open(f, &follower);
	client_says(f, &c, "reload a\n");
	client_says(f, &follower, "logs a --follow\n");
	court_missing(f->court, "a.ini");
	fake_let_pass(f, cv, 2 * NSEC_PER_SEC);
	fake_exits(f, cv, 0);
	assert_null(court_find(f->court, "a.ini"));
	expect_in(client_hears(f, &c), "removed meanwhile");
	expect_in(client_hears(f, &follower), "a.ini is gone");
	client_close_fd(&c);
	client_close_fd(&follower);
}

static void test_too_many_requests(void **state)
{
	struct fake *f = *state;
	fake_vassal(f, "a.ini", NULL);
	struct client c[COURT_REQUESTS_MAX];
	for (int i = 0; i < COURT_REQUESTS_MAX; i++) {
		client_open(f, &c[i]);
		client_says(f, &c[i], "reload a\n");
	}
	const char *text = answer_to(f, "reload a");
	expect_status(text, 6);
	expect_not_in(text, "\"accepted\"");
	for (int i = 0; i < COURT_REQUESTS_MAX; i++)
		client_close_fd(&c[i]);
}

/* ---- waiting and following */

static void test_wait(void **state)
{
	struct fake *f = *state;
	struct client c;
	client_open(f, &c);
	client_says(f, &c, "wait a --for ready\n");
	struct court_vassal *cv = fake_vassal(f, "a.ini", NULL);
	expect_in(client_hears(f, &c), "\"to\":\"spawning\"");
	fake_comes_up(f, cv);
	expect_in(client_hears(f, &c), "\"status\":0,\"text\":\"a.ini is ready\",\"vassals\":[{\"name\":\"a.ini\",\"state\":\"ready\"}]}");
	client_close_fd(&c);
	expect_status(answer_to(f, "wait a --for=ready"), 0);

	client_open(f, &c);
	client_says(f, &c, "wait a --for=gone\n");
	expect_not_in(client_hears(f, &c), "\"result\"");
	court_missing(f->court, "a.ini");
	fake_let_pass(f, cv, 2 * NSEC_PER_SEC);
	expect_not_in(client_hears(f, &c), "\"result\"");
	fake_exits(f, cv, 0);
	expect_status(client_hears(f, &c), 0);
	client_close_fd(&c);
	expect_status(answer_to(f, "wait a --for=gone"), 0);
}

static void test_wait_over_a_removal(void **state)
{
	struct fake *f = *state;
	struct client c;
	struct court_vassal *cv = fake_vassal(f, "a.ini", NULL);
	client_open(f, &c);
	client_says(f, &c, "wait a --for=ready\n");
	court_missing(f->court, "a.ini");
	fake_let_pass(f, cv, 2 * NSEC_PER_SEC);
	court_spawn_failed(f->court, cv->v.generation, 1, ENOENT);
	assert_null(court_find(f->court, "a.ini"));
	expect_not_in(client_hears(f, &c), "\"result\"");
	fake_ready(f, "a.ini", NULL);
	expect_status(client_hears(f, &c), 0);
	client_close_fd(&c);
}

static void test_logs(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL), *other = fake_ready(f, "b.ini", NULL);
	f->tail = "one\n\ntwo\n";
	assert_string_equal(answer_to(f, "logs a --lines 3"),
			    "{\"vassal\":\"a.ini\",\"line\":\"one\"}\n{\"vassal\":\"a.ini\",\"line\":\"\"}\n"
			    "{\"vassal\":\"a.ini\",\"line\":\"two\"}\n{\"result\":\"done\",\"status\":0,\"text\":\"a.ini: 3 lines\"}\n");
	struct client c;
	client_open(f, &c);
	client_says(f, &c, "logs a --follow --lines 0\n");
	commands_line(f->commands, other, "not mine");
	commands_line(f->commands, cv, "new \x1b\xff");
	assert_string_equal(client_hears(f, &c), "{\"vassal\":\"a.ini\",\"line\":\"new \\u001b\xEF\xBF\xBD\"}\n");
	client_close_fd(&c);
	fake_turn(f);
	commands_line(f->commands, cv, "nobody listens");
}

static void test_slow_follower(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	struct client slow, good;
	char line[2000];
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	client_open(f, &slow);
	client_open(f, &good);
	client_says(f, &slow, "logs a --follow --lines=0\n");
	client_says(f, &good, "logs a --follow --lines=0\n");
	for (int i = 0; i < 1500; i++) {
		commands_line(f->commands, cv, line);
		if (i % 20 == 0)
			client_hears(f, &good);
	}
	client_hears(f, &good);
	assert_int_equal(count_in(good.text, "\"line\""), 1500);
	assert_false(good.eof);
	client_hears(f, &slow);
	assert_true(slow.eof);
	client_close_fd(&slow);
	client_close_fd(&good);
}

static void test_events(void **state)
{
	struct fake *f = *state;
	struct client c;
	struct court_vassal *a = fake_vassal(f, "a.ini", NULL);
	fake_ready(f, "b.ini", NULL);
	fake_comes_up(f, a);
	const char *text = answer_to(f, "events");
	expect_in(text, "{\"event\":\"a.ini\",\"time\":1700000000.000,\"from\":\"gone\",\"to\":\"queued\",\"cause\":\"config changed\","
			"\"uid\":null,\"cycle\":0,\"stale\":false}\n");
	const char *first_b = strstr(text, "{\"event\":\"b.ini\""), *last_a = strstr(text, "{\"event\":\"a.ini\",\"time\":1700000000.009");
	assert_non_null(first_b);
	assert_non_null(last_a);
	assert_true(first_b < last_a);	/* merged by time */
	expect_in(text, "\"text\":\"10 events\"");
	expect_not_in(answer_to(f, "events a"), "b.ini");

	client_open(f, &c);
	client_says(f, &c, "events a --follow\n");
	size_t before = count_in(client_hears(f, &c), "\"event\"");
	fake_exits(f, a, 1);
	text = client_hears(f, &c);
	assert_true(count_in(text, "\"event\"") > before);
	expect_in(text, "\"cause\":\"exited 1: it could not start, or lost its supervisor\"");
	client_close_fd(&c);
}

/* ---- rights */

static void use_foreign(struct fake *f, const char *const *allow)
{
	f->commands = commands_free(f->commands);
	f->options.control_allow.n = 0;
	for (; allow && *allow; allow++)
		f->allow[f->options.control_allow.n++] = (char *)(uintptr_t)*allow;
	fake_rule(f);
	f->commands = commands_free(f->commands);
	f->config.owner = geteuid() == 0 ? 0 : 1;	/* not us */
	assert_int_equal(commands_new(&f->config, &f->commands), 0);
	commands_ready(f->commands);
}

static const char *foreign(struct fake *f, const char *line)
{
	return exchange(f, true, line);
}

static void test_no_rights(void **state)
{
	struct fake *f = *state;
	static const char *const all[] = { "status", "list", "reload a", "reload nobody", "reload --all", "wait a --for=gone", "logs a",
					   "events", "rescan", "reopen", "forget-blacklist", "nonsense", "\"", "stop a", "" };
	fake_ready(f, "a.ini", NULL);
	use_foreign(f, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		const char *text = foreign(f, all[i]);
		if (!strstr(text, "\"status\":4,"))
			fail_msg("%s: %s", all[i], text);
		expect_not_in(text, "a.ini");
	}
	expect_status(foreign(f, "version"), 0);
	expect_status(foreign(f, "help"), 0);
	assert_int_equal(f->byte_1s + f->rescans + f->reopens, 0);
}

static bool only_mine(void *data, struct court_vassal *cv, uid_t *uid)
{
	(void)data;
	*uid = cv->name[0] == 'm' ? foreign_uid() : 33;
	return cv->name[0] != 'u';	/* of the others it is not known */
}

static void test_own_vassal(void **state)
{
	struct fake *f = *state;
	struct court_vassal *mine = fake_ready(f, "mine.ini", NULL);
	fake_ready(f, "other.ini", NULL);
	fake_ready(f, "unknown.ini", NULL);
	use_foreign(f, NULL);
	f->commands = commands_free(f->commands);
	f->config.host.identity = only_mine;
	assert_int_equal(commands_new(&f->config, &f->commands), 0);
	commands_ready(f->commands);

	expect_in(foreign(f, "list"), "\"vassals\":[{\"name\":\"mine.ini\",\"state\":\"ready\"}]");
	expect_not_in(foreign(f, "status"), "other");
	expect_not_in(foreign(f, "events"), "other");
	expect_status(foreign(f, "status mine"), 0);
	expect_status(foreign(f, "logs mine"), 0);
	expect_status(foreign(f, "wait mine --for=ready"), 0);
	char unknown[2000], other[2000];
	static const char *const verbs[] = { "status", "reload", "stop", "logs", "events" };
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {	/* the same words for both, save the name */
		char line[64];
		snprintf(line, sizeof line, "%s xther.ini", verbs[i]);
		snprintf(unknown, sizeof unknown, "%s", foreign(f, line));
		snprintf(line, sizeof line, "%s other.ini", verbs[i]);
		snprintf(other, sizeof other, "%s", foreign(f, line));
		expect_status(other, 5);
		for (char *at; (at = strstr(unknown, "xther")) != NULL;)
			*at = 'o';
		assert_string_equal(unknown, other);
	}
	expect_status(foreign(f, "wait other --for=gone"), 5);
	expect_status(foreign(f, "wait nobody --for=gone"), 5);
	expect_status(foreign(f, "wait nobody --for=ready"), 5);
	expect_status(foreign(f, "stop mine"), 4);
	expect_status(foreign(f, "stop --all"), 4);
	expect_status(foreign(f, "rescan"), 4);
	struct client c;
	foreign_open(f, &c);
	client_says(f, &c, "reload --all\n");
	assert_int_equal(f->byte_1s, 1);
	fake_comes_up(f, mine);
	expect_in(client_hears(f, &c), "\"status\":0,\"text\":\"mine.ini: reloaded");
	client_close_fd(&c);
}

static void test_control_allow(void **state)
{
	struct fake *f = *state;
	char user[64], group[64];
	snprintf(user, sizeof user, "%u reload,wait site*", (unsigned)foreign_uid());
	snprintf(group, sizeof group, "@%u list", (unsigned)getegid());
	struct court_vassal *site = fake_ready(f, "site.ini", NULL);
	fake_ready(f, "secret.ini", NULL);
	use_foreign(f, (const char *const[]){ user, NULL });
	assert_null(commands_complaints(f->commands));
	struct client c;
	foreign_open(f, &c);
	client_says(f, &c, "reload site\n");
	fake_comes_up(f, site);
	expect_status(client_hears(f, &c), 0);
	client_close_fd(&c);
	expect_status(foreign(f, "status site"), 4);	/* seen, but this verb was not given */
	expect_status(foreign(f, "status"), 4);
	expect_status(foreign(f, "stop site"), 4);
	expect_status(foreign(f, "reload secret"), 5);
	expect_status(foreign(f, "reload nobody"), 5);
	expect_status(foreign(f, "wait site-not-yet --for=gone"), 0);
	expect_status(foreign(f, "rescan"), 4);

	use_foreign(f, (const char *const[]){ group, NULL });
	expect_in(foreign(f, "list"), "secret.ini");
	expect_status(foreign(f, "reload secret"), 4);
}

static void test_control_allow_everything(void **state)
{
	struct fake *f = *state;
	char all[64], globbed[64];
	snprintf(all, sizeof all, "%u *", (unsigned)foreign_uid());
	snprintf(globbed, sizeof globbed, "%u * *", (unsigned)foreign_uid());
	fake_ready(f, "a.ini", NULL);
	use_foreign(f, (const char *const[]){ globbed, NULL });
	expect_status(foreign(f, "status a"), 0);
	expect_status(foreign(f, "rescan"), 4);		/* all vassals are not the court */
	use_foreign(f, (const char *const[]){ all, NULL });
	expect_status(foreign(f, "status a"), 0);
	expect_status(foreign(f, "rescan"), 0);
	expect_status(foreign(f, "reopen"), 0);
	assert_int_equal(f->rescans, 1);
}

static void test_complaints(void **state)
{
	struct fake *f = *state;
	use_foreign(f, (const char *const[]){ "no-such-user-at-all reload", "@no-such-group-at-all reload", "root nonsense", "root",
					      "root rescan a*", "root reload a b", "root \"", NULL });
	const char *text = commands_complaints(f->commands);
	assert_non_null(text);
	assert_int_equal(count_in(text, "\n"), 7);
	expect_in(text, "control-allow = no-such-user-at-all reload: no such user\n");
	expect_in(text, "@no-such-group-at-all reload: no such group\n");
	expect_status(foreign(f, "list"), 4);
}

/* ---- many */

static void test_thousand_clients(void **state)
{
	struct fake *f = *state;
	struct court_vassal *cv = fake_ready(f, "a.ini", NULL);
	static struct client c[1000];
	for (int i = 0; i < 1000; i++) {
		client_open(f, &c[i]);
		send(c[i].fd, i % 2 ? "status\n" : "wait a --for=gone\n", i % 2 ? 7 : 18, MSG_NOSIGNAL);
		fake_turn(f);
	}
	expect_not_in(client_hears(f, &c[998]), "\"result\"");
	court_missing(f->court, "a.ini");
	fake_let_pass(f, cv, 2 * NSEC_PER_SEC);
	fake_exits(f, cv, 0);
	for (int i = 0; i < 1000; i++)
		fake_turn(f);
	for (int i = 0; i < 1000; i++) {
		expect_status(client_hears(f, &c[i]), 0);
		client_close_fd(&c[i]);
	}
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_words), T(test_usage), T(test_junk), T(test_status), T(test_list_and_others), T(test_forget_blacklist),
		T(test_names), T(test_reload), T(test_failed_reload), T(test_failed_with_logger), T(test_no_app),
		T(test_same_id_is_the_same_request), T(test_client_leaves), T(test_client_leaves_at_once), T(test_several), T(test_rolling), T(test_all), T(test_all_of_very_many),
		T(test_stop_start_restart), T(test_stop_ends_a_reload), T(test_removed_while_asked), T(test_too_many_requests), T(test_wait),
		T(test_wait_over_a_removal), T(test_logs), T(test_slow_follower), T(test_events), T(test_no_rights), T(test_own_vassal),
		T(test_control_allow), T(test_control_allow_everything), T(test_complaints), T(test_thousand_clients),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
