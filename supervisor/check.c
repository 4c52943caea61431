#include "supervisor/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/report.h"
#include "supervisor/sources.h"
#include "vassals/identity.h"
#include "vassals/spec.h"
#include "vassals/util.h"

struct check { const struct options *o; FILE *out; unsigned vassals, faults; };

static void fault(struct check *c, const char *name, const char *text)
{
	fprintf(c->out, "%s: %s\n", name, text);
	c->faults++;
}

static bool decided_elsewhere(const struct options *o)
{
	return geteuid() != 0 || o->emperor_tyrant || o->uid_number != IDENTITY_NONE || o->vassals_as_root;
}

static void check_ids(struct check *c, const char *path, const struct spec *spec, const struct stat *st)
{
	uid_t uid;
	gid_t gid;
	if (c->o->emperor_tyrant && (st->st_uid == 0 || st->st_gid == 0)) {
		fault(c, path, "tyrant mode runs it as its owner, which is root: chown it to the site's user and group");
		return;
	}
	if (decided_elsewhere(c->o))
		return;
	if (!spec->uid)
		fault(c, path, "nothing says as whom it shall run: give uid and gid in it, or --uid and --gid, or --emperor-tyrant");
	else if (identity_user(spec->uid, &uid, &gid) < 0)
		fault(c, path, "its uid is no user of this machine");
	else if (uid == 0)
		fault(c, path, "asks to run as root");
	if (spec->gid && identity_group(spec->gid, &gid) < 0)
		fault(c, path, "its gid is no group of this machine");
}

static void say_warnings(struct check *c, const char *path, const struct spec *spec)
{
	if (spec->unsure)
		fprintf(c->out, "%s: not all of it can be resolved: %s\n", path, spec->unsure);
	if (!spec->warnings)
		return;
	fputs(spec->warnings, c->out);
	if (spec->warnings[0] && spec->warnings[strlen(spec->warnings) - 1] != '\n')
		fputc('\n', c->out);
	c->faults++;
}

/* What its own ini asks for and cannot have is a fault; what the command line asks for, for all of them, is only said. */
static void check_deploys(struct check *c, const char *path, const struct spec *spec)
{
	struct report_defaults defaults;
	struct report_verdict verdict;
	char text[1024];
	options_defaults(c->o, &defaults);
	report_judge(spec, &defaults, &verdict);
	if (!verdict.why)
		return;
	report_text(path, &verdict, text, sizeof text);
	fprintf(c->out, "%s\n", text);
	c->faults += verdict.broken_word;
}

static void check_file(struct check *c, const char *path)
{
	struct stat st;
	struct spec *spec = NULL;
	unsigned line = 0;
	char text[128];
	CLEANUP_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	c->vassals++;
	if (fd < 0 || fstat(fd, &st) < 0) {
		fault(c, path, strerror(errno));
		return;
	}
	const struct spec_sources lists = {
		.inherit_before = c->o->vassals_inherit_before.items, .include_before = c->o->vassals_include_before.items,
		.set = c->o->vassals_set.items, .inherit = c->o->vassals_inherit.items, .include = c->o->vassals_include.items,
	};
	int r = sources_read(path, fd, &lists, &spec, &line);
	if (r == -EBADMSG) {
		snprintf(text, sizeof text, "line %u is not a setting", line);
		fault(c, path, text);
	} else if (r < 0) {
		fault(c, path, strerror(-r));
	} else {
		say_warnings(c, path, spec);
		check_deploys(c, path, spec);
		check_ids(c, path, spec, &st);
	}
	spec_free(spec);
}

static void check_entry(struct check *c, const char *path, const char *name)
{
	struct stat st;
	if (!spec_name_valid(name, c->o->emperor_extra_extension.items))
		return;
	if (stat(path, &st) < 0)
		fault(c, path, errno == ENOENT ? "leads nowhere" : strerror(errno));
	else if (S_ISREG(st.st_mode))
		check_file(c, path);
}

static void check_directory(struct check *c, const char *path)
{
	char entry[4096];
	DIR *dir = opendir(path);
	if (!dir) {
		fault(c, path, errno == ENOENT ? "is not there (a start would wait for it)" : strerror(errno));
		return;
	}
	for (struct dirent *de; (de = readdir(dir)) != NULL;)
		if (util_format(entry, sizeof entry, "%s/%s", path, de->d_name) == 0)
			check_entry(c, entry, de->d_name);
	closedir(dir);
}

static void check_pattern(struct check *c, const char *pattern)
{
	glob_t found = { 0 };
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			check_entry(c, found.gl_pathv[i], found.gl_pathv[i]);
	globfree(&found);
}

int check_run(const struct options *o, FILE *out)
{
	struct check c = { .o = o, .out = out };
	for (size_t i = 0; i < o->emperor.n; i++) {
		const char *argument = o->emperor.items[i];
		if (strncmp(argument, "dir://", 6) == 0)
			check_directory(&c, argument + 6);
		else if (strncmp(argument, "glob://", 7) == 0)
			check_pattern(&c, argument + 7);
		else if (strpbrk(argument, "*?["))
			check_pattern(&c, argument);
		else
			check_directory(&c, argument);
	}
	fprintf(out, "%u vassals looked at, %u with faults\n", c.vassals, c.faults);
	return c.faults > 0 ? 2 : 0;
}
