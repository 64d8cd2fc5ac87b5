// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole lives of jobs in a real cloud, with everybody around it faked (cloud_fakes.h). */
#include "cloud_steps.h"

#include "cloud/gateways.h"

static void through_the_tunnel(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	submit(w, id);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(job.n_paths, 1);
	assert_int_equal(job.paths[0].kind, PATH_TUNNEL);
	assert_string_equal(job.paths[0].gateway, "gw1");
	assert_int_equal(job.paths[0].packets, 11);
	assert_int_equal(job.paths[0].rx_cpu_ns, 77);
	assert_false(job.moved);
	assert_int_equal(w->dials, 1);
	assert_int_equal(w->deletes, 1);
	assert_true(w->last_open.connectable);
	assert_int_equal(w->last_open.priority, 3);
	assert_int_equal(w->last_open.remaining, CONTENT);
	assert_true(timeline_has(&job, "executing", NULL));
	sapi_job_fini(&job);
}

static void moves_in_the_middle(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held == 2);
	gateway_decides(w, SAPI_GW_MOVE, "tunnels-high");
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && w->n_held >= 4); /* both paths have segments in flight */
	w->hold = false;
	agent_release(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_true(job.moved);
	assert_int_equal(job.n_paths, 2);
	assert_int_equal(job.paths[0].kind, PATH_TUNNEL);
	assert_int_equal(job.paths[1].kind, PATH_DIRECT);
	assert_true(job.paths[0].bytes > 0 && job.paths[1].bytes > 0);
	assert_string_equal(job.paths[0].reason, "moved");
	assert_int_equal(w->introductions, 1); /* known, so content goes out at once */
	assert_true(timeline_has(&job, "decision", "tunnels-high"));
	assert_true(timeline_has(&job, "path-draining", "moved"));
	KIT_UNTIL(w->loop, !w->direct); /* nobody needs the connection: 7H was the last word */
	sapi_job_fini(&job);
}

/* The gateway died, came back and adopted the tunnel: told of the job again, it can have it moved. */
static void moves_after_the_gateway_restarted(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN], before[ID_LEN];

	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held == 2);
	memcpy(before, w->last_open.connect.token, ID_LEN);
	h2_abort(w->gateway, -EPIPE, "killed");
	w->tunnels[0].adopted = true;
	KIT_UNTIL(w->loop, !w->gateway && !gateways_connected(w->cloud.gateways));
	gateway_dial(w);
	KIT_UNTIL(w->loop, w->told == 1 && w->events);
	assert_int_equal(w->deletes, 0);
	assert_true(w->last_open.connectable);
	assert_int_equal(w->last_open.connect.agent_port, w->device.services[0].port);
	assert_string_not_equal(w->last_open.connect.token, before);
	assert_true(w->last_open.remaining == CONTENT);
	gateway_decides(w, SAPI_GW_MOVE, "tunnels-high");
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && w->n_held >= 4);
	w->hold = false;
	agent_release(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_true(job.moved);
	assert_int_equal(w->opens, 1);
	assert_string_equal(job.paths[0].reason, "moved");
	sapi_job_fini(&job);
}

/* The device has told that it is done, then the tunnel ends before the last acknowledgements. */
static void a_tunnel_that_ends_after_the_device(void **state)
{
	struct sapi_gateway_event ev = { .time = 1, .event = SAPI_GW_TUNNEL_CLOSED };
	struct world *w = *state;
	struct delivery *d;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	w->conf.segment = (uint64_t)16 * SEGMENT; /* all of it is on the wire */
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held == 2 && w->followers[0]);
	agent_becomes(w, JOB_COMPLETED);
	d = job_delivery(jobs_find(w->cloud.jobs, id));
	KIT_UNTIL(w->loop, d->ending);
	assert_int_equal(state_of(w, id), JOB_RUNNING); /* waits for what is in flight */
	memcpy(ev.job, id, ID_LEN);
	ev.tunnel = w->tunnels[0].id;
	gateway_say(w, &ev);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_int_equal(w->opens, 1);
	sapi_job_fini(&job);
}

/* It says so too early: what was never sent it cannot have. */
static void a_device_that_is_done_too_early(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held == 2 && w->followers[0]);
	w->lazy = true;
	agent_becomes(w, JOB_COMPLETED);
	KIT_UNTIL(w->loop, ((struct delivery *)job_delivery(jobs_find(w->cloud.jobs, id)))->ending);
	agent_release(w);
	KIT_UNTIL(w->loop,
		  w->n_held || !jobs_find(w->cloud.jobs, id) || job_state_final(state_of(w, id)));
	w->hold = false;
	agent_release(w);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	assert_non_null(strstr(job.reason, "not sent all of the content"));
	assert_true(job.delivered < CONTENT);
	sapi_job_fini(&job);
}

/* A gateway that does not know any more whose tunnel has ended says which one it was. */
static void a_tunnel_that_ends_without_a_name(void **state)
{
	struct sapi_gateway_event ev = { .time = 1, .event = SAPI_GW_TUNNEL_CLOSED };
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held == 2);
	ev.tunnel = w->tunnels[0].id;
	strcpy(ev.reason, "found-gone");
	w->n_tunnels = 0;
	gateway_say(w, &ev);
	KIT_UNTIL(w->loop, w->opens == 2);
	w->hold = false;
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_true(timeline_has(&job, "path-closed", "found-gone"));
	sapi_job_fini(&job);
}

/* The device is there already when a job comes: no tunnel at all. */
static void uses_a_live_connection(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char first[ID_LEN], second[ID_LEN];

	w->conf.linger = 60000;
	cloud_die(w);
	cloud_up(w);
	w->hold = true;
	submit(w, first);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && w->n_held >= 4);
	w->hold = false;
	agent_release(w);
	await_end(w, first, &job);
	sapi_job_fini(&job);
	ranges_clear(&w->received);
	w->known = false;
	w->arrived = 0;
	submit(w, second);
	await_end(w, second, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(job.n_paths, 1);
	assert_int_equal(job.paths[0].kind, PATH_DIRECT);
	assert_int_equal(w->opens, 1);
	sapi_job_fini(&job);
}

static void a_wrong_token_does_not_join(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	memset(w->last_open.connect.token, 'f', ID_LEN - 1);
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct);
	KIT_UNTIL(w->loop, !w->direct); /* closed as unused */
	w->hold = false;
	agent_release(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(job.n_paths, 1);
	sapi_job_fini(&job);
}

/* The new path breaks while the tunnel still drains: the tunnel goes on. */
static void a_failed_move_leaves_the_tunnel(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && w->n_held >= 4);
	h2_abort(w->direct, -EPIPE, "test");
	KIT_UNTIL(w->loop, !w->direct && w->n_held == 2);
	w->hold = false;
	agent_release(w);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_memory_equal(w->content, w->data, CONTENT);
	assert_int_equal(w->duplicates, 0);
	/*
	 * What was on the wire of the broken path and did not count there is sent again, and
	 * counted.
	 */
	assert_true(job.resent <= 2 * SEGMENT);
	assert_int_equal(w->opens, 1);
	sapi_job_fini(&job);
}

/* The session through the tunnel breaks: another try, from where the receiver is. */
static void resumes_by_ranges(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	agent_release(w);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	h2_abort(w->agent_sessions[0], -EPIPE, "test");
	w->hold = false;
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_memory_equal(w->content, w->data, CONTENT);
	assert_int_equal(w->arrived, CONTENT);
	assert_true(job.resent > 0); /* the segments in flight were sent, but not taken */
	assert_int_equal(w->opens, 2);
	assert_int_equal(w->n_tunnels, 0);
	assert_true(timeline_has(&job, "retry", NULL));
	sapi_job_fini(&job);
}

static void waits_for_a_slot(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->make_wait = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->waiting && state_of(w, id) == JOB_WAITING);
	assert_int_equal(kernel.n, 0);
	gateway_grant(w, w->waiting);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_true(timeline_has(&job, "waiting", "tunnels-high"));
	sapi_job_fini(&job);
}

/* The device connects while its tunnel waits for a slot: the request is withdrawn. */
static void connects_while_waiting(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->make_wait = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->waiting);
	agent_connect(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_null(w->waiting);
	assert_false(job.moved); /* nothing was in the tunnel */
	sapi_job_fini(&job);
}

static void a_refusal_is_final(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->refuse = 403;
	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	assert_non_null(strstr(job.reason, "not inside the LAN"));
	assert_true(timeline_has(&job, "failed", "host-not-allowed"));
	assert_int_equal(w->opens, 1);
	sapi_job_fini(&job);
}

static void gives_up_in_the_end(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->refuse = 503;
	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	assert_int_equal(w->opens, 3);
	assert_non_null(strstr(job.reason, "3 tries"));
	sapi_job_fini(&job);
}

/* What was acknowledged before is no progress when it is acknowledged again. */
static void gives_up_on_one_that_forgets(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->forgets = true;
	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	assert_non_null(strstr(job.reason, "3 tries"));
	assert_true(w->arrived > 0);
	sapi_job_fini(&job);
}

static void cancel_reaches_everybody(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	deliveries_cancel(w->cloud.deliveries, jobs_find(w->cloud.jobs, id), "alice");
	assert_int_equal(state_of(w, id), JOB_CANCELED);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_CANCELED);
	assert_int_equal(w->cancels, 1);
	assert_int_equal(w->n_tunnels, 0);
	assert_int_equal(kernel.n, 0);
	sapi_job_fini(&job);
}

static void survives_a_restart(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	uint64_t before;
	char id[ID_LEN];

	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	agent_release(w);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	before = w->arrived;
	assert_true(before > 0);
	cloud_die(w);
	KIT_UNTIL(w->loop, !w->n_held && !w->n_sessions && !w->gateway);
	assert_int_equal(w->n_tunnels, 1); /* the gateway knows of nothing */
	w->hold = false;
	cloud_up(w);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_memory_equal(w->content, w->data, CONTENT);
	assert_int_equal(w->arrived, CONTENT); /* what was held was not sent again */
	assert_string_equal(job.paths[0].reason, "cloud-restarted");
	KIT_UNTIL(w->loop, !w->n_tunnels); /* the old tunnel was found and removed */
	sapi_job_fini(&job);
}

static void an_unknown_device_fails(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	strcpy(w->device.code, "other");
	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	assert_true(timeline_has(&job, "failed", "unknown-device"));
	sapi_job_fini(&job);
}

static void the_device_reports_failure(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->lazy = true;
	submit(w, id);
	KIT_UNTIL(w->loop, ranges_complete(&w->received, CONTENT));
	agent_becomes(w, JOB_EXECUTING);
	KIT_UNTIL(w->loop, state_of(w, id) == JOB_EXECUTING);
	agent_becomes(w, JOB_INTERRUPTED);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_INTERRUPTED);
	assert_int_equal(job.delivered, CONTENT);
	sapi_job_fini(&job);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(through_the_tunnel),
		TEST(moves_in_the_middle),
		TEST(moves_after_the_gateway_restarted),
		TEST(a_tunnel_that_ends_after_the_device),
		TEST(a_device_that_is_done_too_early),
		TEST(a_tunnel_that_ends_without_a_name),
		TEST(uses_a_live_connection),
		TEST(a_wrong_token_does_not_join),
		TEST(a_failed_move_leaves_the_tunnel),
		TEST(resumes_by_ranges),
		TEST(waits_for_a_slot),
		TEST(connects_while_waiting),
		TEST(a_refusal_is_final),
		TEST(gives_up_in_the_end),
		TEST(gives_up_on_one_that_forgets),
		TEST(cancel_reaches_everybody),
		TEST(survives_a_restart),
		TEST(an_unknown_device_fails),
		TEST(the_device_reports_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
