/* backoff: how long a vassal that died waits before it is started again. Pure: no clock, no memory beyond its level. */
#ifndef REGENT_BACKOFF_H
#define REGENT_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

struct backoff_rules {
	uint64_t step_ns;	/* emperor-throttle: the first real wait, doubled each time */
	uint64_t max_ns;	/* emperor-max-throttle */
	bool flat;		/* emperor-no-blacklist: always step_ns, never more */
};

/* A run at least this long, by a vassal that became loyal or passed its gate, makes the next death a first one. */
#define BACKOFF_GOOD_RUN_NS (10ULL * 1000000000ULL)

/* The wait after the level-th death in a row (level 0: none, the Emperor too starts again at once). Within max_ns; seed
 * (anything) spreads it by up to an eighth downwards, so that vassals that died together do not return together. */
uint64_t backoff_delay(const struct backoff_rules *rules, uint32_t level, uint64_t seed);

#endif
