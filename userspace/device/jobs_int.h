/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jobs_int: what jobs.c (all jobs), receive.c (those whose content comes), fetch.c (those whose content goes)
 * and room.c share.
 */
#ifndef SHUNT_DEVICE_JOBS_INT_H
#define SHUNT_DEVICE_JOBS_INT_H

#include <sys/queue.h>

#include "device/jobs.h"

struct content;
struct execution;
struct loop_defer;
struct loop_timer;
struct offer;

#define JOBS_FILE_LEN (NAME_LEN + ID_LEN + 24)

struct job {
	struct jobs *jobs;
	TAILQ_ENTRY(job) link; /* in jobs->open or jobs->finished */
	struct job_meta meta;
	enum job_state state;
	int64_t changed;
	char reason[JOB_REASON_LEN];
	struct journal *journal; /* NULL when finished */
	struct content *content; /* NULL when finished or executing has moved it away; fetch: NULL */
	struct offer *offer; /* fetch: the content, being made or ready */
	uint64_t claim; /* octets that count against max-bytes */
	struct execution *execution;
	uint64_t unsynced; /* octets written or journaled since the last sync */
	unsigned int uploads; /* in progress */
	bool verified;
	bool roomless; /* its content has no reserved place yet */
	bool sealed; /* store: its content is encrypted as it comes */
};

TAILQ_HEAD(job_list, job);

struct jobs {
	struct loop *loop;
	struct executor *executor;
	struct jobs_conf conf; /* state_dir not used after start */
	int dirfd;
	int keydirfd;
	int lock_fd;
	struct job_list open; /* unfinished, oldest first */
	struct job_list finished; /* oldest first */
	uint32_t open_count;
	uint32_t finished_count;
	uint32_t running;
	bool ready; /* recovery is over; changes are announced */
	struct loop_defer *work;
	struct loop_timer *sync_timer;
};

/* A job's content: its directory, and its name there. */
int jobs_content_dir(const struct job *job);
void jobs_content_name(const struct job *job, char out[JOBS_FILE_LEN]);

/* Enter @state: journal first, then the world. When the journal cannot take it, an end is still an
 * end (a restart will find the state before), anything else is refused.
 */
int job_enter(struct job *job, enum job_state state, const char *reason);
void job_fail(struct job *job, const char *what, int code);
/* Enter executing and start it; on failure the job has failed. */
void job_execute(struct job *job);

/* Put content and journal on stable storage. 0 or -errno. */
int job_sync(struct job *job);

/* ---- receive.c ---- */

/* Make the files of the content of a new job. 0, -EEXIST, -errno; then there is none. */
int receive_create(struct job *job);
/* Delete what there is of them, keys first. */
void receive_remove(struct job *job);
/* After a restart: see whether the job's content is sealed. */
void receive_look(struct job *job);
/* After a restart, of a job that had not been executed: open its content. 0 or why it is lost. */
int receive_recover(struct job *job, const struct journal_replay *replay);

/* ---- room.c ---- */

/* Octets that another job may claim. */
uint64_t jobs_room(const struct jobs *jobs);
/* May a job like this be created, or go on in the way that @meta says? As jobs_create(). */
int room_admission(struct jobs *jobs, const struct job_meta *meta, bool *roomless, struct err *e);

/* ---- fetch.c ---- */

/* Fix the content of a new fetch job, or begin to; a scan waits for its turn. 0, or a negative code
 * as of jobs_create() with @e.
 */
int fetch_begin(struct job *job, struct err *e);
/* Go on with a fetch job that is not ready. True: there is more to do at once. */
bool fetch_work(struct job *job);
/* The scan of an executing job has been made. */
void fetch_scanned(struct job *job);
/* After a restart. 0 or why the content is lost; -ENODATA: a scan was under way. */
int fetch_recover(struct job *job);

#endif
