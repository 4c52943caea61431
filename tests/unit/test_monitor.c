/* monitor_dir and monitor_glob on a real loop, real inotify and real files; the barrier is as in test_watch. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
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

#include "supervisor/monitor.h"
#include "vassals/util.h"

#define DEADLINE_S 10.0
#define REPORTS_MAX 8192

struct report { enum monitor_hint hint; char name[256]; };
struct world {
	char dir[PATH_MAX - 512];
	struct ev_loop *loop;
	struct watch *w;
	struct watch_path *barrier;
	struct monitor *m;
	unsigned barriers, n, warnings;
	bool nofollow, late;
	char *const *extra;
	struct report reports[REPORTS_MAX];
};
static struct world *world;

static const char *at(const char *name)
{
	static char buffers[8][PATH_MAX];
	static unsigned i;
	char *b = buffers[i++ % 8];
	assert_int_equal(util_format(b, PATH_MAX, "%s/%s", world->dir, name), 0);
	return b;
}

static int create(const char *name)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	return fd;
}

static void edit(const char *name)
{
	int fd = create(name);
	assert_int_equal(write(fd, "[uwsgi]\n", 8), 8);
	close(fd);
}

static void make_dir(const char *name) { assert_int_equal(mkdir(at(name), 0755), 0); }
static void make_link(const char *target, const char *name) { assert_int_equal(symlink(target, at(name)), 0); }
static void move(const char *from, const char *to) { assert_int_equal(rename(at(from), at(to)), 0); }
static void drop(const char *name) { assert_int_equal(unlink(at(name)), 0); }

static void on_found(void *data, struct monitor *m, enum monitor_hint hint, const char *name, const char *path)
{
	(void)data;
	assert_true(world->n < REPORTS_MAX);
	assert_int_equal(path[0], '/');
	assert_string_equal(path + strlen(path) - strlen(strrchr(name, '/') ? strrchr(name, '/') : name),
			    strrchr(name, '/') ? strrchr(name, '/') : name);
	assert_non_null(m);
	struct report *r = &world->reports[world->n++];
	r->hint = hint;
	(void)snprintf(r->name, sizeof(r->name), "%s", name);
	ev_break(world->loop, EVBREAK_ONE);
}

static void on_warn(void *data, const char *text)
{
	(void)data; (void)text;
	world->warnings++;
}

static void on_barrier(void *data, enum watch_hint hint, const char *name)
{
	(void)data;
	if (hint == WATCH_CHANGED && name != NULL)
		world->barriers++;
	ev_break(world->loop, EVBREAK_ONE);
}

static void on_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop; (void)timer; (void)revents;
	world->late = true;
}

static void settle(void)
{
	unsigned wanted = world->barriers + 1;
	ev_timer deadline;
	edit("barrier/b");
	ev_timer_init(&deadline, on_late, DEADLINE_S, 0);
	ev_now_update(world->loop);
	ev_timer_start(world->loop, &deadline);
	world->late = false;
	while (world->barriers < wanted && !world->late)
		ev_run(world->loop, EVRUN_ONCE);
	ev_timer_stop(world->loop, &deadline);
	assert_false(world->late);
}

static void start_argument(const char *argument)
{
	const struct monitor_config config = {
		.watch = world->w, .loop = world->loop, .extra_extensions = world->extra, .nofollow = world->nofollow,
		.found = on_found, .warn = on_warn,
	};
	settle();
	assert_int_equal(monitor_new(&config, argument, 0, &world->m), 0);
	assert_int_equal(world->n, 0);
	assert_int_equal(monitor_start(world->m), 0);
}

static void start(const char *name) { start_argument(at(name)); }

static unsigned count(enum monitor_hint hint, const char *name)
{
	unsigned c = 0;
	for (unsigned i = 0; i < world->n; i++)
		c += world->reports[i].hint == hint && strcmp(world->reports[i].name, name) == 0;
	return c;
}

/* All that was reported since the last look, and nothing else. */
static void expect_one(enum monitor_hint hint, const char *name)
{
	settle();
	assert_int_equal(count(hint, name), 1);
	assert_int_equal(world->n, 1);
	world->n = 0;
}

static void expect_nothing(void)
{
	settle();
	assert_int_equal(world->n, 0);
}

static int setup(void **state)
{
	(void)state;
	world = calloc(1, sizeof(*world));
	strcpy(world->dir, "/tmp/regent-monitor-XXXXXX");
	if (mkdtemp(world->dir) == NULL)
		return -1;
	world->loop = ev_loop_new(EVFLAG_AUTO);
	make_dir("barrier");
	make_dir("v");
	const struct watch_config config = { .loop = world->loop, .scan_interval_ms = 60000 };
	assert_int_equal(watch_new(&config, &world->w), 0);
	return watch_directory(world->w, at("barrier"), on_barrier, NULL, &world->barrier);
}

static int teardown(void **state)
{
	(void)state;
	char command[PATH_MAX];
	monitor_free(world->m);
	watch_free(world->w);
	ev_loop_destroy(world->loop);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", world->dir);
	int r = system(command);
	free(world);
	return r;
}

static unsigned watches(void)
{
	char path[64], line[256];
	unsigned c = 0;
	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", watch_fd(world->w));
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		c += strncmp(line, "inotify ", 8) == 0;
	fclose(f);
	return c;
}

/* --- dir */

static void dir_lists_what_is_a_vassal(void **state)
{
	(void)state;
	static char ext[] = ".conf";
	static char *const extra[] = { ext, NULL };
	world->extra = extra;
	const char *const files[] = { "a.ini", "b.xml", "c.yml", "d.yaml", "e.js", "f.json", "g.conf" };
	const char *const others[] = { "x.ini~", ".x.ini.swp", "4913", "x.txt", "x.ini.dpkg-new", "#x.ini#" };
	char name[64];
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		edit((snprintf(name, sizeof(name), "v/%s", files[i]), name));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		edit((snprintf(name, sizeof(name), "v/%s", others[i]), name));
	make_dir("v/dir.ini");
	make_link("/nowhere/host.1234", "v/.#x.ini");
	make_link("/", "v/root.ini");
	assert_int_equal(mkfifo(at("v/fifo.ini"), 0600), 0);
	start("v/");
	assert_int_equal(world->n, ARRAY_SIZE(files));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_int_equal(count(MONITOR_SEEN, files[i]), 1);
	world->n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		edit((snprintf(name, sizeof(name), "v/%s", others[i]), name));
	make_dir("v/another.ini");
	expect_nothing();
}

static void dir_new_file_counts_when_it_is_closed(void **state)
{
	(void)state;
	start("v");
	int fd = create("v/x.ini");
	expect_nothing();
	monitor_rescan(world->m);	/* nor does a listing act on it */
	assert_int_equal(world->n, 0);
	close(fd);
	expect_one(MONITOR_SEEN, "x.ini");
	edit("v/x.ini");
	expect_one(MONITOR_SEEN, "x.ini");
	edit("v/.x.tmp");
	move("v/.x.tmp", "v/x.ini");
	expect_one(MONITOR_SEEN, "x.ini");
}

static void dir_file_goes(void **state)
{
	(void)state;
	edit("v/x.ini");
	start("v");
	world->n = 0;
	move("v/x.ini", "v/y.ini");
	settle();
	assert_int_equal(world->n, 2);
	assert_int_equal(count(MONITOR_GONE, "x.ini"), 1);
	assert_int_equal(count(MONITOR_SEEN, "y.ini"), 1);
	world->n = 0;
	drop("v/y.ini");
	expect_one(MONITOR_GONE, "y.ini");
	make_dir("v/y.ini");
	expect_nothing();
}

static void dir_follows_links(void **state)
{
	(void)state;
	make_dir("app");
	edit("app/old");
	make_link("../app/x.ini", "v/x.ini");
	start("v");
	assert_int_equal(world->n, 0);	/* dangling */
	edit("app/x.ini");
	expect_one(MONITOR_SEEN, "x.ini");
	edit("app/x.ini");
	expect_one(MONITOR_SEEN, "x.ini");
	edit("app/.x");
	move("app/.x", "app/x.ini");
	expect_one(MONITOR_SEEN, "x.ini");
	make_link("../app/old", "v/.new");
	move("v/.new", "v/x.ini");
	expect_one(MONITOR_SEEN, "x.ini");
	drop("app/old");
	expect_one(MONITOR_GONE, "x.ini");
	edit("app/old");
	expect_one(MONITOR_SEEN, "x.ini");
	move("app", "ppa");
	expect_one(MONITOR_GONE, "x.ini");
	move("ppa", "app");
	expect_one(MONITOR_SEEN, "x.ini");
	drop("v/x.ini");
	expect_one(MONITOR_GONE, "x.ini");
	make_link("../app/old", "v/new.ini");
	expect_one(MONITOR_SEEN, "new.ini");
}

static void dir_link_and_file_change_places(void **state)
{
	(void)state;
	edit("target");
	edit("v/x.ini");
	start("v");
	world->n = 0;
	unsigned before = watches();
	make_link("../target", "v/.t");
	move("v/.t", "v/x.ini");
	expect_one(MONITOR_SEEN, "x.ini");
	edit("target");
	expect_one(MONITOR_SEEN, "x.ini");
	edit("v/.t");
	move("v/.t", "v/x.ini");
	expect_one(MONITOR_SEEN, "x.ini");
	edit("target");
	expect_nothing();
	assert_int_equal(watches(), before);
	drop("v/x.ini");
	make_link("../v", "v/x.ini");	/* to a directory */
	expect_one(MONITOR_GONE, "x.ini");
}

static void dir_nofollow_looks_at_the_link(void **state)
{
	(void)state;
	world->nofollow = true;
	make_link("../target", "v/x.ini");
	start("v");
	assert_int_equal(count(MONITOR_SEEN, "x.ini"), 1);
	world->n = 0;
	edit("target");
	expect_nothing();
	make_link("../other", "v/.t");
	move("v/.t", "v/x.ini");
	expect_one(MONITOR_SEEN, "x.ini");
}

static void dir_moved_away_and_back(void **state)
{
	(void)state;
	edit("v/a.ini");
	edit("v/b.ini");
	start("v");
	world->n = 0;
	move("v", "w");
	settle();
	assert_int_equal(world->n, 2);
	assert_int_equal(count(MONITOR_GONE, "a.ini"), 1);
	world->n = 0;
	drop("w/b.ini");
	move("w", "v");
	expect_one(MONITOR_SEEN, "a.ini");
	edit("v/b.ini");
	expect_one(MONITOR_SEEN, "b.ini");
}

static void dir_not_there_yet(void **state)
{
	(void)state;
	start("later/vassals");
	make_dir("later");
	make_dir("later/vassals");
	edit("later/vassals/x.ini");
	settle();
	assert_true(count(MONITOR_SEEN, "x.ini") >= 1);
	world->n = 0;
	edit("later/vassals/y.ini");
	expect_one(MONITOR_SEEN, "y.ini");
}

static void dir_rescan_marks_and_sweeps(void **state)
{
	(void)state;
	edit("v/a.ini");
	edit("v/b.ini");
	start("v");
	world->n = 0;
	drop("v/b.ini");
	monitor_rescan(world->m);
	assert_int_equal(world->n, 2);
	assert_int_equal(count(MONITOR_SEEN, "a.ini"), 1);
	assert_int_equal(count(MONITOR_GONE, "b.ini"), 1);
	world->n = 0;
	expect_nothing();	/* the event tells nothing new */
}

static void dir_of_thousands(void **state)
{
	(void)state;
	char name[32];
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof(name), "v/%d.ini", i);
		edit(name);
	}
	unsigned before = watches();
	start("v");
	assert_int_equal(world->n, 2000);
	assert_int_equal(watches(), before + 1);
	world->n = 0;
	unsigned turns = ev_iteration(world->loop);
	int fd = open(at("v/1234.ini"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(futimens(fd, NULL), 0);
	close(fd);
	expect_one(MONITOR_SEEN, "1234.ini");
	assert_true(ev_iteration(world->loop) - turns <= 2);
}

/* --- glob */

static void glob_matches_what_glob_matches(void **state)
{
	(void)state;
	static const char *const dirs[] = { "s", "s/a", "s/b", "s/b.d", "s/.h", "s/a/conf", "s/b/conf", "s/[x]", "s/a/c.ini" };
	static const char *const files[] = { "s/a/conf/1.ini", "s/a/conf/2.ini", "s/a/conf/3.txt", "s/b/conf/1.ini", "s/b/x.ini",
		"s/a/x.ini", "s/.h/x.ini", "s/a/.hidden.ini", "s/[x]/x.ini", "s/top.ini", "s/a/c.ini/deep.ini", "s/b.d/x.json" };
	static const char *const patterns[] = { "s/*.ini", "s/*/conf/*.ini", "s/*/x.ini", "s/**/x.ini", "s/[ab]/conf/[12].ini",
		"s/?/x.ini", "s/a/.*.ini", "s/*/*", "s/\\[x\\]/*.ini", "s/*/*/*.ini", "s//*/./x.ini", "s/top.ini", "s/none/*.ini",
		"s/*/../top.ini", "s/!*/x.ini", "s/[!a]/x.ini" };
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		make_dir(dirs[i]);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		edit(files[i]);
	make_link("a", "s/link");
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		glob_t g;
		unsigned expected = 0;
		char argument[PATH_MAX];
		assert_int_equal(util_format(argument, sizeof(argument), "glob://%s", at(patterns[i])), 0);
		world->m = monitor_free(world->m);
		world->n = 0;
		start_argument(argument);
		assert_int_equal(glob(at(patterns[i]), GLOB_MARK | GLOB_NOCHECK, NULL, &g), 0);
		for (size_t j = 0; j < g.gl_pathc; j++) {
			const char *dot = strrchr(g.gl_pathv[j], '.');
			if (access(g.gl_pathv[j], F_OK) < 0 || dot == NULL || (strcmp(dot, ".ini") != 0 && strcmp(dot, ".json") != 0))
				continue;
			expected++;
			assert_int_equal(count(MONITOR_SEEN, g.gl_pathv[j]), 1);
		}
		globfree(&g);
		assert_int_equal(world->n, expected);
	}
}

/* uWSGI keeps the path as matched: relative patterns give relative names. */
static void glob_relative(void **state)
{
	(void)state;
	char cwd[PATH_MAX];
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(world->dir), 0);
	make_dir("v/app");
	edit("v/app/x.ini");
	start_argument("v/*/x.ini");
	assert_int_equal(chdir(cwd), 0);
	assert_int_equal(count(MONITOR_SEEN, "v/app/x.ini"), 1);
	world->n = 0;
	make_dir("v/new");
	edit("v/new/x.ini");
	settle();
	assert_true(count(MONITOR_SEEN, "v/new/x.ini") >= 1);
}

static void glob_directories_come_and_go(void **state)
{
	(void)state;
	char name[PATH_MAX], other[PATH_MAX];
	strcpy(name, at("v/app/conf/x.ini"));
	strcpy(other, at("v/moved/conf/x.ini"));
	start("v/*/conf/*.ini");
	assert_int_equal(world->n, 0);
	make_dir("v/app");
	settle();
	make_dir("v/app/conf");
	settle();
	int fd = create("v/app/conf/x.ini");
	expect_nothing();
	close(fd);
	expect_one(MONITOR_SEEN, name);
	edit("v/app/conf/x.ini");
	expect_one(MONITOR_SEEN, name);
	move("v/app", "v/moved");
	settle();
	assert_int_equal(world->n, 2);
	assert_int_equal(count(MONITOR_GONE, name), 1);
	assert_int_equal(count(MONITOR_SEEN, other), 1);
	world->n = 0;
	move("v/moved/conf", "v/moved/other");
	expect_one(MONITOR_GONE, other);
	move("v/moved/other", "v/moved/conf");
	expect_one(MONITOR_SEEN, other);
	move("v", "w");
	expect_one(MONITOR_GONE, other);
	move("w", "v");
	expect_one(MONITOR_SEEN, other);
}

static void glob_fixed_name_at_the_end(void **state)
{
	(void)state;
	char name[PATH_MAX];
	strcpy(name, at("v/app/uwsgi.ini"));
	make_dir("v/app");
	edit("v/file");
	start("v/*/uwsgi.ini");
	int fd = create("v/app/uwsgi.ini");
	expect_nothing();
	close(fd);
	expect_one(MONITOR_SEEN, name);
	edit("v/app/other.ini");
	edit("v/unrelated");
	expect_nothing();
	drop("v/app/uwsgi.ini");
	expect_one(MONITOR_GONE, name);
	make_dir("v/app/uwsgi.ini");
	expect_nothing();
	assert_int_equal(rmdir(at("v/app/uwsgi.ini")), 0);
	edit("real");
	make_link("../../real", "v/app/uwsgi.ini");
	expect_one(MONITOR_SEEN, name);
	edit("real");
	expect_one(MONITOR_SEEN, name);
	monitor_rescan(world->m);
	expect_one(MONITOR_SEEN, name);
	move("v/app", "app");
	expect_one(MONITOR_GONE, name);
	move("app", "v/app");
	expect_one(MONITOR_SEEN, name);
}

static void glob_directory_link_switched(void **state)
{
	(void)state;
	char one[PATH_MAX], two[PATH_MAX];
	make_dir("r1");
	make_dir("r2");
	edit("r1/one.ini");
	edit("r2/two.ini");
	make_link("../r1", "v/current");
	start("v/cur*/*.ini");
	strcpy(one, at("v/current/one.ini"));
	strcpy(two, at("v/current/two.ini"));
	assert_int_equal(count(MONITOR_SEEN, one), 1);
	world->n = 0;
	make_link("../r2", "v/.t");
	move("v/.t", "v/current");
	settle();
	assert_int_equal(world->n, 2);
	assert_int_equal(count(MONITOR_GONE, one), 1);
	assert_int_equal(count(MONITOR_SEEN, two), 1);
	world->n = 0;
	unsigned before = watches();
	drop("v/current");
	expect_one(MONITOR_GONE, two);
	assert_true(watches() < before);
}

static void schemes(void **state)
{
	(void)state;
	const struct monitor_config config = { .watch = world->w, .loop = world->loop, .found = on_found };
	struct monitor *m = NULL;
	assert_int_equal(monitor_new(&config, "pg://host=x", 0, &m), -EPROTONOSUPPORT);
	assert_int_equal(monitor_new(&config, "", 0, &m), -EINVAL);
	assert_null(m);
	edit("one.ini");
	static const struct { const char *scheme, *argument, *kind; } table[] = {
		{ "dir://", "v", "dir" }, { "", "v", "dir" }, { "", "none", "dir" }, { "glob://", "v", "glob" },
		{ "", "v/*.ini", "glob" }, { "", "v/[ab].ini", "glob" }, { "", "one.ini", "glob" }, { "dir://", "a*", "dir" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char argument[PATH_MAX];
		assert_int_equal(util_format(argument, sizeof(argument), "%s%s", table[i].scheme, at(table[i].argument)), 0);
		assert_int_equal(monitor_new(&config, argument, 3, &m), 0);
		assert_string_equal(m->kind->scheme, table[i].kind);
		assert_string_equal(m->argument, at(table[i].argument));
		assert_int_equal(m->index, 3);
		m = monitor_free(m);
	}
	char *deep = calloc(1, 4 * 20 + 1);
	for (int i = 0; i < 20; i++)
		strcat(deep, "/*");
	assert_int_equal(monitor_new(&config, deep, 0, &m), 0);
	assert_int_equal(monitor_start(m), -E2BIG);
	monitor_free(m);
	free(deep);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(dir_lists_what_is_a_vassal), T(dir_new_file_counts_when_it_is_closed), T(dir_file_goes), T(dir_follows_links),
		T(dir_link_and_file_change_places), T(dir_nofollow_looks_at_the_link), T(dir_moved_away_and_back),
		T(dir_not_there_yet), T(dir_rescan_marks_and_sweeps), T(dir_of_thousands), T(glob_matches_what_glob_matches),
		T(glob_relative), T(glob_directories_come_and_go), T(glob_fixed_name_at_the_end), T(glob_directory_link_switched),
		T(schemes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
