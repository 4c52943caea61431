/* watch: inotify on paths, links and all. Tells that something about a path may have changed: the file itself, or any
 * directory or link on the way to it; events are hints, the caller looks again. Knows no vassals, reads no file.
 * Watches are per directory and shared: cost is O(1) per event, whatever the number of paths. */
#ifndef REGENT_WATCH_H
#define REGENT_WATCH_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct watch;		/* one inotify descriptor and all that is watched through it */
struct watch_path;	/* one path being watched */

enum watch_hint {
	WATCH_CHANGED,	/* the file was closed after writing, renamed onto, its attributes changed; or a part of the way changed */
	WATCH_GONE,	/* right now the path leads nowhere */
	WATCH_WRITING,	/* a new file was created and its writer has not closed it: not to be acted on yet, WATCH_CHANGED follows */
};
/* name: for a directory watched with watch_directory(): the entry concerned, or NULL for "list it again"; for a file: NULL. */
typedef void (*watch_fn)(void *data, enum watch_hint hint, const char *name);

/* What the watch could not do by itself: search permission is missing on the way to path (-EACCES). The owner may have it done
 * by a helper with other ids, through watch_walk(); return true if that is under way. May be NULL. */
typedef bool (*watch_denied_fn)(void *data, struct watch_path *p, const char *path);

struct watch_config {
	struct ev_loop *loop;
	uint32_t scan_interval_ms;	/* for what inotify cannot see: NFS and the like, no watches left (ENOSPC), queue overflow */
	watch_denied_fn denied;
	void *data;
	/* called once when watches are exhausted and once per file system that must be scanned; text for the log */
	void (*warn)(void *data, const char *text);
};

int watch_new(const struct watch_config *config, struct watch **ret);
struct watch *watch_free(struct watch *w);	/* frees every path too */
int watch_fd(const struct watch *w);		/* the inotify descriptor, for a helper to add to */

/* Watches a path that leads to a file (or to nothing yet), through all links. Relative to the working directory if not absolute.
 * 0, or negative errno (-ENOMEM, -ELOOP, -ENAMETOOLONG); a missing file or directory is no error: its parent is watched. */
int watch_file(struct watch *w, const char *path, watch_fn fn, void *data, struct watch_path **ret);
/* Likewise a directory and each name in it. A directory that is not there yet is waited for. */
int watch_directory(struct watch *w, const char *path, watch_fn fn, void *data, struct watch_path **ret);
struct watch_path *watch_path_free(struct watch_path *p);
bool watch_path_scanned(const struct watch_path *p);	/* true while it is being scanned rather than watched */

/* --- the part that a helper with other ids can run: async of any loop, no allocation beyond the result.
 * Walks path component by component (at most 40 links), adding a watch to inotify_fd for each directory on the way. */
#define WATCH_STEPS_MAX 64
struct watch_step { int wd; char name[256]; };	/* in directory wd, this name matters */
struct watch_walk {
	int error;			/* 0; -ENOENT; -EACCES; -ENOSPC; -ELOOP; ... where the walk ended */
	bool unwatchable;		/* a file system without inotify was crossed */
	unsigned n_steps;
	struct watch_step steps[WATCH_STEPS_MAX];
};
/* Returns walk->error; opens nothing that stays open. */
int watch_walk(int inotify_fd, const char *path, struct watch_walk *walk);
/* A helper has walked for p (its steps become p's), and again after each hint on it: denied is called again then. */
int watch_path_walked(struct watch_path *p, const struct watch_walk *walk);

#endif
