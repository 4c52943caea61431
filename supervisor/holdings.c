#include "supervisor/holdings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/holdings_sockets.h"
#include "vassals/util.h"

static struct record *find_record(const struct holdings *h, const char *name)
{
	struct record *r;
	HASH_FIND_STR(h->records, name, r);
	return r;
}

int holdings_add(struct holdings *h, uint64_t generation, const char *name, pid_t pid, int pidfd, int wire, int output)
{
	struct record *r = find_record(h, name);
	if (!r)
		return -ENOENT;
	size_t size = strlen(name) + 1;
	struct holding *g = calloc(1, sizeof *g + size);
	if (!g)
		return -ENOMEM;
	memcpy(g->name, name, size);
	g->generation = generation;
	g->pid = pid;
	g->pidfd = pidfd;
	g->wire = wire;
	g->output = output;
	g->reach = -1;
	HASH_ADD(by_generation, h->by_generation, generation, sizeof g->generation, g);
	HASH_ADD(by_pid, h->by_pid, pid, sizeof g->pid, g);
	r->live++;
	if (generation > h->newest)
		h->newest = generation;
	return 0;
}

struct holding *holdings_find(const struct holdings *h, uint64_t generation)
{
	struct holding *g;
	HASH_FIND(by_generation, h->by_generation, &generation, sizeof generation, g);
	return g;
}

struct holding *holdings_find_pid(const struct holdings *h, pid_t pid)
{
	struct holding *g;
	HASH_FIND(by_pid, h->by_pid, &pid, sizeof pid, g);
	return g;
}

static void no_longer_live(struct holdings *h, const char *name)
{
	struct record *r = find_record(h, name);
	if (r && r->live > 0)
		r->live--;
}

void holdings_ended(struct holdings *h, struct holding *g, int status)
{
	no_longer_live(h, g->name);
	HASH_DELETE(by_pid, h->by_pid, g);
	g->ended = true;
	g->status = status;
	g->pidfd = util_close(g->pidfd);
}

void holdings_forget(struct holdings *h, struct holding *g)
{
	if (!g->ended) {
		no_longer_live(h, g->name);
		HASH_DELETE(by_pid, h->by_pid, g);
	}
	HASH_DELETE(by_generation, h->by_generation, g);
	util_close(g->pidfd);
	util_close(g->wire);
	util_close(g->output);
	util_close(g->reach);
	free(g);
}

static struct record *new_record(struct holdings *h, const char *name)
{
	if (HASH_COUNT(h->records) >= HOLDINGS_RECORDS_MAX) {
		errno = ENOSPC;
		return NULL;
	}
	size_t length = strlen(name);
	struct record *r = calloc(1, sizeof *r + length + 1);
	if (!r)
		return NULL;
	memcpy(r->name, name, length + 1);
	HASH_ADD_KEYPTR(hh, h->records, r->name, length, r);
	return r;
}

int holdings_record(struct holdings *h, const char *name, const void *bytes, uint16_t size)
{
	struct record *r = find_record(h, name);
	if (!r)
		r = new_record(h, name);
	if (!r)
		return -errno;
	if (r->size != size) {
		void *room = realloc(r->bytes, size);
		if (!room)
			return -ENOMEM;
		r->bytes = room;
		r->size = size;
	}
	if (size > 0)
		memcpy(r->bytes, bytes, size);
	return 0;
}

unsigned holdings_live(const struct holdings *h, const char *name)
{
	const struct record *r = find_record(h, name);
	return r ? r->live : 0;
}

static void record_free(struct holdings *h, struct record *r)
{
	HASH_DELETE(hh, h->records, r);
	free(r->bytes);
	free(r);
}

int holdings_drop(struct holdings *h, const char *name)
{
	struct record *r = find_record(h, name);
	if (r && r->live > 0)
		return -EBUSY;
	if (r)
		record_free(h, r);
	return 0;
}

void holdings_free(struct holdings *h)
{
	struct holding *g, *next;
	HASH_ITER(by_generation, h->by_generation, g, next)
		holdings_forget(h, g);
	struct record *r, *after;
	HASH_ITER(hh, h->records, r, after)
		record_free(h, r);
	struct held *held, *following;
	HASH_ITER(hh, h->sockets, held, following)
		holdings_sockets_free(h, held);
}
