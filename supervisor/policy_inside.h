/* policy_inside: what policy*.c share. policy.c is who may start, as whom; policy_words.c what it is told. */
#ifndef REGENT_POLICY_INSIDE_H
#define REGENT_POLICY_INSIDE_H

#include "supervisor/policy.h"

/* Environments and room for an argv. 0 or -ENOMEM; policy_free() frees them also then. */
int policy_compose(struct policy *p, char *const *environment);

#endif
