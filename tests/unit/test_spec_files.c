/* spec: what it asks for, what it makes of the answers, and that no file can lead it astray. */
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

static struct spec *read_with(const char *text, const struct spec_sources *sources)
{
	struct spec *spec = NULL;
	unsigned line = 0;
	CLEANUP_FD int fd = memfd_create("ini", MFD_CLOEXEC);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(spec_read("app.ini", fd, sources, &spec, &line), 0);
	return spec;
}

static struct spec_source file(const char *path, const char *text)
{
	return (struct spec_source){ .path = path, .text = text, .size = strlen(text), .real = path };
}

static void expect(const char *got, const char *expected)
{
	if (!got || !expected ? got != expected : strcmp(got, expected) != 0)
		fail_msg("'%s', not '%s'", got ? got : "(null)", expected ? expected : "(null)");
}

#define SOCKET "[uwsgi]\nsocket = /a\n"

/* One at a time is asked for, by its absolute path; only where somebody wants to know. */
static void test_wants(void **state)
{
	struct spec_sources sources = { .cwd = "/etc/vassals" };
	const char *text = SOCKET "include = one.ini\ninherit = /etc/two.ini\n", *own = SOCKET "include = one.ini\n[regent]\nhandover = yes\n";
	(void)state;
	struct spec *spec = read_with(text, &sources);
	expect(spec->wants, NULL);
	expect(spec->unsure, "line 3: include");
	assert_int_equal(spec->signal, SPEC_SIGNAL_UNSURE);
	spec_free(spec);
	spec = read_with(own, &sources);
	expect(spec->wants, "/etc/vassals/one.ini");
	spec_free(spec);
	spec = read_with(SOCKET "include = one.ini\n[regent]\nhandover = no\n", &sources);
	expect(spec->wants, NULL);
	spec_free(spec);
	sources.follow = true;
	spec = read_with(text, &sources);
	expect(spec->wants, "/etc/vassals/one.ini");
	expect(spec->no_hold, "line 3: include = one.ini: not read");
	spec_free(spec);
	struct spec_source files[] = { file("/etc/vassals/one.ini", "[uwsgi]\nchmod-socket = 660\n"), file("/etc/two.ini", "[uwsgi]\nlazy = 1\n") };
	sources.files = files;
	sources.n_files = 1;
	spec = read_with(text, &sources);
	expect(spec->wants, "/etc/two.ini");
	spec_free(spec);
	sources.n_files = 2;
	spec = read_with(text, &sources);
	expect(spec->wants, NULL);
	expect(spec->unsure, NULL);
	expect(spec->sockets, "mode=660\n/a\n");
	assert_true(spec->lazy);
	assert_int_equal(spec->signal, SPEC_SIGNAL_ACCEPTING);
	spec_free(spec);
}

static void test_without_sources(void **state)
{
	(void)state;
	struct spec *spec = read_with(SOCKET "ini = :more\n[more]\nlisten = 5\n[regent]\nhold-sockets = yes\n", NULL);
	expect(spec->sockets, "listen=5\n/a\n");
	spec_free(spec);
	spec = read_with(SOCKET "include = x.ini\n[regent]\nhold-sockets = yes\n", NULL);
	expect(spec->wants, NULL);
	expect(spec->no_hold, "line 3: include = x.ini: where it is, is not known");
	spec_free(spec);
}

/* What each file has to say stands with its name; [regent] counts only where it is the vassal's own. */
static void test_places(void **state)
{
	struct spec_source files[] = { file("/b.ini", "[regent]\nhandover = force\n[uwsgi]\nx = 1 ; y\nstats = :1\nsocket = @a\n"), file("/c.ini", "\n[uwsgi]\nuid = $(X)\n") };
	struct spec_sources sources = { .follow = true, .cwd = "/", .files = files, .n_files = 2 };
	(void)state;
	struct spec *spec = read_with("[uwsgi]\ninclude = /b.ini\n", &sources);
	assert_int_equal(spec->handover, SPEC_HANDOVER_UNSET);
	expect(spec->no_double, "/b.ini:5: stats: its address can be bound once");
	expect(spec->no_hold, "/b.ini:6: socket = @a: an abstract socket");
	expect(spec->warnings, "/b.ini:4: 'x': uWSGI has no comments behind a value: ' ;' and the rest belong to it\n");
	spec_free(spec);
	spec = read_with("[uwsgi]\ninclude = /c.ini\n", &sources);
	expect(spec->unsure, "/c.ini:3: uid");
	spec_free(spec);
}

static const struct { const char *text, *unsure; } refused[] = {
	{ "include = /loop.ini", "/loop2.ini:2: include = /loop.ini: it includes itself" },
	{ "ini = :uwsgi2\n[uwsgi2]\nini = :uwsgi3\n[uwsgi3]\nini = :uwsgi2", "line 6: ini = :uwsgi2: it includes itself" },
	{ "include = /missing.ini", "line 2: include = /missing.ini: No such file or directory" },
	{ "include = /nul.ini", "/nul.ini:2: not a setting" },
	{ "include = x.yml", "line 2: include = x.yml: not an ini" },
	{ "include = /ok.ini:part", "line 2: include = /ok.ini:part: not an ini" },		/* uWSGI refuses it (tried) */
	{ "include = http://host/x.ini", "line 2: include = http://host/x.ini: not a file's name" },
	{ "ini = exec://true", "line 2: ini = exec://true: not a file's name" },
	{ "include = %(x).ini", "line 2: include = %(x).ini: not a file's name" },	/* it is not resolved yet */
	{ "include = %j.ini", "line 2: include" },
	{ "ini =", "line 2: ini = : not a file's name" },
	{ "inherit = $(X).ini", "line 2: inherit" },
	{ "inherit = /self.ini", "/self.ini:2: inherit = /self.ini: too many files" },
	{ "xml = x.xml", "line 2: xml" },
	{ "set = include=/missing.ini", "line 2: include = /missing.ini: No such file or directory" },
	{ "if-env = X\ninclude = /missing.ini\nendif =", "line 2: if-env" },
	{ "include = /deep1.ini", "/deep7.ini:2: include = /deep8.ini: too many files" },
};

static void test_refused(void **state)
{
	static const char nul[] = "[uwsgi]\na\0b\n";
	char deep[8][2][40];
	struct spec_source files[16] = {
		file("/nowhere/app.ini", "ini = 1\n[uwsgi]\nini = app.ini\n"), file("/loop.ini", "[uwsgi]\ninclude = /loop2.ini\n"),
		file("/loop2.ini", "[uwsgi]\ninclude = /loop.ini\n"), { .path = "/missing.ini", .error = ENOENT },
		{ .path = "/nul.ini", .text = nul, .size = sizeof nul - 1 }, file("/ok.ini", "[uwsgi]\nx = 1\n"),
		file("/self.ini", "[uwsgi]\ninherit = /self.ini\n"),
	};
	struct spec_sources sources = { .follow = true, .cwd = "/nowhere", .files = files, .n_files = 15 };
	(void)state;
	for (int i = 0; i < 8; i++) {
		snprintf(deep[i][0], sizeof deep[i][0], "/deep%d.ini", i + 1);
		snprintf(deep[i][1], sizeof deep[i][1], "[uwsgi]\ninclude = /deep%d.ini\n", i + 2);
		files[7 + i] = file(deep[i][0], deep[i][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		char text[200];
		snprintf(text, sizeof text, "[uwsgi]\n%s\n", refused[i].text);
		struct spec *spec = read_with(text, &sources);
		expect(spec->wants, NULL);
		expect(spec->unsure, refused[i].unsure);
		assert_non_null(spec->no_hold);
		assert_null(spec->sockets);
		spec_free(spec);
	}
	struct spec *spec = read_with("[uwsgi]\nini = app.ini\n", &sources);	/* a copy of itself may be met once */
	expect(spec->unsure, "/nowhere/app.ini:3: ini = app.ini: it includes itself");
	spec_free(spec);
}

/* 16 files, whether there are more to come or one comes again and again. */
static void test_many(void **state)
{
	struct spec_source files[SPEC_FILES_MAX + 1];
	char paths[SPEC_FILES_MAX + 1][20], text[1000] = "[uwsgi]\nsocket = /a\n";
	struct spec_sources sources = { .follow = true, .cwd = "/", .files = files, .n_files = SPEC_FILES_MAX + 1 };
	size_t n = strlen(text);
	(void)state;
	for (unsigned i = 0; i <= SPEC_FILES_MAX; i++) {
		snprintf(paths[i], sizeof paths[i], "/%u.ini", i);
		files[i] = file(paths[i], "[uwsgi]\nx = 1\n");
		if (i == SPEC_FILES_MAX) {
			struct spec *spec = read_with(text, &sources);
			expect(spec->unsure, NULL);
			expect(spec->sockets, "\n/a\n");
			spec_free(spec);
		}
		n += (size_t)sprintf(text + n, "include = /%u.ini\n", i);
	}
	struct spec *spec = read_with(text, &sources);
	expect(spec->unsure, "line 19: include = /16.ini: too many files");
	spec_free(spec);
	strcpy(text, "[uwsgi]\nsocket = /a\n");
	n = strlen(text);
	for (int i = 0; i < 20; i++)
		n += (size_t)sprintf(text + n, "include = /0.ini\n");
	spec = read_with(text, &sources);
	expect(spec->unsure, "line 19: include = /0.ini: too many files");
	spec_free(spec);
}

static void test_command_line(void **state)
{
	char set[] = "socket=/%n/%(late)", include[] = "/late.ini", base[] = "/base.ini", variable[] = "UWSGI_CHMOD_SOCKET=660", other[] = "UWSGI_RELOADS=0";
	char *sets[] = { set, NULL }, *includes[] = { include, NULL }, *bases[] = { base, NULL }, *environment[] = { variable, other, NULL };
	struct spec_source files[] = { file("/late.ini", "[uwsgi]\nlate = l\n"), file("/base.ini", "[uwsgi]\nsocket = /b\n") };
	struct spec_sources sources = { .cwd = "/", .files = files, .n_files = 2, .set = sets, .include = includes, .inherit_before = bases,
					.environment = environment };
	(void)state;
	struct spec *spec = read_with("[uwsgi]\nsocket = /c\n", &sources);
	expect(spec->sockets, "\n/c\n");	/* nobody asked */
	spec_free(spec);
	sources.follow = true;
	spec = read_with("[uwsgi]\nsocket = /c\n", &sources);
	expect(spec->sockets, "mode=660\n/%n/l\n/c\n/b\n");	/* no file, so no magic (tried) */
	spec_free(spec);
	strcpy(set, "nonsense");
	spec = read_with("[uwsgi]\nsocket = /c\n", &sources);
	expect(spec->no_hold, "the command line: set");
	spec_free(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wants), cmocka_unit_test(test_without_sources), cmocka_unit_test(test_places), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_many), cmocka_unit_test(test_command_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
