#include <stdlib.h>
#include <string.h>

#include "supervisor/ruler_inside.h"
#include "vassals/util.h"

#define TIMER_PRIORITY (-1)	/* what is due and what has come in one moment: the byte first, then the time limit it keeps */

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct subject *s = w->data;
	(void)loop;
	(void)revents;
	court_timer(s->ruler->court, s->cv);
}

struct subject *subject_of(struct ruler *r, struct court_vassal *cv)
{
	if (cv->world)
		return cv->world;
	struct subject *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->ruler = r;
	s->cv = cv;
	s->uid = IDENTITY_NONE;
	s->gid = (gid_t)-1;
	ev_timer_init(&s->timer, on_timer, 0., 0.);
	ev_set_priority(&s->timer, TIMER_PRIORITY);
	s->timer.data = s;
	cv->world = s;
	return s;
}

void subject_free(struct subject *s)
{
	if (!s)
		return;
	ruler_clean(s);
	ruler_errand_forget(s->ruler, s);
	ev_timer_stop(s->ruler->loop, &s->timer);
	liveness_free(s->liveness);
	strand_free(s->own);
	strand_free(s->beside);
	s->cv->world = NULL;
	free(s);
}

/* ---- its two generations */

static bool is_of(const struct strand *st, uint64_t generation)
{
	return st && generation != 0 && st->generation == generation;
}

/* The vassal's own generation and the one beside may have changed places since we looked last. */
static void align(struct subject *s)
{
	const struct vassal *v = &s->cv->v;
	if (!is_of(s->own, v->beside.generation) && !is_of(s->beside, v->generation))
		return;
	struct strand *old = s->own;
	s->own = s->beside;
	s->beside = old;
	s->tried = false;
	if (old)
		old->has_served = true;
}

/* What a generation that clients no longer reach has printed goes on in what the newer one prints. */
static void bequeath(struct subject *s)
{
	struct strand *old = s->beside;
	if (old->lines && s->own && s->own->lines) {
		output_inherit(s->own->lines, old->lines);
	} else if (old->lines && s->own) {
		s->own->lines = old->lines;
		old->lines = NULL;
		output_mark(s->own->lines);
	}
	s->beside = strand_free(old);
}

static struct strand *strand_of(struct subject *s, uint64_t generation)
{
	align(s);
	if (is_of(s->own, generation))
		return s->own;
	return is_of(s->beside, generation) ? s->beside : NULL;
}

/* Not one that has served and only has to end. */
static bool is_tried(const struct vassal *v)
{
	return v->beside.phase == VASSAL_BESIDE_TRIED || v->state == VASSAL_ABANDONING;
}

bool subject_attach(struct subject *s, struct strand_ends *ends)
{
	align(s);
	bool is_beside = ends->generation == s->cv->v.beside.generation;
	struct strand **st = is_beside ? &s->beside : &s->own;
	if (!*st)
		*st = strand_new(s);
	if (!*st)
		return false;
	if (is_beside) {
		s->tried = is_tried(&s->cv->v);
		s->rehearses |= s->tried && s->cv->v.trial > 1;	/* a new ruler has it from the record only */
		s->beside->has_served = !s->tried;
	}
	strand_attach(*st, ends);
	ends->wire = ends->output = ends->reach = -1;
	return true;
}

void subject_listen(struct subject *s)
{
	strand_listen(s->own);
	strand_listen(s->beside);
}

void subject_detach(struct subject *s, uint64_t generation)
{
	struct strand *st = strand_of(s, generation);
	if (!st)
		return;
	strand_detach(st);
	align(s);	/* its last byte may have been news */
	if (st == s->beside && st->has_served)
		bequeath(s);
}

/* Of the one that failed last only the words are left, until something newer is tried. */
static void forget_failed(struct subject *s)
{
	if (s->beside && s->beside->generation == 0)
		s->beside = strand_free(s->beside);
	s->tried = false;
}

void subject_moved(struct subject *s)
{
	enum vassal_state state = s->cv->v.state;
	align(s);
	liveness_follow(s);
	if (s->beside && s->beside->has_served && s->beside->generation == 0)
		bequeath(s);
	if (state != VASSAL_SPAWNING && state != VASSAL_RELOADING && state != VASSAL_RENEW_SPAWNING)
		return;
	forget_failed(s);
	s->tried = state == VASSAL_RENEW_SPAWNING;
	/* What it says from here on belongs to the new code. */
	if (!s->tried && s->own && s->own->lines)
		output_mark(s->own->lines);
}

/* ---- the gate's request */

static struct strand *at_the_gate(struct subject *s)
{
	align(s);
	struct strand *st = s->cv->v.state == VASSAL_RENEW_SETTLING ? s->beside : s->own;
	return st && st->generation != 0 ? st : NULL;
}

void subject_probe(struct subject *s)
{
	struct strand *st = at_the_gate(s);
	if (st)
		strand_probe(st);
}

/* A new ruler is asked to probe before it knows what to ask. */
void subject_seen(struct subject *s)
{
	struct strand *st = s->cv->v.probing ? at_the_gate(s) : NULL;
	if (st && !st->prober)
		strand_probe(st);
	liveness_follow(s);
}

void subject_probe_cancel(struct subject *s)
{
	if (s->own)
		s->own->prober = prober_free(s->own->prober);
	if (s->beside)
		s->beside->prober = prober_free(s->beside->prober);
}

/* ---- looking */

uid_t subject_uid(const struct subject *s)
{
	const struct options *o = s->ruler->options;
	if (s->ruler->start->uid == IDENTITY_NONE)
		return s->ruler->start->owner;	/* started by an ordinary user: all run as that one */
	if (o->emperor_tyrant)
		return s->cv->print.uid;
	return o->uid_number != IDENTITY_NONE ? o->uid_number : s->uid;
}

static char *tail_of(const struct strand *st, size_t lines, bool newest_only)
{
	if (!st || !st->lines)
		return NULL;
	return newest_only ? output_tail_since_mark(st->lines, lines) : output_tail(st->lines, lines);
}

/* Where the last lines begin. */
static const char *last_lines(const char *text, size_t lines)
{
	const char *at = text + strlen(text);
	size_t n = 0;
	while (at > text && !(at[-1] == '\n' && n++ == lines))
		at--;
	return at;
}

/* Both are the caller's no more. */
static char *join(char *first, char *second, size_t lines)
{
	CLEANUP_FREE char *a = first;
	CLEANUP_FREE char *b = second;
	CLEANUP_FREE char *both = NULL;
	if (asprintf(&both, "%s%s", a ? a : "", b ? b : "") < 0) {
		both = NULL;
		return NULL;
	}
	return a || b ? strdup(last_lines(both, lines)) : NULL;
}

char *subject_tail(struct subject *s, size_t lines, bool newest_only)
{
	align(s);
	if (newest_only)
		return s->tried ? tail_of(s->beside, lines, true) : tail_of(s->own, lines, true);
	char *own = tail_of(s->own, lines, false), *other = tail_of(s->beside, lines, false);
	return s->beside && s->beside->has_served ? join(other, own, lines) : join(own, other, lines);
}
