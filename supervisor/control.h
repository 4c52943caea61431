/* control: the control socket: connections, framing, who the peer is. A connection carries one request, a line; replies are JSON
 * lines. Bounded in clients, line length and unsent bytes: a slow reader loses its connection, nobody else anything. Knows no verbs. */
#ifndef REGENT_CONTROL_H
#define REGENT_CONTROL_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CONTROL_CLIENTS_MAX 256		/* further ones wait in the backlog */
#define CONTROL_CLIENTS_OF_ONE 64	/* of one user; his further ones are refused, so that he cannot take every place */
#define CONTROL_LINE_MAX 4096		/* with its newline */
#define CONTROL_UNSENT_MAX (1024 * 1024)	/* who has left so much unread gets no further reply, but loses its connection */
#define CONTROL_QUIET_S 30		/* no request yet, or nothing read of the last replies: gives its place away */
#define CONTROL_PAUSE_S 1		/* out of descriptors: nothing is accepted for so long */

struct control;
struct control_client;

/* From the kernel, not from the client. */
struct control_peer { uid_t uid; gid_t gid; pid_t pid; size_t n_groups; const gid_t *groups; };

struct control_config {
	struct ev_loop *loop;
	int listen_fd;		/* bound and listening (the keeper made it); not owned */
	uid_t owner;		/* he and root may take every place */
	/* A whole line, without its newline, NUL-terminated, may be written to; once a client. A line too long, cut off or with a
	 * NUL byte never gets here: the client is told and closed. */
	void (*request)(void *data, struct control_client *client, char *line);
	/* It went away, or was ended and is flushed; do not use it any more. May be called from control_reply() and control_end(). */
	void (*closed)(void *data, struct control_client *client);
	void *data;
};

int control_new(const struct control_config *config, struct control **ret);
struct control *control_free(struct control *c);	/* closes all, calls nobody */

/* A number that no other client of this ruler's life has: what court.h calls waiter. Never 0. */
uint64_t control_token(const struct control_client *client);
struct control_client *control_find(const struct control *c, uint64_t token);
size_t control_count(const struct control *c);
const struct control_peer *control_peer(const struct control_client *client);
/* One JSON object; the newline is added. Never blocks; may close the client (then closed() has been called: false is returned). */
bool control_reply(struct control_client *client, const char *json);
/* Bytes it has not taken yet. Who writes much of what can be missed should look before. */
size_t control_unsent(const struct control_client *client);
/* Closes once everything is sent. */
void control_end(struct control_client *client);

#endif
