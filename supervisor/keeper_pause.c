/* keeper_pause: workers finish what they have and accept no more before their master gets its byte: a bare byte loses what a worker has
 * just accepted. SIGTSTP tells the master; a SIGWINCH wakes each worker out of its accept, several times, because with
 * thunder-lock each next one would still take one more. Not for lazy vassals, whose new workers would stay suspended. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/keeper_inside.h"
#include "supervisor/logger.h"
#include "vassals/util.h"

#define PAUSE_ROUNDS 8
#define PAUSE_STEP 0.005
#define CHILDREN_BYTES 8192	/* a thousand workers; who has more is paused less well */

static ssize_t read_file(const char *path, char *text, size_t size)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

/* The kernel's word, in the field after the name in parentheses, which may hold anything. */
static pid_t parent_of(pid_t pid)
{
	char path[64], text[512];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	read_file(path, text, sizeof text);
	const char *end = strrchr(text, ')');
	return end && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : 0;
}

/* The pidfd first: what it is asked about then is what is signalled. */
static void wake(pid_t child, pid_t master)
{
	CLEANUP_FD int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	if (pidfd >= 0 && parent_of(child) == master)
		syscall(SYS_pidfd_send_signal, pidfd, SIGWINCH, NULL, 0);
}

static void wake_children(const struct holding *g)
{
	static char text[CHILDREN_BYTES];
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)g->pid, (int)g->pid);
	ssize_t n = read_file(path, text, sizeof text);
	for (char *p = text, *end; n > 0 && *p; p = end) {
		long pid = strtol(p, &end, 10);
		if (end == p || !isspace((unsigned char)*end))
			return;		/* the last may be cut */
		if (pid > 1)
			wake((pid_t)pid, g->pid);
		end++;
	}
}

/* Whether it goes on. */
static bool step(struct keeper *k, struct keeper_pause *p)
{
	struct holding *g = holdings_find(&k->held, p->generation);
	if (!g || g->ended)
		return false;
	if (p->rounds == 0) {
		keeper_send_byte(g, p->byte);
		return false;
	}
	p->rounds--;
	wake_children(g);
	return true;
}

static void on_pausing(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct keeper *k = w->data;
	struct keeper_pause **at = &k->pauses, *p;
	(void)revents;
	while ((p = *at) != NULL) {
		if (step(k, p)) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		free(p);
	}
	if (!k->pauses)
		ev_timer_stop(loop, w);
}

void keeper_pause(struct keeper *k, struct holding *g, unsigned char byte)
{
	struct keeper_pause *p = malloc(sizeof *p);
	if (!p || syscall(SYS_pidfd_send_signal, g->pidfd, SIGTSTP, NULL, 0) < 0) {
		free(p);
		keeper_send_byte(g, byte);	/* better late requests lost than the byte */
		return;
	}
	*p = (struct keeper_pause){ .next = k->pauses, .generation = g->generation, .rounds = PAUSE_ROUNDS, .byte = byte };
	k->pauses = p;
	if (ev_is_active(&k->pausing))
		return;
	ev_timer_set(&k->pausing, PAUSE_STEP, PAUSE_STEP);
	ev_timer_start(k->loop, &k->pausing);
}

void keeper_pause_cancel(struct keeper *k, uint64_t generation)
{
	for (struct keeper_pause **at = &k->pauses; *at; ) {
		struct keeper_pause *p = *at;
		if (p->generation != generation) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		free(p);
	}
}

void keeper_pause_free(struct keeper *k)
{
	while (k->pauses)
		keeper_pause_cancel(k, k->pauses->generation);
}

void keeper_pause_init(struct keeper *k)
{
	ev_timer_init(&k->pausing, on_pausing, PAUSE_STEP, PAUSE_STEP);
	k->pausing.data = k;
}
