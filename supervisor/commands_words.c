#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "supervisor/commands_inside.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The word behind an opening quote, unescaped in place. The byte after the closing quote, or NULL. */
static char *quoted_word(char *at, const char **why)
{
	char *to = at;
	for (; *at && *at != '"'; at++) {
		if (*at == '\\' && *++at != '"' && *at != '\\') {
			*why = "inside quotes a backslash stands only before \" or \\";
			return NULL;
		}
		*to++ = *at;
	}
	if (!*at) {
		*why = "a quote is not closed";
		return NULL;
	}
	at++;
	if (*at && !is_blank(*at)) {
		*why = "a closing quote must end its word";
		return NULL;
	}
	bool last = !*at;
	*to = '\0';
	return last ? at : at + 1;
}

/* A word without quotes. The byte after it, or NULL. */
static char *bare_word(char *at, const char **why)
{
	for (; *at && !is_blank(*at); at++) {
		if (*at == '"') {
			*why = "a quote must begin its word";
			return NULL;
		}
	}
	if (*at)
		*at++ = '\0';
	return at;
}

int words_split(char *line, char **words, size_t max, const char **why)
{
	size_t n = 0;
	for (char *at = line;;) {
		while (is_blank(*at))
			at++;
		if (!*at)
			return (int)n;
		if (n == max) {
			*why = "too many words";
			return -EINVAL;
		}
		bool quoted = *at == '"';
		words[n++] = quoted ? at + 1 : at;
		at = quoted ? quoted_word(at + 1, why) : bare_word(at, why);
		if (!at)
			return -EINVAL;
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -EINVAL;
}

int words_parse_id(const char *text, uint8_t id[COURT_ID_SIZE])
{
	uint8_t parsed[COURT_ID_SIZE], any = 0;
	if (strlen(text) != 2 * COURT_ID_SIZE)
		return -EINVAL;
	for (size_t i = 0; i < COURT_ID_SIZE; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		parsed[i] = (uint8_t)(high * 16 + low);
		any |= parsed[i];
	}
	if (!any)
		return -EINVAL;	/* a client that forgot to fill it in would join somebody else's request */
	memcpy(id, parsed, sizeof parsed);
	return 0;
}

void words_write_id(const uint8_t id[COURT_ID_SIZE], char text[2 * COURT_ID_SIZE + 1])
{
	for (size_t i = 0; i < COURT_ID_SIZE; i++) {
		text[2 * i] = "0123456789abcdef"[id[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[id[i] & 15];
	}
	text[2 * COURT_ID_SIZE] = '\0';
}

int words_random_id(uint8_t id[COURT_ID_SIZE])
{
	uint8_t random[COURT_ID_SIZE];
	ssize_t n = getrandom(random, sizeof random, GRND_NONBLOCK);
	if (n != (ssize_t)sizeof random)
		return n < 0 ? -errno : -EAGAIN;
	memcpy(id, random, sizeof random);
	return 0;
}
