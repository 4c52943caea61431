/* ini: the dialect, pinned by hand and against the real uwsgi. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vassals/ini.h"
#include "vassals/util.h"

static int file_with(const char *text, size_t n)
{
	int fd = memfd_create("ini", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	return fd;
}

struct seen { char *text; size_t n; FILE *out; const char *only; };

/* "LINE SECTION|KEY|VALUE\n", or as --show-config writes it if only one section is wanted. */
static int see(void *data, const char *section, const char *key, const char *value, unsigned line)
{
	struct seen *s = data;
	if (!s->only)
		fprintf(s->out, "%u %s|%s|%s\n", line, section, key, value);
	else if (strcmp(s->only, section) == 0)
		fprintf(s->out, "%s = %s\n", key, value);
	return 0;
}

static char *read_text(const char *text, size_t n, const char *only)
{
	struct seen s = { .only = only };
	unsigned line = 0;
	s.out = open_memstream(&s.text, &s.n);
	CLEANUP_FD int fd = file_with(text, n);
	assert_int_equal(ini_read_fd(fd, see, &s, &line, NULL), 0);
	fclose(s.out);
	return s.text;
}

static void expect(const char *text, const char *expected)
{
	char *got = read_text(text, strlen(text), NULL);
	assert_string_equal(got, expected);
	free(got);
}

static void test_dialect(void **state)
{
	(void)state;
	expect("", "");
	expect("[uwsgi]\nmaster = true\n", "2 uwsgi|master|true\n");
	expect("[uwsgi]\n  a = 1\n\tb=2", "2 uwsgi|a|1\n3 uwsgi|b|2\n");
	expect("[uwsgi]\na = 1   ; note\n; b = 2\n  # c = 3\n#d\ne = x # y\n", "2 uwsgi|a|1   ; note\n6 uwsgi|e|x # y\n");
	expect("[uwsgi]\nbare\nempty =\n", "2 uwsgi|bare|\n3 uwsgi|empty|\n");
	expect("[uwsgi]\nc: 3\nd:e = 4\nf = 1:2=3\n", "2 uwsgi|c: 3|\n3 uwsgi|d:e|4\n4 uwsgi|f|1:2=3\n");
	expect("[uwsgi]\r\na = b \r\n", "2 uwsgi|a|b\n");
	expect("[uwsgi]\na=1\na=2\n[x]\na=3\n[uwsgi]\na=4\n", "2 uwsgi|a|1\n3 uwsgi|a|2\n5 x|a|3\n7 uwsgi|a|4\n");
	expect("[uwsgi]\n\vk\x1fz = \f\x1f:v\v\n", "2 uwsgi|\vk\x1fz|\f\x1f:v\v\n");
}

static void test_sections(void **state)
{
	(void)state;
	expect("a = 1\n\n[uwsgi]\nb = 2\n", "4 uwsgi|b|2\n");
	expect("\xef\xbb\xbf[uwsgi]\na = 1\n", "");
	expect("\xef\xbb\xbf[uwsgi]\na = 1\n[x]\nb = 1\n", "4 x|b|1\n");
	expect("[uwsgi]\n\xef\xbb\xbfxa = 1\n", "2 uwsgi|\xef\xbb\xbfxa|1\n");
	expect("[uwsgi] ; c\na=1\n[uwsgii\nb=2\n[\nc=3\n[]\nd=4\n", "2 uwsgi] ; |a|1\n4 uwsgi|b|2\n6 |c|3\n8 |d|4\n");
	expect("[a.section.name.longer.than.the.forty.nine.characters.inih.keeps]\nk = v\n",
	       "2 a.section.name.longer.than.the.forty.nine.characters.inih.keeps|k|v\n");
}

static void test_percent_glues_lines(void **state)
{
	(void)state;
	expect("[uwsgi]\n; 100%\ncheap = true\nb = 1\n", "4 uwsgi|b|1\n");
	expect("[uwsgi]\na = b%\n c = d\ne = f\n", "2 uwsgi|a|b c = d\n4 uwsgi|e|f\n");
	expect("[uwsgi]\na = 5%%\nb = 1\n", "2 uwsgi|a|5%%\n3 uwsgi|b|1\n");
	expect("[uwsgi]\na = %%%\nb = 1\n", "2 uwsgi|a|%%b = 1\n");
	expect("[uwsgi]\na = %\r\nb = 1%", "2 uwsgi|a|%\n3 uwsgi|b|1%\n");
}

static void test_long(void **state)
{
	(void)state;
	static char text[1000 * 1000], expected[1000 * 1000 + 64];
	memset(text, ':', sizeof(text));
	memcpy(text, "[uwsgi]\nk", 9);
	text[500 * 1000] = '=';
	text[sizeof(text) - 1] = '\0';
	snprintf(expected, sizeof(expected), "2 uwsgi|%.*s|%s\n", 500 * 1000 - 8, text + 8, text + 500 * 1000 + 1);
	expect(text, expected);
}

static int stop(void *data, const char *section, const char *key, const char *value, unsigned line)
{
	(void)section, (void)value, (void)line;
	++*(int *)data;
	return key[0] == 'x' ? -EXDEV : 0;
}

static void test_errors(void **state)
{
	(void)state;
	unsigned line = 77;
	unsigned long long hash = 5;
	int calls = 0;
	int fd = file_with("[u]\na\nxx\nb\n", 11);
	assert_int_equal(ini_read_fd(fd, stop, &calls, &line, &hash), -EXDEV);
	assert_int_equal(line, 3);
	assert_int_equal(calls, 2);
	assert_int_equal(hash, 5);
	util_close(fd);

	fd = file_with("[u]\na\nb\0c\nd\n", 12);
	calls = 0;
	assert_int_equal(ini_read_fd(fd, stop, &calls, &line, &hash), -EBADMSG);
	assert_int_equal(line, 3);
	assert_int_equal(calls, 1);
	assert_int_equal(ini_hash_fd(fd, &hash), 0);
	assert_int_equal(hash, util_hash(UTIL_HASH_SEED, "[u]\na\nb\0c\nd\n", 12));
	util_close(fd);

	fd = open("/dev/null", O_RDONLY);
	assert_int_equal(ini_read_fd(fd, stop, &calls, &line, &hash), -EINVAL);
	util_close(fd);
	assert_int_equal(ini_read_fd(-1, stop, &calls, &line, &hash), -EBADF);

	fd = file_with("", 0);
	assert_int_equal(ftruncate(fd, INI_SIZE_MAX + 1), 0);
	assert_int_equal(ini_read_fd(fd, stop, &calls, &line, &hash), -EFBIG);
	assert_int_equal(ini_hash_fd(fd, &hash), -EFBIG);
	util_close(fd);
}

static void test_position_and_hash(void **state)
{
	(void)state;
	unsigned line;
	unsigned long long one, two;
	int calls = 0;
	CLEANUP_FD int fd = file_with("[u]\na\n", 6);
	assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
	assert_int_equal(ini_read_fd(fd, stop, &calls, &line, &one), 0);
	assert_int_equal(calls, 1);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 3);
	assert_int_equal(pwrite(fd, "b", 1, 4), 1);
	assert_int_equal(ini_read_fd(fd, stop, &calls, &line, &two), 0);
	assert_true(one != two);
	assert_int_equal(two, util_hash(UTIL_HASH_SEED, "[u]\nb\n", 6));
}

/* Only keys that uWSGI does not know, and no placeholders: --show-config is then the parser's bare result. */
static const char *const oracle[] = {
	"[uwsgi]\nxa = 1\nxb=2\n xc = 3\n\txd\t=\t4\t\n",
	"[uwsgi]\nxa = 1000   ; note\n; xb = 2\n  # xc = 3\nxd = y # z\n",
	"[uwsgi]\nxbare\nxempty =\n",
	"[uwsgi]\nxc: 3\nxd:e = 4\nxf = a:b=c\n",
	"[uwsgi]\r\nxa = 1\r\n  xb = 2 \r\n",
	"\xef\xbb\xbf[uwsgi]\nxa = 1\n",
	"xa = 1\n[uwsgi]\nxb = 2\n[other]\nxc = 3\n[uwsgi]\nxd = 4\nxa = 5",
	"[uwsgi] ; c\nxa = 1\n[uwsgi]\nxb = 2\n",
	"[uwsgii\nxa = 1\n[ uwsgi ]\nxb = 2\n",
	"  [uwsgi]  \nxa = 1\n[]\nxb = 2\n",
	"[uwsgi]\n; 100%\nxa = 1\nxb = 2\n",
	"[uwsgi]\nxa = b%\n xc = d\nxe = 5\n",
	"[uwsgi]\n\vxa = \f1\v\nx\x1f:b = 2\x1f\n",
	"[uwsgi]\n= xv\nxa == b\nxc = \"q\" 'r'\n",
	"[uwsgi]\n\n   \n;\n#\nxa =    b   c   \n",
};

static char *ask_uwsgi(const char *path)
{
	char command[256], line[4096], *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);
	snprintf(command, sizeof(command), "uwsgi --ini %s --show-config --no-server 2>&1", path);
	FILE *in = popen(command, "r");
	bool inside = false;
	while (in && fgets(line, sizeof(line), in)) {
		if (strcmp(line, ";end of configuration\n") == 0)
			inside = false;
		if (inside && strncmp(line, "ini = ", 6) && strcmp(line, "show-config = true\n") &&
		    strcmp(line, "no-server = true\n"))
			fputs(line, out);
		if (strcmp(line, "[uwsgi]\n") == 0)
			inside = true;
	}
	if (in)
		pclose(in);
	fclose(out);
	return text;
}

static void test_against_uwsgi(void **state)
{
	(void)state;
	if (system("command -v uwsgi >/dev/null 2>&1") != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(oracle); i++) {
		char path[] = "/tmp/regent-test-XXXXXX.ini";
		CLEANUP_FD int fd = mkstemps(path, 4);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, oracle[i], strlen(oracle[i])), strlen(oracle[i]));
		char *expected = ask_uwsgi(path);
		char *got = read_text(oracle[i], strlen(oracle[i]), "uwsgi");
		unlink(path);
		assert_string_equal(got, expected);
		free(got);
		free(expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialect),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_percent_glues_lines),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_position_and_hash),
		cmocka_unit_test(test_against_uwsgi),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
