#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/commands_inside.h"

#define ANY WORDS_MAX
#define ASK (OPTION_ID | OPTION_ALL | OPTION_PARALLEL | OPTION_STOP_ON_FAILURE)

static const struct verb table[] = {
	{ "status", "[NAME] [--check]", "what each vassal is and does", 0, 1, RIGHTS_OWN, OPTION_CHECK, 0, verb_status },
	{ "list", "", "names and states", 0, 0, RIGHTS_OWN, 0, 0, verb_list },
	{ "reload", "NAME...|--all [--parallel N] [--stop-on-failure]", "execute the code anew; answers when the new code accepts requests", 0, ANY, RIGHTS_OWN,
	  ASK, VASSAL_RELOAD, verb_ask },
	{ "restart", "NAME...|--all [--parallel N] [--stop-on-failure]", "end it and start it afresh", 0, ANY, RIGHTS_GIVEN, ASK, VASSAL_RESTART, verb_ask },
	{ "start", "NAME...|--all [--parallel N] [--stop-on-failure]", "start what is stopped, cursed, exiled or blacklisted", 0, ANY, RIGHTS_GIVEN, ASK, VASSAL_START,
	  verb_ask },
	{ "stop", "NAME...|--all [--parallel N] [--stop-on-failure]", "end it, until start, a changed config or a restart of regent", 0, ANY, RIGHTS_GIVEN, ASK,
	  VASSAL_STOP, verb_ask },
	{ "rehearse", "NAME FILE", "start FILE, an absolute path, beside NAME on a private socket, judge it, and end it", 2, 2, RIGHTS_OWN, OPTION_ID,
	  0, verb_rehearse },
	{ "check", "NAME", "what its config means: when it is ready, what is held, what a reload does", 1, 1, RIGHTS_OWN, 0, 0, verb_check },
	{ "freeze", "NAME [--seconds N]", "let changes of its config be, until thaw or for N seconds (600)", 1, 1, RIGHTS_OWN,
	  OPTION_SECONDS, VASSAL_FREEZE, verb_calm },
	{ "thaw", "NAME", "heed its config again: what no reload has served meanwhile is acted on", 1, 1, RIGHTS_OWN, 0, VASSAL_THAW,
	  verb_calm },
	{ "wait", "NAME --for=ready|gone", "answer when it is", 1, 1, RIGHTS_OWN, OPTION_FOR, 0, verb_wait },
	{ "logs", "NAME [--lines N] [--follow]", "the last lines it printed", 1, 1, RIGHTS_OWN, OPTION_LINES | OPTION_FOLLOW, 0,
	  verb_logs },
	{ "events", "[NAME] [--follow]", "the last transitions, kept per vassal", 0, 1, RIGHTS_OWN, OPTION_FOLLOW, 0, verb_events },
	{ "rescan", "", "look at every monitor afresh", 0, 0, RIGHTS_ALL, 0, 0, verb_rescan },
	{ "forget-blacklist", "", "start all blacklisted vassals at once", 0, 0, RIGHTS_ALL, 0, 0, verb_forget_blacklist },
	{ "reopen", "", "open regent's own log files afresh", 0, 0, RIGHTS_ALL, 0, 0, verb_reopen },
	{ "version", "", "regent's version and processes", 0, 0, RIGHTS_FREE, 0, 0, verb_version },
	{ "help", "", "this list", 0, 0, RIGHTS_FREE, 0, 0, verb_help },
};
#define VERBS (sizeof table / sizeof *table)
static_assert(VERBS <= 8 * sizeof(unsigned), "verb_bit() needs a bit for each verb");

const struct verb *verb_at(unsigned i)
{
	return i < VERBS ? &table[i] : NULL;
}

const struct verb *verb_find(const char *name)
{
	for (unsigned i = 0; i < VERBS; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

unsigned verb_bit(const struct verb *verb)
{
	return 1U << (verb - table);
}

unsigned verb_bits_of_vassals(void)
{
	unsigned bits = 0;
	for (unsigned i = 0; i < VERBS; i++)
		if (table[i].rights == RIGHTS_OWN || table[i].rights == RIGHTS_GIVEN)
			bits |= 1U << i;
	return bits;
}

/* ---- options */

static const char *take_id(struct args *args, const char *value)
{
	return words_parse_id(value, args->id) < 0 ? "--id is 32 hex digits, not all 0" : NULL;
}

static const char *take_for(struct args *args, const char *value)
{
	args->for_gone = strcmp(value, "gone") == 0;
	return args->for_gone || strcmp(value, "ready") == 0 ? NULL : "--for is ready or gone";
}

static const char *take_lines(struct args *args, const char *value)
{
	uint64_t lines;
	if (util_parse_u64(value, 0, LINES_MAX, &lines) < 0)
		return "--lines is a number from 0 to 10000";
	args->lines = lines;
	return NULL;
}

static const char *take_seconds(struct args *args, const char *value)
{
	return util_parse_u64(value, 1, SECONDS_MAX, &args->seconds) < 0 ? "--seconds is a number from 1 to 86400" : NULL;
}

static const char *take_parallel(struct args *args, const char *value)
{
	return util_parse_u64(value, 1, PARALLEL_MAX, &args->parallel) < 0 ? "--parallel is a number from 1 to 10000" : NULL;
}

static const struct option {
	const char *name;
	enum verb_option bit;
	const char *(*take)(struct args *args, const char *value);	/* NULL: it has no value. What is wrong, or NULL */
} options[] = {
	{ "--id", OPTION_ID, take_id }, { "--all", OPTION_ALL, NULL }, { "--for", OPTION_FOR, take_for },
	{ "--lines", OPTION_LINES, take_lines }, { "--follow", OPTION_FOLLOW, NULL }, { "--check", OPTION_CHECK, NULL },
	{ "--seconds", OPTION_SECONDS, take_seconds }, { "--parallel", OPTION_PARALLEL, take_parallel },
	{ "--stop-on-failure", OPTION_STOP_ON_FAILURE, NULL },
};

static const struct option *option_find(const struct verb *verb, const char *word, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strlen(options[i].name) == length && memcmp(options[i].name, word, length) == 0)
			return (verb->options & options[i].bit) ? &options[i] : NULL;
	return NULL;
}

struct cursor { char **words; size_t n, i; };

/* The option at c->i, with its value behind = or in the next word. What is wrong, or NULL. */
static const char *take_option(const struct verb *verb, struct cursor *c, struct args *args)
{
	const char *word = c->words[c->i];
	size_t length = strcspn(word, "=");
	const char *value = word[length] ? word + length + 1 : NULL;
	const struct option *o = option_find(verb, word, length);
	if (!o)
		return "no such option here";
	args->given |= o->bit;
	if (!o->take)
		return value ? "takes no value" : NULL;
	if (!value && c->i + 1 < c->n)
		value = c->words[++c->i];
	return value ? o->take(args, value) : "needs a value";
}

static const char *check_counts(const struct verb *verb, const struct args *args)
{
	if ((args->given & OPTION_ALL) && args->n > 0)
		return "names or --all, not both";
	if ((verb->options & OPTION_ALL) && !(args->given & OPTION_ALL) && args->n == 0)
		return "a NAME or --all is missing";
	if (args->n < verb->min)
		return verb->min == 2 ? "a NAME or a FILE is missing" : "a NAME is missing";
	if (args->n > verb->max)
		return "too many arguments";
	if ((verb->options & OPTION_FOR) && !(args->given & OPTION_FOR))
		return "--for=ready or --for=gone is missing";
	for (size_t i = 0; i < args->n; i++)
		if (!*args->names[i])
			return "a NAME is empty";
	return NULL;
}

int verb_parse(const struct verb *verb, char **words, size_t n, struct args *args, char *why, size_t why_size)
{
	struct cursor c = { words, n, 0 };
	bool names_only = false;
	*args = (struct args){ .names = words, .lines = LINES_DEFAULT, .seconds = SECONDS_DEFAULT };
	for (; c.i < n; c.i++) {
		char *word = words[c.i];
		if (names_only || strncmp(word, "--", 2) != 0) {
			args->names[args->n++] = word;	/* never beyond c.i: what was there has been read */
			continue;
		}
		names_only = strcmp(word, "--") == 0;
		const char *wrong = names_only ? NULL : take_option(verb, &c, args);
		if (wrong) {
			snprintf(why, why_size, "%s: %.64s: %s", verb->name, word, wrong);
			return -EINVAL;
		}
	}
	const char *wrong = check_counts(verb, args);
	if (!wrong)
		return 0;
	snprintf(why, why_size, "%s: %s; it is: %s %s", verb->name, wrong, verb->name, verb->arguments);
	return -EINVAL;
}

/* ---- the verbs that need no file of their own */

void verb_help(struct session *s, const struct args *args)
{
	CLEANUP_JSON struct json j = { 0 };
	(void)args;
	session_open_result(&j, STATUS_DONE, "the verbs of the control socket");
	json_open(&j, "verbs", '[');
	for (unsigned i = 0; i < VERBS; i++) {
		json_open(&j, NULL, '{');
		json_put_string(&j, "verb", table[i].name);
		json_put_string(&j, "arguments", table[i].arguments);
		json_put_string(&j, "help", table[i].help);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	session_close_result(s, &j);
}

void verb_version(struct session *s, const struct args *args)
{
	const struct commands_config *config = &s->commands->config;
	struct report_defaults defaults;
	CLEANUP_JSON struct json j = { 0 };
	(void)args;
	session_open_result(&j, STATUS_DONE, "regent " REGENT_VERSION);
	json_put_string(&j, "version", REGENT_VERSION);
	json_put_int(&j, "keeper", config->keeper);
	json_put_int(&j, "ruler", config->ruler);
	json_put_unsigned(&j, "uid", config->run_as);
	options_defaults(config->options, &defaults);
	report_write_defaults(&defaults, &j);
	session_close_result(s, &j);
}

/* Answered at once: neither waits for anything. */
void verb_calm(struct session *s, const struct args *args)
{
	struct court_vassal *cv = name_need(s, args->names[0]);
	char name[256];
	if (!cv)
		return;
	snprintf(name, sizeof name, "%s", cv->name);
	if (s->verb->event == VASSAL_FREEZE) {
		court_calm(s->commands->config.court, cv, args->seconds * NSEC_PER_SEC, s->peer.uid);
		session_end(s, STATUS_DONE, "%s is frozen: it thaws in %llu s at the latest", name, (unsigned long long)args->seconds);
	} else {
		bool was = vassal_is_frozen(&cv->v);
		court_calm(s->commands->config.court, cv, 0, s->peer.uid);
		session_end(s, STATUS_DONE, was ? "%s heeds its config again" : "%s was not frozen", name);
	}
}

void verb_rescan(struct session *s, const struct args *args)
{
	struct commands_host *host = &s->commands->config.host;
	(void)args;
	host->rescan(host->data);
	session_end(s, STATUS_DONE, "every monitor is looked at afresh");
}

void verb_forget_blacklist(struct session *s, const struct args *args)
{
	(void)args;
	court_forget_blacklist(s->commands->config.court);
	session_end(s, STATUS_DONE, "nobody is blacklisted any more");
}

void verb_reopen(struct session *s, const struct args *args)
{
	struct commands_host *host = &s->commands->config.host;
	(void)args;
	int r = host->reopen(host->data);
	if (r < 0)
		session_end(s, STATUS_FAILED, "the log files could not be reopened: %s", strerror(-r));
	else
		session_end(s, STATUS_DONE, "the log files are reopened");
}
