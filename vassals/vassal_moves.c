#include "vassals/vassal_moves.h"

#include <assert.h>
#include <sys/wait.h>

#define EXIT_EXILE 26	/* uWSGI's UWSGI_EXILE_CODE: the only exit code that the Emperor heeds */

void move_emit(struct step *s, enum vassal_act act, uint32_t arg)
{
	assert(s->out->n < VASSAL_ACTIONS_MAX);	/* no input makes more than eight: test_vassal tries every cell */
	s->out->list[s->out->n++] = (struct vassal_action){ (uint8_t)act, arg, s->v->generation };
}

void move_emit_beside(struct step *s, enum vassal_act act, uint32_t arg)
{
	move_emit(s, act, arg);
	s->out->list[s->out->n - 1].generation = s->v->beside.generation;
}

void move_enter(struct step *s, enum vassal_state state)
{
	s->v->state = (uint8_t)state;
	s->v->since = s->in->now;
}

void move_arm(struct step *s, enum vassal_timer timer, uint64_t delay)
{
	s->v->deadline[timer] = s->in->now + delay;
}

void move_disarm(struct step *s, enum vassal_timer timer)
{
	s->v->deadline[timer] = 0;
}

/* The grace of a missing config, a freeze, the end of an old generation and the patience of clients outlive every change of state. */
void move_disarm_all(struct step *s)
{
	for (int t = 0; t < VASSAL_TIMERS; t++)
		if (t != VASSAL_T_GRACE && t != VASSAL_T_FREEZE && t != VASSAL_T_RETIRE && t != VASSAL_T_HOLD)
			s->v->deadline[t] = 0;
}

void move_release_slot(struct step *s)
{
	move_disarm(s, VASSAL_T_PATIENCE);
	if (s->v->slot)
		move_emit(s, VASSAL_ACT_RELEASE, 0);
	s->v->slot = 0;
}

void move_end_probe(struct step *s)
{
	if (s->v->probing)
		move_emit(s, VASSAL_ACT_PROBE_CANCEL, 0);
	s->v->probing = 0;
	move_disarm(s, VASSAL_T_PROBE);
}

/* ---- results */

void move_answer(struct step *s, enum vassal_verdict verdict)
{
	if (s->v->answered == s->v->cycle)
		return;
	s->v->answered = s->v->cycle;
	s->v->result = (uint8_t)verdict;
	move_emit(s, VASSAL_ACT_ANSWER, s->v->cycle);
}

void move_set_failure(struct step *s, enum vassal_why why, int32_t detail)
{
	s->v->failure = (struct vassal_failure){ (uint8_t)why, 0, detail };
}

void move_pass_gate(struct step *s)
{
	move_end_probe(s);
	move_disarm(s, VASSAL_T_START);
	move_disarm(s, VASSAL_T_SETTLE);
	move_disarm(s, VASSAL_T_HOLD);
	move_enter(s, VASSAL_READY);
	move_set_failure(s, VASSAL_WHY_NONE, 0);
	s->v->stale = 0;
	move_answer(s, VASSAL_DONE);
	move_next(s);
}

void move_fail_gate(struct step *s, enum vassal_why why, int32_t detail)
{
	move_end_probe(s);
	move_disarm(s, VASSAL_T_START);
	move_disarm(s, VASSAL_T_SETTLE);
	move_disarm(s, VASSAL_T_HOLD);
	move_enter(s, VASSAL_BROKEN);
	move_set_failure(s, why, detail);
	move_answer(s, VASSAL_FAILED_DOWN);
	move_next(s);
}

void move_settle(struct step *s)
{
	bool judged = s->v->pending == VASSAL_CLASS_NONE && s->rules->ready_for > VASSAL_WORKERS_UP_NS;
	move_arm(s, VASSAL_T_SETTLE, judged ? s->rules->ready_for : VASSAL_WORKERS_UP_NS);
}

/* ---- ways on */

void move_queue(struct step *s, enum vassal_class class)
{
	s->v->pending = (uint8_t)class;
	move_enter(s, VASSAL_QUEUED);
	move_emit(s, VASSAL_ACT_ASK, class);
}

static void leave_queue(struct step *s)
{
	if (s->v->state == VASSAL_RELOAD_QUEUED)
		move_emit(s, VASSAL_ACT_LEAVE, 0);
}

static void wait_for_slot(struct step *s)
{
	struct vassal *v = s->v;
	v->was_broken = v->state == VASSAL_BROKEN || (v->state == VASSAL_SETTLING && v->no_app);
	move_enter(s, VASSAL_RELOAD_QUEUED);
	move_emit(s, VASSAL_ACT_ASK, VASSAL_CLASS_DEPLOY);
}

void move_queue_reload(struct step *s)
{
	s->v->pending = VASSAL_CLASS_DEPLOY;
	wait_for_slot(s);
}

/* Newer code first: what is to be rehearsed comes after it. */
void move_next(struct step *s)
{
	if (s->v->pending != VASSAL_CLASS_NONE)
		move_queue_reload(s);
	else if (s->v->trial && s->v->held && s->rules->hold)
		wait_for_slot(s);
	else
		move_refuse_trial(s);
}

void move_kill_tree(struct step *s, enum vassal_why why)
{
	move_drop_try(s);
	leave_queue(s);
	move_end_probe(s);
	move_release_slot(s);
	move_disarm_all(s);
	move_set_failure(s, why, 0);
	move_enter(s, VASSAL_KILLING);
	move_emit(s, VASSAL_ACT_KILL, 0);
}

/* Bytes 1 and 2 must not come before the workers listen to them. */
static bool workers_listen(const struct step *s)
{
	return s->v->up_at == 0 || s->in->now >= s->v->up_at + VASSAL_WORKERS_UP_NS;
}

uint32_t move_stop_byte(const struct step *s)
{
	/* Clients of held sockets wait for the next start: what the workers have accepted is finished first. */
	if (s->v->held && s->v->wanted == VASSAL_WANTED_RUN)
		return 2 | VASSAL_SEND_PAUSED;
	return s->rules->stop_byte;
}

/* The requests that an old generation still serves are let finish where its successor's are. */
static void stop_beside(struct step *s)
{
	const struct vassal *v = s->v;
	if (v->wanted != VASSAL_WANTED_RUN && v->beside.generation != 0 &&
	    (v->beside.phase == VASSAL_BESIDE_DRAINING || s->rules->stop_byte == 0))
		move_kill_beside(s);
}

void move_stop(struct step *s)
{
	uint32_t byte = move_stop_byte(s);
	move_drop_try(s);
	stop_beside(s);
	leave_queue(s);
	move_end_probe(s);
	move_release_slot(s);
	move_disarm_all(s);
	move_enter(s, VASSAL_STOPPING);
	move_arm(s, VASSAL_T_MERCY, s->rules->mercy);
	if (byte == 0 || workers_listen(s))
		move_emit(s, VASSAL_ACT_SEND, byte);
	else
		s->v->deadline[VASSAL_T_SETTLE] = s->v->up_at + VASSAL_WORKERS_UP_NS;
}

/* Nothing runs any more, and nothing shall. */
void move_rest(struct step *s)
{
	bool gone = s->v->wanted == VASSAL_WANTED_GONE;
	move_disarm(s, VASSAL_T_BACKOFF);
	move_disarm(s, VASSAL_T_HOLD);
	s->v->pending = VASSAL_CLASS_NONE;
	move_refuse_trial(s);
	if (s->v->beside.generation != 0) {	/* once more when that is gone, too */
		if (s->v->state != VASSAL_STOPPED)
			move_enter(s, VASSAL_STOPPED);
		return;
	}
	if (s->v->held && !gone)
		move_emit(s, VASSAL_ACT_CLOSE, 0);	/* of one that is gone nothing is kept at all */
	s->v->held = 0;
	move_emit(s, VASSAL_ACT_ANSWER_STOPS, 0);
	if (gone || s->v->state != VASSAL_STOPPED)
		move_enter(s, gone ? VASSAL_GONE : VASSAL_STOPPED);
}

/* A death that nobody asked for. */
static void died(struct step *s)
{
	struct vassal *v = s->v;
	/* As the Emperor has it, who became loyal is never throttled. */
	bool good_run = v->loyal || (v->up_at != 0 && s->in->now - v->up_at >= BACKOFF_GOOD_RUN_NS && v->state != VASSAL_BROKEN);
	bool exile = v->failure.why == VASSAL_WHY_EXIT && WIFEXITED(v->failure.detail) &&
		     WEXITSTATUS(v->failure.detail) == EXIT_EXILE;

	move_answer(s, VASSAL_FAILED_DOWN);
	if (v->held && v->deadline[VASSAL_T_HOLD] == 0)
		move_arm(s, VASSAL_T_HOLD, s->rules->hold_limit);
	if (good_run || v->pending == VASSAL_CLASS_DEPLOY)
		v->level = 0;
	if (v->pending == VASSAL_CLASS_DEPLOY) {
		move_queue(s, VASSAL_CLASS_DEPLOY);
		return;
	}
	if (exile) {
		move_enter(s, VASSAL_EXILED);
		return;
	}
	v->restarts++;
	uint64_t delay = backoff_delay(&s->rules->backoff, v->level, s->in->now);
	if (v->level < UINT8_MAX)
		v->level++;
	if (delay == 0) {
		move_queue(s, VASSAL_CLASS_RESPAWN);
		return;
	}
	move_enter(s, VASSAL_BLACKLISTED);
	move_arm(s, VASSAL_T_BACKOFF, delay);
}

/* Told to end by the stop byte, killed only because it did not heed it: no death of its own. */
static bool was_stopped(const struct vassal *v)
{
	return v->state == VASSAL_STOPPING || (v->state == VASSAL_KILLING && v->failure.why == VASSAL_WHY_STOPPED);
}

/* The process tree is gone (or never was): what now? */
void move_ended(struct step *s)
{
	struct vassal *v = s->v;
	move_drop_try(s);
	if (v->beside.phase == VASSAL_BESIDE_DRAINING)
		move_retire_beside(s);	/* nobody will say any more when it has drained */
	leave_queue(s);
	move_end_probe(s);
	move_release_slot(s);
	move_disarm_all(s);
	move_refuse_trial(s);
	v->generation = 0;
	v->pid = 0;
	if (v->wanted != VASSAL_WANTED_RUN) {
		move_rest(s);
	} else if (was_stopped(v)) {
		move_emit(s, VASSAL_ACT_ANSWER_STOPS, 0);
		move_queue(s, v->pending == VASSAL_CLASS_NONE ? VASSAL_CLASS_RESPAWN : (enum vassal_class)v->pending);
	} else {
		move_emit(s, VASSAL_ACT_ANSWER_STOPS, 0);
		died(s);
	}
	v->loyal = 0;
	v->spawned = 0;
	v->up_byte = 0;
	v->up_at = 0;
}
