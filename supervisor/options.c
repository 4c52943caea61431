#include "supervisor/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/options_settings.h"
#include "supervisor/options_value.h"
#include "vassals/identity.h"
#include "vassals/util.h"

struct options *options_free(struct options *o)
{
	if (o)
		options_value_clear(o);
	free(o);
	return NULL;
}

/* An unknown key that a %(key) asks for is a placeholder; uWSGI knows no other way to write one, save that strict forbids it. */
static int unknown_key(const struct options *o, const struct options_setting *setting, FILE *err)
{
	if (setting->placeholder || (setting->used && !o->strict))
		return 0;
	const char *section = setting->ours ? "regent" : "uwsgi";
	options_say(err, setting, "%sunknown key in [%s]%s", o->strict ? "" : "warning: ", section, o->strict ? " (strict)" : ", ignored");
	return o->strict ? OPTIONS_USAGE : 0;
}

static int misplaced(const struct options *o, const struct options_setting *setting, FILE *err)
{
	static const char *const place[] = { [OPTION_UWSGI] = "belongs into [uwsgi]", [OPTION_REGENT] = "belongs into [regent]",
					     [OPTION_COMMAND_LINE] = "belongs on the command line" };
	options_say(err, setting, "%s%s%s", o->strict ? "" : "warning: ", place[setting->row->section], o->strict ? "" : ", ignored");
	return o->strict ? OPTIONS_USAGE : 0;
}

static int apply(struct options *o, const struct options_setting *setting, FILE *err)
{
	const struct options_row *row = setting->row;
	if (!row)
		return unknown_key(o, setting, err);
	if (setting->file && row->section != (setting->ours ? OPTION_REGENT : OPTION_UWSGI))
		return misplaced(o, setting, err);
	switch (row->status) {
	case OPTION_SILENT: return 0;
	case OPTION_MEANINGLESS: options_say(err, setting, "warning: has no meaning for an emperor, ignored"); return 0;
	case OPTION_REFUSED: return options_say(err, setting, "not supported: %s", row->help);
	case OPTION_WORKS: break;
	}
	if (setting->incomplete)
		options_say(err, setting, "warning: nothing to put in for a reference in '%s'", setting->value);
	return options_value_store(o, setting, err);
}

/* strict counts for lines before it too. */
static int find_strict(struct options *o, const struct options_settings *s)
{
	const struct options_row *strict = options_row_named("strict", strlen("strict"));
	int r = 0;
	for (size_t i = 0; i < s->n && !r; i++)
		if (s->items[i].row == strict && !s->items[i].ours)
			r = options_value_store(o, &s->items[i], s->err);
	return r;
}

static int apply_all(struct options *o, struct options_settings *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (options_references(s, &s->items[i]) < 0)
			return options_say(s->err, NULL, "out of memory");
	int r = find_strict(o, s);
	for (size_t i = 0; i < s->n && !r; i++)
		r = apply(o, &s->items[i], s->err);
	return r;
}

/* Where an option was given last: its complaint names that place. */
static const struct options_setting *place_of(const struct options_settings *s, const char *name)
{
	for (size_t i = s->n; i-- > 0;)
		if (s->items[i].row && s->items[i].row == options_row_named(name, strlen(name)))
			return &s->items[i];
	return NULL;
}

static int check_identity(struct options *o, const struct options_settings *s)
{
	int r = o->uid ? identity_user(o->uid, &o->uid_number, NULL) : 0;
	if (r < 0)
		return r == -ENOENT || r == -EINVAL ? options_say(s->err, place_of(s, "uid"), "no user '%s'", o->uid)
						    : options_say(s->err, place_of(s, "uid"), "cannot look up user '%s': %s", o->uid, strerror(-r));
	r = o->gid ? identity_group(o->gid, &o->gid_number) : 0;
	if (r < 0)
		return r == -ENOENT || r == -EINVAL ? options_say(s->err, place_of(s, "gid"), "no group '%s'", o->gid)
						    : options_say(s->err, place_of(s, "gid"), "cannot look up group '%s': %s", o->gid, strerror(-r));
	return 0;
}

/* Words that cannot both be meant. Of those about root, the one that gives less away would win in silence: so say it. */
static int check_contradictions(const struct options *o, const struct options_settings *s)
{
	bool root = o->uid_number == 0, group = o->gid_number == 0;
	if (!o->vassals_as_root && root)
		return options_say(s->err, place_of(s, "uid"), "vassals run as root only with vassals-as-root");
	if (!o->vassals_as_root && group)
		return options_say(s->err, place_of(s, "gid"), "vassals run in root's group only with vassals-as-root");
	if (o->vassals_as_root && ((o->uid && !root) || (o->gid && !group)))
		return options_say(s->err, place_of(s, "vassals-as-root"), "contradicts %s", o->uid && !root ? "uid" : "gid");
	if (o->vassals_as_root && o->emperor_tyrant)
		return options_say(s->err, place_of(s, "vassals-as-root"), "contradicts emperor-tyrant");
	if (o->vassals_as_root && o->vassal_users.n)
		return options_say(s->err, place_of(s, "vassals-as-root"), "contradicts vassal-users");
	if (o->daemonize && o->logto)
		options_say(s->err, place_of(s, "logto"), "warning: has no effect with daemonize, which names the log file");
	if (o->emperor_tyrant && (o->uid || o->gid))
		options_say(s->err, place_of(s, "emperor-tyrant"), "warning: %s has no effect with it: owners count", o->uid ? "uid" : "gid");
	if (o->vassal_users.n && (o->uid || o->emperor_tyrant))
		options_say(s->err, place_of(s, "vassal-users"), "warning: has no effect with %s", o->uid ? "uid" : "emperor-tyrant");
	return 0;
}

static int check(struct options *o, const struct options_settings *s)
{
	if (!o->control_socket && asprintf(&o->control_socket, "%s/control.sock", o->run_directory) < 0) {
		o->control_socket = NULL;
		return options_say(s->err, NULL, "out of memory");
	}
	if (o->help || o->version || o->mdoc_options)
		return 0;
	int r = check_identity(o, s);
	if (r == 0)
		r = check_contradictions(o, s);
	if (r == 0 && o->emperor.n == 0)
		r = options_say(s->err, NULL, "nothing to do: give --emperor DIRECTORY (see regent --help)");
	return r;
}

void options_defaults(const struct options *o, struct report_defaults *ret)
{
	*ret = (struct report_defaults){
		.known = true, .hold_sockets = o->hold_sockets, .handover = (enum spec_handover)o->handover, .ready_for_ms = o->ready_for,
		.start_timeout_ms = o->start_timeout, .health_timeout_ms = o->health_timeout_ms, .drain_ms = o->drain_ms,
		.retire_mercy_ms = o->retire_mercy_ms, .hold_limit_ms = o->hold_limit_ms,
	};
}

int options_parse(int argc, char **argv, FILE *err, struct options **ret)
{
	struct options_settings settings = { .err = err };
	struct options *o = calloc(1, sizeof(*o));
	int r = !o || options_value_defaults(o) < 0 ? options_say(err, NULL, "out of memory") : 0;
	if (!r)
		r = options_settings_argv(&settings, argc, argv);
	if (!r)
		r = apply_all(o, &settings);
	if (!r)
		r = check(o, &settings);
	options_settings_clear(&settings);
	if (r)
		options_free(o);
	else
		*ret = o;
	return r;
}
