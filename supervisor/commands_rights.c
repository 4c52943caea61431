#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/commands_inside.h"
#include "vassals/identity.h"

/* One line of control-allow. */
struct allow {
	bool is_group;
	uid_t uid;
	gid_t gid;
	unsigned verbs;		/* verb_bit()s */
	char *glob;		/* of names; NULL: all, and the court itself */
};

/* ---- reading control-allow */

static const char *parse_who(struct allow *a, const char *who)
{
	a->is_group = who[0] == '@';
	if (a->is_group)
		return identity_group(who + 1, &a->gid) < 0 ? "no such group" : NULL;
	gid_t unused;
	return identity_user(who, &a->uid, &unused) < 0 ? "no such user" : NULL;
}

static const char *parse_verbs(struct allow *a, char *list)
{
	char *rest = list;
	for (char *name; (name = strsep(&rest, ",")) != NULL;) {
		const struct verb *verb = verb_find(name);
		if (!verb && strcmp(name, "*") != 0)
			return "no such verb";
		if (verb && a->glob && verb->rights == RIGHTS_ALL)
			return "a verb for the whole court goes without GLOB";
		a->verbs |= verb ? verb_bit(verb) : ~0U;
	}
	return NULL;
}

static const char *parse_allow(struct allow *a, const char *text)
{
	CLEANUP_FREE char *line = strdup(text);
	char *words[3];
	const char *why = NULL;
	if (!line)
		return "out of memory";
	int n = words_split(line, words, ARRAY_SIZE(words), &why);
	if (n < 0)
		return why;
	if (n < 2)
		return "it is: USER|@GROUP VERB[,VERB] [GLOB]";
	if (n == 3 && !(a->glob = strdup(words[2])))
		return "out of memory";
	const char *wrong = parse_who(a, words[0]);
	return wrong ? wrong : parse_verbs(a, words[1]);
}

static int complain(struct commands *c, const char *text, const char *wrong)
{
	char *all;
	if (asprintf(&all, "%scontrol-allow = %s: %s\n", c->complaints ? c->complaints : "", text, wrong) < 0)
		return -ENOMEM;
	free(c->complaints);
	c->complaints = all;
	return 0;
}

int rights_new(struct commands *c)
{
	const struct options_list *list = &c->config.options->control_allow;
	c->allow = calloc(list->n + 1, sizeof *c->allow);
	if (!c->allow)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		struct allow a = { 0 };
		const char *wrong = parse_allow(&a, list->items[i]);
		if (!wrong) {
			c->allow[c->n_allow++] = a;
			continue;
		}
		free(a.glob);
		int r = complain(c, list->items[i], wrong);
		if (r < 0)
			return r;
	}
	return 0;
}

void rights_free(struct commands *c)
{
	for (size_t i = 0; i < c->n_allow; i++)
		free(c->allow[i].glob);
	free(c->allow);
	free(c->complaints);
}

/* ---- who may what */

static bool is_meant(const struct session *s, const struct allow *a)
{
	const struct control_peer *peer = &s->peer;
	if (!a->is_group)
		return a->uid == peer->uid;
	for (size_t i = 0; i < peer->n_groups; i++)
		if (peer->groups[i] == a->gid)
			return true;
	return peer->gid == a->gid;
}

static bool covers(const struct allow *a, const char *name)
{
	return !a->glob || fnmatch(a->glob, name, 0) == 0;
}

/* verbs: any of these; name: NULL for the court itself. */
static bool was_given(const struct session *s, unsigned verbs, const char *name)
{
	const struct commands *c = s->commands;
	for (size_t i = 0; i < c->n_allow; i++) {
		const struct allow *a = &c->allow[i];
		if ((a->verbs & verbs) && is_meant(s, a) && (name ? covers(a, name) : !a->glob))
			return true;
	}
	return false;
}

static bool runs_as_peer(const struct session *s, struct court_vassal *cv)
{
	struct commands_host *host = &s->commands->config.host;
	uid_t uid;
	return host->identity(host->data, cv, &uid) && uid == s->peer.uid;
}

bool rights_everything(const struct session *s)
{
	return s->peer.uid == 0 || s->peer.uid == s->commands->config.owner;
}

bool rights_sees(const struct session *s, struct court_vassal *cv)
{
	return rights_everything(s) || runs_as_peer(s, cv) || was_given(s, verb_bits_of_vassals(), cv->name);
}

bool rights_any(const struct session *s)
{
	const struct commands *c = s->commands;
	if (rights_everything(s))
		return true;
	for (size_t i = 0; i < c->n_allow; i++)
		if (is_meant(s, &c->allow[i]))
			return true;
	for (struct court_vassal *cv = court_first(c->config.court); cv; cv = court_next(cv))
		if (runs_as_peer(s, cv))
			return true;
	return false;
}

bool rights_may(const struct session *s, const struct verb *verb, struct court_vassal *cv)
{
	return rights_everything(s) || was_given(s, verb_bit(verb), cv->name) ||
	       (verb->rights == RIGHTS_OWN && runs_as_peer(s, cv));
}

bool rights_may_court(const struct session *s, const struct verb *verb)
{
	return rights_everything(s) || was_given(s, verb_bit(verb), NULL);
}

bool rights_may_some(const struct session *s, const struct verb *verb)
{
	const struct commands *c = s->commands;
	if (rights_everything(s))
		return true;
	for (size_t i = 0; i < c->n_allow; i++)
		if ((c->allow[i].verbs & verb_bit(verb)) && is_meant(s, &c->allow[i]))
			return true;
	for (struct court_vassal *cv = court_first(c->config.court); cv; cv = court_next(cv))
		if (verb->rights == RIGHTS_OWN && runs_as_peer(s, cv))
			return true;
	return false;
}

bool rights_may_name(const struct session *s, const struct verb *verb, const char *name)
{
	return rights_everything(s) || was_given(s, verb_bit(verb), name);
}
