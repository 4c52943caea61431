/* logger: where words go: stderr, a file, or syslog. Never blocks (a record that cannot be delivered at once is dropped and
 * counted) and never fails its caller, whose errno it keeps. Keeper and ruler have one each, over the same descriptors.
 * Before logger_open() words go to stderr. The process ignores SIGPIPE. Not for threads, nor for the child before exec. */
#ifndef REGENT_LOGGER_H
#define REGENT_LOGGER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>
#include <sys/types.h>

#define LOGGER_IDENT_MAX 64	/* with its NUL */
#define LOGGER_TEXT_MAX 2048	/* of one record; what is longer ends in "..." */

struct logger_config {
	const char *logto;	/* file, already opened as fd below; NULL: none */
	int fd;			/* of logto, or 2 */
	bool syslog;		/* --log-syslog */
	const char *ident;	/* its argument, our own tag; default "regent" */
	int facility;		/* LOG_DAEMON, or what the argument says (ident,facility as uWSGI has it: "name" or "name,local0") */
	const char *syslog_path;	/* "/dev/log"; tests name another */
	bool log_date;		/* --log-date: ISO 8601 with offset before each line, also on stderr */
};

/* One logger a process. Copies what it needs; fd becomes ours, save 2. 0 or negative errno. With syslog words go there, to
 * logto if there is one, and to stderr only while no syslog answers; a syslog that is not there is tried again at each record. */
int logger_open(const struct logger_config *config);
/* Another descriptor for logto (after reopen); the old one is closed, save 2. */
void logger_set_fd(int fd);
/* Splits the argument of --log-syslog, "", "TAG" or "TAG,FACILITY": 0; -ENOENT no such facility; -EINVAL a tag that is too
 * long or has blanks or control bytes. Out-parameters untouched then. */
int logger_syslog_argument(const char *argument, char *ident, size_t size, int *facility);

/* Our own words, under our ident and pid. level as syslog(3): LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG. */
void logger_log(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) logger_log(LOG_ERR, __VA_ARGS__)
#define log_warning(...) logger_log(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) logger_log(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) logger_log(LOG_INFO, __VA_ARGS__)

/* A line that a vassal printed: under syslog its own record, tag = name, pid = pid (of the generation's master). On
 * stderr and file: "[name] line". */
void logger_vassal(const char *name, pid_t pid, const char *line, size_t length);

/* "The same failure repeated is logged once, then counted": logs unless key (any string) was logged within the last 60 s
 * with the same text; when another text comes for the key, or the 60 s are over, "TEXT (N times more)" is said first. now:
 * util_now(). Of the 128 keys used last; what an older one has counted is said when it goes. */
void logger_once(int level, const char *key, uint64_t now, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The local syslog takes ten or so records at once; more are held back, at most a MiB. The descriptor to wait on until there is
 * room, -1 while nothing waits; then logger_flush(). See logger_pump.h. */
int logger_waits_for(void);
void logger_flush(void);

/* Records that one of their places did not take, since the last call. Said in the log by the caller, when it can be. */
uint64_t logger_dropped(void);

/* "2026-11-24T21:20:58+00:00"; buf of at least 32 bytes; wall clock seconds. */
void logger_time(char *buf, size_t size, time_t when);

#endif
