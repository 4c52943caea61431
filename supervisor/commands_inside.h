/* commands_inside: what commands*.c share and nobody else sees. A session is one client with its one request, from the line to
 * the result; its verb's function either ends it or leaves it waiting for what the court will say. */
#ifndef REGENT_COMMANDS_INSIDE_H
#define REGENT_COMMANDS_INSIDE_H

#include <stdarg.h>

#include "supervisor/commands.h"
#include "supervisor/json.h"
#include "supervisor/report.h"

/* The numbers are regentctl's exit statuses. 7, cannot reach regent, is the client's own. */
enum status {
	STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_DOWN = 3, STATUS_NOT_ALLOWED = 4, STATUS_UNKNOWN = 5,
	STATUS_TIMEOUT = 6, STATUSES
};
const char *status_word(enum status status);		/* what "result" says */
enum status status_worse(enum status a, enum status b);	/* of several names: 3 1 6 4 5 0 */

/* ---- words (commands_words.c) */
#define WORDS_MAX (CONTROL_LINE_MAX / 2)
/* Cuts line where it stands. The number of words; -EINVAL with *why set. */
int words_split(char *line, char **words, size_t max, const char **why);
int words_parse_id(const char *text, uint8_t id[COURT_ID_SIZE]);	/* 32 hex digits, not all 0. 0 or -EINVAL */
void words_write_id(const uint8_t id[COURT_ID_SIZE], char text[2 * COURT_ID_SIZE + 1]);
int words_random_id(uint8_t id[COURT_ID_SIZE]);

/* ---- the table (commands_table.c) */
enum verb_rights {
	RIGHTS_FREE,	/* anybody */
	RIGHTS_OWN,	/* of a vassal: whom it runs as, and who was given it */
	RIGHTS_GIVEN,	/* of a vassal: who was given it */
	RIGHTS_ALL,	/* of the court: who was given it for all vassals */
};
enum verb_option {
	OPTION_ID = 1, OPTION_ALL = 2, OPTION_FOR = 4, OPTION_LINES = 8, OPTION_FOLLOW = 16, OPTION_CHECK = 32, OPTION_SECONDS = 64,
	OPTION_PARALLEL = 128, OPTION_STOP_ON_FAILURE = 256,
};
#define LINES_DEFAULT 100
#define LINES_MAX 10000
#define SECONDS_DEFAULT 600	/* of a freeze: a hook that died must not freeze a site for ever */
#define SECONDS_MAX 86400
#define PARALLEL_MAX 10000

struct session;
struct verb;
struct args {
	char **names;
	size_t n;
	unsigned given;		/* enum verb_option */
	uint8_t id[COURT_ID_SIZE];
	size_t lines;
	uint64_t seconds;
	uint64_t parallel;	/* 0: all at once */
	bool for_gone;		/* else for=ready */
};
struct verb {
	const char *name, *arguments, *help;
	size_t min, max;	/* names */
	enum verb_rights rights;
	unsigned options;
	enum vassal_event event;	/* what the court is asked, of verbs that ask it */
	void (*run)(struct session *s, const struct args *args);
};
const struct verb *verb_find(const char *name);
const struct verb *verb_at(unsigned i);		/* NULL beyond */
unsigned verb_bit(const struct verb *verb);	/* one of 1, 2, 4, ... */
unsigned verb_bits_of_vassals(void);		/* those that can be given for some vassals only */
/* words after the verb. 0; or -EINVAL with why filled. args->names points into words. */
int verb_parse(const struct verb *verb, char **words, size_t n, struct args *args, char *why, size_t why_size);

/* ---- sessions (commands.c) */
enum session_kind {
	SESSION_ENDED, SESSION_HELD, SESSION_ASKS, SESSION_WAITS, SESSION_CHECKS, SESSION_FOLLOWS_LINES, SESSION_FOLLOWS_EVENTS,
};
/* One vassal that a request is for. */
struct part {
	struct court_vassal *cv;	/* NULL: settled */
	char *name;
	bool asked, told;		/* the court has it; the client knows that */
	bool stale;			/* it serves older code now */
	enum status status;
	struct vassal_failure failure;
	uint64_t took;			/* ns */
	uint32_t cycle;
	char *last_lines, *logger;
	const char *instead;		/* why it was not even asked; NULL: it was */
};
struct session {
	struct session *prev, *next;
	struct commands *commands;
	struct control_client *client;	/* NULL: it left */
	uint64_t token;
	struct control_peer peer;
	gid_t *groups;			/* peer's */
	unsigned busy;			/* somebody stands on it */
	enum session_kind kind;
	const struct verb *verb;
	uint8_t id[COURT_ID_SIZE];
	char *held;			/* the line, until commands_ready() */
	struct part *parts;		/* SESSION_ASKS */
	size_t n_parts, n_open;
	size_t parallel, n_asked, n_running;	/* at most so many at once; 0: no limit */
	size_t n_failed;		/* of those that are settled */
	bool stop_on_failure, failed, rolling;
	char *name;			/* SESSION_WAITS: what for */
	bool for_gone;
	struct court_vassal *cv;	/* of SESSION_WAITS, _CHECKS and _FOLLOWS_*; NULL: not there yet; of any */
};
struct commands {
	struct commands_config config;
	struct control *control;
	struct session *sessions;
	struct allow *allow;
	size_t n_allow;
	char *complaints;
	bool ready;
	size_t line_followers;
};

/* One object to the client, if it is still there. Clears j. */
void session_say(struct session *s, struct json *j);
void session_say_if_it_reads(struct session *s, struct json *j);	/* what it can do without: not to one that is far behind */
/* The last object: opened here, the caller may add to it, session_close_result() sends it and ends the session. */
void session_open_result(struct json *j, enum status status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void session_close_result(struct session *s, struct json *j);
void session_end(struct session *s, enum status status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void session_follow(struct session *s, enum session_kind kind, struct court_vassal *cv);

/* ---- rights (commands_rights.c) */
int rights_new(struct commands *c);
void rights_free(struct commands *c);
bool rights_everything(const struct session *s);
bool rights_any(const struct session *s);				/* has any at all */
bool rights_sees(const struct session *s, struct court_vassal *cv);	/* has any on this one: may know that it is there */
bool rights_may(const struct session *s, const struct verb *verb, struct court_vassal *cv);
bool rights_may_court(const struct session *s, const struct verb *verb);	/* RIGHTS_ALL verbs; or a verb on whatever comes */
bool rights_may_some(const struct session *s, const struct verb *verb);	/* on some vassal, there already or to come */
bool rights_may_name(const struct session *s, const struct verb *verb, const char *name);	/* of a vassal not there yet */

/* ---- names (commands_names.c) */
bool name_matches(const char *asked, const char *name);	/* equal, or without its extension */
/* STATUS_DONE and *ret (one that the peer may see); STATUS_UNKNOWN, STATUS_NOT_ALLOWED (sees it, but not this verb),
 * STATUS_USAGE: ambiguous. */
enum status name_find(const struct session *s, const char *asked, struct court_vassal **ret);
/* As name_find(), but ends the session on failure: NULL then. */
struct court_vassal *name_need(struct session *s, const char *asked);
void name_end_ambiguous(struct session *s, const char *asked);

/* ---- the verbs */
void verb_status(struct session *s, const struct args *args);		/* commands_status.c */
void verb_list(struct session *s, const struct args *args);
void verb_version(struct session *s, const struct args *args);		/* commands_table.c */
void verb_help(struct session *s, const struct args *args);
void verb_calm(struct session *s, const struct args *args);
void verb_rescan(struct session *s, const struct args *args);
void verb_forget_blacklist(struct session *s, const struct args *args);
void verb_reopen(struct session *s, const struct args *args);
void verb_ask(struct session *s, const struct args *args);		/* commands_ask.c: reload restart start stop */
void verb_rehearse(struct session *s, const struct args *args);
void verb_check(struct session *s, const struct args *args);		/* commands_check.c */
void verb_wait(struct session *s, const struct args *args);		/* commands_wait.c */
void verb_logs(struct session *s, const struct args *args);		/* commands_watch.c */
void verb_events(struct session *s, const struct args *args);

/* ---- what came of a request (commands_parts.c) */
/* To who asked for several: how many are settled; part: the one that was just now, NULL: none yet. */
void parts_say_score(struct session *s, const struct part *part);
void parts_end_if_settled(struct session *s);

/* ---- the court's news to one session */
void ask_answer(struct session *s, struct court_vassal *cv, const struct court_answer *answer);
void ask_transition(struct session *s, struct court_vassal *cv, const char *from, const char *cause);
void ask_gone(struct session *s, struct court_vassal *cv);
void check_done(struct session *s, struct court_vassal *cv, const struct spec *spec, int error, unsigned line);
void wait_transition(struct session *s, struct court_vassal *cv, const char *from, const char *cause);
void wait_gone(struct session *s, struct court_vassal *cv);
void events_transition(struct session *s, struct court_vassal *cv);
void say_line(struct session *s, struct court_vassal *cv, const char *line);
void say_progress(struct session *s, struct court_vassal *cv, const char *from, const char *cause);
/* "exited: exited 22: ...", "byte 5", "reload": what made a transition. */
void event_cause(char *buf, size_t size, enum vassal_event event, int64_t arg);

#endif
