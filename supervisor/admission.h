/* admission: who may start now. At most `limit` start slots are out at a time; who waits is served by class (deploys, then
 * respawns, then boot), first come first served within a class. Pure: knows no vassals, only nodes. O(1) throughout. */
#ifndef REGENT_ADMISSION_H
#define REGENT_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#define ADMISSION_CLASSES 3	/* enum vassal_class without NONE */

struct admission_node { struct admission_node *next, *prev; uint8_t class; };	/* zeroed: waits for nothing */
struct admission {
	uint32_t limit;		/* 0: none */
	uint32_t taken;
	struct admission_node queue[ADMISSION_CLASSES];	/* heads of rings */
};

void admission_init(struct admission *a, uint32_t limit);
/* Waits in class; already waiting: goes to the end of that class, unless it waits in it already. */
void admission_ask(struct admission *a, struct admission_node *n, unsigned class);
void admission_leave(struct admission *a, struct admission_node *n);
bool admission_waiting(const struct admission_node *n);
/* The next who may start: takes it out of the queue and a slot for it; NULL if none waits or no slot is free. */
struct admission_node *admission_next(struct admission *a);
void admission_take(struct admission *a);	/* somebody holds a slot already (a new ruler reads the records) */
void admission_release(struct admission *a);

#endif
