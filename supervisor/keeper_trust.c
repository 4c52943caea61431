#include "supervisor/keeper_trust.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vassals/util.h"

/* In a directory with the sticky bit it cannot replace what belongs to others, and what belongs to it is seen by its owner. */
static bool is_open_to(const struct stat *st, uid_t uid, gid_t gid)
{
	bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX);
	if (st->st_uid == uid)
		return true;
	if (S_ISLNK(st->st_mode) || sticky)
		return false;
	return (st->st_mode & S_IWOTH) || (st->st_gid == gid && (st->st_mode & S_IWGRP));
}

static int trust_each(char *path, uid_t uid, gid_t gid)
{
	struct stat st;
	for (char *end = strchr(path + 1, '/'); ; end = end ? strchr(end + 1, '/') : NULL) {
		if (end)
			*end = '\0';
		int r = lstat(path, &st);
		if (end)
			*end = '/';
		if (r < 0)
			return -errno;
		if (is_open_to(&st, uid, gid))
			return -EPERM;
		if (!end)
			return 0;
	}
}

int keeper_trust(const char *path, uid_t ruler_uid, gid_t ruler_gid)
{
	char given[PATH_MAX], resolved[PATH_MAX];
	struct stat st;
	int r = util_format(given, sizeof given, "%s", path);
	if (r < 0)
		return r;
	if (!realpath(path, resolved) || stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	r = trust_each(given, ruler_uid, ruler_gid);
	return r < 0 ? r : trust_each(resolved, ruler_uid, ruler_gid);
}
