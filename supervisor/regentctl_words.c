/* regentctl_words: the command line, and the request line made of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "supervisor/regentctl.h"

static const char help[] =
	"usage: regentctl [--control-socket PATH] [--json] [--timeout SECONDS] VERB [ARGUMENT...]\n"
	"\n"
	"  status [NAME] [--check]         what each vassal is and does\n"
	"  list                            names and states\n"
	"  reload NAME...|--all            execute the code anew; answers when the new code accepts requests\n"
	"  restart NAME...|--all           end it and start it afresh\n"
	"  start NAME...|--all             start what is stopped, cursed, exiled or blacklisted\n"
	"  stop NAME...|--all              end it, until start, a changed config or a restart of regent\n"
	"  check NAME|FILE                 what its config means: when it is ready, what is held, what a reload does\n"
	"  rehearse FILE [--as NAME]       start it beside NAME on a private socket, judge it, and end it\n"
	"  freeze NAME [--seconds N]       let changes of its config be, until thaw or for N seconds (600)\n"
	"  thaw NAME                       heed its config again\n"
	"  wait NAME --for=ready|gone      until it is\n"
	"  logs NAME [--lines N] [--follow]  the last lines it printed\n"
	"  events [NAME] [--follow]        the last transitions\n"
	"  rescan                          look at every monitor afresh\n"
	"  forget-blacklist                start all blacklisted vassals at once\n"
	"  reopen                          open regent's own log files afresh\n"
	"  version, help                   of the regent that runs\n"
	"\n"
	"  --control-socket PATH   default: REGENT_SOCKET, else /run/regent/control.sock\n"
	"  --json                  JSON, one object a line, the last is the result\n"
	"  --timeout SECONDS       default 300 (none with --follow); 0: none\n"
	"  --help, --version       of regentctl\n"
	"\n"
	"Exit status: 0 done, 1 failed and the old code serves, 2 usage or an ambiguous name, 3 failed and the site is down,\n"
	"4 not allowed, 5 no such vassal, 6 timed out and still under way, 7 cannot reach regent. See regentctl(1).\n";

static int complain(const char *what, const char *wrong)
{
	fputs("regentctl: ", stderr);
	ctl_put(stderr, what, false);
	fprintf(stderr, ": %s (regentctl --help)\n", wrong);
	return CTL_USAGE;
}

/* ---- the line */

static bool needs_quotes(const char *word)
{
	return !*word || strpbrk(word, " \t\r\"") != NULL;
}

static void put_word(FILE *line, const char *word)
{
	if (!needs_quotes(word)) {
		fputs(word, line);
		return;
	}
	putc('"', line);
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			putc('\\', line);
		putc(*word, line);
	}
	putc('"', line);
}

static int put_id(FILE *line)
{
	unsigned char id[16];
	if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id)
		return complain("getrandom", "no random bytes for the request's id");
	fputs(" --id=", line);
	for (size_t i = 0; i < sizeof id; i++)
		fprintf(line, "%02x", id[i]);
	return 0;
}

static bool has_word(char **words, size_t n, const char *word)
{
	size_t length = strlen(word);
	for (size_t i = 0; i < n && strcmp(words[i], "--") != 0; i++)
		if (strncmp(words[i], word, length) == 0 && (words[i][length] == '\0' || words[i][length] == '='))
			return true;
	return false;
}

/* id: give one where the verb takes it and none is there. Malloc()ed; NULL: *status says why. */
static char *write_words(const struct ctl_request *r, char **words, size_t n, bool id, int *status)
{
	char *text = NULL;
	size_t size = 0;
	FILE *line = open_memstream(&text, &size);
	if (!line) {
		*status = complain("memory", "there is none");
		return NULL;
	}
	put_word(line, words[0]);
	if (id && r->asks && !has_word(words, n, "--id"))
		*status = put_id(line);
	for (size_t i = 1; i < n; i++) {
		putc(' ', line);
		put_word(line, words[i]);
	}
	if (fclose(line) != 0 || !text)
		*status = complain("memory", "there is none");
	return text;
}

static int write_line(struct ctl_request *r, char **words, size_t n)
{
	int status = 0;
	for (size_t i = 0; i < n; i++)
		if (strchr(words[i], '\n'))
			return complain(words[i], "a newline cannot be asked for");
	r->what = write_words(r, words, n, false, &status);
	r->line = write_words(r, words, n, true, &status);
	if (status == 0 && r->line && strlen(r->line) > CTL_LINE_MAX)
		status = complain(words[0], "too many or too long names for one request of 4095 bytes");
	if (status == 0)
		return 0;
	free(r->line);
	free(r->what);
	return status;
}

/* ---- options */

static int take_timeout(struct ctl_request *r, const char *value)
{
	char *end;
	double seconds = strtod(value, &end);
	if (end == value || *end || !isfinite(seconds) || seconds < 0 || seconds > 1e9)
		return complain(value, "--timeout is a number of seconds, 0 for none");
	r->timeout_ms = (int64_t)(seconds * 1000 + 0.999);
	return 0;
}

struct words { char **argv; int argc, i; };

static bool is_option(const char *word, const char *option)
{
	size_t n = strlen(option);
	return strncmp(word, option, n) == 0 && (word[n] == '=' || word[n] == '\0');
}

/* The value of the option at w->i: behind = or the next word. NULL: there is none. */
static const char *option_value(struct words *w)
{
	const char *equals = strchr(w->argv[w->i], '=');
	if (equals)
		return equals + 1;
	return w->i + 1 < w->argc ? w->argv[++w->i] : NULL;
}

/* 1: it was one of ours; 0: it is not; else -status. */
static int take_option(struct ctl_request *r, struct words *w, bool *timeout_given)
{
	const char *word = w->argv[w->i];
	if (strcmp(word, "--json") == 0) {
		r->json = true;
		return 1;
	}
	bool socket = is_option(word, "--control-socket");
	if (!socket && !is_option(word, "--timeout"))
		return 0;
	const char *value = option_value(w);
	if (!value)
		return -complain(word, "needs a value");
	if (socket) {
		r->socket = value;
		return 1;
	}
	*timeout_given = true;
	int status = take_timeout(r, value);
	return status ? -status : 1;
}

/* What is not ours goes to regent, in its order. 0, or an exit status. */
static int sort_words(struct ctl_request *r, struct words *w, char **words, size_t *n, bool *timeout_given)
{
	bool names_only = false;
	for (w->i = 1; w->i < w->argc; w->i++) {
		char *word = w->argv[w->i];
		if (!names_only && word[0] == '-' && word[1] == '-' && word[2]) {
			int taken = take_option(r, w, timeout_given);
			if (taken < 0)
				return -taken;
			if (taken > 0)
				continue;
			if (*n == 0)
				return complain(word, "no such option");
		}
		names_only |= strcmp(word, "--") == 0;
		words[(*n)++] = word;
	}
	return 0;
}

/* Asked for in any place, like the others: they win. */
static bool help_or_version(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(help, stdout);
			return true;
		}
		if (strcmp(argv[i], "--version") == 0) {
			puts("regentctl " REGENT_VERSION);
			return true;
		}
	}
	return false;
}

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

static size_t count_names(char **words, size_t n)
{
	size_t names = 0;
	for (size_t i = 1; i < n; i++)
		names += words[i][0] != '-';
	return names;
}

static void know_verb(struct ctl_request *r, char **words, size_t n, bool timeout_given)
{
	static const char *const asking[] = { "reload", "restart", "start", "stop", "rehearse", NULL }, *const listing[] = { "logs", "events", NULL };
	r->verb = words[0];
	r->asks = is_one_of(r->verb, asking);
	r->many = r->asks && !r->path && (has_word(words, n, "--all") || count_names(words, n) > 1);
	r->follows = is_one_of(r->verb, listing) && has_word(words, n, "--follow");
	r->lists = is_one_of(r->verb, listing) && !r->follows;
	for (size_t i = 1; i < n && strcmp(r->verb, "check") == 0 && !r->file; i++)
		r->file = words[i][0] != '-' || words[i][1] != '-' ? words[i] : NULL;
	if (r->follows && !timeout_given)
		r->timeout_ms = 0;
}

int ctl_parse(int argc, char **argv, struct ctl_request *ret, bool *done)
{
	const char *socket = getenv("REGENT_SOCKET");
	*ret = (struct ctl_request){ .socket = socket && *socket ? socket : "/run/regent/control.sock",
				     .timeout_ms = CTL_TIMEOUT_DEFAULT_MS };
	*done = true;
	if (help_or_version(argc, argv))
		return CTL_DONE;
	char **words = calloc((size_t)argc + 2, sizeof *words);
	if (!words)
		return complain("memory", "there is none");
	struct words w = { argv, argc, 1 };
	size_t n = 0;
	bool timeout_given = false;
	int status = sort_words(ret, &w, words, &n, &timeout_given);
	if (status == 0 && n == 0)
		status = complain("VERB", "is missing");
	if (status == 0 && strcmp(words[0], "rehearse") == 0) {
		const char *wrong = ctl_rehearse_words(ret, words, &n);
		status = wrong ? complain(words[0], wrong) : 0;
	}
	if (status == 0) {
		know_verb(ret, words, n, timeout_given);
		status = write_line(ret, words, n);
	}
	free(words);
	*done = status != 0;
	return status;
}
