/* sockets, inside: what its files share. The place of a unix address is its directory, its D in it and the links in D: all work on it goes
 * through descriptors that were verified, so nothing that others put in the way is followed. */
#ifndef REGENT_SOCKETS_INSIDE_H
#define REGENT_SOCKETS_INSIDE_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "vassals/sockets.h"

struct sockets_name {
	socklen_t length;
	union { struct sockaddr any; struct sockaddr_un un; struct sockaddr_in in; struct sockaddr_in6 in6; };
};
/* 0, or -EINVAL: not an address as sockets.h has them. */
int sockets_resolve(const char *address, struct sockets_name *ret);

struct sockets_place {
	int parent, home;			/* O_PATH of P's directory; D */
	char base[SOCKETS_ADDRESS_MAX];		/* P's last part */
	char dir[SOCKETS_ADDRESS_MAX + 8];	/* D's name: .BASE.regent */
};
#define CLEANUP_PLACE __attribute__((cleanup(sockets_place_close)))
#define SOCKETS_PLACE_NONE { .parent = -1, .home = -1 }
const char *sockets_link(unsigned side);	/* "A", "B" */

/* Opens P's directory and D, which is made if it is missing and `make` says so. 0; -ENOENT; -EPERM: D is a link, somebody
 * else's or open to others; other negative errno; *step then says what was tried. */
int sockets_place_open(const char *address, bool make, struct sockets_place *ret, const char **step);
void sockets_place_close(struct sockets_place *place);
/* Whether P may be replaced: 0: it is missing, ours, or a socket where nobody accepts; -EADDRINUSE, -EEXIST, other negative errno. */
int sockets_place_claim(const struct sockets_place *place, const struct sockets_name *name);
/* Writes down of which socket a side's link is: the inode of a path is not the inode of the socket, and nothing else tells them apart. */
int sockets_place_mark(const struct sockets_place *place, unsigned side, int fd);
/* Whether D/side is that of fd, not of a later binder of the same path. */
bool sockets_place_holds(const struct sockets_place *place, unsigned side, int fd);
/* Empties D; P goes as well if it is a link in D. First error, or 0. */
int sockets_place_clear(const struct sockets_place *place);
/* P becomes a link to `side`, which is fd's; *moved: it was none. -ENOENT: fd has no link there any more. */
int sockets_place_lead(const struct sockets_place *place, const struct sockets_name *name, unsigned side, int fd, bool *moved);
/* P becomes a link to a side of heir's. */
int sockets_place_follow(const struct sockets_place *place, const struct sockets_place *heir, unsigned side);
/* P leads nowhere any more, if it is ours. */
int sockets_place_hide(const struct sockets_place *place);
/* Mode and owner of a side's socket as wish has them. -ENOENT: it has no link any more. */
int sockets_place_dress(const struct sockets_place *place, unsigned side, const struct sockets_wish *wish, const char **step);

/* Both sides listening at once, nobody but `side` getting a client meanwhile; apart: not even that one before sockets_tcp_lead(). */
int sockets_tcp_bind(const struct sockets_wish *wish, const struct sockets_name *name, unsigned side, bool apart, struct sockets_pair *pair,
		     const char **step);
int sockets_tcp_lead(const struct sockets_pair *pair, unsigned side);
int sockets_tcp_deafen(const struct sockets_pair *pair);

/* A socket with the options that wish has for every family. Descriptor or negative errno. */
int sockets_new(const struct sockets_wish *wish, int family);

/* Fills *fault; place may be NULL. Returns error. */
int sockets_fail(struct sockets_fault *fault, unsigned index, int error, const char *step, const char *address);

#endif
