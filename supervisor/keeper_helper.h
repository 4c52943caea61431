/* keeper_helper: work on a vassal's listening sockets, done by a short-lived child of the keeper that has the vassal's ids. What it hands
 * back is looked at as if it came from the vassal. It knows no generation and keeps nothing. */
#ifndef REGENT_KEEPER_HELPER_H
#define REGENT_KEEPER_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vassals/identity.h"
#include "vassals/sockets.h"

enum helper_task {
	HELPER_PREPARE,	/* bind what is missing; watch the directories */
	HELPER_SWITCH,	/* lead clients to `side` */
	HELPER_REPAIR,	/* lead clients of each address whose path is gone to where they were; with force: of all */
	HELPER_REMOVE,
	HELPER_TASKS
};
#define HELPER_SECONDS 5	/* then it is killed */

struct helper_work {
	enum helper_task task;
	struct sockets_wish wish;
	struct sockets_pair pairs[SOCKETS_MAX];	/* borrowed */
	uint8_t sides[SOCKETS_MAX];		/* HELPER_REPAIR: where clients were */
	unsigned side;
	bool apart;				/* HELPER_PREPARE: nobody meets what is new before a switch */
	uint32_t lead;				/* HELPER_PREPARE: bit i: clients of address i, bound before, are to reach `side` */
	unsigned n_departing;			/* HELPER_SWITCH: what the old generation has and the new one has not: sockets_depart() */
	char departing[SOCKETS_MAX][SOCKETS_ADDRESS_MAX];
	struct sockets_pair departing_pairs[SOCKETS_MAX];
	int heir;				/* of the one unix address among them: its place in wish; -1: none */
	bool force;
	const char *config;			/* HELPER_PREPARE: of a rehearsal, to be checked first; NULL: none */
	uid_t ruler_uid;			/* who must not have written it */
	gid_t ruler_gid;
	const struct identity *identity;
	int inotify;				/* the keeper's, -1: none */
};

struct helper_answer {
	int error;			/* 0 or errno */
	struct sockets_fault fault;
	uint32_t bound;			/* HELPER_PREPARE: bit i: address i was bound, both sides are beside, in order */
	uint32_t repaired;		/* HELPER_REPAIR */
	int watches[SOCKETS_MAX];	/* of the directories; -1 */
	int watch_error;		/* errno of the first that could not be watched */
};

/* 0 and *pidfd, *answer_fd (the end to read from, nonblocking); or negative errno. */
int helper_start(const struct helper_work *work, int *pidfd, int *answer_fd);
/* 0: *answer fits what was asked, pairs has what is new (-1: nothing), owned by the caller; -EAGAIN: not yet; -EPIPE: it died;
 * -EBADMSG and others: what came is not to be had, and closed. Descriptors must be below max_fd (-EMFILE). */
int helper_read(int answer_fd, const struct helper_work *work, unsigned max_fd, struct helper_answer *answer,
		struct sockets_pair pairs[SOCKETS_MAX]);

#endif
