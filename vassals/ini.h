/* ini: reads uWSGI's ini dialect from an open file, key by key, with line numbers. inih parses; what uWSGI does
 * otherwise is put right here. It resolves nothing (no placeholders, no include) and never opens a file by name. */
#ifndef REGENT_VASSAL_INI_H
#define REGENT_VASSAL_INI_H

#include <stddef.h>

/* A larger file is refused, not read: no ini that a person wrote comes near it. */
#define INI_SIZE_MAX (4UL * 1024 * 1024)

/* Called for every `key = value`, in order, sections may come back. value is "" where there is no '='.
 * Strings live until the callback returns. Return 0, or a negative errno that ends the reading. */
typedef int (*ini_callback)(void *data, const char *section, const char *key, const char *value, unsigned line);

/* fd: a regular file (else -EINVAL; opened O_NONBLOCK by the caller), read from offset 0 with pread, position untouched.
 * 0, or negative errno: -EFBIG beyond INI_SIZE_MAX, -EBADMSG when a line cannot be a setting (it holds a NUL), -ENOMEM,
 * what pread gave, what the callback returned; *error_line is the line of -EBADMSG and of the callback's.
 * A line that uWSGI glues to the one before (a lone '%' ends that) has the number of the first.
 * *hash (may be NULL) is util_hash() of the content. */
int ini_read_fd(int fd, ini_callback cb, void *data, unsigned *error_line, unsigned long long *hash);

/* All of fd in memory, the caller's to free, with a NUL behind it. Errors as above, save -EBADMSG. */
int ini_load_fd(int fd, char **text, size_t *size);
/* Reads what is in memory. Errors as above. */
int ini_read_text(const char *text, size_t size, ini_callback cb, void *data, unsigned *error_line);

/* Only the hash, whatever the content is. Errors as above, save -EBADMSG. */
int ini_hash_fd(int fd, unsigned long long *hash);

#endif
