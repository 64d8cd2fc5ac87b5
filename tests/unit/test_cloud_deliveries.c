// SPDX-License-Identifier: GPL-2.0-or-later
/* Which jobs are delivered when there are more than can be: order, room, and who is not to blame. */
#include "cloud_fakes.h"

#include "cloud/delivery_int.h"

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

static bool timeline_has(const struct sapi_job *job, const char *event, const char *reason)
{
	size_t i;

	for (i = 0; i < job->n_timeline; i++)
		if (!strcmp(job->timeline[i].event, event) &&
		    !strcmp(job->timeline[i].reason, reason))
			return true;
	return false;
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

/* But those that wait are bounded too; those that may are the first in order. */
static void waiting_is_bounded(void **state)
{
	struct world *w = *state;
	char first[ID_LEN], low[ID_LEN], equal[ID_LEN];

	w->conf.max_running = 1;
	w->conf.max_waiting = 1;
	w->make_wait = true;
	submit(w, 3, first);
	KIT_UNTIL(w->loop, w->waiting && state_of(w, first) == JOB_WAITING);
	submit(w, 1, low);
	submit(w, 3, equal);
	KIT_UNTIL(w->loop, state_of(w, low) == JOB_QUEUED && state_of(w, equal) == JOB_QUEUED);
	kit_settle(w->loop);
	assert_int_equal(deliveries_count(w->cloud.deliveries), 1);
	assert_ptr_equal(jobs_next(w->cloud.jobs), jobs_find(w->cloud.jobs, equal));
	deliveries_cancel(w->cloud.deliveries, jobs_find(w->cloud.jobs, first), "test");
	KIT_UNTIL(w->loop, state_of(w, equal) == JOB_WAITING);
	assert_int_equal(state_of(w, low), JOB_QUEUED);
}

/*
 * A job of higher priority takes the place of the least that waits: its request is withdrawn, and it has lost
 * neither its turn nor anything else.
 */
static void displaced_by_higher_priority(void **state)
{
	struct world *w = *state;
	char early[ID_LEN], late[ID_LEN], high[ID_LEN];
	struct sapi_job job;

	w->conf.max_running = 1;
	w->conf.max_waiting = 2;
	w->make_wait = true;
	submit(w, 3, early);
	KIT_UNTIL(w->loop, state_of(w, early) == JOB_WAITING);
	submit(w, 3, late);
	KIT_UNTIL(w->loop, state_of(w, late) == JOB_WAITING && w->waiting);
	submit(w, 5, high);
	KIT_UNTIL(w->loop, state_of(w, high) == JOB_WAITING && w->opens == 3);
	assert_int_equal(state_of(w, early), JOB_WAITING);
	assert_int_equal(state_of(w, late), JOB_QUEUED);
	assert_int_equal(jobs_show(w->cloud.jobs, late, true, &job), 0);
	assert_true(timeline_has(&job, "queued", "displaced"));
	sapi_job_fini(&job);
	/* First of those that were queued when there is room again. */
	submit(w, 3, early);
	KIT_UNTIL(w->loop, state_of(w, early) == JOB_QUEUED);
	kit_settle(w->loop);
	assert_ptr_equal(jobs_next(w->cloud.jobs), jobs_find(w->cloud.jobs, late));
	/* Canceled while it is not taken. */
	deliveries_cancel(w->cloud.deliveries, jobs_find(w->cloud.jobs, late), "test");
	assert_null(jobs_find(w->cloud.jobs, late));
}

/* Also one that has asked and not been answered yet counts as one that waits. */
static void displaced_before_the_answer(void **state)
{
	struct world *w = *state;
	char low[ID_LEN], high[ID_LEN];

	w->conf.max_running = 1;
	w->mute_open = true;
	submit(w, 3, low);
	KIT_UNTIL(w->loop, w->opens == 1);
	submit(w, 5, high);
	KIT_UNTIL(w->loop, w->opens == 2);
	assert_string_equal(w->last_open.job, high);
	assert_int_equal(deliveries_count(w->cloud.deliveries), 1);
	assert_int_equal(state_of(w, low), JOB_QUEUED);
}

/* The device connects: those of its jobs that wait for a slot go, in order and as many as may run. */
static void connected_in_order(void **state)
{
	struct world *w = *state;
	char low[ID_LEN], high[ID_LEN];

	cloud_die(w);
	w->conf.linger = 60000;
	cloud_up(w);
	w->conf.max_running = 1;
	w->make_wait = true;
	submit(w, 3, low);
	KIT_UNTIL(w->loop, state_of(w, low) == JOB_WAITING);
	submit(w, 5, high);
	KIT_UNTIL(w->loop, state_of(w, high) == JOB_WAITING);
	w->hold = true;
	agent_dials(w);
	KIT_UNTIL(w->loop, state_of(w, high) == JOB_RUNNING);
	assert_int_equal(state_of(w, low), JOB_WAITING);
	w->hold = false;
	agent_release(w);
	KIT_UNTIL(w->loop, !jobs_find(w->cloud.jobs, high));
	w->known = false; /* the fake agent has one job at a time */
	ranges_clear(&w->received);
	KIT_UNTIL(w->loop, !jobs_find(w->cloud.jobs, low));
	assert_int_equal(w->n_tunnels, 0);
	assert_null(w->waiting);
}

/* A gateway whose queue is full: who was refused asks again as soon as a place in it is free. */
static void asks_again_when_there_is_room(void **state)
{
	struct world *w = *state;
	char first[ID_LEN], second[ID_LEN];
	struct h2_req *waiting;
	struct delivery *d;

	w->make_wait = true;
	submit(w, 3, first);
	KIT_UNTIL(w->loop, w->waiting && state_of(w, first) == JOB_WAITING);
	waiting = w->waiting;
	w->make_wait = false;
	w->refuse = 503;
	w->refuse_code = "queue-full";
	submit(w, 3, second);
	d = NULL;
	KIT_UNTIL(w->loop, (d = job_delivery(jobs_find(w->cloud.jobs, second))) && d->busy);
	w->refuse = 0;
	w->hold = true;
	gateway_grant(w, waiting);
	KIT_UNTIL(w->loop, state_of(w, first) == JOB_RUNNING);
	assert_false(d->busy); /* it does not sit out its pause */
	KIT_UNTIL(w->loop, w->opens == 3);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(waiting_is_not_running),	    TEST(waiting_is_bounded),
		TEST(displaced_by_higher_priority), TEST(displaced_before_the_answer),
		TEST(connected_in_order),	    TEST(asks_again_when_there_is_room),
		TEST(busy_is_no_failure),	    TEST(refusal_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
