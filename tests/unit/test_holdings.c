/* holdings: what the keeper holds, who owns the descriptors, and when a record may go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/holdings.h"

struct fixture { struct holdings h; int fds[3]; };

static int setup(void **state)
{
	static struct fixture f;
	f = (struct fixture){ 0 };
	for (int i = 0; i < 3; i++)
		f.fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	holdings_free(&f->h);
	return 0;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void test_needs_a_record(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(holdings_add(&f->h, 1, "a.ini", 10, f->fds[0], f->fds[1], f->fds[2]), -ENOENT);
	assert_null(holdings_find(&f->h, 1));
	assert_int_equal(f->h.newest, 0);
	for (int i = 0; i < 3; i++) {	/* nothing was taken */
		assert_true(is_open(f->fds[i]));
		close(f->fds[i]);
	}
}

static void test_life(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(holdings_record(&f->h, "a.ini", "one", 4), 0);
	assert_int_equal(holdings_live(&f->h, "a.ini"), 0);
	assert_int_equal(holdings_add(&f->h, 7, "a.ini", 10, f->fds[0], f->fds[1], f->fds[2]), 0);
	struct holding *g = holdings_find(&f->h, 7);
	assert_non_null(g);
	assert_ptr_equal(holdings_find_pid(&f->h, 10), g);
	assert_null(holdings_find(&f->h, 10));
	assert_null(holdings_find_pid(&f->h, 7));
	assert_int_equal(f->h.newest, 7);
	assert_int_equal(holdings_live(&f->h, "a.ini"), 1);
	assert_int_equal(holdings_live(&f->h, "b.ini"), 0);
	assert_int_equal(holdings_drop(&f->h, "a.ini"), -EBUSY);

	holdings_ended(&f->h, g, 0x0300);
	assert_null(holdings_find_pid(&f->h, 10));	/* the number may be anybody's now */
	assert_ptr_equal(holdings_find(&f->h, 7), g);
	assert_true(g->ended && g->status == 0x0300);
	assert_int_equal(holdings_live(&f->h, "a.ini"), 0);
	assert_false(is_open(f->fds[0]));		/* the pidfd is of no use; wire and output may hold last words */
	assert_true(is_open(f->fds[1]) && is_open(f->fds[2]));

	holdings_forget(&f->h, g);
	assert_null(holdings_find(&f->h, 7));
	assert_false(is_open(f->fds[1]) || is_open(f->fds[2]));
	assert_int_equal(f->h.newest, 7);		/* no number is given twice */
	assert_int_equal(holdings_drop(&f->h, "a.ini"), 0);
	assert_int_equal(holdings_drop(&f->h, "a.ini"), 0);
	assert_null(f->h.records);
}

static void test_forgotten_alive(void **state)
{
	struct fixture *f = *state;
	holdings_record(&f->h, "a.ini", "one", 4);
	assert_int_equal(holdings_add(&f->h, 1, "a.ini", 10, f->fds[0], f->fds[1], f->fds[2]), 0);
	holdings_forget(&f->h, holdings_find(&f->h, 1));
	assert_null(holdings_find_pid(&f->h, 10));
	assert_int_equal(holdings_live(&f->h, "a.ini"), 0);
	for (int i = 0; i < 3; i++)
		assert_false(is_open(f->fds[i]));
}

/* Two of one name (a handover): the record goes with the second only. */
static void test_two_of_a_name(void **state)
{
	struct fixture *f = *state;
	holdings_record(&f->h, "a.ini", "one", 4);
	assert_int_equal(holdings_add(&f->h, 5, "a.ini", 10, f->fds[0], f->fds[1], f->fds[2]), 0);
	assert_int_equal(holdings_add(&f->h, 3, "a.ini", 11, -1, -1, -1), 0);
	assert_int_equal(f->h.newest, 5);
	assert_int_equal(holdings_live(&f->h, "a.ini"), 2);
	holdings_ended(&f->h, holdings_find(&f->h, 5), 0);
	assert_int_equal(holdings_drop(&f->h, "a.ini"), -EBUSY);
	holdings_ended(&f->h, holdings_find(&f->h, 3), 0);
	assert_int_equal(holdings_drop(&f->h, "a.ini"), 0);
	holdings_forget(&f->h, holdings_find(&f->h, 5));	/* no record any more: no harm */
}

static void test_records_are_replaced(void **state)
{
	struct fixture *f = *state;
	const char *const versions[] = { "one", "another, longer one", "1" };
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(holdings_record(&f->h, "a.ini", versions[i], (uint16_t)(strlen(versions[i]) + 1)), 0);
		assert_int_equal(HASH_COUNT(f->h.records), 1);
		assert_string_equal(f->h.records->bytes, versions[i]);
		assert_int_equal(f->h.records->size, strlen(versions[i]) + 1);
	}
	close(f->fds[0]);
	close(f->fds[1]);
	close(f->fds[2]);
}

static void test_many(void **state)
{
	struct fixture *f = *state;
	char name[32];
	for (unsigned i = 1; i <= 5000; i++) {
		snprintf(name, sizeof name, "n%u.ini", i);
		assert_int_equal(holdings_record(&f->h, name, &i, sizeof i), 0);
		assert_int_equal(holdings_add(&f->h, i, name, (pid_t)i, -1, -1, -1), 0);
	}
	for (unsigned i = 1; i <= 5000; i += 2)
		holdings_forget(&f->h, holdings_find(&f->h, i));
	for (unsigned i = 1; i <= 5000; i++)
		assert_int_equal(holdings_find(&f->h, i) != NULL, i % 2 == 0);
	for (int i = 0; i < 3; i++)
		close(f->fds[i]);
}

/* A ruler that makes up names is stopped by number; who has a record already goes on. */
static void test_no_end_of_names(void **state)
{
	struct fixture *f = *state;
	char name[32];
	for (unsigned i = 0; i < HOLDINGS_RECORDS_MAX; i++) {
		snprintf(name, sizeof name, "n%u", i);
		assert_int_equal(holdings_record(&f->h, name, "x", 1), 0);
	}
	assert_int_equal(holdings_record(&f->h, "one more", "x", 1), -ENOSPC);
	assert_int_equal(holdings_record(&f->h, "n7", "longer", 6), 0);
	assert_int_equal(holdings_drop(&f->h, "n7"), 0);
	assert_int_equal(holdings_record(&f->h, "one more", "x", 1), 0);
	for (int i = 0; i < 3; i++)
		close(f->fds[i]);
}

#define BOTH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_needs_a_record), BOTH(test_life), BOTH(test_forgotten_alive), BOTH(test_two_of_a_name),
		BOTH(test_records_are_replaced), BOTH(test_many), BOTH(test_no_end_of_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
