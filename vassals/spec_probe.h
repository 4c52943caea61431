/* spec_probe: from what an ini calls a socket to what a probe can connect to. Looks nothing up and opens nothing. */
#ifndef REGENT_VASSAL_SPEC_PROBE_H
#define REGENT_VASSAL_SPEC_PROBE_H

/* "/path" as it is; numeric HOST:PORT with the wildcard replaced by loopback. *ret is the caller's to free.
 * 0; -EADDRNOTAVAIL when a probe cannot reach it (relative, abstract, a name, fd://, =0, port 0); -ENOMEM. */
int spec_probe_address(const char *socket, char **ret);

#endif
