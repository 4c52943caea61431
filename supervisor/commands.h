/* commands: the verbs of the control socket. One table gives name, arguments, rights and help. Who may do what is decided here, by
 * the peer's credentials; what it does is asked of the court. */
#ifndef REGENT_COMMANDS_H
#define REGENT_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/control.h"
#include "supervisor/court.h"
#include "supervisor/options.h"

struct commands;

/* What only the ruler can give. */
struct commands_host {
	void *data;
	/* malloc()ed text, last lines of what the vassal printed; since its newest start or reload only, or all that is kept. NULL: none */
	char *(*tail)(void *data, struct court_vassal *cv, size_t lines, bool newest_only);
	bool (*identity)(void *data, struct court_vassal *cv, uid_t *uid);	/* whom it runs as; false: not known */
	void (*rescan)(void *data);
	int (*reopen)(void *data);		/* asks the keeper for fresh log files; 0 or negative errno */
	uint64_t (*dropped_lines)(void *data, struct court_vassal *cv);	/* of its output, ever */
	/* Reads cv's config as it is now; commands_checked() has the outcome, maybe before this returns. 0 or negative errno. NULL: cannot */
	int (*check)(void *data, struct court_vassal *cv, uint64_t waiter);
	/* Starts path, an absolute one that ends in .ini, beside cv on a private socket, judges it at the gate and ends it; the answer comes
	 * through commands_answer() (VASSAL_DONE: it passed; FAILED_OLD_SERVES: it did not; FAILED_DOWN: nothing was tried), maybe before
	 * this returns. The same id is the same rehearsal. 0; -EBUSY: another one is under way; other negative errno. NULL: cannot */
	int (*rehearse)(void *data, struct court_vassal *cv, const char *path, const uint8_t id[COURT_ID_SIZE], uint32_t uid, uint64_t waiter);
	uint32_t (*unhealthy)(void *data, struct court_vassal *cv);	/* how often health-interval found it to hang; NULL: nobody looks */
};

struct commands_config {
	struct ev_loop *loop;
	int listen_fd;
	struct court *court;
	const struct options *options;
	struct commands_host host;
	uid_t owner;		/* who started regent: may do all, as root may */
	uid_t run_as;		/* us: the ruler's uid, for `version` */
	pid_t keeper, ruler;
};

/* Looks up the users and groups of control-allow: may block (name services), so before the loop runs. */
int commands_new(const struct commands_config *config, struct commands **ret);
struct commands *commands_free(struct commands *c);	/* the court may be gone already */
/* What in control-allow gives nobody anything (no such user, ...), one a line; NULL: nothing. For the log. */
const char *commands_complaints(const struct commands *c);

/* The court's world passes these on. */
void commands_answer(struct commands *c, uint64_t waiter, struct court_vassal *cv, const struct court_answer *answer);
/* host.check() has read it. spec: NULL with a negative errno (and the line with -EBADMSG); stays the caller's. */
void commands_checked(struct commands *c, uint64_t waiter, const struct spec *spec, int error, unsigned line);
void commands_transition(struct commands *c, struct court_vassal *cv, enum vassal_state from, enum vassal_event event, int64_t arg);
void commands_line(struct commands *c, struct court_vassal *cv, const char *line);	/* it printed this: logs --follow */
void commands_gone(struct commands *c, struct court_vassal *cv);
/* The court has been adopted and listed: requests that came before were held back until now. */
void commands_ready(struct commands *c);

#endif
