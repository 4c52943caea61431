/* sources: what an ini pulls in, fetched, and what of host and process its variables stand for: the second argument of spec_read(), owned.
 * Shared by the ruler and by `regentctl check`. It opens only what it is told to. */
#ifndef REGENT_SOURCES_H
#define REGENT_SOURCES_H

#include <sys/types.h>

#include "vassals/spec.h"

struct sources {
	struct spec_sources spec;	/* for spec_read() */
	struct spec_source files[SPEC_FILES_MAX + 1];
	char *text[8];
	char host[256];
};

/* Zero *s is empty and may be cleared. cwd: where the vassal starts, links or not; config: its ini, as uWSGI is told it; each may be NULL. What cannot
 * be found out stays unknown. 0 or -ENOMEM. */
int sources_init(struct sources *s, const char *cwd, const char *config);
/* Whom the vassal's process runs as. 0 or -ENOMEM. */
int sources_ids(struct sources *s, uid_t uid, gid_t gid);
/* What is at path, as spec->wants had it: opened here, with the caller's rights; or error (positive), or an open file. fd stays the
 * caller's. 0 also where it could not be read: spec_read() then says so. -ENOMEM; -E2BIG: there are too many. */
int sources_open(struct sources *s, const char *path);
int sources_add(struct sources *s, const char *path, int fd, int error);
void sources_clear(struct sources *s);

/* All of it at once: the config at file, open as fd, with what it pulls in, opened here, as if its directory were that of the vassals.
 * lists: those of the command line, or NULL. 0 or negative errno, as spec_read(). */
int sources_read(const char *file, int fd, const struct spec_sources *lists, struct spec **ret, unsigned *line);

#endif
