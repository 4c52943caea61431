/* identity: users, groups, and the drop. The only file that calls setresuid and its kin. It looks names up only where
 * told to (name services may block), never in the child between clone and exec. */
#ifndef REGENT_IDENTITY_H
#define REGENT_IDENTITY_H

#include <stddef.h>
#include <stdbool.h>
#include <sys/types.h>

#define IDENTITY_NONE ((uid_t)-1)

struct identity {
	uid_t uid;		/* IDENTITY_NONE: stay who we are */
	gid_t gid;
	gid_t groups[256];	/* supplementary groups */
	size_t n_groups;
};

/* A name or a decimal number. 0; -ENOENT no such user; -EINVAL for uid -1 or nonsense; other negative errno.
 * May block (name services). gid may be NULL; for a number without a passwd entry *gid is (gid_t)-1. */
int identity_user(const char *text, uid_t *uid, gid_t *gid);
int identity_group(const char *text, gid_t *gid);

/* Fills id for uid and gid with the supplementary groups that the user database gives them, as the Emperor does for --uid (tried);
 * none for a uid without an entry. May block (name services). 0; -E2BIG: more groups than fit; other negative errno. */
int identity_with_groups(uid_t uid, gid_t gid, struct identity *id);

/* Becomes id: groups, gid, uid (with which the kernel clears the capabilities); then verified with getresuid, getresgid,
 * getgroups and by trying to become root again. Async-signal-safe, allocates nothing. 0 or negative errno (-EINVAL: no
 * gid, or too many groups; -EPERM also: it did not hold): the process must then _exit. An id with uid IDENTITY_NONE does
 * nothing. */
int identity_drop(const struct identity *id);

#endif
