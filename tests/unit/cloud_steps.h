/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cloud_steps: what tests of jobs in the world of cloud_fakes.h do and look at time and again.
 */
#ifndef SHUNT_TESTS_CLOUD_STEPS_H
#define SHUNT_TESTS_CLOUD_STEPS_H

#include "cloud_fakes.h"

#include "cloud/delivery_int.h"

static inline void submit(struct world *w, char id[ID_LEN])
{
	struct sapi_job_submit body = { .kind = JOB_PRINT, .size = CONTENT, .priority = 3 };
	struct job_order order = { .submit = &body, .owner = "alice", .priority = 3, .key = "" };
	struct err e = { 0 };

	strcpy(body.device, "mfp-1");
	strcpy(body.name, "report.pdf");
	strcpy(body.media_type, "application/pdf");
	if (jobs_submit(w->cloud.jobs, &order, id, &e))
		fail_msg("%s", err_text(&e));
	assert_int_equal(job_upload(jobs_find(w->cloud.jobs, id), 0, w->data, CONTENT), 0);
	assert_int_equal(job_upload_end(jobs_find(w->cloud.jobs, id)), 0);
}

static inline enum job_state state_of(struct world *w, const char *id)
{
	struct sapi_job job;
	enum job_state state;

	assert_int_equal(jobs_show(w->cloud.jobs, id, false, &job), 0);
	state = job.state;
	sapi_job_fini(&job);
	return state;
}

/* Until the job is over and everything it used is closed. */
static inline void await_end(struct world *w, const char *id, struct sapi_job *out)
{
	KIT_UNTIL(w->loop, !jobs_find(w->cloud.jobs, id));
	assert_int_equal(jobs_show(w->cloud.jobs, id, true, out), 0);
}

static inline bool timeline_has(const struct sapi_job *job, const char *event, const char *reason)
{
	size_t i;

	for (i = 0; i < job->n_timeline; i++)
		if (!strcmp(job->timeline[i].event, event) &&
		    (!reason || !strcmp(job->timeline[i].reason, reason)))
			return true;
	return false;
}

static inline void assert_delivered_once(struct world *w, const struct sapi_job *job)
{
	uint64_t by_paths = 0;
	size_t i;

	for (i = 0; i < job->n_paths; i++) {
		assert_int_equal(job->paths[i].state, PATH_CLOSED);
		by_paths += job->paths[i].bytes;
	}
	assert_int_equal(job->state, JOB_COMPLETED);
	assert_int_equal(job->delivered, CONTENT);
	assert_int_equal(by_paths, CONTENT);
	assert_int_equal(job->resent, 0);
	assert_int_equal(w->arrived, CONTENT);
	assert_memory_equal(w->content, w->data, CONTENT);
	assert_int_equal(w->n_tunnels, 0);
	assert_int_equal(kernel.n, 0);
}

/* How many of the content requests that the agent holds back came on @h2. */
static inline size_t held_on(const struct world *w, const struct h2 *h2)
{
	size_t i, n = 0;

	for (i = 0; i < w->n_held; i++)
		n += h2_req_session(w->held[i]) == h2;
	return n;
}

/* The agent's event stream on @h2, or NULL. */
static inline struct h2_req *follower_on(const struct world *w, const struct h2 *h2)
{
	size_t i;

	for (i = 0; i < 8; i++)
		if (h2 && w->followers[i] && h2_req_session(w->followers[i]) == h2)
			return w->followers[i];
	return NULL;
}

/* The agent asks for content on @h2 (#645); nothing: 0, 0. */
static inline void agent_asks(struct world *w, const struct h2 *h2, uint64_t from, uint64_t to)
{
	char line[160];
	int n = snprintf(line, sizeof(line),
			 "{\"time\":\"2026-01-01T00:00:00.000Z\",\"state\":\"receiving\","
			 "\"reason\":\"\",\"want_from\":%llu,\"want_to\":%llu}\n",
			 (unsigned long long)from, (unsigned long long)to);

	assert_int_equal(h2_write(follower_on(w, h2), line, (size_t)n), 0);
}

#endif
