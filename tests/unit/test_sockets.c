/* sockets: A and B of every family, as clients meet them: both sides in turn, under load, with paths deleted; what is bound, and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/tcp.h>
#include <sys/syscall.h>

#include "tests/unit/fake_clients.h"

static void test_both_sides_in_turn(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 2; first++) {
		wish_for_all("");
		assert_int_equal(prepare(first), 0);
		expect_reached((int)first);
		for (unsigned k = 1; k < 6; k++) {
			assert_int_equal(lead((first + k) % 2), 0);
			expect_reached((int)(first + k) % 2);
		}
		assert_int_equal(lead((first + 5) % 2), 0);
		expect_reached((int)(first + 5) % 2);
		for (unsigned i = 0; i < wish.n; i++)
			assert_int_equal(sockets_remove(wish.address[i], &pairs[i]), 0);
		forget();
		assert_int_equal(rmdir(directory), 0);
		assert_int_equal(mkdir(directory, 0755), 0);
	}
}

static void test_queued_clients_stay(void **state)
{
	(void)state;
	wish_for_all("");
	assert_int_equal(prepare(1), 0);
	for (unsigned i = 0; i < wish.n; i++) {
		CLEANUP_FD int before = connect_to(wish.address[i]);
		assert_int_equal(lead(0), 0);
		assert_false(sockets_any_waiting(&pairs[i].fd[0], 1));
		CLEANUP_FD int after = connect_to(wish.address[i]);
		assert_int_equal(waiting(&pairs[i]), 3);
		assert_int_equal(lead(1), 0);
	}
}

/* Answers every client with the letter of the side that it reached, until `until` is closed at its other end. */
static int answer(int until)
{
	struct pollfd set[9] = { { .fd = until, .events = POLLIN } };
	for (unsigned i = 0; i < 8; i++)
		set[i + 1] = (struct pollfd){ .fd = pairs[i / 2].fd[i % 2], .events = POLLIN };
	while (poll(set, 9, -1) > 0 && !set[0].revents)
		for (unsigned i = 0; i < 8; i++) {
			int client = set[i + 1].revents ? accept(set[i + 1].fd, NULL, NULL) : -1;
			if (client >= 0 && write(client, &"AB"[i % 2], 1) != 1)
				return 1;
			util_close(client);
		}
	return 0;
}

/* Asks all addresses in turn. 0: every client got an answer, and both sides gave some. */
static int ask_all(int until)
{
	struct pollfd end = { .fd = until, .events = POLLIN };
	unsigned seen[256] = { 0 };
	for (unsigned i = 0; poll(&end, 1, 0) == 0; i = (i + 1) % 4) {
		char letter = 0;
		CLEANUP_FD int client = connect_to(wish.address[i]);
		if (client < 0 || read(client, &letter, 1) != 1)
			return 1;
		seen[(unsigned char)letter]++;
	}
	return seen['A'] && seen['B'] ? 0 : 2;
}

static pid_t in_child(int (*work)(int), int until, int ours)
{
	pid_t pid = fork();
	if (pid == 0) {
		close(ours);
		alarm(60);
		_exit(work(until));
	}
	return pid;
}

static void test_switch_under_clients(void **state)
{
	(void)state;
	int asking[2], answering[2], status;
	wish_for_all("");
	assert_int_equal(prepare(0), 0);
	assert_int_equal(pipe2(answering, O_CLOEXEC), 0);
	pid_t server = in_child(answer, answering[0], answering[1]);
	assert_int_equal(pipe2(asking, O_CLOEXEC), 0);
	pid_t client = in_child(ask_all, asking[0], asking[1]);
	for (unsigned k = 1; k <= 1000; k++)
		assert_int_equal(lead(k % 2), 0);
	close(asking[1]);
	assert_int_equal(waitpid(client, &status, 0), client);
	assert_int_equal(status, 0);
	close(answering[1]);
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_int_equal(status, 0);
	close(asking[0]);
	close(answering[0]);
}

static char early_address[32];
static int early = -1;

/* In place of the C library's: a client comes right after the first listen(). */
int listen(int fd, int backlog)
{
	long r = syscall(SYS_listen, fd, backlog);
	if (r == 0 && early_address[0]) {
		struct sockets_name name;
		assert_int_equal(sockets_resolve(early_address, &name), 0);
		early_address[0] = '\0';
		early = socket(name.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(early, &name.any, name.length) < 0)
			assert_int_equal(errno, EINPROGRESS);
	}
	return (int)r;
}

/* While the second listener is not there yet, the kernel gives everybody to the first. */
static void test_nobody_slips_in_while_binding(void **state)
{
	(void)state;
	static const struct { int family; const char *bound, *called; unsigned side; } cases[] = {
		{ AF_INET, "127.0.0.1", "127.0.0.1", 1 }, { AF_INET6, "[::1]", "[::1]", 1 }, { AF_INET6, "[::]", "127.0.0.1", 1 },
		{ AF_INET, "127.0.0.1", "127.0.0.1", 0 },
	};
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char address[32];
		unsigned port = port_for(cases[i].family);
		assert_int_equal(util_format(address, sizeof(address), "%s:%u", cases[i].bound, port), 0);
		assert_int_equal(util_format(early_address, sizeof(early_address), "%s:%u", cases[i].called, port), 0);
		wish_for("", address);
		assert_int_equal(prepare(cases[i].side), 0);
		struct pollfd come = { .fd = early, .events = POLLOUT };
		assert_int_equal(poll(&come, 1, 10000), 1);	/* at once, or when its kernel knocks again: after 1 s */
		assert_int_equal(waiting(&pairs[0]), 1U << cases[i].side);
		early = util_close(early);
		expect_reached((int)cases[i].side);
		forget();
	}
}

static int knock(const char *address)
{
	struct sockets_name name;
	assert_int_equal(sockets_resolve(address, &name), 0);
	int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, &name.any, name.length), -1);
	assert_int_equal(errno, EINPROGRESS);
	assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 0), 0);	/* on loopback an answer is there by now */
	return fd;
}

/* Addresses of a generation that nobody has judged: who knocks waits for the verdict. */
static void test_apart(void **state)
{
	(void)state;
	for (unsigned side = 0; side < 2; side++) {
		int clients[2];
		wish_for_all("");
		assert_int_equal(prepare(side | SOCKETS_APART), 0);
		assert_int_equal(reached(0), -ENOENT);
		for (unsigned i = 0; i < 2; i++)
			clients[i] = knock(wish.address[1 + i]);
		assert_int_equal(prepare(side | SOCKETS_APART), 0);
		assert_int_equal(reached(3), -ENOENT);
		assert_int_equal(lead(side), 0);
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(poll(&(struct pollfd){ .fd = clients[i], .events = POLLOUT }, 1, 10000), 1);
			assert_int_equal(waiting(&pairs[1 + i]), 1U << side);
			close(clients[i]);
		}
		expect_reached((int)side);
		assert_int_equal(lead(!side), 0);
		expect_reached(!side);
		for (unsigned i = 0; i < wish.n; i++)
			assert_int_equal(sockets_remove(wish.address[i], &pairs[i]), 0);
		forget();
	}
}

static void test_deleted_path_is_made_anew(void **state)
{
	(void)state;
	wish_for_all("");
	assert_int_equal(prepare(1), 0);
	for (unsigned k = 0; k < 3; k++) {
		assert_int_equal(unlink(in("one.sock")), 0);
		assert_int_equal(reached(0), -ENOENT);
		assert_int_equal(prepare(0), 0);
		assert_false(there("one.sock"));	/* it cannot know where clients are to go */
		assert_int_equal(lead(k % 2), 0);
		expect_reached((int)k % 2);
	}
}

static void test_lost_link(void **state)
{
	(void)state;
	wish_for_all("");
	assert_int_equal(prepare(0), 0);
	assert_int_equal(unlink(in(".two.sock.regent/B")), 0);
	assert_int_equal(prepare(1), 0);
	expect_fault(lead(1), -ENOENT, 3, "link in .two.sock.regent");
	expect_reached(0);	/* none of them, not the first three */
	assert_int_equal(lead(0), 0);
	assert_int_equal(unlink(in(".two.sock.regent/A")), 0);
	assert_int_equal(unlink(in(".two.sock.regent/A.is")), 0);
	assert_int_equal(unlink(in(".two.sock.regent/B.is")), 0);
	assert_int_equal(rmdir(in(".two.sock.regent")), 0);
	assert_int_equal(prepare(0), 0);
	expect_fault(lead(0), -ENOENT, 3, "open .two.sock.regent");
	assert_int_equal(sockets_remove(wish.address[3], &pairs[3]), 0);
	expect_reached(0);
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);
	assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
	return value;
}

static unsigned backlog_of(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
	return info.tcpi_sacked;
}

static void test_options(void **state)
{
	(void)state;
	wish_for_all("listen=17 so-keepalive=1 tcp-nodelay=1 so-send-timeout=3 socket-sndbuf=30000 socket-rcvbuf=40000 freebind=1 reuse-port=1 "
		     "defer-accept=1 tcp-fast-open=5");
	assert_int_equal(prepare(1), 0);
	for (unsigned i = 0; i < 2 * wish.n; i++) {
		int fd = pairs[i / 2].fd[i % 2];
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_int_equal(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
		assert_int_equal(option(fd, SOL_SOCKET, SO_SNDBUF), 60000);
		assert_int_equal(option(fd, SOL_SOCKET, SO_RCVBUF), 80000);
		if (sockets_is_unix(wish.address[i / 2]))
			continue;
		struct timeval timeout = { 0 };
		socklen_t size = sizeof(timeout);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &size), 0);
		assert_int_equal(timeout.tv_sec, 3);
		assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
		assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
		assert_int_equal(option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
		assert_int_equal(option(fd, IPPROTO_TCP, TCP_FASTOPEN), 5);
		assert_int_equal(option(fd, SOL_IP, IP_FREEBIND), 1);
		assert_int_equal(backlog_of(fd), 17);
	}
	wish.backlog = 33;
	assert_int_equal(prepare(0), 0);
	assert_int_equal(backlog_of(pairs[1].fd[0]), 33);
	assert_int_equal(backlog_of(pairs[1].fd[1]), 17);
	expect_reached(1);
}

static int handover(void)
{
	wish_for_all("");
	if (prepare(1) < 0)
		return 1;
	expect_reached(1);
	if (lead(0) < 0)
		return 2;
	expect_reached(0);
	for (unsigned i = 0; i < wish.n; i++)
		if (sockets_remove(wish.address[i], &pairs[i]) < 0)
			return 3;
	return there("one.sock") || there(".one.sock.regent") ? 4 : 0;
}

/* Hard links to sockets are the owner's alone (fs.protected_hardlinks), and BPF is not for root only. */
static void test_without_privileges(void **state)
{
	(void)state;
	if (geteuid() == 0)
		assert_int_equal(chown(directory, STRANGER, STRANGER), 0);
	as_stranger(handover);
}

static void test_waiting(void **state)
{
	(void)state;
	int fds[2 * SOCKETS_MAX + 1];
	memset(fds, -1, sizeof(fds));
	assert_false(sockets_any_waiting(fds, 0));
	assert_false(sockets_any_waiting(fds, ARRAY_SIZE(fds)));
	wish_for_all("");
	assert_int_equal(prepare(0), 0);
	fds[ARRAY_SIZE(fds) - 1] = pairs[1].fd[0];
	assert_false(sockets_any_waiting(fds, ARRAY_SIZE(fds)));
	CLEANUP_FD int client = connect_to(wish.address[1]);
	assert_true(sockets_any_waiting(fds, ARRAY_SIZE(fds)));
	assert_false(sockets_any_waiting(fds, ARRAY_SIZE(fds) - 1));
	/* A vassal that shuts its listener down would hold up the drain for ever. */
	assert_int_equal(shutdown(pairs[1].fd[0], SHUT_RDWR), 0);
	assert_int_equal(shutdown(pairs[0].fd[0], SHUT_RDWR), 0);
	fds[0] = pairs[0].fd[0];
	assert_false(sockets_any_waiting(fds, ARRAY_SIZE(fds)));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_both_sides_in_turn), TEST(test_queued_clients_stay), TEST(test_switch_under_clients),
		TEST(test_nobody_slips_in_while_binding), TEST(test_apart), TEST(test_deleted_path_is_made_anew), TEST(test_lost_link), TEST(test_options),
		TEST(test_without_privileges), TEST(test_waiting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
