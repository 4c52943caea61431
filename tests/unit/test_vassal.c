/* vassal: every event in every state it can be reached in, and the stories one tells about a vassal with one generation. */
#include "tests/unit/vassal_rig.h"

/* ---- every cell */

static uint64_t seed;
static uint64_t below(uint64_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % n;
}

static int64_t any_arg(enum vassal_event event)
{
	static const int64_t bytes[] = { 0, 1, 2, 5, 5, 1, 17, 22, 26, 30, 255 }, ends[] = { 0, 9, 11, 1 << 8, 22 << 8, 26 << 8 };
	if (event == VASSAL_BYTE)
		return bytes[below(ARRAY_SIZE(bytes))];
	if (event == VASSAL_EXITED)
		return ends[below(ARRAY_SIZE(ends))];
	if (event == VASSAL_PROBE_FAILED)
		return (int64_t)below(3) - 1;
	return (int64_t)below(1000);
}

/* What the court filters: of a generation that is not, the keeper and the wire say nothing. */
static bool makes_sense(const struct vassal *v, enum vassal_event event)
{
	if (event >= VASSAL_BESIDE_STARTED && event <= VASSAL_BESIDE_EOF)
		return v->beside.generation != 0;
	return vassal_has_process(v) || (event != VASSAL_STARTED && event != VASSAL_SPAWN_FAILED && event != VASSAL_EXITED);
}

static bool without_process(enum vassal_state s)
{
	return s == VASSAL_QUEUED || s == VASSAL_BLACKLISTED || s == VASSAL_EXILED || s == VASSAL_STOPPED || s == VASSAL_GONE;
}

static bool renewing(enum vassal_state s)
{
	return s >= VASSAL_RENEW_SPAWNING && s <= VASSAL_ABANDONING;
}

static void check_beside(const struct vassal *v)
{
	assert_int_equal(v->beside.generation != 0, v->beside.phase != VASSAL_BESIDE_NONE);
	if (v->beside.generation != 0)
		assert_int_not_equal(v->beside.generation, v->generation);
	if (renewing(v->state))
		assert_int_equal(v->beside.phase, v->state == VASSAL_ABANDONING ? VASSAL_BESIDE_KILLED : VASSAL_BESIDE_TRIED);
	else
		assert_int_not_equal(v->beside.phase, VASSAL_BESIDE_TRIED);
	if (v->state == VASSAL_RETIRING)
		assert_int_not_equal(v->beside.generation, 0);
	if (v->beside.phase == VASSAL_BESIDE_DRAINING || v->beside.phase == VASSAL_BESIDE_RETIRING)
		assert_int_not_equal(v->deadline[VASSAL_T_RETIRE], 0);
	if (v->state == VASSAL_RENEW_STARTING)
		assert_int_not_equal(v->deadline[VASSAL_T_START], 0);
	if (v->state == VASSAL_RENEW_SETTLING)
		assert_true(v->deadline[VASSAL_T_SETTLE] || v->deadline[VASSAL_T_PROBE] || v->deadline[VASSAL_T_START]);
	if (v->trial == 2)
		assert_true(renewing(v->state));
}

static void check_sane(const struct vassal *v)
{
	check_beside(v);
	assert_in_range(v->state, 0, VASSAL_STATES - 1);
	assert_in_range(v->wanted, 0, VASSAL_WANTED_GONE);
	assert_in_range(v->pending, 0, VASSAL_CLASS_NONE);
	assert_in_range(v->failure.why, 0, VASSAL_WHYS - 1);
	assert_true(v->answered <= v->cycle);
	assert_int_equal(vassal_has_process(v), !without_process(v->state));
	if (v->state == VASSAL_READY || v->state == VASSAL_BROKEN)
		assert_int_equal(v->pending, VASSAL_CLASS_NONE);
	if (v->probing)
		assert_true(v->state == VASSAL_SETTLING || v->state == VASSAL_RENEW_SETTLING);
	if (v->slot)
		assert_true(v->state == VASSAL_SPAWNING || v->state == VASSAL_STARTING || v->state == VASSAL_RELOADING ||
			    v->state == VASSAL_RENEW_SPAWNING || v->state == VASSAL_RENEW_STARTING);
	if (v->state == VASSAL_STARTING || v->state == VASSAL_RELOADING)
		assert_int_not_equal(v->deadline[VASSAL_T_START], 0);
	if (v->state == VASSAL_STOPPING || v->state == VASSAL_CURSED)
		assert_int_not_equal(v->deadline[VASSAL_T_MERCY], 0);
	if (v->state == VASSAL_SETTLING)
		assert_true(v->deadline[VASSAL_T_SETTLE] != 0 || v->deadline[VASSAL_T_PROBE] != 0);
	assert_int_equal(v->state == VASSAL_BLACKLISTED, v->deadline[VASSAL_T_BACKOFF] != 0);
}

static int count_acts(const struct vassal_actions *out, enum vassal_act act)
{
	int n = 0;
	for (unsigned i = 0; i < out->n; i++)
		n += out->list[i].act == act;
	return n;
}

static bool queued(enum vassal_state s)
{
	return s == VASSAL_QUEUED || s == VASSAL_RELOAD_QUEUED;
}

/* Actions and change fit each other. */
static void check_step(const struct vassal *was, const struct rig *r, enum vassal_event event)
{
	const struct vassal *v = &r->v;
	check_sane(v);
	assert_in_range(r->out.n, 0, 10);
	int given_back = event == VASSAL_ADMITTED && !queued(was->state);
	int taken = event == VASSAL_ADMITTED && queued(was->state);
	if (taken && queued(v->state))	/* one that is being killed is in its way: later */
		assert_int_not_equal(was->beside.generation, 0);
	assert_int_equal(count_acts(&r->out, VASSAL_ACT_RELEASE), was->slot + taken - v->slot + given_back);
	if (count_acts(&r->out, VASSAL_ACT_ANSWER)) {
		assert_true(v->answered > was->answered);
		assert_int_equal(did(r, VASSAL_ACT_ANSWER)->arg, v->cycle);
	}
	bool dropped = renewing(was->state) && !renewing(v->state);	/* a try that is given up is answered by the next start */
	if (!dropped)
		assert_int_equal(v->answered != was->answered, count_acts(&r->out, VASSAL_ACT_ANSWER));
	assert_int_equal(v->cycle - was->cycle,
			 (unsigned)count_acts(&r->out, VASSAL_ACT_SPAWN) - (v->trial == 2 && taken) + (v->state == VASSAL_RELOADING && taken));
	if (did(r, VASSAL_ACT_FORGET))
		assert_true(did(r, VASSAL_ACT_FORGET)->generation != v->generation &&
			    did(r, VASSAL_ACT_FORGET)->generation != v->beside.generation);
	for (unsigned i = 0; i < r->out.n; i++) {
		const struct vassal_action *a = &r->out.list[i];
		if (a->act == VASSAL_ACT_KILL || a->act == VASSAL_ACT_SEND)
			assert_true(a->generation != 0 && (a->generation == was->generation || a->generation == was->beside.generation));
	}
	if (!queued(was->state) && queued(v->state))
		assert_int_equal(count_acts(&r->out, VASSAL_ACT_ASK), 1);
	if (queued(was->state) && !queued(v->state) && event != VASSAL_ADMITTED)
		assert_int_equal(count_acts(&r->out, VASSAL_ACT_LEAVE), 1);
	if (was->trial && !v->trial)
		assert_int_equal(count_acts(&r->out, VASSAL_ACT_ANSWER_TRIAL), 1);
	if (did(r, VASSAL_ACT_ANSWER) && v->result != VASSAL_DONE)
		assert_int_not_equal(v->failure.why, VASSAL_WHY_NONE);
}

/* A request made in this state is answered by code executed after it, never by what has been executed. */
static void check_tickets(const struct vassal *v)
{
	assert_int_equal(vassal_ticket(v, VASSAL_RELOAD), v->cycle + 1);
	assert_int_equal(vassal_ticket(v, VASSAL_RESTART), v->cycle + 1);
	assert_int_equal(vassal_ticket(v, VASSAL_STOP), 0);
	if (!renewing(v->state))
		assert_in_range(vassal_ticket(v, VASSAL_START), v->cycle, v->cycle + 1);
}

/* Who asks now has an answer, or it will come: the code is pending, queued or executing. */
static void check_asked(const struct rig *r, enum vassal_event event, uint32_t ticket)
{
	const struct vassal *v = &r->v;
	if (v->wanted != VASSAL_WANTED_RUN) {
		assert_true(event != VASSAL_START || did(r, VASSAL_ACT_CANCEL));
		return;
	}
	bool waits = v->pending == VASSAL_CLASS_DEPLOY || queued(v->state);
	bool executing = ticket <= v->cycle;
	assert_true(waits || executing);
}

/* News of either generation. */
static void about_any(struct rig *r, enum vassal_event event)
{
	bool of_beside = r->v.beside.generation != 0 && below(2);
	feed(r, (struct vassal_input){
		.event = event, .arg = event == VASSAL_FREEZE ? 1 + any_arg(event) : any_arg(event),
		.generation = of_beside ? r->v.beside.generation : r->v.generation,
	});
}

static void step_from(const struct rig *from, enum vassal_event event)
{
	struct rig r = *from;
	uint32_t ticket = vassal_ticket(&r.v, event);
	bool real = true;
	if (event >= VASSAL_PATIENCE_OVER) {	/* the timers stand in the same order */
		uint64_t *deadline = &r.v.deadline[event - VASSAL_PATIENCE_OVER + VASSAL_T_PATIENCE];
		real = *deadline != 0;
		*deadline = 0;
	}
	about_any(&r, event);
	assert_in_range(r.out.n, 0, VASSAL_ACTIONS_MAX);
	assert_in_range(r.v.state, 0, VASSAL_STATES - 1);
	if (!real)
		return;		/* a timer that was not armed never fires */
	check_step(&from->v, &r, event);
	if (event == VASSAL_RELOAD || event == VASSAL_RESTART || event == VASSAL_START)
		check_asked(&r, event, ticket);
}

/* Chance alone hardly ever finds the way up to ready. */
static enum vassal_event way_up(const struct vassal *v)
{
	static const uint8_t next[VASSAL_STATES] = {
		[VASSAL_GONE] = VASSAL_CHANGED, [VASSAL_QUEUED] = VASSAL_ADMITTED, [VASSAL_SPAWNING] = VASSAL_STARTED,
		[VASSAL_STARTING] = VASSAL_BYTE, [VASSAL_SETTLING] = VASSAL_TIMER, [VASSAL_READY] = VASSAL_RELOAD,
		[VASSAL_BROKEN] = VASSAL_RELOAD, [VASSAL_RELOAD_QUEUED] = VASSAL_ADMITTED, [VASSAL_RELOADING] = VASSAL_BYTE,
		[VASSAL_STOPPING] = VASSAL_EXITED, [VASSAL_CURSED] = VASSAL_EXITED, [VASSAL_KILLING] = VASSAL_EXITED,
		[VASSAL_RENEW_SPAWNING] = VASSAL_STARTED, [VASSAL_RENEW_STARTING] = VASSAL_BYTE, [VASSAL_RENEW_SETTLING] = VASSAL_TIMER,
		[VASSAL_SWITCHING] = VASSAL_SWITCHED, [VASSAL_ABANDONING] = VASSAL_EXITED, [VASSAL_RETIRING] = VASSAL_EXITED,
		[VASSAL_BLACKLISTED] = VASSAL_TIMER, [VASSAL_EXILED] = VASSAL_CHANGED, [VASSAL_STOPPED] = VASSAL_START,
	};
	return next[v->state];
}

static void walk(unsigned tried[VASSAL_STATES][VASSAL_EVENTS])
{
	struct rig r = rig_new((enum spec_signal)below(4));
	r.rules.probe = below(2);
	r.rules.probe_strict = below(2);
	r.rules.stop_byte = below(2) ? 2 : 0;
	r.rules.ready_for = below(3) * SEC;
	r.rules.hold = below(3) != 0;
	r.rules.handover = r.rules.hold && below(3) != 0;
	r.rules.pause = below(2);
	for (int i = 0; i < 200; i++) {
		for (unsigned e = 0; e < VASSAL_EVENTS; e++) {
			if (!makes_sense(&r.v, e))
				continue;
			tried[r.v.state][e]++;
			step_from(&r, e);
		}
		check_tickets(&r.v);
		if (below(20) == 0)	/* its ini says otherwise now */
			r.rules.handover = (r.rules.hold = below(3) != 0) && below(2);
		enum vassal_event next = below(2) ? way_up(&r.v) : (enum vassal_event)below(VASSAL_EVENTS);
		struct vassal was = r.v;
		r.now += below(3) ? below(2 * SEC) : below(40 * SEC);
		if (next >= VASSAL_PATIENCE_OVER || next == VASSAL_UP || (next >= VASSAL_BESIDE_STARTED && next <= VASSAL_BESIDE_EOF))
			next = VASSAL_TIMER;	/* those the vassal makes itself */
		if (!makes_sense(&r.v, next))
			continue;
		about_any(&r, next);
		check_step(&was, &r, next);
	}
}

static void every_cell(void **state)
{
	(void)state;
	static unsigned tried[VASSAL_STATES][VASSAL_EVENTS];
	seed = 7;
	for (int i = 0; i < 2000; i++)
		walk(tried);
	for (unsigned s = 0; s < VASSAL_STATES; s++)
		for (unsigned e = 0; e < VASSAL_EVENTS; e++) {
			bool filtered = without_process(s) && (e == VASSAL_STARTED || e == VASSAL_SPAWN_FAILED || e == VASSAL_EXITED);
			filtered |= s == VASSAL_GONE && e >= VASSAL_BESIDE_STARTED && e <= VASSAL_BESIDE_EOF;
			if (tried[s][e] == 0 && !filtered)
				fail_msg("%s was never tried in %s", vassal_event_name(e), vassal_state_name(s));
		}
}

/* ---- starting */

static void start_to_ready(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	start(&r);
	assert_int_equal(r.v.slot, 1);
	assert_int_equal(r.v.pid, 42);
	ev(&r, VASSAL_BYTE, 1);
	is(&r, VASSAL_STARTING);
	ev(&r, VASSAL_BYTE, 5);
	is(&r, VASSAL_SETTLING);
	must_do(&r, VASSAL_ACT_RELEASE, 0);
	pass(&r, SEC - 1);
	is(&r, VASSAL_SETTLING);
	pass(&r, 1);
	is(&r, VASSAL_READY);
	must_do(&r, VASSAL_ACT_ANSWER, 1);
	assert_int_equal(r.v.result, VASSAL_DONE);
	assert_int_equal(vassal_deadline(&r.v), 0);
}

static void import_failure(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	start(&r);
	ev(&r, VASSAL_WIRE_EOF, 0);
	is(&r, VASSAL_CURSED);
	must_do(&r, VASSAL_ACT_RELEASE, 0);
	ev(&r, VASSAL_EXITED, 22 << 8);
	must_do(&r, VASSAL_ACT_FORGET, 0);
	must_do(&r, VASSAL_ACT_ANSWER, 1);
	assert_int_equal(r.v.result, VASSAL_FAILED_DOWN);
	assert_int_equal(r.v.failure.why, VASSAL_WHY_EXIT);
	assert_int_equal(r.v.failure.detail, 22 << 8);
	is(&r, VASSAL_QUEUED);	/* the first death costs no wait */
	ev(&r, VASSAL_ADMITTED, 0);
	ev(&r, VASSAL_STARTED, 43);
	ev(&r, VASSAL_EXITED, 22 << 8);
	is(&r, VASSAL_BLACKLISTED);
	pass(&r, SEC);
	is(&r, VASSAL_QUEUED);
	assert_int_equal(r.v.pending, VASSAL_CLASS_RESPAWN);
}

static void a_good_run_forgets_earlier_deaths(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	r.v.level = 5;
	pass(&r, 10 * SEC);
	ev(&r, VASSAL_EXITED, 11);
	is(&r, VASSAL_QUEUED);
	assert_int_equal(r.v.level, 1);
}

static void exile(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	ev(&r, VASSAL_EXITED, 26 << 8);
	is(&r, VASSAL_EXILED);
	pass(&r, 3600 * SEC);
	is(&r, VASSAL_EXILED);
	ev(&r, VASSAL_CHANGED, 0);
	is(&r, VASSAL_QUEUED);
}

/* One that was killed, or never ran, is not exiled for how an earlier one ended. */
static void exile_is_for_the_exit_itself(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	ev(&r, VASSAL_EXITED, 26 << 8);
	ev(&r, VASSAL_START, 0);
	ev(&r, VASSAL_ADMITTED, 0);
	vassal_adopt(&r.v, &r.rules, false, false, r.now, &r.out);
	is(&r, VASSAL_QUEUED);
}

static void spawn_failure(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	ev(&r, VASSAL_CHANGED, 0);
	ev(&r, VASSAL_ADMITTED, 0);
	ev(&r, VASSAL_SPAWN_FAILED, 0);
	must_do(&r, VASSAL_ACT_RELEASE, 0);
	must_do(&r, VASSAL_ACT_ANSWER, 1);
	assert_null(did(&r, VASSAL_ACT_FORGET));
	assert_int_equal(r.v.failure.why, VASSAL_WHY_SPAWN);
	assert_int_equal(r.v.failure.detail, 12);
}

static void hang(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	start(&r);
	pass(&r, 30 * SEC);
	is(&r, VASSAL_STARTING);
	assert_int_equal(r.v.slot, 0);		/* its patience is over: others may start */
	pass(&r, 30 * SEC);
	is(&r, VASSAL_KILLING);
	must_do(&r, VASSAL_ACT_KILL, 0);
	ev(&r, VASSAL_EXITED, 9);
	must_do(&r, VASSAL_ACT_ANSWER, 1);
	assert_int_equal(r.v.failure.why, VASSAL_WHY_TIMEOUT);
}

static void a_hung_start_does_not_hold_up_its_repair(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	start(&r);
	ev(&r, VASSAL_RELOAD, 0);
	is(&r, VASSAL_STARTING);
	pass(&r, 30 * SEC);
	is(&r, VASSAL_KILLING);
	ev(&r, VASSAL_EXITED, 9);
	is(&r, VASSAL_QUEUED);
	assert_int_equal(r.v.failure.why, VASSAL_WHY_IMPATIENT);
	assert_int_equal(r.v.pending, VASSAL_CLASS_DEPLOY);
}

static void the_start_timeout_ends_at_the_gate(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	start(&r);
	pass(&r, 60 * SEC - 500 * MS);
	ev(&r, VASSAL_BYTE, 5);
	pass(&r, SEC);
	is(&r, VASSAL_READY);
}

static void a_keeper_long_in_starting_it(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	ev(&r, VASSAL_CHANGED, 0);
	ev(&r, VASSAL_ADMITTED, 0);
	pass(&r, 100 * SEC);
	ev(&r, VASSAL_STARTED, 42);
	pass(&r, 60 * SEC);
	is(&r, VASSAL_KILLING);
}

/* ---- the gate */

static void no_app(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	start(&r);
	ev(&r, VASSAL_NO_APP, 0);
	ev(&r, VASSAL_BYTE, 1);
	ev(&r, VASSAL_BYTE, 5);
	pass(&r, SEC);
	is(&r, VASSAL_BROKEN);
	must_do(&r, VASSAL_ACT_ANSWER, 1);
	assert_int_equal(r.v.failure.why, VASSAL_WHY_NO_APP);
	begin_reload(&r);		/* repaired: the old words are not held against the new code */
	ev(&r, VASSAL_BYTE, 5);
	pass(&r, SEC);
	is(&r, VASSAL_READY);
}

static void probed(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	r.rules.probe = true;
	start(&r);
	ev(&r, VASSAL_PROBE_OK, 200);	/* nobody asked */
	is(&r, VASSAL_STARTING);
	ev(&r, VASSAL_BYTE, 5);
	pass(&r, SEC);
	must_do(&r, VASSAL_ACT_PROBE, 0);
	struct rig bad = r, none = r, slow = r;
	ev(&r, VASSAL_PROBE_OK, 200);
	is(&r, VASSAL_READY);
	ev(&bad, VASSAL_PROBE_FAILED, 500);
	is(&bad, VASSAL_BROKEN);
	assert_int_equal(bad.v.failure.detail, 500);
	ev(&none, VASSAL_PROBE_FAILED, -1);
	assert_int_equal(none.v.failure.why, VASSAL_WHY_NO_APP);
	pass(&slow, 10 * SEC);
	is(&slow, VASSAL_READY);	/* busy */
	must_do(&slow, VASSAL_ACT_PROBE_CANCEL, 0);
}

static void a_strict_probe_must_be_answered(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	r.rules.probe = r.rules.probe_strict = true;
	start(&r);
	ev(&r, VASSAL_BYTE, 5);
	pass(&r, 11 * SEC);
	is(&r, VASSAL_BROKEN);
	assert_int_equal(r.v.failure.why, VASSAL_WHY_PROBE);
}

static void respawning(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	start(&r);
	for (int i = 0; i < 4; i++) {
		ev(&r, VASSAL_BYTE, 5);
		pass(&r, 900 * MS);
		is(&r, VASSAL_SETTLING);	/* each one begins ready-for anew */
	}
	ev(&r, VASSAL_BYTE, 5);
	pass(&r, 0);
	is(&r, VASSAL_BROKEN);
	assert_int_equal(r.v.failure.why, VASSAL_WHY_RESPAWNING);
	r = rig_new(SPEC_SIGNAL_ACCEPTING);
	start(&r);
	for (int i = 0; i < 9; i++)
		ev(&r, VASSAL_BYTE, 5);	/* all at once: no byte 1 for a reload that follows before the workers listen */
	is(&r, VASSAL_SETTLING);
	pass(&r, VASSAL_WORKERS_UP_NS);
	is(&r, VASSAL_BROKEN);
}

static void a_byte_read_twice(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	start(&r);
	ev(&r, VASSAL_BYTE, 5);
	ev(&r, VASSAL_BYTE, 5);		/* a new ruler reads what the dead one had read */
	pass(&r, SEC);
	is(&r, VASSAL_READY);
	struct vassal before = r.v;
	ev(&r, VASSAL_BYTE, 5);
	assert_memory_equal(&before, &r.v, sizeof before);
	assert_int_equal(r.out.n, 0);
	struct rig one = rig_new(SPEC_SIGNAL_SPAWNED);
	start(&one);
	for (int i = 0; i < 9; i++)
		ev(&one, VASSAL_BYTE, 1);
	pass(&one, SEC);
	is(&one, VASSAL_READY);
}

static void ready_for_nothing(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	r.rules.ready_for = 0;
	start(&r);
	ev(&r, VASSAL_BYTE, 5);
	pass(&r, VASSAL_WORKERS_UP_NS - 1);
	is(&r, VASSAL_SETTLING);	/* or byte 1 could come before the workers listen */
	pass(&r, 1);
	is(&r, VASSAL_READY);
}

/* ---- signals */

static void cheap(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_SPAWNED);
	start(&r);
	ev(&r, VASSAL_BYTE, 1);
	is(&r, VASSAL_SETTLING);
	pass(&r, SEC);
	is(&r, VASSAL_READY);
	begin_reload(&r);
	pass(&r, VASSAL_SILENT_NS - 1);
	is(&r, VASSAL_RELOADING);
	pass(&r, 1);
	is(&r, VASSAL_SETTLING);
	pass(&r, SEC);
	is(&r, VASSAL_READY);
	must_do(&r, VASSAL_ACT_ANSWER, 2);
}

static void sub_emperor(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_LOYAL);
	start(&r);
	ev(&r, VASSAL_BYTE, 5);
	is(&r, VASSAL_STARTING);
	ev(&r, VASSAL_BYTE, 17);
	is(&r, VASSAL_SETTLING);
	assert_int_equal(r.v.loyal, 1);
}

static void unsure_says_five(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_UNSURE);
	make_ready(&r);
	ev(&r, VASSAL_BYTE, 17);
	begin_reload(&r);
	ev(&r, VASSAL_BYTE, 17);	/* an old worker's first request, answered on its way out */
	pass(&r, 10 * SEC);
	is(&r, VASSAL_RELOADING);
	ev(&r, VASSAL_BYTE, 5);
	is(&r, VASSAL_SETTLING);
}

static void unsure_says_one_only(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_UNSURE);
	start(&r);
	ev(&r, VASSAL_BYTE, 1);
	pass(&r, 60 * SEC);
	is(&r, VASSAL_SETTLING);	/* it lives, let it */
	pass(&r, SEC);
	is(&r, VASSAL_READY);
	begin_reload(&r);
	pass(&r, VASSAL_SILENT_NS + SEC);
	is(&r, VASSAL_READY);
}

static void unsure_says_nothing(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_UNSURE);
	start(&r);
	pass(&r, 60 * SEC);
	is(&r, VASSAL_KILLING);
}

static void unsure_hangs_in_a_reload(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_UNSURE);
	make_ready(&r);
	begin_reload(&r);
	pass(&r, 120 * SEC);
	is(&r, VASSAL_KILLING);
	assert_int_equal(r.v.failure.why, VASSAL_WHY_TIMEOUT);
}

/* ---- reloads */

static void a_reload_joins_only_what_is_unsent(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	assert_int_equal(vassal_ticket(&r.v, VASSAL_RELOAD), 2);
	ev(&r, VASSAL_RELOAD, 0);
	assert_int_equal(vassal_ticket(&r.v, VASSAL_RELOAD), 2);	/* queued: joins */
	ev(&r, VASSAL_RELOAD, 0);
	assert_int_equal(r.out.n, 0);
	ev(&r, VASSAL_ADMITTED, 0);
	must_do(&r, VASSAL_ACT_SEND, 1);
	assert_int_equal(vassal_ticket(&r.v, VASSAL_RELOAD), 3);	/* sent: one more */
	ev(&r, VASSAL_RELOAD, 0);
	ev(&r, VASSAL_RELOAD, 0);
	ev(&r, VASSAL_BYTE, 5);
	pass(&r, VASSAL_WORKERS_UP_NS);
	is(&r, VASSAL_RELOAD_QUEUED);
	assert_int_equal(r.v.answered, 1);
	ev(&r, VASSAL_ADMITTED, 0);
	must_do(&r, VASSAL_ACT_SEND, 1);
	ev(&r, VASSAL_BYTE, 5);
	pass(&r, SEC);
	must_do(&r, VASSAL_ACT_ANSWER, 3);
	is(&r, VASSAL_READY);
	assert_int_equal(r.v.reloads, 2);
}

static void newer_code_noted_in_the_gate_is_not_forgotten(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	start(&r);
	pass(&r, 59 * SEC);
	ev(&r, VASSAL_BYTE, 5);
	ev(&r, VASSAL_CHANGED, 0);
	for (int i = 0; i < 9; i++)
		ev(&r, VASSAL_BYTE, 5);
	is(&r, VASSAL_SETTLING);
	pass(&r, VASSAL_WORKERS_UP_NS);
	is(&r, VASSAL_RELOAD_QUEUED);
	pass(&r, 600 * SEC);
	is(&r, VASSAL_RELOAD_QUEUED);
}

static void dies_in_a_reload(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	begin_reload(&r);
	ev(&r, VASSAL_EXITED, 22 << 8);
	must_do(&r, VASSAL_ACT_ANSWER, 2);
	assert_int_equal(r.v.result, VASSAL_FAILED_DOWN);
	is(&r, VASSAL_QUEUED);
}

static void killed_while_its_reload_waits(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	ev(&r, VASSAL_BYTE, 26);
	ev(&r, VASSAL_RELOAD, 0);
	pass(&r, 15 * SEC);
	is(&r, VASSAL_KILLING);
	must_do(&r, VASSAL_ACT_LEAVE, 0);
}

static void reload_of_what_does_not_run(void **state)
{
	(void)state;
	struct rig stopped = rig_new(SPEC_SIGNAL_ACCEPTING), exiled, blacklisted, cursed;
	make_ready(&stopped);
	exiled = blacklisted = cursed = stopped;
	ev(&stopped, VASSAL_STOP, 0);
	ev(&stopped, VASSAL_EXITED, 0);
	is(&stopped, VASSAL_STOPPED);
	ev(&exiled, VASSAL_EXITED, 26 << 8);
	blacklisted.v.level = 3;
	ev(&blacklisted, VASSAL_EXITED, 1 << 8);
	is(&blacklisted, VASSAL_BLACKLISTED);
	struct rig *all[] = { &stopped, &exiled, &blacklisted };
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		ev(all[i], VASSAL_RELOAD, 0);
		is(all[i], VASSAL_QUEUED);
		must_do(all[i], VASSAL_ACT_ASK, VASSAL_CLASS_DEPLOY);
		assert_int_equal(all[i]->v.wanted, VASSAL_WANTED_RUN);
		assert_int_equal(all[i]->v.level, 0);
	}
	ev(&cursed, VASSAL_WIRE_EOF, 0);
	is(&cursed, VASSAL_CURSED);
	ev(&cursed, VASSAL_RELOAD, 0);
	is(&cursed, VASSAL_KILLING);
	ev(&cursed, VASSAL_EXITED, 9);
	is(&cursed, VASSAL_QUEUED);
}

static void restart(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	ev(&r, VASSAL_RESTART, 0);
	must_do(&r, VASSAL_ACT_SEND, 0);
	struct rig deaf = r;
	ev(&r, VASSAL_EXITED, 0);
	must_do(&r, VASSAL_ACT_ASK, VASSAL_CLASS_DEPLOY);
	assert_null(did(&r, VASSAL_ACT_ANSWER));
	pass(&deaf, 30 * SEC);
	must_do(&deaf, VASSAL_ACT_KILL, 0);
	ev(&deaf, VASSAL_EXITED, 9);
	is(&deaf, VASSAL_QUEUED);	/* it did not heed the byte: no death of its own, no throttle */
	assert_int_equal(deaf.v.level, 0);
	assert_int_equal(deaf.v.restarts, 0);
}

/* ---- stopping */

/* A byte 1 would go on with what a restart must change: its environment, in tyrant mode its owner. */
static void restart_while_it_is_started(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	ev(&r, VASSAL_CHANGED, 0);
	ev(&r, VASSAL_ADMITTED, 0);
	is(&r, VASSAL_SPAWNING);
	ev(&r, VASSAL_RESTART, 0);
	must_do(&r, VASSAL_ACT_KILL, 0);
	ev(&r, VASSAL_STARTED, 42);
	ev(&r, VASSAL_EXITED, 9);
	must_do(&r, VASSAL_ACT_ASK, VASSAL_CLASS_DEPLOY);
	is(&r, VASSAL_QUEUED);
}

static void stop_then_start(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	ev(&r, VASSAL_STOP, 0);
	must_do(&r, VASSAL_ACT_CANCEL, VASSAL_WHY_STOPPED);
	ev(&r, VASSAL_START, 0);
	is(&r, VASSAL_STOPPING);
	ev(&r, VASSAL_EXITED, 0);
	must_do(&r, VASSAL_ACT_ANSWER_STOPS, 0);
	is(&r, VASSAL_QUEUED);
}

static void stop_and_start_while_it_is_started(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	ev(&r, VASSAL_CHANGED, 0);
	ev(&r, VASSAL_ADMITTED, 0);
	ev(&r, VASSAL_STOP, 0);
	is(&r, VASSAL_STOPPING);
	must_do(&r, VASSAL_ACT_RELEASE, 0);
	must_do(&r, VASSAL_ACT_SEND, 0);
	struct rig again = r, failed = r;
	ev(&r, VASSAL_STARTED, 42);
	assert_int_equal(r.v.pid, 42);
	ev(&r, VASSAL_EXITED, 0);
	is(&r, VASSAL_STOPPED);
	must_do(&r, VASSAL_ACT_ANSWER_STOPS, 0);
	ev(&failed, VASSAL_SPAWN_FAILED, 0);
	is(&failed, VASSAL_STOPPED);
	must_do(&failed, VASSAL_ACT_ANSWER_STOPS, 0);
	assert_int_equal(vassal_ticket(&again.v, VASSAL_START), 2);
	ev(&again, VASSAL_START, 0);
	ev(&again, VASSAL_STARTED, 42);
	ev(&again, VASSAL_EXITED, 0);
	must_do(&again, VASSAL_ACT_ANSWER_STOPS, 0);
	is(&again, VASSAL_QUEUED);
}

static void stopped_stays_stopped(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	ev(&r, VASSAL_STOP, 0);
	ev(&r, VASSAL_EXITED, 0);
	ev(&r, VASSAL_PRESENT, 0);
	pass(&r, 3600 * SEC);
	is(&r, VASSAL_STOPPED);
	ev(&r, VASSAL_STOP, 0);
	must_do(&r, VASSAL_ACT_ANSWER_STOPS, 0);
	ev(&r, VASSAL_CHANGED, 0);
	is(&r, VASSAL_QUEUED);
}

static void a_graceful_stop_waits_for_the_workers(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	r.rules.stop_byte = 2;
	start(&r);
	ev(&r, VASSAL_BYTE, 5);
	ev(&r, VASSAL_STOP, 0);
	is(&r, VASSAL_STOPPING);
	assert_null(did(&r, VASSAL_ACT_SEND));
	r.now += VASSAL_WORKERS_UP_NS;
	ev(&r, VASSAL_TIMER, 0);
	must_do(&r, VASSAL_ACT_SEND, 2);
}

static void a_stop_ignored(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	ev(&r, VASSAL_STOP, 0);
	pass(&r, 30 * SEC);
	is(&r, VASSAL_KILLING);
	ev(&r, VASSAL_EXITED, 9);
	is(&r, VASSAL_STOPPED);
	assert_int_equal(vassal_deadline(&r.v), 0);	/* no timer of the dead one may hit the next */
}

static void curse(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	ev(&r, VASSAL_WIRE_EOF, 0);
	pass(&r, 20 * SEC - 1);
	is(&r, VASSAL_CURSED);
	pass(&r, 1);
	must_do(&r, VASSAL_ACT_KILL, 0);
	ev(&r, VASSAL_EXITED, 9);
	assert_int_equal(r.v.failure.why, VASSAL_WHY_CURSED);
}

static void on_idle(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	ev(&r, VASSAL_BYTE, 22);
	must_do(&r, VASSAL_ACT_SEND, 0);
	is(&r, VASSAL_STOPPING);
	ev(&r, VASSAL_BYTE, 22);
	assert_int_equal(r.out.n, 0);
	ev(&r, VASSAL_EXITED, 0);
	is(&r, VASSAL_QUEUED);
	assert_int_equal(r.v.pending, VASSAL_CLASS_RESPAWN);
}

static void heartbeat(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	pass(&r, 3600 * SEC);
	is(&r, VASSAL_READY);		/* who never beat need not */
	ev(&r, VASSAL_BYTE, 26);
	pass(&r, 14 * SEC);
	ev(&r, VASSAL_BYTE, 26);
	pass(&r, 15 * SEC - 1);
	is(&r, VASSAL_READY);
	struct rig reloads = r;
	pass(&r, 1);
	is(&r, VASSAL_KILLING);
	assert_int_equal(r.v.failure.why, VASSAL_WHY_HEARTBEAT);
	begin_reload(&reloads);
	ev(&reloads, VASSAL_BYTE, 26);	/* the old code's last */
	pass(&reloads, 40 * SEC);
	is(&reloads, VASSAL_RELOADING);
}

/* ---- its config */

static void grace(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	ev(&r, VASSAL_MISSING, 0);
	pass(&r, VASSAL_GRACE_NS - 1);
	ev(&r, VASSAL_PRESENT, 0);
	pass(&r, 10 * SEC);
	is(&r, VASSAL_READY);
	ev(&r, VASSAL_MISSING, 0);
	pass(&r, VASSAL_GRACE_NS / 2);
	ev(&r, VASSAL_MISSING, 0);	/* begins no second grace */
	pass(&r, VASSAL_GRACE_NS / 2);
	is(&r, VASSAL_STOPPING);
	must_do(&r, VASSAL_ACT_CANCEL, VASSAL_WHY_REMOVED);
	struct rig back = r;
	ev(&r, VASSAL_RELOAD, 0);
	must_do(&r, VASSAL_ACT_CANCEL, VASSAL_WHY_REMOVED);
	ev(&r, VASSAL_EXITED, 0);
	is(&r, VASSAL_GONE);
	ev(&back, VASSAL_CHANGED, 0);
	ev(&back, VASSAL_EXITED, 0);
	is(&back, VASSAL_QUEUED);
}

static void a_grace_outlives_every_change_of_state(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	ev(&r, VASSAL_MISSING, 0);
	ev(&r, VASSAL_EXITED, 11);
	is(&r, VASSAL_QUEUED);
	pass(&r, VASSAL_GRACE_NS);
	is(&r, VASSAL_GONE);
	must_do(&r, VASSAL_ACT_LEAVE, 0);
}

/* ---- a new ruler */

static void adopt(struct rig *r, bool has_process)
{
	vassal_adopt(&r->v, &r->rules, has_process, false, r->now, &r->out);
	check_sane(&r->v);
}

static void adopted_without_a_process(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	ev(&r, VASSAL_CHANGED, 0);
	adopt(&r, false);
	must_do(&r, VASSAL_ACT_ASK, VASSAL_CLASS_DEPLOY);
	ev(&r, VASSAL_ADMITTED, 0);
	struct rig started = r;
	adopt(&r, false);		/* never got there, or failed and told a dead ruler: once more, and nobody is told "failed" */
	is(&r, VASSAL_QUEUED);
	must_do(&r, VASSAL_ACT_RELEASE, 0);
	assert_null(did(&r, VASSAL_ACT_ANSWER));
	assert_int_equal(r.v.level, 0);
	adopt(&started, true);
	is(&started, VASSAL_STARTING);
	assert_int_equal(started.v.slot, 1);
}

static void adopted_in_every_state(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	r.rules.probe = true;
	start(&r);
	adopt(&r, true);
	is(&r, VASSAL_STARTING);
	assert_int_equal(r.out.n, 0);
	ev(&r, VASSAL_BYTE, 5);
	pass(&r, SEC);
	adopt(&r, true);
	must_do(&r, VASSAL_ACT_PROBE, 0);
	ev(&r, VASSAL_PROBE_OK, 200);
	adopt(&r, true);
	is(&r, VASSAL_READY);
	assert_int_equal(r.out.n, 0);
	ev(&r, VASSAL_RELOAD, 0);
	adopt(&r, true);
	must_do(&r, VASSAL_ACT_ASK, VASSAL_CLASS_DEPLOY);
	ev(&r, VASSAL_ADMITTED, 0);
	adopt(&r, true);
	is(&r, VASSAL_RELOADING);
	assert_int_equal(r.out.n, 0);	/* no second byte 1 */
	ev(&r, VASSAL_STOP, 0);
	adopt(&r, true);
	assert_int_equal(r.out.n, 0);
	pass(&r, 30 * SEC);
	adopt(&r, true);
	must_do(&r, VASSAL_ACT_KILL, 0);
	struct rig lost = r;
	adopt(&lost, false);
	is(&lost, VASSAL_STOPPED);
	ev(&r, VASSAL_EXITED, 9);
	adopt(&r, false);
	is(&r, VASSAL_STOPPED);
	assert_int_equal(r.out.n, 0);
}

static void lost_by_the_keeper(void **state)
{
	(void)state;
	struct rig r = rig_new(SPEC_SIGNAL_ACCEPTING);
	make_ready(&r);
	begin_reload(&r);
	adopt(&r, false);
	must_do(&r, VASSAL_ACT_ANSWER, 2);
	assert_int_equal(r.v.failure.why, VASSAL_WHY_SPAWN);
	is(&r, VASSAL_QUEUED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell), cmocka_unit_test(start_to_ready), cmocka_unit_test(import_failure),
		cmocka_unit_test(a_good_run_forgets_earlier_deaths), cmocka_unit_test(exile),
		cmocka_unit_test(exile_is_for_the_exit_itself), cmocka_unit_test(spawn_failure), cmocka_unit_test(hang),
		cmocka_unit_test(a_hung_start_does_not_hold_up_its_repair), cmocka_unit_test(the_start_timeout_ends_at_the_gate),
		cmocka_unit_test(a_keeper_long_in_starting_it), cmocka_unit_test(no_app), cmocka_unit_test(probed),
		cmocka_unit_test(a_strict_probe_must_be_answered), cmocka_unit_test(respawning), cmocka_unit_test(a_byte_read_twice),
		cmocka_unit_test(ready_for_nothing), cmocka_unit_test(cheap), cmocka_unit_test(sub_emperor),
		cmocka_unit_test(unsure_says_five), cmocka_unit_test(unsure_says_one_only), cmocka_unit_test(unsure_says_nothing),
		cmocka_unit_test(unsure_hangs_in_a_reload), cmocka_unit_test(a_reload_joins_only_what_is_unsent),
		cmocka_unit_test(newer_code_noted_in_the_gate_is_not_forgotten), cmocka_unit_test(dies_in_a_reload),
		cmocka_unit_test(killed_while_its_reload_waits), cmocka_unit_test(reload_of_what_does_not_run),
		cmocka_unit_test(restart), cmocka_unit_test(restart_while_it_is_started), cmocka_unit_test(stop_then_start),
		cmocka_unit_test(stop_and_start_while_it_is_started),
		cmocka_unit_test(stopped_stays_stopped), cmocka_unit_test(a_graceful_stop_waits_for_the_workers),
		cmocka_unit_test(a_stop_ignored), cmocka_unit_test(curse), cmocka_unit_test(on_idle), cmocka_unit_test(heartbeat),
		cmocka_unit_test(grace), cmocka_unit_test(a_grace_outlives_every_change_of_state),
		cmocka_unit_test(adopted_without_a_process), cmocka_unit_test(adopted_in_every_state),
		cmocka_unit_test(lost_by_the_keeper),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
