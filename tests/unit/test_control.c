/* control alone: framing, bounds, who the peer is; the "ruler" here answers each request with what it was. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "supervisor/control.h"
#include "vassals/util.h"

#define BIG (300 * 1024)

enum manner { ANSWER_AND_END, KEEP_OPEN, FLOOD, END_AT_ONCE };
struct fix {
	struct ev_loop *loop;
	struct control *control;
	struct sockaddr_un address;
	int listen_fd;
	enum manner manner;
	unsigned requests, closed;
	char last[CONTROL_LINE_MAX];
	struct control_client *client;
	bool flood_ended;
};

static void flood(struct fix *f, struct control_client *client)
{
	char *big = malloc(BIG + 1);
	memset(big, 'x', BIG);
	big[BIG] = '\0';
	for (int i = 0; i < 20 && !f->flood_ended; i++)
		f->flood_ended = !control_reply(client, big);
	free(big);
}

static void on_request(void *data, struct control_client *client, char *line)
{
	struct fix *f = data;
	f->requests++;
	f->client = client;
	snprintf(f->last, sizeof f->last, "%s", line);
	assert_ptr_equal(control_find(f->control, control_token(client)), client);
	if (f->manner == FLOOD)
		flood(f, client);
	else if (f->manner != END_AT_ONCE)
		assert_true(control_reply(client, "{}"));
	if (f->manner == ANSWER_AND_END || f->manner == END_AT_ONCE)
		control_end(client);
}

static void on_closed(void *data, struct control_client *client)
{
	struct fix *f = data;
	(void)client;
	f->closed++;
	f->client = NULL;
}

static int setup_for(void **state, uid_t owner)
{
	static unsigned n;
	struct fix *f = calloc(1, sizeof *f);
	f->loop = ev_loop_new(EVFLAG_AUTO);
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	f->address.sun_family = AF_UNIX;
	/* abstract: nothing to clean up */
	snprintf(f->address.sun_path + 1, sizeof f->address.sun_path - 1, "regent-test-control-%d-%u", (int)getpid(), n++);
	if (bind(f->listen_fd, (struct sockaddr *)&f->address, sizeof f->address) < 0 || listen(f->listen_fd, 1024) < 0)
		return -1;
	*state = f;
	return control_new(&(struct control_config){ f->loop, f->listen_fd, owner, on_request, on_closed, f }, &f->control);
}

static int setup(void **state)
{
	return setup_for(state, geteuid());
}

static int setup_of_another(void **state)
{
	return setup_for(state, geteuid() + 1);
}

static int teardown(void **state)
{
	struct fix *f = *state;
	control_free(f->control);
	close(f->listen_fd);
	ev_loop_destroy(f->loop);
	free(f);
	return 0;
}

static void turn(struct fix *f)
{
	for (int i = 0; i < 4; i++)
		ev_run(f->loop, EVRUN_NOWAIT);
}

static int open_client(struct fix *f)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_return_code(connect(fd, (struct sockaddr *)&f->address, sizeof f->address), errno);
	turn(f);
	return fd;
}

static void say(struct fix *f, int fd, const char *bytes, size_t n)
{
	send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	turn(f);
}

static ssize_t hear(struct fix *f, int fd, char *buf, size_t size)
{
	turn(f);
	ssize_t n = recv(fd, buf, size - 1, MSG_DONTWAIT);
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

static void expect_refusal(struct fix *f, int fd, const char *why)
{
	char buf[512];
	assert_true(hear(f, fd, buf, sizeof buf) > 0);
	assert_non_null(strstr(buf, "\"status\":2"));
	assert_non_null(strstr(buf, why));
	assert_int_equal(buf[strlen(buf) - 1], '\n');
	ssize_t n = hear(f, fd, buf, sizeof buf);
	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));	/* reset: we had not read all it sent */
	assert_int_equal(control_count(f->control), 0);
	assert_int_equal(f->requests, 0);
}

static void test_one_line(void **state)
{
	struct fix *f = *state;
	char buf[64];
	int fd = open_client(f);
	say(f, fd, "sta", 3);
	assert_int_equal(f->requests, 0);
	say(f, fd, "tus\n", 4);
	assert_string_equal(f->last, "status");
	assert_int_equal(hear(f, fd, buf, sizeof buf), 3);
	assert_string_equal(buf, "{}\n");
	assert_int_equal(hear(f, fd, buf, sizeof buf), 0);
	assert_int_equal(f->closed, 1);
	close(fd);
}

static void test_peer(void **state)
{
	struct fix *f = *state;
	f->manner = KEEP_OPEN;
	int fd = open_client(f);
	say(f, fd, "x\n", 2);
	const struct control_peer *peer = control_peer(f->client);
	assert_int_equal(peer->uid, geteuid());
	assert_int_equal(peer->gid, getegid());
	assert_int_equal(peer->pid, getpid());
	gid_t groups[256];
	int n = getgroups(256, groups);
	assert_int_equal(peer->n_groups, n);
	if (n > 0)
		assert_memory_equal(peer->groups, groups, (size_t)n * sizeof *groups);
	close(fd);
	turn(f);
	assert_int_equal(f->closed, 1);
	assert_null(control_find(f->control, 1));
}

/* As `socat - UNIX-CONNECT:...` with a pipe does: it shuts its side down and listens. */
static void test_half_closed(void **state)
{
	struct fix *f = *state;
	char buf[64];
	f->manner = KEEP_OPEN;
	int fd = open_client(f);
	say(f, fd, "wait\n", 5);
	shutdown(fd, SHUT_WR);
	turn(f);
	assert_int_equal(f->closed, 0);
	assert_true(control_reply(f->client, "{\"a\":1}"));
	assert_int_equal(hear(f, fd, buf, sizeof buf), 11);
	close(fd);
	while (f->closed == 0)		/* it is looked at once a second */
		ev_run(f->loop, EVRUN_ONCE);
}

static void test_second_line_is_not_read(void **state)
{
	struct fix *f = *state;
	f->manner = KEEP_OPEN;
	int fd = open_client(f);
	say(f, fd, "one\ntwo\n", 8);
	assert_string_equal(f->last, "one");
	assert_int_equal(f->requests, 1);
	int other = open_client(f);
	say(f, other, "three\n", 6);
	say(f, other, "four\n", 5);
	assert_int_equal(f->requests, 2);
	assert_int_equal(control_count(f->control), 2);
	close(fd);
	close(other);
	while (f->closed < 2)
		ev_run(f->loop, EVRUN_ONCE);
}

static void test_long_lines(void **state)
{
	struct fix *f = *state;
	char *big = malloc(1024 * 1024);
	memset(big, 'a', 1024 * 1024);
	int fd = open_client(f);
	say(f, fd, big, 1024 * 1024);
	expect_refusal(f, fd, "too long");
	close(fd);

	big[CONTROL_LINE_MAX - 1] = '\n';	/* the longest that fits */
	fd = open_client(f);
	say(f, fd, big, CONTROL_LINE_MAX);
	assert_int_equal(f->requests, 1);
	assert_int_equal(strlen(f->last), CONTROL_LINE_MAX - 1);
	close(fd);
	free(big);
}

static void test_junk(void **state)
{
	struct fix *f = *state;
	int fd = open_client(f);
	say(f, fd, "rel\0oad x\n", 10);
	expect_refusal(f, fd, "NUL");
	close(fd);

	fd = open_client(f);
	say(f, fd, "reload sit", 10);
	shutdown(fd, SHUT_WR);
	expect_refusal(f, fd, "without a newline");
	close(fd);

	fd = open_client(f);	/* half a line, then gone: nobody to tell */
	say(f, fd, "reload sit", 10);
	close(fd);
	turn(f);
	assert_int_equal(control_count(f->control), 0);
	assert_int_equal(f->requests, 0);
}

static void test_slow_reader(void **state)
{
	struct fix *f = *state;
	f->manner = FLOOD;
	int fd = open_client(f);
	say(f, fd, "logs\n", 5);
	assert_true(f->flood_ended);
	assert_int_equal(f->closed, 1);
	assert_int_equal(control_count(f->control), 0);
	close(fd);
}

static void test_large_reply(void **state)
{
	struct fix *f = *state;
	size_t size = 3 * CONTROL_UNSENT_MAX, got = 0;
	char *big = malloc(size + 1), buf[65536];
	memset(big, 'y', size);
	big[size] = '\0';
	f->manner = KEEP_OPEN;
	int fd = open_client(f);
	say(f, fd, "x\n", 2);
	assert_true(control_reply(f->client, big));	/* one reply may be as large as it is */
	control_end(f->client);
	assert_int_equal(f->closed, 0);
	for (ssize_t n; (n = hear(f, fd, buf, sizeof buf)) > 0;)
		got += (size_t)n;
	assert_int_equal(got, 3 + size + 1);
	assert_int_equal(f->closed, 1);
	close(fd);
	free(big);
}

static void test_peer_that_closes_while_written_to(void **state)
{
	struct fix *f = *state;
	f->manner = FLOOD;
	int fd = open_client(f);
	send(fd, "logs\n", 5, MSG_NOSIGNAL);
	close(fd);
	turn(f);
	assert_int_equal(f->closed, 1);
}

static void test_end_without_reply(void **state)
{
	struct fix *f = *state;
	char buf[8];
	f->manner = END_AT_ONCE;
	int fd = open_client(f);
	say(f, fd, "x\ny\n", 4);
	assert_int_equal(hear(f, fd, buf, sizeof buf) > 0, 0);
	assert_int_equal(f->closed, 1);
	close(fd);
}

static void on_alarm(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	*(bool *)w->data = true;
}

/* Nothing wakes the loop for a fifth of a second. */
static void expect_sleep(struct fix *f)
{
	bool over = false;
	ev_timer alarm;
	ev_timer_init(&alarm, on_alarm, 0.2, 0.);
	alarm.data = &over;
	ev_timer_start(f->loop, &alarm);
	ev_run(f->loop, EVRUN_ONCE);
	if (!over)
		ev_run(f->loop, EVRUN_ONCE);	/* libev may wake a little early */
	assert_true(over);
	ev_timer_stop(f->loop, &alarm);
}

#define CROWD 1000
static void test_crowd(void **state)
{
	struct fix *f = *state;
	static int fds[CROWD];
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < CROWD; i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_return_code(connect(fds[i], (struct sockaddr *)&f->address, sizeof f->address), errno);
	}
	for (int i = 0; i < 100; i++)
		turn(f);
	assert_int_equal(control_count(f->control), CONTROL_CLIENTS_MAX);
	expect_sleep(f);
	for (int i = 0; i < CROWD; i++) {	/* each that leaves lets another one in */
		send(fds[i], "x\n", 2, MSG_NOSIGNAL);
		turn(f);
	}
	assert_int_equal(f->requests, CROWD);
	assert_int_equal(control_count(f->control), 0);
	for (int i = 0; i < CROWD; i++)
		close(fds[i]);
}

/* One user, neither root nor the owner, cannot keep everybody else out. */
static void test_greedy_user(void **state)
{
	struct fix *f = *state;
	int fds[CONTROL_CLIENTS_OF_ONE + 3], n = CONTROL_CLIENTS_OF_ONE + 3;
	char buf[256];
	uid_t us = geteuid();
	if (us == 0)
		assert_return_code(seteuid(4242), errno);
	for (int i = 0; i < n; i++)
		fds[i] = open_client(f);
	if (us == 0)
		assert_return_code(seteuid(0), errno);
	assert_int_equal(control_count(f->control), CONTROL_CLIENTS_OF_ONE);
	assert_true(hear(f, fds[n - 1], buf, sizeof buf) > 0);
	assert_non_null(strstr(buf, "\"status\":6"));
	assert_int_equal(hear(f, fds[n - 1], buf, sizeof buf), 0);
	close(fds[0]);
	turn(f);
	int again = open_client(f);
	say(f, again, "x\n", 2);
	assert_int_equal(f->requests, 1);
	for (int i = 1; i < n; i++)
		close(fds[i]);
	close(again);
}

/* Without a descriptor to accept with it pauses instead of spinning, and comes back. */
static void test_no_descriptors(void **state)
{
	struct fix *f = *state;
	struct rlimit saved, tight;
	int clients[2];
	for (int i = 0; i < 2; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_return_code(connect(clients[i], (struct sockaddr *)&f->address, sizeof f->address), errno);
	}
	turn(f);	/* the loop has opened what it needs */
	int free_fd = open_client(f);
	int first_free = dup(free_fd);
	close(first_free);
	getrlimit(RLIMIT_NOFILE, &saved);
	tight = saved;
	int waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	tight.rlim_cur = (rlim_t)waiting + 1;
	assert_return_code(connect(waiting, (struct sockaddr *)&f->address, sizeof f->address), errno);
	setrlimit(RLIMIT_NOFILE, &tight);
	turn(f);
	assert_int_equal(control_count(f->control), 3);
	ev_tstamp before = ev_time();
	ev_run(f->loop, EVRUN_ONCE);	/* sleeps until the pause is over: nothing else happens */
	assert_true(ev_time() - before > CONTROL_PAUSE_S / 2.);
	assert_int_equal(control_count(f->control), 3);
	setrlimit(RLIMIT_NOFILE, &saved);
	while (control_count(f->control) < 4)
		ev_run(f->loop, EVRUN_ONCE);
	close(waiting);
	close(free_fd);
	close(clients[0]);
	close(clients[1]);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_one_line), T(test_peer), T(test_half_closed), T(test_second_line_is_not_read), T(test_long_lines), T(test_junk),
		T(test_slow_reader), T(test_large_reply), T(test_peer_that_closes_while_written_to), T(test_end_without_reply),
		T(test_crowd), T(test_no_descriptors),
		cmocka_unit_test_setup_teardown(test_greedy_user, setup_of_another, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
