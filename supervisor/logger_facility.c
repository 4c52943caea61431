/* logger_facility: the argument of --log-syslog, "TAG[,FACILITY]" as uWSGI takes it. */
#include <errno.h>
#include <string.h>

#include "supervisor/logger.h"

static const struct { const char *name; int value; } facilities[] = {
	{ "auth", LOG_AUTH }, { "authpriv", LOG_AUTHPRIV }, { "cron", LOG_CRON }, { "daemon", LOG_DAEMON }, { "ftp", LOG_FTP },
	{ "kern", LOG_KERN }, { "lpr", LOG_LPR }, { "mail", LOG_MAIL }, { "news", LOG_NEWS }, { "security", LOG_AUTH },
	{ "syslog", LOG_SYSLOG }, { "user", LOG_USER }, { "uucp", LOG_UUCP }, { "local0", LOG_LOCAL0 }, { "local1", LOG_LOCAL1 },
	{ "local2", LOG_LOCAL2 }, { "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 }, { "local5", LOG_LOCAL5 },
	{ "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 },
};

int logger_syslog_argument(const char *argument, char *ident, size_t size, int *facility)
{
	size_t n = strcspn(argument, ",");
	int value = argument[n] ? -1 : LOG_DAEMON;
	for (size_t i = 0; argument[n] && i < sizeof(facilities) / sizeof(facilities[0]); i++)
		if (strcmp(argument + n + 1, facilities[i].name) == 0)
			value = facilities[i].value;
	if (value < 0)
		return -ENOENT;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)argument[i] <= ' ' || argument[i] == 0x7f)
			return -EINVAL;
	const char *tag = n > 0 ? argument : "regent";
	n = n > 0 ? n : strlen(tag);
	if (n >= size)
		return -EINVAL;
	memcpy(ident, tag, n);
	ident[n] = '\0';
	*facility = value;
	return 0;
}
