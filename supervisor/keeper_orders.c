/* keeper_orders: whose turn it is: for each vassal one helper at a time and its orders in their order, for all at most KEEPER_HELPERS_MAX
 * helpers. What an order means is keeper_sockets.c's. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/keeper_inside.h"
#include "supervisor/logger.h"
#include "vassals/util.h"

/* ---- what is to be done next */

enum next { NEXT_NOTHING, NEXT_REMOVAL, NEXT_ORDER, NEXT_REPAIR };

static enum next what_next(struct keeper *k, struct held *held)
{
	if (held_any_unwanted(held))
		return NEXT_REMOVAL;
	if (held->orders)
		return NEXT_ORDER;
	if (held_sweep(held))
		return NEXT_REMOVAL;
	if (held->repair != HELD_WHOLE && !held->addresses)
		held->repair = HELD_WHOLE;
	return keeper_repair_is_due(k, held) ? NEXT_REPAIR : NEXT_NOTHING;
}

static void put(struct helper_work *w, const struct held_address *a)
{
	strcpy(w->wish.address[w->wish.n], a->text);
	w->pairs[w->wish.n] = a->pair;
	w->sides[w->wish.n++] = a->side;
}

static int compose(struct keeper *k, struct held *held, enum next next, struct keeper_helper *p)
{
	struct helper_work *w = &p->work;
	*w = (struct helper_work){ .identity = held->identity, .inotify = -1, .wish = { .mode = -1, .umask = -1 } };
	p->order = next == NEXT_ORDER ? held->orders : NULL;
	if (p->order)
		return keeper_compose(k, held, p->order, w);
	w->task = next == NEXT_REPAIR ? HELPER_REPAIR : HELPER_REMOVE;
	w->force = held->repair == HELD_UNCERTAIN;
	for (const struct held_address *a = held->addresses; a && w->wish.n < SOCKETS_MAX; a = a->next)
		if (next == NEXT_REPAIR ? !a->is_hidden && !a->is_inherited : a->unwanted)
			put(w, a);
	if (next == NEXT_REPAIR) {
		held->repair = HELD_WHOLE;
		held->repaired_at = util_now();
	}
	return 0;
}

/* ---- orders */

void keeper_order(struct held *held, struct keeper_order *order, struct keeper *k)
{
	struct keeper_order **at = &held->orders;
	while (*at)
		at = &(*at)->next;
	*at = order;
	held->n_orders++;
	k->n_orders++;
	keeper_advance(k, held);
}

void keeper_order_free(struct keeper *k, struct held *held, struct keeper_order *order)
{
	struct keeper_order **at = &held->orders;
	while (*at != order)
		at = &(*at)->next;
	*at = order->next;
	held->n_orders--;
	k->n_orders--;
	free(order);
}

/* ---- work on addresses that no order asked for */

static void removed(struct keeper *k, struct held *held, const struct helper_work *w)
{
	for (unsigned i = 0; i < w->wish.n; i++) {
		struct held_address *a = held_find(held, w->wish.address[i]);
		if (a)
			keeper_repair_forget(k, a);
	}
}

static void repaired(struct held *held, const struct helper_work *w, const struct helper_answer *a)
{
	for (unsigned i = 0; i < w->wish.n; i++)
		if (a->repaired & (1U << i))
			log_warning("keeper: %s: somebody deleted %s: it is there again", held->name, w->wish.address[i]);
}

static void worked(struct keeper *k, struct held *held, const struct helper_work *w, int error, const struct helper_answer *a)
{
	if (error != 0)
		logger_once(LOG_ERR, held->name, util_now(), "keeper: %s: cannot %s %s: %s: %s", held->name,
			    w->task == HELPER_REMOVE ? "remove" : "repair", w->wish.address[a->fault.index],
			    a->fault.step[0] ? a->fault.step : "helper", strerror(error));
	if (w->task == HELPER_REMOVE)
		removed(k, held, w);
	else
		repaired(held, w, a);
}

static void finish(struct keeper *k, struct held *held, struct keeper_order *order, const struct helper_work *w, int error,
		   const struct helper_answer *answer, struct sockets_pair pairs[SOCKETS_MAX])
{
	static const struct helper_answer nothing;
	if (!answer)
		answer = &nothing;
	if (!order) {
		worked(k, held, w, error, answer);
		return;
	}
	keeper_finish(k, held, order, w, error, answer, pairs);
	keeper_order_free(k, held, order);
}

/* ---- helpers */

static struct keeper_helper *free_place(struct keeper *k)
{
	for (int i = 0; i < KEEPER_HELPERS_MAX; i++)
		if (!k->helpers[i].held)
			return &k->helpers[i];
	return NULL;
}

static bool begin(struct keeper *k, struct held *held, struct keeper_helper *p)
{
	int r = helper_start(&p->work, &p->pidfd, &p->answer_fd);
	if (r < 0) {
		finish(k, held, p->order, &p->work, -r, NULL, NULL);
		return false;
	}
	p->held = held;
	held->helper = p;
	ev_io_set(&p->io, p->answer_fd, EV_READ);
	ev_io_start(k->loop, &p->io);
	ev_now_update(k->loop);
	ev_timer_set(&p->deadline, HELPER_SECONDS, 0.);
	ev_timer_start(k->loop, &p->deadline);
	return true;
}

static void wait_for_place(struct keeper *k, struct held *held)
{
	held->is_waiting = true;
	held->next_waiting = NULL;
	*k->last_waiting = held;
	k->last_waiting = &held->next_waiting;
}

static void let_go(struct keeper *k, struct held *held)
{
	if (held->addresses || held->orders || held_lives(held))
		return;
	keeper_quiet_stop(k, held);
	holdings_sockets_free(&k->held, held);
	keeper_may_end(k);
}

void keeper_advance(struct keeper *k, struct held *held)
{
	while (!held->helper && !held->is_waiting) {
		enum next next = what_next(k, held);
		struct keeper_helper *p = free_place(k);
		if (next == NEXT_NOTHING) {
			let_go(k, held);
			return;
		}
		if (!p) {
			wait_for_place(k, held);
			return;
		}
		int r = compose(k, held, next, p);
		if (r == -EAGAIN)	/* something else must be done first */
			continue;
		if (r == 0 && begin(k, held, p))
			return;
		if (r < 0) {
			p->work.wish.n = 0;	/* nothing was done to any */
			finish(k, held, p->order, &p->work, -r, NULL, NULL);
		}
	}
}

static void next_in_line(struct keeper *k)
{
	while (k->waiting && free_place(k)) {
		struct held *held = k->waiting;
		k->waiting = held->next_waiting;
		if (!k->waiting)
			k->last_waiting = &k->waiting;
		held->is_waiting = false;
		keeper_advance(k, held);
	}
}

static void end(struct keeper_helper *p, int error, const struct helper_answer *answer, struct sockets_pair pairs[SOCKETS_MAX])
{
	struct keeper *k = p->keeper;
	struct held *held = p->held;
	ev_io_stop(k->loop, &p->io);
	ev_timer_stop(k->loop, &p->deadline);
	util_close(p->answer_fd);
	util_close(p->pidfd);
	held->helper = NULL;
	p->held = NULL;
	finish(k, held, p->order, &p->work, error, answer, pairs);
	keeper_advance(k, held);
	next_in_line(k);
}

static void on_answer(struct ev_loop *loop, ev_io *w, int revents)
{
	struct keeper_helper *p = w->data;
	struct keeper *k = p->keeper;
	struct helper_answer answer = { 0 };
	struct sockets_pair pairs[SOCKETS_MAX];
	rlim_t max_fd = k->max_fds < KEEPER_SPARE_FDS ? 0 : k->max_fds - KEEPER_SPARE_FDS;
	(void)loop;
	(void)revents;
	int r = helper_read(p->answer_fd, &p->work, max_fd < 1U << 30 ? (unsigned)max_fd : 1U << 30, &answer, pairs);
	if (r == -EAGAIN)
		return;
	end(p, r == 0 ? answer.error : r == -EPIPE ? EIO : -r, &answer, r == 0 ? pairs : NULL);
}

/* Not waited for: it may hang in the kernel for ever. */
static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct keeper_helper *p = w->data;
	(void)loop;
	(void)revents;
	syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
	end(p, ETIMEDOUT, NULL, NULL);
}

bool keeper_is_binding(const struct keeper *k, const struct held *held, const char *address)
{
	for (int i = 0; i < KEEPER_HELPERS_MAX; i++) {
		const struct keeper_helper *p = &k->helpers[i];
		for (unsigned a = 0; p->held && p->held != held && p->work.task == HELPER_PREPARE && a < p->work.wish.n; a++)
			if (held_same(p->work.wish.address[a], address))
				return true;
	}
	return false;
}

void keeper_orders_init(struct keeper *k)
{
	k->last_waiting = &k->waiting;
	for (int i = 0; i < KEEPER_HELPERS_MAX; i++) {
		struct keeper_helper *p = &k->helpers[i];
		p->keeper = k;
		ev_io_init(&p->io, on_answer, -1, EV_READ);
		ev_timer_init(&p->deadline, on_deadline, HELPER_SECONDS, 0.);
		p->io.data = p->deadline.data = p;
	}
}

void keeper_orders_free(struct keeper *k)
{
	struct held *held, *next;
	for (int i = 0; i < KEEPER_HELPERS_MAX; i++) {
		struct keeper_helper *p = &k->helpers[i];
		if (!p->held)
			continue;
		syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
		util_close(p->pidfd);
		util_close(p->answer_fd);
	}
	HASH_ITER(hh, k->held.sockets, held, next)
		while (held->orders)
			keeper_order_free(k, held, held->orders);
}
