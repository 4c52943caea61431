/* link: framing, the table of who may send what, and that neither side ever waits. What a keeper refuses is in test_keeper.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/link.h"
#include "vassals/util.h"

struct two { struct link keeper, ruler; };

static int setup(void **state)
{
	static struct two two;
	int keeper, ruler;
	assert_int_equal(link_pair(&keeper, &ruler), 0);
	assert_int_equal(fcntl(keeper, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(ruler, F_GETFL) & O_NONBLOCK);
	link_init(&two.keeper, keeper, true);
	link_init(&two.ruler, ruler, false);
	*state = &two;
	return 0;
}

static int teardown(void **state)
{
	struct two *two = *state;
	link_close(&two->keeper);
	link_close(&two->ruler);
	link_close(&two->ruler);	/* twice does no harm */
	return 0;
}

static bool same_file(int a, int b)
{
	struct stat x, y;
	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* ---- what each kind is: written down again, so that a change of the table is seen */

#define N 1	/* with a name; T: text; R: record; o: those are optional */
#define T 2
#define R 4
static const struct { unsigned kind, parts, optional, min_fds, max_fds; bool to_keeper; } kinds[] = {
	{ LINK_SPAWN, N | R, T, 0, 0, true }, { LINK_SWITCH, N | R, 0, 0, 0, true }, { LINK_CLOSE, N | R, 0, 0, 0, true },
	{ LINK_SEND, N | R, 0, 0, 0, true }, { LINK_KILL, 0, N | R, 0, 0, true },
	{ LINK_FORGET, 0, N | R, 0, 0, true }, { LINK_STATE, N | R, 0, 0, 0, true }, { LINK_DROP, N, 0, 0, 0, true },
	{ LINK_ERRAND, N | T, 0, 0, 1, true }, { LINK_REOPEN, 0, 0, 0, 0, true }, { LINK_NOTIFY, T, 0, 0, 0, true },
	{ LINK_READY, 0, 0, 0, 0, true }, { LINK_PONG, 0, 0, 0, 0, true }, { LINK_DISSOLVED, 0, 0, 0, 0, true },
	{ LINK_STARTED, 0, 0, 2, 3, false }, { LINK_SWITCHED, 0, 0, 0, 0, false }, { LINK_DRAINED, 0, 0, 0, 0, false },
	{ LINK_FAILED, 0, 0, 0, 0, false }, { LINK_EXITED, 0, 0, 0, 0, false },
	{ LINK_RECORD, N | R, 0, 0, 0, false }, { LINK_HELD, 0, 0, 0, 3, false }, { LINK_SYNCED, 0, 0, 0, 0, false },
	{ LINK_SIGNAL, 0, 0, 0, 0, false }, { LINK_PING, 0, 0, 0, 0, false }, { LINK_ERRAND_DONE, 0, 0, 0, 1, false },
	{ LINK_REOPENED, 0, 0, 0, 1, false },
};

static struct link_message message_with(unsigned kind, unsigned parts, unsigned n_fds)
{
	struct link_message m = { .kind = kind, .arg = 1, .generation = 0x1234567890abcdefULL, .pid = -2, .error = -3, .uid = 4, .gid = 5,
				  .monitor = 6, .name = parts & N ? "a.ini" : NULL, .text = parts & T ? "text" : NULL,
				  .record = parts & R ? "re\0cord" : NULL, .record_size = parts & R ? 8 : 0, .n_fds = n_fds };
	return m;
}

static void expect_same(const struct link_message *got, const struct link_message *sent)
{
	assert_memory_equal(got, sent, offsetof(struct link_message, name_size));
	assert_true(sent->name ? got->name && strcmp(got->name, sent->name) == 0 : got->name == NULL);
	assert_true(sent->text ? got->text && strcmp(got->text, sent->text) == 0 : got->text == NULL);
	assert_int_equal(got->record_size, sent->record_size);
	if (sent->record)
		assert_memory_equal(got->record, sent->record, sent->record_size);
	assert_int_equal(got->n_fds, sent->n_fds);
	for (unsigned i = 0; i < LINK_FDS_MAX; i++)
		assert_true((got->fds[i] >= 0) == (i < sent->n_fds));
}

static void test_every_kind_and_no_other(void **state)
{
	struct two *two = *state;
	assert_int_equal(ARRAY_SIZE(kinds), LINK_KINDS - 1);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		for (unsigned parts = 0; parts < 8; parts++)
			for (unsigned n_fds = 0; n_fds <= LINK_FDS_MAX; n_fds++)
				for (int to_keeper = 0; to_keeper < 2; to_keeper++) {
					struct link_message sent = message_with(kinds[i].kind, parts, n_fds), got;
					const char *fault = "";
					bool fits = to_keeper == kinds[i].to_keeper && (parts & ~kinds[i].optional) == kinds[i].parts &&
						    n_fds >= kinds[i].min_fds && n_fds <= kinds[i].max_fds;
					assert_int_equal(link_post(to_keeper ? &two->ruler : &two->keeper, &sent), 0);
					int r = link_receive(to_keeper ? &two->keeper : &two->ruler, &got, &fault);
					assert_int_equal(r, fits ? 1 : -EBADMSG);
					if (fits)
						expect_same(&got, &sent);
					else
						assert_true(fault != NULL && got.n_fds == 0);
					link_close_fds(&got);
				}
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned kind = 1; kind < LINK_KINDS; kind++)
		assert_string_not_equal(link_kind_name(kind), "?");
	assert_string_equal(link_kind_name(LINK_NONE), "?");
	assert_string_equal(link_kind_name(LINK_KINDS), "?");
	assert_string_equal(link_kind_name(0xffffffff), "?");
}

static void test_sizes(void **state)
{
	struct two *two = *state;
	static char name[LINK_NAME_MAX + 1], text[LINK_TEXT_MAX + 1], record[LINK_RECORD_MAX + 1];
	const char *fault;
	struct link_message got;
	memset(name, 'n', LINK_NAME_MAX);
	memset(text, 't', LINK_TEXT_MAX);
	memset(record, 'r', sizeof record);
	struct link_message m = { .kind = LINK_SPAWN, .name = name, .record = record, .record_size = LINK_RECORD_MAX };
	assert_int_equal(link_post(&two->ruler, &m), -EMSGSIZE);
	name[LINK_NAME_MAX - 1] = '\0';
	assert_int_equal(link_post(&two->ruler, &m), 0);
	assert_int_equal(link_receive(&two->keeper, &got, &fault), 1);
	expect_same(&got, &m);
	m.record_size = LINK_RECORD_MAX + 1;
	assert_int_equal(link_post(&two->ruler, &m), -EMSGSIZE);
	m = (struct link_message){ .kind = LINK_NOTIFY, .text = text };
	assert_int_equal(link_post(&two->ruler, &m), -EMSGSIZE);
	text[LINK_TEXT_MAX - 1] = '\0';
	assert_int_equal(link_post(&two->ruler, &m), 0);
	assert_int_equal(link_receive(&two->keeper, &got, &fault), 1);
	assert_int_equal(strlen(got.text), LINK_TEXT_MAX - 1);
	assert_int_equal(link_receive(&two->keeper, &got, &fault), 0);	/* nothing of what was refused came */
}

static void test_descriptors(void **state)
{
	struct two *two = *state;
	const char *fault;
	int a = open("/dev/null", O_RDONLY | O_CLOEXEC), b = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct link_message got, m = { .kind = LINK_STARTED, .fds = { a, b }, .n_fds = 2 };
	assert_int_equal(link_post(&two->keeper, &m), 0);
	assert_int_equal(m.n_fds, 2);	/* duplicated, never taken */
	assert_int_equal(link_receive(&two->ruler, &got, &fault), 1);
	assert_true(same_file(got.fds[0], a) && same_file(got.fds[1], b));
	assert_int_equal(fcntl(got.fds[0], F_GETFD), FD_CLOEXEC);
	link_close_fds(&got);
	assert_true(got.n_fds == 0 && got.fds[0] == -1);
	close(a);
	close(b);
}

/* ---- never waits */

static unsigned fill(struct link *l)
{
	unsigned n = 0;
	do {
		struct link_message m = { .kind = LINK_NOTIFY, .text = "so that it fills up", .arg = n };
		assert_int_equal(link_post(l, &m), 0);
		n++;
	} while (l->n_queued < 10);
	return n;
}

static void test_full_socket(void **state)
{
	struct two *two = *state;
	const char *fault;
	unsigned sent = fill(&two->ruler), got = 0;
	assert_int_equal(link_flush(&two->ruler), -EAGAIN);
	assert_int_equal(two->ruler.n_queued, 10);
	for (struct link_message m; got < sent; got++) {	/* in order, the queued after the others */
		int r = link_receive(&two->keeper, &m, &fault);
		if (r == 0) {
			link_flush(&two->ruler);
			r = link_receive(&two->keeper, &m, &fault);
		}
		assert_int_equal(r, 1);
		assert_int_equal(m.arg, got);
		assert_string_equal(m.text, "so that it fills up");
	}
	assert_int_equal(link_flush(&two->ruler), 0);
	assert_int_equal(two->ruler.n_queued, 0);
}

/* What waits holds its own copies: text, record, descriptors. */
static void test_queued_owns_what_it_sends(void **state)
{
	struct two *two = *state;
	int pipe_fds[2];
	char name[] = "a.ini", record[] = "record";
	struct link_message got;
	const char *fault;
	fill(&two->ruler);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	struct link_message m = { .kind = LINK_SPAWN, .name = name, .record = record, .record_size = sizeof record };
	struct link_message errand = { .kind = LINK_ERRAND, .name = name, .text = name, .fds = { pipe_fds[1] }, .n_fds = 1 };
	assert_int_equal(link_post(&two->ruler, &m), 0);
	assert_int_equal(link_post(&two->ruler, &errand), 0);
	memset(name, 'x', sizeof name - 1);
	memset(record, 'x', sizeof record);
	close(pipe_fds[1]);
	do {
		link_flush(&two->ruler);
		assert_int_equal(link_receive(&two->keeper, &got, &fault), 1);
	} while (got.kind == LINK_NOTIFY);
	assert_string_equal(got.name, "a.ini");
	assert_memory_equal(got.record, "record", 7);
	assert_int_equal(link_receive(&two->keeper, &got, &fault), 1);
	assert_int_equal(write(got.fds[0], "!", 1), 1);
	link_close_fds(&got);
	close(pipe_fds[0]);
}

/* Closing lets go of queued descriptors too. */
static void test_close_with_a_queue(void **state)
{
	struct two *two = *state;
	int pipe_fds[2];
	char c;
	fill(&two->ruler);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	struct link_message m = { .kind = LINK_ERRAND, .name = "a.ini", .text = "t", .fds = { pipe_fds[1] }, .n_fds = 1 };
	assert_int_equal(link_post(&two->ruler, &m), 0);
	close(pipe_fds[1]);
	link_close(&two->ruler);
	assert_int_equal(read(pipe_fds[0], &c, 1), 0);
	close(pipe_fds[0]);
}

/* Its own user has too many descriptors in flight: ETOOMANYREFS, which looks writable. In a process without privilege. */
static void too_many_references(struct link *l)
{
	struct rlimit limit = { 64, 64 };
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || (geteuid() == 0 && setresuid(65532, 65532, 65532) < 0))
		_exit(1);
	for (int i = 0; i < 200 && l->n_queued == 0; i++) {
		struct link_message m = { .kind = LINK_STARTED, .fds = { 0, 0 }, .n_fds = 2 };
		if (link_post(l, &m) != 0)
			_exit(2);
	}
	_exit(l->n_queued == 1 && link_flush(l) == -EAGAIN ? 0 : 3);
}

static void test_too_many_references(void **state)
{
	struct two *two = *state;
	int status;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		too_many_references(&two->keeper);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- receiving when out of descriptors */

static void test_descriptors_lost(void **state)
{
	struct two *two = *state;
	struct rlimit before, none;
	struct link_message got, m = { .kind = LINK_STARTED, .generation = 9, .fds = { 0, 0 }, .n_fds = 2 };
	const char *fault = "";
	assert_int_equal(link_post(&two->keeper, &m), 0);
	assert_int_equal(link_post(&two->keeper, &m), 0);
	getrlimit(RLIMIT_NOFILE, &before);
	int free_fd = dup(0);
	close(free_fd);
	none = (struct rlimit){ (rlim_t)free_fd + 1, before.rlim_max };	/* room for one of the two */
	setrlimit(RLIMIT_NOFILE, &none);
	int r = link_receive(&two->ruler, &got, &fault);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(r, -EBADMSG);
	assert_non_null(strstr(fault, "descriptors were lost"));
	assert_int_equal(got.generation, 9);	/* so that the receiver knows whom it lost */
	int again = dup(0);
	assert_int_equal(again, free_fd);	/* the one that came was closed */
	close(again);
	assert_int_equal(link_receive(&two->ruler, &got, &fault), 1);
	link_close_fds(&got);
}

static void test_queue_without_a_descriptor_left(void **state)
{
	struct two *two = *state;
	struct rlimit before, none;
	fill(&two->ruler);
	struct link_message m = { .kind = LINK_ERRAND, .name = "a.ini", .text = "t", .fds = { 0 }, .n_fds = 1 };
	getrlimit(RLIMIT_NOFILE, &before);
	none = (struct rlimit){ 3, before.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	int r = link_post(&two->ruler, &m);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(r, -EMFILE);
	assert_int_equal(two->ruler.n_queued, 10);
}

/* ---- the other side is gone */

static void test_gone(void **state)
{
	struct two *two = *state;
	struct link_message got, m = { .kind = LINK_PONG };
	const char *fault;
	assert_int_equal(link_receive(&two->ruler, &got, &fault), 0);
	link_close(&two->keeper);
	assert_int_equal(link_receive(&two->ruler, &got, &fault), -EPIPE);
	assert_int_equal(link_post(&two->ruler, &m), -EPIPE);
}

static void test_gone_with_unread_words(void **state)
{
	struct two *two = *state;
	struct link_message got, m = { .kind = LINK_PONG };
	const char *fault;
	assert_int_equal(link_post(&two->ruler, &m), 0);
	link_close(&two->keeper);	/* the kernel says ECONNRESET */
	assert_int_equal(link_receive(&two->ruler, &got, &fault), -EPIPE);
}

#define BOTH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_every_kind_and_no_other), BOTH(test_names), BOTH(test_sizes), BOTH(test_descriptors), BOTH(test_full_socket),
		BOTH(test_queued_owns_what_it_sends), BOTH(test_close_with_a_queue), BOTH(test_too_many_references),
		BOTH(test_descriptors_lost), BOTH(test_queue_without_a_descriptor_left), BOTH(test_gone), BOTH(test_gone_with_unread_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
