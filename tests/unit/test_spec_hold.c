/* spec: what of a vassal could be held, what of it must not be there twice, and what [regent] says of both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vassals/sockets.h"
#include "vassals/spec.h"
#include "vassals/spec_keys.h"
#include "vassals/util.h"

static struct spec *read_as(const char *name, const char *text)
{
	struct spec *spec = NULL;
	unsigned line = 0;
	CLEANUP_FD int fd = memfd_create("ini", MFD_CLOEXEC);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(spec_read(name, fd, NULL, &spec, &line), 0);
	return spec;
}

static struct spec *read_spec(const char *text)
{
	char whole[8192];
	snprintf(whole, sizeof whole, "[uwsgi]\n%s", text);
	return read_as("app.ini", whole);
}

static void expect(const char *text, const char *what, const char *got, const char *expected)
{
	if (!got || !expected ? got != expected : strcmp(got, expected) != 0)
		fail_msg("%s\n%s is '%s', not '%s'", text, what, got ? got : "(null)", expected ? expected : "(null)");
}

#define P102 "/234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890ab"

/* Either what to hold, or why not. Those marked "tried" were run on 2.0.21 with UWSGI_RELOADS=0 and a socket at descriptor 4. */
static const struct { const char *text, *sockets, *no_hold; } holds[] = {
	{ "socket = /run/a.sock\n", "\n/run/a.sock\n", NULL },
	{ "uwsgi-socket = :80\nhttp-socket = 127.0.0.1:81\nhttp11-socket = [::1]:82\n", "\n:80\n127.0.0.1:81\n[::1]:82\n", NULL },
	{ "fastcgi-socket = /a\nscgi-socket = /b\nfastcgi-nph-socket = /c\nscgi-nph-socket = /d\n", "\n/a\n/b\n/c\n/d\n", NULL },	/* tried */
	{ "raw-socket = :1\npuwsgi-socket = :2\n", "\n:1\n:2\n", NULL },						/* tried */
	{ "https-socket = :443,c.pem,k.pem\nsuwsgi-socket = /s,c,k\nssl-socket = :7,c,k,HIGH\n", "\n:443\n/s\n:7\n", NULL },	/* tried */
	{ "socket = 0.0.0.0:80\n", "\n0.0.0.0:80\n", NULL },								/* tried */
	{ "socket = [::]:80\n", "\n[::]:80\n", NULL },
	{ "socket = /a\nsocket = /a\nhttp-socket = :80\nsocket = 0.0.0.0:80\n", "\n/a\n:80\n", NULL },			/* tried */
	{ "socket = /run/a b.sock\n", "\n/run/a b.sock\n", NULL },							/* tried */
	{ "dir = /run\nsocket = %(dir)/%n.sock\n", "\n/run/app.sock\n", NULL },
	{ "shared-socket = :80\nhttp-socket = =0\n", "\n:80\n", NULL },							/* tried */
	{ "undeferred-shared-socket = /s\nhttp-socket = =0\nsocket = /t\n", "\n/s\n/t\n", NULL },			/* tried */
	{ "shared-socket = :80\nshared-socket = :81\nhttps-socket = =1,c,k\n", "\n:80\n:81\n", NULL },
	{ "socket = " P102 "\n", "\n" P102 "\n", NULL },

	{ "chmod-socket = 664\nsocket = /a\n", "mode=664\n/a\n", NULL },
	{ "socket = /a\nchmod-socket = 1\n", "mode=666\n/a\n", NULL },
	{ "socket = /a\nchmod = 000\n", "mode=666\n/a\n", NULL },
	{ "socket = /a\nchmod-socket = 660\nchmod-socket = 1\n", "mode=660\n/a\n", NULL },
	{ "socket = /a\nchown-socket = pn:www-data\n", "user=pn group=www-data\n/a\n", NULL },
	{ "socket = /a\nchown-socket = 1000\numask = 0027\nlisten = 1024\n", "user=1000 umask=027 listen=1024\n/a\n", NULL },
	{ "socket = /a\numask = 22\n", "umask=000\n/a\n", NULL },
	{ "socket = :1\nreuse-port = true\nso-keepalive = true\ntcp-nodelay = true\nfreebind = true\nno-defer-accept = true\n",
	  "so-keepalive=1 freebind=1\n:1\n", NULL },
	{ "socket = :1\nso-keepalive = true\nso-keepalive = no\n", "\n:1\n", NULL },
	{ "socket = :1\nso-send-timeout = 5\nsocket-sndbuf = 65536\nsocket-rcvbuf = 4096\ntcp-fast-open = 9\n",
	  "so-send-timeout=5 socket-sndbuf=65536 socket-rcvbuf=4096 tcp-fast-open=9\n:1\n", NULL },
	{ "socket = :1\nlisten = 9999999\n", "listen=65535\n:1\n", NULL },
	{ "chmod-socket = 664\nchown-socket = a:b\nlisten = 5\numask = 002\nsocket = :1\n", "mode=664 user=a group=b umask=002 listen=5\n:1\n", NULL },
	{ "socket = /a\nabstract-socket = true\nabstract-socket = no\n", "\n/a\n", NULL },
	{ "socket = :1\nabstract-socket = true\n", "\n:1\n", NULL },
	{ "socket = /a\nshutdown-sockets = false\n", "\n/a\n", NULL },

	{ "", NULL, "no section [uwsgi]" },
	{ "master = true\n", NULL, "it has no socket" },
	{ "master = true\nsocket = @app\n", NULL, "line 3: socket = @app: an abstract socket" },
	{ "socket = \\0app\n", NULL, "line 2: socket = \\0app: an abstract socket" },
	{ "socket = /a\nabstract-socket = true\n", NULL, "line 3: abstract-socket" },
	{ "socket = app.sock\n", NULL, "line 2: socket = app.sock: a relative path" },
	{ "socket = 3031\n", NULL, "line 2: socket = 3031: a relative path" },
	{ "http-socket = localhost:80\n", NULL, "line 2: http-socket = localhost:80: a name, not a numeric address" },
	{ "socket = 192.168.*:80\n", NULL, "line 2: socket = 192.168.*:80: a name, not a numeric address" },
	{ "socket = 127.1:80\n", NULL, "line 2: socket = 127.1:80: a name, not a numeric address" },
	{ "socket = [0:0:0:0:0:0:0:1]:80\n", NULL, "line 2: socket = [0:0:0:0:0:0:0:1]:80: not written as the kernel writes it" },
	{ "socket = [::x]:80\n", NULL, "line 2: socket = [::x]:80: not a numeric address" },
	{ "socket = :0\n", NULL, "line 2: socket = :0: its port is chosen anew each time" },
	{ "socket = 127.0.0.1:\n", NULL, "line 2: socket = 127.0.0.1:: its port is chosen anew each time" },
	{ "socket = :8000-8010\n", NULL, "line 2: socket = :8000-8010: no port number" },
	{ "socket = 1.2.3.4:1,1.2.3.4:2\n", NULL, "line 2: socket = 1.2.3.4:1,1.2.3.4:2: a name, not a numeric address" },
	{ "socket = :65536\n", NULL, "line 2: socket = :65536: no port number" },
	{ "socket = fd://3\n", NULL, "line 2: socket = fd://3: a descriptor" },
	{ "socket = ::\n", NULL, "line 2: socket = ::: its port is chosen anew each time" },
	{ "socket = =0\n", NULL, "line 2: socket = =0: no such shared socket before it" },
	{ "socket = =0\nshared-socket = /a\n", NULL, "line 2: socket = =0: no such shared socket before it" },
	{ "socket = /run/\n", NULL, "line 2: socket = /run/: a directory" },
	{ "socket = " P102 "c\n", NULL, "line 2: socket = " P102 "c: longer than uWSGI takes" },
	{ "shared-socket = [::1]:80\nsocket = =0\n", NULL,
	  "line 2: shared-socket = [::1]:80: uWSGI does not find a shared IPv6 socket again" },				/* tried */
	{ "shared-socket = :80\nsocket = [::1]:81\n", NULL, "uWSGI may take an IPv6 socket for a shared one" },
	{ "socket = $(SOCKET)\n", NULL, "line 2: socket: its value is not known" },
	{ "chmod-socket\nsocket = /a\n", NULL, "line 2: chmod-socket = : uWSGI does not take that mode" },		/* tried */
	{ "chmod-socket = 0664\nsocket = /a\n", NULL, "line 2: chmod-socket = 0664: uWSGI does not take that mode" },
	{ "chown-socket = :www\nsocket = /a\n", NULL, "line 2: chown-socket = :www: no user and group" },
	{ "chown-socket = a b\nsocket = /a\n", NULL, "line 2: chown-socket = a b: no user and group" },
	{ "umask = 08x\nsocket = /a\n", NULL, "line 2: umask = 08x: not an octal umask" },
	{ "listen = many\nsocket = /a\n", NULL, "line 2: listen = many: not a number" },
	{ "http = :80\nsocket = /a\n", NULL, "line 2: http = :80: a router binds it by itself" },
	{ "fastrouter = $(X)\n", NULL, "line 2: fastrouter: a router binds it by itself" },
	{ "chroot = /srv\nsocket = /a\n", NULL, "line 2: chroot = /srv: skipped where sockets are held" },
	{ "exec-pre-jail = x\nsocket = /a\n", NULL, "line 2: exec-pre-jail = x: skipped where sockets are held" },
	{ "shutdown-sockets = true\nsocket = /a\n", NULL, "line 2: shutdown-sockets = true: its end would end the held sockets" },
	{ "emperor = /etc/x\nsocket = /a\n", NULL, "line 2: emperor = /etc/x: an Emperor of its own" },
	{ "zerg = /z\n", NULL, "line 2: zerg = /z: its sockets come from a zerg server" },
	{ "include = x.ini\nsocket = /a\n", NULL, "line 2: include" },
	{ "if-reload\nsocket = /a\nendif\n", NULL, "line 2: if-reload" },
};

static void test_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(holds); i++) {
		struct spec *spec = read_spec(holds[i].text);
		expect(holds[i].text, "sockets", spec->sockets, holds[i].sockets);
		expect(holds[i].text, "no_hold", spec->no_hold, holds[i].no_hold);
		struct sockets_wish wish;
		if (spec->sockets)	/* the strict reader at the other end takes all of them */
			assert_int_equal(sockets_parse(spec->sockets, &wish), 0);
		spec_free(spec);
	}
	struct spec *spec = read_as("a.yml", "uwsgi:\n  socket: /a\n");
	expect("a.yml", "no_hold", spec->no_hold, "only .ini files are read");
	spec_free(spec);
}

static void test_too_many(void **state)
{
	char text[8192] = "";
	size_t n = 0;
	(void)state;
	for (int i = 0; i < SOCKETS_MAX; i++)
		n += (size_t)sprintf(text + n, "socket = :%d\n", 1000 + i);
	struct spec *spec = read_spec(text);
	assert_non_null(spec->sockets);
	assert_null(spec->no_hold);
	spec_free(spec);
	sprintf(text + n, "socket = :999\n");
	spec = read_spec(text);
	expect(text, "no_hold", spec->no_hold, "line 18: socket = :999: more sockets than are held for one");
	spec_free(spec);
	n = 0;
	for (int i = 0; i < SOCKETS_MAX; i++)
		n += (size_t)sprintf(text + n, "socket = /%0100d\n", i);
	spec = read_spec(text);
	assert_null(spec->sockets);
	expect(text, "no_hold", spec->no_hold, "its addresses are too long together");
	spec_free(spec);
}

static void test_double(void **state)
{
	static const struct { const char *text, *no_double; } cases[] = {
		{ "socket = /a\nsubscribe-freq = 3\ncron-harakiri = 1\nvacuum = true\n", NULL },
		{ "socket = /a\nstats = :9191\ncron = 1 1 1 1 1 x\n", "line 3: stats: its address can be bound once" },
		{ "pidfile = /run/x.pid\n", "line 2: pidfile: one file for two, and vacuum removes it" },
		{ "mule\n", "line 2: mule: its work would be done twice" },
		{ "spooler = $(X)\n", "line 2: spooler: two would work in one directory" },
		{ "cache2 = name=a,items=9\n", NULL },
		{ "cache2 = name=a,items=9,store=/c\n", "line 2: cache2: both would write the file" },
		{ "cache2 = $(X)\n", "line 2: cache2: both would write the file" },
		{ "set = stats=:1\n", "line 2: stats: its address can be bound once" },
		{ "subscribe-to = 127.0.0.1:1:x\n", "line 2: subscribe-to: its end takes the common address from the router" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec *spec = read_spec(cases[i].text);
		expect(cases[i].text, "no_double", spec->no_double, cases[i].no_double);
		spec_free(spec);
	}
	unsigned n = 0;
	for (const struct spec_double *row; (row = spec_double_row(n)) != NULL; n++) {
		assert_ptr_equal(spec_double_find(row->name), row);	/* so none is there twice */
		assert_true(row->why[0] && strlen(row->why) < 60);
	}
	assert_true(n > 50);
}

static void test_own(void **state)
{
	(void)state;
	struct spec *spec = read_spec("socket = /a\nlazy = true\n[regent]\nhandover = force\nhold-sockets = yes\nretire-mercy = 90\ndrain = 0.25\n"
				      "health = /up\nhealth-timeout = 3\nhealth-interval = 10\nhealth-status = 200 , 301,404\nhealth-restart = yes\n");
	assert_null(spec->warnings);
	assert_int_equal(spec->handover, SPEC_HANDOVER_FORCE);
	assert_int_equal(spec->hold_sockets, SPEC_CHOICE_YES);
	assert_int_equal(spec->retire_mercy_ms, 90000);
	assert_int_equal(spec->drain_ms, 250);
	assert_int_equal(spec->health_timeout_ms, 3000);
	assert_int_equal(spec->health_interval_ms, 10000);
	assert_string_equal(spec->health_status, "200,301,404");
	assert_true(spec->health_restart);
	assert_true(spec->lazy);
	spec_free(spec);
	spec = read_spec("socket = /a\nlazy-apps = true\nlazy = off\n[regent]\nhandover = no\nhold-sockets = no\nhealth-restart = no\n");
	assert_int_equal(spec->handover, SPEC_HANDOVER_NO);
	assert_int_equal(spec->hold_sockets, SPEC_CHOICE_NO);
	assert_false(spec->health_restart);
	assert_false(spec->lazy);
	spec_free(spec);
	spec = read_spec("socket = /a\n");
	assert_int_equal(spec->handover, SPEC_HANDOVER_UNSET);
	assert_int_equal(spec->hold_sockets, SPEC_CHOICE_UNSET);
	assert_int_equal(spec->retire_mercy_ms, UINT32_MAX);
	assert_int_equal(spec->drain_ms, UINT32_MAX);
	assert_null(spec->health_status);
	spec_free(spec);
}

static void test_status_lists(void **state)
{
	static const char *const bad[] = { "", "20", "2000", "099", "600", "200,", ",200", "200 301", "200;301", "2xx" };
	char text[600];
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof text, "[regent]\nhealth-status = %s\n", bad[i]);
		struct spec *spec = read_spec(text);
		assert_null(spec->health_status);
		assert_non_null(spec->warnings);
		spec_free(spec);
	}
	size_t n = (size_t)sprintf(text, "[regent]\nhealth-status = 200");
	for (int i = 0; i < 15; i++)
		n += (size_t)sprintf(text + n, ",%d", 300 + i);
	struct spec *spec = read_spec(text);
	assert_int_equal(strlen(spec->health_status), 16 * 4 - 1);
	spec_free(spec);
	sprintf(text + n, ",400");
	spec = read_spec(text);
	assert_null(spec->health_status);
	spec_free(spec);
}

/* Every key that the tables name is one; none is "not supported yet". */
static void test_own_names(void **state)
{
	char text[200];
	unsigned n = 0;
	(void)state;
	for (const char *name; (name = spec_own_name(n)) != NULL; n++) {
		snprintf(text, sizeof text, "[regent]\n%s = ?\n", name);
		struct spec *spec = read_spec(text);
		assert_true(spec_own_find(name) != SPEC_OWN_UNKNOWN);
		assert_true(!spec->warnings || (!strstr(spec->warnings, "supported") && !strstr(spec->warnings, "no key")));
		spec_free(spec);
	}
	assert_int_equal(n, SPEC_OWN_DRAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hold), cmocka_unit_test(test_too_many), cmocka_unit_test(test_double), cmocka_unit_test(test_own),
		cmocka_unit_test(test_status_lists), cmocka_unit_test(test_own_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
