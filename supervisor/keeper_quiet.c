/* keeper_quiet: the drain. After a switch clients that reached the other side's queue just before are waited for: DRAINED is said when
 * nobody has waited there for a while. Who waits where nobody will ever accept is sent away: it can try again. Runs a timer only meanwhile. */
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/keeper_inside.h"
#include "vassals/util.h"

#define QUIET_STEP 0.010
#define QUIET_MS_MAX 10000U
#define SENT_AWAY_MAX 1024

/* The other side's listeners on which the old generation accepts, those of addresses that the new one has no more among them; or those that clients were led away from and on which nobody does. */
static unsigned gather(const struct held *held, unsigned other, bool accepts, int fds[HELD_ADDRESSES_MAX])
{
	unsigned n = 0;
	for (const struct held_address *a = held->addresses; a; a = a->next)
		if (accepts ? a->users[other] != 0 : a->users[other] == 0 && a->users[!other] == held->drain)
			fds[n++] = a->pair.fd[other];
	return n;
}

static bool is_quiet(const struct held *held, unsigned other)
{
	int fds[HELD_ADDRESSES_MAX];
	return !sockets_any_waiting(fds, gather(held, other, true, fds));
}

static void send_away(const struct held *held, unsigned other)
{
	int fds[HELD_ADDRESSES_MAX], client;
	unsigned n = gather(held, other, false, fds);
	for (unsigned i = 0; i < n; i++)
		for (int clients = 0; clients < SENT_AWAY_MAX && sockets_any_waiting(&fds[i], 1); clients++) {
			client = accept4(fds[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
			if (client < 0)
				break;
			close(client);
		}
}

/* Whether it goes on. */
static bool look(struct keeper *k, struct held *held, uint64_t now)
{
	unsigned other = held->living[0] == held->drain;
	if (held->living[!other] != held->drain)
		return false;	/* it ended: nobody asks any more */
	if (!is_quiet(held, other))
		held->drain_since = now;
	else if (held->living[other] == 0 || now - held->drain_since >= held->drain_quiet) {
		send_away(held, other);
		keeper_post(k, &(struct link_message){ .kind = LINK_DRAINED, .generation = held->drain });
		return false;
	}
	return true;
}

static void on_quiet(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct keeper *k = w->data;
	struct held *held = k->draining, *next;
	uint64_t now = util_now();
	(void)loop;
	(void)revents;
	for (; held; held = next) {
		next = held->next_draining;
		if (!look(k, held, now))
			keeper_quiet_stop(k, held);
	}
}

void keeper_quiet_stop(struct keeper *k, struct held *held)
{
	struct held **at = &k->draining;
	if (held->drain == 0)
		return;
	while (*at != held)
		at = &(*at)->next_draining;
	*at = held->next_draining;
	held->drain = 0;
	if (!k->draining)
		ev_timer_stop(k->loop, &k->quiet);
}

void keeper_quiet_start(struct keeper *k, struct held *held, uint64_t generation, uint32_t ms)
{
	keeper_quiet_stop(k, held);
	held->drain = generation;
	held->drain_quiet = (ms < QUIET_MS_MAX ? ms : QUIET_MS_MAX) * NSEC_PER_MSEC;
	held->drain_since = util_now();
	held->next_draining = k->draining;
	k->draining = held;
	if (!ev_is_active(&k->quiet)) {
		ev_timer_set(&k->quiet, QUIET_STEP, QUIET_STEP);
		ev_timer_start(k->loop, &k->quiet);
	}
}

void keeper_quiet_init(struct keeper *k)
{
	ev_timer_init(&k->quiet, on_quiet, QUIET_STEP, QUIET_STEP);
	k->quiet.data = k;
}
