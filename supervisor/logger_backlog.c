#include "supervisor/logger_backlog.h"

#include <stdlib.h>
#include <string.h>

struct logger_waiting {
	struct logger_waiting *next;
	size_t n;
	char record[];
};

bool logger_backlog_add(struct logger_backlog *b, const char *record, size_t n)
{
	size_t bytes = sizeof(struct logger_waiting) + n;
	struct logger_waiting *w = b->bytes + bytes <= LOGGER_BACKLOG_BYTES ? malloc(bytes) : NULL;
	if (!w)
		return false;
	w->next = NULL;
	w->n = n;
	memcpy(w->record, record, n);
	if (b->tail)
		b->tail->next = w;
	else
		b->head = w;
	b->tail = w;
	b->bytes += bytes;
	return true;
}

const char *logger_backlog_first(const struct logger_backlog *b, size_t *n)
{
	if (!b->head)
		return NULL;
	*n = b->head->n;
	return b->head->record;
}

void logger_backlog_pop(struct logger_backlog *b)
{
	struct logger_waiting *w = b->head;
	b->head = w->next;
	if (!b->head)
		b->tail = NULL;
	b->bytes -= sizeof *w + w->n;
	free(w);
}
