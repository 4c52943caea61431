/* commands_status: what each vassal is and does, for people and machines. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "supervisor/commands_inside.h"
#include "vassals/failure.h"

/* ---- one vassal */

static const char *wanted_word(uint8_t wanted)
{
	switch ((enum vassal_wanted)wanted) {
	case VASSAL_WANTED_RUN: return "run";
	case VASSAL_WANTED_STOP: return "stop";
	case VASSAL_WANTED_GONE: return "gone";
	}
	return "?";
}

static const char *waits_for(const struct court_vassal *cv)
{
	switch ((enum vassal_state)cv->v.state) {
	case VASSAL_QUEUED:
	case VASSAL_RELOAD_QUEUED:
		return "start slot";
	case VASSAL_BLACKLISTED:
		return "throttle";
	case VASSAL_EXILED:
		return "changed config";
	case VASSAL_SPAWNING:
	case VASSAL_STARTING:
	case VASSAL_SETTLING:
	case VASSAL_READY:
	case VASSAL_BROKEN:
	case VASSAL_RELOADING:
	case VASSAL_RENEW_SPAWNING:
	case VASSAL_RENEW_STARTING:
	case VASSAL_RENEW_SETTLING:
	case VASSAL_SWITCHING:
	case VASSAL_ABANDONING:
	case VASSAL_RETIRING:
	case VASSAL_STOPPING:
	case VASSAL_CURSED:
	case VASSAL_KILLING:
	case VASSAL_STOPPED:
	case VASSAL_GONE:
	case VASSAL_STATES:
		break;
	}
	return NULL;
}

/* Its states are counted by the monotonic clock; people live by the other one. */
static int64_t since_epoch(const struct vassal *v)
{
	struct timespec wall;
	uint64_t now = util_now();
	clock_gettime(CLOCK_REALTIME, &wall);
	int64_t wall_ns = (int64_t)wall.tv_sec * (int64_t)NSEC_PER_SEC + wall.tv_nsec;
	return (wall_ns - (int64_t)(now > v->since ? now - v->since : 0)) / (int64_t)NSEC_PER_SEC;
}

static uint64_t left_ms(const struct vassal *v, enum vassal_timer timer)
{
	uint64_t now = util_now(), until = v->deadline[timer];
	return until > now ? (until - now) / NSEC_PER_MSEC : 0;
}

static void write_reasons(const struct court_vassal *cv, struct json *j)
{
	char text[256];
	if (cv->v.last_status == -1) {
		json_put_null(j, "last_end");
	} else {
		failure_status_text(text, sizeof text, cv->v.last_status);
		json_put_string(j, "last_end", text);
	}
	failure_text(text, sizeof text, &cv->v.failure);
	json_put_string(j, "reason", *text ? text : NULL);
	json_put_string(j, "stage", failure_stage_name(cv->v.failure.why));
}

static const char *phase_word(uint8_t phase)
{
	static const char *const words[] = {
		[VASSAL_BESIDE_NONE] = "none", [VASSAL_BESIDE_TRIED] = "tried", [VASSAL_BESIDE_DRAINING] = "draining",
		[VASSAL_BESIDE_RETIRING] = "retiring", [VASSAL_BESIDE_KILLED] = "killed",
	};
	static_assert(ARRAY_SIZE(words) == VASSAL_BESIDE_PHASES, "a phase without a word");
	return phase < VASSAL_BESIDE_PHASES ? words[phase] : "?";
}

/* Which code serves, and what else there is of it. */
static void write_generations(const struct vassal *v, struct json *j)
{
	json_put_bool(j, "held", v->held);
	json_put_bool(j, "stale", v->stale);
	if (v->beside.generation == 0) {
		json_put_null(j, "beside");
		return;
	}
	json_open(j, "beside", '{');
	json_put_unsigned(j, "generation", v->beside.generation);
	json_put_int(j, "pid", v->beside.pid);
	json_put_string(j, "phase", phase_word(v->beside.phase));
	json_close(j, '}');
}

static void write_last_failure(const struct vassal *v, struct json *j)
{
	char text[256];
	if (v->failure.why == VASSAL_WHY_NONE) {
		json_put_null(j, "last_failure");
		return;
	}
	failure_text(text, sizeof text, &v->failure);
	json_open(j, "last_failure", '{');
	json_put_string(j, "stage", failure_stage_name(v->failure.why));
	json_put_string(j, "reason", text);
	json_close(j, '}');
}

static void write_surroundings(const struct session *s, struct court_vassal *cv, struct json *j)
{
	struct commands_host *host = &s->commands->config.host;
	const struct options_list *monitors = &s->commands->config.options->emperor;
	uid_t uid;
	json_put_string(j, "monitor", cv->monitor < monitors->n ? monitors->items[cv->monitor] : NULL);
	if (host->identity(host->data, cv, &uid))
		json_put_unsigned(j, "uid", uid);
	else
		json_put_null(j, "uid");
	json_put_string(j, "logger", cv->spec ? cv->spec->logger : NULL);
	json_put_unsigned(j, "dropped_lines", host->dropped_lines(host->data, cv));
	json_put_unsigned(j, "unhealthy", host->unhealthy ? host->unhealthy(host->data, cv) : 0);
}

static void write_vassal(const struct session *s, struct court_vassal *cv, struct json *j)
{
	const struct vassal *v = &cv->v;
	json_open(j, NULL, '{');
	json_put_string(j, "name", cv->name);
	json_put_string(j, "state", vassal_state_name(v->state));
	json_put_string(j, "wanted", wanted_word(v->wanted));
	json_put_unsigned(j, "generation", v->generation);
	json_put_int(j, "pid", v->pid);
	json_put_unsigned(j, "cycle", v->cycle);
	json_put_bool(j, "loyal", v->loyal);
	json_put_unsigned(j, "restarts", v->restarts);
	json_put_unsigned(j, "reloads", v->reloads);
	json_put_int(j, "since", since_epoch(v));
	write_reasons(cv, j);
	json_put_unsigned(j, "backoff_left_ms", left_ms(v, VASSAL_T_BACKOFF));
	json_put_unsigned(j, "frozen_left_ms", left_ms(v, VASSAL_T_FREEZE));
	json_put_string(j, "waiting_for", waits_for(cv));
	write_surroundings(s, cv, j);
	write_generations(v, j);
	write_last_failure(v, j);
	json_close(j, '}');
}

/* ---- all of them */

static bool has_trouble(const struct vassal *v)
{
	if (v->stale)
		return true;	/* somebody deployed, and what he deployed does not serve */
	bool starts = v->state == VASSAL_QUEUED || v->state == VASSAL_SPAWNING || v->state == VASSAL_STARTING;
	return v->state == VASSAL_BROKEN || v->state == VASSAL_BLACKLISTED || v->state == VASSAL_EXILED ||
	       v->state == VASSAL_CURSED || (starts && v->failure.why != VASSAL_WHY_NONE);	/* between two deaths */
}

/* `status NAME --check`: a cursed one may serve yet. */
static enum status check_one(const struct vassal *v)
{
	if (v->state == VASSAL_CURSED || (v->stale && vassal_has_process(v)))
		return STATUS_FAILED;
	return has_trouble(v) || v->state == VASSAL_STOPPED || v->state == VASSAL_KILLING ? STATUS_DOWN : STATUS_DONE;
}

struct tally { size_t n, stale, of[VASSAL_STATES]; bool trouble; };

static struct tally count(const struct session *s)
{
	struct tally t = { 0 };
	for (struct court_vassal *cv = court_first(s->commands->config.court); cv; cv = court_next(cv)) {
		if (!rights_may(s, s->verb, cv))
			continue;
		t.n++;
		t.of[cv->v.state]++;
		t.stale += cv->v.stale;
		t.trouble |= has_trouble(&cv->v);
	}
	return t;
}

/* "3 vassals: 2 ready, 1 broken; 1 stale: serves older code" */
static void tally_text(const struct tally *t, char *buf, size_t size)
{
	const char *before = ": ";
	int at = snprintf(buf, size, "%zu vassal%s", t->n, t->n == 1 ? "" : "s");
	for (unsigned state = 0; state < VASSAL_STATES; state++) {
		if (t->of[state] == 0 || at < 0 || (size_t)at >= size)
			continue;
		at += snprintf(buf + at, size - (size_t)at, "%s%zu %s", before, t->of[state], vassal_state_name(state));
		before = ", ";
	}
	if (t->stale > 0 && at >= 0 && (size_t)at < size)
		snprintf(buf + at, size - (size_t)at, "; %zu stale: serve%s older code", t->stale, t->stale == 1 ? "s" : "");
}

static bool may_at_all(struct session *s)
{
	if (rights_may_some(s, s->verb))
		return true;
	session_end(s, STATUS_NOT_ALLOWED, "not allowed: %s", s->verb->name);
	return false;
}

static void status_of_one(struct session *s, struct court_vassal *cv, bool check)
{
	char reason[256];
	CLEANUP_JSON struct json j = { 0 };
	failure_text(reason, sizeof reason, &cv->v.failure);
	session_open_result(&j, check ? check_one(&cv->v) : STATUS_DONE, "%s: %s%s%s%s", cv->name, vassal_state_name(cv->v.state),
			    cv->v.stale ? ", stale: serves older code" : "", *reason ? ": " : "", reason);
	json_open(&j, "vassals", '[');
	write_vassal(s, cv, &j);
	json_close(&j, ']');
	session_close_result(s, &j);
}

static void status_of_all(struct session *s, bool check)
{
	char text[512];
	CLEANUP_JSON struct json j = { 0 };
	struct tally t = count(s);
	tally_text(&t, text, sizeof text);
	session_open_result(&j, check && t.trouble ? STATUS_FAILED : STATUS_DONE, "%s", text);
	json_open(&j, "vassals", '[');
	for (struct court_vassal *cv = court_first(s->commands->config.court); cv; cv = court_next(cv))
		if (rights_may(s, s->verb, cv))
			write_vassal(s, cv, &j);
	json_close(&j, ']');
	session_close_result(s, &j);
}

void verb_status(struct session *s, const struct args *args)
{
	bool check = args->given & OPTION_CHECK;
	if (args->n > 0) {
		struct court_vassal *cv = name_need(s, args->names[0]);
		if (cv)
			status_of_one(s, cv, check);
	} else if (may_at_all(s)) {
		status_of_all(s, check);
	}
}

void verb_list(struct session *s, const struct args *args)
{
	char text[512];
	CLEANUP_JSON struct json j = { 0 };
	(void)args;
	if (!may_at_all(s))
		return;
	struct tally t = count(s);
	tally_text(&t, text, sizeof text);
	session_open_result(&j, STATUS_DONE, "%s", text);
	json_open(&j, "vassals", '[');
	for (struct court_vassal *cv = court_first(s->commands->config.court); cv; cv = court_next(cv)) {
		if (!rights_may(s, s->verb, cv))
			continue;
		json_open(&j, NULL, '{');
		json_put_string(&j, "name", cv->name);
		json_put_string(&j, "state", vassal_state_name(cv->v.state));
		json_close(&j, '}');
	}
	json_close(&j, ']');
	session_close_result(s, &j);
}
