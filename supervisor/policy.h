/* policy: what the keeper refuses. Fixed at start from the admin's own command line; a request of the ruler's is measured against it
 * and never widens it. Also what the keeper composes itself: argv, environment, directory, identity. */
#ifndef REGENT_POLICY_H
#define REGENT_POLICY_H

#include <stddef.h>

#include "supervisor/options.h"
#include "vassals/identity.h"

struct policy_monitor {
	bool is_glob;
	char *path;		/* absolute directory, or the pattern as given */
	char *cwd;		/* working directory of its vassals */
	int directory;		/* O_PATH, -1 while it is not there (looked for again) */
};

struct policy {
	const struct options *options;
	bool privileged;	/* we are root: vassals become somebody else */
	uid_t ruler_uid;	/* nobody runs as the ruler */
	struct policy_monitor *monitors;
	size_t n_monitors;
	uid_t *vassal_users;	/* of --vassal-users */
	size_t n_vassal_users;
	char **environment;	/* of every vassal */
	const char **held_environment;	/* of those whose sockets are held: its entries and one more */
	const char **argv;	/* scratch for one launch, and its programs */
	const char *programs[3];
	char mercy[16];
	struct identity fixed;	/* of --uid and --gid, with their groups; looked up once, as the Emperor does */
	struct identity named;	/* the one an ini named last: groups of the next with the same ids need no look-up */
};

int policy_new(const struct options *options, uid_t ruler_uid, char *const *environment, struct policy **ret);
struct policy *policy_free(struct policy *p);

/* May a vassal of this name be started from this monitor, and as whom? asked_uid, asked_gid: what the ruler read in the ini, used only
 * where neither --uid nor tyrant decides. 0 and *id; or -EPERM, -ENOENT, ... and one line in why (who, found, needed, remedy). */
int policy_identity(struct policy *p, unsigned monitor, const char *name, uid_t asked_uid, gid_t asked_gid,
		    struct identity *id, char *why, size_t why_size);
/* A vassal whose sockets are held gets some arguments more. */
struct policy_held {
	const char *private_socket;	/* its path */
	unsigned mercy;			/* --worker-reload-mercy, s; 0: as its ini says */
	const char *config;		/* a rehearsal: this in place of its name; NULL: none */
};
#define POLICY_MERCY_MAX 86400
/* argv for name; valid until the next call. argv[0] is set by whoever launches, from p->programs. held: NULL if it is not. 0; -EINVAL: a mercy
 * beyond its maximum, or a config that is no absolute path of an ini. */
int policy_argv(struct policy *p, const char *name, const struct policy_held *held, const char *const **argv);
const char *const *policy_environment(const struct policy *p, bool is_held);
/* The absolute path to look at. 0 or -ENAMETOOLONG. */
int policy_path(const struct policy *p, unsigned monitor, const char *name, char *path, size_t size);

#endif
