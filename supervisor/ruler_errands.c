#include <errno.h>

#include "supervisor/ruler_inside.h"
#include "vassals/util.h"

int ruler_errand(struct ruler *r, enum errand_kind kind, const char *name, unsigned monitor, const struct subject *ids,
		 const char *target, errand_done done, void *data)
{
	struct ruler_errand *e = NULL;
	for (int i = 0; i < RULER_ERRANDS_MAX && !e; i++)
		if (r->errands[i].serial == 0)
			e = &r->errands[i];
	if (!e)
		return -EBUSY;
	e->serial = ++r->next_serial;
	e->done = done;
	e->data = data;
	struct link_message m = {
		.kind = LINK_ERRAND, .arg = kind, .generation = e->serial, .name = name, .monitor = (uint16_t)monitor, .text = target,
		.uid = ids ? ids->uid : IDENTITY_NONE, .gid = ids ? ids->gid : (gid_t)-1,
		.fds = { watch_fd(r->watch) }, .n_fds = kind == ERRAND_LOOK,
	};
	ruler_post(r, &m);
	return 0;
}

void ruler_errand_forget(struct ruler *r, const void *data)
{
	for (int i = 0; i < RULER_ERRANDS_MAX; i++)
		if (r->errands[i].data == data)
			r->errands[i].done = NULL;
}

static void errand_end(struct ruler_errand *e, const struct errand_answer *answer, int fd)
{
	errand_done done = e->done;
	void *data = e->data;
	e->serial = 0;
	e->done = NULL;
	e->data = NULL;
	if (done)
		done(e->ruler, data, answer, fd);
	else
		util_close(fd);
}

static void on_errand(struct ev_loop *loop, ev_io *w, int revents)
{
	struct ruler_errand *e = w->data;
	static struct errand_answer answer;	/* 16 KiB: not on the stack, and one at a time */
	int fd = -1, error = errand_read(w->fd, &answer, &fd);
	(void)revents;
	if (error == -EAGAIN)
		return;
	if (error < 0)
		answer = (struct errand_answer){ .error = -error };
	ev_io_stop(loop, w);
	util_close(w->fd);
	errand_end(e, &answer, fd);
}

void ruler_errand_answered(struct ruler *r, const struct link_message *m, int fd)
{
	for (int i = 0; i < RULER_ERRANDS_MAX; i++) {
		struct ruler_errand *e = &r->errands[i];
		if (e->serial != m->generation)
			continue;
		if (fd < 0) {
			struct errand_answer failed = { .error = m->error ? m->error : EIO };
			errand_end(e, &failed, -1);
			return;
		}
		ev_io_init(&e->io, on_errand, fd, EV_READ);
		e->io.data = e;
		ev_io_start(r->loop, &e->io);
		return;
	}
	util_close(fd);
}
