/* The manual pages against the tables of the code: every key, option, verb, state and reason has its place there, and nothing more has.
 * Run from the top of the tree, as make does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "supervisor/commands_inside.h"
#include "supervisor/options_table.h"
#include "vassals/failure.h"
#include "vassals/spec_keys.h"

/* The page from a line that begins with from to one that begins with to; freed by the next call. */
static const char *part_of(const char *path, const char *from, const char *to)
{
	static char *text;
	char line[512];
	size_t size;
	bool inside = !from;
	FILE *page = fopen(path, "r");
	if (!page)
		fail_msg("no %s here", path);
	free(text);
	FILE *out = open_memstream(&text, &size);
	while (fgets(line, sizeof line, page)) {
		if (inside && to && strncmp(line, to, strlen(to)) == 0)
			break;
		if (!inside && strncmp(line, from, strlen(from)) == 0)
			inside = true;
		if (inside)
			fputs(line, out);
	}
	fclose(page);
	fclose(out);
	assert_true(inside);
	return text;
}

/* What stands between separators, in a macro's line or out of it. */
static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);
	for (const char *at = text; (at = strstr(at, word)) != NULL; at += n) {
		bool begins = at == text || strchr(" \n", at[-1]);
		if (begins && strchr(" \n,.;", at[n]))
			return true;
	}
	return false;
}

static void need_word(const char *text, const char *word, const char *where)
{
	if (!has_word(text, word))
		fail_msg("%s does not name %s", where, word);
}

static bool is_key(const char *name, size_t n)
{
	for (unsigned i = 0; spec_own_name(i); i++)
		if (strlen(spec_own_name(i)) == n && memcmp(spec_own_name(i), name, n) == 0)
			return true;
	return false;
}

static void test_keys_of_a_vassal(void **state)
{
	(void)state;
	const char *text = part_of("man/regent.ini.5", ".Sh THE SECTION REGENT OF A VASSAL", ".Sh WHAT IS READ");
	unsigned keys = 0, items = 0;
	for (; spec_own_name(keys); keys++) {
		char item[64];
		snprintf(item, sizeof item, "\n.It Ic %s No = Ar ", spec_own_name(keys));
		if (!strstr(text, item) && strcmp(spec_own_name(keys), "health") != 0)
			fail_msg("regent.ini(5) does not describe %s", spec_own_name(keys));
	}
	for (const char *at = text; (at = strstr(at, "\n.It Ic ")) != NULL; at++, items++) {
		const char *name = at + strlen("\n.It Ic ");
		if (!is_key(name, strcspn(name, " \n")))
			fail_msg("regent.ini(5) describes what is no key: %.20s", name);
	}
	assert_int_equal(items, keys);
}

static void test_keys_of_what_must_not_be_twice(void **state)
{
	(void)state;
	const char *text = part_of("man/regent.ini.5", ".Sh WHAT SHOULD NOT BE THERE TWICE", ".Sh THE SECTION REGENT OF REGENT");
	for (unsigned i = 0; spec_double_row(i); i++) {
		need_word(text, spec_double_row(i)->name, "regent.ini(5)");
		if (!strcasestr(text, spec_double_row(i)->why))
			fail_msg("regent.ini(5) does not say: %s", spec_double_row(i)->why);
	}
}

static void test_options_of_regent(void **state)
{
	(void)state;
	const char *text = part_of("man/regent.ini.5", ".Sh THE SECTION REGENT OF REGENT", ".Sh EXAMPLES");
	for (size_t i = 0; i < options_n_rows; i++) {
		char name[64];
		snprintf(name, sizeof name, "%.*s", (int)options_row_first(&options_rows[i]), options_rows[i].names);
		if (options_rows[i].section == OPTION_REGENT)
			need_word(text, name, "regent.ini(5)");
	}
}

static void test_verbs(void **state)
{
	static const char *const pages[] = { "man/regentctl.1", "man/regent-protocol.7" };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		const char *text = part_of(pages[i], NULL, NULL);
		for (unsigned v = 0; verb_at(v); v++) {
			char item[64];
			snprintf(item, sizeof item, "\n.It Ic %s", verb_at(v)->name);
			if (!strstr(text, item) && strcmp(verb_at(v)->name, "help") != 0)
				fail_msg("%s does not describe %s", pages[i], verb_at(v)->name);
		}
	}
}

static void test_states_and_reasons(void **state)
{
	(void)state;
	const char *text = part_of("man/regent-protocol.7", NULL, NULL);
	for (int s = 0; s < VASSAL_STATES; s++)
		need_word(text, vassal_state_name((enum vassal_state)s), "regent-protocol(7)");
	for (int why = 0; why < VASSAL_WHYS; why++)
		need_word(text, failure_stage_name((enum vassal_why)why), "regent-protocol(7)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_of_a_vassal), cmocka_unit_test(test_keys_of_what_must_not_be_twice), cmocka_unit_test(test_options_of_regent),
		cmocka_unit_test(test_verbs), cmocka_unit_test(test_states_and_reasons),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
