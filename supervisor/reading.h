/* reading: one config understood, with what it pulls in: fetched with the vassal's rights where the ruler is not the vassal. It may take
 * until a helper has answered; what becomes of it then is the caller's. */
#ifndef REGENT_READING_H
#define REGENT_READING_H

#include "vassals/spec.h"

struct ruler;
struct subject;
struct reading;

/* spec is the receiver's (NULL with an error, negative). */
typedef void reading_done(struct ruler *r, void *data, struct spec *spec, int error, unsigned line);

struct reading_config {
	const char *name;	/* of the vassal */
	unsigned monitor;
	bool follow;		/* also where nobody asked for held sockets or handover */
	/* The ids of a vassal must be known before anything can be fetched with them: called with each spec, also provisional ones. */
	const struct subject *(*ids)(struct ruler *r, const char *name, const struct spec *spec);
	reading_done *done;
	void *data;
};

/* Takes fd. Calls done once, maybe before it returns, unless reading_cancel() comes first; data is then freed with `forget` (may be NULL).
 * 0 or -ENOMEM (fd is closed, done not called). */
int reading_begin(struct ruler *r, const struct reading_config *config, int fd, void (*forget)(void *data));
/* Ends all readings of name for that receiver which have not come to their end; NULL, NULL: all. */
void reading_cancel(struct ruler *r, const char *name, reading_done *done);

/* Whether holding its sockets or handing it over is asked for at all, by whomever. */
bool reading_may_hold(const struct ruler *r, const struct spec *spec);

#endif
