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
#define TIMER_PRIORITY (-1)	/* what is due and what has come in one moment: the byte first, then the time limit it keeps */
#define OUTPUT_PRIORITY (-2)	/* a flood comes after wires, links and inotify */

/* uWSGI's words when a python app did not load (tried on 2.0.21): it then runs on without one, unless need-app is set. */
#define NO_APP_WORDS "unable to load app "

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct subject *s = w->data;
	(void)loop;
	(void)revents;
	court_timer(s->ruler->court, s->cv);
}

static void on_line(void *data, const char *line, size_t length)
{
	struct subject *s = data;
	struct ruler *r = s->ruler;
	logger_vassal(s->cv->name, s->cv->v.pid, line, length);
	if (r->commands)
		commands_line(r->commands, s->cv, line);
	if (strstr(line, NO_APP_WORDS))	/* log-date and the like put something before it */
		court_no_app(r->court, s->generation);
}

static void tell_dropped(struct subject *s)
{
	uint64_t dropped = output_dropped(s->lines);
	s->dropped += dropped;
	if (s->dropped == s->dropped_told)
		return;
	/* The same text each time, so that it is counted rather than repeated; the sum is in status. */
	logger_once(LOG_WARNING, s->cv->name, util_now(), "[%s] prints faster than %d lines a second: lines are dropped", s->cv->name,
		    OUTPUT_LINES_PER_SECOND);
	s->dropped_told = s->dropped;
}

/* The bytes read; 0 at the end of the pipe, or when there is nothing now (then *again). */
static ssize_t read_output(struct subject *s, bool *again)
{
	static char buf[READ_BYTES];	/* one thread, and nothing here comes back into this function */
	ssize_t n = read(s->output.fd, buf, sizeof buf);
	*again = n < 0 && errno == EAGAIN;
	if (n <= 0)
		return 0;
	if (!s->lines && output_new(&s->lines) < 0)
		return n;
	output_feed(s->lines, buf, (size_t)n, util_now(), on_line, s);
	tell_dropped(s);
	return n;
}

static void on_output(struct ev_loop *loop, ev_io *w, int revents)
{
	struct subject *s = w->data;
	bool again;
	(void)revents;
	if (read_output(s, &again) == 0 && !again)
		ev_io_stop(loop, w);
}

/* Looked at first and taken only after the court has acted and the keeper has the record: a byte that a dying ruler took with it
 * would be lost. Read twice it does no harm (vassal.c). */
static bool read_wire(struct subject *s)
{
	unsigned char bytes[64];
	uint64_t generation = s->generation;
	ssize_t n = recv(s->wire.fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		ev_io_stop(s->ruler->loop, &s->wire);
		court_wire_eof(s->ruler->court, generation);
		return false;
	}
	for (ssize_t i = 0; i < n; i++)
		court_byte(s->ruler->court, generation, bytes[i]);
	ruler_write_records(s->ruler);
	return recv(s->wire.fd, bytes, (size_t)n, MSG_DONTWAIT) == n;
}

static void on_wire(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	read_wire(w->data);
}

struct subject *subject_of(struct ruler *r, struct court_vassal *cv)
{
	if (cv->world)
		return cv->world;
	struct subject *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->ruler = r;
	s->cv = cv;
	s->uid = IDENTITY_NONE;
	s->gid = (gid_t)-1;
	ev_timer_init(&s->timer, on_timer, 0., 0.);
	ev_io_init(&s->wire, on_wire, -1, EV_READ);
	ev_io_init(&s->output, on_output, -1, EV_READ);
	ev_set_priority(&s->output, OUTPUT_PRIORITY);
	ev_set_priority(&s->timer, TIMER_PRIORITY);
	s->timer.data = s->wire.data = s->output.data = s;
	cv->world = s;
	return s;
}

void subject_attach(struct subject *s, uint64_t generation, int wire, int output)
{
	subject_detach(s);
	s->generation = generation;
	ev_io_set(&s->wire, wire, EV_READ);
	ev_io_set(&s->output, output, EV_READ);
	if (s->ruler->phase != RULER_ADOPTING)
		subject_listen(s);
}

void subject_listen(struct subject *s)
{
	if (s->generation == 0)
		return;
	ev_io_start(s->ruler->loop, &s->wire);
	ev_io_start(s->ruler->loop, &s->output);
}

/* Its last words are why it died: read them before anybody is told. */
void subject_detach(struct subject *s)
{
	bool again = false;
	if (s->generation == 0)
		return;
	if (ev_is_active(&s->wire))
		read_wire(s);
	for (int i = 0; i < LAST_READS && read_output(s, &again) > 0; i++)
		;
	if (s->lines)
		output_finish(s->lines, on_line, s);
	ev_io_stop(s->ruler->loop, &s->wire);
	ev_io_stop(s->ruler->loop, &s->output);
	util_close(s->wire.fd);
	util_close(s->output.fd);
	s->generation = 0;
}

void subject_free(struct subject *s)
{
	if (!s)
		return;
	prober_cancel(s);
	ruler_clean(s);
	ruler_errand_forget(s->ruler, s);
	ev_timer_stop(s->ruler->loop, &s->timer);
	if (s->generation != 0) {	/* the court is being freed, or nobody cares for its last words any more */
		ev_io_stop(s->ruler->loop, &s->wire);
		ev_io_stop(s->ruler->loop, &s->output);
		util_close(s->wire.fd);
		util_close(s->output.fd);
	}
	output_free(s->lines);
	s->cv->world = NULL;
	free(s);
}

uid_t subject_uid(const struct subject *s)
{
	const struct options *o = s->ruler->options;
	if (s->ruler->start->uid == IDENTITY_NONE)
		return s->ruler->start->owner;	/* started by an ordinary user: all run as that one */
	if (o->emperor_tyrant)
		return s->cv->print.uid;
	return o->uid_number != IDENTITY_NONE ? o->uid_number : s->uid;
}

char *subject_tail(struct subject *s, size_t lines, bool newest_only)
{
	if (!s->lines)
		return NULL;
	return newest_only ? output_tail_since_mark(s->lines, lines) : output_tail(s->lines, lines);
}
