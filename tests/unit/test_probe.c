/* probe: the bytes of one request, and what an answer means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vassals/probe.h"
#include "vassals/util.h"

/* The value of key in a uwsgi packet, or NULL; every length is checked on the way. */
static const char *find(const char *packet, size_t size, const char *key)
{
	static char value[512];
	const unsigned char *p = (const unsigned char *)packet, *end = p + size;
	assert_int_equal(p[0], 0);
	assert_int_equal(p[3], 0);
	assert_int_equal(p[1] | p[2] << 8, size - 4);
	const char *found = NULL;
	for (p += 4; p < end; ) {
		size_t k = p[0] | (size_t)p[1] << 8;
		const char *name = (const char *)p + 2;
		p += 2 + k;
		assert_true(p + 2 <= end);
		size_t v = p[0] | (size_t)p[1] << 8;
		assert_true(p + 2 + v <= end);
		if (k == strlen(key) && memcmp(name, key, k) == 0) {
			snprintf(value, sizeof value, "%.*s", (int)v, (const char *)p + 2);
			found = value;
		}
		p += 2 + v;
	}
	assert_ptr_equal(p, end);
	return found;
}

static void test_uwsgi_request(void **state)
{
	char buf[PROBE_REQUEST_MAX], health[] = "/up?deep=1", host[] = "physionet.org";
	struct spec spec = { .probe = SPEC_PROBE_UWSGI };
	(void)state;
	int n = probe_request(&spec, SPEC_PROBE_NONE, buf, sizeof buf);
	assert_true(n > 4);
	assert_string_equal(find(buf, (size_t)n, "REQUEST_METHOD"), "GET");
	assert_string_equal(find(buf, (size_t)n, "PATH_INFO"), "/");
	assert_string_equal(find(buf, (size_t)n, "HTTP_HOST"), "localhost");
	assert_string_equal(find(buf, (size_t)n, "HTTPS"), "on");
	spec.health = health;
	spec.health_host = host;
	n = probe_request(&spec, SPEC_PROBE_NONE, buf, sizeof buf);
	assert_string_equal(find(buf, (size_t)n, "REQUEST_URI"), "/up?deep=1");
	assert_string_equal(find(buf, (size_t)n, "HTTP_HOST"), "physionet.org");
}

/* The path of a request, and what comes after its '?'. */
static void test_query(void **state)
{
	char buf[PROBE_REQUEST_MAX], health[] = "/up?deep=1";
	struct spec spec = { .probe = SPEC_PROBE_UWSGI, .health = health };
	(void)state;
	int n = probe_request(&spec, SPEC_PROBE_NONE, buf, sizeof buf);
	assert_string_equal(find(buf, (size_t)n, "PATH_INFO"), "/up");
	assert_string_equal(find(buf, (size_t)n, "QUERY_STRING"), "deep=1");
}

/* What plain WSGI apps and Django look for is there, whatever the vassal's own sockets speak. */
static void test_private_socket(void **state)
{
	static const struct { const char *key, *value; } wanted[] = {
		{ "PATH_INFO", "/a b%zz%4" }, { "REQUEST_URI", "/a%20b%zz%4?x=%20" }, { "QUERY_STRING", "x=%20" }, { "SCRIPT_NAME", "" },
		{ "SERVER_NAME", "physionet.org" }, { "SERVER_PORT", "443" }, { "SERVER_PROTOCOL", "HTTP/1.1" }, { "HTTPS", "on" },
		{ "REMOTE_ADDR", "127.0.0.1" }, { "HTTP_HOST", "physionet.org:8443" }, { "CONTENT_LENGTH", "" }, { "CONTENT_TYPE", "" },
		{ "HTTP_X_FORWARDED_PROTO", "https" }, { "REQUEST_SCHEME", "https" },
	};
	char buf[PROBE_REQUEST_MAX], health[] = "/a%20b%zz%4?x=%20", host[] = "physionet.org:8443", ip6[] = "[::1]", ip6_port[] = "[::1]:80";
	struct spec spec = { .probe = SPEC_PROBE_HTTP, .health = health, .health_host = host };
	(void)state;
	int n = probe_request(&spec, SPEC_PROBE_UWSGI, buf, sizeof buf);
	assert_true(n > 4);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_string_equal(find(buf, (size_t)n, wanted[i].key), wanted[i].value);
	spec.health_host = ip6;
	n = probe_request(&spec, SPEC_PROBE_UWSGI, buf, sizeof buf);
	assert_string_equal(find(buf, (size_t)n, "SERVER_NAME"), "[::1]");
	spec.health_host = ip6_port;
	n = probe_request(&spec, SPEC_PROBE_UWSGI, buf, sizeof buf);
	assert_string_equal(find(buf, (size_t)n, "SERVER_NAME"), "[::1]");
	n = probe_request(NULL, SPEC_PROBE_UWSGI, buf, sizeof buf);
	assert_string_equal(find(buf, (size_t)n, "PATH_INFO"), "/");
	assert_string_equal(find(buf, (size_t)n, "HTTP_HOST"), "localhost");
}

static void test_passes(void **state)
{
	char health[] = "/up", list[] = "200,301,404";
	struct spec spec = { .health = health };
	(void)state;
	assert_true(probe_passes(NULL, 500));
	assert_false(probe_passes(NULL, 0));
	assert_false(probe_passes(NULL, -1));
	assert_true(probe_passes(&spec, 200) && probe_passes(&spec, 299));
	assert_false(probe_passes(&spec, 199) || probe_passes(&spec, 300) || probe_passes(&spec, 0) || probe_passes(&spec, -1));
	spec.health_status = list;
	assert_true(probe_passes(&spec, 200) && probe_passes(&spec, 301) && probe_passes(&spec, 404));
	assert_false(probe_passes(&spec, 204) || probe_passes(&spec, 20) || probe_passes(&spec, 4) || probe_passes(&spec, 0));
	spec.health = NULL;
	assert_true(probe_passes(&spec, 500));
}

static void test_http_request(void **state)
{
	char buf[PROBE_REQUEST_MAX], health[] = "/up", host[] = "physionet.org";
	struct spec spec = { .probe = SPEC_PROBE_HTTP, .health = health, .health_host = host };
	(void)state;
	int n = probe_request(&spec, SPEC_PROBE_NONE, buf, sizeof buf);
	assert_int_equal(n, strlen(buf));
	assert_int_equal(strncmp(buf, "GET /up HTTP/1.0\r\nHost: physionet.org\r\n", 39), 0);
	assert_string_equal(buf + n - 4, "\r\n\r\n");
}

static void test_too_long(void **state)
{
	static char health[PROBE_REQUEST_MAX], buf[PROBE_REQUEST_MAX];
	struct spec spec = { .health = health };
	const enum spec_protocol protocols[] = { SPEC_PROBE_UWSGI, SPEC_PROBE_HTTP };
	(void)state;
	memset(health, 'x', sizeof health - 1);
	for (size_t i = 0; i < 2; i++) {
		spec.probe = protocols[i];
		assert_int_equal(probe_request(&spec, SPEC_PROBE_NONE, buf, sizeof buf), -ENAMETOOLONG);
		health[3] = '\0';
		int whole = probe_request(&spec, SPEC_PROBE_NONE, buf, sizeof buf);
		assert_true(whole > 0);
		for (int size = 4; size < whole; size++)	/* at no size is anything cut, or written beyond */
			assert_int_equal(probe_request(&spec, SPEC_PROBE_NONE, buf, (size_t)size), -ENAMETOOLONG);
		health[3] = 'x';
	}
}

static int judge(const char *answer)
{
	return probe_judge(answer, strlen(answer));
}

static void test_judge(void **state)
{
	static const char own[] = "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nInternal Server Error";
	(void)state;
	assert_int_equal(judge("HTTP/1.1 200 OK\r\n\r\nhello"), 200);
	assert_int_equal(judge("HTTP/1.0 404 Not Found\r\n"), 404);
	assert_int_equal(judge("HTTP/1.1 204"), 204);
	assert_int_equal(judge("HTTP/1.1 20"), 0);
	assert_int_equal(judge("HTTP/1.1 2x0 OK"), 0);
	assert_int_equal(judge("HTTP/2.0 200 OK"), 0);
	assert_int_equal(judge("HTTP/1.1200 OK"), 0);
	assert_int_equal(judge(""), 0);
	assert_int_equal(judge("garbage that is long enough"), 0);
	assert_int_equal(judge(own), -1);
	assert_int_equal(probe_judge(own, sizeof own - 2), 500);	/* an app's own 500 */
	assert_int_equal(judge("HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\n\r\nInternal Server Error"), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uwsgi_request), cmocka_unit_test(test_query), cmocka_unit_test(test_private_socket),
		cmocka_unit_test(test_passes), cmocka_unit_test(test_http_request),
		cmocka_unit_test(test_too_long), cmocka_unit_test(test_judge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
