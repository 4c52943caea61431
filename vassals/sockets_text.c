/* sockets, the text: what to hold. Strict, for the ruler that sends it may be hostile; opens nothing. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "vassals/sockets_inside.h"
#include "vassals/util.h"

enum word_kind { WORD_NUMBER, WORD_OCTAL, WORD_FLAG, WORD_IGNORED, WORD_NAME };

static const struct word { const char *name; enum word_kind kind; size_t offset; int min, max; } words[] = {
	{ "mode", WORD_OCTAL, offsetof(struct sockets_wish, mode), 0, 0777 },
	{ "umask", WORD_OCTAL, offsetof(struct sockets_wish, umask), 0, 0777 },
	{ "user", WORD_NAME, offsetof(struct sockets_wish, user), 0, 0 },
	{ "group", WORD_NAME, offsetof(struct sockets_wish, group), 0, 0 },
	{ "listen", WORD_NUMBER, offsetof(struct sockets_wish, backlog), 1, INT_MAX },
	{ "so-send-timeout", WORD_NUMBER, offsetof(struct sockets_wish, send_timeout), 0, INT_MAX },
	{ "socket-sndbuf", WORD_NUMBER, offsetof(struct sockets_wish, sndbuf), 0, INT_MAX },
	{ "socket-rcvbuf", WORD_NUMBER, offsetof(struct sockets_wish, rcvbuf), 0, INT_MAX },
	{ "tcp-fast-open", WORD_NUMBER, offsetof(struct sockets_wish, fast_open), 0, INT_MAX },
	{ "so-keepalive", WORD_FLAG, offsetof(struct sockets_wish, keepalive), 0, 1 },
	{ "tcp-nodelay", WORD_FLAG, offsetof(struct sockets_wish, tcp_nodelay), 0, 1 },
	{ "freebind", WORD_FLAG, offsetof(struct sockets_wish, freebind), 0, 1 },
	{ "reuse-port", WORD_IGNORED, 0, 0, 1 },
	{ "defer-accept", WORD_IGNORED, 0, 0, 1 },
	{ "no-defer-accept", WORD_IGNORED, 0, 0, 1 },
};

bool sockets_is_unix(const char *address)
{
	return address[0] == '/';
}

static int resolve_unix(const char *path, struct sockets_name *name)
{
	size_t length = strlen(path);
	const char *base = strrchr(path, '/') + 1;
	if (length >= sizeof(name->un.sun_path) || strchr(path, ':') || !*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return -EINVAL;
	name->un.sun_family = AF_UNIX;
	memcpy(name->un.sun_path, path, length + 1);
	name->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	return 0;
}

/* Only the spelling that inet_ntop gives: uWSGI compares that with the ini's word. */
static int resolve_host(char *host, struct sockets_name *name)
{
	size_t length = strlen(host);
	char again[INET6_ADDRSTRLEN] = "";
	if (length == 0)
		return 0;
	if (host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		host++;
		name->in6.sin6_family = AF_INET6;
		if (inet_pton(AF_INET6, host, &name->in6.sin6_addr) != 1 || !inet_ntop(AF_INET6, &name->in6.sin6_addr, again, sizeof(again)))
			return -EINVAL;
	} else if (inet_pton(AF_INET, host, &name->in.sin_addr) != 1 || !inet_ntop(AF_INET, &name->in.sin_addr, again, sizeof(again))) {
		return -EINVAL;
	}
	return strcmp(again, host) == 0 ? 0 : -EINVAL;
}

int sockets_resolve(const char *address, struct sockets_name *ret)
{
	struct sockets_name name;
	memset(&name, 0, sizeof(name));
	char host[SOCKETS_ADDRESS_MAX];
	uint64_t port;
	int r = 0;
	if (sockets_is_unix(address)) {
		r = resolve_unix(address, &name);
	} else {
		const char *colon = strrchr(address, ':');
		if (!colon || colon[1] == '0' || util_parse_u64(colon + 1, 1, 65535, &port) < 0
		    || util_format(host, sizeof(host), "%.*s", (int)(colon - address), address) < 0)
			return -EINVAL;
		name.in.sin_family = AF_INET;
		r = resolve_host(host, &name);
		bool six = name.any.sa_family == AF_INET6;
		name.length = six ? sizeof(name.in6) : sizeof(name.in);
		*(six ? &name.in6.sin6_port : &name.in.sin_port) = htons((uint16_t)port);
	}
	if (r == 0)
		*ret = name;
	return r;
}

static int read_octal(const char *text, int max, int *ret)
{
	int value = 0;
	if (!*text || strlen(text) > 4)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '7')
			return -EINVAL;
		value = value * 8 + (*text - '0');
	}
	if (value > max)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int take_value(const struct word *word, const char *value, struct sockets_wish *wish)
{
	void *field = (char *)wish + word->offset;
	uint64_t number;
	if (word->kind == WORD_OCTAL)
		return read_octal(value, word->max, field);
	if (word->kind == WORD_NAME) {
		if (!*value)
			return -EINVAL;
		return util_format(field, sizeof(wish->user), "%s", value) < 0 ? -E2BIG : 0;
	}
	if (util_parse_u64(value, (uint64_t)word->min, (uint64_t)word->max, &number) < 0)
		return -EINVAL;
	if (word->kind != WORD_IGNORED)
		*(int *)field = (int)number;
	return 0;
}

static int take_word(char *text, struct sockets_wish *wish, unsigned *seen)
{
	char *equals = strchr(text, '=');
	if (!equals)
		return -EINVAL;
	*equals = '\0';
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].name, text) == 0) {
			if (*seen & 1U << i)
				return -EINVAL;
			*seen |= 1U << i;
			return take_value(&words[i], equals + 1, wish);
		}
	return -EINVAL;
}

static int take_options(char *line, struct sockets_wish *wish)
{
	unsigned seen = 0;
	int r = 0;
	for (char *word = line, *next; r == 0 && *line && word; word = next) {
		next = strchr(word, ' ');
		if (next)
			*next++ = '\0';
		r = take_word(word, wish, &seen);
	}
	return r;
}

static int take_address(const char *line, struct sockets_wish *wish)
{
	struct sockets_name name, other;
	size_t length = strlen(line);
	if (wish->n == SOCKETS_MAX || length >= SOCKETS_ADDRESS_MAX)
		return -E2BIG;
	if (sockets_resolve(line, &name) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < wish->n; i++)
		if (sockets_resolve(wish->address[i], &other) == 0 && other.length == name.length && memcmp(&other.any, &name.any, name.length) == 0)
			return -EINVAL;
	memcpy(wish->address[wish->n++], line, length + 1);
	return 0;
}

int sockets_parse(const char *text, struct sockets_wish *ret)
{
	char copy[SOCKETS_TEXT_MAX];
	struct sockets_wish wish = { .mode = -1, .umask = -1, .backlog = 100 };
	size_t length = strnlen(text, sizeof(copy));
	if (length == sizeof(copy))
		return -E2BIG;
	memcpy(copy, text, length + 1);
	for (size_t i = 0; i < length; i++)
		if (((unsigned char)copy[i] < ' ' && copy[i] != '\n') || copy[i] == 0x7f)
			return -EINVAL;
	int r = length > 0 && copy[length - 1] == '\n' ? 0 : -EINVAL;
	bool first = true;
	for (char *line = copy, *end; r == 0 && *line; line = end + 1, first = false) {
		end = strchr(line, '\n');
		*end = '\0';
		r = first ? take_options(line, &wish) : take_address(line, &wish);
	}
	if (r == 0 && wish.n == 0)
		r = -EINVAL;
	if (r == 0)
		*ret = wish;
	return r;
}
