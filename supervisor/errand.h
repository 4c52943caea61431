/* errand: one look, or one connect, done with a vassal's identity, because the ruler may not do it: a short-lived child of the keeper
 * that drops to the vassal's ids, does it, hands back what it found over a socket of its own, and ends. */
#ifndef REGENT_ERRAND_H
#define REGENT_ERRAND_H

#include <sys/stat.h>
#include <sys/types.h>

#include "supervisor/watch.h"
#include "vassals/identity.h"

enum errand_kind {
	ERRAND_LOOK,	/* walk the path, adding watches to the ruler's inotify descriptor; open the file read-only */
	ERRAND_CONNECT,	/* connect to a socket: "/path", "127.0.0.1:80", "[::1]:80" */
	ERRAND_READ,	/* open a regular file for reading by its absolute path: what the vassal's ini includes */
	ERRAND_KINDS
};
#define ERRAND_SECONDS 5	/* then the keeper kills it */

struct errand {
	enum errand_kind kind;
	const char *target;	/* path or address */
	struct identity identity;
	int inotify;		/* of ERRAND_LOOK; else -1 */
};

/* What comes back, with the open file or connected socket beside it when error is 0. */
struct errand_answer {
	int error;		/* 0 or errno */
	struct watch_walk walk;	/* ERRAND_LOOK */
};

/* In the keeper: starts the child. 0 and *pid, *pidfd, *answer_fd (the end to read from); or negative errno. */
int errand_start(const struct errand *errand, pid_t *pid, int *pidfd, int *answer_fd);
/* In the ruler: reads the answer when answer_fd is readable. 0 and *fd (-1 with an error inside); -EPIPE if the helper died. */
int errand_read(int answer_fd, struct errand_answer *answer, int *fd);
/* Whether fd is an inotify descriptor: one that a ruler sends may be anything. */
int errand_check_inotify(int fd);
/* Also for who may do it himself: connects, nonblocking (EINPROGRESS is fine). fd or negative errno. */
int errand_connect(const char *address);

#endif
