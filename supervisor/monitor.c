/* monitor: from an argument of the command line to the kind that serves it. Knows no kind from inside. */
#include "supervisor/monitor.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/monitor_private.h"
#include "vassals/util.h"

static const struct monitor_kind *const kinds[] = { &monitor_kind_dir, &monitor_kind_glob };

/* Moves *argument behind the scheme. */
static int kind_by_scheme(const char **argument, const struct monitor_kind **ret)
{
	size_t n = strcspn(*argument, ":/");
	if (n == 0 || strncmp(*argument + n, "://", 3) != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strlen(kinds[i]->scheme) != n || strncmp(kinds[i]->scheme, *argument, n) != 0)
			continue;
		*argument += n + 3;
		*ret = kinds[i];
		return 0;
	}
	return -EPROTONOSUPPORT;
}

static const struct monitor_kind *kind_by_look(const char *argument)
{
	struct stat st;
	if (strpbrk(argument, "*?[") != NULL)
		return &monitor_kind_glob;
	return stat(argument, &st) == 0 && S_ISREG(st.st_mode) ? &monitor_kind_glob : &monitor_kind_dir;
}

static int set_argument(struct monitor *m, const char *argument)
{
	char cwd[PATH_MAX] = "", text[PATH_MAX];
	if (argument[0] == '\0')
		return -EINVAL;
	if (argument[0] != '/') {
		if (getcwd(cwd, sizeof(cwd) - 1) == NULL)
			return -errno;
		if (strcmp(cwd, "/") != 0)
			strcat(cwd, "/");
	}
	bool whole = m->kind == &monitor_kind_dir;
	int r = util_format(text, sizeof(text), "%s%s", whole ? cwd : "", argument);
	if (r < 0)
		return r;
	for (size_t n = strlen(text); whole && n > 1 && text[n - 1] == '/'; n--)
		text[n - 1] = '\0';
	m->argument = strdup(text);
	m->base = strdup(cwd);
	return m->argument != NULL && m->base != NULL ? 0 : -ENOMEM;
}

int monitor_new(const struct monitor_config *config, const char *argument, unsigned index, struct monitor **ret)
{
	const struct monitor_kind *kind = NULL;
	int r = kind_by_scheme(&argument, &kind);
	if (r < 0)
		return r;
	struct monitor *m = calloc(1, sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	m->kind = kind != NULL ? kind : kind_by_look(argument);
	m->index = index;
	m->config = *config;
	r = set_argument(m, argument);
	if (r < 0) {
		monitor_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

struct monitor *monitor_free(struct monitor *m)
{
	if (m == NULL)
		return NULL;
	if (m->state != NULL)
		m->kind->stop(m);
	free(m->argument);
	free(m->base);
	free(m);
	return NULL;
}

int monitor_start(struct monitor *m)
{
	return m->kind->start(m);
}

void monitor_rescan(struct monitor *m)
{
	if (m->state != NULL)
		m->kind->rescan(m);
}

int monitor_look(const struct monitor *m, const char *path)
{
	struct stat st;
	if ((m->config.nofollow ? lstat(path, &st) : stat(path, &st)) < 0)
		return errno == EACCES ? -EACCES : -ENOENT;
	return S_ISREG(st.st_mode) || S_ISLNK(st.st_mode);
}
