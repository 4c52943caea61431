/* check: `regent --check`: looks at everything a start would look at, each vassal's file included, says what is wrong, starts nothing. */
#ifndef REGENT_CHECK_H
#define REGENT_CHECK_H

#include <stdio.h>

#include "supervisor/options.h"

/* options_parse() was fine. Exit status: 0, or 2 if anything is amiss. */
int check_run(const struct options *o, FILE *out);

#endif
