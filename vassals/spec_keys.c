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

	{ "lazy", SPEC_KEY_LAZY },
	{ "logger", SPEC_KEY_LOGGER }, { "log-syslog", SPEC_KEY_LOG_SYSLOG }, { "log-socket", SPEC_KEY_LOG_SOCKET },
	{ "logto", SPEC_KEY_LOGTO }, { "logto2", SPEC_KEY_LOGTO },
	{ "daemonize", SPEC_KEY_LOGTO }, { "daemonize2", SPEC_KEY_LOGTO },
	{ "uid", SPEC_KEY_UID }, { "immediate-uid", SPEC_KEY_UID },
	{ "gid", SPEC_KEY_GID }, { "immediate-gid", SPEC_KEY_GID },

	{ "set", SPEC_KEY_SET },
	{ "set-placeholder", SPEC_KEY_PLACEHOLDER }, { "set-ph", SPEC_KEY_PLACEHOLDER },
	{ "include", SPEC_KEY_INCLUDE }, { "inherit", SPEC_KEY_INHERIT }, { "ini", SPEC_KEY_INI },
	{ "config", SPEC_KEY_ELSEWHERE }, { "xml", SPEC_KEY_ELSEWHERE }, { "xmlconfig", SPEC_KEY_ELSEWHERE },
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

bool spec_key_is_immediate(const char *name)
{
	static const char *const names[] = { "listen", "umask", "immediate-uid", "immediate-gid", "spooler-processes", "plugin", "plugins",
					     "need-plugin", "need-plugins", "strict", "flock", "flock-wait", "flock2", "flock-wait2" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

bool spec_key_is_command(const char *name)
{
	return starts(name, "exec-") || starts(name, "hook-") || strstr(name, "daemon") || strstr(name, "cron") ||
	       strstr(name, "route") || strstr(name, "declare-option") || strcmp(name, "eval") == 0;
}

static const char bound[] = "its address can be bound once", router[] = "a router process binds it by itself",
	pidfile[] = "one file for two, and vacuum removes it", cron[] = "it would run twice", daemon[] = "it would run twice",
	spooler[] = "two would work in one directory", legion[] = "one node would be two", lock[] = "the second one waits or ends";

/* What a vassal shares with nobody, not even with its own next generation. What apps do by themselves cannot be seen here: timers, crons,
 * mules and spoolers of uwsgidecorators, threads, files and ports that they open. */
static const struct spec_double doubles[] = {
	{ "stats", bound, NULL }, { "stats-server", bound, NULL }, { "http-stats", bound, NULL },
	{ "http-stats-server", bound, NULL }, { "http-ss", bound, NULL }, { "fastrouter-stats", bound, NULL },
	{ "fastrouter-stats-server", bound, NULL }, { "fastrouter-ss", bound, NULL }, { "rawrouter-stats", bound, NULL },
	{ "rawrouter-stats-server", bound, NULL }, { "rawrouter-ss", bound, NULL }, { "sslrouter-stats", bound, NULL },
	{ "sslrouter-stats-server", bound, NULL }, { "sslrouter-ss", bound, NULL },
	{ "udp", bound, NULL }, { "multicast", bound, NULL }, { "snmp", bound, NULL }, { "cache-udp-server", bound, NULL },
	{ "zerg-server", bound, NULL }, { "zerg-pool", bound, NULL }, { "zergpool", bound, NULL }, { "setns-socket", bound, NULL },
	{ "fork-socket", bound, NULL }, { "notify-socket", bound, NULL }, { "pty-socket", bound, NULL },
	{ "http", router, NULL }, { "httprouter", router, NULL }, { "https", router, NULL }, { "https2", router, NULL },
	{ "http-to-https", router, NULL }, { "http-subscription-server", router, NULL }, { "fastrouter", router, NULL },
	{ "fastrouter-subscription-server", router, NULL }, { "rawrouter", router, NULL },
	{ "rawrouter-subscription-server", router, NULL }, { "sslrouter", router, NULL }, { "sslrouter2", router, NULL },
	{ "sslrouter-subscription-server", router, NULL }, { "forkptyrouter", router, NULL }, { "forkpty-router", router, NULL },
	{ "forkptyurouter", router, NULL }, { "forkpty-urouter", router, NULL }, { "tuntap-router", router, NULL },
	{ "tuntap-device", router, NULL },
	{ "pidfile", pidfile, NULL }, { "pidfile2", pidfile, NULL }, { "safe-pidfile", pidfile, NULL },
	{ "safe-pidfile2", pidfile, NULL },
	{ "master-fifo", "the later one takes the commands of the earlier", NULL },
	{ "cron", cron, NULL }, { "cron2", cron, NULL }, { "unique-cron", cron, NULL },
	{ "legion-cron", legion, NULL }, { "cron-legion", legion, NULL }, { "unique-legion-cron", legion, NULL },
	{ "unique-cron-legion", legion, NULL },
	{ "timer", "its signal would be raised twice", NULL }, { "signal-timer", "its signal would be raised twice", NULL },
	{ "rbtimer", "its signal would be raised twice", NULL }, { "signal-rbtimer", "its signal would be raised twice", NULL },
	{ "mule", "its work would be done twice", NULL }, { "mules", "its work would be done twice", NULL },
	{ "farm", "its work would be done twice", NULL },
	{ "spooler", spooler, NULL }, { "spooler-external", spooler, NULL },
	{ "attach-daemon", daemon, NULL }, { "attach-daemon2", daemon, NULL }, { "attach-control-daemon", daemon, NULL },
	{ "smart-attach-daemon", daemon, NULL }, { "smart-attach-daemon2", daemon, NULL },
	{ "legion-attach-daemon", daemon, NULL }, { "legion-smart-attach-daemon", daemon, NULL },
	{ "legion-smart-attach-daemon2", daemon, NULL },
	{ "legion", legion, NULL }, { "legion-mcast", legion, NULL }, { "legion-node", legion, NULL },
	{ "legion-lord", legion, NULL },
	{ "emperor", "an Emperor of its own", NULL }, { "emperor-proxy-socket", "an Emperor of its own", NULL },
	{ "subscribe-to", "its end takes the common address from the router", NULL },
	{ "st", "its end takes the common address from the router", NULL },
	{ "subscribe", "its end takes the common address from the router", NULL },
	{ "subscribe2", "its end takes the common address from the router", NULL },
	{ "flock", lock, NULL }, { "flock2", lock, NULL }, { "flock-wait", lock, NULL }, { "flock-wait2", lock, NULL },
	{ "cache-store", "both would write the file", NULL }, { "queue-store", "both would write the file", NULL },
	{ "metrics-dir", "both would write the file", NULL }, { "rrdtool", "both would write the file", NULL },
	{ "carbon", "both would report under one name", NULL },
	{ "cache2", "both would write the file", "store=" },
};

const struct spec_double *spec_double_row(unsigned i)
{
	return i < ARRAY_SIZE(doubles) ? &doubles[i] : NULL;
}

const struct spec_double *spec_double_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(doubles); i++)
		if (strcmp(doubles[i].name, name) == 0)
			return &doubles[i];
	return NULL;
}

static const struct { const char *name; enum spec_own own; } owns[] = {
	{ "health", SPEC_OWN_HEALTH },
	{ "health-host", SPEC_OWN_HEALTH_HOST },
	{ "health-status", SPEC_OWN_HEALTH_STATUS },
	{ "health-timeout", SPEC_OWN_HEALTH_TIMEOUT },
	{ "health-interval", SPEC_OWN_HEALTH_INTERVAL },
	{ "health-restart", SPEC_OWN_HEALTH_RESTART },
	{ "ready-for", SPEC_OWN_READY_FOR },
	{ "start-timeout", SPEC_OWN_START_TIMEOUT },
	{ "reload-on-change", SPEC_OWN_RELOAD_ON_CHANGE },
	{ "hold-sockets", SPEC_OWN_HOLD_SOCKETS },
	{ "handover", SPEC_OWN_HANDOVER },
	{ "retire-mercy", SPEC_OWN_RETIRE_MERCY },
	{ "drain", SPEC_OWN_DRAIN },
};

enum spec_own spec_own_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(owns); i++)
		if (strcmp(owns[i].name, name) == 0)
			return owns[i].own;
	return SPEC_OWN_UNKNOWN;
}

const char *spec_own_name(unsigned i)
{
	return i < ARRAY_SIZE(owns) ? owns[i].name : NULL;
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
