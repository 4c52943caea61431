#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/court_inside.h"

/* Answered, but the waiter has not been told yet. */
#define DONE_UNTOLD 2

struct court_request *court_request_find(struct court_vassal *cv, const uint8_t id[COURT_ID_SIZE])
{
	for (unsigned i = 0; i < cv->n_requests; i++)
		if (memcmp(cv->requests[i].id, id, COURT_ID_SIZE) == 0)
			return &cv->requests[i];
	return NULL;
}

/* They stand in order of arrival, so the first answered one is the oldest. */
static bool forget_oldest_answered(struct court_vassal *cv)
{
	for (unsigned i = 0; i < cv->n_requests; i++) {
		if (cv->requests[i].done != 1)
			continue;
		memmove(&cv->requests[i], &cv->requests[i + 1], (cv->n_requests - i - 1) * sizeof *cv->requests);
		cv->n_requests--;
		return true;
	}
	return false;
}

struct court_request *court_request_add(struct court_vassal *cv)
{
	if (cv->n_requests == COURT_REQUESTS_MAX && !forget_oldest_answered(cv)) {
		errno = EBUSY;
		return NULL;
	}
	struct court_request *grown = realloc(cv->requests, (cv->n_requests + 1U) * sizeof *grown);
	if (!grown)
		return NULL;
	cv->requests = grown;
	struct court_request *r = &grown[cv->n_requests++];
	memset(r, 0, sizeof *r);
	return r;
}

static void settle(struct court_request *r, enum vassal_verdict verdict, struct vassal_failure failure, uint64_t now)
{
	r->done = DONE_UNTOLD;
	r->verdict = (uint8_t)verdict;
	r->failure = failure;
	r->took = now - r->accepted;
}

void court_requests_settle(struct court_vassal *cv, const struct vassal_action *action, uint64_t now)
{
	const struct vassal *v = &cv->v;
	struct vassal_failure none = { 0 }, cancelled = { .why = (uint8_t)action->arg };
	for (unsigned i = 0; i < cv->n_requests; i++) {
		struct court_request *r = &cv->requests[i];
		if (r->done)
			continue;
		bool is_stop = r->kind == VASSAL_STOP, is_trial = r->kind == VASSAL_REHEARSE;
		if (action->act == VASSAL_ACT_ANSWER && !is_stop && !is_trial && r->ticket <= action->arg)
			settle(r, v->result, v->result == VASSAL_DONE ? none : v->failure, now);
		else if (action->act == VASSAL_ACT_ANSWER_STOPS && is_stop)
			settle(r, VASSAL_DONE, none, now);
		else if (action->act == VASSAL_ACT_ANSWER_TRIAL && is_trial)
			settle(r, (enum vassal_verdict)action->arg, v->trial_failure, now);
		else if (action->act == VASSAL_ACT_CANCEL && !is_stop && !is_trial)
			settle(r, VASSAL_FAILED_DOWN, cancelled, now);
	}
}

static void tell(struct court *c, struct court_vassal *cv, struct court_request *r)
{
	uint64_t waiter = r->waiter;
	r->done = 1;
	r->waiter = 0;
	if (waiter == 0)
		return;
	struct court_answer answer = { r->verdict, r->failure, r->kind, r->took };
	c->world.answer(c->world.data, waiter, cv, &answer);
}

void court_requests_tell(struct court *c, struct court_vassal *cv)
{
	for (unsigned i = 0; i < cv->n_requests; i++)
		if (cv->requests[i].done == DONE_UNTOLD)
			tell(c, cv, &cv->requests[i]);
}

/* What serves is well, though newer code may have failed beside it. */
static bool runs_well(const struct court_vassal *cv)
{
	return cv->v.result != VASSAL_FAILED_DOWN && !cv->v.was_broken;
}

static int accept_request(struct court *c, struct court_vassal *cv, enum vassal_event kind, const uint8_t *id, uint32_t uid,
			  uint64_t waiter)
{
	struct court_request *r = court_request_add(cv);
	if (!r)
		return -errno;
	memcpy(r->id, id, COURT_ID_SIZE);
	r->kind = (uint8_t)kind;
	r->ticket = vassal_ticket(&cv->v, kind);
	r->uid = uid;
	r->waiter = waiter;
	r->accepted = c->world.now(c->world.data);
	if (kind == VASSAL_START && r->ticket <= cv->v.answered)	/* it runs already */
		settle(r, runs_well(cv) ? VASSAL_DONE : cv->v.result, runs_well(cv) ? (struct vassal_failure){ 0 } : cv->v.failure, r->accepted);
	return 0;
}

int court_request(struct court *c, struct court_vassal *cv, enum vassal_event kind, const uint8_t id[COURT_ID_SIZE],
		  uint32_t uid, uint64_t waiter)
{
	struct court_request *known = court_request_find(cv, id);
	if (known) {
		known->waiter = waiter;
		if (known->done)
			tell(c, cv, known);
		return 0;
	}
	int r = accept_request(c, cv, kind, id, uid, waiter);
	if (r < 0)
		return r;
	struct vassal_input in = { .event = kind, .class = VASSAL_CLASS_DEPLOY };
	cv->by_uid = uid;
	court_feed(c, cv, &in);
	return 0;
}

int court_rehearse(struct court *c, struct court_vassal *cv, const char *config, const uint8_t id[COURT_ID_SIZE], uint32_t uid,
		   uint64_t waiter)
{
	if (!court_request_find(cv, id)) {
		if (cv->v.trial)
			return -EBUSY;
		char *copy = strdup(config);
		if (!copy)
			return -ENOMEM;
		free(cv->trial_config);
		cv->trial_config = copy;
	}
	return court_request(c, cv, VASSAL_REHEARSE, id, uid, waiter);
}

void court_forsake(struct court *c, uint64_t waiter)
{
	for (struct court_vassal *cv = court_first(c); cv; cv = court_next(cv))
		for (unsigned i = 0; i < cv->n_requests; i++)
			if (cv->requests[i].waiter == waiter)
				cv->requests[i].waiter = 0;
}
