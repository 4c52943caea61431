/* court: name -> vassal, and generation -> vassal. Feeds events to vassal.c and carries out what it decides, through the
 * court_world it is given: the real one is ruler.c, the simulated one tests/sim. It owns the vassals, their requests and
 * their history; it owns no descriptor, asks no clock but the world's, and never logs. */
#ifndef REGENT_COURT_H
#define REGENT_COURT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uthash.h>


#include "supervisor/admission.h"
#include "vassals/util.h"
#include "vassals/vassal.h"

/* What the file behind a name looks like. A change counts if any of device, inode, size, mtime (ns) differs, or, those
 * being equal, the owner (tyrant) or the content's hash: a new ctime alone (hard-link backup, chmod) does not. */
struct court_fingerprint { uint64_t dev, inode, size, mtime_ns, hash; uint32_t uid, gid; };

/* What the keeper is to do; see link.h for the wire form. record: the vassal's state with this order already in it. */
enum court_order_kind { COURT_SPAWN, COURT_SEND, COURT_KILL, COURT_FORGET, COURT_SWITCH, COURT_CLOSE, COURT_STATE, COURT_DROP };
struct court_vassal;
struct court_order {
	enum court_order_kind kind;
	struct court_vassal *vassal;
	uint64_t generation;
	uint32_t arg;			/* COURT_SEND: the byte, maybe + VASSAL_SEND_PAUSED; COURT_SPAWN: enum vassal_spawn */
	const void *record;		/* COURT_DROP: none */
	size_t record_size;
	enum vassal_event event;	/* what it comes from */
};

#define COURT_ID_SIZE 16		/* of a request: chosen by the client, so that it can ask again after a ruler's death */
struct court_answer {
	enum vassal_verdict verdict;
	struct vassal_failure failure;
	uint8_t kind;			/* enum vassal_event: what was asked */
	uint64_t took;			/* ns since it was accepted */
};

struct court_world {
	void *data;
	uint64_t (*now)(void *data);
	void (*order)(void *data, const struct court_order *order);
	void (*arm)(void *data, struct court_vassal *cv, uint64_t deadline);	/* one timer each; 0: none */
	/* Whether there is room for a second generation now; NULL: always. Not asked where handover = force. */
	bool (*may_double)(void *data, struct court_vassal *cv);
	void (*probe)(void *data, struct court_vassal *cv);
	void (*probe_cancel)(void *data, struct court_vassal *cv);
	void (*answer)(void *data, uint64_t waiter, struct court_vassal *cv, const struct court_answer *answer);
	/* state changed: for the log, for who waits for a state. event: what caused it */
	void (*transition)(void *data, struct court_vassal *cv, enum vassal_state from, enum vassal_event event, int64_t arg);
	/* cv is about to be freed: let go of what hangs on it. */
	void (*gone)(void *data, struct court_vassal *cv);
};

struct court_history {		/* one transition */
	int64_t when_ms;	/* wall clock: world.now cannot tell; filled through court_stamp */
	uint8_t from, to, event;
	uint8_t stale;		/* as it was after it */
	uint32_t uid;		/* who asked; UINT32_MAX: nobody */
	int32_t arg;
	uint32_t cycle;
};
#define COURT_HISTORY_MAX 32

struct court_request {
	uint8_t id[COURT_ID_SIZE];
	uint8_t kind;		/* enum vassal_event */
	uint8_t done;		/* answered: the three below are set; kept a while for a client that comes back */
	uint8_t verdict;
	struct vassal_failure failure;
	uint32_t ticket;
	uint32_t uid;		/* who asked */
	uint64_t accepted;	/* monotonic ns */
	uint64_t took;
	uint64_t waiter;	/* whom to tell; 0: nobody is connected */
};
#define COURT_REQUESTS_MAX 32	/* of one vassal, answered ones included: the oldest answered go first */

/* What the rules need of a spec: in the record, since a new ruler rules before it has read a single config. */
struct court_gate {
	uint8_t known;			/* a spec said so; else the defaults */
	uint8_t signal, probe, probe_strict, calm;
	uint8_t hold, handover, pause;	/* as in struct vassal_rules */
	uint8_t forced;			/* handover = force */
	uint32_t ready_for_ms, start_timeout_ms, probe_limit_ms, retire_mercy_ms, drain_ms;	/* UINT32_MAX: the default */
};

struct court_vassal {
	struct vassal v;
	struct court_fingerprint print;
	struct court_gate gate;
	UT_hash_handle by_name, by_generation;
	struct admission_node node;
	struct court_request *requests;
	struct court_history *history;	/* ring, grown as needed */
	struct spec *spec;		/* NULL: the gate says all that counts */
	char *trial_config;		/* what is to be rehearsed, or is */
	char *sockets;			/* what the keeper holds from its next start on (vassals/sockets.h), NULL: nothing. In the record */
	struct court_beside *beside;	/* while there is a second generation: its place in the index */
	void *world;			/* the world's own (timer, watchers) */
	uint32_t by_uid;		/* who asked for what is being handled now; UINT32_MAX: nobody */
	uint16_t monitor;		/* index */
	uint8_t n_requests, n_history, history_next;
	uint8_t adopted_process, adopted_beside;	/* while adopting: the keeper holds that generation */
	uint8_t seen;			/* by a monitor, since court_new() */
	uint64_t generation_key;	/* v.generation, as it stands in the hash table */
	uint64_t armed;			/* the deadline that the world was told */
	char name[];
};

struct court_config {
	struct vassal_rules rules;	/* the defaults; a spec may override signal, probe, ready_for, start_timeout, ... */
	bool hold_sockets;		/* --hold-sockets */
	enum spec_handover handover;	/* --handover; a spec that says something wins */
	uint32_t drain_ms;
	uint32_t max_starting;
	uint64_t first_generation;	/* numbers above what any earlier ruler used */
	int64_t (*stamp)(void *data);	/* wall clock, ms */
};

struct court;

int court_new(const struct court_config *config, const struct court_world *world, struct court **ret);
struct court *court_free(struct court *c);	/* orders nothing */

/* --- configs. booting: part of the first listing. spec is owned by the court from here (may be NULL).
 * 0; -ENOMEM; */
int court_seen(struct court *c, const char *name, uint16_t monitor, const struct court_fingerprint *print,
	       struct spec *spec, bool booting);
/* A vassal that court_seen() will be told of next: so that the world can hang things on it before. 0 or -ENOMEM. */
int court_expect(struct court *c, const char *name, struct court_vassal **ret);
void court_present(struct court *c, struct court_vassal *cv);	/* seen, and the same as before */
bool court_differs(const struct court *c, const char *name, const struct court_fingerprint *print);
void court_missing(struct court *c, const char *name);
void court_sweep(struct court *c);		/* after the first listing: who was not seen is missing */
void court_dissolve(struct court *c, uint64_t mercy);	/* every vassal: removed, without grace; has mercy (ns) to end */

/* --- the keeper's news. Of a generation that the court does not know: ignored (true: known). */
bool court_started(struct court *c, uint64_t generation, pid_t pid);
bool court_spawn_failed(struct court *c, uint64_t generation, unsigned stage, int error);
bool court_exited(struct court *c, uint64_t generation, int status);
bool court_switched(struct court *c, uint64_t generation, int error);	/* 0: clients reach it */
bool court_drained(struct court *c, uint64_t generation);	/* that clients reach: the other side has been quiet */
bool court_byte(struct court *c, uint64_t generation, unsigned char byte);
bool court_wire_eof(struct court *c, uint64_t generation);
bool court_no_app(struct court *c, uint64_t generation);
bool court_probed(struct court *c, uint64_t generation, int status);	/* ok as health-status says (any, without health) */
void court_timer(struct court *c, struct court_vassal *cv);

/* --- requests: VASSAL_RELOAD, _RESTART, _START, _STOP. The answer comes through world.answer, maybe before this returns.
 * An id seen before is the same request: it is waited for (again), or its answer is given again.
 * 0; -EBUSY: too many requests under way for this vassal; -ENOMEM. waiter != 0. */
int court_request(struct court *c, struct court_vassal *cv, enum vassal_event kind, const uint8_t id[COURT_ID_SIZE],
		  uint32_t uid, uint64_t waiter);
/* Tries config (an absolute path; owned by the caller) beside cv, on its sockets and through its gate, and lets it go again. As court_request(); -EBUSY also: something is
 * being rehearsed already. */
int court_rehearse(struct court *c, struct court_vassal *cv, const char *config, const uint8_t id[COURT_ID_SIZE], uint32_t uid,
		   uint64_t waiter);
void court_restart(struct court *c, struct court_vassal *cv);	/* nobody asked: its liveness check failed */
void court_forsake(struct court *c, uint64_t waiter);	/* the client went away; the request goes on. O(vassals): rare */
/* Freezes for ns, or (0) thaws. */
void court_calm(struct court *c, struct court_vassal *cv, uint64_t ns, uint32_t uid);
void court_forget_blacklist(struct court *c);
/* Reload of everything that runs, all at once: admission paces them. */
void court_reload_all(struct court *c);
void court_reload(struct court *c, struct court_vassal *cv);	/* of one, likewise */

/* --- a new ruler: records first, then the generations that the keeper holds, then court_adopted(). Orders nothing before that.
 * -EBADMSG: a record of another version or size (it is dropped, its generation is then unknown: the caller kills it). */
int court_adopt_record(struct court *c, const char *name, const void *record, size_t size);
void court_number_from(struct court *c, uint64_t newest);	/* new generations get numbers above this */
bool court_adopt_generation(struct court *c, uint64_t generation, pid_t pid);
void court_adopted(struct court *c);

/* One vassal's record as it stands: everything that must outlive a ruler. 0 or -ENOMEM; *ret is malloc()ed. */
int court_record_write(const struct court_vassal *cv, void **ret, size_t *size);

/* --- looking */
struct court_vassal *court_find(const struct court *c, const char *name);
struct court_vassal *court_find_generation(const struct court *c, uint64_t generation);
struct court_vassal *court_first(const struct court *c);	/* in order of appearance; then cv->by_name.next */
struct court_vassal *court_next(const struct court_vassal *cv);
size_t court_count(const struct court *c);
uint32_t court_drain_ms(const struct court *c, const struct court_vassal *cv);	/* quiet that ends a drain */
size_t court_running(const struct court *c);		/* with a process */
bool court_is_dissolved(const struct court *c);		/* court_dissolve was called and nothing is left */
void court_rules(const struct court *c, const struct court_vassal *cv, struct vassal_rules *rules);
/* i = 0: the oldest kept. NULL beyond. */
const struct court_history *court_history(const struct court_vassal *cv, unsigned i);
const struct admission *court_admission(const struct court *c);

#endif
