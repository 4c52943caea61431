#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/logger.h"
#include "supervisor/ruler_inside.h"
#include "vassals/probe.h"
#include "vassals/util.h"

enum prober_phase { PROBER_CONNECTING, PROBER_ASKING, PROBER_LISTENING };

/* One request under way. Its time limit is its owner's. */
struct prober {
	struct ruler *ruler;
	prober_judged *judged;
	void *data;
	enum prober_phase phase;
	ev_io io;
	char request[PROBE_REQUEST_MAX];
	size_t request_size, sent;
	char answer[PROBE_ANSWER_MAX];
	size_t answer_size;
};

struct prober *prober_free(struct prober *p)
{
	if (!p)
		return NULL;
	ruler_errand_forget(p->ruler, p);
	if (p->phase != PROBER_CONNECTING) {
		ev_io_stop(p->ruler->loop, &p->io);
		util_close(p->io.fd);
	}
	free(p);
	return NULL;
}

static void judge(struct prober *p, int status)
{
	prober_judged *judged = p->judged;
	void *data = p->data;
	prober_free(p);
	judged(data, status);
}

static void ask(struct prober *p)
{
	ssize_t n = send(p->io.fd, p->request + p->sent, p->request_size - p->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		judge(p, 0);
		return;
	}
	p->sent += (size_t)n;
	if (p->sent < p->request_size)
		return;
	p->phase = PROBER_LISTENING;
	ev_io_stop(p->ruler->loop, &p->io);
	ev_io_set(&p->io, p->io.fd, EV_READ);
	ev_io_start(p->ruler->loop, &p->io);
}

static void listen_to(struct prober *p)
{
	ssize_t n = recv(p->io.fd, p->answer + p->answer_size, sizeof p->answer - p->answer_size, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		p->answer_size += (size_t)n;
	if (n <= 0 || p->answer_size == sizeof p->answer)
		judge(p, probe_judge(p->answer, p->answer_size));
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct prober *p = w->data;
	(void)loop;
	(void)revents;
	if (p->phase == PROBER_ASKING)
		ask(p);
	else
		listen_to(p);
}

static void connected(struct prober *p, int fd)
{
	util_nonblock(fd);
	p->phase = PROBER_ASKING;
	ev_io_init(&p->io, on_io, fd, EV_WRITE);
	p->io.data = p;
	ev_io_start(p->ruler->loop, &p->io);
}

static void on_errand(struct ruler *r, void *data, const struct errand_answer *answer, int fd)
{
	struct prober *p = data;
	(void)r;
	if (answer->error == 0)
		connected(p, fd);
	else
		judge(p, 0);
}

/* Over the private socket uWSGI's own protocol is spoken, whatever the others speak. */
static int write_request(struct prober *p, const struct spec *spec, bool is_private)
{
	enum spec_protocol protocol = is_private ? SPEC_PROBE_UWSGI : spec->probe;
	int size = protocol == SPEC_PROBE_NONE ? -ENOTCONN : probe_request(spec, protocol, p->request, sizeof p->request);
	if (size >= 0)
		p->request_size = (size_t)size;
	return size;
}

static void reach(struct prober *p, const struct strand *st)
{
	const struct subject *s = st->subject;
	const char *address = s->cv->spec->probe_address;
	char path[sizeof "/proc/self/fd/" + 10];
	if (st->reach >= 0) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", st->reach);
		address = path;
	}
	int fd = errand_connect(address);
	if (fd >= 0)
		connected(p, fd);
	else if (st->reach < 0 && (fd == -EACCES || fd == -EPERM))	/* its socket is not ours to open: as the vassal's own user then */
		ruler_errand(s->ruler, ERRAND_CONNECT, s->cv->name, s->cv->monitor, s, address, on_errand, p);
	/* Anything else: nobody listens yet, or never; the owner's time limit decides. */
}

struct prober *prober_new(const struct strand *st, prober_judged *judged, void *data)
{
	const struct spec *spec = st->subject->cv->spec;
	struct prober *p = spec ? calloc(1, sizeof *p) : NULL;
	if (!p)
		return NULL;
	if (write_request(p, spec, st->reach >= 0) < 0) {
		free(p);
		return NULL;
	}
	p->ruler = st->subject->ruler;
	p->judged = judged;
	p->data = data;
	reach(p, st);
	return p;
}
