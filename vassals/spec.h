/* spec: what a vassal should be, as far as a supervisor must know: read from its ini, once for each version of it.
 * uWSGI itself remains the judge of everything else. What cannot be resolved is said (unsure), never guessed. */
#ifndef REGENT_VASSAL_SPEC_H
#define REGENT_VASSAL_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Which byte tells that a generation of this vassal is up. Byte 5 comes only where workers accept: never from a cheap
 * vassal, without workers, or without a socket of theirs (routers with backends, crons, daemons, even beside an app:
 * tried). A sub-Emperor says 17. */
enum spec_signal {
	SPEC_SIGNAL_ACCEPTING,	/* 5 */
	SPEC_SIGNAL_SPAWNED,	/* 1: cheap = true, no workers, or nothing they accept on */
	SPEC_SIGNAL_LOYAL,	/* 17: emperor = ... */
	SPEC_SIGNAL_UNSURE,	/* not an ini, or what decides it is not resolvable: 5 or 17 if they come, 1 must do */
};

enum spec_protocol { SPEC_PROBE_NONE, SPEC_PROBE_UWSGI, SPEC_PROBE_HTTP };

/* Whether its reloads are to be handovers: as [regent] says. */
enum spec_handover { SPEC_HANDOVER_UNSET, SPEC_HANDOVER_NO, SPEC_HANDOVER_YES, SPEC_HANDOVER_FORCE };
enum spec_choice { SPEC_CHOICE_UNSET, SPEC_CHOICE_NO, SPEC_CHOICE_YES };

struct spec {
	enum spec_signal signal;
	bool has_app;			/* module, wsgi-file, ... : a python app is expected to load */
	bool need_app;			/* uWSGI itself exits 22 when no app loads */
	/* Where its words go instead of our pipe, or NULL: a file (logger = file:, logto, daemonize), or what logger says
	 * ("syslog:local0"). A path is as the ini says, maybe relative. */
	char *logger;
	enum spec_protocol probe;	/* how a request can reach it */
	char *probe_address;		/* "/path", "127.0.0.1:3031", "[::1]:80"; NULL with SPEC_PROBE_NONE */
	char *health;			/* [regent] health = /path, or NULL */
	char *health_host;		/* [regent] health-host, or NULL */
	uint32_t ready_for_ms;		/* [regent] ready-for; UINT32_MAX when not set */
	uint32_t start_timeout_ms;	/* [regent] start-timeout; UINT32_MAX when not set */
	bool calm;			/* [regent] reload-on-change = no */
	/* --- held sockets and handover */
	enum spec_handover handover;	/* [regent] handover = no | yes | force */
	enum spec_choice hold_sockets;	/* [regent] hold-sockets = no | yes */
	char *sockets;			/* what to hold, as text for sockets_parse(); NULL: it has none, or no_hold says why not */
	char *no_hold;			/* why its sockets cannot be held ("line 3: socket = @app: abstract"), or NULL */
	char *no_double;		/* why there should not be two of it for a moment ("line 9: stats"), or NULL */
	bool lazy;			/* lazy = true: its workers must not be paused (byte 1 would leave them so) */
	uint32_t health_timeout_ms;	/* [regent] health-timeout; likewise these, UINT32_MAX when not set */
	uint32_t retire_mercy_ms, drain_ms, health_interval_ms;
	char *health_status;		/* [regent] health-status: "200,301", or NULL: any 2xx */
	bool health_restart;		/* [regent] health-restart = yes: a liveness check that fails restarts it */
	/* A file that must be read before the above is known: absolute path; NULL: nothing is missing. See spec_read(). */
	char *wants;
	char *uid, *gid;		/* as the ini says (name or number), or NULL; NULL where unresolved */
	char *unsure;			/* why something is not resolved ("line 7: include", "/etc/base.ini:7: uid"; the first such), or NULL */
	unsigned long long hash;	/* of the content */
	/* Warnings for a person (`regent --check`): one a line, "FILE:LINE: text"; NULL if none. */
	char *warnings;
};

/* --- what an ini pulls in, and what a supervisor knows besides. spec opens nothing by name: what is missing it asks for, one at a time.
 * All borrowed for the time of the call; NULL and 0: not known, or none. */
#define SPEC_FILES_MAX 16			/* pulled in by one vassal */
#define SPEC_FILE_SIZE_MAX (1024UL * 1024)	/* of each: whoever fetches it answers EFBIG beyond */
#define SPEC_DEPTH_MAX 8

struct spec_source {
	const char *path;	/* absolute, as `wants` had it */
	const char *text;	/* size bytes; NULL where it cannot be read: */
	size_t size;
	int error;		/* why: a positive errno */
	const char *real;	/* what uWSGI makes of the path (%p): links resolved, but for the last component where that is one */
};

struct spec_sources {
	bool follow;		/* read what is pulled in. Without it only where [regent] of the vassal asks for held sockets or handover */
	const char *cwd;	/* the vassal's working directory when it starts, links resolved */
	const char *real;	/* as above, of the config itself */
	const char *host, *uid, *user, *gid, *group;	/* of the vassal's process, as text */
	unsigned cpus;		/* online */
	/* NULL-terminated lists from the command line: vassals-inherit-before and so on */
	char *const *inherit_before, *const *include_before, *const *set, *const *inherit, *const *include;
	char *const *environment;	/* of the vassal: UWSGI_X=v is a setting before all others */
	const struct spec_source *files;
	size_t n_files;
};

/* fd: the open config (regular file); name: the vassal's name, whose extension tells the format. Formats other than ini
 * give an unsure spec and 0. sources may be NULL. If (*ret)->wants is set, *ret is provisional: add that file to sources (or its error)
 * and read again; there are never more than SPEC_FILES_MAX + 1 rounds.
 * 0 or negative errno as ini_read_fd(), with *error_line; *ret is untouched then. */
int spec_read(const char *name, int fd, const struct spec_sources *sources, struct spec **ret, unsigned *error_line);
struct spec *spec_free(struct spec *spec);	/* NULL is fine; returns NULL */

/* Extension rules of the Emperor: .ini .xml .yml .yaml .js .json, shorter than 255. extra: NULL-terminated list of
 * further extensions (with their dot), or NULL. */
bool spec_name_valid(const char *name, char *const *extra);
/* "--ini", "--xml", "--yaml", "--json", or "--config" for an extra extension. Never NULL for a valid name. */
const char *spec_name_option(const char *name, char *const *extra);

#endif
