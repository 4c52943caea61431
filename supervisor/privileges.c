#include "supervisor/privileges.h"

#include <errno.h>
#include <linux/securebits.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "vassals/identity.h"
#include "vassals/util.h"

/* SETUID, SETGID: to become a vassal's user in the child. KILL: to end it. SETPCAP: to empty the ruler's bounding set. CHOWN: a
 * vassal may reopen /dev/stderr only if the pipe is its own. */
static const cap_value_t keeper_caps[] = { CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_SETPCAP, CAP_CHOWN };

static int set_flags(cap_t caps, cap_flag_t flag, const cap_value_t *values, int n)
{
	return cap_set_flag(caps, flag, n, values, CAP_SET) < 0 ? -errno : 0;
}

/* Only what we have: in a container some may be missing, and a missing one is fatal only when an option needs it. */
static int had(const cap_value_t *values, int n, cap_value_t *ret)
{
	int kept = 0;
	cap_t now = cap_get_proc();
	for (int i = 0; now && i < n; i++) {
		cap_flag_value_t value = CAP_CLEAR;
		if (cap_get_flag(now, values[i], CAP_PERMITTED, &value) == 0 && value == CAP_SET)
			ret[kept++] = values[i];
	}
	if (now)
		cap_free(now);
	return kept;
}

static int set_keeper(bool permit_look, bool raise_look)
{
	static const cap_value_t look = CAP_DAC_READ_SEARCH;
	cap_value_t kept[ARRAY_SIZE(keeper_caps)];
	int n = had(keeper_caps, ARRAY_SIZE(keeper_caps), kept), r = 0;
	cap_t caps = cap_init();
	if (!caps)
		return -errno;
	if (r == 0 && n > 0)
		r = set_flags(caps, CAP_PERMITTED, kept, n);
	if (r == 0 && n > 0)
		r = set_flags(caps, CAP_EFFECTIVE, kept, n);
	if (r == 0 && permit_look)
		r = set_flags(caps, CAP_PERMITTED, &look, 1);
	if (r == 0 && raise_look)
		r = set_flags(caps, CAP_EFFECTIVE, &look, 1);
	if (r == 0 && cap_set_proc(caps) < 0)
		r = -errno;
	cap_free(caps);
	return r;
}

int privileges_keeper(bool look)
{
	cap_value_t kept;
	const cap_value_t wanted = CAP_DAC_READ_SEARCH;
	if (geteuid() != 0)
		return 0;
	return set_keeper(look && had(&wanted, 1, &kept) == 1, false);
}

int privileges_look(bool on)
{
	cap_value_t kept;
	const cap_value_t wanted = CAP_DAC_READ_SEARCH;
	if (geteuid() != 0)
		return 0;
	if (had(&wanted, 1, &kept) != 1)
		return -EPERM;
	return set_keeper(true, on);
}

static int empty_bounding_set(void)
{
	for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++)
		if (cap_get_bound(cap) > 0 && cap_drop_bound(cap) < 0)
			return -errno;
	return 0;
}

static int verify_powerless(void)
{
	cap_t now = cap_get_proc(), none = cap_init();
	int r = !now || !none || cap_compare(now, none) != 0 ? -EPERM : 0;
	if (now)
		cap_free(now);
	if (none)
		cap_free(none);
	return r;
}

static int become(uid_t uid, gid_t gid)
{
	struct identity id = { .uid = uid, .gid = gid };
	int r = empty_bounding_set();
	if (r < 0)
		return r;
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED) < 0)
		return -errno;
	r = identity_drop(&id);
	return r < 0 ? r : verify_powerless();
}

int privileges_ruler(uid_t uid, gid_t gid)
{
	if (uid != IDENTITY_NONE) {
		int r = become(uid, gid);
		if (r < 0)
			return r;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
#ifdef __SANITIZE_ADDRESS__
	/* The leak checker traces its own process; only the test build can be. */
	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return -errno;
#else
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
#endif
	return 0;
}
