/* output: what a vassal prints: bytes in, lines out, the last of them kept. Long lines are cut into pieces, a flood is
 * dropped and counted. Holds no descriptor and knows no logger; memory only once there was a byte. */
#ifndef REGENT_OUTPUT_H
#define REGENT_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#define OUTPUT_LINE_MAX 2048		/* a longer line is delivered in pieces of this size (a syslog record holds it) */
#define OUTPUT_TAIL_BYTES 8192		/* kept for `regentctl logs` and for the answer to a failed reload */
#define OUTPUT_LINES_PER_SECOND 2000	/* beyond this, averaged over a second, lines are dropped and counted */

struct output;

/* line: NUL-terminated, no newline, control bytes replaced ('\t' kept, others as \xNN, so a terminal is safe);
 * length without the NUL. */
typedef void (*output_line)(void *data, const char *line, size_t length);

/* 0 or -ENOMEM. */
int output_new(struct output **ret);
struct output *output_free(struct output *o);

/* Feeds n bytes read at time now (ns, monotonic). Lines within the rate go to fn and to the tail; the others only to
 * the tail, and are counted. */
void output_feed(struct output *o, const char *bytes, size_t n, uint64_t now, output_line fn, void *data);
/* The pipe has ended: an unfinished last line is delivered. */
void output_finish(struct output *o, output_line fn, void *data);
/* Lines dropped since the last call. */
uint64_t output_dropped(struct output *o);
/* The last max_lines lines of the tail, oldest first, as NUL-terminated text with '\n' after each. Caller frees; NULL on
 * out of memory, "" when there is nothing. */
char *output_tail(const struct output *o, size_t max_lines);
/* Everything said so far is old: the next tail begins here (a new generation or a reload has begun). */
void output_mark(struct output *o);
/* What old has printed comes before what o has: the older lines of one tail. Neither may be NULL. 0 or -ENOMEM. */
int output_inherit(struct output *o, const struct output *old);
/* Like output_tail, but only lines since output_mark. */
char *output_tail_since_mark(const struct output *o, size_t max_lines);

#endif
