/* sockets on paths: what may be in the way, who may own it, what is undone and what is left alone; and the private socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/fake_clients.h"

static void expect_forged(void)
{
	wish_for("", in("one.sock"));
	expect_fault(prepare(0), -EPERM, 0, "open .one.sock.regent");
	assert_int_equal(pairs[0].fd[0], -1);
	assert_false(there("one.sock"));
}

static void test_forged_home(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in("elsewhere"), 0700), 0);
	write_file("elsewhere/A");
	assert_int_equal(symlink("elsewhere", in(".one.sock.regent")), 0);
	expect_forged();
	assert_int_equal(unlink(in(".one.sock.regent")), 0);
	assert_true(there("elsewhere/A"));
	write_file(".one.sock.regent");
	expect_forged();
	assert_int_equal(unlink(in(".one.sock.regent")), 0);
	static const mode_t modes[] = { 0777, 0755, 0701, 0710, 0770, 0600 };
	assert_int_equal(mkdir(in(".one.sock.regent"), 0700), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_int_equal(chmod(in(".one.sock.regent"), modes[i]), 0);
		expect_forged();
	}
	assert_int_equal(chmod(in(".one.sock.regent"), 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(in(".one.sock.regent"), STRANGER, STRANGER), 0);
		expect_forged();
		assert_int_equal(chown(in(".one.sock.regent"), 0, 0), 0);
	}
	assert_int_equal(prepare(0), 0);
}

/* The forgery comes later: nothing more is done there. */
static void test_home_forged_later(void **state)
{
	(void)state;
	wish_for("", in("one.sock"));
	assert_int_equal(prepare(0), 0);
	assert_int_equal(rename(in(".one.sock.regent"), in("moved")), 0);
	assert_int_equal(symlink("moved", in(".one.sock.regent")), 0);
	expect_fault(prepare(0), -EPERM, 0, "open");
	expect_fault(lead(1), -EPERM, 0, "open");
	assert_int_equal(sockets_remove(wish.address[0], &pairs[0]), -EPERM);
	assert_true(there("moved/A") && there("moved/B"));
	expect_reached(0);
}

static void test_links_forged_later(void **state)
{
	(void)state;
	wish_for("mode=666", in("one.sock"));
	assert_int_equal(prepare(0), 0);
	write_file("victim");
	assert_int_equal(unlink(in(".one.sock.regent/B")), 0);
	assert_int_equal(symlink(in("victim"), in(".one.sock.regent/B")), 0);
	assert_int_equal(prepare(1), 0);
	assert_int_equal(look("victim").st_mode & 0777, 0644);
	expect_fault(lead(1), -ENOENT, 0, "link in");
	assert_int_equal(unlink(in(".one.sock.regent/B")), 0);
	assert_int_equal(link(in("victim"), in(".one.sock.regent/B")), 0);
	assert_int_equal(prepare(1), 0);
	assert_int_equal(look("victim").st_mode & 0777, 0644);
	expect_fault(lead(1), -ENOENT, 0, "link in");
	expect_reached(0);
}

static void expect_in_the_way(int error)
{
	struct stat before = look("one.sock");
	expect_fault(prepare(0), error, 1, "bind");
	assert_int_equal(look("one.sock").st_ino, before.st_ino);
	assert_false(there(".one.sock.regent"));
	assert_false(there("zero.sock"));
	assert_false(there(".zero.sock.regent"));
	assert_int_equal(pairs[0].fd[0], -1);
	assert_int_equal(pairs[1].fd[0], -1);
}

static int bind_plainly(const char *address, int type)
{
	struct sockets_name name;
	assert_int_equal(sockets_resolve(address, &name), 0);
	CLEANUP_FD int fd = socket(name.any.sa_family, type | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){ name.any.sa_family != AF_UNIX }, sizeof(int)), 0);
	assert_int_equal(bind(fd, &name.any, name.length), 0);
	return take_fd(&fd);
}

static void test_occupied_path(void **state)
{
	(void)state;
	char addresses[512];
	snprintf(addresses, sizeof(addresses), "%s\n%s", in("zero.sock"), in("one.sock"));
	wish_for("", addresses);
	write_file("one.sock");
	expect_in_the_way(-EEXIST);
	assert_int_equal(unlink(in("one.sock")), 0);
	assert_int_equal(mkdir(in("one.sock"), 0700), 0);
	expect_in_the_way(-EEXIST);
	assert_int_equal(rmdir(in("one.sock")), 0);
	assert_int_equal(symlink("nowhere", in("one.sock")), 0);
	expect_in_the_way(-EEXIST);
	assert_int_equal(unlink(in("one.sock")), 0);
	int datagrams = bind_plainly(in("one.sock"), SOCK_DGRAM);
	expect_in_the_way(-EADDRINUSE);
	close(datagrams);
	assert_int_equal(unlink(in("one.sock")), 0);
	int live = bind_plainly(in("one.sock"), SOCK_STREAM);
	assert_int_equal(listen(live, 0), 0);
	expect_in_the_way(-EADDRINUSE);
	expect_in_the_way(-EADDRINUSE);	/* its queue is full by now */
	close(live);
	assert_int_equal(prepare(1), 0);	/* stale */
	expect_reached(1);
}

static void test_something_in_the_way_of_a_switch(void **state)
{
	(void)state;
	wish_for("", in("one.sock"));
	assert_int_equal(prepare(0), 0);
	assert_int_equal(unlink(in("one.sock")), 0);
	write_file("one.sock");
	expect_fault(lead(1), -EEXIST, 0, "link in");
	assert_true(S_ISREG(look("one.sock").st_mode));
	assert_int_equal(unlink(in("one.sock")), 0);
	int live = bind_plainly(in("one.sock"), SOCK_STREAM);
	assert_int_equal(listen(live, 4), 0);
	expect_fault(lead(1), -EADDRINUSE, 0, "link in");
	assert_int_equal(sockets_remove(wish.address[0], &pairs[0]), 0);
	assert_true(there("one.sock"));
	assert_false(there(".one.sock.regent"));
	close(live);
}

/* The kernel would let a listener of the same user into the group, and out of step with A and B. */
static void test_occupied_port(void **state)
{
	(void)state;
	char address[2][64];
	snprintf(address[0], sizeof(address[0]), "127.0.0.1:%u", port_for(AF_INET));
	snprintf(address[1], sizeof(address[1]), "[::1]:%u", port_for(AF_INET6));
	for (unsigned i = 0; i < 2; i++) {
		CLEANUP_FD int live = bind_plainly(address[i], SOCK_STREAM);
		assert_int_equal(listen(live, 4), 0);
		wish_for("", address[i]);
		expect_fault(prepare(0), -EADDRINUSE, 0, "bind");
	}
}

static void test_what_an_earlier_regent_left(void **state)
{
	(void)state;
	wish_for("", in("one.sock"));
	assert_int_equal(prepare(0), 0);
	struct sockets_pair earlier = pairs[0];
	memset(pairs, -1, sizeof(pairs));
	write_file(".one.sock.regent/tmp");
	assert_int_equal(prepare(1), 0);
	expect_reached(1);
	assert_false(there(".one.sock.regent/tmp"));
	assert_false(sockets_any_waiting(earlier.fd, 2));
	/* The earlier one ends late. */
	assert_int_equal(sockets_remove(wish.address[0], &earlier), 0);
	assert_int_equal(lead(0), 0);
	expect_reached(0);
	struct sockets_pair later = pairs[0];
	pairs[0] = earlier;
	expect_fault(lead(1), -ENOENT, 0, "link in");
	pairs[0] = later;
	expect_reached(0);
	close(earlier.fd[0]);
	close(earlier.fd[1]);
}

static void test_undone(void **state)
{
	(void)state;
	char addresses[512];
	snprintf(addresses, sizeof(addresses), "%s\n%s\n%s", in("one.sock"), in("two.sock"), in("missing/three.sock"));
	wish_for("", addresses);
	unsigned n = wish.n;
	wish.n = 1;
	assert_int_equal(prepare(0), 0);
	int fd = pairs[0].fd[0];
	wish.n = n;
	expect_fault(prepare(0), -ENOENT, 2, "open the directory");
	assert_int_equal(pairs[0].fd[0], fd);
	assert_int_equal(pairs[1].fd[0], -1);
	assert_false(there("two.sock") || there(".two.sock.regent"));
	wish.n = 1;
	expect_reached(0);
	wish_for("user=no-such-user-here", in("four.sock"));
	pairs[0].fd[0] = util_close(pairs[0].fd[0]);
	pairs[0].fd[1] = util_close(pairs[0].fd[1]);
	expect_fault(prepare(0), -ENOENT, 0, "chown");
	assert_false(there("four.sock") || there(".four.sock.regent"));
}

static void expect_mode(const char *name, mode_t mode)
{
	assert_int_equal(look(name).st_mode & 07777, mode);
}

static void test_modes(void **state)
{
	(void)state;
	wish_for("mode=660 umask=077", in("one.sock"));
	assert_int_equal(prepare(0), 0);
	expect_mode("one.sock", 0660);
	wish.mode = 0606;
	assert_int_equal(prepare(1), 0);
	expect_mode("one.sock", 0660);	/* the old generation's still */
	assert_int_equal(lead(1), 0);
	expect_mode("one.sock", 0606);
	wish.mode = -1;
	assert_int_equal(prepare(1), 0);
	expect_mode("one.sock", 0700);
	wish.umask = -1;
	umask(0027);
	assert_int_equal(prepare(1), 0);
	expect_mode("one.sock", 0750);
	umask(0777);
	forget();
	wish_for("", in("two.sock"));
	assert_int_equal(prepare(1), 0);
	expect_mode(".two.sock.regent", 0700);
	expect_mode("two.sock", 0);
	umask(022);
}

static int as_member(void)
{
	wish_for("", in("one.sock"));
	if (prepare(0) < 0 || look("one.sock").st_gid != getegid())
		return 1;
	snprintf(wish.user, sizeof(wish.user), "0");
	return prepare(0) == -EPERM && strcmp(fault.step, "chown") == 0 ? 0 : 2;
}

static void test_owners(void **state)
{
	(void)state;
	if (geteuid() == 0) {
		wish_for("user=65533 group=65532", in("root.sock"));
		assert_int_equal(prepare(0), 0);
		assert_int_equal(look("root.sock").st_uid, 65533);
		assert_int_equal(look("root.sock").st_gid, 65532);
		wish.user[0] = wish.group[0] = '\0';
		assert_int_equal(prepare(0), 0);
		assert_int_equal(look("root.sock").st_uid, 0);
		assert_int_equal(look("root.sock").st_gid, 0);
		forget();
		assert_int_equal(chown(directory, 0, 65531), 0);
		assert_int_equal(chmod(directory, 02755), 0);
		wish_for("", in("set-gid.sock"));
		assert_int_equal(prepare(0), 0);
		assert_int_equal(look("set-gid.sock").st_gid, 65531);
		forget();
		assert_int_equal(chmod(directory, 0755), 0);
		assert_int_equal(chown(directory, STRANGER, STRANGER), 0);
	}
	as_stranger(as_member);
}

static void test_remove_takes_only_ours(void **state)
{
	(void)state;
	wish_for("", in("one.sock"));
	assert_int_equal(prepare(0), 0);
	assert_int_equal(unlink(in("one.sock")), 0);
	write_file("one.sock");
	assert_int_equal(sockets_remove(wish.address[0], &pairs[0]), 0);
	assert_true(there("one.sock"));
	assert_false(there(".one.sock.regent"));
	assert_int_equal(sockets_remove(wish.address[0], &pairs[0]), 0);
	assert_true(there("one.sock"));
	forget();
	assert_int_equal(sockets_remove(wish.address[0], &pairs[0]), 0);
}

static void test_longest_name(void **state)
{
	(void)state;
	char name[SOCKETS_ADDRESS_MAX] = "", path[SOCKETS_ADDRESS_MAX];
	memset(name, 'x', SOCKETS_ADDRESS_MAX - 2 - strlen(directory));
	snprintf(path, sizeof(path), "%s", in(name));
	assert_int_equal(strlen(path), 107);
	wish_for("", path);
	assert_int_equal(prepare(0), 0);
	struct sockets_name bound = { .length = sizeof(bound.un) };
	assert_int_equal(getsockname(pairs[0].fd[1], &bound.any, &bound.length), 0);
	assert_memory_equal(bound.un.sun_path, path, 107);
	expect_reached(0);
	assert_int_equal(lead(1), 0);
	expect_reached(1);
	assert_int_equal(sockets_remove(path, &pairs[0]), 0);
	assert_int_equal(rmdir(directory), 0);
}

static int reach;

static int ask_private(void)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", reach);
	CLEANUP_FD int fd = connect_to(path);
	return fd >= 0 && lstat(in("probe.1"), &st) < 0 ? 0 : 1;
}

static void test_private(void **state)
{
	(void)state;
	CLEANUP_FD int listener = -1;
	assert_int_equal(close(bind_plainly(in("probe.1"), SOCK_STREAM)), 0);
	assert_int_equal(chmod(directory, 0700), 0);
	assert_int_equal(sockets_private(in("probe.1"), &listener, &reach), 0);
	assert_int_equal(umask(022), 022);
	assert_false(there("probe.1"));
	assert_true(fcntl(listener, F_GETFD) & fcntl(reach, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(listener, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(reach, F_GETFL) & O_PATH, O_PATH);
	assert_false(sockets_any_waiting(&listener, 1));
	as_stranger(ask_private);
	assert_true(sockets_any_waiting(&listener, 1));
	close(reach);
	int other = -2, none = -2;
	write_file("probe.2");
	assert_int_equal(sockets_private(in("probe.2"), &other, &none), -EADDRINUSE);
	assert_true(there("probe.2"));
	assert_int_equal(sockets_private("probe.3", &other, &none), -EINVAL);
	assert_int_equal(sockets_private(in("missing/probe"), &other, &none), -ENOENT);
	assert_true(other == -2 && none == -2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_forged_home), TEST(test_home_forged_later), TEST(test_links_forged_later), TEST(test_occupied_path),
		TEST(test_something_in_the_way_of_a_switch), TEST(test_occupied_port), TEST(test_what_an_earlier_regent_left), TEST(test_undone),
		TEST(test_modes), TEST(test_owners), TEST(test_remove_takes_only_ours), TEST(test_longest_name), TEST(test_private),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
