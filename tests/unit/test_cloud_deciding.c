// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole lives of jobs in a real cloud that decides about moves itself (FIG. 16-17). */
#include "cloud_steps.h"

#include "cloud/metrics.h"
#include "lib/buf.h"

static void decide(struct world *w, int when, uint32_t limit)
{
	cloud_die(w);
	w->conf.policy.decide = DECIDE_CLOUD;
	w->conf.policy.when = when;
	w->conf.policy.tunnels_high = w->conf.policy.tunnels_low = limit;
	w->conf.policy.min_remaining = 1;
	cloud_up(w);
}

/* A job whose tunnel never carries a packet: it is there to be counted. */
static void occupy(struct world *w, char id[ID_LEN])
{
	kernel.mute = true;
	submit(w, id);
	KIT_UNTIL(w->loop, kernel.n == 1);
	kernel.mute = false;
}

static void cancel(struct world *w, const char *id)
{
	struct sapi_job job;

	deliveries_cancel(w->cloud.deliveries, jobs_find(w->cloud.jobs, id), "alice");
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_CANCELED);
	sapi_job_fini(&job);
}

/* First embodiment, #704-#712, claim 3: asked at once, and content flows meanwhile. */
static void always(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	decide(w, WHEN_ALWAYS, 0);
	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->direct && w->n_held >= 4); /* both paths have segments in flight */
	w->hold = false;
	agent_release(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_true(job.moved);
	assert_int_equal(w->asked, 1);
	assert_int_equal(job.n_paths, 2);
	assert_true(job.paths[0].bytes > 0 && job.paths[1].bytes > 0);
	assert_string_equal(job.paths[0].reason, "moved");
	assert_true(timeline_has(&job, "decision", "always"));
	assert_false(timeline_has(&job, "move-failed", NULL));
	/* The gateway could not have asked. */
	assert_false(w->last_open.connectable);
	assert_int_equal(w->last_open.connect.token[0], '\0');
	sapi_job_fini(&job);
}

/* #53-#54, #68-#74: the tunnel of an arriving job carries the request and nothing else. */
static void an_arrival_connects(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char first[ID_LEN], id[ID_LEN];

	decide(w, WHEN_THRESHOLD, 1);
	occupy(w, first);
	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_memory_equal(w->content, w->data, CONTENT);
	assert_int_equal(w->asked, 1);
	assert_int_equal(job.n_paths, 2);
	assert_int_equal(job.paths[0].kind, PATH_TUNNEL);
	assert_int_equal(job.paths[0].bytes, 0);
	assert_int_equal(job.paths[1].bytes, CONTENT);
	assert_true(timeline_has(&job, "decision", "tunnel-limit"));
	sapi_job_fini(&job);
	cancel(w, first);
}

/* ... unless the device fails: then the content, too. */
static void an_arrival_that_cannot(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char first[ID_LEN], id[ID_LEN];

	decide(w, WHEN_THRESHOLD, 1);
	w->refuse_connect = 502;
	occupy(w, first);
	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_int_equal(w->asked, 1);
	assert_int_equal(job.n_paths, 1);
	assert_int_equal(job.paths[0].bytes, CONTENT);
	assert_true(timeline_has(&job, "move-failed", "connect-failed"));
	assert_int_equal(w->opens, 2);
	sapi_job_fini(&job);
	cancel(w, first);
}

/* The device restarts when its connection is up, but has not answered there yet. */
static void an_arrival_whose_device_restarts(void **state)
{
	struct world *w = *state;
	struct delivery *d;
	struct sapi_job job;
	char first[ID_LEN], id[ID_LEN];

	decide(w, WHEN_THRESHOLD, 1);
	w->mute_put = true;
	occupy(w, first);
	submit(w, id);
	KIT_UNTIL(w->loop, (d = job_delivery(jobs_find(w->cloud.jobs, id))) && d->agent &&
				   d->via_direct.path);
	assert_null(d->via_tunnel.path);
	h2_abort(w->agent_sessions[0], -EPIPE, "test");
	KIT_UNTIL(w->loop, !d->agent);
	h2_abort(w->direct, -EPIPE, "test");
	w->mute_put = false;
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_memory_equal(w->content, w->data, CONTENT);
	assert_true(timeline_has(&job, "retry", NULL));
	sapi_job_fini(&job);
	cancel(w, first);
}

/* The agent's session breaks while its device is awaited: a new try, not a hang. */
static void an_arrival_whose_agent_breaks(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char first[ID_LEN], id[ID_LEN];

	decide(w, WHEN_THRESHOLD, 1);
	occupy(w, first);
	w->mute_connect = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->asked == 1);
	w->mute_connect = false;
	h2_abort(w->agent_sessions[0], -EPIPE, "test");
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_true(timeline_has(&job, "retry", "no-answer"));
	assert_int_equal(w->asked, 2);
	sapi_job_fini(&job);
	cancel(w, first);
}

/* #806-#816: one that cannot connect waits in the cloud; the gateway is not even asked. */
static void waits_for_its_turn(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char first[ID_LEN], gone[ID_LEN], id[ID_LEN];

	w->device.connectable = false;
	decide(w, WHEN_THRESHOLD, 1);
	occupy(w, first);
	submit(w, gone);
	submit(w, id);
	KIT_UNTIL(w->loop, state_of(w, gone) == JOB_WAITING && state_of(w, id) == JOB_WAITING);
	assert_int_equal(w->opens, 1);
	cancel(w, gone);
	cancel(w, first);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->opens, 2);
	assert_true(timeline_has(&job, "waiting", "no-relief"));
	assert_true(timeline_has(&job, "decision", "below-limit"));
	assert_int_equal(w->asked, 0);
	sapi_job_fini(&job);
}

/* Claims 2-3: nothing asks for the tunnel's slot, so both are used to the end. */
static void split_to_the_end(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.policy.split = true;
	decide(w, WHEN_ALWAYS, 0);
	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->direct && w->n_held >= 4);
	w->hold = false;
	agent_release(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->asked, 1);
	assert_true(job.paths[0].bytes > 0 && job.paths[1].bytes > 0);
	assert_true(timeline_has(&job, "path-active", "split"));
	assert_false(timeline_has(&job, "path-draining", NULL));
	sapi_job_fini(&job);
}

/* #811-#813: 7L and then the request, both through the tunnel. */
static void suspended_for_the_move(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.policy.suspend = true;
	decide(w, WHEN_ALWAYS, 0);
	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->direct && w->n_held >= 2);
	w->hold = false;
	agent_release(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->asked, 1);
	assert_int_equal(w->suspends, 1);
	assert_int_equal(w->resumes, 1);
	assert_true(timeline_has(&job, "suspended", "suspended"));
	sapi_job_fini(&job);
}

/* "You may cut it before": the request has arrived when its tunnel is cut. */
static void cut_with_the_request(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.policy.cut = CUT_AFTER_REQUEST;
	decide(w, WHEN_ALWAYS, 0);
	w->mute_connect = true; /* it takes its time */
	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->asked == 1 && w->n_held >= 2);
	w->hold = false;
	agent_release(w);
	KIT_UNTIL(w->loop, w->deletes == 1 && !kernel.n);
	assert_null(w->direct);
	agent_dials(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->opens, 1);
	assert_false(timeline_has(&job, "move-failed", NULL));
	sapi_job_fini(&job);
}

/* ... and when the device then does not come, the next try goes through a tunnel. */
static void cut_for_nothing(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.policy.cut = CUT_AFTER_REQUEST;
	w->conf.policy.connect_timeout = 300;
	decide(w, WHEN_ALWAYS, 0);
	w->mute_connect = true;
	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->asked == 1 && w->n_held >= 2);
	w->hold = false;
	agent_release(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->opens, 2);
	assert_int_equal(w->asked, 1); /* left alone after the failure */
	assert_true(timeline_has(&job, "move-failed", NULL));
	sapi_job_fini(&job);
}

static bool has_line(const struct buf *text, const char *line)
{
	return strstr((const char *)text->data, line);
}

static void figures(void **state)
{
	struct world *w = *state;
	struct buf text = BUF_INIT;
	char first[ID_LEN], id[ID_LEN];

	w->device.connectable = false;
	decide(w, WHEN_THRESHOLD, 1);
	occupy(w, first);
	submit(w, id);
	KIT_UNTIL(w->loop, state_of(w, id) == JOB_WAITING);
	assert_int_equal(metrics_print(&w->cloud, &text), 0);
	buf_putc(&text, '\0');
	assert_true(has_line(&text, "\nshunt_cloud_waiting_for_tunnel 1\n"));
	assert_true(has_line(&text, "\nshunt_cloud_moves_in_flight 0\n"));
	assert_true(has_line(&text, "\nshunt_cloud_decisions_total{reason=\"no-relief\"} 1\n"));
	assert_true(has_line(&text, "\nshunt_cloud_decisions_total{reason=\"below-limit\"} 1\n"));
	buf_fini(&text);
	cancel(w, id);
	cancel(w, first);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(always),
		TEST(an_arrival_connects),
		TEST(an_arrival_that_cannot),
		TEST(an_arrival_whose_device_restarts),
		TEST(an_arrival_whose_agent_breaks),
		TEST(waits_for_its_turn),
		TEST(split_to_the_end),
		TEST(suspended_for_the_move),
		TEST(cut_with_the_request),
		TEST(cut_for_nothing),
		TEST(figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
