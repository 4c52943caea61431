#include "supervisor/court.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/court_inside.h"

int court_new(const struct court_config *config, const struct court_world *world, struct court **ret)
{
	struct court *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->config = *config;
	c->world = *world;
	c->next_generation = config->first_generation;
	admission_init(&c->admission, config->max_starting);
	*ret = c;
	return 0;
}

static void vassal_drop(struct court *c, struct court_vassal *cv)
{
	admission_leave(&c->admission, &cv->node);
	if (cv->generation_key != 0)
		HASH_DELETE(by_generation, c->by_generation, cv);
	HASH_DELETE(by_name, c->by_name, cv);
	c->world.gone(c->world.data, cv);
	spec_free(cv->spec);
	free(cv->requests);
	free(cv->history);
	free(cv->name);
	free(cv);
}

struct court *court_free(struct court *c)
{
	if (!c)
		return NULL;
	struct court_vassal *cv, *next;
	HASH_ITER(by_name, c->by_name, cv, next)
		vassal_drop(c, cv);
	free(c);
	return NULL;
}

static int vassal_new(struct court *c, const char *name, struct court_vassal **ret)
{
	struct court_vassal *cv = calloc(1, sizeof *cv);
	if (!cv || !(cv->name = strdup(name))) {
		free(cv);
		return -ENOMEM;
	}
	cv->by_uid = UINT32_MAX;
	vassal_init(&cv->v, c->world.now(c->world.data));
	HASH_ADD_KEYPTR(by_name, c->by_name, cv->name, strlen(cv->name), cv);
	*ret = cv;
	return 0;
}

void court_rules(const struct court *c, const struct court_vassal *cv, struct vassal_rules *rules)
{
	const struct court_gate *gate = &cv->gate;
	*rules = c->config.rules;
	if (!gate->known)
		return;
	rules->signal = (enum spec_signal)gate->signal;
	rules->probe_strict = gate->probe_strict;
	rules->probe = gate->probe;
	if (gate->ready_for_ms != UINT32_MAX)
		rules->ready_for = gate->ready_for_ms * NSEC_PER_MSEC;
	if (gate->start_timeout_ms != UINT32_MAX)
		rules->start_timeout = gate->start_timeout_ms * NSEC_PER_MSEC;
}

static struct court_gate gate_of(const struct spec *spec)
{
	if (!spec)
		return (struct court_gate){ 0 };
	/* With its words in our pipe uWSGI tells us itself that no app was loaded; elsewhere one request must. */
	bool asks = spec->health || (spec->has_app && !spec->need_app && spec->logger);
	return (struct court_gate){
		.known = 1, .signal = (uint8_t)spec->signal, .probe = spec->probe != SPEC_PROBE_NONE && asks,
		.probe_strict = spec->health != NULL, .ready_for_ms = spec->ready_for_ms,
		.start_timeout_ms = spec->start_timeout_ms,
	};
}

/* ---- carrying out */

static void index_generation(struct court *c, struct court_vassal *cv)
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

static const int order_of[] = {
	[VASSAL_ACT_SPAWN] = COURT_SPAWN, [VASSAL_ACT_SEND] = COURT_SEND, [VASSAL_ACT_KILL] = COURT_KILL,
	[VASSAL_ACT_FORGET] = COURT_FORGET,
};

/* Each order carries the record with all that this event changed, so whatever part of them a dying ruler got out, the keeper
 * never holds a record that speaks of an order it did not get. */
static void give_orders(struct court *c, struct court_vassal *cv, const struct vassal_actions *actions, bool changed)
{
	void *record = NULL;
	size_t size = 0;
	bool given = false;
	if (court_record_write(cv, &record, &size) < 0)
		record = NULL;	/* the keeper keeps the older one: after a ruler's death an event is handled twice at worst */
	for (unsigned i = 0; i < actions->n; i++) {
		const struct vassal_action *a = &actions->list[i];
		if (a->act != VASSAL_ACT_SPAWN && a->act != VASSAL_ACT_SEND && a->act != VASSAL_ACT_KILL &&
		    a->act != VASSAL_ACT_FORGET)
			continue;
		struct court_order order = { (enum court_order_kind)order_of[a->act], cv, a->generation, a->arg, record, size };
		c->world.order(c->world.data, &order);
		given = true;
	}
	if (cv->v.state == VASSAL_GONE)
		c->world.order(c->world.data, &(struct court_order){ .kind = COURT_DROP, .vassal = cv });
	else if (!given && changed)
		c->world.order(c->world.data, &(struct court_order){ COURT_STATE, cv, cv->v.generation, 0, record, size });
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
static void carry_out(struct court *c, struct court_vassal *cv, const struct vassal_input *in,
		      const struct vassal_actions *actions, const struct vassal *before)
{
	do_quiet_actions(c, cv, actions, in->now);
	index_generation(c, cv);
	give_orders(c, cv, actions, actions->n > 0 || memcmp(before, &cv->v, sizeof *before) != 0 || cv->by_uid != UINT32_MAX);
	if (before->state != cv->v.state) {
		court_history_add(c, cv, before->state, in->event, in->arg);
		c->world.transition(c->world.data, cv, before->state, in->event, in->arg);
	}
	court_requests_tell(c, cv);
	cv->by_uid = UINT32_MAX;
	if (cv->v.state == VASSAL_GONE)
		vassal_drop(c, cv);
	else
		arm(c, cv);
}

static void feed_one(struct court *c, struct court_vassal *cv, struct vassal_input *in)
{
	struct vassal_rules rules;
	struct vassal_actions actions;
	struct vassal before = cv->v;
	court_rules(c, cv, &rules);
	in->now = c->world.now(c->world.data);
	vassal_handle(&cv->v, &rules, in, &actions);
	carry_out(c, cv, in, &actions, &before);
}

static struct court_vassal *of_node(struct admission_node *n)
{
	return (struct court_vassal *)((char *)n - offsetof(struct court_vassal, node));
}

static void pump(struct court *c)
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
	pump(c);
}

/* ---- configs */

static void feed_event(struct court *c, struct court_vassal *cv, enum vassal_event event, int64_t arg)
{
	struct vassal_input in = { .event = event, .arg = arg, .class = VASSAL_CLASS_DEPLOY };
	court_feed(c, cv, &in);
}

static bool print_differs(const struct court_fingerprint *a, const struct court_fingerprint *b)
{
	return a->dev != b->dev || a->inode != b->inode || a->size != b->size || a->mtime_ns != b->mtime_ns ||
	       a->hash != b->hash || a->uid != b->uid || a->gid != b->gid;
}

bool court_differs(const struct court *c, const char *name, const struct court_fingerprint *print)
{
	const struct court_vassal *cv = court_find(c, name);
	return !cv || cv->v.wanted == VASSAL_WANTED_GONE || print_differs(&cv->print, print);
}

int court_seen(struct court *c, const char *name, uint16_t monitor, const struct court_fingerprint *print,
	       struct spec *spec, bool booting)
{
	if (c->dissolved) {
		spec_free(spec);
		return 0;
	}
	bool differs = court_differs(c, name, print);
	struct court_vassal *cv = court_find(c, name);
	bool is_new = !cv;	/* what changed while no ruler ruled is a deploy, first listing or not */
	/* In tyrant mode a reload would go on as the old owner. */
	bool new_owner = cv && cv->v.wanted == VASSAL_WANTED_RUN &&
			 (cv->print.uid != print->uid || cv->print.gid != print->gid);
	if (!cv) {
		int r = vassal_new(c, name, &cv);
		if (r < 0) {
			spec_free(spec);
			return r;
		}
	}
	spec_free(cv->spec);
	cv->spec = spec;
	cv->gate = gate_of(spec);
	cv->print = *print;
	cv->monitor = monitor;
	cv->seen = 1;
	if (new_owner)
		feed_event(c, cv, VASSAL_PRESENT, 0);	/* a restart ends no grace */
	struct vassal_input in = {
		.event = new_owner ? VASSAL_RESTART : differs ? VASSAL_CHANGED : VASSAL_PRESENT,
		.class = booting && is_new ? VASSAL_CLASS_BOOT : VASSAL_CLASS_DEPLOY,
	};
	court_feed(c, cv, &in);
	return 0;
}

int court_expect(struct court *c, const char *name, struct court_vassal **ret)
{
	return vassal_new(c, name, ret);
}

void court_present(struct court *c, struct court_vassal *cv)
{
	cv->seen = 1;
	feed_event(c, cv, VASSAL_PRESENT, 0);
}

void court_missing(struct court *c, const char *name)
{
	struct court_vassal *cv = court_find(c, name);
	if (cv)
		feed_event(c, cv, VASSAL_MISSING, 0);
}

void court_sweep(struct court *c)
{
	struct court_vassal *cv, *next;
	HASH_ITER(by_name, c->by_name, cv, next)
		if (!cv->seen)
			feed_event(c, cv, VASSAL_MISSING, 0);
}

void court_dissolve(struct court *c, uint64_t mercy)
{
	struct court_vassal *cv, *next;
	c->dissolved = true;
	c->config.rules.mercy = mercy;
	HASH_ITER(by_name, c->by_name, cv, next)
		feed_event(c, cv, VASSAL_REMOVED, 0);
}

/* ---- the keeper's news */

static bool feed_generation(struct court *c, uint64_t generation, enum vassal_event event, int64_t arg)
{
	struct court_vassal *cv = court_find_generation(c, generation);
	if (cv)
		feed_event(c, cv, event, arg);
	return cv != NULL;
}

bool court_started(struct court *c, uint64_t generation, pid_t pid)
{
	return feed_generation(c, generation, VASSAL_STARTED, pid);
}

bool court_spawn_failed(struct court *c, uint64_t generation, unsigned stage, int error)
{
	struct court_vassal *cv = court_find_generation(c, generation);
	if (!cv)
		return false;
	struct vassal_input in = { .event = VASSAL_SPAWN_FAILED, .failure = { VASSAL_WHY_SPAWN, (uint8_t)stage, error } };
	court_feed(c, cv, &in);
	return true;
}

bool court_exited(struct court *c, uint64_t generation, int status)
{
	return feed_generation(c, generation, VASSAL_EXITED, status);
}

bool court_byte(struct court *c, uint64_t generation, unsigned char byte)
{
	return feed_generation(c, generation, VASSAL_BYTE, byte);
}

bool court_wire_eof(struct court *c, uint64_t generation)
{
	return feed_generation(c, generation, VASSAL_WIRE_EOF, 0);
}

bool court_no_app(struct court *c, uint64_t generation)
{
	return feed_generation(c, generation, VASSAL_NO_APP, 0);
}

bool court_probed(struct court *c, uint64_t generation, int status)
{
	struct court_vassal *cv = court_find_generation(c, generation);
	if (!cv)
		return false;
	bool ok = cv->gate.probe_strict ? status >= 200 && status < 400 : status > 0;
	feed_event(c, cv, ok ? VASSAL_PROBE_OK : VASSAL_PROBE_FAILED, status);
	return true;
}

void court_timer(struct court *c, struct court_vassal *cv)
{
	cv->armed = 0;	/* it has fired: whatever comes next is to be armed anew */
	feed_event(c, cv, VASSAL_TIMER, 0);
}

/* ---- requests for many */

void court_forget_blacklist(struct court *c)
{
	struct court_vassal *cv, *next;
	HASH_ITER(by_name, c->by_name, cv, next)
		if (cv->v.state == VASSAL_BLACKLISTED)
			feed_event(c, cv, VASSAL_START, 0);
}

void court_reload_all(struct court *c)
{
	struct court_vassal *cv, *next;
	HASH_ITER(by_name, c->by_name, cv, next)
		if (cv->v.wanted == VASSAL_WANTED_RUN)
			feed_event(c, cv, VASSAL_RELOAD, 0);
}

/* ---- a new ruler */

void court_number_from(struct court *c, uint64_t newest)
{
	if (newest >= c->next_generation)
		c->next_generation = newest + 1;
}

int court_adopt_record(struct court *c, const char *name, const void *record, size_t size)
{
	struct court_vassal *cv;
	int r = vassal_new(c, name, &cv);
	if (r < 0)
		return r;
	r = court_record_read(cv, record, size);
	if (r < 0) {
		vassal_drop(c, cv);
		return r;
	}
	index_generation(c, cv);
	court_number_from(c, cv->v.generation);
	if (cv->v.slot)
		admission_take(&c->admission);
	return 0;
}

bool court_adopt_generation(struct court *c, uint64_t generation, pid_t pid)
{
	struct court_vassal *cv = court_find_generation(c, generation);
	court_number_from(c, generation);
	if (!cv)
		return false;
	cv->adopted_process = 1;
	cv->v.pid = pid;
	return true;
}

void court_adopted(struct court *c)
{
	struct court_vassal *cv, *next;
	HASH_ITER(by_name, c->by_name, cv, next) {
		struct vassal_rules rules;
		struct vassal_actions actions;
		struct vassal before = cv->v;
		struct vassal_input in = { .event = VASSAL_PRESENT, .now = c->world.now(c->world.data) };
		court_rules(c, cv, &rules);
		vassal_adopt(&cv->v, &rules, cv->adopted_process, cv->v.pid, in.now, &actions);
		cv->adopted_process = 0;
		carry_out(c, cv, &in, &actions, &before);
	}
	pump(c);
}

/* ---- looking */

struct court_vassal *court_find(const struct court *c, const char *name)
{
	struct court_vassal *cv;
	HASH_FIND(by_name, c->by_name, name, strlen(name), cv);
	return cv;
}

struct court_vassal *court_find_generation(const struct court *c, uint64_t generation)
{
	struct court_vassal *cv;
	HASH_FIND(by_generation, c->by_generation, &generation, sizeof generation, cv);
	return generation == 0 ? NULL : cv;
}

struct court_vassal *court_first(const struct court *c) { return c->by_name; }
struct court_vassal *court_next(const struct court_vassal *cv) { return cv->by_name.next; }
size_t court_count(const struct court *c) { return HASH_CNT(by_name, c->by_name); }
size_t court_running(const struct court *c) { return c->running; }
bool court_is_dissolved(const struct court *c) { return c->dissolved && c->by_name == NULL; }
const struct admission *court_admission(const struct court *c) { return &c->admission; }
