/* logger: where words go: stderr, a file, or syslog. Never blocks (a record that cannot be delivered at once is dropped and
 * counted) and never fails its caller. Keeper and ruler have one each, over the same descriptors. */
#ifndef REGENT_LOGGER_H
#define REGENT_LOGGER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>
#include <sys/types.h>

struct logger_config {
	const char *logto;	/* file, already opened as fd below; NULL: none */
	int fd;			/* of logto, or 2 */
	bool syslog;		/* --log-syslog */
	const char *ident;	/* its argument, our own tag; default "regent" */
	int facility;		/* LOG_DAEMON, or what the argument says (ident,facility as uWSGI has it: "name" or "name,local0") */
	const char *syslog_path;	/* "/dev/log"; tests name another */
	bool log_date;		/* --log-date: ISO 8601 with offset before each line, also on stderr */
};

/* One logger a process. Copies what it needs. 0 or negative errno. A syslog that is not there is tried again at each record. */
int logger_open(const struct logger_config *config);
/* Another descriptor for logto (after reopen); the old one is closed. */
void logger_set_fd(int fd);

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
 * with the same text; when another text comes for the key, or the 60 s are over, "(N times more)" is said first. */
void logger_once(int level, const char *key, uint64_t now, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Records dropped because nobody took them, since the last call. Said in the log by the caller, when it can be. */
uint64_t logger_dropped(void);

/* "2026-11-24T21:20:58+00:00"; buf of at least 32 bytes; wall clock seconds. */
void logger_time(char *buf, size_t size, time_t when);

#endif
