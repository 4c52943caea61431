/* commands_ask: reload, restart, start, stop, rehearse: what the court is asked for one or many vassals, and when; commands_parts.c has the words. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/commands_inside.h"

#define LAST_LINES 100	/* with a failure: a traceback and what led to it */

/* ---- the court's news */

static struct part *open_part(const struct session *s, const struct court_vassal *cv)
{
	for (size_t i = 0; i < s->n_parts; i++)
		if (s->parts[i].cv == cv)
			return &s->parts[i];
	return NULL;
}

static void roll(struct session *s);

static void settle(struct session *s, struct part *part)
{
	part->cv = NULL;
	s->n_open--;
	s->n_running -= part->asked;
	s->failed = s->failed || part->status != STATUS_DONE;
	s->n_failed += part->status != STATUS_DONE;
	parts_say_score(s, part);
	roll(s);
	parts_end_if_settled(s);
}

static void say_accepted(struct session *s, struct part *part, const uint8_t id[COURT_ID_SIZE])
{
	char text[2 * COURT_ID_SIZE + 1];
	CLEANUP_JSON struct json j = { 0 };
	if (part->told)
		return;
	part->told = true;
	words_write_id(id, text);
	json_open(&j, NULL, '{');
	json_put_string(&j, "accepted", part->name);
	json_put_string(&j, "id", text);
	json_close(&j, '}');
	session_say_if_it_reads(s, &j);
}

static void keep_words(struct session *s, struct part *part, struct court_vassal *cv)
{
	struct commands_host *host = &s->commands->config.host;
	if (cv->spec && cv->spec->logger)
		part->logger = strdup(cv->spec->logger);
	part->last_lines = host->tail(host->data, cv, LAST_LINES, true);
}

void ask_answer(struct session *s, struct court_vassal *cv, const struct court_answer *answer)
{
	struct part *part = open_part(s, cv);
	if (!part)
		return;
	say_accepted(s, part, s->id);
	part->status = (enum status)answer->verdict;
	part->failure = answer->failure;
	part->took = answer->took;
	part->cycle = cv->v.cycle;
	part->stale = part->status == STATUS_FAILED && s->verb->run == verb_ask && cv->v.stale;
	if (part->status != STATUS_DONE)
		keep_words(s, part, cv);
	settle(s, part);
}

void ask_transition(struct session *s, struct court_vassal *cv, const char *from, const char *cause)
{
	struct part *part = open_part(s, cv);
	if (!part || !part->asked)
		return;
	say_accepted(s, part, s->id);
	say_progress(s, cv, from, cause);
}

/* The court answers before it lets go; this is for an answer that never came, whatever the reason. */
void ask_gone(struct session *s, struct court_vassal *cv)
{
	struct part *part = open_part(s, cv);
	if (!part)
		return;
	part->status = s->verb->event == VASSAL_STOP ? STATUS_DONE : STATUS_DOWN;
	part->failure = (struct vassal_failure){ .why = part->status == STATUS_DONE ? VASSAL_WHY_NONE : VASSAL_WHY_REMOVED };
	settle(s, part);
}

/* ---- asking */

static struct part *part_add(struct session *s, const char *name)
{
	struct part *grown = s->parts;
	if ((s->n_parts & (s->n_parts - 1)) == 0)	/* 0, 1, 2, 4, ... are the sizes at which it is full */
		grown = realloc(s->parts, (s->n_parts ? 2 * s->n_parts : 1) * sizeof *grown);
	char *copy = strdup(name);
	if (grown)
		s->parts = grown;
	if (!grown || !copy) {
		free(copy);
		return NULL;
	}
	struct part *part = &grown[s->n_parts++];
	*part = (struct part){ .name = copy };
	return part;
}

static int add_vassal(struct session *s, struct court_vassal *cv)
{
	struct part *part = open_part(s, cv) ? NULL : part_add(s, cv->name);
	if (!part)
		return open_part(s, cv) ? 0 : -ENOMEM;	/* named twice: asked once */
	part->cv = cv;
	s->n_open++;
	return 0;
}

static int add_refused(struct session *s, const char *name, enum status status)
{
	struct part *part = part_add(s, name);
	if (!part)
		return -ENOMEM;
	part->status = status;
	part->instead = status == STATUS_UNKNOWN ? "no such vassal" : "not allowed";
	s->n_failed++;
	return 0;
}

static int add_names(struct session *s, const struct args *args)
{
	int r = 0;
	for (size_t i = 0; i < args->n && r == 0; i++) {
		struct court_vassal *cv = NULL;
		enum status status = name_find(s, args->names[i], &cv);
		if (status == STATUS_USAGE) {
			name_end_ambiguous(s, args->names[i]);	/* nothing is done at all */
			return 0;
		}
		r = status == STATUS_DONE ? add_vassal(s, cv) : add_refused(s, args->names[i], status);
	}
	return r;
}

/* --all: of those the peer may; what was stopped or is going stays so, unless it is to be started. */
static int add_all(struct session *s)
{
	int r = 0;
	for (struct court_vassal *cv = court_first(s->commands->config.court); cv && r == 0; cv = court_next(cv)) {
		bool meant = cv->v.wanted == VASSAL_WANTED_RUN || (cv->v.wanted == VASSAL_WANTED_STOP && s->verb->event == VASSAL_START);
		if (meant && rights_may(s, s->verb, cv))
			r = add_vassal(s, cv);
	}
	if (!rights_may_some(s, s->verb))
		session_end(s, STATUS_NOT_ALLOWED, "not allowed: %s --all", s->verb->name);
	return r;
}

static void ask(struct session *s, size_t i)
{
	struct court *court = s->commands->config.court;
	struct part *part = &s->parts[i];
	if (!part->cv)
		return;
	part->asked = true;
	s->n_running++;
	int r = court_request(court, part->cv, s->verb->event, s->id, s->peer.uid, s->token);
	if (r == 0) {
		say_accepted(s, part, s->id);
		return;
	}
	part->status = STATUS_TIMEOUT;
	part->instead = r == -EBUSY ? "not accepted: too many requests for it are under way" : "not accepted: out of memory";
	settle(s, part);
}

/* --stop-on-failure: who was not asked yet is not asked any more, and goes on with the code it has. */
static void leave_the_rest(struct session *s)
{
	for (; s->n_asked < s->n_parts; s->n_asked++) {
		struct part *part = &s->parts[s->n_asked];
		if (!part->cv)
			continue;
		part->cv = NULL;
		part->status = STATUS_FAILED;
		part->instead = "not asked: another one had failed";
		s->n_open--;
		s->n_failed++;
	}
}

/* Asks as many as may be under way at once; an answer that comes while it asks only makes room. What shall not wait for others is
 * asked even if the client leaves in the middle: it asked for all of it. */
static void roll(struct session *s)
{
	if (s->rolling)
		return;
	s->rolling = true;
	while (s->n_asked < s->n_parts && (s->parallel == 0 || (s->kind == SESSION_ASKS && s->n_running < s->parallel))) {
		if (s->stop_on_failure && s->failed)
			leave_the_rest(s);
		else
			ask(s, s->n_asked++);
	}
	s->rolling = false;
}

static int choose_id(struct session *s, const struct args *args)
{
	if (!(args->given & OPTION_ID))
		return words_random_id(s->id);
	memcpy(s->id, args->id, sizeof s->id);
	return 0;
}

void verb_ask(struct session *s, const struct args *args)
{
	s->kind = SESSION_ASKS;
	int r = choose_id(s, args);
	if (r == 0)
		r = (args->given & OPTION_ALL) ? add_all(s) : add_names(s, args);
	if (r < 0) {
		session_end(s, STATUS_TIMEOUT, "nothing was done: %s", strerror(-r));
		return;
	}
	if (s->kind != SESSION_ASKS)
		return;		/* refused as a whole */
	s->parallel = args->parallel;
	s->stop_on_failure = (args->given & OPTION_STOP_ON_FAILURE) != 0;
	parts_say_score(s, NULL);
	roll(s);
	parts_end_if_settled(s);
}

/* ---- rehearsing: one vassal, and a path of which only the keeper's child opens anything, with the vassal's ids */

#define PATH_LENGTH_MAX 1024	/* it travels beside the sockets to be held */

static const char *path_wrong(const char *path)
{
	size_t n = strlen(path);
	if (path[0] != '/')
		return "FILE must be an absolute path";
	if (n > PATH_LENGTH_MAX)
		return "FILE is too long";
	if (n < 5 || strcmp(path + n - 4, ".ini") != 0)
		return "FILE must end in .ini";
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			return "FILE has a control character in it";
	return NULL;
}

static const char *not_rehearsed(int error)
{
	switch (-error) {
	case EBUSY: return "nothing was rehearsed: another rehearsal of it is under way, or too many requests are";
	case ENOSYS: return "nothing was rehearsed: not available";
	case ENOMEM: return "nothing was rehearsed: out of memory";
	default: return "nothing was rehearsed: the keeper refused it";
	}
}

static void rehearse(struct session *s, struct court_vassal *cv, const char *path)
{
	struct commands_host *host = &s->commands->config.host;
	struct part *part = &s->parts[0];
	part->asked = true;
	s->n_asked = s->n_running = 1;
	s->rolling = true;	/* there is nothing to roll */
	int r = host->rehearse ? host->rehearse(host->data, cv, path, s->id, s->peer.uid, s->token) : -ENOSYS;
	if (r == 0) {
		if (s->kind == SESSION_ASKS)
			say_accepted(s, &s->parts[0], s->id);
		return;
	}
	part->status = STATUS_DOWN;
	part->instead = not_rehearsed(r);
	settle(s, part);
}

void verb_rehearse(struct session *s, const struct args *args)
{
	const char *wrong = path_wrong(args->names[1]);
	struct court_vassal *cv = name_need(s, args->names[0]);
	if (!cv)
		return;
	if (wrong) {
		session_end(s, STATUS_USAGE, "rehearse: %s", wrong);
		return;
	}
	s->kind = SESSION_ASKS;
	int r = choose_id(s, args);
	if (r == 0)
		r = add_vassal(s, cv);
	if (r < 0)
		session_end(s, STATUS_TIMEOUT, "nothing was done: %s", strerror(-r));
	else
		rehearse(s, cv, args->names[1]);
}
