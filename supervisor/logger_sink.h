/* logger_sink: bytes to a descriptor, or a record to the local syslog, without ever waiting. Knows no levels and no format. */
#ifndef REGENT_LOGGER_SINK_H
#define REGENT_LOGGER_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

struct logger_sink {
	int fd;			/* as given; closed by logger_sink_set(), save 2 */
	int own;		/* the same pipe or terminal opened anew, non-blocking; or -1 */
	bool is_socket, is_file;
};

/* Another descriptor; the old one is closed, save 2 and the new one itself. */
void logger_sink_set(struct logger_sink *s, int fd);
/* One write of n <= PIPE_BUF bytes. false: not (wholly) taken. */
bool logger_sink_write(struct logger_sink *s, const char *bytes, size_t n);

enum logger_taken { LOGGER_TAKEN, LOGGER_FULL /* somebody is there and does not read */, LOGGER_NOBODY };

struct logger_syslog {
	int fd;			/* connected, or -1 */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* Connects where needed, again at most once a record. */
enum logger_taken logger_syslog_send(struct logger_syslog *s, const char *record, size_t n);
void logger_syslog_close(struct logger_syslog *s);

#endif
