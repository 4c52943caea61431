#include "supervisor/logger_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vassals/util.h"

/* O_NONBLOCK belongs to the open file, which stderr shares with the shell, the unit's other processes, every vassal: setting
 * it would change theirs. Opened anew it is ours alone. Not always possible (no /proc, another user's pipe). */
static int open_again(int fd)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

void logger_sink_set(struct logger_sink *s, int fd)
{
	struct stat st;
	int old = s->fd;
	s->own = util_close(s->own);
	s->fd = fd;
	if (old != fd && old != STDERR_FILENO)
		util_close(old);
	s->is_socket = s->is_file = false;
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	s->is_socket = S_ISSOCK(st.st_mode);
	s->is_file = S_ISREG(st.st_mode);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		s->own = open_again(fd);
}

bool logger_sink_write(struct logger_sink *s, const char *bytes, size_t n)
{
	if (s->is_socket)	/* the journal's, under systemd */
		return send(s->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
	int fd = s->own >= 0 ? s->own : s->fd;
	if (!s->is_file) {
		/* Where it could not be opened anew: a pipe that is writable now takes PIPE_BUF bytes without waiting, unless
		 * another writer comes between. It also tells of a reader that is gone before a signal does. */
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		if (poll(&p, 1, 0) < 0 || (p.revents & (POLLERR | POLLHUP | POLLNVAL)) || (s->own < 0 && !(p.revents & POLLOUT)))
			return false;
	}
	return write(fd, bytes, n) == (ssize_t)n;
}

void logger_syslog_close(struct logger_syslog *s)
{
	s->fd = util_close(s->fd);
}

static bool connect_to(struct logger_syslog *s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	memcpy(address.sun_path, s->path, sizeof(address.sun_path));
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return false;
	logger_syslog_close(s);
	s->fd = take_fd(&fd);
	return true;
}

static bool is_gone(int error)
{
	return error == ECONNREFUSED || error == ENOTCONN || error == ENOENT || error == ECONNRESET || error == EPIPE || error == EDESTADDRREQ;
}

enum logger_taken logger_syslog_send(struct logger_syslog *s, const char *record, size_t n)
{
	bool fresh = s->fd < 0;
	if (fresh && !connect_to(s))
		return LOGGER_NOBODY;
	for (;;) {
		if (send(s->fd, record, n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return LOGGER_TAKEN;
		if (!is_gone(errno))
			return LOGGER_FULL;
		logger_syslog_close(s);
		if (fresh || !connect_to(s))
			return LOGGER_NOBODY;
		fresh = true;
	}
}
