#include <stdlib.h>

#include "supervisor/logger.h"
#include "supervisor/ruler_inside.h"
#include "vassals/probe.h"
#include "vassals/util.h"

/* All workers may be at long requests for a moment: only this many failures in a row count. */
#define MISSES 3

/* One timer: until the next request, or until the one under way has taken too long. */
struct liveness {
	struct subject *subject;
	ev_timer timer;
	struct prober *prober;
	unsigned misses;		/* in a row */
};

static const struct spec *wish_of(const struct subject *s)
{
	const struct spec *spec = s->cv->spec;
	bool asked = spec && spec->health && spec->health_interval_ms != UINT32_MAX && spec->health_interval_ms > 0;
	return asked ? spec : NULL;
}

static void arm(struct liveness *l, double delay)
{
	struct ev_loop *loop = l->subject->ruler->loop;
	ev_timer_stop(loop, &l->timer);
	ev_now_update(loop);
	ev_timer_set(&l->timer, delay, 0.);
	ev_timer_start(loop, &l->timer);
}

static double limit_of(const struct subject *s)
{
	struct vassal_rules rules;
	court_rules(s->ruler->court, s->cv, &rules);
	return (double)rules.probe_limit / (double)NSEC_PER_SEC;
}

/* One line that can be alarmed on. status: as probe_judge(), 0 also where nothing came in time. */
static void report(struct subject *s, const struct spec *spec, int status)
{
	const char *next = spec->health_restart ? "it is restarted" : "it is left alone (health-restart)";
	s->unhealthy++;
	if (status > 0)
		log_error("[%s] hangs: its answer to %s was %d, %d times in a row; %s", s->cv->name, spec->health, status, MISSES, next);
	else
		log_error("[%s] hangs: no answer to %s within %g s, %d times in a row: it hangs, or all its workers are at long requests; %s",
			  s->cv->name, spec->health, limit_of(s), MISSES, next);
}

/* A restart ends this (liveness_follow), so it comes last. */
static void take_result(struct liveness *l, int status)
{
	struct subject *s = l->subject;
	const struct spec *spec = wish_of(s);
	if (!spec)
		return;		/* its ini has changed: not any more */
	arm(l, (double)spec->health_interval_ms / 1000.);
	if (probe_passes(spec, status)) {
		if (l->misses >= MISSES)
			log_notice("[%s] answers again", s->cv->name);
		l->misses = 0;
		return;
	}
	if (++l->misses == MISSES) {
		report(s, spec, status);
		if (spec->health_restart)
			court_restart(s->ruler->court, s->cv);
	}
}

static void judged(void *data, int status)
{
	struct liveness *l = data;
	l->prober = NULL;
	take_result(l, status);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct liveness *l = w->data;
	struct subject *s = l->subject;
	(void)loop;
	(void)revents;
	if (l->prober) {
		l->prober = prober_free(l->prober);
		take_result(l, 0);
		return;
	}
	if (!wish_of(s) || !s->own)
		return;
	l->prober = prober_new(s->own, judged, l);
	arm(l, l->prober ? limit_of(s) : (double)wish_of(s)->health_interval_ms / 1000.);
}

static void stop(struct liveness *l)
{
	ev_timer_stop(l->subject->ruler->loop, &l->timer);
	l->prober = prober_free(l->prober);
	l->misses = 0;
}

void liveness_follow(struct subject *s)
{
	const struct spec *spec = wish_of(s);
	if (!spec || s->cv->v.state != VASSAL_READY) {
		if (s->liveness)
			stop(s->liveness);
		return;
	}
	if (!s->liveness && !(s->liveness = calloc(1, sizeof *s->liveness)))
		return;
	struct liveness *l = s->liveness;
	if (ev_is_active(&l->timer))
		return;
	l->subject = s;
	ev_timer_init(&l->timer, on_timer, 0., 0.);
	l->timer.data = l;
	arm(l, (double)spec->health_interval_ms / 1000.);
}

struct liveness *liveness_free(struct liveness *l)
{
	if (l)
		stop(l);
	free(l);
	return NULL;
}
