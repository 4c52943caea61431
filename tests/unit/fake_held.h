/* fake_held: vassals whose sockets are held: they say what they were given, and answer every client with their pid. Beside fake_ruler.h. */
#ifndef TESTS_FAKE_HELD_H
#define TESTS_FAKE_HELD_H

#include "fake_ruler.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static const char good[] = "good.ini";

/* argv, environment and the names of the sockets it finds, in one line; then it serves, one that is called "silent" only after byte 1, and
 * ends at byte 0 or with its wire. With byte 7 it would fork: "parent" has two children that say when they are woken. */
static void write_held_program(const char *path)
{
	static const char text[] =
		"#!/usr/bin/python3 -S\n"
		"import os, select, signal, socket, sys\n"
		"def say(*words): os.write(1, (' '.join(map(str, words)) + '\\n').encode())\n"
		"listeners = []\n"
		"for fd in range(4, 40):\n"
		"    try: listeners.append(socket.socket(fileno=fd))\n"
		"    except OSError: break\n"
		"if 'parent' in sys.argv[2]:\n"
		"    signal.signal(signal.SIGTSTP, lambda *_: say('TSTP'))\n"
		"    for i in range(2):\n"
		"        if os.fork() == 0:\n"
		"            signal.signal(signal.SIGWINCH, lambda *_: say('WINCH'))\n"
		"            os.setpgid(0, 0) if i else None\n"
		"            while True: signal.pause()\n"
		"def name(s): return s.getsockname() if isinstance(s.getsockname(), str) else '%s:%d' % s.getsockname()[:2]\n"
		"say('|'.join(sys.argv[1:]), os.environ.get('UWSGI_RELOADS'), *map(name, listeners))\n"
		"serving = 'silent' not in sys.argv[2]\n"
		"while True:\n"
		"    ready, _, _ = select.select([3] + (listeners if serving else []), [], [])\n"
		"    for r in ready:\n"
		"        if r == 3:\n"
		"            byte = os.read(3, 1)\n"
		"            if byte in (b'', b'\\0'): os._exit(0)\n"
		"            say('byte', byte[0])\n"
		"            serving = True\n"
		"            continue\n"
		"        try: client, _ = r.accept()\n"
		"        except BlockingIOError: continue\n"
		"        client.sendall(str(os.getpid()).encode())\n"
		"        client.close()\n";
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	fchmod(fd, 0755);
	close(fd);
}

/* ---- generations */

struct generation { struct started s; int reach; char said[1024]; };

static const char *said(struct generation *g)
{
	size_t n = 0;
	while (n < sizeof g->said - 1 && wait_readable(g->s.output) && read(g->s.output, g->said + n, 1) == 1 && g->said[n] != '\n')
		n++;
	g->said[n] = '\0';
	return g->said;
}

static void post_held(struct fake *f, const char *name, const char *text, uint32_t arg)
{
	struct link_message m = spawn_message(f, name);
	m.text = text;
	m.arg = arg;
	post(f, m);
}

static struct generation take_held(const struct link_message *m)
{
	struct generation g = { .s = take_generation(m), .reach = -1 };
	assert_int_equal(m->n_fds, 3);
	g.reach = m->fds[2];
	return g;
}

static struct generation start_held(struct fake *f, const char *name, const char *text, uint32_t arg)
{
	post_held(f, name, text, arg);
	struct link_message m = next(f);
	if (m.kind != LINK_STARTED)
		fail_msg("%s (%s): %s: %s", link_kind_name(m.kind), launch_stage_name(m.arg), strerror(m.error), words(f));
	assert_int_equal(m.generation, f->generation);
	struct generation g = take_held(&m);
	said(&g);
	return g;
}

static void finish_held(struct fake *f, struct generation *g, const char *name)
{
	finish(f, &g->s, name);
	g->reach = util_close(g->reach);
}

__attribute__((unused)) static void expect_failed(struct fake *f, unsigned stage, int error)
{
	struct link_message m = expect(f, LINK_FAILED);
	assert_int_equal(m.generation, f->generation);
	assert_string_equal(launch_stage_name(m.arg), launch_stage_name(stage));
	assert_int_equal(m.error, error);
}

static void post_switch(struct fake *f, const char *name, uint64_t generation, uint32_t ms)
{
	post(f, (struct link_message){ .kind = LINK_SWITCH, .generation = generation, .name = name, .arg = ms, .record = RECORD,
				       .record_size = sizeof RECORD });
}

static void expect_switched(struct fake *f, uint64_t generation, int error)
{
	struct link_message m = expect(f, LINK_SWITCHED);
	assert_int_equal(m.generation, generation);
	assert_int_equal(m.error, error);
}

static void lead(struct fake *f, const char *name, const struct generation *g)
{
	post_switch(f, name, g->s.generation, 0);
	expect_switched(f, g->s.generation, 0);
	assert_int_equal(expect(f, LINK_DRAINED).generation, g->s.generation);
}

/* ---- clients */

static int connect_to(const char *address)
{
	union { struct sockaddr any; struct sockaddr_un un; struct sockaddr_in in; } a = { 0 };
	socklen_t size = sizeof a.un;
	if (address[0] == '/') {
		a.un.sun_family = AF_UNIX;
		snprintf(a.un.sun_path, sizeof a.un.sun_path, "%s", address);
	} else {
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
		a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		size = sizeof a.in;
	}
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, &a.any, size) == 0)
		return fd;
	int r = -errno;
	close(fd);
	return r;
}

/* Who answers: its pid. */
static pid_t answer_of(int fd)
{
	char text[32] = "";
	assert_true(fd >= 0);
	assert_true(wait_readable(fd));
	assert_true(read(fd, text, sizeof text - 1) > 0);
	close(fd);
	return atoi(text);
}

static pid_t ask(const char *address)
{
	return answer_of(connect_to(address));
}

static pid_t ask_private(const struct generation *g)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", g->reach);
	return ask(path);
}

/* ---- the court */

/* Ports below those that the kernel gives to clients, apart for each run of a test. */
static inline unsigned own_port(unsigned i)
{
	return 10000 + (unsigned)getpid() % 5000 * 4 + i;
}

struct place { char directory[96], path[2][112], text[2][160], tcp[2][24], tcp_text[2][64], config[112]; };

static void make_place(struct fake *f, struct place *p)
{
	snprintf(p->directory, sizeof p->directory, "%s/s", f->directory);
	assert_int_equal(mkdir(p->directory, 0755), 0);
	assert_true(geteuid() != 0 || chown(p->directory, VASSAL_UID, VASSAL_UID) == 0);
	snprintf(p->config, sizeof p->config, "%s/s/next.ini", f->directory);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(p->tcp[i], sizeof p->tcp[i], "127.0.0.1:%u", own_port(i));
		snprintf(p->tcp_text[i], sizeof p->tcp_text[i], i ? "\n127.0.0.1:%u\n127.0.0.1:%u\n" : "\n127.0.0.1:%u\n", own_port(0), own_port(1));
		snprintf(p->path[i], sizeof p->path[i], "%s/s/%c.sock", f->directory, 'p' + (int)i);
		snprintf(p->text[i], sizeof p->text[i], "mode=666\n%s/s/%c.sock\n", f->directory, 'p' + (int)i);
	}
}

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

__attribute__((unused)) static void wait_until(const char *path, bool there)
{
	for (int i = 0; i < DEADLINE_MS / 5 && exists(path) != there; i++)
		poll(NULL, 0, 5);
	if (exists(path) != there)
		fail_msg("%s is %sthere", path, there ? "not " : "");
}

static void wait_for_words(struct fake *f, const char *what)
{
	off_t from = f->read_of_log;
	for (int i = 0; i < DEADLINE_MS / 5; i++) {
		if (strstr(words(f), what))
			return;
		f->read_of_log = from;
		poll(NULL, 0, 5);
	}
	fail_msg("'%s' was not logged: %s", what, words(f));
}

static struct fake held_fake;
static struct place place;

static int setup_held(void **state)
{
	struct fake *f = &held_fake;
	fake_prepare(f);
	f->options.run_directory = f->directory;
	write_held_program(f->program);
	make_place(f, &place);
	(void)start;	/* not all who include this have vassals without sockets */
	fake_begin(f);
	*state = f;
	return 0;
}

/* Nothing is left of the sockets, whatever the test did. */
static int teardown_held(void **state)
{
	struct fake *f = *state;
	fake_end(f);
	if (rmdir(place.directory) < 0 || rmdir(f->directory) < 0)
		fail_msg("something is left in %s: %s", f->directory, strerror(errno));
	return 0;
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, setup_held, teardown_held)

#endif
