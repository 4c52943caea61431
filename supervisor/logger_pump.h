/* logger_pump: lets a loop deliver what the logger holds back: while something waits it listens for room, else it costs nothing. */
#ifndef REGENT_LOGGER_PUMP_H
#define REGENT_LOGGER_PUMP_H

#include <ev.h>

struct logger_pump { ev_prepare before_sleep; ev_io room; };

void logger_pump_start(struct logger_pump *p, struct ev_loop *loop);

#endif
