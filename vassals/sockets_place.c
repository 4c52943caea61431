/* sockets, the place: P's directory, D beside P, and the links in D. Binds and listens to nothing. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vassals/identity.h"
#include "vassals/sockets_inside.h"
#include "vassals/util.h"

#define MARK_SIZE 40			/* socket:[18446744073709551615] */
#define HEIR "heir"			/* in D: a link to what P leads to when its own sockets are not used any more */
static const char *const marks[] = { "A.is", "B.is" };

const char *sockets_link(unsigned side)
{
	return side ? "B" : "A";
}

void sockets_place_close(struct sockets_place *place)
{
	place->parent = util_close(place->parent);
	place->home = util_close(place->home);
}

static int open_parent(const char *address, struct sockets_place *place)
{
	char path[SOCKETS_ADDRESS_MAX];
	const char *slash = strrchr(address, '/');
	if (util_format(path, sizeof(path), "%.*s", (int)(slash - address) + 1, address) < 0
	    || util_format(place->base, sizeof(place->base), "%s", slash + 1) < 0
	    || util_format(place->dir, sizeof(place->dir), ".%s.regent", slash + 1) < 0)
		return -ENAMETOOLONG;
	place->parent = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return place->parent < 0 ? -errno : 0;
}

/* Judged by the descriptor that is used afterwards. */
static int open_home(struct sockets_place *place)
{
	struct stat st;
	place->home = openat(place->parent, place->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (place->home < 0)
		return errno == ENOTDIR || errno == ELOOP || errno == EACCES ? -EPERM : -errno;
	if (fstat(place->home, &st) < 0)
		return -errno;
	return st.st_uid == geteuid() && (st.st_mode & 0777) == 0700 ? 0 : -EPERM;
}

/* Under a umask that takes the owner's own rights the mode would come out wrong. */
static int make_home(const struct sockets_place *place)
{
	mode_t mask = umask(077);
	int r = mkdirat(place->parent, place->dir, 0700) < 0 && errno != EEXIST ? -errno : 0;
	umask(mask);
	return r;
}

int sockets_place_open(const char *address, bool make, struct sockets_place *ret, const char **step)
{
	CLEANUP_PLACE struct sockets_place place = SOCKETS_PLACE_NONE;
	*step = "open the directory of";
	int r = open_parent(address, &place);
	if (r == 0 && make) {
		*step = "mkdir";
		r = make_home(&place);
	}
	if (r == 0) {
		*step = "open";
		r = open_home(&place);
	}
	if (r < 0)
		return r;
	*ret = place;
	place = (struct sockets_place)SOCKETS_PLACE_NONE;
	return 0;
}

static bool same(int dir_a, const char *a, int dir_b, const char *b)
{
	struct stat x, y;
	return fstatat(dir_a, a, &x, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(dir_b, b, &y, AT_SYMLINK_NOFOLLOW) == 0
	       && S_ISSOCK(x.st_mode) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool leads_to(const struct sockets_place *place, unsigned side)
{
	return same(place->home, sockets_link(side), place->parent, place->base);
}

static bool is_ours(const struct sockets_place *place)
{
	return leads_to(place, 0) || leads_to(place, 1) || same(place->home, HEIR, place->parent, place->base);
}

/* One connection more in somebody's queue is the price of asking. */
static int ask(const struct sockets_name *name)
{
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, &name->any, name->length) == 0 || errno == EAGAIN || errno == EPROTOTYPE)
		return -EADDRINUSE;
	return errno == ECONNREFUSED || errno == ENOENT ? 0 : -errno;
}

int sockets_place_claim(const struct sockets_place *place, const struct sockets_name *name)
{
	struct stat st;
	if (fstatat(place->parent, place->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	return is_ours(place) ? 0 : ask(name);
}

static int drop(int dir, const char *name)
{
	return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int describe(int fd, char text[MARK_SIZE])
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	return util_format(text, MARK_SIZE, "socket:[%ju]", (uintmax_t)st.st_ino);
}

int sockets_place_mark(const struct sockets_place *place, unsigned side, int fd)
{
	char text[MARK_SIZE];
	int r = describe(fd, text);
	return r == 0 && symlinkat(text, place->home, marks[side]) < 0 ? -errno : r;
}

bool sockets_place_holds(const struct sockets_place *place, unsigned side, int fd)
{
	char text[MARK_SIZE], mark[MARK_SIZE];
	ssize_t length = readlinkat(place->home, marks[side], mark, sizeof(mark));
	return describe(fd, text) == 0 && length == (ssize_t)strlen(text) && memcmp(mark, text, (size_t)length) == 0;
}

int sockets_place_clear(const struct sockets_place *place)
{
	static const char *const names[] = { "A", "B", HEIR, "tmp", "A.is", "B.is" };
	int first = 0;
	if (is_ours(place))
		first = drop(place->parent, place->base);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		int r = drop(place->home, names[i]);
		first = first ? first : r;
	}
	return first;
}

int sockets_place_lead(const struct sockets_place *place, const struct sockets_name *name, unsigned side, int fd, bool *moved)
{
	struct stat st;
	*moved = false;
	if (!sockets_place_holds(place, side, fd))
		return -ENOENT;
	if (leads_to(place, side))
		return 0;
	if (fstatat(place->home, sockets_link(side), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOENT;
	int r = sockets_place_claim(place, name);
	if (r == 0)
		r = drop(place->home, "tmp");
	if (r < 0)
		return r;
	if (linkat(place->home, sockets_link(side), place->home, "tmp", 0) < 0)
		return -errno;
	if (renameat(place->home, "tmp", place->parent, place->base) < 0) {
		r = -errno;
		drop(place->home, "tmp");
		return r;
	}
	*moved = true;
	return 0;
}

int sockets_place_hide(const struct sockets_place *place)
{
	return is_ours(place) ? drop(place->parent, place->base) : 0;
}

int sockets_place_follow(const struct sockets_place *place, const struct sockets_place *heir, unsigned side)
{
	if (!is_ours(place))
		return -EADDRINUSE;
	int r = drop(place->home, "tmp");
	if (r == 0 && linkat(heir->home, sockets_link(side), place->home, "tmp", 0) < 0)
		r = -errno;
	if (r == 0)
		r = drop(place->home, HEIR);
	if (r == 0 && (linkat(place->home, "tmp", place->home, HEIR, 0) < 0 || renameat(place->home, "tmp", place->parent, place->base) < 0))
		r = -errno;
	if (r < 0)
		drop(place->home, "tmp");
	return r;
}

static int own(const struct sockets_place *place, const char *link, const struct stat *now, const struct sockets_wish *wish)
{
	struct stat parent;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r = fstat(place->parent, &parent) < 0 ? -errno : 0;
	if (r == 0 && parent.st_mode & S_ISGID)
		gid = parent.st_gid;
	if (r == 0 && wish->user[0])
		r = identity_user(wish->user, &uid, NULL);
	if (r == 0 && wish->group[0])
		r = identity_group(wish->group, &gid);
	if (r < 0 || (uid == now->st_uid && gid == now->st_gid))
		return r;
	return fchownat(place->home, link, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int sockets_place_dress(const struct sockets_place *place, unsigned side, const struct sockets_wish *wish, const char **step)
{
	struct stat st;
	const char *link = sockets_link(side);
	*step = "chmod";
	if (fstatat(place->home, link, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOENT;
	mode_t mask = umask(077);
	umask(mask);
	mode_t mode = wish->mode >= 0 ? (mode_t)wish->mode : 0777 & ~(wish->umask >= 0 ? (mode_t)wish->umask : mask);
	if ((st.st_mode & 07777) != mode && fchmodat(place->home, link, mode, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*step = "chown";
	return own(place, link, &st, wish);
}
