/* backoff: bounded, growing, spread; at once after the first death. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vassals/backoff.h"

#define SEC 1000000000ULL
static const struct backoff_rules rules = { SEC, 180 * SEC, false };

static void first_death_costs_nothing(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++)
		assert_int_equal(backoff_delay(&rules, 0, seed), 0);
}

static void doubles_and_stays_within_an_eighth(void **state)
{
	(void)state;
	uint64_t full = SEC;
	for (uint32_t level = 1; level <= 8; level++, full *= 2)
		for (uint64_t seed = 0; seed < 1000; seed++) {
			uint64_t most = full < rules.max_ns ? full : rules.max_ns;
			assert_in_range(backoff_delay(&rules, level, seed), most - most / 8, most);
		}
}

static void never_beyond_the_maximum(void **state)
{
	(void)state;
	const uint32_t levels[] = { 9, 31, 32, 33, 64, 255, 256, UINT32_MAX };
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
		assert_in_range(backoff_delay(&rules, levels[i], 7), rules.max_ns - rules.max_ns / 8, rules.max_ns);
}

static void huge_rules_do_not_overflow(void **state)
{
	(void)state;
	const struct backoff_rules huge = { UINT64_MAX / 2, UINT64_MAX, false };
	assert_true(backoff_delay(&huge, 40, 1) >= UINT64_MAX / 2 - UINT64_MAX / 16);
	const struct backoff_rules none = { 0, 0, false };
	assert_int_equal(backoff_delay(&none, 5, 1), 0);
	const struct backoff_rules tiny = { 7, 180 * SEC, false };
	assert_int_equal(backoff_delay(&tiny, 1, 1), 7);
}

static void step_beyond_the_maximum(void **state)
{
	(void)state;
	const struct backoff_rules steep = { 10 * SEC, SEC, false };
	assert_in_range(backoff_delay(&steep, 1, 3), SEC - SEC / 8, SEC);
}

static void flat_never_grows(void **state)
{
	(void)state;
	const struct backoff_rules flat = { SEC, 180 * SEC, true };
	for (uint32_t level = 1; level < 300; level++)
		assert_in_range(backoff_delay(&flat, level, level), SEC - SEC / 8, SEC);
}

/* Who died in the same moment, or one ns apart, must not come back in one. */
static void neighbouring_seeds_spread(void **state)
{
	(void)state;
	unsigned buckets[8] = { 0 };
	uint64_t width = 8 * SEC / 8;
	for (uint64_t seed = 1000; seed < 1800; seed++)
		buckets[(8 * SEC - backoff_delay(&rules, 4, seed)) * 8 / (width + 1)]++;
	for (int i = 0; i < 8; i++)
		assert_in_range(buckets[i], 60, 140);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_death_costs_nothing), cmocka_unit_test(doubles_and_stays_within_an_eighth),
		cmocka_unit_test(never_beyond_the_maximum), cmocka_unit_test(huge_rules_do_not_overflow),
		cmocka_unit_test(step_beyond_the_maximum), cmocka_unit_test(flat_never_grows),
		cmocka_unit_test(neighbouring_seeds_spread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
