/* keeper_repair: a path of a held socket that somebody deletes is made again. Its directory is watched, by an inotify descriptor that the helpers
 * are lent; an event is a hint, and the helper that looks is the judge. */
#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "supervisor/keeper_inside.h"
#include "supervisor/logger.h"
#include "vassals/util.h"

#define REPAIR_EVERY 1.0		/* s: whoever deletes it again and again shall not keep us busy */
#define READS_PER_TURN 16

static bool is_too_early(const struct held *held)
{
	return held->repaired_at != 0 && util_now() - held->repaired_at < (uint64_t)(REPAIR_EVERY * 1e9);
}

bool keeper_repair_is_due(struct keeper *k, const struct held *held)
{
	if (held->repair == HELD_WHOLE || !is_too_early(held))
		return held->repair != HELD_WHOLE;
	if (!ev_is_active(&k->repair_later)) {
		ev_timer_set(&k->repair_later, REPAIR_EVERY, 0.);
		ev_timer_start(k->loop, &k->repair_later);
	}
	return false;
}

static void on_repair_later(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct keeper *k = w->data;
	struct held *held, *next;
	(void)loop;
	(void)revents;
	HASH_ITER(hh, k->held.sockets, held, next)
		if (held->repair != HELD_WHOLE)
			keeper_advance(k, held);
}

static void wish_repair(struct keeper *k, struct held *held)
{
	if (held->repair == HELD_WHOLE)
		held->repair = HELD_LOST;
	keeper_advance(k, held);
}

static void take(struct keeper *k, const struct inotify_event *event)
{
	struct held *held, *next;
	if (event->mask & IN_Q_OVERFLOW) {
		HASH_ITER(hh, k->held.sockets, held, next)
			wish_repair(k, held);
	} else if (event->mask & IN_IGNORED) {
		holdings_unwatched(&k->held, event->wd);
	} else if (event->len > 0) {
		struct held_address *a = holdings_placed(&k->held, event->wd, event->name);
		if (a && !a->unwanted)
			wish_repair(k, a->of);
	}
}

static void on_deleted(struct ev_loop *loop, ev_io *w, int revents)
{
	char buffer[sizeof(struct inotify_event) + NAME_MAX + 1] __attribute__((aligned(__alignof__(struct inotify_event))));
	(void)loop;
	(void)revents;
	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = read(w->fd, buffer, sizeof buffer);
		for (char *p = buffer; n > 0 && p < buffer + n; ) {
			const struct inotify_event *event = (const struct inotify_event *)(const void *)p;
			p += sizeof *event + event->len;
			take(w->data, event);
		}
		if (n <= 0)
			return;
	}
}

int keeper_repair_inotify(struct keeper *k)
{
	if (k->inotify >= 0)
		return k->inotify;
	k->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (k->inotify < 0) {
		logger_once(LOG_WARNING, "inotify", util_now(), "keeper: deleted sockets will not be repaired: %s", strerror(errno));
		return -1;
	}
	ev_io_set(&k->deleted, k->inotify, EV_READ);
	ev_io_start(k->loop, &k->deleted);
	return k->inotify;
}

static void unwatch(struct keeper *k, int watch)
{
	if (watch >= 0 && k->inotify >= 0)
		inotify_rm_watch(k->inotify, watch);
}

void keeper_repair_watched(struct keeper *k, struct held_address *a, int watch)
{
	if (watch >= 0)
		unwatch(k, held_watched(&k->held, a, watch));
}

void keeper_repair_forget(struct keeper *k, struct held_address *a)
{
	unwatch(k, held_remove(&k->held, a));
}

void keeper_repair_init(struct keeper *k)
{
	k->inotify = -1;
	ev_io_init(&k->deleted, on_deleted, -1, EV_READ);
	ev_timer_init(&k->repair_later, on_repair_later, REPAIR_EVERY, 0.);
	k->deleted.data = k->repair_later.data = k;
}
