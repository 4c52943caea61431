#include "vassals/spec_keys.h"

#include <stddef.h>
#include <string.h>

#include "vassals/util.h"

static const struct { const char *name; enum spec_key key; } keys[] = {
	{ "cheap", SPEC_KEY_CHEAP },
	{ "workers", SPEC_KEY_WORKERS }, { "processes", SPEC_KEY_WORKERS },
	{ "emperor", SPEC_KEY_EMPEROR },
	{ "need-app", SPEC_KEY_NEED_APP },

	{ "module", SPEC_KEY_APP }, { "wsgi", SPEC_KEY_APP }, { "wsgi-file", SPEC_KEY_APP }, { "file", SPEC_KEY_APP },
	{ "eval", SPEC_KEY_APP }, { "mount", SPEC_KEY_APP }, { "paste", SPEC_KEY_APP }, { "pecan", SPEC_KEY_APP },
	{ "web3", SPEC_KEY_APP }, { "pump", SPEC_KEY_APP }, { "wsgi-lite", SPEC_KEY_APP },

	{ "socket", SPEC_KEY_SOCKET }, { "uwsgi-socket", SPEC_KEY_UWSGI_SOCKET },
	{ "http-socket", SPEC_KEY_HTTP_SOCKET }, { "http11-socket", SPEC_KEY_HTTP_SOCKET },
	{ "https-socket", SPEC_KEY_OTHER_SOCKET }, { "suwsgi-socket", SPEC_KEY_OTHER_SOCKET },
	{ "ssl-socket", SPEC_KEY_OTHER_SOCKET }, { "puwsgi-socket", SPEC_KEY_OTHER_SOCKET },
	{ "fastcgi-socket", SPEC_KEY_OTHER_SOCKET }, { "fastcgi-nph-socket", SPEC_KEY_OTHER_SOCKET },
	{ "scgi-socket", SPEC_KEY_OTHER_SOCKET }, { "scgi-nph-socket", SPEC_KEY_OTHER_SOCKET },
	{ "raw-socket", SPEC_KEY_OTHER_SOCKET }, { "zerg", SPEC_KEY_OTHER_SOCKET },
	{ "protocol", SPEC_KEY_PROTOCOL }, { "socket-protocol", SPEC_KEY_PROTOCOL },
	{ "abstract-socket", SPEC_KEY_ABSTRACT },

	{ "http", SPEC_KEY_HTTP }, { "httprouter", SPEC_KEY_HTTP }, { "https", SPEC_KEY_HTTP },
	{ "https2", SPEC_KEY_HTTP }, { "http-to-https", SPEC_KEY_HTTP },
	{ "http-to", SPEC_KEY_HTTP_BACKEND }, { "http-use-cache", SPEC_KEY_HTTP_BACKEND },
	{ "http-use-pattern", SPEC_KEY_HTTP_BACKEND }, { "http-use-base", SPEC_KEY_HTTP_BACKEND },
	{ "http-use-code-string", SPEC_KEY_HTTP_BACKEND }, { "http-use-socket", SPEC_KEY_HTTP_BACKEND },
	{ "http-subscription-server", SPEC_KEY_HTTP_BACKEND },
	{ "fastrouter", SPEC_KEY_BUSY }, { "fastrouter-subscription-server", SPEC_KEY_BUSY },
	{ "rawrouter", SPEC_KEY_BUSY }, { "rawrouter-subscription-server", SPEC_KEY_BUSY },
	{ "sslrouter", SPEC_KEY_BUSY }, { "sslrouter2", SPEC_KEY_BUSY },
	{ "sslrouter-subscription-server", SPEC_KEY_BUSY },
	{ "forkptyrouter", SPEC_KEY_BUSY }, { "forkpty-router", SPEC_KEY_BUSY },
	{ "forkptyurouter", SPEC_KEY_BUSY }, { "forkpty-urouter", SPEC_KEY_BUSY }, { "tuntap-router", SPEC_KEY_BUSY },
	{ "cron", SPEC_KEY_BUSY }, { "cron2", SPEC_KEY_BUSY }, { "unique-cron", SPEC_KEY_BUSY },
	{ "spooler", SPEC_KEY_BUSY },
	{ "attach-daemon", SPEC_KEY_BUSY }, { "attach-daemon2", SPEC_KEY_BUSY },
	{ "attach-control-daemon", SPEC_KEY_BUSY }, { "smart-attach-daemon", SPEC_KEY_BUSY },
	{ "smart-attach-daemon2", SPEC_KEY_BUSY },

	{ "logger", SPEC_KEY_LOGGER }, { "log-syslog", SPEC_KEY_LOG_SYSLOG }, { "log-socket", SPEC_KEY_LOG_SOCKET },
	{ "logto", SPEC_KEY_LOGTO }, { "logto2", SPEC_KEY_LOGTO },
	{ "daemonize", SPEC_KEY_LOGTO }, { "daemonize2", SPEC_KEY_LOGTO },
	{ "uid", SPEC_KEY_UID }, { "immediate-uid", SPEC_KEY_UID },
	{ "gid", SPEC_KEY_GID }, { "immediate-gid", SPEC_KEY_GID },

	{ "set", SPEC_KEY_SET },
	{ "set-placeholder", SPEC_KEY_PLACEHOLDER }, { "set-ph", SPEC_KEY_PLACEHOLDER },
	{ "include", SPEC_KEY_ELSEWHERE }, { "inherit", SPEC_KEY_ELSEWHERE }, { "config", SPEC_KEY_ELSEWHERE },
	{ "ini", SPEC_KEY_ELSEWHERE }, { "xml", SPEC_KEY_ELSEWHERE }, { "xmlconfig", SPEC_KEY_ELSEWHERE },
	{ "yaml", SPEC_KEY_ELSEWHERE }, { "yml", SPEC_KEY_ELSEWHERE }, { "json", SPEC_KEY_ELSEWHERE },
	{ "js", SPEC_KEY_ELSEWHERE }, { "ldap", SPEC_KEY_ELSEWHERE }, { "ini-paste", SPEC_KEY_ELSEWHERE },
	{ "ini-paste-logged", SPEC_KEY_ELSEWHERE },
	{ "declare-option", SPEC_KEY_ELSEWHERE }, { "declare-option2", SPEC_KEY_ELSEWHERE },

	{ "for", SPEC_KEY_BLOCK }, { "for-glob", SPEC_KEY_BLOCK }, { "for-times", SPEC_KEY_BLOCK },
	{ "for-readline", SPEC_KEY_BLOCK }, { "ifenv", SPEC_KEY_BLOCK }, { "ifexists", SPEC_KEY_BLOCK },
	{ "ifplugin", SPEC_KEY_BLOCK }, { "iffile", SPEC_KEY_BLOCK }, { "ifdir", SPEC_KEY_BLOCK },
	{ "ifopt", SPEC_KEY_BLOCK }, { "ifreload", SPEC_KEY_BLOCK }, { "ifhostname", SPEC_KEY_BLOCK },
	{ "end", SPEC_KEY_END }, { "endfor", SPEC_KEY_END }, { "endif", SPEC_KEY_END },
	{ "end-if", SPEC_KEY_END }, { "end-for", SPEC_KEY_END },
};

static bool starts(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

enum spec_key spec_key_find(const char *name)
{
	if (starts(name, "if-"))
		return SPEC_KEY_BLOCK;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return keys[i].key;
	return SPEC_KEY_NONE;
}

bool spec_key_is_command(const char *name)
{
	return starts(name, "exec-") || starts(name, "hook-") || strstr(name, "daemon") || strstr(name, "cron") ||
	       strstr(name, "route") || strstr(name, "declare-option") || strcmp(name, "eval") == 0;
}

static const struct { const char *name; enum spec_own own; } owns[] = {
	{ "health", SPEC_OWN_HEALTH },
	{ "health-host", SPEC_OWN_HEALTH_HOST },
	{ "ready-for", SPEC_OWN_READY_FOR },
	{ "start-timeout", SPEC_OWN_START_TIMEOUT },
	{ "hold-sockets", SPEC_OWN_LATER },
	{ "handover", SPEC_OWN_LATER },
	{ "reload-on-change", SPEC_OWN_RELOAD_ON_CHANGE },
	{ "retire-mercy", SPEC_OWN_LATER },
	{ "drain", SPEC_OWN_LATER },
	{ "health-timeout", SPEC_OWN_LATER },
	{ "health-interval", SPEC_OWN_LATER },
};

enum spec_own spec_own_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(owns); i++)
		if (strcmp(owns[i].name, name) == 0)
			return owns[i].own;
	return SPEC_OWN_UNKNOWN;
}

/* One byte wrong, missing, added, or two swapped. */
static bool one_slip(const char *a, const char *b)
{
	size_t i = 0, la = strlen(a), lb = strlen(b);
	while (a[i] && a[i] == b[i])
		i++;
	if (la == lb)
		return strcmp(a + i + (la > i), b + i + (lb > i)) == 0 ||
		       (la > i + 1 && a[i] == b[i + 1] && a[i + 1] == b[i] && strcmp(a + i + 2, b + i + 2) == 0);
	if (la == lb + 1)
		return strcmp(a + i + 1, b + i) == 0;
	return lb == la + 1 && strcmp(a + i, b + i + 1) == 0;
}

const char *spec_own_similar(const char *name)
{
	char dashed[32];
	if (strlen(name) >= sizeof(dashed))
		return NULL;
	for (size_t i = 0; i == 0 || name[i - 1]; i++)
		dashed[i] = name[i] == '_' ? '-' : name[i];
	for (size_t i = 0; i < ARRAY_SIZE(owns); i++)
		if (one_slip(dashed, owns[i].name))
			return owns[i].name;
	return NULL;
}
