/* fake_record: what a process finds at its birth, as JSON: the judge of how a supervisor starts vassals. It reads /proc/self and
 * asks the kernel; it changes nothing but the umask, for a moment. /proc's own texts go out as they are: the test parses them. */
#include "fake_vassal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void put_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if (*c < 0x20 || *c > 0x7e)
			fprintf(out, "\\u%04x", *c);
		else
			fputc(*c, out);
	}
	fputc('"', out);
}

static void put_list(FILE *out, const char *key, char **list)
{
	fprintf(out, "\"%s\": [", key);
	for (int i = 0; list[i]; i++) {
		fputs(i ? ", " : "", out);
		put_string(out, list[i]);
	}
	fputs("],\n", out);
}

static void put_file(FILE *out, const char *key, const char *path)
{
	static char text[16384];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	fprintf(out, "\"%s\": ", key);
	put_string(out, text);
	fputs(",\n", out);
}

static void put_link(FILE *out, const char *path)
{
	char target[4096];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	target[n < 0 ? 0 : n] = '\0';
	put_string(out, target);
}

/* Before anything of ours is opened: the caller passes the directory it lists with, which is left out. */
static void put_descriptors(FILE *out, int own)
{
	DIR *dir = opendir("/proc/self/fd");
	const char *comma = "";

	fputs("\"fds\": {", out);
	for (struct dirent *entry; dir && (entry = readdir(dir)); ) {
		char path[64];
		int fd = atoi(entry->d_name);
		if (entry->d_name[0] == '.' || fd == dirfd(dir) || fd == own)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		fprintf(out, "%s\"%d\": {\"link\": ", comma, fd);
		put_link(out, path);
		fprintf(out, ", \"flags\": %d, \"cloexec\": %d}", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
		comma = ", ";
	}
	fputs("},\n", out);
	if (dir)
		closedir(dir);
}

static void put_numbers(FILE *out)
{
	int death = -1;
	mode_t mask = umask(0);

	umask(mask);
	prctl(PR_GET_PDEATHSIG, &death);
	fprintf(out, "\"pid\": %d, \"ppid\": %d, \"pgid\": %d, \"sid\": %d, \"umask\": %d, \"nice\": %d,\n", (int)getpid(),
		(int)getppid(), (int)getpgid(0), (int)getsid(0), (int)mask, getpriority(PRIO_PROCESS, 0));
	fprintf(out, "\"pdeathsig\": %d, \"keepcaps\": %d, \"securebits\": %d, \"dumpable\": %d,\n", death,
		prctl(PR_GET_KEEPCAPS), prctl(PR_GET_SECUREBITS), prctl(PR_GET_DUMPABLE));
}

void fake_record(const char *path, char **argv)
{
	char temporary[4096];

	snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
	FILE *out = fopen(temporary, "we");
	if (!out)
		_exit(94);
	fputs("{\n", out);
	put_descriptors(out, fileno(out));
	put_list(out, "argv", argv);
	put_list(out, "env", environ);
	put_numbers(out);
	put_file(out, "status", "/proc/self/status");
	put_file(out, "limits", "/proc/self/limits");
	put_file(out, "oom_score_adj", "/proc/self/oom_score_adj");
	fputs("\"exe\": ", out);
	put_link(out, "/proc/self/exe");
	fputs(",\n\"cwd\": ", out);
	put_link(out, "/proc/self/cwd");
	fputs("\n}\n", out);
	if (fclose(out) != 0 || rename(temporary, path) != 0)
		_exit(94);
}
