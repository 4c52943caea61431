/* report: what each combination of words in the ini, words on the command line and facts comes to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "supervisor/report.h"
#include "vassals/util.h"

static struct spec *read_ini(const char *text)
{
	struct spec *spec = NULL;
	unsigned line = 0;
	FILE *file = tmpfile();
	assert_non_null(file);
	fputs(text, file);
	fflush(file);
	lseek(fileno(file), 0, SEEK_SET);
	assert_int_equal(spec_read("a.ini", fileno(file), NULL, &spec, &line), 0);
	fclose(file);
	return spec;
}

#define PLAIN "[uwsgi]\nmaster = true\nmodule = a\nsocket = /tmp/a.sock\n"
#define STATS PLAIN "stats = /tmp/stats\n"
#define ABSTRACT "[uwsgi]\nmaster = true\nmodule = a\nsocket = @a\n"

static const struct row {
	const char *ini;
	bool hold_sockets;
	enum spec_handover handover;	/* of the command line */
	bool holds;
	enum report_reload reload;
	bool broken_word, has_why;
} rows[] = {
	/* nobody says anything */
	{ PLAIN, false, SPEC_HANDOVER_UNSET, false, REPORT_IN_PLACE, false, false },
	{ ABSTRACT, false, SPEC_HANDOVER_UNSET, false, REPORT_IN_PLACE, false, false },
	/* the command line does */
	{ PLAIN, true, SPEC_HANDOVER_UNSET, true, REPORT_IN_PLACE, false, false },
	{ PLAIN, true, SPEC_HANDOVER_NO, true, REPORT_IN_PLACE, false, false },
	{ PLAIN, false, SPEC_HANDOVER_YES, true, REPORT_HANDOVER, false, false },
	{ STATS, false, SPEC_HANDOVER_YES, true, REPORT_PAUSED, false, true },
	{ STATS, false, SPEC_HANDOVER_FORCE, true, REPORT_HANDOVER, false, false },
	{ ABSTRACT, true, SPEC_HANDOVER_UNSET, false, REPORT_IN_PLACE, false, true },
	{ ABSTRACT, false, SPEC_HANDOVER_FORCE, false, REPORT_PAUSED, false, true },
	/* the ini does, and wins */
	{ PLAIN "[regent]\nhandover = no\n", false, SPEC_HANDOVER_YES, false, REPORT_IN_PLACE, false, false },
	{ PLAIN "[regent]\nhandover = no\n", true, SPEC_HANDOVER_YES, true, REPORT_IN_PLACE, false, false },
	{ PLAIN "[regent]\nhold-sockets = no\n", true, SPEC_HANDOVER_UNSET, false, REPORT_IN_PLACE, false, false },
	{ PLAIN "[regent]\nhold-sockets = yes\n", false, SPEC_HANDOVER_UNSET, true, REPORT_IN_PLACE, false, false },
	{ PLAIN "[regent]\nhandover = yes\n", false, SPEC_HANDOVER_UNSET, true, REPORT_HANDOVER, false, false },
	/* and asks for what cannot be */
	{ STATS "[regent]\nhandover = yes\n", false, SPEC_HANDOVER_UNSET, true, REPORT_PAUSED, true, true },
	{ STATS "[regent]\nhandover = force\n", false, SPEC_HANDOVER_UNSET, true, REPORT_HANDOVER, false, false },
	{ STATS "lazy = true\n[regent]\nhandover = yes\n", false, SPEC_HANDOVER_UNSET, true, REPORT_IN_PLACE, true, true },
	{ ABSTRACT "[regent]\nhandover = yes\n", false, SPEC_HANDOVER_UNSET, false, REPORT_PAUSED, true, true },
	{ ABSTRACT "[regent]\nhold-sockets = yes\n", false, SPEC_HANDOVER_UNSET, false, REPORT_IN_PLACE, true, true },
	{ ABSTRACT "[regent]\nhandover = no\n", true, SPEC_HANDOVER_UNSET, false, REPORT_IN_PLACE, false, true },
};

static void test_judge(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		const struct report_defaults defaults = { .known = true, .hold_sockets = row->hold_sockets, .handover = row->handover };
		struct spec *spec = read_ini(row->ini);
		struct report_verdict v;
		report_judge(spec, &defaults, &v);
		if (v.holds != row->holds || v.reload != row->reload || v.broken_word != row->broken_word || (v.why != NULL) != row->has_why)
			fail_msg("row %zu: holds %d, reload %d, broken word %d, why %s", i, v.holds, v.reload, v.broken_word, v.why ? v.why : "-");
		spec_free(spec);
	}
}

static void expect_in(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in: %s", part, text);
}

static void test_whose_words(void **state)
{
	static const struct { const char *ini; bool known; enum spec_handover handover; const char *by; } cases[] = {
		{ PLAIN "[regent]\nhandover = yes\n", true, SPEC_HANDOVER_NO, "\"wanted\":\"yes\",\"by\":\"its ini\"" },
		{ PLAIN, true, SPEC_HANDOVER_YES, "\"wanted\":\"yes\",\"by\":\"the command line\"" },
		{ PLAIN, true, SPEC_HANDOVER_UNSET, "\"wanted\":\"no\",\"by\":\"the default\"" },
		{ PLAIN, false, SPEC_HANDOVER_UNSET, "\"wanted\":\"no\",\"by\":\"the default (no regent was asked for its options)\"" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct report_defaults defaults = { .known = cases[i].known, .handover = cases[i].handover };
		struct spec *spec = read_ini(cases[i].ini);
		CLEANUP_JSON struct json j = { 0 };
		json_open(&j, NULL, '{');
		report_write(spec, &defaults, &j);
		json_close(&j, '}');
		expect_in(json_text(&j), cases[i].by);
		spec_free(spec);
	}
}

static void test_written(void **state)
{
	(void)state;
	const struct report_defaults defaults = { .known = true, .ready_for_ms = 1000, .start_timeout_ms = 120000, .health_timeout_ms = 10000,
						  .drain_ms = 100, .retire_mercy_ms = 60000, .hold_limit_ms = 30000 };
	struct spec *spec = read_ini(PLAIN "http-socket = :8080\nchmod-socket = 664\n[regent]\nhandover = yes\nhealth = /up\nhealth-timeout = 2.5\n"
				     "drain = 0.2\nhelth = x\nready-for = 3\n");
	CLEANUP_JSON struct json j = { 0 };
	json_open(&j, NULL, '{');
	report_write(spec, &defaults, &j);
	report_write_defaults(&defaults, &j);
	json_close(&j, '}');
	expect_in(json_text(&j), "{\"report\":{\"ready\":{\"rule\":\"accepting\",\"byte\":5,\"has_app\":true,\"need_app\":false,\"asks\":true,"
			"\"ready_for\":3.000,\"start_timeout\":120.000},");
	expect_in(json_text(&j), "\"held\":true,\"why_not\":null,\"options\":\"mode=664");
	expect_in(json_text(&j), "\"addresses\":[\"/tmp/a.sock\",\":8080\"]}");
	expect_in(json_text(&j), "\"reload\":\"handover\",\"means\":\"a handover\",\"why_in_place\":null,\"not_twice\":null,\"forced\":false,"
			"\"drain\":0.200,\"retire_mercy\":60.000,\"hold_limit\":30.000}");
	expect_in(json_text(&j), "\"health\":{\"path\":\"/up\",\"host\":null,\"status\":\"2xx\",\"timeout\":2.500,\"interval\":null,\"restart\":false}");
	expect_in(json_text(&j), "\"warnings\":[\"a.ini:12: ");
	expect_in(json_text(&j), "\"defaults\":{\"hold_sockets\":false,\"handover\":null,\"ready_for_ms\":1000,");
	spec_free(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_judge), cmocka_unit_test(test_whose_words), cmocka_unit_test(test_written) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
