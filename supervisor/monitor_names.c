/* monitor_names: the names in one directory that are vassals. A plain file costs one entry here and no watch of its own; a
 * link has a watch on the way to its file. Never opens a file. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "supervisor/monitor_private.h"
#include "vassals/spec.h"
#include "vassals/util.h"

struct monitor_entry {
	UT_hash_handle hh;
	struct monitor_names *names;
	struct watch_path *link;	/* NULL: a plain file */
	bool reported, present;		/* told as SEEN; met by the listing under way */
	char name[];			/* the basename */
};

struct monitor_names {
	struct monitor *m;
	struct watch_path *watch;
	struct monitor_entry *entries;
	char *pattern, *prefix;
	char directory[];	/* without a '/' at its end: the root is "" */
};

static const char *directory_path(const struct monitor_names *s)
{
	return s->directory[0] != '\0' ? s->directory : "/";
}

bool monitor_names_match(const char *pattern, const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	return pattern == NULL || fnmatch(pattern, name, FNM_PERIOD) == 0;
}

/* The name and the path of a vassal; false: it can be none. */
static bool describe(const struct monitor_names *s, const char *base, char name[PATH_MAX], char path[PATH_MAX])
{
	return monitor_names_match(s->pattern, base) && util_format(name, PATH_MAX, "%s%s", s->prefix, base) == 0 &&
	       spec_name_valid(name, s->m->config.extra_extensions) &&
	       util_format(path, PATH_MAX, "%s/%s", s->directory, base) == 0;
}

static void report(struct monitor_names *s, const char *base, enum monitor_hint hint)
{
	char name[PATH_MAX], path[PATH_MAX];
	if (describe(s, base, name, path))
		s->m->config.found(s->m->config.data, s->m, hint, name, path);
}

static void entry_report(struct monitor_entry *e, bool there)
{
	if (!there && !e->reported)
		return;
	e->reported = there;
	report(e->names, e->name, there ? MONITOR_SEEN : MONITOR_GONE);
}

static void entry_forget(struct monitor_entry *e)
{
	struct monitor_names *s = e->names;
	if (e->reported)
		report(s, e->name, MONITOR_GONE);
	HASH_DEL(s->entries, e);
	watch_path_free(e->link);
	free(e);
}

static struct monitor_entry *entry_find(struct monitor_names *s, const char *base)
{
	struct monitor_entry *e;
	HASH_FIND_STR(s->entries, base, e);
	return e;
}

static struct monitor_entry *entry_need(struct monitor_names *s, const char *base)
{
	struct monitor_entry *e = entry_find(s, base);
	size_t n = strlen(base);
	if (e != NULL)
		return e;
	e = calloc(1, sizeof(*e) + n + 1);
	if (e == NULL)
		return NULL;
	e->names = s;
	memcpy(e->name, base, n + 1);
	HASH_ADD_KEYPTR(hh, s->entries, e->name, n, e);
	if (e->hh.tbl == NULL) {
		free(e);
		return NULL;
	}
	return e;
}

/* Where we may not see, the hint (from a helper that may) is all there is. */
static void link_look(struct monitor_entry *e, bool hint_there)
{
	char name[PATH_MAX], path[PATH_MAX];
	if (!describe(e->names, e->name, name, path))
		return;
	int r = monitor_look(e->names->m, path);
	entry_report(e, r == -EACCES ? hint_there : r == 1);
}

static void on_link(void *data, enum watch_hint hint, const char *unused)
{
	(void)unused;
	if (hint != WATCH_WRITING)
		link_look(data, hint == WATCH_CHANGED);
}

static void entry_link(struct monitor_entry *e, const char *path)
{
	struct monitor *m = e->names->m;
	if (e->link == NULL && watch_file(m->config.watch, path, on_link, e, &e->link) < 0 && m->config.warn != NULL)
		m->config.warn(m->config.data, "no memory to follow a link: its target is not watched");
	link_look(e, true);
}

/* What the name is now. */
static void look(struct monitor_names *s, const char *base)
{
	char name[PATH_MAX], path[PATH_MAX];
	struct stat st;
	if (!describe(s, base, name, path))
		return;
	struct monitor_entry *e = entry_find(s, base);
	bool vassal = lstat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode));
	if (!vassal) {
		if (e != NULL)
			entry_forget(e);
		return;
	}
	e = entry_need(s, base);
	if (e == NULL)
		return;
	e->present = true;
	if (S_ISLNK(st.st_mode) && !s->m->config.nofollow) {
		entry_link(e, path);
		return;
	}
	e->link = watch_path_free(e->link);
	if (!watch_path_writing(s->watch, base))
		entry_report(e, true);
}

/* A link that stays one has told, or will, through its own watch. */
static void on_name(struct monitor_names *s, const char *base)
{
	char name[PATH_MAX], path[PATH_MAX];
	struct stat st;
	const struct monitor_entry *e = entry_find(s, base);
	if (e != NULL && e->link != NULL && describe(s, base, name, path) && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return;
	look(s, base);
}

static void on_directory(void *data, enum watch_hint hint, const char *name)
{
	struct monitor_names *s = data;
	(void)hint;
	if (name != NULL)
		on_name(s, name);
	else
		monitor_names_rescan(s);
}

static void warn(const struct monitor_names *s, int error)
{
	char text[PATH_MAX + 64];
	if (s->m->config.warn == NULL)
		return;
	(void)util_format(text, sizeof(text), "cannot list %s: %s", directory_path(s), strerror(-error));
	s->m->config.warn(s->m->config.data, text);
}

/* Only a directory that is not there has no vassals; one that cannot be read keeps those it has. */
static bool list(struct monitor_names *s)
{
	DIR *dir = opendir(directory_path(s));
	const struct dirent *de;
	if (dir == NULL) {
		int r = -errno;
		if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
			return true;
		warn(s, r);
		return false;
	}
	errno = 0;
	while ((de = readdir(dir)) != NULL) {
		look(s, de->d_name);
		errno = 0;
	}
	bool complete = errno == 0;
	closedir(dir);
	return complete;
}

void monitor_names_rescan(struct monitor_names *s)
{
	struct monitor_entry *e, *tmp;
	HASH_ITER(hh, s->entries, e, tmp)
		e->present = false;
	if (!list(s))
		return;
	HASH_ITER(hh, s->entries, e, tmp)
		if (!e->present)
			entry_forget(e);
}

int monitor_names_new(struct monitor *m, const char *directory, const char *prefix, const char *pattern, struct monitor_names **ret)
{
	size_t n = strlen(directory);
	struct monitor_names *s = calloc(1, sizeof(*s) + n + 1);
	if (s == NULL)
		return -ENOMEM;
	s->m = m;
	memcpy(s->directory, directory, n);
	while (n > 0 && s->directory[n - 1] == '/')
		s->directory[--n] = '\0';
	s->prefix = strdup(prefix);
	s->pattern = pattern != NULL ? strdup(pattern) : NULL;
	int r = s->prefix == NULL || (pattern != NULL && s->pattern == NULL) ? -ENOMEM : 0;
	if (r == 0)
		r = watch_directory(m->config.watch, directory_path(s), on_directory, s, &s->watch);
	if (r < 0) {
		monitor_names_free(s, false);
		return r;
	}
	monitor_names_rescan(s);
	*ret = s;
	return 0;
}

struct monitor_names *monitor_names_free(struct monitor_names *s, bool gone)
{
	struct monitor_entry *e, *tmp;
	if (s == NULL)
		return NULL;
	HASH_ITER(hh, s->entries, e, tmp) {
		e->reported &= gone;
		entry_forget(e);
	}
	watch_path_free(s->watch);
	free(s->prefix);
	free(s->pattern);
	free(s);
	return NULL;
}
