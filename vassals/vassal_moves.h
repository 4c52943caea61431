/* vassal_moves: the inside of the state machine, seen by vassal*.c only. A move is a step that several cells of the table
 * share (queue, stop, kill); a cell is what one event does in one state. */
#ifndef REGENT_VASSAL_MOVES_H
#define REGENT_VASSAL_MOVES_H

#include "vassals/vassal.h"

struct step {
	struct vassal *v;
	const struct vassal_rules *rules;
	const struct vassal_input *in;
	struct vassal_actions *out;
};
typedef void (*vassal_cell)(struct step *s);

/* the door (vassal.c): an event to the cell of the present state */
void move_dispatch(struct step *s, enum vassal_event event);

/* moves (vassal_moves.c) */
void move_emit(struct step *s, enum vassal_act act, uint32_t arg);
void move_emit_beside(struct step *s, enum vassal_act act, uint32_t arg);	/* of the other generation */
void move_enter(struct step *s, enum vassal_state state);
void move_arm(struct step *s, enum vassal_timer timer, uint64_t delay);
void move_disarm(struct step *s, enum vassal_timer timer);
void move_disarm_all(struct step *s);
void move_release_slot(struct step *s);
void move_end_probe(struct step *s);
void move_set_failure(struct step *s, enum vassal_why why, int32_t detail);
void move_pass_gate(struct step *s);
void move_fail_gate(struct step *s, enum vassal_why why, int32_t detail);
void move_queue(struct step *s, enum vassal_class class);
void move_queue_reload(struct step *s);
void move_kill_tree(struct step *s, enum vassal_why why);
void move_stop(struct step *s);
uint32_t move_stop_byte(const struct step *s);
void move_rest(struct step *s);
void move_ended(struct step *s);
void move_answer(struct step *s, enum vassal_verdict verdict);	/* of the newest execution, once */
void move_settle(struct step *s);		/* until the gate judges it */
void move_next(struct step *s);			/* at rest: is there more to do? */
/* handover (vassal_renew.c) */
bool move_is_renewing(const struct vassal *v);	/* something is being tried beside it, or on its way out */
void move_drop_try(struct step *s);		/* its own generation goes: what is tried beside it has to go, too */
void move_retire_beside(struct step *s);	/* byte 2 */
void move_kill_beside(struct step *s);
void move_refuse_trial(struct step *s);

/* cells (vassal_cells.c): the names of the table */
void cell_exited(struct step *s);
void cell_spawn_failed(struct step *s);
void cell_start_now(struct step *s);
void cell_note(struct step *s);
void cell_note_starting(struct step *s);
void cell_note_settling(struct step *s);
void cell_note_cursed(struct step *s);
void cell_reload(struct step *s);
void cell_restart(struct step *s);
void cell_restart_starting(struct step *s);
void cell_unwant(struct step *s);
void cell_unwant_idle(struct step *s);
void cell_unwant_running(struct step *s);
void cell_unwant_cursed(struct step *s);
void cell_spawn(struct step *s);
void cell_reload_admitted(struct step *s);
void cell_send_reload(struct step *s);
void cell_started(struct step *s);
void cell_started_late(struct step *s);
void cell_up(struct step *s);
void cell_up_again(struct step *s);
void cell_settled(struct step *s);
void cell_probe_failed(struct step *s);
void cell_probe_ok(struct step *s);
void cell_probe_timeout(struct step *s);
void cell_patience_over(struct step *s);
void cell_start_timeout(struct step *s);
void cell_send_stop(struct step *s);
void cell_mercy_over(struct step *s);
void cell_curse(struct step *s);
void cell_respawn(struct step *s);
void cell_heartbeat_lost(struct step *s);
void cell_give_back(struct step *s);
void cell_note_queued(struct step *s);
void cell_hold_over(struct step *s);
/* (vassal_renew.c) */
void cell_spawn_beside(struct step *s);
void cell_note_renewing(struct step *s);
void cell_beside_started(struct step *s);
void cell_beside_late(struct step *s);
void cell_beside_spawn_failed(struct step *s);
void cell_beside_up(struct step *s);
void cell_beside_up_again(struct step *s);
void cell_beside_died(struct step *s);
void cell_beside_abandoned(struct step *s);
void cell_beside_hung(struct step *s);
void cell_beside_closed(struct step *s);
void cell_beside_patience(struct step *s);
void cell_beside_settled(struct step *s);
void cell_beside_probe_ok(struct step *s);
void cell_beside_probe_failed(struct step *s);
void cell_beside_probe_timeout(struct step *s);
void cell_switched(struct step *s);
void cell_switch_failed(struct step *s);
void cell_drained(struct step *s);
void cell_retired(struct step *s);
void cell_beside_gone(struct step *s);
void cell_retire_over(struct step *s);
void cell_rehearse(struct step *s);
void cell_rehearse_later(struct step *s);
void cell_rehearse_not(struct step *s);

#endif
