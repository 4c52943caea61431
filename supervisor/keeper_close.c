/* keeper_close: held sockets, the other requests: a switch is asked for, a start is called off, an end has come, they are let go of. */
#include <errno.h>
#include <stdlib.h>

#include "supervisor/keeper_inside.h"
#include "supervisor/logger.h"
#include "vassals/launch.h"
#include "vassals/util.h"

#define CLOSING 2.0	/* s that the end of regent waits for the removal of paths */

static void switched(struct keeper *k, uint64_t generation, int error)
{
	keeper_post(k, &(struct link_message){ .kind = LINK_SWITCHED, .generation = generation, .error = error });
}

static int order_switch(struct keeper *k, const struct link_message *m, const struct holding *g)
{
	struct held *held = holdings_sockets(&k->held, g->name);
	if (!held || k->n_orders >= KEEPER_ORDERS_MAX || held->n_orders >= KEEPER_ORDERS_OF_ONE_MAX)
		return -EBUSY;
	struct keeper_order *order = calloc(1, sizeof *order);
	if (!order)
		return -ENOMEM;
	order->kind = KEEPER_ORDER_SWITCH;
	order->generation = m->generation;
	order->arg = m->arg;
	order->side = g->side;
	keeper_order(held, order, k);
	return 0;
}

void keeper_take_switch(struct keeper *k, struct link_message *m)
{
	const struct holding *g = keeper_own_generation(k, m);
	int r = !g || g->ended || !g->is_held ? -ESRCH : 0;
	if (r == 0 && g->is_rehearsal) {
		keeper_refuse(k, m, "it is a rehearsal");
		r = -EPERM;
	}
	if (g || !holdings_find(&k->held, m->generation))
		keeper_keep_record(k, m);
	if (r == 0)
		r = order_switch(k, m, g);
	if (r < 0)
		switched(k, m->generation, -r);
}

/* ---- starts that are called off */

/* What its helper binds meanwhile is held all the same: the next start wants it. */
static void cancel(struct keeper *k, struct held *held, struct keeper_order *order)
{
	held_leave(held, order->generation);
	if (held->helper && held->helper->order == order)
		order->is_cancelled = true;
	else
		keeper_order_free(k, held, order);
}

void keeper_cancel_spawn(struct keeper *k, const struct link_message *m)
{
	struct held *held, *next;
	HASH_ITER(hh, k->held.sockets, held, next) {
		struct keeper_order *o = held->orders;
		while (o && (o->kind != KEEPER_ORDER_SPAWN || o->is_cancelled || o->generation != m->generation))
			o = o->next;
		if (!o || (m->name && strcmp(held->name, m->name) != 0))
			continue;
		cancel(k, held, o);
		keeper_spawn_failed(k, m->generation, LAUNCH_SOCKETS, ECANCELED);
		keeper_advance(k, held);
		return;
	}
}

void keeper_cancel_spawns(struct keeper *k)
{
	struct held *held, *next;
	HASH_ITER(hh, k->held.sockets, held, next) {
		struct keeper_order *o, *after;
		for (o = held->orders; o; o = after) {
			after = o->next;
			if (o->kind == KEEPER_ORDER_SPAWN && !o->is_cancelled)
				cancel(k, held, o);
		}
		keeper_advance(k, held);
	}
}

/* ---- ends */

bool keeper_sockets_live(const struct keeper *k, const char *name)
{
	struct held *held, *next;
	if (name) {
		held = holdings_sockets(&k->held, name);
		return held && held_lives(held);
	}
	HASH_ITER(hh, k->held.sockets, held, next)
		if (held_lives(held))
			return true;
	return false;
}

void keeper_sockets_left(struct keeper *k, const struct holding *g)
{
	struct held *held = g->is_held ? holdings_sockets(&k->held, g->name) : NULL;
	if (!held)
		return;
	held_leave(held, g->generation);
	keeper_advance(k, held);
}

static void close_them(struct keeper *k, struct held *held)
{
	held->is_closed = true;
	for (struct held_address *a = held->addresses; a; a = a->next)
		a->unwanted = true;
	keeper_advance(k, held);
}

void keeper_close_sockets(struct keeper *k, const char *name)
{
	struct held *held = holdings_sockets(&k->held, name);
	if (held)
		close_them(k, held);
}

void keeper_take_close(struct keeper *k, struct link_message *m)
{
	if (keeper_sockets_live(k, m->name)) {
		keeper_refuse(k, m, "a generation of it is alive");
		return;
	}
	keeper_keep_record(k, m);
	keeper_close_sockets(k, m->name);
}

static void on_closing(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	log_warning("keeper: some sockets' paths could not be removed in time");
	keeper_may_end(w->data);
}

void keeper_close_all_sockets(struct keeper *k)
{
	struct held *held, *next;
	ev_timer_init(&k->closing, on_closing, CLOSING, 0.);
	k->closing.data = k;
	if (!k->held.sockets)
		return;
	ev_timer_start(k->loop, &k->closing);
	HASH_ITER(hh, k->held.sockets, held, next)
		close_them(k, held);
}
