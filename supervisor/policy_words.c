/* policy_words: environment and arguments of a vassal, as the Emperor gives them; what is held needs a few more. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/policy_inside.h"
#include "vassals/launch.h"
#include "vassals/spec.h"
#include "vassals/util.h"

#define VASSAL_PREFIX "UWSGI_VASSAL_"

/* ---- environment: the Emperor's rules, emperor-facts */

static bool is_removed(const char *entry)
{
	static const char *const names[] = { "UWSGI_RELOADS=", "NOTIFY_SOCKET=", "UWSGI_EMPEROR_FD=", "UWSGI_EMPEROR_FD_CONFIG=" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strncmp(entry, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* The names up to and with '=' are the same. */
static bool same_variable(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");
	return strncmp(a, b, n) == 0 && b[n] == '=';
}

static int put(char **env, size_t *n, char *entry)
{
	if (!entry)
		return -ENOMEM;
	for (size_t i = 0; i < *n; i++) {
		if (!same_variable(entry, env[i]))
			continue;
		free(env[i]);
		env[i] = entry;
		return 0;
	}
	env[(*n)++] = entry;
	return 0;
}

static char *renamed(const char *entry)
{
	char *text;
	return asprintf(&text, "UWSGI_%s", entry + strlen(VASSAL_PREFIX)) < 0 ? NULL : text;
}

static int compose_environment(struct policy *p, char *const *from)
{
	size_t count = 0, n = 0;
	while (from[count])
		count++;
	char **env = calloc(count + 3, sizeof *env);
	if (!env)
		return -ENOMEM;
	p->environment = env;
	int r = 0;
	for (size_t i = 0; i < count && r == 0; i++)
		if (!is_removed(from[i]) && strncmp(from[i], VASSAL_PREFIX, strlen(VASSAL_PREFIX)) != 0)
			r = put(env, &n, strdup(from[i]));
	for (size_t i = 0; i < count && r == 0; i++)
		if (strncmp(from[i], VASSAL_PREFIX, strlen(VASSAL_PREFIX)) == 0 && strchr(from[i], '='))
			r = put(env, &n, renamed(from[i]));
	char *wire;
	if (r == 0)	/* argv[0] of the Emperor that is replaced */
		r = put(env, &n, strdup("UWSGI_ORIGINAL_PROC_NAME=uwsgi"));
	if (r == 0)
		r = put(env, &n, asprintf(&wire, "UWSGI_EMPEROR_FD=%d", LAUNCH_WIRE_FD) < 0 ? NULL : wire);
	return r;
}

/* As after a re-exec: uWSGI then looks for its sockets among the descriptors it has. */
static int compose_held_environment(struct policy *p)
{
	size_t n = 0;
	while (p->environment[n])
		n++;
	p->held_environment = calloc(n + 2, sizeof *p->held_environment);
	if (!p->held_environment)
		return -ENOMEM;
	n = 0;
	for (char **e = p->environment; *e; e++)
		if (!same_variable("UWSGI_RELOADS=", *e))	/* of a UWSGI_VASSAL_RELOADS */
			p->held_environment[n++] = *e;
	p->held_environment[n] = "UWSGI_RELOADS=0";
	return 0;
}

const char *const *policy_environment(const struct policy *p, bool is_held)
{
	return is_held ? p->held_environment : (const char *const *)p->environment;
}

/* ---- argv */

static size_t argv_length(const struct options *o)
{
	size_t lists = o->vassals_inherit_before.n + o->vassals_include_before.n + o->vassals_set.n + o->vassals_inherit.n +
		       o->vassals_include.n;
	return 1 + 2 * lists + 2 + 5 + 1;
}

static size_t add_list(const char **argv, size_t n, const char *option, const struct options_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		argv[n++] = option;
		argv[n++] = list->items[i];
	}
	return n;
}

static size_t add_held(struct policy *p, size_t n, const struct policy_held *held)
{
	const char **a = p->argv;
	a[n++] = "--log-reopen";	/* else its logto stays closed: uWSGI takes it for open, as after a re-exec */
	a[n++] = "--uwsgi-socket";
	a[n++] = held->private_socket;
	if (held->mercy > 0) {
		snprintf(p->mercy, sizeof p->mercy, "%u", held->mercy);
		a[n++] = "--worker-reload-mercy";
		a[n++] = p->mercy;
	}
	return n;
}

static bool is_rehearsable(const char *path)
{
	size_t n = strlen(path);
	return path[0] == '/' && n > 5 && strcmp(path + n - 4, ".ini") == 0;
}

int policy_argv(struct policy *p, const char *name, const struct policy_held *held, const char *const **argv)
{
	const struct options *o = p->options;
	const char **a = p->argv;
	size_t n = 1;
	const char *config = held && held->config ? held->config : NULL;
	if (held && (held->mercy > POLICY_MERCY_MAX || (config && !is_rehearsable(config))))
		return -EINVAL;
	a[0] = p->programs[0];
	n = add_list(a, n, "--inherit", &o->vassals_inherit_before);
	n = add_list(a, n, "--include", &o->vassals_include_before);
	n = add_list(a, n, "--set", &o->vassals_set);
	a[n++] = config ? "--ini" : spec_name_option(name, o->emperor_extra_extension.items);
	a[n++] = config ? config : name;
	n = add_list(a, n, "--inherit", &o->vassals_inherit);
	n = add_list(a, n, "--include", &o->vassals_include);
	if (held)
		n = add_held(p, n, held);
	a[n] = NULL;
	*argv = a;
	return 0;
}

int policy_compose(struct policy *p, char *const *environment)
{
	p->argv = calloc(argv_length(p->options), sizeof *p->argv);
	int r = p->argv ? compose_environment(p, environment) : -ENOMEM;
	return r < 0 ? r : compose_held_environment(p);
}
