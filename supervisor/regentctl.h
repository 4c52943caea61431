/* regentctl: the client. It asks one request, survives a new ruler on the way, and says in the end how it went. The protocol
 * (regent-protocol(7)) is all that it shares with the daemon, but for check FILE, which reads and judges as the daemon does. */
#ifndef REGENT_REGENTCTL_H
#define REGENT_REGENTCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit statuses, as regent gives them (regentctl(1)); the last is the client's own. */
enum { CTL_DONE = 0, CTL_FAILED = 1, CTL_USAGE = 2, CTL_DOWN = 3, CTL_NOT_ALLOWED = 4, CTL_UNKNOWN = 5, CTL_TIMEOUT = 6, CTL_UNREACHABLE = 7 };

#define CTL_LINE_MAX 4095	/* what regent takes, without the newline */
#define CTL_TIMEOUT_DEFAULT_MS (300 * 1000)

struct ctl_request {
	const char *socket;
	bool json;
	bool asks;		/* it takes an id: reload, restart, start, stop, rehearse */
	bool many;		/* and is for several vassals */
	bool follows;		/* has no end of its own */
	bool lists;		/* logs and events: their output counts once it is complete */
	int64_t timeout_ms;	/* 0: none */
	const char *verb;
	const char *file;	/* check: the word that may be one */
	char *path;		/* rehearse: what is rehearsed, absolute */
	char *what;		/* verb and arguments, for people */
	char *line;		/* what is sent, without its newline */
};

/* ---- the words (regentctl_words.c) */
/* 0; else an exit status, after one line on stderr or the help on stdout. *done: nothing is to be asked. line and what are the caller's. */
int ctl_parse(int argc, char **argv, struct ctl_request *ret, bool *done);

/* ---- the connection (regentctl_link.c) */
struct ctl_outcome {
	int status;
	char *text;		/* what the client itself has to say; NULL: result has it */
	char *raw;		/* the line of result */
	json_t *result;
};
struct ctl_sink {
	void *data;
	void (*object)(void *data, const char *raw, json_t *object);	/* each before the result */
	void (*restart)(void *data);		/* the connection was lost, all is asked again */
	bool (*closed)(void *data);		/* nobody reads what we print */
};
struct ctl_outcome ctl_exchange(const struct ctl_request *request, const struct ctl_sink *sink);

/* ---- verbs that name a file (regentctl_files.c) */
/* FILE [--as NAME] becomes NAME FILE, absolute. words has room for one more. What is wrong, or NULL. */
const char *ctl_rehearse_words(struct ctl_request *r, char **words, size_t *n);
struct ctl_outcome ctl_check_file(const struct ctl_request *r, const char *file);

/* ---- the output (regentctl_print.c, regentctl_table.c) */
struct ctl_printer {
	const struct ctl_request *request;
	json_t *kept;		/* array of raw lines or objects */
	bool rewrites;		/* many, on a terminal: how far it is, in one line */
};
void ctl_print_object(void *data, const char *raw, json_t *object);
void ctl_print_restart(void *data);
bool ctl_print_closed(void *data);
void ctl_print_outcome(struct ctl_printer *printer, const struct ctl_outcome *outcome);

/* What came of a request that failed, vassal by vassal, with the last lines of each: to stderr. (regentctl_failures.c) */
void ctl_print_failures(const struct ctl_request *r, const json_t *vassals);
void ctl_print_report(const json_t *result);	/* of check (regentctl_report.c) */
/* Text that cannot play with the terminal: control characters become ?. newlines: those are kept. */
void ctl_put(FILE *out, const char *text, bool newlines);
/* "" where it is missing or no string. */
const char *ctl_string(const json_t *object, const char *key);
/* rows: array of arrays of strings, the first is the head. */
void ctl_table(FILE *out, const json_t *rows);
json_t *ctl_rows_of_status(const json_t *vassals);
json_t *ctl_rows_of_list(const json_t *vassals);
json_t *ctl_rows_of_events(const json_t *events);
json_t *ctl_rows_of_results(const json_t *vassals);
json_t *ctl_rows_of_help(const json_t *verbs);

#endif
