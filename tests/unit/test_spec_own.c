/* spec: the section [regent], and warnings for a person. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vassals/spec.h"
#include "vassals/util.h"

static int file_with(const char *text)
{
	int fd = memfd_create("ini", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static struct spec *read_as(const char *name, const char *text)
{
	struct spec *spec = NULL;
	unsigned line = 0;
	CLEANUP_FD int fd = file_with(text);
	assert_int_equal(spec_read(name, fd, NULL, &spec, &line), 0);
	assert_non_null(spec);
	return spec;
}

static struct spec *read_spec(const char *text)
{
	char whole[8192];
	snprintf(whole, sizeof(whole), "[uwsgi]\n%s", text);
	return read_as("dir/app.x.ini", whole);
}

static void expect_text(const char *got, const char *expected)
{
	if (expected) {
		assert_non_null(got);
		assert_string_equal(got, expected);
	} else {
		assert_null(got);
	}
}

static void test_own_section(void **state)
{
	(void)state;
	struct spec *spec = read_spec("health = /no\n[regent]\nhealth = /up?a=%d\nhealth-host = example.org\n"
				      "ready-for = 2.5\nstart-timeout = 90\n");
	expect_text(spec->health, "/up?a=%d");
	expect_text(spec->health_host, "example.org");
	assert_int_equal(spec->ready_for_ms, 2500);
	assert_int_equal(spec->start_timeout_ms, 90000);
	assert_null(spec->warnings);
	spec_free(spec);
	spec = read_spec("socket = :1\n");
	assert_int_equal(spec->ready_for_ms, UINT32_MAX);
	assert_int_equal(spec->start_timeout_ms, UINT32_MAX);
	assert_null(spec->health);
	assert_null(spec->health_host);
	spec_free(spec);
}

static void test_durations(void **state)
{
	(void)state;
	static const struct { const char *text; uint32_t ms; } good[] = {
		{ "0", 0 }, { "0.5", 500 }, { "1.0009", 1000 }, { "86400", 86400000 }, { "007", 7000 },
	};
	static const char *const bad[] = { "", "1s", "-1", ".5", "1.", "1.5.5", "1 1", "86401", "99999999999999999999", "1e3" };
	char text[200];
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(text, sizeof(text), "[regent]\nready-for = %s\n", good[i].text);
		struct spec *spec = read_spec(text);
		assert_int_equal(spec->ready_for_ms, good[i].ms);
		assert_null(spec->warnings);
		spec_free(spec);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "[regent]\nready-for = %s\n", bad[i]);
		struct spec *spec = read_spec(text);
		assert_int_equal(spec->ready_for_ms, UINT32_MAX);
		assert_non_null(spec->warnings);
		spec_free(spec);
	}
}

static const struct { const char *text, *warning; } warned[] = {
	{ "max-requests = 1000 ; note", "dir/app.x.ini:2: 'max-requests': uWSGI has no comments behind a value: "
					"' ;' and the rest belong to it\n" },
	{ "exec-asap = a ; b\nattach-daemon = a ; b\nroute-run = a ; b", NULL },
	{ "x = a;b", NULL },
	{ "[regent]\nhelth = /up", "dir/app.x.ini:3: [regent] has no such key; is this 'health' misspelt?\n" },
	{ "[regent]\nheatlh = /up", "dir/app.x.ini:3: [regent] has no such key; is this 'health' misspelt?\n" },
	{ "[regent]\nhealthh = /up", "dir/app.x.ini:3: [regent] has no such key; is this 'health' misspelt?\n" },
	{ "[regent]\nready_for = 1", "dir/app.x.ini:3: [regent] has no such key; is this 'ready-for' misspelt?\n" },
	{ "[regent]\nhealth_hots = a", "dir/app.x.ini:3: [regent] has no such key; is this 'health-host' misspelt?\n" },
	{ "[regent]\nnonsense = 1", "dir/app.x.ini:3: [regent] has no key 'nonsense'\n" },
	{ "[regent]\nhandover = maybe", "dir/app.x.ini:3: 'handover' wants no, yes or force: ignored\n" },
	{ "[regent]\nhand-over = yes", "dir/app.x.ini:3: [regent] has no such key; is this 'handover' misspelt?\n" },
	{ "[regent]\nhold-sockets = 1", "dir/app.x.ini:3: 'hold-sockets' wants yes or no: ignored\n" },
	{ "[regent]\ndrain = 11", "dir/app.x.ini:3: 'drain' wants seconds, at most 10: ignored\n" },
	{ "[regent]\nhealth-timeout = 0", "dir/app.x.ini:3: 'health-timeout' wants seconds, from 0.1 to a day: ignored\n" },
	{ "[regent]\nhealth-interval = 1d", "dir/app.x.ini:3: 'health-interval' wants seconds, from 0.1 to a day: ignored\n" },
	{ "[regent]\nhealth-status = 20", "dir/app.x.ini:3: 'health-status' wants numbers like 200,301: ignored\n" },
	{ "[regent]\nhealth = up", "dir/app.x.ini:3: 'health' wants a path that begins with '/': ignored\n" },
	{ "[regent]\nhealth-host = a ; b", "dir/app.x.ini:3: 'health-host': ' ;' and the rest belong to the value\n" },
	{ "[regent]\na1 = 1\na2 = 1", "dir/app.x.ini:3: [regent] has no key 'a1'\ndir/app.x.ini:4: [regent] has no key 'a2'\n" },
};

static void test_warnings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(warned); i++) {
		struct spec *spec = read_spec(warned[i].text);
		expect_text(spec->warnings, warned[i].warning);
		spec_free(spec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_section), cmocka_unit_test(test_durations), cmocka_unit_test(test_warnings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
