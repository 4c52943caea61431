/* Gathers the settings of a vassal in uWSGI's order: environment, command line, its own file, and what these pull in. What is fetched
 * and what not is the caller's (struct spec_sources); this file opens nothing. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vassals/ini.h"
#include "vassals/spec_build.h"
#include "vassals/spec_keys.h"
#include "vassals/spec_magic.h"
#include "vassals/util.h"

/* A file that is being read, or was. */
struct file {
	const char *text;
	size_t size;
	const char *label;		/* for a person; NULL: the vassal's own */
	struct spec_magic magic;
};

/* One reading of a section of a file; nested readings form a chain. */
struct reading {
	struct spec_gather *g;
	const struct reading *parent;
	struct file file;
	unsigned depth;
	unsigned line;
};

struct spec_gather {
	struct spec_build *b;
	const struct spec_sources *sources;
	struct file last;		/* `ini = :section` means the file that was opened last, whoever asked for it (tried) */
	struct spec_magic first;
	bool follow, has_own;
	unsigned n_files, error_line;
};

static int take_pair(struct reading *r, const char *name, const char *value);

static int unknown(struct reading *r, const char *what)
{
	r->g->b->line = r->line;
	r->g->b->file = r->file.label;
	return spec_incomplete(r->g->b, what);
}

static int unknown_because(struct reading *r, const char *name, const char *value, const char *why)
{
	char what[160];
	snprintf(what, sizeof what, "%.30s = %.80s: %.40s", name, value, why);
	return unknown(r, what);
}

static int add(struct reading *r, const char *name, const char *value, enum spec_setting_kind kind)
{
	struct spec_line line = { .name = name, .value = value, .file = r->file.label, .line = r->line, .kind = kind };
	if (kind == SPEC_SETTING_FIXED && value && spec_value_refers(value))
		line.value = NULL;	/* uWSGI takes it as it stands, and stumbles */
	int err = spec_values_add(&r->g->b->values, &line);
	return err == SPEC_VALUE_FULL ? unknown(r, "more settings than are read") : err;
}

/* ---- files */

static int take_line(void *data, const char *section, const char *name, const char *value, unsigned line)
{
	struct reading *r = data;
	struct spec_build *b = r->g->b;
	CLEANUP_FREE char *in = NULL, *key = NULL, *val = NULL;
	r->line = b->line = line;
	b->file = r->file.label;
	if (strcmp(section, "regent") == 0)
		return 0;
	int err = spec_magic_resolve(&r->file.magic, section, &in);
	if (err)
		return err < 0 ? err : unknown(r, "a section's name");
	if (strcmp(in, r->file.magic.section[0] ? r->file.magic.section : "uwsgi") != 0)
		return 0;
	if (!r->file.label)
		r->g->has_own = true;
	if (strstr(value, " ;") && !spec_key_is_command(name))
		err = spec_warn(b, "'", name, "': uWSGI has no comments behind a value: ' ;' and the rest belong to it");
	if (err == 0)
		err = spec_magic_resolve(&r->file.magic, name, &key);
	if (err || strchr(key, '='))
		return err < 0 ? err : unknown(r, name);
	err = spec_magic_resolve(&r->file.magic, value, &val);
	return err < 0 ? err : take_pair(r, key, val);
}

static bool is_open(const struct reading *r, const struct file *file)
{
	for (; r; r = r->parent)
		if (r->file.text == file->text && strcmp(r->file.magic.section, file->magic.section) == 0)
			return true;
	return false;
}

static int read_file(struct spec_gather *g, const struct reading *parent, const struct file *file)
{
	struct reading r = { .g = g, .parent = parent, .file = *file, .depth = parent ? parent->depth + 1 : 0 };
	unsigned line = 0;
	g->last = *file;
	int err = ini_read_text(file->text, file->size, take_line, &r, &line);
	g->error_line = line;
	if (err != -EBADMSG || !file->label)
		return err;
	r.line = line;
	return unknown(&r, "not a setting");
}

/* An absolute path for what was asked for, or NULL with *err. */
static char *whole_path(const struct spec_sources *s, const char *path, int *err)
{
	char *whole = NULL;
	if (path[0] != '/' && (!s || !s->cwd))
		*err = 0;
	else if (asprintf(&whole, "%s%s%s", path[0] == '/' ? "" : s->cwd, path[0] == '/' ? "" : "/", path) < 0)
		whole = NULL, *err = -ENOMEM;
	return whole;
}

static const struct spec_source *find_source(const struct spec_sources *s, const char *path)
{
	for (size_t i = 0; s && i < s->n_files; i++)
		if (strcmp(s->files[i].path, path) == 0)
			return &s->files[i];
	return NULL;
}

/* given: path and section, as asked for. */
static int pull_path(struct reading *r, const char *name, const char *path, const char *section, const char *given)
{
	struct spec_gather *g = r->g;
	int err = 0;
	CLEANUP_FREE char *whole = whole_path(g->sources, path, &err);
	if (!whole)
		return err < 0 ? err : unknown_because(r, name, given, "where it is, is not known");
	const struct spec_source *source = find_source(g->sources, whole);
	if (!source) {
		if (!g->b->spec->wants)
			err = spec_set_text(&g->b->spec->wants, whole);
		return err < 0 ? err : unknown_because(r, name, given, "not read");
	}
	if (!source->text)
		return unknown_because(r, name, given, strerror(source->error));
	struct file file = { .text = source->text, .size = source->size, .label = source->path, .magic = {
		.given = path, .path = source->path, .real = source->real, .section = section, .first = g->last.magic.first,
		.sources = g->sources } };
	if (is_open(r, &file))
		return unknown_because(r, name, given, "it includes itself");
	return read_file(g, r, &file);
}

static int pull_section(struct reading *r, const char *name, const char *section, const char *given)
{
	struct file file = r->g->last;
	if (!file.text)
		return unknown_because(r, name, given, "a section of no file");
	file.magic.section = section;
	file.magic.given = "";		/* tried */
	if (is_open(r, &file))
		return unknown_because(r, name, given, "it includes itself");
	return read_file(r->g, r, &file);
}

/* `ini` takes FILE, FILE:SECTION and :SECTION, include and inherit only a file's name (tried). */
static int pull(struct reading *r, const char *name, const char *value)
{
	struct spec_gather *g = r->g;
	if (!g->follow || !value)
		return unknown(r, name);
	if (spec_value_refers(value) || strstr(value, "://") || !*value)
		return unknown_because(r, name, value, "not a file's name");
	if (r->depth + 1 >= SPEC_DEPTH_MAX || g->n_files >= SPEC_FILES_MAX)
		return unknown_because(r, name, value, "too many files");
	g->n_files++;
	char *path = spec_keep(g->b, value);
	if (!path)
		return -ENOMEM;
	char *colon = strrchr(path, ':');
	bool is_ini = spec_key_find(name) == SPEC_KEY_INI;
	if (!is_ini && (strlen(path) < 4 || strcmp(path + strlen(path) - 4, ".ini") != 0))
		return unknown_because(r, name, value, "not an ini");
	if (!colon)
		return pull_path(r, name, path, "", value);
	if (!is_ini)
		return unknown_because(r, name, value, "not a file's name");
	*colon = '\0';
	return colon == path ? pull_section(r, name, colon + 1, value) : pull_path(r, name, path, colon + 1, value);
}

/* ---- settings */

/* `set = key=value` is a setting of its own; one that sets `set` again is nobody's. */
static int take_set(struct reading *r, const char *name, const char *value, bool placeholder)
{
	const char *equals = value ? strchr(value, '=') : NULL;
	if (!equals)
		return unknown(r, name);
	CLEANUP_FREE char *inner = strndup(value, (size_t)(equals - value));
	if (!inner)
		return -ENOMEM;
	if (placeholder)
		return add(r, inner, equals + 1, SPEC_SETTING_PLACEHOLDER);
	enum spec_key key = spec_key_find(inner);
	if (key == SPEC_KEY_SET || key == SPEC_KEY_PLACEHOLDER || key == SPEC_KEY_BLOCK || key == SPEC_KEY_END)
		return unknown(r, inner);
	return take_pair(r, inner, equals + 1);
}

/* A setting that uWSGI acts on at once is acted on; the others are noted. value NULL: not known. */
static int take_pair(struct reading *r, const char *name, const char *value)
{
	struct spec_build *b = r->g->b;
	enum spec_key key = spec_key_find(name);
	if (key == SPEC_KEY_END)
		b->in_block = false;
	else if (key == SPEC_KEY_BLOCK)
		b->in_block = true;
	if (key == SPEC_KEY_BLOCK || key == SPEC_KEY_ELSEWHERE)
		return unknown(r, name);
	if (b->in_block)
		return 0;
	if (key == SPEC_KEY_SET || key == SPEC_KEY_PLACEHOLDER)
		return take_set(r, name, value, key == SPEC_KEY_PLACEHOLDER);
	if (key == SPEC_KEY_INI || key == SPEC_KEY_INCLUDE)
		return pull(r, name, value);
	if (key == SPEC_KEY_INHERIT && !r->g->follow)
		return unknown(r, name);
	return add(r, name, value, spec_key_is_immediate(name) ? SPEC_SETTING_FIXED : SPEC_SETTING_PLAIN);
}

/* ---- where all begins */

static int take_environment(struct reading *r, char *const *environment)
{
	static const char *const others[] = { "reloads", "vassals-dir", "emperor-fd", "broodlord-num", "emperor-fd-config", "emperor-proxy",
					      "jail-pid", "original-proc-name" };
	r->file.label = "the environment";
	for (; environment && *environment; environment++) {
		const char *equals = strchr(*environment, '=');
		if (strncmp(*environment, "UWSGI_", 6) != 0 || !equals)
			continue;
		CLEANUP_FREE char *name = strndup(*environment + 6, (size_t)(equals - *environment - 6));
		if (!name)
			return -ENOMEM;
		for (char *p = name; *p; p++)
			*p = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
		bool other = false;
		for (size_t i = 0; i < ARRAY_SIZE(others); i++)
			other = other || strcmp(name, others[i]) == 0;
		int err = other ? 0 : take_pair(r, name, equals + 1);
		if (err < 0)
			return err;
	}
	return 0;
}

static int take_list(struct reading *r, const char *name, char *const *list)
{
	int err = 0;
	r->file.label = "the command line";
	for (; err == 0 && list && *list; list++)
		err = take_pair(r, name, *list);
	return err;
}

static int take_own_file(struct spec_gather *g, const char *text, size_t size)
{
	const char *name = g->b->name;
	g->first = (struct spec_magic){ .given = name, .path = name, .real = g->sources ? g->sources->real : NULL, .section = "",
					.sources = g->sources };
	struct file own = { .text = text, .size = size, .magic = g->first };
	own.magic.first = &g->first;
	int err = read_file(g, NULL, &own);
	g->b->in_section = g->has_own;
	struct reading r = { .g = g, .file.label = "its name" };
	return err == 0 && strchr(name, ':') ? unknown(&r, "a ':', where uWSGI would look for a section's name") : err;
}

/* inherit is read when uWSGI comes to it, after everything else was: nothing in it is resolved any more (tried). */
static int take_inherited(struct spec_gather *g)
{
	const struct spec_setting *s = NULL;
	while ((s = spec_values_next(&g->b->values, s)) != NULL) {
		struct spec_line line = spec_setting_line(s);
		if (line.kind != SPEC_SETTING_PLAIN || spec_key_find(line.name) != SPEC_KEY_INHERIT)
			continue;
		struct reading r = { .g = g, .line = line.line, .file.label = line.file };
		int err = pull(&r, line.name, line.value);
		if (err < 0)
			return err;
	}
	return 0;
}

int spec_gather(struct spec_build *b, const struct spec_sources *sources, bool follow, const char *text, size_t size, unsigned *error_line)
{
	struct spec_gather g = { .b = b, .sources = sources, .follow = follow };
	struct reading r = { .g = &g };
	const struct spec_sources none = { 0 }, *s = sources && follow ? sources : &none;
	int err = take_environment(&r, s->environment);
	err = err < 0 ? err : take_list(&r, "inherit", s->inherit_before);
	err = err < 0 ? err : take_list(&r, "include", s->include_before);
	err = err < 0 ? err : take_list(&r, "set", s->set);
	err = err < 0 ? err : take_own_file(&g, text, size);
	*error_line = err < 0 ? g.error_line : *error_line;
	err = err < 0 ? err : take_list(&r, "inherit", s->inherit);
	err = err < 0 ? err : take_list(&r, "include", s->include);
	err = err < 0 ? err : spec_values_resolve(&b->values);
	return err < 0 ? err : take_inherited(&g);
}
