/* watch: inotify on paths, links and all. Tells that something about a path may have changed: the file itself, or any
 * directory or link on the way to it; events are hints, the caller looks again. Knows no vassals, reads no file.
 * Watches are per directory and shared: cost is O(1) per event, whatever the number of paths. */
#ifndef REGENT_WATCH_H
#define REGENT_WATCH_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct watch;		/* one inotify descriptor and all that is watched through it */
struct watch_path;	/* one path being watched */

enum watch_hint {
	WATCH_CHANGED,	/* the file was closed after writing, renamed onto, its attributes changed; or a part of the way changed */
	WATCH_GONE,	/* right now the path leads nowhere */
	WATCH_WRITING,	/* a new file was created and its writer has not closed it: not to be acted on yet, WATCH_CHANGED follows */
};
/* name: for a directory watched with watch_directory(): the entry concerned, or NULL for "list it again"; for a file: NULL.
 * Never called from within watch_file() or watch_directory(); may call any function here but watch_free(). */
typedef void (*watch_fn)(void *data, enum watch_hint hint, const char *name);

/* What the watch could not do by itself: read or search permission is missing on the way to path (absolute; a directory's ends
 * in '/'). The owner may have it done by a helper with other ids, through watch_walk(path); return true if that is under way:
 * watch_path_walked() must follow, unless p is freed first. May be called from within watch_file() and watch_directory(), then
 * before they return p. Must not free p. May be NULL. */
typedef bool (*watch_denied_fn)(void *data, struct watch_path *p, const char *path);

struct watch_config {
	struct ev_loop *loop;
	/* For what inotify cannot see: NFS and the like, no watches left (ENOSPC), directories that may be passed but not read.
	 * Also how long a created file must be quiet to count as whole when no close ever comes (linkat, mknod). */
	uint32_t scan_interval_ms;
	watch_denied_fn denied;
	void *data;
	/* called once when watches are exhausted and once per file system that must be scanned; text for the log. May be NULL. */
	void (*warn)(void *data, const char *text);
};

int watch_new(const struct watch_config *config, struct watch **ret);
struct watch *watch_free(struct watch *w);	/* frees every path too */
int watch_fd(const struct watch *w);		/* the inotify descriptor, for a helper to add to */

/* Watches a path that leads to a file (or to nothing yet), through all links. Relative to the working directory if not absolute.
 * 0, or negative errno (-ENOMEM, -ENAMETOOLONG); a missing file or directory is no error: its parent is watched. */
int watch_file(struct watch *w, const char *path, watch_fn fn, void *data, struct watch_path **ret);
/* Likewise a directory and each name in it. A directory that is not there yet is waited for. */
int watch_directory(struct watch *w, const char *path, watch_fn fn, void *data, struct watch_path **ret);
struct watch_path *watch_path_free(struct watch_path *p);
bool watch_path_scanned(const struct watch_path *p);	/* true while it is being scanned rather than watched */
/* true while the last hint on it was WATCH_WRITING: for who lists a directory. name as with watch_fn: NULL for a file. */
bool watch_path_writing(const struct watch_path *p, const char *name);

/* --- the part that a helper with other ids can run: async of any loop, no allocation beyond the result.
 * Walks path component by component (at most 40 links), adding a watch to inotify_fd for each directory on the way. */
#define WATCH_STEPS_MAX 64
struct watch_step { int wd; char name[256]; };	/* in directory wd, this name matters; "": every name */
struct watch_walk {
	int error;		/* where the walk ended: 0; -ENOENT; -EACCES: no search permission; -ENOTDIR; -ELOOP; ... */
	/* Of the directories that were passed, some could not be watched: */
	bool denied;		/* they may not be read (0711) */
	bool exhausted;		/* no inotify watches left */
	bool unwatchable;	/* they lie on a file system without inotify ... */
	uint64_t file_system;	/* ... this one (f_type) */
	struct stat st;		/* what the path leads to, with error 0 */
	unsigned n_steps;
	struct watch_step steps[WATCH_STEPS_MAX];
};
/* path: absolute; with a '/' at its end it must lead to a directory, whose every name is then watched.
 * Returns walk->error; opens nothing that stays open. */
int watch_walk(int inotify_fd, const char *path, struct watch_walk *walk);
/* A helper has walked for p: its steps become p's, and p's function gets the hint. Again after each event on p: denied is called
 * then, and the hint comes from here. A helper that failed: an error such as -EIO and no steps; p keeps what it has and is scanned.
 * 0, or -ENOMEM (p is scanned then). */
int watch_path_walked(struct watch_path *p, const struct watch_walk *walk);

/* The path for which a helper is awaited (denied returned true), by its text as denied got it; NULL: freed meanwhile. O(paths). */
struct watch_path *watch_path_asked(const struct watch *w, const char *path);

#endif
