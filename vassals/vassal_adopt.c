/* A new ruler takes over: makes a record and the facts agree again. */
#include "vassals/vassal_moves.h"

/* Its spawn never reached the keeper, or how it failed was told to a ruler that is dead: once more tells it to us. */
static void spawn_again(struct step *s)
{
	struct vassal *v = s->v;
	move_release_slot(s);
	move_disarm_all(s);
	v->generation = 0;
	move_queue(s, v->pending == VASSAL_CLASS_NONE ? VASSAL_CLASS_RESPAWN : (enum vassal_class)v->pending);
}

/* The other generation is not there (any more). */
static void adopt_lost_beside(struct step *s)
{
	struct vassal *v = s->v;
	if (v->state == VASSAL_RENEW_SPAWNING && v->trial != 2) {
		v->answered = v->cycle;		/* by the next one */
		move_release_slot(s);
		move_disarm(s, VASSAL_T_START);
		v->beside = (struct vassal_beside){ 0 };
		v->state = v->was_broken ? VASSAL_BROKEN : VASSAL_READY;
		move_queue_reload(s);
	} else if (move_is_renewing(v)) {
		if (v->state == VASSAL_SWITCHING)
			move_emit(s, VASSAL_ACT_SWITCH, 0);
		cell_beside_spawn_failed(s);
	} else {
		move_dispatch(s, v->state == VASSAL_RETIRING ? VASSAL_BESIDE_EXITED : VASSAL_BESIDE_SPAWN_FAILED);
	}
}

/* Orders that may be lost are given again: all of them may be taken twice. */
static void adopt_beside(struct step *s)
{
	struct vassal *v = s->v;
	if (v->state == VASSAL_RENEW_SPAWNING)
		move_dispatch(s, VASSAL_BESIDE_STARTED);
	else if (v->state == VASSAL_SWITCHING)
		move_emit_beside(s, VASSAL_ACT_SWITCH, 0);
	else if (v->state == VASSAL_ABANDONING)
		move_emit(s, VASSAL_ACT_SWITCH, 0);
	if (v->beside.phase == VASSAL_BESIDE_KILLED)
		move_emit_beside(s, VASSAL_ACT_KILL, 0);
	else if (v->beside.phase == VASSAL_BESIDE_DRAINING && vassal_has_process(v))
		move_emit(s, VASSAL_ACT_SWITCH, 0);
}

static void adopt_own(struct step *s, bool has_process)
{
	struct vassal *v = s->v;
	if (v->state == VASSAL_SPAWNING) {
		(has_process ? cell_started : spawn_again)(s);
	} else if (vassal_has_process(v) && !has_process) {
		if (v->state != VASSAL_STOPPING && v->state != VASSAL_KILLING)
			move_set_failure(s, VASSAL_WHY_SPAWN, 0);	/* the keeper has lost it */
		move_ended(s);
	} else if (v->state == VASSAL_QUEUED || v->state == VASSAL_RELOAD_QUEUED) {
		move_emit(s, VASSAL_ACT_ASK, v->pending == VASSAL_CLASS_NONE ? VASSAL_CLASS_RESPAWN : v->pending);
	} else if (v->state == VASSAL_KILLING) {
		move_emit(s, VASSAL_ACT_KILL, 0);
	} else if (v->probing && move_is_renewing(v)) {
		move_emit_beside(s, VASSAL_ACT_PROBE, 0);
	} else if (v->probing) {
		move_emit(s, VASSAL_ACT_PROBE, 0);
	}
}

void vassal_adopt(struct vassal *v, const struct vassal_rules *rules, bool has_process, bool has_beside, uint64_t now,
		  struct vassal_actions *actions)
{
	struct vassal_input own = { .event = VASSAL_EXITED, .now = now, .arg = v->pid };
	struct vassal_input beside = {
		.event = VASSAL_BESIDE_SPAWN_FAILED, .now = now, .arg = v->beside.pid, .failure = { .why = VASSAL_WHY_SPAWN },
	};
	struct step first = { v, rules, &beside, actions }, second = { v, rules, &own, actions };
	bool trial = v->trial != 0;
	actions->n = 0;
	if (v->beside.generation != 0)
		(has_beside ? adopt_beside : adopt_lost_beside)(&first);
	adopt_own(&second, has_process);
	if (trial && !move_is_renewing(v) && v->trial) {	/* nobody knows any more what it was */
		move_refuse_trial(&second);
		if (v->state == VASSAL_RELOAD_QUEUED && v->pending == VASSAL_CLASS_NONE) {
			move_emit(&second, VASSAL_ACT_LEAVE, 0);
			move_enter(&second, v->was_broken ? VASSAL_BROKEN : VASSAL_READY);
		}
	}
}
