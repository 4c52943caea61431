/* vassal: the state machine of one vassal. Pure: takes an event and the time, changes its state, says what to do. Makes no
 * system call, asks no clock, holds no pointer: the bytes of a struct vassal are its record, which the keeper keeps over the
 * ruler's death. The table of states and events is in vassal.c and, for people, in ARCHITECTURE.md. */
#ifndef REGENT_VASSAL_H
#define REGENT_VASSAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vassals/backoff.h"
#include "vassals/spec.h"

/* What somebody wants; what is, is the state. */
enum vassal_wanted {
	VASSAL_WANTED_RUN,
	VASSAL_WANTED_STOP,	/* an operator said stop: until start, a changed config, or a restart of regent */
	VASSAL_WANTED_GONE,	/* its config is gone, or the court is dissolved */
};

enum vassal_state {
	VASSAL_QUEUED,		/* no process; waits for a start slot */
	VASSAL_SPAWNING,	/* the keeper was asked to start it */
	VASSAL_STARTING,	/* a process runs; the byte that says it is up has not come */
	VASSAL_SETTLING,	/* the byte came; at the gate: ready-for, then the probe */
	VASSAL_READY,		/* passed the gate: the code accepts requests */
	VASSAL_BROKEN,		/* lives, but failed the gate (no app loaded, bad answer): serves errors */
	VASSAL_RELOAD_QUEUED,	/* runs; its reload waits for a start slot */
	VASSAL_RELOADING,	/* byte 1 was sent; the byte of the new code has not come */
	/* Handover. Until the switch the old generation is the vassal's own and serves; the new one is `beside`. */
	VASSAL_RENEW_SPAWNING,	/* the keeper was asked to start the new one */
	VASSAL_RENEW_STARTING,	/* it runs; the byte that says it is up has not come */
	VASSAL_RENEW_SETTLING,	/* it is at the gate */
	VASSAL_SWITCHING,	/* it passed; the keeper was asked to lead clients to it */
	VASSAL_ABANDONING,	/* it failed, and is being killed; the old one serves on */
	VASSAL_RETIRING,	/* the new one serves; the old one, now `beside`, drains, finishes its requests and ends */
	VASSAL_STOPPING,	/* the stop byte was sent; has until its mercy is over */
	VASSAL_CURSED,		/* closed its wire, but the process is still there */
	VASSAL_KILLING,		/* SIGKILL was sent to the whole tree */
	VASSAL_BLACKLISTED,	/* died; waits out its throttle */
	VASSAL_EXILED,		/* exited 26: not before its config changes */
	VASSAL_STOPPED,		/* an operator stopped it */
	VASSAL_GONE,		/* nothing is left: may be freed */
	VASSAL_STATES
};

enum vassal_event {
	/* its config */
	VASSAL_CHANGED,		/* new, or it counts as changed */
	VASSAL_MISSING,		/* not there right now: a grace begins */
	VASSAL_PRESENT,		/* there, and the same: ends a grace */
	VASSAL_REMOVED,		/* the grace is over, or the court is dissolved */
	/* requests */
	VASSAL_RELOAD,
	VASSAL_RESTART,
	VASSAL_START,
	VASSAL_STOP,
	VASSAL_REHEARSE,	/* try other code beside it, and let it go again whatever comes out */
	VASSAL_FREEZE,		/* arg: ns, after which it thaws by itself */
	VASSAL_THAW,
	/* admission and the keeper */
	VASSAL_ADMITTED,	/* has a start slot */
	VASSAL_STARTED,		/* arg: pid */
	VASSAL_SPAWN_FAILED,	/* failure: stage and errno */
	VASSAL_EXITED,		/* arg: wait status */
	/* of the generation beside, made at the door from the above */
	VASSAL_BESIDE_STARTED,
	VASSAL_BESIDE_SPAWN_FAILED,
	VASSAL_BESIDE_EXITED,
	VASSAL_BESIDE_UP,
	VASSAL_BESIDE_EOF,
	/* held sockets */
	VASSAL_SWITCHED,	/* clients reach the new generation */
	VASSAL_SWITCH_FAILED,	/* arg: errno */
	VASSAL_DRAINED,		/* the old one's listeners have been quiet */
	/* its wire and its output */
	VASSAL_BYTE,		/* arg: the byte */
	VASSAL_UP,		/* (made from a byte by the rules: the code accepts requests) */
	VASSAL_WIRE_EOF,
	VASSAL_NO_APP,		/* uWSGI's words said that no app was loaded */
	VASSAL_PROBE_OK,
	VASSAL_PROBE_FAILED,	/* arg: HTTP status; 0: no sensible answer; -1: uWSGI says that it has no app */
	/* timers; VASSAL_TIMER makes the one that is due */
	VASSAL_TIMER,
	VASSAL_PATIENCE_OVER,	/* start-patience: its slot is needed elsewhere */
	VASSAL_START_TIMEOUT,
	VASSAL_SETTLED,		/* ready-for is over */
	VASSAL_PROBE_TIMEOUT,
	VASSAL_MERCY_OVER,	/* stop mercy or curse tolerance */
	VASSAL_BACKOFF_OVER,
	VASSAL_HEARTBEAT_LOST,
	VASSAL_RETIRE_OVER,	/* retire-mercy of the generation beside */
	VASSAL_HOLD_OVER,	/* nothing has served for hold-limit: clients shall be refused rather than wait */
	VASSAL_EVENTS
};

enum vassal_timer {
	VASSAL_T_GRACE, VASSAL_T_FREEZE, VASSAL_T_PATIENCE, VASSAL_T_START, VASSAL_T_SETTLE, VASSAL_T_PROBE, VASSAL_T_MERCY,
	VASSAL_T_BACKOFF, VASSAL_T_HEARTBEAT, VASSAL_T_RETIRE, VASSAL_T_HOLD, VASSAL_TIMERS
};

/* What a frozen vassal's config did meanwhile. */
enum vassal_noted { VASSAL_NOTED_CHANGED = 1, VASSAL_NOTED_MISSING = 2 };

/* Who waits for a start slot goes in this order. */
enum vassal_class { VASSAL_CLASS_DEPLOY, VASSAL_CLASS_RESPAWN, VASSAL_CLASS_BOOT, VASSAL_CLASS_NONE };

/* Why a cycle failed. */
enum vassal_why {
	VASSAL_WHY_NONE,
	VASSAL_WHY_SPAWN,	/* detail: errno, stage: launch stage */
	VASSAL_WHY_EXIT,	/* detail: wait status */
	VASSAL_WHY_TIMEOUT,	/* no byte within start-timeout */
	VASSAL_WHY_NO_APP,
	VASSAL_WHY_PROBE,	/* detail: HTTP status or 0 */
	VASSAL_WHY_RESPAWNING,	/* its workers died again and again */
	VASSAL_WHY_HEARTBEAT,
	VASSAL_WHY_CURSED,	/* closed its wire and did not end */
	VASSAL_WHY_STOPPED,	/* an operator stopped it meanwhile */
	VASSAL_WHY_REMOVED,	/* its config went meanwhile */
	VASSAL_WHY_IMPATIENT,	/* hung in its start, and newer code was asked for */
	VASSAL_WHY_SWITCH,	/* detail: errno of leading clients to it */
	VASSAL_WHY_NO_TRIAL,	/* nothing was rehearsed: it does not run, or its sockets are not held */
	VASSAL_WHYS
};
struct vassal_failure {
	uint8_t why;		/* enum vassal_why */
	uint8_t stage;		/* enum launch_stage with WHY_SPAWN */
	int32_t detail;
};

/* Answers to requests. The numbers are regentctl's exit statuses. */
enum vassal_verdict { VASSAL_DONE = 0, VASSAL_FAILED_OLD_SERVES = 1, VASSAL_FAILED_DOWN = 3 };

/* What is the same for the whole court, or comes from the vassal's spec. Times in ns. */
struct vassal_rules {
	enum spec_signal signal;
	bool calm;			/* [regent] reload-on-change = no: a changed config does not touch what runs */
	bool probe;			/* the gate asks for one request */
	bool probe_strict;		/* [regent] health: no answer in time is a failure, not "busy" */
	bool hold;			/* the keeper holds its sockets, from the next start on */
	bool handover;			/* a reload starts the new generation beside the old, if that one's sockets are held */
	bool pause;			/* a reload in place pauses the workers first: it was to be a handover, and cannot be one */
	uint64_t ready_for, start_patience, start_timeout;
	uint64_t probe_limit;		/* [regent] health-timeout */
	uint64_t retire_mercy;		/* of the old generation: from the switch to byte 2 at the latest, and from byte 2 to SIGKILL */
	uint64_t hold_limit;		/* clients wait so long for a vassal that died to come back */
	uint64_t mercy;			/* after the stop byte: emperor-curse-tolerance */
	uint64_t curse_tolerance, heartbeat;
	uint8_t stop_byte;		/* 0, or 2 with emperor-graceful-shutdown */
	struct backoff_rules backoff;
};
#define VASSAL_GRACE_NS (1000ULL * 1000000ULL)		/* git checkout removes a file for up to 11 ms (tried); ample */
#define VASSAL_WORKERS_UP_NS (100ULL * 1000000ULL)	/* bytes 1 and 2 sooner after 5 stall up to 60 s (tried: 50 ms never did) */
#define VASSAL_OLD_WORKERS_NS (60ULL * 1000000000ULL)	/* uWSGI's worker-reload-mercy: what byte 1 may take before new code runs */
#define VASSAL_SILENT_NS (2ULL * 1000000000ULL)	/* cheap and router-only vassals say nothing after byte 1: alive this long must do */
#define VASSAL_RESPAWNS_MAX 3				/* bytes 5 beyond the first before the gate calls it respawning over and over */
#define VASSAL_PROBE_NS (10ULL * 1000000000ULL)		/* the default of probe_limit: no answer within it is "busy", not "broken", unless health is set */

/* What the other generation is. */
enum vassal_beside_phase {
	VASSAL_BESIDE_NONE,
	VASSAL_BESIDE_TRIED,	/* the new one: VASSAL_RENEW_* and VASSAL_SWITCHING say how far it is */
	VASSAL_BESIDE_DRAINING,	/* the old one; clients no longer come, those on the way are waited for */
	VASSAL_BESIDE_RETIRING,	/* the old one, told to end when its requests are done */
	VASSAL_BESIDE_KILLED,	/* either: SIGKILL was sent */
	VASSAL_BESIDE_PHASES
};
struct vassal_beside {
	uint64_t generation;	/* 0: none */
	uint64_t up_at;
	int32_t pid;
	uint8_t phase;		/* enum vassal_beside_phase */
	uint8_t up_byte, spawned, loyal;
	uint8_t closed;		/* its wire is, and its end has not come */
};

struct vassal {
	uint8_t wanted;			/* enum vassal_wanted */
	uint8_t state;			/* enum vassal_state */
	uint8_t pending;		/* enum vassal_class: the code must be executed (once more); NONE: no */
	uint8_t loyal;			/* byte 17 came in this generation */
	uint8_t slot;			/* holds a start slot */
	uint8_t no_app;			/* this cycle's words said so */
	uint8_t spawned;		/* byte 1 came in this generation */
	uint8_t probing;
	uint8_t noted;			/* enum vassal_noted, while it is frozen */
	uint8_t up_byte;		/* the byte that said so in this generation; 0: none ever came, it was assumed */
	uint8_t held;			/* the sockets of its own generation are held */
	uint8_t stale;			/* newer code failed: what serves is older than its files say */
	uint8_t was_broken;		/* while something is tried beside it: it serves errors itself */
	uint8_t trial;			/* a rehearsal is wanted, or under way: its states are those of a handover up to the gate */
	uint8_t trial_passed;
	int32_t pid;			/* of the generation's first process; 0: none */
	uint32_t cycle;			/* counts executions of the code: spawns and bytes 1 */
	uint32_t answered;		/* the newest cycle with a result */
	uint8_t result;			/* its enum vassal_verdict */
	uint8_t level;			/* deaths in a row, for backoff */
	uint16_t respawns_seen;		/* bytes 5 beyond the first while settling */
	uint32_t restarts;		/* starts that nobody asked for, ever */
	uint32_t reloads;
	struct vassal_failure failure;	/* of the newest failed cycle or death; WHY_NONE after a success */
	struct vassal_failure trial_failure;	/* of the newest rehearsal */
	int32_t last_status;		/* wait status of the newest end; -1: none yet */
	uint64_t generation;		/* the keeper's name for the process tree that serves; 0: none. Set with VASSAL_ADMITTED's spawn */
	struct vassal_beside beside;
	uint64_t since;			/* of this state, monotonic ns */
	uint64_t up_at;			/* when it was last up; 0: not in this generation */
	uint64_t deadline[VASSAL_TIMERS];	/* monotonic ns; 0: not armed */
};

enum vassal_act {
	VASSAL_ACT_ASK,		/* wait for a start slot in class arg (again: change the class) */
	VASSAL_ACT_LEAVE,	/* wait no more */
	VASSAL_ACT_RELEASE,	/* the start slot is free */
	VASSAL_ACT_SPAWN,	/* start action.generation; arg: enum vassal_spawn */
	VASSAL_ACT_SEND,	/* arg: byte for the wire, maybe + VASSAL_SEND_PAUSED */
	VASSAL_ACT_SWITCH,	/* lead clients to action.generation, then drain the other side; again is fine */
	VASSAL_ACT_CLOSE,	/* let go of the held sockets: clients are refused */
	VASSAL_ACT_KILL,	/* SIGKILL to the whole tree */
	VASSAL_ACT_FORGET,	/* the end of action.generation was acted on */
	VASSAL_ACT_PROBE,
	VASSAL_ACT_PROBE_CANCEL,
	VASSAL_ACT_ANSWER,	/* all start-like requests with ticket <= arg: verdict v->result, why v->failure */
	VASSAL_ACT_ANSWER_STOPS,	/* all stop requests: done */
	VASSAL_ACT_ANSWER_TRIAL,	/* all rehearsals: verdict arg, why v->trial_failure */
	VASSAL_ACT_CANCEL,	/* all start-like requests: VASSAL_FAILED_DOWN, why = arg (stopped or removed) */
};
enum vassal_spawn { VASSAL_SPAWN_HELD = 1, VASSAL_SPAWN_BESIDE = 2, VASSAL_SPAWN_TRIAL = 4 };
#define VASSAL_SEND_PAUSED 0x100	/* pause the workers first: a bare byte loses what they have just accepted */
#define VASSAL_ACTIONS_MAX 16
struct vassal_action { uint8_t act; uint32_t arg; uint64_t generation; };
struct vassal_actions {
	struct vassal_action list[VASSAL_ACTIONS_MAX];
	unsigned n;
};

struct vassal_input {
	enum vassal_event event;
	uint64_t now;
	uint64_t generation;		/* that the keeper's news, bytes, words and probes are about; 0: the vassal's own */
	int64_t arg;
	struct vassal_failure failure;	/* with SPAWN_FAILED */
	enum vassal_class class;	/* with CHANGED: BOOT at the first listing, else DEPLOY */
	uint64_t new_generation;	/* with ADMITTED: the number a spawn takes */
};

/* A new vassal, QUEUED at nothing yet: the first event is VASSAL_CHANGED. */
void vassal_init(struct vassal *v, uint64_t now);
/* Any event in any state is fine, save VASSAL_STARTED and VASSAL_SPAWN_FAILED of another generation (the court filters by number); what makes no sense there is ignored. *actions is filled from its start. */
void vassal_handle(struct vassal *v, const struct vassal_rules *rules, const struct vassal_input *in,
		   struct vassal_actions *actions);
/* The ticket of a request of this kind made now, before vassal_handle() gets it: it is answered by the first result with
 * answered >= ticket. (A result of an older execution never answers.) */
uint32_t vassal_ticket(const struct vassal *v, enum vassal_event request);
/* The earliest deadline, 0 if none. */
uint64_t vassal_deadline(const struct vassal *v);
/* A new ruler has read the record; has_process, has_beside: the keeper holds a live or unforgotten generation of that number.
 * Makes record and fact agree again; the actions say what must be (re)done. */
void vassal_adopt(struct vassal *v, const struct vassal_rules *rules, bool has_process, bool has_beside, uint64_t now,
		  struct vassal_actions *actions);

bool vassal_is_frozen(const struct vassal *v);
bool vassal_has_process(const struct vassal *v);	/* SPAWNING counts */
const char *vassal_state_name(enum vassal_state state);	/* "ready", "reload-queued", ... as status shows it */
const char *vassal_event_name(enum vassal_event event);

#endif
