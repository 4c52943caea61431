#include "vassals/vassal.h"

#include <string.h>

#include "vassals/vassal_moves.h"

/* In every state: a generation beside that merely has to end, and held sockets. */
#define BACKGROUND \
	[VASSAL_BESIDE_EXITED] = cell_beside_gone, [VASSAL_BESIDE_STARTED] = cell_beside_late, \
	[VASSAL_BESIDE_SPAWN_FAILED] = cell_beside_gone, [VASSAL_DRAINED] = cell_drained, \
	[VASSAL_RETIRE_OVER] = cell_retire_over, [VASSAL_HOLD_OVER] = cell_hold_over
/* Every state without a process, and every state with one that is alive and heeds its wire. */
#define WITHOUT_PROCESS \
	BACKGROUND, [VASSAL_CHANGED] = cell_start_now, [VASSAL_RELOAD] = cell_start_now, [VASSAL_RESTART] = cell_start_now, \
	[VASSAL_START] = cell_start_now, [VASSAL_STOP] = cell_unwant_idle, [VASSAL_REMOVED] = cell_unwant_idle, \
	[VASSAL_REHEARSE] = cell_rehearse_not
#define ALIVE \
	[VASSAL_STOP] = cell_unwant_running, [VASSAL_REMOVED] = cell_unwant_running, [VASSAL_EXITED] = cell_exited, \
	[VASSAL_WIRE_EOF] = cell_curse, [VASSAL_HEARTBEAT_LOST] = cell_heartbeat_lost
/* ... and is on its way out; maybe since before the keeper had started it. */
#define DYING \
	BACKGROUND, [VASSAL_CHANGED] = cell_note, [VASSAL_RELOAD] = cell_note, [VASSAL_RESTART] = cell_note, \
	[VASSAL_START] = cell_note, [VASSAL_STOP] = cell_unwant, [VASSAL_REMOVED] = cell_unwant, [VASSAL_EXITED] = cell_exited, \
	[VASSAL_STARTED] = cell_started_late, [VASSAL_SPAWN_FAILED] = cell_spawn_failed, [VASSAL_REHEARSE] = cell_rehearse_not
/* The old one serves, and a new one is tried beside it. */
#define RENEWING \
	ALIVE, [VASSAL_REHEARSE] = cell_rehearse_later, [VASSAL_RESTART] = cell_restart, [VASSAL_CHANGED] = cell_note_renewing, [VASSAL_RELOAD] = cell_note_renewing, \
	[VASSAL_HOLD_OVER] = cell_hold_over

/* An empty cell: the event means nothing in that state. */
static const vassal_cell table[VASSAL_STATES][VASSAL_EVENTS] = {
	[VASSAL_QUEUED] = { WITHOUT_PROCESS, [VASSAL_ADMITTED] = cell_spawn },
	[VASSAL_SPAWNING] = {
		BACKGROUND, [VASSAL_CHANGED] = cell_note, [VASSAL_RELOAD] = cell_note, [VASSAL_RESTART] = cell_restart_starting,
		[VASSAL_STOP] = cell_unwant_running, [VASSAL_REMOVED] = cell_unwant_running, [VASSAL_STARTED] = cell_started,
		[VASSAL_SPAWN_FAILED] = cell_spawn_failed, [VASSAL_EXITED] = cell_exited,
		[VASSAL_PATIENCE_OVER] = cell_patience_over, [VASSAL_REHEARSE] = cell_rehearse_later,
	},
	[VASSAL_STARTING] = {
		BACKGROUND, ALIVE, [VASSAL_CHANGED] = cell_note_starting, [VASSAL_RELOAD] = cell_note_starting,
		[VASSAL_RESTART] = cell_restart_starting, [VASSAL_UP] = cell_up, [VASSAL_PATIENCE_OVER] = cell_patience_over,
		[VASSAL_START_TIMEOUT] = cell_start_timeout, [VASSAL_REHEARSE] = cell_rehearse_later,
	},
	[VASSAL_SETTLING] = {
		BACKGROUND, ALIVE, [VASSAL_CHANGED] = cell_note_settling, [VASSAL_RELOAD] = cell_note_settling,
		[VASSAL_RESTART] = cell_restart, [VASSAL_UP] = cell_up_again, [VASSAL_SETTLED] = cell_settled,
		[VASSAL_PROBE_OK] = cell_probe_ok, [VASSAL_PROBE_FAILED] = cell_probe_failed,
		[VASSAL_PROBE_TIMEOUT] = cell_probe_timeout, [VASSAL_REHEARSE] = cell_rehearse_later,
	},
	[VASSAL_READY] = {
		BACKGROUND, ALIVE, [VASSAL_CHANGED] = cell_reload, [VASSAL_RELOAD] = cell_reload, [VASSAL_RESTART] = cell_restart,
		[VASSAL_REHEARSE] = cell_rehearse,
	},
	[VASSAL_BROKEN] = {
		BACKGROUND, ALIVE, [VASSAL_CHANGED] = cell_reload, [VASSAL_RELOAD] = cell_reload, [VASSAL_RESTART] = cell_restart,
		[VASSAL_REHEARSE] = cell_rehearse,
	},
	[VASSAL_RELOAD_QUEUED] = {
		BACKGROUND, ALIVE, [VASSAL_CHANGED] = cell_note_queued, [VASSAL_RELOAD] = cell_note_queued,
		[VASSAL_RESTART] = cell_restart, [VASSAL_ADMITTED] = cell_reload_admitted, [VASSAL_REHEARSE] = cell_rehearse_later,
	},
	[VASSAL_RELOADING] = {
		BACKGROUND, ALIVE, [VASSAL_CHANGED] = cell_note, [VASSAL_RELOAD] = cell_note, [VASSAL_RESTART] = cell_restart,
		[VASSAL_UP] = cell_up, [VASSAL_SETTLED] = cell_up, [VASSAL_PATIENCE_OVER] = cell_patience_over,
		[VASSAL_START_TIMEOUT] = cell_start_timeout, [VASSAL_REHEARSE] = cell_rehearse_later,
	},
	[VASSAL_RENEW_SPAWNING] = {
		RENEWING, [VASSAL_BESIDE_STARTED] = cell_beside_started, [VASSAL_BESIDE_SPAWN_FAILED] = cell_beside_spawn_failed,
		[VASSAL_BESIDE_EXITED] = cell_beside_died, [VASSAL_PATIENCE_OVER] = cell_beside_patience,
	},
	[VASSAL_RENEW_STARTING] = {
		RENEWING, [VASSAL_BESIDE_UP] = cell_beside_up, [VASSAL_BESIDE_EXITED] = cell_beside_died,
		[VASSAL_BESIDE_EOF] = cell_beside_closed, [VASSAL_PATIENCE_OVER] = cell_beside_patience,
		[VASSAL_START_TIMEOUT] = cell_beside_hung,
	},
	[VASSAL_RENEW_SETTLING] = {
		RENEWING, [VASSAL_BESIDE_UP] = cell_beside_up_again, [VASSAL_BESIDE_EXITED] = cell_beside_died,
		[VASSAL_BESIDE_EOF] = cell_beside_closed, [VASSAL_START_TIMEOUT] = cell_beside_hung,
		[VASSAL_SETTLED] = cell_beside_settled, [VASSAL_PROBE_OK] = cell_beside_probe_ok,
		[VASSAL_PROBE_FAILED] = cell_beside_probe_failed, [VASSAL_PROBE_TIMEOUT] = cell_beside_probe_timeout,
	},
	[VASSAL_SWITCHING] = {
		RENEWING, [VASSAL_BESIDE_EXITED] = cell_beside_died, [VASSAL_SWITCHED] = cell_switched,
		[VASSAL_SWITCH_FAILED] = cell_switch_failed,
	},
	[VASSAL_ABANDONING] = {
		RENEWING, [VASSAL_BESIDE_STARTED] = cell_beside_late, [VASSAL_BESIDE_SPAWN_FAILED] = cell_beside_spawn_failed,
		[VASSAL_BESIDE_EXITED] = cell_beside_abandoned,
	},
	[VASSAL_RETIRING] = {
		ALIVE, [VASSAL_CHANGED] = cell_note, [VASSAL_RELOAD] = cell_note, [VASSAL_RESTART] = cell_restart,
		[VASSAL_BESIDE_EXITED] = cell_retired, [VASSAL_DRAINED] = cell_drained, [VASSAL_RETIRE_OVER] = cell_retire_over,
		[VASSAL_HOLD_OVER] = cell_hold_over, [VASSAL_REHEARSE] = cell_rehearse_later,
	},
	[VASSAL_STOPPING] = { DYING, [VASSAL_SETTLED] = cell_send_stop, [VASSAL_MERCY_OVER] = cell_mercy_over },
	[VASSAL_CURSED] = {
		BACKGROUND, [VASSAL_CHANGED] = cell_note_cursed, [VASSAL_RELOAD] = cell_note_cursed,
		[VASSAL_RESTART] = cell_note_cursed, [VASSAL_START] = cell_note_cursed, [VASSAL_STOP] = cell_unwant_cursed,
		[VASSAL_REMOVED] = cell_unwant_cursed, [VASSAL_EXITED] = cell_exited, [VASSAL_MERCY_OVER] = cell_mercy_over,
		[VASSAL_REHEARSE] = cell_rehearse_not,
	},
	[VASSAL_KILLING] = { DYING },
	[VASSAL_BLACKLISTED] = { WITHOUT_PROCESS, [VASSAL_BACKOFF_OVER] = cell_respawn },
	[VASSAL_EXILED] = { WITHOUT_PROCESS },
	[VASSAL_STOPPED] = { WITHOUT_PROCESS },
	[VASSAL_GONE] = { [VASSAL_CHANGED] = cell_start_now, [VASSAL_REHEARSE] = cell_rehearse_not },
};

static const enum vassal_event timer_event[VASSAL_TIMERS] = {
	[VASSAL_T_GRACE] = VASSAL_REMOVED, [VASSAL_T_FREEZE] = VASSAL_THAW, [VASSAL_T_PATIENCE] = VASSAL_PATIENCE_OVER,
	[VASSAL_T_START] = VASSAL_START_TIMEOUT, [VASSAL_T_SETTLE] = VASSAL_SETTLED,
	[VASSAL_T_PROBE] = VASSAL_PROBE_TIMEOUT, [VASSAL_T_MERCY] = VASSAL_MERCY_OVER,
	[VASSAL_T_BACKOFF] = VASSAL_BACKOFF_OVER, [VASSAL_T_HEARTBEAT] = VASSAL_HEARTBEAT_LOST,
	[VASSAL_T_RETIRE] = VASSAL_RETIRE_OVER, [VASSAL_T_HOLD] = VASSAL_HOLD_OVER,
};

/* ---- the door */

void move_dispatch(struct step *s, enum vassal_event event)
{
	struct vassal_input in = *s->in;
	in.event = event;
	struct step inner = { s->v, s->rules, &in, s->out };
	vassal_cell h = table[s->v->state][event];
	if (h)
		h(&inner);
	else if (event == VASSAL_ADMITTED)
		cell_give_back(&inner);	/* it left the queue in the meantime */
}

static bool heeds_wire(const struct vassal *v)
{
	return vassal_has_process(v) && v->state != VASSAL_STOPPING && v->state != VASSAL_CURSED && v->state != VASSAL_KILLING;
}

/* The bytes of the wire, emperor-facts: each may come twice after the ruler's death, so each must be idempotent. */
static void take_byte(struct step *s, int byte)
{
	struct vassal *v = s->v;
	enum spec_signal signal = s->rules->signal;
	if (!heeds_wire(v))
		return;
	bool up = (byte == 5 && signal != SPEC_SIGNAL_LOYAL) || (byte == 1 && signal == SPEC_SIGNAL_SPAWNED) ||
		  (byte == 17 && (signal == SPEC_SIGNAL_LOYAL || signal == SPEC_SIGNAL_UNSURE));
	if (byte == 1)
		v->spawned = 1;
	if (byte == 17)
		v->loyal = 1;
	if (byte == 17 && (v->state == VASSAL_SETTLING || v->up_byte == 5))
		return;		/* each worker says it once, old ones too: it is no respawn, and no news of who says 5 */
	if (byte == 1 && v->state == VASSAL_SETTLING)
		return;		/* nobody says it twice: a new ruler reads it again */
	if (byte == 26 && v->state != VASSAL_RELOADING)	/* there it may be the old code's last */
		move_arm(s, VASSAL_T_HEARTBEAT, s->rules->heartbeat);
	if (byte == 22 && v->state != VASSAL_SPAWNING) {
		if (v->pending == VASSAL_CLASS_NONE)
			v->pending = VASSAL_CLASS_RESPAWN;
		move_stop(s);
	}
	if (up) {
		v->up_byte = (uint8_t)byte;
		move_dispatch(s, VASSAL_UP);
	}
}

/* Likewise of the new one while it is tried; what an old one still says is of no interest. */
static void take_beside_byte(struct step *s, int byte)
{
	struct vassal_beside *b = &s->v->beside;
	if (b->phase != VASSAL_BESIDE_TRIED)
		return;
	bool up = (byte == 5 && s->rules->signal != SPEC_SIGNAL_LOYAL) ||
		  (byte == 17 && (s->rules->signal == SPEC_SIGNAL_LOYAL || (s->rules->signal == SPEC_SIGNAL_UNSURE && b->up_byte == 0)));
	b->spawned |= byte == 1;
	b->loyal |= byte == 17;
	if (!up)
		return;
	b->up_byte = (uint8_t)byte;
	move_dispatch(s, VASSAL_BESIDE_UP);
}

static const enum vassal_event of_beside[VASSAL_EVENTS] = {	/* else 0, which is VASSAL_CHANGED */
	[VASSAL_STARTED] = VASSAL_BESIDE_STARTED, [VASSAL_SPAWN_FAILED] = VASSAL_BESIDE_SPAWN_FAILED,
	[VASSAL_EXITED] = VASSAL_BESIDE_EXITED, [VASSAL_WIRE_EOF] = VASSAL_BESIDE_EOF,
};

/* false: it is news of the vassal's own generation. */
static bool take_beside(struct step *s)
{
	const struct vassal_input *in = s->in;
	struct vassal *v = s->v;
	if (in->generation == 0 || in->generation != v->beside.generation)
		return false;
	if (in->event == VASSAL_BYTE)
		take_beside_byte(s, (int)in->arg);
	else if (in->event == VASSAL_NO_APP)
		v->no_app |= v->beside.phase == VASSAL_BESIDE_TRIED;
	else if (of_beside[in->event] != VASSAL_CHANGED)
		move_dispatch(s, of_beside[in->event]);
	else
		return false;	/* the state tells the others apart */
	return true;
}

/* ---- calm: a deploy hook's checkout touches many files, and its config is gone for a moment */

bool vassal_is_frozen(const struct vassal *v)
{
	return v->deadline[VASSAL_T_FREEZE] != 0;
}

static void freeze(struct step *s)
{
	if (s->v->wanted == VASSAL_WANTED_GONE)
		return;
	if (s->v->deadline[VASSAL_T_GRACE] != 0)
		s->v->noted |= VASSAL_NOTED_MISSING;
	move_disarm(s, VASSAL_T_GRACE);
	move_arm(s, VASSAL_T_FREEZE, (uint64_t)s->in->arg);
}

/* What was executed since the config changed has cleared the note (vassal_cells.c): then there is nothing to do. */
static void thaw(struct step *s)
{
	uint8_t noted = s->v->noted;
	s->v->noted = 0;
	move_disarm(s, VASSAL_T_FREEZE);
	if (noted & VASSAL_NOTED_MISSING)
		move_arm(s, VASSAL_T_GRACE, VASSAL_GRACE_NS);
	else if (noted & VASSAL_NOTED_CHANGED)
		move_dispatch(s, VASSAL_CHANGED);
}

/* true: it is frozen, and this is only noted. */
static bool note_config(struct step *s)
{
	if (!vassal_is_frozen(s->v))
		return false;
	if (s->in->event == VASSAL_MISSING)
		s->v->noted |= VASSAL_NOTED_MISSING;
	else
		s->v->noted &= (uint8_t)~VASSAL_NOTED_MISSING;
	if (s->in->event == VASSAL_CHANGED)
		s->v->noted |= VASSAL_NOTED_CHANGED;
	return true;
}

static void take_config(struct step *s)
{
	struct vassal *v = s->v;
	if (note_config(s))
		return;
	if (s->in->event == VASSAL_MISSING) {
		if (v->wanted != VASSAL_WANTED_GONE && v->deadline[VASSAL_T_GRACE] == 0)
			move_arm(s, VASSAL_T_GRACE, VASSAL_GRACE_NS);
		return;
	}
	move_disarm(s, VASSAL_T_GRACE);
	if (s->in->event == VASSAL_CHANGED && !(s->rules->calm && v->wanted == VASSAL_WANTED_RUN && heeds_wire(v)))
		move_dispatch(s, VASSAL_CHANGED);
}

static void take_timer(struct step *s)
{
	enum vassal_timer due = VASSAL_TIMERS;
	for (int t = 0; t < VASSAL_TIMERS; t++) {
		uint64_t at = s->v->deadline[t];
		if (at != 0 && at <= s->in->now && (due == VASSAL_TIMERS || at < s->v->deadline[due]))
			due = (enum vassal_timer)t;
	}
	if (due == VASSAL_TIMERS)
		return;
	move_disarm(s, due);
	if (due == VASSAL_T_FREEZE)
		thaw(s);
	else
		move_dispatch(s, timer_event[due]);
}

/* Only a config that is there again can revive what is going. */
static bool is_vain(const struct vassal *v, enum vassal_event event)
{
	return v->wanted == VASSAL_WANTED_GONE &&
	       (event == VASSAL_RELOAD || event == VASSAL_RESTART || event == VASSAL_START);
}

void vassal_handle(struct vassal *v, const struct vassal_rules *rules, const struct vassal_input *in,
		   struct vassal_actions *actions)
{
	struct step s = { v, rules, in, actions };
	actions->n = 0;
	if (is_vain(v, in->event)) {
		move_emit(&s, VASSAL_ACT_CANCEL, VASSAL_WHY_REMOVED);
		return;
	}
	if (take_beside(&s))
		return;
	if (in->event == VASSAL_MISSING || in->event == VASSAL_PRESENT || in->event == VASSAL_CHANGED) {
		take_config(&s);
	} else if (in->event == VASSAL_FREEZE) {
		freeze(&s);
	} else if (in->event == VASSAL_THAW) {
		thaw(&s);
	} else if (in->event == VASSAL_BYTE) {
		take_byte(&s, (int)in->arg);
	} else if (in->event == VASSAL_NO_APP) {
		v->no_app = vassal_has_process(v) && !move_is_renewing(v);	/* then it is kept of the new one */
	} else if (in->event == VASSAL_TIMER) {
		take_timer(&s);
	} else {
		move_dispatch(&s, in->event);
	}
}

void vassal_init(struct vassal *v, uint64_t now)
{
	memset(v, 0, sizeof *v);
	v->wanted = VASSAL_WANTED_GONE;
	v->state = VASSAL_GONE;
	v->pending = VASSAL_CLASS_NONE;
	v->last_status = -1;
	v->since = now;
}

uint32_t vassal_ticket(const struct vassal *v, enum vassal_event request)
{
	if (request == VASSAL_STOP || request == VASSAL_REHEARSE)
		return 0;
	if (request == VASSAL_START && move_is_renewing(v) && v->answered + 1 >= v->cycle)
		return v->answered;	/* the old one serves, and was judged */
	if (request == VASSAL_START && heeds_wire(v))
		return v->cycle;
	return v->cycle + 1;
}

uint64_t vassal_deadline(const struct vassal *v)
{
	uint64_t first = 0;
	for (int t = 0; t < VASSAL_TIMERS; t++)
		if (v->deadline[t] != 0 && (first == 0 || v->deadline[t] < first))
			first = v->deadline[t];
	return first;
}

bool vassal_has_process(const struct vassal *v)
{
	return v->generation != 0;
}
