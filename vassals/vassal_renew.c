/* Handover: what one event does while there are two generations. Until the switch the vassal's own generation is the old one, which
 * serves; `beside` is the new one. After it they have changed places. A rehearsal is a handover that ends at the gate. */
#include "vassals/vassal_moves.h"

/* v->trial */
enum { WANTED = 1, UNDER_WAY = 2 };

bool move_is_renewing(const struct vassal *v)
{
	return v->state >= VASSAL_RENEW_SPAWNING && v->state <= VASSAL_ABANDONING;
}

static bool is_trial(const struct vassal *v)
{
	return v->trial == UNDER_WAY;
}

static void end_try_timers(struct step *s)
{
	move_end_probe(s);
	move_release_slot(s);
	move_disarm(s, VASSAL_T_START);
	move_disarm(s, VASSAL_T_SETTLE);
}

void move_kill_beside(struct step *s)
{
	s->v->beside.phase = VASSAL_BESIDE_KILLED;
	move_emit_beside(s, VASSAL_ACT_KILL, 0);
}

void move_refuse_trial(struct step *s)
{
	if (!s->v->trial)
		return;
	s->v->trial = 0;
	s->v->trial_failure = (struct vassal_failure){ .why = VASSAL_WHY_NO_TRIAL };
	move_emit(s, VASSAL_ACT_ANSWER_TRIAL, VASSAL_FAILED_DOWN);
}

/* Connections that wait on the old one's side are to be answered, so the start that follows is there. It executes the code once more:
 * whoever waits for the try is answered by it. */
void move_drop_try(struct step *s)
{
	struct vassal *v = s->v;
	if (!move_is_renewing(v))
		return;
	if (v->state == VASSAL_SWITCHING)
		move_emit(s, VASSAL_ACT_SWITCH, 0);
	end_try_timers(s);
	if (v->state != VASSAL_ABANDONING && v->beside.generation != 0)
		move_kill_beside(s);
	if (is_trial(v)) {
		move_refuse_trial(s);
		return;
	}
	v->answered = v->cycle;
	if (v->wanted == VASSAL_WANTED_RUN)
		v->pending = VASSAL_CLASS_DEPLOY;
}

/* ---- a new one */

void cell_spawn_beside(struct step *s)
{
	struct vassal *v = s->v;
	bool trial = v->pending == VASSAL_CLASS_NONE;
	v->slot = 1;
	if (trial) {
		v->trial = UNDER_WAY;
		v->trial_passed = 0;
	} else {
		v->cycle++;
		v->reloads++;
		v->pending = VASSAL_CLASS_NONE;
		v->noted &= (uint8_t)~VASSAL_NOTED_CHANGED;	/* this execution is newer */
	}
	v->no_app = 0;
	v->respawns_seen = 0;
	v->beside = (struct vassal_beside){ .generation = s->in->new_generation, .phase = VASSAL_BESIDE_TRIED };
	move_enter(s, VASSAL_RENEW_SPAWNING);
	move_arm(s, VASSAL_T_PATIENCE, s->rules->start_patience);
	move_arm(s, VASSAL_T_START, s->rules->start_timeout);
	move_emit_beside(s, VASSAL_ACT_SPAWN, VASSAL_SPAWN_HELD | VASSAL_SPAWN_BESIDE | (trial ? VASSAL_SPAWN_TRIAL : 0U));
}

/* It is gone, and the old one serves as before. */
static void conclude(struct step *s)
{
	struct vassal *v = s->v;
	bool trial = is_trial(v);
	v->beside = (struct vassal_beside){ 0 };
	move_enter(s, v->was_broken ? VASSAL_BROKEN : VASSAL_READY);
	if (trial) {
		v->trial = 0;
		move_emit(s, VASSAL_ACT_ANSWER_TRIAL, v->trial_passed ? VASSAL_DONE : VASSAL_FAILED_OLD_SERVES);
	} else {
		v->stale = 1;
		move_answer(s, v->was_broken ? VASSAL_FAILED_DOWN : VASSAL_FAILED_OLD_SERVES);
	}
	move_next(s);
}

/* Of the new one. */
static void set_failure(struct step *s, struct vassal_failure failure)
{
	*(is_trial(s->v) ? &s->v->trial_failure : &s->v->failure) = failure;
}

/* The failure has been set. */
static void abandon(struct step *s)
{
	if (s->v->state == VASSAL_SWITCHING)
		move_emit(s, VASSAL_ACT_SWITCH, 0);	/* back, should it have come so far */
	end_try_timers(s);
	move_enter(s, VASSAL_ABANDONING);
	move_kill_beside(s);
}

static void fail_try(struct step *s, enum vassal_why why, int32_t detail)
{
	set_failure(s, (struct vassal_failure){ (uint8_t)why, 0, detail });
	abandon(s);
}

void cell_note_renewing(struct step *s)
{
	struct vassal *v = s->v;
	v->wanted = VASSAL_WANTED_RUN;
	v->pending = VASSAL_CLASS_DEPLOY;
	bool starting = v->state == VASSAL_RENEW_SPAWNING || v->state == VASSAL_RENEW_STARTING;
	if (starting && v->deadline[VASSAL_T_PATIENCE] == 0)
		fail_try(s, VASSAL_WHY_IMPATIENT, 0);	/* hung: it must not hold up its own repair */
}

/* Whether nothing but its answer to a request will tell: see cell_started(). */
static bool is_silent(const struct step *s)
{
	return s->rules->signal == SPEC_SIGNAL_SPAWNED;
}

void cell_beside_started(struct step *s)
{
	struct vassal *v = s->v;
	v->beside.pid = (int32_t)s->in->arg;
	move_enter(s, VASSAL_RENEW_STARTING);
	if (v->deadline[VASSAL_T_START] == 0)
		move_arm(s, VASSAL_T_START, s->rules->start_timeout);
	if (is_silent(s))
		cell_beside_up(s);
}

void cell_beside_late(struct step *s)
{
	s->v->beside.pid = (int32_t)s->in->arg;
}

void cell_beside_spawn_failed(struct step *s)
{
	if (s->v->state != VASSAL_ABANDONING)
		set_failure(s, s->in->failure);
	end_try_timers(s);
	conclude(s);
}

void cell_beside_up(struct step *s)
{
	move_release_slot(s);
	s->v->beside.up_at = s->in->now;
	move_disarm(s, VASSAL_T_START);
	move_enter(s, VASSAL_RENEW_SETTLING);
	move_settle(s);
}

/* Byte 5 again: worker 1 died at once and was respawned, or a new ruler reads the byte a second time. */
void cell_beside_up_again(struct step *s)
{
	move_end_probe(s);
	if (++s->v->respawns_seen > VASSAL_RESPAWNS_MAX)
		fail_try(s, VASSAL_WHY_RESPAWNING, 0);
	else
		move_settle(s);
}

static void pass(struct step *s)
{
	struct vassal *v = s->v;
	move_end_probe(s);
	if (is_trial(v)) {
		v->trial_passed = 1;
		v->trial_failure = (struct vassal_failure){ 0 };
		abandon(s);
		return;
	}
	move_enter(s, VASSAL_SWITCHING);
	move_emit_beside(s, VASSAL_ACT_SWITCH, 0);
}

void cell_beside_settled(struct step *s)
{
	struct vassal *v = s->v;
	if (v->no_app) {
		fail_try(s, VASSAL_WHY_NO_APP, 0);
	} else if (s->rules->probe) {
		v->probing = 1;
		move_arm(s, VASSAL_T_PROBE, s->rules->probe_limit);
		move_emit_beside(s, VASSAL_ACT_PROBE, 0);
	} else {
		pass(s);
	}
}

void cell_beside_probe_ok(struct step *s)
{
	if (!s->v->probing)
		return;
	s->v->probing = 0;
	pass(s);
}

void cell_beside_probe_failed(struct step *s)
{
	if (!s->v->probing)
		return;
	s->v->probing = 0;
	if (s->in->arg < 0)
		fail_try(s, VASSAL_WHY_NO_APP, 0);
	else
		fail_try(s, VASSAL_WHY_PROBE, (int32_t)s->in->arg);
}

/* Nobody but us asks a private socket: who does not answer there is not merely busy. */
void cell_beside_probe_timeout(struct step *s)
{
	fail_try(s, VASSAL_WHY_PROBE, 0);
}

void cell_beside_patience(struct step *s)
{
	move_release_slot(s);
	if (s->v->pending != VASSAL_CLASS_NONE)
		fail_try(s, VASSAL_WHY_IMPATIENT, 0);
}

void cell_beside_hung(struct step *s)
{
	fail_try(s, s->v->beside.closed ? VASSAL_WHY_CURSED : VASSAL_WHY_TIMEOUT, 0);
}

/* Mostly its end a moment earlier, and that says more. */
void cell_beside_closed(struct step *s)
{
	s->v->beside.closed = 1;
	move_end_probe(s);
	move_disarm(s, VASSAL_T_SETTLE);
	move_arm(s, VASSAL_T_START, VASSAL_SILENT_NS);
}

void cell_beside_died(struct step *s)
{
	struct vassal *v = s->v;
	set_failure(s, (struct vassal_failure){ VASSAL_WHY_EXIT, 0, (int32_t)s->in->arg });
	move_emit_beside(s, VASSAL_ACT_FORGET, 0);
	if (v->state == VASSAL_SWITCHING)
		move_emit(s, VASSAL_ACT_SWITCH, 0);
	end_try_timers(s);
	conclude(s);
}

void cell_beside_abandoned(struct step *s)
{
	move_emit_beside(s, VASSAL_ACT_FORGET, 0);
	conclude(s);
}

/* ---- the switch, and the old one */

static void change_places(struct vassal *v)
{
	struct vassal_beside old = {
		.generation = v->generation, .up_at = v->up_at, .pid = v->pid, .phase = VASSAL_BESIDE_DRAINING,
		.up_byte = v->up_byte, .spawned = v->spawned, .loyal = v->loyal,
	};
	v->generation = v->beside.generation;
	v->up_at = v->beside.up_at;
	v->pid = v->beside.pid;
	v->up_byte = v->beside.up_byte;
	v->spawned = v->beside.spawned;
	v->loyal = v->beside.loyal;
	v->beside = old;
}

void cell_switched(struct step *s)
{
	struct vassal *v = s->v;
	if (s->in->generation != v->beside.generation)
		return;		/* news of an earlier one */
	change_places(v);
	v->stale = 0;
	v->was_broken = 0;
	v->level = 0;
	move_set_failure(s, VASSAL_WHY_NONE, 0);
	move_disarm(s, VASSAL_T_HEARTBEAT);	/* the old one's */
	move_enter(s, VASSAL_RETIRING);
	move_arm(s, VASSAL_T_RETIRE, s->rules->retire_mercy);
}

void cell_switch_failed(struct step *s)
{
	if (s->in->generation == s->v->beside.generation)
		fail_try(s, VASSAL_WHY_SWITCH, (int32_t)s->in->arg);
}

void move_retire_beside(struct step *s)
{
	s->v->beside.phase = VASSAL_BESIDE_RETIRING;
	move_arm(s, VASSAL_T_RETIRE, s->rules->retire_mercy);
	move_emit_beside(s, VASSAL_ACT_SEND, 2);
}

void cell_drained(struct step *s)
{
	if (s->v->beside.phase == VASSAL_BESIDE_DRAINING && s->in->generation == s->v->generation)
		move_retire_beside(s);
}

static void beside_ended(struct step *s)
{
	if (s->in->event == VASSAL_BESIDE_EXITED)	/* else it never was */
		move_emit_beside(s, VASSAL_ACT_FORGET, 0);
	move_disarm(s, VASSAL_T_RETIRE);
	s->v->beside = (struct vassal_beside){ 0 };
}

void cell_retired(struct step *s)
{
	beside_ended(s);
	move_enter(s, VASSAL_READY);
	move_answer(s, VASSAL_DONE);
	move_next(s);
}

/* Nobody waits for it, save perhaps the next start. */
void cell_beside_gone(struct step *s)
{
	struct vassal *v = s->v;
	beside_ended(s);
	if (v->state == VASSAL_STOPPED)
		move_rest(s);
	else if (v->state != VASSAL_STOPPING && v->state != VASSAL_CURSED && v->state != VASSAL_KILLING)
		move_emit(s, VASSAL_ACT_ANSWER_STOPS, 0);	/* of before, though it was started again meanwhile */
	if (v->state == VASSAL_QUEUED || v->state == VASSAL_RELOAD_QUEUED)
		move_emit(s, VASSAL_ACT_ASK, v->pending == VASSAL_CLASS_NONE ? VASSAL_CLASS_DEPLOY : v->pending);
}

/* Clients may go on asking at an address that only the old one has: that ends here. Its requests have as long again. */
void cell_retire_over(struct step *s)
{
	if (s->v->beside.phase == VASSAL_BESIDE_DRAINING)
		move_retire_beside(s);
	else if (s->v->beside.generation != 0 && s->v->beside.phase != VASSAL_BESIDE_KILLED)
		move_kill_beside(s);
}

/* ---- rehearsals */

void cell_rehearse(struct step *s)
{
	s->v->trial = WANTED;
	move_next(s);
}

/* What is under way comes first. */
void cell_rehearse_later(struct step *s)
{
	if (s->v->trial == 0)
		s->v->trial = WANTED;
}

void cell_rehearse_not(struct step *s)
{
	s->v->trial = WANTED;
	move_refuse_trial(s);
}
