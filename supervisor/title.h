/* title: what ps shows for this process, where options name it. Writes over the words that it was started with; moves its environment. */
#ifndef REGENT_TITLE_H
#define REGENT_TITLE_H

#include "supervisor/options.h"

/* Without a title in the options: nothing. argv is as main() got it, and nothing may point into it or into environ any more. A title
 * that is too long is cut. */
void title_set(const struct options *o, int argc, char **argv);

#endif
