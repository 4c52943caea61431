/* doubling: whether the machine has room for a second generation of a vassal beside the first. An estimate, from /proc. */
#ifndef REGENT_DOUBLING_H
#define REGENT_DOUBLING_H

#include <stdint.h>
#include <sys/types.h>

/* KiB that a double of the process tree under pid would take: of the first process what is its own (resident and not shared), of
 * each child what it has grown beyond that, since a fork shares the rest. proc: "/proc". 0: it could not be seen (hidepid). */
uint64_t doubling_need(const char *proc, pid_t pid);
/* KiB that may be taken before the machine swaps or kills: MemAvailable. UINT64_MAX: not known. */
uint64_t doubling_room(const char *proc);

#endif
