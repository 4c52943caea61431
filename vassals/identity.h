/* identity: users, groups, and the drop. The only file that calls setresuid and its kin. It looks names up only where
 * told to (name services may block), never in the child between clone and exec. */
#ifndef REGENT_IDENTITY_H
#define REGENT_IDENTITY_H

#include <stddef.h>
#include <stdbool.h>
#include <sys/types.h>

#define IDENTITY_NONE ((uid_t)-1)
#define IDENTITY_GROUPS_MAX 1024

struct identity {
	uid_t uid;		/* IDENTITY_NONE: stay who we are */
	gid_t gid;
	gid_t groups[32];	/* supplementary groups; the Emperor gives none unless asked (tried) */
	size_t n_groups;
};

/* A name or a decimal number. 0; -ENOENT no such user; -EINVAL for uid -1 or nonsense; other negative errno.
 * May block (name services). gid may be NULL; for a number without a passwd entry *gid is (gid_t)-1. */
int identity_user(const char *text, uid_t *uid, gid_t *gid);
int identity_group(const char *text, gid_t *gid);

/* Becomes id: groups, gid, uid (with which the kernel clears the capabilities); then verified with getresuid, getresgid,
 * getgroups and by trying to become root again. Async-signal-safe, allocates nothing. 0 or negative errno (-EINVAL: no
 * gid, or too many groups; -EPERM also: it did not hold): the process must then _exit. An id with uid IDENTITY_NONE does
 * nothing. */
int identity_drop(const struct identity *id);

#endif
