#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor/logger.h"
#include "vassals/util.h"

static char directory[] = "/tmp/regent-test-logger-XXXXXX", path[64];
static char got[16384];

static int bind_syslog(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static const char *record(int fd)
{
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	got[n > 0 ? n : 0] = '\0';
	return got;
}

static const char *text_of(int fd)
{
	const char *p = strstr(record(fd), "]: ");
	return p ? p + 3 : "(none)";
}

static void open_syslog(const char *ident)
{
	struct logger_config c = { .fd = 2, .syslog = true, .ident = ident, .facility = LOG_LOCAL3, .syslog_path = path };
	assert_int_equal(logger_open(&c), 0);
	logger_dropped();
}

/* words go to the write end, which is handed over */
static void open_fd(int fd, bool date)
{
	struct logger_config c = { .logto = "x", .fd = fd, .log_date = date };
	assert_int_equal(logger_open(&c), 0);
	logger_dropped();
}

static void close_fd(void)
{
	logger_set_fd(2);
}

static const char *line_from(int fd)
{
	ssize_t n = read(fd, got, sizeof(got) - 1);
	got[n > 0 ? n : 0] = '\0';
	return got;
}

static void test_record_is_rfc3164(void **state)
{
	(void)state;
	int fd = bind_syslog();
	setenv("TZ", "Asia/Kolkata", 1);
	open_syslog("court");
	time_t before = time(NULL);
	logger_log(LOG_WARNING, "word %d", 7);
	time_t after = time(NULL);
	char expected[2][128], stamp[32];
	for (int i = 0; i < 2; i++) {
		time_t t = i ? after : before;
		strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", localtime(&t));
		snprintf(expected[i], sizeof(expected[i]), "<%d>%s court[%d]: word 7", LOG_LOCAL3 | LOG_WARNING, stamp, (int)getpid());
	}
	record(fd);
	assert_true(strcmp(got, expected[0]) == 0 || strcmp(got, expected[1]) == 0);
	close(fd);
}

static void test_vassal_has_its_own_tag(void **state)
{
	(void)state;
	int fd = bind_syslog();
	open_syslog(NULL);
	logger_vassal("my site:[1].ini", 4711, "hello world", 5);
	record(fd);
	assert_non_null(strstr(got, " my_site__1_.ini[4711]: hello"));
	assert_null(strstr(got, "hello w"));
	assert_int_equal(strncmp(got, "<158>", 5), 0);
	log_notice("own");
	assert_non_null(strstr(record(fd), " regent["));
	close(fd);
}

static void test_one_harmless_line(void **state)
{
	(void)state;
	int fd = bind_syslog();
	open_syslog(NULL);
	logger_log(LOG_INFO, "a\nb\tc\033[2J\x7f end\r\n");
	assert_string_equal(text_of(fd), "a b\tc\\x1b[2J\\x7f end");
	close(fd);
}

static void test_long_lines_are_cut(void **state)
{
	(void)state;
	int fd = bind_syslog();
	open_syslog(NULL);
	char text[2 * LOGGER_TEXT_MAX];
	memset(text, 'x', sizeof(text));
	logger_vassal("v.ini", 1, text, LOGGER_TEXT_MAX);
	const char *whole = text_of(fd);
	assert_int_equal(strlen(whole), LOGGER_TEXT_MAX);
	assert_int_equal(whole[LOGGER_TEXT_MAX - 1], 'x');
	for (int own = 0; own < 2; own++) {
		if (own)
			logger_log(LOG_INFO, "%.*s", LOGGER_TEXT_MAX + 1, text);
		else
			logger_vassal("v.ini", 1, text, sizeof(text));
		const char *cut = text_of(fd);
		assert_int_equal(strlen(cut), LOGGER_TEXT_MAX);
		assert_string_equal(cut + LOGGER_TEXT_MAX - 4, "x...");
	}
	memset(text, '\1', sizeof(text));
	logger_vassal("v.ini", 1, text, sizeof(text));
	const char *binary = text_of(fd);
	assert_true(strlen(binary) <= LOGGER_TEXT_MAX && strlen(binary) > LOGGER_TEXT_MAX - 4);
	assert_string_equal(binary + strlen(binary) - 11, "\\x01\\x01...");
	close(fd);
}

static void test_full_syslog_drops_and_counts(void **state)
{
	(void)state;
	int fd = bind_syslog();
	open_syslog(NULL);
	int sent = 20000, kept = 0;
	for (int i = 0; i < sent; i++)
		log_info("flood %d", i);
	uint64_t dropped = logger_dropped();
	assert_true(dropped > 0);
	assert_int_equal(logger_dropped(), 0);
	for (bool more = true; more; logger_flush()) {	/* what it held back comes as soon as there is room, in order */
		more = false;
		for (const char *text; strcmp(text = text_of(fd), "(none)") != 0;) {
			char expected[32];
			snprintf(expected, sizeof expected, "flood %d", kept);
			assert_string_equal(text, expected);
			kept++;
			more = true;
		}
	}
	assert_int_equal(logger_waits_for(), -1);
	assert_true(kept > 5000);
	assert_int_equal(kept + (int)dropped, sent);
	log_info("after");
	assert_string_equal(text_of(fd), "after");
	close(fd);
}

static void test_reconnects(void **state)
{
	(void)state;
	int fd = bind_syslog(), pipe_fd[2];
	open_syslog(NULL);
	log_info("first");
	assert_string_equal(text_of(fd), "first");
	close(fd);
	fd = bind_syslog();	/* restarted: another socket under the name */
	log_info("second");
	assert_string_equal(text_of(fd), "second");
	close(fd);
	unlink(path);
	/* nobody there: stderr gets it */
	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK), 0);
	struct logger_config c = { .fd = pipe_fd[1], .syslog = true, .syslog_path = path };
	assert_int_equal(logger_open(&c), 0);
	log_info("third");
	assert_string_equal(line_from(pipe_fd[0]), "third\n");
	assert_int_equal(logger_dropped(), 0);
	fd = bind_syslog();
	log_info("fourth");
	assert_string_equal(text_of(fd), "fourth");
	assert_string_equal(line_from(pipe_fd[0]), "");
	close(fd);
	close(pipe_fd[0]);
	log_info("nobody at all");
	assert_int_equal(logger_dropped(), 1);
	close_fd();
}

static void flood_pipe(bool anew)
{
	int fd[2];
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	/* one page is never writable for poll() once it holds a byte: only a non-blocking write of our own fills it up */
	assert_true(fcntl(fd[1], F_SETPIPE_SZ, anew ? 4096 : 8192) > 0);
	/* with no descriptor left it cannot be opened anew, as another user's pipe cannot */
	struct rlimit limit, none;
	getrlimit(RLIMIT_NOFILE, &limit);
	none = (struct rlimit){ .rlim_cur = (rlim_t)fd[1], .rlim_max = limit.rlim_max };
	if (!anew)
		setrlimit(RLIMIT_NOFILE, &none);
	open_fd(fd[1], false);
	setrlimit(RLIMIT_NOFILE, &limit);
	alarm(20);	/* a write that waits ends the test */
	for (int i = 0; i < 5000; i++)
		logger_log(LOG_INFO, "line %d", i);
	alarm(0);
	assert_true(logger_dropped() > 4000);
	/* the description is shared with others: its flags are not ours to change */
	assert_int_equal(fcntl(fd[1], F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(strncmp(line_from(fd[0]), "line 0\nline 1\n", 14), 0);
	size_t n = strlen(got);
	assert_int_equal(got[n - 1], '\n');
	logger_log(LOG_INFO, "there is room again");
	assert_string_equal(line_from(fd[0]), "there is room again\n");
	close(fd[0]);
	close_fd();
}

static void test_pipe_that_nobody_reads(void **state)
{
	(void)state;
	flood_pipe(true);
	flood_pipe(false);
}

static void test_stream_socket(void **state)
{
	(void)state;
	int fd[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	open_fd(fd[1], false);
	logger_vassal("a b.ini", 5, "said", 4);
	assert_string_equal(line_from(fd[0]), "[a b.ini] said\n");
	alarm(20);
	for (int i = 0; i < 20000; i++)
		logger_log(LOG_INFO, "line %d", i);
	alarm(0);
	assert_true(logger_dropped() > 0);
	close(fd[0]);
	logger_log(LOG_INFO, "no reader");
	assert_int_equal(logger_dropped(), 1);
	close_fd();
}

static void test_date_and_set_fd(void **state)
{
	(void)state;
	int a[2], b[2];
	assert_int_equal(pipe2(a, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC | O_NONBLOCK), 0);
	setenv("TZ", "America/St_Johns", 1);
	open_fd(a[1], true);
	logger_log(LOG_INFO, "x");
	line_from(a[0]);
	assert_int_equal(strlen(got), strlen("2026-11-24T21:20:58-03:30 x\n"));
	assert_string_equal(got + 25, " x\n");
	logger_set_fd(b[1]);
	errno = EXDEV;
	logger_log(LOG_INFO, "y");
	assert_int_equal(errno, EXDEV);
	assert_string_equal(line_from(a[0]), "");
	struct pollfd p = { .fd = a[0], .events = POLLIN };
	poll(&p, 1, 0);
	assert_true(p.revents & POLLHUP);	/* closed, ours and the given one */
	assert_string_equal(line_from(b[0]) + 25, " y\n");
	close(a[0]);
	close(b[0]);
	close_fd();
}

static void test_time_under_zones(void **state)
{
	(void)state;
	static const struct { const char *zone, *text; } cases[] = {
		{ "UTC", "2026-11-24T21:20:58+00:00" }, { "Asia/Kolkata", "2026-11-25T02:50:58+05:30" },
		{ "America/St_Johns", "2026-11-24T17:50:58-03:30" }, { "XYZ-14", "2026-11-25T11:20:58+14:00" },
	};
	char text[32];
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		setenv("TZ", cases[i].zone, 1);
		tzset();
		logger_time(text, sizeof(text), 1795555258);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_once(void **state)
{
	(void)state;
	int fd = bind_syslog();
	const uint64_t s = NSEC_PER_SEC, t = 1000 * s;
	open_syslog(NULL);
	for (int i = 0; i < 5; i++)
		logger_once(LOG_ERR, "a.ini", t + (uint64_t)i * s, "cannot start: %d", 1);
	logger_once(LOG_ERR, "b.ini", t, "cannot start: 1");
	assert_string_equal(text_of(fd), "cannot start: 1");
	assert_string_equal(text_of(fd), "cannot start: 1");	/* the other key's */
	assert_string_equal(record(fd), "");
	logger_once(LOG_ERR, "a.ini", t + 10 * s, "cannot start: 2");
	assert_string_equal(text_of(fd), "cannot start: 1 (4 times more)");
	assert_string_equal(text_of(fd), "cannot start: 2");
	logger_once(LOG_ERR, "a.ini", t + 69 * s, "cannot start: 2");
	assert_string_equal(record(fd), "");
	logger_once(LOG_ERR, "a.ini", t + 70 * s, "cannot start: 2");
	assert_string_equal(text_of(fd), "cannot start: 2 (1 times more)");
	assert_string_equal(text_of(fd), "cannot start: 2");
	logger_once(LOG_ERR, "a.ini", t + 200 * s, "cannot start: 2");
	assert_string_equal(text_of(fd), "cannot start: 2");	/* nothing was counted: nothing is said of it */
	close(fd);
}

/* More keys than there are places: what the oldest has counted is not lost. */
static void test_once_has_many_keys(void **state)
{
	(void)state;
	int fd[2];
	char key[32];
	assert_int_equal(pipe2(fd, O_CLOEXEC | O_NONBLOCK), 0);
	open_fd(fd[1], false);
	for (int i = 0; i < 3; i++)
		logger_once(LOG_ERR, "first", 2000 * NSEC_PER_SEC, "cannot start");
	for (int i = 0; i < 128; i++) {
		snprintf(key, sizeof(key), "other %d", i);
		logger_once(LOG_ERR, key, 2001 * NSEC_PER_SEC, "other");
	}
	line_from(fd[0]);
	assert_int_equal(strncmp(got, "cannot start\nother\n", 19), 0);
	assert_non_null(strstr(got, "\ncannot start (2 times more)\n"));
	close(fd[0]);
	close_fd();
}

static void test_syslog_argument(void **state)
{
	(void)state;
	char ident[LOGGER_IDENT_MAX] = "before", longer[LOGGER_IDENT_MAX + 1];
	int facility = -5;
	assert_int_equal(logger_syslog_argument("x,locale0", ident, sizeof(ident), &facility), -ENOENT);
	assert_int_equal(logger_syslog_argument("a b", ident, sizeof(ident), &facility), -EINVAL);
	memset(longer, 'a', LOGGER_IDENT_MAX);
	longer[LOGGER_IDENT_MAX] = '\0';
	assert_int_equal(logger_syslog_argument(longer, ident, sizeof(ident), &facility), -EINVAL);
	assert_string_equal(ident, "before");
	assert_int_equal(facility, -5);
	assert_int_equal(logger_syslog_argument("", ident, sizeof(ident), &facility), 0);
	assert_string_equal(ident, "regent");
	assert_int_equal(facility, LOG_DAEMON);
	assert_int_equal(logger_syslog_argument("court,local7", ident, sizeof(ident), &facility), 0);
	assert_string_equal(ident, "court");
	assert_int_equal(facility, LOG_LOCAL7);
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/log", directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	struct logger_config c = { .fd = 2 };
	logger_open(&c);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_is_rfc3164), cmocka_unit_test(test_vassal_has_its_own_tag),
		cmocka_unit_test(test_one_harmless_line), cmocka_unit_test(test_long_lines_are_cut),
		cmocka_unit_test(test_full_syslog_drops_and_counts), cmocka_unit_test(test_reconnects),
		cmocka_unit_test(test_pipe_that_nobody_reads), cmocka_unit_test(test_stream_socket),
		cmocka_unit_test(test_date_and_set_fd), cmocka_unit_test(test_time_under_zones),
		cmocka_unit_test(test_once), cmocka_unit_test(test_once_has_many_keys), cmocka_unit_test(test_syslog_argument),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
