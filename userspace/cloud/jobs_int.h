/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jobs_int: what jobs.c (the jobs and their records), intake.c (their content as it arrives), view.c (how they
 * are shown) and leftover.c (what remains of them) share.
 */
#ifndef SHUNT_CLOUD_JOBS_INT_H
#define SHUNT_CLOUD_JOBS_INT_H

#include <sys/queue.h>

#include "cloud/jobs.h"

struct loop_defer;
struct loop_timer;

#define BUCKETS 4096 /* three hex digits of the id, which is random */
#define JOBS_SMALL ((uint64_t)64 << 10) /* content up to this is durable in the store: see jobs.h */
#define JOBS_TELL_AGAIN_MS 1000 /* until the store, which did not take something, is told again */

/* How far the check of a fetched content is, while there is an on_checked. */
enum check {
	CHECK_DIGEST, /* being made, or the store is being told */
	CHECK_UNTOLD, /* the digest is right, and the store did not take that the content is here */
	CHECK_TOLD,
};

struct job {
	struct store_job row;
	struct spool_file *content; /* NULL: a fetch job's, not told yet */
	struct sapi_job_path *paths;
	size_t n_paths;
	void *delivery;
	struct job_watch *watches;
	struct jobs *jobs;
	struct group_wait born; /* for the job to be in the store */
	struct group_wait arrived; /* for all of its content to be */
	bool digesting; /* in jobs->digesting */
	void (*on_checked)(int err, void *arg); /* fetch: the digest is made for this */
	void *checked_arg;
	enum check check;
	bool untold; /* fetch: the store may have ranges of what was here before */
	bool ready; /* in jobs->ready: queued, and nobody delivers it */
	uint64_t number; /* by the time at which it was first; 0: was not */
	uint64_t touched; /* loop time of the last bytes of the upload */
	uint64_t saved_at; /* loop time of the last writing to the store */
	LIST_ENTRY(job) bucket;
	TAILQ_ENTRY(job) order; /* by creation */
	TAILQ_ENTRY(job) turn; /* in jobs->ready */
	TAILQ_ENTRY(job) digest;
};

struct jobs {
	struct jobs_conf conf;
	LIST_HEAD(, job) buckets[BUCKETS];
	struct group *group;
	TAILQ_HEAD(, job) all;
	TAILQ_HEAD(, job) digesting;
	TAILQ_HEAD(job_turns, job) ready[SAPI_PRIORITY_MAX + 1]; /* by priority, then by number */
	uint64_t numbers; /* given so far */
	LIST_HEAD(, leftover) leftovers; /* jobs that are over, which the store does not know yet */
	bool closing;
	size_t count;
	uint64_t ended[JOB_CANCELED + 1];
	struct loop_defer *work; /* digests, and telling that a job is queued */
	struct loop_timer *purge;
	struct loop_timer *abandon;
	struct loop_timer *tell; /* the store, of fetched contents */
	bool queued; /* on_queued is due */
};

/* The job goes on in memory when the store fails; see jobs.h. */
void jobs_store_failed(const struct job *job, const char *what);

/* Is its content the store's? */
bool jobs_is_small(const struct store_job *row);
/* Is the content there for the terminal, now that the job has ended? */
bool jobs_is_fetched(const struct store_job *row);
/* Entry and row together, so that a timeline never tells of a state that was not reached. Part of the group. */
int jobs_store(struct jobs *jobs, const struct store_job *row, const struct sapi_job_event *ev);

/* ---- leftover.c ---- */

/*
 * A job is over, and its row says so: its content is removed as soon as the store knows that. Where
 * the store did not take it, its disk being full, it is told once a second until it does.
 */
void jobs_leave_later(struct job *job);
/* The content of a job that the store is just forgetting. */
void jobs_remove_later(struct jobs *jobs, const char *id);
void jobs_leftovers_free(struct jobs *jobs);

/* ---- view.c ---- */

struct job_ids {
	char (*v)[ID_LEN]; /* owned */
	size_t n, cap;
};
/* For store_job_list(): adds to a struct job_ids. */
int jobs_collect(void *arg, const struct store_job *row);

/* ---- intake.c ---- */

/* The content of a small job, for a start; -ENOENT: the store has none. */
int jobs_content_load(struct job *job);
void jobs_digest_end(struct job *job); /* also when there is no digest under way */

void jobs_work_later(struct jobs *jobs);
/* Digests, and telling that jobs are queued. */
void jobs_on_work(void *arg);
/* Fetched contents of which the store could not be told. */
void jobs_on_tell(void *arg);
/* Uploads that nobody goes on with. */
void jobs_on_abandon(void *arg);
void jobs_abandon_later(struct jobs *jobs);

#endif
