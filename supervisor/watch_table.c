/* watch_table: who is interested in which name of which directory, by watch descriptor and name. Removes watches that have no
 * user left. Calls nobody. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "supervisor/watch_private.h"
#include "vassals/util.h"

struct watch_dir *watch_table_dir(struct watch *w, int wd)
{
	struct watch_dir *d;
	HASH_FIND_INT(w->dirs, &wd, d);
	return d;
}

#define KEY_SIZE(n) (offsetof(struct watch_name, name) - offsetof(struct watch_name, dir) + (n))

struct watch_name *watch_table_name(struct watch *w, const struct watch_dir *d, const char *name)
{
	struct { const struct watch_dir *dir; char name[256]; } key = { .dir = d };
	struct watch_name *n;
	size_t len = strlen(name);
	if (len >= sizeof(key.name))
		return NULL;
	memcpy(key.name, name, len);
	HASH_FIND(hh, w->names, &key, KEY_SIZE(len), n);
	return n;
}

static struct watch_dir *dir_need(struct watch *w, int wd)
{
	struct watch_dir *d = watch_table_dir(w, wd);
	if (d != NULL)
		return d;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return NULL;
	d->wd = wd;
	HASH_ADD_INT(w->dirs, wd, d);
	if (d->hh.tbl == NULL) {
		free(d);
		return NULL;
	}
	return d;
}

static struct watch_name *name_need(struct watch *w, struct watch_dir *d, const char *name)
{
	struct watch_name *n = watch_table_name(w, d, name);
	if (n != NULL)
		return n;
	size_t len = strlen(name);
	n = calloc(1, sizeof(*n) + len + 1);
	if (n == NULL)
		return NULL;
	memcpy(n->name, name, len + 1);
	n->dir = d;
	HASH_ADD(hh, w->names, dir, KEY_SIZE(len), n);
	if (n->hh.tbl == NULL) {
		free(n);
		return NULL;
	}
	DL_APPEND(d->names, n);
	if (len == 0)
		d->every = n;
	return n;
}

static void dir_drop_unused(struct watch *w, struct watch_dir *d)
{
	if (d->names != NULL)
		return;
	if (d->wd >= 0) {
		if (w->n_asked > 0)
			return;
		inotify_rm_watch(w->fd, d->wd);
		HASH_DEL(w->dirs, d);
	}
	free(d);
}

int watch_table_use(struct watch *w, struct watch_path *p, const struct watch_step *step, struct watch_use *use)
{
	struct watch_dir *d = dir_need(w, step->wd);
	if (d == NULL)
		return -ENOMEM;
	struct watch_name *n = name_need(w, d, step->name);
	if (n == NULL) {
		dir_drop_unused(w, d);
		return -ENOMEM;
	}
	use->name = n;
	use->path = p;
	DL_APPEND(n->uses, use);
	return 0;
}

void watch_table_unuse(struct watch *w, struct watch_use *use)
{
	struct watch_name *n = use->name;
	struct watch_dir *d = n->dir;
	if (w->cursor == use)
		w->cursor = use->next;
	DL_DELETE(n->uses, use);
	if (n->uses != NULL)
		return;
	if (d->every == n)
		d->every = NULL;
	HASH_DEL(w->names, n);
	DL_DELETE(d->names, n);
	free(n);
	dir_drop_unused(w, d);
}

void watch_table_keep(struct watch *w, const struct watch_walk *walk)
{
	for (unsigned i = 0; i < walk->n_steps; i++)
		dir_need(w, walk->steps[i].wd);
}

void watch_table_sweep(struct watch *w)
{
	struct watch_dir *d, *tmp;
	if (w->n_asked > 0)
		return;
	HASH_ITER(hh, w->dirs, d, tmp)
		dir_drop_unused(w, d);
}

void watch_table_lost(struct watch *w, struct watch_dir *d)
{
	HASH_DEL(w->dirs, d);
	d->wd = -1;
	dir_drop_unused(w, d);
}
