/* sockets, binding: what is not there yet is bound, what is there is dressed as the ini of today says. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vassals/sockets_inside.h"
#include "vassals/util.h"

int sockets_fail(struct sockets_fault *fault, unsigned index, int error, const char *step, const char *address)
{
	*fault = (struct sockets_fault){ .error = error, .index = index };
	const char *slash = address ? strrchr(address, '/') : NULL;
	if (!slash || util_format(fault->step, sizeof(fault->step), "%s .%s.regent", step, slash + 1) < 0)
		snprintf(fault->step, sizeof(fault->step), "%s", step);
	return error;
}

int sockets_new(const struct sockets_wish *wish, int family)
{
	CLEANUP_FD int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (wish->sndbuf && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wish->sndbuf, sizeof(int)) < 0)
		return -errno;
	if (wish->rcvbuf && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wish->rcvbuf, sizeof(int)) < 0)
		return -errno;
	return take_fd(&fd);
}

/* P is bound and gets its name in D; `reached`: it keeps P, too. */
static int bind_side(const struct sockets_wish *wish, const struct sockets_place *place, const struct sockets_name *name, unsigned side,
		     bool reached, int *ret, const char **step)
{
	CLEANUP_FD int fd = sockets_new(wish, AF_UNIX);
	*step = "bind";
	if (fd < 0)
		return fd;
	if (bind(fd, &name->any, name->length) < 0)
		return -errno;
	*step = "link in";
	int r = reached ? linkat(place->parent, place->base, place->home, sockets_link(side), 0)
			: renameat(place->parent, place->base, place->home, sockets_link(side));
	if (r < 0) {
		r = -errno;
		unlinkat(place->parent, place->base, 0);
		return r;
	}
	r = sockets_place_mark(place, side, fd);
	if (r == 0)
		*ret = take_fd(&fd);
	return r;
}

/* The side that clients reach comes last: P is its name from then on and is never missing again. Apart, P is not kept at all. */
static int bind_both(const struct sockets_wish *wish, const struct sockets_place *place, const struct sockets_name *name, unsigned side,
		     bool apart, struct sockets_pair *pair, const char **step)
{
	CLEANUP_FD int reached = -1, other = -1;
	int r = bind_side(wish, place, name, !side, false, &other, step);
	if (r == 0)
		r = bind_side(wish, place, name, side, !apart, &reached, step);
	if (r == 0)
		r = sockets_place_dress(place, side, wish, step);
	if (r == 0 && (listen(reached, wish->backlog) < 0 || listen(other, wish->backlog) < 0)) {
		*step = "listen";
		r = -errno;
	}
	if (r == 0) {
		pair->fd[side] = take_fd(&reached);
		pair->fd[!side] = take_fd(&other);
	}
	return r;
}

static int bind_unix(const struct sockets_wish *wish, const struct sockets_place *place, const struct sockets_name *name, unsigned side,
		     bool apart, struct sockets_pair *pair, const char **step)
{
	*step = "bind";
	int r = sockets_place_claim(place, name);
	if (r < 0)
		return r;
	*step = "replace what an earlier one left in";
	r = sockets_place_clear(place);
	if (r == 0 && unlinkat(place->parent, place->base, 0) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0)
		r = bind_both(wish, place, name, side, apart, pair, step);
	if (r < 0)
		sockets_place_clear(place);
	return r;
}

static int bind_address(const struct sockets_wish *wish, unsigned i, unsigned side, bool apart, struct sockets_pair *pair,
			struct sockets_fault *fault)
{
	struct sockets_name name;
	CLEANUP_PLACE struct sockets_place place = SOCKETS_PLACE_NONE;
	const char *address = wish->address[i], *step = "parse";
	int r = sockets_resolve(address, &name);
	if (r < 0)
		return sockets_fail(fault, i, r, step, NULL);
	if (!sockets_is_unix(address)) {
		r = sockets_tcp_bind(wish, &name, side, apart, pair, &step);
		return r < 0 ? sockets_fail(fault, i, r, step, NULL) : 0;
	}
	r = sockets_place_open(address, true, &place, &step);
	if (r < 0)
		return sockets_fail(fault, i, r, step, address);
	r = bind_unix(wish, &place, &name, side, apart, pair, &step);
	if (r < 0)
		unlinkat(place.parent, place.dir, AT_REMOVEDIR);	/* another one's links keep it */
	return r < 0 ? sockets_fail(fault, i, r, step, strchr(step, ' ') ? address : NULL) : 0;
}

/* A pair that was bound earlier. */
static int renew(const struct sockets_wish *wish, unsigned i, unsigned side, const struct sockets_pair *pair, struct sockets_fault *fault)
{
	const char *address = wish->address[i], *step;
	if (listen(pair->fd[side], wish->backlog) < 0)
		return sockets_fail(fault, i, -errno, "listen", NULL);
	if (!sockets_is_unix(address))
		return 0;
	CLEANUP_PLACE struct sockets_place place = SOCKETS_PLACE_NONE;
	int r = sockets_place_open(address, false, &place, &step);
	if (r < 0 && r != -ENOENT)
		return sockets_fail(fault, i, r, step, address);
	if (r == 0 && sockets_place_holds(&place, side, pair->fd[side]))
		r = sockets_place_dress(&place, side, wish, &step);
	return r == 0 || r == -ENOENT ? 0 : sockets_fail(fault, i, r, step, NULL);
}

int sockets_prepare(const struct sockets_wish *wish, struct sockets_pair pairs[SOCKETS_MAX], unsigned side, struct sockets_fault *fault)
{
	struct sockets_pair bound[SOCKETS_MAX];
	unsigned i;
	int r = 0;
	bool apart = side & SOCKETS_APART;
	side &= 1;
	for (i = 0; i < wish->n && r == 0; i++) {
		bound[i] = (struct sockets_pair){ { -1, -1 } };
		r = pairs[i].fd[0] < 0 ? bind_address(wish, i, side, apart, &bound[i], fault) : renew(wish, i, side, &pairs[i], fault);
	}
	while (i-- > 0) {
		if (bound[i].fd[0] < 0)
			continue;
		if (r == 0) {
			pairs[i] = bound[i];
			continue;
		}
		sockets_remove(wish->address[i], &bound[i]);
		util_close(bound[i].fd[0]);
		util_close(bound[i].fd[1]);
	}
	return r;
}
