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
#include "supervisor/reading.h"
#include "supervisor/ruler_inside.h"
#include "vassals/util.h"


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
	ruler_roll_turn(r);
	ruler_write_records(r);
	tell_status(r);
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
			.retire_mercy = o->retire_mercy_ms * NSEC_PER_MSEC, .probe_limit = o->health_timeout_ms * NSEC_PER_MSEC,
			.hold_limit = o->hold_limit_ms * NSEC_PER_MSEC,
			.stop_byte = o->emperor_graceful_shutdown ? 2 : 0,
			.backoff = { .step_ns = throttle_step(o), .max_ns = o->emperor_max_throttle * NSEC_PER_MSEC,
				     .flat = o->emperor_no_blacklist },
		},
		.hold_sockets = o->hold_sockets, .handover = (enum spec_handover)o->handover, .drain_ms = o->drain_ms,
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

static int host_rehearse(void *data, struct court_vassal *cv, const char *path, const uint8_t id[COURT_ID_SIZE], uint32_t uid, uint64_t waiter)
{
	return court_rehearse(((struct ruler *)data)->court, cv, path, id, uid, waiter);
}

static uint32_t host_unhealthy(void *data, struct court_vassal *cv)
{
	(void)data;
	return cv->world ? ((struct subject *)cv->world)->unhealthy : 0;
}

static int make_commands(struct ruler *r)
{
	if (r->start->control < 0)
		return 0;
	struct commands_config config = {
		.loop = r->loop, .listen_fd = r->start->control, .court = r->court, .options = r->options,
		.host = { .data = r, .tail = host_tail, .identity = host_identity, .rescan = ruler_rescan, .reopen = host_reopen,
			  .dropped_lines = host_dropped, .check = ruler_check, .rehearse = host_rehearse,
			  .unhealthy = host_unhealthy },
		.owner = r->start->owner, .run_as = getuid(), .keeper = r->start->keeper, .ruler = getpid(),
	};
	int error = commands_new(&config, &r->commands);
	const char *complaints = error == 0 ? commands_complaints(r->commands) : NULL;
	if (complaints && r->start->first)
		log_warning("regent: %s", complaints);
	return error;
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

void ruler_start_monitors(struct ruler *r)
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

void ruler_rescan(void *data)
{
	struct ruler *r = data;
	for (unsigned i = 0; i < r->options->emperor.n; i++)
		if (r->monitors[i])
			monitor_rescan(r->monitors[i]);
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
	ruler_init_link(r);
	ev_prepare_init(&r->before_sleep, on_before_sleep);
	ev_periodic_init(&r->never, on_never, 4e9, 0., NULL);	/* as in keeper.c */
	r->before_sleep.data = r;
	ev_prepare_start(r->loop, &r->before_sleep);
	logger_pump_start(&r->log, r->loop);
	ev_periodic_start(r->loop, &r->never);
	ruler_errands_init(r);
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
	reading_cancel(r, NULL, NULL);
	lookup_end(r);
	for (unsigned i = 0; r->monitors && i < r->options->emperor.n; i++)
		monitor_free(r->monitors[i]);
	free(r->monitors);
	struct commands *commands = r->commands;
	r->commands = NULL;
	commands_free(commands);
	ruler_roll_end(r);
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
