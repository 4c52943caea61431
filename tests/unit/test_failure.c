/* failure: every state, event and reason has its word; exit codes by their uWSGI meaning; nothing beyond the buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "vassals/failure.h"
#include "vassals/launch.h"

static void status(int wait_status, const char *expected)
{
	char text[128];
	failure_status_text(text, sizeof text, wait_status);
	assert_string_equal(text, expected);
}

static void exit_codes(void **state)
{
	(void)state;
	status(0, "exited 0: an orderly end");
	status(22 << 8, "exited 22: no app could be loaded");
	status(26 << 8, "exited 26: exile: not started again until its config changes");
	status(127 << 8, "exited 127: its program could not be executed");
	status(99 << 8, "exited 99");
}

static void signals(void **state)
{
	(void)state;
	status(9, "killed by SIGKILL");
	status(11 | 0x80, "killed by SIGSEGV, core dumped");
	status(64, "killed by SIG?");
}

static void reason(uint8_t why, uint8_t stage, int32_t detail, const char *part)
{
	char text[256];
	struct vassal_failure failure = { why, stage, detail };
	failure_text(text, sizeof text, &failure);
	if (!strstr(text, part))
		fail_msg("\"%s\" has no \"%s\"", text, part);
}

static void reasons(void **state)
{
	(void)state;
	reason(VASSAL_WHY_SPAWN, LAUNCH_EXEC, ENOENT, "could not be started: ");
	reason(VASSAL_WHY_SPAWN, LAUNCH_EXEC, ENOENT, strerror(ENOENT));
	reason(VASSAL_WHY_SPAWN, LAUNCH_EXEC, ENOENT, launch_stage_name(LAUNCH_EXEC));
	reason(VASSAL_WHY_SPAWN, 0, 0, "lost");
	reason(VASSAL_WHY_EXIT, 0, 22 << 8, "exited 22: no app could be loaded");
	reason(VASSAL_WHY_PROBE, 0, 503, "503");
	reason(VASSAL_WHY_PROBE, 0, 0, "no answer");
	reason(VASSAL_WHY_NONE, 0, 0, "");
}

static void every_reason_has_words(void **state)
{
	(void)state;
	char text[256], other[256];
	for (unsigned a = VASSAL_WHY_SPAWN; a < VASSAL_WHYS; a++) {
		failure_text(text, sizeof text, &(struct vassal_failure){ (uint8_t)a, 1, 1 });
		assert_true(strlen(text) > 5);
		for (unsigned b = VASSAL_WHY_NONE; b < a; b++) {
			failure_text(other, sizeof other, &(struct vassal_failure){ (uint8_t)b, 1, 1 });
			assert_string_not_equal(text, other);
			assert_string_not_equal(failure_stage_name(a), failure_stage_name(b));
		}
	}
	failure_text(text, sizeof text, &(struct vassal_failure){ 0 });
	assert_string_equal(text, "");
	assert_string_equal(failure_stage_name(VASSAL_WHY_NONE), "none");
}

static void every_name_is_its_own(void **state)
{
	(void)state;
	for (unsigned a = 0; a < VASSAL_STATES; a++)
		for (unsigned b = 0; b < a; b++)
			assert_string_not_equal(vassal_state_name(a), vassal_state_name(b));
	for (unsigned a = 0; a < VASSAL_EVENTS; a++)
		for (unsigned b = 0; b < a; b++)
			assert_string_not_equal(vassal_event_name(a), vassal_event_name(b));
	assert_string_equal(vassal_state_name(VASSAL_RELOAD_QUEUED), "reload-queued");
}

static void small_buffers(void **state)
{
	(void)state;
	for (size_t size = 1; size < 40; size++) {
		char text[64];
		memset(text, 'x', sizeof text);
		failure_text(text, size, &(struct vassal_failure){ VASSAL_WHY_SPAWN, LAUNCH_EXEC, ENOENT });
		assert_true(memchr(text, '\0', size) != NULL);
		assert_int_equal(text[size], 'x');
		failure_status_text(text, size, 22 << 8);
		assert_true(memchr(text, '\0', size) != NULL);
		assert_int_equal(text[size], 'x');
	}
	char untouched = 'x';
	failure_text(&untouched, 0, &(struct vassal_failure){ 0 });
	assert_int_equal(untouched, 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_codes), cmocka_unit_test(signals), cmocka_unit_test(reasons),
		cmocka_unit_test(every_reason_has_words), cmocka_unit_test(every_name_is_its_own), cmocka_unit_test(small_buffers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
