#include "supervisor/control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#include "supervisor/control_outbox.h"
#include "vassals/util.h"

#define ACCEPTS_AT_ONCE 16	/* then the loop serves the others */
#define HANGUP_LOOK_S 1		/* how often a client that can no longer be read is asked whether it is still there */

enum client_state {
	CLIENT_READING,		/* its line is not complete */
	CLIENT_SERVED,		/* its line was handed on */
	CLIENT_DEAF,		/* likewise, and it has sent more, or shut its side down: not read any more */
	CLIENT_ENDING,		/* goes once everything is sent */
	CLIENT_CLOSED,		/* freed as soon as nobody stands on it */
};

struct control_client {
	struct control_client *prev, *next;
	struct control *control;
	uint64_t token;
	int fd;
	enum client_state state;
	bool busy;			/* read_line() stands on it */
	ev_io readable, writable;
	ev_timer timer;
	struct control_peer peer;
	gid_t *groups;
	size_t n_line;
	struct control_outbox unsent;
	char line[CONTROL_LINE_MAX];
};

struct control {
	struct control_config config;
	struct control_client *clients;
	size_t n;
	uint64_t next_token;
	ev_io acceptable;
	ev_timer pause;
};

static void let_in(struct control *c)
{
	if (c->n < CONTROL_CLIENTS_MAX && !ev_is_active(&c->pause))
		ev_io_start(c->config.loop, &c->acceptable);
	else
		ev_io_stop(c->config.loop, &c->acceptable);
}

/* ---- the end of a client */

static void client_free(struct control_client *client)
{
	util_close(client->fd);
	free(client->groups);
	control_outbox_clear(&client->unsent);
	free(client);
}

static void stop_watching(struct control_client *client)
{
	struct ev_loop *loop = client->control->config.loop;
	ev_io_stop(loop, &client->readable);
	ev_io_stop(loop, &client->writable);
	ev_timer_stop(loop, &client->timer);
}

static void client_close(struct control_client *client)
{
	struct control *c = client->control;
	stop_watching(client);
	DL_DELETE(c->clients, client);
	c->n--;
	client->state = CLIENT_CLOSED;
	let_in(c);
	c->config.closed(c->config.data, client);
	if (!client->busy)
		client_free(client);
}

static void set_timer(struct control_client *client, double seconds)
{
	client->timer.repeat = seconds;
	ev_timer_again(client->control->config.loop, &client->timer);
}

static void go_deaf(struct control_client *client)
{
	client->state = CLIENT_DEAF;
	ev_io_stop(client->control->config.loop, &client->readable);
	set_timer(client, HANGUP_LOOK_S);
}

static bool has_left(const struct control_client *client)
{
	struct pollfd p = { .fd = client->fd };
	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct control_client *client = w->data;
	(void)loop;
	(void)events;
	if (client->state == CLIENT_ENDING ||
	    (client->state == CLIENT_READING && client->control->n > CONTROL_CLIENTS_MAX / 2) ||
	    (client->state == CLIENT_DEAF && has_left(client)))
		client_close(client);
}

/* ---- replies */

/* False: the client is gone. */
static bool flush(struct control_client *client)
{
	struct ev_loop *loop = client->control->config.loop;
	int r = control_outbox_send(&client->unsent, client->fd);
	if (r == 0)
		ev_io_stop(loop, &client->writable);
	else if (r == -EAGAIN)
		ev_io_start(loop, &client->writable);
	else
		client_close(client);
	return r == 0 || r == -EAGAIN;
}

static void end_if_sent(struct control_client *client)
{
	if (control_outbox_size(&client->unsent) == 0)
		client_close(client);
	else
		set_timer(client, CONTROL_QUIET_S);	/* anew whenever it reads some */
}

static void on_writable(struct ev_loop *loop, ev_io *w, int events)
{
	struct control_client *client = w->data;
	(void)loop;
	(void)events;
	if (flush(client) && client->state == CLIENT_ENDING)
		end_if_sent(client);
}

bool control_reply(struct control_client *client, const char *json)
{
	if (client->state >= CLIENT_ENDING)
		return client->state == CLIENT_ENDING;
	if (control_outbox_size(&client->unsent) > CONTROL_UNSENT_MAX || control_outbox_put(&client->unsent, json) < 0) {
		client_close(client);
		return false;
	}
	return flush(client);
}

void control_end(struct control_client *client)
{
	if (client->state >= CLIENT_ENDING)
		return;
	client->state = CLIENT_ENDING;
	ev_io_stop(client->control->config.loop, &client->readable);
	end_if_sent(client);
}

/* ---- the request */

static void refuse(struct control_client *client, const char *json)
{
	if (control_reply(client, json))
		control_end(client);
}

#define USAGE(text) "{\"result\":\"usage\",\"status\":2,\"text\":\"" text "\"}"

static void hand_on(struct control_client *client, char *newline)
{
	struct control_config *config = &client->control->config;
	bool more = newline + 1 < client->line + client->n_line;
	*newline = '\0';
	client->state = CLIENT_SERVED;
	ev_timer_stop(config->loop, &client->timer);
	config->request(config->data, client, client->line);
	if (more && client->state == CLIENT_SERVED)
		go_deaf(client);
}

static void take_bytes(struct control_client *client, size_t n)
{
	char *new_bytes = client->line + client->n_line;
	client->n_line += n;
	char *newline = memchr(new_bytes, '\n', n);
	if (memchr(new_bytes, '\0', newline ? (size_t)(newline - new_bytes) : n))
		refuse(client, USAGE("a NUL byte in the request"));
	else if (newline)
		hand_on(client, newline);
	else if (client->n_line == sizeof client->line)
		refuse(client, USAGE("the request is too long: a line has at most 4095 bytes"));
}

static void take_eof(struct control_client *client)
{
	if (has_left(client))
		client_close(client);
	else if (client->state == CLIENT_SERVED)
		go_deaf(client);	/* it has only shut its sending side down, as socat does */
	else if (client->n_line > 0)
		refuse(client, USAGE("the request ended without a newline: nothing was done"));
	else
		client_close(client);
}

static void read_line(struct control_client *client)
{
	bool reading = client->state == CLIENT_READING;
	char byte = 0, *at = reading ? client->line + client->n_line : &byte;
	size_t room = reading ? sizeof client->line - client->n_line : 1;
	ssize_t n = recv(client->fd, at, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		client_close(client);
	else if (n == 0)
		take_eof(client);
	else if (reading)
		take_bytes(client, (size_t)n);
	else
		go_deaf(client);	/* one request a connection; what follows is not even read */
}

static void on_readable(struct ev_loop *loop, ev_io *w, int events)
{
	struct control_client *client = w->data;
	(void)loop;
	(void)events;
	client->busy = true;
	read_line(client);
	client->busy = false;
	if (client->state == CLIENT_CLOSED)
		client_free(client);
}

/* ---- newcomers */

static int read_groups(struct control_client *client)
{
	socklen_t size = 0;
	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0)
		return 0;	/* none */
	if (errno == ENOPROTOOPT)
		return 0;	/* a kernel before 4.13: its first group must do */
	if (errno != ERANGE)
		return -errno;
	client->groups = malloc(size);
	if (!client->groups)
		return -ENOMEM;
	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERGROUPS, client->groups, &size) < 0)
		return -errno;
	client->peer.groups = client->groups;
	client->peer.n_groups = size / sizeof *client->groups;
	return 0;
}

static int read_peer(struct control_client *client)
{
	struct ucred cred;
	socklen_t size = sizeof cred;
	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	client->peer = (struct control_peer){ .uid = cred.uid, .gid = cred.gid, .pid = cred.pid };
	return read_groups(client);
}

static void client_start(struct control *c, struct control_client *client)
{
	client->control = c;
	client->token = c->next_token++;
	ev_io_init(&client->readable, on_readable, client->fd, EV_READ);
	ev_io_init(&client->writable, on_writable, client->fd, EV_WRITE);
	ev_init(&client->timer, on_timer);
	client->readable.data = client->writable.data = client->timer.data = client;
	DL_APPEND(c->clients, client);
	c->n++;
	ev_io_start(c->config.loop, &client->readable);
	set_timer(client, CONTROL_QUIET_S);
}

static bool takes_too_many(const struct control *c, uid_t uid)
{
	const struct control_client *client;
	size_t n = 0;
	DL_FOREACH(c->clients, client)
		n += client->peer.uid == uid;
	return n >= CONTROL_CLIENTS_OF_ONE && uid != 0 && uid != c->config.owner;
}

static void client_new(struct control *c, int owned_fd)
{
	CLEANUP_FD int fd = owned_fd;
	struct control_client *client = calloc(1, sizeof *client);
	if (!client)
		return;
	client->fd = take_fd(&fd);
	if (read_peer(client) < 0) {
		client_free(client);	/* who cannot be told from others has no rights here */
		return;
	}
	bool too_many = takes_too_many(c, client->peer.uid);
	client_start(c, client);
	if (too_many)
		refuse(client, "{\"result\":\"timeout\",\"status\":6,\"text\":\"not taken up: you have too many clients connected\"}");
}

static void on_pause_over(struct ev_loop *loop, ev_timer *w, int events)
{
	struct control *c = w->data;
	(void)events;
	ev_timer_stop(loop, w);
	let_in(c);
}

static void pause_accepting(struct control *c)
{
	ev_timer_set(&c->pause, CONTROL_PAUSE_S, 0.);
	ev_timer_start(c->config.loop, &c->pause);
	let_in(c);
}

static void on_acceptable(struct ev_loop *loop, ev_io *w, int events)
{
	struct control *c = w->data;
	(void)loop;
	(void)events;
	for (int i = 0; i < ACCEPTS_AT_ONCE && c->n < CONTROL_CLIENTS_MAX; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			client_new(c, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			pause_accepting(c);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			break;
		}
	}
	let_in(c);
}

int control_new(const struct control_config *config, struct control **ret)
{
	int r = util_nonblock(config->listen_fd);
	if (r < 0)
		return r;
	struct control *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->config = *config;
	c->next_token = 1;
	ev_io_init(&c->acceptable, on_acceptable, config->listen_fd, EV_READ);
	ev_init(&c->pause, on_pause_over);
	c->acceptable.data = c->pause.data = c;
	let_in(c);
	*ret = c;
	return 0;
}

struct control *control_free(struct control *c)
{
	if (!c)
		return NULL;
	struct control_client *client, *next;
	DL_FOREACH_SAFE(c->clients, client, next) {
		stop_watching(client);
		client_free(client);
	}
	ev_io_stop(c->config.loop, &c->acceptable);
	ev_timer_stop(c->config.loop, &c->pause);
	free(c);
	return NULL;
}

uint64_t control_token(const struct control_client *client) { return client->token; }
const struct control_peer *control_peer(const struct control_client *client) { return &client->peer; }
size_t control_count(const struct control *c) { return c->n; }
size_t control_unsent(const struct control_client *client) { return control_outbox_size(&client->unsent); }

struct control_client *control_find(const struct control *c, uint64_t token)
{
	struct control_client *client;
	DL_FOREACH(c->clients, client)
		if (client->token == token)
			return client;
	return NULL;
}
