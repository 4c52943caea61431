/* ruler_check: reads one vassal's config afresh, for somebody who asked what it means. Changes nothing that is known of the vassal. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/reading.h"
#include "supervisor/ruler_inside.h"
#include "vassals/spec.h"
#include "vassals/util.h"

struct checking { uint64_t waiter; unsigned monitor; char *name; };

static void free_checking(struct checking *check)
{
	free(check->name);
	free(check);
}

static void told(struct ruler *r, void *data, struct spec *spec, int error, unsigned line)
{
	struct checking *check = data;
	if (r->commands)
		commands_checked(r->commands, check->waiter, spec, error, line);
	spec_free(spec);
	free_checking(check);
}

static const struct subject *known_ids(struct ruler *r, const char *name, const struct spec *spec)
{
	const struct court_vassal *cv = court_find(r->court, name);
	(void)spec;	/* those of its last look: a check changes nothing */
	return cv ? cv->world : NULL;
}

static void forget(void *data)
{
	free_checking(data);
}

/* With all that it pulls in. Takes check. */
static void tell(struct ruler *r, struct checking *check, int fd)
{
	const struct reading_config config = { .name = check->name, .monitor = check->monitor, .follow = true, .ids = known_ids, .done = told,
					       .data = check };
	int mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int error = mine < 0 ? -errno : reading_begin(r, &config, mine, forget);
	if (error < 0)
		told(r, check, NULL, error, 0);
}

static void read_done(struct ruler *r, void *data, const struct errand_answer *answer, int fd)
{
	struct checking *check = data;
	if (answer->error == 0)
		tell(r, check, fd);
	else
		told(r, check, NULL, -answer->error, 0);
	util_close(fd);
}

/* Where its monitor found it. */
static int path_of(const struct ruler *r, const struct court_vassal *cv, char path[LINK_TEXT_MAX])
{
	const struct monitor *m = cv->monitor < r->options->emperor.n ? r->monitors[cv->monitor] : NULL;
	if (!m)
		return -ENOENT;
	if (strcmp(m->kind->scheme, "dir") == 0)
		return util_format(path, LINK_TEXT_MAX, "%s/%s", m->argument, cv->name);
	return util_format(path, LINK_TEXT_MAX, "%s%s", m->base, cv->name);
}

/* What the ruler may not read is read with the vassal's own rights. */
static int read_as_vassal(struct ruler *r, struct court_vassal *cv, const char *path, struct checking *check)
{
	int error = ruler_errand(r, ERRAND_READ, cv->name, cv->monitor, cv->world, path, read_done, check);
	if (error < 0)
		free_checking(check);
	return error;
}

int ruler_check(void *data, struct court_vassal *cv, uint64_t waiter)
{
	struct ruler *r = data;
	char path[LINK_TEXT_MAX];
	struct checking *check = calloc(1, sizeof *check);
	if (!check || !(check->name = strdup(cv->name))) {
		free(check);
		return -ENOMEM;
	}
	check->waiter = waiter;
	check->monitor = cv->monitor;
	int error = path_of(r, cv, path);
	CLEANUP_FD int fd = error < 0 ? -1 : open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (error == 0 && fd < 0 && (errno == EACCES || errno == EPERM))
		return read_as_vassal(r, cv, path, check);
	if (error == 0 && fd < 0)
		error = -errno;
	if (error == 0)
		tell(r, check, fd);
	else
		free_checking(check);
	return error;
}
