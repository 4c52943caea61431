#include "supervisor/keeper_helper.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/holdings_sockets.h"
#include "supervisor/keeper_trust.h"
#include "vassals/util.h"

#define FDS_MAX (2 * SOCKETS_MAX)

/* ---- the child: the work */

static struct sockets_wish only(const struct sockets_wish *wish, unsigned i)
{
	struct sockets_wish one = *wish;
	memmove(one.address[0], wish->address[i], SOCKETS_ADDRESS_MAX);
	one.n = 1;
	return one;
}

static int lead(const struct helper_work *w, unsigned i, unsigned side, struct helper_answer *a)
{
	struct sockets_wish one = only(&w->wish, i);
	int r = sockets_switch(&one, &w->pairs[i], side, &a->fault);
	a->fault.index = i;
	return r;
}

static int lead_again(const struct helper_work *w, struct helper_answer *a)
{
	int r = 0;
	for (unsigned i = 0; i < w->wish.n && r == 0; i++)
		if (w->lead & (1U << i))
			r = lead(w, i, w->side, a);
	for (unsigned i = 0; i < w->wish.n && r < 0; i++)
		if (a->bound & (1U << i))
			sockets_remove(w->wish.address[i], &w->pairs[i]);
	return r;
}

static void watch(const struct helper_work *w, struct helper_answer *a)
{
	char directory[SOCKETS_ADDRESS_MAX];
	for (unsigned i = 0; i < w->wish.n && w->inotify >= 0; i++) {
		if (!sockets_is_unix(w->wish.address[i]))
			continue;
		strcpy(directory, w->wish.address[i]);
		strrchr(directory, '/')[directory[0] == '/' && strrchr(directory, '/') == directory] = '\0';
		a->watches[i] = inotify_add_watch(w->inotify, directory, IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR);
		if (a->watches[i] < 0 && a->watch_error == 0)
			a->watch_error = errno;
	}
}

static int trust(const struct helper_work *w, struct helper_answer *a)
{
	int r = w->config ? keeper_trust(w->config, w->ruler_uid, w->ruler_gid) : 0;
	if (r < 0)
		strcpy(a->fault.step, "trust the config of its rehearsal");
	return r;
}

static int prepare(struct helper_work *w, struct helper_answer *a)
{
	int r = trust(w, a);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < w->wish.n; i++)
		if (w->pairs[i].fd[0] < 0)
			a->bound |= 1U << i;
	r = sockets_prepare(&w->wish, w->pairs, w->side | (w->apart ? SOCKETS_APART : 0), &a->fault);
	if (r == 0)
		r = lead_again(w, a);
	if (r == 0)
		watch(w, a);
	return r;
}

static int lead_all(const struct helper_work *w, struct helper_answer *a)
{
	int r = sockets_switch(&w->wish, w->pairs, w->side, &a->fault);
	for (unsigned i = 0; i < w->n_departing && r == 0; i++) {
		bool inherits = w->heir >= 0 && sockets_is_unix(w->departing[i]);
		/* Where it fails clients are refused a moment sooner: no reason to give up the new generation. */
		sockets_depart(w->departing[i], &w->departing_pairs[i], inherits ? w->wish.address[w->heir] : NULL,
			       inherits ? &w->pairs[w->heir] : NULL, w->side);
	}
	return r;
}

static int repair(const struct helper_work *w, struct helper_answer *a)
{
	struct stat st;
	int r = 0;
	for (unsigned i = 0; i < w->wish.n; i++) {
		struct sockets_wish one = only(&w->wish, i);
		bool lost = sockets_is_unix(one.address[0]) && lstat(one.address[0], &st) < 0 && errno == ENOENT;
		if (!lost && !w->force)
			continue;
		struct sockets_fault fault = { 0 };
		int failed = sockets_switch(&one, &w->pairs[i], w->sides[i], &fault);
		if (failed == 0 && lost)
			a->repaired |= 1U << i;
		if (failed == 0 || r < 0)
			continue;
		r = failed;
		a->fault = fault;
		a->fault.index = i;
	}
	return r;
}

static int remove_all(const struct helper_work *w, struct helper_answer *a)
{
	int r = 0;
	for (unsigned i = 0; i < w->wish.n; i++) {
		int failed = sockets_remove(w->wish.address[i], &w->pairs[i]);
		if (failed < 0 && r == 0) {
			a->fault = (struct sockets_fault){ .error = failed, .index = i, .step = "remove" };
			r = failed;
		}
	}
	return r;
}

static int run(struct helper_work *w, struct helper_answer *a)
{
	switch (w->task) {
	case HELPER_PREPARE:
		return prepare(w, a);
	case HELPER_SWITCH:
		return lead_all(w, a);
	case HELPER_REPAIR:
		return repair(w, a);
	case HELPER_REMOVE:
		return remove_all(w, a);
	case HELPER_TASKS:
		break;
	}
	return -EINVAL;
}

/* ---- the child: before and after */

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Only what it works on stays open. */
static void close_others(const struct helper_work *w, int answer_fd)
{
	int keep[2 * FDS_MAX + 3] = { 2, answer_fd };
	size_t n = 2;
	if (w->inotify >= 0)
		keep[n++] = w->inotify;
	for (unsigned i = 0; i < w->wish.n; i++)
		for (int side = 0; side < 2; side++)
			if (w->pairs[i].fd[side] >= 0)
				keep[n++] = w->pairs[i].fd[side];
	for (unsigned i = 0; i < w->n_departing; i++)
		for (int side = 0; side < 2; side++)
			keep[n++] = w->departing_pairs[i].fd[side];
	qsort(keep, n, sizeof *keep, by_number);
	for (size_t i = 0; i < n; i++) {
		unsigned first = (unsigned)keep[i] + 1, last = i + 1 < n ? (unsigned)keep[i + 1] - 1 : ~0U;
		if (first <= last)
			close_range(first, last, 0);
	}
}

static void send_answer(int to, const struct helper_work *w, const struct helper_answer *a)
{
	int fds[FDS_MAX];
	unsigned n = 0;
	struct iovec iov = { (void *)(uintptr_t)a, sizeof *a };
	union { char bytes[CMSG_SPACE(sizeof fds)]; struct cmsghdr align; } control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	for (unsigned i = 0; i < w->wish.n; i++)
		for (int side = 0; side < 2 && (a->bound & (1U << i)); side++)
			fds[n++] = w->pairs[i].fd[side];
	if (n > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	sendmsg(to, &msg, MSG_NOSIGNAL);
}

static void child(struct helper_work *w, int answer_fd, pid_t keeper) __attribute__((noreturn));
static void child(struct helper_work *w, int answer_fd, pid_t keeper)
{
	struct helper_answer answer = { 0 };
	sigset_t none;
	sigemptyset(&none);
	prctl(PR_SET_NAME, "regent-sockets");
	close_others(w, answer_fd);
	if (identity_drop(w->identity) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(1);
	/* After the drop, which wipes it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != keeper)
		_exit(1);
	sigprocmask(SIG_SETMASK, &none, NULL);
	memset(answer.watches, 0xff, sizeof answer.watches);
	answer.error = -run(w, &answer);
	if (answer.error != 0)
		answer.bound = 0;
	send_answer(answer_fd, w, &answer);
	_exit(0);
}

/* ---- the keeper */

int helper_start(const struct helper_work *work, int *pidfd, int *answer_fd)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	CLEANUP_FD int mine = pair[0];
	CLEANUP_FD int its = pair[1];
	pid_t keeper = getpid(), pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		struct helper_work own = *work;
		child(&own, its, keeper);
	}
	int r = (int)syscall(SYS_pidfd_open, pid, 0);
	if (r < 0) {
		r = -errno;
		kill(pid, SIGKILL);	/* not reaped yet, so the number is its own */
		return r;
	}
	*pidfd = r;
	*answer_fd = take_fd(&mine);
	return 0;
}

static unsigned take_fds(struct msghdr *msg, int fds[FDS_MAX])
{
	unsigned n = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		unsigned came = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned i = 0; i < came; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (n < FDS_MAX)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

/* One line of a log, whatever it sent. */
static void tidy(const struct helper_work *w, struct helper_answer *a)
{
	a->fault.step[sizeof a->fault.step - 1] = '\0';
	for (char *p = a->fault.step; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	if (a->fault.index >= w->wish.n)
		a->fault.index = 0;
	if (a->error < 0 || a->error > 4095)
		a->error = EBADMSG;
}

static int check(const struct helper_work *w, unsigned max_fd, const struct helper_answer *a, const int *fds, unsigned n)
{
	uint32_t expected = 0;
	unsigned at = 0;
	for (unsigned i = 0; i < w->wish.n && w->task == HELPER_PREPARE && a->error == 0; i++)
		if (w->pairs[i].fd[0] < 0)
			expected |= 1U << i;
	if (a->bound != expected || n != 2 * (unsigned)__builtin_popcount(expected))
		return -EBADMSG;
	for (unsigned i = 0; i < w->wish.n; i++)
		for (int side = 0; side < 2 && (expected & (1U << i)); side++, at++) {
			int r = held_check(w->wish.address[i], fds[at]);
			if (r < 0)
				return r;
			if ((unsigned)fds[at] >= max_fd)
				return -EMFILE;
		}
	return 0;
}

int helper_read(int answer_fd, const struct helper_work *work, unsigned max_fd, struct helper_answer *answer,
		struct sockets_pair pairs[SOCKETS_MAX])
{
	int fds[FDS_MAX] = { 0 };	/* as many as bits are set will be there: check() */
	struct helper_answer came = { 0 };
	struct iovec iov = { &came, sizeof came };
	union { char bytes[CMSG_SPACE(sizeof fds)]; struct cmsghdr align; } control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
	ssize_t got = recvmsg(answer_fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN ? -EAGAIN : -errno;
	if (got == 0)
		return -EPIPE;
	unsigned n = take_fds(&msg, fds), at = 0;
	int r = got != sizeof came ? -EBADMSG : msg.msg_flags & MSG_CTRUNC ? -EMFILE : check(work, max_fd, &came, fds, n);
	if (r < 0) {
		while (n > 0)
			close(fds[--n]);
		return r;
	}
	tidy(work, &came);
	for (unsigned i = 0; i < SOCKETS_MAX; i++)
		for (int side = 0; side < 2; side++)
			pairs[i].fd[side] = came.bound & (1U << i) ? fds[at++] : -1;
	*answer = came;
	return 0;
}
