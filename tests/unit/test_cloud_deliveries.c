// SPDX-License-Identifier: GPL-2.0-or-later
/* Which jobs are delivered when there are more than can be: order, room, and who is not to blame. */
#include "cloud_fakes.h"

#include "cloud/delivery.h"

static void submit(struct world *w, uint8_t priority, char id[ID_LEN])
{
	struct sapi_job_submit body = { .kind = JOB_PRINT, .size = CONTENT, .priority = priority };
	struct job_order order = {
		.submit = &body, .owner = "alice", .priority = priority, .key = ""
	};
	struct err e = { 0 };

	strcpy(body.device, "mfp-1");
	strcpy(body.name, "report.pdf");
	strcpy(body.media_type, "application/pdf");
	if (jobs_submit(w->cloud.jobs, &order, id, &e))
		fail_msg("%s", err_text(&e));
	assert_int_equal(job_upload(jobs_find(w->cloud.jobs, id), 0, w->data, CONTENT), 0);
	assert_int_equal(job_upload_end(jobs_find(w->cloud.jobs, id)), 0);
}

static enum job_state state_of(struct world *w, const char *id)
{
	struct job *job = jobs_find(w->cloud.jobs, id);

	assert_non_null(job);
	return job_row(job)->state;
}

/* A job that waits for a slot does not keep the next one from starting. */
static void waiting_is_not_running(void **state)
{
	struct world *w = *state;
	char first[ID_LEN], second[ID_LEN];

	w->conf.max_running = 1;
	w->make_wait = true;
	submit(w, 3, first);
	KIT_UNTIL(w->loop, w->waiting && state_of(w, first) == JOB_WAITING);
	submit(w, 3, second);
	KIT_UNTIL(w->loop, w->opens == 2 && state_of(w, second) == JOB_WAITING);
	assert_int_equal(deliveries_count(w->cloud.deliveries), 2);
	assert_int_equal(deliveries_waiting(w->cloud.deliveries), 2);
}

/* But those that wait are bounded too; the most important of the others is next. */
static void waiting_is_bounded(void **state)
{
	struct world *w = *state;
	char first[ID_LEN], low[ID_LEN], high[ID_LEN];

	w->conf.max_running = 1;
	w->conf.max_waiting = 1;
	w->make_wait = true;
	submit(w, 3, first);
	KIT_UNTIL(w->loop, w->waiting && state_of(w, first) == JOB_WAITING);
	submit(w, 1, low);
	submit(w, 6, high);
	KIT_UNTIL(w->loop, state_of(w, low) == JOB_QUEUED && state_of(w, high) == JOB_QUEUED);
	kit_settle(w->loop);
	assert_int_equal(deliveries_count(w->cloud.deliveries), 1);
	assert_ptr_equal(jobs_next(w->cloud.jobs), jobs_find(w->cloud.jobs, high));
	deliveries_cancel(w->cloud.deliveries, jobs_find(w->cloud.jobs, first), "test");
	KIT_UNTIL(w->loop, state_of(w, high) == JOB_WAITING);
	assert_int_equal(state_of(w, low), JOB_QUEUED);
}

/* A gateway without room is asked again for ever: nothing accepted is dropped. */
static void busy_is_no_failure(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.attempts = 1; /* the first failure that counts is the last */
	w->refuse = 503;
	w->refuse_code = "no-slot";
	submit(w, 3, id);
	KIT_UNTIL(w->loop, w->opens == 2);
	assert_int_not_equal(state_of(w, id), JOB_FAILED);
	w->refuse = 0;
	KIT_UNTIL(w->loop, !jobs_find(w->cloud.jobs, id));
	assert_int_equal(jobs_show(w->cloud.jobs, id, false, &job), 0);
	assert_int_equal(job.state, JOB_COMPLETED);
	sapi_job_fini(&job);
}

/* Any other refusal is a failed try. */
static void refusal_is_a_failure(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.attempts = 1;
	w->refuse = 503;
	w->refuse_code = "tunnel-failed";
	submit(w, 3, id);
	KIT_UNTIL(w->loop, !jobs_find(w->cloud.jobs, id));
	assert_int_equal(jobs_show(w->cloud.jobs, id, false, &job), 0);
	assert_int_equal(job.state, JOB_FAILED);
	assert_int_equal(w->opens, 1);
	sapi_job_fini(&job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(waiting_is_not_running, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(waiting_is_bounded, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(busy_is_no_failure, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(refusal_is_a_failure, world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
