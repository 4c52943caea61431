/* failure: words for what happened to a vassal: states, events, exit codes by their uWSGI meaning. Pure. */
#ifndef REGENT_FAILURE_H
#define REGENT_FAILURE_H

#include <stddef.h>

#include "vassals/vassal.h"

/* "exited 22: no app could be loaded", "killed by SIGSEGV, core dumped", ... of a wait status. Cut to size. */
void failure_status_text(char *buf, size_t size, int status);
/* A whole reason: "the new code exited 22: ...", "no sign of life within its start-timeout", ... "" for WHY_NONE. */
void failure_text(char *buf, size_t size, const struct vassal_failure *failure);
/* One word for machines: "spawn", "exit", "timeout", "no-app", "probe", ... "none". */
const char *failure_stage_name(enum vassal_why why);

#endif
