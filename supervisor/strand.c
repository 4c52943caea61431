#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/logger.h"
#include "supervisor/ruler_inside.h"
#include "vassals/util.h"

#define READ_BYTES 65536
#define LAST_READS 16		/* of a dead generation's pipe: a MiB at most */
#define OUTPUT_PRIORITY (-2)	/* a flood comes after wires, links and inotify */

/* uWSGI's words when a python app did not load (tried on 2.0.21): it then runs on without one, unless need-app is set. */
#define NO_APP_WORDS "unable to load app "

static void on_line(void *data, const char *line, size_t length)
{
	struct strand *st = data;
	struct subject *s = st->subject;
	struct ruler *r = s->ruler;
	logger_vassal(s->cv->name, st->pid, line, length);
	if (r->commands)
		commands_line(r->commands, s->cv, line);
	if (strstr(line, NO_APP_WORDS))	/* log-date and the like put something before it */
		court_no_app(r->court, st->generation);
}

static void tell_dropped(struct strand *st)
{
	struct subject *s = st->subject;
	uint64_t dropped = output_dropped(st->lines);
	s->dropped += dropped;
	if (s->dropped == s->dropped_told)
		return;
	/* The same text each time, so that it is counted rather than repeated; the sum is in status. */
	logger_once(LOG_WARNING, s->cv->name, util_now(), "[%s] prints faster than %d lines a second: lines are dropped", s->cv->name,
		    OUTPUT_LINES_PER_SECOND);
	s->dropped_told = s->dropped;
}

/* The bytes read; 0 at the end of the pipe, or when there is nothing now (then *again). */
static ssize_t read_output(struct strand *st, bool *again)
{
	static char buf[READ_BYTES];	/* one thread, and nothing here comes back into this function */
	ssize_t n = read(st->output.fd, buf, sizeof buf);
	*again = n < 0 && errno == EAGAIN;
	if (n <= 0)
		return 0;
	if (!st->lines && output_new(&st->lines) < 0)
		return n;
	output_feed(st->lines, buf, (size_t)n, util_now(), on_line, st);
	tell_dropped(st);
	return n;
}

static void on_output(struct ev_loop *loop, ev_io *w, int revents)
{
	struct strand *st = w->data;
	bool again;
	(void)revents;
	if (read_output(st, &again) == 0 && !again)
		ev_io_stop(loop, w);
}

/* Looked at first and taken only after the court has acted and the keeper has the record: a byte that a dying ruler took with it
 * would be lost. Read twice it does no harm (vassal.c). */
static bool read_wire(struct strand *st)
{
	struct ruler *r = st->subject->ruler;
	unsigned char bytes[64];
	uint64_t generation = st->generation;
	ssize_t n = recv(st->wire.fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		ev_io_stop(r->loop, &st->wire);
		court_wire_eof(r->court, generation);
		return false;
	}
	for (ssize_t i = 0; i < n; i++)
		court_byte(r->court, generation, bytes[i]);
	ruler_write_records(r);
	return recv(st->wire.fd, bytes, (size_t)n, MSG_DONTWAIT) == n;
}

static void on_wire(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	read_wire(w->data);
}

struct strand *strand_new(struct subject *s)
{
	struct strand *st = calloc(1, sizeof *st);
	if (!st)
		return NULL;
	st->subject = s;
	st->reach = -1;
	ev_io_init(&st->wire, on_wire, -1, EV_READ);
	ev_io_init(&st->output, on_output, -1, EV_READ);
	ev_set_priority(&st->output, OUTPUT_PRIORITY);
	st->wire.data = st->output.data = st;
	return st;
}

void strand_attach(struct strand *st, const struct strand_ends *ends)
{
	strand_detach(st);
	st->generation = ends->generation;
	st->pid = ends->pid;
	st->reach = ends->reach;
	ev_io_set(&st->wire, ends->wire, EV_READ);
	ev_io_set(&st->output, ends->output, EV_READ);
	if (st->subject->ruler->phase != RULER_ADOPTING)
		strand_listen(st);
}

void strand_listen(struct strand *st)
{
	if (!st || st->generation == 0)
		return;
	ev_io_start(st->subject->ruler->loop, &st->wire);
	ev_io_start(st->subject->ruler->loop, &st->output);
}

static void let_go(struct strand *st)
{
	ev_io_stop(st->subject->ruler->loop, &st->wire);
	ev_io_stop(st->subject->ruler->loop, &st->output);
	util_close(st->wire.fd);
	util_close(st->output.fd);
	st->reach = util_close(st->reach);
	st->prober = prober_free(st->prober);
	st->generation = 0;
}

/* Its last words are why it died: read them before anybody is told. */
void strand_detach(struct strand *st)
{
	bool again = false;
	if (st->generation == 0)
		return;
	if (ev_is_active(&st->wire))
		read_wire(st);
	for (int i = 0; i < LAST_READS && read_output(st, &again) > 0; i++)
		;
	if (st->lines)
		output_finish(st->lines, on_line, st);
	let_go(st);
}

struct strand *strand_free(struct strand *st)
{
	if (!st)
		return NULL;
	if (st->generation != 0)	/* the court is being freed, or nobody cares for its last words any more */
		let_go(st);
	output_free(st->lines);
	free(st);
	return NULL;
}

/* ---- the gate's request */

static void judged(void *data, int status)
{
	struct strand *st = data;
	st->prober = NULL;
	court_probed(st->subject->ruler->court, st->generation, status);
}

void strand_probe(struct strand *st)
{
	prober_free(st->prober);
	st->prober = prober_new(st, judged, st);
}
