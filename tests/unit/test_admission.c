/* admission: the limit holds, deploys first, first come first served within a class. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "supervisor/admission.h"

enum { DEPLOY, RESPAWN, BOOT };

static void by_class_then_by_arrival(void **state)
{
	(void)state;
	struct admission a;
	struct admission_node n[6] = { 0 };
	const unsigned class[] = { BOOT, RESPAWN, DEPLOY, BOOT, DEPLOY, RESPAWN }, order[] = { 2, 4, 1, 5, 0, 3 };
	admission_init(&a, 0);
	for (int i = 0; i < 6; i++)
		admission_ask(&a, &n[i], class[i]);
	for (int i = 0; i < 6; i++) {
		assert_true(admission_waiting(&n[order[i]]));
		assert_ptr_equal(admission_next(&a), &n[order[i]]);
		assert_false(admission_waiting(&n[order[i]]));
	}
	assert_null(admission_next(&a));
	assert_int_equal(a.taken, 6);
}

static void no_more_than_the_limit(void **state)
{
	(void)state;
	struct admission a;
	struct admission_node n[4] = { 0 };
	admission_init(&a, 2);
	for (int i = 0; i < 4; i++)
		admission_ask(&a, &n[i], BOOT);
	assert_ptr_equal(admission_next(&a), &n[0]);
	assert_ptr_equal(admission_next(&a), &n[1]);
	assert_null(admission_next(&a));
	assert_true(admission_waiting(&n[2]));
	admission_release(&a);
	assert_ptr_equal(admission_next(&a), &n[2]);
	assert_null(admission_next(&a));
}

static void taken_by_an_earlier_ruler(void **state)
{
	(void)state;
	struct admission a;
	struct admission_node n = { 0 };
	admission_init(&a, 2);
	admission_take(&a);
	admission_take(&a);
	admission_take(&a);	/* its limit was higher */
	admission_ask(&a, &n, DEPLOY);
	assert_null(admission_next(&a));
	admission_release(&a);
	assert_null(admission_next(&a));
	admission_release(&a);
	assert_ptr_equal(admission_next(&a), &n);
}

static void asked_again_in_its_class_keeps_its_place(void **state)
{
	(void)state;
	struct admission a;
	struct admission_node first = { 0 }, second = { 0 };
	admission_init(&a, 0);
	admission_ask(&a, &first, RESPAWN);
	admission_ask(&a, &second, RESPAWN);
	admission_ask(&a, &first, RESPAWN);
	assert_ptr_equal(admission_next(&a), &first);
}

static void another_class_is_a_new_arrival(void **state)
{
	(void)state;
	struct admission a;
	struct admission_node boot = { 0 }, deploy = { 0 }, other = { 0 };
	admission_init(&a, 0);
	admission_ask(&a, &boot, BOOT);
	admission_ask(&a, &other, BOOT);
	admission_ask(&a, &deploy, DEPLOY);
	admission_ask(&a, &other, DEPLOY);
	assert_ptr_equal(admission_next(&a), &deploy);
	assert_ptr_equal(admission_next(&a), &other);
	assert_ptr_equal(admission_next(&a), &boot);
}

static void leaving(void **state)
{
	(void)state;
	struct admission a;
	struct admission_node n[3] = { 0 };
	admission_init(&a, 0);
	admission_leave(&a, &n[0]);	/* waits for nothing */
	for (int i = 0; i < 3; i++)
		admission_ask(&a, &n[i], DEPLOY);
	admission_leave(&a, &n[1]);
	admission_leave(&a, &n[1]);
	assert_false(admission_waiting(&n[1]));
	assert_ptr_equal(admission_next(&a), &n[0]);
	assert_ptr_equal(admission_next(&a), &n[2]);
	assert_null(admission_next(&a));
}

static void one_release_too_many(void **state)
{
	(void)state;
	struct admission a;
	admission_init(&a, 1);
	admission_release(&a);
	assert_int_equal(a.taken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_class_then_by_arrival), cmocka_unit_test(no_more_than_the_limit),
		cmocka_unit_test(taken_by_an_earlier_ruler), cmocka_unit_test(asked_again_in_its_class_keeps_its_place),
		cmocka_unit_test(another_class_is_a_new_arrival), cmocka_unit_test(leaving), cmocka_unit_test(one_release_too_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
