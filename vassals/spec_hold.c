#include "vassals/spec_hold.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vassals/spec_build.h"
#include "vassals/util.h"

/* uWSGI itself refuses a longer path. */
#define PATH_LENGTH_MAX 102
#define NUMBER_MAX 65535

/* Of the options that uWSGI applies when it binds: TCP_DEFER_ACCEPT, its default, is left out on purpose. A connection that waits for
 * its first bytes is in no queue that could be drained, and would come up in a listener that nobody serves. reuse-port needs no word:
 * held TCP sockets always have it. tcp-nodelay is set on every connection by the worker. */
enum hold_key {
	HOLD_NONE, HOLD_SOCKET, HOLD_TLS, HOLD_SHARED, HOLD_ABSTRACT, HOLD_CHMOD, HOLD_CHOWN, HOLD_LISTEN, HOLD_UMASK, HOLD_KEEPALIVE,
	HOLD_FREEBIND, HOLD_SEND_TIMEOUT, HOLD_SNDBUF, HOLD_RCVBUF, HOLD_FAST_OPEN, HOLD_NEVER, HOLD_NEVER_IF_TRUE,
};

static const char router[] = "a router binds it by itself", skipped[] = "skipped where sockets are held";

/* "skipped": uWSGI takes held sockets over as after a reload, and does not do these things again then (read in 2.0.21). */
static const struct { const char *name; enum hold_key key; const char *why; } keys[] = {
	{ "socket", HOLD_SOCKET, NULL }, { "uwsgi-socket", HOLD_SOCKET, NULL }, { "http-socket", HOLD_SOCKET, NULL },
	{ "http11-socket", HOLD_SOCKET, NULL }, { "fastcgi-socket", HOLD_SOCKET, NULL }, { "fastcgi-nph-socket", HOLD_SOCKET, NULL },
	{ "scgi-socket", HOLD_SOCKET, NULL }, { "scgi-nph-socket", HOLD_SOCKET, NULL }, { "raw-socket", HOLD_SOCKET, NULL },
	{ "puwsgi-socket", HOLD_SOCKET, NULL },
	{ "https-socket", HOLD_TLS, NULL }, { "suwsgi-socket", HOLD_TLS, NULL }, { "ssl-socket", HOLD_TLS, NULL },
	{ "shared-socket", HOLD_SHARED, NULL }, { "undeferred-shared-socket", HOLD_SHARED, NULL },
	{ "abstract-socket", HOLD_ABSTRACT, NULL },
	{ "chmod-socket", HOLD_CHMOD, NULL }, { "chmod", HOLD_CHMOD, NULL }, { "chown-socket", HOLD_CHOWN, NULL },
	{ "listen", HOLD_LISTEN, NULL }, { "umask", HOLD_UMASK, NULL },
	{ "so-keepalive", HOLD_KEEPALIVE, NULL }, { "freebind", HOLD_FREEBIND, NULL },
	{ "so-send-timeout", HOLD_SEND_TIMEOUT, NULL }, { "socket-send-timeout", HOLD_SEND_TIMEOUT, NULL },
	{ "so-write-timeout", HOLD_SEND_TIMEOUT, NULL }, { "socket-write-timeout", HOLD_SEND_TIMEOUT, NULL },
	{ "socket-sndbuf", HOLD_SNDBUF, NULL }, { "socket-rcvbuf", HOLD_RCVBUF, NULL },
	{ "tcp-fast-open", HOLD_FAST_OPEN, NULL },

	{ "http", HOLD_NEVER, router }, { "httprouter", HOLD_NEVER, router }, { "https", HOLD_NEVER, router },
	{ "https2", HOLD_NEVER, router }, { "http-to-https", HOLD_NEVER, router }, { "http-subscription-server", HOLD_NEVER, router },
	{ "fastrouter", HOLD_NEVER, router }, { "fastrouter-subscription-server", HOLD_NEVER, router },
	{ "rawrouter", HOLD_NEVER, router }, { "rawrouter-subscription-server", HOLD_NEVER, router },
	{ "sslrouter", HOLD_NEVER, router }, { "sslrouter2", HOLD_NEVER, router }, { "sslrouter-subscription-server", HOLD_NEVER, router },
	{ "forkptyrouter", HOLD_NEVER, router }, { "forkpty-router", HOLD_NEVER, router }, { "forkptyurouter", HOLD_NEVER, router },
	{ "forkpty-urouter", HOLD_NEVER, router }, { "tuntap-router", HOLD_NEVER, router },
	{ "emperor", HOLD_NEVER, "an Emperor of its own" }, { "emperor-proxy-socket", HOLD_NEVER, "an Emperor of its own" },
	{ "zerg", HOLD_NEVER, "its sockets come from a zerg server" }, { "fork-socket", HOLD_NEVER, "its processes come from a fork socket" },
	{ "shutdown-sockets", HOLD_NEVER_IF_TRUE, "its end would end the held sockets" },
	{ "chroot", HOLD_NEVER, skipped }, { "pivot-root", HOLD_NEVER, skipped }, { "pivot_root", HOLD_NEVER, skipped },
	{ "unshare", HOLD_NEVER, skipped }, { "unshare2", HOLD_NEVER, skipped }, { "cap", HOLD_NEVER, skipped },
	{ "hook-pre-jail", HOLD_NEVER, skipped }, { "exec-pre-jail", HOLD_NEVER, skipped }, { "mount-pre-jail", HOLD_NEVER, skipped },
	{ "umount-pre-jail", HOLD_NEVER, skipped }, { "call-pre-jail", HOLD_NEVER, skipped },
};

static int never(struct spec_build *b, const char *name, const char *value, const char *why)
{
	char where[SPEC_WHERE_SIZE];
	if (b->spec->no_hold)
		return 0;
	if (asprintf(&b->spec->no_hold, "%s: %.40s%s%.120s: %s", spec_where(b, where), name, value ? " = " : "", value ? value : "", why) < 0) {
		b->spec->no_hold = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* ---- addresses */

/* uWSGI finds a socket by the name that the kernel gives it: what is written otherwise it would not find. */
static const char *check_inet(const char *address, const char *colon, bool *ip6)
{
	char host[64], text[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	struct in_addr in;
	uint64_t port;
	size_t n = (size_t)(colon - address);
	if (colon[1] == '0' || colon[1] == '\0')
		return "its port is chosen anew each time";
	if (util_parse_u64(colon + 1, 1, 65535, &port) < 0)
		return "no port number";
	if (n == 0)
		return NULL;
	if (n >= sizeof host)
		return "not a numeric address";
	memcpy(host, address, n);
	host[n] = '\0';
	*ip6 = host[0] == '[' && host[n - 1] == ']';
	if (*ip6) {
		host[n - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &in6) != 1)
			return "not a numeric address";
		inet_ntop(AF_INET6, &in6, text, sizeof text);
		return strcmp(text, host + 1) == 0 ? NULL : "not written as the kernel writes it";
	}
	if (inet_pton(AF_INET, host, &in) != 1)
		return "a name, not a numeric address";
	inet_ntop(AF_INET, &in, text, sizeof text);
	return strcmp(text, host) == 0 ? NULL : "not written as the kernel writes it";
}

static const char *check_path(const char *path)
{
	if (path[0] == '@' || strncmp(path, "\\0", 2) == 0)
		return "an abstract socket";
	if (path[0] != '/')
		return "a relative path";
	if (strlen(path) > PATH_LENGTH_MAX)
		return "longer than uWSGI takes";
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return "a control byte in its path";
	const char *base = strrchr(path, '/') + 1;
	return !*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0 ? "a directory" : NULL;
}

/* ":80" and "0.0.0.0:80" are one. */
static bool is_same(const char *a, const char *b)
{
	const char any[] = "0.0.0.0:";
	a += strncmp(a, any, sizeof any - 1) == 0 ? sizeof any - 2 : 0;
	b += strncmp(b, any, sizeof any - 1) == 0 ? sizeof any - 2 : 0;
	return strcmp(a, b) == 0;
}

static int add(struct spec_build *b, const char *name, const char *address)
{
	struct spec_hold *h = &b->hold;
	for (unsigned i = 0; i < h->n; i++)
		if (is_same(h->address[i], address))
			return 0;
	if (h->n == SOCKETS_MAX)
		return never(b, name, address, "more sockets than are held for one");
	strcpy(h->address[h->n++], address);
	return 0;
}

static int take_address(struct spec_build *b, const char *name, const char *value, bool shared)
{
	struct spec_hold *h = &b->hold;
	bool ip6 = false;
	value += strspn(value, " \t\r\n\v\f");
	const char *colon = strrchr(value, ':');
	const char *wrong;
	if (strncmp(value, "fd://", 5) == 0)
		wrong = "a descriptor";
	else
		wrong = colon ? check_inet(value, colon, &ip6) : check_path(value);
	if (!wrong && shared && ip6)
		wrong = "uWSGI does not find a shared IPv6 socket again";	/* tried */
	if (wrong)
		return never(b, name, value, wrong);
	h->ip6 = h->ip6 || ip6;
	h->shared_ip = h->shared_ip || (shared && colon);
	return add(b, name, value);
}

static int take_socket(struct spec_build *b, const char *name, const char *value)
{
	char *end;
	if (value[0] != '=')
		return take_address(b, name, value, false);
	unsigned long number = strtoul(value + 1, &end, 10);
	return end == value + 1 || *end || number >= b->hold.n_shared ? never(b, name, value, "no such shared socket before it") : 0;
}

/* ADDRESS,CERTIFICATE,KEY...: the address is what uWSGI calls the socket (tried). */
static int take_tls(struct spec_build *b, const char *name, const char *value)
{
	CLEANUP_FREE char *address = strndup(value, strcspn(value, ","));
	return address ? take_socket(b, name, address) : -ENOMEM;
}

/* ---- options */

/* What uWSGI makes of a value: nothing or "1" is 666; anything but three octal digits it refuses. */
static int take_chmod(struct spec_build *b, const char *name, const char *value)
{
	struct spec_hold *h = &b->hold;
	h->chmod = true;
	if (strcmp(value, "1") == 0)
		return 0;
	if (strlen(value) != 3 || strspn(value, "01234567") != 3)
		return never(b, name, value, "uWSGI does not take that mode");
	h->mode = (int)strtol(value, NULL, 8);
	return 0;
}

/* Less than three digits count as 000, of four the last three count. */
static int take_umask(struct spec_build *b, const char *name, const char *value)
{
	size_t n = strlen(value);
	const char *digits = n == 3 ? value : value + 1;
	if (n >= 3 && strspn(digits, "01234567") < 3)
		return never(b, name, value, "not an octal umask");
	char three[4] = "000";
	if (n >= 3)
		memcpy(three, digits, 3);
	b->hold.umask_plus_1 = (int)strtol(three, NULL, 8) + 1;
	return 0;
}

static bool is_name(const char *text)
{
	return text[0] && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-$") == strlen(text);
}

static int take_chown(struct spec_build *b, const char *name, const char *value)
{
	struct spec_hold *h = &b->hold;
	size_t n = strcspn(value, ":");
	const char *group = value[n] ? value + n + 1 : "";
	if (n >= sizeof h->user || strlen(group) >= sizeof h->group)
		return never(b, name, value, "no user and group");
	memcpy(h->user, value, n);
	h->user[n] = '\0';
	strcpy(h->group, group);
	return is_name(h->user) && (!value[n] || is_name(h->group)) ? 0 : never(b, name, value, "no user and group");
}

static int take_number(struct spec_build *b, const char *name, const char *value, int *ret)
{
	uint64_t number;
	if (util_parse_u64(value, 0, INT32_MAX, &number) < 0)
		return never(b, name, value, "not a number");
	*ret = (int)number;
	return 0;
}

static int take_listen(struct spec_build *b, const char *name, const char *value)
{
	int err = take_number(b, name, value, &b->hold.backlog);
	if (b->hold.backlog > NUMBER_MAX)	/* the kernel cuts it below that anyway */
		b->hold.backlog = NUMBER_MAX;
	return err;
}

static int take(struct spec_build *b, enum hold_key key, const char *name, const char *value, const char *why)
{
	struct spec_hold *h = &b->hold;
	switch (key) {
	case HOLD_SOCKET: return take_socket(b, name, value);
	case HOLD_TLS: return take_tls(b, name, value);
	case HOLD_SHARED:
		h->n_shared++;
		return take_address(b, name, value, true);
	case HOLD_ABSTRACT: {
		char where[SPEC_WHERE_SIZE], line[SPEC_WHERE_SIZE + 20];
		snprintf(line, sizeof line, "%s: %s", spec_where(b, where), name);
		return spec_set_text(&h->abstract, spec_is_true(value) ? line : NULL);
	}
	case HOLD_CHMOD: return take_chmod(b, name, value);
	case HOLD_CHOWN: return take_chown(b, name, value);
	case HOLD_LISTEN: return take_listen(b, name, value);
	case HOLD_UMASK: return take_umask(b, name, value);
	case HOLD_KEEPALIVE:
		h->keepalive = spec_is_true(value);
		return 0;
	case HOLD_FREEBIND:
		h->freebind = spec_is_true(value);
		return 0;
	case HOLD_SEND_TIMEOUT: return take_number(b, name, value, &h->send_timeout);
	case HOLD_SNDBUF: return take_number(b, name, value, &h->sndbuf);
	case HOLD_RCVBUF: return take_number(b, name, value, &h->rcvbuf);
	case HOLD_FAST_OPEN: return take_number(b, name, value, &h->fast_open);
	case HOLD_NEVER_IF_TRUE:
		return spec_is_true(value) ? never(b, name, value[0] ? value : NULL, why) : 0;
	case HOLD_NEVER: return never(b, name, value[0] ? value : NULL, why);
	case HOLD_NONE: break;
	}
	return 0;
}

int spec_hold_take(struct spec_build *b, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (!value)
			return keys[i].key == HOLD_NEVER ? never(b, name, NULL, keys[i].why) : never(b, name, NULL, "its value is not known");
		return take(b, keys[i].key, name, value, keys[i].why);
	}
	return 0;
}

/* ---- the end */

static void put_number(char *text, size_t size, const char *word, int number)
{
	size_t n = strlen(text);
	if (number > 0)
		snprintf(text + n, size - n, "%s=%d ", word, number);
}

/* The longest possible line of options is far shorter than the text may be. */
static void put_options(const struct spec_hold *h, char *text, size_t size)
{
	if (h->chmod)
		snprintf(text, size, "mode=%03o ", h->mode ? (unsigned)h->mode : 0666U);
	size_t n = strlen(text);
	if (h->user[0])
		n += (size_t)snprintf(text + n, size - n, "user=%s ", h->user);
	if (h->group[0])
		n += (size_t)snprintf(text + n, size - n, "group=%s ", h->group);
	if (h->umask_plus_1)
		snprintf(text + n, size - n, "umask=%03o ", (unsigned)h->umask_plus_1 - 1);
	put_number(text, size, "listen", h->backlog);
	put_number(text, size, "so-keepalive", h->keepalive);
	put_number(text, size, "freebind", h->freebind);
	put_number(text, size, "so-send-timeout", h->send_timeout);
	put_number(text, size, "socket-sndbuf", h->sndbuf);
	put_number(text, size, "socket-rcvbuf", h->rcvbuf);
	put_number(text, size, "tcp-fast-open", h->fast_open);
	n = strlen(text);
	text[n > 0 ? n - 1 : 0] = '\n';
	text[n > 0 ? n : 1] = '\0';
}

static const char *whole_wrong(const struct spec_build *b)
{
	const struct spec_hold *h = &b->hold;
	if (b->incomplete)
		return b->spec->unsure;
	if (h->shared_ip && h->ip6)	/* an IPv6 socket looks to it like ":PORT" (read in source) */
		return "uWSGI may take an IPv6 socket for a shared one";
	for (unsigned i = 0; h->abstract && i < h->n; i++)
		if (h->address[i][0] == '/')
			return h->abstract;
	return h->n > 0 ? NULL : "it has no socket";
}

int spec_hold_finish(struct spec_build *b)
{
	struct spec_hold *h = &b->hold;
	char text[SOCKETS_TEXT_MAX] = "";
	if (b->spec->no_hold)
		return 0;
	const char *wrong = whole_wrong(b);
	if (wrong)
		return spec_set_text(&b->spec->no_hold, wrong);
	put_options(h, text, sizeof text);
	size_t n = strlen(text);
	for (unsigned i = 0; i < h->n; i++) {
		if (n + strlen(h->address[i]) + 2 > sizeof text)
			return spec_set_text(&b->spec->no_hold, "its addresses are too long together");
		n += (size_t)sprintf(text + n, "%s\n", h->address[i]);
	}
	return spec_set_text(&b->spec->sockets, text);
}

void spec_hold_clear(struct spec_hold *hold)
{
	free(hold->abstract);
	hold->abstract = NULL;
}
