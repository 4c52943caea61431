#include "vassals/spec_magic.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vassals/spec.h"
#include "vassals/spec_value.h"

/* A growing text; fails for good at SPEC_VALUE_SIZE_MAX. */
struct text {
	char *bytes;
	size_t n, room;
	int error;
};

static void add(struct text *t, const char *bytes, size_t n)
{
	if (!t->error && (!bytes || memchr(bytes, '\n', n) || t->n + n >= SPEC_VALUE_SIZE_MAX))
		t->error = SPEC_MAGIC_UNKNOWN;
	if (t->error)
		return;
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
	memcpy(t->bytes + t->n, bytes, n);
	t->n += n;
	t->bytes[t->n] = '\0';
}

/* NULL: not known. */
static void add_text(struct text *t, const char *text)
{
	add(t, text, text ? strlen(text) : 0);
}

/* %s, %n, %e: the name; all of it, up to its last dot, behind that. */
static void add_name(struct text *t, const char *path, char c)
{
	const char *base = strrchr(path, '/');
	base = base ? base + 1 : path;
	const char *dot = strrchr(base, '.');
	if (c == 's')
		add_text(t, base);
	else if (c == 'n')
		add(t, base, dot ? (size_t)(dot - base) : strlen(base));
	else
		add_text(t, dot ? dot + 1 : "");
}

/* %d: the directory with a slash behind it; %c: its last component; %0 to %9: its components. */
static void add_directory(struct text *t, const char *real, char c)
{
	if (!real || real[0] != '/') {
		add_text(t, NULL);
		return;
	}
	size_t size = (size_t)(strrchr(real, '/') - real), at = size;	/* without that slash */
	if (c == 'd') {
		add(t, real, size + 1);
	} else if (c == 'c') {
		while (at > 0 && real[at - 1] != '/')
			at--;
		add(t, real + at, size - at);
	} else {
		at = strspn(real, "/");
		for (int skip = c - '0'; skip > 0 && at < size; skip--) {
			at += strcspn(real + at, "/");
			at += strspn(real + at, "/");
		}
		if (at < size)
			add(t, real + at, strcspn(real + at, "/"));
	}
}

static void add_file(struct text *t, const struct spec_magic *m, char c)
{
	switch (c) {
	case 's': case 'n': case 'e':
		add_name(t, m->path, c);
		break;
	case 'o':
		add_text(t, m->given);
		break;
	case 'x':
		add_text(t, m->section);
		break;
	case 'p':
		add_text(t, m->real);
		break;
	default:
		add_directory(t, m->real, c);
		break;
	}
}

static void add_host(struct text *t, const struct spec_sources *s, char c)
{
	const struct { char c; const char *text; } known[] = {
		{ 'v', s->cwd }, { 'h', s->host }, { 'u', s->uid }, { 'U', s->user }, { 'g', s->gid }, { 'G', s->group },
	};
	char cpus[16];
	snprintf(cpus, sizeof cpus, "%u", s->cpus);
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].c == c) {
			add_text(t, known[i].text);
			return;
		}
	add_text(t, c == 'k' && s->cpus > 0 ? cpus : NULL);
}

/* A byte that stands for nothing vanishes with its '%' (tried: "50%, x" is "50 x"). What a supervisor cannot know for certain: the
 * program's path, the inode and hash of a path, the time, uWSGI's version. */
static void add_magic(struct text *t, const struct spec_magic *m, char c)
{
	static const struct spec_sources nothing;
	if (c == '%' || c == '(')
		add_text(t, c == '%' ? "%" : "%(");
	else if (c == '[')
		add_text(t, "\033");
	else if (strchr("snepdcox0123456789", c))
		add_file(t, m, c);
	else if (!m->first && strchr("SNEPDCOXIJ", c))
		add_text(t, "");
	else if (strchr("SNEPDCOX", c))
		add_file(t, m->first, (char)(c | 0x20));
	else if (strchr("vhuUgGk", c))
		add_host(t, m->sources ? m->sources : &nothing, c);
	else if (strchr("bijIJtTV", c))
		add_text(t, NULL);
}

/* uWSGI replaces before it strips blanks, so they are stripped here. */
static void strip(struct text *t)
{
	while (t->n > 0 && strchr(" \t\r", t->bytes[t->n - 1]))
		t->bytes[--t->n] = '\0';
	size_t blanks = strspn(t->bytes, " \t\r");
	memmove(t->bytes, t->bytes + blanks, t->n - blanks + 1);
}

int spec_magic_resolve(const struct spec_magic *magic, const char *raw, char **ret)
{
	struct text t = { 0 };
	add(&t, "", 0);
	for (; *raw; raw++) {
		if (*raw != '%')
			add(&t, raw, 1);
		else if (*++raw)
			add_magic(&t, magic, *raw);
		else
			break;
	}
	if (t.error) {
		free(t.bytes);
		return t.error;
	}
	strip(&t);
	*ret = t.bytes;
	return 0;
}
