#include "supervisor/errand.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "vassals/util.h"

int errand_check_inotify(int fd)
{
	char path[64], target[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(path, target, sizeof target - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	return strcmp(target, "anon_inode:inotify") == 0 ? 0 : -EBADF;
}

/* ---- connecting */

static int unix_address(const char *text, struct sockaddr_storage *ss, socklen_t *size)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ss;
	if (strlen(text) >= sizeof un->sun_path)
		return -ENAMETOOLONG;
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, text);
	*size = sizeof *un;
	return 0;
}

static int inet_address(const char *text, struct sockaddr_storage *ss, socklen_t *size)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	uint64_t port;
	if (!colon || (size_t)(colon - text) >= sizeof host || util_parse_u64(colon + 1, 1, 65535, &port) < 0)
		return -EINVAL;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	size_t n = strlen(host);
	if (host[0] == '[' && host[n - 1] == ']') {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
		host[n - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		*size = sizeof *in6;
		return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	*size = sizeof *in;
	return inet_pton(AF_INET, host, &in->sin_addr) == 1 ? 0 : -EINVAL;
}

int errand_connect(const char *address)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t size = 0;
	int r = address[0] == '/' ? unix_address(address, &ss, &size) : inet_address(address, &ss, &size);
	if (r < 0)
		return r;
	CLEANUP_FD int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&ss, size) < 0 && errno != EINPROGRESS)
		return -errno;
	return take_fd(&fd);
}

/* ---- the child */

static int open_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

static int run(const struct errand *errand, int inotify, struct errand_answer *answer)
{
	if (errand->kind == ERRAND_CONNECT)
		return errand_connect(errand->target);
	if (errand->kind == ERRAND_LOOK)
		watch_walk(inotify, errand->target, &answer->walk);
	return open_file(errand->target);
}

static void send_answer(int to, const struct errand_answer *answer, int fd)
{
	struct iovec iov = { (void *)(uintptr_t)answer, sizeof *answer };
	union { char bytes[CMSG_SPACE(sizeof fd)]; struct cmsghdr align; } control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof control.bytes;
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	sendmsg(to, &msg, MSG_NOSIGNAL);
}

/* Only the socket to answer on (3) and the inotify descriptor (4) stay open. */
static void child(const struct errand *errand, int answer_fd) __attribute__((noreturn));
static void child(const struct errand *errand, int answer_fd)
{
	struct errand_answer answer = { 0 };
	sigset_t none;
	sigemptyset(&none);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup3(answer_fd, 3, O_CLOEXEC) < 0 || (errand->inotify >= 0 && dup3(errand->inotify, 4, O_CLOEXEC) < 0))
		_exit(1);
	close_range(errand->inotify >= 0 ? 5 : 4, ~0U, 0);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (identity_drop(&errand->identity) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(1);
	int fd = run(errand, 4, &answer);
	answer.error = fd < 0 ? -fd : 0;
	send_answer(3, &answer, fd);
	_exit(0);
}

int errand_start(const struct errand *errand, pid_t *pid, int *pidfd, int *answer_fd)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	CLEANUP_FD int mine = pair[0];
	CLEANUP_FD int its = pair[1];
	pid_t child_pid = fork();
	if (child_pid < 0)
		return -errno;
	if (child_pid == 0)
		child(errand, its);
	int r = (int)syscall(SYS_pidfd_open, child_pid, 0);
	if (r < 0)
		return -errno;	/* it ends by itself: nobody reads its answer */
	*pid = child_pid;
	*pidfd = r;
	*answer_fd = take_fd(&mine);
	return 0;
}

int errand_read(int answer_fd, struct errand_answer *answer, int *fd)
{
	struct iovec iov = { answer, sizeof *answer };
	union { char bytes[CMSG_SPACE(sizeof *fd)]; struct cmsghdr align; } control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
	ssize_t n = recvmsg(answer_fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	*fd = -1;
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof *fd);
	if (n != (ssize_t)sizeof *answer || answer->walk.n_steps > WATCH_STEPS_MAX) {
		*fd = util_close(*fd);
		return -EPIPE;
	}
	if (answer->error == 0 && *fd < 0)
		return -EMFILE;
	return 0;
}
