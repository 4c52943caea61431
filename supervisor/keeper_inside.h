/* keeper_inside: what keeper*.c share. keeper.c is its start, its children's ends and its signals; keeper_ruler.c
 * the ruler's life and the link to it; keeper_requests.c what the ruler asks; keeper_spawn.c starts; keeper_drain.c the vassals' pipes while
 * none reads. Held sockets: keeper_sockets.c is a start or switch that needs them, keeper_close.c the other requests, keeper_orders.c whose turn it is, keeper_quiet.c the drain after a
 * switch, keeper_repair.c deleted paths; keeper_pause.c stops workers before a byte. */
#ifndef REGENT_KEEPER_INSIDE_H
#define REGENT_KEEPER_INSIDE_H

#include <ev.h>

#include "supervisor/holdings.h"
#include "supervisor/holdings_sockets.h"
#include "supervisor/keeper.h"
#include "supervisor/keeper_helper.h"
#include "supervisor/link.h"
#include "supervisor/logger_pump.h"

enum keeper_phase {
	KEEPER_RULING,
	KEEPER_DISSOLVING,	/* told to end: the ruler stops the vassals */
	KEEPER_CLOSING,		/* nothing is left: the ruler ends */
};

#define KEEPER_ERRANDS_MAX 16
struct keeper_errand { pid_t pid; int pidfd; uint64_t deadline; };

#define KEEPER_SPARE_FDS 64		/* kept back from vassals: for a new ruler, errands, logs */
#define KEEPER_HELPERS_MAX 16
#define KEEPER_ORDERS_MAX 1024		/* over all: what a taken-over ruler can make the keeper remember */
#define KEEPER_ORDERS_OF_ONE_MAX 4

enum keeper_order_kind { KEEPER_ORDER_SPAWN, KEEPER_ORDER_SWITCH };
struct keeper_order {			/* that needs a helper */
	struct keeper_order *next;
	enum keeper_order_kind kind;
	uint64_t generation;
	uint32_t arg;			/* of its message */
	uint16_t monitor;
	uint8_t side;
	bool is_beside, is_cancelled;
	struct identity identity;	/* from here on: SPAWN */
	struct sockets_wish wish;
	char *config;			/* within text; NULL: no rehearsal */
	char text[];
};

struct keeper_helper {			/* one at work */
	struct keeper *keeper;
	struct held *held;		/* NULL: free */
	struct keeper_order *order;	/* NULL: removal, repair */
	struct helper_work work;
	int pidfd, answer_fd;
	ev_io io;
	ev_timer deadline;
};

struct keeper_pause { struct keeper_pause *next; uint64_t generation; unsigned rounds; unsigned char byte; };

struct keeper {
	const struct keeper_config *config;
	struct ev_loop *loop;
	struct holdings held;
	enum keeper_phase phase;
	rlim_t max_fds;			/* RLIMIT_NOFILE, ours */
	int signal_fd;
	ev_io signals, knock;
	struct logger_pump log;
	ev_periodic never;		/* makes libev use a timerfd: else it wakes every minute for nothing */

	/* the ruler of the moment */
	struct link link;
	ev_io link_read, link_write;
	ev_timer link_retry;		/* ETOOMANYREFS: writable, yet nothing can be sent */
	pid_t ruler;			/* 0: none */
	uint64_t ruler_started;
	uint64_t refusals;		/* of its requests */
	unsigned ruler_deaths;		/* in a row */
	bool listed;			/* some ruler has said READY */
	bool is_ready;			/* the present one has */
	bool reloading;			/* a SIGHUP is not through yet: a ruler that dies in it leaves it to the next */
	bool is_told;			/* the present one of that */
	ev_timer pause, patience, drain, knock_again, mercy, watchdog, errand_deadline;
	uint64_t drained;		/* bytes, since a ruler last read */
	struct keeper_errand errands[KEEPER_ERRANDS_MAX];

	/* held sockets */
	struct keeper_helper helpers[KEEPER_HELPERS_MAX];
	struct held *waiting, **last_waiting;	/* for a helper */
	unsigned n_orders;
	struct held *draining;
	int inotify;			/* -1: not made yet */
	ev_io deleted;
	ev_timer quiet, repair_later, closing;
	struct keeper_pause *pauses;
	ev_timer pausing;
	int status;
};

/* --- keeper_ruler.c */
void keeper_init_ruler(struct keeper *k);
void keeper_start_ruler(struct keeper *k);
void keeper_ruler_ended(struct keeper *k, int status);	/* reaped: another one, or the end */
void keeper_post(struct keeper *k, struct link_message *m);
void keeper_ping(struct keeper *k);
bool keeper_says_refusal(struct keeper *k);	/* counts one; whether it is still worth a line */	/* it must answer within ruler-patience */
/* --- keeper_drain.c */
void keeper_drain_init(struct keeper *k);
void keeper_drain_start(struct keeper *k);	/* until a ruler reads again */
/* --- keeper_requests.c */
void keeper_take(struct keeper *k, struct link_message *m);	/* one request */
void keeper_refuse(struct keeper *k, const struct link_message *m, const char *why);
struct holding *keeper_own_generation(struct keeper *k, const struct link_message *m);	/* NULL: none, or (refused) another vassal's */
void keeper_keep_record(struct keeper *k, const struct link_message *m);
void keeper_send_byte(struct holding *g, unsigned char byte);
void keeper_end_tree(struct holding *g);
void keeper_reaped_errand(struct keeper *k, pid_t pid);
/* --- keeper_spawn.c */
struct keeper_spawn {
	uint64_t generation;
	const char *name;
	unsigned monitor;
	const struct identity *identity;
	const struct policy_held *held;	/* NULL: nothing is held for it, and none of the following */
	const int *sockets;
	unsigned n_sockets;
	int reach;			/* its private socket, borrowed */
	uint8_t side;
};
void keeper_take_spawn(struct keeper *k, struct link_message *m);
int keeper_launch(struct keeper *k, const struct keeper_spawn *s);	/* 0 and STARTED, or FAILED and a negative errno */
void keeper_spawn_failed(struct keeper *k, uint64_t generation, unsigned stage, int error);
/* --- keeper_sockets.c */
/* *order: malloc()ed, for keeper_order_spawn(). false: refused. */
bool keeper_may_hold(struct keeper *k, const struct link_message *m, const struct identity *id, struct keeper_order **order);
void keeper_order_spawn(struct keeper *k, const char *name, struct keeper_order *order);	/* takes it */
/* What an order's helper is to do (-EAGAIN: something else first), and what came of it. */
int keeper_compose(struct keeper *k, struct held *held, struct keeper_order *order, struct helper_work *w);
void keeper_finish(struct keeper *k, struct held *held, struct keeper_order *order, const struct helper_work *w, int error,
		   const struct helper_answer *answer, struct sockets_pair pairs[SOCKETS_MAX]);
/* --- keeper_close.c */
void keeper_take_switch(struct keeper *k, struct link_message *m);
void keeper_take_close(struct keeper *k, struct link_message *m);
void keeper_cancel_spawn(struct keeper *k, const struct link_message *m);	/* one that is yet to be started, if it is one */
void keeper_cancel_spawns(struct keeper *k);	/* all, without a word: their ruler is dead */
bool keeper_sockets_live(const struct keeper *k, const char *name);	/* a generation that has held sockets, or is to; NULL: any vassal's */
void keeper_sockets_left(struct keeper *k, const struct holding *g);	/* it has ended */
void keeper_close_sockets(struct keeper *k, const char *name);
void keeper_close_all_sockets(struct keeper *k);	/* the end; when it is reached, keeper_may_end() is called */
/* --- keeper_orders.c */
void keeper_orders_init(struct keeper *k);
void keeper_orders_free(struct keeper *k);	/* at the end: helpers are killed */
void keeper_order(struct held *held, struct keeper_order *order, struct keeper *k);	/* takes it */
void keeper_order_free(struct keeper *k, struct held *held, struct keeper_order *order);
/* Does what is to be done next for this vassal's sockets, or lets go of it: held may be gone afterwards. */
void keeper_advance(struct keeper *k, struct held *held);
bool keeper_is_binding(const struct keeper *k, const struct held *held, const char *address);	/* some other vassal's helper does */
/* --- keeper_quiet.c */
void keeper_quiet_init(struct keeper *k);
void keeper_quiet_start(struct keeper *k, struct held *held, uint64_t generation, uint32_t ms);
void keeper_quiet_stop(struct keeper *k, struct held *held);
/* --- keeper_repair.c */
void keeper_repair_init(struct keeper *k);
int keeper_repair_inotify(struct keeper *k);	/* for a helper's watches, or -1 */
void keeper_repair_watched(struct keeper *k, struct held_address *a, int watch);
void keeper_repair_forget(struct keeper *k, struct held_address *a);	/* and remove it */
bool keeper_repair_is_due(struct keeper *k, const struct held *held);
/* --- keeper_pause.c */
void keeper_pause_init(struct keeper *k);
void keeper_pause(struct keeper *k, struct holding *g, unsigned char byte);
void keeper_pause_cancel(struct keeper *k, uint64_t generation);
void keeper_pause_free(struct keeper *k);
/* --- keeper.c */
void keeper_may_end(struct keeper *k);	/* KEEPER_CLOSING: when ruler and sockets are gone */

#endif
