/* stubs: what the court needs of files that a simulation has no use for. */
#include <stdlib.h>

#include "vassals/launch.h"
#include "vassals/spec.h"

struct spec *spec_free(struct spec *spec)
{
	if (spec) {
		free(spec->logger);
		free(spec->health);
		free(spec->sockets);
		free(spec->no_double);
		free(spec);
	}
	return NULL;
}

const char *launch_stage_name(unsigned stage)
{
	return stage == LAUNCH_CLONE ? "clone" : "?";
}
