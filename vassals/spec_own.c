#include "vassals/spec_build.h"

#include <errno.h>
#include <string.h>

#include "vassals/spec_keys.h"

#define DURATION_MAX_S 86400

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

static int take_reload_on_change(struct spec_build *b, const char *name, const char *value)
{
	b->spec->calm = strcmp(value, "no") == 0;
	if (b->spec->calm || strcmp(value, "yes") == 0)
		return 0;
	return spec_warn(b, "'", name, "' wants yes or no: ignored");
}

/* Our own section is literal: a '%' in a path is a '%'. */
int spec_take_own(struct spec_build *b, const char *name, const char *value)
{
	int err = strstr(value, " ;") ? spec_warn(b, "'", name, "': ' ;' and the rest belong to the value") : 0;
	const char *similar;
	if (err < 0)
		return err;
	switch (spec_own_find(name)) {
	case SPEC_OWN_HEALTH:
		if (value[0] != '/')
			return spec_warn(b, "'", name, "' wants a path that begins with '/': ignored");
		return spec_set_text(&b->spec->health, value);
	case SPEC_OWN_HEALTH_HOST:
		return spec_set_text(&b->spec->health_host, value[0] ? value : NULL);
	case SPEC_OWN_READY_FOR:
		return take_duration(b, name, value, &b->spec->ready_for_ms);
	case SPEC_OWN_START_TIMEOUT:
		return take_duration(b, name, value, &b->spec->start_timeout_ms);
	case SPEC_OWN_RELOAD_ON_CHANGE:
		return take_reload_on_change(b, name, value);
	case SPEC_OWN_LATER:
		return spec_warn(b, "'", name, "' is not supported yet: ignored");
	case SPEC_OWN_UNKNOWN:
		break;
	}
	similar = spec_own_similar(name);
	if (similar)
		return spec_warn(b, "[regent] has no such key; is this '", similar, "' misspelt?");
	return spec_warn(b, "[regent] has no key '", name, "'");
}
