/* output: lines, pieces, escapes, the rate, the tail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vassals/output.h"
#include "vassals/util.h"

struct sink { char text[65536]; size_t n, lines, longest; };

static void collect(void *data, const char *line, size_t length)
{
	struct sink *s = data;
	assert_int_equal(strlen(line), length);
	s->n += (size_t)snprintf(s->text + s->n, sizeof(s->text) - s->n, "%s|", line);
	s->lines++;
	s->longest = length > s->longest ? length : s->longest;
	assert_true(s->n < sizeof(s->text));
}

static void count(void *data, const char *line, size_t length)
{
	(void)line, (void)length;
	++*(size_t *)data;
}

static void expect(const char *bytes, size_t n, const char *expected)
{
	for (size_t step = 1; step <= n; step += n > 1 ? n - 1 : 1) {
		struct output *o;
		struct sink s = { 0 };
		assert_int_equal(output_new(&o), 0);
		for (size_t i = 0; i < n; i += step)
			output_feed(o, bytes + i, n - i < step ? n - i : step, 1, collect, &s);
		output_finish(o, collect, &s);
		output_finish(o, collect, &s);
		assert_string_equal(s.text, expected);
		output_free(o);
	}
}
#define EXPECT(bytes, expected) expect(bytes, sizeof(bytes) - 1, expected)

static void test_lines(void **state)
{
	(void)state;
	EXPECT("one\ntwo\n\nthree", "one|two||three|");
	EXPECT("a\r\nb\rc\n\r\n", "a|b\\x0dc||");
	EXPECT("\n", "|");
	EXPECT("x\r", "x|");
}

static void test_escapes(void **state)
{
	(void)state;
	EXPECT("a\tb\033[31m\0\177\n", "a\tb\\x1b[31m\\x00\\x7f|");
	EXPECT("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\n", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80|");
	EXPECT("\x9b""1m\xc2\x9b""2m\n", "\\x9b1m\xc2\\x9b2m|");
	EXPECT("\xc2\n\x9b", "\xc2|\\x9b|");
}

static void test_pieces(void **state)
{
	(void)state;
	char bytes[3 * OUTPUT_LINE_MAX];
	struct output *o;
	struct sink s = { 0 };
	output_new(&o);
	memset(bytes, 'a', sizeof(bytes));
	bytes[OUTPUT_LINE_MAX] = '\n';
	output_feed(o, bytes, OUTPUT_LINE_MAX + 1, 1, collect, &s);
	assert_int_equal(s.lines, 1);
	assert_int_equal(s.longest, OUTPUT_LINE_MAX);
	bytes[OUTPUT_LINE_MAX] = 'a';
	output_feed(o, bytes, OUTPUT_LINE_MAX + 1, 1, collect, &s);
	assert_int_equal(s.lines, 2);
	output_finish(o, collect, &s);
	assert_int_equal(s.lines, 3);
	assert_string_equal(s.text + s.n - 3, "|a|");

	/* Neither an escape nor a character is cut in two. */
	memset(&s, 0, sizeof(s));
	memset(bytes, 0, sizeof(bytes));
	bytes[0] = 'a';
	output_feed(o, bytes, OUTPUT_LINE_MAX / 4, 1, collect, &s);
	assert_int_equal(s.n, 0);
	output_feed(o, "\0", 1, 1, collect, &s);
	assert_int_equal(s.longest, OUTPUT_LINE_MAX - 3);
	output_finish(o, collect, &s);
	memset(bytes, 'a', sizeof(bytes));
	memset(&s, 0, sizeof(s));
	memcpy(bytes + OUTPUT_LINE_MAX - 2, "\xe2\x82\xac\n", 4);
	output_feed(o, bytes, OUTPUT_LINE_MAX + 2, 1, collect, &s);
	assert_int_equal(s.lines, 2);
	assert_string_equal(s.text + s.n - 5, "|\xe2\x82\xac|");
	output_free(o);
}

static void test_rate(void **state)
{
	(void)state;
	struct output *o;
	size_t lines = 0;
	uint64_t now = 5 * NSEC_PER_SEC;
	output_new(&o);
	for (int i = 0; i < 2 * OUTPUT_LINES_PER_SECOND; i++) {
		char text[16];
		int n = snprintf(text, sizeof(text), "%d\n", i);
		output_feed(o, text, (size_t)n, now, count, &lines);
	}
	assert_int_equal(lines, OUTPUT_LINES_PER_SECOND);
	assert_int_equal(output_dropped(o), OUTPUT_LINES_PER_SECOND);
	assert_int_equal(output_dropped(o), 0);
	char *tail = output_tail(o, 1);
	assert_string_equal(tail, "3999\n");
	free(tail);

	output_feed(o, "a\nb\n", 4, now + NSEC_PER_SEC / OUTPUT_LINES_PER_SECOND, count, &lines);
	assert_int_equal(lines, OUTPUT_LINES_PER_SECOND + 1);
	assert_int_equal(output_dropped(o), 1);
	/* However long the quiet, a burst is one second's worth; and a clock that stands still gives nothing. */
	for (int i = 0; i < 2 * OUTPUT_LINES_PER_SECOND; i++)
		output_feed(o, "\n", 1, now + 60 * NSEC_PER_SEC, count, &lines);
	assert_int_equal(lines, 2 * OUTPUT_LINES_PER_SECOND + 1);
	/* The words of a dying process are never dropped. */
	output_feed(o, "last", 4, now + 60 * NSEC_PER_SEC, count, &lines);
	output_finish(o, count, &lines);
	assert_int_equal(lines, 2 * OUTPUT_LINES_PER_SECOND + 2);
	output_free(o);
}

static void expect_text(char *text, const char *expected)
{
	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void test_tail(void **state)
{
	(void)state;
	struct output *o;
	size_t lines = 0;
	output_new(&o);
	expect_text(output_tail(o, 5), "");
	output_mark(o);
	expect_text(output_tail_since_mark(o, 5), "");
	output_feed(o, "one\ntwo\nthree\nfo", 16, 1, count, &lines);
	expect_text(output_tail(o, 100), "one\ntwo\nthree\n");
	expect_text(output_tail(o, 2), "two\nthree\n");
	expect_text(output_tail(o, 0), "");
	output_mark(o);
	expect_text(output_tail_since_mark(o, 9), "");
	output_feed(o, "ur\nfive\n", 8, 1, count, &lines);
	expect_text(output_tail_since_mark(o, 9), "four\nfive\n");
	expect_text(output_tail_since_mark(o, 1), "five\n");
	expect_text(output_tail(o, 3), "three\nfour\nfive\n");
	output_free(o);
	assert_null(output_free(NULL));
}

static void test_tail_wraps(void **state)
{
	(void)state;
	struct output *o;
	size_t lines = 0;
	output_new(&o);
	output_feed(o, "early\n", 6, 1, count, &lines);
	output_mark(o);
	for (int i = 0; i < 1000; i++) {
		char text[32];
		int n = snprintf(text, sizeof(text), "line %04d %10d\n", i, i * i);
		output_feed(o, text, (size_t)n, 1, count, &lines);
		char *tail = output_tail(o, 100000), *since = output_tail_since_mark(o, 100000);
		size_t length = strlen(tail);
		assert_true(length <= OUTPUT_TAIL_BYTES && (i < 500 || length > OUTPUT_TAIL_BYTES - 64));
		assert_true(strncmp(tail, "line ", 5) == 0 || strncmp(tail, "early\n", 6) == 0);
		assert_string_equal(tail + length - (size_t)n, text);
		assert_int_equal(strncmp(since, "line ", 5), 0);
		free(tail);
		free(since);
	}
	expect_text(output_tail(o, 1), "line 0999     998001\n");
	output_free(o);
}

static void test_inherit(void **state)
{
	(void)state;
	struct output *old, *o;
	size_t lines = 0;
	output_new(&old);
	output_new(&o);
	assert_int_equal(output_inherit(o, old), 0);
	expect_text(output_tail(o, 9), "");
	output_feed(old, "one\ntwo\n", 8, 1, count, &lines);
	assert_int_equal(output_inherit(o, old), 0);
	expect_text(output_tail(o, 9), "one\ntwo\n");
	expect_text(output_tail_since_mark(o, 9), "");
	output_free(o);
	output_new(&o);
	output_feed(o, "a\nb\nunfin", 9, 1, count, &lines);
	assert_int_equal(output_inherit(o, old), 0);
	expect_text(output_tail(o, 9), "one\ntwo\na\nb\n");
	expect_text(output_tail_since_mark(o, 9), "a\nb\n");
	expect_text(output_tail(old, 9), "one\ntwo\n");
	output_mark(o);
	output_feed(o, "ished\n", 6, 1, count, &lines);
	assert_int_equal(output_inherit(o, old), 0);
	expect_text(output_tail_since_mark(o, 9), "unfinished\n");
	expect_text(output_tail(o, 3), "a\nb\nunfinished\n");
	/* More than the tail holds: the older go. */
	output_mark(o);
	for (int i = 0; i < 1000; i++)
		output_feed(o, "012345678\n", 10, 1, count, &lines);
	assert_int_equal(output_inherit(o, old), 0);
	char *all = output_tail(o, SIZE_MAX), *since = output_tail_since_mark(o, SIZE_MAX);
	assert_true(strlen(all) > OUTPUT_TAIL_BYTES - 16 && strstr(all, "one") == NULL);
	assert_string_equal(all, since);
	free(all);
	free(since);
	output_free(o);
	output_free(old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_tail_wraps),
		cmocka_unit_test(test_inherit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
