/* spec: what a supervisor learns from an ini. */
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

#define ACCEPTING SPEC_SIGNAL_ACCEPTING
#define SPAWNED SPEC_SIGNAL_SPAWNED
#define LOYAL SPEC_SIGNAL_LOYAL
#define UNSURE SPEC_SIGNAL_UNSURE

/* Those marked "tried" were run on 2.0.21 with a wire. */
static const struct { const char *text; enum spec_signal signal; } signals[] = {
	{ "socket = :3031\n", ACCEPTING },
	{ "module = app\n", ACCEPTING },
	{ "", UNSURE },
	{ "cheap = true\nsocket = :1\n", SPAWNED },
	{ "cheap\nsocket = :1\n", SPAWNED },
	{ "cheap = 1\n", SPAWNED },
	{ "cheap = yes\n", SPAWNED },
	{ "cheap = 00\n", SPAWNED },
	{ "cheap = false\n", ACCEPTING },
	{ "cheap = Off\n", ACCEPTING },
	{ "cheap = NO\n", ACCEPTING },
	{ "cheap = 0\n", ACCEPTING },
	{ "cheap = true\ncheap = 0\n", ACCEPTING },
	{ "cheap = $(CHEAP)\nsocket = :1\n", UNSURE },
	{ "cheap = $(CHEAP)\ncheap = no\nsocket = :1\n", ACCEPTING },
	{ "socket = :1\nworkers = 0\n", SPAWNED },			/* tried */
	{ "socket = :1\nprocesses = 4\n", ACCEPTING },
	{ "socket = :1\nworkers = %k\n", UNSURE },
	{ "emperor = /etc/x\n", LOYAL },				/* tried */
	{ "emperor = /etc/x\nsocket = :1\n", LOYAL },			/* tried: 1, 5, 17 */
	{ "emperor = %d/x\n", LOYAL },
	{ "http = :80\n", ACCEPTING },					/* tried: it makes a socket */
	{ "http = :80\nmodule = app\n", ACCEPTING },
	{ "http = :80\nhttp-to = :90\n", SPAWNED },			/* tried */
	{ "http = :80\nhttp-to = :90\nmodule = app\n", SPAWNED },	/* tried */
	{ "http = :80\nhttp-to = :90\nsocket = :90\n", ACCEPTING },
	{ "fastrouter = :80\n", SPAWNED },				/* tried */
	{ "fastrouter = :80\nmodule = app\n", SPAWNED },		/* tried */
	{ "fastrouter = :80\nfastcgi-socket = /a\n", ACCEPTING },
	{ "cron = -1 -1 -1 -1 -1 true\n", SPAWNED },			/* tried */
	{ "attach-daemon = sleep 9\nmodule = app\n", SPAWNED },		/* tried */
	{ "socket = :1\ninclude = x.ini\n", UNSURE },
	{ "cheap = true\ninclude = x.ini\n", SPAWNED },
	{ "emperor = x\ninherit = x.ini\n", LOYAL },
	{ "socket = :1\nini = :base\n", UNSURE },
	{ "socket = :1\nif-env = X\ncheap = true\nendif =\n", UNSURE },
	{ "if-env = X\nmaster = 1\nendif =\ncheap = true\n", SPAWNED },
	{ "for = a b\ncheap = true\nend =\n", UNSURE },
	{ "set = cheap=true\n", SPAWNED },
	{ "set = cheap=%(c)\n", UNSURE },
	{ "set = set=cheap=true\n", UNSURE },
	{ "set-ph = cheap=true\n", ACCEPTING },
	{ "ch%zeap = true\n", SPAWNED },				/* tried */
	{ "ch%jeap = true\n", UNSURE },
	{ "socket = %d/x\n", ACCEPTING },
	{ "uid = $(WHO)\nsocket = :1\n", ACCEPTING },
	{ "socket = :1\n[regent%z]\nx = 1\n", ACCEPTING },
	{ "socket = :1\n[uws%zgi]\ncheap = 1\n", SPAWNED },
	{ "socket = :1\n[uwsgi%j]\nx = 1\n", UNSURE },
	{ "socket = :1\n[other]\ncheap = true\n", ACCEPTING },
	{ "; 100%\ncheap = true\nsocket = :1\n", ACCEPTING },
	{ "flag = true\ncheap = %(flag)\n", SPAWNED },
	{ "flag = 0\nflag = 1\ncheap = %(flag)\n", ACCEPTING },
};

static void test_signal(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct spec *spec = read_spec(signals[i].text);
		if (spec->signal != signals[i].signal)
			fail_msg("%s: signal %d, not %d", signals[i].text, spec->signal, signals[i].signal);
		spec_free(spec);
	}
}

static const struct { const char *text; enum spec_protocol probe; const char *address; } probes[] = {
	{ "socket = :3031", SPEC_PROBE_UWSGI, "127.0.0.1:3031" },
	{ "socket = 0.0.0.0:3031", SPEC_PROBE_UWSGI, "127.0.0.1:3031" },
	{ "socket = 10.0.0.1:03031", SPEC_PROBE_UWSGI, "10.0.0.1:3031" },
	{ "socket = [::]:1", SPEC_PROBE_UWSGI, "[::1]:1" },
	{ "uwsgi-socket = [::1]:80", SPEC_PROBE_UWSGI, "[::1]:80" },
	{ "socket = /run/%n/%s.%e%%", SPEC_PROBE_UWSGI, "/run/app.x/app.x.ini.ini%" },
	{ "base = /run\nx = %(base)/a\nsocket = %(x).sock", SPEC_PROBE_UWSGI, "/run/a.sock" },
	{ "set-placeholder = base=/run\nsocket = %(base)/a", SPEC_PROBE_UWSGI, "/run/a" },
	{ "socket = %(base)/a\nbase = /run", SPEC_PROBE_UWSGI, "/run/a" },
	{ "include = x\nbase = /run\nsocket = %(base)/a", SPEC_PROBE_NONE, NULL },
	{ "include = x\nbase = /run\nuwsgi-socket = %(base)/a", SPEC_PROBE_NONE, NULL },
	{ "base = /run\ninclude = x\nuwsgi-socket = %(base)/a", SPEC_PROBE_UWSGI, "/run/a" },
	{ "include = x\nsocket = :1", SPEC_PROBE_NONE, NULL },
	{ "include = x\nprotocol = http\nsocket = :1", SPEC_PROBE_HTTP, "127.0.0.1:1" },
	{ "include = x\nuwsgi-socket = :1", SPEC_PROBE_UWSGI, "127.0.0.1:1" },
	{ "base = $(HOME)\nsocket = %(base)/a", SPEC_PROBE_NONE, NULL },
	{ "p = 3\nsocket = :%(p + 1)", SPEC_PROBE_NONE, NULL },
	{ "socket = %d/a\nsocket = /b", SPEC_PROBE_UWSGI, "/b" },
	{ "socket = /a%z/b", SPEC_PROBE_UWSGI, "/a/b" },
	{ "socket = %N/b", SPEC_PROBE_NONE, NULL },
	{ "p = x%%\nsocket = /%(p)(y)", SPEC_PROBE_NONE, NULL },
	{ "http-socket = :80", SPEC_PROBE_HTTP, "127.0.0.1:80" },
	{ "http11-socket = /a", SPEC_PROBE_HTTP, "/a" },
	{ "socket = :80\nprotocol = http", SPEC_PROBE_HTTP, "127.0.0.1:80" },
	{ "socket-protocol = http11\nsocket = :80", SPEC_PROBE_HTTP, "127.0.0.1:80" },
	{ "uwsgi-socket = :80\nprotocol = http", SPEC_PROBE_UWSGI, "127.0.0.1:80" },
	{ "socket = :80\nprotocol = fastcgi", SPEC_PROBE_NONE, NULL },
	{ "socket = :80\nprotocol = $(P)", SPEC_PROBE_NONE, NULL },
	{ "socket = :80\nprotocol = scgi\nhttp-socket = :81", SPEC_PROBE_HTTP, "127.0.0.1:81" },
	{ "socket = :1\nhttp-socket = :2", SPEC_PROBE_UWSGI, "127.0.0.1:1" },
	{ "http-socket = :2\nsocket = :1", SPEC_PROBE_HTTP, "127.0.0.1:2" },
	{ "socket = :1\nsocket = :2", SPEC_PROBE_UWSGI, "127.0.0.1:1" },
	{ "socket = app.sock", SPEC_PROBE_NONE, NULL },
	{ "socket = 3031", SPEC_PROBE_NONE, NULL },
	{ "socket = @abstract", SPEC_PROBE_NONE, NULL },
	{ "socket = /a\nabstract-socket = true", SPEC_PROBE_NONE, NULL },
	{ "socket = :1\nabstract-socket = true", SPEC_PROBE_UWSGI, "127.0.0.1:1" },
	{ "socket = fd://3", SPEC_PROBE_NONE, NULL },
	{ "socket = =0", SPEC_PROBE_NONE, NULL },
	{ "socket = localhost:1", SPEC_PROBE_NONE, NULL },
	{ "socket = 192.168.*:1", SPEC_PROBE_NONE, NULL },
	{ "socket = :0", SPEC_PROBE_NONE, NULL },
	{ "socket = :65536", SPEC_PROBE_NONE, NULL },
	{ "socket = [::1:80", SPEC_PROBE_NONE, NULL },
	{ "socket = /a:b", SPEC_PROBE_NONE, NULL },
	{ "socket =", SPEC_PROBE_NONE, NULL },
	{ "fastcgi-socket = :1", SPEC_PROBE_NONE, NULL },
	{ "http = :1", SPEC_PROBE_NONE, NULL },
};

static void test_probe(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		struct spec *spec = read_spec(probes[i].text);
		const char *got = spec->probe_address ? spec->probe_address : "", *want = probes[i].address;
		if (spec->probe != probes[i].probe || strcmp(got, want ? want : "") != 0)
			fail_msg("%s: %d '%s'", probes[i].text, spec->probe, got);
		spec_free(spec);
	}
}

static void test_long_path_has_no_probe(void **state)
{
	(void)state;
	char text[300] = "socket = /";
	memset(text + 10, 'a', 107);
	struct spec *spec = read_spec(text);
	assert_int_equal(spec->probe, SPEC_PROBE_NONE);
	spec_free(spec);
	text[116] = '\0';
	spec = read_spec(text);
	assert_int_equal(spec->probe, SPEC_PROBE_UWSGI);
	spec_free(spec);
}

static const struct { const char *text, *logger; } loggers[] = {
	{ "req-logger = file:/r", NULL },
	{ "log-master = true", NULL },
	{ "logger = stdio", NULL },
	{ "logger = file:/a.log", "/a.log" },
	{ "logger = file:a.log\nlogger = file:/b", "a.log" },
	{ "logger = errors file:/e", NULL },
	{ "logger = errors file:/e\nlogger = file:/a", "/a" },
	{ "logger = rsyslog:127.0.0.1:514,x y", "rsyslog:127.0.0.1:514,x y" },
	{ "log-syslog", "syslog" },
	{ "log-syslog = local0", "syslog:local0" },
	{ "log-socket = 1.2.3.4:5", "socket:1.2.3.4:5" },
	{ "logto = /l", "/l" },
	{ "logto2 = /var/log/%n.log", "/var/log/app.x.log" },
	{ "daemonize = /d", "/d" },
	{ "logger = file:/a\nlogto = /l", "/a" },
	{ "logto = %d/l", NULL },
};

static void test_logger(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(loggers); i++) {
		struct spec *spec = read_spec(loggers[i].text);
		expect_text(spec->logger, loggers[i].logger);
		spec_free(spec);
	}
}

static void test_app_and_ids(void **state)
{
	(void)state;
	static const char *const apps[] = { "module = a", "wsgi = a", "wsgi-file = a", "file = a", "mount = /=a.py",
					    "eval = x", "paste = x", "pecan = x", "module = %(x)" };
	for (size_t i = 0; i < ARRAY_SIZE(apps); i++) {
		struct spec *spec = read_spec(apps[i]);
		assert_true(spec->has_app);
		assert_null(spec->unsure);
		spec_free(spec);
	}
	struct spec *spec = read_spec("callable = app\nmanage-script-name = true\nuid = www\nuid = pn\ngid = 33\nneed-app\n");
	assert_false(spec->has_app);
	assert_true(spec->need_app);
	expect_text(spec->uid, "pn");
	expect_text(spec->gid, "33");
	assert_null(spec->unsure);
	spec_free(spec);
	spec = read_spec("need-app = true\nneed-app = false\nuid = pn\nuid = $(WHO)\nif-env = X\ngid = 0\nendif =\n");
	assert_false(spec->need_app);
	assert_null(spec->uid);
	assert_null(spec->gid);
	spec_free(spec);
}

static void test_unsure_names_the_line(void **state)
{
	(void)state;
	static const struct { const char *text, *unsure; } cases[] = {
		{ "socket = :1\nx = $(Y)\nchdir = %d\n", NULL },
		{ "socket = :1\n\ninclude = x\nini = :y\n", "line 4: include" },
		{ "uid = @(/x)\n", "line 2: uid" },
		{ "if-not-file = x\n", "line 2: if-not-file" },
		{ "set = uid=$(X)\n", "line 2: uid" },
		{ "declare-option = x=cheap=true\n", "line 2: declare-option" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec *spec = read_spec(cases[i].text);
		expect_text(spec->unsure, cases[i].unsure);
		spec_free(spec);
	}
	struct spec *spec = read_as("a.ini", "#!/bin/sh\necho '[uwsgi]'\n");
	assert_int_equal(spec->signal, UNSURE);
	expect_text(spec->unsure, "no section [uwsgi]");
	spec_free(spec);
}

/* A few lines that double each other must not take the memory; nor may very many keys. */
static void test_hostile(void **state)
{
	(void)state;
	char text[8192] = "v0 = xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n";
	size_t n = strlen(text);
	for (int i = 1; i < 60; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "v%d = %%(v%d)%%(v%d)\n", i, i - 1, i - 1);
	snprintf(text + n, sizeof(text) - n, "uid = %%(v59)\ngid = %%(gid\nsocket = %%()%%%%(\n");
	struct spec *spec = read_spec(text);
	assert_null(spec->uid);
	expect_text(spec->gid, "%(gid");		/* tried */
	expect_text(spec->unsure, "line 62: uid");
	spec_free(spec);

	memset(text, 'x', 7000);
	snprintf(text + 7000, sizeof(text) - 7000, "\na = %%(x)%%(x)%%(x)%%(x)%%(x)\nuid = %%(a)%%(a)\ngid = %%(a)\n");
	memcpy(text, "x =", 3);
	spec = read_spec(text);
	assert_null(spec->uid);
	assert_int_equal(strlen(spec->gid), 5 * 6997);
	spec_free(spec);

	char *many;
	size_t size;
	FILE *out = open_memstream(&many, &size);
	fputs("[uwsgi]\nuid = a\n", out);
	for (int i = 0; i < 100000; i++)
		fprintf(out, "k%d = 1\n", i);
	fputs("gid = %(k1)\nuid = %(k99999)\n[regent]\n", out);
	for (int i = 0; i < 1000; i++)
		fputs("helth = 1\n", out);
	fclose(out);
	spec = read_as("a.ini", many);
	expect_text(spec->uid, "a");
	assert_null(spec->gid);
	expect_text(spec->unsure, "line 4098: more settings than are read");
	assert_true(strlen(spec->warnings) < 16384);
	spec_free(spec);
	free(many);
}

static void test_formats_and_errors(void **state)
{
	(void)state;
	struct spec *spec = read_as("a.yml", "uwsgi:\n  cheap: true\n");
	assert_int_equal(spec->signal, UNSURE);
	assert_non_null(spec->unsure);
	assert_true(spec->hash == util_hash(UTIL_HASH_SEED, "uwsgi:\n  cheap: true\n", 21));
	spec_free(spec);
	spec = read_as("a.ini", "[uwsgi]\n");
	assert_true(spec->hash == util_hash(UTIL_HASH_SEED, "[uwsgi]\n", 8));
	spec_free(spec);

	struct spec *untouched = (struct spec *)&untouched;
	unsigned line = 0;
	int fd = file_with("[uwsgi]\nuid = a\nx = 1\n");
	assert_int_equal(pwrite(fd, "", 1, 16), 1);
	assert_int_equal(spec_read("a.ini", fd, NULL, &untouched, &line), -EBADMSG);
	assert_int_equal(line, 3);
	assert_ptr_equal(untouched, &untouched);
	assert_int_equal(spec_read("a.xml", -1, NULL, &untouched, &line), -EBADF);
	util_close(fd);
	assert_null(spec_free(NULL));
}

static void test_names(void **state)
{
	(void)state;
	char conf[] = ".conf", my_ini[] = ".my.ini", *const extra[] = { conf, my_ini, NULL };
	char name[300];
	assert_string_equal(spec_name_option("a.ini", NULL), "--ini");
	assert_string_equal(spec_name_option("a.xml", NULL), "--xml");
	assert_string_equal(spec_name_option("a.yml", NULL), "--yaml");
	assert_string_equal(spec_name_option("a.yaml", extra), "--yaml");
	assert_string_equal(spec_name_option("a.js", NULL), "--json");
	assert_string_equal(spec_name_option("a.json", NULL), "--json");
	assert_string_equal(spec_name_option("a.conf", extra), "--config");
	assert_string_equal(spec_name_option("a.my.ini", extra), "--config");
	assert_true(spec_name_valid("a.ini", NULL));
	assert_true(spec_name_valid(".ini", NULL));
	assert_false(spec_name_valid("a.conf", NULL));
	assert_false(spec_name_valid("a.ini~", extra));
	assert_false(spec_name_valid("a.INI", extra));
	assert_false(spec_name_valid("", extra));
	memset(name, 'a', sizeof(name));
	strcpy(name + 254 - 5, "a.ini");
	assert_true(spec_name_valid(name, NULL));
	name[249] = 'a';
	strcpy(name + 255 - 5, "a.ini");
	assert_false(spec_name_valid(name, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_long_path_has_no_probe),
		cmocka_unit_test(test_logger),
		cmocka_unit_test(test_app_and_ids),
		cmocka_unit_test(test_unsure_names_the_line),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_formats_and_errors),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
