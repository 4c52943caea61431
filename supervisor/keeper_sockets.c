/* keeper_sockets: what is asked of held sockets: a start that brings some, a switch, the end; what may be asked, what a helper has to do for
 * it, and what its end means. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/keeper_inside.h"
#include "supervisor/logger.h"
#include "vassals/launch.h"
#include "vassals/util.h"

#define FLAGS (LINK_SPAWN_BESIDE | LINK_SPAWN_REHEARSAL)
#define MERCY_SHIFT 8
#define CONFIG "config="

static_assert(LAUNCH_SOCKETS_MAX >= SOCKETS_MAX + 1, "a vassal's sockets and its private one");

/* ---- may it */

static bool unheld_lives(const struct keeper *k, const struct held *held, const char *name)
{
	unsigned started = 0;
	for (int side = 0; held && side < 2; side++)
		started += held->living[side] != 0 && holdings_find(&k->held, held->living[side]) != NULL;
	return holdings_live(&k->held, name) > started;
}

static const char *why_not(const struct keeper *k, const struct held *held, const struct link_message *m, unsigned reached)
{
	bool beside = m->arg & LINK_SPAWN_BESIDE;
	if ((m->arg & ((1U << MERCY_SHIFT) - 1) & ~FLAGS) || m->arg >> MERCY_SHIFT > POLICY_MERCY_MAX)
		return "flags or mercy that there are not";
	if ((m->arg & LINK_SPAWN_REHEARSAL) && !beside)
		return "a rehearsal is beside another";
	if (k->n_orders >= KEEPER_ORDERS_MAX || (held && held->n_orders >= KEEPER_ORDERS_OF_ONE_MAX))
		return "too many orders";
	if (unheld_lives(k, held, m->name))
		return "a generation of it is alive, whose sockets are not held";
	if (beside && (!held || held->living[reached] == 0))
		return "there is no generation of it to be beside";
	if (held && held->living[beside ? !reached : reached] != 0)
		return beside ? "two generations of it are alive" : "a generation of it is alive";
	return NULL;
}

/* The last line of a rehearsal's text is taken off. */
static int split_config(struct keeper_order *order)
{
	size_t n = strlen(order->text);
	if (n < 2 || order->text[n - 1] != '\n')
		return -EINVAL;
	order->text[n - 1] = '\0';
	char *line = strrchr(order->text, '\n');
	if (!line || strncmp(line + 1, CONFIG, strlen(CONFIG)) != 0)
		return -EINVAL;
	order->config = line + 1 + strlen(CONFIG);
	return 0;
}

static int read_text(struct keeper *k, const struct link_message *m, struct keeper_order *order)
{
	const char *const *argv;
	char text[SOCKETS_TEXT_MAX];
	strcpy(order->text, m->text);
	if ((m->arg & LINK_SPAWN_REHEARSAL) && split_config(order) < 0)
		return -EINVAL;
	struct policy_held held = { .private_socket = "", .config = order->config };
	size_t n = order->config ? (size_t)(order->config - order->text) - strlen(CONFIG) : strlen(order->text);
	int r = policy_argv(k->config->policy, m->name, &held, &argv);
	if (r == 0 && util_format(text, sizeof text, "%.*s", (int)n, order->text) < 0)
		r = -E2BIG;
	return r < 0 ? r : sockets_parse(text, &order->wish);
}

bool keeper_may_hold(struct keeper *k, const struct link_message *m, const struct identity *id, struct keeper_order **ret)
{
	const struct held *held = holdings_sockets(&k->held, m->name);
	unsigned reached = held ? held->side : 0;
	const char *why = why_not(k, held, m, reached);
	if (why) {
		keeper_refuse(k, m, why);
		return false;
	}
	struct keeper_order *order = calloc(1, sizeof *order + strlen(m->text) + 1);
	if (!order || read_text(k, m, order) < 0) {
		keeper_refuse(k, m, order ? "its text names no sockets that can be held, or no config that may be rehearsed" : "no memory");
		free(order);
		return false;
	}
	order->kind = KEEPER_ORDER_SPAWN;
	order->generation = m->generation;
	order->arg = m->arg;
	order->monitor = m->monitor;
	order->is_beside = m->arg & LINK_SPAWN_BESIDE;
	order->side = (uint8_t)(order->is_beside ? !reached : reached);
	order->identity = *id;
	*ret = order;
	return true;
}

void keeper_order_spawn(struct keeper *k, const char *name, struct keeper_order *order)
{
	struct held *held = holdings_sockets(&k->held, name);
	if (!held)
		held = holdings_sockets_new(&k->held, name);
	if (!held) {
		keeper_spawn_failed(k, order->generation, LAUNCH_SOCKETS, ENOMEM);
		free(order);
		return;
	}
	held->living[order->side] = order->generation;
	held->is_closed = false;
	keeper_order(held, order, k);
}

/* ---- what its helper has to do */

static int belongs(struct held *held, const struct keeper_order *order)
{
	const struct identity *id = held->identity;
	if (!held->addresses)
		return held_belongs(held, &order->identity);
	if (id->uid == order->identity.uid && id->gid == order->identity.gid)
		return 0;
	for (const struct held_address *a = held->addresses; a; a = a->next)
		if (a->users[0] != 0 || a->users[1] != 0) {
			logger_once(LOG_ERR, held->name, util_now(), "keeper: %s is to run as another user, whose sockets cannot stand beside "
				    "the old ones: restart it", held->name);
			return -EPERM;
		}
	for (struct held_address *a = held->addresses; a; a = a->next)
		a->unwanted = true;
	return -EAGAIN;
}

static int compose_spawn(struct keeper *k, struct held *held, struct keeper_order *order, struct helper_work *w)
{
	int r = belongs(held, order);
	if (r < 0)
		return r;
	w->task = HELPER_PREPARE;
	w->wish = order->wish;
	w->identity = &order->identity;
	w->inotify = keeper_repair_inotify(k);
	w->side = order->side;
	w->apart = order->is_beside;
	w->config = k->config->policy->privileged ? order->config : NULL;	/* else the ruler is the vassals' user anyway */
	w->ruler_uid = k->config->ruler_uid;
	w->ruler_gid = k->config->ruler_gid;
	for (struct held_address *a = held->addresses; a; a = a->next) {
		a->is_hidden |= a->is_inherited;
		a->is_inherited = false;
	}
	for (unsigned i = 0; i < w->wish.n; i++) {
		const char *text = w->wish.address[i];
		const struct held_address *other = holdings_address(&k->held, text);
		struct held_address *a = held_find(held, text);
		w->pairs[i] = a ? a->pair : (struct sockets_pair){ { -1, -1 } };
		if (a) {
			a->users[order->side] = order->generation;
			if (!order->is_beside && (a->is_hidden || a->side != order->side))
				w->lead |= 1U << i;
		} else if (other || keeper_is_binding(k, held, text)) {
			logger_once(LOG_ERR, held->name, util_now(), "keeper: %s: %s is held for %s", held->name, text,
				    other ? other->of->name : "another");
			return -EADDRINUSE;
		}
	}
	return 0;
}

/* The path of the only one that is given up is led to the only one that is new: a socket that has moved. */
static void compose_departing(const struct held *held, const struct keeper_order *order, struct helper_work *w)
{
	unsigned gone = 0, new = 0;
	w->heir = -1;
	for (const struct held_address *a = held->addresses; a; a = a->next) {
		bool has = a->users[order->side] == order->generation, had = a->users[!order->side] != 0;
		if (has && !had && sockets_is_unix(a->text)) {
			new++;
			for (unsigned i = 0; i < w->wish.n; i++)
				if (strcmp(w->wish.address[i], a->text) == 0)
					w->heir = (int)i;
		}
		if (has || !had || w->n_departing == SOCKETS_MAX)
			continue;
		gone += sockets_is_unix(a->text);
		strcpy(w->departing[w->n_departing], a->text);
		w->departing_pairs[w->n_departing++] = a->pair;
	}
	if (gone != 1 || new != 1)
		w->heir = -1;
}

static int compose_switch(struct keeper *k, struct held *held, const struct keeper_order *order, struct helper_work *w)
{
	const struct holding *g = holdings_find(&k->held, order->generation);
	if (!g || g->ended)
		return -ESRCH;
	w->task = HELPER_SWITCH;
	w->side = order->side;
	for (const struct held_address *a = held->addresses; a && w->wish.n < SOCKETS_MAX; a = a->next)
		if (a->users[order->side] == order->generation) {
			strcpy(w->wish.address[w->wish.n], a->text);
			w->pairs[w->wish.n++] = a->pair;
		}
	compose_departing(held, order, w);
	return 0;
}

int keeper_compose(struct keeper *k, struct held *held, struct keeper_order *order, struct helper_work *w)
{
	return order->kind == KEEPER_ORDER_SPAWN ? compose_spawn(k, held, order, w) : compose_switch(k, held, order, w);
}

/* ---- what came of it */

static int take_bound(struct keeper *k, struct held *held, const struct keeper_order *order, const struct helper_work *w,
		      const struct helper_answer *answer, struct sockets_pair pairs[SOCKETS_MAX])
{
	int r = 0;
	for (unsigned i = 0; i < w->wish.n; i++) {
		bool is_new = pairs[i].fd[0] >= 0;
		int added = is_new ? held_add(&k->held, held, w->wish.address[i], &pairs[i]) : 0;
		if (added < 0) {
			util_close(pairs[i].fd[0]);
			util_close(pairs[i].fd[1]);
			r = added;
			continue;
		}
		struct held_address *a = held_find(held, w->wish.address[i]);
		if (is_new || w->lead & (1U << i)) {
			a->is_hidden = w->apart;
			a->side = order->side;
		}
		keeper_repair_watched(k, a, answer->watches[i]);
		if (!order->is_cancelled)
			a->users[order->side] = order->generation;
		a->unwanted = held->is_closed;
	}
	if (answer->watch_error != 0)
		logger_once(LOG_WARNING, held->name, util_now(), "keeper: %s: cannot watch where its sockets are: %s; one that is deleted is "
			    "not repaired before the next handover", held->name, strerror(answer->watch_error));
	return r;
}

static int private_path(const struct keeper *k, uint64_t generation, char *path, size_t size)
{
	const char *directory = k->config->options->run_directory;
	char whole[PATH_MAX];
	if (!directory || !realpath(directory, whole))
		return directory ? -errno : -ENOENT;
	return util_format(path, size, "%s/probe.%llu", whole, (unsigned long long)generation);
}

static int launch_with_sockets(struct keeper *k, struct held *held, const struct keeper_order *order)
{
	int sockets[SOCKETS_MAX + 1];
	unsigned n = order->wish.n;
	char path[SOCKETS_ADDRESS_MAX];
	CLEANUP_FD int listener = -1;
	CLEANUP_FD int reach = -1;
	int r = private_path(k, order->generation, path, sizeof path);
	if (r == 0)
		r = sockets_private(path, &listener, &reach);
	if (r < 0) {
		logger_once(LOG_ERR, held->name, util_now(), "keeper: %s: cannot make its private socket in the run directory: %s", held->name,
			    strerror(-r));
		keeper_spawn_failed(k, order->generation, LAUNCH_SOCKETS, -r);
		return r;
	}
	for (unsigned i = 0; i < n; i++)
		sockets[i] = held_find(held, order->wish.address[i])->pair.fd[order->side];
	sockets[n] = listener;
	struct policy_held extra = { .private_socket = path, .mercy = order->arg >> MERCY_SHIFT, .config = order->config };
	return keeper_launch(k, &(struct keeper_spawn){ .generation = order->generation, .name = held->name, .monitor = order->monitor,
							.identity = &order->identity, .held = &extra, .sockets = sockets,
							.n_sockets = n + 1, .reach = reach, .side = order->side });
}

static void finish_spawn(struct keeper *k, struct held *held, struct keeper_order *order, const struct helper_work *w, int error,
			 const struct helper_answer *answer, struct sockets_pair pairs[SOCKETS_MAX])
{
	if (error != 0 && w->wish.n > 0)
		logger_once(LOG_ERR, held->name, util_now(), "keeper: %s: cannot hold %s: %s: %s", held->name,
			    w->wish.address[answer->fault.index], answer->fault.step[0] ? answer->fault.step : "its helper", strerror(error));
	if (error == 0)
		error = -take_bound(k, held, order, w, answer, pairs);
	if (order->is_cancelled)
		return;
	if (error != 0)
		keeper_spawn_failed(k, order->generation, LAUNCH_SOCKETS, error);
	if (error != 0 || launch_with_sockets(k, held, order) < 0)
		held_leave(held, order->generation);
}

static void switched(struct keeper *k, uint64_t generation, int error)
{
	keeper_post(k, &(struct link_message){ .kind = LINK_SWITCHED, .generation = generation, .error = error });
}

static void finish_switch(struct keeper *k, struct held *held, const struct keeper_order *order, const struct helper_work *w, int error,
			  const struct helper_answer *answer)
{
	const struct holding *g = holdings_find(&k->held, order->generation);
	if (error != 0 && w->wish.n > 0)
		logger_once(LOG_ERR, held->name, util_now(), "keeper: %s: cannot lead clients of %s to another generation: %s: %s", held->name,
			    w->wish.address[answer->fault.index], answer->fault.step[0] ? answer->fault.step : "its helper", strerror(error));
	if (error == 0 && (!g || g->ended))
		error = ESRCH;
	switched(k, order->generation, error);
	if (error != 0) {	/* some may have been led there */
		held->repair = w->wish.n > 0 ? HELD_UNCERTAIN : held->repair;
		return;
	}
	for (unsigned i = 0; i < w->n_departing; i++)
		held_find(held, w->departing[i])->is_inherited = w->heir >= 0 && sockets_is_unix(w->departing[i]);
	for (unsigned i = 0; i < w->wish.n; i++) {
		struct held_address *a = held_find(held, w->wish.address[i]);
		a->side = order->side;
		a->is_hidden = false;
	}
	held->side = order->side;
	keeper_quiet_start(k, held, order->generation, order->arg);
}

void keeper_finish(struct keeper *k, struct held *held, struct keeper_order *order, const struct helper_work *w, int error,
		   const struct helper_answer *answer, struct sockets_pair pairs[SOCKETS_MAX])
{
	if (order->kind == KEEPER_ORDER_SPAWN)
		finish_spawn(k, held, order, w, error, answer, pairs);
	else
		finish_switch(k, held, order, w, error, answer);
}
