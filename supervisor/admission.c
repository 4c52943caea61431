#include "supervisor/admission.h"

#include <stddef.h>

void admission_init(struct admission *a, uint32_t limit)
{
	*a = (struct admission){ .limit = limit };
	for (int c = 0; c < ADMISSION_CLASSES; c++)
		a->queue[c].next = a->queue[c].prev = &a->queue[c];
}

bool admission_waiting(const struct admission_node *n)
{
	return n->next != NULL;
}

void admission_leave(struct admission *a, struct admission_node *n)
{
	(void)a;
	if (!admission_waiting(n))
		return;
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = NULL;
}

void admission_ask(struct admission *a, struct admission_node *n, unsigned class)
{
	if (admission_waiting(n) && n->class == class)
		return;
	admission_leave(a, n);
	struct admission_node *head = &a->queue[class];
	n->class = (uint8_t)class;
	n->prev = head->prev;
	n->next = head;
	head->prev->next = n;
	head->prev = n;
}

struct admission_node *admission_next(struct admission *a)
{
	if (a->limit != 0 && a->taken >= a->limit)
		return NULL;
	for (int c = 0; c < ADMISSION_CLASSES; c++) {
		struct admission_node *n = a->queue[c].next;
		if (n == &a->queue[c])
			continue;
		admission_leave(a, n);
		a->taken++;
		return n;
	}
	return NULL;
}

void admission_take(struct admission *a)
{
	a->taken++;
}

void admission_release(struct admission *a)
{
	if (a->taken > 0)
		a->taken--;
}
