#include "supervisor/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/keeper_inside.h"
#include "supervisor/logger.h"
#include "supervisor/notify.h"
#include "vassals/util.h"

#define GOOD_REIGN_NS (10 * NSEC_PER_SEC)	/* a ruler that lived this long: its death is a first one */
#define PAUSE_MIN 0.1				/* s, doubled with each death in a row */
#define PAUSE_MAX 30.0
#define BACKSTOP 10.0				/* s beyond reload-mercy: then the keeper ends everything itself */
#define LINK_RETRY 0.005
#define READS_PER_TURN 64			/* messages of one ruler before exits and signals get their turn */

static void start_ruler(struct keeper *k);

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
			log_error("keeper: refused a message of the ruler's (%s): %s", link_kind_name(m.kind), fault);
		} else {
			if (r < 0)
				lose_link(k);	/* SIGCHLD says the rest */
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
				     .fds = { g->wire, g->output }, .n_fds = 2 };
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
	log_notice("keeper: a new ruler in %.1f s", pause);
}

static void start_ruler(struct keeper *k)
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
	link_init(&k->link, mine, true);
	ev_io_set(&k->link_read, mine, EV_READ);
	ev_io_set(&k->link_write, mine, EV_WRITE);
	watch_link(k);
	hand_over(k);
}

static void on_pause(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	start_ruler(w->data);
}

static void describe_end(int status, char *buf, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(buf, size, "was killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(buf, size, "exited %d", WEXITSTATUS(status));
}

static void ruler_ended(struct keeper *k, int status)
{
	char text[64];
	pid_t pid = k->ruler;
	lose_link(k);
	k->ruler = 0;
	if (k->phase == KEEPER_CLOSING) {
		if (status != 0)
			k->status = 1;
		ev_break(k->loop, EVBREAK_ALL);
		return;
	}
	k->ruler_deaths = util_now() - k->ruler_started >= GOOD_REIGN_NS ? 1 : k->ruler_deaths + 1;
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

/* ---- ends and signals */

static void generation_ended(struct keeper *k, struct holding *g)
{
	int status;
	kill(-g->pid, SIGKILL);		/* what is left of its tree; its number is ours until we reap it */
	if (waitpid(g->pid, &status, WNOHANG) != g->pid)
		return;
	holdings_ended(&k->held, g, status);
	keeper_post(k, &(struct link_message){ .kind = LINK_EXITED, .generation = g->generation, .error = status });
}

static void ruler_stopped(struct keeper *k)
{
	siginfo_t info = { 0 };
	if (k->ruler > 0 && waitid(P_PID, (id_t)k->ruler, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid == k->ruler)
		keeper_ping(k);		/* patience begins */
}

static void reap(struct keeper *k)
{
	siginfo_t info = { 0 };
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
		pid_t pid = info.si_pid;
		struct holding *g = holdings_find_pid(&k->held, pid);
		int status;
		if (g) {
			generation_ended(k, g);
		} else if (waitpid(pid, &status, WNOHANG) == pid && pid == k->ruler) {
			ruler_ended(k, status);
		} else {
			keeper_reaped_errand(k, pid);	/* or, as PID 1, a stranger */
		}
		info.si_pid = 0;
	}
	ruler_stopped(k);
}

static void end_everything(struct keeper *k)
{
	struct holding *g, *next;
	HASH_ITER(by_generation, k->held.by_generation, g, next)
		keeper_end_tree(g);
}

static void on_mercy(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct keeper *k = w->data;
	(void)revents;
	log_error("keeper: the court was not dissolved in time: killing what is left");
	end_everything(k);
	if (k->ruler > 0)
		kill(k->ruler, SIGKILL);
	k->status = 1;
	ev_break(loop, EVBREAK_ALL);
}

static void dissolve(struct keeper *k, int signo)
{
	if (k->phase != KEEPER_RULING)
		return;
	k->phase = KEEPER_DISSOLVING;
	notify_stopping();
	log_notice("regent: SIG%s: stopping all vassals", sigabbrev_np(signo));
	ev_timer_set(&k->mercy, k->config->options->reload_mercy + BACKSTOP, 0.);
	ev_timer_start(k->loop, &k->mercy);
	keeper_post(k, &(struct link_message){ .kind = LINK_SIGNAL, .arg = (uint32_t)signo });
}

static void take_signal(struct keeper *k, int signo)
{
	switch (signo) {
	case SIGCHLD:
		reap(k);
		return;
	case SIGTERM:
	case SIGINT:
	case SIGQUIT:
		dissolve(k, signo);
		break;
	case SIGHUP:
		notify_reloading();	/* the ruler says READY when it is through */
		/* fall through */
	default:
		keeper_post(k, &(struct link_message){ .kind = LINK_SIGNAL, .arg = (uint32_t)signo });
	}
	keeper_ping(k);
}

static void on_signals(struct ev_loop *loop, ev_io *w, int revents)
{
	struct signalfd_siginfo info;
	(void)loop;
	(void)revents;
	while (read(w->fd, &info, sizeof info) == sizeof info)
		take_signal(w->data, (int)info.ssi_signo);
}

static void on_errand_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct keeper *k = w->data;
	uint64_t now = util_now(), next = 0;
	(void)revents;
	for (int i = 0; i < KEEPER_ERRANDS_MAX; i++) {
		struct keeper_errand *e = &k->errands[i];
		if (e->pid == 0)
			continue;
		if (e->deadline <= now)
			kill(e->pid, SIGKILL);	/* not reaped yet, so the number is its own */
		else if (next == 0 || e->deadline < next)
			next = e->deadline;
	}
	if (next != 0) {
		ev_timer_set(w, (double)(next - now) / 1e9, 0.);
		ev_timer_start(loop, w);
	}
}

/* ---- start */

static int open_signals(struct keeper *k)
{
	static const int signals[] = { SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGURG, SIGWINCH };
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	k->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return k->signal_fd < 0 ? -errno : 0;
}

static void on_never(struct ev_loop *loop, ev_periodic *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
}

static void init_watchers(struct keeper *k)
{
	double watchdog = (double)notify_watchdog() / 1e9 / 2;
	ev_io_init(&k->signals, on_signals, k->signal_fd, EV_READ);
	ev_set_priority(&k->signals, EV_MAXPRI);	/* exits before requests: no reaped number is ever signalled */
	ev_io_init(&k->link_read, on_link_read, -1, EV_READ);
	ev_io_init(&k->link_write, on_link_write, -1, EV_WRITE);
	ev_io_init(&k->knock, on_knock, k->config->control, EV_READ);
	ev_timer_init(&k->link_retry, on_link_retry, 0., 0.);
	ev_timer_init(&k->pause, on_pause, 0., 0.);
	ev_timer_init(&k->patience, on_patience, 0., 0.);
	ev_timer_init(&k->knock_again, on_knock_again, 1., 0.);
	ev_timer_init(&k->mercy, on_mercy, 0., 0.);
	ev_timer_init(&k->errand_deadline, on_errand_deadline, 0., 0.);
	ev_timer_init(&k->watchdog, on_watchdog, watchdog, watchdog);
	ev_periodic_init(&k->never, on_never, 4e9, 0., NULL);
	k->signals.data = k->link_read.data = k->link_write.data = k->knock.data = k->link_retry.data = k->pause.data =
		k->patience.data = k->knock_again.data = k->mercy.data = k->errand_deadline.data = k->watchdog.data = k;
	ev_io_start(k->loop, &k->signals);
	logger_pump_start(&k->log, k->loop);
	ev_periodic_start(k->loop, &k->never);
	if (k->config->control >= 0)
		ev_io_start(k->loop, &k->knock);
	if (watchdog > 0)
		ev_timer_start(k->loop, &k->watchdog);
}

int keeper_run(const struct keeper_config *config)
{
	static struct keeper k;		/* static: a ruler's leak checker must find what it inherits */
	k = (struct keeper){ .config = config, .link = { .fd = -1 } };
	k.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	k.loop = ev_loop_new(EVFLAG_NOENV);
	if (k.null < 0 || !k.loop || open_signals(&k) < 0) {
		log_error("keeper: cannot start: %s", strerror(errno));
		return 1;
	}
	init_watchers(&k);
	start_ruler(&k);
	ev_run(k.loop, 0);
	holdings_free(&k.held);
	ev_loop_destroy(k.loop);
	close(k.signal_fd);
	close(k.null);
	log_notice("regent: ended");
	return k.status;
}
