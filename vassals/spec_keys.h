/* spec_keys: the tables behind spec: which keys of [uwsgi] tell a supervisor something, and which of [regent] are ours.
 * Names only; what they mean is spec.c's. */
#ifndef REGENT_VASSAL_SPEC_KEYS_H
#define REGENT_VASSAL_SPEC_KEYS_H

#include <stdbool.h>

enum spec_key {
	SPEC_KEY_NONE,		/* tells us nothing */
	SPEC_KEY_CHEAP,
	SPEC_KEY_WORKERS,
	SPEC_KEY_EMPEROR,
	SPEC_KEY_NEED_APP,
	SPEC_KEY_APP,		/* makes the python plugin load an app */
	SPEC_KEY_SOCKET,	/* speaks what `protocol` says */
	SPEC_KEY_UWSGI_SOCKET,
	SPEC_KEY_HTTP_SOCKET,
	SPEC_KEY_OTHER_SOCKET,	/* workers accept on it, a probe cannot */
	SPEC_KEY_PROTOCOL,
	SPEC_KEY_ABSTRACT,	/* unix sockets become abstract ones */
	SPEC_KEY_HTTP,		/* the http router: without a backend it makes a socket for the workers */
	SPEC_KEY_HTTP_BACKEND,
	SPEC_KEY_BUSY,		/* routers, crons, daemons: uWSGI runs with them alone, and then no worker accepts */
	SPEC_KEY_LAZY,
	SPEC_KEY_LOGGER,
	SPEC_KEY_LOG_SYSLOG,
	SPEC_KEY_LOG_SOCKET,
	SPEC_KEY_LOGTO,
	SPEC_KEY_UID,
	SPEC_KEY_GID,
	SPEC_KEY_SET,		/* `set = key=value` */
	SPEC_KEY_PLACEHOLDER,	/* `set-placeholder = key=value` */
	SPEC_KEY_INI,		/* these pull in another ini, or a section of one */
	SPEC_KEY_INCLUDE,
	SPEC_KEY_INHERIT,
	SPEC_KEY_ELSEWHERE,	/* settings come from a place that is not read, or under other names */
	SPEC_KEY_BLOCK,		/* what follows holds for some, or several times */
	SPEC_KEY_END,
};

enum spec_key spec_key_find(const char *name);
/* uWSGI acts on it while it reads, before any %(reference) is replaced. */
bool spec_key_is_immediate(const char *name);
/* Its value is a command or a rule, where " ;" is no forgotten comment. */
bool spec_key_is_command(const char *name);

/* Of what there should not be two for a moment: a key of [uwsgi], and why (a few words, for a person). */
struct spec_double {
	const char *name, *why;
	const char *needs;	/* only with a value that contains this; NULL: with any */
};
const struct spec_double *spec_double_find(const char *name);	/* NULL: no such row */
const struct spec_double *spec_double_row(unsigned i);		/* from 0; NULL after the last */

enum spec_own {
	SPEC_OWN_UNKNOWN,
	SPEC_OWN_HEALTH,
	SPEC_OWN_HEALTH_HOST,
	SPEC_OWN_HEALTH_STATUS,
	SPEC_OWN_HEALTH_TIMEOUT,
	SPEC_OWN_HEALTH_INTERVAL,
	SPEC_OWN_HEALTH_RESTART,
	SPEC_OWN_READY_FOR,
	SPEC_OWN_START_TIMEOUT,
	SPEC_OWN_RELOAD_ON_CHANGE,
	SPEC_OWN_HOLD_SOCKETS,
	SPEC_OWN_HANDOVER,
	SPEC_OWN_RETIRE_MERCY,
	SPEC_OWN_DRAIN,
};

enum spec_own spec_own_find(const char *name);
const char *spec_own_name(unsigned i);	/* the keys of [regent], from 0; NULL after the last */
/* The key that a misspelt one probably means, or NULL. */
const char *spec_own_similar(const char *name);

#endif
