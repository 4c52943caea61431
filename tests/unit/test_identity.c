/* identity: look-ups, and the drop in a child (as root; without root what is refused). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vassals/identity.h"

static void test_users(void **state)
{
	(void)state;
	uid_t uid = 7;
	gid_t gid = 7;
	assert_int_equal(identity_user("root", &uid, &gid), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(gid, 0);
	struct passwd *daemon = getpwnam("daemon");
	assert_non_null(daemon);
	char number[16];
	snprintf(number, sizeof(number), "%u", daemon->pw_uid);
	uid_t daemon_uid = daemon->pw_uid;
	gid_t daemon_gid = daemon->pw_gid;
	assert_int_equal(identity_user(number, &uid, &gid), 0);
	assert_int_equal(uid, daemon_uid);
	assert_int_equal(gid, daemon_gid);
	assert_int_equal(identity_user("4000000001", &uid, &gid), 0);
	assert_int_equal(uid, 4000000001U);
	assert_int_equal(gid, (gid_t)-1);
	assert_int_equal(identity_user("4000000002", &uid, NULL), 0);
	assert_int_equal(uid, 4000000002U);
}

static void test_refused(void **state)
{
	(void)state;
	static const char *const nonsense[] = { "", "-1", "+1", "-", "4294967295", "4294967296", "99999999999999999999999" };
	uid_t uid = 7;
	gid_t gid = 8;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++) {
		assert_int_equal(identity_user(nonsense[i], &uid, &gid), -EINVAL);
		assert_int_equal(identity_group(nonsense[i], &gid), -EINVAL);
	}
	assert_int_equal(identity_user("no-such-user-here", &uid, &gid), -ENOENT);
	assert_int_equal(identity_user("0x0", &uid, &gid), -ENOENT);
	assert_int_equal(identity_group("no-such-group-here", &gid), -ENOENT);
	assert_int_equal(uid, 7);
	assert_int_equal(gid, 8);
}

static void test_groups(void **state)
{
	(void)state;
	gid_t gid = 7;
	struct group *daemon = getgrnam("daemon");
	assert_non_null(daemon);
	gid_t expected = daemon->gr_gid;
	assert_int_equal(identity_group("daemon", &gid), 0);
	assert_int_equal(gid, expected);
	assert_int_equal(identity_group("4000000001", &gid), 0);
	assert_int_equal(gid, 4000000001U);
}

/* Runs fn in a child; its result comes back as exit status. */
static int in_child(int (*fn)(const struct identity *), const struct identity *id)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn(id));
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int drop(const struct identity *id)
{
	return -identity_drop(id);
}

static int drop_and_look(const struct identity *id)
{
	uid_t r, e, s;
	gid_t gr, ge, gs, groups[64];
	int err = identity_drop(id);
	if (err < 0)
		return -err;
	getresuid(&r, &e, &s);
	getresgid(&gr, &ge, &gs);
	int n = getgroups(64, groups);
	if (r != id->uid || e != r || s != r || gr != id->gid || ge != gr || gs != gr || n != (int)id->n_groups)
		return 200;
	for (int i = 0; i < n; i++)
		if (groups[i] != id->groups[0] && groups[i] != id->groups[1])
			return 201;
	return seteuid(0) == 0 || setuid(0) == 0 ? 202 : 0;
}

/* With these two a change of uid keeps capabilities, so root can be had again: the drop must notice. */
static int drop_keeping(const struct identity *id)
{
	enum { NO_SETUID_FIXUP = 1 << 2 };
	if (prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP) < 0)
		return 203;
	return -identity_drop(id);
}

static void test_drop(void **state)
{
	(void)state;
	struct identity nobody = { .uid = 65534, .gid = 65533 };
	struct identity two = { .uid = 4000, .gid = 4001, .groups = { 4003, 4002 }, .n_groups = 2 };
	struct identity none = { .uid = IDENTITY_NONE, .gid = 5, .n_groups = 99 };
	struct identity no_gid = { .uid = 65534, .gid = (gid_t)-1 };
	struct identity many = { .uid = 65534, .gid = 65533, .n_groups = sizeof none.groups / sizeof *none.groups + 1 };
	assert_int_equal(in_child(drop, &none), 0);
	assert_int_equal(in_child(drop, &no_gid), EINVAL);
	assert_int_equal(in_child(drop, &many), EINVAL);
	if (geteuid() != 0) {
		assert_int_equal(in_child(drop, &nobody), EPERM);
		return;
	}
	assert_int_equal(in_child(drop_and_look, &nobody), 0);
	assert_int_equal(in_child(drop_and_look, &two), 0);
	assert_int_equal(in_child(drop_keeping, &nobody), EPERM);
	assert_int_equal(geteuid(), 0);
}

/* Once dropped, a second identity is out of reach. */
static int drop_twice(const struct identity *id)
{
	struct identity other = { .uid = id->uid + 1, .gid = id->gid };
	int err = identity_drop(id);
	return err < 0 ? 200 : -identity_drop(&other);
}

static void test_no_way_back(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	struct identity id = { .uid = 4000, .gid = 4001 };
	assert_int_equal(in_child(drop_twice, &id), EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_no_way_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
