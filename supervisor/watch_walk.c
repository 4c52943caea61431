/* watch_walk: goes a path component by component and link by link, leaving an inotify watch on each directory before it
 * looks into it. Keeps no state, allocates nothing: a helper with other ids can run it. */
#include "supervisor/watch_walk.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/watch.h"
#include "vassals/util.h"

#define LINKS_MAX 40	/* as the kernel's own */

struct watch_system watch_system = { .add_watch = inotify_add_watch, .file_system = statfs };

struct walker {
	int inotify_fd;
	struct watch_walk *walk;
	int wd;			/* of the directory we are in; -1: not watched */
	unsigned links;
	char at[PATH_MAX];	/* the directory we are in, free of links; "" is the root */
	char todo[PATH_MAX];	/* what remains, from rest on */
	const char *rest;
};

/* File systems that others change behind the kernel's back. */
static bool without_inotify(uint64_t type)
{
	static const uint32_t types[] = {
		0x6969,		/* NFS */
		0x517B, 0xFE534D42, 0xFF534D42,	/* SMB, SMB2, CIFS */
		0x65735546,	/* FUSE, virtiofs */
		0x01021997,	/* 9p */
		0x00C36400,	/* Ceph */
		0x5346414F,	/* AFS */
		0x0BD00BD0,	/* Lustre */
		0x01161970,	/* GFS2 */
		0x7461636F,	/* OCFS2 */
		0x786F4256,	/* vboxsf */
	};
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if ((uint32_t)type == types[i])
			return true;
	return false;
}

/* The descriptor; -1: cannot be watched, as noted in the result; -2 and errno: not there. */
static int add(struct walker *k, const char *path, uint32_t mask)
{
	int wd = watch_system.add_watch(k->inotify_fd, path[0] != '\0' ? path : "/", mask);
	if (wd >= 0)
		return wd;
	if (errno == EACCES || errno == EPERM)
		k->walk->denied = true;
	else if (errno == ENOSPC || errno == ENOMEM)
		k->walk->exhausted = true;
	else
		return -2;
	return -1;
}

/* Names count in the directory we are in. */
static void widen(struct walker *k)
{
	if (k->wd >= 0)
		(void)add(k, k->at, WATCH_NAMES);
}

/* We are in k->at now. Watched even where inotify sees only half: what this machine does is then known at once. */
static int enter(struct walker *k)
{
	struct statfs fs;
	if (watch_system.file_system(k->at[0] != '\0' ? k->at : "/", &fs) == 0 && without_inotify((uint64_t)fs.f_type)) {
		k->walk->unwatchable = true;
		k->walk->file_system = (uint32_t)fs.f_type;
	}
	int wd = add(k, k->at, WATCH_SELF);
	if (wd == -2)
		return -errno;
	k->wd = wd;
	return 0;
}

static int step(struct walker *k, const char *name)
{
	struct watch_walk *walk = k->walk;
	if (k->wd < 0)
		return 0;
	if (walk->n_steps == WATCH_STEPS_MAX)
		return -ELOOP;
	struct watch_step *s = &walk->steps[walk->n_steps];
	if (util_format(s->name, sizeof(s->name), "%s", name) < 0)
		return -ENAMETOOLONG;
	s->wd = k->wd;
	walk->n_steps++;
	return 0;
}

static int follow(struct walker *k, const char *link)
{
	char target[PATH_MAX], joined[PATH_MAX];
	if (++k->links > LINKS_MAX)
		return -ELOOP;
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (util_format(joined, sizeof(joined), "%s%s", target, k->rest) < 0)
		return -ENAMETOOLONG;
	memcpy(k->todo, joined, strlen(joined) + 1);
	k->rest = k->todo;
	if (target[0] != '/')
		return 0;
	k->at[0] = '\0';
	return enter(k);
}

/* Into a subdirectory. If that cannot be watched, its parent tells when its mode changes. */
static int descend(struct walker *k, const char *path)
{
	size_t n = strlen(k->at);
	bool denied = k->walk->denied;
	memcpy(k->at, path, strlen(path) + 1);
	k->walk->denied = false;
	int parent = k->wd, r = enter(k);
	if (r < 0)
		k->at[n] = '\0';
	if (r == 0 && k->walk->denied && parent >= 0) {
		k->at[n] = '\0';
		(void)add(k, k->at, WATCH_NAMES);
		k->at[n] = '/';
	}
	k->walk->denied |= denied;
	return r;
}

/* 0: go on; 1: arrived; negative errno. What is not simply a directory to pass is looked at again once its name is watched. */
static int pass(struct walker *k, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	int r = step(k, name);
	if (r < 0)
		return r;
	if (util_format(path, sizeof(path), "%s/%s", k->at, name) < 0)
		return -ENAMETOOLONG;
	if (k->rest[0] != '\0' && lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && descend(k, path) == 0)
		return 0;
	widen(k);
	if (lstat(path, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return follow(k, path);
	if (k->rest[0] != '\0')
		return S_ISDIR(st.st_mode) ? descend(k, path) : -ENOTDIR;
	k->walk->st = st;
	return 1;
}

/* The path ended in '/', ".." or ".": the directory we are in is what it leads to. */
static int arrive_in_directory(struct walker *k)
{
	widen(k);
	if (lstat(k->at[0] != '\0' ? k->at : "/", &k->walk->st) < 0)
		return -errno;
	int r = step(k, "");
	return r < 0 ? r : 1;
}

static int next(struct walker *k)
{
	char name[NAME_MAX + 1];
	k->rest += strspn(k->rest, "/");
	size_t n = strcspn(k->rest, "/");
	if (n == 0)
		return arrive_in_directory(k);
	if (n >= sizeof(name))
		return -ENAMETOOLONG;
	memcpy(name, k->rest, n);
	name[n] = '\0';
	k->rest += n;
	return strcmp(name, ".") == 0 ? 0 : pass(k, name);
}

static int walk_all(struct walker *k, const char *path)
{
	if (path[0] != '/')
		return -EINVAL;
	if (util_format(k->todo, sizeof(k->todo), "%s", path) < 0)
		return -ENAMETOOLONG;
	k->rest = k->todo;
	int r = enter(k);
	while (r == 0)
		r = next(k);
	return r < 0 ? r : 0;
}

int watch_walk(int inotify_fd, const char *path, struct watch_walk *walk)
{
	struct walker k = { .inotify_fd = inotify_fd, .walk = walk, .wd = -1 };
	memset(walk, 0, sizeof(*walk));
	walk->error = walk_all(&k, path);
	return walk->error;
}
