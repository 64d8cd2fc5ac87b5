// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/connect.h"
#include "device/follow.h"
#include "device/jobs.h"
#include "lib/body.h"
#include "lib/digest.h"
#include "lib/h2.h"
#include "lib/log.h"
#include "lib/sapi.h"

/* A content request in progress. */
struct receiving {
	struct api *api;
	struct upload *upload; /* NULL once ended or refused */
	char job[ID_LEN];
	char cloud[NAME_LEN];
	uint64_t octets;
};

/* A request to connect that waits for the outcome. */
struct connecting {
	struct h2_req *req;
	struct connect_wait *wait; /* NULL once answered */
};

struct api {
	struct api_conf conf;
	struct jobs *jobs;
	struct connects *connects;
	struct h2_router router;
	struct follows *follows;
};

/* ---- what the handlers share ---- */

static bool cloud_allowed(const struct api *api, const char *cloud)
{
	for (size_t i = 0; i < api->conf.n_clouds; i++)
		if (strcmp(api->conf.clouds[i], cloud) == 0)
			return true;
	return api->conf.n_clouds == 0;
}

/* The caller's name, or NULL after having refused a cloud that this device does not serve. */
static const char *caller_cloud(struct api *api, struct h2_req *req)
{
	const struct party *party = h2_req_peer(req);

	if (!party) {
		h2_problem(req, 403, "role-not-allowed", "the caller has no identity");
		return NULL;
	}
	if (!cloud_allowed(api, party->name)) {
		h2_problem(req, 403, "cloud-not-allowed", "this device does not serve %s",
			   party->name);
		return NULL;
	}
	return party->name;
}

/* The job the path names, if it is the caller's; otherwise it has been answered. Every request that
 * names an unfinished job on a dialled connection makes the job a user of that connection.
 */
static struct job *caller_job(struct api *api, struct h2_req *req)
{
	const char *cloud = caller_cloud(api, req);
	const char *id = h2_req_param(req, "id");
	struct job *job;

	if (!cloud)
		return NULL;
	job = id && id_ok(id) ? jobs_find(api->jobs, cloud, id) : NULL;
	if (!job)
		h2_problem(req, 404, "unknown-job", "there is no job %.64s of %s", id, cloud);
	else if (!job_state_final(job_state(job)))
		connects_used(api->connects, h2_req_session(req), id, 0);
	return job;
}

static void respond_nothing(struct h2_req *req)
{
	h2_respond(req, 204, NULL, NULL, 0);
}

/* A negative code of jobs.h about @job as an answer. */
static void problem_of(struct h2_req *req, const struct job *job, int code, const struct err *e)
{
	const char *state = job ? job_state_str(job_state(job)) : "";
	const char *text;

	switch (code) {
	case -ERANGE:
		h2_problem(req, 416, "range-outside", "the range is not within the content");
		break;
	case -EBUSY:
		h2_problem(req, 409,
			   job && job_state(job) == JOB_SUSPENDED ? "suspended" : "executing",
			   "the job is %s", state);
		break;
	case -EALREADY:
		h2_problem(req, 409, "finished", "the job is %s", state);
		break;
	case -EEXIST:
		h2_problem(req, 409, "job-differs", "%s", err_text(e));
		break;
	case -ENOTSUP:
		h2_problem(req, 422, "unsupported", "%s", err_text(e));
		break;
	case -EDQUOT:
	case -ENOSPC:
		h2_problem(req, 507, "no-space", "%s", e ? err_text(e) : shunt_strerror(code));
		break;
	case -E2BIG:
		h2_problem(req, 409, "too-fragmented",
			   "the content has too many gaps; send the lowest missing range");
		break;
	default:
		text = e && e->code ? err_text(e) : shunt_strerror(code);
		log_limited("api", LOG_LVL_ERR, "api: %s: %s", h2_req_path(req), text);
		h2_problem(req, 500, "internal", "%s", text);
	}
}

/* ---- hello ---- */

static void get_hello(struct h2_req *req, void *arg)
{
	struct api *api = arg;
	struct sapi_hello hello = {
		.services = api->conf.services,
		.connectable = api->conf.connect,
	};
	struct buf body;
	int rc;

	snprintf(hello.name, sizeof(hello.name), "%s", api->conf.name);
	snprintf(hello.version, sizeof(hello.version), "%s", SHUNT_VERSION);
	buf_init_secret(&body, SAPI_MAX);
	rc = connects_tokens(api->connects, h2_req_session(req), &hello);
	if (!rc)
		rc = sapi_hello_encode(&hello, &body);
	if (rc)
		problem_of(req, NULL, rc, NULL);
	else
		h2_respond_json(req, 200, &body);
	sapi_hello_fini(&hello);
	buf_fini(&body);
}

/* ---- jobs ---- */

static void respond_status(struct h2_req *req, int status, const struct job *job)
{
	struct sapi_device_job_status body = { .state = job_state(job) };
	const struct job_meta *meta = job_meta(job);
	int rc;

	body.job = meta->job;
	memcpy(body.id, meta->id, sizeof(body.id));
	snprintf(body.reason, sizeof(body.reason), "%s", job_reason(job));
	rc = job_received(job, &body.received);
	if (rc)
		problem_of(req, job, rc, NULL);
	else
		body_respond(req, status, &sapi_device_job_status_schema, &body);
	ranges_fini(&body.received);
}

static void put_job(struct h2_req *req, void *arg)
{
	struct api *api = arg;
	const char *cloud = caller_cloud(api, req);
	const char *id = h2_req_param(req, "id");
	struct job_meta meta = { 0 };
	struct err e = { 0 };
	struct job *job = NULL;
	int rc;

	if (!cloud)
		return;
	if (!id || !id_ok(id)) {
		h2_problem(req, 400, "bad-request", "id: must be 32 lower-case hex digits");
		return;
	}
	if (body_decode(req, &sapi_device_job_schema, &meta.job))
		return;
	if (meta.job.kind == JOB_FETCH) {
		/* Ours to tell, whatever the cloud remembers of them. */
		meta.job.size = CONTENT_SIZE_UNKNOWN;
		meta.job.sha256[0] = '\0';
		meta.job.pull = false; /* it is the cloud that asks */
	}
	memcpy(meta.id, id, sizeof(meta.id));
	snprintf(meta.cloud, sizeof(meta.cloud), "%s", cloud);
	rc = jobs_create(api->jobs, &meta, &job, &e);
	if (rc < 0) {
		problem_of(req, job, rc, &e);
		return;
	}
	if (!job_state_final(job_state(job)))
		connects_used(api->connects, h2_req_session(req), id, 0);
	follows_review(api->follows); /* it may be told now to pull, or not to */
	respond_status(req, rc == 1 ? 201 : 200, job);
}

static void get_job(struct h2_req *req, void *arg)
{
	struct job *job = caller_job(arg, req);

	if (job)
		respond_status(req, 200, job);
}

static void delete_job(struct h2_req *req, void *arg)
{
	struct job *job = caller_job(arg, req);
	int rc;

	if (!job)
		return;
	rc = job_cancel(job);
	if (rc)
		problem_of(req, job, rc, NULL);
	else
		respond_nothing(req);
}

static void post_suspend(struct h2_req *req, void *arg)
{
	struct job *job = caller_job(arg, req);
	int rc;

	if (!job)
		return;
	rc = job_suspend(job);
	if (rc)
		problem_of(req, job, rc, NULL);
	else
		respond_nothing(req);
}

static void post_done(struct h2_req *req, void *arg)
{
	struct job *job = caller_job(arg, req);
	int rc;

	if (!job)
		return;
	rc = job_done(job);
	if (rc == -EBUSY)
		h2_problem(req, 409, "not-ready", "the job is %s", job_state_str(job_state(job)));
	else if (rc)
		problem_of(req, job, rc, NULL);
	else
		respond_nothing(req);
}

static void post_resume(struct h2_req *req, void *arg)
{
	struct job *job = caller_job(arg, req);
	int rc;

	if (!job)
		return;
	rc = job_resume(job);
	if (rc)
		problem_of(req, job, rc, NULL);
	else
		respond_nothing(req);
}

/* ---- content ---- */

/* End the upload and count what it brought by the connection it came on. */
static int receiving_end(struct receiving *r, struct h2_req *req, uint64_t *duplicate)
{
	struct job *job;
	int rc;

	if (!r->upload)
		return 0;
	rc = upload_end(r->upload, duplicate);
	r->upload = NULL;
	job = jobs_find(r->api->jobs, r->cloud, r->job);
	if (job && !job_state_final(job_state(job)))
		connects_used(r->api->connects, h2_req_session(req), r->job, r->octets);
	follows_review(r->api->follows);
	return rc;
}

static void receiving_fail(struct receiving *r, struct h2_req *req, int code)
{
	struct job *job = jobs_find(r->api->jobs, r->cloud, r->job);

	receiving_end(r, req, NULL);
	problem_of(req, job, code, NULL);
}

static int on_content_data(struct h2_req *req, const void *data, size_t len, void *arg)
{
	struct receiving *r = arg;
	int rc;

	if (!r->upload)
		return 0; /* answered already; the rest is of no interest */
	rc = upload_data(r->upload, data, len);
	if (rc)
		receiving_fail(r, req, rc);
	else
		r->octets += len;
	return 0;
}

static void on_content_end(struct h2_req *req, void *arg)
{
	struct receiving *r = arg;
	struct sapi_content_reply reply = { 0 };
	uint64_t left;
	int rc;

	if (!r->upload)
		return;
	left = upload_left(r->upload);
	rc = receiving_end(r, req, &reply.duplicate);
	if (rc) {
		problem_of(req, jobs_find(r->api->jobs, r->cloud, r->job), rc, NULL);
		return;
	}
	if (left) {
		h2_problem(req, 400, "body-too-short", "%llu octets of the range did not come",
			   (unsigned long long)left);
		return;
	}
	body_respond(req, 200, &sapi_content_reply_schema, &reply);
}

static void on_content_close(struct h2_req *req, int err, void *arg)
{
	struct receiving *r = arg;

	(void)err;
	/* A connection that broke in mid-range: what came is kept. */
	receiving_end(r, req, NULL);
	free(r);
}

static const struct h2_body_ops content_ops = {
	.on_data = on_content_data,
	.on_end = on_content_end,
};

/* The range the request announces: Content-Range, or all of the content. False when answered. */
static bool content_range(struct h2_req *req, const struct job *job, struct content_range *range)
{
	const char *field = h2_req_header(req, "content-range");
	uint64_t size = job_meta(job)->job.size;
	int64_t length = h2_req_content_length(req);

	*range = (struct content_range){ .from = 0, .to = size, .size = size };
	if (field && content_range_parse(field, range)) {
		h2_problem(req, 400, "bad-content-range",
			   "Content-Range must have the form bytes FIRST-LAST/SIZE");
		return false;
	}
	if ((range->size != CONTENT_SIZE_UNKNOWN && range->size != size) || range->to > size) {
		char text[64];

		snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)size);
		h2_req_set_header(req, "content-range", text);
		h2_problem(req, 416, "range-outside", "the content has %llu octets",
			   (unsigned long long)size);
		return false;
	}
	if (length >= 0 && (uint64_t)length != range->to - range->from) {
		h2_problem(req, 400, "length-differs", "the body has %lld octets, the range %llu",
			   (long long)length, (unsigned long long)(range->to - range->from));
		return false;
	}
	return true;
}

static void put_content(struct h2_req *req, void *arg)
{
	struct api *api = arg;
	struct job *job = caller_job(api, req);
	struct content_range range;
	struct receiving *r;
	int rc;

	if (!job)
		return;
	if (job_meta(job)->job.kind == JOB_FETCH) {
		h2_problem(req, 409, "wrong-direction",
			   "the content of a fetch job is ours to give");
		return;
	}
	if (!content_range(req, job, &range))
		return;
	r = calloc(1, sizeof(*r));
	if (!r) {
		problem_of(req, job, -ENOMEM, NULL);
		return;
	}
	rc = upload_begin(job, range.from, range.to, &r->upload);
	if (rc) {
		free(r);
		problem_of(req, job, rc, NULL);
		return;
	}
	r->api = api;
	memcpy(r->job, job_meta(job)->id, sizeof(r->job));
	memcpy(r->cloud, job_meta(job)->cloud, sizeof(r->cloud));
	h2_req_on_close(req, on_content_close, r);
	h2_req_stream(req, &content_ops, r);
}

/* ---- content that is fetched ---- */

/* A range being sent, to be counted by the connection when it has gone out. */
struct sending {
	struct api *api;
	char job[ID_LEN];
	char cloud[NAME_LEN];
	uint64_t octets;
};

static void on_sent(struct h2_req *req, int err, void *arg)
{
	struct sending *s = arg;
	struct job *job = jobs_find(s->api->jobs, s->cloud, s->job);

	if (!err && job && !job_state_final(job_state(job)))
		connects_used(s->api->connects, h2_req_session(req), s->job, s->octets);
	free(s);
}

static void send_content(struct api *api, struct h2_req *req, const struct job *job, int fd)
{
	const struct job_meta *meta = job_meta(job);
	struct body_content content = {
		.fd = fd,
		.size = meta->job.size,
		.type = meta->job.media_type,
		.sha256 = meta->job.sha256,
	};
	struct sending *s = calloc(1, sizeof(*s));

	if (!s) {
		problem_of(req, job, -ENOMEM, NULL);
		return;
	}
	s->api = api;
	memcpy(s->job, meta->id, sizeof(s->job));
	memcpy(s->cloud, meta->cloud, sizeof(s->cloud));
	h2_req_on_close(req, on_sent, s);
	body_respond_content(req, &content, &s->octets);
}

static void get_content(struct h2_req *req, void *arg)
{
	struct job *job = caller_job(arg, req);
	int fd, rc;

	if (!job)
		return;
	if (job_meta(job)->job.kind != JOB_FETCH) {
		h2_problem(req, 409, "wrong-direction", "the content is not there to be fetched");
		return;
	}
	rc = job_offered(job, &fd);
	if (rc == -EBUSY && job_state(job) != JOB_SUSPENDED)
		h2_problem(req, 409, "not-ready", "the content is not ready, the job is %s",
			   job_state_str(job_state(job)));
	else if (rc)
		problem_of(req, job, rc, NULL);
	else
		send_content(arg, req, job, fd);
}

/* ---- events ---- */

static void get_events(struct h2_req *req, void *arg)
{
	struct api *api = arg;
	struct job *job = caller_job(api, req);
	int rc = job ? follows_add(api->follows, job, req) : 0;

	if (rc)
		problem_of(req, job, rc, NULL);
}

void api_job_changed(struct api *api, const struct job *job)
{
	follows_changed(api->follows, job);
}

void api_connects_changed(struct api *api)
{
	follows_review(api->follows);
}

void api_stop(struct api *api)
{
	follows_stop(api->follows);
}

/* ---- connect (7G) ---- */

static void respond_connected(struct h2_req *req, bool reused)
{
	struct sapi_connect_reply reply = { .connected = true, .reused = reused };

	body_respond(req, 200, &sapi_connect_reply_schema, &reply);
}

static void on_connected(int err, const char *why, void *arg)
{
	struct connecting *c = arg;

	c->wait = NULL;
	if (err)
		h2_problem(c->req, 502, "connect-failed", "%s", why);
	else
		respond_connected(c->req, false);
}

static void on_connect_close(struct h2_req *req, int err, void *arg)
{
	struct connecting *c = arg;

	(void)req;
	(void)err;
	if (c->wait)
		connect_wait_cancel(c->wait);
	free(c);
}

/* A cloud may ask for a connection to itself only; the gateway for one to any cloud that is served.
 */
static bool connect_allowed(struct api *api, struct h2_req *req, const struct sapi_connect *ask)
{
	const struct party *party = h2_req_peer(req);
	struct reach_refusal why;
	int rc;

	if (!api->conf.connect) {
		h2_problem(req, 403, "not-connectable",
			   "this device dials nobody, as its configuration says (connect)");
		return false;
	}
	if (party && party->role == ROLE_CLOUD && strcmp(party->name, ask->cloud) != 0) {
		h2_problem(req, 403, "cloud-not-caller", "%s may not ask for a connection to %s",
			   party->name, ask->cloud);
		return false;
	}
	if (!cloud_allowed(api, ask->cloud)) {
		h2_problem(req, 403, "cloud-not-allowed", "this device does not serve %s",
			   ask->cloud);
		return false;
	}
	rc = reach_check(&api->conf.reach, party ? party->role : ROLE_CLOUD, ask, &why);
	if (rc)
		h2_problem(req, rc == -EPERM ? 403 : 500, why.code, "%s", why.text);
	return !rc;
}

static void connect_start(struct api *api, struct h2_req *req, const struct sapi_connect *ask)
{
	struct connecting *c = calloc(1, sizeof(*c));
	int rc;

	if (!c) {
		problem_of(req, NULL, -ENOMEM, NULL);
		return;
	}
	c->req = req;
	rc = connects_ask(api->connects, ask, on_connected, c, &c->wait);
	if (rc == 0) {
		h2_req_on_close(req, on_connect_close, c);
		return;
	}
	free(c);
	if (rc == 1)
		respond_connected(req, true);
	else if (rc == -EDQUOT)
		h2_problem(req, 503, "too-many-connections",
			   "too many connections or tokens are in use");
	else
		h2_problem(req, 502, "connect-failed", "%s", shunt_strerror(rc));
}

static void post_connect(struct h2_req *req, void *arg)
{
	struct sapi_connect ask;

	if (body_decode(req, &sapi_connect_schema, &ask))
		return;
	if (connect_allowed(arg, req, &ask))
		connect_start(arg, req, &ask);
	secret_wipe(&ask, sizeof(ask));
}

/* ---- the table ---- */

#define CLOUD ROLE_BIT(ROLE_CLOUD)
#define GATEWAY ROLE_BIT(ROLE_GATEWAY)
#define JOB "/v1/jobs/{id}"

static const struct h2_route routes[] = {
	{ "GET", "/v1/hello", CLOUD | GATEWAY, 0, 0, get_hello },
	{ "PUT", JOB, CLOUD, SAPI_MAX, 0, put_job },
	{ "GET", JOB, CLOUD, 0, 0, get_job },
	{ "DELETE", JOB, CLOUD, 0, 0, delete_job },
	{ "PUT", JOB "/content", CLOUD, CONTENT_SIZE_MAX, H2_STREAM_BODY, put_content },
	{ "GET", JOB "/content", CLOUD, 0, 0, get_content },
	{ "GET", JOB "/events", CLOUD, 0, 0, get_events },
	{ "POST", JOB "/suspend", CLOUD, SAPI_MAX, 0, post_suspend },
	{ "POST", JOB "/done", CLOUD, SAPI_MAX, 0, post_done },
	{ "POST", JOB "/resume", CLOUD, SAPI_MAX, 0, post_resume },
	{ "POST", "/v1/connect", CLOUD | GATEWAY, SAPI_MAX, 0, post_connect },
};

int api_new(struct loop *loop, const struct api_conf *conf, struct api **out)
{
	struct api *api = calloc(1, sizeof(*api));

	if (!api)
		return -ENOMEM;
	api->conf = *conf;
	api->router = (struct h2_router){ .routes = routes,
					  .count = sizeof(routes) / sizeof(routes[0]),
					  .arg = api };
	if (follows_new(loop, conf->ahead, &api->follows)) {
		free(api);
		return -ENOMEM;
	}
	*out = api;
	return 0;
}

void api_bind(struct api *api, struct jobs *jobs, struct connects *connects)
{
	api->jobs = jobs;
	api->connects = connects;
	follows_bind(api->follows, connects);
}

void api_free(struct api *api)
{
	if (!api)
		return;
	follows_free(api->follows);
	free(api);
}

const struct h2_router *api_router(const struct api *api)
{
	return &api->router;
}
