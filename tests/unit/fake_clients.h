/* The other end of listening sockets, for the tests of sockets: addresses in a directory of one's own, clients, and which side one reached. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vassals/sockets_inside.h"
#include "vassals/util.h"

#define STRANGER 65534

static char directory[] = "/tmp/regent-unit-XXXXXX";
static struct sockets_wish wish;
static struct sockets_pair pairs[SOCKETS_MAX];
static struct sockets_fault fault;

static inline const char *in(const char *name)
{
	static char paths[8][512];
	static unsigned next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];
	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static inline int connect_to(const char *address)
{
	struct sockets_name name;
	assert_int_equal(sockets_resolve(address, &name), 0);
	CLEANUP_FD int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = 10 };	/* a deaf listener lets one wait for minutes */
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
	return connect(fd, &name.any, name.length) < 0 ? -errno : take_fd(&fd);
}

/* A port that nobody has at this moment. */
static inline unsigned port_for(int family)
{
	struct sockets_name name = { .length = sizeof(name.in6) };
	CLEANUP_FD int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memset(&name.in6, 0, sizeof(name.in6));
	name.any.sa_family = (sa_family_t)family;
	assert_int_equal(bind(fd, &name.any, family == AF_INET ? sizeof(name.in) : sizeof(name.in6)), 0);
	assert_int_equal(getsockname(fd, &name.any, &name.length), 0);
	return ntohs(family == AF_INET ? name.in.sin_port : name.in6.sin6_port);
}

static inline void wish_for(const char *options, const char *addresses)
{
	char text[SOCKETS_TEXT_MAX];
	snprintf(text, sizeof(text), "%s\n%s\n", options, addresses);
	assert_int_equal(sockets_parse(text, &wish), 0);
}

/* One of each family, and a second path. */
static inline void wish_for_all(const char *options)
{
	char addresses[512];
	snprintf(addresses, sizeof(addresses), "%s\n127.0.0.1:%u\n[::1]:%u\n%s", in("one.sock"), port_for(AF_INET), port_for(AF_INET6), in("two.sock"));
	wish_for(options, addresses);
}

static inline int prepare(unsigned side)
{
	fault = (struct sockets_fault){ 0 };
	return sockets_prepare(&wish, pairs, side, &fault);
}

static inline int lead(unsigned side)
{
	fault = (struct sockets_fault){ 0 };
	return sockets_switch(&wish, pairs, side, &fault);
}

/* The sides where clients wait, as bits; they are taken off. */
static inline unsigned waiting(const struct sockets_pair *pair)
{
	unsigned found = 0;
	for (unsigned side = 0; side < 2; side++)
		while (sockets_any_waiting(&pair->fd[side], 1)) {
			close(accept(pair->fd[side], NULL, NULL));
			found |= 1U << side;
		}
	return found;
}

/* Which side a client of address i reaches: 0, 1, or negative errno. */
static inline int reached(unsigned i)
{
	CLEANUP_FD int client = connect_to(wish.address[i]);
	if (client < 0)
		return client;
	unsigned found = waiting(&pairs[i]);
	assert_true(found == 1 || found == 2);
	return (int)found - 1;
}

static inline void expect_reached(int side)
{
	for (unsigned i = 0; i < wish.n; i++)
		assert_int_equal(reached(i), side);
}

static inline void expect_fault(int got, int error, unsigned index, const char *step)
{
	assert_int_equal(got, error);
	assert_int_equal(fault.error, error);
	assert_int_equal(fault.index, index);
	assert_non_null(strstr(fault.step, step));
}

static inline void forget(void)
{
	for (unsigned i = 0; i < SOCKETS_MAX; i++)
		for (unsigned side = 0; side < 2; side++)
			pairs[i].fd[side] = util_close(pairs[i].fd[side]);
}

static inline int fresh_directory(void **state)
{
	(void)state;
	strcpy(directory + sizeof(directory) - 7, "XXXXXX");
	memset(pairs, -1, sizeof(pairs));
	umask(022);
	return mkdtemp(directory) && chmod(directory, 0755) == 0 ? 0 : -1;
}

static inline int remove_directory(void **state)
{
	(void)state;
	char command[600];
	forget();
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

static inline bool there(const char *name)
{
	struct stat st;
	return lstat(in(name), &st) == 0;
}

static inline struct stat look(const char *name)
{
	struct stat st;
	assert_int_equal(lstat(in(name), &st), 0);
	return st;
}

static inline void write_file(const char *name)
{
	CLEANUP_FD int fd = open(in(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
}

/* Runs work in a child with a stranger's ids, where we may give it some; asserts that it came back with 0. */
static inline void as_stranger(int (*work)(void))
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && (setresgid(STRANGER, STRANGER, STRANGER) < 0 || setresuid(STRANGER, STRANGER, STRANGER) < 0))
			_exit(99);
		_exit(work());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}
