/* watch_event: what inotify says, turned into hints for directories, at once, and marks on paths, which are then walked again
 * once a batch. */
#include <errno.h>
#include <limits.h>
#include <stdalign.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/watch_private.h"
#include "vassals/util.h"

#define BATCH 65536		/* about 2,000 events; more come with the next turn of the loop */
#define LOOK_AHEAD 32		/* events: enough for what one writer does to one name, bounded for a flood */
#define ENDS_WRITING (IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE)

static void mark_users(struct watch_name *n)
{
	struct watch_use *use;
	DL_FOREACH(n->uses, use)
		watch_mark(use->path, true);
}

/* Something happened to the directory itself. */
static void mark_directory(struct watch_dir *d)
{
	struct watch_name *n;
	DL_FOREACH(d->names, n)
		mark_users(n);
}

static void mark_all(struct watch *w)
{
	struct watch_path *p;
	DL_FOREACH(w->paths, p)
		watch_mark(p, true);
	w->strangers++;
}

/* The paths for which name is on the way, or the end of it. */
static void mark_named(struct watch_name *n, uint32_t mask)
{
	struct watch_use *use;
	DL_FOREACH(n->uses, use) {
		struct watch_path *p = use->path;
		bool is_end = use == &p->uses[p->n_uses - 1];
		if (is_end && (mask & ENDS_WRITING)) {
			watch_fresh_drop(p, "");
			p->created = false;
		} else if (is_end && (mask & IN_CREATE) && !(mask & IN_ISDIR)) {
			p->created = true;
		}
		bool content_only = is_end && p->error == 0 && !p->helped && !(mask & ~(uint32_t)IN_CLOSE_WRITE);
		watch_mark(p, !content_only);
	}
}

/* What else happens to the same name soon. */
static uint32_t later_mask(const struct inotify_event *e, const char *end)
{
	uint32_t mask = 0;
	const char *at = (const char *)e + sizeof(*e) + e->len;
	for (int i = 0; i < LOOK_AHEAD && at < end; i++) {
		const struct inotify_event *f = (const void *)at;
		if (f->wd == e->wd && f->len == e->len && strcmp(f->name, e->name) == 0)
			mask |= f->mask;
		at += sizeof(*f) + f->len;
	}
	return mask;
}

/* A later event of the same batch tells the same, or better. Attributes tell nothing of a creation: its close does. */
static bool superseded(uint32_t mask, uint32_t later)
{
	return (later & (ENDS_WRITING | IN_CREATE)) || ((later & IN_ATTRIB) && !(mask & IN_CREATE));
}

static bool is_being_written(struct watch_path *p, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	if (util_format(path, sizeof(path), "%s%s", p->path, name) < 0 || lstat(path, &st) < 0)
		return false;
	return S_ISREG(st.st_mode) && st.st_nlink == 1 && watch_fresh_add(p, name) == 0;
}

static void tell_directory(struct watch_path *p, const char *name, uint32_t mask, uint32_t later)
{
	enum watch_hint hint = WATCH_CHANGED;
	if (mask & ENDS_WRITING)
		watch_fresh_drop(p, name);
	if (superseded(mask, later))
		return;
	if (mask & (IN_MOVED_FROM | IN_DELETE))
		hint = WATCH_GONE;
	else if ((mask & IN_CREATE) && !(mask & IN_ISDIR) && is_being_written(p, name))
		hint = WATCH_WRITING;
	else if (watch_fresh_has(p, name))
		return;
	p->fn(p->data, hint, name);
}

/* Functions called may free any path and add others: the cursor is kept right by watch_table_unuse(). */
static void tell_directories(struct watch *w, struct watch_dir *d, const struct inotify_event *e, const char *end)
{
	uint32_t later = later_mask(e, end);
	for (struct watch_use *use = d->every->uses; use != NULL; use = w->cursor) {
		w->cursor = use->next;
		if (use->path->kind == WATCH_KIND_DIRECTORY)
			tell_directory(use->path, e->name, e->mask, later);
	}
	w->cursor = NULL;
}

static void handle(struct watch *w, const struct inotify_event *e, const char *end)
{
	struct watch_dir *d = watch_table_dir(w, e->wd);
	if (e->mask & IN_Q_OVERFLOW) {
		mark_all(w);
		return;
	}
	if (d == NULL || (e->mask & IN_IGNORED))
		w->strangers++;
	if (d == NULL)
		return;
	if (e->len == 0) {
		mark_directory(d);
		if (e->mask & IN_IGNORED)
			watch_table_lost(w, d);
		return;
	}
	struct watch_name *n = watch_table_name(w, d, e->name);
	if (n != NULL)
		mark_named(n, e->mask);
	if (d->every != NULL)
		tell_directories(w, d, e, end);
}

void watch_event_read(struct ev_loop *loop, ev_io *io, int revents)
{
	struct watch *w = io->data;
	alignas(struct inotify_event) char buffer[BATCH];
	(void)loop;
	(void)revents;
	ssize_t n = read(w->fd, buffer, sizeof(buffer));
	const char *end = buffer + (n > 0 ? n : 0);
	for (const char *at = buffer; at < end;) {
		const struct inotify_event *e = (const void *)at;
		handle(w, e, end);
		at += sizeof(*e) + e->len;
	}
	watch_work_off(w);
}
