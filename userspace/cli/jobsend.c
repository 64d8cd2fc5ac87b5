// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/jobsend.h"

#include <errno.h>
#include <unistd.h>

#include "cli/progress.h"

int jobsend_ask(struct remote *cloud, const char *method, const char *id, struct buf *reply,
		struct err *e)
{
	char path[64];
	struct remote_request request = { .method = method, .path = path };

	snprintf(path, sizeof(path), "/v1/jobs/%s", id);
	buf_reset(reply);
	return remote_call(cloud, &request, reply, e);
}

/* ---- the job ---- */

int jobsend_announce(struct cli *c, struct remote **cloud, const struct sapi_job_submit *submit,
		     const char *key, struct sapi_job *job, struct err *e)
{
	struct buf body = BUF_INIT, reply = BUF_INIT;
	struct remote_request request = {
		.method = "POST",
		.path = "/v1/jobs",
		.idempotency_key = key,
	};
	unsigned int tries = 0;
	char random[ID_LEN];
	int err = 0;

	if (!key[0]) {
		err = id_random(random);
		request.idempotency_key = random;
	}
	if (!err)
		err = sapi_job_submit_encode(submit, &body);
	if (err) {
		err_sys(e, err, "job");
		goto out;
	}
	request.body = body.data;
	request.len = body.len;
	do {
		buf_reset(&reply);
		err = remote_call(*cloud, &request, &reply, e);
	} while (err && !remote_again(cloud, c, ROLE_CLOUD, &tries, err, e));
	if (!err)
		err = sapi_job_decode(reply.data, reply.len, job, e);
out:
	buf_fini(&body);
	buf_fini(&reply);
	return err;
}

/* ---- its content ---- */

struct sending {
	struct progress progress;
	uint64_t from;
};

static void on_sent(void *arg, uint64_t sent)
{
	struct sending *s = arg;

	progress_set(&s->progress, s->from + sent, clock_mono_ms());
}

static int put(struct remote *cloud, struct sending *s, const struct sapi_job *job, int fd,
	       struct buf *reply, struct err *e)
{
	char path[64];
	struct remote_request request = {
		.method = "PUT",
		.path = path,
		.content = true,
		.fd = fd,
		.from = s->from,
		.size = job->size,
		.on_sent = on_sent,
		.arg = s,
	};

	snprintf(path, sizeof(path), "/v1/jobs/%s/content", job->id);
	buf_reset(reply);
	return remote_call(cloud, &request, reply, e);
}

/* What the cloud has: @job is asked for again. */
static int look(struct remote *cloud, const char *id, struct buf *reply, enum job_state *state,
		uint64_t *uploaded, struct err *e)
{
	struct sapi_job job;
	int err = jobsend_ask(cloud, "GET", id, reply, e);

	if (!err)
		err = sapi_job_decode(reply->data, reply->len, &job, e);
	if (err)
		return err;
	*state = job.state;
	*uploaded = job.uploaded;
	sapi_job_fini(&job);
	return 0;
}

/*
 * One go at it, from where the cloud is; @fresh: that is as @job says. 1: there are holes in what it has,
 * which other clients may have left, so all of it is sent, of which it takes what it lacks.
 */
static int send_once(struct remote *cloud, struct sending *s, const struct sapi_job *job, int fd,
		     bool fresh, bool from_start, struct buf *reply, struct err *e)
{
	enum job_state state = job->state;
	uint64_t uploaded = job->uploaded;
	int err = 0;

	if (!fresh || state != JOB_RECEIVING)
		err = look(cloud, job->id, reply, &state, &uploaded, e);
	if (err || state != JOB_RECEIVING)
		return err; /* it has all, from before, or wants no more */
	s->from = from_start || uploaded >= job->size ? 0 : uploaded;
	err = put(cloud, s, job, fd, reply, e);
	if (!err && s->from)
		err = look(cloud, job->id, reply, &state, &uploaded, e);
	return err ? err : s->from && state == JOB_RECEIVING && uploaded < job->size;
}

int jobsend_content(struct cli *c, struct remote **cloud, const struct sapi_job *job, int fd,
		    struct buf *reply, struct err *e)
{
	bool terminal = isatty(fileno(c->errors)), holes = false, fresh = true;
	struct sending s = { .from = 0 };
	unsigned int tries = 0;
	uint64_t before;
	int err;

	progress_init(&s.progress, c->json && !terminal ? NULL : c->errors, terminal, job->name,
		      job->size);
	do {
		before = s.from;
		err = send_once(*cloud, &s, job, fd, fresh, holes, reply, e);
		fresh = false;
		holes = err == 1;
		if (s.from > before)
			tries = 0; /* the last one got somewhere */
	} while (err && (err == 1 || !remote_again(cloud, c, ROLE_CLOUD, &tries, err, e)));
	progress_end(&s.progress);
	if (err)
		err_prefix(e, "job %s: content", job->id);
	return err;
}
