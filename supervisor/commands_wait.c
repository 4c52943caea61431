/* commands_wait: until a vassal is ready, or gone. Looks first, then follows the transitions. */
#include <stdlib.h>
#include <string.h>

#include "supervisor/commands_inside.h"

/* Gone: no such vassal, or an operator stopped it and nothing of it is left. */
static bool is_over(const struct session *s, const struct court_vassal *cv)
{
	if (s->for_gone)
		return cv->v.state == VASSAL_GONE || cv->v.state == VASSAL_STOPPED;
	return cv->v.state == VASSAL_READY;
}

static void end_wait(struct session *s, const char *name, const char *state)
{
	CLEANUP_JSON struct json j = { 0 };
	session_open_result(&j, STATUS_DONE, "%s is %s", name, s->for_gone ? "gone" : "ready");
	json_open(&j, "vassals", '[');
	json_open(&j, NULL, '{');
	json_put_string(&j, "name", name);
	json_put_string(&j, "state", state);
	json_close(&j, '}');
	json_close(&j, ']');
	session_close_result(s, &j);
}

static void wait_for(struct session *s, const char *name, struct court_vassal *cv, bool for_gone)
{
	s->for_gone = for_gone;
	if (cv && is_over(s, cv)) {
		end_wait(s, cv->name, vassal_state_name(cv->v.state));
		return;
	}
	s->name = strdup(name);
	if (s->name)
		session_follow(s, SESSION_WAITS, cv);
	else
		session_end(s, STATUS_TIMEOUT, "out of memory");
}

void verb_wait(struct session *s, const struct args *args)
{
	const char *name = args->names[0];
	struct court_vassal *cv = NULL;
	enum status status = name_find(s, name, &cv);
	if (status == STATUS_DONE) {
		wait_for(s, cv->name, cv, args->for_gone);
	} else if (status != STATUS_UNKNOWN || !rights_may_name(s, s->verb, name)) {
		name_need(s, name);	/* who may not know which names there are must not learn it here */
	} else if (args->for_gone) {
		s->for_gone = true;
		end_wait(s, name, vassal_state_name(VASSAL_GONE));
	} else {
		wait_for(s, name, NULL, false);
	}
}

void wait_transition(struct session *s, struct court_vassal *cv, const char *from, const char *cause)
{
	if (!s->cv && name_matches(s->name, cv->name) && rights_may(s, s->verb, cv))
		s->cv = cv;
	if (s->cv != cv)
		return;
	say_progress(s, cv, from, cause);
	if (s->kind == SESSION_WAITS && is_over(s, cv))
		end_wait(s, cv->name, vassal_state_name(cv->v.state));
}

void wait_gone(struct session *s, struct court_vassal *cv)
{
	if (s->cv != cv)
		return;
	s->cv = NULL;		/* for=ready: it may come again */
	if (s->for_gone)
		end_wait(s, cv->name, vassal_state_name(VASSAL_GONE));
}
