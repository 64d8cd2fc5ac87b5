/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * group: the changes of one pass of the loop in one transaction.
 *
 * A commit waits for the disk, and a job makes some ten changes: they share their commits with
 * each other and with those of other jobs. Whoever is told of a change is told after its commit:
 * group_tell() holds the loop (lib/loop.h) so that no session sends anything before, and who must
 * know whether the commit went well waits with group_wait().
 *
 * When a change or the commit fails, all changes of the group are undone in the store.
 */
#ifndef SHUNT_CLOUD_GROUP_H
#define SHUNT_CLOUD_GROUP_H

#include <sys/queue.h>

struct group;
struct loop;
struct store;

/* @store and @loop must outlive it. 0 or -ENOMEM. */
int group_new(struct loop *loop, struct store *store, struct group **out);
/* Commits what is open, and calls who waits for it. NULL is allowed. */
void group_free(struct group *g);

/*
 * To be called before each change: opens the transaction of this pass. 0, or why the store cannot be
 * written in this pass; then nothing is to be tried.
 */
int group_begin(struct group *g);
/* What store_*() said of the change; passed through. Errors of the disk undo the group. */
int group_did(struct group *g, int ret);
/* Somebody is told now of what was changed: nothing leaves before it is committed. */
void group_tell(struct group *g);

struct group_wait {
	/* The changes made before group_wait() are in the store (0), or undone (negative code). */
	void (*done)(int err, void *arg);
	void *arg;
	struct group *group; /* group.c's; NULL when not waiting */
	unsigned long long number; /* group.c's; of the group waited for */
	TAILQ_ENTRY(group_wait) link;
};

/*
 * @w is the caller's and lives until done or group_unwait(). done is called from the loop, in the
 * order in which they were asked for and before anything is sent. It may wait again and unwait others, but should
 * change nothing: others' words would wait for that, too.
 */
void group_wait(struct group *g, struct group_wait *w);
void group_unwait(struct group_wait *w);

#endif
