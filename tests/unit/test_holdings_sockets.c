/* holdings_sockets: who holds which address, who uses it, which directories must be watched, what goes when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/holdings_sockets.h"
#include "vassals/util.h"

static struct sockets_pair open_pair(void)
{
	return (struct sockets_pair){ { open("/dev/null", O_RDONLY | O_CLOEXEC), open("/dev/null", O_RDONLY | O_CLOEXEC) } };
}

static struct held_address *add(struct holdings *h, struct held *held, const char *text)
{
	struct sockets_pair pair = open_pair();
	assert_int_equal(held_add(h, held, text, &pair), 0);
	return held_find(held, text);
}

static void test_addresses(void **state)
{
	struct holdings h = { 0 };
	struct held *one = holdings_sockets_new(&h, "one.ini"), *two = holdings_sockets_new(&h, "two.ini");
	(void)state;
	assert_ptr_equal(holdings_sockets(&h, "one.ini"), one);
	assert_null(holdings_sockets(&h, "on.ini"));
	struct held_address *a = add(&h, one, ":80");
	add(&h, one, "[::1]:80");
	add(&h, two, "/run/x.sock");
	assert_ptr_equal(held_find(one, "0.0.0.0:80"), a);
	assert_ptr_equal(holdings_address(&h, "0.0.0.0:80"), a);
	assert_null(held_find(two, ":80"));
	assert_null(holdings_address(&h, "127.0.0.1:80"));
	const struct sockets_pair pair = open_pair();
	assert_int_equal(held_add(&h, two, "0.0.0.0:80", &pair), -EADDRINUSE);
	assert_int_equal(held_add(&h, one, "/run/x.sock", &pair), -EADDRINUSE);
	int fd = a->pair.fd[1];
	assert_int_equal(held_remove(&h, a), -1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(held_add(&h, two, "0.0.0.0:80", &pair), 0);
	char text[SOCKETS_ADDRESS_MAX] = "/run/a";
	int r = 0;
	for (unsigned i = 0; r == 0 && i < 2 * HELD_ADDRESSES_MAX; i++) {
		struct sockets_pair more = { { -1, -1 } };
		text[5] = (char)('0' + i);
		r = held_add(&h, one, text, &more);
	}
	assert_int_equal(r, -E2BIG);
	assert_int_equal(one->n, HELD_ADDRESSES_MAX);
	holdings_free(&h);
	assert_int_equal(fcntl(pair.fd[0], F_GETFD), -1);
}

static void test_watches(void **state)
{
	struct holdings h = { 0 };
	struct held *held = holdings_sockets_new(&h, "one.ini");
	struct held_address *a = add(&h, held, "/run/a"), *b = add(&h, held, "/run/b"), *tcp = add(&h, held, ":80");
	(void)state;
	assert_int_equal(held_watched(&h, a, 3), -1);
	assert_int_equal(held_watched(&h, b, 3), -1);
	assert_int_equal(held_watched(&h, tcp, 3), -1);
	assert_int_equal(held_watched(&h, a, 3), -1);	/* again */
	assert_ptr_equal(holdings_placed(&h, 3, "a"), a);
	assert_null(holdings_placed(&h, 3, "c"));
	assert_null(holdings_placed(&h, 4, "a"));
	assert_int_equal(held_watched(&h, a, 4), -1);	/* b still needs 3 */
	assert_ptr_equal(holdings_placed(&h, 4, "a"), a);
	assert_null(holdings_placed(&h, 3, "a"));
	assert_int_equal(held_remove(&h, b), 3);
	assert_int_equal(held_watched(&h, a, 5), 4);
	holdings_unwatched(&h, 5);
	assert_null(holdings_placed(&h, 5, "a"));
	assert_int_equal(held_watched(&h, a, 6), -1);
	assert_int_equal(held_remove(&h, a), 6);
	holdings_free(&h);
}

static void test_sweep(void **state)
{
	struct holdings h = { 0 };
	struct held *held = holdings_sockets_new(&h, "one.ini");
	struct held_address *old = add(&h, held, "/run/old"), *both = add(&h, held, "/run/both"), *new = add(&h, held, "/run/new");
	(void)state;
	held->living[0] = 7;
	held->living[1] = 8;
	old->users[0] = both->users[0] = 7;
	both->users[1] = new->users[1] = 8;
	assert_false(held_sweep(held));
	held_leave(held, 7);
	assert_true(held_lives(held));
	assert_true(held_sweep(held));
	assert_true(old->unwanted && !both->unwanted && !new->unwanted);
	held_remove(&h, old);
	held_leave(held, 8);
	assert_false(held_lives(held));
	assert_false(held_sweep(held));		/* clients wait for the next one */
	assert_false(both->unwanted);
	holdings_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_addresses), cmocka_unit_test(test_watches), cmocka_unit_test(test_sweep) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
