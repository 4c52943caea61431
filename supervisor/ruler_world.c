#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#include "supervisor/logger.h"
#include "supervisor/ruler_inside.h"
#include "vassals/failure.h"
#include "vassals/launch.h"
#include "vassals/util.h"

#define LAST_LINES 20		/* of a dead vassal's, into our own log */

static uint64_t world_now(void *data)
{
	(void)data;
	return util_now();
}

/* ---- orders */

/* In the middle of carrying out an event there is no way back. The keeper starts another ruler, which begins again from the
 * records: no vassal notices. */
static void out_of_memory(void) __attribute__((noreturn));
static void out_of_memory(void)
{
	log_error("ruler: out of memory: making room for another ruler");
	_exit(1);
}

/* Composed only when its turn comes, so that its record is never older than one sent before. */
static void send_spawn(struct ruler *r, struct court_vassal *cv)
{
	void *record;
	size_t size;
	const struct subject *s = subject_of(r, cv);
	if (!s || court_record_write(cv, &record, &size) < 0)
		out_of_memory();
	r->in_flight++;
	ruler_post(r, &(struct link_message){ .kind = LINK_SPAWN, .generation = cv->v.generation, .monitor = cv->monitor,
					      .name = cv->name, .uid = s->uid, .gid = s->gid, .record = record,
					      .record_size = (uint16_t)size });
	free(record);
}

static void pump_spawns(struct ruler *r)
{
	while (r->spawns && r->in_flight < RULER_SPAWNS_IN_FLIGHT) {
		struct spawn_wish *wish = r->spawns;
		uint64_t generation = wish->generation;
		struct court_vassal *cv = court_find_generation(r->court, generation);
		r->spawns = wish->next;
		if (!r->spawns)
			r->spawns_end = &r->spawns;
		free(wish);
		if (!cv)
			continue;
		if (cv->v.state == VASSAL_SPAWNING)
			send_spawn(r, cv);
		else	/* it was stopped before its turn came: it never ran */
			court_spawn_failed(r->court, generation, LAUNCH_POLICY, ECANCELED);
	}
}

void ruler_spawn_done(struct ruler *r)
{
	if (r->in_flight > 0)
		r->in_flight--;
	pump_spawns(r);
}

static void wish_spawn(struct ruler *r, uint64_t generation)
{
	struct spawn_wish *wish = malloc(sizeof *wish);
	if (!wish)
		out_of_memory();
	*wish = (struct spawn_wish){ .generation = generation };
	*r->spawns_end = wish;
	r->spawns_end = &wish->next;
	pump_spawns(r);
}

static const enum link_kind kind_of[] = {
	[COURT_SPAWN] = LINK_SPAWN, [COURT_SEND] = LINK_SEND, [COURT_KILL] = LINK_KILL, [COURT_FORGET] = LINK_FORGET,
	[COURT_STATE] = LINK_STATE, [COURT_DROP] = LINK_DROP,
};

void ruler_clean(struct subject *s)
{
	if (s->is_dirty)
		DL_DELETE2(s->ruler->dirty, s, dirty_prev, dirty_next);
	s->is_dirty = false;
}

static void owe_record(struct subject *s)
{
	if (!s->is_dirty)
		DL_APPEND2(s->ruler->dirty, s, dirty_prev, dirty_next);
	s->is_dirty = true;
}

void ruler_write_records(struct ruler *r)
{
	while (r->dirty) {
		struct court_vassal *cv = r->dirty->cv;
		void *record;
		size_t size;
		ruler_clean(r->dirty);
		if (court_record_write(cv, &record, &size) < 0)
			out_of_memory();
		ruler_post(r, &(struct link_message){ .kind = LINK_STATE, .generation = cv->v.generation, .name = cv->name,
						      .record = record, .record_size = (uint16_t)size });
		free(record);
	}
}

static void world_order(void *data, const struct court_order *order)
{
	struct ruler *r = data;
	struct subject *s = subject_of(r, order->vassal);
	if (!s)
		out_of_memory();
	if (order->kind == COURT_STATE) {	/* one start is five of them, or one */
		if (order->event != VASSAL_STARTED)	/* that the keeper told us: the next ruler hears it from the keeper again */
			owe_record(s);
		return;
	}
	ruler_clean(s);
	if (order->kind == COURT_SPAWN) {
		wish_spawn(r, order->generation);
		return;
	}
	ruler_post(r, &(struct link_message){ .kind = kind_of[order->kind], .generation = order->generation, .arg = order->arg,
					      .name = order->vassal->name, .record = order->record,
					      .record_size = (uint16_t)order->record_size });
}

static void world_arm(void *data, struct court_vassal *cv, uint64_t deadline)
{
	struct ruler *r = data;
	struct subject *s = subject_of(r, cv);
	if (!s)
		return;
	ev_timer_stop(r->loop, &s->timer);
	if (deadline == 0)
		return;
	uint64_t now = util_now();
	/* The loop's clock may lag behind ours: it must not fire early, so count from the true now. */
	ev_now_update(r->loop);
	ev_timer_set(&s->timer, deadline > now ? (double)(deadline - now) / 1e9 : 0., 0.);
	ev_timer_start(r->loop, &s->timer);
}

static void world_probe(void *data, struct court_vassal *cv)
{
	struct subject *s = subject_of(data, cv);
	if (s)
		prober_start(s);
}

static void world_probe_cancel(void *data, struct court_vassal *cv)
{
	(void)data;
	if (cv->world)
		prober_cancel(cv->world);
}

static void world_answer(void *data, uint64_t waiter, struct court_vassal *cv, const struct court_answer *answer)
{
	struct ruler *r = data;
	ruler_write_records(r);
	if (r->commands)
		commands_answer(r->commands, waiter, cv, answer);
}

static void world_gone(void *data, struct court_vassal *cv)
{
	struct ruler *r = data;
	if (r->commands)
		commands_gone(r->commands, cv);
	subject_free(cv->world);
}

/* ---- words */

bool ruler_is_busy(enum vassal_state state)
{
	return state == VASSAL_QUEUED || state == VASSAL_SPAWNING || state == VASSAL_STARTING || state == VASSAL_SETTLING ||
	       state == VASSAL_RELOAD_QUEUED || state == VASSAL_RELOADING;
}

static void count_busy(struct ruler *r, enum vassal_state from, enum vassal_state to)
{
	if (ruler_is_busy(from) && !ruler_is_busy(to))
		r->busy--;
	else if (!ruler_is_busy(from) && ruler_is_busy(to))
		r->busy++;
}

static void say_last_words(struct subject *s)
{
	const struct spec *spec = s->cv->spec;
	if (spec && spec->logger)
		log_error("[%s] its words are in %s", s->cv->name, spec->logger);
}

static void say_death(struct ruler *r, struct court_vassal *cv)
{
	char text[256], next[64] = "";
	failure_text(text, sizeof text, &cv->v.failure);
	if (cv->v.state == VASSAL_BLACKLISTED)
		snprintf(next, sizeof next, "; starts again after a pause");
	else if (cv->v.state == VASSAL_QUEUED)
		snprintf(next, sizeof next, "; starts again at once");
	logger_once(LOG_ERR, cv->name, util_now(), "[%s] %s%s", cv->name, text, next);
	if (cv->world)
		say_last_words(cv->world);
	(void)r;
}

static void say(struct ruler *r, struct court_vassal *cv, enum vassal_state from, enum vassal_event event)
{
	char text[256];
	const struct vassal *v = &cv->v;
	switch ((enum vassal_state)v->state) {
	case VASSAL_STARTING:
		log_notice("[%s] has been spawned, pid %d", cv->name, (int)v->pid);
		break;
	case VASSAL_READY:
		log_notice("[%s] is ready to accept requests, pid %d", cv->name, (int)v->pid);
		break;
	case VASSAL_BROKEN:
		failure_text(text, sizeof text, &v->failure);
		log_error("[%s] %s", cv->name, text);
		break;
	case VASSAL_RELOADING:
		log_notice("[%s] reloads", cv->name);
		break;
	case VASSAL_STOPPING:
		log_notice("[%s] is being stopped (%s)", cv->name, vassal_event_name(event));
		break;
	case VASSAL_CURSED:
		/* Mostly the first we see of a death: as often as that. */
		snprintf(text, sizeof text, "wire of %.240s", cv->name);
		logger_once(LOG_WARNING, text, util_now(), "[%s] closed its wire", cv->name);
		break;
	case VASSAL_KILLING:
		log_warning("[%s] is being killed, pid %d (%s)", cv->name, (int)v->pid, failure_stage_name(v->failure.why));
		break;
	case VASSAL_GONE:
		if (from != VASSAL_GONE)
			log_notice("[%s] removed", cv->name);
		break;
	case VASSAL_STOPPED:
		log_notice("[%s] stopped by an operator", cv->name);
		break;
	case VASSAL_QUEUED:
	case VASSAL_BLACKLISTED:
	case VASSAL_EXILED:
		if (event == VASSAL_EXITED || event == VASSAL_SPAWN_FAILED)
			say_death(r, cv);
		break;
	case VASSAL_SPAWNING:
	case VASSAL_SETTLING:
	case VASSAL_RELOAD_QUEUED:
	case VASSAL_RENEW_SPAWNING:
	case VASSAL_RENEW_STARTING:
	case VASSAL_RENEW_SETTLING:
	case VASSAL_SWITCHING:
	case VASSAL_ABANDONING:
	case VASSAL_RETIRING:
	case VASSAL_STATES:
		break;
	}
}

static void world_transition(void *data, struct court_vassal *cv, enum vassal_state from, enum vassal_event event, int64_t arg)
{
	struct ruler *r = data;
	struct subject *s = subject_of(r, cv);
	count_busy(r, from, cv->v.state);
	/* What it says from here on belongs to the new code. */
	if (s && s->lines && (cv->v.state == VASSAL_SPAWNING || cv->v.state == VASSAL_RELOADING))
		output_mark(s->lines);
	say(r, cv, from, event);
	if (r->commands)
		commands_transition(r->commands, cv, from, event, arg);
}

void ruler_world(struct ruler *r, struct court_world *world)
{
	*world = (struct court_world){
		.data = r, .now = world_now, .order = world_order, .arm = world_arm, .probe = world_probe,
		.probe_cancel = world_probe_cancel, .answer = world_answer, .transition = world_transition, .gone = world_gone,
	};
}
