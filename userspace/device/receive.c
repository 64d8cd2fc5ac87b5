// SPDX-License-Identifier: GPL-2.0-or-later
/* receive: the part of jobs.h that is about content which comes: its files, in clear or sealed, and uploads. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/content.h"
#include "device/executor.h"
#include "device/export.h"
#include "device/jobs_int.h"
#include "lib/log.h"
#include "lib/loop.h"

#define UNREADABLE "the content cannot be read back"
#define SYNC_OCTETS (4u << 20)
#define SYNC_MS 1000
#define JOURNAL_OCTETS (1u << 20) /* a long request's ranges are journaled this often */

struct upload {
	struct job *job;
	uint64_t pos; /* next octet */
	uint64_t to;
	uint64_t journaled; /* position when the journal was told the last time */
	uint64_t duplicate;
};

/* ---- files ---- */

/* In the store directory the content must look like nobody's file until it is renamed; and a restart must
 * see by its name whether it is sealed.
 */
static void content_name(const struct job_meta *meta, bool sealed, char out[JOBS_FILE_LEN])
{
	if (meta->job.kind == JOB_STORE)
		snprintf(out, JOBS_FILE_LEN, EXPORT_RESERVED "%s.%s%s.part", meta->id, meta->cloud,
			 sealed ? ".age" : "");
	else
		snprintf(out, JOBS_FILE_LEN, "%s.%s.content", meta->id, meta->cloud);
}

void jobs_content_name(const struct job *job, char out[JOBS_FILE_LEN])
{
	content_name(&job->meta, job->sealed, out);
}

int jobs_content_dir(const struct job *job)
{
	return executor_content_dir(job->jobs->executor, job->meta.job.kind, job->jobs->dirfd);
}

/* What seals a job's content, with the names it points to. */
struct seal_names {
	char key[JOBS_FILE_LEN], scratch[JOBS_FILE_LEN];
	struct content_seal seal;
};

/* NULL when the job's content is in clear. */
static const struct content_seal *seal_of(const struct job *job, struct seal_names *names)
{
	const struct job_meta *meta = &job->meta;

	if (!job->sealed)
		return NULL;
	snprintf(names->key, sizeof(names->key), "%s.%s.key", meta->id, meta->cloud);
	snprintf(names->scratch, sizeof(names->scratch), "%s.%s.scratch", meta->id, meta->cloud);
	names->seal = (struct content_seal){
		.keydir = job->jobs->keydirfd,
		.scratchdir = job->jobs->dirfd,
		.key = names->key,
		.scratch = names->scratch,
	};
	names->seal.to = executor_recipients(job->jobs->executor, meta->job.kind, &names->seal.n);
	return &names->seal;
}

static bool wants_seal(const struct job *job)
{
	size_t n;

	executor_recipients(job->jobs->executor, job->meta.job.kind, &n);
	return n > 0;
}

static int files_create(struct job *job)
{
	struct seal_names names;
	char file[JOBS_FILE_LEN];

	jobs_content_name(job, file);
	return content_create(jobs_content_dir(job), file, job->meta.job.size, seal_of(job, &names),
			      &job->content);
}

int receive_create(struct job *job)
{
	int rc;

	job->sealed = wants_seal(job);
	rc = files_create(job);
	if (!rc && fsync(jobs_content_dir(job)) < 0) {
		rc = -errno;
		receive_remove(job);
	}
	return rc;
}

/* Of a store job in either form: how it was stored a restart cannot see any more, and no key may stay. */
void receive_remove(struct job *job)
{
	struct seal_names names;
	char file[JOBS_FILE_LEN];
	int dir = jobs_content_dir(job);

	content_free(job->content);
	job->content = NULL;
	content_name(&job->meta, false, file);
	unlinkat(dir, file, 0);
	if (job->meta.job.kind != JOB_STORE)
		return;
	job->sealed = true;
	content_name(&job->meta, true, file);
	content_remove(dir, file, seal_of(job, &names));
}

/* ---- recovery ---- */

void receive_look(struct job *job)
{
	char file[JOBS_FILE_LEN];
	struct stat st;

	content_name(&job->meta, true, file);
	job->sealed = job->meta.job.kind == JOB_STORE &&
		      fstatat(jobs_content_dir(job), file, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int files_open(struct job *job, const struct ranges *received)
{
	struct seal_names names;
	char file[JOBS_FILE_LEN];

	jobs_content_name(job, file);
	return content_open(jobs_content_dir(job), file, job->meta.job.size, received,
			    seal_of(job, &names), &job->content);
}

/*
 * From nothing, in the way that is configured now. The journal forgets what was held before anything is touched: killed
 * in between, a restart finds files that hold nothing, or none, and starts over again.
 */
static int start_over(struct job *job, const struct journal_replay *replay)
{
	struct journal_replay now = *replay;
	int rc = 0;

	ranges_init(&now.received);
	if (replay->received.n)
		rc = journal_compact(job->journal, &now);
	if (rc)
		return rc;
	receive_remove(job);
	return receive_create(job);
}

int receive_recover(struct job *job, const struct journal_replay *replay)
{
	bool want = wants_seal(job);
	int rc;

	/* Once it is configured, no content is to be in clear any longer than can be helped. */
	if (want && !job->sealed) {
		log_notice(
			"job: %s: what was received in clear is dropped, content is encrypted now",
			job->meta.id);
		return start_over(job, replay);
	}
	rc = files_open(job, &replay->received);
	if (rc == -ENOKEY) {
		/* In a key-dir that does not outlive the machine's restart that is how it should be. */
		log_notice("job: %s: its file key is gone, the content is received anew",
			   job->meta.id);
		return start_over(job, replay);
	}
	/* The journal comes first when a job is created; nothing is lost with an empty file. */
	if ((rc == -ENOENT || rc == -EIO) && replay->received.n == 0)
		rc = start_over(job, replay);
	return rc;
}

/* ---- durability ---- */

int job_sync(struct job *job)
{
	struct journal_replay now;
	int rc;

	if (!job->content || job->unsynced == 0)
		return 0;
	rc = content_sync(job->content);
	if (!rc)
		rc = journal_sync(job->journal);
	if (rc)
		return rc;
	job->unsynced = 0;
	if (journal_bloated(job->journal)) {
		now = (struct journal_replay){ .meta = job->meta,
					       .received = *content_received(job->content),
					       .state = job->state,
					       .changed = job->changed };
		memcpy(now.reason, job->reason, sizeof(now.reason));
		rc = journal_compact(job->journal, &now);
	}
	return rc;
}

/* ---- what is held ---- */

int job_received(const struct job *job, struct ranges *out)
{
	if (job->content)
		return ranges_copy(out, content_received(job->content));
	ranges_clear(out);
	if (job->meta.job.kind == JOB_FETCH)
		return 0;
	if (job->state == JOB_EXECUTING || job->state == JOB_COMPLETED ||
	    job->state == JOB_INTERRUPTED)
		return ranges_add(out, 0, job->meta.job.size, NULL);
	return 0;
}

bool job_missing(const struct job *job, uint64_t most, uint64_t *from, uint64_t *to)
{
	uint64_t size = job->meta.job.size, pos, hole, end;
	const struct ranges *held;

	if (job->state != JOB_RECEIVING || !job->content)
		return false;
	held = content_received(job->content);
	if (!ranges_next_hole(held, 0, size, from, to))
		return false;
	for (pos = *from; most && ranges_next_hole(held, pos, size, &hole, &end); pos = end) {
		*to = end - hole < most ? end : hole + most;
		most -= *to - hole;
	}
	return true;
}

/* ---- content ---- */

int upload_begin(struct job *job, uint64_t from, uint64_t to, struct upload **out)
{
	struct upload *u;

	if (from > to || to > job->meta.job.size || job->meta.job.kind == JOB_FETCH)
		return -ERANGE;
	if (job->state == JOB_SUSPENDED)
		return -EBUSY;
	if (job->roomless)
		return -EDQUOT;
	if (job_state_final(job->state) && job->state != JOB_COMPLETED)
		return -EALREADY;
	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->job = job;
	u->pos = from;
	u->journaled = from;
	u->to = to;
	job->uploads++;
	*out = u;
	return 0;
}

/* Tell the journal what has come since the last time. */
static int upload_journal(struct upload *u)
{
	struct job *job = u->job;
	struct ranges *fresh;
	uint64_t octets;
	int rc = 0;

	if (!job->content)
		return 0;
	fresh = content_fresh(job->content);
	/* If there was a sync since they came, the journal did not have them, or not even the disk. */
	octets = ranges_total(fresh);
	if (job->unsynced < octets)
		job->unsynced = octets;
	for (size_t i = 0; i < fresh->n && !rc; i++)
		rc = journal_range(job->journal, fresh->v[i].from, fresh->v[i].to);
	if (rc)
		return rc;
	ranges_clear(fresh);
	u->journaled = u->pos;
	if (job->unsynced >= SYNC_OCTETS)
		rc = job_sync(job);
	else if (job->unsynced && !loop_timer_armed(job->jobs->sync_timer))
		loop_timer_set(job->jobs->sync_timer, SYNC_MS);
	return rc;
}

int upload_data(struct upload *u, const void *data, size_t len)
{
	struct job *job = u->job;
	int rc;

	if (len > u->to - u->pos)
		return -ERANGE;
	if (!job->content) {
		if (job->state != JOB_EXECUTING && job->state != JOB_COMPLETED)
			return -EALREADY;
		u->duplicate += len;
		u->pos += len;
		return 0;
	}
	rc = content_write(job->content, u->pos, data, len, &u->duplicate);
	if (rc == -EBADMSG) {
		job_fail(job, UNREADABLE, rc);
		return -EIO;
	}
	if (rc)
		return rc;
	u->pos += len;
	job->unsynced += len;
	/* Keeps up with content that comes in order, and catches up with what came out of it. */
	rc = job->verified ? 0 : content_hash(job->content, 2 * (uint64_t)len);
	if (rc < 0) {
		/* Sent again it would be read back as badly. */
		job_fail(job, UNREADABLE, rc);
		return -EIO;
	}
	rc = 0;
	if (u->pos - u->journaled >= JOURNAL_OCTETS)
		rc = upload_journal(u);
	if (!rc && content_complete(job->content))
		loop_defer_call(job->jobs->work);
	return rc;
}

uint64_t upload_left(const struct upload *u)
{
	return u->to - u->pos;
}

int upload_end(struct upload *u, uint64_t *duplicate)
{
	struct job *job = u->job;
	int rc = job->content ? content_settle(job->content) : 0;

	if (!rc)
		rc = upload_journal(u);
	if (duplicate)
		*duplicate = u->duplicate;
	if (!rc && job_state_final(job->state) && job->state != JOB_COMPLETED)
		rc = -EALREADY;
	job->uploads--;
	free(u);
	return rc;
}
