/* regentctl_link: the connection, made anew when the ruler at its other end dies, and the time that all of it may take. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/regentctl.h"

#define RETRY_FIRST_MS 50
#define RETRY_MAX_MS 1000
#define REPLY_MAX (256U * 1024 * 1024)	/* one line: the status of very many vassals */

struct buffer { char *bytes; size_t begin, end, room; };

enum stop { STOP_RESULT, STOP_LOST, STOP_TIMEOUT, STOP_UNREAD, STOP_NONSENSE };

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* What is left until deadline (0: no end), for poll(); at most at_most (-1: any). */
static int wait_ms(int64_t deadline, int at_most)
{
	if (deadline == 0)
		return at_most;
	int64_t left = deadline - now_ms();
	if (left < 0)
		left = 0;
	if (at_most >= 0 && left > at_most)
		return at_most;
	return left > 1000000 ? 1000000 : (int)left;
}

static bool is_over(int64_t deadline)
{
	return deadline != 0 && now_ms() >= deadline;
}

__attribute__((format(printf, 2, 3)))
static struct ctl_outcome own_words(int status, const char *fmt, ...)
{
	struct ctl_outcome o = { .status = status };
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(&o.text, fmt, ap) < 0)
		o.text = NULL;
	va_end(ap);
	return o;
}

/* ---- one connection */

/* A descriptor, or -errno. EAGAIN: the backlog is full. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	int r = -errno;
	close(fd);
	return r;
}

/* A fresh socket takes a whole line at once. */
static bool send_line(int fd, const char *line)
{
	size_t n = strlen(line);
	struct iovec parts[] = { { (void *)(uintptr_t)line, n }, { (char[]){ '\n' }, 1 } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)n + 1;
}

/* One line without its newline, to be freed; NULL: none is complete. */
static char *cut_line(struct buffer *b)
{
	if (b->end == b->begin)
		return NULL;
	char *start = b->bytes + b->begin, *newline = memchr(start, '\n', b->end - b->begin);
	if (!newline)
		return NULL;
	b->begin += (size_t)(newline - start) + 1;
	return strndup(start, (size_t)(newline - start));
}

static bool make_room(struct buffer *b)
{
	if (b->begin > 0) {
		memmove(b->bytes, b->bytes + b->begin, b->end - b->begin);
		b->end -= b->begin;
		b->begin = 0;
	}
	if (b->room - b->end >= 65536)
		return true;
	size_t room = b->room * 2 + 65536;
	char *grown = room > REPLY_MAX ? NULL : realloc(b->bytes, room);
	if (!grown)
		return false;
	b->bytes = grown;
	b->room = room;
	return true;
}

/* Waits for bytes. STOP_RESULT: there are some. */
static enum stop read_more(int fd, struct buffer *b, int64_t deadline)
{
	for (;;) {
		if (!make_room(b))
			return STOP_NONSENSE;
		ssize_t n = recv(fd, b->bytes + b->end, b->room - b->end, 0);
		if (n > 0) {
			b->end += (size_t)n;
			return STOP_RESULT;
		}
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return STOP_LOST;
		if (is_over(deadline))
			return STOP_TIMEOUT;
		poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, wait_ms(deadline, -1));
	}
}

static enum stop take_line(char *line, const struct ctl_sink *sink, struct ctl_outcome *outcome, bool *over)
{
	json_t *object = json_loads(line, 0, NULL);
	if (!json_is_object(object)) {
		json_decref(object);
		free(line);
		*over = true;
		return STOP_NONSENSE;
	}
	if (json_object_get(object, "result")) {
		*outcome = (struct ctl_outcome){ (int)json_integer_value(json_object_get(object, "status")), NULL, line, object };
		*over = true;
		return STOP_RESULT;
	}
	sink->object(sink->data, line, object);
	json_decref(object);
	free(line);
	*over = sink->closed(sink->data);
	return STOP_UNREAD;
}

static enum stop listen_to(int fd, int64_t deadline, const struct ctl_sink *sink, struct ctl_outcome *outcome)
{
	struct buffer b = { 0 };
	enum stop stop = STOP_RESULT;
	bool over = false;
	while (!over) {
		char *line = cut_line(&b);
		if (line)
			stop = take_line(line, sink, outcome, &over);
		else if ((stop = read_more(fd, &b, deadline)) != STOP_RESULT)
			over = true;
	}
	free(b.bytes);
	return stop;
}

/* ---- all of it */

static struct ctl_outcome unreachable(const struct ctl_request *r, int error)
{
	if (error == EACCES || error == EPERM)
		return own_words(CTL_NOT_ALLOWED, "not allowed to open %s", r->socket);
	return own_words(CTL_UNREACHABLE, "cannot reach regent at %s: %s", r->socket,
			 error == EAGAIN ? "it does not take new clients" : strerror(error));
}

static struct ctl_outcome timed_out(const struct ctl_request *r)
{
	return own_words(CTL_TIMEOUT, "%s: no answer within %.10g s: still under way", r->what, (double)r->timeout_ms / 1000);
}

/* Waits before the next attempt, longer each time. False: the time is over. */
static bool pause_before_retry(int *delay, int64_t deadline)
{
	poll(NULL, 0, wait_ms(deadline, *delay));
	*delay = *delay * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : *delay * 2;
	return !is_over(deadline);
}

/* One attempt. True: *outcome is final. */
static bool attempt(int fd, const struct ctl_request *r, int64_t deadline, const struct ctl_sink *sink, struct ctl_outcome *outcome)
{
	enum stop stop = send_line(fd, r->line) ? listen_to(fd, deadline, sink, outcome) : STOP_LOST;
	close(fd);
	switch (stop) {
	case STOP_RESULT:
		return true;
	case STOP_UNREAD:
		*outcome = own_words(CTL_DONE, "nobody reads any more");
		return true;
	case STOP_TIMEOUT:
		*outcome = timed_out(r);
		return true;
	case STOP_NONSENSE:
		*outcome = own_words(CTL_UNREACHABLE, "what answers at %s does not speak as regent does", r->socket);
		return true;
	case STOP_LOST:
		break;
	}
	if (!r->follows)
		return false;
	*outcome = own_words(CTL_UNREACHABLE, "the connection to regent ended; what came after is not shown");
	return true;
}

struct ctl_outcome ctl_exchange(const struct ctl_request *r, const struct ctl_sink *sink)
{
	int64_t deadline = r->timeout_ms ? now_ms() + r->timeout_ms : 0;
	int delay = RETRY_FIRST_MS;
	bool connected = false;
	for (;;) {
		struct ctl_outcome outcome;
		int fd = connect_to(r->socket);
		if (fd < 0 && !connected && fd != -EAGAIN && fd != -EINTR)
			return unreachable(r, -fd);
		if (fd >= 0) {
			connected = true;
			if (attempt(fd, r, deadline, sink, &outcome))
				return outcome;
			sink->restart(sink->data);
		}
		if (!pause_before_retry(&delay, deadline))
			return fd < 0 ? unreachable(r, -fd) : timed_out(r);
	}
}
