/* keeper: what it refuses of a taken-over ruler, and that it goes on. Each refusal is logged, changes nothing, loses no descriptor. */
#include "fake_ruler.h"

#include <sys/inotify.h>

#include "supervisor/errand.h"

static const char good[] = "good.ini";

/* The message just sent had no other effect than this in the log. */
static void expect_refused(struct fake *f, const char *why)
{
	settle(f);
	const char *text = words(f);
	if (!strstr(text, "refused") || !strstr(text, why))
		fail_msg("not refused for '%s': %s", why, text);
}

static void expect_not_started(struct fake *f, struct link_message m, const char *why)
{
	post(f, m);
	struct link_message answer = expect(f, LINK_FAILED);
	assert_int_equal(answer.generation, m.generation);
	assert_string_equal(launch_stage_name(answer.arg), "policy");
	assert_int_equal(answer.error, EPERM);
	const char *text = words(f);
	if (!strstr(text, "refused") || !strstr(text, why))
		fail_msg("not refused for '%s': %s", why, text);
}

/* Whatever was refused before: vassals are started and ended as ever, and nothing is left open. */
static void goes_on(struct fake *f)
{
	struct started g = start(f, good);
	finish(f, &g, good);
	settle(f);
	words(f);
}

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

/* ---- SPAWN */

static void test_name_outside(void **state)
{
	struct fake *f = *state;
	const char *const names[] = { "../x.ini", "/etc/x.ini", "sub/x.ini", "./x.ini", "x.txt", "x", "..", ".", "ini", "/", "x.ini/" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		expect_not_started(f, spawn_message(f, names[i]), "does not belong to monitor");
	struct link_message m = spawn_message(f, good);
	m.monitor = 7;
	expect_not_started(f, m, "does not belong to monitor 7");
	goes_on(f);
}

static void test_ids(void **state)
{
	struct fake *f = *state;
	const struct { uint32_t uid, gid; const char *name; } wrong[] = {
		{ 0, 0, "a.ini" }, { 0, VASSAL_UID, "b.ini" }, { VASSAL_UID, 0, "c.ini" }, { RULER_UID, VASSAL_UID, "d.ini" },
		{ 1000, 1000, "e.ini" },
	};
	if (geteuid() != 0)
		skip();		/* there is nobody else to become */
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct link_message m = spawn_message(f, wrong[i].name);
		m.uid = wrong[i].uid;
		m.gid = wrong[i].gid;
		expect_not_started(f, m, "not allowed: any user but root");
	}
	struct link_message m = spawn_message(f, "none.ini");
	m.uid = m.gid = (uint32_t)-1;
	expect_not_started(f, m, "give it uid and gid in its ini");
	goes_on(f);
}

static int setup_ids_of_inis(void **state)
{
	static struct fake f;
	static char user[] = "65534";
	fake_prepare(&f);
	f.options.uid_number = IDENTITY_NONE;
	f.users[0] = user;
	f.options.vassal_users = (struct options_list){ f.users, 1 };
	fake_begin(&f);
	*state = &f;
	return 0;
}

/* --uid decides: whatever the ruler says, root above all. */
static void test_ids_are_not_the_rulers(void **state)
{
	struct fake *f = *state;
	struct stat st;
	char path[32];
	struct link_message m = spawn_message(f, good);
	m.uid = m.gid = 0;
	post(f, m);
	m = expect(f, LINK_STARTED);
	struct started g = take_generation(&m);
	snprintf(path, sizeof path, "/proc/%d", (int)g.pid);
	assert_int_equal(stat(path, &st), 0);
	if (geteuid() == 0)
		assert_int_equal(st.st_uid, VASSAL_UID);
	finish(f, &g, good);
}

static void test_number_not_new(void **state)
{
	struct fake *f = *state;
	struct started g = start(f, good);
	struct link_message m = spawn_message(f, "other.ini");
	f->generation--;
	for (m.generation = 0; m.generation <= g.generation; m.generation++)
		expect_not_started(f, m, "number is not new");
	finish(f, &g, good);
	m.generation = g.generation;	/* not even when it is forgotten */
	expect_not_started(f, m, "number is not new");
	goes_on(f);
}

static void test_second_generation(void **state)
{
	struct fake *f = *state;
	struct started g = start(f, good);
	expect_not_started(f, spawn_message(f, good), "a generation of it is alive");
	finish(f, &g, good);
	goes_on(f);
}

/* ---- what needs a generation */

static void test_bytes(void **state)
{
	struct fake *f = *state;
	char byte = -1;
	struct started g = start(f, good);
	struct link_message m = { .kind = LINK_SEND, .generation = g.generation, .name = good, .record = RECORD,
				  .record_size = sizeof RECORD };
	const uint32_t wrong[] = { 3, 5, 255, 0x100, 0x103, 0x201, 0xffffffff };
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		m.arg = wrong[i];
		post(f, m);
		expect_refused(f, "no byte for a vassal");
	}
	m.arg = 2;
	post(f, m);
	assert_true(wait_readable(g.output));
	assert_int_equal(read(g.output, &byte, 1), 1);	/* and none of the others came before */
	assert_int_equal(byte, 2);
	finish(f, &g, good);
}

static void test_foreign_generation(void **state)
{
	struct fake *f = *state;
	const unsigned kinds[] = { LINK_SEND, LINK_KILL, LINK_FORGET };
	struct started g = start(f, good), other = start(f, "other.ini");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		post(f, (struct link_message){ .kind = kinds[i], .generation = g.generation, .name = "other.ini", .record = "forged",
					       .record_size = 7 });
		expect_refused(f, "belongs to another vassal");
	}
	post(f, (struct link_message){ .kind = LINK_KILL, .generation = 12345, .name = good });	/* nobody's: nothing happens */
	settle(f);
	assert_int_equal(kill(g.pid, 0), 0);
	assert_int_equal(kill(other.pid, 0), 0);
	finish(f, &g, good);
	finish(f, &other, "other.ini");
}

static void test_living_is_not_let_go(void **state)
{
	struct fake *f = *state;
	struct started g = start(f, good);
	post(f, (struct link_message){ .kind = LINK_FORGET, .generation = g.generation, .name = good });
	expect_refused(f, "it is alive");
	post(f, (struct link_message){ .kind = LINK_FORGET, .generation = g.generation });
	expect_refused(f, "it is alive");
	post(f, (struct link_message){ .kind = LINK_DROP, .name = good });
	expect_refused(f, "a generation of it is alive");
	post(f, (struct link_message){ .kind = LINK_DISSOLVED });
	expect_refused(f, "nobody asked for it");
	finish(f, &g, good);	/* it is still held: its end is told */
	post(f, (struct link_message){ .kind = LINK_DROP, .name = good });
	settle(f);
	assert_string_equal(words(f), "");
	goes_on(f);
}

/* ---- ERRAND */

static void errand(struct fake *f, const char *name, uint32_t kind, int fd, int error, const char *why)
{
	post(f, (struct link_message){ .kind = LINK_ERRAND, .arg = kind, .generation = 77, .name = name, .text = "/etc/shadow",
				       .uid = VASSAL_UID, .gid = VASSAL_UID, .fds = { fd }, .n_fds = fd >= 0 });
	struct link_message m = expect(f, LINK_ERRAND_DONE);
	assert_int_equal(m.generation, 77);
	assert_int_equal(m.error, error);
	assert_int_equal(m.n_fds, 0);
	const char *text = words(f);
	if (!strstr(text, why))
		fail_msg("not refused for '%s': %s", why, text);
}

static void test_errands(void **state)
{
	struct fake *f = *state;
	int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), memory = memfd_create("anon_inode:inotify", MFD_CLOEXEC);
	int inotify = inotify_init1(IN_CLOEXEC);
	const int wrong[] = { file, null, sock, memory, -1 };
	unsigned before = count_descriptors(f->keeper);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		errand(f, good, 0, wrong[i], EBADF, "its descriptor is no inotify");
	errand(f, "../x.ini", 0, inotify, EPERM, "does not belong to monitor");
	errand(f, "/etc/shadow", 1, -1, EPERM, "does not belong to monitor");
	errand(f, good, ERRAND_KINDS, -1, EINVAL, "");
	errand(f, "sub/x.ini", ERRAND_READ, -1, EPERM, "does not belong to monitor");
	errand(f, good, 0xffffffff, -1, EINVAL, "");
	settle(f);
	assert_int_equal(count_descriptors(f->keeper), before);
	for (size_t i = 0; i < 4; i++)
		close(wrong[i]);
	close(inotify);
	goes_on(f);
}

/* What the helper hands back: a descriptor, or why there is none. */
static int read_errand(struct fake *f, const char *path, int *fd)
{
	struct errand_answer answer;
	post(f, (struct link_message){ .kind = LINK_ERRAND, .arg = ERRAND_READ, .generation = 78, .name = good, .text = path,
				       .uid = VASSAL_UID, .gid = VASSAL_UID });
	struct link_message m = expect(f, LINK_ERRAND_DONE);
	*fd = -1;
	if (m.n_fds == 0)
		return m.error;
	assert_true(wait_readable(m.fds[0]));
	assert_int_equal(errand_read(m.fds[0], &answer, fd), 0);
	link_close_fds(&m);
	return answer.error;
}

static void test_errand_reads(void **state)
{
	struct fake *f = *state;
	char path[128], text[8] = "";
	int fd;
	snprintf(path, sizeof path, "%s/included", f->directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "[uwsgi]", 7), 7);
	close(fd);
	assert_int_equal(read_errand(f, path, &fd), 0);
	assert_int_equal(read(fd, text, 7), 7);
	assert_string_equal(text, "[uwsgi]");
	assert_true(write(fd, "x", 1) < 0);
	close(fd);
	unlink(path);
	assert_int_equal(read_errand(f, path, &fd), ENOENT);
	assert_int_equal(read_errand(f, f->directory, &fd), EINVAL);
	assert_int_equal(read_errand(f, "/dev/null", &fd), EINVAL);
	assert_int_equal(mkfifo(path, 0666), 0);
	assert_int_equal(read_errand(f, path, &fd), EINVAL);	/* and nobody waits */
	unlink(path);
	if (geteuid() == 0)
		assert_int_equal(read_errand(f, "/etc/shadow", &fd), EACCES);
	assert_string_equal(words(f), "");
	assert_int_equal(read_errand(f, "etc/passwd", &fd), EPERM);
	assert_non_null(strstr(words(f), "not an absolute path"));
	goes_on(f);
}

static int setup_as_root(void **state)
{
	static struct fake f;
	fake_prepare(&f);
	f.options.uid_number = IDENTITY_NONE;
	f.options.vassals_as_root = true;
	fake_begin(&f);
	*state = &f;
	return 0;
}

/* --vassals-as-root: the ruler would read any file of root's. */
static void test_errand_never_reads_as_root(void **state)
{
	struct fake *f = *state;
	if (geteuid() != 0)
		skip();
	post(f, (struct link_message){ .kind = LINK_ERRAND, .arg = ERRAND_READ, .generation = 78, .name = good, .text = "/etc/shadow",
				       .uid = IDENTITY_NONE, .gid = IDENTITY_NONE });
	assert_int_equal(expect(f, LINK_ERRAND_DONE).error, EPERM);
	assert_non_null(strstr(words(f), "what runs as root"));
}

/* ---- messages that are none */

struct raw { struct link_message m; const char *body; size_t body_size, head_size; unsigned n_fds; const char *why; };

static void send_raw(struct fake *f, const struct raw *raw)
{
	struct iovec iov[] = { { (void *)(uintptr_t)&raw->m, raw->head_size },
			       { (void *)(uintptr_t)raw->body, raw->body_size } };
	union { char bytes[CMSG_SPACE(sizeof(int) * 16)]; struct cmsghdr align; } control = { 0 };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	if (raw->n_fds > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * raw->n_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * raw->n_fds);
		memset(CMSG_DATA(c), 0, sizeof(int) * raw->n_fds);	/* stdin, again and again */
	}
	assert_true(sendmsg(f->link.fd, &msg, MSG_NOSIGNAL) >= 0);
}

#define HEAD offsetof(struct link_message, name)
#define KIND(k) .head_size = HEAD, .m.kind = (k)
#define BODY(text) .body = text, .body_size = sizeof(text) - 1

static void test_malformed(void **state)
{
	struct fake *f = *state;
	static char huge[40000];
	const struct raw wrong[] = {
		{ KIND(0), .why = "unknown kind" }, { KIND(LINK_KINDS), .why = "unknown kind" }, { KIND(0xffffffff), .why = "unknown kind" },
		{ KIND(LINK_STARTED), .n_fds = 2, .why = "wrong direction" }, { KIND(LINK_SIGNAL), .m.arg = 15, .why = "wrong direction" },
		{ .m.kind = LINK_REOPEN, .head_size = 1, .why = "wrong size" }, { .m.kind = LINK_REOPEN, .head_size = HEAD - 1, .why = "wrong size" },
		{ KIND(LINK_REOPEN), BODY("more"), .why = "wrong size" },
		{ KIND(LINK_SPAWN), BODY("a.ini\0r"), .m.name_size = 6, .m.record_size = 2, .why = "wrong size" },
		{ KIND(LINK_SPAWN), BODY("a.ini\0r"), .m.name_size = 65535, .m.text_size = 8, .why = "wrong size" },
		{ KIND(LINK_SPAWN), .body = huge, .body_size = sizeof huge, .m.record_size = 40000, .why = "wrong size" },
		{ KIND(LINK_SPAWN), BODY("a.ini\0"), .m.name_size = 6, .why = "a part is missing" },
		{ KIND(LINK_SPAWN), BODY("r"), .m.record_size = 1, .why = "a part is missing" },
		{ KIND(LINK_SEND), BODY("a.ini\0text\0r"), .m.name_size = 6, .m.text_size = 5, .m.record_size = 1, .why = "a part is missing" },
		{ KIND(LINK_SPAWN), .body = huge, .body_size = 301, .m.name_size = 300, .m.record_size = 1, .why = "too long" },
		{ KIND(LINK_SPAWN), BODY("a.inir"), .m.name_size = 5, .m.record_size = 1, .why = "text without its end" },
		{ KIND(LINK_SPAWN), BODY("a.ini\0b.ini\0r"), .m.name_size = 12, .m.record_size = 1, .why = "text without its end" },
		{ KIND(LINK_SPAWN), BODY("a.ini\0r"), .m.name_size = 6, .m.record_size = 1, .n_fds = 1, .why = "wrong number of descriptors" },
		{ KIND(LINK_ERRAND), BODY("a.ini\0t\0"), .m.name_size = 6, .m.text_size = 2, .n_fds = 2, .why = "wrong number of descriptors" },
		{ KIND(LINK_READY), .n_fds = 3, .why = "wrong number of descriptors" },
		{ KIND(LINK_READY), .n_fds = 16, .why = "descriptors were lost" },
	};
	unsigned before = count_descriptors(f->keeper);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		send_raw(f, &wrong[i]);
		expect_refused(f, wrong[i].why);
	}
	assert_int_equal(count_descriptors(f->keeper), before);
	goes_on(f);
}

#define BOTH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_name_outside),
		cmocka_unit_test_setup_teardown(test_ids, setup_ids_of_inis, teardown),
		BOTH(test_ids_are_not_the_rulers),
		BOTH(test_number_not_new),
		BOTH(test_second_generation),
		BOTH(test_bytes),
		BOTH(test_foreign_generation),
		BOTH(test_living_is_not_let_go),
		BOTH(test_errands),
		BOTH(test_errand_reads),
		cmocka_unit_test_setup_teardown(test_errand_never_reads_as_root, setup_as_root, teardown),
		BOTH(test_malformed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
