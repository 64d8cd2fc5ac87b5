// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud/cloud.h"
#include "cloud/delivery.h"
#include "cloud/jobs.h"
#include "cloud/metrics.h"
#include "cloud/probe.h"
#include "cloud/registry.h"
#include "cloud/share.h"
#include "lib/body.h"
#include "lib/digest.h"
#include "lib/err.h"
#include "lib/log.h"

#define CLIENTS (ROLE_BIT(ROLE_TERMINAL) | ROLE_BIT(ROLE_ADMIN))

/* ---- who may see what ---- */

static bool is_admin(const struct h2_req *req)
{
	return h2_req_peer(req)->role == ROLE_ADMIN;
}

static bool may_see(const struct h2_req *req, const char *owner)
{
	return is_admin(req) || !strcmp(h2_req_peer(req)->name, owner);
}

/* The job of the path, as it is shown; answers 404 itself. */
static int show(struct cloud *c, struct h2_req *req, bool timeline, struct sapi_job *out)
{
	int ret = jobs_show(c->jobs, h2_req_param(req, "id"), timeline, out);

	if (!ret && !may_see(req, out->owner)) {
		sapi_job_fini(out);
		ret = -ENOENT;
	}
	if (ret == -ENOENT)
		h2_problem(req, 404, "unknown-job", "there is no job %s", h2_req_param(req, "id"));
	else if (ret)
		h2_problem(req, 500, "store-failed", "the job could not be read: %s",
			   shunt_strerror(ret));
	return ret;
}

static void respond_job(struct cloud *c, struct h2_req *req, int status, const char *id)
{
	struct sapi_job job;
	int ret = jobs_show(c->jobs, id, true, &job);

	if (ret) {
		h2_problem(req, 500, "store-failed", "the job could not be read: %s",
			   shunt_strerror(ret));
		return;
	}
	body_respond(req, status, &sapi_job_schema, &job);
	sapi_job_fini(&job);
}

/*
 * The unfinished job of the path, for those who may change it; answers itself when there is none.
 */
static struct job *find_own(struct cloud *c, struct h2_req *req)
{
	struct job *job = jobs_find(c->jobs, h2_req_param(req, "id"));
	struct sapi_job ended;

	if (job && may_see(req, job_row(job)->owner) && !job_state_final(job_row(job)->state))
		return job;
	if (show(c, req, false, &ended))
		return NULL;
	h2_problem(req, 409, "job-ended", "the job is %s", job_state_str(ended.state));
	sapi_job_fini(&ended);
	return NULL;
}

/* ---- POST /v1/jobs ---- */

/* A submission that waits for the manager's word about the device. */
struct submission {
	struct cloud *cloud;
	struct h2_req *req;
	struct registry_ask *ask;
	struct sapi_job_submit body;
	char key[STORE_IDEM_LEN];
	char hash[SHA256_STR_LEN];
	struct group_wait wait; /* for the job to be in the store */
	char id[ID_LEN];
};

static void submission_close(struct h2_req *req, int err, void *arg)
{
	struct submission *s = arg;

	(void)req;
	(void)err;
	registry_cancel(s->ask);
	group_unwait(&s->wait);
	free(s);
}

static void on_stored(int err, void *arg)
{
	struct submission *s = arg;
	char location[sizeof("/v1/jobs/") + ID_LEN];

	if (err) {
		h2_problem(s->req, err == -ENOSPC ? 507 : 500,
			   err == -ENOSPC ? "no-space" : "not-accepted",
			   "the job could not be stored: %s", shunt_strerror(err));
		return;
	}
	snprintf(location, sizeof(location), "/v1/jobs/%s", s->id);
	h2_req_set_header(s->req, "location", location);
	respond_job(s->cloud, s->req, 201, s->id);
}

/* Also for a repetition: the first submission may be waiting itself. */
static void accepted(struct submission *s, const char *id)
{
	memcpy(s->id, id, ID_LEN);
	s->wait.done = on_stored;
	s->wait.arg = s;
	jobs_wait(s->cloud->jobs, &s->wait);
}

static void retry_after(struct h2_req *req, unsigned int seconds)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", seconds);
	h2_req_set_header(req, "retry-after", text);
}

static void submit(struct submission *s, const struct sapi_device *dev)
{
	struct job_order order = {
		.submit = &s->body,
		.owner = h2_req_peer(s->req)->name,
		.priority = s->body.priority == SAPI_PRIORITY_UNSET ? dev->priority :
								      (uint8_t)s->body.priority,
		.key = s->key,
		.key_hash = s->hash,
	};
	struct err e = { 0 };
	char id[ID_LEN];
	int ret = jobs_submit(s->cloud->jobs, &order, id, &e);

	switch (ret) {
	case 0:
	case 1:
		accepted(s, id);
		break;
	case -EAGAIN:
		retry_after(s->req, API_RETRY_FULL_S);
		h2_problem(s->req, 503, "full", "%s", err_text(&e));
		break;
	case -EEXIST:
		h2_problem(s->req, 422, "idempotency-mismatch", "%s", err_text(&e));
		break;
	case -ENOSPC:
	case -EFBIG:
		h2_problem(s->req, 507, "no-space", "%s", err_text(&e));
		break;
	default:
		log_limited("submit", LOG_LVL_ERR, "api: %s: job not accepted: %s", order.owner,
			    err_text(&e));
		h2_problem(s->req, 500, "not-accepted", "%s", err_text(&e));
	}
}

/* An agent is told a name, of limited length; only a file server has directories. */
static bool fits_agent(const struct sapi_device *dev, const struct sapi_job_submit *body)
{
	const char *name = body->path[0] ? body->path : body->name;

	return body->kind != JOB_STORE ||
	       delivery_service(dev, body->kind)->kind != SERVICE_AGENT ||
	       (strlen(name) < SAPI_FILE_NAME_LEN && !strchr(name, '/'));
}

/* A file server may have a file of such a name, but nobody means that. */
static bool can_scan(const struct sapi_device *dev, const struct sapi_job_submit *body)
{
	return body->kind != JOB_FETCH || sapi_device_service(dev, SERVICE_AGENT) ||
	       strncmp(body->path, SAPI_SCAN_PREFIX, strlen(SAPI_SCAN_PREFIX)) != 0;
}

static void on_device(const struct sapi_device *dev, int err, const char *why, void *arg)
{
	struct submission *s = arg;

	s->ask = NULL;
	if (err == -ENOENT) {
		h2_problem(s->req, 404, "unknown-device", "the manager knows no device %s",
			   s->body.device);
	} else if (err) {
		retry_after(s->req, API_RETRY_MANAGER_S);
		h2_problem(s->req, 503, "no-manager", "%s", why);
	} else if (!delivery_service(dev, s->body.kind)) {
		h2_problem(s->req, 422, "unsupported-kind",
			   "device %s has no service that takes %s jobs", dev->code,
			   job_kind_str(s->body.kind));
	} else if (!can_scan(dev, &s->body)) {
		h2_problem(s->req, 422, "unsupported-kind",
			   "device %s has no agent, and so no scans", dev->code);
	} else if (!fits_agent(dev, &s->body)) {
		h2_problem(s->req, 422, "bad-path",
			   "path: the agent of %s takes a name of at most %d octets without /",
			   dev->code, SAPI_FILE_NAME_LEN - 1);
	} else {
		submit(s, dev);
	}
}

/* Whether there is such a file, or scan, only the device knows. */
static bool fetchable(struct h2_req *req, const char *path)
{
	size_t n = strlen(SAPI_SCAN_PREFIX);
	bool scan = !strncmp(path, SAPI_SCAN_PREFIX, n);
	char dir[SAPI_PATH_LEN];

	snprintf(dir, sizeof(dir), "%.*s", (int)strlen(path) - 1, path);
	if (sapi_path_lists(path) ?
		    !scan && (!*dir || share_name_ok(dir)) :
		    share_name_ok(scan ? path + n : path) && !(scan && strchr(path, '/')))
		return true;
	h2_problem(req, 422, "bad-path",
		   "path: neither a relative path of plain segments, with / at its end for a list, "
		   "nor scan:NAME");
	return false;
}

/* What can be told without asking anybody; answers itself. */
static bool acceptable(struct cloud *c, struct h2_req *req, const struct sapi_job_submit *body)
{
	const char *name = body->path[0] ? body->path : body->name;

	if (body->kind == JOB_FETCH)
		return fetchable(req, body->path);
	if (body->size > c->conf->max_size) {
		h2_problem(req, 413, "too-large", "size: %llu bytes, at most %llu are taken",
			   (unsigned long long)body->size, (unsigned long long)c->conf->max_size);
		return false;
	}
	if (body->kind == JOB_STORE && !share_name_ok(name)) {
		h2_problem(req, 422, "bad-path", "%s: not a relative path of plain segments",
			   body->path[0] ? "path" : "name");
		return false;
	}
	return true;
}

/* draft-ietf-httpapi-idempotency-key-header: an opaque string, often in quotes, which count. */
static int read_key(struct submission *s)
{
	const char *key = h2_req_header(s->req, "idempotency-key");
	uint8_t sum[SHA256_LEN];
	const void *body;
	size_t len;

	if (!key)
		return 0;
	if (!*key || strlen(key) >= sizeof(s->key)) {
		h2_problem(s->req, 400, "bad-request", "idempotency-key: 1 to %zu octets",
			   sizeof(s->key) - 1);
		return -EINVAL;
	}
	strcpy(s->key, key);
	body = h2_req_body(s->req, &len);
	if (sha256_once(body, len, sum)) {
		h2_problem(s->req, 500, "not-accepted", "out of memory");
		return -ENOMEM;
	}
	sha256_hex(sum, s->hash);
	return 0;
}

/* A repeated submission is answered at once, whatever became of the device meanwhile. */
static bool repeated(struct submission *s)
{
	char id[ID_LEN], hash[SHA256_STR_LEN];

	if (!s->key[0] ||
	    jobs_find_key(s->cloud->jobs, h2_req_peer(s->req)->name, s->key, id, hash))
		return false;
	if (strcmp(hash, s->hash))
		h2_problem(s->req, 422, "idempotency-mismatch",
			   "the Idempotency-Key belongs to another job");
	else
		accepted(s, id);
	return true;
}

static void post_job(struct h2_req *req, void *arg)
{
	struct cloud *c = arg;
	struct submission *s;
	int ret;

	s = calloc(1, sizeof(*s));
	if (!s) {
		h2_problem(req, 500, "not-accepted", "out of memory");
		return;
	}
	s->cloud = c;
	s->req = req;
	h2_req_on_close(req, submission_close, s);
	if (body_decode(req, &sapi_job_submit_schema, &s->body) || read_key(s) || repeated(s) ||
	    !acceptable(c, req, &s->body))
		return;
	ret = registry_device(c->registry, s->body.device, on_device, s, &s->ask);
	if (ret)
		h2_problem(req, 500, "not-accepted", "%s", shunt_strerror(ret));
}

/* ---- PUT /v1/jobs/{id}/content ---- */

struct upload {
	struct cloud *cloud;
	char id[ID_LEN];
	uint64_t pos, to;
	bool answered; /* or waiting for the store */
	struct h2_req *req;
	struct group_wait wait;
};

static void upload_problem(struct upload *u, struct h2_req *req, int err)
{
	u->answered = true;
	if (err == -EALREADY)
		h2_problem(req, 409, "content-complete", "all of the content is here already");
	else if (err == -ENOSPC || err == -EDQUOT)
		h2_problem(req, 507, "no-space", "the spool is full");
	else if (err == -ENOENT)
		h2_problem(req, 409, "job-ended", "the job ended during the upload");
	else
		h2_problem(req, 500, "spool-failed", "the content could not be stored: %s",
			   shunt_strerror(err));
}

static int upload_data(struct h2_req *req, const void *data, size_t len, void *arg)
{
	struct upload *u = arg;
	/* Looked up each time: the job may have been canceled since. */
	struct job *job = jobs_find(u->cloud->jobs, u->id);
	int ret;

	if (u->answered)
		return 0;
	if (len > u->to - u->pos) {
		u->answered = true;
		h2_problem(req, 400, "bad-range", "more content than the range announces");
		return 0;
	}
	ret = job ? job_upload(job, u->pos, data, len) : -ENOENT;
	u->pos += len;
	if (ret)
		upload_problem(u, req, ret);
	return 0;
}

static void on_upload_stored(int err, void *arg)
{
	struct upload *u = arg;

	if (err)
		upload_problem(u, u->req, err);
	else
		respond_job(u->cloud, u->req, 200, u->id);
}

static void upload_end(struct h2_req *req, void *arg)
{
	struct upload *u = arg;
	struct job *job = jobs_find(u->cloud->jobs, u->id);
	int ret;

	if (u->answered)
		return;
	ret = job ? job_upload_end(job) : -ENOENT;
	if (ret) {
		upload_problem(u, req, ret);
		return;
	}
	u->answered = true;
	if (u->pos != u->to) {
		h2_problem(req, 400, "bad-range", "less content than the range announces");
		return;
	}
	u->wait.done = on_upload_stored;
	u->wait.arg = u;
	jobs_wait(u->cloud->jobs, &u->wait);
}

static void upload_close(struct h2_req *req, int err, void *arg)
{
	struct upload *u = arg;
	struct job *job = jobs_find(u->cloud->jobs, u->id);

	(void)req;
	/* Keep what came of an upload that broke off: the terminal goes on from there. */
	if (err && job)
		job_upload_end(job);
	group_unwait(&u->wait);
	free(u);
}

/* The bytes that the request brings: its Content-Range, or all of the content. */
static int upload_range(struct h2_req *req, uint64_t size, struct upload *u)
{
	const char *text = h2_req_header(req, "content-range");
	struct content_range range = { 0, size, size };
	int64_t length = h2_req_content_length(req);

	if (text && content_range_parse(text, &range)) {
		h2_problem(req, 400, "bad-range",
			   "content-range: bytes FIRST-LAST/SIZE is expected");
		return -EINVAL;
	}
	if (range.to > size || (range.size != size && range.size != CONTENT_SIZE_UNKNOWN)) {
		h2_problem(req, 416, "bad-range", "the content has %llu bytes",
			   (unsigned long long)size);
		return -EINVAL;
	}
	if (length >= 0 && (uint64_t)length != range.to - range.from) {
		h2_problem(req, 400, "bad-range", "%lld bytes come, %llu are announced or missing",
			   (long long)length, (unsigned long long)(range.to - range.from));
		return -EINVAL;
	}
	u->pos = range.from;
	u->to = range.to;
	return 0;
}

static void put_content(struct h2_req *req, void *arg)
{
	static const struct h2_body_ops ops = { .on_data = upload_data, .on_end = upload_end };
	struct cloud *c = arg;
	struct job *job = find_own(c, req);
	struct upload *u;

	if (!job)
		return;
	if (job_row(job)->kind == JOB_FETCH) {
		h2_problem(req, 409, "wrong-direction",
			   "the content of a fetch job comes from the device");
		return;
	}
	if (job_row(job)->state != JOB_RECEIVING) {
		h2_problem(req, 409, "content-complete", "all of the content is here already");
		return;
	}
	u = calloc(1, sizeof(*u));
	if (!u) {
		h2_problem(req, 500, "spool-failed", "out of memory");
		return;
	}
	u->cloud = c;
	u->req = req;
	memcpy(u->id, job_row(job)->id, ID_LEN);
	if (upload_range(req, job_row(job)->size, u)) {
		free(u);
		return;
	}
	h2_req_on_close(req, upload_close, u);
	h2_req_stream(req, &ops, u);
}

/* ---- GET /v1/jobs/{id}/content ---- */

static void send_content(struct h2_req *req, const struct sapi_job *job, int fd)
{
	struct body_content content = {
		.fd = fd,
		.size = job->size,
		.type = job->media_type,
		.sha256 = job->sha256,
	};

	body_respond_content(req, &content, NULL);
}

static void get_content(struct h2_req *req, void *arg)
{
	struct cloud *c = arg;
	struct sapi_job job;
	int fd, ret;

	if (show(c, req, false, &job))
		return;
	ret = jobs_open_fetched(c->jobs, job.id, &fd);
	if (!ret) {
		send_content(req, &job, fd);
		close(fd);
	} else if (job.kind != JOB_FETCH) {
		h2_problem(req, 409, "wrong-direction",
			   "only the content of fetch jobs is given back");
	} else if (ret == -ENOENT) {
		h2_problem(req, 410, "content-removed", "the content was removed");
	} else if (ret == -EBUSY) {
		h2_problem(req, 409, job_state_final(job.state) ? "job-ended" : "not-complete",
			   "the job is %s", job_state_str(job.state));
	} else {
		h2_problem(req, 500, "spool-failed", "the content cannot be read: %s",
			   shunt_strerror(ret));
	}
	sapi_job_fini(&job);
}

/* ---- GET /v1/jobs, /v1/jobs/{id}; DELETE ---- */

static void get_jobs(struct h2_req *req, void *arg)
{
	struct cloud *c = arg;
	const char *word = h2_req_query(req, "state");
	struct sapi_job_list list;
	enum job_state state;
	uint32_t states = 0;
	int ret;

	if (word) {
		if (job_state_parse(word, &state)) {
			h2_problem(req, 400, "bad-request", "state: no state of that name");
			return;
		}
		states = 1u << state;
	}
	ret = jobs_list(c->jobs, is_admin(req) ? NULL : h2_req_peer(req)->name, states, &list);
	if (ret) {
		h2_problem(req, 500, "store-failed", "the jobs could not be read: %s",
			   shunt_strerror(ret));
		return;
	}
	body_respond(req, 200, &sapi_job_list_schema, &list);
	sapi_job_list_fini(&list);
}

static void get_job(struct h2_req *req, void *arg)
{
	struct sapi_job job;

	if (show(arg, req, true, &job))
		return;
	body_respond(req, 200, &sapi_job_schema, &job);
	sapi_job_fini(&job);
}

/* A fetch job that was completed has its content to lose still; true when answered. */
static bool drop_content(struct cloud *c, struct h2_req *req)
{
	const char *id = h2_req_param(req, "id");
	struct sapi_job job;
	bool dropped = false;

	/* One that closes its paths still is in memory, and answered by its state in the store. */
	if (jobs_show(c->jobs, id, false, &job))
		return false;
	if (may_see(req, job.owner) && !jobs_drop_fetched(c->jobs, id)) {
		respond_job(c, req, 200, id);
		dropped = true;
	}
	sapi_job_fini(&job);
	return dropped;
}

static void delete_job(struct h2_req *req, void *arg)
{
	struct cloud *c = arg;
	struct job *job;
	char id[ID_LEN];

	if (drop_content(c, req))
		return;
	job = find_own(c, req);
	if (!job)
		return;
	memcpy(id, job_row(job)->id, ID_LEN);
	deliveries_cancel(c->deliveries, job, h2_req_peer(req)->name);
	respond_job(c, req, 200, id);
}

/* ---- GET /v1/jobs/{id}/events ---- */

struct follower {
	struct h2_req *req;
	struct job_watch watch;
	struct buf pending; /* what the connection had no room for */
	bool over;
};

/* Write what is pending as far as there is room, in pieces that h2_write() takes whole. */
static void follower_flush(struct follower *f)
{
	size_t n;

	while (f->pending.len) {
		n = f->pending.len < 4096 ? f->pending.len : 4096;
		if (h2_write(f->req, f->pending.data, n))
			return; /* on_writable comes, or the stream is ending */
		buf_consume(&f->pending, n);
	}
	if (f->over)
		h2_finish(f->req);
}

static int follower_add(struct follower *f, const struct sapi_job_event *ev)
{
	int ret = sapi_job_event_encode(ev, &f->pending);

	return ret ? ret : buf_putc(&f->pending, '\n');
}

static void follower_event(const struct sapi_job_event *ev, void *arg)
{
	struct follower *f = arg;

	if (follower_add(f, ev)) {
		/* A reader that is that slow starts over and gets the past events first. */
		job_unwatch(&f->watch);
		h2_req_reset(f->req);
		return;
	}
	follower_flush(f);
}

static void follower_end(void *arg)
{
	struct follower *f = arg;

	f->over = true;
	follower_flush(f);
}

static void follower_writable(struct h2_req *req, void *arg)
{
	(void)req;
	follower_flush(arg);
}

static void follower_close(struct h2_req *req, int err, void *arg)
{
	struct follower *f = arg;

	(void)req;
	(void)err;
	job_unwatch(&f->watch);
	buf_fini(&f->pending);
	free(f);
}

static void get_events(struct h2_req *req, void *arg)
{
	struct cloud *c = arg;
	struct follower *f;
	struct sapi_job shown;
	struct job *job;
	size_t i;
	int ret = 0;

	if (show(c, req, true, &shown))
		return;
	f = calloc(1, sizeof(*f));
	if (!f) {
		sapi_job_fini(&shown);
		h2_problem(req, 500, "store-failed", "out of memory");
		return;
	}
	f->req = req;
	buf_init_max(&f->pending, API_EVENTS_MAX);
	f->watch.on_event = follower_event;
	f->watch.on_end = follower_end;
	f->watch.arg = f;
	h2_req_on_close(req, follower_close, f);
	h2_req_on_writable(req, follower_writable, f);
	for (i = 0; !ret && i < shown.n_timeline; i++)
		ret = follower_add(f, &shown.timeline[i]);
	job = jobs_find(c->jobs, shown.id);
	sapi_job_fini(&shown);
	if (ret) {
		h2_problem(req, 500, "store-failed", "the timeline is too long");
		return;
	}
	/* A job in memory is not over before its paths are closed, even in a final state. */
	if (job)
		job_watch(job, &f->watch);
	else
		f->over = true;
	if (!h2_start(req, 200, "application/x-ndjson"))
		follower_flush(f);
}

/* ---- GET /v1/metrics ---- */

static void get_metrics(struct h2_req *req, void *arg)
{
	struct buf text = BUF_INIT;

	if (metrics_print(arg, &text))
		h2_problem(req, 500, "no-metrics", "out of memory");
	else
		h2_respond(req, 200, "text/plain; version=0.0.4; charset=utf-8", text.data,
			   text.len);
	buf_fini(&text);
}

/* ---- POST /v1/devices/{code}/probe ---- */

static void post_probe(struct h2_req *req, void *arg)
{
	struct cloud *c = arg;

	probes_ask(c->probes, req);
}

static const struct h2_route routes[] = {
	{ "POST", "/v1/jobs", CLIENTS, SAPI_MAX, 0, post_job },
	{ "GET", "/v1/jobs", CLIENTS, 0, 0, get_jobs },
	{ "GET", "/v1/jobs/{id}", CLIENTS, 0, 0, get_job },
	{ "DELETE", "/v1/jobs/{id}", CLIENTS, 0, 0, delete_job },
	{ "PUT", "/v1/jobs/{id}/content", CLIENTS, CONTENT_SIZE_MAX, H2_STREAM_BODY, put_content },
	{ "GET", "/v1/jobs/{id}/content", CLIENTS, 0, 0, get_content },
	{ "GET", "/v1/jobs/{id}/events", CLIENTS, 0, 0, get_events },
	{ "GET", "/v1/metrics", ROLE_BIT(ROLE_ADMIN), 0, 0, get_metrics },
	{ "POST", "/v1/devices/{code}/probe", ROLE_BIT(ROLE_ADMIN), SAPI_MAX, 0, post_probe },
};

void api_router(struct cloud *c, struct h2_router *out)
{
	out->routes = routes;
	out->count = sizeof(routes) / sizeof(routes[0]);
	out->arg = c;
}
