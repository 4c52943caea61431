#include <string.h>

#include "supervisor/commands_inside.h"

bool name_matches(const char *asked, const char *name)
{
	size_t n = strlen(asked);
	return strncmp(asked, name, n) == 0 && (name[n] == '\0' || (name[n] == '.' && !strchr(name + n + 1, '.')));
}

/* Foreign names are as if they were not there, also when it comes to ambiguity. */
static struct court_vassal *next_match(const struct session *s, const char *asked, struct court_vassal *cv)
{
	while (cv && !(name_matches(asked, cv->name) && rights_sees(s, cv)))
		cv = court_next(cv);
	return cv;
}

enum status name_find(const struct session *s, const char *asked, struct court_vassal **ret)
{
	const struct court *court = s->commands->config.court;
	struct court_vassal *cv = court_find(court, asked);
	if (!cv || !rights_sees(s, cv)) {
		cv = next_match(s, asked, court_first(court));
		if (!cv)
			return STATUS_UNKNOWN;
		if (next_match(s, asked, court_next(cv)))
			return STATUS_USAGE;
	}
	if (!rights_may(s, s->verb, cv))
		return STATUS_NOT_ALLOWED;
	*ret = cv;
	return STATUS_DONE;
}

void name_end_ambiguous(struct session *s, const char *asked)
{
	CLEANUP_JSON struct json j = { 0 };
	const struct court *court = s->commands->config.court;
	session_open_result(&j, STATUS_USAGE, "%s is ambiguous: give it with its extension", asked);
	json_put_string(&j, "name", asked);
	json_open(&j, "candidates", '[');
	for (struct court_vassal *cv = next_match(s, asked, court_first(court)); cv; cv = next_match(s, asked, court_next(cv)))
		json_put_string(&j, NULL, cv->name);
	json_close(&j, ']');
	session_close_result(s, &j);
}

struct court_vassal *name_need(struct session *s, const char *asked)
{
	struct court_vassal *cv = NULL;
	enum status status = name_find(s, asked, &cv);
	if (status == STATUS_USAGE)
		name_end_ambiguous(s, asked);
	else if (status == STATUS_NOT_ALLOWED)
		session_end(s, status, "not allowed: %s %s", s->verb->name, asked);
	else if (status == STATUS_UNKNOWN)
		session_end(s, status, "no such vassal: %s", asked);
	return cv;
}
