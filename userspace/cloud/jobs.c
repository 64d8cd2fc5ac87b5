// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/jobs_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"

#define SAVE_MS 5000 /* progress reaches the store at least so often while there is any */
#define PURGE_MS ((uint64_t)3600 * 1000)
#define PURGE_BATCH 1000 /* jobs deleted in one pass of the loop */
#define PURGE_MORE_MS 100 /* between batches, for others to be served */

static size_t bucket_of(const char *id)
{
	char digits[4] = { id[0], id[1], id[2], 0 };

	return strtoul(digits, NULL, 16) % BUCKETS;
}

struct job *jobs_find(const struct jobs *jobs, const char *id)
{
	struct job *job;

	if (!id_ok(id))
		return NULL;
	LIST_FOREACH(job, &jobs->buckets[bucket_of(id)], bucket)
		if (!strcmp(job->row.id, id))
			return job;
	return NULL;
}

/* The store is a file that others can reach: a priority from there indexes nothing unchecked. */
static unsigned int queue_of(const struct job *job)
{
	return job->row.priority > SAPI_PRIORITY_MAX ? SAPI_PRIORITY_MAX : job->row.priority;
}

/* After a change of state or delivery: does the job, once in the store, wait for somebody to deliver it? */
static void ready_update(struct job *job)
{
	bool ready = job->row.state == JOB_QUEUED && !job->delivery && !job->born.group;
	struct job_turns *turns = &job->jobs->ready[queue_of(job)];
	struct job *before;

	if (ready == job->ready)
		return;
	job->ready = ready;
	if (!ready) {
		TAILQ_REMOVE(turns, job, turn);
		return;
	}
	if (!job->number)
		job->number = ++job->jobs->numbers;
	/* One that was taken and put back has not lost its turn. */
	before = TAILQ_LAST(turns, job_turns);
	while (before && before->number > job->number)
		before = TAILQ_PREV(before, job_turns, turn);
	if (before)
		TAILQ_INSERT_AFTER(turns, before, job, turn);
	else
		TAILQ_INSERT_HEAD(turns, job, turn);
}

static void insert(struct jobs *jobs, struct job *job)
{
	job->jobs = jobs;
	job->touched = loop_now(jobs->conf.loop);
	LIST_INSERT_HEAD(&jobs->buckets[bucket_of(job->row.id)], job, bucket);
	TAILQ_INSERT_TAIL(&jobs->all, job, order);
	jobs->count++;
	ready_update(job);
}

bool jobs_is_small(const struct store_job *row)
{
	return row->kind != JOB_FETCH && row->size <= JOBS_SMALL;
}

static void job_free(struct job *job)
{
	group_unwait(&job->born);
	group_unwait(&job->arrived);
	spool_file_close(job->content);
	free(job->paths);
	free(job);
}

static void job_remove(struct job *job)
{
	LIST_REMOVE(job, bucket);
	TAILQ_REMOVE(&job->jobs->all, job, order);
	if (job->ready)
		TAILQ_REMOVE(&job->jobs->ready[queue_of(job)], job, turn);
	jobs_digest_end(job);
	job->jobs->count--;
}

/* The job goes on in memory when the store fails; see jobs.h. */
void jobs_store_failed(const struct job *job, const char *what)
{
	log_limited("store", LOG_LVL_ERR, "jobs: %s: %s not stored: %s", job->row.id, what,
		    err_text(store_err(job->jobs->conf.store)));
}

static void tell_watches(struct job *job, const struct sapi_job_event *ev)
{
	struct job_watch *w, *next;

	for (w = job->watches; w; w = next) {
		next = w->next;
		w->on_event(ev, w->arg);
	}
}

int jobs_store(struct jobs *jobs, const struct store_job *row, const struct sapi_job_event *ev)
{
	struct store *store = jobs->conf.store;
	struct group *group = jobs->group;
	int ret = group_begin(group);

	if (!ret)
		ret = group_did(group, store_event_add(store, row->id, ev));
	if (!ret)
		ret = group_did(group, store_job_update(store, row));
	if (!ret && job_state_final(row->state) && jobs_is_small(row))
		ret = group_did(group, store_content_del(store, row->id));
	return ret;
}

static void record(struct job *job, const struct sapi_job_event *ev)
{
	struct group *group = job->jobs->group;
	bool final = job_state_final(job->row.state);

	job->saved_at = loop_now(job->jobs->conf.loop);
	if (jobs_store(job->jobs, &job->row, ev))
		jobs_store_failed(job, ev->event);
	if (final || job->watches)
		group_tell(group);
	log_info("job: %s: %s%s%s%s%s", job->row.id, ev->event, ev->reason[0] ? ": " : "",
		 ev->reason, ev->text[0] ? ": " : "", ev->text);
	tell_watches(job, ev);
}

static void event_init(struct sapi_job_event *ev, const char *event, enum path_kind path,
		       const char *reason)
{
	memset(ev, 0, sizeof(*ev));
	ev->time = clock_wall_ms();
	ev->path = path;
	snprintf(ev->event, sizeof(ev->event), "%s", event);
	snprintf(ev->reason, sizeof(ev->reason), "%s", reason);
}

static void __attribute__((format(printf, 2, 0)))
event_text(struct sapi_job_event *ev, const char *fmt, va_list ap)
{
	char raw[SAPI_TEXT_LEN];
	int n = vsnprintf(raw, sizeof(raw), fmt, ap);

	if (n < 0)
		n = 0;
	/* A reason may quote a remote: no control characters pass into the store. */
	err_escape(ev->text, sizeof(ev->text), raw,
		   (size_t)n < sizeof(raw) ? (size_t)n : sizeof(raw) - 1);
}

void job_event(struct job *job, const char *event, enum path_kind path, const char *reason,
	       const char *fmt, ...)
{
	struct sapi_job_event ev;
	va_list ap;

	event_init(&ev, event, path, reason);
	va_start(ap, fmt);
	event_text(&ev, fmt, ap);
	va_end(ap);
	record(job, &ev);
}

void job_decision(struct job *job, const char *action, const char *reason, const char *text)
{
	struct sapi_job_event ev;

	event_init(&ev, "decision", PATH_TUNNEL, reason);
	snprintf(ev.action, sizeof(ev.action), "%s", action);
	err_escape(ev.text, sizeof(ev.text), text, strlen(text));
	record(job, &ev);
}

void job_set_state(struct job *job, enum job_state state, enum path_kind path, const char *reason,
		   const char *fmt, ...)
{
	struct sapi_job_event ev;
	va_list ap;

	if (job_state_final(job->row.state))
		return;
	event_init(&ev, job_state_str(state), path, reason);
	va_start(ap, fmt);
	event_text(&ev, fmt, ap);
	va_end(ap);
	/* What is as it should be needs no reason. */
	snprintf(job->row.reason, sizeof(job->row.reason), "%s", reason[0] ? ev.text : "");
	if (job->row.state == state)
		return;
	job->row.state = state;
	ready_update(job);
	if (job_state_final(state)) {
		job->row.finished = ev.time;
		job->jobs->ended[state]++;
	}
	record(job, &ev);
}

const struct store_job *job_row(const struct job *job)
{
	return &job->row;
}

struct spool_file *job_content(const struct job *job)
{
	return job->content;
}

bool job_before(const struct job *a, const struct job *b)
{
	unsigned int qa = queue_of(a), qb = queue_of(b);

	return qa != qb ? qa > qb : a->number < b->number;
}

void job_set_delivery(struct job *job, void *delivery)
{
	job->delivery = delivery;
	ready_update(job);
}

void *job_delivery(const struct job *job)
{
	return job->delivery;
}

void job_progress(struct job *job, uint64_t delivered, uint64_t resent)
{
	uint64_t now = loop_now(job->jobs->conf.loop);
	struct group *group = job->jobs->group;
	size_t i;
	int ret;

	job->row.delivered = delivered;
	job->row.resent = resent;
	if (now - job->saved_at < SAVE_MS)
		return;
	job->saved_at = now;
	ret = group_begin(group);
	if (!ret)
		ret = group_did(group, store_job_update(job->jobs->conf.store, &job->row));
	if (ret)
		jobs_store_failed(job, "progress");
	for (i = 0; i < job->n_paths; i++)
		if (job->paths[i].state != PATH_CLOSED)
			job_path_save(job, (int)i);
}

void job_set_moved(struct job *job)
{
	job->row.moved = true;
}

bool job_telling(struct job *job)
{
	struct group *group = job->jobs->group;
	int ret;

	if (job->row.attempts++)
		return false;
	ret = group_begin(group);
	if (!ret)
		ret = group_did(group, store_job_update(job->jobs->conf.store, &job->row));
	if (ret)
		jobs_store_failed(job, "telling");
	group_tell(group);
	return true;
}

int job_printer_is(struct job *job, uint32_t number)
{
	struct group *group = job->jobs->group;
	int ret;

	job->row.printer_job = number;
	ret = group_begin(group);
	if (!ret)
		ret = group_did(group,
				store_job_printer_put(job->jobs->conf.store, job->row.id, number));
	if (ret)
		jobs_store_failed(job, "printer's number");
	return ret;
}

/* ---- paths ---- */

static int path_append(struct job *job, const struct sapi_job_path *p)
{
	struct sapi_job_path *v = realloc(job->paths, (job->n_paths + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	job->paths = v;
	v[job->n_paths] = *p;
	return (int)job->n_paths++;
}

int job_path_open(struct job *job, enum path_kind kind, const char *gateway)
{
	struct sapi_job_path p = {
		.kind = kind,
		.state = PATH_OPENING,
		.opened = clock_wall_ms(),
	};
	int idx;

	snprintf(p.gateway, sizeof(p.gateway), "%s", gateway);
	idx = path_append(job, &p);
	if (idx >= 0)
		job_path_save(job, idx);
	return idx;
}

struct sapi_job_path *job_path(struct job *job, int idx)
{
	return &job->paths[idx];
}

void job_path_save(struct job *job, int idx)
{
	struct group *group = job->jobs->group;
	int ret = group_begin(group);

	if (!ret)
		ret = group_did(group, store_path_put(job->jobs->conf.store, job->row.id,
						      (uint32_t)idx, &job->paths[idx]));
	if (ret)
		jobs_store_failed(job, "path");
}

/* ---- watching ---- */

void job_watch(struct job *job, struct job_watch *watch)
{
	watch->job = job;
	watch->next = job->watches;
	job->watches = watch;
}

void job_unwatch(struct job_watch *watch)
{
	struct job_watch **p;

	if (!watch->job)
		return;
	for (p = &watch->job->watches; *p; p = &(*p)->next)
		if (*p == watch) {
			*p = watch->next;
			break;
		}
	watch->job = NULL;
}

bool jobs_is_fetched(const struct store_job *row)
{
	return row->kind == JOB_FETCH && row->state == JOB_COMPLETED;
}

void job_release(struct job *job)
{
	struct job_watch *w;

	job_remove(job);
	while ((w = job->watches)) {
		job_unwatch(w);
		w->on_end(w->arg);
	}
	jobs_leave_later(job);
	job_free(job);
}

/* ---- submission ---- */

/* What a fetched file is called when nobody says: the last segment of its path, or the scan. */
static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = strlen(SAPI_SCAN_PREFIX);

	if (!strncmp(path, SAPI_SCAN_PREFIX, n) && path[n])
		return path + n;
	return slash && slash[1] ? slash + 1 : path;
}

/* As much as fits, and no part of a character, which would make the job unreadable. */
static void name_copy(char out[SAPI_FILE_NAME_LEN], const char *name)
{
	size_t n = strnlen(name, SAPI_FILE_NAME_LEN - 1);

	while (n && ((unsigned char)name[n] & 0xc0) == 0x80)
		n--;
	memcpy(out, name, n);
	out[n] = '\0';
}

static int make_row(const struct job_order *order, struct store_job *row)
{
	const struct sapi_job_submit *s = order->submit;

	memset(row, 0, sizeof(*row));
	row->kind = s->kind;
	snprintf(row->device, sizeof(row->device), "%s", s->device);
	if (s->name[0])
		name_copy(row->name, s->name);
	else if (sapi_path_lists(s->path))
		strcpy(row->name, "files.ndjson");
	else
		name_copy(row->name, last_part(s->path));
	snprintf(row->media_type, sizeof(row->media_type), "%s",
		 sapi_path_lists(s->path) ? "application/x-ndjson" :
		 s->media_type[0]	  ? s->media_type :
					    "application/octet-stream");
	row->size = s->size;
	row->priority = order->priority;
	snprintf(row->owner, sizeof(row->owner), "%s", order->owner);
	snprintf(row->path, sizeof(row->path), "%s", s->path);
	row->created = clock_wall_ms();
	snprintf(row->idem_key, sizeof(row->idem_key), "%s", order->key);
	if (order->key[0])
		snprintf(row->idem_hash, sizeof(row->idem_hash), "%s", order->key_hash);
	row->print = s->print;
	row->no_clobber = s->no_clobber;
	row->state = JOB_RECEIVING;
	return id_random(row->id);
}

int jobs_find_key(struct jobs *jobs, const char *owner, const char *key, char id[ID_LEN],
		  char hash[SHA256_STR_LEN])
{
	struct store_job row;
	int ret;

	group_tell(jobs->group);
	ret = store_job_find_key(jobs->conf.store, owner, key, &row);
	if (ret)
		return ret;
	memcpy(id, row.id, ID_LEN);
	memcpy(hash, row.idem_hash, SHA256_STR_LEN);
	return 0;
}

/* 0: a new key, 1: the same again, -EEXIST: the key of something else. */
static int check_key(struct jobs *jobs, const struct job_order *order, char id[ID_LEN])
{
	char hash[SHA256_STR_LEN];
	int ret;

	if (!order->key[0])
		return 0;
	ret = jobs_find_key(jobs, order->owner, order->key, id, hash);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	return strcmp(hash, order->key_hash) ? -EEXIST : 1;
}

static void received(struct job *job)
{
	const struct store_job *row = &job->row;

	if (row->kind != JOB_FETCH) {
		job_event(job, "received", PATH_NONE, "",
			  "%s %s for %s from %s, %llu bytes, priority %u", job_kind_str(row->kind),
			  row->name, row->device, row->owner, (unsigned long long)row->size,
			  row->priority);
		job_upload_end(job); /* empty content is complete at once */
		return;
	}
	job_event(job, "received", PATH_NONE, "", "fetch of %.255s from %s for %s, priority %u",
		  row->path, row->device, row->owner, row->priority);
	job_set_state(job, JOB_QUEUED, PATH_NONE, "", "the device has the content");
}

struct group *jobs_group(const struct jobs *jobs)
{
	return jobs->group;
}

void jobs_wait(struct jobs *jobs, struct group_wait *wait)
{
	group_wait(jobs->group, wait);
}

/* A job that the store did not take was not accepted; who submitted it is told in a moment. */
static void on_born(int err, void *arg)
{
	struct job *job = arg;

	if (!err) {
		ready_update(job);
		job->jobs->queued |= job->ready;
		jobs_work_later(job->jobs);
		return;
	}
	log_warn("jobs: %s: not accepted: %s", job->row.id, shunt_strerror(err));
	job_remove(job);
	spool_remove(job->jobs->conf.spool, job->row.id);
	job_free(job);
}

static int content_new(struct job *job)
{
	struct spool *spool = job->jobs->conf.spool;

	if (job->row.kind == JOB_FETCH)
		return 0;
	return jobs_is_small(&job->row) ?
		       spool_file_light(spool, job->row.id, job->row.size, &job->content) :
		       spool_file_new(spool, job->row.id, job->row.size, &job->content);
}

int jobs_submit(struct jobs *jobs, const struct job_order *order, char id[ID_LEN], struct err *e)
{
	struct job *job;
	int ret;

	ret = check_key(jobs, order, id);
	if (ret)
		return ret < 0 ? err_set(e, ret, "the Idempotency-Key belongs to another job") :
				 ret;
	if (jobs->count >= jobs->conf.max)
		return err_set(e, -EAGAIN, "%zu jobs are under way already", jobs->count);
	job = calloc(1, sizeof(*job));
	if (!job)
		return err_sys(e, -ENOMEM, "new job");
	job->jobs = jobs;
	ret = make_row(order, &job->row);
	if (!ret)
		ret = content_new(job);
	if (ret) {
		err_sys(e, ret, "space for %llu bytes of content",
			(unsigned long long)job->row.size);
		goto fail;
	}
	ret = group_begin(jobs->group);
	if (!ret)
		ret = group_did(jobs->group, store_job_add(jobs->conf.store, &job->row));
	if (ret) {
		err_set(e, ret, "%s", err_text(store_err(jobs->conf.store)));
		spool_remove(jobs->conf.spool, job->row.id);
		goto fail;
	}
	job->born.done = on_born;
	job->born.arg = job;
	group_wait(jobs->group, &job->born);
	insert(jobs, job);
	memcpy(id, job->row.id, ID_LEN);
	received(job);
	return 0;
fail:
	job_free(job);
	return ret;
}

/* ---- looking ---- */

struct job *jobs_next(const struct jobs *jobs)
{
	int priority;

	for (priority = SAPI_PRIORITY_MAX; priority >= 0; priority--)
		if (!TAILQ_EMPTY(&jobs->ready[priority]))
			return TAILQ_FIRST(&jobs->ready[priority]);
	return NULL;
}

size_t jobs_count(const struct jobs *jobs)
{
	return jobs->count;
}

size_t jobs_in_state(const struct jobs *jobs, enum job_state state)
{
	const struct job *job;
	size_t n = 0;

	TAILQ_FOREACH(job, &jobs->all, order)
		n += job->row.state == state;
	return n;
}

uint64_t jobs_ended(const struct jobs *jobs, enum job_state state)
{
	return jobs->ended[state];
}

/* ---- start and end ---- */

static int load_path(void *arg, uint32_t idx, const struct sapi_job_path *p)
{
	int ret = path_append(arg, p);

	(void)idx;
	return ret < 0 ? ret : 0;
}

/* Paths that were open when the last run ended are gone: tunnels are removed at start. */
static void close_old_paths(struct job *job)
{
	size_t i;

	for (i = 0; i < job->n_paths; i++) {
		struct sapi_job_path *p = &job->paths[i];

		if (p->state == PATH_CLOSED)
			continue;
		p->state = PATH_CLOSED;
		p->closed = clock_wall_ms();
		snprintf(p->reason, sizeof(p->reason), "cloud-restarted");
		job_path_save(job, (int)i);
	}
}

static void resume(struct job *job)
{
	close_old_paths(job);
	if (job->row.state != JOB_RECEIVING || job->row.kind == JOB_FETCH) {
		job_set_state(job, JOB_QUEUED, PATH_NONE, "cloud-restarted",
			      "the cloud was restarted; the receiver will be asked what it holds");
		job->jobs->queued = true;
	} else {
		job_upload_end(job);
	}
}

static int load_content(struct job *job, const struct ranges *held)
{
	int ret = -ENOENT;

	if (job->row.size == CONTENT_SIZE_UNKNOWN)
		return 0;
	if (jobs_is_small(&job->row))
		ret = jobs_content_load(job);
	if (ret == -ENOENT && jobs_is_small(&job->row) && !held->n)
		return content_new(job); /* its file may never have reached the disk */
	return ret == -ENOENT ? spool_file_open(job->jobs->conf.spool, job->row.id, job->row.size,
						held, &job->content) :
				ret;
}

static int load_job(struct jobs *jobs, const char *id)
{
	struct ranges held = RANGES_INIT;
	struct job *job;
	int ret;

	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	ret = store_job_get(jobs->conf.store, id, &job->row);
	if (!ret)
		ret = store_ranges_get(jobs->conf.store, id, STORE_UPLOADED, &held);
	if (!ret)
		ret = store_path_list(jobs->conf.store, id, load_path, job);
	if (ret) {
		ranges_fini(&held);
		job_free(job);
		return ret;
	}
	insert(jobs, job);
	ret = load_content(job, &held);
	ranges_fini(&held);
	/* Where nobody told the digest it may have been removed, to be fetched anew. */
	if (ret && job->row.kind == JOB_FETCH && !job->row.sha256[0])
		ret = job_untell(job);
	if (ret) {
		job_set_state(job, JOB_FAILED, PATH_NONE, "spool-failed",
			      "the content is missing from the spool: %s", shunt_strerror(ret));
		job_release(job);
		return 0;
	}
	resume(job);
	return 0;
}

int jobs_recall(struct jobs *jobs, const char *id, struct job **out)
{
	struct job *job;
	int ret;

	if (jobs_find(jobs, id))
		return -EALREADY;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	ret = store_job_get(jobs->conf.store, id, &job->row);
	if (!ret && !job_state_final(job->row.state))
		ret = -EALREADY;
	if (!ret)
		ret = store_path_list(jobs->conf.store, id, load_path, job);
	if (ret) {
		job_free(job);
		return ret;
	}
	insert(jobs, job);
	close_old_paths(job);
	*out = job;
	return 0;
}

#define UNFINISHED                                                                                 \
	(1u << JOB_RECEIVING | 1u << JOB_QUEUED | 1u << JOB_WAITING | 1u << JOB_RUNNING |          \
	 1u << JOB_SUSPENDED | 1u << JOB_EXECUTING)
#define FINISHED                                                                                   \
	(1u << JOB_COMPLETED | 1u << JOB_FAILED | 1u << JOB_INTERRUPTED | 1u << JOB_CANCELED)

static int load_all(struct jobs *jobs)
{
	struct store_job_filter filter = { .states = UNFINISHED };
	struct job_ids ids = { 0 };
	size_t i;
	int ret;

	ret = store_job_list(jobs->conf.store, &filter, jobs_collect, &ids);
	for (i = 0; !ret && i < ids.n; i++)
		ret = load_job(jobs, ids.v[i]);
	free(ids.v);
	return ret;
}

static bool known_id(const char *id, void *arg)
{
	struct jobs *jobs = arg;
	struct store_job row;

	return jobs_find(jobs, id) ||
	       (!store_job_get(jobs->conf.store, id, &row) && jobs_is_fetched(&row));
}

int jobs_open_fetched(struct jobs *jobs, const char *id, int *fd)
{
	struct store_job row;
	int ret = store_job_get(jobs->conf.store, id, &row);

	if (ret)
		return ret;
	return jobs_is_fetched(&row) ? spool_open_read(jobs->conf.spool, id, fd) : -EBUSY;
}

int jobs_drop_fetched(struct jobs *jobs, const char *id)
{
	int fd, ret = jobs_open_fetched(jobs, id, &fd);

	if (ret)
		return ret;
	close(fd);
	log_info("jobs: %s: content removed as its owner wishes", id);
	return spool_remove(jobs->conf.spool, id);
}

/* The file last: without its job it would be swept at the next start. */
static bool forget(struct jobs *jobs, const char *id)
{
	if (group_begin(jobs->group) || group_did(jobs->group, store_job_del(jobs->conf.store, id)))
		return false;
	jobs_remove_later(jobs, id);
	return true;
}

static void on_purge(void *arg)
{
	struct jobs *jobs = arg;
	struct store_job_filter filter = {
		.states = FINISHED,
		.finished_before = clock_wall_ms() - (int64_t)jobs->conf.keep,
		.limit = PURGE_BATCH,
	};
	struct job_ids ids = { 0 };
	size_t i, gone = 0;

	if (!store_job_list(jobs->conf.store, &filter, jobs_collect, &ids))
		for (i = 0; i < ids.n; i++)
			gone += forget(jobs, ids.v[i]);
	if (gone)
		log_info("jobs: -: %zu finished jobs forgotten: older than keep", gone);
	free(ids.v);
	/* A full batch is rarely all; but a store that fails is not asked again at once. */
	loop_timer_set(jobs->purge, gone == PURGE_BATCH ? PURGE_MORE_MS : PURGE_MS);
}

int jobs_open(const struct jobs_conf *conf, struct jobs **out, struct err *e)
{
	struct jobs *jobs;
	int ret, i;

	jobs = calloc(1, sizeof(*jobs));
	if (!jobs)
		return err_sys(e, -ENOMEM, "jobs");
	jobs->conf = *conf;
	TAILQ_INIT(&jobs->all);
	for (i = 0; i <= SAPI_PRIORITY_MAX; i++)
		TAILQ_INIT(&jobs->ready[i]);
	TAILQ_INIT(&jobs->digesting);
	ret = group_new(conf->loop, conf->store, &jobs->group);
	if (!ret)
		ret = loop_defer_new(conf->loop, jobs_on_work, jobs, &jobs->work);
	if (!ret)
		ret = loop_timer_new(conf->loop, on_purge, jobs, &jobs->purge);
	if (!ret)
		ret = loop_timer_new(conf->loop, jobs_on_abandon, jobs, &jobs->abandon);
	if (!ret)
		ret = loop_timer_new(conf->loop, jobs_on_tell, jobs, &jobs->tell);
	if (!ret)
		ret = load_all(jobs);
	if (!ret)
		ret = spool_sweep(conf->spool, known_id, jobs);
	if (ret) {
		err_sys(e, ret, "reading the jobs of the last run");
		jobs_close(jobs);
		return ret;
	}
	if (conf->keep)
		loop_timer_set(jobs->purge, PURGE_MS);
	jobs_abandon_later(jobs);
	if (jobs->queued)
		jobs_work_later(jobs);
	*out = jobs;
	return 0;
}

void jobs_close(struct jobs *jobs)
{
	struct job *job;

	if (!jobs)
		return;
	while ((job = TAILQ_FIRST(&jobs->all))) {
		struct job_watch *w;

		job_remove(job);
		while ((w = job->watches)) {
			job_unwatch(w);
			w->on_end(w->arg);
		}
		job_free(job);
	}
	jobs->closing = true;
	group_free(jobs->group);
	jobs_leftovers_free(jobs);
	loop_defer_free(jobs->work);
	loop_timer_free(jobs->purge);
	loop_timer_free(jobs->abandon);
	loop_timer_free(jobs->tell);
	free(jobs);
}
