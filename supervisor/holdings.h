/* holdings: what the keeper holds over a ruler's death: of each generation its pidfd, wire, output, private socket and end; of each vassal the
 * record and (holdings_sockets.h) its listening sockets.
 * The bytes of a record mean nothing here. */
#ifndef REGENT_HOLDINGS_H
#define REGENT_HOLDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uthash.h>

struct holding {		/* one generation */
	uint64_t generation;
	pid_t pid;
	int pidfd, wire, output;	/* -1: closed */
	int reach;		/* its private socket, O_PATH; -1: it has none */
	bool ended;
	bool is_held;		/* its sockets are */
	bool is_rehearsal;	/* clients are never led to it */
	uint8_t side;		/* of its sockets */
	int status;		/* wait status, once ended */
	UT_hash_handle by_generation, by_pid;
	char name[];
};

struct record {			/* of one vassal */
	void *bytes;
	uint16_t size;
	uint16_t live;		/* generations of this name that have not ended */
	UT_hash_handle hh;
	char name[];
};

struct holdings {
	struct holding *by_generation, *by_pid;
	struct record *records;
	struct held *sockets;
	struct held_address *addresses, *places;	/* the same by address; by where their paths are watched */
	struct held_watch *watches;
	uint64_t newest;	/* generation ever held */
};

/* Takes pidfd, wire and output; the record of name must be there. 0, -ENOENT or -ENOMEM (nothing taken). */
int holdings_add(struct holdings *h, uint64_t generation, const char *name, pid_t pid, int pidfd, int wire, int output);
struct holding *holdings_find(const struct holdings *h, uint64_t generation);
struct holding *holdings_find_pid(const struct holdings *h, pid_t pid);	/* live ones only */
void holdings_ended(struct holdings *h, struct holding *g, int status);	/* it has no pid any more */
void holdings_forget(struct holdings *h, struct holding *g);
/* A ruler that was taken over must not fill the machine's memory with the records of names that it makes up. */
#define HOLDINGS_RECORDS_MAX 100000
/* Replaces. 0, -ENOMEM, or -ENOSPC: too many names. */
int holdings_record(struct holdings *h, const char *name, const void *bytes, uint16_t size);
/* -EBUSY: a generation of it lives. */
int holdings_drop(struct holdings *h, const char *name);
unsigned holdings_live(const struct holdings *h, const char *name);
void holdings_free(struct holdings *h);

#endif
