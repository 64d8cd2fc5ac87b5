/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cloud_fetch: how the agent of cloud_fakes.h, which includes this, serves fetch jobs. */
#ifndef SHUNT_TESTS_CLOUD_FETCH_H
#define SHUNT_TESTS_CLOUD_FETCH_H

/* Of a fetch job: what the agent says it has, if it says so already. */
static void agent_offer(struct world *w, struct h2_req *req, int http)
{
	struct sapi_device_job_status status = { .job = { .kind = JOB_FETCH },
						 .state = w->job_state };
	uint8_t digest[SHA256_LEN];

	strcpy(status.job.name, "a.bin");
	strcpy(status.job.media_type, "application/octet-stream");
	strcpy(status.job.path, w->fetch.path);
	snprintf(status.id, sizeof(status.id), "%s", h2_req_param(req, "id"));
	status.job.size = CONTENT_SIZE_UNKNOWN;
	if (w->job_state != JOB_EXECUTING) {
		status.job.size = w->fetch.empty ? 0 : CONTENT;
		sha256_once(w->data, status.job.size, digest);
		sha256_hex(digest, status.job.sha256);
		if (w->fetch.lie)
			status.job.sha256[0] = status.job.sha256[0] == 'a' ? 'b' : 'a';
	}
	body_respond(req, http, &sapi_device_job_status_schema, &status);
}

static void agent_put_fetch(struct world *w, struct h2_req *req, const struct sapi_device_job *job)
{
	bool known = w->known;

	assert_true(job->size == CONTENT_SIZE_UNKNOWN);
	assert_false(job->pull);
	if (w->fetch.refuse) {
		h2_problem(req, 422, "unsupported", "there is no such file");
		return;
	}
	strcpy(w->fetch.path, job->path);
	w->known = true;
	w->fetch.made += !known;
	if (!known)
		w->job_state = w->fetch.slow ? JOB_EXECUTING : JOB_RUNNING;
	agent_offer(w, req, known ? 200 : 201);
}

static void agent_give(struct world *w, struct h2_req *req)
{
	struct body_content content = {
		.fd = w->fetch.fd, .size = CONTENT, .type = "application/octet-stream", .sha256 = ""
	};
	uint64_t len;

	if (w->job_state != JOB_RUNNING) {
		h2_problem(req, 409, w->job_state == JOB_SUSPENDED ? "suspended" : "not-ready",
			   "not now");
		return;
	}
	assert_non_null(h2_req_header(req, "range"));
	body_respond_content(req, &content, &len);
	w->fetch.given += len;
}

static void agent_done(struct h2_req *req, void *arg)
{
	struct world *w = arg;

	w->fetch.dones++;
	if (w->fetch.deaf) {
		h2_req_reset(req);
		return;
	}
	h2_respond(req, 204, NULL, NULL, 0);
	agent_becomes(w, JOB_COMPLETED);
}

#endif
