#include "vassals/spec_build.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vassals/spec_keys.h"
#include "vassals/util.h"

#define DURATION_MAX_S 86400
#define DRAIN_MAX_MS 10000		/* the keeper's own limit */
#define HEALTH_MIN_MS 100		/* less would only keep the vassal busy with being asked */
#define HEALTH_STATUS_MAX 16

/* Seconds, with decimals. */
static int parse_duration(const char *text, uint32_t *ms)
{
	size_t whole = strspn(text, "0123456789");
	size_t decimals = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
	if (whole == 0 || (text[whole] == '.' && decimals == 0))
		return -EINVAL;
	if (text[whole + (decimals ? decimals + 1 : 0)] != '\0')
		return -EINVAL;
	uint64_t s = 0, scale = 100, fraction = 0;
	for (size_t i = 0; i < whole; i++) {
		s = s * 10 + (uint64_t)(text[i] - '0');
		if (s > DURATION_MAX_S)
			return -ERANGE;
	}
	for (size_t i = 0; i < decimals; i++, scale /= 10)
		fraction += scale * (uint64_t)(text[whole + 1 + i] - '0');
	*ms = (uint32_t)(s * 1000 + fraction);
	return 0;
}

static int take_duration(struct spec_build *b, const char *name, const char *value, uint32_t *ms)
{
	if (parse_duration(value, ms) == 0)
		return 0;
	return spec_warn(b, "'", name, "' wants seconds (decimals allowed, at most a day): ignored");
}

/* As above, and within limits of its own. */
static int take_bounded(struct spec_build *b, const char *name, const char *value, uint32_t min, uint32_t max, const char *wants, uint32_t *ret)
{
	uint32_t ms;
	if (parse_duration(value, &ms) < 0 || ms < min || ms > max)
		return spec_warn(b, "'", name, wants);
	*ret = ms;
	return 0;
}

static int take_choice(struct spec_build *b, const char *name, const char *value, enum spec_choice *ret)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return spec_warn(b, "'", name, "' wants yes or no: ignored");
	*ret = value[0] == 'y' ? SPEC_CHOICE_YES : SPEC_CHOICE_NO;
	return 0;
}

static int take_handover(struct spec_build *b, const char *name, const char *value)
{
	static const struct { const char *word; enum spec_handover handover; } words[] = {
		{ "no", SPEC_HANDOVER_NO }, { "yes", SPEC_HANDOVER_YES }, { "force", SPEC_HANDOVER_FORCE },
	};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].word, value) == 0) {
			b->spec->handover = words[i].handover;
			return 0;
		}
	return spec_warn(b, "'", name, "' wants no, yes or force: ignored");
}

/* "200, 301" is kept as "200,301". */
static int take_status(struct spec_build *b, const char *name, const char *value)
{
	char list[HEALTH_STATUS_MAX * 4];
	size_t n = 0;
	for (const char *p = value;; p++) {
		p += strspn(p, " 	");
		size_t digits = strspn(p, "0123456789");
		if (digits != 3 || p[0] < '1' || p[0] > '5' || n + 4 > sizeof list)
			break;
		n += (size_t)sprintf(list + n, "%s%.3s", n ? "," : "", p);
		p += digits;
		p += strspn(p, " 	");
		if (*p == '\0')
			return spec_set_text(&b->spec->health_status, list);
		if (*p != ',')
			break;
	}
	return spec_warn(b, "'", name, "' wants numbers like 200,301: ignored");
}

static int take_known(struct spec_build *b, enum spec_own own, const char *name, const char *value)
{
	struct spec *s = b->spec;
	enum spec_choice choice = SPEC_CHOICE_UNSET;
	int err;
	switch (own) {
	case SPEC_OWN_HEALTH:
		if (value[0] != '/')
			return spec_warn(b, "'", name, "' wants a path that begins with '/': ignored");
		return spec_set_text(&s->health, value);
	case SPEC_OWN_HEALTH_HOST: return spec_set_text(&s->health_host, value[0] ? value : NULL);
	case SPEC_OWN_HEALTH_STATUS: return take_status(b, name, value);
	case SPEC_OWN_HEALTH_TIMEOUT:
	case SPEC_OWN_HEALTH_INTERVAL:
		return take_bounded(b, name, value, HEALTH_MIN_MS, DURATION_MAX_S * 1000U, "' wants seconds, from 0.1 to a day: ignored",
				    own == SPEC_OWN_HEALTH_TIMEOUT ? &s->health_timeout_ms : &s->health_interval_ms);
	case SPEC_OWN_HEALTH_RESTART:
		err = take_choice(b, name, value, &choice);
		s->health_restart = choice == SPEC_CHOICE_UNSET ? s->health_restart : choice == SPEC_CHOICE_YES;
		return err;
	case SPEC_OWN_READY_FOR: return take_duration(b, name, value, &s->ready_for_ms);
	case SPEC_OWN_START_TIMEOUT: return take_duration(b, name, value, &s->start_timeout_ms);
	case SPEC_OWN_RELOAD_ON_CHANGE:
		err = take_choice(b, name, value, &choice);
		s->calm = choice == SPEC_CHOICE_UNSET ? s->calm : choice == SPEC_CHOICE_NO;
		return err;
	case SPEC_OWN_HOLD_SOCKETS: return take_choice(b, name, value, &s->hold_sockets);
	case SPEC_OWN_HANDOVER: return take_handover(b, name, value);
	case SPEC_OWN_RETIRE_MERCY: return take_duration(b, name, value, &s->retire_mercy_ms);
	case SPEC_OWN_DRAIN: return take_bounded(b, name, value, 0, DRAIN_MAX_MS, "' wants seconds, at most 10: ignored", &s->drain_ms);
	case SPEC_OWN_UNKNOWN: break;
	}
	return 0;
}

/* Our own section is literal: a '%' in a path is a '%'. */
int spec_take_own(struct spec_build *b, const char *name, const char *value)
{
	int err = strstr(value, " ;") ? spec_warn(b, "'", name, "': ' ;' and the rest belong to the value") : 0;
	enum spec_own own = spec_own_find(name);
	const char *similar;
	if (err < 0 || own != SPEC_OWN_UNKNOWN)
		return err < 0 ? err : take_known(b, own, name, value);
	similar = spec_own_similar(name);
	if (similar)
		return spec_warn(b, "[regent] has no such key; is this '", similar, "' misspelt?");
	return spec_warn(b, "[regent] has no key '", name, "'");
}
