#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor/options.h"
#include "supervisor/options_table.h"
#include "vassals/identity.h"
#include "vassals/spec.h"
#include "vassals/util.h"

#define WORDS_MAX 16

static char directory[] = "/tmp/regent-test-options-XXXXXX", ini[64], other[96];
static struct options *o;
static char *said;

static void forget(void)
{
	o = options_free(o);
	free(said);
	said = NULL;
}

/* words, NULL-terminated, after argv[0] */
static int parse(const char *const *words)
{
	char *argv[WORDS_MAX + 2] = { strdup("regent") };
	int argc = 1;
	size_t size;
	forget();
	for (; *words; words++)
		argv[argc++] = strdup(*words);
	FILE *err = open_memstream(&said, &size);
	int r = options_parse(argc, argv, err, &o);
	fclose(err);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	assert_true((r == 0) == (o != NULL));
	return r;
}
#define PARSE(...) parse((const char *const[]){ __VA_ARGS__, NULL })

/* status 2 after exactly this line */
#define REFUSED(line, ...) do { assert_int_equal(PARSE(__VA_ARGS__), OPTIONS_USAGE); assert_string_equal(said, "regent: " line "\n"); } while (0)

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* ":LINE: TEXT" about ini, as one of the lines said */
static bool said_of(const char *path, const char *text)
{
	char line[256];
	snprintf(line, sizeof(line), "regent: %s:%s\n", path, text);
	return strstr(said, line) != NULL;
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--emperor", "/v"), 0);
	assert_string_equal(said, "");
	assert_int_equal(o->emperor.n, 1);
	assert_null(o->emperor.items[1]);
	assert_int_equal(o->emperor_freq, 3);
	assert_int_equal(o->emperor_throttle, 1000);
	assert_int_equal(o->emperor_max_throttle, 180000);
	assert_int_equal(o->emperor_required_heartbeat, 30);
	assert_int_equal(o->ruler_patience, 10000);
	assert_int_equal(o->start_patience, 30000);
	assert_int_equal(o->start_timeout, 120000);
	assert_int_equal(o->ready_for, 1000);
	assert_int_equal(o->max_starting, 2 * sysconf(_SC_NPROCESSORS_ONLN));
	assert_string_equal(o->binary_path, "uwsgi");
	assert_string_equal(o->control_socket, "/run/regent/control.sock");
	assert_string_equal(o->ruler_user, "regent");
	assert_true(o->uid_number == IDENTITY_NONE && o->gid_number == (gid_t)-1);
	assert_null(o->log_syslog);
}

static void test_command_line_forms(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--emperor=/v", "-p", "4", "-p4", "-MT", "--emperor", "glob:///x/*.ini", "--emperor-freq=7", "--log-syslog", "--log-date",
			       "--run-directory", "/r", "--ready-for", "0.25", "--emperor-tyrant"), 0);
	assert_string_equal(said, "");
	assert_int_equal(o->emperor.n, 2);
	assert_string_equal(o->emperor.items[1], "glob:///x/*.ini");
	assert_string_equal(o->log_syslog, "");
	assert_string_equal(o->control_socket, "/r/control.sock");
	assert_int_equal(o->ready_for, 250);
	assert_true(o->emperor_tyrant && o->log_date && !o->emperor_nofollow);
	assert_int_equal(o->emperor_freq, 7);
	assert_int_equal(PARSE("--emperor", "v", "--log-syslog=court,local3", "--vassal-set", "a=1", "--vassals-set=b=2", "--emperor-extra-ext", "lua",
			       "--emperor-extra-extension", ".py"), 0);
	assert_string_equal(o->log_syslog, "court,local3");
	assert_string_equal(o->vassals_set.items[1], "b=2");
	assert_string_equal(o->emperor_extra_extension.items[0], ".lua");
	assert_string_equal(o->emperor_extra_extension.items[1], ".py");
}

/* --handover in its forms; what is said last counts, wherever it stands. */
static void test_deploys(void **state)
{
	static const struct { const char *word; enum spec_handover is; } forms[] = {
		{ "--handover", SPEC_HANDOVER_YES }, { "--handover=yes", SPEC_HANDOVER_YES }, { "--handover=on", SPEC_HANDOVER_YES },
		{ "--handover=no", SPEC_HANDOVER_NO }, { "--handover=force", SPEC_HANDOVER_FORCE },
	};
	(void)state;
	assert_int_equal(PARSE("--emperor", "/v"), 0);
	assert_false(o->hold_sockets);
	assert_int_equal(o->handover, SPEC_HANDOVER_UNSET);
	assert_int_equal(o->retire_mercy_ms, 60000);
	assert_int_equal(o->drain_ms, 100);
	assert_int_equal(o->health_timeout_ms, 10000);
	assert_int_equal(o->hold_limit_ms, 60000);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		assert_int_equal(PARSE("--emperor", "/v", forms[i].word), 0);
		assert_int_equal(o->handover, forms[i].is);
	}
	write_file(ini, "[uwsgi]\nemperor = /v\n[regent]\nhold-sockets = yes\nhandover = force\nretire-mercy = 5\ndrain = 2.5\n"
			"health-timeout = 0.5\nhold-limit = 7\n");
	assert_int_equal(PARSE(ini), 0);
	assert_string_equal(said, "");
	assert_true(o->hold_sockets);
	assert_int_equal(o->handover, SPEC_HANDOVER_FORCE);
	assert_int_equal(o->retire_mercy_ms, 5000);
	assert_int_equal(o->drain_ms, 2500);
	assert_int_equal(o->health_timeout_ms, 500);
	assert_int_equal(o->hold_limit_ms, 7000);
	write_file(ini, "[uwsgi]\nemperor = /v\n[regent]\nhandover =\nhandover = no\n");
	assert_int_equal(PARSE(ini), 0);
	assert_int_equal(o->handover, SPEC_HANDOVER_NO);
	REFUSED("--handover: neither yes, no nor force: 'perhaps'", "--handover=perhaps");
	REFUSED("yes: neither an option nor an .ini file (see regent --help)", "--emperor", "/v", "--handover", "yes");
	REFUSED("--drain: 10.1 is not in 0 to 10 seconds", "--drain", "10.1");
	REFUSED("--retire-mercy: 0.5 is not in 1 to 86400 seconds", "--retire-mercy", "0.5");
}

static void test_help_and_version_need_no_emperor(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-h"), 0);
	assert_true(o->help);
	assert_int_equal(PARSE("--version"), 0);
	assert_true(o->version);
	assert_string_equal(said, "");
}

static void test_one_clear_line(void **state)
{
	(void)state;
	assert_int_equal(parse((const char *const[]){ NULL }), OPTIONS_USAGE);
	assert_string_equal(said, "regent: nothing to do: give --emperor DIRECTORY (see regent --help)\n");
	REFUSED("--nosuch: unknown option (see regent --help)", "--nosuch=3", "--emperor", "v");
	REFUSED("--emperor-nof: unknown option; did you mean --emperor-nofollow?", "--emperor-nof");
	REFUSED("-v: unknown option (see regent --help)", "-v");
	REFUSED("--emperor: needs an argument", "--emperor");
	REFUSED("--emperor: needs an argument", "--emperor=");
	REFUSED("--processes: needs an argument", "-p");
	REFUSED("--emperor-nofollow: takes no argument", "--emperor-nofollow=false");
	REFUSED("--uid: no user 'pnn-nobody'", "--emperor", "v", "--uid", "pnn-nobody");
	REFUSED("--gid: no group 'pnn-nobody'", "--emperor", "v", "--gid", "pnn-nobody");
	REFUSED("--vassal-users: no user 'pnn-nobody'", "--emperor", "v", "--vassal-users", "daemon,pnn-nobody");
	REFUSED("--emperor-freq: not a number: 'abc'", "--emperor-freq", "abc");
	REFUSED("--emperor-freq: not a number: '-5'", "--emperor-freq", "-5");
	REFUSED("--emperor-freq: 0 is not in 1 to 86400", "--emperor-freq", "0");
	REFUSED("--emperor-freq: 99999999999999999999 is not in 1 to 86400", "--emperor-freq", "99999999999999999999");
	REFUSED("--ready-for: not a number of seconds (as 2 or 0.5): '1s'", "--ready-for", "1s");
	REFUSED("--ready-for: not a number of seconds (as 2 or 0.5): '.5'", "--ready-for", ".5");
	REFUSED("--ready-for: not a number of seconds (as 2 or 0.5): '1.'", "--ready-for", "1.");
	REFUSED("--ruler-patience: 0.05 is not in 0.1 to 86400 seconds", "--ruler-patience", "0.05");
	REFUSED("--log-syslog: no such syslog facility: 'locale0'", "--log-syslog=x,locale0");
	REFUSED("--set: needs key=value", "--set", "foo");
	REFUSED("/: not a regular file", "--ini", "/");
	REFUSED("/nonexistent.ini: cannot read: No such file or directory", "/nonexistent.ini");
	REFUSED("vassals: neither an option nor an .ini file (see regent --help)", "vassals");
	REFUSED("--a?b: unknown option (see regent --help)", "--a\nb");
	assert_int_equal(PARSE("--logto", "127.0.0.1:514", "--emperor", "v"), OPTIONS_USAGE);
}

static void test_refused_by_name(void **state)
{
	(void)state;
	size_t tried = 0;
	for (size_t i = 0; i < options_n_rows; i++) {
		const struct options_row *row = &options_rows[i];
		if (row->status != OPTION_REFUSED)
			continue;
		char word[128], line[512];
		snprintf(word, sizeof(word), "--%.*s%s", (int)options_row_first(row), row->names, row->argument == ARGUMENT_REQUIRED ? "=1" : "");
		snprintf(line, sizeof(line), "regent: --%.*s: not supported: %s\n", (int)options_row_first(row), row->names, row->help);
		assert_int_equal(PARSE("--emperor", "v", word), OPTIONS_USAGE);
		assert_string_equal(said, line);
		tried++;
	}
	assert_true(tried > 20);
	write_file(ini, "[uwsgi]\nemperor = v\nemperor-broodlord = 4\n");
	assert_int_equal(PARSE("--ini", ini), OPTIONS_USAGE);
	assert_true(said_of(ini, "3: emperor-broodlord: not supported: regent sends no reinforcements yet"));
}

static void test_contradictions(void **state)
{
	(void)state;
	REFUSED("--vassals-as-root: contradicts uid", "--emperor", "v", "--vassals-as-root", "--uid", "daemon");
	REFUSED("--vassals-as-root: contradicts emperor-tyrant", "--emperor", "v", "--vassals-as-root", "--emperor-tyrant");
	REFUSED("--uid: vassals run as root only with vassals-as-root", "--emperor", "v", "--uid", "0");
	REFUSED("--gid: vassals run in root's group only with vassals-as-root", "--emperor", "v", "--uid", "daemon", "--gid", "root");
	assert_int_equal(PARSE("--emperor", "v", "--emperor-tyrant", "--uid", "daemon"), 0);
	assert_string_equal(said, "regent: --emperor-tyrant: warning: uid has no effect with it: owners count\n");
}

static void test_control_allow(void **state)
{
	(void)state;
	static const char *const good[] = { "pn reload", "@deploy reload,wait  site*", "1000 forget-blacklist *", "pn * site*" },
		*const bad[] = { "pn", "@ reload", " pn", "pn Reload", "pn reload,,wait", "pn reload,", "pn ,reload", "pn reload a b", "pn **" };
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(PARSE("--emperor", "v", "--control-allow", good[i]), 0);
		assert_string_equal(o->control_allow.items[0], good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(PARSE("--emperor", "v", "--control-allow", bad[i]), OPTIONS_USAGE);
}

/* What Debian's package uwsgi-emperor installs, with the words its init script adds. */
static void test_debian_ini(void **state)
{
	(void)state;
	write_file(ini, "[uwsgi]\n\n# a comment\nmaster = true\nworkers = 2\n\nno-orphans = true\n\nlog-date = true\nuid = www-data\ngid = www-data\n"
			"emperor = /etc/uwsgi-emperor/vassals\n\n");
	assert_int_equal(PARSE("--ini", ini, "--die-on-term", "--pidfile", "/run/x.pid", "--daemonize", "/var/log/x.log"), 0);
	assert_string_equal(said, "");
	assert_int_equal(o->uid_number, 33);
	assert_int_equal(o->gid_number, 33);
	assert_true(o->log_date);
	assert_string_equal(o->emperor.items[0], "/etc/uwsgi-emperor/vassals");
	assert_string_equal(o->pidfile, "/run/x.pid");
	assert_string_equal(o->daemonize, "/var/log/x.log");
}

static void test_ini_sections_and_order(void **state)
{
	(void)state;
	write_file(ini, "[uwsgi]\nemperor = /v\nemperor-freq = 9\nemperor-nofollow = no\nini = :more\n[more]\nemperor = /w\nstrict = false\n"
			"[regent]\nmax-starting = 5\ncontrol-allow = pn reload\n[prod]\nemperor = /p\n");
	assert_int_equal(PARSE("--emperor-freq", "5", "--ini", ini), 0);	/* in order: the last word counts */
	assert_int_equal(o->emperor_freq, 9);
	assert_string_equal(o->emperor.items[1], "/w");
	assert_int_equal(o->max_starting, 5);
	assert_int_equal(o->control_allow.n, 1);	/* the file was read twice */
	assert_false(o->emperor_nofollow);
	assert_int_equal(PARSE("--ini", ini, "--emperor-freq", "5"), 0);
	assert_int_equal(o->emperor_freq, 5);
	assert_int_equal(PARSE(ini, "--emperor-freq", "5"), 0);		/* bare: after all options */
	assert_int_equal(o->emperor_freq, 9);
	snprintf(other, sizeof(other), "%s:prod", ini);
	assert_int_equal(PARSE(other), 0);
	assert_string_equal(o->emperor.items[0], "/p");
	assert_int_equal(o->max_starting, 5);
	snprintf(other, sizeof(other), "%s:nosuch", ini);
	assert_int_equal(PARSE(other, "--emperor", "x"), 0);
	assert_string_equal(said, "");	/* it has [regent] */
}

static void test_ini_complaints(void **state)
{
	(void)state;
	write_file(ini, "[uwsgi]\nemperor = /v\nbogus = 1\nmax-starting = 3\nmodule = x\ncheck = 1\n[regent]\nuid = daemon\nready-form = 2\n");
	assert_int_equal(PARSE("--ini", ini), 0);
	assert_true(said_of(ini, "3: bogus: warning: unknown key in [uwsgi], ignored"));
	assert_true(said_of(ini, "4: max-starting: warning: belongs into [regent], ignored"));
	assert_true(said_of(ini, "5: module: warning: has no meaning for an emperor, ignored"));
	assert_true(said_of(ini, "6: check: warning: belongs on the command line, ignored"));
	assert_true(said_of(ini, "8: uid: warning: belongs into [uwsgi], ignored"));
	assert_true(said_of(ini, "9: ready-form: warning: unknown key in [regent], ignored"));
	assert_null(o->uid);
	assert_int_equal(PARSE("--ini", ini, "--strict"), OPTIONS_USAGE);	/* strict counts for what came before it */
	assert_true(said_of(ini, "3: bogus: unknown key in [uwsgi] (strict)"));
	write_file(ini, "[uwsgi]\nemperor = /v\nuid = pnn-nobody\n");
	assert_int_equal(PARSE("--ini", ini), OPTIONS_USAGE);
	assert_true(said_of(ini, "3: uid: no user 'pnn-nobody'"));
	write_file(ini, "[uwsgi]\nemperor = /v\nemperor-nofollow = perhaps\n");
	assert_int_equal(PARSE("--ini", ini), OPTIONS_USAGE);
	assert_true(said_of(ini, "3: emperor-nofollow: neither true nor false: 'perhaps'"));
	write_file(ini, "[uwsgi]\nemperor\n");
	assert_int_equal(PARSE("--ini", ini), OPTIONS_USAGE);
	assert_true(said_of(ini, "2: emperor: needs an argument"));
	write_file(ini, "[uwsgi]\nini = %p\n");
	assert_int_equal(PARSE("--ini", ini), OPTIONS_USAGE);
	assert_non_null(strstr(said, "deeper than 8: a loop?"));
}

/* As `uwsgi --show-config` answers for the same lines (2.0.21), save that it leaves %(base) as it is in a set-placeholder. */
static void test_references(void **state)
{
	(void)state;
	setenv("REGENT_TEST", "/env", 1);
	setenv("REGENT_EMPTY", "", 1);
	write_file(ini, "[uwsgi]\nbase = /srv\na = %(late)/x\nlate = %(base)/l\ndup = 1\ndup = 2\nset-placeholder = ph=%(base)/r\nset = emperor-freq=8\n"
			"emperor = %(base)/v\nemperor = %(a)\nemperor = $(REGENT_TEST)/y\nemperor = %d%n.%e %%\nemperor = %(dup)\nemperor = 50% of\n"
			"emperor = %(ph)\nemperor = $(REGENT_EMPTY:-else)\nemperor = %(nosuch)/z\nemperor = @(/etc/hostname)\nstrict = no\n");
	char magic[96];
	snprintf(magic, sizeof(magic), "%s/a.ini %%", directory);
	const char *const expected[] = { "/srv/v", "%(base)/l/x", "/env/y", magic, "1", "50of", "/srv/r", "else", "%(nosuch)/z", "@(/etc/hostname)" };
	assert_int_equal(PARSE("--ini", ini), 0);
	assert_int_equal(o->emperor.n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_string_equal(o->emperor.items[i], expected[i]);
	assert_int_equal(o->emperor_freq, 8);
	assert_null(strstr(said, "base:"));	/* asked for: a placeholder, not an unknown key */
	assert_true(said_of(ini, "17: emperor: warning: nothing to put in for a reference in '%(nosuch)/z'"));
	assert_true(said_of(ini, "18: emperor: warning: nothing to put in for a reference in '@(/etc/hostname)'"));
}

static void test_no_hang_on_fifo(void **state)
{
	(void)state;
	snprintf(other, sizeof(other), "%s/fifo.ini", directory);
	assert_int_equal(mkfifo(other, 0600), 0);
	alarm(20);
	assert_int_equal(PARSE(other), OPTIONS_USAGE);
	alarm(0);
	unlink(other);
	assert_non_null(strstr(said, "not a regular file"));
}

/* Both lists come from the table: every working option is in them, no line is too long, none ends in a blank. */
static void test_help_and_mdoc(void **state)
{
	(void)state;
	for (int mdoc = 0; mdoc < 2; mdoc++) {
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);
		(mdoc ? options_mdoc : options_help)(out);
		fclose(out);
		for (size_t i = 0; i < options_n_rows; i++) {
			char name[96];
			const struct options_row *row = &options_rows[i];
			snprintf(name, sizeof(name), mdoc ? "Fl -%.*s" : " --%.*s", (int)options_row_first(row), row->names);
			if (row->status == OPTION_WORKS)
				assert_non_null(strstr(text, name));
		}
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
			assert_true(strlen(line) <= 100);
			assert_true(line[strlen(line) - 1] != ' ');
		}
		free(text);
	}
}

/* A name that stands twice would hide a row. */
static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < options_n_rows; i++) {
		const struct options_row *row = &options_rows[i];
		for (const char *p = row->names; *p; p += strcspn(p, " "), p += *p == ' ')
			assert_ptr_equal(options_row_named(p, strcspn(p, " ")), row);
		if (row->letter)
			assert_ptr_equal(options_row_lettered(row->letter), row);
		assert_true((row->status != OPTION_WORKS && row->status != OPTION_REFUSED) || row->help);
	}
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(ini, sizeof(ini), "%s/a.ini", directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	forget();
	unlink(ini);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_command_line_forms), cmocka_unit_test(test_deploys),
		cmocka_unit_test(test_help_and_version_need_no_emperor),
		cmocka_unit_test(test_one_clear_line), cmocka_unit_test(test_refused_by_name), cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_control_allow), cmocka_unit_test(test_debian_ini), cmocka_unit_test(test_ini_sections_and_order),
		cmocka_unit_test(test_ini_complaints), cmocka_unit_test(test_references), cmocka_unit_test(test_no_hang_on_fifo),
		cmocka_unit_test(test_help_and_mdoc), cmocka_unit_test(test_table),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
