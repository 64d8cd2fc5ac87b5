// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pull (FIG. 18-19): the device is told of the job (#607, #641) and gets what it asks for (#645,
 * #611-#612), where it asks for it.
 */
#include "cloud_steps.h"

static int pull_setup(void **state)
{
	struct world *w;
	int ret = world_setup(state);

	w = *state;
	w->conf.policy.delivery = DELIVERY_PULL;
	w->hold = true;
	return ret;
}

/* Until the agent's event stream through the tunnel is open. */
static const struct h2 *tunnel_up(struct world *w, char id[ID_LEN])
{
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_sessions && follower_on(w, w->agent_sessions[0]));
	kit_settle(w->loop);
	return w->agent_sessions[0];
}

static void sends_what_is_asked_for(void **state)
{
	struct world *w = *state;
	const struct h2 *tunnel;
	struct sapi_job job;
	char id[ID_LEN];

	tunnel = tunnel_up(w, id);
	assert_int_equal(state_of(w, id), JOB_RUNNING);
	assert_int_equal(w->n_held, 0); /* nothing unasked */
	agent_asks(w, tunnel, 0, 3 * SEGMENT / 2);
	KIT_UNTIL(w->loop, w->n_held == 2);
	agent_release(w);
	assert_int_equal(w->arrived, 3 * SEGMENT / 2);
	kit_settle(w->loop);
	assert_int_equal(w->n_held, 0);
	agent_asks(w, tunnel, 0, 0);
	agent_asks(w, tunnel, 5 * SEGMENT, 3 * SEGMENT); /* says nothing */
	kit_settle(w->loop);
	assert_int_equal(w->n_held, 0);
	w->hold = false;
	agent_asks(w, tunnel, SEGMENT, (uint64_t)1 << 50); /* more than there is */
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	sapi_job_fini(&job);
}

/* The device gives a reason for not asking; it is the job's until it asks. */
static void a_device_that_waits_says_why(void **state)
{
	static const char line[] = "{\"time\":\"2026-01-01T00:00:00.000Z\",\"state\":\"receiving\","
				   "\"reason\":\"the disk has no room for 82043 octets\"}\n";
	struct world *w = *state;
	const struct h2 *tunnel;
	struct sapi_job job;
	char id[ID_LEN];

	tunnel = tunnel_up(w, id);
	assert_int_equal(h2_write(follower_on(w, tunnel), line, sizeof(line) - 1), 0);
	KIT_UNTIL(w->loop, job_row(jobs_find(w->cloud.jobs, id))->reason[0]);
	assert_int_equal(jobs_show(w->cloud.jobs, id, true, &job), 0);
	assert_int_equal(job.state, JOB_RUNNING);
	assert_string_equal(job.reason, "the disk has no room for 82043 octets");
	assert_true(timeline_has(&job, "device-waits", "device"));
	sapi_job_fini(&job);
	w->hold = false;
	agent_asks(w, tunnel, 0, CONTENT);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_string_equal(job.reason, "");
	sapi_job_fini(&job);
}

/* An agent of before pull. */
static void who_never_asks_is_pushed_to(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.policy.connect_timeout = 100;
	w->hold = false;
	tunnel_up(w, id);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_true(timeline_has(&job, "device-does-not-ask", "device"));
	assert_int_equal(w->opens, 1);
	sapi_job_fini(&job);
}

static void on_overdue(void *arg)
{
	*(bool *)arg = true;
}

/* ... and one that asked is not, however long it asks for nothing more. */
static void who_asks_is_never_pushed_to(void **state)
{
	struct world *w = *state;
	struct loop_timer *timer;
	bool overdue = false;
	char id[ID_LEN];

	w->conf.policy.connect_timeout = 50;
	agent_asks(w, tunnel_up(w, id), 0, 2 * SEGMENT);
	KIT_UNTIL(w->loop, w->n_held == 2);
	agent_release(w);
	assert_int_equal(loop_timer_new(w->loop, on_overdue, &overdue, &timer), 0);
	loop_timer_set(timer, 300);
	KIT_UNTIL(w->loop, overdue);
	loop_timer_free(timer);
	assert_int_equal(w->n_held, 0);
	assert_int_equal(w->arrived, 2 * SEGMENT);
}

/* One that does not count right: what it holds is all that it asks for. */
static void who_asks_for_what_it_holds_is_pushed_to(void **state)
{
	struct world *w = *state;
	const struct h2 *tunnel;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = false;
	tunnel = tunnel_up(w, id);
	agent_asks(w, tunnel, 0, 2 * SEGMENT);
	KIT_UNTIL(w->loop, w->arrived == 2 * SEGMENT);
	kit_settle(w->loop);
	agent_asks(w, tunnel, SEGMENT, 2 * SEGMENT);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_true(timeline_has(&job, "device-does-not-ask", "device"));
	assert_int_equal(w->opens, 1);
	sapi_job_fini(&job);
}

/* It has lost what it had acknowledged, and asks for it again. */
static void what_was_lost_is_sent_again(void **state)
{
	struct world *w = *state;
	const struct h2 *tunnel;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = false;
	tunnel = tunnel_up(w, id);
	agent_asks(w, tunnel, 0, 2 * SEGMENT);
	KIT_UNTIL(w->loop, w->arrived == 2 * SEGMENT);
	kit_settle(w->loop);
	ranges_clear(&w->received);
	agent_asks(w, tunnel, 0, 2 * SEGMENT);
	KIT_UNTIL(w->loop, w->arrived == 4 * SEGMENT);
	kit_settle(w->loop);
	agent_asks(w, tunnel, 2 * SEGMENT, CONTENT);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_memory_equal(w->content, w->data, CONTENT);
	assert_int_equal(job.resent, 2 * SEGMENT);
	assert_false(timeline_has(&job, "device-does-not-ask", "device"));
	sapi_job_fini(&job);
}

/* More lines than a job has states, faster than the loop goes round. */
static void asking_often_is_no_protocol_error(void **state)
{
	struct world *w = *state;
	const struct h2 *tunnel;
	struct sapi_job job;
	char id[ID_LEN];
	unsigned int i;

	tunnel = tunnel_up(w, id);
	for (i = 0; i < 100; i++)
		agent_asks(w, tunnel, 0, i);
	w->hold = false;
	agent_asks(w, tunnel, 0, CONTENT);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->opens, 1);
	sapi_job_fini(&job);
}

/* The device moves what it asks for to the connection that it dialled. */
static void a_move_follows_the_asking(void **state)
{
	struct world *w = *state;
	const struct h2 *tunnel;
	struct sapi_job job;
	char id[ID_LEN];

	tunnel = tunnel_up(w, id);
	agent_asks(w, tunnel, 0, 8 * SEGMENT);
	KIT_UNTIL(w->loop, w->n_held == 2 && w->events);
	gateway_decides(w, SAPI_GW_MOVE, "tunnel-limit");
	agent_connect(w);
	KIT_UNTIL(w->loop, follower_on(w, w->direct));
	agent_asks(w, tunnel, 0, 0);
	agent_asks(w, w->direct, 0, 8 * SEGMENT);
	KIT_UNTIL(w->loop, held_on(w, w->direct) == 2); /* not those in flight in the tunnel */
	w->hold = false;
	agent_release(w);
	KIT_UNTIL(w->loop, w->arrived == 8 * SEGMENT);
	agent_asks(w, w->direct, 8 * SEGMENT, CONTENT);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_true(job.moved);
	assert_int_equal(job.paths[0].bytes, 2 * SEGMENT);
	sapi_job_fini(&job);
}

/* First embodiment: notified through the tunnel, asked for only when the connection is up. */
static void asked_for_by_the_connection_only(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	tunnel_up(w, id);
	KIT_UNTIL(w->loop, w->events);
	gateway_decides(w, SAPI_GW_MOVE, "always");
	agent_connect(w);
	KIT_UNTIL(w->loop, follower_on(w, w->direct) && w->n_tunnels == 0);
	w->hold = false;
	agent_asks(w, w->direct, 0, CONTENT);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(job.paths[0].bytes, 0);
	assert_int_equal(job.paths[1].bytes, CONTENT);
	sapi_job_fini(&job);
}

/* The session breaks with segments in flight: the next one is asked for what is lacking. */
static void asks_again_after_a_loss(void **state)
{
	struct world *w = *state;
	const struct h2 *tunnel;
	struct sapi_job job;
	char id[ID_LEN];

	tunnel = tunnel_up(w, id);
	agent_asks(w, tunnel, 0, 4 * SEGMENT);
	KIT_UNTIL(w->loop, w->n_held == 2);
	agent_release(w);
	KIT_UNTIL(w->loop, w->n_held == 2);
	h2_abort(w->agent_sessions[0], -EPIPE, "test");
	w->hold = false;
	KIT_UNTIL(w->loop, w->opens == 2 && w->n_sessions && follower_on(w, w->agent_sessions[0]));
	agent_asks(w, w->agent_sessions[0], 2 * SEGMENT, CONTENT);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_memory_equal(w->content, w->data, CONTENT);
	assert_int_equal(w->arrived, CONTENT);
	assert_int_equal(w->duplicates, 0);
	sapi_job_fini(&job);
}

/* Split: the agent asks on the connection, and tunnel and connection share what it asks for (claims 2-3). */
static void split_shares_what_is_asked_for(void **state)
{
	struct world *w = *state;
	const struct h2 *tunnel;
	struct sapi_job job;
	char id[ID_LEN];

	tunnel = tunnel_up(w, id);
	agent_asks(w, tunnel, 0, 2 * SEGMENT);
	KIT_UNTIL(w->loop, w->n_held == 2 && w->events);
	gateway_decides(w, SAPI_GW_SPLIT, "always");
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && follower_on(w, w->direct));
	agent_asks(w, tunnel, 0, 0);
	agent_release(w);
	kit_settle(w->loop);
	assert_int_equal(w->n_held, 0); /* but no more than that */
	agent_asks(w, w->direct, 2 * SEGMENT, CONTENT);
	KIT_UNTIL(w->loop, held_on(w, w->direct) >= 2 && held_on(w, tunnel) >= 2);
	w->hold = false;
	agent_release(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(job.n_paths, 2);
	assert_true(job.paths[0].bytes > 2 * SEGMENT && job.paths[1].bytes > 0);
	sapi_job_fini(&job);
}

/* Split: the path that was asked breaks; the other sends what is asked for there, and nothing before. */
static void split_and_one_is_lost(void **state)
{
	struct world *w = *state;
	const struct h2 *tunnel;
	struct sapi_job job;
	char id[ID_LEN];

	tunnel = tunnel_up(w, id);
	agent_asks(w, tunnel, 0, 2 * SEGMENT);
	KIT_UNTIL(w->loop, w->n_held == 2 && w->events);
	gateway_decides(w, SAPI_GW_SPLIT, "always");
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && follower_on(w, w->direct));
	agent_asks(w, tunnel, 0, 0);
	agent_asks(w, w->direct, 2 * SEGMENT, CONTENT);
	agent_release(w);
	KIT_UNTIL(w->loop, held_on(w, w->direct) >= 2 && held_on(w, tunnel) >= 2);
	h2_abort(w->direct, -EPIPE, "test");
	KIT_UNTIL(w->loop, !w->direct);
	w->hold = false;
	agent_release(w);
	kit_settle(w->loop);
	assert_true(w->arrived < CONTENT);
	agent_asks(w, tunnel, 2 * SEGMENT, CONTENT);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_int_equal(w->duplicates, 0);
	assert_memory_equal(w->content, w->data, CONTENT);
	sapi_job_fini(&job);
}

static void a_suspended_job_is_pulled_on_elsewhere(void **state)
{
	struct world *w = *state;
	const struct h2 *tunnel;
	struct sapi_job job;
	char id[ID_LEN];

	w->suspend = true;
	tunnel = tunnel_up(w, id);
	agent_asks(w, tunnel, 0, CONTENT);
	KIT_UNTIL(w->loop, w->n_held == 2 && w->events);
	gateway_decides(w, SAPI_GW_MOVE, "tunnel-limit");
	KIT_UNTIL(w->loop,
		  ((struct delivery *)job_delivery(jobs_find(w->cloud.jobs, id)))->move.hold ==
			  HOLD_QUIET);
	w->hold = false;
	agent_release(w);
	KIT_UNTIL(w->loop, state_of(w, id) == JOB_SUSPENDED);
	agent_connect(w);
	KIT_UNTIL(w->loop, w->resumed_on && follower_on(w, w->direct));
	agent_asks(w, w->direct, 2 * SEGMENT, CONTENT);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->resumes, 1);
	sapi_job_fini(&job);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, pull_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sends_what_is_asked_for),
		TEST(a_device_that_waits_says_why),
		TEST(who_never_asks_is_pushed_to),
		TEST(who_asks_is_never_pushed_to),
		TEST(who_asks_for_what_it_holds_is_pushed_to),
		TEST(what_was_lost_is_sent_again),
		TEST(asking_often_is_no_protocol_error),
		TEST(a_move_follows_the_asking),
		TEST(asked_for_by_the_connection_only),
		TEST(asks_again_after_a_loss),
		TEST(split_shares_what_is_asked_for),
		TEST(split_and_one_is_lost),
		TEST(a_suspended_job_is_pulled_on_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
