/* sim: the real court against a simulated keeper, simulated vassals, clients and disk, under a virtual clock and one seeded
 * generator: the same seed gives the same run. Nothing here reads a clock, a file or an address. */
#ifndef REGENT_SIM_H
#define REGENT_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/court.h"

#define MS 1000000ULL
#define SEC 1000000000ULL
#define NEVER UINT64_MAX
#define SITES_MAX 256
#define CLIENTS_MAX 256
#define WIRE_MAX 128
#define IN_FLIGHT_MAX 2			/* spawns */
#define TRACE_LINES 40
#define TRACE_WIDTH 160
#define RULER_DOWN_MAX (12 * SEC)	/* longest that no ruler rules */
#define SLACK (3 * SEC)			/* all delays of the links together */

/* ---- what is counted, and printed at the end */
enum count {
	C_RULER_DEATHS, C_ORDERS_LOST, C_BYTES_AGAIN, C_BYTES_TWICE, C_SPAWN_FAILS, C_CONFIG_CHANGED, C_CONFIG_MISSING,
	C_CONFIG_BACK, C_CONFIG_NEW, C_RELOAD, C_RESTART, C_START, C_STOP, C_FORSAKEN, C_REASKED, C_REPEATED_ID, C_BUSY,
	C_FORGET_BLACKLIST, C_RELOAD_ALL, C_STORMS, C_CALM, C_EXECS, C_EXIT_22, C_EXIT_26, C_HANGS, C_CRASHES, C_NO_APP,
	C_BYTE_LATE, C_BYTE_DOUBLED, C_BYTE_MISSING, C_WIRE_CLOSED, C_STOP_IGNORED, C_HEARTBEAT_LOST, C_BYTE_22,
	C_DIED_IN_RELOAD, C_PROBE_BAD, C_PROBE_SLOW, C_DONE, C_FAILED, C_STOPS_DONE, C_OLD_WORKER_SPOKE, C_SWITCHES, C_SWITCH_FAILS, C_BACK, C_TRIALS, C_TRIALS_DONE,
	C_OLD_SERVES, C_CLOSES, C_COUNTS
};

struct sim;

/* ---- one execution of a vassal's code, drawn when it begins */
enum outcome { OUT_OK, OUT_EXIT, OUT_HANG, OUT_NO_APP };
struct plan {
	enum outcome outcome;
	int exit_code;
	uint64_t import;
	uint64_t late;			/* the byte that says it is up: this much after the import */
	bool mute;			/* ... never */
	unsigned doubled;		/* byte 5 that many times more */
	uint64_t crash, close_wire, idle;	/* after it is up; 0: not */
	bool ignores_stop, dies_in_reload, beats, beat_lost, probe_bad;
	uint64_t drain, farewell;	/* old workers at byte 1; from the stop byte to the end */
};

/* ---- one process tree at the keeper */
enum phase { PH_IMPORTING, PH_UP, PH_DRAINING, PH_EXITING, PH_KILLED, PH_HUNG, PH_DEAD };
enum proc_timer { P_PHASE, P_SIGNAL, P_AGAIN, P_BEAT, P_LOYAL, P_CRASH, P_CLOSE, P_IDLE, P_TIMERS };
enum { WIRE_EOF = 256, WIRE_NO_APP };
struct message {
	uint64_t at, step, seq;		/* step: of its handing over; seq: consumed once the keeper has taken this many orders */
	unsigned kind;			/* a byte, or above */
	uint32_t exec;
	bool delivered;
};
struct proc {
	struct proc *next;
	unsigned site;
	uint64_t generation;
	int32_t pid, status;
	enum phase phase;
	bool first, again, eof;		/* again: byte 1 came while it could not heed it */
	bool wired;			/* this ruler has its wire */
	bool told;			/* this ruler knows that it ended */
	bool held, trial;
	unsigned side;			/* of its sockets, if they are held */
	uint32_t exec;
	uint32_t reload_from;		/* the execution that its newest byte 1 was meant to end */
	bool ever_five;			/* a ruler saw byte 5 of this generation */
	uint32_t fives;			/* bytes 5 and rereads of them that the rulers saw in this execution */
	uint64_t exec_at, signal_at, beat_at;
	uint64_t timer[P_TIMERS];	/* NEVER: not armed */
	struct plan plan;
	struct message wire[WIRE_MAX];
	unsigned n_wire;
};

/* ---- one config on the disk, its code, and what there is to remember of it */
struct site {
	char name[16];
	bool exists;
	struct court_fingerprint print;
	enum spec_signal signal;
	bool logger, health;
	bool hold, handover, double_bad;	/* as its ini says now */
	unsigned side;			/* that clients reach */
	uint64_t drain_at, drain_generation;	/* NEVER: nothing drains */
	uint32_t ready_for_ms;
	bool beats;
	uint32_t cycle;			/* of the newest SPAWN or byte 1 that the keeper took */
	uint32_t execs;			/* executions of its code, ever */
	uint32_t accepted;		/* the newest of them that accepted requests, with its app */
	uint32_t exits, spawn_fails, stops, removals;
	uint32_t doubtful;		/* the cycle that an old worker's byte may have answered; UINT32_MAX: none */
	uint64_t probe_at;		/* NEVER: no probe under way */
	uint64_t armed;			/* the timer that the court asked for */
	void *record;			/* the keeper's */
	size_t record_size;
};

enum client_state { CL_FREE, CL_WAITING, CL_LOST, CL_FORSAKEN };	/* LOST: its ruler died; asks again at `again` */
struct client {
	enum client_state state;
	unsigned site;
	enum vassal_event kind;
	uint8_t id[COURT_ID_SIZE];
	uint64_t waiter, asked, again;
	uint32_t execs, exits, spawn_fails, stops, removals;	/* of its site when it asked */
	uint64_t generation;		/* what lived then */
	uint32_t cycle;			/* the newest that had begun then */
	bool was_there;
	bool fresh;			/* asked once only: its answer is of this moment */
};

struct queued {				/* an order on its way to the keeper */
	struct queued *next;
	uint64_t at, generation;
	enum court_order_kind kind;
	unsigned site;
	uint32_t arg, cycle;
	void *record;
	size_t record_size;
};
struct wish {				/* a spawn that waits in the ruler: few are in flight at a time */
	struct wish *next;
	uint64_t generation;
	uint32_t arg;
};
struct news {				/* the keeper's, on its way to the ruler */
	struct news *next;
	uint64_t at, generation;
	int kind;			/* VASSAL_STARTED, _SPAWN_FAILED, _EXITED, _SWITCHED, _SWITCH_FAILED, _DRAINED */
	int32_t arg;
};

/* What became of a generation's number. */
enum fate { FATE_NONE, FATE_ORDERED, FATE_LIVE, FATE_FAILED, FATE_FAILED_TOLD, FATE_FORGOTTEN };

struct sim {
	uint64_t seed, random, now, step;
	uint64_t deaths;		/* of the ruler: one in so many steps */
	bool quiet;			/* no faults, no operators: everything must come to rest */
	bool dissolving;
	bool verbose;
	unsigned n_sites;
	struct site site[SITES_MAX];
	struct client client[CLIENTS_MAX];
	struct proc *procs;
	struct court *court;		/* NULL: no ruler */
	struct court_config config;
	uint64_t death_step;
	uint64_t ruler_at;		/* when the next one rules */
	struct { uint64_t at, down; } *death;	/* one for each that died */
	struct queued *orders, **orders_end;
	struct news *news, **news_end;
	struct wish *wishes, **wishes_end;
	unsigned in_flight;
	uint64_t pushed, taken;		/* orders, ever */
	uint64_t orders_last, news_last;
	uint8_t *fate;
	size_t n_fate;
	uint64_t last_generation;	/* that the keeper saw */
	int32_t next_pid;
	uint64_t next_waiter, next_id;
	uint64_t op_at, mood_until, mood;	/* mood: mean time between operators' deeds */
	uint64_t count[C_COUNTS], states[VASSAL_STATES], events[VASSAL_EVENTS];
	char trace[TRACE_LINES][TRACE_WIDTH];
	unsigned trace_next;
};

/* main.c */
void sim_trace(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* An invariant is broken: prints seed, step and the last events, ends the program with 1. */
_Noreturn void sim_fail(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint64_t sim_random(struct sim *s);
uint64_t sim_below(struct sim *s, uint64_t n);
bool sim_chance(struct sim *s, unsigned percent);
unsigned sim_site_of(const char *name);

/* process.c */
void proc_spawn(struct sim *s, struct proc *p);
void proc_take_byte(struct sim *s, struct proc *p, uint32_t byte);
void proc_kill(struct sim *s, struct proc *p);
uint64_t proc_due(const struct proc *p);
void proc_run(struct sim *s, struct proc *p);		/* what is due */
bool proc_alive(const struct proc *p);

/* keeper.c */
struct proc *keeper_find(struct sim *s, uint64_t generation);
struct proc *keeper_of_site(struct sim *s, unsigned site);	/* the living one */
void keeper_take_order(struct sim *s);			/* the first in the queue */
void keeper_drained(struct sim *s, unsigned site);
void keeper_tell(struct sim *s, int kind, uint64_t generation, int32_t arg);
void keeper_set_fate(struct sim *s, uint64_t generation, enum fate fate);
enum fate keeper_fate(const struct sim *s, uint64_t generation);
void keeper_free(struct sim *s);

/* ruler.c */
void ruler_start(struct sim *s);
void ruler_die(struct sim *s);
void ruler_take_news(struct sim *s);
void ruler_take_wire(struct sim *s, struct proc *p);
uint64_t ruler_missing_since(const struct sim *s, uint64_t since);	/* how long nobody ruled */
uint64_t ruler_wire_due(const struct proc *p);
void ruler_take_probe(struct sim *s, unsigned site);
void ruler_take_timer(struct sim *s, unsigned site);
void ruler_see(struct sim *s, unsigned site, bool booting);

/* clients.c */
void client_ask(struct sim *s, unsigned site, enum vassal_event kind);
void client_ask_again(struct sim *s, struct client *cl);
void client_repeat(struct sim *s);			/* somebody's id once more */
void client_forsake(struct sim *s);
void client_lose_all(struct sim *s);			/* the ruler died */
void client_answer(struct sim *s, uint64_t waiter, struct court_vassal *cv, const struct court_answer *answer);

/* deeds.c: disk and operators */
void deed(struct sim *s);

/* check.c */
void check_all(struct sim *s);				/* after every step */
void check_order(struct sim *s, const struct court_order *order);
void check_transition(struct sim *s, struct court_vassal *cv, enum vassal_state from);

#endif
