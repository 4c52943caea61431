/* keeper: its life beside a ruler that dies, hangs, never reads, floods, or lets go of its link: the court goes on, exits are reaped,
 * signals are taken, and the next ruler is told everything. */
#include "fake_ruler.h"

static const char good[] = "good.ini";

static int setup(void **state)
{
	static struct fake f;
	fake_prepare(&f);
	fake_begin(&f);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	fake_end(*state);
	return 0;
}

static void wait_until_reaped(pid_t pid)
{
	for (int i = 0; i < DEADLINE_MS / 10; i++) {
		if (kill(pid, 0) < 0 && errno == ESRCH)
			return;
		poll(NULL, 0, 10);
	}
	fail_msg("%d was not reaped", (int)pid);
}

static void wait_for_words(struct fake *f, const char *what)
{
	off_t from = f->read_of_log;
	for (int i = 0; i < DEADLINE_MS / 10; i++) {
		if (strstr(words(f), what))
			return;
		f->read_of_log = from;
		poll(NULL, 0, 10);
	}
	fail_msg("'%s' was not logged: %s", what, words(f));
}

/* What a new ruler is told of one that lives and one that ended, in the order of their numbers. */
static void expect_handover(struct fake *f, struct started *alive, struct started *ended)
{
	struct link_message m;
	for (int i = 0; i < 2; i++) {
		m = expect(f, LINK_RECORD);
		assert_memory_equal(m.record, RECORD, sizeof RECORD);
	}
	m = expect(f, LINK_HELD);
	assert_int_equal(m.generation, alive->generation);
	assert_int_equal(m.pid, alive->pid);
	assert_int_equal(m.n_fds, 2);
	let_go(alive);
	*alive = take_generation(&m);
	m = expect(f, LINK_HELD);
	assert_int_equal(m.generation, ended->generation);
	link_close_fds(&m);
	m = expect(f, LINK_EXITED);
	assert_int_equal(m.generation, ended->generation);
	assert_int_equal(m.error, SIGKILL);
	assert_int_equal(expect(f, LINK_SYNCED).generation, ended->generation);
}

static void forget(struct fake *f, struct started *g, const char *name)
{
	post(f, (struct link_message){ .kind = LINK_FORGET, .generation = g->generation, .name = name });
	let_go(g);
}

/* ---- its death */

static void test_next_ruler_is_told_everything(void **state)
{
	struct fake *f = *state;
	char byte = 0;
	struct started g = start(f, good), dying = start(f, "other.ini");
	kill(dying.pid, SIGKILL);
	expect(f, LINK_EXITED);		/* acted on, but not forgotten */
	for (int i = 0; i < 3; i++) {
		end_ruler(f, 1);
		meet_ruler(f);
		expect_handover(f, &g, &dying);
	}
	assert_non_null(strstr(words(f), "exited 1; 1 vassals go on"));
	post(f, (struct link_message){ .kind = LINK_SEND, .generation = g.generation, .arg = 1, .name = good, .record = RECORD,
				       .record_size = sizeof RECORD });
	assert_true(wait_readable(g.output));
	assert_int_equal(read(g.output, &byte, 1), 1);
	assert_int_equal(byte, 1);
	forget(f, &dying, "other.ini");
	finish(f, &g, good);
}

static void test_growing_pauses(void **state)
{
	struct fake *f = *state;
	static const char *const pauses[] = { "0.0", "0.1", "0.2", "0.4" };
	char text[64];
	uint64_t before = util_now();
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
		end_ruler(f, 1);
		meet_ruler(f);
		expect(f, LINK_SYNCED);
		snprintf(text, sizeof text, "a new ruler in %s s", pauses[i]);
		assert_non_null(strstr(words(f), text));
	}
	assert_true(util_now() - before >= 700 * NSEC_PER_MSEC);
}

static void test_killed_ruler_is_explained(void **state)
{
	struct fake *f = *state;
	kill(f->ruler, SIGKILL);
	meet_ruler(f);
	expect(f, LINK_SYNCED);
	assert_non_null(strstr(words(f), "was killed by SIGKILL; 0 vassals go on"));
}

/* ---- silence */

static void test_stopped_ruler(void **state)
{
	struct fake *f = *state;
	pid_t old = f->ruler;
	uint64_t before = util_now();
	kill(f->ruler, SIGSTOP);
	meet_ruler(f);
	assert_int_not_equal(f->ruler, old);
	assert_true(util_now() - before >= PATIENCE_MS * NSEC_PER_MSEC);
	expect(f, LINK_SYNCED);
	assert_non_null(strstr(words(f), "did not answer within ruler-patience"));
}

/* It says nothing any more, but lives: nobody would rule. */
static void test_ruler_lets_go_of_its_link(void **state)
{
	struct fake *f = *state;
	struct started g = start(f, good);
	link_close(&f->link);
	meet_ruler(f);
	expect(f, LINK_RECORD);
	struct link_message m = expect(f, LINK_HELD);
	let_go(&g);
	g = take_generation(&m);
	expect(f, LINK_SYNCED);
	finish(f, &g, good);
}

static void test_empty_message(void **state)
{
	struct fake *f = *state;
	assert_int_equal(send(f->link.fd, "", 0, MSG_NOSIGNAL), 0);	/* looks like the end of the link */
	meet_ruler(f);
	expect(f, LINK_SYNCED);
}

/* ---- too much */

/* Both directions full: the keeper cannot send, and therefore reads no more. */
static void fill_link(struct fake *f)
{
	struct link_message m = { .kind = LINK_REOPEN };
	for (int i = 0; i < 1000000 && f->link.n_queued == 0; i++)
		assert_int_equal(link_post(&f->link, &m), 0);
	assert_true(f->link.n_queued > 0);
}

static void test_ruler_never_reads(void **state)
{
	struct fake *f = *state;
	struct started g = start(f, good), dying = start(f, "other.ini");
	fill_link(f);
	kill(dying.pid, SIGKILL);
	wait_until_reaped(dying.pid);	/* no zombie, though nobody can be told */
	kill(f->keeper, SIGUSR1);	/* the keeper has something to say: it asks, and is not answered */
	meet_ruler(f);
	expect_handover(f, &g, &dying);
	forget(f, &dying, "other.ini");
	finish(f, &g, good);
}

/* Told to end while its ruler is deaf: the next one stops the court. */
static void test_term_with_a_deaf_ruler(void **state)
{
	struct fake *f = *state;
	struct started g = start(f, good);
	fill_link(f);
	kill(f->keeper, SIGTERM);
	meet_ruler(f);
	expect(f, LINK_RECORD);
	struct link_message m = expect(f, LINK_HELD);
	let_go(&g);
	g = take_generation(&m);
	expect(f, LINK_SYNCED);
	assert_int_equal(expect(f, LINK_SIGNAL).arg, SIGTERM);
	finish(f, &g, good);
	post(f, (struct link_message){ .kind = LINK_DISSOLVED });
	expect_end_of_link(f);
	int status;
	end_ruler(f, 0);
	assert_int_equal(waitpid(f->keeper, &status, 0), f->keeper);
	assert_int_equal(status, 0);
	close(f->handoff);
	fake_begin(f);		/* for the teardown */
}

static void flood(struct fake *f, struct link_message m, uint64_t until)
{
	while (util_now() < until) {
		struct pollfd p = { .fd = f->link.fd, .events = POLLOUT };
		poll(&p, 1, 100);
		link_flush(&f->link);
		if (f->link.n_queued == 0)
			link_post(&f->link, &m);
	}
}

/* As fast as it can, valid and refused alike: exits are reaped meanwhile, signals taken, and the log does not grow with it. */
static void test_ruler_floods(void **state)
{
	struct fake *f = *state;
	struct started g = start(f, good);
	const struct link_message messages[] = {
		{ .kind = LINK_PONG }, { .kind = LINK_SEND, .generation = g.generation, .name = good, .arg = 3, .record = RECORD,
					 .record_size = sizeof RECORD },
	};
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		struct started dying = start(f, "other.ini");
		fflush(NULL);
		pid_t killer = fork();
		if (killer == 0) {	/* in the middle of it */
			poll(NULL, 0, 100);
			kill(dying.pid, SIGKILL);
			_exit(0);
		}
		flood(f, messages[i], util_now() + 400 * NSEC_PER_MSEC);
		assert_true(kill(dying.pid, 0) < 0 && errno == ESRCH);
		assert_int_equal(waitpid(killer, NULL, 0), killer);
		assert_int_equal(expect(f, LINK_EXITED).generation, dying.generation);
		forget(f, &dying, "other.ini");
		settle(f);
	}
	off_t size = lseek(f->log, 0, SEEK_END);
	if (size > 10000)
		fail_msg("%lld bytes of log", (long long)size);
	finish(f, &g, good);
	settle(f);
	end_ruler(f, 0);
	wait_for_words(f, " requests of this ruler were refused");
	meet_ruler(f);
	expect(f, LINK_RECORD);
	expect(f, LINK_RECORD);
	expect(f, LINK_SYNCED);
}

static void test_many_exits_at_once(void **state)
{
	struct fake *f = *state;
	struct started g[100];
	unsigned before = count_descriptors(f->keeper);
	for (size_t i = 0; i < ARRAY_SIZE(g); i++) {
		char name[32];
		snprintf(name, sizeof name, "n%zu.ini", i);
		g[i] = start(f, name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(g); i++)
		kill(g[i].pid, SIGKILL);
	for (size_t i = 0; i < ARRAY_SIZE(g); i++)
		assert_int_equal(expect(f, LINK_EXITED).error, SIGKILL);
	for (size_t i = 0; i < ARRAY_SIZE(g); i++)
		forget(f, &g[i], NULL);
	settle(f);
	assert_int_equal(count_descriptors(f->keeper), before);
}

/* ---- starts that fail */

static void test_exit_and_failed_exec(void **state)
{
	struct fake *f = *state;
	post(f, spawn_message(f, "die.ini"));
	struct link_message m = expect(f, LINK_STARTED);
	link_close_fds(&m);
	m = expect(f, LINK_EXITED);
	assert_true(WIFEXITED(m.error) && WEXITSTATUS(m.error) == 3);
	post(f, (struct link_message){ .kind = LINK_FORGET, .generation = m.generation, .name = "die.ini" });
	unlink(f->program);
	post(f, spawn_message(f, good));
	m = expect(f, LINK_FAILED);
	assert_string_equal(launch_stage_name(m.arg), "exec");
	assert_int_equal(m.error, ENOENT);
	wait_for_words(f, "cannot start good.ini: exec: No such file or directory: ");
	write_program(f->program);
	struct started g = start(f, good);
	finish(f, &g, good);
}

#define BOTH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_next_ruler_is_told_everything),
		BOTH(test_growing_pauses),
		BOTH(test_killed_ruler_is_explained),
		BOTH(test_stopped_ruler),
		BOTH(test_ruler_lets_go_of_its_link),
		BOTH(test_empty_message),
		BOTH(test_ruler_never_reads),
		BOTH(test_term_with_a_deaf_ruler),
		BOTH(test_ruler_floods),
		BOTH(test_many_exits_at_once),
		BOTH(test_exit_and_failed_exec),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
