/* watch_walk: the system calls of a walk, behind pointers so that tests can make them fail. */
#ifndef REGENT_WATCH_WALK_H
#define REGENT_WATCH_WALK_H

#include <stdint.h>
#include <sys/inotify.h>
#include <sys/vfs.h>

/* A directory that is only passed tells of itself alone: what happens in a busy ancestor (/tmp, /home) wakes nobody. */
#define WATCH_SELF (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_ADD)
/* One in which a name counts (a file, a link, something missing) tells of its names. No IN_MODIFY and no IN_OPEN: a busy log
 * beside a config must not wake anybody. IN_EXCL_UNLINK: nothing about files that have lost their name. IN_MASK_ADD: who adds a
 * second time must not take from what others need. */
#define WATCH_NAMES (IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ATTRIB | WATCH_SELF)

struct watch_system {
	int (*add_watch)(int fd, const char *path, uint32_t mask);
	int (*file_system)(const char *path, struct statfs *ret);
};
extern struct watch_system watch_system;

#endif
