#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/logger.h"
#include "supervisor/ruler_inside.h"
#include "vassals/launch.h"
#include "vassals/util.h"

#define READS_PER_TURN 64
#define LINK_RETRY 0.005

/* ---- sending */

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
	struct strand_ends ends = { m->generation, m->pid, m->fds[0], m->fds[1], m->n_fds > 2 ? m->fds[2] : -1 };
	if (!s || !subject_attach(s, &ends))
		return false;
	for (unsigned i = 0; i < m->n_fds; i++)
		m->fds[i] = -1;
	return true;
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
	else if (m->n_fds >= 2 && !attach(r, m))
		_exit(1);	/* no memory: another ruler, from the records */
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
		subject_detach(cv->world, generation);
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

static void take_switched(struct ruler *r, struct link_message *m)
{
	court_switched(r->court, m->generation, m->error);
}

static void take_drained(struct ruler *r, struct link_message *m)
{
	court_drained(r->court, m->generation);
}

/* Now everything that earlier rulers knew is here. */
static void take_synced(struct ruler *r, struct link_message *m)
{
	court_number_from(r->court, m->generation);
	court_adopted(r->court);
	r->phase = RULER_RULING;
	ruler_start_monitors(r);
	for (size_t i = 0; i < r->n_early_exits; i++)
		exited(r, r->early_exits[i].generation, r->early_exits[i].status);
	for (struct court_vassal *cv = court_first(r->court); cv; cv = court_next(cv))
		if (cv->world)
			subject_listen(cv->world);
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
		ruler_roll_begin(r);
		break;
	case SIGUSR1:
		log_states(r);
		break;
	case SIGURG:
		court_forget_blacklist(r->court);
		break;
	case SIGWINCH:
		ruler_rescan(r);
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
	[LINK_ERRAND_DONE] = take_errand, [LINK_REOPENED] = take_reopened, [LINK_SWITCHED] = take_switched,
	[LINK_DRAINED] = take_drained,
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

void ruler_init_link(struct ruler *r)
{
	ev_io_init(&r->link_read, on_link_read, r->link.fd, EV_READ);
	ev_io_init(&r->link_write, on_link_write, r->link.fd, EV_WRITE);
	ev_timer_init(&r->link_retry, on_link_retry, 0., 0.);
	r->link_read.data = r->link_write.data = r->link_retry.data = r;
	ev_io_start(r->loop, &r->link_read);
}
