#include "vassals/spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vassals/ini.h"
#include "vassals/spec_build.h"
#include "vassals/util.h"

/* uWSGI's own limit. */
#define NAME_LENGTH_MAX 254
/* Warnings are for a person: the first ones tell, a hostile file must not fill the memory with them. */
#define WARNINGS_MAX 64

int spec_set_text(char **text, const char *value)
{
	char *copy = value ? strdup(value) : NULL;
	if (value && !copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

const char *spec_where(const struct spec_build *b, char buf[SPEC_WHERE_SIZE])
{
	if (b->file && b->line == 0)
		snprintf(buf, SPEC_WHERE_SIZE, "%.300s", b->file);
	else if (b->file)
		snprintf(buf, SPEC_WHERE_SIZE, "%.300s:%u", b->file, b->line);
	else
		snprintf(buf, SPEC_WHERE_SIZE, "line %u", b->line);
	return buf;
}

int spec_unsure(struct spec_build *b, const char *what)
{
	char where[SPEC_WHERE_SIZE];
	if (b->spec->unsure)
		return 0;
	if (asprintf(&b->spec->unsure, "%s: %.100s", spec_where(b, where), what) < 0) {
		b->spec->unsure = NULL;
		return -ENOMEM;
	}
	return 0;
}

char *spec_keep(struct spec_build *b, const char *text)
{
	char *copy = b->n_kept < ARRAY_SIZE(b->kept) ? strdup(text) : NULL;
	if (copy)
		b->kept[b->n_kept++] = copy;
	return copy;
}

int spec_incomplete(struct spec_build *b, const char *what)
{
	b->incomplete = b->values.closed = true;
	return spec_unsure(b, what);
}

int spec_warn(struct spec_build *b, const char *text, const char *detail, const char *end)
{
	if (b->warnings++ >= WARNINGS_MAX)
		return 0;
	const char *old = b->spec->warnings ? b->spec->warnings : "";
	char *more;
	if (asprintf(&more, "%s%s:%u: %s%.60s%s\n", old, b->file ? b->file : b->name, b->line, text, detail, end) < 0)
		return -ENOMEM;
	free(b->spec->warnings);
	b->spec->warnings = more;
	return 0;
}

static int take_own_line(void *data, const char *section, const char *key, const char *value, unsigned line)
{
	struct spec_build *b = data;
	b->line = line;
	return strcmp(section, "regent") == 0 ? spec_take_own(b, key, value) : 0;
}

static enum spec_signal decide_signal(const struct spec_build *b)
{
	if (b->emperor)
		return SPEC_SIGNAL_LOYAL;
	if (b->cheap)
		return SPEC_SIGNAL_SPAWNED;
	if (b->incomplete || b->cheap_unsure || b->workers_unsure)
		return SPEC_SIGNAL_UNSURE;
	if (b->no_workers)
		return SPEC_SIGNAL_SPAWNED;
	bool accepts = b->socket || (b->http && !b->http_backend);
	/* With nothing at all, its socket is its stdin (on demand), or uWSGI refuses to run. */
	return accepts || !(b->http || b->busy) ? SPEC_SIGNAL_ACCEPTING : SPEC_SIGNAL_SPAWNED;
}

static enum spec_protocol plain_protocol(const struct spec_build *b)
{
	/* A wrong protocol would call a good generation broken. */
	if (b->protocol_unsure || (b->incomplete && !b->protocol))
		return SPEC_PROBE_NONE;
	if (!b->protocol || strcmp(b->protocol, "uwsgi") == 0)
		return SPEC_PROBE_UWSGI;
	if (strcmp(b->protocol, "http") == 0 || strcmp(b->protocol, "http11") == 0)
		return SPEC_PROBE_HTTP;
	return SPEC_PROBE_NONE;
}

static void drop_path(char **address)
{
	if (*address && (*address)[0] == '/') {
		free(*address);
		*address = NULL;
	}
}

static void decide_probe(struct spec_build *b)
{
	if (b->abstract) {
		drop_path(&b->plain);
		drop_path(&b->fixed);
	}
	enum spec_protocol plain = b->plain ? plain_protocol(b) : SPEC_PROBE_NONE;
	bool use_plain = plain != SPEC_PROBE_NONE && (b->plain_first || !b->fixed);
	if (!use_plain && !b->fixed)
		return;
	b->spec->probe = use_plain ? plain : b->fixed_protocol;
	b->spec->probe_address = take_ptr(use_plain ? &b->plain : &b->fixed);
}

static int finish(struct spec_build *b)
{
	if (!b->in_section) {
		b->incomplete = true;
		if (!b->spec->unsure && !(b->spec->unsure = strdup("no section [uwsgi]")))
			return -ENOMEM;
	}
	if (!b->spec->logger)
		b->spec->logger = take_ptr(&b->logto);
	b->spec->signal = decide_signal(b);
	decide_probe(b);
	return spec_hold_finish(b);
}

static struct spec *spec_new(void)
{
	struct spec *spec = calloc(1, sizeof(*spec));
	if (spec) {
		spec->signal = SPEC_SIGNAL_UNSURE;
		spec->ready_for_ms = UINT32_MAX;
		spec->start_timeout_ms = UINT32_MAX;
		spec->health_timeout_ms = spec->retire_mercy_ms = spec->drain_ms = spec->health_interval_ms = UINT32_MAX;
	}
	return spec;
}

static bool ends(const char *name, const char *end)
{
	size_t n = strlen(name), e = strlen(end);
	return n >= e && strcmp(name + n - e, end) == 0;
}

static bool wants_held(const struct spec *spec)
{
	return spec->hold_sockets == SPEC_CHOICE_YES || spec->handover > SPEC_HANDOVER_NO;
}

/* [regent] first: it says whether the rest is to be followed. */
static int read_text(struct spec_build *b, const struct spec_sources *sources, const char *text, size_t size, unsigned *error_line)
{
	int err = memmem(text, size, "[regent", 7) ? ini_read_text(text, size, take_own_line, b, error_line) : 0;
	bool follow = (sources && sources->follow) || wants_held(b->spec);
	err = err < 0 ? err : spec_gather(b, sources, follow, text, size, error_line);
	const struct spec_setting *s = NULL;
	while (err == 0 && (s = spec_values_next(&b->values, s)) != NULL) {
		struct spec_line line = spec_setting_line(s);
		err = spec_take_uwsgi(b, &line);
	}
	return err < 0 ? err : finish(b);
}

static int read_ini(struct spec_build *b, int fd, const struct spec_sources *sources, unsigned *error_line)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int err = ini_load_fd(fd, &text, &size);
	if (err == 0) {
		b->spec->hash = util_hash(UTIL_HASH_SEED, text, size);
		err = read_text(b, sources, text, size, error_line);
	}
	spec_values_clear(&b->values);
	spec_hold_clear(&b->hold);
	for (unsigned i = 0; i < b->n_kept; i++)
		free(b->kept[i]);
	free(b->logto);
	free(b->protocol);
	free(b->plain);
	free(b->fixed);
	return err;
}

static int read_other(struct spec *spec, int fd)
{
	spec->unsure = strdup("only .ini files are read");
	spec->no_hold = strdup("only .ini files are read");
	return spec->unsure && spec->no_hold ? ini_hash_fd(fd, &spec->hash) : -ENOMEM;
}

int spec_read(const char *name, int fd, const struct spec_sources *sources, struct spec **ret, unsigned *error_line)
{
	struct spec_build b = { .spec = spec_new(), .name = name };
	if (!b.spec)
		return -ENOMEM;
	int err = ends(name, ".ini") ? read_ini(&b, fd, sources, error_line) : read_other(b.spec, fd);
	if (err < 0) {
		spec_free(b.spec);
		return err;
	}
	*ret = b.spec;
	return 0;
}

struct spec *spec_free(struct spec *spec)
{
	if (spec) {
		free(spec->logger);
		free(spec->probe_address);
		free(spec->health);
		free(spec->health_host);
		free(spec->uid);
		free(spec->gid);
		free(spec->unsure);
		free(spec->sockets);
		free(spec->no_hold);
		free(spec->no_double);
		free(spec->health_status);
		free(spec->wants);
		free(spec->warnings);
		free(spec);
	}
	return NULL;
}

static const struct { const char *extension, *option; } formats[] = {
	{ ".ini", "--ini" },
	{ ".xml", "--xml" },
	{ ".yml", "--yaml" },
	{ ".yaml", "--yaml" },
	{ ".js", "--json" },
	{ ".json", "--json" },
};

/* As in uWSGI an extra extension wins over one that it knows. */
const char *spec_name_option(const char *name, char *const *extra)
{
	for (; extra && *extra; extra++)
		if (ends(name, *extra))
			return "--config";
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (ends(name, formats[i].extension))
			return formats[i].option;
	return NULL;
}

bool spec_name_valid(const char *name, char *const *extra)
{
	return strlen(name) <= NAME_LENGTH_MAX && spec_name_option(name, extra);
}
