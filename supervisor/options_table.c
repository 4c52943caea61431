#include "supervisor/options_table.h"

#include <assert.h>
#include <string.h>

#include "supervisor/options.h"

/* One line a row where it fits; the macros only say the columns that differ. */
#define AT(field) offsetof(struct options, field)
#define UWSGI(g) .section = OPTION_UWSGI, .group = GROUP_##g
#define OURS(g) .section = OPTION_REGENT, .group = GROUP_##g
#define TAKES(w) .argument = ARGUMENT_REQUIRED, .word = (w)
#define FLAG(field) .kind = OPTION_FLAG, .offset = AT(field)
#define TEXT(field, w) .kind = OPTION_TEXT, .offset = AT(field), TAKES(w)
#define LIST(field, w) .kind = OPTION_LIST, .offset = AT(field), TAKES(w)
#define NUMBER(field, w, lo, hi, d) .kind = OPTION_NUMBER, .offset = AT(field), TAKES(w), .min = (lo), .max = (hi), .fallback = (d)
#define DURATION(field, lo, hi, d) .kind = OPTION_DURATION, .offset = AT(field), TAKES("seconds"), .min = (lo), .max = (hi), .fallback = (d)
#define SILENT .status = OPTION_SILENT
#define MEANINGLESS .status = OPTION_MEANINGLESS
#define REFUSED(why) .status = OPTION_REFUSED, .help = (why)
#define VALUE .argument = ARGUMENT_REQUIRED
/* Against uWSGI's option of that name; of a refused or a meaningless row its status says it. */
#define SAME .compat = COMPAT_SAME
#define SAME_BY(h) .compat = COMPAT_SAME, .how = (h)
#define BETTER(h) .compat = COMPAT_BETTER, .how = (h)
#define DIFFERENT(h) .compat = COMPAT_DIFFERENT, .how = (h)

#define DAY 86400U		/* no mercy or patience is longer, in s */
#define DAY_MS (DAY * 1000U)

#define NO_HOOKS "regent runs no hooks yet"
#define NO_ON_DEMAND "regent starts no vassals on demand yet"
#define NO_ATTRIBUTES "regent reads no vassal attributes yet"
#define NO_FORK_SERVER "regent knows no fork servers yet"
#define NO_COMMANDS "regent has a control socket of its own: see control-socket and regentctl(1)"
#define NO_CAPABILITIES "regent sets no capabilities for vassals yet"
#define NO_LOGIC "regent follows no conditions or loops in its own ini: write the lines out"

const struct options_row options_rows[] = {
	{ "help", 'h', .section = OPTION_COMMAND_LINE, .group = GROUP_GENERAL, FLAG(help), .help = "Show the options and exit." },
	{ "version", .section = OPTION_COMMAND_LINE, .group = GROUP_GENERAL, FLAG(version), .help = "Show the version and exit." },
	{ "check", .section = OPTION_COMMAND_LINE, .group = GROUP_GENERAL, FLAG(check),
	  .help = "Check the options and every vassal's config, start nothing, and exit: 0 if all is well." },
	{ "mdoc-options", .section = OPTION_COMMAND_LINE, .group = GROUP_GENERAL, FLAG(mdoc_options),
	  .help = "Print this list as the source of a man page and exit." },
	{ "mdoc-compat", .section = OPTION_COMMAND_LINE, .group = GROUP_GENERAL, FLAG(mdoc_compat),
	  .help = "Print the table of uWSGI's options as the source of a man page and exit." },
	{ "ini", UWSGI(GENERAL), DIFFERENT("only from files; no conditions and loops"), .kind = OPTION_INI, TAKES("file[:section]"),
	  .help = "Read options from an ini: the section uwsgi or the one named, and the section regent. A last word that ends in .ini is taken so too." },
	{ "include", UWSGI(GENERAL), DIFFERENT("inis only"), .kind = OPTION_INI, TAKES("file"), .help = "Read options from another ini, at this place." },
	{ "inherit", UWSGI(GENERAL), DIFFERENT("inis only"), .kind = OPTION_INI_LATE, TAKES("file"),
	  .help = "Read options from another ini, after everything else." },
	{ "set", 'S', UWSGI(GENERAL), SAME, .kind = OPTION_SET, TAKES("key=value"), .help = "Set an option, or a placeholder for %(key) in an ini." },
	{ "set-placeholder set-ph", UWSGI(GENERAL), SAME, .kind = OPTION_PLACEHOLDER, TAKES("key=value"),
	  .help = "Set a placeholder for %(key) in an ini." },
	{ "strict", UWSGI(GENERAL), BETTER("names file and line; also an option without effect is refused"), FLAG(strict),
	  .help = "An unknown key in an ini is an error, not a warning." },
	{ "daemonize", 'd', UWSGI(GENERAL), DIFFERENT("no UDP addresses; a usage error is still seen on the terminal"),
	  .kind = OPTION_LOG_FILE, .offset = AT(daemonize), TAKES("file"),
	  .help = "Go to the background and write the log to a file." },
	{ "daemonize2", UWSGI(GENERAL), SAME_BY("as daemonize: an emperor loads no app that could come first"), .kind = OPTION_LOG_FILE,
	  .offset = AT(daemonize), TAKES("file"), .help = "The same as daemonize." },
	{ "pidfile", UWSGI(GENERAL), BETTER("removed at the end; one file, whoever forks"), TEXT(pidfile, "file"),
	  .help = "Write the process id to a file, before privileges are dropped." },
	{ "emperor-pidfile", UWSGI(GENERAL), BETTER("removed at the end"), TEXT(emperor_pidfile, "file"),
	  .help = "Write the same process id to one more file." },
	{ "pidfile2", UWSGI(GENERAL), DIFFERENT("the keeper writes it, so it is root's"), TEXT(pidfile2, "file"), .help = "Likewise." },
	{ "safe-pidfile", UWSGI(GENERAL), SAME_BY("none is written while another regent has the run directory"), TEXT(safe_pidfile, "file"),
	  .help = "Likewise." },
	{ "safe-pidfile2", UWSGI(GENERAL), DIFFERENT("the keeper writes it, so it is root's"), TEXT(safe_pidfile2, "file"), .help = "Likewise." },
	{ "emperor-procname", UWSGI(GENERAL), SAME, TEXT(emperor_procname, "title"), .help = "What ps shows for regent." },
	{ "procname procname-master", UWSGI(GENERAL), SAME, TEXT(procname, "title"), .help = "Likewise, where emperor-procname does not say it." },
	{ "procname-prefix", UWSGI(GENERAL), SAME, TEXT(procname_prefix, "text"), .help = "Put this before such a title." },
	{ "procname-prefix-spaced", UWSGI(GENERAL), SAME, TEXT(procname_prefix_spaced, "text"), .help = "Put this and a blank before such a title." },
	{ "procname-append", UWSGI(GENERAL), SAME, TEXT(procname_append, "text"), .help = "Put this after such a title." },
	{ "run-directory", OURS(GENERAL), TEXT(run_directory, "directory"), .fallback = "/run/regent",
	  .help = "Where the lock and the control socket live. One regent a directory." },

	{ "emperor", UWSGI(MONITORS), BETTER("changes are seen at once; a directory may come later; monitors other than dir and glob are refused"),
	  LIST(emperor, "place"),
	  .help = "Rule the vassals found here: a directory of configs, or a quoted glob; dir:// and glob:// may stand in front." },
	{ "emperor-extra-extension emperor-extra-ext", UWSGI(MONITORS), SAME, .kind = OPTION_EXTENSION, .offset = AT(emperor_extra_extension), TAKES("ext"),
	  .help = "Names that end so are vassals too. They are started with --config." },
	{ "emperor-freq", UWSGI(MONITORS), BETTER("counts only where the kernel reports no changes; 0 is refused"),
	  NUMBER(emperor_freq, "seconds", 1, DAY, "3"),
	  .help = "How often to scan where changes are not reported by the kernel." },
	{ "emperor-nofollow", UWSGI(MONITORS), SAME, FLAG(emperor_nofollow),
	  .help = "A config that is a symbolic link changes when the link does, not its target." },

	{ "binary-path", UWSGI(VASSALS), BETTER("looked up afresh at each start, so a switched link takes effect"),
	  TEXT(binary_path, "program"), .fallback = "uwsgi",
	  .help = "The uWSGI to start vassals with." },
	{ "emperor-wrapper", UWSGI(VASSALS), SAME, TEXT(emperor_wrapper, "program"),
	  .help = "Start this program in place of uWSGI, with the same arguments." },
	{ "vassals-inherit", UWSGI(VASSALS), SAME, LIST(vassals_inherit, "file"), .help = "Give every vassal --inherit file after its config." },
	{ "vassals-include", UWSGI(VASSALS), SAME, LIST(vassals_include, "file"), .help = "Give every vassal --include file after its config." },
	{ "vassals-inherit-before", UWSGI(VASSALS), SAME, LIST(vassals_inherit_before, "file"),
	  .help = "Give every vassal --inherit file before its config." },
	{ "vassals-include-before", UWSGI(VASSALS), SAME, LIST(vassals_include_before, "file"),
	  .help = "Give every vassal --include file before its config." },
	{ "vassals-set vassal-set", UWSGI(VASSALS), SAME, LIST(vassals_set, "key=value"), .help = "Give every vassal --set key=value." },
	{ "env", UWSGI(VASSALS), SAME, LIST(env, "name=value"), .help = "Set a variable in the environment of all vassals; a name alone is unset." },
	{ "unenv", UWSGI(VASSALS), SAME, LIST(env, "name"), .help = "Unset a variable in the environment of all vassals." },
	{ "umask", UWSGI(VASSALS), BETTER("nonsense is refused"), .kind = OPTION_MODE, .offset = AT(umask_plus_1), TAKES("mode"),
	  .help = "The vassals' umask, in octal, and that of regent's own files." },
	{ "chdir", UWSGI(VASSALS), SAME, TEXT(chdir, "directory"), .help = "Where a monitored directory, pidfile2 and logto2 begin that are not absolute." },
	{ "max-starting", OURS(VASSALS), NUMBER(max_starting, "n", 0, 1000000, NULL),
	  .help = "At most so many vassals may be starting at once; 0 is no limit (default: twice the number of CPUs)." },

	{ "emperor-required-heartbeat", UWSGI(LIFE), SAME, NUMBER(emperor_required_heartbeat, "seconds", 1, DAY, "30"),
	  .help = "A vassal that has sent a heartbeat is hung when none follows for so long." },
	{ "emperor-curse-tolerance", UWSGI(LIFE), SAME, NUMBER(emperor_curse_tolerance, "seconds", 1, DAY, "30"),
	  .help = "A vassal that has closed its wire has so long to exit." },
	{ "emperor-throttle", UWSGI(LIFE), BETTER("a vassal's own: its deaths slow no other"), NUMBER(emperor_throttle, "ms", 0, DAY_MS, "1000"),
	  .help = "The first pause before a vassal that died young is started again, in milliseconds. It doubles each time." },
	{ "emperor-max-throttle", UWSGI(LIFE), BETTER("a vassal's own, and it stays there instead of falling back to half"),
	  NUMBER(emperor_max_throttle, "ms", 0, DAY_MS, "180000"),
	  .help = "The longest such pause, in milliseconds." },
	{ "emperor-no-blacklist", UWSGI(LIFE), SAME, FLAG(emperor_no_blacklist), .help = "Start a vassal that died again without such pauses." },
	{ "emperor-graceful-shutdown", UWSGI(LIFE), SAME, FLAG(emperor_graceful_shutdown), .help = "At the end, let vassals finish their requests." },
	{ "reload-mercy", UWSGI(LIFE), BETTER("what is left then is killed with all its processes"), NUMBER(reload_mercy, "seconds", 1, DAY, "30"),
	  .help = "A vassal told to stop has so long before it is killed." },
	{ "start-patience", OURS(LIFE), DURATION(start_patience, 0, DAY_MS, "30"),
	  .help = "A vassal that is slow to start counts against max-starting so long." },
	{ "start-timeout", OURS(LIFE), DURATION(start_timeout, 100, DAY_MS, "120"), .help = "A start or reload that is not ready by then has failed." },
	{ "ready-for", OURS(LIFE), DURATION(ready_for, 0, DAY_MS, "1"), .help = "A vassal must stay up so long before it is called ready." },

	{ "hold-sockets", OURS(DEPLOYS), FLAG(hold_sockets),
	  .help = "Hold the vassals' listening sockets, so that clients wait while one restarts instead of being refused." },
	{ "handover", OURS(DEPLOYS), .kind = OPTION_HANDOVER, .offset = AT(handover), .argument = ARGUMENT_OPTIONAL, .word = "yes|no|force",
	  .help = "A reload starts the new code beside the old, and clients meet it only once it has shown that it works. Implies "
		  "hold-sockets. With force also where two at once are unwise. Default: no." },
	{ "health-timeout", OURS(DEPLOYS), DURATION(health_timeout_ms, 100, DAY_MS, "10"),
	  .help = "New code that was asked for a page must answer within so long." },
	{ "drain", OURS(DEPLOYS), DURATION(drain_ms, 0, 10000, "0.1"),
	  .help = "After a handover: the old code is told to end when no client has come to it for so long." },
	{ "retire-mercy", OURS(DEPLOYS), DURATION(retire_mercy_ms, 1000, DAY_MS, "60"),
	  .help = "After a handover: the requests that the old code still serves have so long." },
	{ "hold-limit", OURS(DEPLOYS), DURATION(hold_limit_ms, 0, DAY_MS, "60"),
	  .help = "Clients wait so long for a vassal that ended to come back; then they are refused." },

	{ "uid", UWSGI(RIGHTS), DIFFERENT("decides for the vassals; regent itself is two processes; root only with vassals-as-root"), TEXT(uid, "user"),
	  .help = "Run the vassals as this user (name or number)." },
	{ "gid", UWSGI(RIGHTS), DIFFERENT("left out it is the user's own group, not root's"), TEXT(gid, "group"),
	  .help = "Run the vassals with this group (name or number)." },
	{ "immediate-uid", UWSGI(RIGHTS), DIFFERENT("as uid: with the user's groups, where uWSGI may leave root's"), TEXT(uid, "user"),
	  .help = "The same as uid." },
	{ "immediate-gid", UWSGI(RIGHTS), DIFFERENT("as gid"), TEXT(gid, "group"), .help = "The same as gid." },
	{ "add-gid", UWSGI(RIGHTS), SAME_BY("these groups replace those of the user"), LIST(add_gid, "group"),
	  .help = "With uid: the vassals' supplementary groups, in place of the user's." },
	{ "no-initgroups", UWSGI(RIGHTS), SAME, FLAG(no_initgroups), .help = "With uid: the vassals have no supplementary groups." },
	{ "emperor-tyrant", UWSGI(RIGHTS), BETTER("the keeper looks who owns it at the moment of the start; root's are refused"), FLAG(emperor_tyrant),
	  .help = "Run each vassal as the owner and group of its config." },
	{ "emperor-tyrant-nofollow", UWSGI(RIGHTS), SAME, FLAG(emperor_tyrant_nofollow),
	  .help = "Tyrant: take owner and group of a symbolic link itself, not of its target." },
	{ "emperor-tyrant-initgroups", UWSGI(RIGHTS), SAME_BY("an option of 2.1"), FLAG(emperor_tyrant_initgroups),
	  .help = "Tyrant: give each vassal the supplementary groups of its owner." },
	{ "vassal-users", OURS(RIGHTS), .kind = OPTION_USERS, .offset = AT(vassal_users), TAKES("user[,user]"),
	  .help = "With neither uid nor emperor-tyrant: the users that a vassal's ini may name (default: any but root)." },
	{ "vassals-as-root", OURS(RIGHTS), FLAG(vassals_as_root), .help = "Let vassals run as root." },
	{ "ruler-user", OURS(RIGHTS), TEXT(ruler_user, "user"), .fallback = "regent",
	  .help = "Whom regent's unprivileged process runs as, when started as root." },

	{ "log-syslog", UWSGI(LOGS), BETTER("vassals' lines under their own names"),
	  .kind = OPTION_SYSLOG, .offset = AT(log_syslog), .argument = ARGUMENT_OPTIONAL, .word = "tag[,facility]",
	  .help = "Send the log to syslog: regent's own words under the tag (regent), each vassal's lines under its name." },
	{ "logto", UWSGI(LOGS), DIFFERENT("no UDP addresses"), .kind = OPTION_LOG_FILE, .offset = AT(logto), TAKES("file"),
	  .help = "Write the log to a file." },
	{ "logto2", UWSGI(LOGS), DIFFERENT("the keeper opens it; no UDP addresses"), .kind = OPTION_LOG_FILE, .offset = AT(logto2), TAKES("file"),
	  .help = "The same as logto, and wins over it." },
	{ "log-date logdate", UWSGI(LOGS), DIFFERENT("times are ISO 8601, whatever format is given"),
	  .kind = OPTION_LOG_DATE, .offset = AT(log_date), .argument = ARGUMENT_OPTIONAL, .word = "on|off",
	  .help = "Put the time before each line." },

	{ "control-socket", OURS(CONTROL), TEXT(control_socket, "path"), .help = "Where regentctl finds regent (default: control.sock in run-directory)." },
	{ "control-allow", OURS(CONTROL), .kind = OPTION_ALLOW, .offset = AT(control_allow), TAKES("rule"),
	  .help = "\"USER|@GROUP VERB[,VERB] [GLOB]\": may use these verbs on the vassals that the glob matches (default: all)." },
	{ "ruler-patience", OURS(CONTROL), DURATION(ruler_patience, 100, DAY_MS, "10"),
	  .help = "The unprivileged process is killed and replaced when it says nothing for so long." },

	/* done anyway, or needless here: taken without a word */
	{ "master", 'M', UWSGI(GENERAL), SILENT, SAME_BY("the keeper is one") },
	{ "processes workers", 'p', UWSGI(GENERAL), SILENT, VALUE, DIFFERENT("regent has no idle workers of its own: the number means nothing") },
	{ "enable-threads", 'T', UWSGI(GENERAL), SILENT, DIFFERENT("regent needs no threads") },
	{ "threads", UWSGI(GENERAL), SILENT, VALUE, DIFFERENT("regent needs no threads") },
	{ "no-orphans", UWSGI(GENERAL), SILENT, SAME_BY("vassals end with the keeper, however it ends") },
	{ "die-on-term exit-on-reload", UWSGI(GENERAL), SILENT, SAME_BY("TERM ends it; HUP reloads the vassals") },
	{ "early-emperor", UWSGI(GENERAL), SILENT, SAME_BY("there is nothing that could come before") },
	{ "master-as-root", UWSGI(GENERAL), SILENT, DIFFERENT("the keeper stays root; the ruler never is") },
	{ "vacuum", UWSGI(GENERAL), SILENT, SAME_BY("pidfiles and the control socket are removed at the end") },
	{ "log-master", UWSGI(LOGS), SILENT, SAME_BY("the keeper writes the log") },
	{ "log-reopen", UWSGI(LOGS), SILENT, SAME_BY("the log is opened anew on `regentctl reopen`") },
	{ "emperor-subreaper", UWSGI(LIFE), SILENT, BETTER("what a vassal leaves behind is killed with it (an option of 2.1)") },
	{ "auto-procname", UWSGI(GENERAL), SILENT, SAME_BY("the processes are called regent and regent-ruler") },
	{ "ignore-sigpipe", UWSGI(GENERAL), SILENT, SAME_BY("nobody's hanging up ends it") },

	/* of workers and requests */
	{ "socket uwsgi-socket http-socket https-socket fastcgi-socket scgi-socket http https module wsgi wsgi-file file callable mount "
	  "pythonpath virtualenv venv home harakiri cheaper chdir2 chmod-socket chown-socket touch-reload py-autoreload spooler mule "
	  "mules cron attach-daemon plugin plugins need-plugin need-plugins plugin-dir plugins-dir print listen buffer-size max-requests "
	  "forkbomb-delay log-master-bufsize static-map stats stats-server master-fifo log-format logformat worker-reload-mercy route",
	  UWSGI(VASSALS), MEANINGLESS, VALUE },
	{ "cheap catch-exceptions show-config no-server thunder-lock lazy lazy-apps single-interpreter log-truncate no-threads-wait "
	  "ignore-write-errors disable-write-exception memory-report", UWSGI(VASSALS), MEANINGLESS },
	{ "disable-logging", 'L', UWSGI(LOGS), MEANINGLESS }, { "need-app", UWSGI(VASSALS), MEANINGLESS, .argument = ARGUMENT_OPTIONAL },

	/* not yet, or not so */
	{ "emperor-on-demand-extension emperor-on-demand-ext emperor-on-demand-directory emperor-on-demand-dir emperor-on-demand-exec",
	  UWSGI(VASSALS), VALUE, REFUSED(NO_ON_DEMAND) },
	{ "emperor-broodlord", UWSGI(VASSALS), VALUE, REFUSED("regent sends no reinforcements yet") },
	{ "emperor-stats emperor-stats-server", UWSGI(CONTROL), VALUE, REFUSED("regent serves no stats yet: see `regentctl status --json`") },
	{ "logger log-socket", UWSGI(LOGS), VALUE, REFUSED("use log-syslog or logto") },
	{ "emperor-magic-exec", UWSGI(VASSALS), REFUSED("regent runs no executable configs yet") },
	{ "emperor-wrapper-override emperor-wrapper-fallback", UWSGI(VASSALS), VALUE, REFUSED("regent tries one program only: use emperor-wrapper") },
	{ "emperor-use-clone unshare unshare2", UWSGI(RIGHTS), VALUE, REFUSED("regent gives vassals no namespaces of their own yet") },
	{ "emperor-cap vassals-cap vassal-cap cap", UWSGI(RIGHTS), VALUE, REFUSED(NO_CAPABILITIES) },
	{ "emperor-proxy-socket", UWSGI(CONTROL), VALUE, REFUSED("regent is no proxy of another emperor") },
	{ "emperor-command-socket emperor-trigger-socket emperor-wait-for-command-ignore", UWSGI(CONTROL), VALUE, REFUSED(NO_COMMANDS) },
	{ "emperor-wait-for-command", UWSGI(CONTROL), REFUSED(NO_COMMANDS) },
	{ "emperor-use-fork-server vassal-fork-base emperor-fork-server-attr", UWSGI(VASSALS), VALUE, REFUSED(NO_FORK_SERVER) },
	{ "emperor-collect-attribute emperor-collect-attr emperor-wrapper-attr emperor-chdir-attr", UWSGI(VASSALS), VALUE, REFUSED(NO_ATTRIBUTES) },
	{ "vassals-start-hook vassals-stop-hook hook-as-vassal hook-as-emperor exec-as-vassal exec-as-emperor mount-as-vassal mount-as-emperor "
	  "umount-as-vassal umount-as-emperor call-as-vassal call-as-vassal1 call-as-vassal3 call-as-emperor call-as-emperor1 call-as-emperor2 "
	  "call-as-emperor4 hook-emperor-start hook-emperor-stop hook-emperor-reload hook-emperor-lost hook-asap exec-asap exec-as-root "
	  "exec-as-user hook-as-root hook-as-user", UWSGI(LIFE), VALUE, REFUSED(NO_HOOKS) },
	{ "imperial-monitor-list imperial-monitors-list", UWSGI(MONITORS), REFUSED("regent has two monitors: dir:// and glob://") },
	{ "chroot", UWSGI(RIGHTS), VALUE, REFUSED("use RootDirectory= in the unit, or chroot in a vassal's ini") },
	{ "cgroup", UWSGI(RIGHTS), VALUE, REFUSED("regent puts vassals in no cgroups of their own yet") },
	{ "ienv envdir", UWSGI(VASSALS), VALUE, REFUSED("use env, or Environment= in the unit: vassals get regent's environment") },
	{ "config xml yaml yml json js", UWSGI(GENERAL), VALUE, REFUSED("regent reads its own options from inis only: use ini") },
	{ "for for-glob for-times for-readline if-opt if-not-opt if-env if-not-env ifenv if-hostname if-not-hostname if-hostname-match "
	  "if-not-hostname-match if-exists if-not-exists ifexists if-plugin if-not-plugin ifplugin if-file if-not-file if-dir if-not-dir "
	  "ifdir if-directory blacklist whitelist", UWSGI(GENERAL), VALUE, REFUSED(NO_LOGIC) },
	{ "else endfor end-for endif end-if if-reload if-not-reload end-blacklist end-whitelist", UWSGI(GENERAL), .argument = ARGUMENT_OPTIONAL,
	  REFUSED(NO_LOGIC) },
};
const size_t options_n_rows = sizeof(options_rows) / sizeof(options_rows[0]);

size_t options_row_first(const struct options_row *row)
{
	return strcspn(row->names, " ");
}

const struct options_row *options_row_named(const char *name, size_t n)
{
	for (size_t i = 0; i < options_n_rows; i++) {
		const char *p = options_rows[i].names;
		while (*p) {
			size_t length = strcspn(p, " ");
			if (length == n && memcmp(p, name, n) == 0)
				return &options_rows[i];
			p += length + (p[length] == ' ');
		}
	}
	return NULL;
}

const struct options_row *options_row_lettered(char letter)
{
	for (size_t i = 0; letter && i < options_n_rows; i++)
		if (options_rows[i].letter == letter)
			return &options_rows[i];
	return NULL;
}

const char *options_row_guess(const char *name, size_t *n)
{
	const struct options_row *found = NULL;
	size_t length = strlen(name);
	for (size_t i = 0; length >= 3 && i < options_n_rows; i++) {
		const struct options_row *row = &options_rows[i];
		if (row->status != OPTION_WORKS || strncmp(row->names, name, length) != 0)
			continue;
		if (found)
			return NULL;
		found = row;
	}
	if (!found)
		return NULL;
	*n = options_row_first(found);
	return found->names;
}

enum options_compat options_row_compat(const struct options_row *row, const char **how)
{
	*how = row->how ? row->how : "";
	if (row->status == OPTION_MEANINGLESS)
		return COMPAT_IGNORED;
	if (row->status != OPTION_REFUSED)
		return row->compat;
	*how = row->help;
	return COMPAT_REFUSED;
}

const char *options_compat_word(enum options_compat compat)
{
	static const char *const words[] = {
		[COMPAT_UNSAID] = "ours", [COMPAT_SAME] = "same", [COMPAT_BETTER] = "better", [COMPAT_DIFFERENT] = "different",
		[COMPAT_IGNORED] = "ignored", [COMPAT_REFUSED] = "refused",
	};
	static_assert(sizeof(words) / sizeof(words[0]) == OPTIONS_COMPATS, "a word for each");
	return words[compat];
}
