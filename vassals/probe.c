#include "vassals/probe.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "vassals/util.h"

static const char no_app[] = "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n"
			     "Internal Server Error";

/* One word of uwsgi's packet, with its length, 16 bit little-endian. */
static size_t put_word(char *p, const char *word, size_t n)
{
	p[0] = (char)(n & 0xff);
	p[1] = (char)(n >> 8);
	memcpy(p + 2, word, n);
	return n + 2;
}

static int uwsgi_request(const char *path, const char *host, char *buf, size_t size)
{
	size_t path_size = strcspn(path, "?");
	const char *query = path + path_size + (path[path_size] == '?');
	const struct { const char *key, *value; size_t size; } pairs[] = {
		{ "REQUEST_METHOD", "GET", 3 }, { "PATH_INFO", path, path_size }, { "REQUEST_URI", path, strlen(path) },
		{ "QUERY_STRING", query, strlen(query) }, { "SERVER_PROTOCOL", "HTTP/1.1", 8 }, { "SERVER_NAME", host, strlen(host) },
		{ "SERVER_PORT", "443", 3 }, { "HTTP_HOST", host, strlen(host) }, { "HTTPS", "on", 2 },
		{ "REMOTE_ADDR", "127.0.0.1", 9 }, { "HTTP_USER_AGENT", "regent-probe", 12 },
	};
	size_t n = 4;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		if (n + 4 + strlen(pairs[i].key) + pairs[i].size > size)
			return -ENAMETOOLONG;
		n += put_word(buf + n, pairs[i].key, strlen(pairs[i].key));
		n += put_word(buf + n, pairs[i].value, pairs[i].size);
	}
	buf[0] = 0;	/* modifier1: a WSGI request */
	buf[1] = (char)((n - 4) & 0xff);
	buf[2] = (char)((n - 4) >> 8);
	buf[3] = 0;
	return (int)n;
}

int probe_request(const struct spec *spec, char *buf, size_t size)
{
	const char *path = spec->health ? spec->health : "/", *host = spec->health_host ? spec->health_host : "localhost";
	if (spec->probe == SPEC_PROBE_UWSGI)
		return uwsgi_request(path, host, buf, size);
	int n = snprintf(buf, size, "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: regent-probe\r\nX-Forwarded-Proto: https\r\n\r\n", path,
			 host);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : n;
}

int probe_judge(const char *answer, size_t size)
{
	int status = 0;
	if (size == sizeof no_app - 1 && memcmp(answer, no_app, size) == 0)
		return -1;
	if (size < 12 || memcmp(answer, "HTTP/1.", 7) != 0 || answer[8] != ' ')
		return 0;
	for (int i = 9; i < 12; i++) {
		if (answer[i] < '0' || answer[i] > '9')
			return 0;
		status = status * 10 + (answer[i] - '0');
	}
	return status;
}
