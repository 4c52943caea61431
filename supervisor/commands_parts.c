/* commands_parts: what came of a request, vassal by vassal and as a whole: in words and as JSON. Asks nobody anything. */
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/commands_inside.h"
#include "vassals/failure.h"

static bool is_rehearsal(const struct session *s)
{
	return s->verb->run == verb_rehearse;
}

static const char *done_words(enum vassal_event kind)
{
	if (kind == VASSAL_STOP)
		return "stopped: it is gone";
	if (kind == VASSAL_START)
		return "started: it accepts requests";
	if (kind == VASSAL_RESTART)
		return "restarted: the new code accepts requests";
	return "reloaded: the new code accepts requests";
}

/* What happened to one vassal, in words. */
static void part_text(const struct session *s, const struct part *part, char *buf, size_t size)
{
	char reason[256];
	if (part->instead) {
		snprintf(buf, size, "%s: %s", part->name, part->instead);
		return;
	}
	if (part->status == STATUS_DONE) {
		snprintf(buf, size, "%s: %s (%.1f s)", part->name, is_rehearsal(s) ? "passed the rehearsal" : done_words(s->verb->event),
			 (double)part->took / NSEC_PER_SEC);
		return;
	}
	failure_text(reason, sizeof reason, &part->failure);
	if (is_rehearsal(s)) {
		const char *lead = part->failure.why == VASSAL_WHY_NO_TRIAL ? "" : part->status == STATUS_FAILED ?
				   "the rehearsal failed, nothing was changed: " : "nothing was rehearsed: ";
		snprintf(buf, size, "%s: %s%s", part->name, lead, reason);
		return;
	}
	snprintf(buf, size, "%s: %s failed%s: %s%s%s", part->name, s->verb->name,
		 part->status == STATUS_FAILED ? ", the old code serves on" : " and the site is down", reason,
		 part->logger ? "; its words are in " : "", part->logger ? part->logger : "");
}

static void write_part(const struct session *s, const struct part *part, struct json *j)
{
	char text[1024], reason[256];
	part_text(s, part, text, sizeof text);
	failure_text(reason, sizeof reason, &part->failure);
	json_open(j, NULL, '{');
	json_put_string(j, "name", part->name);
	json_put_int(j, "status", part->status);
	json_put_string(j, "verdict", status_word(part->status));
	json_put_string(j, "text", text);
	json_put_string(j, "stage", failure_stage_name(part->failure.why));
	json_put_string(j, "reason", part->instead ? part->instead : reason);
	json_put_bool(j, "stale", part->stale);
	json_put_string(j, "last_lines", part->last_lines);
	json_put_string(j, "logger", part->logger);
	json_put_unsigned(j, "took_ms", part->took / NSEC_PER_MSEC);
	json_put_unsigned(j, "cycle", part->cycle);
	json_close(j, '}');
}

static const struct part *worst_part(const struct session *s)
{
	const struct part *worst = &s->parts[0];
	for (size_t i = 1; i < s->n_parts; i++)
		if (status_worse(worst->status, s->parts[i].status) != worst->status)
			worst = &s->parts[i];
	return worst;
}

#define NAMES_MAX 10	/* in one sentence; the list behind it has all */

/* "; stale: a.ini, b.ini" */
static void put_names(FILE *out, const struct session *s, const char *lead, bool (*is)(const struct part *part))
{
	size_t n = 0;
	for (size_t i = 0; i < s->n_parts; i++) {
		if (!is(&s->parts[i]))
			continue;
		if (n < NAMES_MAX)
			fprintf(out, "%s%s", n ? ", " : lead, s->parts[i].name);
		n++;
	}
	if (n > NAMES_MAX)
		fprintf(out, " and %zu more", n - NAMES_MAX);
}

static bool is_stale(const struct part *part) { return part->stale; }
static bool is_down(const struct part *part) { return part->status == STATUS_DOWN; }

static bool is_otherwise_undone(const struct part *part)
{
	return part->status != STATUS_DONE && !is_stale(part) && !is_down(part);
}

/* Of several, not all of which came off: how many did, and who did not, by what that means for the site. */
static char *names_of_all(const struct session *s, size_t done)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	fprintf(out, "%s: %zu of %zu done", s->verb->name, done, s->n_parts);
	put_names(out, s, "; down: ", is_down);
	put_names(out, s, "; stale, the old code serves on: ", is_stale);
	put_names(out, s, "; not done: ", is_otherwise_undone);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void open_summary(const struct session *s, struct json *j)
{
	char text[1024];
	size_t done = 0;
	if (s->n_parts == 0) {
		session_open_result(j, STATUS_DONE, "no vassal to %s", s->verb->name);
		return;
	}
	const struct part *worst = worst_part(s);
	for (size_t i = 0; i < s->n_parts; i++)
		done += s->parts[i].status == STATUS_DONE;
	part_text(s, worst, text, sizeof text);
	CLEANUP_FREE char *names = s->n_parts > 1 && done < s->n_parts ? names_of_all(s, done) : NULL;
	if (s->n_parts > 1 && done == s->n_parts)
		session_open_result(j, STATUS_DONE, "%s: all %zu done", s->verb->name, done);
	else
		session_open_result(j, worst->status, "%s", names ? names : text);
}

void parts_end_if_settled(struct session *s)
{
	CLEANUP_JSON struct json j = { 0 };
	if (s->n_open > 0 || s->kind != SESSION_ASKS)
		return;
	open_summary(s, &j);
	json_open(&j, "vassals", '[');
	for (size_t i = 0; i < s->n_parts; i++)
		write_part(s, &s->parts[i], &j);
	json_close(&j, ']');
	session_close_result(s, &j);
}

/* ---- before that */

void parts_say_score(struct session *s, const struct part *part)
{
	char text[1024];
	CLEANUP_JSON struct json j = { 0 };
	if (s->n_parts < 2)
		return;
	json_open(&j, NULL, '{');
	json_put_unsigned(&j, "done", s->n_parts - s->n_open - s->n_failed);
	json_put_unsigned(&j, "failed", s->n_failed);
	json_put_unsigned(&j, "total", s->n_parts);
	if (part) {
		part_text(s, part, text, sizeof text);
		json_put_string(&j, "name", part->name);
		json_put_string(&j, "text", text);
	}
	json_close(&j, '}');
	session_say_if_it_reads(s, &j);
}
