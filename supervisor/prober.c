#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/logger.h"
#include "supervisor/ruler_inside.h"
#include "vassals/probe.h"
#include "vassals/util.h"

enum prober_phase { PROBER_CONNECTING, PROBER_ASKING, PROBER_LISTENING };

/* One request under way. Its time limit is the vassal's own timer (vassal.c). */
struct prober {
	struct subject *subject;
	uint64_t generation;
	enum prober_phase phase;
	ev_io io;
	char request[PROBE_REQUEST_MAX];
	size_t request_size, sent;
	char answer[PROBE_ANSWER_MAX];
	size_t answer_size;
};

static void prober_end(struct prober *p)
{
	ruler_errand_forget(p->subject->ruler, p);
	if (p->phase != PROBER_CONNECTING) {
		ev_io_stop(p->subject->ruler->loop, &p->io);
		util_close(p->io.fd);
	}
	p->subject->prober = NULL;
	free(p);
}

static void judge(struct prober *p, int status)
{
	struct ruler *r = p->subject->ruler;
	uint64_t generation = p->generation;
	prober_end(p);
	court_probed(r->court, generation, status);
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
	ev_io_stop(p->subject->ruler->loop, &p->io);
	ev_io_set(&p->io, p->io.fd, EV_READ);
	ev_io_start(p->subject->ruler->loop, &p->io);
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
	ev_io_start(p->subject->ruler->loop, &p->io);
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

void prober_start(struct subject *s)
{
	const struct spec *spec = s->cv->spec;
	prober_cancel(s);
	struct prober *p = spec ? calloc(1, sizeof *p) : NULL;
	if (!p)
		return;		/* the vassal's timer calls it busy */
	int size = probe_request(spec, p->request, sizeof p->request);
	if (size < 0) {
		free(p);
		return;
	}
	p->subject = s;
	p->generation = s->generation;
	p->request_size = (size_t)size;
	s->prober = p;
	int fd = errand_connect(spec->probe_address);
	if (fd >= 0)
		connected(p, fd);
	else if (fd == -EACCES || fd == -EPERM)	/* its socket is not ours to open: as the vassal's own user then */
		ruler_errand(s->ruler, ERRAND_CONNECT, s->cv->name, s->cv->monitor, s, spec->probe_address, on_errand, p);
	/* Anything else: nobody listens yet, or never; the vassal's timer decides. */
}

void prober_cancel(struct subject *s)
{
	if (s->prober)
		prober_end(s->prober);
}
