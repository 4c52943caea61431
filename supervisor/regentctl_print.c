/* regentctl_print: what comes is shown: progress on stderr, output and verdict on stdout; with --json the lines as they came. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/regentctl.h"

void ctl_put(FILE *out, const char *text, bool newlines)
{
	for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
		bool c1 = s[0] == 0xC2 && s[1] >= 0x80 && s[1] <= 0x9F;	/* U+0080 to U+009F: control characters too */
		bool control = (*s < 0x20 && *s != '\t' && !(newlines && *s == '\n')) || *s == 0x7F || c1;
		putc(control ? '?' : *s, out);
		s += c1;
	}
}

const char *ctl_string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static void put_line(FILE *out, const char *text)
{
	ctl_put(out, text, false);
	putc('\n', out);
}

/* ---- before the result */

static void print_score(const json_t *object)
{
	fprintf(stderr, "\r\033[K%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " done, %" JSON_INTEGER_FORMAT " failed",
		json_integer_value(json_object_get(object, "done")), json_integer_value(json_object_get(object, "total")),
		json_integer_value(json_object_get(object, "failed")));
}

static void print_progress(const struct ctl_printer *printer, const json_t *object)
{
	bool is_score = json_object_get(object, "total") != NULL;
	if (is_score && printer->rewrites)
		print_score(object);
	if (is_score || printer->rewrites)
		return;
	if (json_object_get(object, "accepted")) {
		ctl_put(stderr, ctl_string(object, "accepted"), false);
		fputs(": accepted\n", stderr);
		return;
	}
	ctl_put(stderr, ctl_string(object, "vassal"), false);
	fputs(": ", stderr);
	ctl_put(stderr, ctl_string(object, "from"), false);
	fputs(" -> ", stderr);
	ctl_put(stderr, ctl_string(object, "to"), false);
	fputs(" (", stderr);
	ctl_put(stderr, ctl_string(object, "cause"), false);
	fputs(")\n", stderr);
}

static void print_event(json_t *object)
{
	json_t *one = json_pack("[O]", object), *rows = one ? ctl_rows_of_events(one) : NULL;
	json_array_remove(rows, 0);	/* the head stands only once, above all */
	ctl_table(stdout, rows);
	json_decref(rows);
	json_decref(one);
}

static void print_now(const struct ctl_printer *printer, const char *raw, json_t *object)
{
	if (printer->request->json)
		puts(raw);
	else if (json_object_get(object, "line"))
		put_line(stdout, ctl_string(object, "line"));
	else if (json_object_get(object, "event"))
		print_event(object);
	else
		print_progress(printer, object);
	fflush(stdout);
}

void ctl_print_object(void *data, const char *raw, json_t *object)
{
	struct ctl_printer *printer = data;
	if (!printer->request->lists)
		print_now(printer, raw, object);
	else if (printer->request->json)
		json_array_append_new(printer->kept, json_string(raw));
	else
		json_array_append(printer->kept, object);
}

void ctl_print_restart(void *data)
{
	struct ctl_printer *printer = data;
	json_array_clear(printer->kept);	/* it comes again, whole */
	if (!printer->request->json)
		fprintf(stderr, "%sregentctl: the connection was lost; asking again\n", printer->rewrites ? "\r\033[K" : "");
}

bool ctl_print_closed(void *data)
{
	const struct ctl_printer *printer = data;
	return printer->request->follows && ferror(stdout);
}

/* ---- the result */

static void print_kept(const struct ctl_printer *printer)
{
	json_t *item;
	if (!printer->request->json && strcmp(printer->request->verb, "events") == 0) {
		json_t *rows = ctl_rows_of_events(printer->kept);
		ctl_table(stdout, rows);
		json_decref(rows);
		return;
	}
	for (size_t i = 0; (item = json_array_get(printer->kept, i)) != NULL; i++) {
		if (json_is_string(item))
			puts(json_string_value(item));
		else
			put_line(stdout, ctl_string(item, "line"));
	}
}

static void print_table(json_t *rows)
{
	ctl_table(stdout, rows);
	json_decref(rows);
}

/* Of several: a table for people; else a line each. */
static void print_each_verdict(const json_t *vassals)
{
	json_t *part;
	if (json_array_size(vassals) < 2)
		return;
	if (isatty(STDOUT_FILENO)) {
		print_table(ctl_rows_of_results(vassals));
		return;
	}
	for (size_t i = 0; (part = json_array_get(vassals, i)) != NULL; i++)
		put_line(stdout, ctl_string(part, "text"));
}

static void print_candidates(const json_t *candidates)
{
	json_t *name;
	for (size_t i = 0; (name = json_array_get(candidates, i)) != NULL; i++)
		put_line(stdout, json_is_string(name) ? json_string_value(name) : "?");
}

static void print_body(const struct ctl_request *r, const json_t *result)
{
	const json_t *vassals = json_object_get(result, "vassals");
	print_candidates(json_object_get(result, "candidates"));
	if (strcmp(r->verb, "help") == 0)
		print_table(ctl_rows_of_help(json_object_get(result, "verbs")));
	if (strcmp(r->verb, "check") == 0)
		ctl_print_report(result);
	if (!json_is_array(vassals))
		return;
	if (strcmp(r->verb, "status") == 0) {
		print_table(ctl_rows_of_status(vassals));
	} else if (strcmp(r->verb, "list") == 0) {
		print_table(ctl_rows_of_list(vassals));
	} else if (r->asks) {
		ctl_print_failures(r, vassals);
		fflush(stderr);
		print_each_verdict(vassals);
	}
}

/* A terminal, or a hook whose stdout and stderr are one: what is said once is enough there. */
static bool same_place(void)
{
	struct stat out, err;
	return fstat(1, &out) == 0 && fstat(2, &err) == 0 && out.st_dev == err.st_dev && out.st_ino == err.st_ino;
}

static void print_own_result(const struct ctl_outcome *o, const char *text)
{
	const char *word = o->status == CTL_TIMEOUT ? "timeout" : o->status == CTL_NOT_ALLOWED ? "not-allowed" :
			   o->status == CTL_DONE ? "done" : "unreachable";
	json_t *object = json_pack("{s:s, s:i, s:s}", "result", word, "status", o->status, "text", text);
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

void ctl_print_outcome(struct ctl_printer *printer, const struct ctl_outcome *o)
{
	const struct ctl_request *r = printer->request;
	const char *text = o->result ? ctl_string(o->result, "text") : o->text ? o->text : "out of memory";
	if (printer->rewrites)
		fputs("\r\033[K", stderr);
	if (o->result)
		print_kept(printer);
	if (r->json && o->raw) {
		puts(o->raw);
	} else if (r->json) {
		print_own_result(o, text);
	} else {
		if (o->result)
			print_body(r, o->result);
		put_line(stdout, text);
	}
	fflush(stdout);
	if (o->status == CTL_DONE || same_place())
		return;
	fputs("regentctl: ", stderr);
	put_line(stderr, text);
}
