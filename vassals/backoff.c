#include "vassals/backoff.h"

/* 2^32 steps is beyond any maximum; stop doubling there. */
#define LEVEL_MAX 32

uint64_t backoff_delay(const struct backoff_rules *rules, uint32_t level, uint64_t seed)
{
	if (level == 0)
		return 0;
	uint64_t delay = rules->step_ns;
	if (!rules->flat) {
		if (level > LEVEL_MAX)
			level = LEVEL_MAX;
		while (--level > 0 && delay < rules->max_ns)
			delay *= 2;
	}
	if (delay > rules->max_ns)
		delay = rules->max_ns;
	/* splitmix64's finisher: neighbouring seeds must give unrelated jitter. */
	seed += 0x9e3779b97f4a7c15ULL;
	seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9ULL;
	seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebULL;
	seed ^= seed >> 31;
	return delay - (delay / 8 > 0 ? seed % (delay / 8) : 0);
}
