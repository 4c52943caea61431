/* sockets: the listening sockets that are held for a vassal, each address twice, A and B, so that generations can alternate and clients
 * reach one only after it was judged. Here: what to hold, as text; and the work on sockets and paths, done by a short-lived child that has
 * the vassal's ids already (supervisor/keeper_sockets.c). It starts no process, knows no generation and never logs.
 *
 * unix: P is bound, renamed to D/A; bound again, linked as D/B; D is ".NAME.regent", a 0700 directory beside P. Both keep P as their
 * name, so that uWSGI finds them. P itself is a hard link to one of them; a switch is link(D/x, D/tmp), rename(D/tmp, P): atomic.
 * D/A.is and D/B.is say which sockets these are ("socket:[4711]"), so that nobody removes what a later one bound.
 * TCP: two listeners with SO_REUSEPORT; a switch is SO_ATTACH_REUSEPORT_CBPF with one instruction. */
#ifndef REGENT_VASSAL_SOCKETS_H
#define REGENT_VASSAL_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define SOCKETS_MAX 16			/* of one vassal: each costs the keeper two descriptors */
#define SOCKETS_TEXT_MAX 1536		/* with NUL: it travels and is recorded beside the vassal */
#define SOCKETS_ADDRESS_MAX 108		/* with NUL: sun_path */

/* One line of options (maybe empty), then one address a line, each line with its end:
 *   "mode=664 user=pn group=www-data listen=100 reuse-port=1 ...\n/run/site.sock\n127.0.0.1:8000\n"
 * Options that the ini does not set are not in the line. Words: mode= umask= (octal); user= group= (name or number); listen=
 * so-send-timeout= socket-sndbuf= socket-rcvbuf= tcp-fast-open= (numbers); so-keepalive= tcp-nodelay= freebind= (0 or 1);
 * reuse-port= defer-accept= no-defer-accept= (0 or 1) are taken and mean nothing here: the first is always set, TCP_DEFER_ACCEPT
 * never, since a client that connected before a switch and spoke only after the drain would wait where nobody accepts any more.
 * Addresses as uWSGI writes them itself, for it finds a socket by comparing text: ":80" or "0.0.0.0:80", "127.0.0.1:80", "[::1]:80",
 * "/path". Not: names, abstract or relative ones, port 0, other spellings of a number, a path with a ':' (TCP to uWSGI). */
struct sockets_wish {
	unsigned n;
	char address[SOCKETS_MAX][SOCKETS_ADDRESS_MAX];
	int mode;			/* -1: as the umask has it */
	char user[64], group[64];	/* "": as bound */
	int backlog;
	int umask;			/* -1: ours */
	int keepalive, tcp_nodelay, freebind;	/* so-keepalive, ... : what uWSGI sets only when it binds itself */
	int send_timeout, sndbuf, rcvbuf, fast_open;	/* 0: unset */
};
/* The text may come from a hostile ruler. 0; -EINVAL: it is not such a text (one address twice, too); -E2BIG: too many or too long. */
int sockets_parse(const char *text, struct sockets_wish *ret);
bool sockets_is_unix(const char *address);

struct sockets_pair { int fd[2]; };	/* A, B; -1: not bound. Both or none */

/* What went wrong, for one line in the log: of which address, at which step ("bind", "chown", "mkdir .x.regent", ...). */
struct sockets_fault { int error; unsigned index; char step[64]; };

/* All of these: in the child, with the vassal's ids; may block. 0 or negative errno with *fault filled; pairs untouched then.
 * Binds the addresses whose pair is not there yet (both sides, close-on-exec, nonblocking as uWSGI leaves them, listening); clients reach `side` of
 * these. Then mode, owner and backlog of `side` of all of them, so that a changed ini counts from this generation on. Pairs bound by an
 * earlier call and handed in are never closed here, and their P is not touched: which side clients reach, only the caller knows;
 * sockets_switch() to that side makes a P anew that was deleted. A link in D that is lost cannot be made again while its socket lives: it is
 * passed over here and is -ENOENT in a switch. On failure what was bound here is undone. A P where somebody accepts is
 * -EADDRINUSE, one that is no socket -EEXIST; a stale one, or what an earlier regent left in D, is replaced. -EPERM: D is not ours. */
#define SOCKETS_APART 2U	/* with side: what is bound now is led to nobody until sockets_switch(): there is no P yet, and who knocks at a
				 * port is not heard and knocks again. For a generation beside, which nobody has judged yet */
int sockets_prepare(const struct sockets_wish *wish, struct sockets_pair pairs[SOCKETS_MAX], unsigned side, struct sockets_fault *fault);
/* Leads new clients of every address to `side`, of all or of none. Again is fine; a deleted P is there again afterwards. */
int sockets_switch(const struct sockets_wish *wish, const struct sockets_pair pairs[SOCKETS_MAX], unsigned side, struct sockets_fault *fault);
/* An address that the generation on `side` has no more, while the one before still does; heir: what took its place, NULL: nothing. unix: the path
 * leads to heir's `side` from now on (without an heir: nowhere); TCP: who knocks is not heard. So nobody is accepted there who would be lost when
 * that generation ends. sockets_remove() takes such a path away, too. Again is fine. 0 or negative errno. */
int sockets_depart(const char *address, const struct sockets_pair *pair, const char *heir, const struct sockets_pair *heir_pair, unsigned side);
/* Removes one address's path, links and directory, if they are still of this pair: nothing where D is gone or a later pair is bound there,
 * and P only if it is the inode of a link in D. The caller closes the descriptors. 0, also where nothing was done; negative errno. */
int sockets_remove(const char *address, const struct sockets_pair *pair);

/* Whether a client waits in one of the n listeners (-1 is passed over; one that somebody shut down has none). For the drain; any process may ask. */
bool sockets_any_waiting(const int *fds, unsigned n);

/* --- the private socket, through which only the gate asks: bound at path (a directory of the caller's), mode 0666, and the path removed at once.
 * *listener: for the vassal, which is told path with --uwsgi-socket; *reach: O_PATH, for connect() to /proc/self/fd/N. */
int sockets_private(const char *path, int *listener, int *reach);

#endif
