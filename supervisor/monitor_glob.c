/* monitor_glob: a pattern as uWSGI's `glob://`: what glob(3) would match without further flags, kept true by events. A tree:
 * one node for each directory in which a wildcard component may match; leaves are the vassals. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "supervisor/monitor_private.h"
#include "vassals/spec.h"
#include "vassals/util.h"

#define LEVELS_MAX 16	/* wildcard components: bounds the depth of the tree */

/* A pattern is literal text, wildcard component, literal, wildcard, ..., literal. */
struct glob_level {
	char *literal;	/* from the last wildcard on, with its slashes: "/srv/", "/conf/" */
	char *wildcard;	/* NULL: the pattern ends with the literal */
};

struct glob {
	struct monitor *m;
	struct glob_level levels[LEVELS_MAX + 1];
	struct glob_node *root;
};

/* By what its level is, a node has children (a directory to be matched in), names (the last such directory) or neither (a file). */
struct glob_node {
	UT_hash_handle hh;
	struct glob *glob;
	unsigned level;
	bool reported, present;
	struct watch_path *watch;
	struct monitor_names *names;
	struct glob_node *children;
	char *key;	/* the name in the parent's directory that it matched by */
	char name[];	/* as matched, relative if the pattern is; a directory's ends in '/' or is "" */
};

static struct glob_node *node_free(struct glob_node *node, bool gone);
static void node_list(struct glob_node *node);

static int node_path(const struct glob_node *node, char path[PATH_MAX])
{
	return util_format(path, PATH_MAX, "%s%s", node->glob->m->base, node->name);
}

static bool is_wild(const struct glob_node *node)
{
	return node->glob->levels[node->level].wildcard != NULL;
}

static void file_report(struct glob_node *node, bool there)
{
	const struct monitor *m = node->glob->m;
	char path[PATH_MAX];
	if ((!there && !node->reported) || node_path(node, path) < 0)
		return;
	node->reported = there;
	m->config.found(m->config.data, node->glob->m, there ? MONITOR_SEEN : MONITOR_GONE, node->name, path);
}

static void file_look(struct glob_node *node, bool hint_there)
{
	char path[PATH_MAX];
	if (!spec_name_valid(node->name, node->glob->m->config.extra_extensions) || node_path(node, path) < 0)
		return;
	int r = monitor_look(node->glob->m, path);
	file_report(node, r == -EACCES ? hint_there : r == 1);
}

static void on_file(void *data, enum watch_hint hint, const char *unused)
{
	(void)unused;
	if (hint != WATCH_WRITING)
		file_look(data, hint == WATCH_CHANGED);
}

static int node_start(struct glob_node *node);

/* The child for what key leads to. Found again if it is there. */
static struct glob_node *child_need(struct glob_node *node, const char *key)
{
	struct glob_node *child;
	char name[PATH_MAX];
	const char *literal = node->glob->levels[node->level + 1].literal;
	HASH_FIND_STR(node->children, key, child);
	if (child != NULL || util_format(name, sizeof(name), "%s%s%s", node->name, key, literal) < 0)
		return child;
	size_t n = strlen(name), k = strlen(key);
	child = calloc(1, sizeof(*child) + n + 1 + k + 1);
	if (child == NULL)
		return NULL;
	child->glob = node->glob;
	child->level = node->level + 1;
	memcpy(child->name, name, n + 1);
	child->key = memcpy(child->name + n + 1, key, k + 1);
	HASH_ADD_KEYPTR(hh, node->children, child->key, k, child);
	if (child->hh.tbl == NULL)
		return node_free(child, false);
	if (node_start(child) < 0) {
		HASH_DEL(node->children, child);
		return node_free(child, false);
	}
	return child;
}

static void child_forget(struct glob_node *node, struct glob_node *child)
{
	HASH_DEL(node->children, child);
	node_free(child, true);
}

/* key may match: what is it now? Directories, and links, which may lead to one now or later. */
static void child_look(struct glob_node *node, const char *key, bool again)
{
	char path[PATH_MAX];
	struct stat st;
	struct glob_node *child;
	if (!monitor_names_match(node->glob->levels[node->level].wildcard, key))
		return;
	HASH_FIND_STR(node->children, key, child);
	bool there = util_format(path, sizeof(path), "%s%s%s", node->glob->m->base, node->name, key) == 0 &&
		     lstat(path, &st) == 0 && (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode));
	if (!there && child != NULL)
		child_forget(node, child);
	if (!there)
		return;
	bool old = child != NULL;
	child = child_need(node, key);
	if (child == NULL)
		return;
	child->present = true;
	if (old && again)
		node_list(child);
}

/* A child that stays hears of it by its own watch. */
static void on_directory(void *data, enum watch_hint hint, const char *name)
{
	(void)hint;
	if (name != NULL)
		child_look(data, name, false);
	else
		node_list(data);
}

static bool children_list(struct glob_node *node)
{
	char path[PATH_MAX];
	const struct dirent *de;
	if (node_path(node, path) < 0)
		return false;
	DIR *dir = opendir(path[0] != '\0' ? path : ".");
	if (dir == NULL)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
	errno = 0;
	while ((de = readdir(dir)) != NULL) {
		child_look(node, de->d_name, true);
		errno = 0;
	}
	bool complete = errno == 0;
	closedir(dir);
	return complete;
}

/* Mark and sweep, from here down. */
static void node_list(struct glob_node *node)
{
	struct glob_node *child, *tmp;
	if (node->names != NULL) {
		monitor_names_rescan(node->names);
		return;
	}
	if (!is_wild(node)) {
		file_look(node, true);
		return;
	}
	HASH_ITER(hh, node->children, child, tmp)
		child->present = false;
	if (!children_list(node))
		return;
	HASH_ITER(hh, node->children, child, tmp)
		if (!child->present)
			child_forget(node, child);
}

static int node_start(struct glob_node *node)
{
	const struct glob_level *level = &node->glob->levels[node->level];
	struct monitor *m = node->glob->m;
	char path[PATH_MAX];
	int r = node_path(node, path);
	if (r < 0)
		return r;
	if (level->wildcard == NULL)
		r = watch_file(m->config.watch, path, on_file, node, &node->watch);
	else if (level[1].wildcard == NULL && level[1].literal[0] == '\0')
		return monitor_names_new(m, path, node->name, level->wildcard, &node->names);
	else
		r = watch_directory(m->config.watch, path, on_directory, node, &node->watch);
	if (r == 0)
		node_list(node);
	return r;
}

static struct glob_node *node_free(struct glob_node *node, bool gone)
{
	struct glob_node *child, *tmp;
	if (node == NULL)
		return NULL;
	HASH_ITER(hh, node->children, child, tmp) {
		HASH_DEL(node->children, child);
		node_free(child, gone);
	}
	if (gone)
		file_report(node, false);
	monitor_names_free(node->names, gone);
	watch_path_free(node->watch);
	free(node);
	return NULL;
}

static void literal_add(char *text, size_t *n, const char *component, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (component[i] == '\\' && i + 1 < length)
			i++;
		text[(*n)++] = component[i];
	}
}

static bool component_is_wild(const char *component, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (component[i] == '\\')
			i++;
		else if (strchr("*?[", component[i]) != NULL)
			return true;
	}
	return false;
}

/* One level: literal components up to a wildcard. Returns what remains, NULL when out of memory. */
static const char *level_parse(struct glob_level *level, const char *at)
{
	size_t n = 0;
	level->literal = calloc(1, strlen(at) + 1);
	if (level->literal == NULL)
		return NULL;
	while (*at != '\0') {
		size_t length = strcspn(at, "/");
		if (length > 0 && component_is_wild(at, length)) {
			level->wildcard = strndup(at, length);
			return level->wildcard != NULL ? at + length : NULL;
		}
		literal_add(level->literal, &n, at, length);
		at += length;
		for (; *at == '/'; at++)
			level->literal[n++] = '/';
	}
	return at;
}

static int parse(struct glob *glob, const char *at)
{
	for (unsigned i = 0; i <= LEVELS_MAX; i++) {
		at = level_parse(&glob->levels[i], at);
		if (at == NULL)
			return -ENOMEM;
		if (glob->levels[i].wildcard == NULL)
			return 0;
	}
	return -E2BIG;
}

static void glob_stop(struct monitor *m)
{
	struct glob *glob = m->state;
	m->state = NULL;
	node_free(glob->root, false);
	for (unsigned i = 0; i <= LEVELS_MAX; i++) {
		free(glob->levels[i].literal);
		free(glob->levels[i].wildcard);
	}
	free(glob);
}

static int glob_start(struct monitor *m)
{
	struct glob *glob = calloc(1, sizeof(*glob));
	if (glob == NULL)
		return -ENOMEM;
	m->state = glob;
	glob->m = m;
	int r = parse(glob, m->argument);
	size_t n = r == 0 ? strlen(glob->levels[0].literal) : 0;
	if (r == 0) {
		glob->root = calloc(1, sizeof(*glob->root) + n + 1);
		r = glob->root != NULL ? 0 : -ENOMEM;
	}
	if (r == 0) {
		glob->root->glob = glob;
		memcpy(glob->root->name, glob->levels[0].literal, n + 1);
		r = node_start(glob->root);
	}
	if (r < 0)
		glob_stop(m);
	return r;
}

static void glob_rescan(struct monitor *m)
{
	const struct glob *glob = m->state;
	node_list(glob->root);
}

const struct monitor_kind monitor_kind_glob = { .scheme = "glob", .start = glob_start, .rescan = glob_rescan, .stop = glob_stop };
