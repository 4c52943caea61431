#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/court_inside.h"
#include "supervisor/link.h"
#include "vassals/sockets.h"
#include "vassals/util.h"

/* Raised whenever the layout below, or struct vassal, changes: keeper and ruler are one binary, but an upgrade re-executes it. */
#define RECORD_VERSION 4

struct record {
	uint32_t version, size;
	struct vassal v;
	struct court_fingerprint print;
	struct court_gate gate;
	uint16_t monitor;
	uint16_t n_requests;
	uint16_t sockets_size;		/* of the text behind the requests, with its NUL; 0: none */
	struct court_request requests[];
};

static_assert(sizeof(struct record) + COURT_REQUESTS_MAX * sizeof(struct court_request) + SOCKETS_TEXT_MAX <= LINK_RECORD_MAX,
	      "a record must fit into one message");

int court_record_write(const struct court_vassal *cv, void **ret, size_t *size)
{
	size_t requests = cv->n_requests * sizeof(struct court_request);
	size_t sockets = cv->sockets ? strlen(cv->sockets) + 1 : 0;
	size_t need = sizeof(struct record) + requests + sockets;
	struct record *r = calloc(1, need);
	if (!r)
		return -ENOMEM;
	r->version = RECORD_VERSION;
	r->size = (uint32_t)need;
	r->v = cv->v;
	r->print = cv->print;
	r->gate = cv->gate;
	r->monitor = cv->monitor;
	r->n_requests = cv->n_requests;
	if (cv->n_requests > 0)
		memcpy(r->requests, cv->requests, requests);
	r->sockets_size = (uint16_t)sockets;
	if (sockets > 0)
		memcpy((char *)r->requests + requests, cv->sockets, sockets);
	for (unsigned i = 0; i < r->n_requests; i++)
		r->requests[i].waiter = 0;	/* a number of this ruler's, meaningless to the next */
	*ret = r;
	*size = need;
	return 0;
}

/* The keeper only keeps bytes: whether they are sane is for the reader to see. */
static bool is_sane(const struct record *r, size_t size)
{
	return r->version == RECORD_VERSION && r->size == size && r->n_requests <= COURT_REQUESTS_MAX &&
	       size == sizeof *r + r->n_requests * sizeof(struct court_request) + r->sockets_size && r->v.state < VASSAL_STATES &&
	       r->v.beside.phase < VASSAL_BESIDE_PHASES && r->v.wanted <= VASSAL_WANTED_GONE && r->v.pending <= VASSAL_CLASS_NONE && r->v.failure.why < VASSAL_WHYS;
}

static char *read_sockets(const struct record *head, const void *record, size_t size)
{
	const char *text = (const char *)record + size - head->sockets_size;
	return head->sockets_size > 0 && text[head->sockets_size - 1] == '\0' ? strdup(text) : NULL;
}

int court_record_read(struct court_vassal *cv, const void *record, size_t size)
{
	struct record head;
	if (size < sizeof head)
		return -EBADMSG;
	memcpy(&head, record, sizeof head);
	if (!is_sane(&head, size))
		return -EBADMSG;
	CLEANUP_FREE char *sockets = read_sockets(&head, record, size);
	if (head.sockets_size > 0 && !sockets)
		return -ENOMEM;
	if (head.n_requests > 0) {
		cv->requests = malloc(head.n_requests * sizeof *cv->requests);
		if (!cv->requests)
			return -ENOMEM;
		memcpy(cv->requests, (const char *)record + sizeof head, head.n_requests * sizeof *cv->requests);
	}
	cv->v = head.v;
	cv->print = head.print;
	cv->gate = head.gate;
	cv->monitor = head.monitor;
	cv->n_requests = (uint8_t)head.n_requests;
	cv->sockets = take_ptr(&sockets);
	return 0;
}
