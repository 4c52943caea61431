#include "supervisor/reading.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/logger.h"
#include "supervisor/ruler_inside.h"
#include "supervisor/sources.h"
#include "vassals/identity.h"
#include "vassals/util.h"

extern char **environ;

struct reading {
	struct reading *next;
	struct reading_config config;	/* the name is ours */
	void (*forget)(void *data);
	char *wanted;			/* what is being fetched */
	int fd;
	struct sources sources;
	char **environment;		/* of the vassal, as far as it sets something; entries that are ours first */
	size_t n_made;
};

static void reading_free(struct reading *g)
{
	for (size_t i = 0; i < g->n_made; i++)
		free(g->environment[i]);
	free(g->environment);
	sources_clear(&g->sources);
	util_close(g->fd);
	free(g->wanted);
	free((void *)(uintptr_t)g->config.name);
	free(g);
}

static void unlink_it(struct ruler *r, struct reading *g)
{
	struct reading **at = &r->readings;
	while (*at && *at != g)
		at = &(*at)->next;
	if (*at)
		*at = g->next;
}

static void finish(struct ruler *r, struct reading *g, struct spec *spec, int error, unsigned line)
{
	unlink_it(r, g);
	g->config.done(r, g->config.data, spec, error, line);
	reading_free(g);
}

bool reading_may_hold(const struct ruler *r, const struct spec *spec)
{
	return r->options->hold_sockets || r->options->handover > SPEC_HANDOVER_NO || spec->hold_sockets == SPEC_CHOICE_YES ||
	       spec->handover > SPEC_HANDOVER_NO;
}

/* ---- what a supervisor knows */

/* As the keeper composes it: UWSGI_VASSAL_X becomes UWSGI_X in the vassal. */
static int take_environment(struct reading *g)
{
	static const char prefix[] = "UWSGI_VASSAL_";
	size_t n = 0;
	for (char **e = environ; e && *e; e++)
		n++;
	if (!(g->environment = calloc(n + 1, sizeof *g->environment)))
		return -ENOMEM;
	for (char **e = environ; e && *e; e++)
		if (strncmp(*e, prefix, sizeof prefix - 1) == 0) {
			if (asprintf(&g->environment[g->n_made], "UWSGI_%s", *e + sizeof prefix - 1) < 0)
				return -ENOMEM;
			g->n_made++;
		}
	n = g->n_made;
	for (char **e = environ; e && *e; e++)
		if (strncmp(*e, prefix, sizeof prefix - 1) != 0 && strncmp(*e, "UWSGI_", 6) == 0)
			g->environment[n++] = *e;
	g->sources.spec.environment = g->environment;
	return 0;
}

/* For which user is known without the ini: the ruler's own where nobody drops anything, or the one of the command line. */
static int take_ids(struct ruler *r, struct reading *g)
{
	const struct options *o = r->options;
	if (r->start->uid == IDENTITY_NONE)
		return sources_ids(&g->sources, getuid(), getgid());
	if (!o->emperor_tyrant && o->uid_number != IDENTITY_NONE && o->gid_number != IDENTITY_NONE)
		return sources_ids(&g->sources, o->uid_number, o->gid_number);
	return 0;
}

static int take_sources(struct ruler *r, struct reading *g)
{
	const struct options *o = r->options;
	const struct monitor *m = g->config.monitor < o->emperor.n ? r->monitors[g->config.monitor] : NULL;
	struct spec_sources *s = &g->sources.spec;
	int error = sources_init(&g->sources, m && strcmp(m->kind->scheme, "dir") == 0 ? m->argument : ".", g->config.name);
	s->follow = true;
	s->inherit_before = o->vassals_inherit_before.items;
	s->include_before = o->vassals_include_before.items;
	s->set = o->vassals_set.items;
	s->inherit = o->vassals_inherit.items;
	s->include = o->vassals_include.items;
	error = error < 0 ? error : take_environment(g);
	return error < 0 ? error : take_ids(r, g);
}

/* ---- reading */

static void step(struct ruler *r, struct reading *g);

static void fetched(struct ruler *r, void *data, const struct errand_answer *answer, int fd)
{
	struct reading *g = data;
	int error = sources_add(&g->sources, g->wanted, fd, answer->error);
	util_close(fd);
	if (error < 0)
		finish(r, g, NULL, error, 0);
	else
		step(r, g);
}

/* 1: fetched already; 0: a helper is at it; negative errno. */
static int fetch(struct ruler *r, struct reading *g, const struct spec *spec, const struct subject *ids)
{
	if (r->start->uid == IDENTITY_NONE) {
		int error = sources_open(&g->sources, spec->wants);
		return error < 0 ? error : 1;
	}
	free(g->wanted);
	if (!(g->wanted = strdup(spec->wants)))
		return -ENOMEM;
	if (strlen(g->wanted) < LINK_TEXT_MAX)
		return ruler_errand(r, ERRAND_READ, g->config.name, g->config.monitor, ids, g->wanted, fetched, g);
	int error = sources_add(&g->sources, g->wanted, -1, ENAMETOOLONG);
	return error < 0 ? error : 1;
}

/* Reads again and again, until nothing is missing. */
static void step(struct ruler *r, struct reading *g)
{
	struct spec *spec = NULL;
	unsigned line = 0;
	int more = 1;
	while (more == 1) {
		spec = spec_free(spec);
		int error = spec_read(g->config.name, g->fd, &g->sources.spec, &spec, &line);
		const struct subject *ids = g->config.ids(r, g->config.name, spec);
		if (error < 0 || !spec->wants || g->sources.spec.n_files > SPEC_FILES_MAX) {
			finish(r, g, spec, error, line);
			return;
		}
		more = fetch(r, g, spec, ids);
	}
	spec_free(spec);
	if (more < 0)
		finish(r, g, NULL, more, 0);
}

/* Nothing that is known besides could change it. Most vassals are like that, and there may be thousands. */
static bool is_whole(const struct ruler *r, const struct spec *spec)
{
	const struct options *o = r->options;
	if (!spec->sockets || spec->unsure || o->vassals_inherit_before.n || o->vassals_include_before.n || o->vassals_set.n ||
	    o->vassals_inherit.n || o->vassals_include.n)
		return false;
	for (char **e = environ; e && *e; e++)
		if (strncmp(*e, "UWSGI_", 6) == 0)
			return false;
	return true;
}

int reading_begin(struct ruler *r, const struct reading_config *config, int fd, void (*forget)(void *data))
{
	struct spec *spec = NULL;
	unsigned line = 0;
	int error = spec_read(config->name, fd, NULL, &spec, &line);
	if (error < 0 || (!config->follow && (!reading_may_hold(r, spec) || is_whole(r, spec)))) {
		config->ids(r, config->name, spec);
		config->done(r, config->data, spec, error, line);
		util_close(fd);
		return 0;
	}
	spec_free(spec);
	struct reading *g = calloc(1, sizeof *g);
	if (!g) {
		util_close(fd);
		return -ENOMEM;
	}
	g->config = *config;
	g->config.name = strdup(config->name);
	g->forget = forget;
	g->fd = fd;
	if (!g->config.name || take_sources(r, g) < 0) {
		reading_free(g);
		return -ENOMEM;
	}
	g->next = r->readings;
	r->readings = g;
	step(r, g);
	return 0;
}

void reading_cancel(struct ruler *r, const char *name, reading_done *done)
{
	for (struct reading **at = &r->readings, *g; (g = *at) != NULL; ) {
		if (name && (g->config.done != done || strcmp(g->config.name, name) != 0)) {
			at = &g->next;
			continue;
		}
		*at = g->next;
		ruler_errand_forget(r, g);
		if (g->forget)
			g->forget(g->config.data);
		reading_free(g);
	}
}
