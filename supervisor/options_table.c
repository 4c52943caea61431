#include "supervisor/options_table.h"

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
	{ "ini", UWSGI(GENERAL), .kind = OPTION_INI, TAKES("file[:section]"),
	  .help = "Read options from an ini: the section uwsgi or the one named, and the section regent. A last word that ends in .ini is taken so too." },
	{ "set", 'S', UWSGI(GENERAL), .kind = OPTION_SET, TAKES("key=value"), .help = "Set an option, or a placeholder for %(key) in an ini." },
	{ "set-placeholder set-ph", UWSGI(GENERAL), .kind = OPTION_PLACEHOLDER, TAKES("key=value"), .help = "Set a placeholder for %(key) in an ini." },
	{ "strict", UWSGI(GENERAL), FLAG(strict), .help = "An unknown key in an ini is an error, not a warning." },
	{ "daemonize", 'd', UWSGI(GENERAL), .kind = OPTION_LOG_FILE, .offset = AT(daemonize), TAKES("file"),
	  .help = "Go to the background and write the log to a file." },
	{ "pidfile", UWSGI(GENERAL), TEXT(pidfile, "file"), .help = "Write the process id to a file, before privileges are dropped." },
	{ "run-directory", OURS(GENERAL), TEXT(run_directory, "directory"), .fallback = "/run/regent",
	  .help = "Where the lock and the control socket live. One regent a directory." },

	{ "emperor", UWSGI(MONITORS), LIST(emperor, "place"),
	  .help = "Rule the vassals found here: a directory of configs, or a quoted glob; dir:// and glob:// may stand in front." },
	{ "emperor-extra-extension emperor-extra-ext", UWSGI(MONITORS), .kind = OPTION_EXTENSION, .offset = AT(emperor_extra_extension), TAKES("ext"),
	  .help = "Names that end so are vassals too. They are started with --config." },
	{ "emperor-freq", UWSGI(MONITORS), NUMBER(emperor_freq, "seconds", 1, DAY, "3"),
	  .help = "How often to scan where changes are not reported by the kernel." },
	{ "emperor-nofollow", UWSGI(MONITORS), FLAG(emperor_nofollow), .help = "A config that is a symbolic link changes when the link does, not its target." },

	{ "binary-path", UWSGI(VASSALS), TEXT(binary_path, "program"), .fallback = "uwsgi", .help = "The uWSGI to start vassals with." },
	{ "emperor-wrapper", UWSGI(VASSALS), TEXT(emperor_wrapper, "program"), .help = "Start this program in place of uWSGI, with the same arguments." },
	{ "vassals-inherit", UWSGI(VASSALS), LIST(vassals_inherit, "file"), .help = "Give every vassal --inherit file after its config." },
	{ "vassals-include", UWSGI(VASSALS), LIST(vassals_include, "file"), .help = "Give every vassal --include file after its config." },
	{ "vassals-inherit-before", UWSGI(VASSALS), LIST(vassals_inherit_before, "file"), .help = "Give every vassal --inherit file before its config." },
	{ "vassals-include-before", UWSGI(VASSALS), LIST(vassals_include_before, "file"), .help = "Give every vassal --include file before its config." },
	{ "vassals-set vassal-set", UWSGI(VASSALS), LIST(vassals_set, "key=value"), .help = "Give every vassal --set key=value." },
	{ "max-starting", OURS(VASSALS), NUMBER(max_starting, "n", 0, 1000000, NULL),
	  .help = "At most so many vassals may be starting at once; 0 is no limit (default: twice the number of CPUs)." },

	{ "emperor-required-heartbeat", UWSGI(LIFE), NUMBER(emperor_required_heartbeat, "seconds", 1, DAY, "30"),
	  .help = "A vassal that has sent a heartbeat is hung when none follows for so long." },
	{ "emperor-curse-tolerance", UWSGI(LIFE), NUMBER(emperor_curse_tolerance, "seconds", 1, DAY, "30"),
	  .help = "A vassal that has closed its wire has so long to exit." },
	{ "emperor-throttle", UWSGI(LIFE), NUMBER(emperor_throttle, "ms", 0, DAY_MS, "1000"),
	  .help = "The first pause before a vassal that died young is started again, in milliseconds. It doubles each time." },
	{ "emperor-max-throttle", UWSGI(LIFE), NUMBER(emperor_max_throttle, "ms", 0, DAY_MS, "180000"), .help = "The longest such pause, in milliseconds." },
	{ "emperor-no-blacklist", UWSGI(LIFE), FLAG(emperor_no_blacklist), .help = "Start a vassal that died again without such pauses." },
	{ "emperor-graceful-shutdown", UWSGI(LIFE), FLAG(emperor_graceful_shutdown), .help = "At the end, let vassals finish their requests." },
	{ "reload-mercy", UWSGI(LIFE), NUMBER(reload_mercy, "seconds", 1, DAY, "30"), .help = "A vassal told to stop has so long before it is killed." },
	{ "start-patience", OURS(LIFE), DURATION(start_patience, 0, DAY_MS, "30"), .help = "A vassal that is slow to start counts against max-starting so long." },
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

	{ "uid", UWSGI(RIGHTS), TEXT(uid, "user"), .help = "Run the vassals as this user (name or number)." },
	{ "gid", UWSGI(RIGHTS), TEXT(gid, "group"), .help = "Run the vassals with this group (name or number)." },
	{ "emperor-tyrant", UWSGI(RIGHTS), FLAG(emperor_tyrant), .help = "Run each vassal as the owner and group of its config." },
	{ "emperor-tyrant-nofollow", UWSGI(RIGHTS), FLAG(emperor_tyrant_nofollow), .help = "Tyrant: take owner and group of a symbolic link itself, not of its target." },
	{ "vassal-users", OURS(RIGHTS), .kind = OPTION_USERS, .offset = AT(vassal_users), TAKES("user[,user]"),
	  .help = "With neither uid nor emperor-tyrant: the users that a vassal's ini may name (default: any but root)." },
	{ "vassals-as-root", OURS(RIGHTS), FLAG(vassals_as_root), .help = "Let vassals run as root." },
	{ "ruler-user", OURS(RIGHTS), TEXT(ruler_user, "user"), .fallback = "regent", .help = "Whom regent's unprivileged process runs as, when started as root." },

	{ "log-syslog", UWSGI(LOGS), .kind = OPTION_SYSLOG, .offset = AT(log_syslog), .argument = ARGUMENT_OPTIONAL, .word = "tag[,facility]",
	  .help = "Send the log to syslog: regent's own words under the tag (regent), each vassal's lines under its name." },
	{ "logto", UWSGI(LOGS), .kind = OPTION_LOG_FILE, .offset = AT(logto), TAKES("file"), .help = "Write the log to a file." },
	{ "log-date logdate", UWSGI(LOGS), .kind = OPTION_LOG_DATE, .offset = AT(log_date), .argument = ARGUMENT_OPTIONAL, .word = "on|off",
	  .help = "Put the time before each line." },

	{ "control-socket", OURS(CONTROL), TEXT(control_socket, "path"), .help = "Where regentctl finds regent (default: control.sock in run-directory)." },
	{ "control-allow", OURS(CONTROL), .kind = OPTION_ALLOW, .offset = AT(control_allow), TAKES("rule"),
	  .help = "\"USER|@GROUP VERB[,VERB] [GLOB]\": may use these verbs on the vassals that the glob matches (default: all)." },
	{ "ruler-patience", OURS(CONTROL), DURATION(ruler_patience, 100, DAY_MS, "10"),
	  .help = "The unprivileged process is killed and replaced when it says nothing for so long." },

	/* usual, harmless, or done anyway */
	{ "master", 'M', UWSGI(GENERAL), SILENT }, { "processes workers", 'p', UWSGI(GENERAL), SILENT, VALUE },
	{ "enable-threads", 'T', UWSGI(GENERAL), SILENT }, { "disable-logging", 'L', UWSGI(GENERAL), SILENT },
	{ "no-orphans die-on-term vacuum early-emperor thunder-lock lazy lazy-apps single-interpreter master-as-root log-master "
	  "log-reopen log-truncate auto-procname no-threads-wait ignore-sigpipe ignore-write-errors disable-write-exception memory-report "
	  "exit-on-reload emperor-subreaper", UWSGI(GENERAL), SILENT },
	{ "need-app", UWSGI(GENERAL), SILENT, .argument = ARGUMENT_OPTIONAL },
	{ "plugin plugins need-plugin need-plugins plugin-dir plugins-dir procname procname-master procname-prefix procname-prefix-spaced "
	  "procname-append emperor-procname print threads listen buffer-size max-requests forkbomb-delay log-master-bufsize",
	  UWSGI(GENERAL), SILENT, VALUE },

	/* of workers and requests */
	{ "socket uwsgi-socket http-socket https-socket fastcgi-socket scgi-socket http https module wsgi wsgi-file file callable mount "
	  "pythonpath virtualenv venv home harakiri cheaper chdir chdir2 chmod-socket chown-socket touch-reload py-autoreload spooler mule "
	  "mules cron attach-daemon static-map stats stats-server master-fifo log-format logformat worker-reload-mercy route",
	  UWSGI(VASSALS), MEANINGLESS, VALUE },
	{ "cheap catch-exceptions show-config no-server", UWSGI(VASSALS), MEANINGLESS },

	/* not yet, or not so */
	{ "emperor-on-demand-extension emperor-on-demand-ext emperor-on-demand-directory emperor-on-demand-dir emperor-on-demand-exec",
	  UWSGI(VASSALS), VALUE, REFUSED(NO_ON_DEMAND) },
	{ "emperor-broodlord", UWSGI(VASSALS), VALUE, REFUSED("regent sends no reinforcements yet") },
	{ "emperor-stats emperor-stats-server", UWSGI(CONTROL), VALUE, REFUSED("regent serves no stats yet: see `regentctl status --json`") },
	{ "emperor-pidfile", UWSGI(GENERAL), VALUE, REFUSED("use pidfile: the process it names is the emperor") },
	{ "pidfile2 safe-pidfile safe-pidfile2", UWSGI(GENERAL), VALUE, REFUSED("use pidfile") },
	{ "daemonize2", UWSGI(GENERAL), VALUE, REFUSED("use daemonize") },
	{ "logto2", UWSGI(LOGS), VALUE, REFUSED("use logto") },
	{ "logger log-socket", UWSGI(LOGS), VALUE, REFUSED("use log-syslog or logto") },
	{ "emperor-magic-exec", UWSGI(VASSALS), REFUSED("regent runs no executable configs yet") },
	{ "emperor-wrapper-override emperor-wrapper-fallback", UWSGI(VASSALS), VALUE, REFUSED("regent tries one program only: use emperor-wrapper") },
	{ "emperor-use-clone unshare unshare2", UWSGI(RIGHTS), VALUE, REFUSED("regent gives vassals no namespaces of their own yet") },
	{ "emperor-cap vassals-cap vassal-cap cap", UWSGI(RIGHTS), VALUE, REFUSED(NO_CAPABILITIES) },
	{ "emperor-tyrant-initgroups", UWSGI(RIGHTS), REFUSED("regent gives tyrant vassals no supplementary groups yet") },
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
	{ "immediate-uid immediate-gid", UWSGI(RIGHTS), VALUE, REFUSED("use uid and gid") },
	{ "add-gid", UWSGI(RIGHTS), VALUE, REFUSED("regent gives vassals no further groups yet") },
	{ "no-initgroups", UWSGI(RIGHTS), REFUSED("regent does not let one choose the supplementary groups yet") },
	{ "chroot", UWSGI(RIGHTS), VALUE, REFUSED("use RootDirectory= in the unit, or chroot in a vassal's ini") },
	{ "cgroup", UWSGI(RIGHTS), VALUE, REFUSED("regent puts vassals in no cgroups of their own yet") },
	{ "umask", UWSGI(VASSALS), VALUE, REFUSED("use UMask= in the unit, or umask in a vassal's ini") },
	{ "env ienv envdir", UWSGI(VASSALS), VALUE, REFUSED("use Environment= in the unit: vassals get regent's environment") },
	{ "include inherit config xml yaml yml json js", UWSGI(GENERAL), VALUE, REFUSED("regent reads its own options from inis only: use ini") },
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
