/* load: the requests, what an answer is worth, and the figures. Opens nothing and waits for nothing. */
#include "load.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

static const char *const kinds[LOAD_KINDS] = {
	[LOAD_OK] = "ok", [LOAD_5XX] = "5xx", [LOAD_4XX] = "4xx", [LOAD_REFUSED] = "refused", [LOAD_MISSING] = "missing",
	[LOAD_FULL] = "full", [LOAD_RESET] = "reset", [LOAD_EOF] = "eof", [LOAD_CUT] = "cut", [LOAD_TIMEOUT] = "timeout",
	[LOAD_OTHER] = "other",
};

static bool set_unix(struct load *load, const char *path)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&load->address;

	if (strlen(path) >= sizeof(un->sun_path))
		return false;
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, path);
	load->address_size = sizeof(*un);
	return true;
}

bool load_set_address(struct load *load, const char *text)
{
	char host[128];
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found;

	if (strncmp(text, "unix:", 5) == 0)
		return set_unix(load, text + 5);
	const char *colon = strrchr(text, ':');
	bool brackets = text[0] == '[';
	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text) - 2 * brackets, text + brackets);
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		return false;
	memcpy(&load->address, found->ai_addr, found->ai_addrlen);
	load->address_size = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

/* --- requests */
static const char *const pairs[][2] = {
	{ "CONTENT_LENGTH", "0" },	/* SCGI wants it first */
	{ "REQUEST_METHOD", "GET" }, { "PATH_INFO", NULL }, { "REQUEST_URI", NULL }, { "QUERY_STRING", "" }, { "SERVER_PROTOCOL", "HTTP/1.1" },
	{ "SERVER_NAME", "localhost" }, { "SERVER_PORT", "80" }, { "HTTP_HOST", "localhost" }, { "SCGI", "1" },
};
#define PAIRS (sizeof(pairs) / sizeof(pairs[0]))

static void put(struct load *load, const void *bytes, size_t n)
{
	memcpy(load->request + load->request_size, bytes, n);
	load->request_size += n;
}

static void put_number(struct load *load, size_t n)
{
	unsigned char bytes[2] = { (unsigned char)(n & 255), (unsigned char)(n >> 8) };

	put(load, bytes, 2);
}

static void put_pairs(struct load *load, bool sizes)
{
	for (size_t i = 0; i < PAIRS; i++)
		for (int k = 0; k < 2; k++) {
			const char *word = pairs[i][k] ? pairs[i][k] : load->path;
			if (sizes)
				put_number(load, strlen(word));
			put(load, word, strlen(word) + !sizes);
		}
}

static size_t pairs_size(const struct load *load, size_t beyond)
{
	size_t n = 0;

	for (size_t i = 0; i < PAIRS; i++)
		for (int k = 0; k < 2; k++)
			n += strlen(pairs[i][k] ? pairs[i][k] : load->path) + beyond;
	return n;
}

static void uwsgi_request(struct load *load)
{
	put(load, "\0", 1);
	put_number(load, pairs_size(load, 2));
	put(load, "\0", 1);
	put_pairs(load, true);
}

static void scgi_request(struct load *load)
{
	char head[32];
	int n = snprintf(head, sizeof(head), "%zu:", pairs_size(load, 1));

	put(load, head, (size_t)n);
	put_pairs(load, false);
	put(load, ",", 1);
}

static void http_request(struct load *load)
{
	load->request_size = (size_t)snprintf(load->request, sizeof(load->request),
					      "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", load->path);
}

bool load_set_request(struct load *load, const char *protocol)
{
	static const struct { const char *name; void (*make)(struct load *load); } protocols[] = {
		{ "uwsgi", uwsgi_request }, { "http", http_request }, { "scgi", scgi_request },
	};

	if (strlen(load->path) > sizeof(load->request) / 4)
		return false;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (strcmp(protocol, protocols[i].name) == 0) {
			protocols[i].make(load);
			return true;
		}
	return false;
}

/* --- answers */
static const char *body_of(const struct load_answer *a)
{
	const char *end = strstr(a->text, "\r\n\r\n");

	return end ? end + 4 : NULL;
}

/* 1: all of it has come; 0: not yet; -1: its head says nothing. */
static int compare_length(const struct load_answer *a)
{
	const char *body = body_of(a), *length = body ? strcasestr(a->text, "\r\nContent-Length:") : NULL;

	if (!length || length > body)
		return -1;
	return strtoul(length + 17, NULL, 10) <= a->n + a->more - (size_t)(body - a->text);
}

bool load_is_whole(const struct load_answer *a)
{
	return compare_length(a) == 1;
}

enum load_kind load_judge(const struct load_answer *a)
{
	unsigned status = 0;

	if (a->n == 0)
		return LOAD_EOF;
	if (sscanf(a->text, "HTTP/1.%*c %u", &status) != 1 && sscanf(a->text, "Status: %u", &status) != 1)
		return LOAD_CUT;
	if (status >= 500)
		return LOAD_5XX;
	if (status < 200 || status >= 300)
		return LOAD_4XX;
	if (!body_of(a) || compare_length(a) == 0)
		return LOAD_CUT;
	return LOAD_OK;
}

static void count_version(struct load *load, const char *body, uint64_t now)
{
	char text[VERSION_MAX];
	size_t i = 0;

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(body, "\r\n\"\\"), body);
	while (i < load->n_versions && strcmp(load->versions[i].text, text) != 0)
		i++;
	if (i == VERSIONS_MAX)
		i--;
	struct load_version *version = &load->versions[i];
	if (i == load->n_versions) {
		load->n_versions++;
		strcpy(version->text, text);
		version->first = now;
	}
	version->times++;
	version->last = now;
}

static void note_took(struct load *load, uint64_t took)
{
	if (load->n_took == load->room) {
		size_t room = load->room ? load->room * 2 : 4096;
		uint32_t *grown = realloc(load->took, room * sizeof(*grown));
		if (!grown)
			return;
		load->took = grown;
		load->room = room;
	}
	load->took[load->n_took++] = (uint32_t)(took / 1000);
}

static void note_silence(struct load *load, uint64_t now)
{
	if (now - load->last_ok > load->silence) {
		load->silence = now - load->last_ok;
		load->silence_end = now;
	}
}

void load_count(struct load *load, enum load_kind kind, int error, uint64_t began, const struct load_answer *answer)
{
	uint64_t now = load_now();

	if (!load->said) {
		load->said = true;
		puts("begun");
		fflush(stdout);
	}
	load->kinds[kind]++;
	if (kind == LOAD_OK) {
		note_silence(load, now);
		load->last_ok = now;
		note_took(load, now - began);
		count_version(load, body_of(answer), now);
		return;
	}
	if (kind == LOAD_OTHER)
		load->last_error = error;
	load->last_bad = now;
	if (!load->first_bad)
		load->first_bad = now;
}

/* --- figures */
static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double since_begin(const struct load *load, uint64_t when)
{
	return when ? (double)(when - load->began) / 1e6 : -1;
}

static double percentile(const struct load *load, size_t part)
{
	return load->n_took ? load->took[(load->n_took - 1) * part / 1000] / 1e3 : -1;
}

static void print_versions(const struct load *load)
{
	for (size_t i = 0; i < load->n_versions; i++) {
		const struct load_version *v = &load->versions[i];
		printf("%s\"%s\": {\"times\": %llu, \"first\": %.3f, \"last\": %.3f}", i ? ", " : "", v->text, (unsigned long long)v->times,
		       since_begin(load, v->first), since_begin(load, v->last));
	}
}

void load_print(struct load *load)
{
	uint64_t now = load_now(), failed = 0;

	note_silence(load, now);
	if (load->n_took)	/* nobody needs their order */
		qsort(load->took, load->n_took, sizeof(*load->took), by_number);
	printf("{\"asked\": %llu, \"under_way\": %llu", (unsigned long long)load->asked, (unsigned long long)load->under_way);
	for (size_t i = 0; i < LOAD_KINDS; i++) {
		printf(", \"%s\": %llu", kinds[i], (unsigned long long)load->kinds[i]);
		failed += i == LOAD_OK ? 0 : load->kinds[i];
	}
	printf(", \"failed\": %llu, \"errno\": %d, \"ms\": %.3f, \"silence\": %.3f, \"silence_end\": %.3f, \"late\": %.3f", (unsigned long long)failed,
	       load->last_error, since_begin(load, now), (double)load->silence / 1e6, since_begin(load, load->silence_end), (double)load->late / 1e6);
	printf(", \"first_bad\": %.3f, \"last_bad\": %.3f", since_begin(load, load->first_bad), since_begin(load, load->last_bad));
	printf(", \"p50\": %.3f, \"p99\": %.3f, \"p999\": %.3f, \"max\": %.3f, \"versions\": {", percentile(load, 500), percentile(load, 990),
	       percentile(load, 999), percentile(load, 1000));
	print_versions(load);
	printf("}}\n");
	fflush(stdout);
}
