/* keeper_trust: whether the ruler could have written what a rehearsal is to run: then a ruler that was taken over would run code as any vassal's
 * user. Looks at names and modes only; in the helper, with the vassal's ids. */
#ifndef REGENT_KEEPER_TRUST_H
#define REGENT_KEEPER_TRUST_H

#include <sys/types.h>

/* The file, every directory and link that leads to it, as given and resolved: none belongs to the ruler or may be changed by it. 0; -EPERM; -EINVAL: no
 * regular file; other negative errno. */
int keeper_trust(const char *path, uid_t ruler_uid, gid_t ruler_gid);

#endif
