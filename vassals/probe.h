/* probe: one request to a generation, as bytes: what to send, what the answer means. Pure: who connects and waits is prober.c. */
#ifndef REGENT_PROBE_H
#define REGENT_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "vassals/spec.h"

#define PROBE_REQUEST_MAX 2048
#define PROBE_ANSWER_MAX 4096	/* the head of an answer; more is not read */

/* GET its health path, or "/", with Host as health-host says, else localhost. In the protocol of spec's probe address, or in the one
 * given (a private socket speaks SPEC_PROBE_UWSGI whatever the vassal's own sockets speak); SPEC_PROBE_NONE: spec's. spec may be NULL
 * where a protocol is given. Size, or -ENAMETOOLONG. */
int probe_request(const struct spec *spec, enum spec_protocol protocol, char *buf, size_t size);
/* The HTTP status of the answer that was read; 0: no sensible answer; -1: the very answer that uWSGI itself gives where no app was
 * loaded (tried on 2.0.21: an app's own 500 has other headers or another body). */
int probe_judge(const char *answer, size_t size);
/* Whether that is what the vassal must answer: one of health-status, else any 2xx; without health any status at all. */
bool probe_passes(const struct spec *spec, int status);

#endif
