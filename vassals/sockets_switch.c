/* sockets, after binding: which side clients reach, who waits, the end; and the private socket of the gate. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "vassals/sockets_inside.h"
#include "vassals/util.h"

static int lead_unix(const char *address, const struct sockets_pair *pair, unsigned side, bool *moved, const char **step)
{
	struct sockets_name name;
	CLEANUP_PLACE struct sockets_place place = SOCKETS_PLACE_NONE;
	*step = "parse";
	int r = sockets_resolve(address, &name);
	if (r == 0)
		r = sockets_place_open(address, false, &place, step);
	if (r < 0)
		return r;
	*step = "link in";
	return sockets_place_lead(&place, &name, side, pair->fd[side], moved);
}

/* Unix first: only there something can be in the way, and only there one sees what was before. */
int sockets_switch(const struct sockets_wish *wish, const struct sockets_pair pairs[SOCKETS_MAX], unsigned side, struct sockets_fault *fault)
{
	bool moved[SOCKETS_MAX] = { false }, ignored;
	const char *step = "";
	unsigned i = 0;
	int r = 0;
	side &= 1;
	for (; i < wish->n && r == 0; i++)
		if (sockets_is_unix(wish->address[i])) {
			r = lead_unix(wish->address[i], &pairs[i], side, &moved[i], &step);
			if (r < 0)
				sockets_fail(fault, i, r, step, wish->address[i]);
		}
	for (i = 0; i < wish->n && r == 0; i++)
		if (!sockets_is_unix(wish->address[i])) {
			r = sockets_tcp_lead(&pairs[i], side);
			if (r < 0)
				sockets_fail(fault, i, r, "switch", NULL);
		}
	for (i = 0; i < wish->n && r < 0; i++)
		if (moved[i])
			lead_unix(wish->address[i], &pairs[i], !side, &ignored, &step);
	return r;
}

static int depart_unix(const char *address, const struct sockets_pair *pair, const char *heir, const struct sockets_pair *heir_pair,
		       unsigned side)
{
	CLEANUP_PLACE struct sockets_place place = SOCKETS_PLACE_NONE, to = SOCKETS_PLACE_NONE;
	const char *step;
	int r = sockets_place_open(address, false, &place, &step);
	if (r < 0 || !sockets_place_holds(&place, !side, pair->fd[!side]))
		return r == -ENOENT ? 0 : r;
	if (heir) {
		r = sockets_place_open(heir, false, &to, &step);
		if (r == 0 && !sockets_place_holds(&to, side, heir_pair->fd[side]))
			r = -ENOENT;
		if (r == 0)
			r = sockets_place_follow(&place, &to, side);
	}
	return heir && r == 0 ? 0 : sockets_place_hide(&place);	/* another file system, maybe */
}

int sockets_depart(const char *address, const struct sockets_pair *pair, const char *heir, const struct sockets_pair *heir_pair, unsigned side)
{
	side &= 1;
	return sockets_is_unix(address) ? depart_unix(address, pair, heir, heir_pair, side) : sockets_tcp_deafen(pair);
}

int sockets_remove(const char *address, const struct sockets_pair *pair)
{
	CLEANUP_PLACE struct sockets_place place = SOCKETS_PLACE_NONE;
	const char *step;
	if (!sockets_is_unix(address) || pair->fd[0] < 0)
		return 0;
	int r = sockets_place_open(address, false, &place, &step);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!sockets_place_holds(&place, 0, pair->fd[0]) || !sockets_place_holds(&place, 1, pair->fd[1]))
		return 0;
	r = sockets_place_clear(&place);
	if (r == 0 && unlinkat(place.parent, place.dir, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

static bool any_of_few(const int *fds, unsigned n)
{
	struct pollfd set[SOCKETS_MAX];
	for (unsigned i = 0; i < n; i++)
		set[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	int r;
	do
		r = poll(set, n, 0);
	while (r < 0 && errno == EINTR);
	for (unsigned i = 0; r > 0 && i < n; i++)
		if ((set[i].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) == POLLIN)
			return true;
	return false;
}

bool sockets_any_waiting(const int *fds, unsigned n)
{
	for (; n > SOCKETS_MAX; fds += SOCKETS_MAX, n -= SOCKETS_MAX)
		if (any_of_few(fds, SOCKETS_MAX))
			return true;
	return any_of_few(fds, n);
}

/* Between bind and unlink: nobody else may write in the directory, so the inode at path is the one that was bound. */
static int reach_for(const char *path, int *ret)
{
	struct stat here, there;
	CLEANUP_FD int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &here) < 0 || lstat(path, &there) < 0)
		return -errno;
	if (!S_ISSOCK(here.st_mode) || here.st_ino != there.st_ino || here.st_dev != there.st_dev || (here.st_mode & 0777) != 0666)
		return -EPERM;
	*ret = take_fd(&fd);
	return 0;
}

int sockets_private(const char *path, int *listener, int *reach)
{
	struct sockets_name name;
	struct stat st;
	if (sockets_resolve(path, &name) < 0 || name.any.sa_family != AF_UNIX)
		return -EINVAL;
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CLEANUP_FD int path_fd = -1;
	if (fd < 0)
		return -errno;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	mode_t mask = umask(0111);
	int r = bind(fd, &name.any, name.length) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return r;
	r = reach_for(path, &path_fd);
	if (unlink(path) < 0 && r == 0)
		r = -errno;
	if (r == 0 && listen(fd, 16) < 0)
		r = -errno;
	if (r < 0)
		return r;
	*listener = take_fd(&fd);
	*reach = take_fd(&path_fd);
	return 0;
}
