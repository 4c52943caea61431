/* holdings_sockets: the listening sockets that the keeper holds, by vassal and by address, and who uses which side of them. Makes no
 * decision and starts nothing; it owns the descriptors and the orders' places in the queue, not what they mean. */
#ifndef REGENT_HOLDINGS_SOCKETS_H
#define REGENT_HOLDINGS_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "supervisor/holdings.h"
#include "vassals/identity.h"
#include "vassals/sockets.h"

/* Of one vassal: those of two generations, and what of an earlier one is still to be removed. */
#define HELD_ADDRESSES_MAX (3 * SOCKETS_MAX)

struct held_place { int watch; char base[SOCKETS_ADDRESS_MAX]; };	/* a file in a watched directory */
struct held_watch { int watch; unsigned n; UT_hash_handle hh; };	/* a directory, watched for n addresses */

struct held_address {
	struct held_address *next;
	struct held *of;
	struct sockets_pair pair;
	uint64_t users[2];	/* by side: the living generation that has it; 0: none */
	uint8_t side;		/* that clients reach */
	bool unwanted;		/* to be removed */
	bool is_hidden;		/* clients do not reach it before a switch */
	bool is_inherited;	/* no generation has it; its path leads to what took its place, until the next start */
	bool is_placed;
	struct held_place place;
	UT_hash_handle by_key, by_place;
	char key[SOCKETS_ADDRESS_MAX + 8];	/* ":80" and "0.0.0.0:80" are one address */
	char text[SOCKETS_ADDRESS_MAX];
};

enum held_repair { HELD_WHOLE, HELD_LOST, HELD_UNCERTAIN };	/* a path was deleted; a switch was cut short */

struct held {			/* of one vassal */
	struct held_address *addresses;
	unsigned n;
	uint8_t side;		/* that clients reach */
	uint64_t living[2];	/* by side: generation, also one that is yet to be started; 0: none */
	struct identity *identity;	/* who bound them */
	/* keeper_sockets.c, keeper_quiet.c and keeper_repair.c */
	struct keeper_order *orders;	/* in their order; the first may be under way */
	unsigned n_orders;
	struct keeper_helper *helper;	/* at work for it */
	struct held *next_waiting, *next_draining;
	bool is_waiting;
	bool is_closed;		/* let go of, since the last start was asked for */
	uint64_t drain, drain_quiet, drain_since;	/* generation, ns, ns; 0: nothing drains */
	enum held_repair repair;
	uint64_t repaired_at;
	UT_hash_handle hh;
	char name[];
};

struct held *holdings_sockets(const struct holdings *h, const char *name);	/* NULL: nothing is held */
struct held *holdings_sockets_new(struct holdings *h, const char *name);	/* NULL: no memory */
/* Whose they are. 0 or -ENOMEM. */
int held_belongs(struct held *held, const struct identity *id);
void holdings_sockets_free(struct holdings *h, struct held *held);		/* with all its addresses */

bool held_same(const char *a, const char *b);	/* one address in two spellings */
struct held_address *held_find(const struct held *held, const char *text);
/* Any vassal's. */
struct held_address *holdings_address(const struct holdings *h, const char *text);
/* Takes the pair. 0, -EADDRINUSE: some vassal has it; -E2BIG; -ENOMEM (nothing taken). */
int held_add(struct holdings *h, struct held *held, const char *text, const struct sockets_pair *pair);
/* Closes the pair. The number of a watch that nobody needs any more, or -1. */
int held_remove(struct holdings *h, struct held_address *a);

/* Its directory has this watch from now on. The number of one that is not needed any more, or -1. */
int held_watched(struct holdings *h, struct held_address *a, int watch);
struct held_address *holdings_placed(const struct holdings *h, int watch, const char *base);
void holdings_unwatched(struct holdings *h, int watch);	/* the kernel has dropped it */

/* The generation has ended, or was never started. */
void held_leave(struct held *held, uint64_t generation);
bool held_lives(const struct held *held);		/* some generation does, or is to */
/* Marks what no living generation has, while one lives. Whether anything is marked. */
bool held_sweep(struct held *held);
bool held_any_unwanted(const struct held *held);

/* Whether fd is what was asked for: a listening stream socket with that address. 0, -ENOTSOCK, -EINVAL, -EADDRNOTAVAIL. */
int held_check(const char *address, int fd);

#endif
