// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/group.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/store.h"

struct group {
	struct loop *loop;
	struct store *store;
	struct loop_defer *settle;
	unsigned long long number; /* of the group that is being filled */
	bool open; /* a transaction is */
	bool told; /* the loop is held for it */
	int failed; /* the transaction was undone: why */
	TAILQ_HEAD(, group_wait) waits; /* in the order of their numbers */
};

static int commit(struct group *g)
{
	int ret = g->failed;

	if (g->open)
		ret = store_commit(g->store);
	if (ret && !g->failed)
		log_limited("store", LOG_LVL_ERR, "store: changes are lost: %s",
			    err_text(store_err(g->store)));
	g->open = false;
	g->told = false;
	g->failed = 0;
	g->number++;
	return ret;
}

static void on_settle(void *arg)
{
	struct group *g = arg;
	struct group_wait *w;
	int err = commit(g);

	while ((w = TAILQ_FIRST(&g->waits)) && w->number < g->number) {
		group_unwait(w);
		w->done(err, w->arg);
	}
	if (!g->told)
		loop_release(g->loop);
}

int group_new(struct loop *loop, struct store *store, struct group **out)
{
	struct group *g = calloc(1, sizeof(*g));

	if (!g || loop_defer_new(loop, on_settle, g, &g->settle)) {
		free(g);
		return -ENOMEM;
	}
	g->loop = loop;
	g->store = store;
	TAILQ_INIT(&g->waits);
	*out = g;
	return 0;
}

void group_free(struct group *g)
{
	if (!g)
		return;
	on_settle(g);
	loop_defer_free(g->settle);
	free(g);
}

int group_begin(struct group *g)
{
	int ret;

	if (g->open || g->failed)
		return g->failed;
	ret = store_begin(g->store);
	g->open = !ret;
	/* In the next pass, so that what the others of this one change comes along. */
	loop_defer_call(g->settle);
	return ret;
}

/* Not the disk's fault, and the others' changes stand. */
static bool is_own_fault(int err)
{
	return err == -ENOENT || err == -EEXIST || err == -EINVAL || err == -SHUNT_EPARSE;
}

int group_did(struct group *g, int ret)
{
	if (ret >= 0 || !g->open || is_own_fault(ret))
		return ret;
	log_limited("store", LOG_LVL_ERR, "store: changes are lost: %s",
		    err_text(store_err(g->store)));
	store_rollback(g->store);
	g->open = false;
	g->failed = ret;
	return ret;
}

void group_tell(struct group *g)
{
	if (!g->open || g->told)
		return;
	g->told = true;
	loop_hold(g->loop);
}

void group_wait(struct group *g, struct group_wait *w)
{
	w->group = g;
	w->number = g->number;
	TAILQ_INSERT_TAIL(&g->waits, w, link);
	loop_defer_call(g->settle);
}

void group_unwait(struct group_wait *w)
{
	if (!w->group)
		return;
	TAILQ_REMOVE(&w->group->waits, w, link);
	w->group = NULL;
}
