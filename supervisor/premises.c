#include "supervisor/premises.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/logger.h"
#include "vassals/util.h"

#define BACKLOG 128

int premises_open_log(struct premises *p, const struct options *o)
{
	const char *path = o->logto ? o->logto : o->daemonize;
	*p = (struct premises){ .lock = -1, .control = -1, .log = -1, .options = o };
	if (path) {
		p->log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_CLOEXEC, 0640);
		if (p->log < 0)
			return -errno;
	}
	return 0;
}

/* The directory itself is locked: a lock file would have to be left behind. */
static int lock_run_directory(struct premises *p)
{
	const char *path = p->options->run_directory;
	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		log_warning("regent: cannot make the run directory %s: %s; going on without it", path, strerror(errno));
		return 0;
	}
	p->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->lock < 0) {
		log_warning("regent: cannot open the run directory %s: %s; going on without it", path, strerror(errno));
		return 0;
	}
	if (flock(p->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	log_error("regent: another regent rules from %s (give each its own --run-directory)", path);
	return -EBUSY;
}

static int fill_address(const char *path, struct sockaddr_un *un)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof un->sun_path)
		return -ENAMETOOLONG;
	strcpy(un->sun_path, path);
	return 0;
}

/* Whether somebody listens there. */
static bool is_alive(const struct sockaddr_un *un)
{
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd >= 0 && (connect(fd, (const struct sockaddr *)un, sizeof *un) == 0 || errno == EAGAIN);
}

static bool is_socket(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* 0666: who may do what is decided by the peer's credentials, request by request. */
static int bind_control(const char *path, int *ret)
{
	struct sockaddr_un un;
	int r = fill_address(path, &un);
	if (r < 0)
		return r;
	if (is_alive(&un))
		return -EADDRINUSE;
	if (is_socket(path))	/* left behind; anything else there is not ours to remove */
		unlink(path);
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof un) < 0 || chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret = take_fd(&fd);
	return 0;
}

static int open_control(struct premises *p)
{
	const char *path = p->options->control_socket;
	int r = bind_control(path, &p->control);
	if (r == -EADDRINUSE) {
		log_error("regent: another regent answers on %s", path);
		return -EBUSY;
	}
	if (r < 0)
		log_warning("regent: no control socket: %s: %s; ruling on without one", path, strerror(-r));
	return 0;
}

static int write_pidfile(const char *path)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	return write(fd, text, (size_t)n) == n ? 0 : -EIO;
}

int premises_open(struct premises *p)
{
	int r = lock_run_directory(p);
	if (r == 0)
		r = open_control(p);
	if (r == 0 && p->options->pidfile) {
		r = write_pidfile(p->options->pidfile);
		if (r < 0)
			log_error("regent: cannot write the pidfile %s: %s", p->options->pidfile, strerror(-r));
	}
	return r;
}

void premises_close(struct premises *p)
{
	if (p->control >= 0)
		unlink(p->options->control_socket);
	if (p->options->pidfile)
		unlink(p->options->pidfile);
	p->control = util_close(p->control);
	p->lock = util_close(p->lock);
	p->log = util_close(p->log);
}
