/* What the files of watch share. Nobody else includes this. */
#ifndef REGENT_WATCH_PRIVATE_H
#define REGENT_WATCH_PRIVATE_H

#define HASH_NONFATAL_OOM 1	/* else uthash exits; after a failed HASH_ADD hh.tbl is NULL */
#include <uthash.h>
#include <utlist.h>

#include "supervisor/watch.h"

/* One path's interest in one name of one directory. Lives in an array of its path. */
struct watch_use {
	struct watch_name *name;
	struct watch_path *path;
	struct watch_use *prev, *next;	/* others interested in the same */
};

/* One table for all: a table for each directory would cost half a KiB a directory. */
struct watch_name {
	UT_hash_handle hh;
	struct watch_name *prev, *next;	/* in its directory */
	struct watch_use *uses;
	struct watch_dir *dir;
	char name[];	/* "": all of the directory. The key is dir and name, side by side */
};

struct watch_dir {
	UT_hash_handle hh;
	int wd;				/* -1: the kernel has dropped it; out of the table, waits for its users to go */
	struct watch_name *names;
	struct watch_name *every;	/* the one named "", or NULL */
};

enum watch_kind { WATCH_KIND_FILE, WATCH_KIND_DIRECTORY };

struct watch_path {
	struct watch *watch;
	struct watch_path *prev, *next;			/* all */
	struct watch_path *dirty_prev, *dirty_next;	/* those to be looked at */
	watch_fn fn;
	void *data;
	struct watch_use *uses;		/* in the order of the way */
	unsigned n_uses;
	int error;			/* of the last walk */
	enum watch_kind kind;
	bool dirty;			/* is in that list */
	bool rewalk;			/* ... and the way to it may have changed, not only what it leads to */
	bool created;			/* the last event on its end was a creation */
	bool exhausted, scanned;
	bool helped;			/* its steps come from a helper */
	bool asked, again;		/* a helper is on its way; and must go once more */
	uint64_t asked_at;		/* watch.strangers then */
	uint64_t signature;		/* while it is scanned: of what was there */
	char path[];			/* absolute; a directory's ends in '/' */
};

struct watch {
	struct watch_config config;
	int fd;
	ev_io io;
	ev_timer scan, quiet;
	struct watch_dir *dirs;		/* by wd */
	struct watch_name *names;	/* by directory and name */
	struct watch_path *paths, *dirty;
	struct watch_use *cursor;	/* where the loop that calls functions is; kept right when uses go */
	struct watch_fresh *fresh, *whole;
	unsigned n_scanned;
	unsigned n_asked;		/* helpers under way: no watch is removed meanwhile, it may be one they have just added */
	uint64_t strangers;		/* events of directories not (yet) known */
	bool warned_exhausted;
	uint64_t warned[8];		/* types of file systems already warned of */
};

/* --- watch.c */
void watch_mark(struct watch_path *p, bool rewalk);
void watch_work_off(struct watch *w);	/* the marked ones */
/* Walks again and tells nobody: for a path that is scanned, and may not need to be. */
void watch_retry(struct watch_path *p);

/* --- watch_event.c: what inotify says, turned into marks and hints */
void watch_event_read(struct ev_loop *loop, ev_io *io, int revents);

/* --- watch_table.c: who is interested in which name of which directory */
struct watch_dir *watch_table_dir(struct watch *w, int wd);
struct watch_name *watch_table_name(struct watch *w, const struct watch_dir *d, const char *name);
int watch_table_use(struct watch *w, struct watch_path *p, const struct watch_step *step, struct watch_use *use);
void watch_table_unuse(struct watch *w, struct watch_use *use);
/* A walk has added watches that nobody uses (yet). */
void watch_table_keep(struct watch *w, const struct watch_walk *walk);
/* Watches without users are removed, unless a helper is under way. */
void watch_table_sweep(struct watch *w);
/* The kernel has dropped the watch. */
void watch_table_lost(struct watch *w, struct watch_dir *d);

/* --- watch_fresh.c: files created and not yet closed. name: "" for a file. */
int watch_fresh_add(struct watch_path *p, const char *name);
bool watch_fresh_has(const struct watch_path *p, const char *name);
void watch_fresh_drop(struct watch_path *p, const char *name);
void watch_fresh_forget(struct watch_path *p);	/* all of its names */
void watch_fresh_tick(struct ev_loop *loop, ev_timer *timer, int revents);

/* --- watch_scan.c: what inotify cannot see */
void watch_scan_set(struct watch_path *p, bool scanned);
void watch_scan_tick(struct ev_loop *loop, ev_timer *timer, int revents);

#endif
