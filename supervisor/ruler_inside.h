/* ruler_inside: what ruler*.c share.
 *   ruler.c           start-up, monitors, what is done once a turn
 *   ruler_messages.c  the link: what the keeper says
 *   ruler_check.c     reads a config for `regentctl check`
 *   ruler_errands.c   what the keeper's helpers do for us
 *   ruler_world.c     the court's orders on their way to the keeper
 *   ruler_words.c     what the log says of a vassal's states
 *   ruler_roll.c      a reload of all, a few at a time
 *   subject.c      what hangs on one vassal: timer, its generations
 *   strand.c       one generation: wire, output, private socket
 *   lookup.c       a name that a monitor saw -> fingerprint and spec -> court
 *   reading.c      a config understood, with what it pulls in
 *   liveness.c     health-interval: whether one that serves still answers
 *   prober.c       one request to a generation */
#ifndef REGENT_RULER_INSIDE_H
#define REGENT_RULER_INSIDE_H

#include <ev.h>

#include "supervisor/commands.h"
#include "supervisor/court.h"
#include "supervisor/errand.h"
#include "supervisor/link.h"
#include "supervisor/logger_pump.h"
#include "supervisor/monitor.h"
#include "supervisor/ruler.h"
#include "vassals/output.h"

#define RULER_SPAWNS_IN_FLIGHT 8	/* so that a deploy's byte never waits behind more than a few clones */
#define RULER_ERRANDS_MAX 8	/* half of the keeper's: helpers whose answer we have may not have ended yet */

enum ruler_phase { RULER_ADOPTING, RULER_RULING, RULER_DISSOLVING };

struct ruler;
struct prober;
struct reading;
struct liveness;
struct roll;

/* What the keeper hands over with a generation. */
struct strand_ends {
	uint64_t generation;
	pid_t pid;
	int wire, output, reach;	/* reach: its private socket (O_PATH), or -1 */
};

/* One generation, or what is left of it: the descriptors last until its end was told to the court, the lines longer. */
struct strand {
	struct subject *subject;
	uint64_t generation;		/* that the descriptors belong to; 0: none */
	pid_t pid;			/* of its first process: stands before its lines in the log */
	int reach;
	bool has_served;		/* it is beside because a newer one has taken over */
	ev_io wire, output;
	struct output *lines;		/* NULL until it prints something */
	struct prober *prober;		/* the gate's */
};

/* What hangs on one vassal here. */
struct subject {
	struct ruler *ruler;
	struct court_vassal *cv;
	ev_timer timer;
	struct strand *own, *beside;	/* NULL: never any; or none */
	bool tried;			/* the newest attempt at newer code was made beside: its words are there, if it had any */
	bool rehearses;			/* ... and only to see whether it would work */
	bool is_dirty;
	struct liveness *liveness;	/* NULL: never asked for */
	uint32_t unhealthy;		/* how often it was found to hang */
	uint64_t dropped, dropped_told;
	uid_t uid;			/* of its ini, where that decides; IDENTITY_NONE */
	gid_t gid;
	uint64_t ctime_ns;		/* of the file looked at last */
	struct subject *dirty_prev, *dirty_next;	/* in ruler.dirty */
};

typedef void (*errand_done)(struct ruler *r, void *data, const struct errand_answer *answer, int fd);
struct ruler_errand {
	uint64_t serial;		/* 0: free */
	struct ruler *ruler;
	ev_io io;			/* its helper's answer */
	struct errand_wish *wish;
	errand_done done;		/* NULL: nobody wants it any more */
	void *data;
};

struct spawn_wish { uint64_t generation; uint32_t arg; struct spawn_wish *next; };
struct early_exit { uint64_t generation; int status; };

struct ruler {
	const struct ruler_start *start;
	const struct options *options;
	struct ev_loop *loop;
	enum ruler_phase phase;
	struct link link;
	ev_io link_read, link_write;
	ev_timer link_retry;
	struct court *court;
	struct watch *watch;
	struct monitor **monitors;
	struct commands *commands;
	struct ruler_errand errands[RULER_ERRANDS_MAX];
	struct errand_wish *errand_wishes;	/* in their order */
	ev_timer errand_retry;
	struct reading *readings;	/* that wait for a file to be fetched */
	uint64_t next_serial;
	struct spawn_wish *spawns, **spawns_end;
	struct subject *dirty;		/* their records are newer than the keeper's */
	unsigned in_flight;
	struct early_exit *early_exits;	/* told before the court was adopted */
	size_t n_early_exits;
	ev_prepare before_sleep;
	struct logger_pump log;
	ev_periodic never;
	size_t status_told;		/* the number of vassals in the last status line; SIZE_MAX: none yet */
	struct walk *away;		/* lookup.c: those that are asked about again in a moment */
	struct roll *roll;		/* a HUP that is not through yet, or NULL */
	bool listing;			/* the first listing: what is seen is booting */
	int status;
};

/* --- ruler.c */
void ruler_start_monitors(struct ruler *r);
void ruler_rescan(void *data);
/* --- ruler_messages.c */
void ruler_init_link(struct ruler *r);
void ruler_post(struct ruler *r, struct link_message *m);
/* --- ruler_errands.c */
void ruler_errands_init(struct ruler *r);
/* 0; -ENOMEM. When too many are under way it waits its turn. done is called once, unless ruler_errand_forget(data) comes first. */
int ruler_errand(struct ruler *r, enum errand_kind kind, const char *name, unsigned monitor, const struct subject *ids,
		 const char *target, errand_done done, void *data);
void ruler_errand_forget(struct ruler *r, const void *data);
void ruler_errand_answered(struct ruler *r, const struct link_message *m, int fd);
/* --- ruler_world.c */
void ruler_world(struct ruler *r, struct court_world *world);
void ruler_spawn_done(struct ruler *r);
/* Sends the records that no order has carried. Before anybody outside hears of what they say: a client, or the wire whose byte was
 * only looked at; at the latest before the loop sleeps. */
void ruler_write_records(struct ruler *r);
void ruler_clean(struct subject *s);	/* no record of it is owed any more */
/* --- ruler_words.c */
void ruler_say(struct court_vassal *cv, enum vassal_state from, enum vassal_event event);
/* --- ruler_roll.c */
void ruler_roll_begin(struct ruler *r);		/* while one is under way: from the start */
void ruler_roll_turn(struct ruler *r);		/* once a turn: who is through, who is next */
void ruler_roll_gone(struct ruler *r, const struct court_vassal *cv);
void ruler_roll_end(struct ruler *r);
/* --- subject.c */
struct subject *subject_of(struct ruler *r, struct court_vassal *cv);	/* made if needed; NULL: no memory */
void subject_free(struct subject *s);
/* Takes the descriptors; they go to the own generation or to the one beside, by their number. false: no memory, they were left. */
bool subject_attach(struct subject *s, struct strand_ends *ends);
void subject_listen(struct subject *s);		/* after adoption: before it nothing may reach the court */
void subject_detach(struct subject *s, uint64_t generation);	/* reads what is left, then closes */
void subject_moved(struct subject *s);		/* its state has changed */
void subject_seen(struct subject *s);		/* its spec is new, or known at last */
void subject_probe(struct subject *s);		/* of the generation that is at the gate */
void subject_probe_cancel(struct subject *s);
uid_t subject_uid(const struct subject *s);	/* whom it runs as; IDENTITY_NONE: not known */
/* newest_only: what was said since the newest attempt at newer code began, by who was tried then. Else all that is kept: who retires
 * first, then who serves, then who failed. malloc()ed; NULL: nothing, or no memory. */
char *subject_tail(struct subject *s, size_t lines, bool newest_only);
/* --- strand.c */
struct strand *strand_new(struct subject *s);
struct strand *strand_free(struct strand *st);	/* NULL is fine; returns NULL */
void strand_attach(struct strand *st, const struct strand_ends *ends);	/* takes the descriptors */
void strand_listen(struct strand *st);		/* NULL is fine */
void strand_detach(struct strand *st);
void strand_probe(struct strand *st);		/* one request; the court is told */
/* --- ruler_check.c */
int ruler_check(void *data, struct court_vassal *cv, uint64_t waiter);	/* as in commands_host */
/* --- lookup.c */
void lookup_found(void *data, struct monitor *m, enum monitor_hint hint, const char *name, const char *path);
bool lookup_denied(void *data, struct watch_path *p, const char *path);
void lookup_end(struct ruler *r);
/* --- liveness.c */
void liveness_follow(struct subject *s);	/* its state or spec has changed: begins, goes on, or stops */
struct liveness *liveness_free(struct liveness *l);	/* NULL is fine; returns NULL */
/* --- prober.c */
typedef void prober_judged(void *data, int status);	/* as probe_judge() has it; the prober is gone by then */
/* Asks over the private socket if there is one, else as the spec says. NULL: nothing to ask, or no memory. Where nobody listens,
 * judged is never called: who asked has a time limit. */
struct prober *prober_new(const struct strand *st, prober_judged *judged, void *data);
struct prober *prober_free(struct prober *p);	/* NULL is fine; returns NULL; judged is not called any more */

#endif
