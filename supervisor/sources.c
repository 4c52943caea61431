#include "supervisor/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vassals/ini.h"
#include "vassals/util.h"

enum { CWD, REAL, UID, USER, GID, GROUP };

/* Kept until the end. NULL: no memory. */
static const char *keep(struct sources *s, unsigned slot, const char *text)
{
	char *copy = strdup(text);
	if (copy) {
		free(s->text[slot]);
		s->text[slot] = copy;
	}
	return copy;
}

/* What uWSGI calls it: a link by its own path, anything else with all links resolved. NULL: not known. */
static char *real_of(const char *path)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return NULL;
	return S_ISLNK(st.st_mode) ? strdup(path) : realpath(path, NULL);
}

int sources_init(struct sources *s, const char *cwd, const char *config)
{
	char real[PATH_MAX], whole[PATH_MAX];
	s->spec.files = s->files;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	s->spec.cpus = cpus > 0 ? (unsigned)cpus : 0;
	if (gethostname(s->host, sizeof s->host - 1) == 0)
		s->spec.host = s->host;
	if (cwd && realpath(cwd, real) && !(s->spec.cwd = keep(s, CWD, real)))
		return -ENOMEM;
	if (!config || (config[0] != '/' && !s->spec.cwd) || util_format(whole, sizeof whole, "%s%s%s", config[0] == '/' ? "" : s->spec.cwd,
									 config[0] == '/' ? "" : "/", config) < 0)
		return 0;
	CLEANUP_FREE char *name = strchr(config, '/') ? real_of(whole) : strdup(whole);	/* in its own directory it is called the same anyway */
	if (name && !(s->spec.real = keep(s, REAL, name)))
		return -ENOMEM;
	return 0;
}

int sources_ids(struct sources *s, uid_t uid, gid_t gid)
{
	char number[16];
	const struct passwd *pw = getpwuid(uid);
	snprintf(number, sizeof number, "%u", uid);
	s->spec.uid = keep(s, UID, number);
	s->spec.user = keep(s, USER, pw ? pw->pw_name : number);
	const struct group *gr = getgrgid(gid);
	snprintf(number, sizeof number, "%u", gid);
	s->spec.gid = keep(s, GID, number);
	s->spec.group = keep(s, GROUP, gr ? gr->gr_name : number);
	return s->spec.uid && s->spec.user && s->spec.gid && s->spec.group ? 0 : -ENOMEM;
}

/* Positive errno. */
static int load(struct spec_source *f, int fd)
{
	struct stat st;
	char *text;
	if (fstat(fd, &st) < 0)
		return errno;
	if ((unsigned long long)st.st_size > SPEC_FILE_SIZE_MAX)
		return EFBIG;
	int err = ini_load_fd(fd, &text, &f->size);
	if (err < 0)
		return -err;
	if (f->size > SPEC_FILE_SIZE_MAX) {	/* it has grown meanwhile */
		free(text);
		return EFBIG;
	}
	f->text = text;
	return 0;
}

int sources_add(struct sources *s, const char *path, int fd, int error)
{
	if (s->spec.n_files == ARRAY_SIZE(s->files))
		return -E2BIG;
	struct spec_source f = { .path = strdup(path), .error = error };
	if (!f.path)
		return -ENOMEM;
	if (!error)
		f.error = load(&f, fd);
	if (!f.error)
		f.real = real_of(path);
	s->files[s->spec.n_files++] = f;
	return 0;
}

int sources_open(struct sources *s, const char *path)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return sources_add(s, path, fd, fd < 0 ? errno : 0);
}

void sources_clear(struct sources *s)
{
	for (size_t i = 0; i < s->spec.n_files; i++) {
		free((void *)(uintptr_t)s->files[i].path);
		free((void *)(uintptr_t)s->files[i].text);
		free((void *)(uintptr_t)s->files[i].real);
	}
	for (size_t i = 0; i < ARRAY_SIZE(s->text); i++)
		free(s->text[i]);
	memset(s, 0, sizeof *s);
}

static void take_lists(struct spec_sources *s, const struct spec_sources *lists)
{
	s->inherit_before = lists->inherit_before;
	s->include_before = lists->include_before;
	s->set = lists->set;
	s->inherit = lists->inherit;
	s->include = lists->include;
}

static int read_with(struct sources *s, const char *file, int fd, struct spec **ret, unsigned *line)
{
	for (;;) {
		struct spec *spec = NULL;
		int error = spec_read(file, fd, &s->spec, &spec, line);
		if (error < 0)
			return error;
		if (!spec->wants || sources_open(s, spec->wants) < 0) {
			*ret = spec;
			return 0;
		}
		spec_free(spec);
	}
}

int sources_read(const char *file, int fd, const struct spec_sources *lists, struct spec **ret, unsigned *line)
{
	struct sources s = { 0 };
	const char *slash = strrchr(file, '/');
	CLEANUP_FREE char *directory = slash ? strndup(file, (size_t)(slash - file) + 1) : strdup(".");
	int error = directory ? sources_init(&s, directory, slash ? slash + 1 : file) : -ENOMEM;
	s.spec.follow = true;
	if (lists)
		take_lists(&s.spec, lists);
	if (error == 0)
		error = read_with(&s, file, fd, ret, line);
	sources_clear(&s);
	return error;
}
