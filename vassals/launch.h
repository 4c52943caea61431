/* launch: from clone to exec. Starts one program as another user with exactly the descriptors it is given; comes back with
 * stage and errno if any step fails. The caller prepares everything before; nothing is allocated or looked up in the child.
 * Only the keeper calls it. */
#ifndef REGENT_LAUNCH_H
#define REGENT_LAUNCH_H

#include <signal.h>
#include <sys/resource.h>

#include "vassals/identity.h"

enum launch_stage {
	LAUNCH_OK, LAUNCH_POLICY, LAUNCH_DESCRIPTORS, LAUNCH_CLONE, LAUNCH_SIGNALS, LAUNCH_SESSION, LAUNCH_LIMITS,
	LAUNCH_PLACE_FDS, LAUNCH_GROUPS_AND_IDS, LAUNCH_CHDIR, LAUNCH_EXEC, LAUNCH_FROZEN,
	LAUNCH_SOCKETS,		/* before all that: its sockets could not be bound */
	LAUNCH_STAGES
};
const char *launch_stage_name(unsigned stage);	/* "exec", "clone", ... "?" beyond the table */

/* The child sees: 0 = in, 1 and 2 = out, 3 = wire, from 4 on its sockets. The launcher stages them at LAUNCH_STAGE_FD + 0..2 and what
 * follows, which must be free or reserved in the caller, so that close_range can cut everything above off without copying the whole table. */
#define LAUNCH_STAGE_FD 4
#define LAUNCH_SOCKETS_MAX 17	/* SOCKETS_MAX and the private one */
#define LAUNCH_SOCKETS_FD 4	/* where the vassal finds the first */
#define LAUNCH_WIRE_FD 3	/* where the vassal finds its wire: UWSGI_EMPEROR_FD=3 */
#define LAUNCH_FROZEN_MS 200	/* a child that has not reached exec by then was frozen by a tenant: it is killed */

struct launch {
	const char *const *argv;	/* argv[0] is searched on PATH (execvpe: the caller's own PATH) when it has no slash */
	const char *const *programs;	/* NULL-terminated list tried in order; each replaces argv[0] */
	const char *const *envp;
	const char *cwd;
	struct identity identity;
	int in, out, wire;		/* in: -1 is /dev/null, for reading and writing, as the Emperor gives it */
	const int *sockets;		/* listening ones that are held for it; at most LAUNCH_SOCKETS_MAX */
	unsigned n_sockets;
	const sigset_t *mask;		/* the vassal's signal mask */
	int ignored;			/* the one signal that it starts with ignored (the Emperor's vassals: SIGPIPE); 0: none */
	struct rlimit nofile;		/* the vassal's, not ours */
};

struct launched { pid_t pid; int pidfd; enum launch_stage stage; int error; };

/* Once, before anything else is opened: keeps the numbers 3 to LAUNCH_STAGE_FD + 2 + LAUNCH_SOCKETS_MAX for later. 0 or negative errno. */
int launch_reserve(void);
/* Once, before the first launch: the child's stack, the descriptor table grown to at most table_size. Signals that are caught or
 * ignored now are what a child sets back to default: none may be added later. 0 or negative errno. */
int launch_prepare(unsigned table_size);
/* 0 and pid, pidfd (owned by the caller); or negative errno with result->stage set. All signals must be blocked by the caller. */
int launch_start(const struct launch *what, struct launched *result);

#endif
