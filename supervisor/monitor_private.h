/* What the kinds of monitor share: the names in one directory that are vassals. Nobody else includes this. */
#ifndef REGENT_MONITOR_PRIVATE_H
#define REGENT_MONITOR_PRIVATE_H

#define HASH_NONFATAL_OOM 1	/* else uthash exits; after a failed HASH_ADD hh.tbl is NULL */
#include <uthash.h>

#include "supervisor/monitor.h"

extern const struct monitor_kind monitor_kind_dir, monitor_kind_glob;

/* Is this a vassal's file? 1: yes; 0: something else; -ENOENT: nothing there (a dangling link too); -EACCES: hidden from us. */
int monitor_look(const struct monitor *m, const char *path);

/* --- monitor_names.c */
struct monitor_names;
/* directory: absolute; prefix: of the vassals' names; pattern: fnmatch(3) on basenames, or NULL for all. Both copied. Watches, then
 * lists: reports before it returns. 0 or negative errno. */
int monitor_names_new(struct monitor *m, const char *directory, const char *prefix, const char *pattern, struct monitor_names **ret);
void monitor_names_rescan(struct monitor_names *names);
/* gone: report each name as gone first (its directory no longer counts). */
struct monitor_names *monitor_names_free(struct monitor_names *names, bool gone);
bool monitor_names_match(const char *pattern, const char *name);

#endif
