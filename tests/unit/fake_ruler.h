/* fake_ruler: a real keeper whose ruler is the test: the ruler process hands its end of the link to the test and waits. What the test
 * sends is what a taken-over ruler could send. Vassals are shell scripts. */
#ifndef TESTS_FAKE_RULER_H
#define TESTS_FAKE_RULER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sanitizer/lsan_interface.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/keeper.h"
#include "supervisor/link.h"
#include "supervisor/logger.h"
#include "vassals/launch.h"
#include "vassals/util.h"

#define VASSAL_UID 65534U
#define RULER_UID 65533U
#define DEADLINE_MS 10000
#define PATIENCE_MS 300
#define HANDOFF_FD 100		/* out of the way of launch_reserve() */
#define LOG_FD 101
#define RECORD "record"

struct fake {
	char directory[64], program[96];
	char *monitors[3], *users[2];
	struct options options;
	pid_t keeper, ruler;
	int handoff, log;	/* a ruler comes to handoff; the keeper's words are in log */
	off_t read_of_log;
	struct link link;
	uint64_t generation;	/* the newest we asked for */
};

/* ---- the two processes */

/* Its only other descriptor is the handoff, passed as if it were the log. Ends when told, with the status told. */
static int fake_ruler_main(const struct ruler_start *start)
{
	unsigned char status = 0;
	pid_t self = getpid();
	struct iovec iov = { &self, sizeof self };
	union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &start->link, sizeof(int));
	if (sendmsg(start->log, &msg, MSG_NOSIGNAL) < 0)
		_exit(90);
	close(start->link);
	if (read(start->log, &status, 1) != 1)
		_exit(0);
	_exit(status);
}

static void fake_keeper_main(const struct fake *f, int handoff)
{
	struct policy *policy;
	char *environment[] = { (char *)"PATH=/usr/bin:/bin", NULL };
	struct keeper_config config = { .options = &f->options, .control = -1, .log = HANDOFF_FD, .ruler_uid = RULER_UID,
					.ruler_gid = RULER_UID, .owner = 0, .ruler = fake_ruler_main };
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &config.vassal_mask);
	sigemptyset(&config.vassal_mask);
	if (dup2(handoff, HANDOFF_FD) < 0 || dup2(f->log, LOG_FD) < 0 || dup2(open("/dev/null", O_RDWR), 0) < 0)
		_exit(91);
	close_range(3, HANDOFF_FD - 1, 0);
	close_range(LOG_FD + 1, ~0U, 0);
	getrlimit(RLIMIT_NOFILE, &config.vassal_nofile);
	if (launch_reserve() < 0 || launch_prepare(1024) < 0 || logger_open(&(struct logger_config){ .fd = LOG_FD }) < 0 ||
	    policy_new(&f->options, RULER_UID, environment, &policy) < 0)
		_exit(92);
	config.policy = policy;
	int status = keeper_run(&config);
	policy_free(policy);
	_exit(__lsan_do_recoverable_leak_check() ? 93 : status);
}

/* ---- the test's side */

static int wait_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return poll(&p, 1, DEADLINE_MS) == 1;
}

/* A ruler process has come: from now on its link is ours. */
static void meet_ruler(struct fake *f)
{
	int fd;
	struct iovec iov = { &f->ruler, sizeof f->ruler };
	union { char bytes[CMSG_SPACE(sizeof fd)]; struct cmsghdr align; } control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
	assert_true(wait_readable(f->handoff));
	assert_int_equal(recvmsg(f->handoff, &msg, MSG_CMSG_CLOEXEC), sizeof f->ruler);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof fd);
	link_close(&f->link);
	link_init(&f->link, fd, false);
}

static void post(struct fake *f, struct link_message m)
{
	assert_int_equal(link_post(&f->link, &m), 0);
}

/* The next message but pings, which are answered. */
static struct link_message next(struct fake *f)
{
	struct link_message m;
	const char *fault = "";
	for (;;) {
		int r = link_receive(&f->link, &m, &fault);
		if (r == 0) {
			assert_true(wait_readable(f->link.fd));
		} else if (r == 1 && m.kind == LINK_PING) {
			post(f, (struct link_message){ .kind = LINK_PONG });
		} else {
			if (r != 1)
				fail_msg("no message: %d (%s)", r, fault);
			return m;
		}
	}
}

static struct link_message expect(struct fake *f, unsigned kind)
{
	struct link_message m = next(f);
	assert_string_equal(link_kind_name(m.kind), link_kind_name(kind));
	return m;
}

static void expect_end_of_link(struct fake *f)
{
	struct link_message m;
	const char *fault = "";
	int r;
	while ((r = link_receive(&f->link, &m, &fault)) >= 0)
		assert_true(r == 0 ? wait_readable(f->link.fd) : m.kind == LINK_PING);
	assert_int_equal(r, -EPIPE);
}

/* The keeper has taken everything that was sent before. */
static void settle(struct fake *f)
{
	post(f, (struct link_message){ .kind = LINK_REOPEN });
	expect(f, LINK_REOPENED);
}

/* What the keeper has logged since the last call. Valid until the next. */
static const char *words(struct fake *f)
{
	static char text[65536];
	ssize_t n = pread(f->log, text, sizeof text - 1, f->read_of_log);
	text[n > 0 ? n : 0] = '\0';
	f->read_of_log += n;
	return text;
}

static struct link_message spawn_message(struct fake *f, const char *name)
{
	return (struct link_message){ .kind = LINK_SPAWN, .generation = ++f->generation, .name = name, .uid = VASSAL_UID, .gid = VASSAL_UID,
				      .record = RECORD, .record_size = sizeof RECORD };
}

struct started { uint64_t generation; pid_t pid; int wire, output; };

static struct started take_generation(const struct link_message *m)
{
	return (struct started){ m->generation, m->pid, m->fds[0], m->fds[1] };
}

static struct started start(struct fake *f, const char *name)
{
	post(f, spawn_message(f, name));
	struct link_message m = expect(f, LINK_STARTED);
	assert_int_equal(m.generation, f->generation);
	assert_int_equal(m.n_fds, 2);
	return take_generation(&m);
}

static void let_go(struct started *g)
{
	g->wire = util_close(g->wire);
	g->output = util_close(g->output);
}

/* Killed, its end told, forgotten. */
static void finish(struct fake *f, struct started *g, const char *name)
{
	post(f, (struct link_message){ .kind = LINK_KILL, .generation = g->generation, .name = name });
	struct link_message m = expect(f, LINK_EXITED);
	assert_int_equal(m.generation, g->generation);
	assert_int_equal(m.error, SIGKILL);
	post(f, (struct link_message){ .kind = LINK_FORGET, .generation = g->generation, .name = name });
	let_go(g);
}

/* The ruler process ends with this status. */
static void end_ruler(struct fake *f, unsigned char status)
{
	link_close(&f->link);
	assert_int_equal(write(f->handoff, &status, 1), 1);
}

static unsigned count_descriptors(pid_t pid)
{
	unsigned n = 0;
	for (int fd = 0; fd < 1024; fd++) {
		char path[64], target[64];
		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
		n += readlink(path, target, sizeof target) > 0;
	}
	return n;
}

/* ---- a court's life */

/* The vassals print what their wire brings, and end when it does. */
static void write_program(const char *path)
{
	static const char text[] = "#!/bin/sh\ncase $2 in die*) exit 3;; esac\nexec cat <&3\n";
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	fchmod(fd, 0755);
	close(fd);
}

static void fake_prepare(struct fake *f)
{
	*f = (struct fake){ .link = { .fd = -1 }, .directory = "/tmp/regent-unit-XXXXXX" };
	assert_non_null(mkdtemp(f->directory));
	chmod(f->directory, 0755);
	snprintf(f->program, sizeof f->program, "%s/program", f->directory);
	write_program(f->program);
	f->monitors[0] = f->directory;
	f->options = (struct options){ .emperor = { f->monitors, 1 }, .uid_number = VASSAL_UID, .gid_number = VASSAL_UID,
				       .binary_path = f->program, .reload_mercy = 30, .ruler_patience = PATIENCE_MS,
				       .emperor_extra_extension = { f->users + 1, 0 }, .vassal_users = { f->users + 1, 0 } };
}

static void fake_begin(struct fake *f)
{
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	f->log = memfd_create("log", MFD_CLOEXEC);
	f->handoff = pair[0];
	fflush(NULL);
	f->keeper = fork();
	if (f->keeper == 0)
		fake_keeper_main(f, pair[1]);
	close(pair[1]);
	meet_ruler(f);
	assert_int_equal(expect(f, LINK_SYNCED).generation, 0);
	settle(f);
	words(f);
}

static void fake_end(struct fake *f)
{
	int status;
	kill(f->keeper, SIGTERM);
	assert_int_equal(expect(f, LINK_SIGNAL).arg, SIGTERM);
	post(f, (struct link_message){ .kind = LINK_DISSOLVED });
	expect_end_of_link(f);
	end_ruler(f, 0);
	assert_int_equal(waitpid(f->keeper, &status, 0), f->keeper);
	if (status != 0)
		fail_msg("the keeper ended with %x: %s", (unsigned)status, words(f));
	close(f->handoff);
	close(f->log);
	unlink(f->program);
	rmdir(f->directory);
}

#endif
