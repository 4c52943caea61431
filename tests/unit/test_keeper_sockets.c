/* keeper: the life of held sockets: two generations, the switch, the drain, moved and deleted paths, deaths. */
#include "fake_held.h"

static void test_what_it_is_given(void **state)
{
	struct fake *f = *state;
	char text[256], expected[1024];
	snprintf(text, sizeof text, "mode=660 listen=7\n%s\n%s\n", place.path[0], place.tcp[0]);
	struct generation g = start_held(f, good, text, LINK_SPAWN_MERCY(90));
	snprintf(expected, sizeof expected, "--ini|good.ini|--log-reopen|--uwsgi-socket|%1$s/probe.%2$d|--worker-reload-mercy|90 0 "
		 "%3$s %4$s %1$s/probe.%2$d", f->directory, (int)g.s.generation, place.path[0], place.tcp[0]);
	assert_string_equal(g.said, expected);
	struct stat st;
	assert_int_equal(stat(place.path[0], &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_true(geteuid() != 0 || st.st_uid == VASSAL_UID);
	assert_int_equal(ask(place.path[0]), g.s.pid);
	assert_int_equal(ask(place.tcp[0]), g.s.pid);
	assert_int_equal(ask_private(&g), g.s.pid);
	finish_held(f, &g, good);
	settle(f);
	assert_string_equal(words(f), "");
}

static void test_handover(void **state)
{
	struct fake *f = *state;
	char text[256];
	snprintf(text, sizeof text, "\n%s\n%s\n", place.path[0], place.tcp[0]);
	struct generation old = start_held(f, good, text, 0);
	unsigned before = count_descriptors(f->keeper);
	for (int i = 0; i < 4; i++) {
		struct generation new = start_held(f, good, text, LINK_SPAWN_BESIDE);
		assert_int_equal(ask(place.path[0]), old.s.pid);
		assert_int_equal(ask(place.tcp[0]), old.s.pid);
		assert_int_equal(ask_private(&new), new.s.pid);
		assert_int_equal(ask_private(&old), old.s.pid);
		lead(f, good, &new);
		assert_int_equal(ask(place.path[0]), new.s.pid);
		assert_int_equal(ask(place.tcp[0]), new.s.pid);
		finish_held(f, &old, good);
		old = new;
	}
	settle(f);
	assert_int_equal(count_descriptors(f->keeper), before);
	assert_int_equal(ask(place.path[0]), old.s.pid);
	lead(f, good, &old);	/* again is fine */
	finish_held(f, &old, good);
	assert_string_equal(words(f), "");
}

/* Clients wait while nobody lives, and are answered by the next. */
static void test_clients_wait(void **state)
{
	struct fake *f = *state;
	struct generation g = start_held(f, good, place.text[0], 0);
	finish_held(f, &g, good);
	int client = connect_to(place.path[0]);
	g = start_held(f, good, place.text[0], 0);
	assert_int_equal(answer_of(client), g.s.pid);
	finish_held(f, &g, good);
	settle(f);
	post(f, (struct link_message){ .kind = LINK_CLOSE, .name = good, .record = RECORD, .record_size = sizeof RECORD });
	wait_until(place.path[0], false);
	assert_int_equal(connect_to(place.path[0]), -ENOENT);
	g = start_held(f, good, place.text[0], 0);
	finish_held(f, &g, good);
	post(f, (struct link_message){ .kind = LINK_DROP, .name = good });
	wait_until(place.path[0], false);
}

/* The serving one dies while another is tried: the other is killed, and what serves next is on the old one's side. */
static void test_old_dies_meanwhile(void **state)
{
	struct fake *f = *state;
	struct generation old = start_held(f, good, place.text[0], 0), new = start_held(f, good, place.text[0], LINK_SPAWN_BESIDE);
	finish_held(f, &old, good);
	int client = connect_to(place.path[0]);
	struct generation next_one = start_held(f, good, place.text[0], 0);
	assert_int_equal(answer_of(client), next_one.s.pid);
	finish_held(f, &new, good);
	assert_int_equal(ask(place.path[0]), next_one.s.pid);
	finish_held(f, &next_one, good);
}

/* ---- the drain */

static void test_drain(void **state)
{
	struct fake *f = *state;
	static const char name[] = "silent.ini";
	struct generation old = start_held(f, name, place.text[0], 0);
	int client = connect_to(place.path[0]);
	struct generation new = start_held(f, name, place.text[0], LINK_SPAWN_BESIDE);
	post_switch(f, name, new.s.generation, 50);
	expect_switched(f, new.s.generation, 0);
	struct pollfd p = { .fd = f->link.fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 200), 0);		/* somebody waits */
	post(f, (struct link_message){ .kind = LINK_SEND, .generation = old.s.generation, .arg = 1, .name = name, .record = RECORD,
				       .record_size = sizeof RECORD });
	assert_int_equal(answer_of(client), old.s.pid);
	uint64_t before = util_now();
	assert_int_equal(expect(f, LINK_DRAINED).generation, new.s.generation);
	assert_true(util_now() - before >= 20 * NSEC_PER_MSEC);
	finish_held(f, &old, name);
	finish_held(f, &new, name);
}

/* Nobody will ever accept there. */
static void test_drain_ends_with_the_old(void **state)
{
	struct fake *f = *state;
	static const char name[] = "silent.ini";
	struct generation old = start_held(f, name, place.text[0], 0);
	int client = connect_to(place.path[0]);
	struct generation new = start_held(f, name, place.text[0], LINK_SPAWN_BESIDE);
	post_switch(f, name, new.s.generation, 10000);
	expect_switched(f, new.s.generation, 0);
	kill(old.s.pid, SIGKILL);
	assert_int_equal(expect(f, LINK_EXITED).generation, old.s.generation);
	assert_int_equal(expect(f, LINK_DRAINED).generation, new.s.generation);
	assert_true(wait_readable(client));	/* sent away */
	post(f, (struct link_message){ .kind = LINK_FORGET, .generation = old.s.generation, .name = name });
	let_go(&old.s);
	close(old.reach);
	close(client);
	finish_held(f, &new, name);
}

/* ---- moved */

static void test_moved(void **state)
{
	struct fake *f = *state;
	struct generation old = start_held(f, good, place.text[0], 0), new = start_held(f, good, place.text[1], LINK_SPAWN_BESIDE);
	assert_false(exists(place.path[1]));		/* before it was judged */
	lead(f, good, &new);
	assert_int_equal(ask(place.path[0]), new.s.pid);	/* who does not know it yet is not lost with the old one */
	assert_int_equal(ask(place.path[1]), new.s.pid);
	finish_held(f, &old, good);
	settle(f);
	assert_int_equal(ask(place.path[0]), new.s.pid);
	assert_int_equal(ask(place.path[1]), new.s.pid);
	/* until the next start; and one that fails takes its path with it */
	struct generation bad = start_held(f, good, place.text[0], LINK_SPAWN_BESIDE);
	finish_held(f, &bad, good);
	wait_until(place.path[0], false);
	settle(f);
	assert_int_equal(ask(place.path[1]), new.s.pid);
	finish_held(f, &new, good);
	new = start_held(f, good, place.text[0], 0);
	wait_until(place.path[1], false);
	assert_int_equal(ask(place.path[0]), new.s.pid);
	finish_held(f, &new, good);
	settle(f);
	assert_string_equal(words(f), "");
}

/* On TCP who comes too early knocks in vain until the switch: it is never answered by what nobody has judged. */
static void test_moved_on_tcp(void **state)
{
	struct fake *f = *state;
	struct generation old = start_held(f, good, place.tcp_text[0], 0), new = start_held(f, good, place.tcp_text[1], LINK_SPAWN_BESIDE);
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)own_port(1)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int early = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(connect(early, (struct sockaddr *)&in, sizeof in) < 0 && errno == EINPROGRESS);
	struct pollfd p = { .fd = early, .events = POLLIN | POLLOUT };
	assert_int_equal(poll(&p, 1, 100), 0);
	lead(f, good, &new);
	assert_int_equal(answer_of(early), new.s.pid);
	assert_int_equal(ask(place.tcp[0]), new.s.pid);
	assert_int_equal(ask(place.tcp[1]), new.s.pid);
	finish_held(f, &old, good);
	finish_held(f, &new, good);
}

/* The new address of a handover that came to nothing is there with the next start. */
static void test_moved_after_all(void **state)
{
	struct fake *f = *state;
	struct generation old = start_held(f, good, place.text[0], 0), new = start_held(f, good, place.text[1], LINK_SPAWN_BESIDE);
	finish_held(f, &old, good);
	wait_until(place.path[0], false);
	finish_held(f, &new, good);
	assert_false(exists(place.path[1]));
	new = start_held(f, good, place.text[1], 0);
	assert_int_equal(ask(place.path[1]), new.s.pid);
	finish_held(f, &new, good);
}

/* ---- deleted */

static void test_deleted(void **state)
{
	struct fake *f = *state;
	struct generation old = start_held(f, good, place.text[0], 0);
	assert_int_equal(unlink(place.path[0]), 0);
	wait_until(place.path[0], true);
	wait_for_words(f, "somebody deleted");
	assert_int_equal(ask(place.path[0]), old.s.pid);
	uint64_t before = util_now();
	assert_int_equal(unlink(place.path[0]), 0);
	wait_until(place.path[0], true);
	assert_true(util_now() - before >= 500 * NSEC_PER_MSEC);	/* once a second */
	wait_for_words(f, "somebody deleted");
	struct generation new = start_held(f, good, place.text[0], LINK_SPAWN_BESIDE);
	lead(f, good, &new);
	char away[128];
	snprintf(away, sizeof away, "%s.away", place.path[0]);
	assert_int_equal(rename(place.path[0], away), 0);
	wait_until(place.path[0], true);
	assert_int_equal(ask(place.path[0]), new.s.pid);		/* where clients were */
	unlink(away);
	finish_held(f, &old, good);
	finish_held(f, &new, good);
}

/* ---- rulers */

static void test_next_ruler(void **state)
{
	struct fake *f = *state;
	struct generation old = start_held(f, good, place.text[0], 0), new = start_held(f, good, place.text[0], LINK_SPAWN_BESIDE);
	struct generation *both[] = { &old, &new };
	end_ruler(f, 1);
	meet_ruler(f);
	expect(f, LINK_RECORD);
	for (int i = 0; i < 2; i++) {
		struct link_message m = expect(f, LINK_HELD);
		struct generation g = take_held(&m);
		assert_int_equal(g.s.generation, both[i]->s.generation);
		assert_int_equal(ask_private(&g), both[i]->s.pid);
		let_go(&both[i]->s);
		close(both[i]->reach);
		*both[i] = g;
	}
	expect(f, LINK_SYNCED);
	lead(f, good, &new);
	assert_int_equal(ask(place.path[0]), new.s.pid);
	finish_held(f, &old, good);
	finish_held(f, &new, good);
}

/* ---- the pause */

static void test_pause(void **state)
{
	struct fake *f = *state;
	static const char name[] = "parent.ini";
	struct generation g = start_held(f, name, place.text[0], 0);
	unsigned woken = 0;
	post(f, (struct link_message){ .kind = LINK_SEND, .generation = g.s.generation, .arg = 2 | LINK_SEND_PAUSED, .name = name,
				       .record = RECORD, .record_size = sizeof RECORD });
	assert_string_equal(said(&g), "TSTP");
	while (strcmp(said(&g), "WINCH") == 0)
		woken++;
	assert_string_equal(g.said, "byte 2");
	assert_true(woken >= 1 && woken <= 16);		/* those that are pending at once are one */
	finish_held(f, &g, name);
	settle(f);
	assert_string_equal(words(f), "");
}

static void test_pause_is_overtaken(void **state)
{
	struct fake *f = *state;
	static const char name[] = "parent.ini";
	struct generation g = start_held(f, name, place.text[0], 0);
	for (uint32_t arg = 1 | LINK_SEND_PAUSED; arg; arg = arg > 1 ? 1 : 0)
		post(f, (struct link_message){ .kind = LINK_SEND, .generation = g.s.generation, .arg = arg, .name = name, .record = RECORD,
					       .record_size = sizeof RECORD });
	while (strncmp(said(&g), "byte", 4) != 0)
		;
	struct pollfd p = { .fd = g.s.output, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 200), 0);	/* one byte, not two */
	finish_held(f, &g, name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(test_what_it_is_given), HELD(test_handover), HELD(test_clients_wait), HELD(test_old_dies_meanwhile), HELD(test_drain),
		HELD(test_drain_ends_with_the_old), HELD(test_moved), HELD(test_moved_on_tcp), HELD(test_moved_after_all), HELD(test_deleted), HELD(test_next_ruler), HELD(test_pause),
		HELD(test_pause_is_overtaken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
