#include <stdio.h>
#include <string.h>

#include "supervisor/logger.h"
#include "supervisor/ruler_inside.h"
#include "vassals/failure.h"
#include "vassals/util.h"

static void say_last_words(const struct court_vassal *cv)
{
	if (cv->spec && cv->spec->logger)
		log_error("[%s] its words are in %s", cv->name, cv->spec->logger);
}

static void say_death(const struct court_vassal *cv)
{
	char text[256], next[64] = "";
	failure_text(text, sizeof text, &cv->v.failure);
	if (cv->v.state == VASSAL_BLACKLISTED)
		snprintf(next, sizeof next, "; starts again after a pause");
	else if (cv->v.state == VASSAL_QUEUED)
		snprintf(next, sizeof next, "; starts again at once");
	logger_once(LOG_ERR, cv->name, util_now(), "[%s] %s%s", cv->name, text, next);
	say_last_words(cv);
}

/* ---- handover and rehearsal */

/* While other code is tried beside. */
static bool is_trying(enum vassal_state state)
{
	return state == VASSAL_RENEW_SPAWNING || state == VASSAL_RENEW_STARTING || state == VASSAL_RENEW_SETTLING ||
	       state == VASSAL_SWITCHING;
}

static bool is_rehearsal(const struct court_vassal *cv)
{
	return cv->world && ((const struct subject *)cv->world)->rehearses;
}

/* One line, for an alarm: the old code serves on. */
static void say_failed(const struct court_vassal *cv)
{
	char text[256];
	failure_text(text, sizeof text, &cv->v.failure);
	log_error("[%s] handover failed: %s; the old code serves on, pid %d; stale", cv->name, text, (int)cv->v.pid);
	say_last_words(cv);
}

static void say_rehearsed(const struct court_vassal *cv)
{
	char text[256];
	failure_text(text, sizeof text, &cv->v.trial_failure);
	if (cv->v.trial_failure.why == VASSAL_WHY_NONE)
		log_notice("[%s] rehearsal passed", cv->name);
	else
		log_notice("[%s] rehearsal failed: %s", cv->name, text);
}

static void say_outcome(const struct court_vassal *cv)
{
	(is_rehearsal(cv) ? say_rehearsed : say_failed)(cv);
}

static void say_handover(const struct court_vassal *cv)
{
	const struct vassal *v = &cv->v;
	if (v->state == VASSAL_RENEW_SPAWNING)
		log_notice("[%s] %s starts beside pid %d", cv->name,
			   is_rehearsal(cv) ? "rehearsal begins: other code" : "handover begins: new code", (int)v->pid);
	else if (v->state == VASSAL_RENEW_STARTING)
		log_notice("[%s] %s code has been spawned, pid %d", cv->name, is_rehearsal(cv) ? "other" : "new", (int)v->beside.pid);
	else if (v->state == VASSAL_SWITCHING)
		log_notice("[%s] new code is ready and takes over, pid %d", cv->name, (int)v->beside.pid);
	else if (v->state == VASSAL_RETIRING)
		log_notice("[%s] new code serves, pid %d; the old one finishes its requests and ends, pid %d", cv->name, (int)v->pid,
			   (int)v->beside.pid);
	else
		say_outcome(cv);
}

/* Its own generation alone is left, and serves. true: what there is to say was said. */
static bool say_back(const struct court_vassal *cv, enum vassal_state from)
{
	const struct vassal *v = &cv->v;
	if (is_trying(from))	/* it never ran, or ended by itself */
		say_outcome(cv);
	else if (from == VASSAL_ABANDONING && !is_rehearsal(cv))
		log_notice("[%s] serves on with its old code, pid %d", cv->name, (int)v->pid);
	else if (from == VASSAL_RETIRING && v->state == VASSAL_READY)
		log_notice("[%s] has handed over: ready to accept requests, pid %d", cv->name, (int)v->pid);
	else
		return from == VASSAL_ABANDONING;
	return true;
}

static void say_broken(const struct court_vassal *cv)
{
	char text[256];
	failure_text(text, sizeof text, &cv->v.failure);
	log_error("[%s] %s", cv->name, text);
}

/* Mostly the first we see of a death: as often as that. */
static void say_cursed(const struct court_vassal *cv)
{
	char key[256];
	snprintf(key, sizeof key, "wire of %.240s", cv->name);
	logger_once(LOG_WARNING, key, util_now(), "[%s] closed its wire", cv->name);
}

void ruler_say(struct court_vassal *cv, enum vassal_state from, enum vassal_event event)
{
	const struct vassal *v = &cv->v;
	switch ((enum vassal_state)v->state) {
	case VASSAL_STARTING:
		log_notice("[%s] has been spawned, pid %d", cv->name, (int)v->pid);
		break;
	case VASSAL_READY:
		if (!say_back(cv, from))
			log_notice("[%s] is ready to accept requests, pid %d", cv->name, (int)v->pid);
		break;
	case VASSAL_BROKEN:
		if (!say_back(cv, from))
			say_broken(cv);
		break;
	case VASSAL_RELOADING:
		log_notice("[%s] reloads", cv->name);
		break;
	case VASSAL_RENEW_SPAWNING:
	case VASSAL_RENEW_STARTING:
	case VASSAL_SWITCHING:
	case VASSAL_ABANDONING:
	case VASSAL_RETIRING:
		say_handover(cv);
		break;
	case VASSAL_STOPPING:
		log_notice("[%s] is being stopped (%s)", cv->name, vassal_event_name(event));
		break;
	case VASSAL_CURSED:
		say_cursed(cv);
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
			say_death(cv);
		break;
	case VASSAL_RELOAD_QUEUED:	/* newer code was asked for meanwhile */
		say_back(cv, from);
		break;
	case VASSAL_SPAWNING:
	case VASSAL_SETTLING:
	case VASSAL_RENEW_SETTLING:
	case VASSAL_STATES:
		break;
	}
}
