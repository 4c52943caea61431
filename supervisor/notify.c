#include "supervisor/notify.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vassals/util.h"

#if REGENT_SYSTEMD
#include <systemd/sd-daemon.h>
static void send_state(const char *state) { sd_notify(0, state); }
static bool watchdog(uint64_t *usec) { return sd_watchdog_enabled(0, usec) > 0; }
#else
static void send_state(const char *state) { (void)state; }
static bool watchdog(uint64_t *usec) { (void)usec; return false; }
#endif

void notify_ready(void) { send_state("READY=1"); }
void notify_stopping(void) { send_state("STOPPING=1"); }
void notify_alive(void) { send_state("WATCHDOG=1"); }

/* systemd 253 and later want the time with it; earlier ones do not mind. */
void notify_reloading(void)
{
	char state[96];
	snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(util_now() / 1000));
	send_state(state);
}

void notify_status(const char *text)
{
	char state[512];
	snprintf(state, sizeof state, "STATUS=%.*s", (int)strcspn(text, "\n"), text);
	send_state(state);
}

uint64_t notify_watchdog(void)
{
	uint64_t usec = 0;
	return watchdog(&usec) ? usec * 1000 : 0;
}
