/* load: what load.c (connections) and load_count.c (requests, answers, figures) have in common. */
#ifndef REGENT_ACCEPT_LOAD_H
#define REGENT_ACCEPT_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define SECOND 1000000000ULL	/* ns */
#define ANSWER_MAX 2048		/* kept of an answer: its head and the version */
#define VERSION_MAX 32
#define VERSIONS_MAX 256

enum load_kind {
	LOAD_OK,
	LOAD_5XX,	/* and its neighbours: an answer, but not a good one */
	LOAD_4XX,
	LOAD_REFUSED,
	LOAD_MISSING,	/* the path of a unix socket */
	LOAD_FULL,	/* the backlog of a unix socket: a client that may block would wait */
	LOAD_RESET,
	LOAD_EOF,	/* not a byte of an answer */
	LOAD_CUT,	/* an answer without its end */
	LOAD_TIMEOUT,
	LOAD_OTHER,
	LOAD_KINDS
};

struct load_answer {
	char text[ANSWER_MAX];
	size_t n, more;		/* bytes in text, bytes beyond it */
};
struct load_version { char text[VERSION_MAX]; uint64_t times, first, last; };

struct load {
	uint64_t rate, seconds, timeout;
	const char *path;
	struct sockaddr_storage address;
	socklen_t address_size;
	char request[1024];
	size_t request_size;
	/* what came of it; times in ns */
	uint64_t asked, under_way, kinds[LOAD_KINDS];
	int last_error;		/* of LOAD_OTHER */
	bool said;		/* that it has begun */
	uint64_t began, last_ok, silence, silence_end, late, first_bad, last_bad;
	uint32_t *took;		/* microseconds, one a good answer */
	size_t n_took, room;
	struct load_version versions[VERSIONS_MAX];
	size_t n_versions;
};

uint64_t load_now(void);
/* "unix:/path" or "address:port", numbers only. false: it is neither. */
bool load_set_address(struct load *load, const char *text);
/* "uwsgi", "http" or "scgi", for load->path. false: none of these. */
bool load_set_request(struct load *load, const char *protocol);
/* Whether as much has come as its head says. */
bool load_is_whole(const struct load_answer *answer);
/* Of an answer that is whole, or ended with EOF; its text is NUL-terminated. */
enum load_kind load_judge(const struct load_answer *answer);
/* answer: with LOAD_OK, the one that has the version. */
void load_count(struct load *load, enum load_kind kind, int error, uint64_t began, const struct load_answer *answer);
void load_print(struct load *load);

#endif
