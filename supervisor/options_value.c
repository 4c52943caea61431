#include "supervisor/options_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "supervisor/logger.h"
#include "vassals/identity.h"
#include "vassals/spec.h"
#include "vassals/util.h"

#define SAY(...) options_say(err, setting, __VA_ARGS__)

static void *field(struct options *o, const struct options_row *row)
{
	return (char *)o + row->offset;
}

static int set_text(char **text, const char *value, const struct options_setting *setting, FILE *err)
{
	char *copy = strdup(value);
	if (!copy)
		return SAY("out of memory");
	free(*text);
	*text = copy;
	return 0;
}

/* Takes item, also on failure. */
static int add_item(struct options_list *list, char *item, const struct options_setting *setting, FILE *err)
{
	char **items = item ? reallocarray(list->items, list->n + 2, sizeof(*items)) : NULL;
	if (!items) {
		free(item);
		return SAY("out of memory");
	}
	list->items = items;
	items[list->n++] = item;
	items[list->n] = NULL;
	return 0;
}

/* 1, 0, or -1 for neither. An empty value is the bare key. */
static int truth(const char *value)
{
	static const char *const on[] = { "", "true", "on", "yes", "1" }, *const off[] = { "false", "off", "no", "0" };
	for (size_t i = 0; value && i < ARRAY_SIZE(off); i++)
		if (strcasecmp(value, off[i]) == 0)
			return 0;
	for (size_t i = 0; value && i < ARRAY_SIZE(on); i++)
		if (strcasecmp(value, on[i]) == 0)
			return 1;
	return value ? -1 : 1;
}

static int store_flag(bool *flag, const struct options_setting *setting, FILE *err)
{
	int yes = truth(setting->value);
	if (yes < 0)
		return SAY("neither true nor false: '%s'", setting->value);
	*flag = yes;
	return 0;
}

static int store_log_date(bool *flag, const struct options_setting *setting, FILE *err)
{
	int yes = truth(setting->value);
	if (yes < 0)
		SAY("warning: times are ISO 8601; the format '%s' is not used", setting->value);
	*flag = yes != 0;
	return 0;
}

static int store_handover(int *handover, const struct options_setting *setting, FILE *err)
{
	int yes = truth(setting->value);
	if (setting->value && strcasecmp(setting->value, "force") == 0)
		*handover = SPEC_HANDOVER_FORCE;
	else if (yes < 0)
		return SAY("neither yes, no nor force: '%s'", setting->value);
	else
		*handover = yes ? SPEC_HANDOVER_YES : SPEC_HANDOVER_NO;
	return 0;
}

static int store_number(uint32_t *number, const struct options_setting *setting, FILE *err)
{
	uint64_t value;
	int r = util_parse_u64(setting->value, setting->row->min, setting->row->max, &value);
	if (r == -ERANGE)
		return SAY("%s is not in %llu to %llu", setting->value, (unsigned long long)setting->row->min,
			   (unsigned long long)setting->row->max);
	if (r < 0)
		return SAY("not a number: '%s'", setting->value);
	*number = (uint32_t)value;
	return 0;
}

/* Seconds with at most three decimals, as ms. 0, -EINVAL, -ERANGE. */
static int parse_duration(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	char whole[16];
	size_t n = strcspn(text, ".");
	if (n == 0 || n >= sizeof(whole))
		return -EINVAL;
	memcpy(whole, text, n);
	whole[n] = '\0';
	uint64_t seconds, ms = 0;
	int r = util_parse_u64(whole, 0, UINT32_MAX, &seconds);
	if (r < 0)
		return r;
	if (text[n] == '.') {
		const char *decimals = text + n + 1;
		size_t places = strlen(decimals);
		if (places == 0 || places > 3)
			return -EINVAL;
		r = util_parse_u64(decimals, 0, 999, &ms);
		for (; places < 3; places++)
			ms *= 10;
	}
	if (r < 0)
		return r;
	ms += seconds * 1000;
	if (ms < min || ms > max)
		return -ERANGE;
	*ret = ms;
	return 0;
}

static int store_duration(uint32_t *number, const struct options_setting *setting, FILE *err)
{
	uint64_t ms;
	int r = parse_duration(setting->value, setting->row->min, setting->row->max, &ms);
	if (r == -ERANGE)
		return SAY("%s is not in %g to %g seconds", setting->value, (double)setting->row->min / 1000, (double)setting->row->max / 1000);
	if (r < 0)
		return SAY("not a number of seconds (as 2 or 0.5): '%s'", setting->value);
	*number = (uint32_t)ms;
	return 0;
}

static int store_log_file(char **text, const struct options_setting *setting, FILE *err)
{
	const char *value = setting->value;
	if (value[0] != '/' && strchr(value, ':'))
		return SAY("'%s' looks like a UDP address, which regent cannot log to: give a file, or use log-syslog", value);
	return set_text(text, value, setting, err);
}

static int store_syslog(char **text, const struct options_setting *setting, FILE *err)
{
	const char *value = setting->value ? setting->value : "";
	char tag[LOGGER_IDENT_MAX];
	int facility, r = logger_syslog_argument(value, tag, sizeof(tag), &facility);
	if (r == -ENOENT)
		return SAY("no such syslog facility: '%s'", strchr(value, ',') + 1);
	if (r < 0)
		return SAY("not a syslog tag: '%s'", value);
	if (*value && truth(value) >= 0)
		SAY("warning: '%s' is the tag, as it is for uWSGI; leave it out for the usual one", value);
	return set_text(text, value, setting, err);
}

static int store_extension(struct options_list *list, const struct options_setting *setting, FILE *err)
{
	const char *value = setting->value + (setting->value[0] == '.');
	char *item;
	if (!*value || strchr(value, '/'))
		return SAY("not an extension: '%s'", setting->value);
	return add_item(list, asprintf(&item, ".%s", value) < 0 ? NULL : item, setting, err);
}

static int store_users(struct options_list *list, const struct options_setting *setting, FILE *err)
{
	CLEANUP_FREE char *copy = strdup(setting->value);
	char *rest, *user = copy ? strtok_r(copy, ", \t", &rest) : NULL;
	if (!user)
		return SAY("names no user");
	for (; user; user = strtok_r(NULL, ", \t", &rest)) {
		uid_t uid;
		if (identity_user(user, &uid, NULL) < 0)
			return SAY("no user '%s'", user);
		int r = add_item(list, strdup(user), setting, err);
		if (r)
			return r;
	}
	return 0;
}

/* VERB[,VERB]; which verbs there are is known elsewhere. "*": all. */
static bool is_verbs(const char *verbs, size_t n)
{
	bool fresh = true;	/* a verb must begin here */
	if (n == 1 && verbs[0] == '*')
		return true;
	for (size_t i = 0; i < n; i++) {
		bool comma = verbs[i] == ',';
		if ((comma && fresh) || (!comma && verbs[i] != '-' && (verbs[i] < 'a' || verbs[i] > 'z')))
			return false;
		fresh = comma;
	}
	return !fresh;
}

/* "USER|@GROUP VERB[,VERB] [GLOB]". Who is not looked up here: a user gone since must not keep the sites down. */
static int store_allow(struct options_list *list, const struct options_setting *setting, FILE *err)
{
	const char *who = setting->value, *blanks = " \t";
	size_t n_who = strcspn(who, blanks);
	const char *verbs = who + n_who + strspn(who + n_who, blanks);
	size_t n_verbs = strcspn(verbs, blanks);
	const char *glob = verbs + n_verbs + strspn(verbs + n_verbs, blanks);
	if (n_who == 0 || (who[0] == '@' && n_who == 1) || n_verbs == 0 || glob[strcspn(glob, blanks)])
		return SAY("not \"USER|@GROUP VERB[,VERB] [GLOB]\": '%s'", who);
	if (!is_verbs(verbs, n_verbs))
		return SAY("not a list of verbs: '%.*s'", (int)n_verbs, verbs);
	return add_item(list, strdup(who), setting, err);
}

int options_value_store(struct options *o, const struct options_setting *setting, FILE *err)
{
	const struct options_row *row = setting->row;
	void *to = field(o, row);
	if (row->argument == ARGUMENT_REQUIRED && (!setting->value || !*setting->value))
		return SAY("needs an argument");
	switch (row->kind) {
	case OPTION_FLAG: return store_flag(to, setting, err);
	case OPTION_TEXT: return set_text(to, setting->value, setting, err);
	case OPTION_LOG_FILE: return store_log_file(to, setting, err);
	case OPTION_LIST: return add_item(to, strdup(setting->value), setting, err);
	case OPTION_EXTENSION: return store_extension(to, setting, err);
	case OPTION_USERS: return store_users(to, setting, err);
	case OPTION_ALLOW: return store_allow(to, setting, err);
	case OPTION_NUMBER: return store_number(to, setting, err);
	case OPTION_DURATION: return store_duration(to, setting, err);
	case OPTION_SYSLOG: return store_syslog(to, setting, err);
	case OPTION_HANDOVER: return store_handover(to, setting, err);
	case OPTION_LOG_DATE: return store_log_date(to, setting, err);
	case OPTION_NOTHING: case OPTION_INI: case OPTION_SET: case OPTION_PLACEHOLDER: case OPTION_KINDS: break;
	}
	return 0;
}

int options_value_defaults(struct options *o)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	o->max_starting = 2 * (uint32_t)(cpus > 0 ? cpus : 1);
	o->uid_number = IDENTITY_NONE;
	o->gid_number = (gid_t)-1;
	for (size_t i = 0; i < options_n_rows; i++) {
		struct options_setting setting = { .row = &options_rows[i], .key = (char[]){ "default" } };
		CLEANUP_FREE char *value = setting.row->fallback ? strdup(setting.row->fallback) : NULL;
		setting.value = value;
		if (setting.row->fallback && (!value || options_value_store(o, &setting, stderr)))
			return -ENOMEM;
	}
	return 0;
}

void options_value_clear(struct options *o)
{
	for (size_t i = 0; i < options_n_rows; i++) {
		const struct options_row *row = &options_rows[i];
		if (row->kind == OPTION_TEXT || row->kind == OPTION_LOG_FILE || row->kind == OPTION_SYSLOG) {
			free(*(char **)field(o, row));
		} else if (row->kind == OPTION_LIST || row->kind == OPTION_EXTENSION || row->kind == OPTION_USERS || row->kind == OPTION_ALLOW) {
			struct options_list *list = field(o, row);
			for (size_t k = 0; k < list->n; k++)
				free(list->items[k]);
			free(list->items);
		}
	}
}
