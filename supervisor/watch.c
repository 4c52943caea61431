/* watch: the paths being watched, and when each is walked again. Decides which hint a path gets; never looks into a file. */
#include "supervisor/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "supervisor/watch_private.h"
#include "vassals/util.h"

int watch_new(const struct watch_config *config, struct watch **ret)
{
	struct watch *w = calloc(1, sizeof(*w));
	if (w == NULL)
		return -ENOMEM;
	w->config = *config;
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0) {
		int r = -errno;
		free(w);
		return r;
	}
	ev_io_init(&w->io, watch_event_read, w->fd, EV_READ);
	ev_init(&w->scan, watch_scan_tick);
	ev_init(&w->quiet, watch_fresh_tick);
	w->io.data = w->scan.data = w->quiet.data = w;
	ev_io_start(config->loop, &w->io);
	*ret = w;
	return 0;
}

struct watch *watch_free(struct watch *w)
{
	if (w == NULL)
		return NULL;
	while (w->paths != NULL)
		watch_path_free(w->paths);
	watch_table_sweep(w);
	ev_io_stop(w->config.loop, &w->io);
	ev_timer_stop(w->config.loop, &w->scan);
	ev_timer_stop(w->config.loop, &w->quiet);
	util_close(w->fd);
	free(w);
	return NULL;
}

int watch_fd(const struct watch *w)
{
	return w->fd;
}

static void warn_once(const struct watch_path *p, const struct watch_walk *walk)
{
	struct watch *w = p->watch;
	char text[PATH_MAX + 128];
	if (w->config.warn == NULL)
		return;
	if (walk->exhausted && !w->warned_exhausted) {
		w->warned_exhausted = true;
		(void)util_format(text, sizeof(text), "%s: no inotify watches left (fs.inotify.max_user_watches): "
				  "scanned every %u ms", p->path, w->config.scan_interval_ms);
		w->config.warn(w->config.data, text);
	}
	if (!walk->unwatchable)
		return;
	size_t i = 0;
	while (i < ARRAY_SIZE(w->warned) && w->warned[i] != 0 && w->warned[i] != walk->file_system)
		i++;
	if (i == ARRAY_SIZE(w->warned) || w->warned[i] != 0)
		return;
	w->warned[i] = walk->file_system;
	(void)util_format(text, sizeof(text), "%s: its file system (type %#llx) does not report every change: "
			  "scanned every %u ms", p->path, (unsigned long long)walk->file_system, w->config.scan_interval_ms);
	w->config.warn(w->config.data, text);
}

static struct watch_name *end_of(const struct watch_path *p)
{
	return p->n_uses > 0 ? p->uses[p->n_uses - 1].name : NULL;
}

static void drop_uses(struct watch *w, struct watch_use *uses, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		watch_table_unuse(w, &uses[i]);
	free(uses);
}

/* The new uses are entered before the old ones go, so that no watch is removed that is still needed. */
static int replace_uses(struct watch_path *p, const struct watch_walk *walk)
{
	struct watch *w = p->watch;
	struct watch_use *uses = calloc(walk->n_steps > 0 ? walk->n_steps : 1, sizeof(*uses));
	if (uses == NULL) {
		watch_table_keep(w, walk);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < walk->n_steps; i++) {
		int r = watch_table_use(w, p, &walk->steps[i], &uses[i]);
		if (r < 0) {
			drop_uses(w, uses, i);
			return r;
		}
	}
	struct watch_use *old = p->uses;
	unsigned n_old = p->n_uses;
	p->uses = uses;
	p->n_uses = walk->n_steps;
	drop_uses(w, old, n_old);
	return 0;
}

/* Is the file at the end one that somebody has just created and may still be writing? */
static void judge_end(struct watch_path *p, const struct watch_walk *walk, bool same_end)
{
	if (walk->error != 0 || !same_end)
		watch_fresh_drop(p, "");
	else if (p->created && S_ISREG(walk->st.st_mode) && walk->st.st_nlink == 1)
		(void)watch_fresh_add(p, "");	/* out of memory: acted on too early, and again at its close */
	p->created = false;
}

static int take(struct watch_path *p, const struct watch_walk *walk)
{
	const struct watch_name *before = end_of(p);
	int r = replace_uses(p, walk);
	p->error = walk->error;
	p->exhausted = walk->exhausted || r < 0;
	judge_end(p, walk, before == end_of(p));
	watch_scan_set(p, p->exhausted || walk->unwatchable || walk->denied);
	warn_once(p, walk);
	return r;
}

static void asked_over(struct watch_path *p)
{
	if (!p->asked)
		return;
	p->asked = false;
	p->watch->n_asked--;
	watch_table_sweep(p->watch);
}

static bool ask(struct watch_path *p)
{
	struct watch *w = p->watch;
	if (w->config.denied == NULL)
		return false;
	p->asked = true;
	p->asked_at = w->strangers;
	w->n_asked++;
	if (w->config.denied(w->config.data, p, p->path))
		return true;
	asked_over(p);
	return false;
}

/* Walks again. false: a helper does it, and the hint comes with its answer; what it had watched stays until then. */
static bool look(struct watch_path *p)
{
	struct watch_walk walk;
	if (p->asked) {
		p->again = true;
		return false;
	}
	watch_walk(p->watch->fd, p->path, &walk);
	bool denied = walk.denied || walk.error == -EACCES;
	if (denied && p->helped)
		watch_table_keep(p->watch, &walk);
	else
		take(p, &walk);
	if (denied && ask(p)) {
		watch_scan_set(p, false);
		return false;
	}
	if (denied && p->helped)
		take(p, &walk);
	p->helped = false;
	return true;
}

void watch_retry(struct watch_path *p)
{
	(void)look(p);
}

/* A helper that could not be run says nothing about the path. */
static bool leads_nowhere(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP || error == -EACCES || error == -ENAMETOOLONG;
}

static void tell(struct watch_path *p)
{
	enum watch_hint hint = WATCH_CHANGED;
	if (leads_nowhere(p->error))
		hint = WATCH_GONE;
	else if (watch_fresh_has(p, ""))
		hint = WATCH_WRITING;
	p->fn(p->data, hint, NULL);
}

void watch_mark(struct watch_path *p, bool rewalk)
{
	p->rewalk |= rewalk;
	if (p->dirty)
		return;
	p->dirty = true;
	DL_APPEND2(p->watch->dirty, p, dirty_prev, dirty_next);
}

static void unmark(struct watch_path *p)
{
	if (!p->dirty)
		return;
	p->dirty = false;
	p->rewalk = false;
	DL_DELETE2(p->watch->dirty, p, dirty_prev, dirty_next);
}

void watch_work_off(struct watch *w)
{
	struct watch_path *p;
	while ((p = w->dirty) != NULL) {
		bool rewalk = p->rewalk;
		unmark(p);
		if (!rewalk || look(p))
			tell(p);
	}
}

int watch_path_walked(struct watch_path *p, const struct watch_walk *walk)
{
	struct watch *w = p->watch;
	int r = 0;
	p->helped = true;
	if (walk->error == 0 || leads_nowhere(walk->error)) {
		r = take(p, walk);
	} else {
		p->error = walk->error;
		watch_scan_set(p, true);
	}
	/* An event that came before its directory was known to us is lost. */
	bool again = p->again || p->asked_at != w->strangers;
	p->again = false;
	asked_over(p);
	if (again) {
		watch_mark(p, true);
		ev_feed_event(w->config.loop, &w->io, EV_CUSTOM);
	}
	tell(p);
	return r;
}

/* "/", or a path made absolute; a directory's gets a '/' at its end. */
static int absolute(const char *path, enum watch_kind kind, char *ret, size_t size)
{
	char cwd[PATH_MAX] = "";
	if (path[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
		return -errno;
	return util_format(ret, size, "%s%s%s%s", cwd, path[0] != '/' ? "/" : "", path, kind == WATCH_KIND_DIRECTORY ? "/" : "");
}

static int path_new(struct watch *w, const char *given, enum watch_kind kind, watch_fn fn, void *data, struct watch_path **ret)
{
	char path[PATH_MAX];
	int r = absolute(given, kind, path, sizeof(path));
	if (r < 0)
		return r;
	size_t n = strlen(path);
	struct watch_path *p = calloc(1, sizeof(*p) + n + 1);
	if (p == NULL)
		return -ENOMEM;
	memcpy(p->path, path, n + 1);
	p->watch = w;
	p->kind = kind;
	p->fn = fn;
	p->data = data;
	DL_APPEND(w->paths, p);
	(void)look(p);
	*ret = p;
	return 0;
}

int watch_file(struct watch *w, const char *path, watch_fn fn, void *data, struct watch_path **ret)
{
	return path_new(w, path, WATCH_KIND_FILE, fn, data, ret);
}

int watch_directory(struct watch *w, const char *path, watch_fn fn, void *data, struct watch_path **ret)
{
	return path_new(w, path, WATCH_KIND_DIRECTORY, fn, data, ret);
}

struct watch_path *watch_path_free(struct watch_path *p)
{
	if (p == NULL)
		return NULL;
	unmark(p);
	watch_fresh_forget(p);
	watch_scan_set(p, false);
	drop_uses(p->watch, p->uses, p->n_uses);
	DL_DELETE(p->watch->paths, p);
	asked_over(p);
	free(p);
	return NULL;
}

bool watch_path_scanned(const struct watch_path *p)
{
	return p->scanned;
}

bool watch_path_writing(const struct watch_path *p, const char *name)
{
	return watch_fresh_has(p, name != NULL ? name : "");
}

struct watch_path *watch_path_asked(const struct watch *w, const char *path)
{
	struct watch_path *p;
	DL_FOREACH(w->paths, p)
		if (p->asked && strcmp(p->path, path) == 0)
			return p;
	return NULL;
}
