/* options_help: the table as a person reads it: --help, and the list in the man page. */
#include <string.h>

#include "supervisor/options.h"
#include "supervisor/options_table.h"

#define HELP_COLUMN 36	/* where sentences begin: the longest name and its argument end before */
#define HELP_WIDTH 96
#define MDOC_WIDTH 76

static const char *const titles[] = {
	[GROUP_GENERAL] = "General", [GROUP_MONITORS] = "Where the vassals are", [GROUP_VASSALS] = "How they are started",
	[GROUP_LIFE] = "Life and death", [GROUP_DEPLOYS] = "Deploys", [GROUP_RIGHTS] = "Whom they run as", [GROUP_LOGS] = "Logs", [GROUP_CONTROL] = "Control",
};
_Static_assert(sizeof(titles) / sizeof(titles[0]) == OPTIONS_GROUPS, "a title for each group");

/* Words of text from column on; lines go on at indent. Returns the column after the last. */
static int wrap(FILE *out, const char *text, int column, int indent, int width)
{
	int blank = 0;
	while (*text) {
		int n = (int)strcspn(text, " ");
		if (column + blank + n > width && column > indent) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
			blank = 0;
		}
		fprintf(out, "%*s%.*s", blank, "", n, text);
		column += blank + n;
		blank = 1;
		text += n;
		text += strspn(text, " ");
	}
	return column;
}

static const char *unit(const struct options_row *row)
{
	if (row->word && strcmp(row->word, "seconds") == 0)
		return " s";
	return row->word && strcmp(row->word, "ms") == 0 ? " ms" : "";
}

static bool repeats(const struct options_row *row)
{
	return row->kind == OPTION_LIST || row->kind == OPTION_EXTENSION || row->kind == OPTION_USERS || row->kind == OPTION_ALLOW ||
	       row->kind == OPTION_INI || row->kind == OPTION_SET || row->kind == OPTION_PLACEHOLDER;
}

static void sentence(const struct options_row *row, char *text, size_t size)
{
	char fallback[64] = "", aliases[64] = "";
	size_t first = options_row_first(row);
	if (row->fallback)
		snprintf(fallback, sizeof(fallback), " Default: %s%s.", row->fallback, unit(row));
	if (row->names[first])
		snprintf(aliases, sizeof(aliases), " Also: --%s.", row->names + first + 1);
	snprintf(text, size, "%s%s%s%s", row->help, fallback, repeats(row) ? " May be repeated." : "", aliases);
}

static void help_row(FILE *out, const struct options_row *row)
{
	char name[96], text[512];
	snprintf(name, sizeof(name), "%c --%.*s%s%s%s", row->section == OPTION_REGENT ? '*' : ' ', (int)options_row_first(row), row->names,
		 row->argument == ARGUMENT_OPTIONAL ? "[=" : row->word ? " " : "", row->word ? row->word : "",
		 row->argument == ARGUMENT_OPTIONAL ? "]" : "");
	sentence(row, text, sizeof(text));
	int column = fprintf(out, "%-*s", HELP_COLUMN, name);
	if (column > HELP_COLUMN)
		column = fprintf(out, "\n%*s", HELP_COLUMN, "") - 1;
	wrap(out, text, column, HELP_COLUMN, HELP_WIDTH);
	fputc('\n', out);
}

void options_help(FILE *out)
{
	fputs("usage: regent [options] [emperor.ini]\n\nOptions may also stand in an ini, without dashes: those marked * in its section [regent],\n"
	      "the others in [uwsgi].\n", out);
	for (int group = 0; group < OPTIONS_GROUPS; group++) {
		fprintf(out, "\n%s:\n", titles[group]);
		for (size_t i = 0; i < options_n_rows; i++) {
			const struct options_row *row = &options_rows[i];
			if (row->status != OPTION_WORKS || (int)row->group != group)
				continue;
			help_row(out, row);
		}
	}
}

/* mdoc wants each sentence to begin on a line of its own. */
static void mdoc_text(FILE *out, const char *text)
{
	while (*text) {
		const char *end = strstr(text, ". ");
		char part[512];
		size_t n = end ? (size_t)(end - text) + 1 : strlen(text);
		snprintf(part, sizeof(part), "%.*s", (int)n, text);
		wrap(out, part, 0, 0, MDOC_WIDTH);
		fputc('\n', out);
		text += n;
		text += strspn(text, " ");
	}
}

static void mdoc_row(FILE *out, const struct options_row *row)
{
	char text[512];
	sentence(row, text, sizeof(text));
	fputs(".It", out);
	if (row->letter)
		fprintf(out, " Fl %c , Fl", row->letter);
	else
		fputs(" Fl", out);
	fprintf(out, " -%.*s", (int)options_row_first(row), row->names);
	if (row->argument == ARGUMENT_OPTIONAL)
		fprintf(out, " Ns Op = Ns Ar %s", row->word);
	else if (row->word)
		fprintf(out, " Ar %s", row->word);
	fputc('\n', out);
	mdoc_text(out, text);
	if (row->section == OPTION_REGENT)
		fputs("In an ini, section\n.Li [regent] .\n", out);
}

static void mdoc_others(FILE *out, enum options_status status, const char *lead)
{
	fprintf(out, ".Pp\n%s\n", lead);
	for (size_t i = 0; i < options_n_rows; i++) {
		if (options_rows[i].status != status)
			continue;
		wrap(out, options_rows[i].names, 0, 0, MDOC_WIDTH);
		fputc('\n', out);
	}
}

void options_mdoc(FILE *out)
{
	fputs(".Bl -tag -width Ds\n", out);
	for (int group = 0; group < OPTIONS_GROUPS; group++)
		for (size_t i = 0; i < options_n_rows; i++)
			if (options_rows[i].status == OPTION_WORKS && (int)options_rows[i].group == group)
				mdoc_row(out, &options_rows[i]);
	fputs(".El\n", out);
	mdoc_others(out, OPTION_SILENT, "Taken without a word, as an emperor's ini often has them:");
	mdoc_others(out, OPTION_MEANINGLESS, "Taken with a warning, as they have no meaning for an emperor:");
	mdoc_others(out, OPTION_REFUSED, "Refused by name, each with its reason:");
}
