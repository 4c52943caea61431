/* premises: what the admin's command line names, opened once and by the keeper alone: run directory and its lock, control socket, log
 * file, pidfile. Undone at the end. */
#ifndef REGENT_PREMISES_H
#define REGENT_PREMISES_H

#include "supervisor/options.h"

struct premises {
	int lock;	/* the run directory, locked; -1: there is none */
	int control;	/* listening; -1: it could not be made, said in the log */
	int log;	/* of logto or daemonize; -1: stderr */
	const struct options *options;
};

/* The log alone: so that everything after it can be said there. 0 or negative errno. */
int premises_open_log(struct premises *p, const struct options *o);
/* Makes and locks the run directory, binds the control socket, writes the pidfile. 0; -EBUSY: another regent has the run directory
 * (or answers on the control socket); other negative errno only for the pidfile. What else cannot be is a warning. */
int premises_open(struct premises *p);
void premises_close(struct premises *p);

#endif
