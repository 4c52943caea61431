/* The table of options against the list of what an emperor of uWSGI 2.0.21 knows: each has a row, each row says what it is beside uWSGI's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "supervisor/options.h"
#include "supervisor/options_table.h"
#include "vassals/util.h"

static const char *const emperors[] = {
	"emperor", "emperor-freq", "emperor-nofollow", "emperor-tyrant", "emperor-tyrant-nofollow", "emperor-stats", "emperor-stats-server",
	"emperor-pidfile", "emperor-procname", "emperor-required-heartbeat", "emperor-curse-tolerance", "emperor-throttle", "emperor-max-throttle",
	"emperor-no-blacklist", "emperor-graceful-shutdown", "emperor-magic-exec", "emperor-extra-extension", "emperor-extra-ext",
	"emperor-on-demand-extension", "emperor-on-demand-ext", "emperor-on-demand-directory", "emperor-on-demand-dir", "emperor-on-demand-exec",
	"emperor-broodlord", "emperor-wrapper", "emperor-wrapper-override", "emperor-wrapper-fallback", "emperor-use-clone", "emperor-cap",
	"vassals-cap", "vassal-cap", "emperor-proxy-socket", "early-emperor", "imperial-monitor-list", "imperial-monitors-list", "vassals-inherit",
	"vassals-include", "vassals-inherit-before", "vassals-include-before", "vassals-set", "vassal-set", "vassals-start-hook", "vassals-stop-hook",
	"hook-as-vassal", "hook-as-emperor", "exec-as-vassal", "exec-as-emperor", "mount-as-vassal", "mount-as-emperor", "umount-as-vassal",
	"umount-as-emperor", "call-as-vassal", "call-as-vassal1", "call-as-vassal3", "call-as-emperor", "call-as-emperor1", "call-as-emperor2",
	"call-as-emperor4", "hook-emperor-start", "hook-emperor-stop", "hook-emperor-reload", "hook-emperor-lost",
	/* what an emperor's own ini carries */
	"uid", "gid", "add-gid", "immediate-uid", "immediate-gid", "no-initgroups", "cap", "chroot", "unshare", "cgroup", "umask", "chdir", "env",
	"unenv", "ienv", "envdir", "pidfile", "pidfile2", "safe-pidfile", "safe-pidfile2", "daemonize", "daemonize2", "logto", "logto2", "logger",
	"log-syslog", "log-date", "logdate", "log-master", "log-reopen", "die-on-term", "reload-mercy", "worker-reload-mercy", "master", "workers",
	"processes", "threads", "enable-threads", "no-orphans", "vacuum", "strict", "procname", "procname-master", "procname-prefix",
	"procname-prefix-spaced", "procname-append", "auto-procname", "binary-path", "plugin", "plugins", "plugins-dir", "ini", "config", "include",
	"inherit", "set", "set-placeholder", "set-ph", "stats", "master-fifo", "touch-reload", "socket", "http", "need-app", "for", "endfor", "if-env",
	/* of 2.1 */
	"emperor-tyrant-initgroups", "emperor-subreaper", "emperor-command-socket", "emperor-wait-for-command", "emperor-wait-for-command-ignore",
	"emperor-trigger-socket", "emperor-use-fork-server", "vassal-fork-base", "emperor-collect-attribute", "emperor-collect-attr",
	"emperor-fork-server-attr", "emperor-wrapper-attr", "emperor-chdir-attr",
};

static void test_each_has_a_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(emperors); i++) {
		const char *how;
		const struct options_row *row = options_row_named(emperors[i], strlen(emperors[i]));
		if (!row)
			fail_msg("no row for uWSGI's %s", emperors[i]);
		if (options_row_compat(row, &how) == COMPAT_UNSAID)
			fail_msg("%s: its row does not say what it is beside uWSGI's", emperors[i]);
	}
}

static void test_each_row_says_how(void **state)
{
	(void)state;
	for (size_t i = 0; i < options_n_rows; i++) {
		const char *how;
		const struct options_row *row = &options_rows[i];
		enum options_compat compat = options_row_compat(row, &how);
		if (row->section != OPTION_UWSGI) {
			assert_int_equal(compat, COMPAT_UNSAID);
			continue;
		}
		if (compat == COMPAT_UNSAID)
			fail_msg("%s: its row does not say what it is beside uWSGI's", row->names);
		bool needs_words = compat == COMPAT_BETTER || compat == COMPAT_DIFFERENT || compat == COMPAT_REFUSED;
		if (needs_words && !*how)
			fail_msg("%s: its row does not say why or in what", row->names);
		if (row->status == OPTION_SILENT && !*how)
			fail_msg("%s: is taken without a word, and without a reason", row->names);
	}
}

/* Each name is in the man page's table, with its word. */
static void test_in_the_manual(void **state)
{
	(void)state;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	options_mdoc_compat(out);
	fclose(out);
	for (size_t i = 0; i < ARRAY_SIZE(emperors); i++) {
		char first[96], further[96];
		snprintf(first, sizeof first, ".It %s", emperors[i]);
		snprintf(further, sizeof further, " , %s", emperors[i]);
		const char *at = strstr(text, first);
		if (!at && !strstr(text, further))
			fail_msg("the manual's table does not name %s", emperors[i]);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_has_a_row), cmocka_unit_test(test_each_row_says_how), cmocka_unit_test(test_in_the_manual),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
