#include "vassals/spec_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vassals/spec_keys.h"
#include "vassals/spec_probe.h"
#include "vassals/util.h"

bool spec_is_true(const char *value)
{
	return strcasecmp(value, "false") != 0 && strcasecmp(value, "off") != 0 && strcasecmp(value, "no") != 0 &&
	       strcmp(value, "0") != 0;
}

/* A logger with an id ("errors file:/x") gets only what log-route sends it; stdio is our pipe. */
static int take_logger(struct spec_build *b, const char *prefix, const char *value)
{
	size_t id = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
	if (!prefix[0] && value[id] == ' ')
		return 0;
	if (!prefix[0] && (strcmp(value, "stdio") == 0 || strncmp(value, "stdio:", 6) == 0))
		return 0;
	if (b->spec->logger)
		return 0;
	if (!prefix[0] && strncmp(value, "file:", 5) == 0)
		return spec_set_text(&b->spec->logger, value + 5);
	if (asprintf(&b->spec->logger, "%s%s%s", prefix, prefix[0] && value[0] ? ":" : "", value) < 0) {
		b->spec->logger = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int take_socket(struct spec_build *b, enum spec_key key, const char *value)
{
	b->socket = true;
	char **slot = key == SPEC_KEY_SOCKET ? &b->plain : &b->fixed;
	if (!value || key == SPEC_KEY_OTHER_SOCKET || *slot)
		return 0;
	int err = spec_probe_address(value, slot);
	if (err == -EADDRNOTAVAIL)
		return 0;
	if (err < 0)
		return err;
	if (key == SPEC_KEY_SOCKET)
		b->plain_first = !b->fixed;
	else
		b->fixed_protocol = key == SPEC_KEY_HTTP_SOCKET ? SPEC_PROBE_HTTP : SPEC_PROBE_UWSGI;
	return 0;
}

/* Booleans and presence. value NULL: not resolved. */
static int take_flag(struct spec_build *b, enum spec_key key, const char *value)
{
	bool on = value && spec_is_true(value);
	if (key == SPEC_KEY_CHEAP) {
		b->cheap = on;
		b->cheap_unsure = !value;
	} else if (key == SPEC_KEY_WORKERS) {
		b->no_workers = value && strtol(value, NULL, 10) == 0;
		b->workers_unsure = !value;
	} else if (key == SPEC_KEY_NEED_APP) {
		b->spec->need_app = on;
	} else if (key == SPEC_KEY_ABSTRACT) {
		b->abstract = !value || on;
	} else if (key == SPEC_KEY_LAZY) {
		b->spec->lazy = !value || on;
	}
	return 0;
}

static int take_setting(struct spec_build *b, enum spec_key key, const char *value)
{
	switch (key) {
	case SPEC_KEY_CHEAP: case SPEC_KEY_WORKERS: case SPEC_KEY_NEED_APP: case SPEC_KEY_ABSTRACT: case SPEC_KEY_LAZY:
		return take_flag(b, key, value);
	case SPEC_KEY_EMPEROR:
		b->emperor = true;
		return 0;
	case SPEC_KEY_APP:
		b->spec->has_app = true;
		return 0;
	case SPEC_KEY_SOCKET: case SPEC_KEY_UWSGI_SOCKET: case SPEC_KEY_HTTP_SOCKET: case SPEC_KEY_OTHER_SOCKET:
		return take_socket(b, key, value);
	case SPEC_KEY_PROTOCOL:
		b->protocol_unsure = !value;
		return spec_set_text(&b->protocol, value);
	case SPEC_KEY_HTTP:
		b->http = true;
		return 0;
	case SPEC_KEY_HTTP_BACKEND:
		b->http_backend = true;
		return 0;
	case SPEC_KEY_BUSY:
		b->busy = true;
		return 0;
	case SPEC_KEY_LOGGER:
		return value ? take_logger(b, "", value) : 0;
	case SPEC_KEY_LOG_SYSLOG:
		return take_logger(b, "syslog", value ? value : "");
	case SPEC_KEY_LOG_SOCKET:
		return take_logger(b, "socket", value ? value : "");
	case SPEC_KEY_LOGTO:
		return spec_set_text(&b->logto, value);
	case SPEC_KEY_UID:
		return spec_set_text(&b->spec->uid, value);
	case SPEC_KEY_GID:
		return spec_set_text(&b->spec->gid, value);
	case SPEC_KEY_NONE: case SPEC_KEY_SET: case SPEC_KEY_PLACEHOLDER: case SPEC_KEY_INI: case SPEC_KEY_INCLUDE:
	case SPEC_KEY_INHERIT: case SPEC_KEY_ELSEWHERE: case SPEC_KEY_BLOCK: case SPEC_KEY_END:
		break;
	}
	return 0;
}

/* value NULL: not resolved. */
static int take_double(struct spec_build *b, const char *name, const char *value)
{
	char where[SPEC_WHERE_SIZE];
	const struct spec_double *row = b->spec->no_double ? NULL : spec_double_find(name);
	if (!row || (row->needs && value && !strstr(value, row->needs)))
		return 0;
	if (asprintf(&b->spec->no_double, "%s: %s: %s", spec_where(b, where), name, row->why) < 0) {
		b->spec->no_double = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* Its value is not needed, only that it is there. */
static bool by_presence(enum spec_key key)
{
	return key == SPEC_KEY_NONE || key == SPEC_KEY_INHERIT || key == SPEC_KEY_APP || key == SPEC_KEY_EMPEROR || key == SPEC_KEY_HTTP ||
	       key == SPEC_KEY_HTTP_BACKEND || key == SPEC_KEY_BUSY || key == SPEC_KEY_OTHER_SOCKET;
}

int spec_take_uwsgi(struct spec_build *b, const struct spec_line *setting)
{
	const char *name = setting->name, *value = setting->value;
	enum spec_key key = spec_key_find(name);
	int err = 0;
	if (setting->kind == SPEC_SETTING_PLACEHOLDER)
		return 0;
	b->file = setting->file;
	b->line = setting->line;
	if (!value && !by_presence(key))
		err = spec_unsure(b, name);
	err = err < 0 ? err : take_setting(b, key, value);
	err = err < 0 ? err : take_double(b, name, value);
	return err < 0 ? err : spec_hold_take(b, name, value);
}
