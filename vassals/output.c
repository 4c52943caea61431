#include "vassals/output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vassals/util.h"

/* The rate is a bucket: it holds a second's worth of lines, each line costs its share of that second. */
#define LINE_COST (NSEC_PER_SEC / OUTPUT_LINES_PER_SECOND)

struct buffers {
	char line[OUTPUT_LINE_MAX + 1];
	char tail[OUTPUT_TAIL_BYTES];	/* a ring of whole lines, each with its '\n' */
};

struct output {
	struct buffers *buffers;	/* NULL before the first byte */
	size_t filled;			/* of line */
	uint64_t written;		/* bytes that ever went to the tail */
	uint64_t mark;			/* written, when what is older became old */
	uint64_t credit, credited_at;	/* of the bucket, ns */
	uint64_t dropped;
	bool carriage_return;		/* seen, and not yet known whether a '\n' follows */
	unsigned char last;		/* the byte before, to tell a control character's second byte */
};

int output_new(struct output **ret)
{
	struct output *o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->credit = NSEC_PER_SEC;
	*ret = o;
	return 0;
}

struct output *output_free(struct output *o)
{
	if (o) {
		free(o->buffers);
		free(o);
	}
	return NULL;
}

static void tail_add(struct output *o, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		o->buffers->tail[o->written++ % OUTPUT_TAIL_BYTES] = text[i];
}

/* fn NULL: the rate is exhausted. */
static void deliver(struct output *o, output_line fn, void *data)
{
	char *line = o->buffers->line;
	line[o->filled] = '\0';
	tail_add(o, line, o->filled);
	tail_add(o, "\n", 1);
	size_t length = o->filled;
	o->filled = 0;
	if (fn)
		fn(data, line, length);
	else
		o->dropped++;
}

static void deliver_at_rate(struct output *o, output_line fn, void *data)
{
	bool within = o->credit >= LINE_COST;
	if (within)
		o->credit -= LINE_COST;
	deliver(o, within ? fn : NULL, data);
}

/* C0 and DEL; C1 too, alone or as the second byte of its UTF-8 form: some terminals obey it. Other bytes beyond ASCII
 * are taken as text. */
static bool is_control(unsigned char last, unsigned char c)
{
	if (c < 0x20 || c == 0x7f)
		return c != '\t';
	return c >= 0x80 && c < 0xa0 && (last < 0x80 || last == 0xc2);
}

/* What must fit in one piece with this byte: its escape, or the whole UTF-8 sequence it begins. */
static size_t room_for(unsigned char c, bool control)
{
	if (control || c >= 0xf0)
		return 4;
	if (c >= 0xe0)
		return 3;
	return c >= 0xc0 ? 2 : 1;
}

static void add_byte(struct output *o, unsigned char c, output_line fn, void *data)
{
	static const char hex[] = "0123456789abcdef";
	bool control = is_control(o->last, c);
	if (o->filled + room_for(c, control) > OUTPUT_LINE_MAX)
		deliver_at_rate(o, fn, data);
	char *to = o->buffers->line + o->filled;
	if (control) {
		memcpy(to, "\\x", 2);
		to[2] = hex[c >> 4];
		to[3] = hex[c & 15];
		o->filled += 4;
	} else {
		*to = (char)c;
		o->filled++;
	}
	o->last = c;
}

static void take_byte(struct output *o, unsigned char c, output_line fn, void *data)
{
	if (c == '\n') {
		o->carriage_return = false;
		o->last = 0;
		deliver_at_rate(o, fn, data);
		return;
	}
	if (o->carriage_return)
		add_byte(o, '\r', fn, data);
	o->carriage_return = c == '\r';
	if (!o->carriage_return)
		add_byte(o, c, fn, data);
}

static void refill(struct output *o, uint64_t now)
{
	uint64_t passed = o->credited_at && now > o->credited_at ? now - o->credited_at : 0;
	o->credited_at = now;
	o->credit = passed > NSEC_PER_SEC - o->credit ? NSEC_PER_SEC : o->credit + passed;
}

void output_feed(struct output *o, const char *bytes, size_t n, uint64_t now, output_line fn, void *data)
{
	if (n > 0 && !o->buffers) {
		o->buffers = malloc(sizeof(*o->buffers));
		if (!o->buffers) {
			for (size_t i = 0; i < n; i++)
				o->dropped += bytes[i] == '\n';
			return;
		}
	}
	refill(o, now);
	for (size_t i = 0; i < n; i++)
		take_byte(o, (unsigned char)bytes[i], fn, data);
}

void output_finish(struct output *o, output_line fn, void *data)
{
	if (o->buffers && o->filled > 0)
		deliver(o, fn, data);
	o->carriage_return = false;
	o->last = 0;
}

uint64_t output_dropped(struct output *o)
{
	uint64_t n = o->dropped;
	o->dropped = 0;
	return n;
}

static char tail_at(const struct output *o, uint64_t position)
{
	return o->buffers->tail[position % OUTPUT_TAIL_BYTES];
}

/* What the ring has overwritten ends inside a line: that line is left out. */
static uint64_t tail_begin(const struct output *o)
{
	if (o->written <= OUTPUT_TAIL_BYTES)
		return 0;
	uint64_t begin = o->written - OUTPUT_TAIL_BYTES;
	while (begin < o->written && tail_at(o, begin) != '\n')
		begin++;
	return begin + 1;
}

static char *tail_from(const struct output *o, uint64_t begin, size_t max_lines)
{
	uint64_t from = o->written;
	size_t lines = 0;
	while (from > begin) {
		if (tail_at(o, from - 1) == '\n' && lines++ == max_lines)
			break;
		from--;
	}
	char *text = calloc(1, o->written - from + 1);
	if (!text)
		return NULL;
	for (uint64_t i = from; i < o->written; i++)
		text[i - from] = tail_at(o, i);
	text[o->written - from] = '\0';
	return text;
}

char *output_tail(const struct output *o, size_t max_lines)
{
	return tail_from(o, tail_begin(o), max_lines);
}

void output_mark(struct output *o)
{
	o->mark = o->written;
}

char *output_tail_since_mark(const struct output *o, size_t max_lines)
{
	uint64_t begin = tail_begin(o);
	return tail_from(o, begin > o->mark ? begin : o->mark, max_lines);
}

int output_inherit(struct output *o, const struct output *old)
{
	if (!old->buffers)
		return 0;
	if (!o->buffers && !(o->buffers = malloc(sizeof(*o->buffers))))
		return -ENOMEM;
	CLEANUP_FREE char *before = output_tail(old, SIZE_MAX);
	CLEANUP_FREE char *after = output_tail(o, SIZE_MAX);
	if (!before || !after)
		return -ENOMEM;
	uint64_t since_mark = o->written - o->mark, kept = strlen(after);
	o->written = 0;
	tail_add(o, before, strlen(before));
	tail_add(o, after, kept);
	o->mark = o->written - (since_mark < kept ? since_mark : kept);
	return 0;
}
