#include "supervisor/court_inside.h"

void court_number_from(struct court *c, uint64_t newest)
{
	if (newest >= c->next_generation)
		c->next_generation = newest + 1;
}

int court_adopt_record(struct court *c, const char *name, const void *record, size_t size)
{
	struct court_vassal *cv;
	int r = court_vassal_new(c, name, &cv);
	if (r < 0)
		return r;
	r = court_record_read(cv, record, size);
	if (r < 0) {
		court_vassal_drop(c, cv);
		return r;
	}
	court_index_generation(c, cv);
	court_number_from(c, cv->v.generation);
	court_number_from(c, cv->v.beside.generation);
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
	if (generation == cv->v.beside.generation) {
		cv->adopted_beside = 1;
		cv->v.beside.pid = pid;
	} else {
		cv->adopted_process = 1;
		cv->v.pid = pid;
	}
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
		vassal_adopt(&cv->v, &rules, cv->adopted_process, cv->adopted_beside, in.now, &actions);
		cv->adopted_process = cv->adopted_beside = 0;
		court_carry_out(c, cv, &in, &actions, &before);
	}
	court_pump(c);
}
