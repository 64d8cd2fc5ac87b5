// SPDX-License-Identifier: GPL-2.0-or-later
/* Content that follows a job's introduction without waiting for the answer, and what may go wrong with it. */
#include "cloud_steps.h"

/* The agent answers the introduction that it let wait. */
static void answer(struct world *w)
{
	struct h2_req *req = w->introducing;

	w->mute_put = false;
	w->introducing = NULL;
	agent_put(req, w);
}

/* Content is there although the agent never said a word. */
static void content_is_ahead(struct world *w, char id[ID_LEN])
{
	w->mute_put = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->introducing && w->arrived >= (uint64_t)2 * SEGMENT);
	assert_int_equal(w->introductions, 0);
}

static void before_the_answer(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	content_is_ahead(w, id);
	answer(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->introductions, 1);
	sapi_job_fini(&job);
}

/* A path that nobody has answered on is none to count on. */
static void not_active_before_the_answer(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	content_is_ahead(w, id);
	assert_int_equal(jobs_show(w->cloud.jobs, id, true, &job), 0);
	assert_int_equal(job.paths[0].state, PATH_OPENING);
	assert_false(timeline_has(&job, "path-active", NULL));
	sapi_job_fini(&job);
	answer(w);
	await_end(w, id, &job);
	assert_true(timeline_has(&job, "path-active", NULL));
	sapi_job_fini(&job);
}

/* The introduction's answer says why, not that of the content behind it. */
static void a_refusal_stops_it(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->mute_put = true;
	w->refuse_put = 409;
	submit(w, id);
	KIT_UNTIL(w->loop, w->introducing && follower_on(w, h2_req_session(w->introducing)));
	kit_settle(w->loop); /* what followed has been refused */
	answer(w);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	assert_non_null(strstr(job.reason, "another one"));
	assert_int_equal(job.delivered, 0);
	assert_int_equal(w->arrived, 0);
	sapi_job_fini(&job);
}

/* Refused for now: the next try waits for the answer, and what had arrived is not sent again. */
static void tried_again(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	content_is_ahead(w, id);
	KIT_UNTIL(w->loop, !w->n_held);
	w->known = true;
	h2_problem(w->introducing, 503, "busy", "not now");
	w->mute_put = false;
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->duplicates, 0);
	assert_true(timeline_has(&job, "retry", NULL));
	sapi_job_fini(&job);
}

/* The device knows the job after all, as of a cloud that lost its record: nothing breaks. */
static void not_so_fresh(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->known = true;
	w->job_state = JOB_RECEIVING;
	memcpy(w->content + (size_t)8 * SEGMENT, w->data + (size_t)8 * SEGMENT, SEGMENT);
	ranges_add(&w->received, (uint64_t)8 * SEGMENT, (uint64_t)9 * SEGMENT, NULL);
	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_int_equal(job.resent, w->duplicates);
	assert_int_equal(w->arrived + SEGMENT, CONTENT); /* asked as soon as it said so */
	assert_memory_equal(w->content, w->data, CONTENT);
	sapi_job_fini(&job);
}

/* The device connects while the tunnel's introduction has no answer: what is in flight there is finished. */
static void moved_meanwhile(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	w->mute_put = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->introducing && w->n_held == 2);
	w->mute_put = false;
	gateway_decides(w, SAPI_GW_MOVE, "tunnels-high");
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && held_on(w, w->direct));
	w->hold = false;
	agent_release(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->duplicates, 0);
	assert_true(job.moved);
	assert_true(job.paths[0].bytes > 0 && job.paths[1].bytes > 0);
	sapi_job_fini(&job);
}

/* With pull the first question comes a round trip earlier, too. */
static void asked_before_the_answer(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.policy.delivery = DELIVERY_PULL;
	w->job_state = JOB_RECEIVING;
	w->mute_put = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->introducing && follower_on(w, h2_req_session(w->introducing)));
	agent_asks(w, h2_req_session(w->introducing), 0, SEGMENT);
	KIT_UNTIL(w->loop, w->arrived == SEGMENT);
	agent_asks(w, h2_req_session(w->introducing), SEGMENT, CONTENT);
	answer(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	sapi_job_fini(&job);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(before_the_answer),
		TEST(not_active_before_the_answer),
		TEST(a_refusal_stops_it),
		TEST(tried_again),
		TEST(not_so_fresh),
		TEST(moved_meanwhile),
		TEST(asked_before_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
