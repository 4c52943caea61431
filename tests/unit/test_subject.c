/* What hangs on one vassal in the ruler: its two generations and their words, the private socket. The court here knows nobody: the
 * vassal is made by hand, so that every order of events can be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/logger.h"
#include "supervisor/ruler_inside.h"
#include "vassals/probe.h"
#include "vassals/util.h"

struct scene {
	struct ruler ruler;
	struct court_vassal *cv;
	struct subject *s;
};
static int syslog_fd = -1;	/* what the log is told */
/* The vassal's side of a generation. */
struct generation { int wire, output, reach; };

static uint64_t no_time(void *data) { (void)data; return 1; }

static int setup(void **state)
{
	struct scene *sc = calloc(1, sizeof *sc);
	struct court_config config = { .first_generation = 1, .rules = { .probe_limit = 30 * NSEC_PER_MSEC } };
	struct court_world world = { .now = no_time };
	sc->ruler.loop = ev_loop_new(EVFLAG_NOENV);
	sc->ruler.phase = RULER_RULING;
	assert_int_equal(court_new(&config, &world, &sc->ruler.court), 0);
	sc->cv = calloc(1, sizeof *sc->cv + sizeof "a.ini");
	strcpy(sc->cv->name, "a.ini");
	sc->s = subject_of(&sc->ruler, sc->cv);
	*state = sc;
	return 0;
}

static int teardown(void **state)
{
	struct scene *sc = *state;
	subject_free(sc->s);
	assert_null(sc->cv->world);
	spec_free(sc->cv->spec);
	free(sc->cv);
	court_free(sc->ruler.court);
	ev_loop_destroy(sc->ruler.loop);
	free(sc);
	return 0;
}

static void turn(struct scene *sc)
{
	ev_run(sc->ruler.loop, EVRUN_NOWAIT);
}

static struct generation attach(struct scene *sc, uint64_t number, pid_t pid)
{
	int wire[2], output[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wire), 0);
	assert_int_equal(pipe2(output, O_NONBLOCK | O_CLOEXEC), 0);
	struct strand_ends ends = { number, pid, wire[0], output[0], fcntl(output[1], F_DUPFD_CLOEXEC, 0) };
	int reach = ends.reach;
	assert_true(subject_attach(sc->s, &ends));
	assert_true(ends.wire == -1 && ends.output == -1 && ends.reach == -1);
	return (struct generation){ wire[1], output[1], reach };
}

static void prints(struct scene *sc, const struct generation *g, const char *text)
{
	assert_int_equal(write(g->output, text, strlen(text)), strlen(text));
	turn(sc);
}

/* Its end: told by the keeper, acted on here. */
static void ends(struct scene *sc, uint64_t number, struct generation *g)
{
	char c;
	struct pollfd p = { .fd = g->wire };
	g->output = util_close(g->output);
	subject_detach(sc->s, number);
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_int_equal(read(g->wire, &c, 1), 0);	/* and ours is closed, too */
	assert_int_equal(fcntl(g->reach, F_GETFD), -1);
	g->wire = util_close(g->wire);
}

static void expect_tail(struct scene *sc, size_t lines, bool newest_only, const char *expected)
{
	CLEANUP_FREE char *text = subject_tail(sc->s, lines, newest_only);
	if (!expected)
		assert_null(text);
	else
		assert_string_equal(text ? text : "(none)", expected);
}

static void moved(struct scene *sc, enum vassal_state state, uint64_t own, uint64_t beside, enum vassal_beside_phase phase)
{
	struct vassal *v = &sc->cv->v;
	v->state = (uint8_t)state;
	v->generation = own;
	v->beside.generation = beside;
	v->beside.phase = (uint8_t)phase;
}

/* One serves and has printed, one is tried beside it and has printed. */
static void serve_and_try(struct scene *sc, struct generation *old, struct generation *new)
{
	moved(sc, VASSAL_READY, 1, 0, VASSAL_BESIDE_NONE);
	*old = attach(sc, 1, 11);
	prints(sc, old, "one\n");
	moved(sc, VASSAL_RENEW_SPAWNING, 1, 2, VASSAL_BESIDE_TRIED);
	subject_moved(sc->s);
	expect_tail(sc, 9, true, NULL);
	*new = attach(sc, 2, 22);
	prints(sc, new, "two\n");
}

static void test_one_generation(void **state)
{
	struct scene *sc = *state;
	expect_tail(sc, 9, false, NULL);
	moved(sc, VASSAL_SPAWNING, 1, 0, VASSAL_BESIDE_NONE);
	struct generation g = attach(sc, 1, 11);
	prints(sc, &g, "one\ntwo\n");
	subject_moved(sc->s);
	expect_tail(sc, 9, true, "");
	prints(sc, &g, "three\nlast");
	ends(sc, 1, &g);
	expect_tail(sc, 9, true, "three\nlast\n");
	expect_tail(sc, 3, false, "two\nthree\nlast\n");
	g = attach(sc, 1, 12);
	prints(sc, &g, "again\n");
	expect_tail(sc, 2, false, "last\nagain\n");
	ends(sc, 1, &g);
	subject_detach(sc->s, 1);
	subject_detach(sc->s, 0);
}

/* The next record that names the vassal ends in this. */
static void expect_record(const char *expected)
{
	char text[4096];
	ssize_t n;
	do {
		n = recv(syslog_fd, text, sizeof text - 1, MSG_DONTWAIT);
		assert_true(n > 0);
		text[n] = '\0';
	} while (!strstr(text, "a.ini"));
	assert_string_equal(strstr(text, "a.ini"), expected);
}

/* Of all records since the last call. What syslog could not take at once comes, too. */
static size_t count_records(const char *words)
{
	char text[4096];
	size_t n = 0;
	ssize_t got;
	do {
		logger_flush();
		got = recv(syslog_fd, text, sizeof text - 1, MSG_DONTWAIT);
		text[got > 0 ? got : 0] = '\0';
		n += strstr(text, words) != NULL;
	} while (got >= 0);
	return n;
}

static void drain_records(void)
{
	count_records("");
}

static void test_lines_carry_their_pid(void **state)
{
	struct scene *sc = *state;
	struct generation old, new;
	drain_records();
	serve_and_try(sc, &old, &new);
	expect_record("a.ini[11]: one");
	expect_record("a.ini[22]: two");
	moved(sc, VASSAL_RETIRING, 2, 1, VASSAL_BESIDE_DRAINING);
	sc->cv->v.pid = 22;
	prints(sc, &old, "bye\n");
	expect_record("a.ini[11]: bye");
	ends(sc, 2, &new);
	ends(sc, 1, &old);
}

static void test_taken_over(void **state)
{
	struct scene *sc = *state;
	struct generation old, new;
	serve_and_try(sc, &old, &new);
	expect_tail(sc, 9, true, "two\n");
	expect_tail(sc, 9, false, "one\ntwo\n");
	expect_tail(sc, 1, false, "two\n");
	moved(sc, VASSAL_RETIRING, 2, 1, VASSAL_BESIDE_DRAINING);
	subject_moved(sc->s);
	prints(sc, &old, "bye\n");
	prints(sc, &new, "hello\n");
	expect_tail(sc, 9, false, "one\nbye\ntwo\nhello\n");
	expect_tail(sc, 9, true, "two\nhello\n");
	ends(sc, 1, &old);
	assert_null(sc->s->beside);
	expect_tail(sc, 9, false, "one\nbye\ntwo\nhello\n");
	expect_tail(sc, 9, true, "two\nhello\n");
	ends(sc, 2, &new);
}

/* The newer one has said nothing: what is left of the old is old. */
static void test_taken_over_silently(void **state)
{
	struct scene *sc = *state;
	struct generation old, new;
	moved(sc, VASSAL_RENEW_SPAWNING, 1, 2, VASSAL_BESIDE_TRIED);
	old = attach(sc, 1, 11);
	new = attach(sc, 2, 22);
	prints(sc, &old, "one\n");
	moved(sc, VASSAL_RETIRING, 2, 1, VASSAL_BESIDE_RETIRING);
	ends(sc, 1, &old);
	expect_tail(sc, 9, false, "one\n");
	expect_tail(sc, 9, true, "");
	prints(sc, &new, "two\n");
	expect_tail(sc, 9, true, "two\n");
	ends(sc, 2, &new);
}

static void test_failed(void **state)
{
	struct scene *sc = *state;
	struct generation old, new;
	serve_and_try(sc, &old, &new);
	moved(sc, VASSAL_ABANDONING, 1, 2, VASSAL_BESIDE_KILLED);
	subject_moved(sc->s);
	prints(sc, &new, "Traceback\n");
	ends(sc, 2, &new);
	moved(sc, VASSAL_READY, 1, 0, VASSAL_BESIDE_NONE);
	subject_moved(sc->s);
	prints(sc, &old, "serving\n");
	expect_tail(sc, 9, true, "two\nTraceback\n");
	expect_tail(sc, 1, true, "Traceback\n");
	expect_tail(sc, 9, false, "one\nserving\ntwo\nTraceback\n");
	/* The next attempt, which does not even start. */
	moved(sc, VASSAL_RENEW_SPAWNING, 1, 3, VASSAL_BESIDE_TRIED);
	subject_moved(sc->s);
	expect_tail(sc, 9, false, "one\nserving\n");
	moved(sc, VASSAL_READY, 1, 0, VASSAL_BESIDE_NONE);
	subject_moved(sc->s);
	expect_tail(sc, 9, true, NULL);
	/* In place again: its own words. */
	moved(sc, VASSAL_RELOADING, 1, 0, VASSAL_BESIDE_NONE);
	subject_moved(sc->s);
	prints(sc, &old, "in place\n");
	expect_tail(sc, 9, true, "in place\n");
	ends(sc, 1, &old);
}

/* The old one died while a newer one was tried, before or after clients were led there. */
static void test_old_one_dies(void **state)
{
	struct scene *sc = *state;
	struct generation old, new;
	serve_and_try(sc, &old, &new);
	ends(sc, 1, &old);
	moved(sc, VASSAL_RETIRING, 2, 0, VASSAL_BESIDE_NONE);
	subject_moved(sc->s);
	assert_null(sc->s->beside);
	expect_tail(sc, 9, false, "one\ntwo\n");
	expect_tail(sc, 9, true, "two\n");
	ends(sc, 2, &new);
}

/* Nobody told us of the change: a number is looked at before each use. */
static void test_changed_behind_our_back(void **state)
{
	struct scene *sc = *state;
	struct generation old, new;
	serve_and_try(sc, &old, &new);
	moved(sc, VASSAL_RETIRING, 2, 1, VASSAL_BESIDE_DRAINING);
	ends(sc, 2, &new);
	assert_int_equal(sc->s->own->generation, 0);
	assert_int_equal(sc->s->beside->generation, 1);
	ends(sc, 1, &old);
	expect_tail(sc, 9, false, "one\ntwo\n");
}

/* A new ruler is told of both, in any order. */
static void test_adopted(void **state)
{
	struct scene *sc = *state;
	sc->ruler.phase = RULER_ADOPTING;
	moved(sc, VASSAL_RETIRING, 2, 1, VASSAL_BESIDE_RETIRING);
	struct generation old = attach(sc, 1, 11), new = attach(sc, 2, 22);
	prints(sc, &old, "one\n");
	prints(sc, &new, "two\n");
	expect_tail(sc, 9, false, NULL);
	sc->ruler.phase = RULER_RULING;
	subject_listen(sc->s);
	turn(sc);
	expect_tail(sc, 9, false, "one\ntwo\n");
	expect_tail(sc, 9, true, "two\n");
	ends(sc, 1, &old);
	ends(sc, 2, &new);
}

static void test_adopted_while_tried(void **state)
{
	struct scene *sc = *state;
	moved(sc, VASSAL_RENEW_SETTLING, 1, 2, VASSAL_BESIDE_TRIED);
	struct generation new = attach(sc, 2, 22), old = attach(sc, 1, 11);
	prints(sc, &old, "one\n");
	prints(sc, &new, "two\n");
	expect_tail(sc, 9, true, "two\n");
	ends(sc, 2, &new);
	expect_tail(sc, 9, true, "two\n");
	/* It is freed with descriptors still open: the leak check tells if one stays. */
	close(old.wire);
	close(old.output);
}

/* ---- the private socket */

static void note_status(void *data, int status)
{
	*(int *)data = status;
}

/* Bound, opened, unlinked: what the keeper makes. */
static int private_socket(int *reach)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/regent-unit-XXXXXX";
	assert_non_null(mkdtemp(dir));
	snprintf(address.sun_path, sizeof address.sun_path, "%s/p", dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 4), 0);
	*reach = open(address.sun_path, O_PATH | O_CLOEXEC);
	unlink(address.sun_path);
	rmdir(dir);
	return fd;
}

static void test_probe_over_private_socket(void **state)
{
	struct scene *sc = *state;
	struct spec spec = { .probe = SPEC_PROBE_HTTP, .probe_address = (char *)"127.0.0.1:1", .health = (char *)"/alive" };
	struct strand st = { .subject = sc->s, .generation = 7, .reach = -1 };
	char request[PROBE_REQUEST_MAX];
	int status = -2, listener = private_socket(&st.reach);
	assert_null(prober_new(&st, note_status, &status));
	sc->cv->spec = &spec;
	assert_non_null(prober_new(&st, note_status, &status));
	int client = accept(listener, NULL, NULL);
	turn(sc);
	ssize_t n = read(client, request, sizeof request);
	assert_true(n > 4 && request[0] == 0 && (unsigned char)request[1] + 256 * request[2] == n - 4);	/* uwsgi's, though the ini speaks HTTP */
	assert_non_null(memmem(request, (size_t)n, "/alive", 6));
	assert_int_equal(status, -2);
	assert_int_equal(write(client, "HTTP/1.1 204 x\r\n\r\n", 18), 18);
	close(client);
	while (status == -2)
		ev_run(sc->ruler.loop, EVRUN_ONCE);
	assert_int_equal(status, 204);
	/* Nobody answers: who asked gives up. */
	struct prober *p = prober_new(&st, note_status, &status);
	assert_null(prober_free(p));
	turn(sc);
	assert_int_equal(status, 204);
	close(listener);
	close(st.reach);
	sc->cv->spec = NULL;
}

/* ---- liveness */

static void answer_once(int listener, const char *answer)
{
	char request[PROBE_REQUEST_MAX];
	int client = accept(listener, NULL, NULL);
	assert_true(read(client, request, sizeof request) > 0);
	assert_int_equal(write(client, answer, strlen(answer)), strlen(answer));
	close(client);
}

static void await_request(struct scene *sc, int listener)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };
	while (poll(&p, 1, 0) == 0)
		ev_run(sc->ruler.loop, EVRUN_ONCE);
	turn(sc);	/* it has been sent */
}

/* What is asked gets this answer (NULL: none, an end), which is judged: the next question has come. */
static void one_check(struct scene *sc, int listener, const char *answer)
{
	if (answer)
		answer_once(listener, answer);
	else
		close(accept(listener, NULL, NULL));
	await_request(sc, listener);
}

static struct spec *watched_spec(uint32_t interval_ms)
{
	struct spec *spec = calloc(1, sizeof *spec);
	spec->probe = SPEC_PROBE_NONE;
	spec->health = strdup("/alive");
	spec->health_interval_ms = interval_ms;
	return spec;
}

#define GOOD "HTTP/1.1 200 OK\r\n\r\n"
#define BAD "HTTP/1.1 500 Oh\r\n\r\n"

static void test_liveness(void **state)
{
	struct scene *sc = *state;
	struct strand_ends ends = { 1, 11, -1, -1, -1 };
	int wire[2], output[2], listener = private_socket(&ends.reach);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wire), 0);
	assert_int_equal(pipe2(output, O_NONBLOCK | O_CLOEXEC), 0);
	ends.wire = wire[0];
	ends.output = output[0];
	sc->cv->spec = watched_spec(5);
	moved(sc, VASSAL_SETTLING, 1, 0, VASSAL_BESIDE_NONE);
	assert_true(subject_attach(sc->s, &ends));
	subject_moved(sc->s);
	assert_null(sc->s->liveness);
	drain_records();
	moved(sc, VASSAL_READY, 1, 0, VASSAL_BESIDE_NONE);
	subject_moved(sc->s);
	await_request(sc, listener);
	one_check(sc, listener, GOOD);
	one_check(sc, listener, BAD);
	one_check(sc, listener, BAD);
	one_check(sc, listener, GOOD);	/* two are not three */
	one_check(sc, listener, BAD);
	one_check(sc, listener, NULL);
	assert_int_equal(sc->s->unhealthy, 0);
	assert_int_equal(count_records("hangs"), 0);
	one_check(sc, listener, BAD);
	assert_int_equal(sc->s->unhealthy, 1);
	assert_int_equal(count_records("hangs: its answer to /alive was 500"), 1);
	one_check(sc, listener, BAD);	/* said once */
	one_check(sc, listener, BAD);
	one_check(sc, listener, BAD);
	assert_int_equal(sc->s->unhealthy, 1);
	assert_int_equal(count_records("hangs"), 0);
	one_check(sc, listener, GOOD);
	assert_int_equal(count_records("answers again"), 1);
	/* Not while it is anything but ready: what is under way is let go. */
	moved(sc, VASSAL_RELOADING, 1, 0, VASSAL_BESIDE_NONE);
	subject_moved(sc->s);
	char request[PROBE_REQUEST_MAX];
	int client = accept(listener, NULL, NULL);
	assert_true(recv(client, request, sizeof request, MSG_DONTWAIT) > 0);
	assert_int_equal(recv(client, request, sizeof request, MSG_DONTWAIT), 0);
	close(client);
	close(wire[1]);
	close(output[1]);
	close(listener);
}

/* Connected, and no answer within health-timeout. */
static void test_liveness_without_an_answer(void **state)
{
	struct scene *sc = *state;
	struct strand_ends ends = { 1, 11, -1, -1, -1 };
	int listener = private_socket(&ends.reach);
	sc->s->own = strand_new(sc->s);
	sc->s->own->reach = ends.reach;
	sc->cv->spec = watched_spec(5);
	moved(sc, VASSAL_READY, 0, 0, VASSAL_BESIDE_NONE);
	drain_records();
	subject_seen(sc->s);	/* a new ruler: nothing has moved */
	while (sc->s->unhealthy == 0)
		ev_run(sc->ruler.loop, EVRUN_ONCE);
	assert_int_equal(count_records("hangs: no answer to /alive within 0.03 s, 3 times in a row"), 1);
	close(ends.reach);
	close(listener);
}

/* No timer where nobody asked for one. */
static void test_no_liveness(void **state)
{
	struct scene *sc = *state;
	sc->cv->spec = watched_spec(UINT32_MAX);
	moved(sc, VASSAL_READY, 1, 0, VASSAL_BESIDE_NONE);
	subject_moved(sc->s);
	subject_seen(sc->s);
	assert_null(sc->s->liveness);
}

/* A syslog of our own: only there a line's pid is told. */
static int setup_syslog(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/regent-unit-XXXXXX";
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(address.sun_path, sizeof address.sun_path, "%s/log", dir);
	syslog_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(syslog_fd, (struct sockaddr *)&address, sizeof address), 0);
	struct logger_config config = { .fd = 2, .syslog = true, .ident = "regent", .facility = LOG_DAEMON, .syslog_path = address.sun_path };
	int r = logger_open(&config);
	log_info("hello");	/* connects */
	unlink(address.sun_path);
	rmdir(dir);
	return r;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_generation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lines_carry_their_pid, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken_over_silently, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_old_one_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed_behind_our_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopted_while_tried, setup, teardown),
		cmocka_unit_test_setup_teardown(test_probe_over_private_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_liveness, setup, teardown),
		cmocka_unit_test_setup_teardown(test_liveness_without_an_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_liveness, setup, teardown),
	};
	return cmocka_run_group_tests(tests, setup_syslog, NULL);
}
