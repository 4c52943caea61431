/* privileges: which capabilities keeper and ruler have. The keeper lowers only its effective and permitted sets: its bounding set
 * and securebits are inherited by vassals and could never be undone (sudo, sendmail and uWSGI's own `uid =` would break in
 * them). The ruler gives up everything, for good. */
#ifndef REGENT_PRIVILEGES_H
#define REGENT_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

/* SETUID SETGID KILL SETPCAP CHOWN effective and permitted; with look also DAC_READ_SEARCH, permitted only (raised for the
 * moment of a look at who owns a config: privileges_look()). As an ordinary user: nothing to do. 0 or negative errno. */
int privileges_keeper(bool look);
/* Raises or lowers CAP_DAC_READ_SEARCH; -EPERM where privileges_keeper() was not told. */
int privileges_look(bool on);
/* Becomes uid, gid (no groups), bounding set empty, NOROOT, no_new_privs, not dumpable, no capability: verified. With uid (uid_t)-1
 * (we are an ordinary user): no_new_privs and not dumpable only. 0 or negative errno: then do not go on. */
int privileges_ruler(uid_t uid, gid_t gid);

#endif
