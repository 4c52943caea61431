/* notify: words for systemd: ready, reloading, status, watchdog. Without libsystemd, or outside systemd, it does nothing. Only the
 * keeper calls it: it is the main process. */
#ifndef REGENT_NOTIFY_H
#define REGENT_NOTIFY_H

#include <stdint.h>

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
void notify_status(const char *text);	/* one line; more is cut off */
void notify_alive(void);
/* How often systemd wants to hear notify_alive(), in ns; 0: not at all. */
uint64_t notify_watchdog(void);

#endif
