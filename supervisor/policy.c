#include "supervisor/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/policy_inside.h"
#include "supervisor/privileges.h"
#include "vassals/spec.h"
#include "vassals/util.h"

/* ---- monitors */

/* As monitor_new() sees it: a single file is a pattern that matches itself. */
static bool is_pattern(const char *text)
{
	struct stat st;
	return strpbrk(text, "*?[") != NULL || (stat(text, &st) == 0 && S_ISREG(st.st_mode));
}

static char *absolute(const char *path)
{
	char *text, cwd[PATH_MAX];
	if (path[0] == '/')
		return strdup(path);
	if (!getcwd(cwd, sizeof cwd) || asprintf(&text, "%s/%s", cwd, path) < 0)
		return NULL;
	return text;
}

static int open_directory(struct policy_monitor *m)
{
	if (m->directory < 0)
		m->directory = open(m->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return m->directory < 0 ? -errno : 0;
}

static int add_monitor(struct policy_monitor *m, const char *argument)
{
	char cwd[PATH_MAX];
	const char *path = argument;
	m->directory = -1;
	if (strncmp(argument, "glob://", 7) == 0 || strncmp(argument, "dir://", 6) == 0)
		path = strstr(argument, "://") + 3;
	m->is_glob = strncmp(argument, "glob://", 7) == 0 || (path == argument && is_pattern(path));
	m->path = m->is_glob ? strdup(path) : absolute(path);
	if (!m->path)
		return -ENOMEM;
	if (!m->is_glob) {
		open_directory(m);	/* may not be there yet */
		m->cwd = strdup(m->path);
	} else {
		m->cwd = getcwd(cwd, sizeof cwd) ? strdup(cwd) : NULL;
	}
	return m->cwd ? 0 : -ENOMEM;
}

/* Once, at the start: a name service that hangs must not hang the keeper later. */
static int find_vassal_users(struct policy *p)
{
	const struct options_list *names = &p->options->vassal_users;
	p->vassal_users = calloc(names->n + 1, sizeof *p->vassal_users);
	if (!p->vassal_users)
		return -ENOMEM;
	for (size_t i = 0; i < names->n; i++) {
		int r = identity_user(names->items[i], &p->vassal_users[i], NULL);
		if (r < 0)
			return r;
		p->n_vassal_users++;
	}
	return 0;
}

int policy_new(const struct options *options, uid_t ruler_uid, char *const *environment, struct policy **ret)
{
	struct policy *p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	p->options = options;
	p->privileged = geteuid() == 0;
	p->ruler_uid = ruler_uid;
	p->programs[0] = options->emperor_wrapper ? options->emperor_wrapper : options->binary_path;
	p->monitors = calloc(options->emperor.n, sizeof *p->monitors);
	p->named.uid = IDENTITY_NONE;
	int r = p->monitors ? policy_compose(p, environment) : -ENOMEM;
	if (r == 0)
		r = find_vassal_users(p);
	if (r == 0 && p->privileged && options->uid_number != IDENTITY_NONE)
		r = identity_with_groups(options->uid_number, options->gid_number, &p->fixed);
	for (size_t i = 0; r == 0 && i < options->emperor.n; i++) {
		p->n_monitors = i + 1;
		r = add_monitor(&p->monitors[i], options->emperor.items[i]);
	}
	if (r < 0) {
		policy_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct policy *policy_free(struct policy *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; i < p->n_monitors; i++) {
		util_close(p->monitors[i].directory);
		free(p->monitors[i].path);
		free(p->monitors[i].cwd);
	}
	for (char **e = p->environment; e && *e; e++)
		free(*e);
	free(p->environment);
	free(p->held_environment);
	free(p->vassal_users);
	free(p->monitors);
	free(p->argv);
	free(p);
	return NULL;
}

/* ---- who may start, as whom */

static bool has_dots(const char *name)
{
	for (const char *p = name; p; p = strchr(p, '/')) {
		p += *p == '/';
		size_t n = strcspn(p, "/");
		if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return true;
	}
	return false;
}

static bool is_inside(const struct policy *p, unsigned monitor, const char *name)
{
	if (monitor >= p->n_monitors || !spec_name_valid(name, p->options->emperor_extra_extension.items))
		return false;
	const struct policy_monitor *m = &p->monitors[monitor];
	if (m->is_glob)	/* dots are fine only where the admin's pattern has them */
		return (!has_dots(name) || has_dots(m->path)) && fnmatch(m->path, name, FNM_PATHNAME | FNM_PERIOD) == 0;
	return strchr(name, '/') == NULL && !has_dots(name);
}

int policy_path(const struct policy *p, unsigned monitor, const char *name, char *path, size_t size)
{
	if (monitor >= p->n_monitors)
		return -EINVAL;
	const struct policy_monitor *m = &p->monitors[monitor];
	if (name[0] == '/')
		return util_format(path, size, "%s", name);
	return util_format(path, size, "%s/%s", m->is_glob ? m->cwd : m->path, name);
}

/* Found by the keeper itself, never told by the ruler: who owns the file under this name right now. */
static int find_owner(struct policy *p, unsigned monitor, const char *name, struct stat *st)
{
	struct policy_monitor *m = &p->monitors[monitor];
	int flags = O_PATH | O_CLOEXEC | (p->options->emperor_tyrant_nofollow ? O_NOFOLLOW : 0);
	if (!m->is_glob && open_directory(m) < 0)
		return -errno;
	int look = privileges_look(true);
	CLEANUP_FD int fd = openat(m->is_glob ? AT_FDCWD : m->directory, name, flags);
	int r = fd < 0 ? -errno : 0;
	if (look == 0)
		privileges_look(false);
	if (r == 0 && fstat(fd, st) < 0)
		r = -errno;
	return r;
}

static int tyrant_identity(struct policy *p, unsigned monitor, const char *name, struct identity *id, char *why, size_t size)
{
	struct stat st;
	int r = find_owner(p, monitor, name, &st);
	if (r < 0) {
		snprintf(why, size, "cannot look at who owns %s: %s", name, strerror(-r));
		return r;
	}
	if (st.st_uid == 0 || st.st_gid == 0) {
		snprintf(why, size, "tyrant mode runs it as its owner, and %s belongs to %u:%u; it needs an owner and a group other than "
			 "root: chown USER:GROUP %s", name, st.st_uid, st.st_gid, name);
		return -EPERM;
	}
	if (st.st_uid == p->ruler_uid) {
		snprintf(why, size, "tyrant mode runs it as its owner, and %s belongs to the ruler's own user %u: chown it to the user "
			 "that the site shall run as", name, st.st_uid);
		return -EPERM;
	}
	*id = (struct identity){ .uid = st.st_uid, .gid = st.st_gid };
	return 0;
}

static bool is_vassal_user(const struct policy *p, uid_t uid)
{
	for (size_t i = 0; i < p->n_vassal_users; i++)
		if (p->vassal_users[i] == uid)
			return true;
	return p->n_vassal_users == 0;
}

static int ini_identity(struct policy *p, const char *name, uid_t uid, gid_t gid, struct identity *id, char *why, size_t size)
{
	if (p->options->vassals_as_root && uid == IDENTITY_NONE) {
		*id = (struct identity){ .uid = IDENTITY_NONE };
		return 0;
	}
	if (uid == IDENTITY_NONE || gid == (gid_t)-1) {
		snprintf(why, size, "regent runs as root and nothing says as whom %s shall run: give it uid and gid in its ini, or give "
			 "regent --uid and --gid, or --emperor-tyrant (or, if it must be root, --vassals-as-root)", name);
		return -EPERM;
	}
	if (uid == 0 || gid == 0 || uid == p->ruler_uid || !is_vassal_user(p, uid)) {
		snprintf(why, size, "%s asks to run as %u:%u, which is not allowed: any user but root and the ruler's own%s", name, uid, gid,
			 p->options->vassal_users.n ? ", and only those of vassal-users" : "");
		return -EPERM;
	}
	if (p->named.uid != uid || p->named.gid != gid) {
		int r = identity_with_groups(uid, gid, &p->named);
		if (r < 0) {
			p->named.uid = IDENTITY_NONE;
			snprintf(why, size, "cannot find the groups of user %u for %s: %s", uid, name, strerror(-r));
			return r;
		}
	}
	*id = p->named;
	return 0;
}

int policy_identity(struct policy *p, unsigned monitor, const char *name, uid_t asked_uid, gid_t asked_gid,
		    struct identity *id, char *why, size_t why_size)
{
	const struct options *o = p->options;
	why[0] = '\0';
	if (!is_inside(p, monitor, name)) {
		snprintf(why, why_size, "the name '%s' does not belong to monitor %u", name, monitor);
		return -EPERM;
	}
	if (!p->privileged) {
		*id = (struct identity){ .uid = IDENTITY_NONE };
		return 0;
	}
	if (o->emperor_tyrant)
		return tyrant_identity(p, monitor, name, id, why, why_size);
	if (o->uid_number == IDENTITY_NONE)
		return ini_identity(p, name, asked_uid, asked_gid, id, why, why_size);
	*id = p->fixed;
	return 0;
}
