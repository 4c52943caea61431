/* options_ini: one ini of the emperor's own, read by the sections that count: the one asked for, and regent. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/options.h"
#include "supervisor/options_settings.h"
#include "vassals/ini.h"
#include "vassals/util.h"

struct reading {
	struct options_settings *settings;
	const char *file;	/* lives as long as the settings */
	const char *section;
	bool with_ours;
	bool found;
	int result;		/* what a complaint inside the callback came to */
};

static int line_read(void *data, const char *section, const char *key, const char *value, unsigned line)
{
	struct reading *r = data;
	bool ours = strcmp(section, "regent") == 0;
	if (strcmp(section, r->section) != 0 && !(ours && r->with_ours))
		return 0;
	r->found = true;
	CLEANUP_FREE char *name = options_magic(r->file, key);
	CLEANUP_FREE char *text = options_magic(r->file, value);
	if (!name || !text)
		return -ENOMEM;
	struct options_setting setting = { .row = options_row_named(name, strlen(name)), .key = name, .value = text,
					   .file = r->file, .line = line, .ours = ours && r->with_ours };
	r->result = options_settings_add(r->settings, &setting);
	return r->result ? -ECANCELED : 0;
}

/* The section regent counts once a file, however many of its sections are asked for. */
static bool is_new_file(struct options_settings *s, const struct stat *st)
{
	for (size_t i = 0; i + 1 < s->n_files; i++)
		if (s->dev[i] == st->st_dev && s->ino[i] == st->st_ino)
			return false;
	return true;
}

static int unreadable(struct options_settings *s, const char *file, int error, unsigned line)
{
	if (error == -EBADMSG)
		return options_say(s->err, NULL, "%s:%u: this line cannot be a setting", file, line);
	if (error == -EFBIG)
		return options_say(s->err, NULL, "%s: too large to be an ini", file);
	return options_say(s->err, NULL, "%s: cannot read: %s", file, strerror(-error));
}

static int read_file(struct options_settings *s, const char *file, const char *section)
{
	/* Non-blocking: a FIFO of that name must not hang us before the check below. */
	CLEANUP_FD int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return unreadable(s, file, -errno, 0);
	if (!S_ISREG(st.st_mode))
		return options_say(s->err, NULL, "%s: not a regular file", file);
	s->dev[s->n_files - 1] = st.st_dev;
	s->ino[s->n_files - 1] = st.st_ino;
	struct reading r = { .settings = s, .file = file, .section = section, .with_ours = is_new_file(s, &st) };
	unsigned line = 0;
	int error = ini_read_fd(fd, line_read, &r, &line, NULL);
	if (r.result)
		return r.result;
	if (error < 0)
		return unreadable(s, file, error, line);
	if (!r.found)
		options_say(s->err, NULL, "%s: warning: no section [%s]", file, section);
	return 0;
}

int options_settings_ini(struct options_settings *s, const char *place)
{
	const char *colon = strrchr(place, ':');
	const char *section = colon && colon[1] ? colon + 1 : "uwsgi";
	size_t n = colon ? (size_t)(colon - place) : strlen(place);
	if (n == 0)
		return options_say(s->err, NULL, "--ini: '%s' names no file", place);
	if (s->n_files == OPTIONS_INI_FILES)
		return options_say(s->err, NULL, "%s: more than %d inis", place, OPTIONS_INI_FILES);
	char *file = strndup(place, n);
	if (!file)
		return options_say(s->err, NULL, "out of memory");
	s->files[s->n_files++] = file;
	s->depth++;
	int r = read_file(s, file, section);
	s->depth--;
	return r;
}
