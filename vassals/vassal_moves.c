#include "vassals/vassal_moves.h"

#include <assert.h>
#include <sys/wait.h>

#define EXIT_EXILE 26	/* uWSGI's UWSGI_EXILE_CODE: the only exit code that the Emperor heeds */

void move_emit(struct step *s, enum vassal_act act, uint32_t arg)
{
	assert(s->out->n < VASSAL_ACTIONS_MAX);	/* no input makes more than eight: test_vassal tries every cell */
	s->out->list[s->out->n++] = (struct vassal_action){ (uint8_t)act, arg, s->v->generation };
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

/* The grace of a missing config, and a freeze, outlive every change of state. */
void move_disarm_all(struct step *s)
{
	for (int t = 0; t < VASSAL_TIMERS; t++)
		if (t != VASSAL_T_GRACE && t != VASSAL_T_FREEZE)
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

static void answer(struct step *s, enum vassal_verdict verdict)
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
	move_enter(s, VASSAL_READY);
	move_set_failure(s, VASSAL_WHY_NONE, 0);
	answer(s, VASSAL_DONE);
}

void move_fail_gate(struct step *s, enum vassal_why why, int32_t detail)
{
	move_end_probe(s);
	move_disarm(s, VASSAL_T_START);
	move_disarm(s, VASSAL_T_SETTLE);
	move_enter(s, VASSAL_BROKEN);
	move_set_failure(s, why, detail);
	answer(s, VASSAL_FAILED_DOWN);
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

void move_queue_reload(struct step *s)
{
	s->v->pending = VASSAL_CLASS_DEPLOY;
	move_enter(s, VASSAL_RELOAD_QUEUED);
	move_emit(s, VASSAL_ACT_ASK, VASSAL_CLASS_DEPLOY);
}

void move_kill_tree(struct step *s, enum vassal_why why)
{
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

void move_stop(struct step *s)
{
	leave_queue(s);
	move_end_probe(s);
	move_release_slot(s);
	move_disarm_all(s);
	move_enter(s, VASSAL_STOPPING);
	move_arm(s, VASSAL_T_MERCY, s->rules->mercy);
	if (s->rules->stop_byte == 0 || workers_listen(s))
		move_emit(s, VASSAL_ACT_SEND, s->rules->stop_byte);
	else
		s->v->deadline[VASSAL_T_SETTLE] = s->v->up_at + VASSAL_WORKERS_UP_NS;
}

/* Nothing runs any more, and nothing shall. */
void move_rest(struct step *s)
{
	move_disarm(s, VASSAL_T_BACKOFF);
	s->v->pending = VASSAL_CLASS_NONE;
	move_emit(s, VASSAL_ACT_ANSWER_STOPS, 0);
	move_enter(s, s->v->wanted == VASSAL_WANTED_GONE ? VASSAL_GONE : VASSAL_STOPPED);
}

/* A death that nobody asked for. */
static void died(struct step *s)
{
	struct vassal *v = s->v;
	/* As the Emperor has it, who became loyal is never throttled. */
	bool good_run = v->loyal || (v->up_at != 0 && s->in->now - v->up_at >= BACKOFF_GOOD_RUN_NS && v->state != VASSAL_BROKEN);
	bool exile = v->failure.why == VASSAL_WHY_EXIT && WIFEXITED(v->failure.detail) &&
		     WEXITSTATUS(v->failure.detail) == EXIT_EXILE;

	answer(s, VASSAL_FAILED_DOWN);
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
	leave_queue(s);
	move_end_probe(s);
	move_release_slot(s);
	move_disarm_all(s);
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
