/* launch: real children. What each finds, at which stage a start fails and why, and what a hostile tenant cannot do to it. */
#include "launching.h"

/* ---- what it finds */

static void test_descriptors(void **state)
{
	(void)state;
	int extra = open("/dev/zero", O_RDONLY);	/* without close-on-exec */
	int high = fcntl(extra, F_DUPFD, 700);
	assert_string_equal(script("i=0; while [ $i -lt 1000 ]; do [ -e /proc/$$/fd/$i ] && echo $i; i=$((i+1)); done"), "0\n1\n2\n3\n");
	close(extra);
	close(high);
	const char *said = script("cd /proc/$$/fd; readlink 0; readlink 1; readlink 2; readlink 3");
	assert_int_equal(strncmp(said, "/dev/null\npipe:", 15), 0);
	assert_non_null(strstr(said, "socket:"));
}

static void test_wire_is_connected(void **state)
{
	struct run r;
	int status;
	char byte = 0;
	(void)state;
	prepare(&r, "/bin/sh", "printf 5 >&3; exec cat <&3");
	assert_int_equal(write(r.wire, "hello", 5), 5);
	shutdown(r.wire, SHUT_WR);
	assert_string_equal(run(&r, &status), "hello");
	assert_int_equal(read(r.wire, &byte, 1), 1);
	assert_int_equal(byte, '5');
	finish(&r);
}

/* Signals 32 and 33 are glibc's own: what make starts (by posix_spawn) has them ignored, and nobody can set them back. */
static const char *without_glibcs_own(const char *said)
{
	static char text[256];
	unsigned long long ignored = 0;
	snprintf(text, sizeof text, "%s", said);
	char *number = strstr(text, "SigIgn:\t");
	if (number && sscanf(number, "SigIgn:\t%16llx", &ignored) == 1) {
		char mark[17];
		snprintf(mark, sizeof mark, "%016llx", ignored & ~(3ULL << 31));
		memcpy(number + strlen("SigIgn:\t"), mark, 16);
	}
	return text;
}

static ino_t inode_of(int fd)
{
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

/* In their order from 4 on, open across exec, and nothing else; nothing of them is left with us, after a failure neither. */
static void test_sockets(void **state)
{
	static const unsigned counts[] = { 1, 2, 3, 4, LAUNCH_SOCKETS_MAX };
	int fds[LAUNCH_SOCKETS_MAX + 1];
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (size_t n = 0; n < ARRAY_SIZE(counts); n++) {
		struct run r;
		int status;
		char expected[1024] = "";
		for (unsigned i = 0; i < counts[n]; i++)
			sprintf(expected + strlen(expected), "%u socket:[%ju]\n", LAUNCH_SOCKETS_FD + i, (uintmax_t)inode_of(fds[i]));
		prepare(&r, "/bin/sh", "i=4; while [ $i -lt 1000 ]; do [ -e /proc/$$/fd/$i ] && echo $i $(readlink /proc/$$/fd/$i); i=$((i+1)); done; :");
		r.what.sockets = fds;
		r.what.n_sockets = counts[n];
		assert_string_equal(run(&r, &status), expected);
		finish(&r);
	}
	struct run r;
	struct stat null, st;
	prepare(&r, "/bin/sh", "");
	r.what.sockets = fds;
	r.what.n_sockets = LAUNCH_SOCKETS_MAX + 1;
	expect_failure(&r, LAUNCH_DESCRIPTORS, E2BIG);
	prepare(&r, "/nowhere", "");
	r.what.sockets = fds;
	r.what.n_sockets = LAUNCH_SOCKETS_MAX;
	expect_failure(&r, LAUNCH_EXEC, ENOENT);
	assert_int_equal(fstat(LAUNCH_WIRE_FD, &null), 0);
	for (int fd = LAUNCH_STAGE_FD; fd < LAUNCH_STAGE_FD + 3 + LAUNCH_SOCKETS_MAX; fd++)
		assert_true(fstat(fd, &st) == 0 && st.st_ino == null.st_ino);
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void test_signals(void **state)
{
	struct run r;
	int status;
	(void)state;
	assert_string_equal(without_glibcs_own(script("cat /proc/self/status | grep -E 'Sig(Blk|Ign|Cgt)'")),
			    "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000000\n");
	prepare(&r, "/bin/grep", NULL);	/* a shell would empty its mask itself */
	r.argv[1] = "-E";
	r.argv[2] = "Sig(Blk|Ign)";
	r.argv[3] = "/proc/self/status";
	sigaddset(&r.mask, SIGHUP);
	r.what.ignored = 0;
	assert_string_equal(without_glibcs_own(run(&r, &status)), "SigBlk:\t0000000000000001\nSigIgn:\t0000000000000000\n");
	finish(&r);
}

static void test_place(void **state)
{
	struct run r;
	int status;
	(void)state;
	prepare(&r, "sh", "pwd; echo $0 $1 $PATH; ulimit -n; set -- $(cat /proc/$$/stat); [ $1 = $5 ] && [ $1 = $6 ] && echo leads");
	r.what.cwd = "/usr";
	r.what.nofile = (struct rlimit){ 123, 456 };
	r.argv[4] = "x";
	assert_string_equal(run(&r, &status), "/usr\nname x /usr/bin:/bin\n123\nleads\n");
	finish(&r);
}

static void test_identity(void **state)
{
	struct run r;
	int status;
	char private[64];
	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(private, sizeof private, "%s/private", directory);
	mkdir(private, 0700);
	assert_int_equal(chown(private, TENANT, TENANT), 0);
	prepare(&r, "/bin/sh", "grep -E 'Uid|Gid|Groups|CapEff|CapPrm' /proc/self/status; pwd");
	r.what.identity = (struct identity){ .uid = TENANT, .gid = TENANT, .groups = { 7 }, .n_groups = 1 };
	r.what.cwd = private;	/* that only it may enter */
	char expected[512];
	snprintf(expected, sizeof expected, "Uid:\t%1$d\t%1$d\t%1$d\t%1$d\nGid:\t%1$d\t%1$d\t%1$d\t%1$d\nGroups:\t7 \nCapPrm:\t0000000000000000\n"
		 "CapEff:\t0000000000000000\n%2$s\n", TENANT, private);
	assert_string_equal(run(&r, &status), expected);
	finish(&r);
	rmdir(private);
}

/* ---- where it fails */

static void test_no_program(void **state)
{
	struct run r;
	(void)state;
	prepare(&r, "/nowhere/uwsgi", "");
	expect_failure(&r, LAUNCH_EXEC, ENOENT);
	prepare(&r, "no-such-program-on-path", "");
	expect_failure(&r, LAUNCH_EXEC, ENOENT);
	prepare(&r, "/etc/passwd", "");
	expect_failure(&r, LAUNCH_EXEC, EACCES);
	prepare(&r, "/etc", "");
	expect_failure(&r, LAUNCH_EXEC, EACCES);
	assert_string_equal(script("echo goes on"), "goes on\n");
}

static void test_chdir(void **state)
{
	struct run r;
	(void)state;
	prepare(&r, "/bin/sh", "");
	r.what.cwd = "/nowhere";
	expect_failure(&r, LAUNCH_CHDIR, ENOENT);
	prepare(&r, "/bin/sh", "");
	r.what.cwd = "/etc/passwd";
	expect_failure(&r, LAUNCH_CHDIR, ENOTDIR);
}

static void test_ids_refused(void **state)
{
	struct run r;
	(void)state;
	prepare(&r, "/bin/sh", "");
	r.what.identity = (struct identity){ .uid = 65530, .gid = (gid_t)-1 };
	expect_failure(&r, LAUNCH_GROUPS_AND_IDS, EINVAL);
}

static void test_limits_refused(void **state)
{
	struct run r;
	(void)state;
	prepare(&r, "/bin/sh", "");
	r.what.nofile = (struct rlimit){ 20, 10 };
	expect_failure(&r, LAUNCH_LIMITS, EINVAL);
}

/* A pidfd more than there is room for. */
static void test_out_of_descriptors(void **state)
{
	struct run r;
	struct rlimit before, now;
	struct launched l;
	(void)state;
	prepare(&r, "/bin/sh", "");
	int free_fd = dup(0);
	close(free_fd);
	getrlimit(RLIMIT_NOFILE, &before);
	now = (struct rlimit){ (rlim_t)free_fd, before.rlim_max };
	setrlimit(RLIMIT_NOFILE, &now);
	int failed = launch_start(&r.what, &l);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(failed, -EMFILE);
	assert_string_equal(launch_stage_name(l.stage), "clone");
	finish(&r);
	assert_string_equal(script("echo goes on"), "goes on\n");
}

static void test_bad_descriptor(void **state)
{
	struct run r;
	(void)state;
	prepare(&r, "/bin/sh", "");
	r.what.in = util_close(r.what.in);
	r.what.in = 900;
	expect_failure(&r, LAUNCH_DESCRIPTORS, EBADF);
}

/* ---- a tenant that stops whatever runs as its user */

static pid_t start_tyrant(void)
{
	int ready[2];
	char c;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		if (setresgid(TENANT, TENANT, TENANT) < 0 || setresuid(TENANT, TENANT, TENANT) < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			kill(-1, SIGSTOP);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* Stopped for good between its drop and its exec, or just after it: we never wait longer than LAUNCH_FROZEN_MS and a little, and who
 * belongs to another user starts as ever. */
static void test_frozen(void **state)
{
	static const char *programs[2000];	/* so that it is before its exec for long enough to be hit */
	unsigned frozen = 0;
	(void)state;
	for (size_t i = 0; i + 2 < ARRAY_SIZE(programs); i++)
		programs[i] = "/nowhere";
	programs[ARRAY_SIZE(programs) - 2] = "/bin/true";
	if (geteuid() != 0)
		skip();
	pid_t tyrant = start_tyrant();
	for (int i = 0; i < 200 && frozen < 3; i++) {
		struct run r;
		struct launched l;
		prepare(&r, "/bin/true", "");
		r.what.programs = programs;
		r.what.identity = (struct identity){ .uid = TENANT, .gid = TENANT };
		uint64_t before = util_now();
		int failed = launch_start(&r.what, &l);
		uint64_t took = util_now() - before;
		assert_true(took < 2 * LAUNCH_FROZEN_MS * NSEC_PER_MSEC);
		if (failed < 0) {
			assert_string_equal(launch_stage_name(l.stage), "frozen before exec");
			assert_int_equal(failed, -ETIMEDOUT);
			assert_true(took >= LAUNCH_FROZEN_MS * NSEC_PER_MSEC);
			frozen++;
		} else {
			kill(l.pid, SIGKILL);
			assert_int_equal(waitpid(l.pid, NULL, 0), l.pid);
			close(l.pidfd);
		}
		finish(&r);
		assert_string_equal(script("echo goes on"), "goes on\n");
	}
	kill(tyrant, SIGKILL);
	assert_int_equal(waitpid(tyrant, NULL, 0), tyrant);
	while (waitpid(-1, NULL, WNOHANG) > 0)	/* killed late: nobody is left */
		;
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	assert_true(frozen > 0);	/* else nothing was shown */
}

static void test_stage_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LAUNCH_STAGES; i++)
		assert_string_not_equal(launch_stage_name(i), "?");
	assert_string_equal(launch_stage_name(LAUNCH_STAGES), "?");
}

static int group_setup(void **state)
{
	(void)state;
	signal(SIGUSR1, SIG_IGN);	/* what test_signals() finds set back */
	if (launch_reserve() < 0 || launch_prepare(1024) < 0 || !mkdtemp(directory))
		return -1;
	setenv("PATH", "/usr/bin:/bin", 1);	/* one that everybody may read */
	sigset_t all;
	sigfillset(&all);
	sigdelset(&all, SIGINT);
	sigdelset(&all, SIGTERM);
	return sigprocmask(SIG_SETMASK, &all, NULL) || chmod(directory, 0755);
}

static int group_teardown(void **state)
{
	(void)state;
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors), cmocka_unit_test(test_sockets), cmocka_unit_test(test_wire_is_connected), cmocka_unit_test(test_signals),
		cmocka_unit_test(test_place), cmocka_unit_test(test_identity), cmocka_unit_test(test_no_program), cmocka_unit_test(test_chdir),
		cmocka_unit_test(test_ids_refused), cmocka_unit_test(test_limits_refused), cmocka_unit_test(test_out_of_descriptors),
		cmocka_unit_test(test_bad_descriptor), cmocka_unit_test(test_frozen), cmocka_unit_test(test_stage_names),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
