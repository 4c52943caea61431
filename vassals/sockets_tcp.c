/* sockets, TCP: two listeners in one SO_REUSEPORT group, and the one instruction that says which of them gets the clients. */
#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "vassals/sockets_inside.h"
#include "vassals/util.h"

#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73		/* linux/in6.h, which does not go together with netinet/in.h */
#endif

static int lead(int fd, unsigned side)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, side);
	struct sock_fprog program = { .len = 1, .filter = &code };
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) < 0 ? -errno : 0;
}

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int bind_one(const struct sockets_wish *wish, const struct sockets_name *name, bool share, int *ret)
{
	CLEANUP_FD int fd = sockets_new(wish, name->any.sa_family);
	if (fd < 0)
		return fd;
	struct timeval timeout = { .tv_sec = wish->send_timeout };
	int r = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && share)
		r = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0 && wish->freebind)
		r = set(fd, SOL_IP, IP_FREEBIND, 1);
	if (r == 0 && wish->keepalive)
		r = set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (r == 0 && wish->tcp_nodelay)
		r = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (r == 0 && wish->send_timeout && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		r = -errno;
	if (r == 0 && wish->fast_open)
		set(fd, IPPROTO_TCP, TCP_FASTOPEN, wish->fast_open);	/* uWSGI goes on without it, too */
	if (r == 0 && bind(fd, &name->any, name->length) < 0)
		r = -errno;
	if (r == 0)
		*ret = take_fd(&fd);
	return r;
}

/* Packets whose TTL has sunk below `hops` are dropped; they start with 64 as a rule, so 255 is deaf. */
static int hear_above(int fd, int hops)
{
	int family = AF_UNSPEC;
	socklen_t size = sizeof(family);
	int r = set(fd, SOL_IP, IP_MINTTL, hops);
	if (r == 0 && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0)
		r = -errno;
	return r == 0 && family == AF_INET6 ? set(fd, SOL_IPV6, IPV6_MINHOPCOUNT, hops) : r;
}

int sockets_tcp_lead(const struct sockets_pair *pair, unsigned side)
{
	int r = lead(pair->fd[0], side);
	for (unsigned i = 0; i < 2 && r == 0; i++)
		r = hear_above(pair->fd[i], 0);
	return r;
}

int sockets_tcp_deafen(const struct sockets_pair *pair)
{
	int r = hear_above(pair->fd[0], 255);
	return r == 0 ? hear_above(pair->fd[1], 255) : r;
}

/* A and B get their numbers in the group by the order of listening. What comes before B listens goes to A whatever the program says: so A
 * is deaf meanwhile, where clients are B's, and their kernels knock again. (A filter on the socket would do, too, but not every kernel
 * lets an ordinary user set one.) */
static int listen_both(const struct sockets_wish *wish, const struct sockets_pair *pair, unsigned side, bool apart)
{
	int r = side || apart ? hear_above(pair->fd[0], 255) : 0;
	if (r == 0 && apart)
		r = hear_above(pair->fd[1], 255);
	if (r == 0 && (listen(pair->fd[0], wish->backlog) < 0 || listen(pair->fd[1], wish->backlog) < 0))
		r = -errno;
	if (r < 0)
		return r;
	return apart ? lead(pair->fd[0], side) : sockets_tcp_lead(pair, side);
}

int sockets_tcp_bind(const struct sockets_wish *wish, const struct sockets_name *name, unsigned side, bool apart, struct sockets_pair *pair,
		     const char **step)
{
	CLEANUP_FD int alone = -1, a = -1, b = -1;
	*step = "bind";
	/* Bound alone first: a stranger's SO_REUSEPORT listener of the same user would take us into its group. */
	int r = bind_one(wish, name, false, &alone);
	alone = util_close(alone);
	if (r == 0)
		r = bind_one(wish, name, true, &a);
	if (r == 0)
		r = bind_one(wish, name, true, &b);
	if (r == 0) {
		*step = "listen";
		r = listen_both(wish, &(const struct sockets_pair){ { a, b } }, side, apart);
	}
	if (r == 0)
		*pair = (struct sockets_pair){ { take_fd(&a), take_fd(&b) } };
	return r;
}
