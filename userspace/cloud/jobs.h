/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jobs: the accepted jobs, their states, timelines and paths, and where all that is kept.
 *
 *	receiving -> queued -> (waiting ->) running -> executing -> completed
 *	    any of these -> failed | canceled | interrupted
 *
 * A fetch job is queued at once, since its content is at the device; it is executing while that
 * makes it, and running while it is on its way here. Completed means that all of it is in the spool,
 * durable and with the digest that the device told; there it stays until its owner deletes it or
 * the job is forgotten.
 *
 * A job is in the store before its submitter hears of it, its content is durable before it is
 * queued, and each state change is in the store before anybody is told. The changes of one pass of
 * the loop share a transaction (cloud/group.h): until it is committed nothing leaves that could tell
 * of them. Content up to 64 KiB is committed with them and is in the spool only for those who send
 * it; larger content is flushed there. Unfinished jobs are in
 * memory; finished ones only in the store. A job that was under way when the program died is queued
 * again at the next start, and its delivery asks the receiver what it holds.
 *
 * If the store cannot be written any more, a job goes on in memory and the log says so: the
 * receiver's own record of the job is what a restart then relies on.
 */
#ifndef SHUNT_CLOUD_JOBS_H
#define SHUNT_CLOUD_JOBS_H

#include "cloud/group.h"
#include "cloud/spool.h"
#include "lib/sapi.h"
#include "lib/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct job;
struct jobs;
struct loop;

struct jobs_conf {
	struct loop *loop;
	struct store *store;
	struct spool *spool;
	size_t max; /* unfinished jobs at most */
	uint64_t keep; /* ms that a finished job stays in the store */
	uint64_t upload_timeout; /* ms without bytes after which an upload has failed; 0: never */
	/* A job became queued: time to look for work. Called from the loop. */
	void (*on_queued)(void *arg);
	void *arg;
};

/* Read the unfinished jobs of the last run and go on with them. 0 or a negative code with @e. */
int jobs_open(const struct jobs_conf *conf, struct jobs **out, struct err *e);
/* Forgets the jobs in memory; the store keeps them for the next start. NULL is allowed. */
void jobs_close(struct jobs *jobs);

/* What is asked for. The strings live during the call. */
struct job_order {
	const struct sapi_job_submit *submit;
	const char *owner; /* the terminal's name */
	uint8_t priority; /* decided: the submitter's or the device's */
	const char *key; /* Idempotency-Key or "" */
	const char *key_hash; /* SHA-256 (hex) of the body that came with it */
};

/*
 * Accept a job, with space for its content; durable, and accepted, when jobs_wait() says so: should
 * the store fail until then, the job is gone again. 0; -EAGAIN: as many unfinished jobs
 * as may be; -EEXIST: the key was used with another body; -ENOSPC; others. 1: the owner submitted
 * this before with the same key. @id is the job's in the cases 0 and 1.
 */
int jobs_submit(struct jobs *jobs, const struct job_order *order, char id[ID_LEN], struct err *e);
/* The job that @owner submitted with @key before: its id and the hash of the body. -ENOENT. */
int jobs_find_key(struct jobs *jobs, const char *owner, const char *key, char id[ID_LEN],
		  char hash[SHA256_STR_LEN]);

/* The transaction that all changes of a pass of the loop share. */
struct group *jobs_group(const struct jobs *jobs);
/* Have @wait called when all that was changed so far is in the store, or is known not to be. */
void jobs_wait(struct jobs *jobs, struct group_wait *wait);

/*
 * Work on a job that is over again, whose device has to hear of that: it has no content, is not changed, and
 * goes with job_release(). 0; -EALREADY: it is in memory, or not over; -ENOENT; others.
 */
int jobs_recall(struct jobs *jobs, const char *id, struct job **out);
/* The job of that id that is worked on, or NULL. */
struct job *jobs_find(const struct jobs *jobs, const char *id);
/* Queued and not taken, highest priority, then the one that was queued first. NULL: none. O(1). */
struct job *jobs_next(const struct jobs *jobs);
size_t jobs_count(const struct jobs *jobs); /* unfinished */
size_t jobs_in_state(const struct jobs *jobs, enum job_state state); /* unfinished ones */
/* Of the jobs that ended in this run of the program, by final state. */
uint64_t jobs_ended(const struct jobs *jobs, enum job_state state);

/* The job as the API shows it, finished or not; sapi_job_fini() releases @out. -ENOENT. */
int jobs_show(struct jobs *jobs, const char *id, bool timeline, struct sapi_job *out);
/* Those of @owner (NULL: all) in one of @states (bits, 0: any), oldest first, without timelines. */
int jobs_list(struct jobs *jobs, const char *owner, uint32_t states, struct sapi_job_list *out);

/*
 * The content of a fetch job that was completed: open it for reading, the descriptor being the
 * caller's; or remove it. 0; -EBUSY: not completed, or no fetch job; -ENOENT: removed, or no such
 * job; -errno.
 */
int jobs_open_fetched(struct jobs *jobs, const char *id, int *fd);
int jobs_drop_fetched(struct jobs *jobs, const char *id);

/* ---- one job; pointers are valid until job_release() ---- */

/* Read only outside jobs.c. */
const struct store_job *job_row(const struct job *job);
/* The content; NULL of a fetch job until job_told(). */
struct spool_file *job_content(const struct job *job);
/* Is it @a's turn before @b's: a higher priority, or queued earlier? Both were queued. */
bool job_before(const struct job *a, const struct job *b);
/* Who delivers the job (delivery.c); set when it is taken, NULL again when given up. */
void job_set_delivery(struct job *job, void *delivery);
void *job_delivery(const struct job *job);

/* Store uploaded bytes; for a job in state receiving only (-EALREADY). -ERANGE, -ENOSPC, -EIO. */
int job_upload(struct job *job, uint64_t offset, const void *data, size_t len);
/*
 * Make them durable, as jobs_wait() will say. When the content is complete its digest is finished
 * and the job queued, later. If the store fails until then, this may be called again.
 */
int job_upload_end(struct job *job);

/*
 * Of a fetch job the device has told what it has: reserve space. 0, also when it told the same
 * before; -ESTALE: it told something else before; -ENOSPC, others. @sha256: "" where nobody tells it; then it is made
 * by job_check().
 */
int job_told(struct job *job, uint64_t size, const char *sha256);
/*
 * What it told is void, and what came of it is dropped: the device, or its file server, may tell anew. 0, or what the
 * store said, without which the job goes on.
 */
int job_untell(struct job *job);
/* Store what was fetched; flushed now and then. -EALREADY: being checked; -ERANGE, -ENOSPC, -EIO. */
int job_fetched(struct job *job, uint64_t offset, const void *data, size_t len);
/* What came so far is to survive a restart. 0 or -errno. */
int job_fetched_keep(struct job *job);
/*
 * All of it is here: make it durable and compare the digest; @done from the loop: 0 (the store knows that it is
 * here: nobody else need keep it), -EBADMSG (it is not what the device told), -errno. Where the store takes nothing,
 * its disk being full, @done waits until it does. Returns 0, -EINVAL (not all of it is here), -errno.
 */
int job_check(struct job *job, void (*done)(int err, void *arg), void *arg);
/* @done will not be called any more. */
void job_check_cancel(struct job *job);

/* Add to the timeline; @reason: kebab-case word or "". */
void job_event(struct job *job, const char *event, enum path_kind path, const char *reason,
	       const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The same for a gateway's decision, with its action word. */
void job_decision(struct job *job, const char *action, const char *reason, const char *text);
/*
 * Change the state, with a timeline entry named as the state: reason word ("" for what is as it
 * should be), text for people, which is also the job's reason when there is a word. If the state is
 * that already only the reason changes; a final state stays.
 */
void job_set_state(struct job *job, enum job_state state, enum path_kind path, const char *reason,
		   const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/*
 * What arrived at the device, and what was sent in vain; in the store some seconds later at most.
 */
void job_progress(struct job *job, uint64_t delivered, uint64_t resent);
void job_set_moved(struct job *job);
/*
 * The device is about to be told of the job. True: nobody ever told it before, also no earlier run;
 * nothing leaves until the store knows that it is told now.
 */
bool job_telling(struct job *job);
/*
 * A printer without agent has the job under @number, or (0) none of it any more; jobs_wait() says when
 * that is durable. 0 or a negative code: it will not be.
 */
int job_printer_is(struct job *job, uint32_t number);

/* Paths are numbered as they are opened. The number, or -ENOMEM. */
int job_path_open(struct job *job, enum path_kind kind, const char *gateway);
/* To change, then job_path_save(). */
struct sapi_job_path *job_path(struct job *job, int idx);
void job_path_save(struct job *job, int idx);

/*
 * The job is in a final state and nobody works on it any more: drop memory and, when the store
 * knows of that state, content, but for what was fetched.
 */
void job_release(struct job *job);

/* ---- watching ---- */

struct job_watch {
	/* A timeline entry came. May call job_unwatch(). */
	void (*on_event)(const struct sapi_job_event *ev, void *arg);
	/* The last one came; the watch is gone. */
	void (*on_end)(void *arg);
	void *arg;
	struct job_watch *next; /* jobs.c's */
	struct job *job; /* jobs.c's; NULL when not watching */
};

/* @watch is the caller's and must live until on_end or job_unwatch(). */
void job_watch(struct job *job, struct job_watch *watch);
void job_unwatch(struct job_watch *watch);

#endif
