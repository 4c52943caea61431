#include "vassals/launch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vassals/util.h"

#define STACK_SIZE (256UL * 1024)	/* execvpe keeps a path and a copy of argv on it */
#define GUARD_SIZE (64UL * 1024)
#define N_STAGED 3			/* in, out, wire; then the sockets */
#define N_RESERVED (N_STAGED + LAUNCH_SOCKETS_MAX)

static const char *const stage_names[] = {
	[LAUNCH_OK] = "ok", [LAUNCH_POLICY] = "policy", [LAUNCH_DESCRIPTORS] = "descriptors", [LAUNCH_CLONE] = "clone",
	[LAUNCH_SIGNALS] = "signals", [LAUNCH_SESSION] = "setsid", [LAUNCH_LIMITS] = "limits",
	[LAUNCH_PLACE_FDS] = "placing descriptors", [LAUNCH_GROUPS_AND_IDS] = "dropping privileges",
	[LAUNCH_CHDIR] = "chdir", [LAUNCH_EXEC] = "exec", [LAUNCH_FROZEN] = "frozen before exec",
	[LAUNCH_SOCKETS] = "binding its sockets",
};
static_assert(ARRAY_SIZE(stage_names) == LAUNCH_STAGES, "a stage without a name");

const char *launch_stage_name(unsigned stage)
{
	return stage < LAUNCH_STAGES ? stage_names[stage] : "?";
}

/* Shared with the child, which runs in our memory until it execs. */
struct child {
	const struct launch *what;
	volatile int stage, error;
	int tid;	/* the kernel clears it, and wakes us, when the child execs or ends */
};

static char *stack;	/* of the one child there is at a time */

static int new_stack(void)
{
	char *map = mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	if (mprotect(map + GUARD_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE) < 0) {
		int r = -errno;
		munmap(map, GUARD_SIZE + STACK_SIZE);
		return r;
	}
	stack = map + GUARD_SIZE;
	return 0;
}

/* Growing a descriptor table while it is shared stalls for milliseconds (tried), so it is grown once, before. */
static int grow_table(unsigned size)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, size - 1);
	if (fd < 0)
		return errno == EINVAL || errno == EMFILE ? 0 : -errno;	/* at the limit: then it cannot grow later either */
	close(fd);
	return 0;
}

int launch_reserve(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	int r = 0;
	for (int fd = LAUNCH_WIRE_FD; fd < LAUNCH_STAGE_FD + N_RESERVED && r == 0; fd++)
		if (null != fd && dup3(null, fd, O_CLOEXEC) < 0)
			r = -errno;
	if (null >= LAUNCH_STAGE_FD + N_RESERVED)
		close(null);
	return r;
}

/* Those that a child must set back. Setting back all of them costs a start 62 system calls (tried: 5 % of it). */
static int caught[NSIG];
static unsigned n_caught;

static void note_caught(void)
{
	struct sigaction action;
	n_caught = 0;
	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && sigaction(sig, NULL, &action) == 0 &&
		    ((action.sa_flags & SA_SIGINFO) || action.sa_handler != SIG_DFL))
			caught[n_caught++] = sig;
}

int launch_prepare(unsigned table_size)
{
	note_caught();
	int r = new_stack();
	return r < 0 ? r : grow_table(table_size);
}

/* ---- in the child: our memory, its own process. Nothing here may allocate, lock, or return. */

#define IN_CHILD __attribute__((no_sanitize("address", "undefined"), noinline))

IN_CHILD static int child_signals(int ignored)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	for (unsigned i = 0; i < n_caught; i++)
		if (sigaction(caught[i], &action, NULL) < 0)
			return -1;
	action.sa_handler = SIG_IGN;
	return ignored != 0 ? sigaction(ignored, &action, NULL) : 0;
}

IN_CHILD static int child_descriptors(unsigned n_sockets)
{
	if (close_range(LAUNCH_STAGE_FD + N_STAGED + n_sockets, ~0U, CLOSE_RANGE_UNSHARE) < 0)
		return -1;
	if (dup2(LAUNCH_STAGE_FD, 0) < 0 || dup2(LAUNCH_STAGE_FD + 1, 1) < 0 || dup2(LAUNCH_STAGE_FD + 1, 2) < 0 ||
	    dup2(LAUNCH_STAGE_FD + 2, LAUNCH_WIRE_FD) < 0)
		return -1;
	for (unsigned i = 0; i < n_sockets; i++)	/* downwards: what is overwritten has been moved already */
		if (dup2(LAUNCH_STAGE_FD + N_STAGED + (int)i, LAUNCH_SOCKETS_FD + (int)i) < 0)
			return -1;
	return close_range(LAUNCH_SOCKETS_FD + n_sockets, LAUNCH_STAGE_FD + N_STAGED + n_sockets - 1, 0);
}

IN_CHILD static int child_identity(const struct launch *what, bool *inside)
{
	/* Before the drop as the Emperor in tyrant mode does; a directory that only the vassal's user may enter: after it. */
	*inside = chdir(what->cwd) == 0;
	int r = identity_drop(&what->identity);
	if (r < 0)
		errno = -r;
	return r;
}

IN_CHILD static void child_exec(const struct launch *what)
{
	char **argv = (char **)(uintptr_t)what->argv;
	for (const char *const *p = what->programs; *p; p++) {
		argv[0] = (char *)(uintptr_t)*p;
		execvpe(*p, argv, (char *const *)(uintptr_t)what->envp);
	}
}

#define STEP(which, failed) do { c->stage = (which); if (failed) goto out; } while (0)

IN_CHILD static int child_main(void *arg)
{
	struct child *c = arg;
	const struct launch *what = c->what;
	bool inside = false;

	STEP(LAUNCH_SIGNALS, child_signals(what->ignored) < 0);
	STEP(LAUNCH_SESSION, setsid() < 0);
	STEP(LAUNCH_PLACE_FDS, child_descriptors(what->n_sockets) < 0);
	STEP(LAUNCH_LIMITS, setrlimit(RLIMIT_NOFILE, &what->nofile) < 0);
	STEP(LAUNCH_GROUPS_AND_IDS, child_identity(what, &inside) < 0);
	STEP(LAUNCH_CHDIR, !inside && chdir(what->cwd) < 0);
	STEP(LAUNCH_SIGNALS, sigprocmask(SIG_SETMASK, what->mask, NULL) < 0);
	c->stage = LAUNCH_EXEC;
	child_exec(what);
out:
	c->error = errno != 0 ? errno : EIO;
	syscall(SYS_exit_group, 127);
	return 127;
}

/* ---- in the keeper */

static int stage_descriptors(const struct launch *what)
{
	const int from[N_STAGED] = { what->in, what->out, what->wire };
	if (what->n_sockets > LAUNCH_SOCKETS_MAX)
		return -E2BIG;
	for (unsigned i = 0; i < what->n_sockets; i++)
		if (dup3(what->sockets[i], LAUNCH_STAGE_FD + N_STAGED + (int)i, O_CLOEXEC) < 0)
			return -errno;
	for (int i = 0; i < N_STAGED; i++)
		if (from[i] >= 0 && dup3(from[i], LAUNCH_STAGE_FD + i, O_CLOEXEC) < 0)
			return -errno;
	return 0;
}

/* The reserved numbers go back to /dev/null: a vassal's ends left open in the keeper would hide their end of file, and a socket that
 * was let go of would go on listening. */
static void unstage_descriptors(const struct launch *what)
{
	int n = N_STAGED + (int)(what->n_sockets <= LAUNCH_SOCKETS_MAX ? what->n_sockets : 0);
	for (int i = what->in >= 0 ? 0 : 1; i < n; i++)
		dup3(LAUNCH_WIRE_FD, LAUNCH_STAGE_FD + i, O_CLOEXEC);
}

static bool wait_for_exec(struct child *c)
{
	uint64_t deadline = util_now() + LAUNCH_FROZEN_MS * NSEC_PER_MSEC;
	int tid;
	while ((tid = __atomic_load_n(&c->tid, __ATOMIC_ACQUIRE)) != 0) {
		uint64_t now = util_now();
		if (now >= deadline)
			return false;
		struct timespec left = { .tv_sec = 0, .tv_nsec = (long)(deadline - now) };
		syscall(SYS_futex, &c->tid, FUTEX_WAIT, tid, &left, NULL, 0);
	}
	return true;
}

/* It was stopped, by a tenant with the same uid, or hangs in the kernel. Its stack is ours: it must be gone before we go on, or
 * keep the stack. */
static void end_frozen(struct child *c, struct launched *result)
{
	syscall(SYS_pidfd_send_signal, result->pidfd, SIGKILL, NULL, 0);
	if (!wait_for_exec(c))
		new_stack();	/* the old one stays with the child for ever; on failure we go on with it: EXEC cannot come now */
}

static int reap(struct launched *result, enum launch_stage stage, int error)
{
	siginfo_t info;
	waitid(P_PIDFD, (id_t)result->pidfd, &info, WEXITED | (stage == LAUNCH_FROZEN ? WNOHANG : 0));
	result->pidfd = util_close(result->pidfd);
	result->stage = stage;
	result->error = error;
	return -error;
}

/* The child outlives this function's frame only if it is frozen for good. */
static struct child *child_memory(void)
{
	static struct child *c;
	if (!c || c->tid != 0)
		c = calloc(1, sizeof *c);
	return c;
}

int launch_start(const struct launch *what, struct launched *result)
{
	*result = (struct launched){ .pidfd = -1, .stage = LAUNCH_CLONE, .error = ENOMEM };
	struct child *c = child_memory();
	if (!c)
		return -ENOMEM;
	*c = (struct child){ .what = what, .tid = -1 };
	int r = stage_descriptors(what);
	if (r < 0) {
		result->stage = LAUNCH_DESCRIPTORS;
		result->error = -r;
		c->tid = 0;
		unstage_descriptors(what);
		return r;
	}
	int pid = clone(child_main, stack + STACK_SIZE, CLONE_VM | CLONE_FILES | CLONE_PIDFD | CLONE_CHILD_CLEARTID | SIGCHLD, c,
			&result->pidfd, NULL, &c->tid);
	int error = errno;
	if (pid < 0) {
		result->error = error;
		c->tid = 0;
		unstage_descriptors(what);
		return -error;
	}
	result->pid = pid;
	bool gone = wait_for_exec(c);
	unstage_descriptors(what);
	if (!gone) {
		end_frozen(c, result);
		return reap(result, LAUNCH_FROZEN, ETIMEDOUT);
	}
	if (c->error != 0)
		return reap(result, (enum launch_stage)c->stage, c->error);
	result->stage = LAUNCH_OK;
	result->error = 0;
	return 0;
}
