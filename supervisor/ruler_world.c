#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "supervisor/doubling.h"
#include "supervisor/logger.h"
#include "supervisor/ruler_inside.h"
#include "vassals/launch.h"
#include "vassals/util.h"

#define RETIRE_MERCY_NS (60 * NSEC_PER_SEC)	/* uWSGI's own worker-reload-mercy: then it needs no word of ours */
#define RETIRE_MERCY_MAX 86400			/* s; the keeper refuses more */
/* That they are equal is the point. NOLINTNEXTLINE(misc-redundant-expression) */
static_assert((int)VASSAL_SEND_PAUSED == (int)LINK_SEND_PAUSED, "the court's arg is the link's");

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

/* --worker-reload-mercy, so that uWSGI lets requests of a generation that retires live as long as we let it. */
static uint32_t mercy_of(const struct ruler *r, const struct court_vassal *cv)
{
	struct vassal_rules rules;
	court_rules(r->court, cv, &rules);
	if (rules.retire_mercy == 0 || rules.retire_mercy == RETIRE_MERCY_NS)
		return 0;
	uint64_t s = (rules.retire_mercy + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
	return LINK_SPAWN_MERCY(s < RETIRE_MERCY_MAX ? s : RETIRE_MERCY_MAX);
}

/* What the keeper is to hold, and for a rehearsal what to start there; malloc()ed. NULL: nothing. */
static char *text_of(const struct court_vassal *cv, uint32_t spawn)
{
	char *text = NULL;
	const char *sockets = cv->sockets ? cv->sockets : "";
	if (!(spawn & VASSAL_SPAWN_HELD))
		return NULL;
	if (!(spawn & VASSAL_SPAWN_TRIAL))
		text = strdup(sockets);
	else if (asprintf(&text, "%sconfig=%s\n", sockets, cv->trial_config ? cv->trial_config : "") < 0)
		text = NULL;
	if (!text)
		out_of_memory();
	return text;
}

static uint32_t flags_of(const struct ruler *r, const struct court_vassal *cv, uint32_t spawn)
{
	uint32_t flags = spawn & VASSAL_SPAWN_HELD ? mercy_of(r, cv) : 0;
	if (spawn & VASSAL_SPAWN_BESIDE)
		flags |= LINK_SPAWN_BESIDE;
	if (spawn & VASSAL_SPAWN_TRIAL)
		flags |= LINK_SPAWN_REHEARSAL;
	return flags;
}

/* Composed only when its turn comes, so that its record is never older than one sent before. 0 or -ENAMETOOLONG. */
static int send_spawn(struct ruler *r, struct court_vassal *cv, const struct spawn_wish *wish)
{
	void *record;
	size_t size;
	const struct subject *s = subject_of(r, cv);
	CLEANUP_FREE char *text = text_of(cv, wish->arg);
	if (text && strlen(text) >= LINK_TEXT_MAX)
		return -ENAMETOOLONG;
	if (!s || court_record_write(cv, &record, &size) < 0)
		out_of_memory();
	r->in_flight++;
	ruler_post(r, &(struct link_message){ .kind = LINK_SPAWN, .generation = wish->generation, .arg = flags_of(r, cv, wish->arg),
					      .monitor = cv->monitor, .name = cv->name, .text = text, .uid = s->uid, .gid = s->gid,
					      .record = record, .record_size = (uint16_t)size });
	free(record);
	return 0;
}

/* It may have been stopped before its turn came. */
static bool is_wanted(const struct vassal *v, uint64_t generation)
{
	if (generation == v->generation)
		return v->state == VASSAL_SPAWNING;
	return v->state == VASSAL_RENEW_SPAWNING && v->beside.phase == VASSAL_BESIDE_TRIED && generation == v->beside.generation;
}

static void pump_spawns(struct ruler *r)
{
	while (r->spawns && r->in_flight < RULER_SPAWNS_IN_FLIGHT) {
		CLEANUP_FREE struct spawn_wish *wish = r->spawns;
		struct court_vassal *cv = court_find_generation(r->court, wish->generation);
		r->spawns = wish->next;
		if (!r->spawns)
			r->spawns_end = &r->spawns;
		if (!cv)
			continue;
		int error = is_wanted(&cv->v, wish->generation) ? send_spawn(r, cv, wish) : -ECANCELED;
		if (error < 0)	/* it never ran */
			court_spawn_failed(r->court, wish->generation, LAUNCH_POLICY, -error);
	}
}

void ruler_spawn_done(struct ruler *r)
{
	if (r->in_flight > 0)
		r->in_flight--;
	pump_spawns(r);
}

static void wish_spawn(struct ruler *r, const struct court_order *order)
{
	struct spawn_wish *wish = malloc(sizeof *wish);
	if (!wish)
		out_of_memory();
	*wish = (struct spawn_wish){ .generation = order->generation, .arg = order->arg };
	*r->spawns_end = wish;
	r->spawns_end = &wish->next;
	pump_spawns(r);
}

static const enum link_kind kind_of[] = {
	[COURT_SPAWN] = LINK_SPAWN, [COURT_SEND] = LINK_SEND, [COURT_KILL] = LINK_KILL, [COURT_FORGET] = LINK_FORGET,
	[COURT_SWITCH] = LINK_SWITCH, [COURT_CLOSE] = LINK_CLOSE, [COURT_STATE] = LINK_STATE, [COURT_DROP] = LINK_DROP,
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
		s->rehearses = order->arg & VASSAL_SPAWN_TRIAL;
		wish_spawn(r, order);
		return;
	}
	uint32_t arg = order->kind == COURT_SWITCH ? court_drain_ms(r->court, order->vassal) : order->arg;
	ruler_post(r, &(struct link_message){ .kind = kind_of[order->kind], .generation = order->generation, .arg = arg,
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

/* The kernel would have to kill somebody, and that may be the one that serves. */
static bool world_may_double(void *data, struct court_vassal *cv)
{
	uint64_t need = doubling_need("/proc", cv->v.pid), room = doubling_room("/proc");
	(void)data;
	if (need <= room)
		return true;
	log_warning("[%s] no room for a second generation beside it (%llu MiB, %llu are left): reloads in place", cv->name,
		    (unsigned long long)need / 1024, (unsigned long long)room / 1024);
	return false;
}

static void world_probe(void *data, struct court_vassal *cv)
{
	struct subject *s = subject_of(data, cv);
	if (s)
		subject_probe(s);
}

static void world_probe_cancel(void *data, struct court_vassal *cv)
{
	(void)data;
	if (cv->world)
		subject_probe_cancel(cv->world);
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
	ruler_roll_gone(r, cv);
	subject_free(cv->world);
}

static void world_transition(void *data, struct court_vassal *cv, enum vassal_state from, enum vassal_event event, int64_t arg)
{
	struct ruler *r = data;
	struct subject *s = subject_of(r, cv);
	if (s)
		subject_moved(s);
	ruler_say(cv, from, event);
	if (r->commands)
		commands_transition(r->commands, cv, from, event, arg);
}

void ruler_world(struct ruler *r, struct court_world *world)
{
	*world = (struct court_world){
		.data = r, .now = world_now, .order = world_order, .arm = world_arm, .may_double = world_may_double,
		.probe = world_probe, .probe_cancel = world_probe_cancel, .answer = world_answer, .transition = world_transition,
		.gone = world_gone,
	};
}
