/* json: writes one JSON object on one line. Parses nothing. Text is escaped, bytes that are no UTF-8 become U+FFFD, so whatever
 * a vassal is called or prints, a client can read the line. A lack of memory is remembered and told once, by json_text().
 * No name here is one of jansson's: regentctl links both. */
#ifndef REGENT_JSON_H
#define REGENT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json { char *text; size_t n, room; bool comma, failed; };	/* zeroed: empty */

/* key: NULL for the outermost object and inside arrays. bracket: '{' or '['. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);			/* '}' or ']' */
void json_put_string(struct json *j, const char *key, const char *value);	/* NULL: null */
void json_put_int(struct json *j, const char *key, int64_t value);
void json_put_unsigned(struct json *j, const char *key, uint64_t value);
void json_put_bool(struct json *j, const char *key, bool value);
void json_put_null(struct json *j, const char *key);
void json_put_seconds(struct json *j, const char *key, int64_t ms);	/* a number of seconds with three decimals */

/* NUL-terminated, no newline in it; owned by j. NULL: there was no memory for all of it. */
const char *json_text(const struct json *j);
void json_clear(struct json *j);
#define CLEANUP_JSON __attribute__((cleanup(json_clear)))

#endif
