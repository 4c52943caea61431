/* keeper: the privileged process: starts, reaps, signals, holds; restarts the ruler. It reads no config, no path, no client; what a
 * ruler asks is measured against policy.h first. */
#ifndef REGENT_KEEPER_H
#define REGENT_KEEPER_H

#include <signal.h>
#include <sys/resource.h>

#include "supervisor/options.h"
#include "supervisor/policy.h"

/* What a new ruler process is given. */
struct ruler_start {
	const struct options *options;
	int link, control, log;		/* descriptors; -1: none */
	uid_t uid;			/* whom to become; IDENTITY_NONE: stay */
	gid_t gid;
	uid_t owner;			/* who started regent */
	pid_t keeper;
	uint64_t started;		/* monotonic ns: the court's first listing happened already if this is not the first ruler */
	bool first;			/* no ruler of this keeper has listed the court yet */
};

struct keeper_config {
	const struct options *options;
	struct policy *policy;
	int control;			/* the listening control socket, -1: none */
	int log;			/* open log file, or -1 */
	sigset_t vassal_mask;		/* the signal mask we were started with: the vassals' */
	struct rlimit vassal_nofile;
	uid_t ruler_uid;
	gid_t ruler_gid;
	uid_t owner;
	/* The ruler's main function, in the child; its return value is the exit status. */
	int (*ruler)(const struct ruler_start *start);
};

/* All signals blocked by the caller, capabilities already lowered. Runs until everything is stopped. Returns the exit status. */
int keeper_run(const struct keeper_config *config);

#endif
