#include <stdlib.h>

#include "supervisor/court_inside.h"

/* Grown by doubling: most vassals never have more than the handful of a start. */
static bool make_room(struct court_vassal *cv)
{
	unsigned n = cv->n_history;
	if (n == COURT_HISTORY_MAX || (n != 0 && (n & (n - 1)) != 0) || (n != 0 && n < 4))
		return true;
	unsigned room = n == 0 ? 4 : n * 2;
	struct court_history *grown = realloc(cv->history, room * sizeof *grown);
	if (!grown)
		return false;	/* history is a comfort: nothing depends on it */
	cv->history = grown;
	return true;
}

void court_history_add(struct court *c, struct court_vassal *cv, enum vassal_state from, enum vassal_event event, int64_t arg)
{
	if (!make_room(cv))
		return;
	struct court_history *h = &cv->history[cv->history_next];
	*h = (struct court_history){
		.when_ms = c->config.stamp ? c->config.stamp(c->world.data) : 0,
		.from = (uint8_t)from, .to = cv->v.state, .event = (uint8_t)event, .stale = cv->v.stale,
		.uid = cv->by_uid, .arg = (int32_t)arg, .cycle = cv->v.cycle,
	};
	if (cv->n_history < COURT_HISTORY_MAX)
		cv->n_history++;
	cv->history_next = (uint8_t)((cv->history_next + 1) % COURT_HISTORY_MAX);
}

const struct court_history *court_history(const struct court_vassal *cv, unsigned i)
{
	if (i >= cv->n_history)
		return NULL;
	unsigned first = cv->n_history < COURT_HISTORY_MAX ? 0 : cv->history_next;
	return &cv->history[(first + i) % COURT_HISTORY_MAX];
}
