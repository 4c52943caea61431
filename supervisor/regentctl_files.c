/* regentctl_files: the verbs that name a file. rehearse: its path made absolute, its vassal guessed from it. check: the file read here, as
 * whoever asks, by the daemon's own reader and judge. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/regentctl.h"
#include "supervisor/report.h"
#include "supervisor/sources.h"
#include "vassals/spec.h"
#include "vassals/util.h"

/* ---- rehearse */

static char *absolute(const char *file)
{
	char *path;
	CLEANUP_FREE char *cwd = file[0] == '/' ? strdup("") : getcwd(NULL, 0);
	return !cwd || asprintf(&path, "%s%s%s", cwd, file[0] == '/' ? "" : "/", file) < 0 ? NULL : path;
}

static const char *basename_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	return slash ? slash + 1 : file;
}

/* Takes --as out of words; NULL: it is not there, or *wrong. */
static const char *take_as(char **words, size_t *n, const char **wrong)
{
	const char *as = NULL;
	size_t kept = 0;
	for (size_t i = 0; i < *n; i++) {
		if (strncmp(words[i], "--as=", 5) == 0)
			as = words[i] + 5;
		else if (strcmp(words[i], "--as") != 0)
			words[kept++] = words[i];
		else if (i + 1 < *n)
			as = words[++i];
		else
			*wrong = "--as needs a NAME";
	}
	*n = kept;
	if (as && !*as)
		*wrong = "--as needs a NAME";
	return as;
}

const char *ctl_rehearse_words(struct ctl_request *r, char **words, size_t *n)
{
	const char *wrong = NULL, *as = take_as(words, n, &wrong);
	size_t at = 0;
	for (size_t i = 1; i < *n && !wrong; i++) {
		if (strcmp(words[i], "--") == 0 || strncmp(words[i], "--", 2) != 0) {
			wrong = at ? "one FILE, and --as NAME" : NULL;
			at = i;
		}
	}
	if (!wrong && (at == 0 || !*words[at]))
		wrong = "a FILE is missing";
	if (wrong)
		return wrong;
	r->path = absolute(words[at]);
	if (!r->path)
		return "there is no memory";
	words[at] = r->path;
	memmove(words + at + 1, words + at, (*n - at) * sizeof *words);	/* there is room for one more */
	words[at] = (char *)(uintptr_t)(as ? as : basename_of(r->path));
	(*n)++;
	return NULL;
}

/* ---- check */

static void ignore_object(void *data, const char *raw, json_t *object) { (void)data; (void)raw; (void)object; }
static void ignore_restart(void *data) { (void)data; }
static bool never_closed(void *data) { (void)data; return false; }

static uint32_t number(const json_t *object, const char *key, uint32_t fallback)
{
	const json_t *value = json_object_get(object, key);
	return json_is_integer(value) ? (uint32_t)json_integer_value(value) : fallback;
}

static enum spec_handover handover_of(const json_t *defaults)
{
	const char *word = ctl_string(defaults, "handover");
	for (enum spec_handover h = SPEC_HANDOVER_NO; h <= SPEC_HANDOVER_FORCE; h++)
		if (strcmp(word, report_handover_word(h)) == 0)
			return h;
	return SPEC_HANDOVER_UNSET;
}

#define ASK_MS 2000	/* a courtesy: the file can be judged without */

/* What regent's command line says, if one answers. */
static void ask_defaults(const struct ctl_request *r, struct report_defaults *ret)
{
	char line[] = "version";
	const struct ctl_request ask = { .socket = r->socket, .timeout_ms = ASK_MS, .verb = line, .what = line, .line = line };
	const struct ctl_sink sink = { NULL, ignore_object, ignore_restart, never_closed };
	struct ctl_outcome outcome = ctl_exchange(&ask, &sink);
	const json_t *d = json_object_get(outcome.result, "defaults");
	*ret = (struct report_defaults){
		.known = json_is_object(d), .hold_sockets = json_is_true(json_object_get(d, "hold_sockets")), .handover = handover_of(d),
		.ready_for_ms = number(d, "ready_for_ms", 1000), .start_timeout_ms = number(d, "start_timeout_ms", 120000),
		.health_timeout_ms = number(d, "health_timeout_ms", 10000), .drain_ms = number(d, "drain_ms", 100),
		.retire_mercy_ms = number(d, "retire_mercy_ms", 60000), .hold_limit_ms = number(d, "hold_limit_ms", 60000),
	};
	json_decref(outcome.result);
	free(outcome.text);
	free(outcome.raw);
}

static struct ctl_outcome unreadable(const char *file, int error, unsigned line)
{
	struct ctl_outcome o = { .status = CTL_USAGE };
	int n = error == -EBADMSG ? asprintf(&o.text, "%s: line %u is not a setting", file, line) :
				    asprintf(&o.text, "%s: cannot be read: %s", file, error == -EISDIR ? "it is no file" : strerror(-error));
	if (n < 0)
		o.text = NULL;
	return o;
}

/* 0 or negative errno. */
static int read_file(const char *file, struct spec **ret, unsigned *line)
{
	struct stat st;
	CLEANUP_FD int fd = open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? sources_read(file, fd, NULL, ret, line) : -EISDIR;
}

static struct ctl_outcome judge(const char *file, const struct spec *spec, const struct report_defaults *defaults)
{
	char text[1024];
	struct report_verdict verdict;
	CLEANUP_JSON struct json j = { 0 };
	report_judge(spec, defaults, &verdict);
	report_text(file, &verdict, text, sizeof text);
	int status = verdict.broken_word ? CTL_FAILED : CTL_DONE;
	json_open(&j, NULL, '{');
	json_put_string(&j, "result", status ? "failed" : "done");
	json_put_int(&j, "status", status);
	json_put_string(&j, "text", text);
	json_put_string(&j, "name", file);
	report_write(spec, defaults, &j);
	json_put_null(&j, "now");
	json_close(&j, '}');
	const char *raw = json_text(&j);
	return (struct ctl_outcome){ .status = status, .raw = raw ? strdup(raw) : NULL, .result = raw ? json_loads(raw, 0, NULL) : NULL };
}

struct ctl_outcome ctl_check_file(const struct ctl_request *r, const char *file)
{
	struct report_defaults defaults;
	struct spec *spec = NULL;
	unsigned line = 0;
	int error = read_file(file, &spec, &line);
	if (error < 0)
		return unreadable(file, error, line);
	ask_defaults(r, &defaults);
	struct ctl_outcome outcome = judge(file, spec, &defaults);
	spec_free(spec);
	return outcome;
}
