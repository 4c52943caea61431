/* options_argv: the words of the command line, as getopt_long takes them for uWSGI (--name value, --name=value, -x value,
 * -xvalue, -xy, words after --), but without its abbreviations: what is unambiguous there need not be here. */
#include <string.h>

#include "supervisor/options.h"
#include "supervisor/options_settings.h"
#include "vassals/util.h"

struct words {
	struct options_settings *settings;
	char **argv;
	int argc, next;
};

static int unknown(struct words *w, char *name)
{
	size_t n;
	const char *guess = options_row_guess(name, &n);
	struct options_setting at = { .key = name };
	if (guess)
		return options_say(w->settings->err, &at, "unknown option; did you mean --%.*s?", (int)n, guess);
	return options_say(w->settings->err, &at, "unknown option (see regent --help)");
}

static int take(struct words *w, const struct options_row *row, char *name, char *value)
{
	struct options_setting setting = { .row = row, .key = name, .value = value };
	if (value && row->argument == ARGUMENT_NONE)
		return options_say(w->settings->err, &setting, "takes no argument");
	if (!value && row->argument == ARGUMENT_REQUIRED) {
		if (w->next >= w->argc)
			return options_say(w->settings->err, &setting, "needs an argument");
		setting.value = w->argv[w->next++];
	}
	return options_settings_add(w->settings, &setting);
}

static int long_option(struct words *w, char *word)
{
	char name[128];
	size_t n = strcspn(word, "=");
	const struct options_row *row = n < sizeof(name) ? options_row_named(word, n) : NULL;
	snprintf(name, sizeof(name), "%.*s", (int)(n < sizeof(name) ? n : sizeof(name) - 1), word);
	if (!row)
		return unknown(w, name);
	return take(w, row, name, word[n] ? word + n + 1 : NULL);
}

static int short_options(struct words *w, char *word)
{
	int r = 0;
	for (; *word && !r; word++) {
		const struct options_row *row = options_row_lettered(*word);
		if (!row)
			return options_say(w->settings->err, NULL, "-%c: unknown option (see regent --help)", *word);
		char name[128];
		snprintf(name, sizeof(name), "%.*s", (int)options_row_first(row), row->names);
		char *value = row->argument != ARGUMENT_NONE && word[1] ? word + 1 : NULL;
		r = take(w, row, name, value);
		if (value)
			break;
	}
	return r;
}

static int bare(struct options_settings *s, const char *word)
{
	const char *colon = strrchr(word, ':');
	size_t n = colon && !strchr(colon, '/') ? (size_t)(colon - word) : strlen(word);
	if (n > 4 && memcmp(word + n - 4, ".ini", 4) == 0)
		return options_settings_ini(s, word);
	return options_say(s->err, NULL, "%s: neither an option nor an .ini file (see regent --help)", word);
}

int options_settings_argv(struct options_settings *s, int argc, char **argv)
{
	struct words w = { .settings = s, .argv = argv, .argc = argc, .next = 1 };
	int r = 0, n_bare = 0;
	CLEANUP_FREE char **late = calloc((size_t)argc + 1, sizeof(*late));
	if (!late)
		return options_say(s->err, NULL, "out of memory");
	while (!r && w.next < argc) {
		char *word = argv[w.next++];
		if (strcmp(word, "--") == 0)
			break;
		if (word[0] == '-' && word[1] == '-')
			r = long_option(&w, word + 2);
		else if (word[0] == '-' && word[1])
			r = short_options(&w, word + 1);
		else
			late[n_bare++] = word;
	}
	while (!r && w.next < argc)
		late[n_bare++] = argv[w.next++];
	for (int i = 0; !r && i < n_bare; i++)
		r = bare(s, late[i]);
	return r;
}
