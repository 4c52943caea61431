/* regentctl_report: the answer to check, for people. */
#include <string.h>

#include "supervisor/regentctl.h"

#define TITLE_WIDTH 12

static void put_title(const char *title)
{
	printf("  %-*s", TITLE_WIDTH, title);
}

static void put(const char *text)
{
	ctl_put(stdout, text, false);
}

static void put_seconds(const char *before, const json_t *object, const char *key)
{
	printf("%s%.10g s", before, json_number_value(json_object_get(object, key)));
}

static bool has(const json_t *object, const char *key)
{
	return *ctl_string(object, key) != '\0';
}

static void put_ready(const json_t *ready, const json_t *health)
{
	static const struct { const char *rule, *text; } rules[] = {
		{ "accepting", "byte 5 has come: a worker accepts" }, { "spawned", "byte 1 has come: its workers are spawned, none of them says that it accepts" },
		{ "loyal", "byte 17 has come: it is an emperor itself" }, { "unsure", "byte 5 or 17 has come, or byte 1 where neither does: its ini does not tell which" },
	};
	put_title("ready when");
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (strcmp(ctl_string(ready, "rule"), rules[i].rule) == 0)
			fputs(rules[i].text, stdout);
	put_seconds(", it was up for ", ready, "ready_for");
	if (!json_is_true(json_object_get(ready, "asks"))) {
		fputs("; no request is made", stdout);
	} else if (!json_is_object(health)) {
		fputs(", and one request was answered", stdout);
	} else {
		fputs(", and ", stdout);
		put(ctl_string(health, "path"));
		fputs(" was answered with ", stdout);
		put(ctl_string(health, "status"));
		put_seconds(" within ", health, "timeout");
	}
	put_seconds("; all that within ", ready, "start_timeout");
	putchar('\n');
}

static void put_health(const json_t *health)
{
	put_title("health");
	if (!json_is_object(health)) {
		puts("no path is given: [regent] health = /path would ask the new code for a page");
		return;
	}
	put(ctl_string(health, "path"));
	if (has(health, "host")) {
		fputs(" of host ", stdout);
		put(ctl_string(health, "host"));
	}
	if (json_is_number(json_object_get(health, "interval"))) {
		put_seconds(", again every ", health, "interval");
		fputs(json_is_true(json_object_get(health, "restart")) ? ", restarted when it hangs" : ", reported when it hangs", stdout);
	}
	putchar('\n');
}

static void put_hold(const json_t *hold)
{
	json_t *address;
	const json_t *addresses = json_object_get(hold, "addresses");
	put_title("sockets");
	for (size_t i = 0; (address = json_array_get(addresses, i)) != NULL; i++) {
		fputs(i ? ", " : "", stdout);
		put(json_string_value(address));
	}
	if (has(hold, "options")) {
		fputs(json_array_size(addresses) ? " (" : "(", stdout);
		put(ctl_string(hold, "options"));
		putchar(')');
	}
	puts(json_array_size(addresses) ? "" : "none that could be held");
	put_title("held");
	if (json_is_true(json_object_get(hold, "held")))
		fputs("yes", stdout);
	else
		fputs(json_is_true(json_object_get(hold, "wanted")) ? "no, though wanted" : "no", stdout);
	if (has(hold, "why_not")) {
		fputs(json_is_true(json_object_get(hold, "wanted")) ? ": " : "; it could not be: ", stdout);
		put(ctl_string(hold, "why_not"));
	}
	fputs(json_is_true(json_object_get(hold, "for_handover")) ? " (for the handover; says " : " (says ", stdout);
	put(ctl_string(hold, "by"));
	puts(")");
}

static void put_handover(const json_t *handover)
{
	put_title("handover");
	put(ctl_string(handover, "wanted"));
	fputs(", says ", stdout);
	put(ctl_string(handover, "by"));
	fputs("; a reload is ", stdout);
	put(ctl_string(handover, "means"));
	if (has(handover, "why_in_place")) {
		fputs(": ", stdout);
		put(ctl_string(handover, "why_in_place"));
	} else if (has(handover, "not_twice")) {
		fputs(json_is_true(json_object_get(handover, "forced")) ? ", forced, though there should not be two of it: " :
		      "; there should not be two of it: ", stdout);
		put(ctl_string(handover, "not_twice"));
	}
	putchar('\n');
	if (strcmp(ctl_string(handover, "reload"), "handover") != 0)
		return;
	put_title("");
	put_seconds("the old code goes after ", handover, "drain");
	put_seconds(" without a new client, and has ", handover, "retire_mercy");
	puts(" for the requests it still serves");
}

static void put_if(const char *title, const json_t *object, const char *key)
{
	if (!has(object, key))
		return;
	put_title(title);
	put(ctl_string(object, key));
	putchar('\n');
}

static double mib(const json_t *now, const char *key)
{
	return (double)json_integer_value(json_object_get(now, key)) / 1024;
}

static void put_now(const json_t *now, bool hands_over)
{
	if (!json_is_object(now))
		return;
	put_title("now");
	put(ctl_string(now, "state"));
	fputs(json_is_true(json_object_get(now, "held")) ? ", held" : ", not held", stdout);
	puts(json_is_true(json_object_get(now, "stale")) ? ", stale: serves older code" : "");
	if (!hands_over || !json_is_integer(json_object_get(now, "room_kib")) || !json_integer_value(json_object_get(now, "double_kib")))
		return;
	put_title("memory");
	printf("a second one takes about %.0f MiB, %.0f are left%s\n", mib(now, "double_kib"), mib(now, "room_kib"),
	       json_is_false(json_object_get(now, "fits")) ? ": a reload would be in place, unless handover = force" : "");
}

void ctl_print_report(const json_t *result)
{
	json_t *line;
	const json_t *report = json_object_get(result, "report");
	if (!json_is_object(report))
		return;
	put(ctl_string(result, "name"));
	putchar('\n');
	put_ready(json_object_get(report, "ready"), json_object_get(report, "health"));
	put_health(json_object_get(report, "health"));
	put_hold(json_object_get(report, "hold"));
	put_handover(json_object_get(report, "handover"));
	if (json_is_false(json_object_get(report, "reload_on_change"))) {
		put_title("changes");
		puts("of its config do not touch what runs; only a request does");
	}
	put_if("prints to", report, "logger");
	put_if("unsure", report, "unsure");
	for (size_t i = 0; (line = json_array_get(json_object_get(report, "warnings"), i)) != NULL; i++) {
		put_title("warning");
		put(json_is_string(line) ? json_string_value(line) : "?");
		putchar('\n');
	}
	put_now(json_object_get(result, "now"), strcmp(ctl_string(json_object_get(report, "handover"), "reload"), "handover") == 0);
}
