// SPDX-License-Identifier: GPL-2.0-or-later
/* intake: the content of jobs as it arrives, from the terminal or, of a fetch job, from the device. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cloud/jobs_int.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"

#define DIGEST_STEP ((uint64_t)4 << 20) /* bytes hashed in one pass of the loop */
#define ABANDON_CHECK_MS 60000 /* how late an abandoned upload may be noticed */

/* ---- content that the terminal uploads ---- */

void jobs_work_later(struct jobs *jobs)
{
	loop_defer_call(jobs->work);
}

static void digest_begin(struct job *job)
{
	if (!job->digesting)
		TAILQ_INSERT_TAIL(&job->jobs->digesting, job, digest);
	job->digesting = true;
	jobs_work_later(job->jobs);
}

void jobs_digest_end(struct job *job)
{
	if (job->digesting)
		TAILQ_REMOVE(&job->jobs->digesting, job, digest);
	job->digesting = false;
}

/* All of the content came and is or is being made durable. */
static bool has_all(const struct job *job)
{
	return job->digesting || job->arrived.group;
}

static void on_arrived(int err, void *arg)
{
	struct job *job = arg;

	/* If not, the terminal is told, and may try to end the upload again. */
	if (!err && job->row.state == JOB_RECEIVING)
		digest_begin(job);
}

/* The store is told what the spool holds; part of the group. */
static int put_ranges(struct job *job)
{
	struct group *group = job->jobs->group;
	int ret = group_begin(group);

	return ret ? ret :
		     group_did(group, store_ranges_put(job->jobs->conf.store, job->row.id,
						       STORE_UPLOADED, spool_held(job->content)));
}

/* ---- small content: durable in the store, in the spool for those who send it ---- */

static int content_save(struct job *job)
{
	struct group *group = job->jobs->group;
	uint8_t data[JOBS_SMALL];
	ssize_t n;
	int ret;

	do {
		n = pread(spool_fd(job->content), data, job->row.size, 0);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)job->row.size)
		return n < 0 ? -errno : -EIO;
	ret = group_begin(group);
	return ret ? ret :
		     group_did(group, store_content_put(job->jobs->conf.store, job->row.id, data,
							(size_t)n));
}

int jobs_content_load(struct job *job)
{
	struct spool *spool = job->jobs->conf.spool;
	struct buf data = BUF_INIT;
	int ret = store_content_get(job->jobs->conf.store, job->row.id, &data);

	if (!ret && data.len != job->row.size)
		ret = -EINVAL;
	if (!ret)
		ret = spool_file_light(spool, job->row.id, job->row.size, &job->content);
	if (!ret && data.len)
		ret = spool_write(job->content, 0, data.data, data.len);
	buf_fini(&data);
	return ret;
}

/* ---- uploads ---- */

/* What came so far, and that it came. */
static int make_durable(struct job *job)
{
	int ret;

	if (jobs_is_small(&job->row) && spool_complete(job->content))
		ret = content_save(job);
	else
		ret = spool_flush(job->content);
	return ret ? ret : put_ranges(job);
}

int job_upload(struct job *job, uint64_t offset, const void *data, size_t len)
{
	int ret;

	if (job->row.state != JOB_RECEIVING || has_all(job))
		return -EALREADY;
	job->touched = loop_now(job->jobs->conf.loop);
	ret = spool_write(job->content, offset, data, len);
	if (!ret && spool_wants_flush(job->content))
		ret = job_upload_end(job);
	return ret;
}

int job_upload_end(struct job *job)
{
	char hex[SHA256_STR_LEN];
	int ret;

	if (job->row.state != JOB_RECEIVING || has_all(job))
		return 0;
	ret = make_durable(job);
	if (ret) {
		jobs_store_failed(job, "upload");
		return ret;
	}
	if (spool_complete(job->content)) {
		job->arrived.done = on_arrived;
		job->arrived.arg = job;
		group_wait(job->jobs->group, &job->arrived);
	} else {
		/* Hash along with the upload, while the bytes are still in the page cache. */
		ret = spool_digest(job->content, SPOOL_FLUSH, hex);
	}
	return ret < 0 ? ret : 0;
}

void jobs_abandon_later(struct jobs *jobs)
{
	uint64_t ms = jobs->conf.upload_timeout;

	if (ms)
		loop_timer_set(jobs->abandon, ms < ABANDON_CHECK_MS ? ms : ABANDON_CHECK_MS);
}

/* Uploads that nobody goes on with would keep their space, and count as jobs, for ever. */
void jobs_on_abandon(void *arg)
{
	struct jobs *jobs = arg;
	uint64_t now = loop_now(jobs->conf.loop);
	struct job *job, *next;

	for (job = TAILQ_FIRST(&jobs->all); job; job = next) {
		next = TAILQ_NEXT(job, order);
		if (job->row.state != JOB_RECEIVING || has_all(job) ||
		    now - job->touched < jobs->conf.upload_timeout)
			continue;
		job_set_state(job, JOB_FAILED, PATH_NONE, "upload-abandoned",
			      "no content came for %llu s",
			      (unsigned long long)((now - job->touched) / 1000));
		job_release(job);
	}
	jobs_abandon_later(jobs);
}

/* ---- content that the device gives ---- */

/* Size and digest are in the store before any of the content is, and nothing there is of another content. */
static int record_told(struct job *job)
{
	static const struct ranges none = RANGES_INIT;
	struct store *store = job->jobs->conf.store;
	struct group *group = job->jobs->group;
	int ret = group_begin(group);

	if (!ret)
		ret = group_did(group, store_job_size_put(store, job->row.id, job->row.size));
	if (!ret && job->untold)
		ret = group_did(group,
				store_ranges_put(store, job->row.id, STORE_UPLOADED,
						 job->content ? spool_held(job->content) : &none));
	if (!ret)
		ret = group_did(group, store_job_update(store, &job->row));
	return ret;
}

int job_told(struct job *job, uint64_t size, const char *sha256)
{
	struct spool *spool = job->jobs->conf.spool;
	int ret;

	if (job->content)
		return size == job->row.size && !strcmp(sha256, job->row.sha256) ? 0 : -ESTALE;
	spool_remove(spool, job->row.id); /* of a run that did not get as far as the store */
	ret = spool_file_new(spool, job->row.id, size, &job->content);
	if (ret)
		return ret;
	job->row.size = size;
	snprintf(job->row.sha256, sizeof(job->row.sha256), "%s", sha256);
	ret = record_told(job);
	if (!ret)
		return 0;
	jobs_store_failed(job, "size");
	spool_file_close(job->content);
	job->content = NULL;
	job->row.size = CONTENT_SIZE_UNKNOWN;
	job->row.sha256[0] = '\0';
	return ret;
}

int job_untell(struct job *job)
{
	int ret;

	job->untold = true;
	job_check_cancel(job);
	spool_file_close(job->content);
	job->content = NULL;
	/* First of all: should the store be told too late, it is without what names the content. */
	spool_remove(job->jobs->conf.spool, job->row.id);
	job->row.size = CONTENT_SIZE_UNKNOWN;
	job->row.sha256[0] = '\0';
	ret = record_told(job);
	if (ret)
		jobs_store_failed(job, "size");
	return ret;
}

/*
 * The spool has to be able to take it; the store not, as long as the job goes on in memory: then a
 * restart fetches again what it does not know of.
 */
static int keep_fetched(struct job *job)
{
	int ret = spool_flush(job->content);

	if (!ret && put_ranges(job))
		jobs_store_failed(job, "ranges");
	return ret;
}

int job_fetched(struct job *job, uint64_t offset, const void *data, size_t len)
{
	char hex[SHA256_STR_LEN];
	int ret;

	if (!job->content || job->on_checked)
		return -EALREADY;
	ret = spool_write(job->content, offset, data, len);
	if (!ret && spool_wants_flush(job->content)) {
		ret = keep_fetched(job);
		if (!ret) /* along with the rest, while the bytes are in the page cache */
			ret = spool_digest(job->content, SPOOL_FLUSH, hex);
	}
	return ret < 0 ? ret : 0;
}

int job_fetched_keep(struct job *job)
{
	return job->content && !job->on_checked ? keep_fetched(job) : 0;
}

int job_check(struct job *job, void (*done)(int err, void *arg), void *arg)
{
	int ret;

	if (!job->content || !spool_complete(job->content))
		return -EINVAL;
	ret = keep_fetched(job);
	if (ret)
		return ret;
	job->on_checked = done;
	job->checked_arg = arg;
	job->check = CHECK_DIGEST;
	digest_begin(job);
	return 0;
}

void job_check_cancel(struct job *job)
{
	if (!job->on_checked)
		return;
	job->on_checked = NULL;
	group_unwait(&job->arrived);
	jobs_digest_end(job);
}

static void check_end(struct job *job, int err)
{
	void (*done)(int err, void *arg) = job->on_checked;

	job_check_cancel(job);
	done(err, job->checked_arg);
}

/* Not now: its disk is full, perhaps. The device keeps the content until then. */
static void tell_again_later(struct job *job)
{
	jobs_digest_end(job);
	job->check = CHECK_UNTOLD;
	loop_timer_set(job->jobs->tell, JOBS_TELL_AGAIN_MS);
}

static void on_told(int err, void *arg)
{
	struct job *job = arg;

	if (err) {
		tell_again_later(job);
		return;
	}
	job->check =
		CHECK_TOLD; /* the rest makes changes, for which this is no place: see group.h */
	digest_begin(job);
}

/* It is what the device told. The device may drop it as soon as the store, too, knows that it is here. */
static void tell_store(struct job *job, const char *sha256)
{
	jobs_digest_end(job);
	memmove(job->row.sha256, sha256, SHA256_STR_LEN);
	if (put_ranges(job)) {
		jobs_store_failed(job, "ranges");
		tell_again_later(job);
		return;
	}
	job->arrived.done = on_told;
	job->arrived.arg = job;
	group_wait(job->jobs->group, &job->arrived);
}

void jobs_on_tell(void *arg)
{
	struct jobs *jobs = arg;
	struct job *job;

	TAILQ_FOREACH(job, &jobs->all, order) {
		if (job->on_checked && job->check == CHECK_UNTOLD)
			tell_store(job, job->row.sha256);
	}
}

static void check_step(struct job *job)
{
	char hex[SHA256_STR_LEN];
	int ret;

	if (job->check == CHECK_TOLD) {
		check_end(job, 0);
		return;
	}
	ret = spool_digest(job->content, DIGEST_STEP, hex);
	if (ret < 0)
		check_end(job, ret);
	else if (ret && job->row.sha256[0] && strcmp(hex, job->row.sha256))
		check_end(job, -EBADMSG);
	else if (ret)
		tell_store(job, hex);
}

/* ---- digests ---- */

/* One step of the digest of a complete content. */
static void digest_step(struct job *job)
{
	int ret;

	if (job->on_checked) {
		check_step(job);
		return;
	}
	ret = spool_digest(job->content, DIGEST_STEP, job->row.sha256);
	if (!ret)
		return;
	jobs_digest_end(job);
	if (ret < 0) {
		job->row.sha256[0] = '\0';
		job_set_state(job, JOB_FAILED, PATH_NONE, "spool-failed",
			      "the content cannot be read back: %s", shunt_strerror(ret));
		job_release(job);
		return;
	}
	job_set_state(job, JOB_QUEUED, PATH_NONE, "", "%llu bytes, all of it here",
		      (unsigned long long)job->row.size);
	job->jobs->queued = true;
}

void jobs_on_work(void *arg)
{
	struct jobs *jobs = arg;
	struct job *job, *next;

	for (job = TAILQ_FIRST(&jobs->digesting); job; job = next) {
		next = TAILQ_NEXT(job, digest);
		digest_step(job);
	}
	if (!TAILQ_EMPTY(&jobs->digesting))
		jobs_work_later(jobs);
	if (jobs->queued) {
		jobs->queued = false;
		jobs->conf.on_queued(jobs->conf.arg);
	}
}
