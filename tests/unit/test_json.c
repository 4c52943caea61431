#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "supervisor/json.h"

static void expect_json(const char *value, const char *expected)
{
	CLEANUP_JSON struct json j = { 0 };
	json_put_string(&j, NULL, value);
	assert_string_equal(json_text(&j), expected);
}

static void test_object(void **state)
{
	(void)state;
	CLEANUP_JSON struct json j = { 0 };
	json_open(&j, NULL, '{');
	json_put_string(&j, "a", "x");
	json_put_int(&j, "b", INT64_MIN);
	json_put_unsigned(&j, "c", UINT64_MAX);
	json_put_bool(&j, "d", true);
	json_put_null(&j, "e");
	json_open(&j, "f", '[');
	json_open(&j, NULL, '{');
	json_close(&j, '}');
	json_open(&j, NULL, '[');
	json_close(&j, ']');
	json_put_string(&j, NULL, NULL);
	json_close(&j, ']');
	json_put_bool(&j, "g", false);
	json_close(&j, '}');
	assert_string_equal(json_text(&j), "{\"a\":\"x\",\"b\":-9223372036854775808,\"c\":18446744073709551615,\"d\":true,\"e\":null,"
					   "\"f\":[{},[],null],\"g\":false}");
	json_clear(&j);
	assert_string_equal(json_text(&j), "");
}

static void test_seconds(void **state)
{
	(void)state;
	CLEANUP_JSON struct json j = { 0 };
	json_open(&j, NULL, '[');
	json_put_seconds(&j, NULL, 1700000000007);
	json_put_seconds(&j, NULL, 0);
	json_put_seconds(&j, NULL, -1);
	json_close(&j, ']');
	assert_string_equal(json_text(&j), "[1700000000.007,0.000,-0.001]");
}

static void test_escapes(void **state)
{
	(void)state;
	expect_json("", "\"\"");
	expect_json("a\"b\\c\nd\te\x1b\x7f\r", "\"a\\\"b\\\\c\\nd\\u0009e\\u001b\\u007f\\u000d\"");
	expect_json("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x91\x91", "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x91\x91\"");
}

#define BAD "\xEF\xBF\xBD"
static void test_no_utf8(void **state)
{
	(void)state;
	expect_json("\xff", "\"" BAD "\"");
	expect_json("\xc3", "\"" BAD "\"");			/* cut off at the end */
	expect_json("\xc3\"", "\"" BAD "\\\"\"");		/* must not swallow the quote */
	expect_json("\xc0\xaf", "\"" BAD BAD "\"");		/* overlong */
	expect_json("\xe0\x80\xaf", "\"" BAD BAD BAD "\"");
	expect_json("\xed\xa0\x80", "\"" BAD BAD BAD "\"");	/* a surrogate */
	expect_json("\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\"");	/* beyond U+10FFFF */
	expect_json("\xf0\x9f\x91x", "\"" BAD BAD BAD "x\"");
	expect_json("\x80ok", "\"" BAD "ok\"");
}

static void test_long(void **state)
{
	(void)state;
	CLEANUP_JSON struct json j = { 0 };
	json_open(&j, NULL, '[');
	for (int i = 0; i < 100000; i++)
		json_put_int(&j, NULL, 7);
	json_close(&j, ']');
	assert_int_equal(j.n, 200001);
	assert_int_equal(json_text(&j)[j.n - 1], ']');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_object), cmocka_unit_test(test_seconds), cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_no_utf8), cmocka_unit_test(test_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
