/* regentctl_failures: why a deploy failed, as whoever pushed wants to read it: stage, reason, what serves now, and the last lines. */
#include <stdlib.h>
#include <string.h>

#include "supervisor/regentctl.h"

static void put_indented(const char *lines)
{
	for (const char *line = lines; *line;) {
		size_t n = strcspn(line, "\n");
		char *one = strndup(line, n);
		fputs("    ", stderr);
		ctl_put(stderr, one ? one : "", false);
		fputc('\n', stderr);
		free(one);
		line += n + (line[n] == '\n');
	}
}

static void put_part(const struct ctl_request *r, const json_t *part)
{
	const char *logger = ctl_string(part, "logger");
	bool serves = json_integer_value(json_object_get(part, "status")) == CTL_FAILED;
	ctl_put(stderr, ctl_string(part, "name"), false);
	fprintf(stderr, ": %s failed at stage ", r->verb);
	ctl_put(stderr, ctl_string(part, "stage"), false);
	fputs(": ", stderr);
	ctl_put(stderr, ctl_string(part, "reason"), false);
	fputs(strcmp(r->verb, "rehearse") == 0 ? "; nothing was changed\n" : serves ? "; the old code serves on\n" : "; it is down\n", stderr);
	put_indented(ctl_string(part, "last_lines"));
	if (!*logger)
		return;
	fputs("    (its words are in ", stderr);
	ctl_put(stderr, logger, false);
	fputs(")\n", stderr);
}

void ctl_print_failures(const struct ctl_request *r, const json_t *vassals)
{
	json_t *part;
	for (size_t i = 0; (part = json_array_get(vassals, i)) != NULL; i++) {
		int status = (int)json_integer_value(json_object_get(part, "status"));
		const char *stage = ctl_string(part, "stage");
		bool was_asked = strcmp(stage, "none") != 0 && strcmp(stage, "no-rehearsal") != 0;
		if (was_asked && (status == CTL_FAILED || status == CTL_DOWN))
			put_part(r, part);
	}
}
