#include "supervisor/logger_pump.h"

#include "supervisor/logger.h"

static void on_room(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	logger_flush();
}

static void say_dropped(void)
{
	uint64_t dropped = logger_dropped();
	if (dropped > 0)
		log_warning("regent: %llu log records were dropped: nobody took them in time", (unsigned long long)dropped);
}

static void on_before_sleep(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct logger_pump *p = w->data;
	int fd = logger_waits_for();
	(void)revents;
	if (fd < 0)
		say_dropped();
	if (fd == p->room.fd && (fd < 0 || ev_is_active(&p->room)))
		return;
	ev_io_stop(loop, &p->room);
	ev_io_set(&p->room, fd, EV_WRITE);
	if (fd >= 0)
		ev_io_start(loop, &p->room);
}

void logger_pump_start(struct logger_pump *p, struct ev_loop *loop)
{
	ev_prepare_init(&p->before_sleep, on_before_sleep);
	ev_io_init(&p->room, on_room, -1, EV_WRITE);
	ev_set_priority(&p->room, -1);
	p->before_sleep.data = p;
	ev_prepare_start(loop, &p->before_sleep);
}
