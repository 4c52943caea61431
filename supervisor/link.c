#include "supervisor/link.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <fcntl.h>

#include "vassals/util.h"

#define HEAD_SIZE offsetof(struct link_message, name)
/* A thousand vassals can end in one moment; each message costs the socket some 800 bytes of book-keeping. */
#define BUFFER_BYTES (4 * 1024 * 1024)

enum side { TO_KEEPER, TO_RULER };
enum need { NO, MAY, MUST };
struct rule {
	const char *name;
	enum side to;
	uint8_t name_need, text_need, record_need;
	uint8_t min_fds, max_fds;
};

static const struct rule rules[] = {
	[LINK_SPAWN] = { "spawn", TO_KEEPER, MUST, MAY, MUST, 0, 0 },
	[LINK_SEND] = { "send", TO_KEEPER, MUST, NO, MUST, 0, 0 },
	[LINK_SWITCH] = { "switch", TO_KEEPER, MUST, NO, MUST, 0, 0 },
	[LINK_CLOSE] = { "close", TO_KEEPER, MUST, NO, MUST, 0, 0 },
	[LINK_KILL] = { "kill", TO_KEEPER, MAY, NO, MAY, 0, 0 },
	[LINK_FORGET] = { "forget", TO_KEEPER, MAY, NO, MAY, 0, 0 },
	[LINK_STATE] = { "state", TO_KEEPER, MUST, NO, MUST, 0, 0 },
	[LINK_DROP] = { "drop", TO_KEEPER, MUST, NO, NO, 0, 0 },
	[LINK_ERRAND] = { "errand", TO_KEEPER, MUST, MUST, NO, 0, 1 },
	[LINK_REOPEN] = { "reopen", TO_KEEPER, NO, NO, NO, 0, 0 },
	[LINK_NOTIFY] = { "notify", TO_KEEPER, NO, MUST, NO, 0, 0 },
	[LINK_READY] = { "ready", TO_KEEPER, NO, NO, NO, 0, 0 },
	[LINK_PONG] = { "pong", TO_KEEPER, NO, NO, NO, 0, 0 },
	[LINK_DISSOLVED] = { "dissolved", TO_KEEPER, NO, NO, NO, 0, 0 },
	[LINK_STARTED] = { "started", TO_RULER, NO, NO, NO, 2, 3 },
	[LINK_FAILED] = { "failed", TO_RULER, NO, NO, NO, 0, 0 },
	[LINK_SWITCHED] = { "switched", TO_RULER, NO, NO, NO, 0, 0 },
	[LINK_DRAINED] = { "drained", TO_RULER, NO, NO, NO, 0, 0 },
	[LINK_EXITED] = { "exited", TO_RULER, NO, NO, NO, 0, 0 },
	[LINK_RECORD] = { "record", TO_RULER, MUST, NO, MUST, 0, 0 },
	[LINK_HELD] = { "held", TO_RULER, NO, NO, NO, 0, 3 },
	[LINK_SYNCED] = { "synced", TO_RULER, NO, NO, NO, 0, 0 },
	[LINK_SIGNAL] = { "signal", TO_RULER, NO, NO, NO, 0, 0 },
	[LINK_PING] = { "ping", TO_RULER, NO, NO, NO, 0, 0 },
	[LINK_ERRAND_DONE] = { "errand-done", TO_RULER, NO, NO, NO, 0, 1 },
	[LINK_REOPENED] = { "reopened", TO_RULER, NO, NO, NO, 0, 1 },
};
static_assert(ARRAY_SIZE(rules) == LINK_KINDS, "a message without a rule");

struct link_queued {
	struct link_queued *next;
	struct link_message m;
	char body[];
};

const char *link_kind_name(unsigned kind)
{
	return kind > LINK_NONE && kind < LINK_KINDS ? rules[kind].name : "?";
}

int link_pair(int *keeper_end, int *ruler_end)
{
	int pair[2], bytes = BUFFER_BYTES;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)	/* as root beyond wmem_max; without privilege as far as it goes */
		if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
			setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	*keeper_end = pair[0];
	*ruler_end = pair[1];
	return 0;
}

void link_init(struct link *l, int fd, bool is_keeper)
{
	*l = (struct link){ .fd = fd, .is_keeper = is_keeper };
}

static void queued_free(struct link_queued *q)
{
	link_close_fds(&q->m);
	free(q);
}

void link_close(struct link *l)
{
	l->fd = util_close(l->fd);
	while (l->head) {
		struct link_queued *q = l->head;
		l->head = q->next;
		queued_free(q);
	}
	l->tail = NULL;
	l->n_queued = 0;
}

void link_close_fds(struct link_message *m)
{
	for (unsigned i = 0; i < m->n_fds; i++)
		m->fds[i] = util_close(m->fds[i]);
	m->n_fds = 0;
}

/* ---- sending */

static int send_now(int fd, const struct link_message *m)
{
	struct iovec iov[] = {
		{ (void *)(uintptr_t)m, HEAD_SIZE },
		{ (void *)(uintptr_t)m->name, m->name_size },
		{ (void *)(uintptr_t)m->text, m->text_size },
		{ (void *)(uintptr_t)m->record, m->record_size },
	};
	union { char bytes[CMSG_SPACE(sizeof(int) * LINK_FDS_MAX)]; struct cmsghdr align; } control = { 0 };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };
	if (m->n_fds > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * m->n_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * m->n_fds);
		memcpy(CMSG_DATA(c), m->fds, sizeof(int) * m->n_fds);
	}
	ssize_t n;
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	/* ETOOMANYREFS: the other side has not read the descriptors sent before. It will. */
	return errno == ETOOMANYREFS || errno == ENOBUFS ? -EAGAIN : -errno;
}

static int measure(struct link_message *m)
{
	size_t name = m->name ? strlen(m->name) + 1 : 0, text = m->text ? strlen(m->text) + 1 : 0;
	if (name > LINK_NAME_MAX || text > LINK_TEXT_MAX || m->record_size > LINK_RECORD_MAX)
		return -EMSGSIZE;
	m->name_size = (uint16_t)name;
	m->text_size = (uint16_t)text;
	if (!m->record)
		m->record_size = 0;
	return 0;
}

static int duplicate_fds(struct link_message *to, const struct link_message *from)
{
	to->n_fds = 0;
	for (unsigned i = 0; i < from->n_fds; i++) {
		int fd = fcntl(from->fds[i], F_DUPFD_CLOEXEC, 0);
		if (fd < 0) {
			int r = -errno;
			link_close_fds(to);
			return r;
		}
		to->fds[to->n_fds++] = fd;
	}
	return 0;
}

static int queue(struct link *l, const struct link_message *m)
{
	struct link_queued *q = malloc(sizeof *q + m->name_size + m->text_size + m->record_size);
	if (!q)
		return -ENOMEM;
	q->m = *m;
	q->next = NULL;
	char *p = q->body;
	q->m.name = m->name ? memcpy(p, m->name, m->name_size) : NULL;
	p += m->name_size;
	q->m.text = m->text ? memcpy(p, m->text, m->text_size) : NULL;
	p += m->text_size;
	q->m.record = m->record_size ? memcpy(p, m->record, m->record_size) : NULL;
	int r = duplicate_fds(&q->m, m);
	if (r < 0) {
		free(q);
		return r;
	}
	if (l->tail)
		l->tail->next = q;
	else
		l->head = q;
	l->tail = q;
	l->n_queued++;
	return 0;
}

int link_post(struct link *l, struct link_message *m)
{
	int r = measure(m);
	if (r < 0)
		return r;
	if (l->head == NULL) {
		r = send_now(l->fd, m);
		if (r != -EAGAIN)
			return r;
	}
	return queue(l, m);
}

int link_flush(struct link *l)
{
	while (l->head) {
		struct link_queued *q = l->head;
		int r = send_now(l->fd, &q->m);
		if (r < 0)
			return r;
		l->head = q->next;
		if (!l->head)
			l->tail = NULL;
		l->n_queued--;
		queued_free(q);
	}
	return 0;
}

/* ---- receiving */

static bool fits(uint8_t need, uint16_t size, size_t max)
{
	return size <= max && (need == MAY || (need == MUST) == (size > 0));
}

static bool is_text(const char *p, uint16_t size)
{
	return size == 0 || (p[size - 1] == '\0' && strlen(p) == (size_t)size - 1);
}

static const char *find_fault(const struct link *l, const struct link_message *m, size_t body)
{
	if (m->kind <= LINK_NONE || m->kind >= LINK_KINDS)
		return "unknown kind";
	const struct rule *rule = &rules[m->kind];
	if ((rule->to == TO_KEEPER) != l->is_keeper)
		return "wrong direction";
	if ((size_t)m->name_size + m->text_size + m->record_size != body)
		return "wrong size";
	if (!fits(rule->name_need, m->name_size, LINK_NAME_MAX) || !fits(rule->text_need, m->text_size, LINK_TEXT_MAX) ||
	    !fits(rule->record_need, m->record_size, LINK_RECORD_MAX))
		return "a part is missing, too long, or not expected";
	if (!is_text(l->buffer, m->name_size) || !is_text(l->buffer + m->name_size, m->text_size))
		return "text without its end";
	if (m->n_fds < rule->min_fds || m->n_fds > rule->max_fds)
		return "wrong number of descriptors";
	return NULL;
}

static void take_fds(struct msghdr *msg, struct link_message *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		unsigned n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (m->n_fds < LINK_FDS_MAX)
				m->fds[m->n_fds++] = fd;
			else
				close(fd);
		}
	}
}

static ssize_t receive_bytes(struct link *l, struct link_message *m, int *flags)
{
	struct iovec iov[] = { { m, HEAD_SIZE }, { l->buffer, sizeof l->buffer } };
	union { char bytes[CMSG_SPACE(sizeof(int) * (LINK_FDS_MAX + 1))]; struct cmsghdr align; } control;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov), .msg_control = control.bytes,
			      .msg_controllen = sizeof control.bytes };
	ssize_t n;
	do
		n = recvmsg(l->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	int error = errno;
	m->n_fds = 0;
	if (n >= 0)
		take_fds(&msg, m);
	*flags = msg.msg_flags;
	errno = error;
	return n;
}

int link_receive(struct link *l, struct link_message *m, const char **text)
{
	int flags;
	*m = (struct link_message){ .fds = { -1, -1, -1 } };
	ssize_t n = receive_bytes(l, m, &flags);
	if (n < 0)
		return errno == EAGAIN ? 0 : errno == ECONNRESET ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE;
	*text = NULL;
	if ((size_t)n < HEAD_SIZE || (flags & MSG_TRUNC))
		*text = "wrong size";
	else if (flags & MSG_CTRUNC)
		*text = "descriptors were lost (out of descriptors?)";
	else
		*text = find_fault(l, m, (size_t)n - HEAD_SIZE);
	if (*text) {
		link_close_fds(m);
		return -EBADMSG;
	}
	m->name = m->name_size ? l->buffer : NULL;
	m->text = m->text_size ? l->buffer + m->name_size : NULL;
	m->record = m->record_size ? l->buffer + m->name_size + m->text_size : NULL;
	return 1;
}
