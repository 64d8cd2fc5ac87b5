// SPDX-License-Identifier: GPL-2.0-or-later
/* fetch: the part of jobs.h that is about content which the device gives (seed: a file stored in the
 * image forming apparatus is transmitted outward).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "device/executor.h"
#include "device/export.h"
#include "device/jobs_int.h"
#include "device/offer.h"
#include "lib/loop.h"

#define STEP_OCTETS (4u << 20) /* copied or hashed in one pass of the loop */

static bool is_scan(const struct job *job)
{
	return export_scan(job->meta.job.path) != NULL;
}

/* The octets that this job may take, with what it has claimed. */
static uint64_t own_room(const struct job *job)
{
	return jobs_room(job->jobs) + job->claim;
}

/* What went wrong with the offer, as the end of the job. */
static void fetch_failed(struct job *job, int code)
{
	if (code == -EDQUOT)
		job_enter(job, JOB_FAILED, "the content passes max-bytes");
	else if (code == -ESTALE)
		job_enter(job, JOB_FAILED, "the file changes faster than it can be copied");
	else if (code == -EINVAL || code == -ENOENT)
		job_enter(job, JOB_FAILED, "the scan command has not made a file");
	else
		job_fail(job,
			 is_scan(job) ? "the scan cannot be read" : "the file cannot be copied",
			 code);
}

/* Size and digest are in the journal before anybody may rely on them. */
static void fetch_ready(struct job *job)
{
	int rc;

	job->claim = offer_size(job->offer);
	rc = journal_content(job->journal, offer_size(job->offer), offer_sha256(job->offer));
	if (!rc) {
		job->meta.job.size = offer_size(job->offer);
		memcpy(job->meta.job.sha256, offer_sha256(job->offer), SHA256_STR_LEN);
		rc = job_enter(job, JOB_RUNNING, "");
	}
	if (rc)
		job_fail(job, "the content cannot be recorded", rc);
}

/* Have the file copied from now on. */
static int copy_start(struct job *job)
{
	struct jobs *jobs = job->jobs;
	char file[JOBS_FILE_LEN];
	int fd, rc;

	fd = executor_open(jobs->executor, &job->meta.job);
	if (fd < 0)
		return fd;
	jobs_content_name(job, file);
	unlinkat(jobs->dirfd, file, 0); /* of a copy that was not finished */
	rc = offer_copy(jobs->dirfd, file, fd, own_room(job), &job->offer);
	if (!rc)
		job->claim = offer_size(job->offer);
	return rc;
}

int fetch_begin(struct job *job, struct err *e)
{
	const char *path = job->meta.job.path;
	int rc;

	if (is_scan(job))
		return 0;
	rc = copy_start(job);
	if (rc == -EDQUOT)
		return err_set(e, rc, "%.200s: passes max-bytes beside the unfinished jobs", path);
	if (rc && export_fault(rc))
		return err_set(e, -ENOTSUP, "%.200s: %s", path, export_fault(rc));
	return rc ? err_sys(e, rc, "%.200s", path) : 0;
}

bool fetch_work(struct job *job)
{
	struct jobs *jobs = job->jobs;
	char file[JOBS_FILE_LEN];
	int rc;

	if (job->offer && !offer_fixed(job->offer)) {
		/* A file that has grown is copied again from its start, beside what others claimed since. */
		offer_limit(job->offer, own_room(job));
		rc = offer_step(job->offer, STEP_OCTETS);
		if (rc == 0)
			job->claim = offer_size(job->offer);
		if (rc == 1)
			fetch_ready(job);
		else if (rc < 0)
			fetch_failed(job, rc);
		return rc == 0;
	}
	if (job->state == JOB_RECEIVING && is_scan(job) && jobs->running < jobs->conf.max_running) {
		jobs_content_name(job, file);
		unlinkat(jobs->dirfd, file, 0);
		job_execute(job);
	}
	return false;
}

void fetch_scanned(struct job *job)
{
	struct jobs *jobs = job->jobs;
	char file[JOBS_FILE_LEN];
	int rc;

	jobs_content_name(job, file);
	rc = offer_take(jobs->dirfd, file, own_room(job), &job->offer);
	if (rc) {
		fetch_failed(job, rc);
		return;
	}
	job->claim = offer_size(job->offer);
	loop_defer_call(jobs->work);
}

int fetch_recover(struct job *job)
{
	struct sapi_device_job *meta = &job->meta.job;
	char file[JOBS_FILE_LEN];

	if (job->state == JOB_RECEIVING) {
		/* Recorded, perhaps, but never told: it may be another file by now. */
		meta->size = CONTENT_SIZE_UNKNOWN;
		meta->sha256[0] = '\0';
		return is_scan(job) ? 0 : copy_start(job);
	}
	if (meta->size == CONTENT_SIZE_UNKNOWN)
		return -ENODATA;
	jobs_content_name(job, file);
	return offer_open(job->jobs->dirfd, file, meta->size, meta->sha256, &job->offer);
}

int job_done(struct job *job)
{
	if (job->state == JOB_COMPLETED)
		return 0;
	if (job_state_final(job->state))
		return -EALREADY;
	/* A job of another kind may be suspended, too, and has not been executed then. */
	if (job->meta.job.kind != JOB_FETCH ||
	    (job->state != JOB_RUNNING && job->state != JOB_SUSPENDED))
		return -EBUSY;
	return job_enter(job, JOB_COMPLETED, "");
}

int job_offered(const struct job *job, int *fd)
{
	if (job_state_final(job->state))
		return -EALREADY;
	if (job->state != JOB_RUNNING)
		return -EBUSY;
	*fd = offer_fd(job->offer);
	return 0;
}
