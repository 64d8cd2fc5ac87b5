// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices that could not be told of a job's end are told as soon as they can be, and but once. */
#include "cloud_steps.h"

#include "cloud/notice.h"

/* A job that has lost its path after its device got some of it, and finds no other. */
static void stranded(struct world *w, char id[ID_LEN])
{
	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held >= 2 && w->n_tunnels == 1);
	w->refuse = 503;
	w->refuse_code = "no-slot";
	h2_abort(w->agent_sessions[0], -EPIPE, "test");
	KIT_UNTIL(w->loop, state_of(w, id) == JOB_QUEUED);
}

static void cancel(struct world *w, const char *id)
{
	struct sapi_job job;

	deliveries_cancel(w->cloud.deliveries, jobs_find(w->cloud.jobs, id), "alice");
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_CANCELED);
	sapi_job_fini(&job);
}

static size_t left(const struct world *w)
{
	return notices_count(w->cloud.notices);
}

/* The device dials of its own accord. */
static void device_comes(struct world *w)
{
	w->token[0] = '\0';
	agent_dials(w);
}

static void restart(struct world *w)
{
	cloud_die(w);
	KIT_UNTIL(w->loop, !w->n_sessions && !w->gateway);
	cloud_up(w);
}

static void told_after_a_restart(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	stranded(w, id);
	cancel(w, id);
	assert_int_equal(w->cancels, 0);
	assert_int_equal(left(w), 1);
	restart(w);
	assert_int_equal(left(w), 1);
	device_comes(w);
	KIT_UNTIL(w->loop, !left(w));
	assert_int_equal(w->cancels, 1);
	restart(w);
	assert_int_equal(left(w), 0);
}

static void told_through_another_jobs_tunnel(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	stranded(w, id);
	cancel(w, id);
	assert_int_equal(w->cancels, 0);
	w->refuse = 0;
	w->hold = false;
	w->known = false;
	ranges_clear(&w->received);
	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	sapi_job_fini(&job);
	assert_int_equal(w->cancels, 1);
	assert_int_equal(left(w), 0);
}

/* One that does not confirm is told again; one that knows no such job has nothing to drop. */
static void told_until_it_confirms(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	stranded(w, id);
	cancel(w, id);
	w->refuse_cancel = 500;
	device_comes(w);
	KIT_UNTIL(w->loop, w->cancels == 1);
	KIT_UNTIL(w->loop, !w->direct); /* nobody needs the connection */
	assert_int_equal(left(w), 1);
	w->refuse_cancel = 404;
	device_comes(w);
	KIT_UNTIL(w->loop, !left(w));
	assert_int_equal(w->cancels, 2);
}

/* The cancellation's own request is not answered, be it for a restart. */
static void told_although_it_was_asked(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	w->hold = true;
	w->mute_cancel = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	deliveries_cancel(w->cloud.deliveries, jobs_find(w->cloud.jobs, id), "alice");
	KIT_UNTIL(w->loop, w->canceling);
	restart(w);
	assert_int_equal(left(w), 1);
	w->mute_cancel = false;
	device_comes(w);
	KIT_UNTIL(w->loop, !left(w));
	assert_int_equal(w->cancels, 2);
}

/* What failed for good here leaves nothing there. */
static void told_of_a_failure(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->refuse_put = 409;
	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	sapi_job_fini(&job);
	assert_int_equal(left(w), 1);
	device_comes(w);
	KIT_UNTIL(w->loop, !left(w));
	assert_int_equal(w->cancels, 1);
}

static void nothing_to_tell(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	/* Its device never heard of it. */
	w->make_wait = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->waiting);
	cancel(w, id);
	assert_int_equal(left(w), 0);
	/* It told us itself, or confirmed. */
	w->make_wait = false;
	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	sapi_job_fini(&job);
	assert_int_equal(left(w), 0);
}

static void bounded(void **state)
{
	struct world *w = *state;
	struct store_notice old = { .device = "mfp-1", .created = 1 };
	char job[ID_LEN], path[PATH_MAX + 16];
	struct err e = { 0 };
	struct store *s;
	unsigned int i;

	for (i = 0; i < NOTICES_MAX + 2; i++) {
		snprintf(job, sizeof(job), "%032x", i);
		notices_add(w->cloud.notices, "mfp-9", job);
		notices_add(w->cloud.notices, "mfp-9", job);
	}
	assert_int_equal(left(w), NOTICES_MAX);
	restart(w);
	assert_int_equal(left(w), NOTICES_MAX);
	/* The oldest made room. */
	notices_drop(w->cloud.notices, "mfp-9", "00000000000000000000000000000001");
	assert_int_equal(left(w), NOTICES_MAX);
	for (i = 2; i < NOTICES_MAX + 2; i++) {
		snprintf(job, sizeof(job), "%032x", i);
		notices_drop(w->cloud.notices, "mfp-9", job);
	}
	assert_int_equal(left(w), 0);
	cloud_die(w);
	snprintf(path, sizeof(path), "%s/jobs.db", w->state);
	assert_int_equal(store_open(path, STORE_CLOUD, &s, &e), 0);
	strcpy(old.job, "00000000000000000000000000000001");
	assert_int_equal(store_notice_add(s, &old), 0);
	store_close(s);
	cloud_up(w);
	assert_int_equal(left(w), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(told_after_a_restart),
		TEST(told_through_another_jobs_tunnel),
		TEST(told_until_it_confirms),
		TEST(told_although_it_was_asked),
		TEST(told_of_a_failure),
		TEST(nothing_to_tell),
		TEST(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
