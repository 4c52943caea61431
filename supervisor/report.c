#include "supervisor/report.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vassals/util.h"

/* ---- judging */

static enum spec_handover wanted_handover(const struct spec *spec, const struct report_defaults *d)
{
	return spec->handover != SPEC_HANDOVER_UNSET ? spec->handover : d->handover;
}

static bool wants_handover(const struct spec *spec, const struct report_defaults *d)
{
	enum spec_handover handover = wanted_handover(spec, d);
	return handover == SPEC_HANDOVER_YES || handover == SPEC_HANDOVER_FORCE;
}

static bool wants_hold(const struct spec *spec, const struct report_defaults *d)
{
	if (wants_handover(spec, d) || spec->hold_sockets == SPEC_CHOICE_YES)
		return true;
	return spec->hold_sockets == SPEC_CHOICE_UNSET && d->hold_sockets;
}

static const char *why_not_held(const struct spec *spec)
{
	return spec->no_hold ? spec->no_hold : spec->sockets ? NULL : "it has no socket that can be held";
}

void report_judge(const struct spec *spec, const struct report_defaults *d, struct report_verdict *ret)
{
	const char *no_hold = why_not_held(spec);
	bool handover = wants_handover(spec, d), own = spec->handover == SPEC_HANDOVER_YES || spec->handover == SPEC_HANDOVER_FORCE;
	struct report_verdict v = { .reload = REPORT_IN_PLACE };
	v.holds = wants_hold(spec, d) && !no_hold;
	if (wants_hold(spec, d))
		v.why = no_hold;
	if (handover && !v.why && wanted_handover(spec, d) != SPEC_HANDOVER_FORCE)
		v.why = spec->no_double;
	if (handover)
		v.reload = !v.why ? REPORT_HANDOVER : spec->lazy ? REPORT_IN_PLACE : REPORT_PAUSED;
	v.broken_word = v.why && (own || (spec->hold_sockets == SPEC_CHOICE_YES && !v.holds));
	*ret = v;
}

/* ---- words */

static const struct { const char *word, *phrase; } reloads[] = {
	[REPORT_HANDOVER] = { "handover", "a handover" }, [REPORT_PAUSED] = { "paused", "in place, its workers paused first" },
	[REPORT_IN_PLACE] = { "in-place", "in place" },
};
static_assert(ARRAY_SIZE(reloads) == REPORT_RELOADS, "a reload without a word");

const char *report_handover_word(enum spec_handover handover)
{
	return handover == SPEC_HANDOVER_FORCE ? "force" : handover == SPEC_HANDOVER_YES ? "yes" : "no";
}

void report_text(const char *name, const struct report_verdict *v, char *buf, size_t size)
{
	const char *lead = v->broken_word ? "it cannot be what its ini asks for: " : "", *held = v->holds ? "; its sockets are held" : "";
	if (v->why)
		snprintf(buf, size, "%s: %s%s; a reload is %s%s", name, lead, v->why, reloads[v->reload].phrase, held);
	else
		snprintf(buf, size, "%s: a reload is %s%s", name, reloads[v->reload].phrase, v->reload == REPORT_HANDOVER ? "" : held);
}

/* Who said so. */
static const char *decides(bool by_ini, bool by_command_line, const struct report_defaults *d)
{
	if (by_ini)
		return "its ini";
	return by_command_line ? "the command line" : d->known ? "the default" : "the default (no regent was asked for its options)";
}

/* ---- the parts of the report */

/* Whether one request is made at the gate: as court.c has it. */
static bool asks(const struct spec *spec, const struct report_verdict *v)
{
	bool by_words = spec->health || (spec->has_app && !spec->need_app && spec->logger);
	return ((spec->probe != SPEC_PROBE_NONE || v->holds) && by_words) || (v->holds && spec->signal == SPEC_SIGNAL_SPAWNED);
}

static void write_ready(const struct spec *spec, const struct report_defaults *d, const struct report_verdict *v, struct json *j)
{
	static const struct { const char *word; int byte; } rules[] = {
		[SPEC_SIGNAL_ACCEPTING] = { "accepting", 5 }, [SPEC_SIGNAL_SPAWNED] = { "spawned", 1 }, [SPEC_SIGNAL_LOYAL] = { "loyal", 17 },
		[SPEC_SIGNAL_UNSURE] = { "unsure", 0 },
	};
	bool own_ready = spec->ready_for_ms != UINT32_MAX, own_start = spec->start_timeout_ms != UINT32_MAX;
	json_open(j, "ready", '{');
	json_put_string(j, "rule", rules[spec->signal].word);
	json_put_int(j, "byte", rules[spec->signal].byte);	/* 0: 5 or 17 if they come, else 1 */
	json_put_bool(j, "has_app", spec->has_app);
	json_put_bool(j, "need_app", spec->need_app);
	json_put_bool(j, "asks", asks(spec, v));	/* one request is made at the gate */
	json_put_seconds(j, "ready_for", own_ready ? spec->ready_for_ms : d->ready_for_ms);
	json_put_seconds(j, "start_timeout", own_start ? spec->start_timeout_ms : d->start_timeout_ms);
	json_close(j, '}');
}

/* The text of vassals/sockets.h, a line of options and then the addresses, taken apart. */
static void write_sockets(const char *text, struct json *j)
{
	CLEANUP_FREE char *copy = strdup(text ? text : "");
	char *rest = copy, *options = copy ? strsep(&rest, "\n") : NULL;
	json_put_string(j, "options", options ? options : "");
	json_open(j, "addresses", '[');
	for (char *address; rest && (address = strsep(&rest, "\n")) != NULL;)
		if (*address)
			json_put_string(j, NULL, address);
	json_close(j, ']');
}

static void write_hold(const struct spec *spec, const struct report_defaults *d, const struct report_verdict *v, struct json *j)
{
	bool by_handover = wants_handover(spec, d);
	bool by_ini = by_handover ? spec->handover != SPEC_HANDOVER_UNSET : spec->hold_sockets != SPEC_CHOICE_UNSET;
	bool by_command_line = by_handover ? d->handover != SPEC_HANDOVER_UNSET : d->hold_sockets;
	json_open(j, "hold", '{');
	json_put_bool(j, "wanted", wants_hold(spec, d));
	json_put_string(j, "by", decides(by_ini, by_command_line, d));
	json_put_bool(j, "for_handover", by_handover);
	json_put_bool(j, "held", v->holds);
	json_put_string(j, "why_not", why_not_held(spec));
	write_sockets(spec->sockets, j);
	json_close(j, '}');
}

static void write_handover(const struct spec *spec, const struct report_defaults *d, const struct report_verdict *v, struct json *j)
{
	bool forced = wanted_handover(spec, d) == SPEC_HANDOVER_FORCE;
	json_open(j, "handover", '{');
	json_put_string(j, "wanted", report_handover_word(wanted_handover(spec, d)));
	json_put_string(j, "by", decides(spec->handover != SPEC_HANDOVER_UNSET, d->handover != SPEC_HANDOVER_UNSET, d));
	json_put_string(j, "reload", reloads[v->reload].word);
	json_put_string(j, "means", reloads[v->reload].phrase);
	json_put_string(j, "why_in_place", wants_handover(spec, d) ? v->why : NULL);
	json_put_string(j, "not_twice", spec->no_double);
	json_put_bool(j, "forced", forced && spec->no_double && v->reload == REPORT_HANDOVER);
	json_put_seconds(j, "drain", spec->drain_ms != UINT32_MAX ? spec->drain_ms : d->drain_ms);
	json_put_seconds(j, "retire_mercy", spec->retire_mercy_ms != UINT32_MAX ? spec->retire_mercy_ms : d->retire_mercy_ms);
	json_put_seconds(j, "hold_limit", d->hold_limit_ms);
	json_close(j, '}');
}

static void write_health(const struct spec *spec, const struct report_defaults *d, struct json *j)
{
	if (!spec->health) {
		json_put_null(j, "health");
		return;
	}
	json_open(j, "health", '{');
	json_put_string(j, "path", spec->health);
	json_put_string(j, "host", spec->health_host);
	json_put_string(j, "status", spec->health_status ? spec->health_status : "2xx");
	json_put_seconds(j, "timeout", spec->health_timeout_ms != UINT32_MAX ? spec->health_timeout_ms : d->health_timeout_ms);
	if (spec->health_interval_ms != UINT32_MAX && spec->health_interval_ms > 0)
		json_put_seconds(j, "interval", spec->health_interval_ms);
	else
		json_put_null(j, "interval");
	json_put_bool(j, "restart", spec->health_restart);
	json_close(j, '}');
}

static void write_warnings(const char *text, struct json *j)
{
	CLEANUP_FREE char *copy = strdup(text ? text : "");
	char *rest = copy;
	json_open(j, "warnings", '[');
	for (char *line; rest && (line = strsep(&rest, "\n")) != NULL;)
		if (*line)
			json_put_string(j, NULL, line);
	json_close(j, ']');
}

void report_write(const struct spec *spec, const struct report_defaults *d, struct json *j)
{
	struct report_verdict v;
	report_judge(spec, d, &v);
	json_open(j, "report", '{');
	write_ready(spec, d, &v, j);
	write_hold(spec, d, &v, j);
	write_handover(spec, d, &v, j);
	write_health(spec, d, j);
	json_put_bool(j, "reload_on_change", !spec->calm);
	json_put_string(j, "logger", spec->logger);
	json_put_string(j, "uid", spec->uid);
	json_put_string(j, "gid", spec->gid);
	json_put_string(j, "unsure", spec->unsure);
	write_warnings(spec->warnings, j);
	json_close(j, '}');
}

void report_write_defaults(const struct report_defaults *d, struct json *j)
{
	json_open(j, "defaults", '{');
	json_put_bool(j, "hold_sockets", d->hold_sockets);
	if (d->handover == SPEC_HANDOVER_UNSET)
		json_put_null(j, "handover");
	else
		json_put_string(j, "handover", report_handover_word(d->handover));
	json_put_unsigned(j, "ready_for_ms", d->ready_for_ms);
	json_put_unsigned(j, "start_timeout_ms", d->start_timeout_ms);
	json_put_unsigned(j, "health_timeout_ms", d->health_timeout_ms);
	json_put_unsigned(j, "drain_ms", d->drain_ms);
	json_put_unsigned(j, "retire_mercy_ms", d->retire_mercy_ms);
	json_put_unsigned(j, "hold_limit_ms", d->hold_limit_ms);
	json_close(j, '}');
}
