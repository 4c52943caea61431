#include "vassals/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vassals/util.h"

/* No entry of a name service comes near it; one that does is an error, not a reason to take all memory. */
#define ENTRY_MAX (1024UL * 1024)

/* 1: text is a number, in *id; 0: it is a name; -EINVAL: neither. */
static int parse_id(const char *text, uint32_t *id)
{
	if (text[0] == '\0' || text[0] == '-' || text[0] == '+')
		return -EINVAL;
	if (text[strspn(text, "0123456789")] != '\0')
		return 0;
	uint64_t value;
	if (util_parse_u64(text, 0, UINT32_MAX - 1, &value) < 0)
		return -EINVAL;
	*id = (uint32_t)value;
	return 1;
}

/* The name services' several ways of saying "no such entry". */
static int lookup_error(int err, const void *found)
{
	if (err == 0 && found)
		return 0;
	if (err == 0 || err == ESRCH)
		return -ENOENT;
	return -err;
}

/* By name, or by number if name is NULL. */
static int find_user(const char *name, uid_t number, uid_t *uid, gid_t *gid)
{
	for (size_t size = 1024; size <= ENTRY_MAX; size *= 4) {
		CLEANUP_FREE char *buffer = malloc(size);
		if (!buffer)
			return -ENOMEM;
		struct passwd entry, *found = NULL;
		int err = name ? getpwnam_r(name, &entry, buffer, size, &found)
			       : getpwuid_r(number, &entry, buffer, size, &found);
		if (err == ERANGE)
			continue;
		err = lookup_error(err, found);
		if (err < 0)
			return err;
		*uid = entry.pw_uid;
		*gid = entry.pw_gid;
		return 0;
	}
	return -ERANGE;
}

int identity_user(const char *text, uid_t *uid, gid_t *gid)
{
	uint32_t number = 0;
	int numeric = parse_id(text, &number);
	if (numeric < 0)
		return numeric;
	uid_t found = number;
	gid_t group = (gid_t)-1;
	if (!numeric || gid) {
		int err = find_user(numeric ? NULL : text, number, &found, &group);
		if (err < 0 && !(numeric && err == -ENOENT))
			return err;
	}
	if (found == IDENTITY_NONE)
		return -EINVAL;
	*uid = found;
	if (gid)
		*gid = group;
	return 0;
}

int identity_group(const char *text, gid_t *gid)
{
	uint32_t number = 0;
	int numeric = parse_id(text, &number);
	if (numeric < 0)
		return numeric;
	if (numeric) {
		*gid = number;
		return 0;
	}
	for (size_t size = 1024; size <= ENTRY_MAX; size *= 4) {
		CLEANUP_FREE char *buffer = malloc(size);
		if (!buffer)
			return -ENOMEM;
		struct group entry, *found = NULL;
		int err = getgrnam_r(text, &entry, buffer, size, &found);
		if (err == ERANGE)
			continue;
		err = lookup_error(err, found);
		if (err < 0)
			return err;
		if (entry.gr_gid == (gid_t)-1)
			return -EINVAL;
		*gid = entry.gr_gid;
		return 0;
	}
	return -ERANGE;
}

int identity_with_groups(uid_t uid, gid_t gid, struct identity *id)
{
	struct passwd entry, *found = NULL;
	char buf[16384];
	int r = getpwuid_r(uid, &entry, buf, sizeof buf, &found);
	if (r != 0)
		return -r;
	*id = (struct identity){ .uid = uid, .gid = gid };
	if (!found)
		return 0;
	int n = (int)ARRAY_SIZE(id->groups);
	if (getgrouplist(entry.pw_name, gid, id->groups, &n) < 0)
		return -E2BIG;
	id->n_groups = (size_t)n;
	return 0;
}

/* The kernel keeps groups sorted, so only the sets compare. */
static int verify_groups(const struct identity *id)
{
	gid_t got[ARRAY_SIZE(id->groups)];
	int n = getgroups((int)ARRAY_SIZE(got), got);
	if (n < 0 || (size_t)n != id->n_groups)
		return -EPERM;
	for (int i = 0; i < n; i++) {
		size_t j = 0;
		while (j < id->n_groups && id->groups[j] != got[i])
			j++;
		if (j == id->n_groups)
			return -EPERM;
	}
	return 0;
}

static int verify(const struct identity *id)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;
	if (getresuid(&r, &e, &s) < 0 || getresgid(&gr, &ge, &gs) < 0)
		return -errno;
	if (r != id->uid || e != id->uid || s != id->uid || gr != id->gid || ge != id->gid || gs != id->gid)
		return -EPERM;
	if (verify_groups(id) < 0)
		return -EPERM;
	/* A capability that outlived the change would show here. */
	if (id->uid != 0 && syscall(SYS_setresuid, 0, 0, 0) == 0)
		return -EPERM;
	if (id->uid != 0 && id->gid != 0 && syscall(SYS_setresgid, 0, 0, 0) == 0)
		return -EPERM;
	return 0;
}

/* Raw system calls: the C library's would try to take other threads along, with locks that a child sharing its parent's
 * memory must not touch. */
int identity_drop(const struct identity *id)
{
	if (id->uid == IDENTITY_NONE)
		return 0;
	if (id->gid == (gid_t)-1 || id->n_groups > ARRAY_SIZE(id->groups))
		return -EINVAL;
	if (syscall(SYS_setgroups, id->n_groups, id->groups) < 0 ||
	    syscall(SYS_setresgid, id->gid, id->gid, id->gid) < 0 ||
	    syscall(SYS_setresuid, id->uid, id->uid, id->uid) < 0)
		return -errno;
	return verify(id);
}
