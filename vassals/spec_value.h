/* spec_value: the settings of a vassal in the order in which uWSGI has them, and what a value that refers to others by %(key) comes to.
 * Environment, files and arithmetic are never resolved: the answer is then "not known", not a guess. */
#ifndef REGENT_VASSAL_SPEC_VALUE_H
#define REGENT_VASSAL_SPEC_VALUE_H

#include <stdbool.h>
#include <stddef.h>

/* No ini that a person wrote comes near it; more are not kept. */
#define SPEC_VALUE_KEYS_MAX 4096
/* A value that grows beyond this by references is not known: doubling makes any size in few lines. */
#define SPEC_VALUE_SIZE_MAX 65536
/* A positive answer of spec_values_add(): no room for more. */
#define SPEC_VALUE_FULL 1

enum spec_setting_kind {
	SPEC_SETTING_PLAIN,
	SPEC_SETTING_FIXED,		/* uWSGI acts on it at once: references in it mean nothing */
	SPEC_SETTING_PLACEHOLDER,	/* only there to be referred to */
};

struct spec_setting;
struct spec_values {
	struct spec_setting *first, *last, *table;
	size_t n, resolved_bytes;
	bool closed;	/* what comes now may be the second value of its key, so nothing refers to it with certainty */
};

/* As read: value NULL is not known. file: where it stands, borrowed; NULL: the vassal's own file. */
struct spec_line { const char *name, *value, *file; unsigned line; enum spec_setting_kind kind; };

/* 0, SPEC_VALUE_FULL or -ENOMEM. Copies name and value. */
int spec_values_add(struct spec_values *values, const struct spec_line *line);
/* Puts in place of every reference, in all settings so far, what it refers to: the first value of a key, as uWSGI does. What cannot be
 * resolved, and what refers to that, is not known from then on. 0 or -ENOMEM. */
int spec_values_resolve(struct spec_values *values);
/* The settings in order: after NULL the first; NULL after the last. New ones may be added meanwhile. */
const struct spec_setting *spec_values_next(const struct spec_values *values, const struct spec_setting *setting);
struct spec_line spec_setting_line(const struct spec_setting *setting);
/* Whether text holds what uWSGI would replace: "%(", "$(" or "@(". */
bool spec_value_refers(const char *text);
void spec_values_clear(struct spec_values *values);

#endif
