/* keeper_helper: what a helper hands back is taken only if it is what was asked for; what is not is closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/keeper_helper.h"
#include "vassals/util.h"

#define MANY 1000U

static char directory[] = "/tmp/regent-unit-XXXXXX";
static char path[64], other[64];

static int listener(const char *at, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	snprintf(un.sun_path, sizeof un.sun_path, "%s", at);
	unlink(at);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static int tcp_listener(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* One unix address that is new; a second that was bound before. */
static struct helper_work asked(void)
{
	struct helper_work w = { .task = HELPER_PREPARE, .wish = { .n = 2 }, .pairs = { { { -1, -1 } }, { { 5, 6 } } } };
	strcpy(w.wish.address[0], path);
	strcpy(w.wish.address[1], other);
	return w;
}

static void send_it(int to, const void *bytes, size_t size, const int *fds, unsigned n)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, size };
	union { char bytes[CMSG_SPACE(sizeof(int) * 64)]; struct cmsghdr align; } control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (n > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	assert_true(sendmsg(to, &msg, 0) >= 0);
}

static unsigned count_fds(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 512; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* What the keeper makes of it; nothing of what is refused stays open. */
static int read_it(const struct helper_work *w, const void *bytes, size_t size, const int *fds, unsigned n, struct helper_answer *answer)
{
	int ends[2];
	struct sockets_pair pairs[SOCKETS_MAX];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	unsigned before = count_fds();
	struct sockets_pair none[SOCKETS_MAX];
	memset(none, 0xff, sizeof none);
	assert_int_equal(helper_read(ends[0], w, MANY, answer, pairs), -EAGAIN);
	send_it(ends[1], bytes, size, fds, n);
	int r = helper_read(ends[0], w, MANY, answer, pairs);
	if (r == 0 && answer->bound) {
		assert_true(pairs[0].fd[0] >= 0 && pairs[0].fd[1] >= 0 && fcntl(pairs[0].fd[1], F_GETFD) == FD_CLOEXEC);
		close(pairs[0].fd[0]);
		close(pairs[0].fd[1]);
		pairs[0] = none[0];
	}
	if (r == 0)
		assert_memory_equal(pairs, none, sizeof none);
	assert_int_equal(count_fds(), before);
	close(ends[1]);
	assert_int_equal(helper_read(ends[0], w, MANY, answer, pairs), -EPIPE);
	close(ends[0]);
	return r;
}

static void test_good(void **state)
{
	struct helper_work w = asked();
	struct helper_answer a = { .bound = 1, .watches = { 7, 8 } }, got;
	(void)state;
	int fds[] = { listener(path, SOCK_STREAM), listener(path, SOCK_STREAM) };
	assert_int_equal(read_it(&w, &a, sizeof a, fds, 2, &got), 0);
	assert_int_equal(got.watches[1], 8);
	close(fds[0]);
	close(fds[1]);
	const unsigned port = 10000 + (unsigned)getpid() % 5000 * 4;
	snprintf(w.wish.address[0], SOCKETS_ADDRESS_MAX, "127.0.0.1:%u", port);
	fds[0] = tcp_listener((uint16_t)port);
	fds[1] = tcp_listener((uint16_t)port);
	assert_int_equal(read_it(&w, &a, sizeof a, fds, 2, &got), 0);
	snprintf(w.wish.address[0], SOCKETS_ADDRESS_MAX, ":%u", port);	/* that is another address */
	assert_int_equal(read_it(&w, &a, sizeof a, fds, 2, &got), -EADDRNOTAVAIL);
	close(fds[0]);
	close(fds[1]);
}

static void test_wrong_descriptors(void **state)
{
	const struct helper_work w = asked();
	const struct helper_answer a = { .bound = 1 };
	struct helper_answer got;
	(void)state;
	const int good = listener(path, SOCK_STREAM);
	struct { int fd, error; } wrong[] = {
		{ open("/etc/passwd", O_RDONLY | O_CLOEXEC), -ENOTSOCK }, { open("/proc/self/mem", O_RDONLY | O_CLOEXEC), -ENOTSOCK },
		{ socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), -EINVAL }, { listener(path, SOCK_DGRAM), -EINVAL },
		{ listener(other, SOCK_STREAM), -EADDRNOTAVAIL }, { tcp_listener(0), -EADDRNOTAVAIL },
		{ fcntl(good, F_DUPFD_CLOEXEC, 0), 0 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		for (int first = 0; first < 2; first++) {
			const int fds[2] = { first ? wrong[i].fd : good, first ? good : wrong[i].fd };
			assert_int_equal(read_it(&w, &a, sizeof a, fds, 2, &got), wrong[i].error);
		}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		close(wrong[i].fd);
	close(good);
}

static void test_wrong_counts(void **state)
{
	const struct helper_work w = asked();
	struct helper_answer a = { .bound = 1 }, got;
	int fds[64];
	(void)state;
	const int good = listener(path, SOCK_STREAM);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = good;
	for (unsigned n = 0; n < 6; n++)
		assert_int_equal(read_it(&w, &a, sizeof a, fds, n, &got), n == 2 ? 0 : -EBADMSG);
	assert_int_equal(read_it(&w, &a, sizeof a, fds, 64, &got), -EMFILE);
	assert_int_equal(read_it(&w, &a, sizeof a - 1, fds, 2, &got), -EBADMSG);
	assert_int_equal(read_it(&w, "", 1, fds, 2, &got), -EBADMSG);
	const uint32_t masks[] = { 0, 2, 3, 4, 0x10000, 0x80000000, 0xffffffff };
	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		a.bound = masks[i];
		assert_int_equal(read_it(&w, &a, sizeof a, fds, 2, &got), -EBADMSG);
	}
	a = (struct helper_answer){ .error = EACCES, .bound = 1 };	/* it failed, and yet */
	assert_int_equal(read_it(&w, &a, sizeof a, fds, 2, &got), -EBADMSG);
	struct helper_work not = w;
	not.task = HELPER_SWITCH;
	a = (struct helper_answer){ .bound = 1 };
	assert_int_equal(read_it(&not, &a, sizeof a, fds, 2, &got), -EBADMSG);
	close(good);
}

/* It ends up in the log. */
static void test_wrong_words(void **state)
{
	const struct helper_work w = asked();
	struct helper_answer a = { .error = 123456, .fault = { .index = 4000000000U } }, got;
	(void)state;
	memset(a.fault.step, '\n', sizeof a.fault.step);
	a.fault.step[1] = '\x1b';
	assert_int_equal(read_it(&w, &a, sizeof a, NULL, 0, &got), 0);
	assert_int_equal(got.fault.index, 0);
	assert_int_equal(got.error, EBADMSG);
	assert_int_equal(strlen(got.fault.step), sizeof a.fault.step - 1);
	assert_int_equal(strspn(got.fault.step, "?"), sizeof a.fault.step - 1);
	a.error = -5;
	assert_int_equal(read_it(&w, &a, sizeof a, NULL, 0, &got), 0);
	assert_int_equal(got.error, EBADMSG);
}

static int group_setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof path, "%s/a", directory);
	snprintf(other, sizeof other, "%s/b", directory);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_wrong_descriptors), cmocka_unit_test(test_wrong_counts),
		cmocka_unit_test(test_wrong_words),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
