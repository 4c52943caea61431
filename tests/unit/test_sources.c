/* sources: what is fetched for spec_read(), and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/sources.h"
#include "vassals/util.h"

static char directory[] = "/tmp/regent.test-XXXXXX";

static const char *in(const char *name)
{
	static char path[2][100];
	static unsigned turn;
	char *p = path[turn++ % 2];
	snprintf(p, sizeof path[0], "%s/%s", directory, name);
	return p;
}

static void make(const char *name, off_t size)
{
	CLEANUP_FD int fd = open(in(name), O_CREAT | O_WRONLY | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "[uwsgi]\n", 8), 8);
	assert_int_equal(ftruncate(fd, size), 0);
}

/* No more than is allowed, and nothing that could block or has no end. */
static void test_limits(void **state)
{
	struct sources s = { 0 };
	(void)state;
	make("most", (off_t)SPEC_FILE_SIZE_MAX);
	make("more", (off_t)SPEC_FILE_SIZE_MAX + 1);
	assert_int_equal(mkfifo(in("fifo"), 0600), 0);
	static const struct { const char *name; int error; } files[] = {
		{ "most", 0 }, { "more", EFBIG }, { "fifo", EINVAL }, { ".", EINVAL }, { "missing", ENOENT },
	};
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		assert_int_equal(sources_open(&s, in(files[i].name)), 0);
		assert_int_equal(s.files[i].error, files[i].error);
		assert_true((s.files[i].text != NULL) == (files[i].error == 0));
		assert_string_equal(s.files[i].path, in(files[i].name));
	}
	while (s.spec.n_files < SPEC_FILES_MAX + 1)
		assert_int_equal(sources_add(&s, "/x", -1, EPERM), 0);
	assert_int_equal(sources_add(&s, "/x", -1, EPERM), -E2BIG);
	assert_int_equal(s.files[SPEC_FILES_MAX].error, EPERM);
	sources_clear(&s);
	assert_int_equal(s.spec.n_files, 0);
	sources_clear(&s);
	unlink(in("most"));
	unlink(in("more"));
	unlink(in("fifo"));
}

/* What it cannot find out stays unknown. */
static void test_names(void **state)
{
	struct sources s = { 0 };
	(void)state;
	assert_int_equal(symlink(directory, in("way")), 0);
	assert_int_equal(sources_init(&s, in("way"), "app.ini"), 0);
	assert_string_equal(s.spec.cwd, directory);
	assert_string_equal(s.spec.real, in("app.ini"));	/* there or not */
	assert_true(s.spec.cpus > 0);
	assert_non_null(s.spec.host);
	assert_null(s.spec.uid);
	assert_int_equal(sources_ids(&s, 0, 4294967294U), 0);
	assert_string_equal(s.spec.uid, "0");
	assert_string_equal(s.spec.user, "root");
	assert_string_equal(s.spec.gid, s.spec.group);
	sources_clear(&s);
	assert_int_equal(sources_init(&s, in("nowhere"), "app.ini"), 0);
	assert_null(s.spec.cwd);
	assert_null(s.spec.real);
	sources_clear(&s);
	assert_int_equal(sources_init(&s, NULL, in("nowhere.ini")), 0);
	assert_null(s.spec.real);
	sources_clear(&s);
	unlink(in("way"));
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_limits), cmocka_unit_test(test_names) };
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
