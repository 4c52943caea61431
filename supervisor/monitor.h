/* monitor: a source of vassals. Tells which names are there and that one may have changed; whether a change counts is for
 * whoever looks at the file. Each kind is one file: monitor_dir, monitor_glob. */
#ifndef REGENT_MONITOR_H
#define REGENT_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/watch.h"

struct monitor;

enum monitor_hint {
	MONITOR_SEEN,	/* name is there; it is new, or something about it may have changed */
	MONITOR_GONE,	/* name is not there now (the grace for removals is the receiver's) */
};

struct monitor_config {
	struct watch *watch;
	struct ev_loop *loop;
	char *const *extra_extensions;	/* NULL-terminated, or NULL */
	bool nofollow;			/* emperor-nofollow: the link itself is what is looked at */
	/* name: as the Emperor names it (basename for a directory, matched path for a glob); path: absolute, to look at. A name is
	 * reported where it is a regular file or leads to one, also where it leads to what only others may see (-EACCES). Must not
	 * free or rescan m. */
	void (*found)(void *data, struct monitor *m, enum monitor_hint hint, const char *name, const char *path);
	void (*warn)(void *data, const char *text);
	void *data;
};

/* The interface each kind implements. */
struct monitor_kind {
	const char *scheme;		/* "dir", "glob" */
	int (*start)(struct monitor *m);
	void (*rescan)(struct monitor *m);
	void (*stop)(struct monitor *m);	/* frees m->state */
};

struct monitor {
	const struct monitor_kind *kind;
	char *argument;			/* absolute directory, or pattern as given */
	char *base;			/* what makes a relative pattern absolute: the working directory and '/'; else "" */
	unsigned index;			/* its place on the command line: the keeper knows it by this */
	struct monitor_config config;
	void *state;
};

/* argument as given: "dir://X", "glob://X", a directory, or a pattern (has * ? or [; or is the name of a regular file). Anything
 * else is a directory, there or not yet. Patterns are as in glob(3) without flags: '*' and '?' match neither '/' nor a leading dot,
 * '**' is '*'.
 * 0; -EPROTONOSUPPORT for another scheme; other negative errno. Nothing is reported before monitor_start(). */
int monitor_new(const struct monitor_config *config, const char *argument, unsigned index, struct monitor **ret);
struct monitor *monitor_free(struct monitor *m);
/* Watches, then lists: every name found is reported with MONITOR_SEEN before it returns (those it may see). */
int monitor_start(struct monitor *m);
/* Mark and sweep: every name reported again, those no longer there as MONITOR_GONE. */
void monitor_rescan(struct monitor *m);

#endif
