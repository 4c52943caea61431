#include "supervisor/logger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/logger_backlog.h"
#include "supervisor/logger_sink.h"
#include "vassals/util.h"

/* Prefixes (time, priority, tag of at most 255 bytes, pid) and the newline, beside the text: a whole line stays below
 * PIPE_BUF, so that a pipe takes it in one piece or not at all. */
#define PREFIX_MAX 400
_Static_assert(LOGGER_TEXT_MAX + PREFIX_MAX <= 4096, "a line must fit PIPE_BUF");

static struct {
	struct logger_sink file;
	struct logger_syslog syslog;
	struct logger_backlog backlog;
	bool to_file, to_syslog, date;
	int facility;
	uint64_t dropped;
	char ident[LOGGER_IDENT_MAX];
} log_to = { .file = { .fd = STDERR_FILENO, .own = -1 }, .syslog = { .fd = -1 }, .to_file = true, .ident = "regent" };

void logger_time(char *buf, size_t size, time_t when)
{
	struct tm tm;
	char zone[8];
	if (!localtime_r(&when, &tm) || strftime(zone, sizeof(zone), "%z", &tm) != 5) {
		buf[0] = '\0';
		return;
	}
	char date[32];
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, size, "%s%.3s:%s", date, zone, zone + 3);
}

int logger_open(const struct logger_config *config)
{
	if (config->ident && strlen(config->ident) >= sizeof(log_to.ident))
		return -ENAMETOOLONG;
	const char *path = config->syslog_path ? config->syslog_path : "/dev/log";
	struct logger_syslog syslog_sink = { .fd = -1 };
	int r = util_format(syslog_sink.path, sizeof(syslog_sink.path), "%s", path);
	if (r < 0)
		return r;
	tzset();	/* reads the zone file now, not in the middle of something */
	logger_syslog_close(&log_to.syslog);
	log_to.syslog = syslog_sink;
	for (size_t n; logger_backlog_first(&log_to.backlog, &n);)
		logger_backlog_pop(&log_to.backlog);
	log_to.to_syslog = config->syslog;
	log_to.to_file = config->logto || !config->syslog;
	log_to.date = config->log_date;
	log_to.facility = config->facility ? config->facility : LOG_DAEMON;
	snprintf(log_to.ident, sizeof(log_to.ident), "%s", config->ident && *config->ident ? config->ident : "regent");
	logger_sink_set(&log_to.file, config->fd);
	return 0;
}

void logger_set_fd(int fd)
{
	logger_sink_set(&log_to.file, fd);
}

/* text as one harmless line of at most LOGGER_TEXT_MAX bytes, NUL-terminated. Returns its length. */
static size_t clean(char *line, const char *text, size_t n)
{
	static const char hex[] = "0123456789abcdef", cut[] = "...";
	const size_t limit = LOGGER_TEXT_MAX - (sizeof(cut) - 1);
	size_t used = 0, before_limit = 0;
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		bool binary = (c < ' ' && c != '\t' && c != '\n') || c == 0x7f;
		if (used + (binary ? 4 : 1) > LOGGER_TEXT_MAX) {
			memcpy(line + before_limit, cut, sizeof(cut));
			return before_limit + sizeof(cut) - 1;
		}
		if (binary) {
			memcpy(line + used, (char[]){ '\\', 'x', hex[c >> 4], hex[c & 15] }, 4);
			used += 4;
		} else {
			line[used++] = c == '\n' ? ' ' : (char)c;
		}
		if (used <= limit)
			before_limit = used;
	}
	line[used] = '\0';
	return used;
}

static bool write_file(const char *name, const char *text)
{
	char line[LOGGER_TEXT_MAX + PREFIX_MAX], date[32] = "";
	if (log_to.date)
		logger_time(date, sizeof(date), time(NULL));
	int n = snprintf(line, sizeof(line), "%s%s%s%.255s%s%s\n", date, *date ? " " : "", name ? "[" : "", name ? name : "", name ? "] " : "", text);
	return logger_sink_write(&log_to.file, line, (size_t)n);
}

void logger_flush(void)
{
	size_t n;
	const char *record;
	while ((record = logger_backlog_first(&log_to.backlog, &n)) != NULL) {
		enum logger_taken answer = logger_syslog_send(&log_to.syslog, record, n);
		if (answer == LOGGER_FULL)
			return;
		log_to.dropped += answer == LOGGER_NOBODY;
		logger_backlog_pop(&log_to.backlog);
	}
}

int logger_waits_for(void)
{
	size_t n;
	return logger_backlog_first(&log_to.backlog, &n) ? log_to.syslog.fd : -1;
}

/* In order: behind what waits already. */
static enum logger_taken hand_over(const char *record, size_t n)
{
	size_t first;
	bool waits = logger_backlog_first(&log_to.backlog, &first) != NULL;
	enum logger_taken answer = waits ? LOGGER_FULL : logger_syslog_send(&log_to.syslog, record, n);
	if (answer == LOGGER_FULL && logger_backlog_add(&log_to.backlog, record, n))
		return LOGGER_TAKEN;
	return answer;
}

/* As syslog(3) writes to the local socket: no host name, and the month in English whatever the locale. */
static enum logger_taken write_syslog(int level, const char *tag, pid_t pid, const char *text)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char record[LOGGER_TEXT_MAX + PREFIX_MAX];
	time_t now = time(NULL);
	struct tm tm = { 0 };
	localtime_r(&now, &tm);
	int n = snprintf(record, sizeof(record), "<%d>%.3s %2d %02d:%02d:%02d %.255s[%d]: %s", log_to.facility | level,
			 months + tm.tm_mon * 3, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, tag, (int)pid, text);
	return hand_over(record, (size_t)n);
}

static void copy_name(char *copy, size_t size, const char *name, const char *forbidden)
{
	size_t n = 0;
	for (; *name && n + 1 < size; name++) {
		unsigned char c = (unsigned char)*name;
		copy[n++] = c < ' ' || c == 0x7f || strchr(forbidden, c) ? '_' : *name;
	}
	copy[n] = '\0';
}

static void deliver(int level, const char *name, pid_t pid, const char *text, size_t length)
{
	int saved = errno;
	char line[LOGGER_TEXT_MAX + 1], tag[256];
	clean(line, text, length);
	/* A syslog tag ends at a blank, a colon or a bracket; a vassal's name may have any of them. */
	copy_name(tag, sizeof(tag), name ? name : log_to.ident, " :[]");
	bool taken = true, to_file = log_to.to_file;
	if (log_to.to_syslog) {
		enum logger_taken answer = write_syslog(level, tag, pid, line);
		taken = answer != LOGGER_FULL;
		to_file = to_file || answer == LOGGER_NOBODY;
	}
	if (name)
		copy_name(tag, sizeof(tag), name, "");
	if (to_file)
		taken = write_file(name ? tag : NULL, line) && taken;
	log_to.dropped += !taken;
	errno = saved;
}

__attribute__((format(printf, 2, 0)))
static void log_va(int level, const char *fmt, va_list ap)
{
	char text[LOGGER_TEXT_MAX + 2];	/* one byte over the limit tells that it was longer */
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		n = snprintf(text, sizeof(text), "%s", fmt);
	deliver(level, NULL, getpid(), text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

void logger_log(int level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_va(level, fmt, ap);
	va_end(ap);
}

void logger_vassal(const char *name, pid_t pid, const char *line, size_t length)
{
	deliver(LOG_INFO, name, pid, line, length);
}

uint64_t logger_dropped(void)
{
	uint64_t n = log_to.dropped;
	log_to.dropped = 0;
	return n;
}
