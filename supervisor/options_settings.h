/* options_settings: what was said, in order, and where: the words of the command line and of the inis, not yet understood.
 * Reads the inis that are named; stores nothing into struct options. Also the one voice for complaints about a setting. */
#ifndef REGENT_OPTIONS_SETTINGS_H
#define REGENT_OPTIONS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "supervisor/options_table.h"

struct options_setting {
	const struct options_row *row;	/* NULL: an unknown key */
	char *key, *value;		/* value NULL: none was given (command line) */
	const char *file;		/* NULL: the command line */
	unsigned line;
	bool ours;			/* section regent */
	bool placeholder;		/* for %(key) only */
	bool used;			/* some %(key) asked for it */
	bool incomplete;		/* value still holds a reference that led nowhere */
};

/* Inis within inis: deeper is a loop. All files together: more is a mistake. */
#define OPTIONS_INI_DEPTH 8
#define OPTIONS_INI_FILES 64

struct options_settings {
	FILE *err;
	struct options_setting *items;
	size_t n, room;
	char *files[OPTIONS_INI_FILES];	/* names, as settings point to them */
	dev_t dev[OPTIONS_INI_FILES];
	ino_t ino[OPTIONS_INI_FILES];
	size_t n_files;
	unsigned depth;
};

/* Each: 0, or OPTIONS_USAGE after one line on err. */
int options_settings_argv(struct options_settings *s, int argc, char **argv);
int options_settings_ini(struct options_settings *s, const char *place);	/* FILE, FILE:section */
/* Takes key and value (copies), says what must be said at once: reads an ini, splits key=value. */
int options_settings_add(struct options_settings *s, const struct options_setting *setting);
void options_settings_clear(struct options_settings *s);

/* One line on err, control bytes made harmless: "regent: --uid: TEXT", "regent: FILE:LINE: uid: TEXT", without a setting
 * "regent: TEXT". Returns OPTIONS_USAGE, so that a complaint can be returned. */
int options_say(FILE *err, const struct options_setting *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What stands for %d, %n and their like in file is put into text, as uWSGI does for a whole ini. NULL: out of memory. */
char *options_magic(const char *file, const char *text);
/* $(ENV), $(ENV:-else) and %(key) in the value of setting; *value is replaced, marks are set. 0 or -ENOMEM. */
int options_references(struct options_settings *s, struct options_setting *setting);

#endif
