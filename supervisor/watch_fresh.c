/* watch_fresh: files that were created and whose writer has not closed them. A close ends it at once; a file that nobody
 * ever closes (linkat of an O_TMPFILE, mknod) is whole when it has been quiet for long enough. No timer runs while there are none. */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "supervisor/watch_private.h"
#include "vassals/util.h"

#define TICKS 16	/* looks per quiet period */

struct watch_fresh {
	UT_hash_handle hh;
	struct watch_fresh *next;	/* in watch.whole */
	uint64_t signature, since;	/* as it looked, and from when on */
	struct watch_path *path;	/* NULL in watch.whole: was freed meanwhile */
	char name[];			/* the key is path and name, side by side */
};
#define KEY_OFFSET offsetof(struct watch_fresh, path)
#define KEY_SIZE(n) (offsetof(struct watch_fresh, name) - KEY_OFFSET + (n))

static struct watch_fresh *find(const struct watch_path *p, const char *name)
{
	struct { const struct watch_path *path; char name[256]; } key = { .path = p };
	struct watch_fresh *f;
	size_t n = strlen(name);
	if (p->watch->fresh == NULL || n >= sizeof(key.name))
		return NULL;
	memcpy(key.name, name, n);
	HASH_FIND(hh, p->watch->fresh, &key, KEY_SIZE(n), f);
	return f;
}

/* -errno, or 0 with the file's looks. */
static int look(const struct watch_fresh *f, struct stat *st, uint64_t *signature)
{
	char path[PATH_MAX];
	if (util_format(path, sizeof(path), "%s%s", f->path->path, f->name) < 0)
		return -ENAMETOOLONG;
	if (stat(path, st) < 0)
		return -errno;
	const int64_t looks[] = { (int64_t)st->st_ino, st->st_size, st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
				  st->st_ctim.tv_sec, st->st_ctim.tv_nsec };
	*signature = util_hash(UTIL_HASH_SEED, looks, sizeof(looks));
	return 0;
}

int watch_fresh_add(struct watch_path *p, const char *name)
{
	struct watch *w = p->watch;
	struct stat st;
	size_t n = strlen(name);
	struct watch_fresh *f = find(p, name);
	if (f == NULL) {
		f = calloc(1, sizeof(*f) + n + 1);
		if (f == NULL)
			return -ENOMEM;
		f->path = p;
		memcpy(f->name, name, n + 1);
		HASH_ADD(hh, w->fresh, path, KEY_SIZE(n), f);
		if (f->hh.tbl == NULL) {
			free(f);
			return -ENOMEM;
		}
	}
	f->since = util_now();
	f->signature = 0;
	(void)look(f, &st, &f->signature);
	if (!ev_is_active(&w->quiet)) {
		w->quiet.repeat = w->config.scan_interval_ms / 1000.0 / TICKS;
		ev_timer_again(w->config.loop, &w->quiet);
	}
	return 0;
}

bool watch_fresh_has(const struct watch_path *p, const char *name)
{
	return find(p, name) != NULL;
}

static void rest(struct watch *w)
{
	if (w->fresh == NULL)
		ev_timer_stop(w->config.loop, &w->quiet);
}

void watch_fresh_drop(struct watch_path *p, const char *name)
{
	struct watch_fresh *f = find(p, name);
	if (f == NULL)
		return;
	HASH_DEL(p->watch->fresh, f);
	free(f);
	rest(p->watch);
}

void watch_fresh_forget(struct watch_path *p)
{
	struct watch_fresh *f, *tmp;
	HASH_ITER(hh, p->watch->fresh, f, tmp) {
		if (f->path != p)
			continue;
		HASH_DEL(p->watch->fresh, f);
		free(f);
	}
	for (f = p->watch->whole; f != NULL; f = f->next)
		if (f->path == p)
			f->path = NULL;
	rest(p->watch);
}

/* A linked file differs from one being written in that its inode changed (ctime) after its content (mtime), unless both fell
 * into one tick of the clock: such a one needs only be the same at two looks. */
static bool is_whole(const struct watch *w, struct watch_fresh *f, uint64_t now)
{
	struct stat st;
	uint64_t signature = 0;
	int r = look(f, &st, &signature);
	if (r == -ENOENT || (r == 0 && st.st_nlink > 1))
		return true;
	if (signature != f->signature) {
		f->signature = signature;
		f->since = now;
		return false;
	}
	uint64_t needed = w->config.scan_interval_ms * NSEC_PER_MSEC;
	if (r == 0 && st.st_size > 0 && (st.st_mtim.tv_sec != st.st_ctim.tv_sec || st.st_mtim.tv_nsec != st.st_ctim.tv_nsec))
		needed /= TICKS;
	return now - f->since >= needed;
}

void watch_fresh_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct watch *w = timer->data;
	struct watch_fresh *f, *tmp;
	uint64_t now = util_now();
	(void)loop;
	(void)revents;
	HASH_ITER(hh, w->fresh, f, tmp) {
		if (!is_whole(w, f, now))
			continue;
		HASH_DEL(w->fresh, f);
		LL_PREPEND(w->whole, f);
	}
	rest(w);
	while ((f = w->whole) != NULL) {
		w->whole = f->next;
		struct watch_path *p = f->path;
		if (p != NULL)
			p->fn(p->data, WATCH_CHANGED, p->kind == WATCH_KIND_FILE ? NULL : f->name);
		free(f);
	}
}
