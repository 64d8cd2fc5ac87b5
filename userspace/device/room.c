// SPDX-License-Identifier: GPL-2.0-or-later
/* room: the part of jobs.h that is about space: max-bytes, the store's quota, and the disk. */
#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "device/content.h"
#include "device/executor.h"
#include "device/jobs_int.h"
#include "device/quota.h"
#include "device/seal.h"

uint64_t jobs_room(const struct jobs *jobs)
{
	uint64_t held = 0;
	struct job *job;

	TAILQ_FOREACH(job, &jobs->open, link)
		held += job->roomless ? 0 : job->claim;
	return held < jobs->conf.max_bytes ? jobs->conf.max_bytes - held : 0;
}

/* Octets of a file that holds a content of @size. */
static uint64_t file_size(bool sealed, uint64_t size)
{
	return sealed ? seal_disk_size(size) : size;
}

/* Octets of the file that a new job would have; fetch.c sees to its own. */
static uint64_t file_needed(const struct jobs *jobs, const struct job_meta *meta)
{
	size_t recipients;

	if (meta->job.kind == JOB_FETCH)
		return 0;
	executor_recipients(jobs->executor, meta->job.kind, &recipients);
	return file_size(recipients > 0, meta->job.size);
}

/* Octets of the files of unfinished store jobs. */
static uint64_t claimed_store(const struct jobs *jobs)
{
	uint64_t claimed = 0;
	struct job *job;

	TAILQ_FOREACH(job, &jobs->open, link)
		if (job->meta.job.kind == JOB_STORE && !job->roomless)
			claimed += file_size(job->sealed, job->claim);
	return claimed;
}

/* Room for the content of @meta, counting what the unfinished jobs that have room still lack? */
static int check_room(struct jobs *jobs, const struct job_meta *meta, struct err *e)
{
	int dirfd = executor_content_dir(jobs->executor, meta->job.kind, jobs->dirfd);
	uint64_t size = meta->job.kind == JOB_FETCH ? 0 : meta->job.size;
	uint64_t missing = 0, room, need = file_needed(jobs, meta);
	struct statvfs fs;
	struct job *job;
	int rc;

	TAILQ_FOREACH(job, &jobs->open, link) {
		if (job->roomless)
			continue;
		if (job->content && jobs_content_dir(job) == dirfd)
			missing += file_size(job->sealed, job->meta.job.size) -
				   ranges_total(content_received(job->content));
	}
	room = jobs_room(jobs);
	if (size > room)
		return err_set(e, -EDQUOT,
			       "%llu octets beside the %llu of unfinished jobs pass max-bytes",
			       (unsigned long long)size,
			       (unsigned long long)(jobs->conf.max_bytes - room));
	if (meta->job.kind == JOB_STORE) {
		rc = quota_check(executor_quota(jobs->executor), claimed_store(jobs), need, e);
		if (rc)
			return rc;
	}
	if (fstatvfs(dirfd, &fs) < 0)
		return err_sys(e, -errno, "statvfs");
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (room < missing || room - missing < need)
		return err_set(e, -ENOSPC, "the disk has no room for %llu octets",
			       (unsigned long long)need);
	return 0;
}

int job_room(struct job *job)
{
	struct err e = { 0 };
	int rc = job->roomless ? check_room(job->jobs, &job->meta, &e) : 0;

	if (job->roomless)
		snprintf(job->reason, sizeof(job->reason), "%s", rc ? err_text(&e) : "");
	job->roomless = rc;
	return rc;
}

/* May a job like this be created, or go on in the way that @meta says? */
int room_admission(struct jobs *jobs, const struct job_meta *meta, bool *roomless, struct err *e)
{
	int rc = check_room(jobs, meta, e);

	/* One that can never have room is not worth waiting for. */
	*roomless = rc && meta->job.pull && meta->job.size <= jobs->conf.max_bytes &&
		    (meta->job.kind != JOB_STORE ||
		     file_needed(jobs, meta) <= quota_max(executor_quota(jobs->executor)));
	return *roomless ? 0 : rc;
}
