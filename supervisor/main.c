/* regent: start-up, in its order. Everything else is elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "supervisor/check.h"
#include "supervisor/keeper.h"
#include "supervisor/logger.h"
#include "supervisor/options.h"
#include "supervisor/policy.h"
#include "supervisor/premises.h"
#include "supervisor/privileges.h"
#include "supervisor/ruler.h"
#include "vassals/identity.h"
#include "vassals/launch.h"
#include "vassals/util.h"

#define EXIT_USAGE 2
#define DESCRIPTORS_MAX 65536	/* grown to once; three a vassal */

extern char **environ;

static int fail(const char *what, int error)
{
	fprintf(stderr, "regent: %s: %s\n", what, strerror(error));
	return 1;
}

/* 0, 1 and 2 are open whatever we were given, and nothing else is. */
static void tidy_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	close_range(3, ~0U, 0);
}

/* Who the ruler becomes. A vassal must never be the same: it could signal it. */
static int find_ruler_user(const struct options *o, uid_t *uid, gid_t *gid)
{
	*uid = IDENTITY_NONE;
	*gid = (gid_t)-1;
	if (geteuid() != 0)
		return 0;
	if (identity_user(o->ruler_user, uid, gid) < 0) {
		fprintf(stderr, "regent: warning: no user '%s' (made by regent.sysusers): the ruler runs as nobody\n", o->ruler_user);
		if (identity_user("nobody", uid, gid) < 0)
			return fail("no user nobody either", ENOENT);
	}
	if (*uid == 0 || *uid == o->uid_number) {
		fprintf(stderr, "regent: --ruler-user %s: must be neither root nor the vassals' own user\n", o->ruler_user);
		return EXIT_USAGE;
	}
	return 0;
}

/* uWSGI would leave the group at root's where only --uid is given (tried). */
static int check_vassal_user(struct options *o)
{
	uid_t uid;
	if (o->uid_number != IDENTITY_NONE && o->gid_number == (gid_t)-1)
		identity_user(o->uid, &uid, &o->gid_number);
	if (geteuid() == 0 && o->uid_number != IDENTITY_NONE && o->gid_number == (gid_t)-1) {
		fprintf(stderr, "regent: --uid %s: has no primary group; give --gid too\n", o->uid);
		return EXIT_USAGE;
	}
	if (geteuid() != 0 || o->uid_number == IDENTITY_NONE || o->vassals_as_root)
		return 0;
	if (o->uid_number == 0 || o->gid_number == 0) {
		fputs("regent: --uid, --gid: vassals would run as root; name another user, or say --vassals-as-root\n", stderr);
		return EXIT_USAGE;
	}
	return 0;
}

static int open_logger(const struct options *o, const struct premises *p)
{
	char ident[LOGGER_IDENT_MAX] = "";
	int facility = LOG_DAEMON;
	if (o->log_syslog)	/* options.c has checked it */
		logger_syslog_argument(o->log_syslog, ident, sizeof ident, &facility);
	struct logger_config config = {
		.logto = o->logto ? o->logto : o->daemonize, .fd = p->log >= 0 ? p->log : STDERR_FILENO, .syslog = o->log_syslog != NULL,
		.ident = ident[0] ? ident : NULL, .facility = facility, .syslog_path = "/dev/log", .log_date = o->log_date,
	};
	return logger_open(&config);
}

static int become_daemon(const struct options *o)
{
	if (!o->daemonize)
		return 0;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0)
		_exit(0);
	return setsid() < 0 ? -errno : 0;
}

static int rule(const struct options *o, uid_t ruler_uid, gid_t ruler_gid, struct premises *p)
{
	struct keeper_config config = {
		.options = o, .control = p->control, .log = p->log, .ruler_uid = ruler_uid, .ruler_gid = ruler_gid, .owner = geteuid(),
		.ruler = ruler_main,
	};
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &config.vassal_mask);
	getrlimit(RLIMIT_NOFILE, &config.vassal_nofile);
	struct rlimit raised = config.vassal_nofile;
	raised.rlim_cur = raised.rlim_max;
	setrlimit(RLIMIT_NOFILE, &raised);
	int r = launch_prepare(raised.rlim_cur > DESCRIPTORS_MAX ? DESCRIPTORS_MAX : (unsigned)raised.rlim_cur);
	if (r == 0)
		r = policy_new(o, ruler_uid, environ, &config.policy);
	if (r == 0)
		r = privileges_keeper(o->emperor_tyrant);
	if (r < 0) {
		log_error("regent: cannot start: %s", strerror(-r));
		return 1;
	}
	r = keeper_run(&config);
	policy_free(config.policy);
	return r;
}

static int start(struct options *o)
{
	uid_t ruler_uid;
	gid_t ruler_gid;
	struct premises p;
	int r = check_vassal_user(o);
	if (r == 0)
		r = find_ruler_user(o, &ruler_uid, &ruler_gid);
	if (r != 0)
		return r;
	tidy_descriptors();
	if (launch_reserve() < 0)
		return fail("cannot reserve descriptors", errno);
	r = premises_open_log(&p, o);
	if (r < 0)
		return fail(o->logto ? o->logto : o->daemonize, -r);
	r = become_daemon(o);
	if (r == 0)
		r = open_logger(o, &p);
	if (r < 0)
		return fail("cannot start", -r);
	r = premises_open(&p);
	r = r < 0 ? 1 : rule(o, ruler_uid, ruler_gid, &p);
	premises_close(&p);
	return r;
}

/* For --check a warning is a fault too. */
static int parse(int argc, char **argv, struct options **o, bool *warned)
{
	char *words = NULL;
	size_t size = 0;
	FILE *err = open_memstream(&words, &size);
	if (!err)
		return fail("cannot start", errno);
	int r = options_parse(argc, argv, err, o);
	fclose(err);
	fputs(words, stderr);
	free(words);
	*warned = size > 0;
	return r;
}

int main(int argc, char **argv)
{
	struct options *o;
	bool warned = false;
	int r = parse(argc, argv, &o, &warned);
	if (r != 0)
		return r;
	if (o->help)
		options_help(stdout);
	else if (o->mdoc_options)
		options_mdoc(stdout);
	else if (o->version)
		puts("regent " REGENT_VERSION);
	else if (o->check)
		r = check_run(o, stdout) != 0 || warned ? EXIT_USAGE : 0;
	else
		r = start(o);
	options_free(o);
	return r;
}
