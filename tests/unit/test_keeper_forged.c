/* keeper: what it refuses of a taken-over ruler that asks for held sockets, and starts that are called off. */
#include "fake_held.h"

#include "vassals/sockets.h"

static void expect_refused(struct fake *f, const char *why)
{
	settle(f);
	const char *text = words(f);
	if (!strstr(text, "refused") || !strstr(text, why))
		fail_msg("not refused for '%s': %s", why, text);
}

static void expect_not_started(struct fake *f, const char *name, const char *text, uint32_t arg, const char *why)
{
	post_held(f, name, text, arg);
	expect_failed(f, LAUNCH_POLICY, EPERM);
	expect_refused(f, why);
}

static void test_beside_nobody(void **state)
{
	struct fake *f = *state;
	expect_not_started(f, good, place.text[0], LINK_SPAWN_BESIDE, "no generation of it to be beside");
	expect_not_started(f, good, NULL, LINK_SPAWN_BESIDE, "without held sockets");
	struct generation g = start_held(f, good, place.text[0], 0);
	finish_held(f, &g, good);
	settle(f);
	expect_not_started(f, good, place.text[0], LINK_SPAWN_BESIDE, "no generation of it to be beside");
}

static void test_beside_unheld(void **state)
{
	struct fake *f = *state;
	struct started g = start(f, good);
	expect_not_started(f, good, place.text[0], LINK_SPAWN_BESIDE, "whose sockets are not held");
	expect_not_started(f, good, place.text[0], 0, "whose sockets are not held");
	post_switch(f, good, g.generation, 0);
	expect_switched(f, g.generation, ESRCH);
	finish(f, &g, good);
}

static void test_too_many_generations(void **state)
{
	struct fake *f = *state;
	struct generation old = start_held(f, good, place.text[0], 0);
	expect_not_started(f, good, place.text[0], 0, "a generation of it is alive");
	expect_not_started(f, good, NULL, 0, "a generation of it is alive");
	struct generation new = start_held(f, good, place.text[0], LINK_SPAWN_BESIDE);
	expect_not_started(f, good, place.text[0], LINK_SPAWN_BESIDE, "two generations of it are alive");
	expect_not_started(f, good, place.text[0], 0, "a generation of it is alive");
	assert_int_equal(ask(place.path[0]), old.s.pid);
	lead(f, good, &new);
	expect_not_started(f, good, place.text[0], 0, "a generation of it is alive");
	expect_not_started(f, good, place.text[0], LINK_SPAWN_BESIDE, "two generations of it are alive");
	assert_int_equal(ask(place.path[0]), new.s.pid);
	finish_held(f, &old, good);
	finish_held(f, &new, good);
}

static void test_texts_and_flags(void **state)
{
	struct fake *f = *state;
	unsigned before = count_descriptors(f->keeper);
	static char long_text[LINK_TEXT_MAX];
	static const char *const wrong[] = {
		"x", "\n", "/tmp/x.sock\n", "mode=666\n", "mode=9\n/tmp/x\n", "\nrelative\n", "\n@app\n", "\n/tmp/x", "\n127.0.0.1:0\n", "\nlocalhost:80\n",
		"\n/tmp/x\n/tmp/x\n", "\n:8001\n0.0.0.0:8001\n", "shell=1\n/tmp/x\n", "\n/tmp/x\nconfig=/tmp/x.ini\n",
	};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_not_started(f, good, wrong[i], 0, "names no sockets");
	memset(long_text, '/', sizeof long_text - 2);
	long_text[0] = long_text[sizeof long_text - 2] = '\n';
	expect_not_started(f, good, long_text, 0, "names no sockets");
	expect_not_started(f, good, place.text[0], 4, "flags or mercy");
	expect_not_started(f, good, place.text[0], 0x80, "flags or mercy");
	expect_not_started(f, good, place.text[0], LINK_SPAWN_MERCY(86401), "flags or mercy");
	expect_not_started(f, good, place.text[0], LINK_SPAWN_REHEARSAL, "beside another");
	assert_int_equal(count_descriptors(f->keeper), before);
}

static void test_switch(void **state)
{
	struct fake *f = *state;
	struct generation g = start_held(f, good, place.text[0], 0), other = start_held(f, "other.ini", place.text[1], 0);
	post_switch(f, "other.ini", g.s.generation, 0);
	expect_switched(f, g.s.generation, ESRCH);
	expect_refused(f, "belongs to another vassal");
	post_switch(f, good, 12345, 0);
	expect_switched(f, 12345, ESRCH);
	kill(other.s.pid, SIGKILL);
	expect(f, LINK_EXITED);
	post_switch(f, "other.ini", other.s.generation, 0);
	expect_switched(f, other.s.generation, ESRCH);
	post(f, (struct link_message){ .kind = LINK_FORGET, .generation = other.s.generation, .name = "other.ini" });
	let_go(&other.s);
	close(other.reach);
	assert_int_equal(ask(place.path[0]), g.s.pid);
	finish_held(f, &g, good);
}

static void test_close_of_living(void **state)
{
	struct fake *f = *state;
	struct generation g = start_held(f, good, place.text[0], 0);
	post(f, (struct link_message){ .kind = LINK_CLOSE, .name = good, .record = RECORD, .record_size = sizeof RECORD });
	expect_refused(f, "a generation of it is alive");
	post(f, (struct link_message){ .kind = LINK_DROP, .name = good });
	expect_refused(f, "a generation of it is alive");
	post(f, (struct link_message){ .kind = LINK_CLOSE, .name = "unknown.ini", .record = RECORD, .record_size = sizeof RECORD });
	settle(f);
	assert_string_equal(words(f), "");
	assert_int_equal(ask(place.path[0]), g.s.pid);
	finish_held(f, &g, good);
}

static void test_too_many_orders(void **state)
{
	struct fake *f = *state;
	unsigned done = 0, busy = 0;
	struct generation g = start_held(f, good, place.text[0], 0);
	kill(f->keeper, SIGSTOP);
	for (int i = 0; i < 8; i++)
		post_switch(f, good, g.s.generation, 0);
	kill(f->keeper, SIGCONT);
	while (done + busy < 8) {
		struct link_message m = next(f);
		if (m.kind == LINK_DRAINED)
			continue;
		assert_int_equal(m.kind, LINK_SWITCHED);
		done += m.error == 0;
		busy += m.error == EBUSY;
	}
	assert_true(done >= 4 && busy > 0);
	while (next(f).kind != LINK_DRAINED)
		;
	finish_held(f, &g, good);
}

/* Somebody else's address, under whatever spelling. */
static void test_taken_address(void **state)
{
	struct fake *f = *state;
	char text[64], expected[96];
	snprintf(text, sizeof text, "\n:%u\n", own_port(0));
	struct generation g = start_held(f, good, text, 0);
	snprintf(text, sizeof text, "\n0.0.0.0:%u\n", own_port(0));
	post_held(f, "other.ini", text, 0);
	expect_failed(f, LAUNCH_SOCKETS, EADDRINUSE);
	snprintf(expected, sizeof expected, "0.0.0.0:%u is held for good.ini", own_port(0));
	assert_non_null(strstr(words(f), expected));
	post_held(f, "other.ini", place.text[0], 0);
	struct link_message m = expect(f, LINK_STARTED);
	struct generation other = take_held(&m);
	post_held(f, "third.ini", place.text[0], 0);
	expect_failed(f, LAUNCH_SOCKETS, EADDRINUSE);
	assert_int_equal(ask(place.tcp[0]), g.s.pid);
	assert_int_equal(ask(place.path[0]), other.s.pid);
	finish_held(f, &g, good);
	finish_held(f, &other, "other.ini");
}

static void test_cannot_bind(void **state)
{
	struct fake *f = *state;
	char expected[256];
	post_held(f, good, "\n/proc/x.sock\n", 0);
	expect_failed(f, LAUNCH_SOCKETS, ENOENT);
	snprintf(expected, sizeof expected, "good.ini: cannot hold /proc/x.sock: ");
	assert_non_null(strstr(words(f), expected));
	struct generation g = start_held(f, good, place.text[0], 0);
	assert_int_equal(ask(place.path[0]), g.s.pid);
	finish_held(f, &g, good);
}

/* ---- rehearsals */

static void make_file(const char *path, uid_t owner, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_true(geteuid() != 0 || fchown(fd, owner, (gid_t)-1) == 0);
	close(fd);
}

static void test_rehearsal(void **state)
{
	struct fake *f = *state;
	char text[400];
	static const char *const wrong[] = { "", "config=\n", "config=a.ini\n", "config=/a.xml\n", "config=/etc/shadow\n", "config=/a.ini",
					     "config=/a.ini\n\n", "/srv/a.ini\n" };
	struct generation g = start_held(f, good, place.text[0], 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(text, sizeof text, "%s%s", place.text[0], wrong[i]);
		expect_not_started(f, good, text, LINK_SPAWN_BESIDE | LINK_SPAWN_REHEARSAL, "no config that may be rehearsed");
	}
	make_file(place.config, (uid_t)-1, 0644);
	snprintf(text, sizeof text, "%sconfig=%s\n", place.text[0], place.config);
	struct generation r = start_held(f, good, text, LINK_SPAWN_BESIDE | LINK_SPAWN_REHEARSAL);
	snprintf(text, sizeof text, "--ini|%s|", place.config);
	assert_int_equal(strncmp(r.said, text, strlen(text)), 0);
	unlink(place.config);
	assert_int_equal(ask_private(&r), r.s.pid);
	post_switch(f, good, r.s.generation, 0);
	expect_switched(f, r.s.generation, EPERM);
	expect_refused(f, "it is a rehearsal");
	assert_int_equal(ask(place.path[0]), g.s.pid);
	finish_held(f, &r, good);
	assert_int_equal(ask(place.path[0]), g.s.pid);
	finish_held(f, &g, good);
}

/* A ruler that was taken over must not run what it has written itself; more in test_keeper_trust.c. */
static void test_rehearsal_of_the_rulers(void **state)
{
	struct fake *f = *state;
	char text[400];
	if (geteuid() != 0)
		skip();
	struct generation g = start_held(f, good, place.text[0], 0);
	make_file(place.config, RULER_UID, 0644);
	snprintf(text, sizeof text, "%sconfig=%s\n", place.text[0], place.config);
	post_held(f, good, text, LINK_SPAWN_BESIDE | LINK_SPAWN_REHEARSAL);
	expect_failed(f, LAUNCH_SOCKETS, EPERM);
	assert_non_null(strstr(words(f), "trust the config of its rehearsal"));
	unlink(place.config);
	finish_held(f, &g, good);
}

/* ---- called off */

static bool is_helper(pid_t pid)
{
	char path[64], name[32] = "";
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, name, sizeof name - 1);
	util_close(fd);
	return n > 0 && strcmp(name, "regent-sockets\n") == 0;
}

/* The keeper's child that works on sockets, stopped in the middle of it. */
static pid_t stop_helper(struct fake *f, uint64_t until)
{
	char path[64], text[256] = "";
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)f->keeper, (int)f->keeper);
	while (util_now() < until) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, text, sizeof text - 1);
		close(fd);
		text[n > 0 ? n : 0] = '\0';
		for (char *p = text, *end; (end = strchr(p, ' ')) != NULL; p = end + 1) {
			pid_t pid = atoi(p);
			if (is_helper(pid) && kill(pid, SIGSTOP) == 0)
				return pid;
		}
	}
	return 0;
}

static const char *many_addresses(void)
{
	static char text[SOCKETS_TEXT_MAX];
	size_t n = (size_t)snprintf(text, sizeof text, "\n");
	for (int a = 0; a < SOCKETS_MAX; a++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s/%c.sock\n", place.directory, 'a' + a);
	return text;
}

/* A start that hangs: many addresses, so that there is time to stop it; tried again where it was too quick. */
static void start_hanging(struct fake *f, const char *name)
{
	struct pollfd p = { .fd = f->link.fd, .events = POLLIN };
	for (int i = 0; i < 50; i++) {
		post_held(f, name, many_addresses(), 0);
		if (stop_helper(f, util_now() + NSEC_PER_SEC) > 0 && poll(&p, 1, 1500) == 0)
			return;
		struct link_message m = expect(f, LINK_STARTED);
		struct generation g = take_held(&m);
		kill(g.s.pid, SIGCONT);
		finish_held(f, &g, name);
		post(f, (struct link_message){ .kind = LINK_CLOSE, .name = name, .record = RECORD, .record_size = sizeof RECORD });
		settle(f);
	}
	fail_msg("no helper could be stopped");
}

static void test_called_off(void **state)
{
	struct fake *f = *state;
	char path[128];
	start_hanging(f, good);
	uint64_t before = util_now();
	expect_failed(f, LAUNCH_SOCKETS, ETIMEDOUT);
	assert_true(util_now() - before > 3 * NSEC_PER_SEC);
	wait_for_words(f, "good.ini: cannot hold ");
	start_hanging(f, good);
	post(f, (struct link_message){ .kind = LINK_CLOSE, .name = good, .record = RECORD, .record_size = sizeof RECORD });
	expect_refused(f, "a generation of it is alive");
	post(f, (struct link_message){ .kind = LINK_KILL, .generation = f->generation, .name = "other.ini" });
	settle(f);
	post(f, (struct link_message){ .kind = LINK_KILL, .generation = f->generation, .name = good });
	expect_failed(f, LAUNCH_SOCKETS, ECANCELED);
	post_held(f, good, place.text[0], 0);	/* behind it; and its ruler dies */
	settle(f);
	end_ruler(f, 1);
	meet_ruler(f);
	expect(f, LINK_RECORD);
	assert_int_equal(expect(f, LINK_SYNCED).generation, f->generation);
	struct generation g = start_held(f, good, many_addresses(), 0);	/* what the killed ones left is tidied */
	snprintf(path, sizeof path, "%s/j.sock", place.directory);
	assert_int_equal(ask(path), g.s.pid);
	finish_held(f, &g, good);
	settle(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(test_beside_nobody), HELD(test_beside_unheld), HELD(test_too_many_generations), HELD(test_texts_and_flags), HELD(test_switch),
		HELD(test_close_of_living), HELD(test_too_many_orders), HELD(test_taken_address), HELD(test_cannot_bind), HELD(test_rehearsal),
		HELD(test_rehearsal_of_the_rulers),
		HELD(test_called_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
