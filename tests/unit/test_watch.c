/* watch on a real loop, real inotify and real files. Order is kept by a barrier: a hint on a directory of our own, whose event
 * is queued behind all that was done before, so that "no hint" can be told without waiting. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor/watch.h"
#include "supervisor/watch_walk.h"
#include "vassals/util.h"

#define DEADLINE_S 10.0
#define HINTS_MAX 4096

struct seen { enum watch_hint hint; char name[64]; const void *who; };
struct world {
	char dir[PATH_MAX - 512], back[PATH_MAX];
	struct ev_loop *loop;
	struct watch *w;
	struct watch_path *barrier;
	unsigned barriers, n, warnings, denials;
	struct watch_path *denied;
	bool help;
	bool late;
	struct seen seen[HINTS_MAX];
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

static void put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void edit(const char *name, const char *text)
{
	int fd = create(name);
	put(fd, text);
	close(fd);
}

static void make_dir(const char *name) { assert_int_equal(mkdir(at(name), 0755), 0); }
static void make_link(const char *target, const char *name) { assert_int_equal(symlink(target, at(name)), 0); }
static void move(const char *from, const char *to) { assert_int_equal(rename(at(from), at(to)), 0); }
static void drop(const char *name) { assert_int_equal(unlink(at(name)), 0); }
/* ln -sfn */
static void switch_link(const char *target, const char *name)
{
	make_link(target, "switch.tmp");
	move("switch.tmp", name);
}

static void on_hint(void *data, enum watch_hint hint, const char *name)
{
	assert_true(world->n < HINTS_MAX);
	struct seen *s = &world->seen[world->n++];
	s->hint = hint;
	s->who = data;
	(void)snprintf(s->name, sizeof(s->name), "%s", name != NULL ? name : "");
	ev_break(world->loop, EVBREAK_ONE);	/* what was fed is called before the loop waits: have the test look */
}

static void on_barrier(void *data, enum watch_hint hint, const char *name)
{
	(void)data;
	if (hint == WATCH_CHANGED && name != NULL)
		world->barriers++;
	ev_break(world->loop, EVBREAK_ONE);
}

static void on_warn(void *data, const char *text)
{
	(void)data;
	assert_non_null(strstr(text, "scanned"));
	world->warnings++;
}

static bool on_denied(void *data, struct watch_path *p, const char *path)
{
	(void)data;
	assert_int_equal(path[0], '/');
	world->denied = p;
	world->denials++;
	return world->help;
}

static void on_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop; (void)timer; (void)revents;
	world->late = true;
}

static void run_until(bool (*done)(unsigned arg), unsigned arg)
{
	ev_timer deadline;
	ev_timer_init(&deadline, on_late, DEADLINE_S, 0);
	ev_now_update(world->loop);
	ev_timer_start(world->loop, &deadline);
	world->late = false;
	while (!done(arg) && !world->late)
		ev_run(world->loop, EVRUN_ONCE);
	ev_timer_stop(world->loop, &deadline);
	assert_false(world->late);
}

static bool barrier_passed(unsigned arg) { return world->barriers >= arg; }
static bool hints_are(unsigned arg) { return world->n >= arg; }

/* Everything done up to here has been reported. */
static void settle(void)
{
	edit("barrier/b", "x");
	run_until(barrier_passed, world->barriers + 1);
}

static void forget(void) { world->n = 0; }

static unsigned count(enum watch_hint hint)
{
	unsigned c = 0;
	for (unsigned i = 0; i < world->n; i++)
		c += world->seen[i].hint == hint;
	return c;
}

/* Since the last look: so many of this kind, and the last one was it. */
static void expect(enum watch_hint hint)
{
	settle();
	assert_true(world->n >= 1);
	assert_int_equal(world->seen[world->n - 1].hint, hint);
	forget();
}

static void expect_nothing(void)
{
	settle();
	assert_int_equal(world->n, 0);
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

/* What happened before is none of the new path's business. */
static struct watch_path *file(const char *name)
{
	struct watch_path *p = NULL;
	settle();
	assert_int_equal(watch_file(world->w, at(name), on_hint, NULL, &p), 0);
	return p;
}

static struct watch_path *directory(const char *name)
{
	struct watch_path *p = NULL;
	settle();
	assert_int_equal(watch_directory(world->w, at(name), on_hint, NULL, &p), 0);
	return p;
}

static void start(unsigned interval_ms)
{
	const struct watch_config config = {
		.loop = world->loop, .scan_interval_ms = interval_ms, .denied = on_denied, .warn = on_warn,
	};
	world->w = watch_free(world->w);
	assert_int_equal(watch_new(&config, &world->w), 0);
	assert_int_equal(watch_directory(world->w, at("barrier"), on_barrier, NULL, &world->barrier), 0);
}

static int setup(void **state)
{
	(void)state;
	world = calloc(1, sizeof(*world));
	strcpy(world->dir, "/tmp/regent-watch-XXXXXX");
	if (mkdtemp(world->dir) == NULL)
		return -1;
	world->loop = ev_loop_new(EVFLAG_AUTO);
	make_dir("barrier");
	start(60000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	char command[PATH_MAX];
	watch_system.add_watch = inotify_add_watch;
	watch_system.file_system = statfs;
	watch_free(world->w);
	ev_loop_destroy(world->loop);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", world->dir);
	int r = system(command);
	free(world);
	return r;
}

/* --- files */

static void file_appears_half_written(void **state)
{
	(void)state;
	file("x.ini");
	int fd = create("x.ini");
	put(fd, "[uwsgi]\nhalf");
	expect(WATCH_WRITING);
	put(fd, "the rest");
	expect_nothing();
	close(fd);
	settle();
	assert_int_equal(world->n, 1);
	assert_int_equal(world->seen[0].hint, WATCH_CHANGED);
}

static void file_appears_whole_by_link_rename_symlink(void **state)
{
	(void)state;
	edit("other", "whole");
	file("hard.ini");
	file("moved.ini");
	file("soft.ini");
	assert_int_equal(link(at("other"), at("hard.ini")), 0);
	expect(WATCH_CHANGED);
	make_link("other", "soft.ini");
	expect(WATCH_CHANGED);
	move("other", "moved.ini");
	settle();
	assert_int_equal(count(WATCH_GONE), 1);		/* soft.ini dangles now */
	assert_int_equal(count(WATCH_CHANGED), 1);
}

static void file_changed_in_place_and_by_rename(void **state)
{
	(void)state;
	edit("x.ini", "1");
	file("x.ini");
	edit("x.ini", "2");
	expect(WATCH_CHANGED);
	edit("x.tmp", "3");
	expect_nothing();
	move("x.tmp", "x.ini");
	expect(WATCH_CHANGED);
	edit("x.ini", "4");	/* the new inode is seen as well */
	expect(WATCH_CHANGED);
	assert_int_equal(chmod(at("x.ini"), 0600), 0);
	expect(WATCH_CHANGED);
}

static void every_edit_of_one_second(void **state)
{
	(void)state;
	edit("x.ini", "1");
	file("x.ini");
	for (int i = 0; i < 5; i++) {
		edit("x.ini", "same length");
		settle();
	}
	assert_int_equal(count(WATCH_CHANGED), 5);
}

static void file_removed_and_back(void **state)
{
	(void)state;
	edit("x.ini", "1");
	file("x.ini");
	drop("x.ini");
	expect(WATCH_GONE);
	edit("x.ini", "2");
	settle();
	assert_int_equal(count(WATCH_CHANGED), 1);
	assert_int_equal(count(WATCH_GONE), 0);
}

static void file_replaced_by_one_being_written(void **state)
{
	(void)state;
	edit("x.ini", "1");
	file("x.ini");
	drop("x.ini");
	int fd = create("x.ini");
	expect(WATCH_WRITING);
	close(fd);
	expect(WATCH_CHANGED);
}

static void link_switched_to_older_file(void **state)
{
	(void)state;
	edit("old", "1");
	edit("new", "2");
	make_link("new", "x.ini");
	file("x.ini");
	switch_link("old", "x.ini");
	expect(WATCH_CHANGED);
	edit("new", "no longer ours");
	expect_nothing();
	edit("old", "ours");
	expect(WATCH_CHANGED);
}

static void link_switched_from_one_being_written(void **state)
{
	(void)state;
	edit("old", "1");
	make_link("new", "x.ini");
	file("x.ini");
	int fd = create("new");
	expect(WATCH_WRITING);
	switch_link("old", "x.ini");
	expect(WATCH_CHANGED);
	close(fd);
	expect_nothing();
}

static void directory_link_on_the_way_switched(void **state)
{
	(void)state;
	make_dir("r1");
	make_dir("r2");
	edit("r1/x.ini", "1");
	edit("r2/x.ini", "2");
	make_link("r2", "current");
	make_link("current/x.ini", "x.ini");
	file("x.ini");
	switch_link("r1", "current");
	expect(WATCH_CHANGED);
	edit("r1/x.ini", "3");
	expect(WATCH_CHANGED);
	edit("r2/x.ini", "3");
	expect_nothing();
	switch_link(at("r2/../r2"), "current");	/* absolute, with ".." */
	expect(WATCH_CHANGED);
	edit("r2/x.ini", "4");
	expect(WATCH_CHANGED);
}

static void directory_moved_away_and_back(void **state)
{
	(void)state;
	make_dir("a");
	make_dir("a/b");
	edit("a/b/x.ini", "1");
	file("a/b/x.ini");
	unsigned before = watches();
	move("a", "elsewhere");
	expect(WATCH_GONE);
	assert_int_equal(watches(), before - 2);	/* what is no longer on the way is not watched */
	edit("elsewhere/b/x.ini", "2");
	expect_nothing();
	move("elsewhere", "a");
	expect(WATCH_CHANGED);
	edit("a/b/x.ini", "3");
	expect(WATCH_CHANGED);
}

static void directory_not_there_yet(void **state)
{
	(void)state;
	file("a/b/c/x.ini");
	make_dir("a");
	expect(WATCH_GONE);
	make_dir("a/b");
	make_dir("a/b/c");
	expect(WATCH_GONE);
	edit("a/b/c/x.ini", "1");
	expect(WATCH_CHANGED);
	drop("a/b/c/x.ini");
	assert_int_equal(rmdir(at("a/b/c")), 0);
	assert_int_equal(rmdir(at("a/b")), 0);
	expect(WATCH_GONE);
	make_dir("a/b");
	make_dir("a/b/c");
	edit("a/b/c/x.ini", "2");
	expect(WATCH_CHANGED);
}

static void link_loop_is_mended(void **state)
{
	(void)state;
	make_link("two", "one");
	make_link("one", "two");
	file("one");
	edit("real", "1");
	switch_link("real", "two");
	expect(WATCH_CHANGED);
	switch_link("one", "two");
	expect(WATCH_GONE);
}

/* No close ever comes for these. */
static void file_without_a_close(void **state)
{
	(void)state;
	char proc[64];
	start(300);
	file("tmpfile.ini");
	int fd = open(world->dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	put(fd, "whole");
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	assert_int_equal(linkat(AT_FDCWD, proc, AT_FDCWD, at("tmpfile.ini"), AT_SYMLINK_FOLLOW), 0);
	run_until(hints_are, 2);
	assert_int_equal(world->seen[0].hint, WATCH_WRITING);
	assert_int_equal(world->seen[1].hint, WATCH_CHANGED);
	close(fd);
	directory("");
	forget();
	assert_int_equal(mknod(at("node.ini"), S_IFREG | 0644, 0), 0);
	run_until(hints_are, 2);
	assert_int_equal(world->seen[0].hint, WATCH_WRITING);
	assert_int_equal(world->seen[1].hint, WATCH_CHANGED);
	assert_string_equal(world->seen[1].name, "node.ini");
}

static bool late(unsigned arg) { (void)arg; return world->late; }

/* Counts the turns of the loop within the time. */
static unsigned turns_in(double seconds)
{
	ev_timer end;
	ev_timer_init(&end, on_late, seconds, 0);
	ev_now_update(world->loop);
	ev_timer_start(world->loop, &end);
	world->late = false;
	unsigned before = ev_iteration(world->loop);
	while (!late(0))
		ev_run(world->loop, EVRUN_ONCE);
	return ev_iteration(world->loop) - before;
}

static void idle_means_idle(void **state)
{
	(void)state;
	start(10);
	edit("x.ini", "1");
	file("x.ini");
	file("missing/y.ini");
	int fd = create("fresh.ini");
	directory("");
	settle();
	close(fd);
	int log = create("busy.log");	/* being written, for as long as it is a log */
	settle();
	run_until(hints_are, 1);
	while (watch_path_writing(world->barrier, "b") || turns_in(0.2) > 1)	/* until the new log is an old one */
		;
	for (int i = 0; i < 1000; i++)
		put(log, "line\n");
	int queued = -1;
	assert_int_equal(ioctl(watch_fd(world->w), FIONREAD, &queued), 0);
	assert_int_equal(queued, 0);
	assert_int_equal(turns_in(0.2), 1);
	close(log);
}

/* --- directories */

static void directory_tells_names(void **state)
{
	(void)state;
	make_dir("d");
	edit("d/old.ini", "1");
	struct watch_path *p = directory("d");
	int fd = create("d/new.ini");
	settle();
	assert_int_equal(world->n, 1);
	assert_int_equal(world->seen[0].hint, WATCH_WRITING);
	assert_true(watch_path_writing(p, "new.ini"));
	assert_false(watch_path_writing(p, "old.ini"));
	assert_int_equal(fchmod(fd, 0600), 0);	/* no reason to act */
	settle();
	assert_int_equal(world->n, 1);
	close(fd);
	settle();
	assert_int_equal(world->n, 2);
	assert_int_equal(world->seen[1].hint, WATCH_CHANGED);
	assert_string_equal(world->seen[1].name, "new.ini");
	assert_false(watch_path_writing(p, "new.ini"));
	forget();
	move("d/old.ini", "d/older.ini");
	settle();
	assert_int_equal(world->n, 2);
	assert_int_equal(world->seen[0].hint, WATCH_GONE);
	assert_string_equal(world->seen[0].name, "old.ini");
	assert_int_equal(world->seen[1].hint, WATCH_CHANGED);
	assert_string_equal(world->seen[1].name, "older.ini");
	forget();
	drop("d/older.ini");
	expect(WATCH_GONE);
}

static void directory_comes_and_goes(void **state)
{
	(void)state;
	directory("a/d");
	make_dir("a");
	make_dir("a/d");
	settle();
	assert_int_equal(world->seen[world->n - 1].hint, WATCH_CHANGED);
	assert_string_equal(world->seen[world->n - 1].name, "");
	forget();
	edit("a/d/x", "1");
	settle();
	assert_string_equal(world->seen[world->n - 1].name, "x");
	forget();
	move("a", "b");
	expect(WATCH_GONE);
	edit("b/d/x", "2");
	expect_nothing();
	move("b", "a");
	settle();
	assert_int_equal(world->seen[world->n - 1].hint, WATCH_CHANGED);
	assert_string_equal(world->seen[world->n - 1].name, "");
}

/* touch: utimensat and close, one hint; whatever the number of files and paths. */
static void one_touch_among_thousands_is_one_hint(void **state)
{
	(void)state;
	char name[32];
	make_dir("d");
	unsigned before = watches();
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof(name), "d/%d.ini", i);
		edit(name, "1");
	}
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(name, sizeof(name), "d/%d.ini", i);
		file(name);
	}
	directory("d");
	settle();
	assert_true(watches() <= before + 2);
	forget();
	unsigned turns = ev_iteration(world->loop);
	int fd = open(at("d/777.ini"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(futimens(fd, NULL), 0);
	close(fd);
	settle();
	assert_int_equal(world->n, 2);	/* one for the directory, one for the file */
	assert_string_equal(world->seen[0].name, "777.ini");
	assert_true(ev_iteration(world->loop) - turns <= 2);
}

/* What happens in a directory that is only passed is not even an event. */
static void busy_ancestor_is_not_heard(void **state)
{
	(void)state;
	make_dir("busy");
	make_dir("busy/d");
	edit("busy/d/x.ini", "1");
	file("busy/d/x.ini");
	settle();
	edit("busy/other", "1");
	move("busy/other", "busy/another");
	drop("busy/another");
	int queued = -1;
	assert_int_equal(ioctl(watch_fd(world->w), FIONREAD, &queued), 0);
	assert_int_equal(queued, 0);
	move("busy/d", "busy/e");
	expect(WATCH_GONE);
	make_dir("busy/d");
	assert_int_equal(link(at("busy/e/x.ini"), at("busy/d/x.ini")), 0);
	expect(WATCH_CHANGED);
	/* Two directories change places: what is at the path is another file. */
	assert_int_equal(renameat2(AT_FDCWD, at("busy/d"), AT_FDCWD, at("busy/e"), RENAME_EXCHANGE), 0);
	expect(WATCH_CHANGED);
	/* One who only passes takes nothing from one who wants its names. */
	directory("busy");
	file("busy/d/y.ini");
	edit("busy/other", "1");
	expect(WATCH_CHANGED);
}

static void watches_go_with_their_users(void **state)
{
	(void)state;
	make_dir("d");
	make_dir("d/e");
	unsigned before = watches();
	struct watch_path *a = file("d/e/x"), *b = file("d/e/y"), *c = directory("d/e");
	assert_int_equal(watches(), before + 2);
	watch_path_free(a);
	watch_path_free(c);
	assert_int_equal(watches(), before + 2);
	edit("d/e/y", "1");
	expect(WATCH_CHANGED);
	watch_path_free(b);
	assert_int_equal(watches(), before);
}

static struct watch_path *victims[3];
static void on_hint_free_all(void *data, enum watch_hint hint, const char *name)
{
	on_hint(data, hint, name);
	for (unsigned i = 0; i < ARRAY_SIZE(victims); i++)
		victims[i] = watch_path_free(victims[i]);
}

static void paths_may_be_freed_by_a_hint(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(watch_directory(world->w, world->dir, on_hint_free_all, NULL, &victims[i]), 0);
	edit("x", "1");
	settle();
	assert_int_equal(world->n, 1);
	forget();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(watch_file(world->w, at("x"), on_hint_free_all, NULL, &victims[i]), 0);
	drop("x");
	settle();
	assert_int_equal(world->n, 1);
}

static void overflow_looks_at_everything_again(void **state)
{
	(void)state;
	long max = 0;
	struct watch_path *p = NULL;
	make_dir("d");
	edit("d/f", "1");
	edit("d/g", "1");
	directory("d");
	assert_int_equal(watch_file(world->w, at("x.ini"), on_hint, &max, &p), 0);
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld", &max), 1);
	fclose(f);
	for (long i = 0; i <= max; i++)	/* two names in turn: equal neighbours would be one event */
		assert_int_equal(chmod(at(i % 2 ? "d/g" : "d/f"), 0700), 0);
	edit("x.ini", "lost in the flood");
	run_until(hints_are, 1);
	bool lists_again = false, sees_file = false;
	while (!lists_again || !sees_file) {
		for (unsigned i = 0; i < world->n; i++) {
			lists_again |= world->seen[i].who == NULL && world->seen[i].name[0] == '\0';
			sees_file |= world->seen[i].hint == WATCH_CHANGED && world->seen[i].who == &max;
		}
		forget();
		if (!lists_again || !sees_file)
			run_until(hints_are, 1);
	}
}

/* --- what inotify cannot see */

static const char *no_watch_for;	/* paths with this in them get fail_with */
static int fail_with;
static int add_watch_or_fail(int fd, const char *path, uint32_t mask)
{
	if (no_watch_for != NULL && strstr(path, no_watch_for) != NULL) {
		errno = fail_with;
		return -1;
	}
	return inotify_add_watch(fd, path, mask);
}

static int all_is_nfs(const char *path, struct statfs *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->f_type = strstr(path, "nfs") != NULL ? 0x6969 : 0xEF53;
	return 0;
}

static void exhausted_watches_are_scanned_for(void **state)
{
	(void)state;
	start(20);
	make_dir("full");
	edit("full/x.ini", "1");
	watch_system.add_watch = add_watch_or_fail;
	no_watch_for = "full";
	fail_with = ENOSPC;
	struct watch_path *a = file("full/x.ini"), *b = directory("full"), *c = file("y.ini");
	assert_true(watch_path_scanned(a));
	assert_true(watch_path_scanned(b));
	assert_false(watch_path_scanned(c));
	assert_int_equal(world->warnings, 1);
	edit("full/x.ini", "22");
	run_until(hints_are, 2);
	assert_int_equal(count(WATCH_CHANGED), 2);
	forget();
	edit("full/new.ini", "");
	run_until(hints_are, 1);
	assert_int_equal(world->seen[0].hint, WATCH_CHANGED);
	forget();
	drop("full/x.ini");
	run_until(hints_are, 2);
	assert_int_equal(count(WATCH_GONE), 1);
	assert_int_equal(world->warnings, 1);
	/* There are some again: watched, and no timer is left. */
	no_watch_for = NULL;
	forget();
	while (watch_path_scanned(a) || watch_path_scanned(b))
		assert_true(turns_in(0.05) > 0);
	forget();
	edit("full/x.ini", "3");
	settle();
	assert_int_equal(count(WATCH_CHANGED), 2);
	assert_int_equal(turns_in(0.2), 1);
}

static void network_file_systems_are_scanned(void **state)
{
	(void)state;
	start(20);
	watch_system.file_system = all_is_nfs;
	watch_system.add_watch = add_watch_or_fail;
	no_watch_for = "nfs";	/* what other machines do makes no event: as if nothing were watched */
	fail_with = EACCES;
	make_dir("nfs");
	edit("nfs/x.ini", "1");
	struct watch_path *a = file("nfs/x.ini"), *b = file("nfs/y.ini"), *c = file("here.ini");
	assert_true(watch_path_scanned(a));
	assert_true(watch_path_scanned(b));
	assert_false(watch_path_scanned(c));
	assert_int_equal(world->warnings, 1);
	edit("nfs/y.ini", "1");
	run_until(hints_are, 1);
	assert_int_equal(world->seen[0].hint, WATCH_CHANGED);
	watch_path_free(a);
	watch_path_free(b);
	assert_int_equal(turns_in(0.2), 1);
}

/* --- helpers */

static void helper_answers(void)
{
	struct watch_walk walk;
	const char *hidden = no_watch_for;
	no_watch_for = NULL;
	assert_int_equal(watch_walk(watch_fd(world->w), at("home/x.ini"), &walk), 0);
	no_watch_for = hidden;
	assert_int_equal(watch_path_walked(world->denied, &walk), 0);
}

static void denied_paths_are_walked_by_a_helper(void **state)
{
	(void)state;
	start(20);
	make_dir("home");
	edit("home/x.ini", "1");
	watch_system.add_watch = add_watch_or_fail;
	no_watch_for = "home";
	fail_with = EACCES;
	world->help = true;
	struct watch_path *p = file("home/x.ini");
	assert_int_equal(world->denials, 1);
	assert_ptr_equal(world->denied, p);
	assert_false(watch_path_scanned(p));
	expect_nothing();
	helper_answers();
	assert_int_equal(world->n, 1);	/* from now on nothing is missed: look */
	forget();
	edit("home/x.ini", "2");
	settle();
	assert_int_equal(world->n, 0);
	assert_int_equal(world->denials, 2);
	edit("home/x.ini", "3");	/* while the helper is on its way: it must go again */
	settle();
	assert_int_equal(world->denials, 2);
	helper_answers();
	assert_int_equal(count(WATCH_CHANGED), 1);
	settle();
	assert_int_equal(world->denials, 3);
	helper_answers();
	assert_int_equal(count(WATCH_CHANGED), 2);
	settle();
	settle();
	assert_int_equal(world->denials, 3);
	/* What the helper had added stays while it is asked again: no further round is needed. */
	edit("home/x.ini", "4");
	settle();
	settle();
	assert_int_equal(world->denials, 4);
	helper_answers();
	settle();
	settle();
	assert_int_equal(world->denials, 4);
	watch_path_free(p);
}

/* Its directory had a user here, who goes while the helper is on its way. */
static void helper_and_the_last_user(void **state)
{
	(void)state;
	make_dir("home");
	make_dir("d");
	edit("d/x.ini", "1");
	struct watch_path *p, *other = file("d/y.ini");
	struct watch_walk walk;
	watch_system.add_watch = add_watch_or_fail;
	no_watch_for = "home";
	fail_with = EACCES;
	world->help = true;
	p = file("home/x.ini");		/* nothing there as far as we see; the helper finds d/x.ini behind it */
	assert_int_equal(world->denials, 1);
	assert_int_equal(watch_walk(watch_fd(world->w), at("d/x.ini"), &walk), 0);
	other = watch_path_free(other);
	assert_int_equal(watch_path_walked(p, &walk), 0);
	settle();
	assert_int_equal(world->denials, 1);
	edit("d/x.ini", "2");
	settle();
	assert_int_equal(world->denials, 2);
}

/* An event that comes between the helper's watch and its answer. */
static void helper_watches_before_we_know(void **state)
{
	(void)state;
	struct watch_walk walk;
	make_dir("home");
	edit("home/x.ini", "1");
	watch_system.add_watch = add_watch_or_fail;
	no_watch_for = "home";
	fail_with = EACCES;
	world->help = true;
	file("home/x.ini");
	no_watch_for = NULL;
	assert_int_equal(watch_walk(watch_fd(world->w), at("home/x.ini"), &walk), 0);
	no_watch_for = "home";
	edit("home/x.ini", "2");
	settle();
	assert_int_equal(watch_path_walked(world->denied, &walk), 0);
	assert_int_equal(world->denials, 1);
	assert_true(turns_in(0.05) > 0);
	assert_int_equal(world->denials, 2);
}

static void failed_helper_is_tried_again(void **state)
{
	(void)state;
	static struct watch_walk failed = { .error = -EIO };
	start(20);
	make_dir("home");
	edit("home/x.ini", "1");
	watch_system.add_watch = add_watch_or_fail;
	no_watch_for = "home";
	fail_with = EACCES;
	world->help = true;
	struct watch_path *p = file("home/x.ini");
	assert_int_equal(watch_path_walked(p, &failed), 0);
	assert_int_equal(world->seen[0].hint, WATCH_CHANGED);
	assert_true(watch_path_scanned(p));
	while (world->denials < 2)
		assert_true(turns_in(0.05) > 0);
	helper_answers();
	assert_false(watch_path_scanned(p));
	assert_int_equal(turns_in(0.1), 1);
	/* The owner gives up helping: what can be seen without is scanned. */
	world->help = false;
	forget();
	edit("home/x.ini", "222");
	expect(WATCH_CHANGED);
	assert_true(watch_path_scanned(p));
	edit("home/x.ini", "33333");
	run_until(hints_are, 1);
}

/* The real thing: a 0711 directory as another user, searchable and not readable. */
static void unreadable_directory_is_denied(void **state)
{
	(void)state;
	struct watch_walk walk;
	assert_int_equal(geteuid(), 0);
	make_dir("home");
	make_dir("home/app");
	edit("home/app/x.ini", "1");
	assert_int_equal(chmod(world->dir, 0755), 0);
	assert_int_equal(chmod(at("home"), 0711), 0);
	assert_int_equal(seteuid(65534), 0);
	int r = watch_walk(watch_fd(world->w), at("home/app/x.ini"), &walk);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(r, 0);
	assert_true(walk.denied);
	assert_string_equal(walk.steps[walk.n_steps - 1].name, "x.ini");	/* what lies behind is watched */
	assert_int_equal(chmod(at("home"), 0700), 0);
	assert_int_equal(seteuid(65534), 0);
	r = watch_walk(watch_fd(world->w), at("home/app/x.ini"), &walk);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(r, -EACCES);
	assert_string_equal(walk.steps[walk.n_steps - 1].name, "home");
}

static void walk_refuses_what_does_not_fit(void **state)
{
	(void)state;
	static struct watch_walk walk;
	char *path = calloc(1, 2 * PATH_MAX);
	assert_int_equal(watch_walk(watch_fd(world->w), "relative", &walk), -EINVAL);
	memset(path, 'a', 300);
	path[0] = '/';
	assert_int_equal(watch_walk(watch_fd(world->w), path, &walk), -ENAMETOOLONG);
	memset(path, '/', 2 * PATH_MAX - 1);
	assert_int_equal(watch_walk(watch_fd(world->w), path, &walk), -ENAMETOOLONG);
	struct watch_path *p = NULL;
	assert_int_equal(watch_file(world->w, path, on_hint, NULL, &p), -ENAMETOOLONG);
	assert_null(p);
	path[0] = '\0';
	for (int i = 0; i < 100; i++)
		strcat(path, "/tmp/..");
	assert_int_equal(watch_walk(watch_fd(world->w), path, &walk), -ELOOP);
	assert_int_equal(walk.n_steps, WATCH_STEPS_MAX);
	free(path);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(file_appears_half_written), T(file_appears_whole_by_link_rename_symlink), T(file_changed_in_place_and_by_rename),
		T(every_edit_of_one_second), T(file_removed_and_back), T(file_replaced_by_one_being_written),
		T(link_switched_to_older_file), T(link_switched_from_one_being_written), T(directory_link_on_the_way_switched), T(directory_moved_away_and_back),
		T(directory_not_there_yet), T(link_loop_is_mended), T(file_without_a_close), T(idle_means_idle),
		T(directory_tells_names), T(directory_comes_and_goes), T(one_touch_among_thousands_is_one_hint),
		T(busy_ancestor_is_not_heard), T(watches_go_with_their_users), T(paths_may_be_freed_by_a_hint), T(overflow_looks_at_everything_again),
		T(exhausted_watches_are_scanned_for), T(network_file_systems_are_scanned), T(denied_paths_are_walked_by_a_helper),
		T(helper_and_the_last_user), T(helper_watches_before_we_know), T(failed_helper_is_tried_again), T(unreadable_directory_is_denied),
		T(walk_refuses_what_does_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
