#include "vassals/vassal_moves.h"

#include "vassals/util.h"

void cell_exited(struct step *s)
{
	struct vassal *v = s->v;
	v->last_status = (int32_t)s->in->arg;
	if (v->state != VASSAL_KILLING && v->state != VASSAL_STOPPING)
		move_set_failure(s, VASSAL_WHY_EXIT, (int32_t)s->in->arg);
	move_emit(s, VASSAL_ACT_FORGET, 0);
	move_ended(s);
}

void cell_spawn_failed(struct step *s)
{
	s->v->failure = s->in->failure;
	move_ended(s);
}

/* New code is wanted and nothing runs: at once, whatever it was waiting for. */
void cell_start_now(struct step *s)
{
	s->v->wanted = VASSAL_WANTED_RUN;
	move_disarm(s, VASSAL_T_BACKOFF);
	s->v->level = 0;
	move_queue(s, s->in->event == VASSAL_CHANGED ? s->in->class : VASSAL_CLASS_DEPLOY);
}

/* The code that is executing now is older than the request: once more after it. */
void cell_note(struct step *s)
{
	s->v->wanted = VASSAL_WANTED_RUN;
	s->v->pending = VASSAL_CLASS_DEPLOY;
}

/* Likewise, but a start that has outlived its patience is hung: it must not hold up its own repair. */
void cell_note_starting(struct step *s)
{
	cell_note(s);
	if (s->v->deadline[VASSAL_T_PATIENCE] == 0)
		move_kill_tree(s, VASSAL_WHY_IMPATIENT);
}

void cell_note_settling(struct step *s)
{
	cell_note(s);
	move_end_probe(s);
	s->v->deadline[VASSAL_T_SETTLE] = s->v->up_at + VASSAL_WORKERS_UP_NS;
}

void cell_note_cursed(struct step *s)
{
	cell_note(s);
	move_kill_tree(s, VASSAL_WHY_CURSED);
}

void cell_reload(struct step *s)
{
	move_queue_reload(s);
}

void cell_restart(struct step *s)
{
	s->v->pending = VASSAL_CLASS_DEPLOY;
	move_stop(s);
}

void cell_restart_starting(struct step *s)
{
	cell_note(s);
	move_kill_tree(s, VASSAL_WHY_IMPATIENT);
}

/* A request for something whose config is gone; a STOP keeps an earlier REMOVED. */
static void unwant(struct step *s)
{
	bool removed = s->in->event == VASSAL_REMOVED;
	if (removed || s->v->wanted != VASSAL_WANTED_GONE)
		s->v->wanted = removed ? VASSAL_WANTED_GONE : VASSAL_WANTED_STOP;
	s->v->pending = VASSAL_CLASS_NONE;
	move_emit(s, VASSAL_ACT_CANCEL, removed ? VASSAL_WHY_REMOVED : VASSAL_WHY_STOPPED);
}

void cell_unwant(struct step *s)
{
	unwant(s);
}

void cell_unwant_idle(struct step *s)
{
	if (s->v->state == VASSAL_QUEUED)
		move_emit(s, VASSAL_ACT_LEAVE, 0);
	unwant(s);
	move_rest(s);
}

void cell_unwant_running(struct step *s)
{
	unwant(s);
	move_stop(s);
}

void cell_unwant_cursed(struct step *s)
{
	unwant(s);
	move_kill_tree(s, VASSAL_WHY_CURSED);
}

void cell_spawn(struct step *s)
{
	struct vassal *v = s->v;
	/* One that is being killed may be on the side of the sockets that this one needs; without held sockets any is in its way. */
	if (v->beside.phase == VASSAL_BESIDE_KILLED || (v->beside.generation != 0 && !s->rules->hold)) {
		cell_give_back(s);
		return;
	}
	v->slot = 1;
	v->held = s->rules->hold;
	v->cycle++;
	v->pending = VASSAL_CLASS_NONE;
	v->no_app = 0;
	v->noted &= (uint8_t)~VASSAL_NOTED_CHANGED;	/* this execution is newer */
	v->respawns_seen = 0;
	v->generation = s->in->new_generation;
	move_enter(s, VASSAL_SPAWNING);
	move_arm(s, VASSAL_T_PATIENCE, s->rules->start_patience);
	move_arm(s, VASSAL_T_START, s->rules->start_timeout);
	move_emit(s, VASSAL_ACT_SPAWN, v->held ? VASSAL_SPAWN_HELD : 0);
}

/* Whether a byte will tell that the new code is up after byte 1: cheap and router-only vassals say nothing then. */
static bool is_silent(const struct step *s)
{
	return s->rules->signal == SPEC_SIGNAL_SPAWNED || (s->rules->signal == SPEC_SIGNAL_UNSURE && s->v->up_byte != 5);
}

void cell_send_reload(struct step *s)
{
	struct vassal *v = s->v;
	v->slot = 1;
	v->cycle++;
	v->reloads++;
	v->pending = VASSAL_CLASS_NONE;
	v->no_app = 0;
	v->noted &= (uint8_t)~VASSAL_NOTED_CHANGED;	/* this execution is newer */
	v->respawns_seen = 0;
	move_enter(s, VASSAL_RELOADING);
	move_disarm(s, VASSAL_T_HEARTBEAT);	/* nobody beats between the old code and the new */
	move_arm(s, VASSAL_T_PATIENCE, s->rules->start_patience);
	move_arm(s, VASSAL_T_START, s->rules->start_timeout + VASSAL_OLD_WORKERS_NS);
	if (is_silent(s))
		move_arm(s, VASSAL_T_SETTLE, VASSAL_SILENT_NS);
	/* Where it was to be a handover, nothing shall be lost either. */
	move_emit(s, VASSAL_ACT_SEND, s->rules->pause || s->rules->handover ? 1 | VASSAL_SEND_PAUSED : 1);
}

void cell_reload_admitted(struct step *s)
{
	struct vassal *v = s->v;
	bool deploys = v->pending != VASSAL_CLASS_NONE, holds = v->held && s->rules->hold;
	if (deploys && !(holds && s->rules->handover)) {
		cell_send_reload(s);
	} else if (!holds) {	/* its ini says otherwise since the rehearsal was asked for */
		cell_give_back(s);
		move_enter(s, v->was_broken ? VASSAL_BROKEN : VASSAL_READY);
		move_refuse_trial(s);
	} else if (v->beside.generation != 0) {
		cell_give_back(s);	/* asked for again when it is gone */
	} else {
		cell_spawn_beside(s);
	}
}

/* A request joins what has not begun. */
void cell_note_queued(struct step *s)
{
	s->v->pending = VASSAL_CLASS_DEPLOY;
}

void cell_started(struct step *s)
{
	s->v->pid = (int32_t)s->in->arg;
	move_enter(s, VASSAL_STARTING);
	if (s->v->deadline[VASSAL_T_START] == 0)	/* the keeper was long in starting it */
		move_arm(s, VASSAL_T_START, s->rules->start_timeout);
	if (s->v->held && s->rules->signal == SPEC_SIGNAL_SPAWNED)
		cell_up(s);	/* under UWSGI_RELOADS it does not even say 1: its answer to a request must do */
}

void cell_started_late(struct step *s)
{
	s->v->pid = (int32_t)s->in->arg;
}

void cell_up(struct step *s)
{
	struct vassal *v = s->v;
	move_release_slot(s);
	v->up_at = s->in->now;
	move_disarm(s, VASSAL_T_START);		/* the gate has limits of its own */
	move_enter(s, VASSAL_SETTLING);
	move_settle(s);
}

/* Byte 5 again: worker 1 died at once and was respawned, or a new ruler reads the byte a second time. */
void cell_up_again(struct step *s)
{
	if (s->v->pending != VASSAL_CLASS_NONE)
		return;		/* newer code waits: nobody will judge this one */
	move_end_probe(s);
	if (++s->v->respawns_seen > VASSAL_RESPAWNS_MAX)	/* judged as soon as byte 1 may come: a reload may follow at once */
		s->v->deadline[VASSAL_T_SETTLE] = s->v->up_at + VASSAL_WORKERS_UP_NS;
	else
		move_settle(s);
}

void cell_settled(struct step *s)
{
	struct vassal *v = s->v;
	if (v->pending != VASSAL_CLASS_NONE) {
		move_queue_reload(s);
	} else if (v->respawns_seen > VASSAL_RESPAWNS_MAX) {
		move_fail_gate(s, VASSAL_WHY_RESPAWNING, 0);
	} else if (v->no_app) {
		move_fail_gate(s, VASSAL_WHY_NO_APP, 0);
	} else if (s->rules->probe) {
		v->probing = 1;
		move_arm(s, VASSAL_T_PROBE, s->rules->probe_limit);
		move_emit(s, VASSAL_ACT_PROBE, 0);
	} else {
		move_pass_gate(s);
	}
}

void cell_probe_failed(struct step *s)
{
	if (!s->v->probing)
		return;
	s->v->probing = 0;	/* it is over: nothing to cancel */
	if (s->in->arg < 0)
		move_fail_gate(s, VASSAL_WHY_NO_APP, 0);
	else
		move_fail_gate(s, VASSAL_WHY_PROBE, (int32_t)s->in->arg);
}

void cell_probe_ok(struct step *s)
{
	if (!s->v->probing)
		return;
	s->v->probing = 0;
	move_pass_gate(s);
}

void cell_probe_timeout(struct step *s)
{
	if (s->rules->probe_strict)
		move_fail_gate(s, VASSAL_WHY_PROBE, 0);
	else
		move_pass_gate(s);
}

void cell_patience_over(struct step *s)
{
	move_release_slot(s);
	if (s->v->state == VASSAL_STARTING && s->v->pending != VASSAL_CLASS_NONE)
		move_kill_tree(s, VASSAL_WHY_IMPATIENT);
}

void cell_start_timeout(struct step *s)
{
	if (s->rules->signal == SPEC_SIGNAL_UNSURE && s->v->spawned && s->v->state == VASSAL_STARTING)
		cell_up(s);	/* we could not read what to expect: it lives, let it */
	else
		move_kill_tree(s, VASSAL_WHY_TIMEOUT);
}

void cell_send_stop(struct step *s)
{
	move_emit(s, VASSAL_ACT_SEND, move_stop_byte(s));
}

void cell_mercy_over(struct step *s)
{
	move_kill_tree(s, s->v->state == VASSAL_CURSED ? VASSAL_WHY_CURSED : VASSAL_WHY_STOPPED);
}

void cell_curse(struct step *s)
{
	move_drop_try(s);
	if (s->v->state == VASSAL_RELOAD_QUEUED)
		move_emit(s, VASSAL_ACT_LEAVE, 0);
	move_end_probe(s);
	move_release_slot(s);
	move_disarm_all(s);
	move_enter(s, VASSAL_CURSED);
	move_arm(s, VASSAL_T_MERCY, s->rules->curse_tolerance);
}

void cell_respawn(struct step *s)
{
	move_queue(s, VASSAL_CLASS_RESPAWN);
}

void cell_heartbeat_lost(struct step *s)
{
	move_kill_tree(s, VASSAL_WHY_HEARTBEAT);
}

void cell_give_back(struct step *s)
{
	move_emit(s, VASSAL_ACT_RELEASE, 0);
}

/* Nothing has served for so long that a refusal is better than a longer wait. */
void cell_hold_over(struct step *s)
{
	struct vassal *v = s->v;
	if (v->generation != 0 || v->beside.generation != 0) {	/* it is being started: see what comes of it */
		move_arm(s, VASSAL_T_HOLD, NSEC_PER_SEC);
		return;
	}
	v->held = 0;
	move_emit(s, VASSAL_ACT_CLOSE, 0);
}
