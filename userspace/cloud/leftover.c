// SPDX-License-Identifier: GPL-2.0-or-later
/* What a job leaves behind when it is over: its last word, and its content. See jobs_int.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/group.h"
#include "cloud/jobs_int.h"
#include "cloud/spool.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/store.h"

static void remove_content(struct jobs *jobs, const char *id)
{
	if (spool_remove(jobs->conf.spool, id))
		log_warn("jobs: %s: content not removed from the spool", id);
}

/*
 * The last word of a job that is over. Its content stays until the store knows that it is; where the
 * store takes nothing, its disk being full, it is told again.
 */
struct leftover {
	LIST_ENTRY(leftover) link;
	struct group_wait wait;
	struct jobs *jobs;
	struct loop_timer *again;
	struct store_job row;
};

static void leftover_free(struct leftover *l)
{
	LIST_REMOVE(l, link);
	loop_timer_free(l->again);
	free(l);
}

static void on_over(int err, void *arg)
{
	struct leftover *l = arg;

	if (err && !l->jobs->closing) {
		loop_timer_set(l->again, JOBS_TELL_AGAIN_MS);
		return;
	}
	/* What the store takes for unfinished goes on at the next start and needs its content; what was
	 * fetched waits for whoever wanted it.
	 */
	if (!err && !jobs_is_fetched(&l->row))
		remove_content(l->jobs, l->row.id);
	leftover_free(l);
}

static void on_tell_again(void *arg)
{
	struct leftover *l = arg;
	struct jobs *jobs = l->jobs;
	struct sapi_job_event ev = { .time = l->row.finished };
	int ret;

	snprintf(ev.event, sizeof(ev.event), "%s", job_state_str(l->row.state));
	snprintf(ev.text, sizeof(ev.text), "%s", l->row.reason);
	ret = jobs_store(jobs, &l->row, &ev);
	if (ret == -ENOENT) /* forgotten meanwhile */
		leftover_free(l);
	else if (ret)
		loop_timer_set(l->again, JOBS_TELL_AGAIN_MS);
	else
		group_wait(jobs->group, &l->wait);
}

/* The content of a job that is no more in the store, when that is sure. */
struct unwanted {
	struct group_wait wait;
	struct jobs *jobs;
	char id[ID_LEN];
};

static void on_unwanted(int err, void *arg)
{
	struct unwanted *u = arg;

	if (!err)
		remove_content(u->jobs, u->id);
	free(u);
}

void jobs_remove_later(struct jobs *jobs, const char *id)
{
	struct unwanted *u = calloc(1, sizeof(*u));

	if (!u) /* the next start sweeps it */
		return;
	u->wait.done = on_unwanted;
	u->wait.arg = u;
	u->jobs = jobs;
	memcpy(u->id, id, ID_LEN);
	group_wait(jobs->group, &u->wait);
}

/* Whether the store has taken the last word, at least into what is being written now. */
static bool is_told(struct jobs *jobs, const struct store_job *row)
{
	struct store_job known;
	int ret = store_job_get(jobs->conf.store, row->id, &known);

	return ret == -ENOENT || (!ret && known.state == row->state);
}

void jobs_leave_later(struct job *job)
{
	struct jobs *jobs = job->jobs;
	struct leftover *l = calloc(1, sizeof(*l));

	if (!l || loop_timer_new(jobs->conf.loop, on_tell_again, l, &l->again)) {
		free(l); /* the next start sweeps it */
		return;
	}
	l->wait.done = on_over;
	l->wait.arg = l;
	l->jobs = jobs;
	l->row = job->row;
	LIST_INSERT_HEAD(&jobs->leftovers, l, link);
	/* the word may have been said some time ago, and have been lost then */
	if (is_told(jobs, &l->row))
		group_wait(jobs->group, &l->wait);
	else
		on_tell_again(l);
}

void jobs_leftovers_free(struct jobs *jobs)
{
	while (!LIST_EMPTY(&jobs->leftovers))
		leftover_free(LIST_FIRST(&jobs->leftovers));
}
