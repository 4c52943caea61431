/* commands_check: what a vassal's config means for its deploys. The ruler reads it afresh; the report is report.c's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/commands_inside.h"
#include "supervisor/doubling.h"
#include "supervisor/report.h"
#include "vassals/spec.h"

/* A second one of it beside the first: an estimate of this moment, as the court asks before each handover. */
static void write_room(const struct vassal *v, struct json *j)
{
	uint64_t need = v->pid > 0 ? doubling_need("/proc", v->pid) : 0, room = doubling_room("/proc");
	json_put_unsigned(j, "double_kib", need);
	if (room == UINT64_MAX)
		json_put_null(j, "room_kib");
	else
		json_put_unsigned(j, "room_kib", room);
	json_put_bool(j, "fits", need <= room);
}

/* What it is now, which may be older than what its config says. */
static void write_now(const struct vassal *v, struct json *j)
{
	json_open(j, "now", '{');
	json_put_string(j, "state", vassal_state_name(v->state));
	json_put_bool(j, "held", v->held);
	json_put_bool(j, "stale", v->stale);
	write_room(v, j);
	json_close(j, '}');
}

static void end_check(struct session *s, struct court_vassal *cv, const struct spec *spec)
{
	char text[1024];
	struct report_defaults defaults;
	struct report_verdict verdict;
	CLEANUP_JSON struct json j = { 0 };
	options_defaults(s->commands->config.options, &defaults);
	report_judge(spec, &defaults, &verdict);
	report_text(cv->name, &verdict, text, sizeof text);
	session_open_result(&j, verdict.broken_word ? STATUS_FAILED : STATUS_DONE, "%s", text);
	json_put_string(&j, "name", cv->name);
	report_write(spec, &defaults, &j);
	write_now(&cv->v, &j);
	session_close_result(s, &j);
}

void check_done(struct session *s, struct court_vassal *cv, const struct spec *spec, int error, unsigned line)
{
	if (spec)
		end_check(s, cv, spec);
	else if (error == -EBADMSG)
		session_end(s, STATUS_USAGE, "%s: line %u is not a setting", cv->name, line);
	else
		session_end(s, STATUS_USAGE, "%s: cannot be read: %s", cv->name, strerror(-error));
}

void verb_check(struct session *s, const struct args *args)
{
	struct commands_host *host = &s->commands->config.host;
	struct court_vassal *cv = name_need(s, args->names[0]);
	if (!cv)
		return;
	session_follow(s, SESSION_CHECKS, cv);
	int r = host->check ? host->check(host->data, cv, s->token) : -ENOSYS;
	if (r < 0)
		check_done(s, cv, NULL, r, 0);
}
