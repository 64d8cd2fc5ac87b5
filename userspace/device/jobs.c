// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/jobs_int.h"

#include <dirent.h>
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
#include "device/offer.h"
#include "lib/log.h"
#include "lib/loop.h"

#define HASH_SLICE (4u << 20) /* hashed in one pass of the loop */
#define JOURNAL_SUFFIX ".journal"

static void journal_name(const struct job_meta *meta, char out[JOBS_FILE_LEN])
{
	snprintf(out, JOBS_FILE_LEN, "%s.%s" JOURNAL_SUFFIX, meta->id, meta->cloud);
}

/* ---- states ---- */

#define BIT(state) (1u << (state))

static const unsigned int transitions[] = {
	[JOB_RECEIVING] = BIT(JOB_SUSPENDED) | BIT(JOB_EXECUTING) | BIT(JOB_FAILED) |
			  BIT(JOB_CANCELED) | BIT(JOB_RUNNING),
	[JOB_RUNNING] = BIT(JOB_SUSPENDED) | BIT(JOB_COMPLETED) | BIT(JOB_FAILED) |
			BIT(JOB_CANCELED),
	[JOB_SUSPENDED] = BIT(JOB_RECEIVING) | BIT(JOB_FAILED) | BIT(JOB_CANCELED) |
			  BIT(JOB_RUNNING) | BIT(JOB_COMPLETED),
	[JOB_EXECUTING] = BIT(JOB_COMPLETED) | BIT(JOB_FAILED) | BIT(JOB_CANCELED) |
			  BIT(JOB_INTERRUPTED) | BIT(JOB_RUNNING),
};

bool job_state_may(enum job_state from, enum job_state to)
{
	return (size_t)from < sizeof(transitions) / sizeof(transitions[0]) &&
	       (transitions[from] & BIT(to)) != 0;
}

static void evict_finished(struct jobs *jobs)
{
	char file[JOBS_FILE_LEN];
	struct job *job = TAILQ_FIRST(&jobs->finished);

	while (job && jobs->finished_count > jobs->conf.keep_finished) {
		struct job *next = TAILQ_NEXT(job, link);

		if (job->uploads == 0) {
			journal_name(&job->meta, file);
			unlinkat(jobs->dirfd, file, 0);
			TAILQ_REMOVE(&jobs->finished, job, link);
			jobs->finished_count--;
			free(job);
		}
		job = next;
	}
}

/* Oldest first, also when a restart finds the jobs in any order. */
static void list_insert(struct job_list *list, struct job *job)
{
	struct job *before = TAILQ_LAST(list, job_list);

	while (before && before->changed > job->changed)
		before = TAILQ_PREV(before, job_list, link);
	if (before)
		TAILQ_INSERT_AFTER(list, before, job, link);
	else
		TAILQ_INSERT_HEAD(list, job, link);
}

/* What an unfinished job needs and a finished one does not. */
static void job_finish(struct job *job)
{
	struct jobs *jobs = job->jobs;

	journal_close(job->journal);
	job->journal = NULL;
	offer_free(job->offer);
	job->offer = NULL;
	/* After a store the name is gone already; a sealed content's key is not. */
	receive_remove(job);
	TAILQ_REMOVE(&jobs->open, job, link);
	jobs->open_count--;
	list_insert(&jobs->finished, job);
	jobs->finished_count++;
}

int job_enter(struct job *job, enum job_state state, const char *reason)
{
	int64_t now = clock_wall_ms();
	int rc;

	if (!job_state_may(job->state, state))
		return -EINVAL;
	rc = journal_state(job->journal, state, reason, now);
	if (rc) {
		log_err("job: %s: cannot record state %s: %s", job->meta.id, job_state_str(state),
			shunt_strerror(rc));
		if (!job_state_final(state))
			return rc;
	}
	job->state = state;
	job->changed = now;
	snprintf(job->reason, sizeof(job->reason), "%s", reason);
	log_info("job: %s: %s%s%s", job->meta.id, job_state_str(state), reason[0] ? ": " : "",
		 reason);
	if (job_state_final(state))
		job_finish(job);
	if (job->jobs->ready && job->jobs->conf.on_change)
		job->jobs->conf.on_change(job, job->jobs->conf.arg);
	loop_defer_call(job->jobs->work);
	return 0;
}

/* ---- durability ---- */

static void on_sync_timer(void *arg)
{
	struct jobs *jobs = arg;
	struct job *job;
	int rc;

	TAILQ_FOREACH(job, &jobs->open, link) {
		rc = job_sync(job);
		if (rc)
			log_limited("sync", LOG_LVL_ERR, "job: %s: cannot sync: %s", job->meta.id,
				    shunt_strerror(rc));
	}
}

/* ---- execution ---- */

static void on_executed(enum job_state state, const char *reason, void *arg)
{
	struct job *job = arg;
	struct jobs *jobs = job->jobs;

	job->execution = NULL;
	jobs->running--;
	if (job->meta.job.kind == JOB_FETCH && state == JOB_COMPLETED)
		fetch_scanned(job);
	else
		job_enter(job, state, reason);
}

void job_fail(struct job *job, const char *what, int code)
{
	char reason[JOB_REASON_LEN];

	snprintf(reason, sizeof(reason), "%s: %s", what, shunt_strerror(code));
	job_enter(job, JOB_FAILED, reason);
}

void job_execute(struct job *job)
{
	struct jobs *jobs = job->jobs;
	char file[JOBS_FILE_LEN];
	int rc;

	rc = job_sync(job);
	if (!rc)
		rc = job_enter(job, JOB_EXECUTING, "");
	if (rc) {
		job_fail(job, "cannot be recorded as executing", rc);
		return;
	}
	content_free(job->content);
	job->content = NULL;
	jobs_content_name(job, file);
	rc = executor_start(jobs->executor, &job->meta, file, job->sealed, on_executed, job,
			    &job->execution);
	if (rc)
		job_fail(job, "cannot be started", rc);
	else
		jobs->running++;
}

/* One step with a complete job; returns whether another one makes sense at once. */
static bool job_advance(struct job *job)
{
	int rc;

	if (!job->verified) {
		rc = content_hash(job->content, HASH_SLICE);
		if (rc == 0)
			return true;
		if (rc < 0) {
			job_fail(job, "the content cannot be read back", rc);
			return false;
		}
		if (!content_matches(job->content, job->meta.job.sha256)) {
			job_enter(job, JOB_FAILED,
				  "the content does not have the SHA-256 announced");
			return false;
		}
		job->verified = true;
	}
	if (job->jobs->running < job->jobs->conf.max_running)
		job_execute(job);
	return false;
}

static void on_work(void *arg)
{
	struct jobs *jobs = arg;
	struct job *job, *next;
	bool again = false;

	for (job = TAILQ_FIRST(&jobs->open); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->meta.job.kind == JOB_FETCH)
			again = again || fetch_work(job); /* one copy at a time */
		else if (job->state == JOB_RECEIVING && content_complete(job->content))
			again |= job_advance(job);
	}
	/* Here, where nobody holds a pointer from before. */
	evict_finished(jobs);
	if (again)
		loop_defer_call(jobs->work);
}

/* ---- recovery ---- */

static struct job *job_alloc(struct jobs *jobs, const struct job_meta *meta)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->jobs = jobs;
	job->meta = *meta;
	job->claim = meta->job.size == CONTENT_SIZE_UNKNOWN ? 0 : meta->job.size;
	job->state = JOB_RECEIVING;
	job->changed = clock_wall_ms();
	return job;
}

static void job_open(struct job *job)
{
	list_insert(&job->jobs->open, job);
	job->jobs->open_count++;
}

/* A job that was being executed when the agent went down. Moving a file is atomic and can be
 * finished; what a print command has done nobody knows, and it is not repeated.
 */
static void recover_executing(struct job *job)
{
	char file[JOBS_FILE_LEN];
	int done;

	if (job->meta.job.kind == JOB_FETCH && fetch_recover(job) == 0) {
		job_enter(job, JOB_RUNNING, "");
		return;
	}
	jobs_content_name(job, file);
	if (job->meta.job.kind == JOB_STORE) {
		done = executor_store_done(job->jobs->executor, file);
		if (done == 1) {
			job_enter(job, JOB_COMPLETED, "");
			return;
		}
		if (done == 0 && executor_start(job->jobs->executor, &job->meta, file, job->sealed,
						on_executed, job, &job->execution) == 0) {
			job->jobs->running++;
			return;
		}
	}
	job_enter(job, JOB_INTERRUPTED,
		  "the agent ended while the job was being executed; it is not repeated");
}

static void recover_job(struct job *job, const struct journal_replay *replay)
{
	int rc;

	job->state = replay->state;
	job->changed = replay->changed;
	memcpy(job->reason, replay->reason, sizeof(job->reason));
	job_open(job);
	receive_look(job);
	if (job_state_final(job->state)) {
		job_finish(job);
	} else if (!executor_does(job->jobs->executor, job->meta.job.kind) ||
		   /* of files and scans the configuration may have lost one */
		   (job->meta.job.kind == JOB_FETCH && job->state == JOB_RECEIVING &&
		    executor_refusal(job->jobs->executor, &job->meta.job))) {
		job_enter(job, JOB_FAILED, "this device takes no jobs of that kind any more");
	} else if (job->state == JOB_EXECUTING) {
		recover_executing(job);
	} else {
		rc = job->meta.job.kind == JOB_FETCH ? fetch_recover(job) :
						       receive_recover(job, replay);
		if (!rc)
			return;
		job_fail(job, "the content received is lost", rc);
	}
}

static void recover_file(struct jobs *jobs, const char *file)
{
	char expected[JOBS_FILE_LEN], bad[NAME_MAX + 8];
	struct journal_replay replay;
	struct journal *journal = NULL;
	struct job *job = NULL;
	struct err e = { 0 };
	int rc;

	rc = journal_open(jobs->dirfd, file, &replay, &journal, &e);
	if (!rc) {
		journal_name(&replay.meta, expected);
		if (strcmp(file, expected) != 0)
			rc = err_set(&e, -SHUNT_EPARSE, "%s: holds job %s", file, expected);
	}
	if (!rc && !(job = job_alloc(jobs, &replay.meta)))
		rc = err_set(&e, -ENOMEM, "%s: out of memory", file);
	if (rc) {
		log_err("job: recovery: %s", err_text(&e));
		journal_close(journal);
		/* Set aside, so that a person may look and the next start does not stumble again.
		 */
		snprintf(bad, sizeof(bad), "%s.bad", file);
		if (rc == -SHUNT_EPARSE)
			renameat(jobs->dirfd, file, jobs->dirfd, bad);
	} else {
		job->journal = journal;
		recover_job(job, &replay);
	}
	journal_replay_fini(&replay);
}

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m && strcmp(s + n - m, suffix) == 0;
}

static int recover_all(struct jobs *jobs, struct err *e)
{
	int fd = openat(jobs->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		int rc = -errno;

		if (fd >= 0)
			close(fd);
		return err_sys(e, rc, "state directory");
	}
	while ((entry = readdir(dir))) {
		if (has_suffix(entry->d_name, JOURNAL_SUFFIX))
			recover_file(jobs, entry->d_name);
		else if (has_suffix(entry->d_name, JOURNAL_SUFFIX ".new"))
			unlinkat(jobs->dirfd, entry->d_name, 0);
	}
	closedir(dir);
	if (jobs->open_count || jobs->finished_count)
		log_notice("job: recovery: %u unfinished, %u finished", jobs->open_count,
			   jobs->finished_count);
	return 0;
}

/* ---- jobs ---- */

static int open_state(struct jobs *jobs, const char *dir, struct err *e)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	jobs->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (jobs->dirfd < 0)
		return err_sys(e, -errno, "state %s", dir);
	jobs->lock_fd =
		openat(jobs->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (jobs->lock_fd < 0)
		return err_sys(e, -errno, "state %s/lock", dir);
	/* Unlike flock(), not shared with a command between its fork and its exec. */
	if (fcntl(jobs->lock_fd, F_SETLK, &lock) < 0)
		return errno == EAGAIN || errno == EACCES ?
			       err_set(e, -EBUSY, "state %s: another shunt-device uses it", dir) :
			       err_sys(e, -errno, "state %s/lock", dir);
	return 0;
}

/* Where file keys lie; nobody else may look. */
static int open_keys(struct jobs *jobs, const char *dir, struct err *e)
{
	struct stat st;

	if (!dir)
		dir = jobs->conf.state_dir;
	jobs->keydirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (jobs->keydirfd < 0 || fstat(jobs->keydirfd, &st) < 0)
		return err_sys(e, -errno, "key-dir %s", dir);
	if (faccessat(jobs->keydirfd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return err_sys(e, -errno, "key-dir %s: cannot write", dir);
	if (jobs->conf.key_dir && (st.st_mode & 077))
		return err_set(e, -SHUNT_ESECRETFILE,
			       "key-dir %s: mode %04o lets others in; run chmod 700 on it", dir,
			       st.st_mode & 07777);
	return 0;
}

int jobs_new(struct loop *loop, const struct jobs_conf *conf, struct executor *executor,
	     struct jobs **out, struct err *e)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));
	int rc;

	if (!jobs)
		return err_set(e, -ENOMEM, "out of memory");
	jobs->loop = loop;
	jobs->executor = executor;
	jobs->conf = *conf;
	jobs->dirfd = -1;
	jobs->keydirfd = -1;
	jobs->lock_fd = -1;
	TAILQ_INIT(&jobs->open);
	TAILQ_INIT(&jobs->finished);
	rc = open_state(jobs, conf->state_dir, e);
	if (!rc)
		rc = open_keys(jobs, conf->key_dir, e);
	if (!rc && (loop_defer_new(loop, on_work, jobs, &jobs->work) ||
		    loop_timer_new(loop, on_sync_timer, jobs, &jobs->sync_timer)))
		rc = err_set(e, -ENOMEM, "out of memory");
	if (!rc)
		rc = recover_all(jobs, e);
	if (rc) {
		jobs_free(jobs);
		return rc;
	}
	jobs->ready = true;
	loop_defer_call(jobs->work);
	*out = jobs;
	return 0;
}

static void job_free(struct job *job)
{
	execution_abandon(job->execution);
	job_sync(job);
	journal_close(job->journal);
	content_free(job->content);
	offer_free(job->offer);
	free(job);
}

void jobs_free(struct jobs *jobs)
{
	struct job *job;

	if (!jobs)
		return;
	while ((job = TAILQ_FIRST(&jobs->open))) {
		TAILQ_REMOVE(&jobs->open, job, link);
		job_free(job);
	}
	while ((job = TAILQ_FIRST(&jobs->finished))) {
		TAILQ_REMOVE(&jobs->finished, job, link);
		job_free(job);
	}
	loop_defer_free(jobs->work);
	loop_timer_free(jobs->sync_timer);
	if (jobs->lock_fd >= 0)
		close(jobs->lock_fd);
	if (jobs->keydirfd >= 0)
		close(jobs->keydirfd);
	if (jobs->dirfd >= 0)
		close(jobs->dirfd);
	free(jobs);
}

static struct job *list_find(struct job_list *list, const char *cloud, const char *id)
{
	struct job *job;

	TAILQ_FOREACH(job, list, link)
		if (strcmp(job->meta.id, id) == 0 && strcmp(job->meta.cloud, cloud) == 0)
			return job;
	return NULL;
}

struct job *jobs_find(struct jobs *jobs, const char *cloud, const char *id)
{
	struct job *job = list_find(&jobs->open, cloud, id);

	return job ? job : list_find(&jobs->finished, cloud, id);
}

bool jobs_busy(struct jobs *jobs, const char *cloud)
{
	struct job *job;

	TAILQ_FOREACH(job, &jobs->open, link)
		if (strcmp(job->meta.cloud, cloud) == 0)
			return true;
	return false;
}

static bool job_same(const struct job *job, const struct job_meta *meta)
{
	const struct sapi_device_job *a = &job->meta.job, *b = &meta->job;

	if (a->kind != b->kind || strcmp(a->name, b->name) != 0 ||
	    strcmp(a->media_type, b->media_type) != 0 || !sapi_print_equal(&a->print, &b->print))
		return false;
	if (a->kind == JOB_FETCH) /* its size and digest are ours to tell */
		return strcmp(a->path, b->path) == 0;
	return a->size == b->size && strcmp(a->sha256, b->sha256) == 0;
}

/* Journal first: a journal without content is an empty job, content without journal would be
 * litter.
 */
static int job_files(struct job *job, struct err *e)
{
	char file[JOBS_FILE_LEN];
	int rc;

	journal_name(&job->meta, file);
	rc = journal_create(job->jobs->dirfd, file, &job->meta, &job->journal);
	if (rc)
		return err_sys(e, rc, "journal");
	if (job->meta.job.kind == JOB_FETCH) {
		rc = fetch_begin(job, e);
		goto out;
	}
	rc = receive_create(job);
	if (rc)
		err_sys(e, rc, "content");
out:
	if (rc) {
		journal_name(&job->meta, file);
		unlinkat(job->jobs->dirfd, file, 0);
		journal_close(job->journal);
		job->journal = NULL;
	}
	return rc;
}

int jobs_create(struct jobs *jobs, const struct job_meta *meta, struct job **out, struct err *e)
{
	struct job *job = jobs_find(jobs, meta->cloud, meta->id);
	const char *refusal;
	bool roomless;
	int rc;

	if (job) {
		*out = job;
		if (!job_same(job, meta))
			return err_set(e, -EEXIST, "the job exists and is another one");
		rc = job->roomless ? room_admission(jobs, meta, &roomless, e) : 0;
		if (rc)
			return rc;
		job->meta.job.pull = meta->job.pull; /* says how, not what */
		if (job->roomless && !roomless)
			job->reason[0] = '\0';
		job->roomless = job->roomless && roomless;
		return 0;
	}
	refusal = executor_refusal(jobs->executor, &meta->job);
	if (refusal)
		return err_set(e, -ENOTSUP, "%s", refusal);
	if (jobs->open_count >= jobs->conf.max_jobs)
		return err_set(e, -EDQUOT, "%u jobs are unfinished, max-jobs allows no more",
			       jobs->open_count);
	rc = room_admission(jobs, meta, &roomless, e);
	if (rc)
		return rc;
	job = job_alloc(jobs, meta);
	if (!job)
		return err_set(e, -ENOMEM, "out of memory");
	job->roomless = roomless;
	rc = job_files(job, e);
	/* Not the caller's fault, and not to be mistaken for a job that is known and differs. */
	if (rc == -EEXIST)
		rc = err_set(
			e, -EIO,
			"files of an earlier job %s, which could not be recovered, are in the way",
			meta->id);
	if (rc) {
		free(job);
		return rc;
	}
	job_open(job);
	log_info("job: %s: created by %s: %s of %llu octets", meta->id, meta->cloud,
		 job_kind_str(meta->job.kind), (unsigned long long)job->claim);
	loop_defer_call(jobs->work); /* an empty content is complete at once */
	*out = job;
	return 1;
}

/* ---- one job ---- */

const struct job_meta *job_meta(const struct job *job)
{
	return &job->meta;
}

enum job_state job_state(const struct job *job)
{
	return job->state;
}

const char *job_reason(const struct job *job)
{
	if (job->state == JOB_RECEIVING && job->meta.job.kind == JOB_FETCH)
		return job->offer ? "the file is being copied" : "waits for jobs before it";
	if (job->state == JOB_RECEIVING && job->verified)
		return "complete, waits for jobs before it";
	return job->reason;
}

int64_t job_changed(const struct job *job)
{
	return job->changed;
}

int job_suspend(struct job *job)
{
	if (job_state_final(job->state))
		return -EALREADY;
	/* A content that is not fixed yet cannot be held back: nobody could have any of it. */
	if (job->state == JOB_EXECUTING ||
	    (job->meta.job.kind == JOB_FETCH && job->state == JOB_RECEIVING))
		return -EBUSY;
	if (job->state == JOB_SUSPENDED)
		return 0;
	return job_enter(job, JOB_SUSPENDED, "");
}

int job_resume(struct job *job)
{
	if (job_state_final(job->state))
		return -EALREADY;
	if (job->state != JOB_SUSPENDED)
		return 0;
	return job_enter(job, job->meta.job.kind == JOB_FETCH ? JOB_RUNNING : JOB_RECEIVING, "");
}

int job_cancel(struct job *job)
{
	if (job_state_final(job->state))
		return 0;
	if (job->execution) {
		execution_cancel(job->execution);
		return 0;
	}
	return job_enter(job, JOB_CANCELED, "canceled by its cloud");
}
