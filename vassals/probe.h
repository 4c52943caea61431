/* probe: one request to a generation, as bytes: what to send, what the answer means. Pure: who connects and waits is prober.c. */
#ifndef REGENT_PROBE_H
#define REGENT_PROBE_H

#include <stddef.h>

#include "vassals/spec.h"

#define PROBE_REQUEST_MAX 2048
#define PROBE_ANSWER_MAX 4096	/* the head of an answer; more is not read */

/* The request for spec's probe address: GET its health path, or "/". Size, or -ENAMETOOLONG. spec->probe is not SPEC_PROBE_NONE. */
int probe_request(const struct spec *spec, char *buf, size_t size);
/* The HTTP status of the answer that was read; 0: no sensible answer; -1: the very answer that uWSGI itself gives where no app was
 * loaded (tried on 2.0.21: an app's own 500 has other headers or another body). */
int probe_judge(const char *answer, size_t size);

#endif
