/* spec_build: what is known of a vassal while its ini is read, shared by the files that read it: spec.c (the whole),
 * spec_gather.c (all settings in order), spec_uwsgi.c (what they mean), spec_hold.c and spec_own.c (the section [regent]). Nobody else's. */
#ifndef REGENT_VASSAL_SPEC_BUILD_H
#define REGENT_VASSAL_SPEC_BUILD_H

#include "vassals/spec.h"
#include "vassals/spec_hold.h"
#include "vassals/spec_value.h"

struct spec_build {
	struct spec *spec;
	const char *name;		/* of the vassal; borrowed */
	struct spec_values values;
	char *kept[SPEC_FILES_MAX];	/* the names of what was pulled in */
	unsigned n_kept;
	const char *file;		/* where the setting at hand stands; NULL: the vassal's own file */
	unsigned line;			/* 0: in no file */
	bool incomplete;		/* settings may come that we do not see */
	bool in_block, in_section;
	bool cheap, cheap_unsure;
	bool no_workers, workers_unsure;
	bool emperor, busy, socket, http, http_backend, abstract, protocol_unsure;
	char *logto, *protocol;
	/* The first socket a probe could use, of either sort, and which sort came first. */
	char *plain, *fixed;
	enum spec_protocol fixed_protocol;
	bool plain_first;
	struct spec_hold hold;
	unsigned warnings;
};

/* All return 0 or a negative errno. */
/* All settings, in uWSGI's order, into b->values. follow: with what is pulled in. text has a NUL behind it. */
int spec_gather(struct spec_build *b, const struct spec_sources *sources, bool follow, const char *text, size_t size, unsigned *error_line);
int spec_take_uwsgi(struct spec_build *b, const struct spec_line *setting);
int spec_take_own(struct spec_build *b, const char *name, const char *value);

/* A copy that lives as long as b, or NULL; for at most SPEC_FILES_MAX of them. */
char *spec_keep(struct spec_build *b, const char *text);
/* Where the setting at hand stands, for a person: "line 7", "/etc/base.ini:7". Returns buf. */
#define SPEC_WHERE_SIZE 320
const char *spec_where(const struct spec_build *b, char buf[SPEC_WHERE_SIZE]);
/* As uWSGI has it: anything but false, off, no and 0 is true, nothing too. */
bool spec_is_true(const char *value);

/* Frees what was there; value may be NULL. */
int spec_set_text(char **text, const char *value);
/* A value of this line could not be resolved; the first is kept. */
int spec_unsure(struct spec_build *b, const char *what);
/* As above, and worse: any setting may come that we do not see. */
int spec_incomplete(struct spec_build *b, const char *what);
int spec_warn(struct spec_build *b, const char *text, const char *detail, const char *end);

#endif
