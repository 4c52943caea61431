/* court_inside: what court*.c share and nobody else sees. */
#ifndef REGENT_COURT_INSIDE_H
#define REGENT_COURT_INSIDE_H

#include "supervisor/court.h"

/* The index knows a vassal by its own generation; by the other one through this, made when there is one. */
struct court_beside {
	UT_hash_handle by_generation;
	uint64_t generation_key;
	struct court_vassal *cv;
};

struct court {
	struct court_config config;
	struct court_world world;
	struct court_vassal *by_name, *by_generation;
	struct court_beside *beside;
	struct admission admission;
	uint64_t next_generation;
	bool dissolved;
	bool pumping;
	size_t running;
};

/* Fills v, print, monitor and requests of a fresh cv. 0, -EBADMSG, -ENOMEM. */
int court_record_read(struct court_vassal *cv, const void *record, size_t size);

/* Requests (court_requests.c). */
struct court_request *court_request_find(struct court_vassal *cv, const uint8_t id[COURT_ID_SIZE]);
struct court_request *court_request_add(struct court_vassal *cv);	/* zeroed; NULL: full, or no memory (errno) */
/* Marks what an action answers; the waiters are told by court_requests_tell(), once the keeper has the record. */
void court_requests_settle(struct court_vassal *cv, const struct vassal_action *action, uint64_t now);
void court_requests_tell(struct court *c, struct court_vassal *cv);

/* The ring of transitions (court_history.c). */
void court_history_add(struct court *c, struct court_vassal *cv, enum vassal_state from, enum vassal_event event, int64_t arg);

/* Vassals come and go (court.c). */
int court_vassal_new(struct court *c, const char *name, struct court_vassal **ret);
void court_vassal_drop(struct court *c, struct court_vassal *cv);

/* One event to one vassal, and all that follows from it (court_feed.c). cv may be freed by it. */
void court_feed(struct court *c, struct court_vassal *cv, struct vassal_input *in);
void court_carry_out(struct court *c, struct court_vassal *cv, const struct vassal_input *in,
		     const struct vassal_actions *actions, const struct vassal *before);
void court_pump(struct court *c);	/* admits who may start now */
void court_index_generation(struct court *c, struct court_vassal *cv);	/* both of them */

#endif
