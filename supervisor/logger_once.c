/* logger_once: what was said of late, so that a failure that repeats is logged once and then counted. */
#include <stdio.h>
#include <string.h>

#include "supervisor/logger.h"
#include "vassals/util.h"

#define KEYS 128		/* more different failures at once than a person would read one by one */
#define QUIET (60 * NSEC_PER_SEC)
#define KEPT 240		/* of the text, for the sentence with the count */

struct said {
	uint64_t key, text;	/* hashes; key 0: a free place */
	uint64_t when, used;	/* logged; last asked for */
	uint64_t more;
	int level;
	char words[KEPT];
};

static struct said table[KEYS];

static void say_count(struct said *s)
{
	if (s->more > 0)
		logger_log(s->level, "%s (%llu times more)", s->words, (unsigned long long)s->more);
	s->more = 0;
}

/* The key's place; a new key takes a free one, or that of the key that was quiet longest. */
static struct said *place(uint64_t key)
{
	struct said *oldest = &table[0];
	for (size_t i = 0; i < KEYS; i++) {
		if (table[i].key == key)
			return &table[i];
		if (table[i].used < oldest->used)
			oldest = &table[i];
	}
	say_count(oldest);
	*oldest = (struct said){ .key = key };
	return oldest;
}

void logger_once(int level, const char *key, uint64_t now, const char *fmt, ...)
{
	char text[LOGGER_TEXT_MAX + 2];
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		snprintf(text, sizeof(text), "%s", fmt);
	va_end(ap);
	uint64_t hash = util_hash(UTIL_HASH_SEED, text, strlen(text));
	struct said *s = place(util_hash(UTIL_HASH_SEED, key, strlen(key)) | 1);
	s->used = now;
	if (s->words[0] && s->text == hash && now - s->when < QUIET) {
		s->more++;
		return;
	}
	say_count(s);
	s->text = hash;
	s->when = now;
	s->level = level;
	snprintf(s->words, sizeof(s->words), "%.*s", KEPT - 1, text);
	logger_log(level, "%s", text);
}
