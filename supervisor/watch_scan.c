/* watch_scan: looks at intervals at what inotify cannot see, and compares. Runs no timer while there is no such path. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "supervisor/watch_private.h"
#include "vassals/util.h"

static uint64_t looks(uint64_t seed, const struct stat *st)
{
	const int64_t f[] = { (int64_t)st->st_dev, (int64_t)st->st_ino, st->st_size, st->st_mode,
			      st->st_mtim.tv_sec, st->st_mtim.tv_nsec };
	return util_hash(seed, f, sizeof(f));
}

/* A sum, so that the order in which names are listed does not matter. */
static uint64_t directory_signature(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *de;
	struct stat st;
	uint64_t sum = 1;
	if (dir == NULL)
		return (uint64_t)errno << 32;
	if (fstat(dirfd(dir), &st) == 0)
		sum += util_hash(UTIL_HASH_SEED, &st.st_ino, sizeof(st.st_ino));
	while ((de = readdir(dir)) != NULL)
		if (strcmp(de->d_name, "..") != 0 && fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			sum += looks(util_hash(UTIL_HASH_SEED, de->d_name, strlen(de->d_name)), &st);
	closedir(dir);
	return sum;
}

static uint64_t signature(const struct watch_path *p)
{
	struct stat st;
	if (p->kind == WATCH_KIND_DIRECTORY)
		return directory_signature(p->path);
	return stat(p->path, &st) < 0 ? (uint64_t)errno : looks(UTIL_HASH_SEED, &st);
}

void watch_scan_set(struct watch_path *p, bool scanned)
{
	struct watch *w = p->watch;
	if (scanned)
		p->signature = signature(p);
	if (scanned == p->scanned)
		return;
	p->scanned = scanned;
	if (!scanned) {
		if (--w->n_scanned == 0)
			ev_timer_stop(w->config.loop, &w->scan);
	} else if (++w->n_scanned == 1) {
		w->scan.repeat = w->config.scan_interval_ms / 1000.0;
		ev_timer_again(w->config.loop, &w->scan);
	}
}

/* Where watches had run out there may be some again: one path asks, the others follow if it got them. Where a helper must look
 * there is nothing to compare: it has to go. */
void watch_scan_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct watch *w = timer->data;
	struct watch_path *p;
	(void)loop;
	(void)revents;
	bool exhausted = false;
	DL_FOREACH(w->paths, p) {
		if (!p->scanned)
			continue;
		if (p->helped || signature(p) != p->signature)
			watch_mark(p, true);
		else if (p->exhausted && !exhausted) {
			uint64_t before = p->signature;
			watch_retry(p);
			exhausted = p->exhausted;
			if (signature(p) != before)
				watch_mark(p, true);
		}
	}
	watch_work_off(w);
}
