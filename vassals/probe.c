#include "vassals/probe.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* PATH_INFO is what the path means, REQUEST_URI how it is written: so does nginx. to holds n bytes. */
static size_t decode(char *to, const char *from, size_t n)
{
	size_t size = 0;
	for (size_t i = 0; i < n; i++) {
		bool escape = from[i] == '%' && i + 2 < n && hex(from[i + 1]) >= 0 && hex(from[i + 2]) >= 0;
		to[size++] = escape ? (char)(hex(from[i + 1]) * 16 + hex(from[i + 2])) : from[i];
		i += escape ? 2 : 0;
	}
	return size;
}

/* The name in "name:80" and "[::1]:80". */
static size_t name_size(const char *host)
{
	const char *colon = strrchr(host, ':');
	bool port = colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1);
	return port ? (size_t)(colon - host) : strlen(host);
}

/* What a WSGI app and Django's request object look for; https, or it might answer with a redirect that proves nothing. */
static int uwsgi_request(const char *path, const char *host, char *buf, size_t size)
{
	size_t path_size = strcspn(path, "?");
	const char *query = path + path_size + (path[path_size] == '?');
	char info[PROBE_REQUEST_MAX];
	if (path_size > sizeof info)
		return -ENAMETOOLONG;
	const struct { const char *key, *value; size_t size; } pairs[] = {
		{ "REQUEST_METHOD", "GET", 3 }, { "PATH_INFO", info, decode(info, path, path_size) }, { "REQUEST_URI", path, strlen(path) },
		{ "QUERY_STRING", query, strlen(query) }, { "SCRIPT_NAME", "", 0 }, { "CONTENT_TYPE", "", 0 }, { "CONTENT_LENGTH", "", 0 },
		{ "SERVER_PROTOCOL", "HTTP/1.1", 8 }, { "SERVER_NAME", host, name_size(host) }, { "SERVER_PORT", "443", 3 },
		{ "REQUEST_SCHEME", "https", 5 }, { "HTTPS", "on", 2 }, { "REMOTE_ADDR", "127.0.0.1", 9 }, { "REMOTE_PORT", "0", 1 },
		{ "HTTP_HOST", host, strlen(host) }, { "HTTP_X_FORWARDED_PROTO", "https", 5 }, { "HTTP_USER_AGENT", "regent-probe", 12 },
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

int probe_request(const struct spec *spec, enum spec_protocol protocol, char *buf, size_t size)
{
	const char *path = spec && spec->health ? spec->health : "/";
	const char *host = spec && spec->health_host ? spec->health_host : "localhost";
	if (protocol == SPEC_PROBE_NONE && spec)
		protocol = spec->probe;
	if (protocol != SPEC_PROBE_HTTP)
		return uwsgi_request(path, host, buf, size);
	int n = snprintf(buf, size, "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: regent-probe\r\nX-Forwarded-Proto: https\r\n\r\n", path,
			 host);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : n;
}

bool probe_passes(const struct spec *spec, int status)
{
	if (!spec || !spec->health)
		return status > 0;
	if (!spec->health_status)
		return status >= 200 && status < 300;
	for (const char *p = spec->health_status; ; p += 4) {
		if (status == atoi(p))
			return true;
		if (strlen(p) < 4)
			return false;
	}
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
