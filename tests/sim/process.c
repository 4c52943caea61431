/* process: a simulated vassal: imports, says its bytes, heeds or ignores what it is told, dies. */
#include <string.h>

#include "tests/sim/sim.h"

bool proc_alive(const struct proc *p)
{
	return p->phase != PH_DEAD;
}

static void say(struct sim *s, struct proc *p, unsigned kind)
{
	if (p->eof || p->n_wire == WIRE_MAX)
		return;
	uint64_t at = s->now + sim_below(s, sim_chance(s, 3) ? 300 * MS : MS);
	if (p->n_wire > 0 && p->wire[p->n_wire - 1].at > at)
		at = p->wire[p->n_wire - 1].at;
	p->wire[p->n_wire++] = (struct message){ .at = at, .kind = kind, .exec = p->exec };
	p->eof = kind == WIRE_EOF;
}

static void quiet_timers(struct proc *p)
{
	for (int t = 0; t < P_TIMERS; t++)
		p->timer[t] = NEVER;
}

static void die(struct sim *s, struct proc *p, int32_t status)
{
	quiet_timers(p);
	say(s, p, WIRE_EOF);
	p->phase = PH_DEAD;
	p->status = status;
	sim_trace(s, "%s: process of generation %lu ends, status 0x%x", s->site[p->site].name, p->generation, (unsigned)status);
	keeper_tell(s, VASSAL_EXITED, p->generation, status);
}

static void draw_faults(struct sim *s, struct plan *pl)
{
	switch (sim_below(s, 40)) {
	case 0: pl->outcome = OUT_EXIT; pl->exit_code = 22; s->count[C_EXIT_22]++; break;
	case 1: pl->outcome = OUT_EXIT; pl->exit_code = 26; s->count[C_EXIT_26]++; break;
	case 2: pl->outcome = OUT_HANG; s->count[C_HANGS]++; break;
	case 3: pl->outcome = OUT_NO_APP; s->count[C_NO_APP]++; break;
	case 4: pl->late = sim_below(s, 150 * SEC); s->count[C_BYTE_LATE]++; break;
	case 5: pl->doubled = 1 + (unsigned)sim_below(s, 5); s->count[C_BYTE_DOUBLED]++; break;
	case 6: pl->mute = true; s->count[C_BYTE_MISSING]++; break;
	case 7: pl->close_wire = 1 + sim_below(s, 20 * SEC); s->count[C_WIRE_CLOSED]++; break;
	case 8: pl->ignores_stop = true; s->count[C_STOP_IGNORED]++; break;
	case 9: pl->beat_lost = pl->beats; s->count[C_HEARTBEAT_LOST] += pl->beats; break;
	case 10: pl->idle = 1 + sim_below(s, 60 * SEC); s->count[C_BYTE_22]++; break;
	case 11: pl->dies_in_reload = true; s->count[C_DIED_IN_RELOAD]++; break;
	case 12: pl->probe_bad = true; s->count[C_PROBE_BAD]++; break;
	case 13: case 14: pl->crash = 1 + sim_below(s, 30 * SEC); s->count[C_CRASHES]++; break;
	case 15: pl->import = sim_below(s, 70 * SEC); break;
	case 16: pl->drain = sim_below(s, 60 * SEC); break;
	case 17: pl->farewell = sim_below(s, 50 * SEC); break;
	case 18: pl->import = 55 * SEC + sim_below(s, 5 * SEC); break;	/* just in time */
	default: break;
	}
}

static void execute(struct sim *s, struct proc *p)
{
	struct site *site = &s->site[p->site];
	struct plan *pl = &p->plan;
	*pl = (struct plan){
		.import = sim_chance(s, 50) ? sim_below(s, 100 * MS) : sim_below(s, 3 * SEC),
		.drain = sim_below(s, 1500 * MS), .farewell = sim_below(s, SEC), .beats = site->beats,
	};
	if (!s->quiet)
		draw_faults(s, pl);
	quiet_timers(p);
	p->exec = ++site->execs;
	p->exec_at = s->now;
	p->signal_at = 0;
	p->beat_at = 0;
	p->fives = 0;
	p->phase = pl->outcome == OUT_HANG ? PH_HUNG : PH_IMPORTING;
	p->timer[P_PHASE] = pl->outcome == OUT_HANG ? NEVER : s->now + pl->import;
	s->count[C_EXECS]++;
	sim_trace(s, "%s: generation %lu executes its code, execution %u%s", site->name, p->generation, p->exec,
		  pl->outcome == OUT_HANG ? ", and hangs" : "");
}

void proc_spawn(struct sim *s, struct proc *p)
{
	p->first = true;
	execute(s, p);
}

static void begin_reload(struct sim *s, struct proc *p)
{
	quiet_timers(p);
	p->again = false;
	p->phase = PH_DRAINING;
	p->timer[P_PHASE] = s->now + p->plan.drain;
}

/* The byte that this vassal has for "I am up". */
static void say_up(struct sim *s, struct proc *p)
{
	enum spec_signal signal = s->site[p->site].signal;
	bool silent = signal == SPEC_SIGNAL_SPAWNED || (signal == SPEC_SIGNAL_UNSURE && p->site % 2 == 0);
	p->signal_at = s->now;
	if (p->plan.outcome != OUT_NO_APP && !p->trial)
		s->site[p->site].accepted = p->exec;
	if (signal == SPEC_SIGNAL_LOYAL)
		say(s, p, 17);
	else if (!silent)
		say(s, p, 5);
	if (!silent && signal != SPEC_SIGNAL_LOYAL && p->plan.doubled > 0)
		p->timer[P_AGAIN] = s->now + sim_below(s, SEC);
	if (signal != SPEC_SIGNAL_LOYAL)
		p->timer[P_LOYAL] = s->now + sim_below(s, 5 * SEC);
	if (p->again)
		begin_reload(s, p);
}

static void arm_later(struct sim *s, struct proc *p, enum proc_timer timer, uint64_t delay)
{
	if (delay != 0)
		p->timer[timer] = s->now + delay;
}

static void imported(struct sim *s, struct proc *p)
{
	if (p->plan.outcome == OUT_EXIT) {
		die(s, p, p->plan.exit_code << 8);
		return;
	}
	enum spec_signal signal = s->site[p->site].signal;
	p->phase = PH_UP;
	if (p->plan.outcome != OUT_NO_APP && !p->trial && (signal == SPEC_SIGNAL_SPAWNED || signal == SPEC_SIGNAL_UNSURE))
		s->site[p->site].accepted = p->exec;	/* byte 1 must do */
	if (p->plan.outcome == OUT_NO_APP && !s->site[p->site].logger)
		say(s, p, WIRE_NO_APP);
	if (p->first && !p->held)	/* under UWSGI_RELOADS nobody says it */
		say(s, p, 1);
	p->first = false;
	p->timer[P_PHASE] = NEVER;
	arm_later(s, p, P_CRASH, p->plan.crash);
	arm_later(s, p, P_CLOSE, p->plan.close_wire);
	arm_later(s, p, P_IDLE, p->plan.idle);
	arm_later(s, p, P_BEAT, p->plan.beats ? 1 : 0);
	if (p->plan.mute) {
		if (p->again)
			begin_reload(s, p);
	} else if (p->plan.late) {
		p->timer[P_SIGNAL] = s->now + p->plan.late;
	} else {
		say_up(s, p);
	}
}

void proc_take_byte(struct sim *s, struct proc *p, uint32_t byte)
{
	if (p->phase == PH_DEAD || p->phase == PH_KILLED || p->phase == PH_HUNG || p->phase == PH_EXITING)
		return;
	if (byte == 1) {
		p->again = true;
		if (p->phase == PH_UP && p->timer[P_SIGNAL] == NEVER)
			begin_reload(s, p);
		return;
	}
	if (p->plan.ignores_stop)
		return;
	quiet_timers(p);
	p->phase = PH_EXITING;
	p->timer[P_PHASE] = s->now + p->plan.farewell;
}

void proc_kill(struct sim *s, struct proc *p)
{
	if (!proc_alive(p) || p->phase == PH_KILLED)
		return;
	quiet_timers(p);
	p->phase = PH_KILLED;
	p->timer[P_PHASE] = s->now + sim_below(s, 50 * MS);
}

uint64_t proc_due(const struct proc *p)
{
	uint64_t due = NEVER;
	for (int t = 0; t < P_TIMERS; t++)
		if (p->timer[t] < due)
			due = p->timer[t];
	return due;
}

static void phase_over(struct sim *s, struct proc *p)
{
	switch (p->phase) {
	case PH_IMPORTING:
		imported(s, p);
		break;
	case PH_DRAINING:
		if (p->plan.dies_in_reload)
			die(s, p, sim_chance(s, 50) ? 11 : 1 << 8);
		else
			execute(s, p);
		break;
	case PH_EXITING:
		die(s, p, 0);
		break;
	case PH_KILLED:
		die(s, p, 9);
		break;
	case PH_UP:
	case PH_HUNG:
	case PH_DEAD:
		break;
	}
}

static void say_again(struct sim *s, struct proc *p)
{
	say(s, p, 5);
	if (--p->plan.doubled > 0)
		p->timer[P_AGAIN] = s->now + sim_below(s, SEC);
}

static void beat(struct sim *s, struct proc *p)
{
	say(s, p, 26);
	p->beat_at = s->now;
	if (!p->plan.beat_lost)
		p->timer[P_BEAT] = s->now + 10 * SEC;
}

void proc_run(struct sim *s, struct proc *p)
{
	int t = 0;
	for (int i = 1; i < P_TIMERS; i++)
		if (p->timer[i] < p->timer[t])
			t = i;
	p->timer[t] = NEVER;
	switch ((enum proc_timer)t) {
	case P_PHASE: phase_over(s, p); break;
	case P_SIGNAL: say_up(s, p); break;
	case P_AGAIN: say_again(s, p); break;
	case P_BEAT: beat(s, p); break;
	case P_LOYAL: say(s, p, 17); break;
	case P_CRASH: die(s, p, sim_chance(s, 50) ? 11 : 1 << 8); break;
	case P_CLOSE: say(s, p, WIRE_EOF); break;
	case P_IDLE: say(s, p, 22); break;
	case P_TIMERS: break;
	}
}
