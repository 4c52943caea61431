/* keeper_drain: while no ruler reads, a vassal's pipe must not fill, or it waits in its next line, and its clients with it. The
 * oldest of a pipe that is half full is thrown away, counted and never looked at; the newest is left to the next ruler. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "supervisor/keeper_inside.h"
#include "supervisor/logger.h"

#define DRAIN_EVERY 0.1
#define DRAIN_BYTES 32768	/* half a pipe */

static bool is_ruled(struct keeper *k)
{
	return k->link.fd >= 0 && !ev_is_active(&k->patience);
}

static void drain(struct keeper *k, const struct holding *g)
{
	static char oldest[DRAIN_BYTES];
	int waiting;
	if (g->output < 0 || ioctl(g->output, FIONREAD, &waiting) < 0 || waiting < DRAIN_BYTES)
		return;
	ssize_t n = read(g->output, oldest, sizeof oldest);
	if (n > 0)
		k->drained += (uint64_t)n;
}

static void on_drain(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct keeper *k = w->data;
	struct holding *g, *next;
	(void)revents;
	if (!is_ruled(k)) {
		HASH_ITER(by_generation, k->held.by_generation, g, next)
			drain(k, g);
		return;
	}
	ev_timer_stop(loop, w);
	if (k->drained > 0)
		log_warning("keeper: %llu bytes that vassals printed while no ruler read them were dropped", (unsigned long long)k->drained);
	k->drained = 0;
}

void keeper_drain_init(struct keeper *k)
{
	ev_timer_init(&k->drain, on_drain, DRAIN_EVERY, DRAIN_EVERY);
	k->drain.data = k;
}

void keeper_drain_start(struct keeper *k)
{
	if (ev_is_active(&k->drain))
		return;
	ev_timer_set(&k->drain, DRAIN_EVERY, DRAIN_EVERY);
	ev_timer_start(k->loop, &k->drain);
}
