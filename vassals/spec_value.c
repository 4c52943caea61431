#include "vassals/spec_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1	/* else uthash exits; after a failed HASH_ADD hh.tbl is NULL */
#include <uthash.h>

#include "vassals/util.h"

struct spec_value {
	UT_hash_handle hh;
	char *value;		/* NULL: unresolved */
	char key[];
};

/* A growing text; fails for good at SPEC_VALUE_SIZE_MAX. */
struct text {
	char *bytes;
	size_t n, room;
	int error;
};

static void add(struct text *t, const char *bytes, size_t n)
{
	if (t->error)
		return;
	if (t->n + n >= SPEC_VALUE_SIZE_MAX) {
		t->error = SPEC_VALUE_UNRESOLVED;
		return;
	}
	if (t->n + n >= t->room) {
		size_t room = 2 * (t->n + n) + 32;
		char *more = realloc(t->bytes, room);
		if (!more) {
			t->error = -ENOMEM;
			return;
		}
		t->bytes = more;
		t->room = room;
	}
	if (n > 0)
		memcpy(t->bytes + t->n, bytes, n);
	t->n += n;
	t->bytes[t->n] = '\0';
}

/* %n: the file's name without its extension, %s with it, %e the extension. A byte that stands for nothing vanishes with
 * its '%' (tried: "50%, x" is "50 x"). Directories, hosts, users and times are not ours to know; nor are %N and its
 * like, which name the first file read, perhaps one of the Emperor's. */
static void add_magic(struct text *t, const char *name, char c)
{
	const char *base = strrchr(name, '/');
	base = base ? base + 1 : name;
	const char *dot = strrchr(base, '.');
	if (c == '%')
		add(t, "%", 1);
	else if (c == '(')
		add(t, "%(", 2);
	else if (c == 's')
		add(t, base, strlen(base));
	else if (c == 'n')
		add(t, base, dot ? (size_t)(dot - base) : strlen(base));
	else if (c == 'e')
		add(t, dot ? dot + 1 : "", dot ? strlen(dot + 1) : 0);
	else if (strchr("obpjidcx0123456789ODSPCENXIJvhtTVk[uUgG", c))
		t->error = t->error ? t->error : SPEC_VALUE_UNRESOLVED;
}

/* uWSGI does this before it strips blanks, so they are stripped once more. */
static void magic_pass(struct text *t, const char *name, const char *raw)
{
	add(t, "", 0);
	for (; *raw; raw++) {
		if (*raw != '%') {
			add(t, raw, 1);
			continue;
		}
		raw++;
		if (*raw == '\0')
			break;
		add_magic(t, name, *raw);
	}
	if (t->error)
		return;
	while (t->n > 0 && strchr(" \t\r", t->bytes[t->n - 1]))
		t->bytes[--t->n] = '\0';
	size_t blanks = strspn(t->bytes, " \t\r");
	memmove(t->bytes, t->bytes + blanks, t->n - blanks + 1);
	t->n -= blanks;
}

static void reference_pass(struct text *t, const struct spec_values *values, const char *text)
{
	add(t, "", 0);
	while (*text && !t->error) {
		const char *end = text[0] == '%' && text[1] == '(' ? strchr(text, ')') : NULL;
		if (!end) {
			add(t, text++, 1);
			continue;
		}
		const struct spec_value *found;
		HASH_FIND(hh, values->table, text + 2, (unsigned)(end - text - 2), found);
		if (found && found->value)
			add(t, found->value, strlen(found->value));
		else
			t->error = SPEC_VALUE_UNRESOLVED;
		text = end + 1;
	}
}

int spec_value_resolve(const struct spec_values *values, const char *raw, char **ret)
{
	struct text magic = { 0 }, done = { 0 };
	magic_pass(&magic, values->name, raw);
	if (!magic.error)
		reference_pass(&done, values, magic.bytes);
	int err = magic.error ? magic.error : done.error;
	/* What is left of these is the environment, a file, arithmetic, or was put together by references. */
	if (!err && (strstr(done.bytes, "%(") || strstr(done.bytes, "$(") || strstr(done.bytes, "@(")))
		err = SPEC_VALUE_UNRESOLVED;
	free(magic.bytes);
	if (err)
		free(done.bytes);
	else
		*ret = done.bytes;
	return err;
}

int spec_value_remember(struct spec_values *values, const char *key, const char *value)
{
	struct spec_value *v;
	size_t n = strlen(key);
	if (HASH_COUNT(values->table) >= SPEC_VALUE_KEYS_MAX)
		return 0;
	HASH_FIND(hh, values->table, key, (unsigned)n, v);
	if (v)
		return 0;
	v = calloc(1, sizeof(*v) + n + 1);
	if (!v)
		return -ENOMEM;
	memcpy(v->key, key, n);
	if (value && !(v->value = strdup(value))) {
		free(v);
		return -ENOMEM;
	}
	HASH_ADD_KEYPTR(hh, values->table, v->key, (unsigned)n, v);
	if (!v->hh.tbl) {
		free(v->value);
		free(v);
		return -ENOMEM;
	}
	return 0;
}

void spec_values_clear(struct spec_values *values)
{
	struct spec_value *v, *next;
	HASH_ITER(hh, values->table, v, next) {
		HASH_DEL(values->table, v);
		free(v->value);
		free(v);
	}
}
