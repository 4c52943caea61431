/* sockets, the text: what is taken, and what a hostile ruler may send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vassals/sockets.h"
#include "vassals/util.h"

static void test_taken(void **state)
{
	(void)state;
	struct sockets_wish wish;
	assert_int_equal(sockets_parse("mode=664 umask=027 user=pn group=33 listen=7 so-keepalive=1 tcp-nodelay=0 freebind=1 so-send-timeout=3 "
				       "socket-sndbuf=1000 socket-rcvbuf=2000 tcp-fast-open=9 reuse-port=1 defer-accept=1 no-defer-accept=0\n"
				       "/run/a site.sock\n:80\n127.0.0.1:8000\n[::1]:80\n[::]:65535\n/x\n", &wish), 0);
	assert_int_equal(wish.n, 6);
	assert_string_equal(wish.address[0], "/run/a site.sock");
	assert_string_equal(wish.address[1], ":80");
	assert_string_equal(wish.address[5], "/x");
	assert_int_equal(wish.mode, 0664);
	assert_int_equal(wish.umask, 027);
	assert_string_equal(wish.user, "pn");
	assert_string_equal(wish.group, "33");
	assert_int_equal(wish.backlog, 7);
	assert_true(wish.keepalive && wish.freebind && !wish.tcp_nodelay);
	assert_int_equal(wish.send_timeout, 3);
	assert_int_equal(wish.sndbuf, 1000);
	assert_int_equal(wish.rcvbuf, 2000);
	assert_int_equal(wish.fast_open, 9);
	assert_true(sockets_is_unix(wish.address[0]) && !sockets_is_unix(wish.address[1]));
}

static void test_nothing_set(void **state)
{
	(void)state;
	struct sockets_wish wish;
	assert_int_equal(sockets_parse("\n0.0.0.0:80\n", &wish), 0);
	assert_int_equal(wish.n, 1);
	assert_int_equal(wish.mode, -1);
	assert_int_equal(wish.umask, -1);
	assert_int_equal(wish.backlog, 100);
	assert_string_equal(wish.user, "");
	assert_string_equal(wish.group, "");
	assert_int_equal(wish.keepalive + wish.tcp_nodelay + wish.freebind + wish.send_timeout + wish.sndbuf + wish.rcvbuf + wish.fast_open, 0);
}

static void refused(const char *text, int error)
{
	struct sockets_wish wish, before;
	memset(&wish, 0x5a, sizeof(wish));
	before = wish;
	int got = sockets_parse(text, &wish);
	if (got != error)
		fail_msg("\"%.100s\": %d, not %d", text, got, error);
	assert_memory_equal(&wish, &before, sizeof(wish));
}

static void test_hostile_options(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"x=1", "mode", "mode=", "=", "mode=8", "mode=0x1", "mode=1000", "mode=00660", "mode=-1", "mode= 660", "umask=7777", "umask=a", "user=", "group=",
		"listen=0", "listen=-1", "listen=+1", "listen=1x", "listen=2147483648", "listen=99999999999999999999", "listen=", "so-keepalive=2",
		"so-keepalive=yes", "reuse-port=2", "reuse-port=", "defer-accept=x", "socket-sndbuf=-1", "mode=660 mode=660", "reuse-port=1 reuse-port=1",
		" mode=660", "mode=660 ", "mode=660  listen=1", "mode=660,listen=1", "mode=660\tlisten=1", "/run/x", "MODE=660", "mode =660", "user=a\x01",
	};
	char text[256];
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		snprintf(text, sizeof(text), "%s\n/run/x\n", lines[i]);
		refused(text, -EINVAL);
	}
	refused("user=0123456789012345678901234567890123456789012345678901234567890123\n/run/x\n", -E2BIG);
}

static void test_hostile_addresses(void **state)
{
	(void)state;
	static const char *const addresses[] = {
		"", "x", "run/x", "./x", "@app", "\\0app", "/", "//", "/run/", "/run/.", "/run/..", "/run/a:80", "/run/a\tb", "/run/a\rb", "/run/\x7f", "fd://3", "=0",
		"localhost:80", "*:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:080", "127.0.0.1:+80", "127.0.0.1: 80", "127.0.0.1:80 ",
		"127.0.0.1:65536", "127.0.0.1:99999999999999999999", "127.0.0.1:80x", "127.1:80", "127.0.0.01:80", "0x7f.0.0.1:80", "2130706433:80", " 127.0.0.1:80",
		"127.0.0.1::80", ":", "::", ":0", "::80", ":http", "80", "[::1]", "[::1]:", "[::1]:0", "::1:80", "[::1:80", "::1]:80", "[]:80", "[:80", "]:80", "[::01]:80",
		"[0::1]:80", "[::A]:80", "[fe80::1%lo]:80", "[127.0.0.1]:80", "[::1]x:80", "x[::1]:80", "127.0.0.1:80,127.0.0.1:81",
		"/run/y\n/run/y", ":80\n0.0.0.0:80", "[::1]:80\n[::1]:80", "/run/y\n\n/run/z", "\n/run/y",
	};
	char text[256];
	for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
		snprintf(text, sizeof(text), "listen=1\n%s\n", addresses[i]);
		refused(text, -EINVAL);
	}
}

static void test_hostile_shapes(void **state)
{
	(void)state;
	static const char *const texts[] = { "", "\n", "\n\n", "listen=1", "listen=1\n", "/run/x", "/run/x\n", "\n/run/x", "listen=1\n/run/x", "\n/run/x\n\n" };
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++)
		refused(texts[i], -EINVAL);
}

static void test_limits(void **state)
{
	(void)state;
	char text[2 * SOCKETS_TEXT_MAX];
	struct sockets_wish wish;
	size_t n = (size_t)snprintf(text, sizeof(text), "\n");
	for (unsigned i = 0; i < SOCKETS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ":%u\n", i + 1);
	assert_int_equal(sockets_parse(text, &wish), 0);
	assert_int_equal(wish.n, SOCKETS_MAX);
	snprintf(text + n, sizeof(text) - n, "/run/x\n");
	refused(text, -E2BIG);
	snprintf(text, sizeof(text), "\n/%0106d\n", 0);
	assert_int_equal(sockets_parse(text, &wish), 0);
	snprintf(text, sizeof(text), "\n/%0107d\n", 0);
	refused(text, -E2BIG);
	snprintf(text, sizeof(text), "\n[%0106d]:80\n", 0);
	refused(text, -E2BIG);
	memset(text, 'x', sizeof(text));
	text[SOCKETS_TEXT_MAX] = '\0';
	refused(text, -E2BIG);
	text[SOCKETS_TEXT_MAX - 1] = '\0';
	refused(text, -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken), cmocka_unit_test(test_nothing_set), cmocka_unit_test(test_hostile_options),
		cmocka_unit_test(test_hostile_addresses), cmocka_unit_test(test_hostile_shapes), cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
