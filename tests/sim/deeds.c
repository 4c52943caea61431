/* deeds: what disk and operators do: configs change, go, come back, singly and in storms; requests of every kind. */
#include "tests/sim/sim.h"

static void change(struct sim *s, unsigned i)
{
	struct site *site = &s->site[i];
	s->count[site->exists ? C_CONFIG_CHANGED : C_CONFIG_NEW]++;
	site->exists = true;
	site->print.mtime_ns++;
	site->print.uid += sim_chance(s, 10);	/* a tyrant restarts it then */
	if (sim_chance(s, 10))
		site->handover = !site->handover;
	if (sim_chance(s, 3))
		site->hold = !site->hold;
	if (s->court)
		ruler_see(s, i, false);
}

static void remove_config(struct sim *s, unsigned i)
{
	struct site *site = &s->site[i];
	if (!site->exists)
		return;
	s->count[C_CONFIG_MISSING]++;
	site->exists = false;
	site->removals++;
	if (s->court)
		court_missing(s->court, site->name);
}

/* The same file again, as after git checkout. */
static void bring_back(struct sim *s, unsigned i)
{
	struct site *site = &s->site[i];
	if (site->exists)
		return;
	s->count[C_CONFIG_BACK]++;
	site->exists = true;
	if (s->court)
		ruler_see(s, i, false);
}

static void storm(struct sim *s)
{
	s->count[C_STORMS]++;
	for (unsigned i = 0; i < s->n_sites; i++) {
		unsigned what = (unsigned)sim_below(s, 6);
		if (what == 0)
			remove_config(s, i);
		else if (what <= 2)
			change(s, i);
		else if (what == 3)
			bring_back(s, i);
	}
}

static void ask(struct sim *s, unsigned i, enum count count, enum vassal_event kind)
{
	s->count[count]++;
	client_ask(s, i, kind);
}

static void calm(struct sim *s, unsigned i)
{
	struct court_vassal *cv = s->court ? court_find(s->court, s->site[i].name) : NULL;
	if (!cv)
		return;
	s->count[C_CALM]++;
	court_calm(s->court, cv, sim_chance(s, 50) ? sim_below(s, 20 * NSEC_PER_SEC) + 1 : 0, 0);
}

static void ask_all(struct sim *s, enum count count, void (*what)(struct court *c))
{
	if (!s->court)
		return;
	s->count[count]++;
	what(s->court);
}

void deed(struct sim *s)
{
	unsigned i = (unsigned)sim_below(s, s->n_sites), what = (unsigned)sim_below(s, 100);
	if (what < 30)
		ask(s, i, C_RELOAD, VASSAL_RELOAD);
	else if (what < 33)
		ask(s, i, C_TRIALS, VASSAL_REHEARSE);
	else if (what < 38)
		ask(s, i, C_RESTART, VASSAL_RESTART);
	else if (what < 50)
		ask(s, i, C_START, VASSAL_START);
	else if (what < 56)
		ask(s, i, C_STOP, VASSAL_STOP);
	else if (what < 68)
		change(s, i);
	else if (what < 72)
		remove_config(s, i);
	else if (what < 82)
		bring_back(s, i);
	else if (what < 89)
		client_repeat(s);
	else if (what < 95)
		client_forsake(s);
	else if (what < 97)
		ask_all(s, C_FORGET_BLACKLIST, court_forget_blacklist);
	else if (what < 98 && sim_chance(s, 20))
		ask_all(s, C_RELOAD_ALL, court_reload_all);
	else if (what < 99 && sim_chance(s, 20))
		storm(s);
	else if (what >= 99)
		calm(s, i);
}
