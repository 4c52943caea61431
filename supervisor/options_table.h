/* options_table: the rows. What an option is called, takes, stores, means and defaults to is said here and nowhere else.
 * Constant data and look-ups; it parses nothing. */
#ifndef REGENT_OPTIONS_TABLE_H
#define REGENT_OPTIONS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum options_kind {
	OPTION_NOTHING,		/* rows that store nothing */
	OPTION_FLAG,		/* bool; in an ini false, off, no and 0 turn it off */
	OPTION_TEXT,		/* char * */
	OPTION_LOG_FILE,	/* char *, a path: uWSGI's UDP addresses are refused */
	OPTION_LIST,		/* struct options_list, one item a use */
	OPTION_EXTENSION,	/* OPTION_LIST whose items get a dot in front */
	OPTION_USERS,		/* OPTION_LIST of existing users, several in one value */
	OPTION_ALLOW,		/* OPTION_LIST of "USER|@GROUP VERB[,VERB] [GLOB]" */
	OPTION_NUMBER,		/* uint32_t in [min, max] */
	OPTION_DURATION,	/* uint32_t in ms, given in seconds with at most three decimals; [min, max] in ms */
	OPTION_SYSLOG,		/* char *: "" without an argument */
	OPTION_HANDOVER,	/* int, enum spec_handover: yes, no or force; without an argument yes */
	OPTION_LOG_DATE,	/* bool; a strftime format turns it on and is not used */
	OPTION_INI,		/* reads another ini, at once */
	OPTION_SET,		/* key=value: as if key = value stood here */
	OPTION_PLACEHOLDER,	/* key=value, for %(key) only */
	OPTION_KINDS
};

enum options_argument { ARGUMENT_NONE, ARGUMENT_REQUIRED, ARGUMENT_OPTIONAL /* on the command line only after '=' */ };

enum options_status {
	OPTION_WORKS,
	OPTION_SILENT,		/* usual in an emperor's ini, and done or needless here: taken without a word */
	OPTION_MEANINGLESS,	/* speaks of workers and requests, which an emperor has not: a warning */
	OPTION_REFUSED,		/* would change what happens, and regent cannot do it (yet): never taken in silence */
};

enum options_section { OPTION_UWSGI, OPTION_REGENT, OPTION_COMMAND_LINE };

enum options_group { GROUP_GENERAL, GROUP_MONITORS, GROUP_VASSALS, GROUP_LIFE, GROUP_DEPLOYS, GROUP_RIGHTS, GROUP_LOGS, GROUP_CONTROL, OPTIONS_GROUPS };

struct options_row {
	const char *names;	/* blank between aliases, the first is the one that --help shows */
	char letter;		/* or 0 */
	enum options_kind kind;
	enum options_argument argument;
	enum options_status status;
	enum options_section section;
	enum options_group group;
	size_t offset;		/* in struct options */
	uint64_t min, max;
	const char *fallback;	/* the default as one would type it, or NULL */
	const char *word;	/* what --help calls the argument */
	const char *help;	/* what it does; of a refused one: why */
};

extern const struct options_row options_rows[];
extern const size_t options_n_rows;

/* The row that has name among its names (n bytes of it); NULL: none. */
const struct options_row *options_row_named(const char *name, size_t n);
const struct options_row *options_row_lettered(char letter);
/* The full name if name begins exactly one working option's first name, else NULL: "did you mean". *n is its length. */
const char *options_row_guess(const char *name, size_t *n);
size_t options_row_first(const struct options_row *row);	/* length of its first name */

#endif
