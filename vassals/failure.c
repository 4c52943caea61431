#include "vassals/failure.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "vassals/launch.h"

static const char *const states[] = {
	[VASSAL_QUEUED] = "queued", [VASSAL_SPAWNING] = "spawning", [VASSAL_STARTING] = "starting",
	[VASSAL_SETTLING] = "settling", [VASSAL_READY] = "ready", [VASSAL_BROKEN] = "broken",
	[VASSAL_RELOAD_QUEUED] = "reload-queued", [VASSAL_RELOADING] = "reloading",
	[VASSAL_RENEW_SPAWNING] = "renew-spawning", [VASSAL_RENEW_STARTING] = "renew-starting",
	[VASSAL_RENEW_SETTLING] = "renew-settling", [VASSAL_SWITCHING] = "switching", [VASSAL_ABANDONING] = "abandoning",
	[VASSAL_RETIRING] = "retiring", [VASSAL_STOPPING] = "stopping",
	[VASSAL_CURSED] = "cursed", [VASSAL_KILLING] = "killing", [VASSAL_BLACKLISTED] = "blacklisted",
	[VASSAL_EXILED] = "exiled", [VASSAL_STOPPED] = "stopped", [VASSAL_GONE] = "gone",
};
static_assert(sizeof states / sizeof *states == VASSAL_STATES, "a state without a name");

static const char *const events[] = {
	[VASSAL_CHANGED] = "config changed", [VASSAL_MISSING] = "config missing", [VASSAL_PRESENT] = "config present",
	[VASSAL_REMOVED] = "config removed", [VASSAL_RELOAD] = "reload", [VASSAL_RESTART] = "restart",
	[VASSAL_START] = "start", [VASSAL_STOP] = "stop", [VASSAL_REHEARSE] = "rehearse", [VASSAL_FREEZE] = "freeze", [VASSAL_THAW] = "thaw", [VASSAL_ADMITTED] = "admitted", [VASSAL_STARTED] = "started",
	[VASSAL_BESIDE_STARTED] = "new one started", [VASSAL_BESIDE_SPAWN_FAILED] = "new one could not be started",
	[VASSAL_BESIDE_EXITED] = "other one exited", [VASSAL_BESIDE_UP] = "new one up", [VASSAL_BESIDE_EOF] = "other one closed its wire",
	[VASSAL_SWITCHED] = "switched", [VASSAL_SWITCH_FAILED] = "switch failed", [VASSAL_DRAINED] = "drained",
	[VASSAL_SPAWN_FAILED] = "spawn failed", [VASSAL_EXITED] = "exited", [VASSAL_BYTE] = "byte", [VASSAL_UP] = "up",
	[VASSAL_WIRE_EOF] = "wire closed", [VASSAL_NO_APP] = "no app", [VASSAL_PROBE_OK] = "probe ok",
	[VASSAL_PROBE_FAILED] = "probe failed", [VASSAL_TIMER] = "timer", [VASSAL_PATIENCE_OVER] = "start patience over",
	[VASSAL_START_TIMEOUT] = "start timeout", [VASSAL_SETTLED] = "settled", [VASSAL_PROBE_TIMEOUT] = "probe timeout",
	[VASSAL_MERCY_OVER] = "mercy over", [VASSAL_BACKOFF_OVER] = "throttle over",
	[VASSAL_HEARTBEAT_LOST] = "heartbeat lost", [VASSAL_RETIRE_OVER] = "retire mercy over", [VASSAL_HOLD_OVER] = "hold limit over",
};
static_assert(sizeof events / sizeof *events == VASSAL_EVENTS, "an event without a name");

static const char *const stages[] = {
	[VASSAL_WHY_NONE] = "none", [VASSAL_WHY_SPAWN] = "spawn", [VASSAL_WHY_EXIT] = "exit",
	[VASSAL_WHY_TIMEOUT] = "timeout", [VASSAL_WHY_NO_APP] = "no-app", [VASSAL_WHY_PROBE] = "probe",
	[VASSAL_WHY_RESPAWNING] = "respawning", [VASSAL_WHY_HEARTBEAT] = "heartbeat", [VASSAL_WHY_CURSED] = "cursed",
	[VASSAL_WHY_STOPPED] = "stopped", [VASSAL_WHY_REMOVED] = "removed", [VASSAL_WHY_IMPATIENT] = "impatient",
	[VASSAL_WHY_SWITCH] = "switch",
	[VASSAL_WHY_NO_TRIAL] = "no-rehearsal",
};
static_assert(sizeof stages / sizeof *stages == VASSAL_WHYS, "a reason without a name");

const char *vassal_state_name(enum vassal_state state) { return states[state]; }
const char *vassal_event_name(enum vassal_event event) { return events[event]; }
const char *failure_stage_name(enum vassal_why why) { return stages[why]; }

/* uWSGI's exit codes, emperor-facts. */
static const char *exit_meaning(int code)
{
	switch (code) {
	case 0: return "an orderly end";
	case 1: return "it could not start, or lost its supervisor";
	case 5: return "a worker raised an exception";
	case 15: return "went cheap";
	case 17: return "asked for a reload";
	case 22: return "no app could be loaded";
	case 26: return "exile: not started again until its config changes";
	case 29: return "asked for quiet";
	case 30: return "asked for its end";
	case 31: return "asked for a brutal reload";
	case 127: return "its program could not be executed";
	case 173: return "de-hijacked";
	default: return NULL;
	}
}

void failure_status_text(char *buf, size_t size, int status)
{
	if (WIFSIGNALED(status)) {
		const char *name = sigabbrev_np(WTERMSIG(status));
		snprintf(buf, size, "killed by SIG%s%s", name ? name : "?", WCOREDUMP(status) ? ", core dumped" : "");
		return;
	}
	int code = WEXITSTATUS(status);
	const char *meaning = exit_meaning(code);
	snprintf(buf, size, "exited %d%s%s", code, meaning ? ": " : "", meaning ? meaning : "");
}

static void probe_text(char *buf, size_t size, int status)
{
	if (status > 0)
		snprintf(buf, size, "its answer to a request was %d", status);
	else
		snprintf(buf, size, "it gave no answer to a request");
}

static void spawn_text(char *buf, size_t size, const struct vassal_failure *failure)
{
	if (failure->detail == 0)
		snprintf(buf, size, "was lost by the keeper");
	else
		snprintf(buf, size, "could not be started: %s: %s", launch_stage_name(failure->stage),
			 strerror(failure->detail));
}

void failure_text(char *buf, size_t size, const struct vassal_failure *failure)
{
	switch ((enum vassal_why)failure->why) {
	case VASSAL_WHY_SPAWN:
		spawn_text(buf, size, failure);
		return;
	case VASSAL_WHY_EXIT:
		failure_status_text(buf, size, failure->detail);
		return;
	case VASSAL_WHY_PROBE:
		probe_text(buf, size, failure->detail);
		return;
	case VASSAL_WHY_TIMEOUT:
		snprintf(buf, size, "was not ready within its start-timeout and was killed");
		return;
	case VASSAL_WHY_NO_APP:
		snprintf(buf, size, "runs, but no app could be loaded: it answers every request with an error");
		return;
	case VASSAL_WHY_RESPAWNING:
		snprintf(buf, size, "its workers die and are respawned over and over");
		return;
	case VASSAL_WHY_HEARTBEAT:
		snprintf(buf, size, "its heartbeat stopped and it was killed");
		return;
	case VASSAL_WHY_CURSED:
		snprintf(buf, size, "closed its wire without ending and was killed");
		return;
	case VASSAL_WHY_STOPPED:
		snprintf(buf, size, "was stopped meanwhile");
		return;
	case VASSAL_WHY_REMOVED:
		snprintf(buf, size, "its config was removed meanwhile");
		return;
	case VASSAL_WHY_IMPATIENT:
		snprintf(buf, size, "hung in its start and was killed, since newer code was asked for");
		return;
	case VASSAL_WHY_SWITCH:
		snprintf(buf, size, "passed, but clients could not be led to it: %s", strerror(failure->detail));
		return;
	case VASSAL_WHY_NO_TRIAL:
		snprintf(buf, size, "nothing was rehearsed: it does not run, or regent does not hold its sockets");
		return;
	case VASSAL_WHY_NONE:
	case VASSAL_WHYS:
		break;
	}
	if (size > 0)
		buf[0] = '\0';
}
