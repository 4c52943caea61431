#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "supervisor/logger.h"
#include "supervisor/reading.h"
#include "supervisor/ruler_inside.h"
#include "vassals/identity.h"
#include "vassals/util.h"

static uint64_t ns_of(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * NSEC_PER_SEC + (uint64_t)ts->tv_nsec;
}

/* Everything but the content's hash. The owner matters only where it decides as whom the vassal runs. */
static void take_print(const struct ruler *r, const struct stat *st, struct court_fingerprint *print)
{
	bool owned = r->options->emperor_tyrant && r->start->uid != IDENTITY_NONE;
	*print = (struct court_fingerprint){
		.dev = st->st_dev, .inode = st->st_ino, .size = (uint64_t)st->st_size, .mtime_ns = ns_of(&st->st_mtim),
		.uid = owned ? st->st_uid : 0, .gid = owned ? st->st_gid : 0,
	};
}

/* Nothing in it differs from what is so without a spec. */
static bool is_plain(const struct ruler *r, const struct spec *spec)
{
	return spec->signal == SPEC_SIGNAL_ACCEPTING && !spec->has_app && !spec->logger && !spec->health && !spec->uid && !spec->gid &&
	       !spec->unsure && !spec->calm && spec->ready_for_ms == UINT32_MAX && spec->start_timeout_ms == UINT32_MAX &&
	       spec->handover == SPEC_HANDOVER_UNSET && spec->hold_sockets == SPEC_CHOICE_UNSET && !reading_may_hold(r, spec);
}

/* Whom the ini asks for; only heeded (by the keeper too) where neither --uid nor tyrant decides. */
static void take_ids(struct subject *s, const struct spec *spec)
{
	gid_t primary = (gid_t)-1;
	s->uid = IDENTITY_NONE;
	s->gid = (gid_t)-1;
	if (!spec || !spec->uid)
		return;
	if (identity_user(spec->uid, &s->uid, &primary) < 0) {
		logger_once(LOG_ERR, s->cv->name, util_now(), "[%s] uid = %s: no such user", s->cv->name, spec->uid);
		return;
	}
	s->gid = primary;
	if (spec->gid && identity_group(spec->gid, &s->gid) < 0)
		logger_once(LOG_ERR, s->cv->name, util_now(), "[%s] gid = %s: no such group", s->cv->name, spec->gid);
}

static void complain(const char *name, int error, unsigned line)
{
	if (error == -EBADMSG)
		logger_once(LOG_ERR, name, util_now(), "[%s] %s:%u: not a setting; uWSGI may see it otherwise", name, name, line);
	else if (error == -EFBIG)
		logger_once(LOG_ERR, name, util_now(), "[%s] %s is larger than any ini that regent reads: only started, not understood", name,
			    name);
	else
		logger_once(LOG_ERR, name, util_now(), "[%s] cannot read %s: %s", name, name, strerror(-error));
}

/* One look at a config that is being understood. */
struct seen { unsigned monitor; bool booting; struct stat st; char name[]; };

/* The ids must be known before the court can ask the keeper to start it, or a helper for what its ini includes. */
static const struct subject *know_ids(struct ruler *r, const char *name, const struct spec *spec)
{
	struct court_vassal *cv = court_find(r->court, name);
	if (!cv && court_expect(r->court, name, &cv) < 0) {
		log_error("[%s] no memory", name);
		return NULL;
	}
	struct subject *s = subject_of(r, cv);
	if (s)
		take_ids(s, spec);
	cv->seen = 1;
	return s;
}

static void understood(struct ruler *r, void *data, struct spec *spec, int error, unsigned line)
{
	struct court_fingerprint print;
	struct seen *seen = data;
	const char *name = seen->name;
	take_print(r, &seen->st, &print);
	if (error < 0)
		complain(name, error, line);	/* uWSGI is the judge: it is started all the same */
	if (spec)
		print.hash = spec->hash;
	struct court_vassal *cv = court_find(r->court, name);
	struct subject *s = cv ? subject_of(r, cv) : NULL;
	if (s)
		s->ctime_ns = ns_of(&seen->st.st_ctim);
	if (spec && is_plain(r, spec))
		spec = spec_free(spec);
	if (cv)
		court_seen(r->court, name, (uint16_t)seen->monitor, &print, spec, seen->booting);
	else
		spec_free(spec);
	if (s)
		subject_seen(s);	/* a probe may wait for what to ask */
	free(seen);
}

static void see(struct ruler *r, const char *name, unsigned monitor, int fd, const struct stat *st)
{
	size_t n = strlen(name) + 1;
	struct seen *seen = malloc(sizeof *seen + n);
	int mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (!seen || mine < 0) {
		complain(name, mine < 0 ? -errno : -ENOMEM, 0);
		util_close(mine);
		free(seen);
		return;
	}
	*seen = (struct seen){ .monitor = monitor, .booting = r->listing && r->start->first, .st = *st };
	memcpy(seen->name, name, n);
	const struct reading_config config = { .name = seen->name, .monitor = monitor, .ids = know_ids, .done = understood, .data = seen };
	int error = reading_begin(r, &config, mine, free);
	if (error < 0) {
		complain(name, error, 0);
		free(seen);
	}
}

/* ---- when only others may look */

struct look { char *name; unsigned monitor; };

static void look_done(struct ruler *r, void *data, const struct errand_answer *answer, int fd)
{
	struct look *look = data;
	struct stat st;
	if (answer->error == 0 && fstat(fd, &st) == 0)
		see(r, look->name, look->monitor, fd, &st);
	else if (answer->error == ENOENT || answer->error == ENOTDIR)
		court_missing(r->court, look->name);
	else
		complain(look->name, answer->error ? -answer->error : -EIO, 0);
	util_close(fd);
	free(look->name);
	free(look);
}

static void look_as_owner(struct ruler *r, const char *name, unsigned monitor)
{
	struct look *look = calloc(1, sizeof *look);
	struct court_vassal *cv = court_find(r->court, name);
	int error = look && (look->name = strdup(name)) ? 0 : -ENOMEM;
	if (error == 0) {
		look->monitor = monitor;
		error = ruler_errand(r, ERRAND_LOOK, name, monitor, cv ? cv->world : NULL, name, look_done, look);
	}
	if (error == 0)
		return;
	complain(name, error, 0);
	if (look)
		free(look->name);
	free(look);
}

static bool is_same(const struct ruler *r, const char *name, const struct stat *st)
{
	struct court_fingerprint print;
	const struct court_vassal *cv = court_find(r->court, name);
	const struct subject *s = cv ? cv->world : NULL;
	if (!s || s->ctime_ns != ns_of(&st->st_ctim))
		return false;
	take_print(r, st, &print);
	print.hash = cv->print.hash;
	return !court_differs(r->court, name, &print);
}

static void look(struct ruler *r, const char *name, unsigned monitor, const char *path)
{
	struct stat st;
	CLEANUP_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && (errno == EACCES || errno == EPERM)) {
		look_as_owner(r, name, monitor);
	} else if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		court_missing(r->court, name);
	} else if (fd < 0) {
		complain(name, -errno, 0);
	} else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		court_missing(r->court, name);
	} else {
		if (r->options->emperor_nofollow)	/* then the link itself is what counts */
			lstat(path, &st);
		struct court_vassal *cv = court_find(r->court, name);
		if (is_same(r, name, &st) && cv->seen)
			court_present(r->court, cv);
		else
			see(r, name, monitor, fd, &st);
	}
}

void lookup_found(void *data, struct monitor *m, enum monitor_hint hint, const char *name, const char *path)
{
	struct ruler *r = data;
	if (r->phase == RULER_DISSOLVING)
		return;
	reading_cancel(r, name, understood);	/* it is of older news */
	if (hint == MONITOR_GONE)
		court_missing(r->court, name);
	else
		look(r, name, m->index, path);
}

/* ---- watching where only others may watch */

/* In tyrant mode the file says as whom to look: one that is away for a moment is asked about again, as long as it has for coming back. */
#define AWAY_TRIES 8
#define AWAY_WAIT (1.5 * VASSAL_GRACE_NS / 1e9 / AWAY_TRIES)

struct walk {
	struct ruler *ruler;
	struct walk *prev, *next;	/* in ruler.away, while the timer runs */
	ev_timer again;
	unsigned tries;
	char path[];
};

/* Which vassal a path is the config of. */
static const char *name_of(const struct ruler *r, const char *path, unsigned *monitor)
{
	for (unsigned i = 0; i < r->options->emperor.n; i++) {
		const struct monitor *m = r->monitors[i];
		size_t n = m ? strlen(m->argument) : 0;
		if (m && strcmp(m->kind->scheme, "dir") == 0 && strncmp(path, m->argument, n) == 0 && path[n] == '/' && path[n + 1]) {
			*monitor = i;
			return path + n + 1;
		}
		n = m ? strlen(m->base) : 0;
		if (m && strcmp(m->kind->scheme, "glob") == 0 && strncmp(path, m->base, n) == 0) {
			*monitor = i;
			return path + n;
		}
	}
	return NULL;
}

static void walk_done(struct ruler *r, void *data, const struct errand_answer *answer, int fd)
{
	struct walk *walk = data;
	struct watch_path *p = watch_path_asked(r->watch, walk->path);
	struct watch_walk failed = { .error = -EIO };
	util_close(fd);
	if (p && answer->walk.n_steps == 0 && answer->error == ENOENT && ++walk->tries < AWAY_TRIES) {
		ev_timer_set(&walk->again, AWAY_WAIT, 0.);
		ev_timer_start(r->loop, &walk->again);
		DL_APPEND(r->away, walk);
		return;
	}
	if (p && watch_path_walked(p, answer->walk.n_steps > 0 ? &answer->walk : &failed) < 0)
		log_error("watch: no memory");
	free(walk);
}

static int ask_walk(struct walk *walk)
{
	struct ruler *r = walk->ruler;
	unsigned monitor;
	const char *name = name_of(r, walk->path, &monitor);
	const struct court_vassal *cv = name ? court_find(r->court, name) : NULL;
	return name ? ruler_errand(r, ERRAND_LOOK, name, monitor, cv ? cv->world : NULL, name, walk_done, walk) : -ENOENT;
}

static void on_again(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct walk *walk = w->data;
	static const struct errand_answer nothing = { .error = EIO };
	DL_DELETE(walk->ruler->away, walk);
	(void)loop;
	(void)revents;
	if (ask_walk(walk) < 0)
		walk_done(walk->ruler, walk, &nothing, -1);
}

void lookup_end(struct ruler *r)
{
	while (r->away) {
		struct walk *walk = r->away;
		DL_DELETE(r->away, walk);
		ev_timer_stop(r->loop, &walk->again);
		free(walk);
	}
}

bool lookup_denied(void *data, struct watch_path *p, const char *path)
{
	size_t n = strlen(path) + 1;
	struct walk *walk = calloc(1, sizeof *walk + n);
	(void)p;	/* it may be gone by the time of the answer: walk_done() looks for it anew */
	if (!walk)
		return false;
	memcpy(walk->path, path, n);
	walk->ruler = data;
	ev_timer_init(&walk->again, on_again, 0., 0.);
	walk->again.data = walk;
	if (ask_walk(walk) == 0)
		return true;
	free(walk);
	return false;
}
