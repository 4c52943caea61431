#include "supervisor/holdings_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "vassals/util.h"

/* ---- vassals */

struct held *holdings_sockets(const struct holdings *h, const char *name)
{
	struct held *held;
	HASH_FIND_STR(h->sockets, name, held);
	return held;
}

struct held *holdings_sockets_new(struct holdings *h, const char *name)
{
	size_t length = strlen(name);
	struct held *held = calloc(1, sizeof *held + length + 1);
	if (!held)
		return NULL;
	memcpy(held->name, name, length + 1);
	HASH_ADD_KEYPTR(hh, h->sockets, held->name, length, held);
	return held;
}

int held_belongs(struct held *held, const struct identity *id)
{
	if (!held->identity)
		held->identity = malloc(sizeof *id);
	if (!held->identity)
		return -ENOMEM;
	*held->identity = *id;
	return 0;
}

void holdings_sockets_free(struct holdings *h, struct held *held)
{
	while (held->addresses)
		held_remove(h, held->addresses);
	HASH_DEL(h->sockets, held);
	free(held->identity);
	free(held);
}

/* ---- addresses */

static void make_key(const char *text, char *key, size_t size)
{
	snprintf(key, size, "%s%s", text[0] == ':' ? "0.0.0.0" : "", text);
}

bool held_same(const char *a, const char *b)
{
	char one[SOCKETS_ADDRESS_MAX + 8], other[sizeof one];
	make_key(a, one, sizeof one);
	make_key(b, other, sizeof other);
	return strcmp(one, other) == 0;
}

struct held_address *held_find(const struct held *held, const char *text)
{
	struct held_address *a = held->addresses;
	while (a && !held_same(a->text, text))
		a = a->next;
	return a;
}

struct held_address *holdings_address(const struct holdings *h, const char *text)
{
	struct held_address *a;
	char key[sizeof a->key];
	make_key(text, key, sizeof key);
	HASH_FIND(by_key, h->addresses, key, strlen(key), a);
	return a;
}

int held_add(struct holdings *h, struct held *held, const char *text, const struct sockets_pair *pair)
{
	if (holdings_address(h, text))
		return -EADDRINUSE;
	if (held->n >= HELD_ADDRESSES_MAX)
		return -E2BIG;
	struct held_address *a = calloc(1, sizeof *a);
	if (!a)
		return -ENOMEM;
	snprintf(a->text, sizeof a->text, "%s", text);
	make_key(text, a->key, sizeof a->key);
	a->of = held;
	a->pair = *pair;
	a->place.watch = -1;
	a->next = held->addresses;
	held->addresses = a;
	held->n++;
	HASH_ADD(by_key, h->addresses, key, strlen(a->key), a);
	return 0;
}

int held_remove(struct holdings *h, struct held_address *a)
{
	struct held_address **at = &a->of->addresses;
	int watch = held_watched(h, a, -1);
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	a->of->n--;
	HASH_DELETE(by_key, h->addresses, a);
	util_close(a->pair.fd[0]);
	util_close(a->pair.fd[1]);
	free(a);
	return watch;
}

/* ---- watches */

static int release(struct holdings *h, struct held_address *a)
{
	struct held_watch *w;
	int watch = a->place.watch;
	if (a->is_placed)
		HASH_DELETE(by_place, h->places, a);
	a->is_placed = false;
	a->place.watch = -1;
	HASH_FIND_INT(h->watches, &watch, w);
	if (!w || --w->n > 0)
		return -1;
	HASH_DEL(h->watches, w);
	free(w);
	return watch;
}

static struct held_watch *retain(struct holdings *h, int watch)
{
	struct held_watch *w;
	HASH_FIND_INT(h->watches, &watch, w);
	if (!w) {
		w = calloc(1, sizeof *w);
		if (!w)
			return NULL;
		w->watch = watch;
		HASH_ADD_INT(h->watches, watch, w);
	}
	w->n++;
	return w;
}

static size_t place_size(const struct held_place *place)
{
	return offsetof(struct held_place, base) + strlen(place->base);
}

static void set_place(struct held_place *place, int watch, const char *base)
{
	memset(place, 0, sizeof *place);
	place->watch = watch;
	snprintf(place->base, sizeof place->base, "%s", base);
}

struct held_address *holdings_placed(const struct holdings *h, int watch, const char *base)
{
	struct held_address *a;
	struct held_place place;
	set_place(&place, watch, base);
	HASH_FIND(by_place, h->places, &place, place_size(&place), a);
	return a;
}

int held_watched(struct holdings *h, struct held_address *a, int watch)
{
	if (watch == a->place.watch)
		return -1;
	int old = a->place.watch < 0 ? -1 : release(h, a);
	if (watch < 0 || !sockets_is_unix(a->text) || !retain(h, watch))
		return old;
	const char *base = strrchr(a->text, '/') + 1;
	bool is_new = !holdings_placed(h, watch, base);
	set_place(&a->place, watch, base);
	if (is_new)
		HASH_ADD(by_place, h->places, place, place_size(&a->place), a);
	a->is_placed = is_new;
	return old == watch ? -1 : old;
}

void holdings_unwatched(struct holdings *h, int watch)
{
	struct held_address *a, *next;
	HASH_ITER(by_key, h->addresses, a, next)
		if (a->place.watch == watch)
			release(h, a);
}

/* ---- who uses them */

void held_leave(struct held *held, uint64_t generation)
{
	for (int side = 0; side < 2; side++) {
		if (held->living[side] == generation)
			held->living[side] = 0;
		for (struct held_address *a = held->addresses; a; a = a->next)
			if (a->users[side] == generation)
				a->users[side] = 0;
	}
}

bool held_lives(const struct held *held)
{
	return held->living[0] != 0 || held->living[1] != 0;
}

bool held_any_unwanted(const struct held *held)
{
	const struct held_address *a = held->addresses;
	while (a && !a->unwanted)
		a = a->next;
	return a != NULL;
}

bool held_sweep(struct held *held)
{
	if (!held_lives(held))
		return false;	/* clients wait for the next one */
	for (struct held_address *a = held->addresses; a; a = a->next)
		if (a->users[0] == 0 && a->users[1] == 0 && !a->is_inherited)
			a->unwanted = true;
	return held_any_unwanted(held);
}

/* ---- what a helper hands back */

static int name_of(int fd, char *text, size_t size)
{
	union { struct sockaddr any; struct sockaddr_un un; struct sockaddr_in in; struct sockaddr_in6 in6; char bytes[256]; } name = { 0 };
	socklen_t length = sizeof name - 1;	/* an end for sun_path */
	char host[INET6_ADDRSTRLEN];
	if (getsockname(fd, &name.any, &length) < 0)
		return -errno;
	switch (name.any.sa_family) {
	case AF_UNIX:
		return util_format(text, size, "%s", name.un.sun_path);
	case AF_INET:
		inet_ntop(AF_INET, &name.in.sin_addr, host, sizeof host);
		return util_format(text, size, "%s:%u", host, ntohs(name.in.sin_port));
	case AF_INET6:
		inet_ntop(AF_INET6, &name.in6.sin6_addr, host, sizeof host);
		return util_format(text, size, "[%s]:%u", host, ntohs(name.in6.sin6_port));
	default:
		return -EINVAL;
	}
}

int held_check(const char *address, int fd)
{
	char key[SOCKETS_ADDRESS_MAX + 8], name[SOCKETS_ADDRESS_MAX + 8];
	int type = 0, accepts = 0;
	socklen_t size = sizeof type;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -ENOTSOCK;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) < 0 || type != SOCK_STREAM || !accepts)
		return -EINVAL;
	make_key(address, key, sizeof key);
	if (name_of(fd, name, sizeof name) < 0 || strcmp(name, key) != 0)
		return -EADDRNOTAVAIL;
	return 0;
}
