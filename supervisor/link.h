/* link: the messages between keeper and ruler: a SOCK_SEQPACKET pair, fixed layout, descriptors beside. One table says for each kind
 * who may send it and what it holds; what does not fit the table is refused at receipt. Never blocks: what cannot be sent at once is
 * queued. ARCHITECTURE.md has the table for people. */
#ifndef REGENT_LINK_H
#define REGENT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum link_kind {
	LINK_NONE,
	/* ruler -> keeper */
	LINK_SPAWN,	/* start generation of name (monitor says where it lives); uid, gid: only where the ini names them; text: sockets to hold; arg: LINK_SPAWN_*. record */
	LINK_SEND,	/* arg: byte for the wire of generation, + LINK_SEND_PAUSED: after its workers were paused. record */
	LINK_SWITCH,	/* lead clients of name to generation; then drain the other side until it was quiet for arg ms. record */
	LINK_CLOSE,	/* let go of the sockets held for name. record */
	LINK_KILL,	/* SIGKILL to the tree of generation. record */
	LINK_FORGET,	/* the end of generation was acted on: let go of it. record */
	LINK_STATE,	/* record of name */
	LINK_DROP,	/* no more record of name */
	LINK_ERRAND,	/* arg: enum errand_kind, generation: serial, text: path; fd: the ruler's inotify descriptor with ERRAND_LOOK */
	LINK_REOPEN,	/* open the log files anew, by the names of the command line */
	LINK_NOTIFY,	/* text: a status line for systemd */
	LINK_READY,	/* the first listing is done */
	LINK_PONG,
	LINK_DISSOLVED,	/* after a terminating LINK_SIGNAL: nothing is left, the keeper may end */
	/* keeper -> ruler */
	LINK_STARTED,	/* generation, pid; fds: wire, output, private socket (O_PATH) if it has one */
	LINK_FAILED,	/* generation; arg: enum launch_stage, error: errno. Policy refusals too */
	LINK_SWITCHED,	/* generation, error: 0 or errno; with 0 clients reach it */
	LINK_DRAINED,	/* generation, that clients reach: the listeners of the other side have been quiet */
	LINK_EXITED,	/* generation, error: wait status */
	LINK_RECORD,	/* at a ruler's start: name, record */
	LINK_HELD,	/* likewise: generation, pid; fds: wire, output, private socket. An end not forgotten follows as LINK_EXITED */
	LINK_SYNCED,	/* that was all of it */
	LINK_SIGNAL,	/* arg: signal number that somebody sent to the keeper */
	LINK_PING,
	LINK_ERRAND_DONE,	/* generation: serial, error: 0 or errno; fd with 0: where the errand's helper answers */
	LINK_REOPENED,	/* error: 0 or errno; fd with 0: the log file */
	LINK_KINDS
};

#define LINK_NAME_MAX 256	/* vassal names, with NUL: the Emperor's limit of 255 */
#define LINK_TEXT_MAX 4096	/* paths, with NUL */
#define LINK_RECORD_MAX 4096
#define LINK_FDS_MAX 3

#define LINK_SPAWN_BESIDE 1U		/* there is one already: on the other side of its sockets */
#define LINK_SPAWN_REHEARSAL 2U		/* beside, of another config: text has one line more, the last: "config=/absolute/path.ini\n". Never switched to */
#define LINK_SPAWN_MERCY(s) ((uint32_t)(s) << 8)	/* --worker-reload-mercy s for it; 0: as its ini says */
#define LINK_SEND_PAUSED 0x100U

struct link_message {
	uint32_t kind;
	uint32_t arg;
	uint64_t generation;
	int32_t pid, error;
	uint32_t uid, gid;
	uint16_t monitor;
	/* sizes of what follows the head on the wire, in this order; name and text with their NUL, 0: none */
	uint16_t name_size, text_size, record_size;
	/* --- not sent as such */
	const char *name, *text;
	const void *record;
	int fds[LINK_FDS_MAX];	/* received: owned by the receiver until taken; -1: none */
	unsigned n_fds;
};

struct link {
	int fd;
	bool is_keeper;		/* which end this is: what may arrive */
	struct link_queued *head, *tail;
	size_t n_queued;
	char buffer[64 + LINK_NAME_MAX + LINK_TEXT_MAX + LINK_RECORD_MAX];	/* of the message received last: its name, text, record */
};

/* A connected pair, nonblocking, close-on-exec. 0 or negative errno. */
int link_pair(int *keeper_end, int *ruler_end);
void link_init(struct link *l, int fd, bool is_keeper);	/* takes fd */
void link_close(struct link *l);			/* fd and queue */

/* Sends, or queues behind what is queued already. Descriptors are duplicated, never taken. Sets name_size and text_size itself.
 * 0 (sent or queued; n_queued tells); -EMSGSIZE; -ENOMEM, -EMFILE: not queued; -EPIPE, -ECONNRESET: the other side is gone. */
int link_post(struct link *l, struct link_message *m);
/* Sends from the queue. 0: queue empty; -EAGAIN: try when writable, or (ETOOMANYREFS) in a moment; -EPIPE, ... gone. */
int link_flush(struct link *l);

/* The next message. 1: *m is filled, valid until the next call, descriptors in m->fds are the caller's;
 * 0: none now; -EPIPE: the other side is gone; -EBADMSG: what came does not fit the table (text says why; it is dropped,
 * descriptors closed; go on). */
int link_receive(struct link *l, struct link_message *m, const char **text);
void link_close_fds(struct link_message *m);
const char *link_kind_name(unsigned kind);

#endif
