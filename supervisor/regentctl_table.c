/* regentctl_table: rows of words, aligned, for people. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "supervisor/regentctl.h"

#define COLUMNS_MAX 12
#define REMARK_PARTS 4

/* Code points, near enough to columns. */
static size_t width(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xC0) != 0x80;
	return n;
}

static const char *cell(const json_t *row, size_t column)
{
	const char *text = json_string_value(json_array_get(row, column));
	return text ? text : "";
}

static void measure(const json_t *rows, size_t widths[COLUMNS_MAX])
{
	json_t *row;
	for (size_t i = 0; (row = json_array_get(rows, i)) != NULL; i++) {
		for (size_t c = 0; c < json_array_size(row) && c < COLUMNS_MAX; c++) {
			size_t w = width(cell(row, c));
			widths[c] = w > widths[c] ? w : widths[c];
		}
	}
}

static void put_row(FILE *out, const json_t *row, const size_t widths[COLUMNS_MAX])
{
	size_t last = json_array_size(row), pad = 0;
	while (last > 0 && !*cell(row, last - 1))
		last--;		/* no blanks at the end of a line */
	for (size_t c = 0; c < last && c < COLUMNS_MAX; c++) {
		fprintf(out, "%*s", (int)pad, "");
		ctl_put(out, cell(row, c), false);
		pad = widths[c] - width(cell(row, c)) + 2;
	}
	putc('\n', out);
}

void ctl_table(FILE *out, const json_t *rows)
{
	size_t widths[COLUMNS_MAX] = { 0 };
	json_t *row;
	measure(rows, widths);
	for (size_t i = 0; (row = json_array_get(rows, i)) != NULL; i++)
		put_row(out, row, widths);
}

/* ---- cells */

static json_t *number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	if (!json_is_integer(value) || json_integer_value(value) == 0)
		return json_string("-");
	return json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

/* Local time with its offset; ms: with thousandths. */
static json_t *moment(double seconds, bool ms)
{
	char date[32], offset[8];
	time_t when = (time_t)seconds;
	struct tm tm;
	if (!localtime_r(&when, &tm) || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) == 0 ||
	    strftime(offset, sizeof offset, "%z", &tm) != 5)
		return json_string("-");
	if (ms)
		return json_sprintf("%s.%03d%.3s:%s", date, (int)((seconds - (double)when) * 1000 + 0.5) % 1000, offset, offset + 3);
	return json_sprintf("%s%.3s:%s", date, offset, offset + 3);
}

/* What there is of it besides the code that serves. */
static json_t *beside(const json_t *vassal)
{
	const json_t *other = json_object_get(vassal, "beside");
	const char *phase = ctl_string(other, "phase");
	if (!json_is_object(other))
		return json_string("");
	return json_sprintf("%s (pid %d)", strcmp(phase, "tried") == 0 ? "newer code is tried beside it" :
			    strcmp(phase, "killed") == 0 ? "another one is being killed" : "the old code finishes its requests",
			    (int)json_integer_value(json_object_get(other, "pid")));
}

/* What it waits for. */
static json_t *waits(const json_t *vassal)
{
	const char *what = ctl_string(vassal, "waiting_for");
	double left = (double)json_integer_value(json_object_get(vassal, "backoff_left_ms")) / 1000;
	if (left > 0)
		return json_sprintf("again in %.1f s", left);
	return *what ? json_sprintf("waits for: %s", what) : json_string("");
}

/* The parts that there are, in the order of their weight: that it is stale, why, what goes on beside it, what it waits for. */
static json_t *remark(const json_t *vassal)
{
	bool stale = json_is_true(json_object_get(vassal, "stale"));
	json_t *parts[REMARK_PARTS] = { json_string(stale ? "stale: serves older code" : ""), json_string(ctl_string(vassal, "reason")),
			    beside(vassal), waits(vassal) };
	json_t *text = json_string("");
	for (size_t i = 0; i < REMARK_PARTS; i++) {
		const char *so_far = json_string_value(text), *part = json_string_value(parts[i]);
		if (so_far && part && *part) {
			json_t *longer = json_sprintf("%s%s%s", so_far, *so_far ? "; " : "", part);
			json_decref(text);
			text = longer;
		}
		json_decref(parts[i]);
	}
	return text;
}

/* ---- rows */

json_t *ctl_rows_of_status(const json_t *vassals)
{
	json_t *v, *rows = json_pack("[[s,s,s,s,s,s,s]]", "NAME", "STATE", "PID", "SINCE", "RESTARTS", "RELOADS", "REMARK");
	for (size_t i = 0; (v = json_array_get(vassals, i)) != NULL; i++) {
		double since = (double)json_integer_value(json_object_get(v, "since"));
		json_array_append_new(rows, json_pack("[s,s,o,o,o,o,o]", ctl_string(v, "name"), ctl_string(v, "state"), number(v, "pid"),
						      moment(since, false), number(v, "restarts"), number(v, "reloads"), remark(v)));
	}
	return rows;
}

json_t *ctl_rows_of_list(const json_t *vassals)
{
	json_t *v, *rows = json_array();
	for (size_t i = 0; (v = json_array_get(vassals, i)) != NULL; i++)
		json_array_append_new(rows, json_pack("[s,s]", ctl_string(v, "name"), ctl_string(v, "state")));
	return rows;
}

static json_t *asker(const json_t *event)
{
	const json_t *uid = json_object_get(event, "uid");
	return json_is_integer(uid) ? json_sprintf("by uid %" JSON_INTEGER_FORMAT, json_integer_value(uid)) : json_string("");
}

static json_t *reached(const json_t *event)
{
	return json_sprintf("%s%s", ctl_string(event, "to"), json_is_true(json_object_get(event, "stale")) ? ", stale" : "");
}

json_t *ctl_rows_of_events(const json_t *events)
{
	json_t *e, *rows = json_pack("[[s,s,s,s,s,s]]", "TIME", "NAME", "FROM", "TO", "CAUSE", "");
	for (size_t i = 0; (e = json_array_get(events, i)) != NULL; i++)
		json_array_append_new(rows, json_pack("[o,s,s,o,s,o]", moment(json_number_value(json_object_get(e, "time")), true),
						      ctl_string(e, "event"), ctl_string(e, "from"), reached(e),
						      ctl_string(e, "cause"), asker(e)));
	return rows;
}

static const char *result_word(const json_t *part)
{
	if (json_is_true(json_object_get(part, "stale")))
		return "stale";
	return json_integer_value(json_object_get(part, "status")) == 3 ? "down" : ctl_string(part, "verdict");
}

json_t *ctl_rows_of_results(const json_t *vassals)
{
	json_t *v, *rows = json_pack("[[s,s,s,s,s]]", "NAME", "RESULT", "MS", "STAGE", "REASON");
	for (size_t i = 0; (v = json_array_get(vassals, i)) != NULL; i++) {
		const char *stage = ctl_string(v, "stage");
		json_array_append_new(rows, json_pack("[s,s,o,s,s]", ctl_string(v, "name"), result_word(v), number(v, "took_ms"),
						      strcmp(stage, "none") == 0 ? "-" : stage, ctl_string(v, "reason")));
	}
	return rows;
}

json_t *ctl_rows_of_help(const json_t *verbs)
{
	json_t *v, *rows = json_array();
	for (size_t i = 0; (v = json_array_get(verbs, i)) != NULL; i++)
		json_array_append_new(rows, json_pack("[s,s,s]", ctl_string(v, "verb"), ctl_string(v, "arguments"), ctl_string(v, "help")));
	return rows;
}
