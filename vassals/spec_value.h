/* spec_value: the settings seen so far, and what a value that refers to them comes to: %(key) and the magic %n %s %e %%.
 * Environment, files and arithmetic are never resolved: the answer is then "unresolved", not a guess. */
#ifndef REGENT_VASSAL_SPEC_VALUE_H
#define REGENT_VASSAL_SPEC_VALUE_H

#include <stddef.h>

/* Settings beyond this many are not remembered: references to them stay unresolved. */
#define SPEC_VALUE_KEYS_MAX 4096
/* A value that grows beyond this by references is unresolved: doubling makes any size in few lines. */
#define SPEC_VALUE_SIZE_MAX 65536
/* A positive answer of spec_value_resolve(). */
#define SPEC_VALUE_UNRESOLVED 1

struct spec_value;
struct spec_values {
	const char *name;		/* of the vassal; borrowed */
	struct spec_value *table;
};

/* 0: *ret is the value, the caller's to free; SPEC_VALUE_UNRESOLVED; -ENOMEM. */
int spec_value_resolve(const struct spec_values *values, const char *raw, char **ret);
/* The first value of a key counts, as in uWSGI. value NULL: unresolved, and references to it are so too. 0 or -ENOMEM. */
int spec_value_remember(struct spec_values *values, const char *key, const char *value);
void spec_values_clear(struct spec_values *values);

#endif
