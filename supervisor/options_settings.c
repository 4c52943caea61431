#include "supervisor/options_settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/options.h"
#include "vassals/util.h"

int options_say(FILE *err, const struct options_setting *at, const char *fmt, ...)
{
	char where[512] = "", text[1024];
	if (at && at->file)
		snprintf(where, sizeof(where), "%s:%u: %s: ", at->file, at->line, at->key);
	else if (at)
		snprintf(where, sizeof(where), "--%s: ", at->key);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *p = where; *p; p++)
		*p = (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p;
	for (char *p = text; *p; p++)
		*p = (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p;
	fprintf(err, "regent: %s%s\n", where, text);
	return OPTIONS_USAGE;
}

static int no_memory(struct options_settings *s)
{
	return options_say(s->err, NULL, "out of memory");
}

static int append(struct options_settings *s, const struct options_setting *setting)
{
	if (s->n == s->room) {
		size_t room = s->room * 2 + 16;
		void *items = reallocarray(s->items, room, sizeof(*s->items));
		if (!items)
			return no_memory(s);
		s->items = items;
		s->room = room;
	}
	struct options_setting copy = *setting;
	copy.key = strdup(setting->key);
	copy.value = setting->value ? strdup(setting->value) : NULL;
	if (!copy.key || (setting->value && !copy.value)) {
		free(copy.key);
		free(copy.value);
		return no_memory(s);
	}
	s->items[s->n++] = copy;
	return 0;
}

/* --set key=value: what follows is as if it stood there as a line of its own. */
static int split(struct options_settings *s, const struct options_setting *setting, bool placeholder)
{
	const char *equal = setting->value ? strchr(setting->value, '=') : NULL;
	if (!equal || equal == setting->value)
		return options_say(s->err, setting, "needs key=value");
	CLEANUP_FREE char *key = strndup(setting->value, (size_t)(equal - setting->value));
	CLEANUP_FREE char *value = strdup(equal + 1);
	if (!key || !value)
		return no_memory(s);
	struct options_setting made = { .row = placeholder ? NULL : options_row_named(key, strlen(key)), .key = key, .value = value,
					.file = setting->file, .line = setting->line, .ours = setting->ours, .placeholder = placeholder };
	if (made.row && (made.row->kind == OPTION_SET || made.row->kind == OPTION_PLACEHOLDER))
		return options_say(s->err, setting, "cannot set %s", key);
	return options_settings_add(s, &made);
}

static int nested(struct options_settings *s, const struct options_setting *setting)
{
	if (s->depth >= OPTIONS_INI_DEPTH)
		return options_say(s->err, setting, "inis that name each other deeper than %d: a loop?", OPTIONS_INI_DEPTH);
	struct options_setting resolved = *setting;
	resolved.value = setting->value ? strdup(setting->value) : NULL;
	if (!resolved.value)
		return setting->value ? no_memory(s) : options_say(s->err, setting, "needs an argument");
	int r = options_references(s, &resolved) < 0 ? no_memory(s) : 0;
	CLEANUP_FREE char *value = resolved.value;
	/* `ini = :section` means the file it stands in. */
	CLEANUP_FREE char *place = NULL;
	if (!r && asprintf(&place, "%s%s", value[0] == ':' && setting->file ? setting->file : "", value) < 0) {
		place = NULL;
		r = no_memory(s);
	}
	if (!r)
		r = options_settings_ini(s, place);
	return r;
}

int options_settings_add(struct options_settings *s, const struct options_setting *setting)
{
	int r = append(s, setting);
	if (r || !setting->row || setting->placeholder || setting->row->status != OPTION_WORKS)
		return r;
	/* In the section regent these are strangers, and on their way to a warning. */
	if (setting->ours && setting->row->section != OPTION_REGENT)
		return 0;
	if (setting->row->kind == OPTION_INI)
		return nested(s, setting);
	if (setting->row->kind == OPTION_SET || setting->row->kind == OPTION_PLACEHOLDER)
		return split(s, setting, setting->row->kind == OPTION_PLACEHOLDER);
	return 0;
}

void options_settings_clear(struct options_settings *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->items[i].key);
		free(s->items[i].value);
	}
	for (size_t i = 0; i < s->n_files; i++)
		free(s->files[i]);
	free(s->items);
	*s = (struct options_settings){ .err = s->err };
}
