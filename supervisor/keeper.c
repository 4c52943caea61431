#include "supervisor/keeper.h"

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/keeper_inside.h"
#include "supervisor/logger.h"
#include "supervisor/notify.h"
#include "vassals/util.h"

#define BACKSTOP 10.0				/* s beyond reload-mercy: then the keeper ends everything itself */

/* ---- ends and signals */

static void generation_ended(struct keeper *k, struct holding *g)
{
	int status;
	kill(-g->pid, SIGKILL);		/* what is left of its tree; its number is ours until we reap it */
	if (waitpid(g->pid, &status, WNOHANG) != g->pid)
		return;
	holdings_ended(&k->held, g, status);
	keeper_post(k, &(struct link_message){ .kind = LINK_EXITED, .generation = g->generation, .error = status });
	keeper_pause_cancel(k, g->generation);
	keeper_sockets_left(k, g);
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
			keeper_ruler_ended(k, status);
		} else {
			keeper_reaped_errand(k, pid);	/* or, as PID 1, a stranger */
		}
		info.si_pid = 0;
	}
	ruler_stopped(k);
}

void keeper_may_end(struct keeper *k)
{
	if (k->phase == KEEPER_CLOSING && k->ruler == 0 && (!k->held.sockets || !ev_is_active(&k->closing)))
		ev_break(k->loop, EVBREAK_ALL);
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
		k->reloading = true;
		k->is_told = k->link.fd >= 0;
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
	ev_io_init(&k->signals, on_signals, k->signal_fd, EV_READ);
	ev_set_priority(&k->signals, EV_MAXPRI);	/* exits before requests: no reaped number is ever signalled */
	ev_timer_init(&k->mercy, on_mercy, 0., 0.);
	ev_timer_init(&k->errand_deadline, on_errand_deadline, 0., 0.);
	ev_periodic_init(&k->never, on_never, 4e9, 0., NULL);
	k->signals.data = k->mercy.data = k->errand_deadline.data = k;
	ev_io_start(k->loop, &k->signals);
	logger_pump_start(&k->log, k->loop);
	ev_periodic_start(k->loop, &k->never);
	keeper_init_ruler(k);
	keeper_orders_init(k);
	keeper_quiet_init(k);
	keeper_repair_init(k);
	keeper_pause_init(k);
}

int keeper_run(const struct keeper_config *config)
{
	static struct keeper k;		/* static: a ruler's leak checker must find what it inherits */
	k = (struct keeper){ .config = config, .link = { .fd = -1 } };
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
	getrlimit(RLIMIT_NOFILE, &limit);
	k.max_fds = limit.rlim_cur;
	k.loop = ev_loop_new(EVFLAG_NOENV);
	if (!k.loop || open_signals(&k) < 0) {
		log_error("keeper: cannot start: %s", strerror(errno));
		return 1;
	}
	init_watchers(&k);
	keeper_start_ruler(&k);
	ev_run(k.loop, 0);
	keeper_orders_free(&k);
	keeper_pause_free(&k);
	holdings_free(&k.held);
	util_close(k.inotify);
	ev_loop_destroy(k.loop);
	close(k.signal_fd);
	log_notice("regent: ended");
	return k.status;
}
