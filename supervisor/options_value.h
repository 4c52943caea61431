/* options_value: puts one understood setting into struct options, by the kind of its row. Asks the name service for users
 * (OPTION_USERS); touches nothing else outside. */
#ifndef REGENT_OPTIONS_VALUE_H
#define REGENT_OPTIONS_VALUE_H

#include "supervisor/options.h"
#include "supervisor/options_settings.h"

/* setting->row works and is not of the kinds that options_settings_add() has dealt with (then: nothing is done). 0, or
 * OPTIONS_USAGE after one line on err. */
int options_value_store(struct options *o, const struct options_setting *setting, FILE *err);
/* Every row's fallback, and what has to be computed. 0 or -ENOMEM. */
int options_value_defaults(struct options *o);
void options_value_clear(struct options *o);

#endif
