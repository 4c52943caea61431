/* keeper_inside: what keeper*.c share. keeper.c is its start, its children's ends and its signals; keeper_ruler.c
 * the ruler's life and the link to it; keeper_requests.c what the ruler asks; keeper_drain.c the vassals' pipes while none reads. */
#ifndef REGENT_KEEPER_INSIDE_H
#define REGENT_KEEPER_INSIDE_H

#include <ev.h>

#include "supervisor/holdings.h"
#include "supervisor/keeper.h"
#include "supervisor/link.h"
#include "supervisor/logger_pump.h"

enum keeper_phase {
	KEEPER_RULING,
	KEEPER_DISSOLVING,	/* told to end: the ruler stops the vassals */
	KEEPER_CLOSING,		/* nothing is left: the ruler ends */
};

#define KEEPER_ERRANDS_MAX 16
struct keeper_errand { pid_t pid; int pidfd; uint64_t deadline; };

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
	ev_timer pause, patience, drain, knock_again, mercy, watchdog, errand_deadline;
	uint64_t drained;		/* bytes, since a ruler last read */
	struct keeper_errand errands[KEEPER_ERRANDS_MAX];
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
void keeper_end_tree(struct holding *g);
void keeper_reaped_errand(struct keeper *k, pid_t pid);

#endif
