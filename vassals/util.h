/* util: the few helpers every file may use: owned descriptors and memory, the clock, text that must fit.
 * Never logs, never exits, knows nothing of vassals. */
#ifndef REGENT_UTIL_H
#define REGENT_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Ownership by scope: `CLEANUP_FD int fd = -1;` closes at the end of the block unless take_fd(&fd) handed it on. */
#define CLEANUP_FD __attribute__((cleanup(util_cleanup_fd)))
#define CLEANUP_FREE __attribute__((cleanup(util_cleanup_free)))

/* Closes *fd if it is >= 0, sets it to -1, keeps errno. Returns -1, so: fd = util_close(fd). */
int util_close(int fd);
static inline void util_cleanup_fd(int *fd) { util_close(*fd); }
static inline void util_cleanup_free(void *p) { free(*(void **)p); }
static inline int take_fd(int *fd) { int r = *fd; *fd = -1; return r; }
static inline void *take_ptr(void *pp) { void **p = pp, *r = *p; *p = NULL; return r; }

/* CLOCK_MONOTONIC in nanoseconds; never fails on Linux. */
uint64_t util_now(void);

/* snprintf that refuses to cut: 0, or -ENAMETOOLONG with dst holding "". */
int util_format(char *dst, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Decimal in [min, max] and nothing else; 0, -EINVAL or -ERANGE. *ret untouched on failure. */
int util_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* FNV-1a over n bytes, chained through seed (start with UTIL_HASH_SEED): tells contents apart, keeps no secrets. */
#define UTIL_HASH_SEED 14695981039346656037ULL
uint64_t util_hash(uint64_t seed, const void *data, size_t n);

/* Sets O_NONBLOCK. 0 or -errno. */
int util_nonblock(int fd);

#endif
