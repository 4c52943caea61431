/* launching: what the tests of launch share: a child prepared, run to its end, or expected to fail. */
#ifndef TESTS_LAUNCHING_H
#define TESTS_LAUNCHING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vassals/launch.h"
#include "vassals/util.h"

#define TENANT 65532

static char directory[] = "/tmp/regent-unit-XXXXXX";

struct run { struct launch what; const char *programs[2], *argv[8], *envp[2]; int output, wire; sigset_t mask; };

static void prepare(struct run *r, const char *program, const char *script)
{
	int pair[2], wires[2];
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wires), 0);
	*r = (struct run){ .programs = { program }, .argv = { NULL, "-c", script, "name" }, .envp = { "PATH=/usr/bin:/bin" },
			   .output = pair[0], .wire = wires[0] };
	sigemptyset(&r->mask);
	r->what = (struct launch){ .argv = r->argv, .programs = r->programs, .envp = r->envp, .cwd = "/", .in = open("/dev/null", O_RDWR | O_CLOEXEC),
				   .out = pair[1], .wire = wires[1], .mask = &r->mask, .ignored = SIGPIPE, .identity = { .uid = IDENTITY_NONE } };
	getrlimit(RLIMIT_NOFILE, &r->what.nofile);
}

static void finish(struct run *r)
{
	util_close(r->what.in);
	util_close(r->what.out);
	util_close(r->what.wire);
	util_close(r->output);
	util_close(r->wire);
}

/* What the child printed, and its wait status. */
static const char *run(struct run *r, int *status)
{
	static char text[16384];
	struct launched l;
	size_t n = 0;
	assert_int_equal(launch_start(&r->what, &l), 0);
	assert_int_equal(l.stage, LAUNCH_OK);
	r->what.out = util_close(r->what.out);
	for (ssize_t got; (got = read(r->output, text + n, sizeof text - 1 - n)) > 0; )
		n += (size_t)got;
	text[n] = '\0';
	assert_int_equal(waitpid(l.pid, status, 0), l.pid);
	close(l.pidfd);
	return text;
}

static const char *script(const char *text)
{
	struct run r;
	int status;
	prepare(&r, "/bin/sh", text);
	const char *said = run(&r, &status);
	assert_int_equal(status, 0);
	finish(&r);
	return said;
}

static void expect_failure(struct run *r, enum launch_stage stage, int error)
{
	struct launched l;
	int r_ = launch_start(&r->what, &l);
	assert_string_equal(launch_stage_name(l.stage), launch_stage_name(stage));
	assert_int_equal(l.error, error);
	assert_int_equal(r_, -error);
	assert_int_equal(l.pidfd, -1);
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);	/* it is reaped */
	r->what.out = util_close(r->what.out);
	char c;
	assert_int_equal(read(r->output, &c, 1), 0);	/* and no end of it is left open */
	finish(r);
}

#endif
