/* sockets: the listening sockets that are held for a vassal, each address twice, A and B, so that generations can alternate and clients
 * reach one only after it was judged. Here: what to hold, as text; and the work on sockets and paths, done by a short-lived child that has
 * the vassal's ids already (supervisor/keeper_sockets.c). It starts no process, knows no generation and never logs.
 *
 * unix: P is bound, renamed to D/A; bound again, renamed to D/B; D is ".NAME.regent", a 0700 directory beside P. Both keep P as their
 * name, so that uWSGI finds them. P itself is a hard link to one of them; a switch is link(D/x, D/tmp), rename(D/tmp, P): atomic.
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

/* One line of options, then one address a line, as uWSGI's ini has it (":80", "127.0.0.1:80", "[::1]:80", "/path"):
 *   "mode=664 user=pn group=www-data listen=100 reuse-port=1 ...\n/run/site.sock\n127.0.0.1:8000\n"
 * Options that the ini does not set are not in the line. */
struct sockets_wish {
	unsigned n;
	char address[SOCKETS_MAX][SOCKETS_ADDRESS_MAX];
	int mode;			/* -1: as the umask has it */
	char user[64], group[64];	/* "": as bound */
	int backlog;
	int umask;			/* -1: ours */
	bool defer_accept, tcp_nodelay, keepalive, freebind;	/* so-keepalive, ... : what uWSGI sets only when it binds itself */
	int send_timeout, sndbuf, rcvbuf;	/* 0: unset */
};
/* The text may come from a hostile ruler. 0; -EINVAL: it is not such a text; -E2BIG: too many or too long. */
int sockets_parse(const char *text, struct sockets_wish *ret);
bool sockets_is_unix(const char *address);

struct sockets_pair { int fd[2]; };	/* A, B; -1: not bound. Both or none */

/* What went wrong, for one line in the log: of which address, at which step ("bind", "chown", "mkdir .x.regent", ...). */
struct sockets_fault { int error; unsigned index; char step[64]; };

/* All of these: in the child, with the vassal's ids; may block. 0 or negative errno with *fault filled.
 * Binds the addresses whose pair is not there yet (both sides, close-on-exec, nonblocking as uWSGI leaves them, listening); clients reach `side` of
 * these. Then mode, owner and backlog of `side` of all of them, so that a changed ini counts from this generation on; a deleted path
 * or link is repaired where it can be. Pairs bound by an earlier call and handed in are never closed here. On failure what was bound
 * here is undone. A path that is in use by somebody else (somebody accepts there) is -EADDRINUSE; a stale one is replaced. */
int sockets_prepare(const struct sockets_wish *wish, struct sockets_pair pairs[SOCKETS_MAX], unsigned side, struct sockets_fault *fault);
/* Leads new clients of every address to `side`. Again is fine. */
int sockets_switch(const struct sockets_wish *wish, const struct sockets_pair pairs[SOCKETS_MAX], unsigned side, struct sockets_fault *fault);
/* Removes one address's path, links and directory, if they are still ours (same inode). The caller closes the descriptors. */
int sockets_remove(const char *address, const struct sockets_pair *pair);

/* Whether a client waits in one of the n listeners. For the drain; any process may ask. */
bool sockets_any_waiting(const int *fds, unsigned n);

/* --- the private socket, through which only the gate asks: bound at path (a directory of the caller's), mode 0666, and the path removed at once.
 * *listener: for the vassal, which is told path with --uwsgi-socket; *reach: O_PATH, for connect() to /proc/self/fd/N. */
int sockets_private(const char *path, int *listener, int *reach);

#endif
