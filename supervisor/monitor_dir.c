/* monitor_dir: every file of one directory whose extension is a vassal's, as `--emperor /etc/uwsgi/vassals`. */
#include "supervisor/monitor_private.h"

static int dir_start(struct monitor *m)
{
	struct monitor_names *names;
	int r = monitor_names_new(m, m->argument, "", NULL, &names);
	if (r == 0)
		m->state = names;
	return r;
}

static void dir_rescan(struct monitor *m)
{
	monitor_names_rescan(m->state);
}

static void dir_stop(struct monitor *m)
{
	m->state = monitor_names_free(m->state, false);
}

const struct monitor_kind monitor_kind_dir = { .scheme = "dir", .start = dir_start, .rescan = dir_rescan, .stop = dir_stop };
