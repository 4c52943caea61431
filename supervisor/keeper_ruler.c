#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/keeper_inside.h"
#include "supervisor/logger.h"
#include "supervisor/notify.h"
#include "vassals/util.h"

#define READS_PER_TURN 64			/* messages of one ruler before exits and signals get their turn */
#define LINK_RETRY 0.005
#define REFUSALS_SAID 100			/* of one ruler, each in full: one that floods must not fill the disk */
#define PAUSE_MAX 30.0
#define PAUSE_MIN 0.1				/* s, doubled with each death in a row */
#define GOOD_REIGN_NS (10 * NSEC_PER_SEC)	/* a ruler that lived this long: its death is a first one */

/* ---- the link */

static void watch_link(struct keeper *k)
{
	bool blocked = k->link.n_queued > 0;
	if (blocked) {	/* what is unsent must go before more is asked */
		ev_io_stop(k->loop, &k->link_read);
		ev_io_start(k->loop, &k->link_write);
	} else {
		ev_io_stop(k->loop, &k->link_write);
		ev_io_start(k->loop, &k->link_read);
	}
}

void keeper_post(struct keeper *k, struct link_message *m)
{
	if (k->link.fd < 0)
		return;		/* no ruler: the next one is told everything anyway */
	int r = link_post(&k->link, m);
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		log_error("keeper: cannot tell the ruler %s: %s", link_kind_name(m->kind), strerror(-r));
	watch_link(k);
}

static void on_link_write(struct ev_loop *loop, ev_io *w, int revents)
{
	struct keeper *k = w->data;
	size_t before = k->link.n_queued;
	(void)revents;
	link_flush(&k->link);
	if (k->link.n_queued == before && before > 0) {	/* writable, and yet not: too many descriptors in flight */
		ev_io_stop(loop, w);
		ev_timer_set(&k->link_retry, LINK_RETRY, 0.);
		ev_timer_start(loop, &k->link_retry);
		return;
	}
	watch_link(k);
}

static void on_link_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct keeper *k = w->data;
	(void)loop;
	(void)revents;
	if (k->link.fd >= 0) {
		link_flush(&k->link);
		watch_link(k);
	}
}

/* What the dead had queued is dropped with the link: each message is an order and its record in one, so nothing is half done. */
static void lose_link(struct keeper *k)
{
	ev_io_stop(k->loop, &k->link_read);
	ev_io_stop(k->loop, &k->link_write);
	ev_timer_stop(k->loop, &k->link_retry);
	ev_timer_stop(k->loop, &k->patience);
	link_close(&k->link);
}

static void kill_ruler(struct keeper *k, const char *why)
{
	log_error("keeper: the ruler (pid %d) %s: killed", (int)k->ruler, why);
	lose_link(k);
	kill(k->ruler, SIGKILL);
}

/* Mostly it is dying, and SIGCHLD says the rest; one that lives on without a link rules nobody. */
static void outlive_link(struct keeper *k)
{
	lose_link(k);
	ev_timer_set(&k->patience, k->config->options->ruler_patience / 1000., 0.);
	ev_timer_start(k->loop, &k->patience);
}

bool keeper_says_refusal(struct keeper *k)
{
	k->refusals++;
	if (k->refusals == REFUSALS_SAID + 1)
		log_error("keeper: from now on this ruler's refused requests are only counted");
	return k->refusals <= REFUSALS_SAID;
}

static void on_link_read(struct ev_loop *loop, ev_io *w, int revents)
{
	struct keeper *k = w->data;
	struct link_message m;
	const char *fault;
	(void)loop;
	(void)revents;
	for (int i = 0; i < READS_PER_TURN && k->link.fd >= 0 && k->link.n_queued == 0; i++) {
		int r = link_receive(&k->link, &m, &fault);
		if (r == 1) {
			keeper_take(k, &m);
		} else if (r == -EBADMSG) {
			if (keeper_says_refusal(k))
				log_error("keeper: refused a message of the ruler's (%s): %s", link_kind_name(m.kind), fault);
		} else {
			if (r < 0)
				outlive_link(k);
			return;
		}
	}
}

/* ---- the ruler's life */

static void close_others(const struct keeper *k, int link_fd)
{
	/* Sorted by hand: a link, a control socket, a log. */
	int keep[] = { 2, link_fd, k->config->control, k->config->log };
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
		for (size_t j = i + 1; j < ARRAY_SIZE(keep); j++)
			if (keep[j] < keep[i]) {
				int t = keep[i];
				keep[i] = keep[j];
				keep[j] = t;
			}
	for (size_t i = 0; i < ARRAY_SIZE(keep); i++) {
		unsigned first = keep[i] < 0 ? 3 : (unsigned)keep[i] + 1;
		unsigned last = i + 1 < ARRAY_SIZE(keep) ? (unsigned)keep[i + 1] - 1 : ~0U;
		if (keep[i] >= 0 && first <= last)
			close_range(first, last, 0);
	}
}

static void ruler_child(struct keeper *k, int link_fd)
{
	const struct keeper_config *c = k->config;
	struct ruler_start start = {
		.options = c->options, .link = link_fd, .control = c->control, .log = c->log, .uid = c->ruler_uid,
		.gid = c->ruler_gid, .owner = c->owner, .keeper = getppid(), .first = !k->listed,
	};
	prctl(PR_SET_NAME, "regent-ruler");
	close_others(k, link_fd);
	exit(c->ruler(&start));
}

static void tell_holding(struct keeper *k, const struct holding *g)
{
	struct link_message held = { .kind = LINK_HELD, .generation = g->generation, .pid = g->pid,
				     .fds = { g->wire, g->output, g->reach }, .n_fds = g->reach >= 0 ? 3 : 2 };
	keeper_post(k, &held);
	if (g->ended)
		keeper_post(k, &(struct link_message){ .kind = LINK_EXITED, .generation = g->generation, .error = g->status });
}

/* Everything a new ruler must know. */
static void hand_over(struct keeper *k)
{
	struct record *r, *after;
	struct holding *g, *next;
	HASH_ITER(hh, k->held.records, r, after)
		keeper_post(k, &(struct link_message){ .kind = LINK_RECORD, .name = r->name, .record = r->bytes,
						       .record_size = r->size });
	HASH_ITER(by_generation, k->held.by_generation, g, next)
		tell_holding(k, g);
	keeper_post(k, &(struct link_message){ .kind = LINK_SYNCED, .generation = k->held.newest });
	if (k->phase == KEEPER_DISSOLVING)
		keeper_post(k, &(struct link_message){ .kind = LINK_SIGNAL, .arg = SIGTERM });
}

static void pause_before_ruler(struct keeper *k)
{
	double pause = k->ruler_deaths <= 1 ? 0 : PAUSE_MIN;
	for (unsigned i = 2; i < k->ruler_deaths && pause < PAUSE_MAX; i++)
		pause *= 2;
	if (pause > PAUSE_MAX)
		pause = PAUSE_MAX;
	ev_timer_set(&k->pause, pause, 0.);
	ev_timer_start(k->loop, &k->pause);
	keeper_drain_start(k);
	log_notice("keeper: a new ruler in %.1f s", pause);
}

void keeper_start_ruler(struct keeper *k)
{
	int mine, its;
	int r = link_pair(&mine, &its);
	pid_t pid = r < 0 ? -1 : fork();
	if (pid == 0)
		ruler_child(k, its);
	if (pid < 0) {
		log_error("keeper: cannot start a ruler: %s", strerror(r < 0 ? -r : errno));
		if (r == 0) {
			close(mine);
			close(its);
		}
		k->ruler_deaths++;
		pause_before_ruler(k);
		return;
	}
	close(its);
	k->ruler = pid;
	k->ruler_started = util_now();
	k->refusals = 0;
	link_init(&k->link, mine, true);
	ev_io_set(&k->link_read, mine, EV_READ);
	ev_io_set(&k->link_write, mine, EV_WRITE);
	watch_link(k);
	hand_over(k);
	if (k->config->control >= 0)	/* a knock that nobody answered, or whose answer died, must not have been the last */
		ev_io_start(k->loop, &k->knock);
}

static void on_pause(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	keeper_start_ruler(w->data);
}

static void describe_end(int status, char *buf, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(buf, size, "was killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(buf, size, "exited %d", WEXITSTATUS(status));
}

void keeper_ruler_ended(struct keeper *k, int status)
{
	char text[64];
	pid_t pid = k->ruler;
	lose_link(k);
	k->ruler = 0;
	k->is_ready = k->is_told = false;
	if (k->phase == KEEPER_CLOSING) {
		if (status != 0)
			k->status = 1;
		keeper_may_end(k);
		return;
	}
	keeper_cancel_spawns(k);
	k->ruler_deaths = util_now() - k->ruler_started >= GOOD_REIGN_NS ? 1 : k->ruler_deaths + 1;
	if (k->refusals > REFUSALS_SAID)
		log_error("keeper: %llu requests of this ruler were refused", (unsigned long long)k->refusals);
	describe_end(status, text, sizeof text);
	log_error("keeper: the ruler (pid %d) %s; %u vassals go on", (int)pid, text, HASH_CNT(by_pid, k->held.by_pid));
	pause_before_ruler(k);
}

void keeper_ping(struct keeper *k)
{
	if (k->link.fd < 0 || ev_is_active(&k->patience))
		return;
	keeper_post(k, &(struct link_message){ .kind = LINK_PING });
	ev_timer_set(&k->patience, k->config->options->ruler_patience / 1000., 0.);
	ev_timer_start(k->loop, &k->patience);
	keeper_drain_start(k);
}

static void on_patience(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct keeper *k = w->data;
	(void)loop;
	(void)revents;
	if (k->ruler > 0)
		kill_ruler(k, "did not answer within ruler-patience");
}

/* Somebody knocks at the control socket: a ruler that is alive will open. Once, then again only after its answer. */
static void on_knock(struct ev_loop *loop, ev_io *w, int revents)
{
	struct keeper *k = w->data;
	(void)revents;
	ev_io_stop(loop, w);
	keeper_ping(k);
}

static void on_knock_again(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct keeper *k = w->data;
	(void)revents;
	(void)w;
	ev_io_start(loop, &k->knock);
}

static void on_watchdog(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	keeper_ping(w->data);
}

void keeper_init_ruler(struct keeper *k)
{
	double watchdog = (double)notify_watchdog() / 1e9 / 2;
	ev_io_init(&k->link_read, on_link_read, -1, EV_READ);
	ev_io_init(&k->link_write, on_link_write, -1, EV_WRITE);
	ev_io_init(&k->knock, on_knock, k->config->control, EV_READ);
	ev_timer_init(&k->link_retry, on_link_retry, 0., 0.);
	ev_timer_init(&k->pause, on_pause, 0., 0.);
	ev_timer_init(&k->patience, on_patience, 0., 0.);
	ev_timer_init(&k->knock_again, on_knock_again, 1., 0.);
	ev_timer_init(&k->watchdog, on_watchdog, watchdog, watchdog);
	keeper_drain_init(k);
	k->link_read.data = k->link_write.data = k->knock.data = k->link_retry.data = k->pause.data = k->patience.data =
		k->knock_again.data = k->watchdog.data = k;
	if (k->config->control >= 0)
		ev_io_start(k->loop, &k->knock);
	if (watchdog > 0)
		ev_timer_start(k->loop, &k->watchdog);
}
