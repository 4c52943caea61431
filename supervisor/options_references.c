/* options_references: what a value of the emperor's ini refers to: the magic %x of the file, $(ENV), %(key). As in uWSGI each
 * is looked up once, the first value of a key counts, and a reference that leads nowhere stays as it is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/options.h"
#include "supervisor/options_settings.h"
#include "vassals/util.h"

static void put(FILE *out, const char *text, size_t n)
{
	fwrite(text, 1, n, out);
}

static void put_full_path(FILE *out, const char *file, bool directory)
{
	CLEANUP_FREE char *path = realpath(file, NULL);
	const char *text = path ? path : file;
	const char *slash = strrchr(text, '/');
	put(out, text, directory ? (slash ? (size_t)(slash - text) + 1 : 0) : strlen(text));
}

static void put_cwd(FILE *out)
{
	CLEANUP_FREE char *cwd = getcwd(NULL, 0);
	if (cwd)
		fputs(cwd, out);
}

static void put_host(FILE *out)
{
	char name[256] = "";
	if (gethostname(name, sizeof(name) - 1) == 0)
		fputs(name, out);
}

/* A byte that stands for nothing vanishes with its '%', as it does there. */
static void put_magic(FILE *out, const char *file, char c)
{
	const char *slash = strrchr(file, '/');
	const char *base = slash ? slash + 1 : file;
	const char *dot = strrchr(base, '.');
	switch (c) {
	case '%': fputc('%', out); break;
	case '(': fputs("%(", out); break;
	case 'o': case 'O': fputs(file, out); break;
	case 'p': case 'P': put_full_path(out, file, false); break;
	case 'd': case 'D': put_full_path(out, file, true); break;
	case 's': case 'S': fputs(base, out); break;
	case 'n': case 'N': put(out, base, dot ? (size_t)(dot - base) : strlen(base)); break;
	case 'e': case 'E': fputs(dot ? dot + 1 : "", out); break;
	case 'h': put_host(out); break;
	case 'v': put_cwd(out); break;
	case 'u': fprintf(out, "%u", (unsigned)getuid()); break;
	case 'g': fprintf(out, "%u", (unsigned)getgid()); break;
	case 'k': fprintf(out, "%ld", sysconf(_SC_NPROCESSORS_ONLN)); break;
	case 't': fprintf(out, "%lld", (long long)time(NULL)); break;
	default: break;
	}
}

char *options_magic(const char *file, const char *text)
{
	char *result = NULL;
	size_t size;
	FILE *out = open_memstream(&result, &size);
	if (!out)
		return NULL;
	for (; *text; text++) {
		if (*text != '%')
			fputc(*text, out);
		else if (text[1])
			put_magic(out, file, *++text);
	}
	if (fclose(out) == 0)
		return result;
	free(result);
	return NULL;
}

/* NAME, NAME:-else (unset or empty), NAME-else (unset). */
static bool put_environment(FILE *out, const char *text, size_t n)
{
	CLEANUP_FREE char *name = strndup(text, n);
	if (!name)
		return false;
	char *dash = strchr(name, '-');
	bool also_empty = dash && dash > name && dash[-1] == ':';
	if (dash)
		dash[also_empty ? -1 : 0] = '\0';
	const char *value = getenv(name);
	if (dash && (!value || (also_empty && !*value)))
		value = dash + 1;
	if (!value)
		return false;
	fputs(value, out);
	return true;
}

static bool put_key(FILE *out, struct options_settings *s, const char *text, size_t n)
{
	for (size_t i = 0; i < s->n; i++) {
		struct options_setting *other = &s->items[i];
		if (strlen(other->key) != n || memcmp(other->key, text, n) != 0)
			continue;
		other->used = true;
		fputs(other->value ? other->value : "", out);
		return true;
	}
	return false;
}

/* One pass over text for KIND(...); *incomplete when one led nowhere or is of a kind that regent never follows. */
static char *pass(struct options_settings *s, const char *text, char kind, bool *incomplete)
{
	char *result = NULL;
	size_t size;
	FILE *out = open_memstream(&result, &size);
	if (!out)
		return NULL;
	while (*text) {
		const char *end = *text == kind && text[1] == '(' ? strchr(text, ')') : NULL;
		if (!end) {
			fputc(*text++, out);
			continue;
		}
		size_t n = (size_t)(end - text) - 2;
		bool found = kind == '$' ? put_environment(out, text + 2, n) : kind == '%' && put_key(out, s, text + 2, n);
		if (!found)
			put(out, text, (size_t)(end - text) + 1);
		*incomplete = *incomplete || !found;
		text = end + 1;
	}
	if (fclose(out) == 0)
		return result;
	free(result);
	return NULL;
}

int options_references(struct options_settings *s, struct options_setting *setting)
{
	static const char kinds[] = "$@%";	/* uWSGI's order; files ('@') are never read */
	for (const char *kind = kinds; setting->value && *kind; kind++) {
		char *value = pass(s, setting->value, *kind, &setting->incomplete);
		if (!value)
			return -ENOMEM;
		free(setting->value);
		setting->value = value;
	}
	return 0;
}
