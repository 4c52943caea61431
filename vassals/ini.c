#include "vassals/ini.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vassals/util.h"

/* inih's splitting differs from uWSGI's at a few bytes: it also splits at ':', and takes \v and \f for blanks. They
 * travel through it as this byte and themselves ^ ESCAPE_FLIP, and are restored before the callback sees them. */
#define ESCAPE 0x1f
#define ESCAPE_FLIP 0x40

struct reader {
	const char *text;
	size_t size, at;
	char *line;		/* the current line, escaped, with its '\n' */
	size_t length, given;
	char *section;		/* whole, where inih would cut it; NULL before the first */
	unsigned number, next;	/* of the current line, of the one after it */
	ini_callback cb;
	void *data;
	int error;
};

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* `[name]` without its first and last byte, whatever the last one is: so does uWSGI. */
static int take_section(struct reader *r, const char *start, const char *end)
{
	size_t length = end - start >= 2 ? (size_t)(end - start) - 2 : 0;
	char *section = strndup(start + 1, length);
	if (!section)
		return -ENOMEM;
	free(r->section);
	r->section = section;
	return 0;
}

/* Copies one line to r->line. uWSGI replaces %x before it looks for lines, so a '%' that ends a line glues the next
 * one to it, even in a comment; pairs are counted from the line's start. */
static int cut_line(struct reader *r)
{
	r->length = 0;
	r->number = r->next;
	while (r->at < r->size) {
		char c = r->text[r->at++];
		if (c == '\0')
			return -EBADMSG;
		if (c == '\n') {
			r->next++;
			break;
		}
		if (c == '%' && r->at < r->size && r->text[r->at] == '\n') {
			r->at++;
			r->next++;
			continue;
		}
		r->line[r->length++] = c;
		if (c == '%' && r->at < r->size && r->text[r->at] != '\0')
			r->line[r->length++] = r->text[r->at++];
	}
	return 0;
}

/* The buffer holds twice the text: escaping reads a copy in its second half and never overtakes it. */
static void escape_line(struct reader *r)
{
	size_t n = r->length, to = 0;
	char *copy = r->line + r->size + 2;
	memcpy(copy, r->line, n);
	bool in_key = true;
	for (size_t i = 0; i < n; i++) {
		char c = copy[i];
		if (c == '=')
			in_key = false;
		if (c == ESCAPE || c == '\v' || c == '\f' || (in_key && c == ':')) {
			r->line[to++] = ESCAPE;
			c ^= ESCAPE_FLIP;
		}
		r->line[to++] = c;
	}
	r->line[to++] = '\n';
	r->length = to;
}

/* 1: a line is ready; 0: the end; negative errno. */
static int next_line(struct reader *r)
{
	while (r->at < r->size) {
		int err = cut_line(r);
		if (err < 0)
			return err;
		const char *start = r->line, *end = r->line + r->length;
		while (start < end && blank(*start))
			start++;
		while (end > start && blank(end[-1]))
			end--;
		if (start < end && *start == '[') {
			err = take_section(r, start, end);
			if (err < 0)
				return err;
		} else if (start < end && r->section) {
			escape_line(r);
			r->given = 0;
			return 1;
		}
	}
	return 0;
}

/* What inih calls like fgets(). */
static char *give(char *to, int size, void *stream)
{
	struct reader *r = stream;
	if (r->error || size < 2)
		return NULL;
	if (r->given == r->length) {
		int n = next_line(r);
		if (n < 0)
			r->error = n;
		if (n <= 0)
			return NULL;
	}
	size_t n = r->length - r->given;
	if (n > (size_t)size - 1)
		n = (size_t)size - 1;
	memcpy(to, r->line + r->given, n);
	to[n] = '\0';
	r->given += n;
	return to;
}

static void unescape(char *text)
{
	char *to = text;
	for (; *text; text++) {
		if (*text == ESCAPE && text[1] != '\0')
			*to++ = *++text ^ ESCAPE_FLIP;
		else
			*to++ = *text;
	}
	*to = '\0';
}

/* inih hands its own line buffer out as const; a copy keeps us honest. */
static int handle(void *stream, const char *section, const char *name, const char *value)
{
	(void)section;
	struct reader *r = stream;
	CLEANUP_FREE char *key = strdup(name);
	CLEANUP_FREE char *val = strdup(value ? value : "");
	if (!key || !val) {
		r->error = -ENOMEM;
		return 0;
	}
	unescape(key);
	unescape(val);
	r->error = r->cb(r->data, r->section, key, val, r->number);
	return r->error == 0;
}

/* Debian's inih takes its compile-time settings from these variables. */
static void set_dialect(void)
{
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_allow_bom = false;
	ini_allow_no_value = true;
	ini_use_stack = false;
	ini_allow_realloc = true;
	ini_max_line = 2 * (int)INI_SIZE_MAX + 16;
}

/* The file may grow while it is read: the loop ends at its end, or at the limit. */
static int read_all(int fd, char **ret, size_t *ret_size)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((unsigned long long)st.st_size > INI_SIZE_MAX)
		return -EFBIG;
	size_t size = 0, room = (size_t)st.st_size + 1;
	CLEANUP_FREE char *text = malloc(room);
	while (text) {
		ssize_t n = pread(fd, text + size, room - size, (off_t)size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		size += (size_t)n;
		if (size > INI_SIZE_MAX)
			return -EFBIG;
		if (n == 0 || size < room) {	/* of a regular file, less than asked for is its end */
			text[size] = '\0';
			*ret = take_ptr(&text);
			*ret_size = size;
			return 0;
		}
		char *more = realloc(text, room *= 2);
		if (!more)
			break;
		text = more;
	}
	return -ENOMEM;
}

int ini_hash_fd(int fd, unsigned long long *hash)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int err = read_all(fd, &text, &size);
	if (err < 0)
		return err;
	*hash = util_hash(UTIL_HASH_SEED, text, size);
	return 0;
}

int ini_load_fd(int fd, char **text, size_t *size)
{
	return read_all(fd, text, size);
}

int ini_read_text(const char *text, size_t size, ini_callback cb, void *data, unsigned *error_line)
{
	CLEANUP_FREE char *line = malloc(2 * (size + 2));
	if (!line)
		return -ENOMEM;
	struct reader r = { .text = text, .size = size, .line = line, .next = 1, .cb = cb, .data = data };
	set_dialect();
	int err = ini_parse_stream(give, &r, handle, &r);
	free(r.section);
	if (r.error) {
		*error_line = r.number;
		return r.error;
	}
	if (err == -2)
		return -ENOMEM;
	if (err != 0) {
		*error_line = r.number;
		return -EBADMSG;
	}
	return 0;
}

int ini_read_fd(int fd, ini_callback cb, void *data, unsigned *error_line, unsigned long long *hash)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int err = read_all(fd, &text, &size);
	if (err == 0)
		err = ini_read_text(text, size, cb, data, error_line);
	if (err == 0 && hash)
		*hash = util_hash(UTIL_HASH_SEED, text, size);
	return err;
}
