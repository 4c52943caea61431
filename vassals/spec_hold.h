/* spec_hold: the sockets of a vassal as far as somebody else could bind them for it: which, with what options, or why not.
 * Fed setting by setting in uWSGI's order; speaks the language of sockets_parse(). It opens and binds nothing. */
#ifndef REGENT_VASSAL_SPEC_HOLD_H
#define REGENT_VASSAL_SPEC_HOLD_H

#include <stdbool.h>

#include "vassals/sockets.h"

/* Zero is the beginning. */
struct spec_hold {
	unsigned n;			/* addresses, no two alike */
	char address[SOCKETS_MAX][SOCKETS_ADDRESS_MAX];
	unsigned n_shared;		/* shared-socket lines: what =N may name */
	bool ip6, shared_ip;		/* there is one of that kind */
	bool chmod;
	int mode, umask_plus_1, backlog, send_timeout, sndbuf, rcvbuf, fast_open;	/* 0: not set */
	bool keepalive, freebind;
	char user[64], group[64];
	char *abstract;			/* the line that makes unix sockets abstract, or NULL */
};

struct spec_build;
/* One setting; value NULL: not resolved. Sets spec->no_hold where it makes holding impossible. 0 or -ENOMEM. */
int spec_hold_take(struct spec_build *b, const char *name, const char *value);
/* After the last setting: spec->sockets, or spec->no_hold. 0 or -ENOMEM. */
int spec_hold_finish(struct spec_build *b);
void spec_hold_clear(struct spec_hold *hold);

#endif
