/* ruler: the unprivileged process: wires watch, monitors, court, control socket and link to one loop. It decides; the keeper does. */
#ifndef REGENT_RULER_H
#define REGENT_RULER_H

#include "supervisor/keeper.h"

/* In the child that the keeper forked. Returns the exit status. */
int ruler_main(const struct ruler_start *start);

#endif
