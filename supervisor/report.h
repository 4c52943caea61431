/* report: what a config means for its deploys, as one JSON object: when it is ready, what is held, what a reload does and whose words
 * decide that. Judges a struct spec and the defaults of the command line; reads nothing, asks nobody. regentctl and regent share it. */
#ifndef REGENT_REPORT_H
#define REGENT_REPORT_H

#include "supervisor/json.h"
#include "vassals/spec.h"

/* What the command line says for vassals that say nothing themselves. */
struct report_defaults {
	bool known;			/* false: nobody could be asked; the rest is what regent does without options */
	bool hold_sockets;
	enum spec_handover handover;
	uint32_t ready_for_ms, start_timeout_ms, health_timeout_ms, drain_ms, retire_mercy_ms, hold_limit_ms;
};

enum report_reload { REPORT_HANDOVER, REPORT_PAUSED, REPORT_IN_PLACE, REPORT_RELOADS };
struct report_verdict {
	bool holds;			/* its sockets, from its next start on */
	enum report_reload reload;	/* what one does */
	bool broken_word;		/* its own ini asks for what cannot be */
	const char *why;		/* it is not held, or no handover, though asked for; NULL: it is as asked. Points into the spec */
};
void report_judge(const struct spec *spec, const struct report_defaults *defaults, struct report_verdict *ret);
/* "NAME: a reload is a handover", "NAME: it cannot be what its ini asks for: WHY; a reload is in place" */
void report_text(const char *name, const struct report_verdict *verdict, char *buf, size_t size);
/* The member `report`. */
void report_write(const struct spec *spec, const struct report_defaults *defaults, struct json *j);
/* The member `defaults`, as the verb version gives it. */
void report_write_defaults(const struct report_defaults *defaults, struct json *j);
const char *report_handover_word(enum spec_handover handover);	/* "no", "yes", "force" */

#endif
