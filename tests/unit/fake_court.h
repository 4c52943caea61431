/* fake_court: the real court, commands and control socket over a world of pretence: a clock that stands, a keeper that does what
 * the test says. For test_commands; a client here is a plain socket in the same process. */
#ifndef REGENT_TEST_FAKE_COURT_H
#define REGENT_TEST_FAKE_COURT_H

#include <errno.h>
#include <ev.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/commands.h"
#include "vassals/util.h"

struct fake {
	struct ev_loop *loop;
	struct court *court;
	struct commands *commands;
	struct options options;
	char dir[64];
	struct sockaddr_un address;
	int listen_fd;
	uint64_t now;
	int64_t wall;
	unsigned byte_1s, stops, rescans, reopens;	/* what was ordered */
	int reopen_result;
	const char *tail;		/* what every vassal printed */
	struct spec *spec;		/* what check finds, at once; NULL: nothing, with check_error */
	int check_error, rehearse_result;
	uint64_t rehearsing, checking;	/* who waits */
	char rehearsed[128];		/* the path */
	uid_t vassals_run_as;
	char *allow[8];
	struct commands_config config;
};

static uint64_t fake_now(void *data) { return ((struct fake *)data)->now; }
static int64_t fake_stamp(void *data) { return ((struct fake *)data)->wall++; }
static void fake_arm(void *data, struct court_vassal *cv, uint64_t deadline) { (void)data; (void)cv; (void)deadline; }
static void fake_probe(void *data, struct court_vassal *cv) { (void)data; (void)cv; }

static void fake_order(void *data, const struct court_order *order)
{
	struct fake *f = data;
	f->byte_1s += order->kind == COURT_SEND && order->arg == 1;
	f->stops += order->kind == COURT_SEND && order->arg == 0;
}

static void fake_answer(void *data, uint64_t waiter, struct court_vassal *cv, const struct court_answer *answer)
{
	struct fake *f = data;
	if (f->commands)
		commands_answer(f->commands, waiter, cv, answer);
}

static void fake_transition(void *data, struct court_vassal *cv, enum vassal_state from, enum vassal_event event, int64_t arg)
{
	struct fake *f = data;
	if (f->commands)
		commands_transition(f->commands, cv, from, event, arg);
}

static void fake_gone(void *data, struct court_vassal *cv)
{
	struct fake *f = data;
	if (f->commands)
		commands_gone(f->commands, cv);
}

static char *fake_tail(void *data, struct court_vassal *cv, size_t lines, bool newest_only)
{
	struct fake *f = data;
	(void)cv;
	(void)lines;
	(void)newest_only;
	return f->tail ? strdup(f->tail) : NULL;
}

static bool fake_identity(void *data, struct court_vassal *cv, uid_t *uid)
{
	(void)cv;
	*uid = ((struct fake *)data)->vassals_run_as;
	return true;
}

static void fake_rescan(void *data) { ((struct fake *)data)->rescans++; }
static uint64_t fake_dropped(void *data, struct court_vassal *cv) { (void)data; (void)cv; return 7; }

static int fake_reopen(void *data)
{
	struct fake *f = data;
	f->reopens++;
	return f->reopen_result;
}

static int fake_check(void *data, struct court_vassal *cv, uint64_t waiter)
{
	struct fake *f = data;
	(void)cv;
	f->checking = waiter;
	if (f->spec || f->check_error)
		commands_checked(f->commands, waiter, f->spec, f->check_error, 3);
	return 0;
}

static int fake_rehearse(void *data, struct court_vassal *cv, const char *path, const uint8_t id[COURT_ID_SIZE], uint32_t uid, uint64_t waiter)
{
	struct fake *f = data;
	(void)cv;
	(void)id;
	(void)uid;
	f->rehearsing = waiter;
	snprintf(f->rehearsed, sizeof f->rehearsed, "%s", path);
	return f->rehearse_result;
}

static int fake_listen(struct fake *f)
{
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (f->listen_fd < 0 || bind(f->listen_fd, (struct sockaddr *)&f->address, sizeof f->address) < 0 ||
	    listen(f->listen_fd, 1024) < 0 || chmod(f->address.sun_path, 0666) < 0)
		return -errno;
	return 0;
}

/* A new ruler's worth of commands over the same court and socket. */
static int fake_rule(struct fake *f)
{
	f->config = (struct commands_config){
		.loop = f->loop, .listen_fd = f->listen_fd, .court = f->court, .options = &f->options,
		.host = { f, fake_tail, fake_identity, fake_rescan, fake_reopen, fake_dropped, fake_check, fake_rehearse },
		.owner = geteuid(), .run_as = 65534, .keeper = 11, .ruler = 12,
	};
	return commands_new(&f->config, &f->commands);
}

static int fake_new(struct fake **ret)
{
	struct fake *f = calloc(1, sizeof *f);
	if (!f)
		return -ENOMEM;
	static char monitor[] = "/etc/uwsgi/vassals";
	static char *monitors[] = { monitor, NULL };
	f->options.emperor = (struct options_list){ monitors, 1 };
	f->options.control_allow = (struct options_list){ f->allow, 0 };
	f->now = util_now();
	f->wall = 1700000000000;
	f->loop = ev_loop_new(EVFLAG_AUTO);
	strcpy(f->dir, "/tmp/regent-unit-XXXXXX");
	if (!f->loop || !mkdtemp(f->dir) || chmod(f->dir, 0755) < 0)
		return -errno;
	f->address.sun_family = AF_UNIX;
	snprintf(f->address.sun_path, sizeof f->address.sun_path, "%s/control.sock", f->dir);
	struct court_config config = {
		.rules = { .signal = SPEC_SIGNAL_ACCEPTING, .ready_for = NSEC_PER_SEC, .start_patience = 30 * NSEC_PER_SEC,
			   .start_timeout = 120 * NSEC_PER_SEC, .mercy = 30 * NSEC_PER_SEC, .curse_tolerance = 30 * NSEC_PER_SEC,
			   .backoff = { .step_ns = NSEC_PER_SEC, .max_ns = 180 * NSEC_PER_SEC } },
		.first_generation = 1, .stamp = fake_stamp,
	};
	struct court_world world = {
		.data = f, .now = fake_now, .order = fake_order, .arm = fake_arm, .probe = fake_probe, .probe_cancel = fake_probe,
		.answer = fake_answer, .transition = fake_transition, .gone = fake_gone,
	};
	int r = court_new(&config, &world, &f->court);
	if (r == 0)
		r = fake_listen(f);
	if (r == 0)
		r = fake_rule(f);
	if (r == 0)
		*ret = f;
	return r;
}

static void fake_free(struct fake *f)
{
	f->commands = commands_free(f->commands);
	court_free(f->court);
	close(f->listen_fd);
	unlink(f->address.sun_path);
	rmdir(f->dir);
	ev_loop_destroy(f->loop);
	free(f);
}

/* ---- what happens to vassals */

static struct court_vassal *fake_vassal(struct fake *f, const char *name, struct spec *spec)
{
	static uint64_t inode;
	court_seen(f->court, name, 0, &(struct court_fingerprint){ .inode = ++inode }, spec, true);
	return court_find(f->court, name);
}

static void fake_let_pass(struct fake *f, struct court_vassal *cv, uint64_t ns)
{
	f->now += ns;
	court_timer(f->court, cv);
}

/* From wherever a start has got it to READY. */
static void fake_comes_up(struct fake *f, struct court_vassal *cv)
{
	if (cv->v.state == VASSAL_SPAWNING)
		court_started(f->court, cv->v.generation, 1000 + (pid_t)cv->v.generation);
	court_byte(f->court, cv->v.generation, 5);
	fake_let_pass(f, cv, 2 * NSEC_PER_SEC);
}

static struct court_vassal *fake_ready(struct fake *f, const char *name, struct spec *spec)
{
	struct court_vassal *cv = fake_vassal(f, name, spec);
	fake_comes_up(f, cv);
	return cv;
}

static inline void fake_exits(struct fake *f, struct court_vassal *cv, int code)
{
	court_exited(f->court, cv->v.generation, code << 8);
}

/* ---- clients */

struct client { int fd; char *text; size_t n; bool eof; };

static void client_open(struct fake *f, struct client *c)
{
	*c = (struct client){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .text = strdup("") };
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&f->address, sizeof f->address) < 0)
		c->eof = true;
}

static void client_read(struct client *c)
{
	char bytes[65536];
	for (;;) {
		ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			c->eof = true;
		if (n <= 0)
			return;
		c->text = realloc(c->text, c->n + (size_t)n + 1);
		memcpy(c->text + c->n, bytes, (size_t)n);
		c->n += (size_t)n;
		c->text[c->n] = '\0';
	}
}

static void client_close_fd(struct client *c)
{
	close(c->fd);
	free(c->text);
	c->fd = -1;
	c->text = NULL;
}

/* Everything that is ready to happen happens. */
static void fake_turn(struct fake *f)
{
	for (int i = 0; i < 4; i++)
		ev_run(f->loop, EVRUN_NOWAIT);
}

/* What the client has been told so far. */
static const char *client_hears(struct fake *f, struct client *c)
{
	fake_turn(f);
	client_read(c);
	fake_turn(f);	/* what did not fit at first */
	client_read(c);
	return c->text;
}

static void client_says(struct fake *f, struct client *c, const char *text)
{
	if (send(c->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		c->eof = true;
	fake_turn(f);
}

#endif
