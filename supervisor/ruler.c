#include "supervisor/ruler.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/logger.h"
#include "supervisor/privileges.h"
#include "supervisor/ruler_inside.h"
#include "vassals/launch.h"
#include "vassals/util.h"

#define LINK_RETRY 0.005
#define READS_PER_TURN 64

/* ---- the link */

static void watch_link(struct ruler *r)
{
	if (r->link.n_queued > 0 && !ev_is_active(&r->link_retry))
		ev_io_start(r->loop, &r->link_write);
	else
		ev_io_stop(r->loop, &r->link_write);
}

void ruler_post(struct ruler *r, struct link_message *m)
{
	int error = link_post(&r->link, m);
	/* EPIPE: the keeper is gone, or is done with us; reading tells. */
	if (error < 0 && error != -EPIPE && error != -ECONNRESET)
		log_error("ruler: cannot ask the keeper for %s: %s", link_kind_name(m->kind), strerror(-error));
	watch_link(r);
}

static void on_link_write(struct ev_loop *loop, ev_io *w, int revents)
{
	struct ruler *r = w->data;
	size_t before = r->link.n_queued;
	(void)revents;
	link_flush(&r->link);
	if (r->link.n_queued == before) {
		ev_timer_set(&r->link_retry, LINK_RETRY, 0.);
		ev_timer_start(loop, &r->link_retry);
	}
	watch_link(r);
}

static void on_link_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct ruler *r = w->data;
	(void)loop;
	(void)revents;
	link_flush(&r->link);
	watch_link(r);
}

/* ---- errands */

int ruler_errand(struct ruler *r, enum errand_kind kind, const char *name, unsigned monitor, const struct subject *ids,
		 const char *target, errand_done done, void *data)
{
	struct ruler_errand *e = NULL;
	for (int i = 0; i < RULER_ERRANDS_MAX && !e; i++)
		if (r->errands[i].serial == 0)
			e = &r->errands[i];
	if (!e)
		return -EBUSY;
	e->serial = ++r->next_serial;
	e->done = done;
	e->data = data;
	struct link_message m = {
		.kind = LINK_ERRAND, .arg = kind, .generation = e->serial, .name = name, .monitor = (uint16_t)monitor, .text = target,
		.uid = ids ? ids->uid : IDENTITY_NONE, .gid = ids ? ids->gid : (gid_t)-1,
		.fds = { watch_fd(r->watch) }, .n_fds = kind == ERRAND_LOOK,
	};
	ruler_post(r, &m);
	return 0;
}

void ruler_errand_forget(struct ruler *r, const void *data)
{
	for (int i = 0; i < RULER_ERRANDS_MAX; i++)
		if (r->errands[i].data == data)
			r->errands[i].done = NULL;
}

static void errand_end(struct ruler_errand *e, const struct errand_answer *answer, int fd)
{
	errand_done done = e->done;
	void *data = e->data;
	e->serial = 0;
	e->done = NULL;
	e->data = NULL;
	if (done)
		done(e->ruler, data, answer, fd);
	else
		util_close(fd);
}

static void on_errand(struct ev_loop *loop, ev_io *w, int revents)
{
	struct ruler_errand *e = w->data;
	static struct errand_answer answer;	/* 16 KiB: not on the stack, and one at a time */
	int fd = -1, error = errand_read(w->fd, &answer, &fd);
	(void)revents;
	if (error == -EAGAIN)
		return;
	if (error < 0)
		answer = (struct errand_answer){ .error = -error };
	ev_io_stop(loop, w);
	util_close(w->fd);
	errand_end(e, &answer, fd);
}

void ruler_errand_answered(struct ruler *r, const struct link_message *m, int fd)
{
	for (int i = 0; i < RULER_ERRANDS_MAX; i++) {
		struct ruler_errand *e = &r->errands[i];
		if (e->serial != m->generation)
			continue;
		if (fd < 0) {
			struct errand_answer failed = { .error = m->error ? m->error : EIO };
			errand_end(e, &failed, -1);
			return;
		}
		ev_io_init(&e->io, on_errand, fd, EV_READ);
		e->io.data = e;
		ev_io_start(r->loop, &e->io);
		return;
	}
	util_close(fd);
}

/* ---- what the keeper says */

static void take_record(struct ruler *r, struct link_message *m)
{
	int error = court_adopt_record(r->court, m->name, m->record, m->record_size);
	if (error < 0)
		log_error("ruler: the record of %s is unusable: %s", m->name, strerror(-error));
}

static int take_message_fd(struct link_message *m, unsigned i)
{
	if (i >= m->n_fds)
		return -1;
	int fd = m->fds[i];
	m->fds[i] = -1;
	return fd;
}

static bool attach(struct ruler *r, struct link_message *m)
{
	struct court_vassal *cv = court_find_generation(r->court, m->generation);
	struct subject *s = cv ? subject_of(r, cv) : NULL;
	if (s)
		subject_attach(s, m->generation, take_message_fd(m, 0), take_message_fd(m, 1));
	return s != NULL;
}

/* A generation that no record speaks of: it must not run unruled. */
static void disown(struct ruler *r, uint64_t generation)
{
	log_error("ruler: generation %llu is unknown: killed", (unsigned long long)generation);
	ruler_post(r, &(struct link_message){ .kind = LINK_KILL, .generation = generation });
}

static void take_held(struct ruler *r, struct link_message *m)
{
	if (!court_adopt_generation(r->court, m->generation, m->pid))
		disown(r, m->generation);
	else if (m->n_fds == 2)
		attach(r, m);
}

static void take_started(struct ruler *r, struct link_message *m)
{
	ruler_spawn_done(r);
	if (attach(r, m))
		court_started(r->court, m->generation, m->pid);
	else
		disown(r, m->generation);
}

static void take_failed(struct ruler *r, struct link_message *m)
{
	ruler_spawn_done(r);
	court_spawn_failed(r->court, m->generation, m->arg, m->error);
}

static void exited(struct ruler *r, uint64_t generation, int status)
{
	struct court_vassal *cv = court_find_generation(r->court, generation);
	if (cv && cv->world)
		subject_detach(cv->world);
	if (!court_exited(r->court, generation, status))
		ruler_post(r, &(struct link_message){ .kind = LINK_FORGET, .generation = generation });
}

static void take_exited(struct ruler *r, struct link_message *m)
{
	if (r->phase != RULER_ADOPTING) {
		exited(r, m->generation, m->error);
		return;
	}
	struct early_exit *grown = realloc(r->early_exits, (r->n_early_exits + 1) * sizeof *grown);
	if (!grown)
		_exit(1);	/* the keeper starts another ruler and tells it again */
	r->early_exits = grown;
	grown[r->n_early_exits++] = (struct early_exit){ m->generation, m->error };
}

/* The two things about a directory that an admin must be told at once. */
static void judge_directory(const char *path)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		log_warning("regent: %s is not there yet: waiting for it", path);
	else if (fd < 0 && errno == EACCES)
		log_error("regent: %s may not be read by the ruler's user (uid %u): give it read and search permission there, for example "
			  "with setfacl -m u:%u:rx; until then it is looked at again and again", path, getuid(), getuid());
}

static void start_monitors(struct ruler *r)
{
	r->listing = true;
	for (unsigned i = 0; i < r->options->emperor.n; i++) {
		if (strcmp(r->monitors[i]->kind->scheme, "dir") == 0)
			judge_directory(r->monitors[i]->argument);
		int error = monitor_start(r->monitors[i]);
		if (error < 0)
			log_error("ruler: cannot monitor %s: %s", r->options->emperor.items[i], strerror(-error));
	}
	r->listing = false;
	court_sweep(r->court);
}

/* Now everything that earlier rulers knew is here. */
static void take_synced(struct ruler *r, struct link_message *m)
{
	court_number_from(r->court, m->generation);
	court_adopted(r->court);
	for (struct court_vassal *cv = court_first(r->court); cv; cv = court_next(cv))
		r->busy += ruler_is_busy(cv->v.state);
	r->phase = RULER_RULING;
	start_monitors(r);
	for (size_t i = 0; i < r->n_early_exits; i++)
		exited(r, r->early_exits[i].generation, r->early_exits[i].status);
	free(r->early_exits);
	r->early_exits = NULL;
	r->n_early_exits = 0;
	ruler_post(r, &(struct link_message){ .kind = LINK_READY });
	if (r->commands)
		commands_ready(r->commands);
}

static void log_states(struct ruler *r)
{
	for (struct court_vassal *cv = court_first(r->court); cv; cv = court_next(cv))
		log_notice("[%s] %s, pid %d, %u restarts", cv->name, vassal_state_name(cv->v.state), (int)cv->v.pid, cv->v.restarts);
}

static void rescan(void *data)
{
	struct ruler *r = data;
	for (unsigned i = 0; i < r->options->emperor.n; i++)
		if (r->monitors[i])
			monitor_rescan(r->monitors[i]);
}

static void dissolve(struct ruler *r)
{
	r->phase = RULER_DISSOLVING;
	court_dissolve(r->court, r->options->reload_mercy * NSEC_PER_SEC);
}

/* As the Emperor takes them, emperor-facts. */
static void take_signal(struct ruler *r, struct link_message *m)
{
	switch (m->arg) {
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
		dissolve(r);
		break;
	case SIGHUP:
		log_notice("regent: SIGHUP: reloading all vassals");
		r->reloading = true;
		court_reload_all(r->court);
		break;
	case SIGUSR1:
		log_states(r);
		break;
	case SIGURG:
		court_forget_blacklist(r->court);
		break;
	case SIGWINCH:
		rescan(r);
		break;
	default:
		break;
	}
}

static void take_ping(struct ruler *r, struct link_message *m)
{
	(void)m;
	ruler_post(r, &(struct link_message){ .kind = LINK_PONG });
}

static void take_errand(struct ruler *r, struct link_message *m)
{
	ruler_errand_answered(r, m, take_message_fd(m, 0));
}

static void take_reopened(struct ruler *r, struct link_message *m)
{
	(void)r;
	int fd = take_message_fd(m, 0);
	if (m->error != 0)
		log_error("ruler: the log file could not be opened anew: %s", strerror(m->error));
	if (fd >= 0)
		logger_set_fd(fd);
}

typedef void (*message_handler)(struct ruler *r, struct link_message *m);
static const message_handler handlers[LINK_KINDS] = {
	[LINK_RECORD] = take_record, [LINK_HELD] = take_held, [LINK_SYNCED] = take_synced, [LINK_STARTED] = take_started,
	[LINK_FAILED] = take_failed, [LINK_EXITED] = take_exited, [LINK_SIGNAL] = take_signal, [LINK_PING] = take_ping,
	[LINK_ERRAND_DONE] = take_errand, [LINK_REOPENED] = take_reopened,
};

/* It lost its descriptors on the way to us (we are out of them): it cannot be ruled, so it must go. */
static void take_crippled(struct ruler *r, struct link_message *m, const char *fault)
{
	log_error("ruler: a message of the keeper's (%s, generation %llu) is unusable: %s", link_kind_name(m->kind),
		  (unsigned long long)m->generation, fault);
	if (m->kind != LINK_STARTED)
		return;
	ruler_spawn_done(r);
	ruler_post(r, &(struct link_message){ .kind = LINK_KILL, .generation = m->generation });
	court_spawn_failed(r->court, m->generation, LAUNCH_DESCRIPTORS, EMFILE);
}

static void on_link_read(struct ev_loop *loop, ev_io *w, int revents)
{
	struct ruler *r = w->data;
	struct link_message m;
	const char *fault;
	(void)revents;
	for (int i = 0; i < READS_PER_TURN; i++) {
		int got = link_receive(&r->link, &m, &fault);
		if (got == 0)
			return;
		if (got == 1) {
			handlers[m.kind](r, &m);
			link_close_fds(&m);
		} else if (got == -EBADMSG) {
			take_crippled(r, &m, fault);
		} else {
			/* The keeper is gone: all wires close with us, and without wires no vassal lives on. */
			if (r->phase != RULER_DISSOLVING) {
				log_error("ruler: the keeper is gone: ending");
				r->status = 1;
			}
			ev_break(loop, EVBREAK_ALL);
			return;
		}
	}
}

/* ---- once a turn */

static void tell_status(struct ruler *r)
{
	char text[64];
	size_t n = court_running(r->court);
	if (n == r->status_told)
		return;
	r->status_told = n;
	snprintf(text, sizeof text, "The Emperor is governing %zu vassals", n);
	ruler_post(r, &(struct link_message){ .kind = LINK_NOTIFY, .text = text });
}

static void on_before_sleep(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct ruler *r = w->data;
	(void)loop;
	(void)revents;
	if (r->phase == RULER_ADOPTING)
		return;
	tell_status(r);
	if (r->reloading && r->busy == 0) {
		r->reloading = false;
		log_notice("regent: all vassals reloaded");
		ruler_post(r, &(struct link_message){ .kind = LINK_READY });
	}
	if (r->phase == RULER_DISSOLVING && court_is_dissolved(r->court) && r->status == 0) {
		r->status = -1;	/* said once */
		ruler_post(r, &(struct link_message){ .kind = LINK_DISSOLVED });
	}
}

static void on_never(struct ev_loop *loop, ev_periodic *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
}

/* ---- start */

static void say_warning(void *data, const char *text)
{
	(void)data;
	log_warning("%s", text);
}

static int64_t stamp(void *data)
{
	struct timespec ts;
	(void)data;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Without a blacklist the Emperor starts again at once, for ever; so do we, but never in a loop that eats a CPU. */
#define UNTHROTTLED_NS (100 * NSEC_PER_MSEC)

static uint64_t throttle_step(const struct options *o)
{
	uint64_t step = o->emperor_throttle * NSEC_PER_MSEC;
	return o->emperor_no_blacklist && step > UNTHROTTLED_NS ? UNTHROTTLED_NS : step;
}

static int make_court(struct ruler *r)
{
	const struct options *o = r->options;
	struct court_world world;
	struct court_config config = {
		.rules = {
			.signal = SPEC_SIGNAL_ACCEPTING, .ready_for = o->ready_for * NSEC_PER_MSEC,
			.start_patience = o->start_patience * NSEC_PER_MSEC, .start_timeout = o->start_timeout * NSEC_PER_MSEC,
			.mercy = o->emperor_curse_tolerance * NSEC_PER_SEC, .curse_tolerance = o->emperor_curse_tolerance * NSEC_PER_SEC,
			.heartbeat = o->emperor_required_heartbeat * NSEC_PER_SEC,
			.stop_byte = o->emperor_graceful_shutdown ? 2 : 0,
			.backoff = { .step_ns = throttle_step(o), .max_ns = o->emperor_max_throttle * NSEC_PER_MSEC,
				     .flat = o->emperor_no_blacklist },
		},
		.max_starting = o->max_starting, .first_generation = 1, .stamp = stamp,
	};
	ruler_world(r, &world);
	return court_new(&config, &world, &r->court);
}

static char *host_tail(void *data, struct court_vassal *cv, size_t lines, bool newest_only)
{
	(void)data;
	return cv->world ? subject_tail(cv->world, lines, newest_only) : NULL;
}

static bool host_identity(void *data, struct court_vassal *cv, uid_t *uid)
{
	struct subject *s = subject_of(data, cv);
	uid_t found = s ? subject_uid(s) : IDENTITY_NONE;
	if (found == IDENTITY_NONE)
		return false;
	*uid = found;
	return true;
}

static int host_reopen(void *data)
{
	ruler_post(data, &(struct link_message){ .kind = LINK_REOPEN });
	return 0;
}

static uint64_t host_dropped(void *data, struct court_vassal *cv)
{
	(void)data;
	return cv->world ? ((struct subject *)cv->world)->dropped : 0;
}

static int make_commands(struct ruler *r)
{
	if (r->start->control < 0)
		return 0;
	struct commands_config config = {
		.loop = r->loop, .listen_fd = r->start->control, .court = r->court, .options = r->options,
		.host = { .data = r, .tail = host_tail, .identity = host_identity, .rescan = rescan, .reopen = host_reopen,
			  .dropped_lines = host_dropped },
		.owner = r->start->owner, .run_as = getuid(), .keeper = r->start->keeper, .ruler = getpid(),
	};
	int error = commands_new(&config, &r->commands);
	const char *complaints = error == 0 ? commands_complaints(r->commands) : NULL;
	if (complaints && r->start->first)
		log_warning("regent: %s", complaints);
	return error;
}

static int make_monitors(struct ruler *r)
{
	struct watch_config watch = { .loop = r->loop, .scan_interval_ms = r->options->emperor_freq * 1000, .denied = lookup_denied,
				      .data = r, .warn = say_warning };
	int error = watch_new(&watch, &r->watch);
	r->monitors = error == 0 ? calloc(r->options->emperor.n, sizeof(struct monitor *)) : NULL;
	if (!r->monitors)
		return error < 0 ? error : -ENOMEM;
	struct monitor_config config = {
		.watch = r->watch, .loop = r->loop, .extra_extensions = r->options->emperor_extra_extension.items,
		.nofollow = r->options->emperor_nofollow, .found = lookup_found, .warn = say_warning, .data = r,
	};
	for (unsigned i = 0; i < r->options->emperor.n; i++) {
		error = monitor_new(&config, r->options->emperor.items[i], i, &r->monitors[i]);
		if (error < 0)
			return error;
	}
	return 0;
}

static void make_watchers(struct ruler *r)
{
	ev_io_init(&r->link_read, on_link_read, r->link.fd, EV_READ);
	ev_io_init(&r->link_write, on_link_write, r->link.fd, EV_WRITE);
	ev_timer_init(&r->link_retry, on_link_retry, 0., 0.);
	ev_prepare_init(&r->before_sleep, on_before_sleep);
	ev_periodic_init(&r->never, on_never, 4e9, 0., NULL);	/* as in keeper.c */
	r->link_read.data = r->link_write.data = r->link_retry.data = r->before_sleep.data = r;
	ev_io_start(r->loop, &r->link_read);
	ev_prepare_start(r->loop, &r->before_sleep);
	logger_pump_start(&r->log, r->loop);
	ev_periodic_start(r->loop, &r->never);
	for (int i = 0; i < RULER_ERRANDS_MAX; i++)
		r->errands[i].ruler = r;
}

static int ruler_new(struct ruler *r, const struct ruler_start *start)
{
	*r = (struct ruler){ .start = start, .options = start->options, .status_told = SIZE_MAX };
	r->spawns_end = &r->spawns;
	link_init(&r->link, start->link, false);
	r->loop = ev_loop_new(EVFLAG_NOENV);
	if (!r->loop)
		return -ENOMEM;
	make_watchers(r);
	int error = make_court(r);
	if (error == 0)
		error = make_monitors(r);
	return error < 0 ? error : make_commands(r);
}

static void ruler_free(struct ruler *r)
{
	for (unsigned i = 0; r->monitors && i < r->options->emperor.n; i++)
		monitor_free(r->monitors[i]);
	free(r->monitors);
	struct commands *commands = r->commands;
	r->commands = NULL;
	commands_free(commands);
	r->court = court_free(r->court);
	watch_free(r->watch);
	while (r->spawns) {
		struct spawn_wish *wish = r->spawns;
		r->spawns = wish->next;
		free(wish);
	}
	link_close(&r->link);
	ev_loop_destroy(r->loop);
}

int ruler_main(const struct ruler_start *start)
{
	static struct ruler r;
	int error = privileges_ruler(start->uid, start->gid);
	if (error < 0) {
		log_error("ruler: cannot give up its privileges: %s", strerror(-error));
		return 1;
	}
	error = ruler_new(&r, start);
	if (error < 0) {
		log_error("ruler: cannot start: %s", strerror(-error));
		return 1;
	}
	ev_run(r.loop, 0);
	int status = r.status > 0 ? r.status : 0;
	ruler_free(&r);
	return status;
}
