/* logger_backlog: records that the local syslog did not take at once. Its socket holds no more than ten or so (net.unix.max_dgram_qlen),
 * an app's start prints forty: without this most of them would be lost. Bounded; knows no format. */
#ifndef REGENT_LOGGER_BACKLOG_H
#define REGENT_LOGGER_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>

#define LOGGER_BACKLOG_BYTES (1024 * 1024)	/* a syslog that is this far behind is not reading */

struct logger_waiting;
struct logger_backlog { struct logger_waiting *head, *tail; size_t bytes; };

/* false: no room, or no memory. */
bool logger_backlog_add(struct logger_backlog *b, const char *record, size_t n);
/* The oldest, NULL: none. */
const char *logger_backlog_first(const struct logger_backlog *b, size_t *n);
void logger_backlog_pop(struct logger_backlog *b);

#endif
