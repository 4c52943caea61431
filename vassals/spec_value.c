#include "vassals/spec_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1	/* else uthash exits; after a failed HASH_ADD hh.tbl is NULL */
#include <uthash.h>

#include "vassals/util.h"

/* Of one value: uWSGI itself would go round in circles for ever. */
#define ROUNDS_MAX 256
/* Of all values together, after their references were replaced. */
#define RESOLVED_BYTES_MAX (8UL * 1024 * 1024)

struct spec_setting {
	UT_hash_handle hh;
	struct spec_setting *next;
	const char *file;
	unsigned line;
	enum spec_setting_kind kind;
	char *value;		/* NULL: not known */
	char name[];
};

static int remember(struct spec_values *values, struct spec_setting *s)
{
	struct spec_setting *older;
	size_t n = strlen(s->name);
	HASH_FIND(hh, values->table, s->name, (unsigned)n, older);
	if (values->closed || older)
		return 0;
	HASH_ADD_KEYPTR(hh, values->table, s->name, (unsigned)n, s);
	return s->hh.tbl ? 0 : -ENOMEM;
}

int spec_values_add(struct spec_values *values, const struct spec_line *line)
{
	if (values->n >= SPEC_VALUE_KEYS_MAX)
		return SPEC_VALUE_FULL;
	size_t n = strlen(line->name);
	struct spec_setting *s = calloc(1, sizeof *s + n + 1);
	if (!s)
		return -ENOMEM;
	memcpy(s->name, line->name, n);
	s->file = line->file;
	s->line = line->line;
	s->kind = line->kind;
	if ((line->value && !(s->value = strdup(line->value))) || remember(values, s) < 0) {
		free(s->value);
		free(s);
		return -ENOMEM;
	}
	*(values->last ? &values->last->next : &values->first) = s;
	values->last = s;
	values->n++;
	return 0;
}

/* ---- references */

struct reference { size_t start, key, key_size, end; };

/* The next %(KEY) at or after `from`, read as uWSGI does: a '%' anywhere begins anew, brackets within KEY count, "%()" is none. */
static bool find_reference(const char *text, size_t from, struct reference *ret)
{
	enum { IDLE, ARMED, INSIDE } state = IDLE;
	unsigned depth = 0;
	size_t key = 0;
	for (size_t i = from; text[i]; i++) {
		if (text[i] == '%') {
			state = ARMED;
		} else if (state == ARMED) {
			state = text[i] == '(' ? INSIDE : IDLE;
			depth = 0;
			key = i + 1;
		} else if (state == INSIDE && text[i] == '(') {
			depth++;
		} else if (state == INSIDE && text[i] == ')' && depth > 0) {
			depth--;
		} else if (state == INSIDE && text[i] == ')') {
			state = IDLE;
			if (i > key) {
				*ret = (struct reference){ .start = key - 2, .key = key, .key_size = i - key, .end = i + 1 };
				return true;
			}
		}
	}
	return false;
}

/* 0 with *text replaced; SPEC_VALUE_FULL: too large; -ENOMEM. */
static int replace(char **text, const struct reference *r, const char *by)
{
	size_t n = strlen(by), rest = strlen(*text + r->end);
	if (r->start + n + rest >= SPEC_VALUE_SIZE_MAX)
		return SPEC_VALUE_FULL;
	char *more = malloc(r->start + n + rest + 1);
	if (!more)
		return -ENOMEM;
	memcpy(more, *text, r->start);
	memcpy(more + r->start, by, n);
	memcpy(more + r->start + n, *text + r->end, rest + 1);
	free(*text);
	*text = more;
	return 0;
}

bool spec_value_refers(const char *text)
{
	return strstr(text, "%(") || strstr(text, "$(") || strstr(text, "@(");
}

/* What it refers to may itself hold references: uWSGI looks again from the second byte on. What is left then, it leaves too. */
static int resolve(const struct spec_values *values, char **value)
{
	struct reference r;
	size_t from = 0;
	int err = strstr(*value, "$(") || strstr(*value, "@(") ? SPEC_VALUE_FULL : 0;
	for (unsigned round = 0; !err && find_reference(*value, from, &r); round++, from = 1) {
		const struct spec_setting *found;
		HASH_FIND(hh, values->table, *value + r.key, (unsigned)r.key_size, found);
		err = found && found->value && round < ROUNDS_MAX ? replace(value, &r, found->value) : SPEC_VALUE_FULL;
		if (!err && !**value)	/* there is no second byte */
			break;
	}
	return err;
}

int spec_values_resolve(struct spec_values *values)
{
	for (struct spec_setting *s = values->first; s; s = s->next) {
		if (s->kind != SPEC_SETTING_PLAIN || !s->value || !spec_value_refers(s->value))
			continue;
		int err = values->resolved_bytes < RESOLVED_BYTES_MAX ? resolve(values, &s->value) : SPEC_VALUE_FULL;
		if (err < 0)
			return err;
		if (err == 0) {
			values->resolved_bytes += strlen(s->value);
			continue;
		}
		free(s->value);
		s->value = NULL;
	}
	return 0;
}

const struct spec_setting *spec_values_next(const struct spec_values *values, const struct spec_setting *setting)
{
	return setting ? setting->next : values->first;
}

struct spec_line spec_setting_line(const struct spec_setting *s)
{
	return (struct spec_line){ .name = s->name, .value = s->value, .file = s->file, .line = s->line, .kind = s->kind };
}

void spec_values_clear(struct spec_values *values)
{
	HASH_CLEAR(hh, values->table);
	for (struct spec_setting *s = values->first, *next; s; s = next) {
		next = s->next;
		free(s->value);
		free(s);
	}
	*values = (struct spec_values){ 0 };
}
