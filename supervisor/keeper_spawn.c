/* keeper_spawn: a start: may it, as whom, with what; then the launch. Held sockets come between the two (keeper_sockets.c). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/keeper_inside.h"
#include "supervisor/logger.h"
#include "vassals/launch.h"
#include "vassals/util.h"

#define WIRE_BYTES (256 * 1024)	/* 278 unread bytes fill the default and block the vassal (tried) */

void keeper_spawn_failed(struct keeper *k, uint64_t generation, unsigned stage, int error)
{
	keeper_post(k, &(struct link_message){ .kind = LINK_FAILED, .generation = generation, .arg = stage, .error = error });
}

struct ends { int wire, vassal_wire, output, vassal_output; };

static void close_ends(struct ends *e)
{
	e->wire = util_close(e->wire);
	e->vassal_wire = util_close(e->vassal_wire);
	e->output = util_close(e->output);
	e->vassal_output = util_close(e->vassal_output);
}

static int make_ends(const struct keeper *k, const struct identity *id, struct ends *e)
{
	int pair[2], bytes = WIRE_BYTES;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	e->wire = pair[0];
	e->vassal_wire = pair[1];
	if ((rlim_t)pair[1] + KEEPER_SPARE_FDS >= k->max_fds)
		return -EMFILE;
	setsockopt(e->vassal_wire, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	e->output = pair[0];
	e->vassal_output = pair[1];
	/* So that the vassal may open /dev/stderr again. */
	if (id->uid != IDENTITY_NONE && fchown(e->vassal_output, id->uid, id->gid) < 0)
		return -errno;
	/* The wire needs no O_NONBLOCK: who reads or writes it says MSG_DONTWAIT. */
	return fcntl(e->output, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int launch(struct keeper *k, const struct keeper_spawn *s, struct ends *e, struct launched *result)
{
	struct policy *p = k->config->policy;
	struct launch what = {
		.programs = p->programs, .envp = policy_environment(p, s->held != NULL), .cwd = p->monitors[s->monitor].cwd,
		.identity = *s->identity, .in = -1, .out = e->vassal_output, .wire = e->vassal_wire, .sockets = s->sockets,
		.n_sockets = s->n_sockets, .mask = &k->config->vassal_mask, .ignored = SIGPIPE, .nofile = k->config->vassal_nofile,
	};
	int r = policy_argv(p, s->name, s->held, &what.argv);
	if (r < 0) {
		*result = (struct launched){ .pidfd = -1, .stage = LAUNCH_POLICY, .error = -r };
		return r;
	}
	return launch_start(&what, result);
}

static int hold(struct keeper *k, const struct keeper_spawn *s, struct ends *e, struct launched *result)
{
	int r = holdings_add(&k->held, s->generation, s->name, result->pid, result->pidfd, e->wire, e->output);
	if (r < 0) {	/* out of memory: it must not run unheld */
		syscall(SYS_pidfd_send_signal, result->pidfd, SIGKILL, NULL, 0);
		util_close(result->pidfd);
		keeper_spawn_failed(k, s->generation, LAUNCH_DESCRIPTORS, -r);
		return r;
	}
	e->wire = e->output = -1;
	struct holding *g = holdings_find(&k->held, s->generation);
	if (s->held) {
		g->is_held = true;
		g->is_rehearsal = s->held->config != NULL;
		g->side = s->side;
		g->reach = fcntl(s->reach, F_DUPFD_CLOEXEC, 0);	/* without it the gate has nothing to ask */
	}
	struct link_message answer = { .kind = LINK_STARTED, .generation = g->generation, .pid = g->pid,
				       .fds = { g->wire, g->output, g->reach }, .n_fds = g->reach >= 0 ? 3 : 2 };
	keeper_post(k, &answer);
	return 0;
}

int keeper_launch(struct keeper *k, const struct keeper_spawn *s)
{
	struct ends e = { -1, -1, -1, -1 };
	struct launched result;
	int r = make_ends(k, s->identity, &e);
	if (r < 0) {
		logger_once(LOG_ERR, s->name, util_now(), "keeper: cannot start %s: %s", s->name, strerror(-r));
		keeper_spawn_failed(k, s->generation, LAUNCH_DESCRIPTORS, -r);
	} else if ((r = launch(k, s, &e, &result)) < 0) {
		logger_once(LOG_ERR, s->name, util_now(), "keeper: cannot start %s: %s: %s%s%s", s->name,
			    launch_stage_name(result.stage), strerror(result.error), result.stage == LAUNCH_EXEC ? ": " : "",
			    result.stage == LAUNCH_EXEC ? k->config->policy->programs[0] : "");
		keeper_spawn_failed(k, s->generation, result.stage, result.error);
	} else {
		r = hold(k, s, &e, &result);
	}
	close_ends(&e);
	return r;
}

static bool may_spawn(struct keeper *k, const struct link_message *m, struct identity *id)
{
	char why[1024];
	if (m->generation <= k->held.newest) {
		keeper_refuse(k, m, "its number is not new");
		return false;
	}
	if (!m->text && (holdings_live(&k->held, m->name) > 0 || keeper_sockets_live(k, m->name))) {
		keeper_refuse(k, m, "a generation of it is alive");
		return false;
	}
	if (!m->text && m->arg & (LINK_SPAWN_BESIDE | LINK_SPAWN_REHEARSAL)) {
		keeper_refuse(k, m, "nothing stands beside another without held sockets");
		return false;
	}
	if (policy_identity(k->config->policy, m->monitor, m->name, m->uid, m->gid, id, why, sizeof why) < 0) {
		logger_once(LOG_ERR, m->name, util_now(), "keeper: refused to start %s: %s", m->name, why);
		return false;
	}
	return true;
}

void keeper_take_spawn(struct keeper *k, struct link_message *m)
{
	struct identity id;
	struct keeper_order *order = NULL;
	if (!may_spawn(k, m, &id) || (m->text && !keeper_may_hold(k, m, &id, &order))) {
		keeper_spawn_failed(k, m->generation, LAUNCH_POLICY, EPERM);
		return;
	}
	k->held.newest = m->generation;
	int r = holdings_record(&k->held, m->name, m->record, m->record_size);
	if (r < 0) {
		logger_once(LOG_ERR, m->name, util_now(), "keeper: cannot start %s: %s", m->name, strerror(-r));
		free(order);
		keeper_spawn_failed(k, m->generation, LAUNCH_DESCRIPTORS, -r);
	} else if (order) {
		keeper_order_spawn(k, m->name, order);
	} else {
		keeper_launch(k, &(struct keeper_spawn){ .generation = m->generation, .name = m->name, .monitor = m->monitor,
							 .identity = &id });
	}
}
