/* doubling: a /proc of pretence, and the real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "supervisor/doubling.h"

static char root[] = "/tmp/regent-proc-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", root, name);
	for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[64];
	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", root);
	return system(command);
}

static uint64_t kib(uint64_t pages) { return pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024; }

static void a_forked_app_is_counted_once(void **state)
{
	(void)state;
	write_file("10/statm", "9000 5000 1000 1 0 1 0\n");
	write_file("10/task/10/children", "11 12 13 ");
	write_file("11/statm", "9000 5200 1000 1 0 1 0\n");	/* 200 of its own */
	write_file("12/statm", "9000 3000 1000 1 0 1 0\n");	/* has given some back */
	assert_int_equal(doubling_need(root, 10), kib(4000 + 200));
}

static void one_that_loads_in_its_workers(void **state)
{
	(void)state;
	write_file("20/statm", "900 300 200 1 0 1 0\n");
	write_file("20/task/20/children", "21 22 ");
	write_file("21/statm", "9000 5100 100 1 0 1 0\n");
	write_file("22/statm", "9000 5100 100 1 0 1 0\n");
	assert_int_equal(doubling_need(root, 20), kib(100 + 2 * 4900));
}

static void what_cannot_be_seen(void **state)
{
	(void)state;
	assert_int_equal(doubling_need(root, 99), 0);
	assert_true(doubling_room("/nowhere") == UINT64_MAX);
	write_file("30/statm", "1 2 3");		/* more shared than there is */
	assert_int_equal(doubling_need(root, 30), 0);
	write_file("31/statm", "nonsense");
	assert_int_equal(doubling_need(root, 31), 0);
}

static void room(void **state)
{
	(void)state;
	write_file("meminfo", "MemTotal:       100 kB\nMemFree:         10 kB\nMemAvailable:    42 kB\n");
	assert_int_equal(doubling_room(root), 42);
	assert_true(doubling_room("/proc") > 0 && doubling_room("/proc") != UINT64_MAX);
	assert_true(doubling_need("/proc", getpid()) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_forked_app_is_counted_once), cmocka_unit_test(one_that_loads_in_its_workers),
		cmocka_unit_test(what_cannot_be_seen), cmocka_unit_test(room),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
