/* keeper_trust: a file that the ruler could have written, or led to, is not run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/keeper_trust.h"
#include "vassals/util.h"

#define RULER 64990
#define OTHER 64991

static char top[] = "/tmp/regent-unit-XXXXXX";
static char directory[64], file[64], link_[64];

static void set(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	assert_int_equal(chown(path, uid, gid), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int trust(const char *path)
{
	return keeper_trust(path, RULER, RULER);
}

/* The same through the link, whatever its own mode says. */
static void expect(int error)
{
	assert_int_equal(trust(file), error);
	assert_int_equal(trust(link_), error);
}

static void test_files(void **state)
{
	static const struct { uid_t uid; gid_t gid; mode_t mode; int error; } files[] = {
		{ 0, 0, 0644, 0 }, { OTHER, OTHER, 0664, 0 }, { OTHER, OTHER, 0600, 0 }, { OTHER, RULER, 0644, 0 }, { RULER, 0, 0444, -EPERM },
		{ OTHER, RULER, 0664, -EPERM }, { 0, 0, 0666, -EPERM }, { 0, 0, 01666, -EPERM },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		set(file, files[i].uid, files[i].gid, files[i].mode);
		expect(files[i].error);
	}
	set(file, 0, 0, 0644);
}

static void test_directories(void **state)
{
	static const struct { uid_t uid; gid_t gid; mode_t mode; int error; } directories[] = {
		{ 0, 0, 0755, 0 }, { OTHER, OTHER, 02775, 0 }, { OTHER, RULER, 0755, 0 }, { 0, 0, 01777, 0 }, { 0, RULER, 01775, 0 },
		{ 0, 0, 0777, -EPERM }, { 0, RULER, 0775, -EPERM }, { RULER, 0, 0555, -EPERM }, { RULER, 0, 01755, -EPERM },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		set(directory, directories[i].uid, directories[i].gid, directories[i].mode);
		expect(directories[i].error);
	}
	set(directory, 0, 0, 0755);
}

static void test_links(void **state)
{
	char path[PATH_MAX];
	(void)state;
	expect(0);
	assert_int_equal(lchown(link_, RULER, RULER), 0);
	assert_int_equal(trust(link_), -EPERM);
	assert_int_equal(lchown(link_, OTHER, RULER), 0);
	assert_int_equal(trust(link_), 0);
	set(top, RULER, 0, 0755);
	expect(-EPERM);
	snprintf(path, sizeof path, "/proc/self/root%s", file);
	assert_int_equal(trust(path), -EPERM);
	set(top, 0, 0, 0755);
}

static void test_no_files(void **state)
{
	(void)state;
	assert_int_equal(trust("/nowhere/x.ini"), -ENOENT);
	assert_int_equal(trust(directory), -EINVAL);
	assert_int_equal(trust("/dev/null"), -EINVAL);
	assert_int_equal(trust("/etc/passwd"), 0);
}

static int group_setup(void **state)
{
	(void)state;
	if (geteuid() != 0)
		exit(0);	/* nobody's files can be made by another */
	if (!mkdtemp(top) || chmod(top, 0755))
		return -1;
	snprintf(directory, sizeof directory, "%s/d", top);
	snprintf(file, sizeof file, "%s/d/x.ini", top);
	snprintf(link_, sizeof link_, "%s/link.ini", top);
	close(mkdir(directory, 0755) == 0 ? open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644) : -1);
	return symlink(file, link_);
}

static int group_teardown(void **state)
{
	(void)state;
	unlink(link_);
	unlink(file);
	rmdir(directory);
	return rmdir(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files), cmocka_unit_test(test_directories), cmocka_unit_test(test_links), cmocka_unit_test(test_no_files),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
