#include "vassals/spec_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "vassals/util.h"

/* Any-address as a client cannot call it, and loopback, which it stands for too. */
static int host(const char *text, size_t n, char *ret, size_t size)
{
	struct in_addr v4;
	struct in6_addr v6;
	char plain[INET6_ADDRSTRLEN];
	bool brackets = n >= 2 && text[0] == '[' && text[n - 1] == ']';
	if (brackets) {
		text++;
		n -= 2;
	}
	if (n >= sizeof(plain))
		return -EADDRNOTAVAIL;
	memcpy(plain, text, n);
	plain[n] = '\0';
	if (brackets) {
		if (inet_pton(AF_INET6, plain, &v6) != 1)
			return -EADDRNOTAVAIL;
		return util_format(ret, size, "[%s]", IN6_IS_ADDR_UNSPECIFIED(&v6) ? "::1" : plain);
	}
	if (n > 0 && inet_pton(AF_INET, plain, &v4) != 1)
		return -EADDRNOTAVAIL;
	return util_format(ret, size, "%s", n == 0 || v4.s_addr == INADDR_ANY ? "127.0.0.1" : plain);
}

int spec_probe_address(const char *socket, char **ret)
{
	char address[sizeof(((struct sockaddr_un *)0)->sun_path)], name[INET6_ADDRSTRLEN + 3];
	const char *colon = strrchr(socket, ':');
	int err;
	if (!colon) {
		err = socket[0] == '/' ? util_format(address, sizeof(address), "%s", socket) : -EADDRNOTAVAIL;
	} else {
		uint64_t port;
		err = util_parse_u64(colon + 1, 1, 65535, &port);
		if (err == 0)
			err = host(socket, (size_t)(colon - socket), name, sizeof(name));
		if (err == 0)
			err = util_format(address, sizeof(address), "%s:%u", name, (unsigned)port);
	}
	if (err < 0)
		return -EADDRNOTAVAIL;
	char *copy = strdup(address);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}
