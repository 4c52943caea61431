#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/court_inside.h"

/* Raised whenever the layout below, or struct vassal, changes: keeper and ruler are one binary, but an upgrade re-executes it. */
#define RECORD_VERSION 3

struct record {
	uint32_t version, size;
	struct vassal v;
	struct court_fingerprint print;
	struct court_gate gate;
	uint16_t monitor;
	uint16_t n_requests;
	struct court_request requests[];
};

int court_record_write(const struct court_vassal *cv, void **ret, size_t *size)
{
	size_t need = sizeof(struct record) + cv->n_requests * sizeof(struct court_request);
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
		memcpy(r->requests, cv->requests, cv->n_requests * sizeof *r->requests);
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
	       size == sizeof *r + r->n_requests * sizeof(struct court_request) && r->v.state < VASSAL_STATES &&
	       r->v.wanted <= VASSAL_WANTED_GONE && r->v.pending <= VASSAL_CLASS_NONE && r->v.failure.why < VASSAL_WHYS;
}

int court_record_read(struct court_vassal *cv, const void *record, size_t size)
{
	struct record head;
	if (size < sizeof head)
		return -EBADMSG;
	memcpy(&head, record, sizeof head);
	if (!is_sane(&head, size))
		return -EBADMSG;
	struct court_request *requests = NULL;
	if (head.n_requests > 0) {
		requests = malloc(head.n_requests * sizeof *requests);
		if (!requests)
			return -ENOMEM;
		memcpy(requests, (const char *)record + sizeof head, head.n_requests * sizeof *requests);
	}
	cv->v = head.v;
	cv->print = head.print;
	cv->gate = head.gate;
	cv->monitor = head.monitor;
	cv->requests = requests;
	cv->n_requests = (uint8_t)head.n_requests;
	return 0;
}
