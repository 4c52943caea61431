/* spec against the real uWSGI: the same files, settings and command line; every setting must come out the same, in the same order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/sources.h"
#include "vassals/ini.h"
#include "vassals/spec_build.h"
#include "vassals/util.h"

#define LISTS 5
static const char *const list_options[LISTS] = { "--inherit", "--include", "--set", "--inherit", "--include" };

/* The first file is the vassal's. {} in a file is the test's directory; ">TARGET" is a link. */
struct scene {
	const char *what;
	const char *files[10];		/* name, text, name, text, ... */
	const char *lists[LISTS];	/* of the command line, one each: inherit and include before, set, inherit, include */
	const char *unknown;		/* " key key ": those that only uWSGI can know */
	const char *environment;
	bool incomplete;		/* uWSGI sees settings that we do not, and we know it: those that we see are right */
};

static const struct scene scenes[] = {
	{ .what = "sockets and options, repeated keys, blanks, comments",
	  .files = { "app.ini", "; c\n[uwsgi]\n\t socket = {}/a.sock  \nhttp-socket=127.0.0.1:7911\n# c\nchmod-socket = 664\nlisten=9\nlisten = 10\n"
				"shared-socket = :7912\nsocket = =0\nmodule = a:b ; no\nd:e = 4\nbare\n[other]\nx = 1\n[uwsgi]\nagain = 1\n" } },
	{ .what = "placeholders, forwards and backwards and through each other",
	  .files = { "app.ini", "[uwsgi]\nbase = /run\nbase = /other\nsocket = %(base)/%(name).sock\nname = n%(base)\nxa = y%(xb)\nxb = %(xc)z\n"
				"xc = 1\nxd = %(xc)%(xc)\nxe = %%(xc)\nxf = %%%%(xc)\nxg = (%(xc))\nxh = %()%(xc)\nxi = a%(xc\nxj = %(%(xc))\n" } },
	{ .what = "percents, brackets and dollars",
	  .files = { "app.ini", "[uwsgi]\nxb = /run\nset-ph = xd=d %%\nx1 = %n|%s|%e|%%|50%, x|%z%q\nx2 = %(xb)/%(xd)\nx3 = a % \nx4 = % b\n"
				"x5 = $x @y %%)\nx6 = x$%(xd)\nx7 = %%%\n" } },
	{ .what = "set and set-placeholder",
	  .files = { "app.ini", "[uwsgi]\nset = dir=/run/%n\nset-placeholder = tail=%(dir)/x\nset-ph = t2=2\nsocket = a%(tail)\nxa = q%(t2)\n"
				"set = listen=7\nset = xb=%(t2)=%(t2)\n" } },
	{ .what = "magic variables of the file",
	  .files = { "app.v1.ini", "[uwsgi]\nxa = p=%p d=%d s=%s n=%n e=%e c=%c o=%o x=%x\nxb = 0=%0 1=%1 2=%2 9=%9\n"
				   "xc = P=%P D=%D S=%S N=%N E=%E C=%C O=%O X=%X\nxd = 100%% %z%q%\nxe = %[[31m\n" } },
	{ .what = "magic variables of host and process",
	  .files = { "app.ini", "[uwsgi]\nxa = %h\nxb = %u %U %g %G\nprocesses = %k\nxc = %v\nxd = %V\nxe = %t\nxf = %i%j\n" },
	  .unknown = " xd xe xf " },
	{ .what = "magic in keys and section names",
	  .files = { "app.ini", "[uws%zgi]\nx%n = 1\nlis%qten = 5\n[uwsgi]\n%n = 2\n" } },
	{ .what = "include: in its place, its own magic, references across",
	  .files = { "app.ini", "[uwsgi]\nxa = %(base)/a\ninclude = sub/inc.ini\nxb = %(base)%(mine)\nmine = m%n\n",
		     "sub/inc.ini", "[uwsgi]\nbase = /run/%n %c %N %S\nsocket = %(mine)%p|%d|%o|%x\nini = :more\n[more]\nxm = %x%n%o\n" } },
	{ .what = "include by an absolute path, twice",
	  .files = { "app.ini", "[uwsgi]\ninclude = {}/inc.ini\ninclude = {}/inc.ini\n", "inc.ini", "[uwsgi]\nxa = %p\nsocket = :80\n" } },
	{ .what = "ini with sections: of another file, of the last one that was opened",
	  .files = { "app.ini", "[uwsgi]\nini = :base\nini = inc.ini:part\nini = :base\n[base]\nxb = mine %x %n\nsocket = {}/m.sock\n",
		     "inc.ini", "[part]\nxp = %x %n %o\n[base]\nxb = its %x\n[uwsgi]\nno = 1\n" } },
	{ .what = "inherit: at the end, nothing in it resolved, nested",
	  .files = { "app.ini", "[uwsgi]\ninherit = inh.ini\nsocket = :81\nmine = 1\nplace = inh\ninherit = %(place)2.ini\nxz = %(late)\n",
		     "inh.ini", "[uwsgi]\nsocket = :80\nxi = r%(mine)%n%N\nset = xs=s%(mine)\ninherit = inh3.ini\ninclude = inc.ini\n",
		     "inh2.ini", "[uwsgi]\nx2 = 2\nlate = l\n", "inh3.ini", "[uwsgi]\nx3 = 3\n", "inc.ini", "[uwsgi]\nxc = c%(mine)\n" },
	  .unknown = " xz " },
	{ .what = "the command line of the supervisor",
	  .files = { "app.ini", "[uwsgi]\nxa = a%(x)\nsocket = {}/%n.sock\nbase = 9\n", "b.ini", "[uwsgi]\nbi = b%n%N%(x)\n", "c.ini", "[uwsgi]\nci = c%n%N%(x)\n",
		     "d.ini", "[uwsgi]\ny = d\nsocket = :82\nset = xd=%(x)\n" },
	  .lists = { "b.ini", "c.ini", "x=s%(base)", "b.ini", "d.ini" } },
	{ .what = "the command line, plainly",
	  .files = { "app.ini", "[uwsgi]\nxa = %(x)%(y)\n", "b.ini", "[uwsgi]\nbi = b%n%N%(x)\n", "c.ini", "[uwsgi]\nci = c%n%N%(x)\n",
		     "d.ini", "[uwsgi]\ny = d\nsocket = :82\n" },
	  .lists = { "b.ini", "c.ini", "x=s", "b.ini", "d.ini" } },
	{ .what = "the environment comes first",
	  .files = { "app.ini", "[uwsgi]\nx-y = file\nsocket = /%(x-y)\n" }, .environment = "UWSGI_X_Y=environment" },
	{ .what = "a line glued by a lone %, CR, no newline at the end",
	  .files = { "app.ini", "[uwsgi]\r\nxa = 1%\nxb = 2\r\nxc = 3 %\nsocket = :1\nxd = %%\nsocket = :2" } },
	{ .what = "a base section and several files, as Debian's admins write them",
	  .files = { "shop.ini", "[uwsgi]\nini = :common\napp = shop\nsocket = /run/uwsgi/%(app)/socket\nchdir = /srv/%n\ninclude = limits.ini\n"
				 "[common]\nmaster = true\nchmod-socket = 660\nchown-socket = www-data:www-data\nvirtualenv = /srv/%(app)/env\n",
		     "limits.ini", "[uwsgi]\nharakiri = 30\nlisten = 128\nmax-requests = %(harakiri)00\n" } },
	{ .what = "the vassal's ini is a link",
	  .files = { "app.ini", ">sub/real.ini", "sub/real.ini", "[uwsgi]\nxa = %p %d %n %o\nsocket = %d%n.sock\ninclude = sub/inc.ini\n",
		     "sub/inc.ini", ">inc2.ini", "sub/inc2.ini", "[uwsgi]\nxi = %p %d %n %o %c\n" } },
	{ .what = "links on the way, dots, an absolute link",
	  .files = { "app.ini", "[uwsgi]\ninclude = way/inc.ini\ninclude = sub/../way/./link.ini\ninclude = {}/way/link.ini\n", "way", ">sub",
		     "sub/inc.ini", "[uwsgi]\nxi = %p %d %n %o %c\n", "sub/link.ini", ">{}/sub/inc.ini" } },
	{ .what = "environment, files and arithmetic are not guessed",
	  .files = { "app.ini", "[uwsgi]\nxa = $(HOME)\nxb = a%(xa)\nxc = 2\nworkers = %(xc * 3)\nsocket = @(/etc/hostname)\nxd = %(nothing)\nxe = 1\n" },
	  .unknown = " xa xb workers socket xd " },
	{ .what = "a file in another format is not read, and that is known",
	  .files = { "app.ini", "[uwsgi]\nxa = 1\ninclude = b.yml\nxb = %(xa)%(xy)\n", "b.yml", "uwsgi:\n  xy: 2\n" },
	  .unknown = " xb ", .incomplete = true },
};

static char directory[] = "/tmp/regent.test-XXXXXX";

static char *in_place(const char *text)
{
	char *out;
	size_t size;
	FILE *f = open_memstream(&out, &size);
	for (; *text; text++)
		if (text[0] == '{' && text[1] == '}')
			fputs(directory, f), text++;
		else
			fputc(*text, f);
	fclose(f);
	return out;
}

static void write_files(const struct scene *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->files) && s->files[i]; i += 2) {
		char *text = in_place(s->files[i + 1]);
		if (text[0] == '>') {
			assert_int_equal(symlink(text + 1, s->files[i]), 0);
			free(text);
			continue;
		}
		FILE *f = fopen(s->files[i], "w");
		assert_non_null(f);
		fputs(text, f);
		fclose(f);
		free(text);
	}
}

static void remove_files(const struct scene *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->files) && s->files[i]; i += 2)
		assert_int_equal(unlink(s->files[i]), 0);
}

/* What pulls in or sets something is no setting of ours. */
static bool is_shown(const char *line)
{
	static const char *const hidden[] = { "include", "ini", "set", "set-placeholder", "set-ph", "show-config", "no-server" };
	size_t n = strcspn(line, " \n");
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		if (n == strlen(hidden[i]) && memcmp(hidden[i], line, n) == 0)
			return false;
	return true;
}

/* With what we cannot know as "?". */
static char *ask_uwsgi(const struct scene *s)
{
	char command[2048] = "", line[4096], *out;
	size_t size, n = 0;
	n += (size_t)snprintf(command + n, sizeof command - n, "timeout 10 env -i PATH=\"$PATH\" HOME=/root '%s' uwsgi", s->environment ? s->environment : "A=b");
	for (int i = 0; i < LISTS; i++) {
		if (i == 3)
			n += (size_t)snprintf(command + n, sizeof command - n, " --ini '%s'", s->files[0]);
		if (s->lists[i])
			n += (size_t)snprintf(command + n, sizeof command - n, " %s '%s'", list_options[i], s->lists[i]);
	}
	snprintf(command + n, sizeof command - n, " --show-config --no-server 2>&1");
	FILE *in = popen(command, "r"), *to = open_memstream(&out, &size);
	bool inside = false;
	while (fgets(line, sizeof line, in)) {
		if (strcmp(line, ";end of configuration\n") == 0)
			break;
		char key[256];
		snprintf(key, sizeof key, " %.*s ", (int)strcspn(line, " \n"), line);
		if (inside && is_shown(line) && s->unknown && strstr(s->unknown, key))
			fprintf(to, "%.*s = ?\n", (int)strcspn(line, " \n"), line);
		else if (inside && is_shown(line))
			fputs(line, to);
		inside = inside || strcmp(line, "[uwsgi]\n") == 0;
	}
	pclose(in);
	fclose(to);
	if (!inside)
		fail_msg("%s: uWSGI says nothing: %s", s->what, line);
	return out;
}

/* ---- ours */

static char *show(struct spec_build *b)
{
	char *out;
	size_t size;
	FILE *to = open_memstream(&out, &size);
	for (const struct spec_setting *s = NULL; (s = spec_values_next(&b->values, s)) != NULL; ) {
		struct spec_line line = spec_setting_line(s);
		fprintf(to, "%s = %s\n", line.name, line.value ? line.value : "?");
	}
	fclose(to);
	return out;
}

/* All but the settings themselves. */
static void drop(struct spec_build *b, struct spec *spec)
{
	spec_values_clear(&b->values);
	for (unsigned i = 0; i < b->n_kept; i++)
		free(b->kept[i]);
	free(spec->wants);
	free(spec->unsure);
	free(spec->warnings);
}

static char *gather(const struct scene *s, struct sources *sources, bool *incomplete)
{
	struct spec spec = { 0 };
	struct spec_build b = { .spec = &spec, .name = s->files[0] };
	char *text = NULL, *out = NULL;
	size_t size;
	unsigned line;
	CLEANUP_FD int fd = open(s->files[0], O_RDONLY);
	assert_int_equal(ini_load_fd(fd, &text, &size), 0);
	assert_int_equal(spec_gather(&b, &sources->spec, true, text, size, &line), 0);
	if (!spec.wants)
		out = show(&b);
	else
		assert_int_equal(sources_open(sources, spec.wants), 0);
	*incomplete = b.incomplete;
	drop(&b, &spec);
	free(text);
	return out;
}

static char *ask_us(const struct scene *s, bool *incomplete)
{
	char *lists[LISTS][2] = { 0 }, *environment[] = { (char *)(uintptr_t)s->environment, NULL }, *out;
	struct sources sources = { 0 };
	for (int i = 0; i < LISTS; i++)
		lists[i][0] = (char *)(uintptr_t)s->lists[i];
	assert_int_equal(sources_init(&sources, ".", s->files[0]), 0);
	assert_int_equal(sources_ids(&sources, getuid(), getgid()), 0);
	sources.spec.inherit_before = lists[0];
	sources.spec.include_before = lists[1];
	sources.spec.set = lists[2];
	sources.spec.inherit = lists[3];
	sources.spec.include = lists[4];
	sources.spec.environment = environment;
	while ((out = gather(s, &sources, incomplete)) == NULL)
		;
	sources_clear(&sources);
	return out;
}

/* Every line of ours is one of uWSGI's, in its order. */
static bool is_part(const char *ours, const char *its)
{
	while (*ours) {
		size_t n = strcspn(ours, "\n") + 1;
		while (strncmp(its, ours, n) != 0) {
			if (!*its)
				return false;
			its += strcspn(its, "\n") + 1;
		}
		its += n;
		ours += n;
	}
	return true;
}

static void test_scenes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		const struct scene *s = &scenes[i];
		bool incomplete;
		write_files(s);
		char *its = ask_uwsgi(s), *ours = ask_us(s, &incomplete);
		if (s->incomplete ? !is_part(ours, its) : strcmp(ours, its) != 0)
			fail_msg("%s\n--- uWSGI\n%s--- spec\n%s", s->what, its, ours);
		assert_int_equal(incomplete, s->incomplete);
		free(its);
		free(ours);
		remove_files(s);
	}
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(directory) && chdir(directory) == 0 && mkdir("sub", 0700) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir("sub") == 0 && chdir("/") == 0 && rmdir(directory) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_scenes) };
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
