#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/errand.h"
#include "supervisor/keeper_inside.h"
#include "supervisor/logger.h"
#include "supervisor/notify.h"
#include "vassals/util.h"

typedef void (*request_handler)(struct keeper *k, struct link_message *m);

void keeper_refuse(struct keeper *k, const struct link_message *m, const char *why)
{
	if (!keeper_says_refusal(k))
		return;
	log_error("keeper: refused %s of %s (generation %llu): %s", link_kind_name(m->kind), m->name ? m->name : "?",
		  (unsigned long long)m->generation, why);
}

/* ---- what needs a generation of that name */

struct holding *keeper_own_generation(struct keeper *k, const struct link_message *m)
{
	struct holding *g = holdings_find(&k->held, m->generation);
	if (g && (!m->name || strcmp(g->name, m->name) == 0))
		return g;
	if (g)
		keeper_refuse(k, m, "that generation belongs to another vassal");
	return NULL;
}

void keeper_keep_record(struct keeper *k, const struct link_message *m)
{
	int r = m->name && m->record_size > 0 ? holdings_record(&k->held, m->name, m->record, m->record_size) : 0;
	if (r < 0)
		keeper_refuse(k, m, r == -ENOSPC ? "too many names" : "no memory for its record");
}

static bool is_byte(uint32_t arg)
{
	uint32_t byte = arg & ~LINK_SEND_PAUSED;
	return byte <= 2 && (byte > 0 || !(arg & LINK_SEND_PAUSED));
}

void keeper_send_byte(struct holding *g, unsigned char byte)
{
	/* EPIPE: it is dying, its end is on the way. EAGAIN: it has not read 200 bytes, and will not read this one either. */
	if (send(g->wire, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		log_warning("keeper: byte %u for %s was not taken: %s", byte, g->name, strerror(errno));
}

static void do_send(struct keeper *k, struct link_message *m)
{
	struct holding *g = keeper_own_generation(k, m);
	if (!is_byte(m->arg)) {
		keeper_refuse(k, m, "no byte for a vassal");
		return;
	}
	if (g || !holdings_find(&k->held, m->generation))
		keeper_keep_record(k, m);
	if (!g || g->ended)
		return;
	keeper_pause_cancel(k, g->generation);	/* the newest order counts */
	if (m->arg & LINK_SEND_PAUSED)
		keeper_pause(k, g, (unsigned char)m->arg);
	else
		keeper_send_byte(g, (unsigned char)m->arg);
}

/* The group first: while its leader is not reaped, nobody else can have its number. */
void keeper_end_tree(struct holding *g)
{
	if (g->ended)
		return;
	kill(-g->pid, SIGKILL);
	syscall(SYS_pidfd_send_signal, g->pidfd, SIGKILL, NULL, 0);
}

static void do_kill(struct keeper *k, struct link_message *m)
{
	struct holding *g = keeper_own_generation(k, m);
	if (g || !holdings_find(&k->held, m->generation))
		keeper_keep_record(k, m);
	if (g)
		keeper_end_tree(g);
	else
		keeper_cancel_spawn(k, m);
}

static void do_forget(struct keeper *k, struct link_message *m)
{
	struct holding *g = keeper_own_generation(k, m);
	if (g && !g->ended) {
		keeper_refuse(k, m, "it is alive");
		return;
	}
	keeper_keep_record(k, m);
	if (g)
		holdings_forget(&k->held, g);
}

static void do_state(struct keeper *k, struct link_message *m)
{
	keeper_keep_record(k, m);
}

static void do_drop(struct keeper *k, struct link_message *m)
{
	if (keeper_sockets_live(k, m->name) || holdings_drop(&k->held, m->name) < 0)
		keeper_refuse(k, m, "a generation of it is alive");
	else
		keeper_close_sockets(k, m->name);
}

/* ---- ERRAND */

/* With the vassal's rights, and never with root's: the path is the ruler's own idea. */
static bool may_read(struct keeper *k, const struct link_message *m, const struct identity *id)
{
	bool is_root = id->uid == 0 || (id->uid == IDENTITY_NONE && k->config->policy->privileged);
	if (is_root)
		keeper_refuse(k, m, "what runs as root has nothing read for it");
	else if (m->text[0] != '/')
		keeper_refuse(k, m, "not an absolute path");
	return !is_root && m->text[0] == '/';
}

static int prepare_errand(struct keeper *k, const struct link_message *m, struct errand *errand, char *path, size_t size)
{
	char why[1024];
	struct policy *p = k->config->policy;
	int r = policy_identity(p, m->monitor, m->name, m->uid, m->gid, &errand->identity, why, sizeof why);
	if (r < 0) {
		logger_once(LOG_ERR, m->name, util_now(), "keeper: refused to look at %s: %s", m->name, why);
		return r;
	}
	if (m->arg >= ERRAND_KINDS)
		return -EINVAL;
	errand->kind = (enum errand_kind)m->arg;
	errand->target = m->text;
	errand->inotify = -1;
	if (errand->kind == ERRAND_READ)
		return may_read(k, m, &errand->identity) ? 0 : -EPERM;
	if (errand->kind != ERRAND_LOOK)
		return 0;
	if (m->n_fds != 1 || errand_check_inotify(m->fds[0]) < 0) {
		keeper_refuse(k, m, "its descriptor is no inotify");
		return -EBADF;
	}
	errand->inotify = m->fds[0];
	errand->target = path;	/* never the ruler's own idea of the path */
	return policy_path(p, m->monitor, m->name, path, size);
}

static struct keeper_errand *free_errand(struct keeper *k)
{
	for (int i = 0; i < KEEPER_ERRANDS_MAX; i++)
		if (k->errands[i].pid == 0)
			return &k->errands[i];
	return NULL;
}

static int run_errand(struct keeper *k, const struct link_message *m, int *answer_fd)
{
	char path[LINK_TEXT_MAX];
	struct errand errand;
	struct keeper_errand *slot = free_errand(k);
	if (!slot)
		return -EBUSY;
	int r = prepare_errand(k, m, &errand, path, sizeof path);
	if (r == 0)
		r = errand_start(&errand, &slot->pid, &slot->pidfd, answer_fd);
	if (r < 0) {
		slot->pid = 0;
		return r;
	}
	slot->deadline = util_now() + ERRAND_SECONDS * NSEC_PER_SEC;
	if (!ev_is_active(&k->errand_deadline)) {
		ev_timer_set(&k->errand_deadline, ERRAND_SECONDS, 0.);
		ev_timer_start(k->loop, &k->errand_deadline);
	}
	return 0;
}

static void do_errand(struct keeper *k, struct link_message *m)
{
	CLEANUP_FD int answer_fd = -1;
	int r = run_errand(k, m, &answer_fd);
	struct link_message answer = { .kind = LINK_ERRAND_DONE, .generation = m->generation, .error = -r,
				       .fds = { answer_fd }, .n_fds = answer_fd >= 0 };
	keeper_post(k, &answer);
}

void keeper_reaped_errand(struct keeper *k, pid_t pid)
{
	for (int i = 0; i < KEEPER_ERRANDS_MAX; i++) {
		if (k->errands[i].pid != pid)
			continue;
		k->errands[i].pid = 0;
		k->errands[i].pidfd = util_close(k->errands[i].pidfd);
	}
}

/* ---- the rest */

static void do_reopen(struct keeper *k, struct link_message *m)
{
	const char *path = k->config->options->logto ? k->config->options->logto : k->config->options->daemonize;
	(void)m;
	struct link_message answer = { .kind = LINK_REOPENED };
	CLEANUP_FD int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_CLOEXEC, 0640) : -1;
	if (path && fd < 0)
		answer.error = errno;
	if (fd >= 0) {
		answer.fds[0] = fd;
		answer.n_fds = 1;
		/* Under the number it had: that is what the next ruler is given. */
		if (dup3(fd, k->config->log, O_CLOEXEC) < 0)
			answer.error = errno;
		logger_set_fd(k->config->log);
	}
	keeper_post(k, &answer);
}

static void do_notify(struct keeper *k, struct link_message *m)
{
	(void)k;
	notify_status(m->text);
}

static void do_ready(struct keeper *k, struct link_message *m)
{
	(void)m;
	k->listed = true;
	if (k->is_ready)
		k->reloading = false;	/* the second time it is the end of a reload of all */
	else if (k->reloading && !k->is_told)
		keeper_post(k, &(struct link_message){ .kind = LINK_SIGNAL, .arg = SIGHUP });
	k->is_ready = true;
	if (k->reloading) {
		k->is_told = true;
		return;		/* systemd hears it at the end of that */
	}
	notify_ready();
}

static void do_pong(struct keeper *k, struct link_message *m)
{
	(void)m;
	ev_timer_stop(k->loop, &k->patience);
	if (k->config->control >= 0 && !ev_is_active(&k->knock_again) && !ev_is_active(&k->knock))
		ev_timer_start(k->loop, &k->knock_again);
	if (ev_is_active(&k->watchdog))
		notify_alive();
}

static void do_dissolved(struct keeper *k, struct link_message *m)
{
	if (k->phase != KEEPER_DISSOLVING || k->held.by_generation || keeper_sockets_live(k, NULL)) {
		keeper_refuse(k, m, "nobody asked for it, or generations are left");
		return;
	}
	k->phase = KEEPER_CLOSING;
	link_close(&k->link);	/* the ruler sees it and ends; its end is ours */
	ev_io_stop(k->loop, &k->link_read);
	ev_io_stop(k->loop, &k->link_write);
	keeper_close_all_sockets(k);
}

static const request_handler handlers[LINK_KINDS] = {
	[LINK_SPAWN] = keeper_take_spawn, [LINK_SEND] = do_send, [LINK_KILL] = do_kill, [LINK_FORGET] = do_forget,
	[LINK_SWITCH] = keeper_take_switch, [LINK_CLOSE] = keeper_take_close, [LINK_STATE] = do_state, [LINK_DROP] = do_drop, [LINK_ERRAND] = do_errand, [LINK_REOPEN] = do_reopen,
	[LINK_NOTIFY] = do_notify, [LINK_READY] = do_ready, [LINK_PONG] = do_pong, [LINK_DISSOLVED] = do_dissolved,
};

void keeper_take(struct keeper *k, struct link_message *m)
{
	request_handler h = handlers[m->kind];
	if (h)
		h(k, m);
	link_close_fds(m);
}
