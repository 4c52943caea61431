/* commands_watch: logs and events: what is kept of them, then what comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "supervisor/commands_inside.h"
#include "vassals/failure.h"

#define EVENTS_MAX 2000		/* of one answer: what a client gets at once stays far below CONTROL_UNSENT_MAX */

/* ---- lines */

void say_line(struct session *s, struct court_vassal *cv, const char *line)
{
	CLEANUP_JSON struct json j = { 0 };
	json_open(&j, NULL, '{');
	json_put_string(&j, "vassal", cv->name);
	json_put_string(&j, "line", line);
	json_close(&j, '}');
	session_say(s, &j);
}

/* Cuts text where it stands; the number of lines. */
static size_t say_lines(struct session *s, struct court_vassal *cv, char *text)
{
	size_t n = 0;
	char *rest = text;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		if (!rest && !*line)
			break;	/* behind the last newline */
		say_line(s, cv, line);
		n++;
	}
	return n;
}

static void end_logs(struct session *s, const struct court_vassal *cv, size_t n)
{
	if (cv->spec && cv->spec->logger)
		session_end(s, STATUS_DONE, "%s: %zu lines; its further words are in %s", cv->name, n, cv->spec->logger);
	else
		session_end(s, STATUS_DONE, "%s: %zu lines", cv->name, n);
}

void verb_logs(struct session *s, const struct args *args)
{
	struct commands_host *host = &s->commands->config.host;
	struct court_vassal *cv = name_need(s, args->names[0]);
	if (!cv)
		return;
	CLEANUP_FREE char *text = args->lines > 0 ? host->tail(host->data, cv, args->lines, false) : NULL;
	size_t n = text ? say_lines(s, cv, text) : 0;
	if (args->given & OPTION_FOLLOW)
		session_follow(s, SESSION_FOLLOWS_LINES, cv);
	else
		end_logs(s, cv, n);
}

/* ---- events */

void event_cause(char *buf, size_t size, enum vassal_event event, int64_t arg)
{
	char status[96];
	const char *name = vassal_event_name(event);
	if (event == VASSAL_EXITED || event == VASSAL_BESIDE_EXITED) {
		failure_status_text(status, sizeof status, (int)arg);
		snprintf(buf, size, "%s%s", event == VASSAL_EXITED ? "" : "other one ", status);
	} else if (event == VASSAL_SWITCH_FAILED) {
		snprintf(buf, size, "%s: %s", name, strerror((int)arg));
	} else if (event == VASSAL_PROBE_FAILED && arg > 0) {
		snprintf(buf, size, "%s: HTTP %d", name, (int)arg);
	} else if (event == VASSAL_BYTE) {
		snprintf(buf, size, "%s %d", name, (int)arg);
	} else if (event == VASSAL_STARTED || event == VASSAL_BESIDE_STARTED) {
		snprintf(buf, size, "%s: pid %d", name, (int)arg);
	} else {
		snprintf(buf, size, "%s", name);
	}
}

struct entry { const struct court_vassal *cv; const struct court_history *h; size_t order; };

static void say_event(struct session *s, const struct court_vassal *cv, const struct court_history *h)
{
	char cause[160];
	CLEANUP_JSON struct json j = { 0 };
	event_cause(cause, sizeof cause, h->event, h->arg);
	json_open(&j, NULL, '{');
	json_put_string(&j, "event", cv->name);
	json_put_seconds(&j, "time", h->when_ms);
	json_put_string(&j, "from", vassal_state_name(h->from));
	json_put_string(&j, "to", vassal_state_name(h->to));
	json_put_string(&j, "cause", cause);
	if (h->uid == UINT32_MAX)
		json_put_null(&j, "uid");
	else
		json_put_unsigned(&j, "uid", h->uid);
	json_put_unsigned(&j, "cycle", h->cycle);
	json_put_bool(&j, "stale", h->stale);
	json_close(&j, '}');
	session_say(s, &j);
}

void events_transition(struct session *s, struct court_vassal *cv)
{
	if (s->cv ? s->cv != cv : !rights_may(s, s->verb, cv))
		return;
	const struct court_history *newest = cv->n_history ? court_history(cv, cv->n_history - 1U) : NULL;
	if (newest)
		say_event(s, cv, newest);
}

static int by_time(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	if (x->h->when_ms != y->h->when_ms)
		return x->h->when_ms < y->h->when_ms ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static size_t collect(const struct session *s, struct court_vassal *only, struct entry *entries)
{
	size_t n = 0;
	for (struct court_vassal *cv = court_first(s->commands->config.court); cv; cv = court_next(cv)) {
		if (only ? cv != only : !rights_may(s, s->verb, cv))
			continue;
		for (unsigned i = 0; i < cv->n_history; i++, n++)
			if (entries)
				entries[n] = (struct entry){ cv, court_history(cv, i), n };
	}
	return n;
}

/* false: no memory, the session is ended. */
static bool say_kept(struct session *s, struct court_vassal *only, size_t *said)
{
	size_t n = collect(s, only, NULL);
	CLEANUP_FREE struct entry *entries = calloc(n + 1, sizeof *entries);
	if (!entries) {
		session_end(s, STATUS_TIMEOUT, "out of memory");
		return false;
	}
	collect(s, only, entries);
	qsort(entries, n, sizeof *entries, by_time);
	size_t first = n > EVENTS_MAX ? n - EVENTS_MAX : 0;
	for (size_t i = first; i < n; i++)
		say_event(s, entries[i].cv, entries[i].h);
	*said = n - first;
	return true;
}

void verb_events(struct session *s, const struct args *args)
{
	size_t n = 0;
	struct court_vassal *cv = NULL;
	if (args->n > 0 && !(cv = name_need(s, args->names[0])))
		return;
	if (!cv && !rights_may_some(s, s->verb)) {
		session_end(s, STATUS_NOT_ALLOWED, "not allowed: %s", s->verb->name);
		return;
	}
	if (!say_kept(s, cv, &n))
		return;
	if (args->given & OPTION_FOLLOW)
		session_follow(s, SESSION_FOLLOWS_EVENTS, cv);
	else
		session_end(s, STATUS_DONE, "%zu events", n);
}
