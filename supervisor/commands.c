#include "supervisor/commands.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "supervisor/commands_inside.h"
#include "vassals/failure.h"

static const char *const status_words[] = {
	[STATUS_DONE] = "done", [STATUS_FAILED] = "failed", [STATUS_USAGE] = "usage", [STATUS_DOWN] = "failed",
	[STATUS_NOT_ALLOWED] = "not-allowed", [STATUS_UNKNOWN] = "unknown", [STATUS_TIMEOUT] = "timeout",
};
static_assert(ARRAY_SIZE(status_words) == STATUSES, "a status without a word");

const char *status_word(enum status status)
{
	return status_words[status];
}

enum status status_worse(enum status a, enum status b)
{
	static const uint8_t badness[STATUSES] = {
		[STATUS_DOWN] = 6, [STATUS_FAILED] = 5, [STATUS_TIMEOUT] = 4, [STATUS_NOT_ALLOWED] = 3, [STATUS_UNKNOWN] = 2,
		[STATUS_USAGE] = 1, [STATUS_DONE] = 0,
	};
	return badness[a] >= badness[b] ? a : b;
}

/* ---- the life of a session: whoever works on one stands on it (enter, leave), so that a client that is lost while it is being
 * written to takes nothing away from under our feet. */

static void part_clear(struct part *part)
{
	free(part->name);
	free(part->last_lines);
	free(part->logger);
}

static void session_free(struct session *s)
{
	for (size_t i = 0; i < s->n_parts; i++)
		part_clear(&s->parts[i]);
	free(s->parts);
	free(s->groups);
	free(s->held);
	free(s->name);
	free(s);
}

static void enter(struct session *s)
{
	s->busy++;
}

static void leave(struct session *s)
{
	if (--s->busy > 0 || s->client)
		return;
	DL_DELETE(s->commands->sessions, s);
	session_free(s);
}

static void session_stop(struct session *s)
{
	if (s->kind == SESSION_FOLLOWS_LINES)
		s->commands->line_followers--;
	s->kind = SESSION_ENDED;
}

static int copy_peer(struct session *s, const struct control_peer *peer)
{
	s->peer = *peer;
	s->groups = calloc(peer->n_groups + 1, sizeof *s->groups);
	if (!s->groups)
		return -ENOMEM;
	if (peer->n_groups > 0)
		memcpy(s->groups, peer->groups, peer->n_groups * sizeof *s->groups);
	s->peer.groups = s->groups;
	return 0;
}

static struct session *session_new(struct commands *c, struct control_client *client)
{
	struct session *s = calloc(1, sizeof *s);
	if (!s || copy_peer(s, control_peer(client)) < 0) {
		free(s);
		return NULL;
	}
	s->commands = c;
	s->client = client;
	s->token = control_token(client);
	DL_APPEND(c->sessions, s);
	return s;
}

static struct session *session_of(const struct commands *c, uint64_t token)
{
	struct session *s;
	DL_FOREACH(c->sessions, s)
		if (s->token == token)
			return s;
	return NULL;
}

/* ---- saying */

void session_say(struct session *s, struct json *j)
{
	const char *text = json_text(j);
	if (s->client && text)
		control_reply(s->client, text);
	json_clear(j);
}

void session_say_if_it_reads(struct session *s, struct json *j)
{
	if (s->client && control_unsent(s->client) > CONTROL_UNSENT_MAX / 2)
		json_clear(j);
	else
		session_say(s, j);
}

__attribute__((format(printf, 3, 0)))
static void open_result(struct json *j, enum status status, const char *fmt, va_list ap)
{
	CLEANUP_FREE char *text = NULL;
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	json_open(j, NULL, '{');
	json_put_string(j, "result", status_word(status));
	json_put_int(j, "status", status);
	json_put_string(j, "text", text ? text : "out of memory");
}

void session_open_result(struct json *j, enum status status, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	open_result(j, status, fmt, ap);
	va_end(ap);
}

void session_close_result(struct session *s, struct json *j)
{
	json_close(j, '}');
	session_stop(s);
	if (!json_text(j) && s->client)
		control_reply(s->client, "{\"result\":\"timeout\",\"status\":6,\"text\":\"regent had no memory for the answer\"}");
	session_say(s, j);
	if (s->client)
		control_end(s->client);
}

void session_end(struct session *s, enum status status, const char *fmt, ...)
{
	CLEANUP_JSON struct json j = { 0 };
	va_list ap;
	va_start(ap, fmt);
	open_result(&j, status, fmt, ap);
	va_end(ap);
	session_close_result(s, &j);
}

void session_follow(struct session *s, enum session_kind kind, struct court_vassal *cv)
{
	if (!s->client)
		return;
	s->kind = kind;
	s->cv = cv;
	if (kind == SESSION_FOLLOWS_LINES)
		s->commands->line_followers++;
}

void say_progress(struct session *s, struct court_vassal *cv, const char *from, const char *cause)
{
	CLEANUP_JSON struct json j = { 0 };
	json_open(&j, NULL, '{');
	json_put_string(&j, "vassal", cv->name);
	json_put_string(&j, "from", from);
	json_put_string(&j, "to", vassal_state_name(cv->v.state));
	json_put_string(&j, "cause", cause);
	json_close(&j, '}');
	session_say_if_it_reads(s, &j);
}

/* ---- a request */

static void run_verb(struct session *s, char **words, size_t n)
{
	struct args args;
	char why[256];
	s->verb = verb_find(words[0]);
	if (!s->verb)
		session_end(s, STATUS_USAGE, "no such verb: %.64s; help lists them", words[0]);
	else if (verb_parse(s->verb, words + 1, n - 1, &args, why, sizeof why) < 0)
		session_end(s, STATUS_USAGE, "%s", why);
	else if (s->verb->rights == RIGHTS_ALL && !rights_may_court(s, s->verb))
		session_end(s, STATUS_NOT_ALLOWED, "not allowed: %s", s->verb->name);
	else
		s->verb->run(s, &args);
}

static bool is_free(const char *word)
{
	const struct verb *verb = verb_find(word);
	return verb && verb->rights == RIGHTS_FREE;
}

static void run_line(struct session *s, char *line)
{
	char *words[WORDS_MAX];
	const char *why = NULL;
	int n = words_split(line, words, WORDS_MAX, &why);
	if (!(n > 0 && is_free(words[0])) && !rights_any(s))
		session_end(s, STATUS_NOT_ALLOWED, "you (uid %u) have no rights on any vassal here", s->peer.uid);
	else if (n < 0)
		session_end(s, STATUS_USAGE, "%s", why);
	else if (n == 0)
		session_end(s, STATUS_USAGE, "an empty request; help lists the verbs");
	else
		run_verb(s, words, (size_t)n);
}

static void hold(struct session *s, const char *line)
{
	s->held = strdup(line);
	if (!s->held)
		session_end(s, STATUS_TIMEOUT, "out of memory");
	else
		s->kind = SESSION_HELD;
}

static void on_request(void *data, struct control_client *client, char *line)
{
	struct commands *c = data;
	struct session *s = session_new(c, client);
	if (!s) {
		if (control_reply(client, "{\"result\":\"timeout\",\"status\":6,\"text\":\"out of memory\"}"))
			control_end(client);
		return;
	}
	enter(s);
	if (c->ready)
		run_line(s, line);
	else
		hold(s, line);
	leave(s);
}

static void on_closed(void *data, struct control_client *client)
{
	struct commands *c = data;
	struct session *s = session_of(c, control_token(client));
	if (!s)
		return;		/* it never said anything */
	enter(s);
	if (s->kind == SESSION_ASKS)
		court_forsake(c->config.court, s->token);
	session_stop(s);
	s->client = NULL;
	leave(s);
}

/* ---- the court's news */

void commands_ready(struct commands *c)
{
	struct session *s, *next;
	c->ready = true;
	DL_FOREACH_SAFE(c->sessions, s, next) {
		if (s->kind != SESSION_HELD)
			continue;
		enter(s);
		s->kind = SESSION_ENDED;
		run_line(s, s->held);
		leave(s);
	}
}

void commands_answer(struct commands *c, uint64_t waiter, struct court_vassal *cv, const struct court_answer *answer)
{
	struct session *s = session_of(c, waiter);
	if (!s || s->kind != SESSION_ASKS)
		return;
	enter(s);
	ask_answer(s, cv, answer);
	leave(s);
}

void commands_checked(struct commands *c, uint64_t waiter, const struct spec *spec, int error, unsigned line)
{
	struct session *s = session_of(c, waiter);
	if (!s || s->kind != SESSION_CHECKS)
		return;
	enter(s);
	check_done(s, s->cv, spec, error, line);
	leave(s);
}

void commands_transition(struct commands *c, struct court_vassal *cv, enum vassal_state from, enum vassal_event event, int64_t arg)
{
	char cause[160];
	struct session *s, *next;
	if (!c->sessions)
		return;
	event_cause(cause, sizeof cause, event, arg);
	DL_FOREACH_SAFE(c->sessions, s, next) {
		enter(s);
		if (s->kind == SESSION_ASKS)
			ask_transition(s, cv, vassal_state_name(from), cause);
		else if (s->kind == SESSION_WAITS)
			wait_transition(s, cv, vassal_state_name(from), cause);
		else if (s->kind == SESSION_FOLLOWS_EVENTS)
			events_transition(s, cv);
		leave(s);
	}
}

void commands_line(struct commands *c, struct court_vassal *cv, const char *line)
{
	struct session *s, *next;
	if (c->line_followers == 0)
		return;
	DL_FOREACH_SAFE(c->sessions, s, next) {
		if (s->kind != SESSION_FOLLOWS_LINES || s->cv != cv)
			continue;
		enter(s);
		say_line(s, cv, line);
		leave(s);
	}
}

void commands_gone(struct commands *c, struct court_vassal *cv)
{
	struct session *s, *next;
	DL_FOREACH_SAFE(c->sessions, s, next) {
		enter(s);
		if (s->kind == SESSION_ASKS)
			ask_gone(s, cv);
		else if (s->kind == SESSION_WAITS)
			wait_gone(s, cv);
		else if (s->kind == SESSION_CHECKS && s->cv == cv)
			session_end(s, STATUS_UNKNOWN, "%s is gone", cv->name);
		else if (s->cv == cv && (s->kind == SESSION_FOLLOWS_LINES || s->kind == SESSION_FOLLOWS_EVENTS))
			session_end(s, STATUS_DONE, "%s is gone", cv->name);
		leave(s);
	}
}

/* ---- */

const char *commands_complaints(const struct commands *c)
{
	return c->complaints;
}

int commands_new(const struct commands_config *config, struct commands **ret)
{
	struct commands *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->config = *config;
	int r = rights_new(c);
	if (r == 0)
		r = control_new(&(struct control_config){ config->loop, config->listen_fd, config->owner, on_request, on_closed, c }, &c->control);
	if (r < 0) {
		commands_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct commands *commands_free(struct commands *c)
{
	if (!c)
		return NULL;
	control_free(c->control);
	struct session *s, *next;
	DL_FOREACH_SAFE(c->sessions, s, next) {
		DL_DELETE(c->sessions, s);
		session_free(s);
	}
	rights_free(c);
	free(c);
	return NULL;
}
