#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/logger.h"
#include "supervisor/ruler_inside.h"
#include "vassals/util.h"

#define NAMES_MAX 10		/* of those that failed, in the last line; status has them all */

struct tally {
	size_t n;
	char names[768];
};

/* Pointers into the court: who leaves it is taken out (ruler_roll_gone). */
struct roll {
	bool listed;
	struct court_vassal **waiting;
	size_t n_waiting, next;
	struct court_vassal **under_way;
	size_t n_under_way, limit;
	size_t reloaded;
	struct tally stale, down;
};

/* Whether more is to come of the reload, without anybody's doing. */
static bool is_under_way(const struct vassal *v)
{
	switch ((enum vassal_state)v->state) {
	case VASSAL_QUEUED:
	case VASSAL_SPAWNING:
	case VASSAL_STARTING:
	case VASSAL_SETTLING:
	case VASSAL_RELOAD_QUEUED:
	case VASSAL_RELOADING:
	case VASSAL_RENEW_SPAWNING:
	case VASSAL_RENEW_STARTING:
	case VASSAL_RENEW_SETTLING:
	case VASSAL_SWITCHING:
	case VASSAL_ABANDONING:
	case VASSAL_RETIRING:
		return true;
	case VASSAL_STOPPING:
	case VASSAL_CURSED:
	case VASSAL_KILLING:
		return v->wanted == VASSAL_WANTED_RUN;
	case VASSAL_READY:
	case VASSAL_BROKEN:
		return v->pending != VASSAL_CLASS_NONE;
	case VASSAL_BLACKLISTED:
	case VASSAL_EXILED:
	case VASSAL_STOPPED:
	case VASSAL_GONE:
	case VASSAL_STATES:
		break;
	}
	return false;
}

/* As many as may start at once: what retires beside them is memory, too. */
static size_t most_under_way(const struct options *o)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (o->max_starting > 0)
		return o->max_starting;
	return cpus > 0 ? 2 * (size_t)cpus : 1;
}

void ruler_roll_end(struct ruler *r)
{
	if (!r->roll)
		return;
	free(r->roll->waiting);
	free(r->roll->under_way);
	free(r->roll);
	r->roll = NULL;
}

void ruler_roll_begin(struct ruler *r)
{
	ruler_roll_end(r);
	r->roll = calloc(1, sizeof *r->roll);
	if (r->roll)
		log_notice("regent: SIGHUP: reloading all vassals");
	else
		log_error("regent: SIGHUP: no memory");
}

static bool list(struct ruler *r, struct roll *roll)
{
	roll->listed = true;
	roll->limit = most_under_way(r->options);
	roll->waiting = calloc(court_count(r->court) + 1, sizeof(struct court_vassal *));
	roll->under_way = calloc(roll->limit, sizeof(struct court_vassal *));
	if (!roll->waiting || !roll->under_way)
		return false;
	for (struct court_vassal *cv = court_first(r->court); cv; cv = court_next(cv))
		roll->waiting[roll->n_waiting++] = cv;
	return true;
}

static void count(struct tally *t, const char *name)
{
	size_t used = strlen(t->names);
	t->n++;
	if (t->n <= NAMES_MAX && used + strlen(name) + sizeof ", " <= sizeof t->names)
		snprintf(t->names + used, sizeof t->names - used, "%s%s", used ? ", " : "", name);
}

static void judge(struct roll *roll, const struct court_vassal *cv)
{
	if (cv->v.wanted != VASSAL_WANTED_RUN)
		return;		/* stopped or removed meanwhile */
	if (cv->v.stale)
		count(&roll->stale, cv->name);
	else if (cv->v.state == VASSAL_READY)
		roll->reloaded++;
	else
		count(&roll->down, cv->name);
}

static void reap(struct roll *roll)
{
	for (size_t i = 0; i < roll->n_under_way; ) {
		if (is_under_way(&roll->under_way[i]->v)) {
			i++;
			continue;
		}
		judge(roll, roll->under_way[i]);
		roll->under_way[i] = roll->under_way[--roll->n_under_way];
	}
}

/* false: nobody waits, or nobody may start now. */
static bool start_next(struct ruler *r, struct roll *roll)
{
	while (roll->next < roll->n_waiting && roll->n_under_way < roll->limit) {
		struct court_vassal *cv = roll->waiting[roll->next++];
		if (!cv || cv->v.wanted != VASSAL_WANTED_RUN)
			continue;
		roll->under_way[roll->n_under_way++] = cv;
		court_reload(r->court, cv);
		return true;
	}
	return false;
}

static void say_names(char *buf, size_t size, const struct tally *t, const char *what)
{
	size_t used = strlen(buf);
	if (t->n > 0)
		snprintf(buf + used, size - used, ", %zu %s (%s%s)", t->n, what, t->names, t->n > NAMES_MAX ? ", ..." : "");
}

static void say_end(const struct roll *roll)
{
	char failed[2 * sizeof roll->stale.names + 64] = "";
	say_names(failed, sizeof failed, &roll->stale, "stale");
	say_names(failed, sizeof failed, &roll->down, "down");
	if (failed[0])
		log_error("regent: %zu reloaded%s", roll->reloaded, failed);
	else
		log_notice("regent: all vassals reloaded: %zu", roll->reloaded);
}

void ruler_roll_turn(struct ruler *r)
{
	struct roll *roll = r->roll;
	if (!roll)
		return;
	if (r->phase != RULER_RULING) {
		ruler_roll_end(r);
		return;
	}
	bool listed = roll->listed || list(r, roll);
	do
		reap(roll);
	while (listed && start_next(r, roll));
	if (roll->n_under_way > 0)
		return;
	if (listed)
		say_end(roll);
	else
		log_error("regent: SIGHUP: no memory");
	ruler_roll_end(r);
	ruler_post(r, &(struct link_message){ .kind = LINK_READY });
}

void ruler_roll_gone(struct ruler *r, const struct court_vassal *cv)
{
	struct roll *roll = r->roll;
	for (size_t i = 0; roll && i < roll->n_waiting; i++)
		if (roll->waiting[i] == cv)
			roll->waiting[i] = NULL;
	for (size_t i = 0; roll && i < roll->n_under_way; i++)
		if (roll->under_way[i] == cv)
			roll->under_way[i] = roll->under_way[--roll->n_under_way];
}
