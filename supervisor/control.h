/* control: the control socket: connections, framing, who the peer is. A request is one line; replies are JSON lines. Bounded in
 * clients, line length and unsent bytes: a slow reader loses its connection, nobody else anything. Knows no verbs. */
#ifndef REGENT_CONTROL_H
#define REGENT_CONTROL_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CONTROL_CLIENTS_MAX 256		/* further ones wait in the backlog */
#define CONTROL_LINE_MAX 4096
#define CONTROL_UNSENT_MAX (1024 * 1024)

struct control;
struct control_client;

/* From the kernel, not from the client. */
struct control_peer { uid_t uid; gid_t gid; pid_t pid; size_t n_groups; const gid_t *groups; };

struct control_config {
	struct ev_loop *loop;
	int listen_fd;		/* bound and listening (the keeper made it); not owned */
	/* A whole line, without its newline, NUL-terminated, may be written to. A line too long or with a NUL byte never gets here: the
	 * client is told and closed. */
	void (*request)(void *data, struct control_client *client, char *line);
	void (*closed)(void *data, struct control_client *client);	/* it went away; do not use it any more */
	void *data;
};

int control_new(const struct control_config *config, struct control **ret);
struct control *control_free(struct control *c);

/* A number that no other client of this ruler's life has: what court.h calls waiter. Never 0. */
uint64_t control_token(const struct control_client *client);
struct control_client *control_find(const struct control *c, uint64_t token);
const struct control_peer *control_peer(const struct control_client *client);
/* One JSON object; the newline is added. Never blocks; may close the client (then closed() has been called: false is returned). */
bool control_reply(struct control_client *client, const char *json);
/* Closes once everything is sent. */
void control_end(struct control_client *client);

#endif
