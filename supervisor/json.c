#include "supervisor/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct json *j, const char *bytes, size_t n)
{
	if (j->failed)
		return;
	if (j->n + n + 1 > j->room) {
		size_t room = (j->n + n + 1) * 2;
		char *grown = realloc(j->text, room);
		if (!grown) {
			j->failed = true;
			return;
		}
		j->text = grown;
		j->room = room;
	}
	memcpy(j->text + j->n, bytes, n);
	j->n += n;
	j->text[j->n] = '\0';
}

static void put_text(struct json *j, const char *text)
{
	put(j, text, strlen(text));
}

/* The length of the well-formed UTF-8 sequence at s (RFC 3629: shortest form, no surrogates, at most U+10FFFF); 0: none. */
static size_t utf8_length(const unsigned char *s)
{
	unsigned char low = 0x80, high = 0xBF;
	size_t n;
	if (s[0] >= 0xC2 && s[0] <= 0xDF)
		n = 2;
	else if (s[0] >= 0xE0 && s[0] <= 0xEF)
		n = 3;
	else if (s[0] >= 0xF0 && s[0] <= 0xF4)
		n = 4;
	else
		return s[0] < 0x80;
	if (s[0] == 0xE0)
		low = 0xA0;
	else if (s[0] == 0xED)
		high = 0x9F;
	else if (s[0] == 0xF0)
		low = 0x90;
	else if (s[0] == 0xF4)
		high = 0x8F;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (s[i] < 0x80 || s[i] > 0xBF)
			return 0;	/* the NUL at the end stops here too */
	return n;
}

static void put_control(struct json *j, unsigned char c)
{
	char escaped[8];
	snprintf(escaped, sizeof escaped, "\\u%04x", c);
	put_text(j, escaped);
}

static void put_quoted(struct json *j, const char *value)
{
	put_text(j, "\"");
	for (const unsigned char *s = (const unsigned char *)value; *s;) {
		size_t n = utf8_length(s);
		if (n == 0)
			put_text(j, "\xEF\xBF\xBD");
		else if (*s == '"' || *s == '\\')
			put(j, (const char[]){ '\\', (char)*s }, 2);
		else if (*s == '\n')
			put_text(j, "\\n");
		else if (*s < 0x20 || *s == 0x7F)
			put_control(j, *s);
		else
			put(j, (const char *)s, n);
		s += n ? n : 1;
	}
	put_text(j, "\"");
}

static void put_key(struct json *j, const char *key)
{
	if (j->comma)
		put_text(j, ",");
	j->comma = true;
	if (!key)
		return;
	put_quoted(j, key);
	put_text(j, ":");
}

void json_open(struct json *j, const char *key, char bracket)
{
	put_key(j, key);
	put(j, &bracket, 1);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	put(j, &bracket, 1);
	j->comma = true;
}

void json_put_string(struct json *j, const char *key, const char *value)
{
	if (!value) {
		json_put_null(j, key);
		return;
	}
	put_key(j, key);
	put_quoted(j, value);
}

void json_put_int(struct json *j, const char *key, int64_t value)
{
	char number[24];
	snprintf(number, sizeof number, "%" PRId64, value);
	put_key(j, key);
	put_text(j, number);
}

void json_put_unsigned(struct json *j, const char *key, uint64_t value)
{
	char number[24];
	snprintf(number, sizeof number, "%" PRIu64, value);
	put_key(j, key);
	put_text(j, number);
}

void json_put_bool(struct json *j, const char *key, bool value)
{
	put_key(j, key);
	put_text(j, value ? "true" : "false");
}

void json_put_null(struct json *j, const char *key)
{
	put_key(j, key);
	put_text(j, "null");
}

void json_put_seconds(struct json *j, const char *key, int64_t ms)
{
	char number[32];
	uint64_t size = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
	snprintf(number, sizeof number, "%s%" PRIu64 ".%03u", ms < 0 ? "-" : "", size / 1000, (unsigned)(size % 1000));
	put_key(j, key);
	put_text(j, number);
}

const char *json_text(const struct json *j)
{
	if (j->failed)
		return NULL;
	return j->text ? j->text : "";
}

void json_clear(struct json *j)
{
	free(j->text);
	*j = (struct json){ 0 };
}
