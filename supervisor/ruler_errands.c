#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/ruler_inside.h"
#include "vassals/util.h"

#define ERRAND_RETRY 0.01

/* One that waits for its turn: a court of private homes has more looks to take at once than there are helpers. */
struct errand_wish {
	struct errand_wish *next;
	enum errand_kind kind;
	unsigned monitor;
	uid_t uid;
	gid_t gid;
	errand_done done;
	void *data;
	char *target;		/* within text */
	char text[];		/* the name, the target */
};

static struct ruler_errand *free_place(struct ruler *r)
{
	for (int i = 0; i < RULER_ERRANDS_MAX; i++)
		if (r->errands[i].serial == 0)
			return &r->errands[i];
	return NULL;
}

static void begin(struct ruler *r, struct ruler_errand *e, struct errand_wish *w)
{
	e->serial = ++r->next_serial;
	e->done = w->done;
	e->data = w->data;
	e->wish = w;
	ruler_post(r, &(struct link_message){
		.kind = LINK_ERRAND, .arg = w->kind, .generation = e->serial, .name = w->text, .monitor = (uint16_t)w->monitor,
		.text = w->target, .uid = w->uid, .gid = w->gid, .fds = { watch_fd(r->watch) }, .n_fds = w->kind == ERRAND_LOOK,
	});
}

static void begin_next(struct ruler *r)
{
	struct ruler_errand *e;
	while (r->errand_wishes && !ev_is_active(&r->errand_retry) && (e = free_place(r)) != NULL) {
		struct errand_wish *w = r->errand_wishes;
		r->errand_wishes = w->next;
		begin(r, e, w);
	}
}

static void on_errand_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	begin_next(w->data);
}

void ruler_errands_init(struct ruler *r)
{
	ev_timer_init(&r->errand_retry, on_errand_retry, 0., 0.);
	r->errand_retry.data = r;
	for (int i = 0; i < RULER_ERRANDS_MAX; i++)
		r->errands[i].ruler = r;
}

/* The keeper has helpers that answered but did not end yet, so all its places are taken for a moment. */
static void begin_again(struct ruler_errand *e)
{
	struct ruler *r = e->ruler;
	struct errand_wish *w = e->wish;
	w->done = e->done;	/* it may have been forgotten meanwhile */
	w->next = r->errand_wishes;
	r->errand_wishes = w;
	e->serial = 0;
	e->wish = NULL;
	e->done = NULL;
	e->data = NULL;
	ev_timer_set(&r->errand_retry, ERRAND_RETRY, 0.);
	ev_timer_start(r->loop, &r->errand_retry);
}

int ruler_errand(struct ruler *r, enum errand_kind kind, const char *name, unsigned monitor, const struct subject *ids,
		 const char *target, errand_done done, void *data)
{
	size_t name_size = strlen(name) + 1, target_size = strlen(target) + 1;
	struct errand_wish **last = &r->errand_wishes, *w = malloc(sizeof *w + name_size + target_size);
	if (!w)
		return -ENOMEM;
	*w = (struct errand_wish){ .kind = kind, .monitor = monitor, .uid = ids ? ids->uid : IDENTITY_NONE,
				   .gid = ids ? ids->gid : (gid_t)-1, .done = done, .data = data };
	memcpy(w->text, name, name_size);
	w->target = memcpy(w->text + name_size, target, target_size);
	while (*last)
		last = &(*last)->next;
	*last = w;
	begin_next(r);
	return 0;
}

void ruler_errand_forget(struct ruler *r, const void *data)
{
	for (int i = 0; i < RULER_ERRANDS_MAX; i++)
		if (r->errands[i].data == data)
			r->errands[i].done = NULL;
	for (struct errand_wish **at = &r->errand_wishes; *at; ) {
		struct errand_wish *w = *at;
		if (w->data == data) {
			*at = w->next;
			free(w);
		} else {
			at = &w->next;
		}
	}
}

static void errand_end(struct ruler_errand *e, const struct errand_answer *answer, int fd)
{
	struct ruler *r = e->ruler;
	errand_done done = e->done;
	void *data = e->data;
	free(e->wish);
	e->wish = NULL;
	e->serial = 0;
	e->done = NULL;
	e->data = NULL;
	if (done)
		done(r, data, answer, fd);
	else
		util_close(fd);
	begin_next(r);
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
		if (fd < 0 && m->error == EBUSY) {
			begin_again(e);
			return;
		}
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
