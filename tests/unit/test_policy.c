/* policy: which names are whose, as whom, with what arguments and environment. The refusals over the link are in test_keeper.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/policy.h"
#include "vassals/util.h"

#define RULER 65533U

static char *no_environment[] = { NULL };
static char directory[] = "/tmp/regent-unit-XXXXXX";

static struct policy *make(const struct options *o, char *const *environment)
{
	struct policy *p = NULL;
	assert_int_equal(policy_new(o, RULER, environment, &p), 0);
	return p;
}

static struct options with_monitors(char **items, size_t n)
{
	static char program[] = "/usr/bin/uwsgi";
	static char *none[1];
	return (struct options){ .emperor = { items, n }, .binary_path = program, .uid_number = IDENTITY_NONE, .gid_number = (gid_t)-1,
				 .emperor_extra_extension = { none, 0 }, .vassal_users = { none, 0 } };
}

/* ---- environment */

static const char *joined(char *const *list)
{
	static char text[1024];
	text[0] = '\0';
	for (; *list; list++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s|", *list);
	return text;
}

static void expect_environment(char *const *from, const char *expected)
{
	char *items[] = { directory };
	struct options o = with_monitors(items, 1);
	struct policy *p = make(&o, from);
	assert_string_equal(joined(p->environment), expected);
	assert_string_equal(joined((char *const *)(uintptr_t)policy_environment(p, false)), expected);
	char held[1024];
	snprintf(held, sizeof held, "%sUWSGI_RELOADS=0|", expected);
	assert_string_equal(joined((char *const *)(uintptr_t)policy_environment(p, true)), held);
	policy_free(p);
}

#define OWN "UWSGI_ORIGINAL_PROC_NAME=uwsgi|UWSGI_EMPEROR_FD=3|"
#define ENVIRONMENT(...) ((char *[]){ __VA_ARGS__, NULL })
#define S(text) ((char[]){ text })

static void test_environment(void **state)
{
	(void)state;
	expect_environment(no_environment, OWN);
	expect_environment(ENVIRONMENT(S("PATH=/bin"), S("DJANGO_SETTINGS_MODULE=a.b"), S("EMPTY=")),
			   "PATH=/bin|DJANGO_SETTINGS_MODULE=a.b|EMPTY=|" OWN);
	expect_environment(ENVIRONMENT(S("UWSGI_RELOADS=3"), S("NOTIFY_SOCKET=/run/x"), S("UWSGI_EMPEROR_FD=9"), S("UWSGI_EMPEROR_FD_CONFIG=8"),
				       S("A=1")), "A=1|" OWN);
	expect_environment(ENVIRONMENT(S("UWSGI_VASSAL_SET=x=y"), S("UWSGI_RELOADSX=1")), "UWSGI_RELOADSX=1|UWSGI_SET=x=y|" OWN);
	/* it replaces what is there, wherever it stands; and nobody can name another wire */
	expect_environment(ENVIRONMENT(S("UWSGI_VASSAL_A=2"), S("UWSGI_A=1"), S("B=1")), "UWSGI_A=2|B=1|" OWN);
	expect_environment(ENVIRONMENT(S("UWSGI_VASSAL_EMPEROR_FD=9"), S("UWSGI_ORIGINAL_PROC_NAME=me")),
			   "UWSGI_ORIGINAL_PROC_NAME=uwsgi|UWSGI_EMPEROR_FD=3|");
	expect_environment(ENVIRONMENT(S("UWSGI_VASSAL_"), S("odd")), "odd|" OWN);
}

/* ---- arguments */

static void test_arguments(void **state)
{
	char *b[] = { S("b1"), S("b2") }, *ib[] = { S("ib") }, *set[] = { S("x=1") }, *i[] = { S("i") }, *in[] = { S("in") };
	char *extra[] = { S(".vassal"), NULL };
	char *items[] = { directory };
	const char *const *argv;
	struct options o = with_monitors(items, 1);
	(void)state;
	o.vassals_inherit_before = (struct options_list){ b, 2 };
	o.vassals_include_before = (struct options_list){ ib, 1 };
	o.vassals_set = (struct options_list){ set, 1 };
	o.vassals_inherit = (struct options_list){ i, 1 };
	o.vassals_include = (struct options_list){ in, 1 };
	o.emperor_extra_extension = (struct options_list){ extra, 1 };
	struct policy *p = make(&o, no_environment);
	static const struct { const char *name, *option; } names[] = {
		{ "a.ini", "--ini" }, { "a.xml", "--xml" }, { "a.yml", "--yaml" }, { "a.yaml", "--yaml" }, { "a.js", "--json" },
		{ "a.json", "--json" }, { "a.vassal", "--config" }, { "-x.ini", "--ini" }, { "--help.ini", "--ini" },
	};
	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		char expected[256];
		assert_int_equal(policy_argv(p, names[n].name, NULL, &argv), 0);
		snprintf(expected, sizeof expected, "/usr/bin/uwsgi|--inherit|b1|--inherit|b2|--include|ib|--set|x=1|%s|%s|--inherit|i|--include|in|",
			 names[n].option, names[n].name);
		assert_string_equal(joined((char *const *)(uintptr_t)argv), expected);
	}
	policy_free(p);
}

static void expect_held(struct policy *p, const struct policy_held *held, const char *expected)
{
	const char *const *argv = NULL;
	int r = policy_argv(p, "a.ini", held, &argv);
	assert_int_equal(r, expected ? 0 : -EINVAL);
	if (expected)
		assert_string_equal(joined((char *const *)(uintptr_t)argv), expected);
}

/* What is held comes last, so that nothing in an ini or a list takes it back. */
static void test_held_arguments(void **state)
{
	char *items[] = { directory }, *in[] = { S("in") };
	struct options o = with_monitors(items, 1);
	(void)state;
	o.vassals_include = (struct options_list){ in, 1 };
	struct policy *p = make(&o, no_environment);
	struct policy_held held = { .private_socket = "/run/regent/probe.7" };
	expect_held(p, &held, "/usr/bin/uwsgi|--ini|a.ini|--include|in|--log-reopen|--uwsgi-socket|/run/regent/probe.7|");
	held.mercy = POLICY_MERCY_MAX;
	expect_held(p, &held, "/usr/bin/uwsgi|--ini|a.ini|--include|in|--log-reopen|--uwsgi-socket|/run/regent/probe.7|"
		    "--worker-reload-mercy|86400|");
	held.mercy++;
	expect_held(p, &held, NULL);
	held.mercy = 0;
	held.config = "/srv/next/a.ini";
	expect_held(p, &held, "/usr/bin/uwsgi|--ini|/srv/next/a.ini|--include|in|--log-reopen|--uwsgi-socket|/run/regent/probe.7|");
	static const char *const wrong[] = { "a.ini", "", "/", ".ini", "/.ini", "/a.xml", "/a.ini/", "/etc/shadow", "--x.ini" };
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		held.config = wrong[i];
		expect_held(p, &held, NULL);
	}
	policy_free(p);
}

static void test_wrapper(void **state)
{
	char *items[] = { directory }, wrapper[] = "/usr/bin/wrapper";
	struct options o = with_monitors(items, 1);
	(void)state;
	o.emperor_wrapper = wrapper;
	struct policy *p = make(&o, no_environment);
	assert_string_equal(p->programs[0], wrapper);
	assert_null(p->programs[1]);
	policy_free(p);
}

/* ---- names */

static int ask(struct policy *p, unsigned monitor, const char *name, struct identity *id, char *why)
{
	return policy_identity(p, monitor, name, 1000, 1000, id, why, 1024);
}

static bool belongs(struct policy *p, unsigned monitor, const char *name)
{
	char why[1024];
	struct identity id;
	p->privileged = false;
	int r = ask(p, monitor, name, &id, why);
	assert_true(r == 0 || (r == -EPERM && strstr(why, "does not belong")));
	return r == 0;
}

static void test_names_of_a_directory(void **state)
{
	char *items[] = { directory }, name[300];
	struct options o = with_monitors(items, 1);
	struct policy *p = make(&o, no_environment);
	(void)state;
	const char *const good[] = { "a.ini", ".ini", "-.ini", "..ini", "a b.ini", "a\nb.ini", "\xc3\xbc.ini", "a..ini", "a.xml.ini" };
	const char *const bad[] = { "", ".", "..", "a.txt", "a.INI", "/a.ini", "../a.ini", "x/a.ini", "x/../a.ini", "a.ini/", "./a.ini" };
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(belongs(p, 0, good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(belongs(p, 0, bad[i]));
	assert_false(belongs(p, 1, "a.ini"));
	assert_false(belongs(p, 65535, "a.ini"));
	memset(name, 'n', sizeof name);
	strcpy(name + 250, ".ini");
	assert_true(belongs(p, 0, name));
	strcpy(name + 251, ".ini");
	assert_false(belongs(p, 0, name));
	policy_free(p);
}

static void test_names_of_a_pattern(void **state)
{
	static char pattern[] = "/srv/*/uwsgi.ini", relative[] = "../conf/*.ini", scheme[] = "glob:///x/[ab].ini";
	char *items[] = { pattern, relative, scheme };
	struct options o = with_monitors(items, 3);
	struct policy *p = make(&o, no_environment);
	(void)state;
	assert_true(belongs(p, 0, "/srv/site/uwsgi.ini"));
	assert_false(belongs(p, 0, "/srv/site/deep/uwsgi.ini"));
	assert_false(belongs(p, 0, "/srv/.hidden/uwsgi.ini"));
	assert_false(belongs(p, 0, "/srv/../uwsgi.ini"));
	assert_false(belongs(p, 0, "/srv/site/other.ini"));
	assert_false(belongs(p, 0, "srv/site/uwsgi.ini"));
	assert_true(belongs(p, 1, "../conf/a.ini"));
	assert_false(belongs(p, 1, "../conf/../a.ini"));
	assert_false(belongs(p, 1, "../../etc/a.ini"));
	assert_true(belongs(p, 2, "/x/a.ini"));
	assert_false(belongs(p, 2, "/x/c.ini"));
	policy_free(p);
}

static void test_paths(void **state)
{
	static char pattern[] = "/srv/*.ini", relative[] = "conf/*.ini", here[] = "vassals";
	char *items[] = { directory, pattern, relative, here }, path[256], expected[512], cwd[256];
	struct options o = with_monitors(items, 4);
	struct policy *p = make(&o, no_environment);
	(void)state;
	assert_non_null(getcwd(cwd, sizeof cwd));
	snprintf(expected, sizeof expected, "%s/a.ini", directory);
	assert_int_equal(policy_path(p, 0, "a.ini", path, sizeof path), 0);
	assert_string_equal(path, expected);
	assert_int_equal(policy_path(p, 1, "/srv/a.ini", path, sizeof path), 0);
	assert_string_equal(path, "/srv/a.ini");
	snprintf(expected, sizeof expected, "%s/conf/a.ini", cwd);
	assert_int_equal(policy_path(p, 2, "conf/a.ini", path, sizeof path), 0);
	assert_string_equal(path, expected);
	snprintf(expected, sizeof expected, "%s/vassals/a.ini", cwd);
	assert_int_equal(policy_path(p, 3, "a.ini", path, sizeof path), 0);
	assert_string_equal(path, expected);
	assert_int_equal(policy_path(p, 4, "a.ini", path, sizeof path), -EINVAL);
	assert_int_equal(policy_path(p, 0, "a.ini", path, 10), -ENAMETOOLONG);
	policy_free(p);
}

/* ---- as whom */

static void test_fixed(void **state)
{
	char *items[] = { directory }, why[1024];
	struct options o = with_monitors(items, 1);
	struct identity id = { 0 };
	(void)state;
	if (geteuid() != 0)
		skip();
	o.uid_number = 65534;
	o.gid_number = 65531;
	struct policy *p = make(&o, no_environment);
	assert_int_equal(policy_identity(p, 0, "a.ini", 0, 0, &id, why, sizeof why), 0);	/* what is asked does not count */
	assert_true(id.uid == 65534 && id.gid == 65531);
	policy_free(p);
}

static void test_of_the_ini(void **state)
{
	static char user[] = "65534", *users[] = { user };
	char *items[] = { directory }, why[1024];
	struct options o = with_monitors(items, 1);
	struct identity id = { .uid = 77 };
	const struct { uid_t uid; gid_t gid; int r; const char *why; } cases[] = {
		{ 65534, 65534, 0, "" }, { 0, 65534, -EPERM, "a.ini asks to run as 0:65534" }, { 65534, 0, -EPERM, "65534:0, which is not allowed" },
		{ RULER, 65534, -EPERM, "the ruler's own" }, { IDENTITY_NONE, 65534, -EPERM, "--uid and --gid, or --emperor-tyrant" },
		{ 65534, (gid_t)-1, -EPERM, "give it uid and gid in its ini" }, { 1234, 1234, 0, "" },
	};
	(void)state;
	for (int restricted = 0; restricted < 2; restricted++) {
		o.vassal_users = (struct options_list){ users, (size_t)restricted };
		struct policy *p = make(&o, no_environment);
		p->privileged = true;
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			bool other = restricted && cases[i].r == 0 && cases[i].uid != 65534;
			id.uid = 77;
			assert_int_equal(policy_identity(p, 0, "a.ini", cases[i].uid, cases[i].gid, &id, why, sizeof why), other ? -EPERM : cases[i].r);
			assert_non_null(strstr(why, other ? "only those of vassal-users" : cases[i].why));
			assert_int_equal(id.uid, other || cases[i].r < 0 ? 77 : cases[i].uid);
		}
		policy_free(p);
	}
	struct policy *p = make(&o, no_environment);
	p->privileged = true;
	o.vassals_as_root = true;
	assert_int_equal(policy_identity(p, 0, "a.ini", IDENTITY_NONE, (gid_t)-1, &id, why, sizeof why), 0);
	assert_int_equal(id.uid, IDENTITY_NONE);
	policy_free(p);
}

static void test_tyrant(void **state)
{
	char *items[] = { directory }, why[1024], path[128], target[128];
	struct options o = with_monitors(items, 1);
	struct identity id;
	const struct { uid_t uid; gid_t gid; int r; const char *why; } cases[] = {
		{ 1234, 1235, 0, "" }, { 0, 1235, -EPERM, "belongs to 0:1235" }, { 1234, 0, -EPERM, "chown USER:GROUP a.ini" },
		{ RULER, 1235, -EPERM, "the ruler's own user" },
	};
	(void)state;
	if (geteuid() != 0)
		skip();
	o.emperor_tyrant = true;
	struct policy *p = make(&o, no_environment);
	snprintf(path, sizeof path, "%s/a.ini", directory);
	assert_int_equal(ask(p, 0, "a.ini", &id, why), -ENOENT);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(chown(path, cases[i].uid, cases[i].gid), 0);
		assert_int_equal(ask(p, 0, "a.ini", &id, why), cases[i].r);
		assert_non_null(strstr(why, cases[i].why));
		if (cases[i].r == 0)
			assert_true(id.uid == cases[i].uid && id.gid == cases[i].gid && id.n_groups == 0);
	}
	/* a link: the file's owner, or with nofollow the link's own */
	snprintf(target, sizeof target, "%s/target", directory);
	assert_int_equal(rename(path, target), 0);
	assert_int_equal(chown(target, 1234, 1235), 0);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(ask(p, 0, "a.ini", &id, why), 0);
	o.emperor_tyrant_nofollow = true;
	assert_int_equal(ask(p, 0, "a.ini", &id, why), -EPERM);
	assert_int_equal(lchown(path, 4321, 4322), 0);
	assert_int_equal(ask(p, 0, "a.ini", &id, why), 0);
	assert_true(id.uid == 4321 && id.gid == 4322);
	unlink(path);
	unlink(target);
	policy_free(p);
}

static int group_setup(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)state;
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_environment), cmocka_unit_test(test_arguments), cmocka_unit_test(test_held_arguments), cmocka_unit_test(test_wrapper),
		cmocka_unit_test(test_names_of_a_directory), cmocka_unit_test(test_names_of_a_pattern), cmocka_unit_test(test_paths),
		cmocka_unit_test(test_fixed), cmocka_unit_test(test_of_the_ini), cmocka_unit_test(test_tyrant),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
