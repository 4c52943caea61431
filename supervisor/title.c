#include "supervisor/title.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vassals/util.h"

extern char **environ;

/* The words and, behind them, the environment: one piece of memory, as the kernel laid it out. Its size. */
static size_t room(int argc, char **argv)
{
	char *end = argv[0];
	for (int i = 0; i < argc; i++)
		if (argv[i] == end)
			end += strlen(end) + 1;
	for (char **e = environ; e && *e; e++)
		if (*e == end)
			end += strlen(end) + 1;
	return (size_t)(end - argv[0]);
}

static int move_environment(void)
{
	size_t n = 0;
	while (environ && environ[n])
		n++;
	char **moved = calloc(n + 1, sizeof *moved);
	for (size_t i = 0; moved && i < n; i++)
		if (!(moved[i] = strdup(environ[i]))) {
			while (i-- > 0)
				free(moved[i]);
			free(moved);
			return -ENOMEM;
		}
	if (!moved)
		return -ENOMEM;
	environ = moved;
	return 0;
}

void title_set(const struct options *o, int argc, char **argv)
{
	const char *name = o->emperor_procname ? o->emperor_procname : o->procname;
	const char *prefix = o->procname_prefix, *spaced = o->procname_prefix_spaced, *append = o->procname_append;
	CLEANUP_FREE char *title = NULL;
	if (!name || argc < 1)
		return;
	if (asprintf(&title, "%s%s%s%s", spaced ? spaced : prefix ? prefix : "", spaced ? " " : "", name, append ? append : "") < 0) {
		title = NULL;
		return;
	}
	size_t size = room(argc, argv), n = strlen(title);
	if (move_environment() < 0)
		return;
	if (n >= size)
		n = size - 1;
	memset(argv[0], 0, size);
	memcpy(argv[0], title, n);
}
