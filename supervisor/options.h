/* options: one table: the command line, [uwsgi] and [regent] of the emperor's ini, --help, the list in the man page and the
 * checks are all drawn from it. It parses and checks; it opens nothing but the inis it is told to read, and acts on nothing. */
#ifndef REGENT_OPTIONS_H
#define REGENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "supervisor/report.h"

struct options_list { char **items; size_t n; };	/* items[n] is NULL always */

struct options {
	/* the Emperor's (names as uWSGI spells them) */
	struct options_list emperor;		/* monitors, in order */
	uint32_t emperor_freq;			/* s, 3: only where we must scan */
	bool emperor_nofollow, emperor_tyrant, emperor_tyrant_nofollow, emperor_no_blacklist, emperor_graceful_shutdown;
	uint32_t emperor_required_heartbeat;	/* s, 30 */
	uint32_t emperor_curse_tolerance;	/* s, 30 */
	uint32_t emperor_throttle;		/* ms, 1000 */
	uint32_t emperor_max_throttle;		/* ms, 180000: uWSGI takes this one in milliseconds too */
	struct options_list emperor_extra_extension;	/* with their dot: put there where it was left out */
	char *emperor_wrapper;			/* execed instead of the binary */
	struct options_list vassals_inherit_before, vassals_include_before, vassals_set, vassals_inherit, vassals_include;
	/* common ones that an emperor's ini carries */
	char *uid, *gid;			/* as given; resolved below */
	uid_t uid_number; gid_t gid_number;	/* IDENTITY_NONE when not given */
	char *pidfile, *logto, *log_syslog;	/* log_syslog: "" when given without argument */
	char *daemonize;			/* log file, or NULL */
	bool log_date, strict;
	uint32_t reload_mercy;			/* s, 30: after TERM */
	char *binary_path;			/* "uwsgi" (looked up on PATH) */
	/* ours */
	char *run_directory;			/* /run/regent */
	char *control_socket;			/* run_directory/control.sock */
	struct options_list control_allow;	/* "USER|@GROUP VERB[,VERB] [GLOB]" each, syntax checked */
	char *ruler_user;			/* "regent" */
	uint32_t ruler_patience;		/* ms, 10000; given in s, decimals allowed */
	uint32_t max_starting;			/* 2 x CPUs; 0: no limit */
	uint32_t start_patience, start_timeout, ready_for;	/* ms: 30000, 120000, 1000; given in s, decimals allowed */
	bool hold_sockets;
	int handover;				/* enum spec_handover; UNSET where nobody said anything */
	uint32_t retire_mercy_ms, drain_ms, health_timeout_ms, hold_limit_ms;	/* 60000, 100, 10000, 60000; likewise given in s */
	struct options_list vassal_users;	/* as root with neither uid nor tyrant: who may be named by an ini; empty: anyone but root */
	bool vassals_as_root;
	/* what to do */
	bool check, help, version, mdoc_options;
};

#define OPTIONS_USAGE 2

/* Defaults, then what argv says, in its order, an ini at the place where it is named; a bare FILE.ini after all options, as uWSGI
 * has it: the last word on a thing counts. Then checks. 0; or OPTIONS_USAGE after ONE clear line on err naming the option.
 * Warnings (unknown key in an ini, option without meaning for an emperor) go to err, one line each, prefixed "regent: ".
 * With --strict an unknown key is OPTIONS_USAGE. help, version and mdoc_options print nothing here, and skip the checks. */
int options_parse(int argc, char **argv, FILE *err, struct options **ret);
struct options *options_free(struct options *o);	/* NULL is fine; returns NULL */

/* What it says of deploys, for who judges a vassal's config. */
void options_defaults(const struct options *o, struct report_defaults *ret);

void options_help(FILE *out);			/* --help, from the table */
void options_mdoc(FILE *out);			/* the man page's list, from the table: `regent --mdoc-options` */

#endif
