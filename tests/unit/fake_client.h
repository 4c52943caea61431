/* fake_client: asks the commands of fake_court.h a line, as root or as nobody in particular, and looks for what must be in the reply. For
 * test_commands*. */
#ifndef REGENT_TEST_FAKE_CLIENT_H
#define REGENT_TEST_FAKE_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/fake_court.h"

#define FOREIGN_UID 4242
#define ID "0123456789abcdef0123456789ABCDEF"

static inline int setup(void **state)
{
	struct fake *f = NULL;
	int r = fake_new(&f);
	if (r == 0) {
		f->vassals_run_as = 33;
		commands_ready(f->commands);
	}
	*state = f;
	return r;
}

static inline int teardown(void **state)
{
	fake_free(*state);
	return 0;
}

/* Opens the socket as a user without rights of its own. */
static inline void foreign_open(struct fake *f, struct client *c)
{
	uid_t uid = geteuid();
	if (uid == 0) {
		assert_return_code(seteuid(FOREIGN_UID), errno);
		client_open(f, c);
		assert_return_code(seteuid(0), errno);
	} else {
		client_open(f, c);
	}
	fake_turn(f);
}

static inline uid_t foreign_uid(void)
{
	return geteuid() == 0 ? FOREIGN_UID : geteuid();
}

/* A whole exchange; the text is good until the next one. */
static inline const char *exchange(struct fake *f, bool foreign, const char *line)
{
	static char *text;
	struct client c;
	if (foreign)
		foreign_open(f, &c);
	else
		client_open(f, &c);
	client_says(f, &c, line);
	client_says(f, &c, "\n");
	client_hears(f, &c);
	free(text);
	text = strdup(c.text);
	client_close_fd(&c);
	fake_turn(f);
	return text;
}

static inline const char *answer_to(struct fake *f, const char *line)
{
	return exchange(f, false, line);
}

static inline void expect_in(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in: %s", part, text);
}

static inline void expect_not_in(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("there is %s in: %s", part, text);
}

static inline void expect_status(const char *text, int status)
{
	char part[32];
	snprintf(part, sizeof part, "\"status\":%d,\"text\"", status);
	expect_in(text, part);
}

static inline size_t count_in(const char *text, const char *part)
{
	size_t n = 0;
	for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
		n++;
	return n;
}

#endif
