/* floor: what the kernel alone costs, for the benchmarks. Does one thing that a supervisor must do, and nothing else of one:
 *
 *	floor start N PROGRAM DIRECTORY		vfork + exec PROGRAM --ini NAME, N times: prints when it began (CLOCK_MONOTONIC, ns)
 *	floor touch N PROGRAM DIRECTORY		starts N, says "ready", then for each change of NAME one byte 1 to its process
 *
 * NAME is v00000.ini and so on. Ends, and lets its children end, when its stdin does. Never reads a config. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCH 4096
#define UNREAD_BYTES (64 * 1024 * 1024)	/* nobody reads what the children of `start` say, and none may block */
#define NAME_FORMAT "v%05d.ini"
#define NAME_SIZE sizeof("v2147483647.ini")

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void make_wire(int wire[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wire) < 0)
		die("socketpair");
}

/* The child's end is the only one without close-on-exec: vfork copies the descriptor table, so only in the child. */
static void start(char *program, int number, int wire)
{
	char name[NAME_SIZE], type[] = "--ini";
	char *argv[] = { program, type, name, NULL };
	extern char **environ;

	snprintf(name, sizeof(name), NAME_FORMAT, number);
	pid_t pid = vfork();
	if (pid < 0)
		die("vfork");
	if (pid == 0) {
		fcntl(wire, F_SETFD, 0);
		execve(program, argv, environ);
		_exit(127);
	}
}

static void name_wire(int wire)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", wire);
	if (setenv("UWSGI_EMPEROR_FD", number, 1) < 0)
		die("setenv");
}

static void start_many(int n, char *program)
{
	struct timespec began;
	int wire[2], bytes = UNREAD_BYTES;
	char byte;

	make_wire(wire);
	if (setsockopt(wire[1], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		die("SO_SNDBUFFORCE");
	name_wire(wire[1]);
	clock_gettime(CLOCK_MONOTONIC, &began);
	for (int i = 0; i < n; i++)
		start(program, i, wire[1]);
	printf("%lld\n", (long long)began.tv_sec * 1000000000LL + began.tv_nsec);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
}

static void tell_changes(int inotify, const int *wires, int n)
{
	alignas(struct inotify_event) char buffer[BATCH];
	const char one = 1;
	ssize_t size = read(inotify, buffer, sizeof(buffer));

	for (char *at = buffer; size > 0 && at < buffer + size;) {
		struct inotify_event *e = (void *)at;
		int i = e->len > 1 ? atoi(e->name + 1) : n;
		if (i < n && write(wires[i], &one, 1) != 1)
			die("write");
		at += sizeof(*e) + e->len;
	}
}

static void touch_many(int n, char *program)
{
	int *wires = calloc((size_t)n, sizeof(*wires));
	int inotify = inotify_init1(IN_CLOEXEC);
	struct pollfd fds[] = { { .fd = 0, .events = POLLIN }, { .fd = inotify, .events = POLLIN } };

	if (!wires || inotify < 0 || inotify_add_watch(inotify, ".", IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_TO) < 0)
		die("inotify");
	for (int i = 0; i < n; i++) {
		int wire[2];
		make_wire(wire);
		wires[i] = wire[0];
		name_wire(wire[1]);
		start(program, i, wire[1]);
		close(wire[1]);
	}
	puts("ready");
	fflush(stdout);
	while (poll(fds, 2, -1) > 0 && !fds[0].revents)
		tell_changes(inotify, wires, n);
	free(wires);
}

int main(int argc, char **argv)
{
	if (argc != 5 || chdir(argv[4]) < 0) {
		fprintf(stderr, "floor: start|touch N PROGRAM DIRECTORY\n");
		return 2;
	}
	(strcmp(argv[1], "start") == 0 ? start_many : touch_many)(atoi(argv[2]), argv[3]);
	return 0;
}
