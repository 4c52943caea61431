#include <stdlib.h>
#include <string.h>

#include "supervisor/court_inside.h"

static void index_own(struct court *c, struct court_vassal *cv)
{
	if (cv->generation_key == cv->v.generation)
		return;
	if (cv->generation_key != 0) {
		HASH_DELETE(by_generation, c->by_generation, cv);
		c->running--;
	}
	cv->generation_key = cv->v.generation;
	if (cv->generation_key != 0) {
		HASH_ADD(by_generation, c->by_generation, generation_key, sizeof cv->generation_key, cv);
		c->running++;
	}
}

static void index_beside(struct court *c, struct court_vassal *cv)
{
	uint64_t generation = cv->v.beside.generation;
	struct court_beside *b = cv->beside;
	if ((b ? b->generation_key : 0) == generation)
		return;
	if (b)
		HASH_DELETE(by_generation, c->beside, b);
	if (generation == 0) {
		free(b);
		cv->beside = NULL;
		return;
	}
	if (!b)
		b = calloc(1, sizeof *b);
	cv->beside = b;
	if (!b)
		return;		/* its news will be of a generation that nobody knows: it is killed */
	b->cv = cv;
	b->generation_key = generation;
	HASH_ADD(by_generation, c->beside, generation_key, sizeof b->generation_key, b);
}

void court_index_generation(struct court *c, struct court_vassal *cv)
{
	index_own(c, cv);
	index_beside(c, cv);
}

static const int order_of[] = {
	[VASSAL_ACT_SPAWN] = COURT_SPAWN, [VASSAL_ACT_SEND] = COURT_SEND, [VASSAL_ACT_KILL] = COURT_KILL,
	[VASSAL_ACT_FORGET] = COURT_FORGET, [VASSAL_ACT_SWITCH] = COURT_SWITCH, [VASSAL_ACT_CLOSE] = COURT_CLOSE,
};

static bool is_order(unsigned act)
{
	return act == VASSAL_ACT_SPAWN || act == VASSAL_ACT_SEND || act == VASSAL_ACT_KILL || act == VASSAL_ACT_FORGET ||
	       act == VASSAL_ACT_SWITCH || act == VASSAL_ACT_CLOSE;
}

/* Each order carries the record with all that this event changed, so whatever part of them a dying ruler got out, the keeper
 * never holds a record that speaks of an order it did not get. */
static void give_orders(struct court *c, struct court_vassal *cv, const struct vassal_actions *actions, enum vassal_event event,
			bool changed)
{
	void *record = NULL;
	size_t size = 0;
	bool given = false;
	if (court_record_write(cv, &record, &size) < 0)
		record = NULL;	/* the keeper keeps the older one: after a ruler's death an event is handled twice at worst */
	for (unsigned i = 0; i < actions->n; i++) {
		const struct vassal_action *a = &actions->list[i];
		if (!is_order(a->act))
			continue;
		struct court_order order = { (enum court_order_kind)order_of[a->act], cv, a->generation, a->arg, record, size, event };
		c->world.order(c->world.data, &order);
		given = true;
	}
	if (cv->v.state == VASSAL_GONE)
		c->world.order(c->world.data, &(struct court_order){ .kind = COURT_DROP, .vassal = cv });
	else if (!given && changed)
		c->world.order(c->world.data, &(struct court_order){ COURT_STATE, cv, cv->v.generation, 0, record, size, event });
	free(record);
}

static void do_quiet_actions(struct court *c, struct court_vassal *cv, const struct vassal_actions *actions, uint64_t now)
{
	for (unsigned i = 0; i < actions->n; i++) {
		const struct vassal_action *a = &actions->list[i];
		switch ((enum vassal_act)a->act) {
		case VASSAL_ACT_ASK:
			admission_ask(&c->admission, &cv->node, a->arg);
			break;
		case VASSAL_ACT_LEAVE:
			admission_leave(&c->admission, &cv->node);
			break;
		case VASSAL_ACT_RELEASE:
			admission_release(&c->admission);
			break;
		case VASSAL_ACT_ANSWER:
		case VASSAL_ACT_ANSWER_STOPS:
		case VASSAL_ACT_ANSWER_TRIAL:
		case VASSAL_ACT_CANCEL:
			court_requests_settle(cv, a, now);
			break;
		case VASSAL_ACT_PROBE:
			c->world.probe(c->world.data, cv);
			break;
		case VASSAL_ACT_PROBE_CANCEL:
			c->world.probe_cancel(c->world.data, cv);
			break;
		case VASSAL_ACT_SPAWN:
		case VASSAL_ACT_SEND:
		case VASSAL_ACT_KILL:
		case VASSAL_ACT_FORGET:
		case VASSAL_ACT_SWITCH:
		case VASSAL_ACT_CLOSE:
			break;	/* orders: give_orders() */
		}
	}
}

static void arm(struct court *c, struct court_vassal *cv)
{
	uint64_t deadline = vassal_deadline(&cv->v);
	if (deadline == cv->armed)
		return;
	cv->armed = deadline;
	c->world.arm(c->world.data, cv, deadline);
}

/* Everything an event has decided, in the one order that is safe: requests into the record, the record to the keeper, and only
 * then word to the clients. */
void court_carry_out(struct court *c, struct court_vassal *cv, const struct vassal_input *in,
		     const struct vassal_actions *actions, const struct vassal *before)
{
	do_quiet_actions(c, cv, actions, in->now);
	court_index_generation(c, cv);
	/* Padding may differ where nothing else does: that costs one message. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
	bool differs = memcmp(before, &cv->v, sizeof *before) != 0;
	give_orders(c, cv, actions, in->event, actions->n > 0 || differs || cv->by_uid != UINT32_MAX);
	if (before->state == cv->v.state && (in->event == VASSAL_FREEZE || in->event == VASSAL_THAW))
		court_history_add(c, cv, before->state, in->event, in->arg);
	if (before->state != cv->v.state) {
		court_history_add(c, cv, before->state, in->event, in->arg);
		c->world.transition(c->world.data, cv, before->state, in->event, in->arg);
	}
	court_requests_tell(c, cv);
	cv->by_uid = UINT32_MAX;
	if (cv->v.state == VASSAL_GONE)
		court_vassal_drop(c, cv);
	else
		arm(c, cv);
}

/* A second generation that does not fit would take the first with it. */
static void weigh(struct court *c, struct court_vassal *cv, struct vassal_rules *rules)
{
	bool asks = cv->v.state == VASSAL_RELOAD_QUEUED && rules->handover && !cv->gate.forced && cv->v.held;
	if (!asks || !c->world.may_double || c->world.may_double(c->world.data, cv))
		return;
	rules->handover = false;
	rules->pause = true;
}

static void feed_one(struct court *c, struct court_vassal *cv, struct vassal_input *in)
{
	struct vassal_rules rules;
	struct vassal_actions actions;
	struct vassal before = cv->v;
	court_rules(c, cv, &rules);
	if (in->event == VASSAL_ADMITTED)
		weigh(c, cv, &rules);
	in->now = c->world.now(c->world.data);
	vassal_handle(&cv->v, &rules, in, &actions);
	court_carry_out(c, cv, in, &actions, &before);
}

static struct court_vassal *of_node(struct admission_node *n)
{
	return (struct court_vassal *)((char *)n - offsetof(struct court_vassal, node));
}

void court_pump(struct court *c)
{
	struct admission_node *n;
	if (c->pumping || c->dissolved)
		return;		/* who is to go needs no start */
	c->pumping = true;
	while ((n = admission_next(&c->admission)) != NULL) {
		struct vassal_input in = { .event = VASSAL_ADMITTED, .new_generation = c->next_generation };
		c->next_generation++;
		feed_one(c, of_node(n), &in);
	}
	c->pumping = false;
}

void court_feed(struct court *c, struct court_vassal *cv, struct vassal_input *in)
{
	feed_one(c, cv, in);
	court_pump(c);
}
