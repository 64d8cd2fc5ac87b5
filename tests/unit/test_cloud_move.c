// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ways in which a running job changes its paths: split, cut early, suspended; and what is left of
 * the job when a party or a path dies at each stage. Nothing is ever lost or sent twice.
 */
#include "cloud_steps.h"

#include "cloud/path.h"

/* A job with two segments in flight in its tunnel. */
static void start(struct world *w, char id[ID_LEN])
{
	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held == 2 && w->events);
}

static struct delivery *delivery_of(struct world *w, const char *id)
{
	struct job *job = jobs_find(w->cloud.jobs, id);

	return job ? job_delivery(job) : NULL;
}

static void go_on(struct world *w)
{
	w->hold = false;
	agent_release(w);
}

static void gateway_move_failed(struct world *w)
{
	struct sapi_gateway_event ev = { .time = 1, .event = SAPI_GW_MOVE_FAILED };

	memcpy(ev.job, w->last_open.job, ID_LEN);
	strcpy(ev.text, "mfp-1 refused the connection");
	gateway_say(w, &ev);
}

static void agent_breaks(struct h2 *h2)
{
	h2_abort(h2, -EPIPE, "test");
}

/* Each byte arrived once, whatever it took. */
static void assert_intact(struct world *w, const struct sapi_job *job)
{
	assert_int_equal(job->state, JOB_COMPLETED);
	assert_memory_equal(w->content, w->data, CONTENT);
	assert_int_equal(w->arrived, CONTENT);
	assert_int_equal(w->duplicates, 0);
	assert_int_equal(w->n_tunnels, 0);
	assert_int_equal(kernel.n, 0);
}

/* ---- split (claims 2-3: data "is divided into the tunnel and the connection") ---- */

static void split_up(struct world *w, char id[ID_LEN])
{
	start(w, id);
	gateway_decides(w, SAPI_GW_SPLIT, "beside");
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && held_on(w, w->direct) == 2);
}

static void split_shares_until_the_move(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	struct h2 *tunnel;
	char id[ID_LEN];
	size_t more;

	split_up(w, id);
	tunnel = w->agent_sessions[0];
	assert_int_equal(held_on(w, tunnel), 2);
	agent_release(w);
	/* The tunnel gets more beside the connection, so it was not drained. */
	KIT_UNTIL(w->loop, held_on(w, w->direct) >= 2 && held_on(w, tunnel) >= 2);
	assert_false(job_row(jobs_find(w->cloud.jobs, id))->moved);
	assert_int_equal(path_get_state(delivery_of(w, id)->via_tunnel.path), PATH_ACTIVE);
	gateway_decides(w, SAPI_GW_MOVE, "tunnel-limit");
	KIT_UNTIL(w->loop, path_get_state(delivery_of(w, id)->via_tunnel.path) == PATH_DRAINING);
	kit_settle(w->loop);
	more = held_on(w, tunnel); /* as many as its window allowed */
	agent_release(w);
	KIT_UNTIL(w->loop, w->n_tunnels == 0 && w->n_held >= 2);
	assert_int_equal(held_on(w, w->direct), w->n_held);
	go_on(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_true(job.moved);
	assert_int_equal(job.n_paths, 2);
	assert_int_equal(job.paths[0].bytes, (2 + more) * SEGMENT);
	assert_string_equal(job.paths[0].reason, "moved");
	assert_true(timeline_has(&job, "path-active", "split"));
	assert_true(timeline_has(&job, "path-draining", "moved"));
	sapi_job_fini(&job);
}

static void a_job_that_ends_while_split_closes_both(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	split_up(w, id);
	go_on(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_false(job.moved);
	assert_true(job.paths[0].bytes > 0 && job.paths[1].bytes > 0);
	assert_false(timeline_has(&job, "path-draining", NULL));
	KIT_UNTIL(w->loop, !w->direct);
	sapi_job_fini(&job);
}

/* ... and comes back: the decision stands, so it shares again, without a token. */
static void the_connection_dies_while_split(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	split_up(w, id);
	agent_breaks(w->direct);
	KIT_UNTIL(w->loop, !w->direct && w->n_held == 2);
	agent_release(w);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	assert_int_equal(held_on(w, w->agent_sessions[0]), w->n_held);
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && held_on(w, w->direct) >= 2);
	go_on(w);
	await_end(w, id, &job);
	assert_intact(w, &job);
	assert_int_equal(job.n_paths, 3);
	assert_int_equal(w->opens, 1);
	sapi_job_fini(&job);
}

static void the_tunnel_dies_while_split(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	split_up(w, id);
	agent_breaks(w->agent_sessions[0]);
	KIT_UNTIL(w->loop, w->n_tunnels == 0);
	go_on(w);
	await_end(w, id, &job);
	assert_intact(w, &job);
	assert_int_equal(w->opens, 1);
	assert_int_equal(job.paths[0].bytes, 0);
	sapi_job_fini(&job);
}

/* ---- cut early ("you may cut it before [the connection is established]") ---- */

static void cut(struct world *w, char id[ID_LEN])
{
	w->cut_early = true;
	start(w, id);
	gateway_decides(w, SAPI_GW_MOVE, "tunnel-limit");
	KIT_UNTIL(w->loop, path_get_state(delivery_of(w, id)->via_tunnel.path) == PATH_DRAINING);
}

static void cut_and_closed(struct world *w, char id[ID_LEN])
{
	cut(w, id);
	agent_release(w); /* what was in flight is finished, nothing follows */
	KIT_UNTIL(w->loop, w->n_tunnels == 0);
	assert_int_equal(delivery_of(w, id)->step, STEP_CONNECT);
	assert_int_equal(w->arrived, 2 * SEGMENT);
	assert_int_equal(w->n_held, 0);
}

static void the_tunnel_is_cut_before_the_device_connects(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	cut_and_closed(w, id);
	w->hold = false;
	agent_connect(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_true(job.moved);
	assert_int_equal(w->opens, 1);
	assert_true(timeline_has(&job, "path-draining", "cut-early"));
	sapi_job_fini(&job);
}

static void nobody_comes_after_the_cut(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.policy.connect_timeout = 100;
	cut_and_closed(w, id);
	w->hold = false;
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_false(job.moved);
	assert_int_equal(w->opens, 2);
	assert_true(timeline_has(&job, "retry", "connect-timeout"));
	sapi_job_fini(&job);
}

/* The timer fires while the tunnel still drains: it is as good as before. */
static void nobody_comes_before_the_cut(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.policy.connect_timeout = 100;
	cut(w, id);
	KIT_UNTIL(w->loop, path_get_state(delivery_of(w, id)->via_tunnel.path) == PATH_ACTIVE);
	go_on(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->opens, 1);
	assert_true(timeline_has(&job, "move-failed", "connect-timeout"));
	sapi_job_fini(&job);
}

static void the_gateway_says_that_nobody_will_come(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	cut_and_closed(w, id);
	w->hold = false;
	gateway_move_failed(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->opens, 2);
	assert_true(timeline_has(&job, "move-failed", "connect-failed"));
	assert_true(timeline_has(&job, "retry", "connect-failed"));
	sapi_job_fini(&job);
}

static void the_tunnel_dies_while_it_is_cut(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	cut(w, id);
	agent_breaks(w->agent_sessions[0]);
	KIT_UNTIL(w->loop, w->n_tunnels == 0);
	assert_int_equal(delivery_of(w, id)->step, STEP_CONNECT);
	w->hold = false;
	agent_connect(w);
	await_end(w, id, &job);
	assert_intact(w, &job);
	assert_int_equal(w->opens, 1);
	sapi_job_fini(&job);
}

/*
 * Canceled while the last segments drain: their end, which cuts the tunnel, is not to bring the job back,
 * and the device hears of it all the same.
 */
static void canceled_while_it_is_cut(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.policy.connect_timeout = 100;
	cut(w, id);
	w->mute_cancel = true; /* until the drain is over */
	deliveries_cancel(w->cloud.deliveries, jobs_find(w->cloud.jobs, id), "alice");
	KIT_UNTIL(w->loop, w->canceling);
	go_on(w);
	KIT_UNTIL(w->loop, w->arrived == 2 * SEGMENT);
	kit_settle(w->loop);
	assert_int_equal(delivery_of(w, id)->step, STEP_CLOSING);
	gateway_move_failed(w); /* nobody waits for the device any more */
	kit_settle(w->loop);
	assert_true(loop_timer_armed(delivery_of(w, id)->timer));
	assert_non_null(w->canceling);
	h2_respond(w->canceling, 204, NULL, NULL, 0);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_CANCELED);
	assert_int_equal(w->arrived, 2 * SEGMENT);
	assert_int_equal(w->opens, 1);
	assert_false(timeline_has(&job, "retry", NULL));
	assert_false(timeline_has(&job, "move-failed", NULL));
	sapi_job_fini(&job);
}

/* The path's first request may have reached the agent: it is told even so. */
static void canceled_while_the_path_opens(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	submit(w, id);
	KIT_UNTIL(w->loop, delivery_of(w, id) && delivery_of(w, id)->via_tunnel.path);
	assert_int_equal(path_get_state(delivery_of(w, id)->via_tunnel.path), PATH_OPENING);
	deliveries_cancel(w->cloud.deliveries, jobs_find(w->cloud.jobs, id), "alice");
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_CANCELED);
	assert_int_equal(w->cancels, 1);
	assert_int_equal(w->arrived, 0);
	sapi_job_fini(&job);
}

/* The agent may answer in the same pass of the loop in which the job is canceled. */
static void canceled_while_the_agent_is_dialled(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	submit(w, id);
	KIT_UNTIL(w->loop, delivery_of(w, id) && delivery_of(w, id)->step == STEP_AGENT);
	deliveries_cancel(w->cloud.deliveries, jobs_find(w->cloud.jobs, id), "alice");
	assert_null(delivery_of(w, id)->dial);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_CANCELED);
	assert_int_equal(w->arrived, 0);
	sapi_job_fini(&job);
}

/* A gateway that says so of a job that is sending cannot make it uncounted. */
static void a_running_job_does_not_wait(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	start(w, id);
	gateway_decides(w, SAPI_GW_WAIT, "tunnels-high");
	gateway_decides(w, SAPI_GW_MOVE, "tunnel-limit");
	KIT_UNTIL(w->loop, delivery_of(w, id)->move.way == WAY_MOVE);
	assert_int_equal(state_of(w, id), JOB_RUNNING);
	assert_int_equal(deliveries_waiting(w->cloud.deliveries), 0);
	go_on(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	sapi_job_fini(&job);
}

/* Its content path was not even open. */
static void a_waiting_job_has_nothing_to_drain(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->cut_early = true;
	kernel.mute = true; /* the tunnel never carries a packet */
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_tunnels == 1 && w->events);
	gateway_decides(w, SAPI_GW_MOVE, "always");
	KIT_UNTIL(w->loop, w->n_tunnels == 0);
	assert_int_equal(delivery_of(w, id)->step, STEP_CONNECT);
	agent_connect(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_false(job.moved); /* nothing was in the tunnel */
	sapi_job_fini(&job);
}

/* ---- suspended (7L; #811-#812, #836-#837, #853-#855, and on again #816, #859-#860) ---- */

static void suspend(struct world *w, char id[ID_LEN])
{
	w->suspend = true;
	start(w, id);
	gateway_decides(w, SAPI_GW_MOVE, "tunnel-limit");
	KIT_UNTIL(w->loop, delivery_of(w, id)->move.hold == HOLD_QUIET);
	assert_int_equal(w->suspends, 0); /* not while something is in flight */
	agent_release(w);
}

static void suspended(struct world *w, char id[ID_LEN])
{
	suspend(w, id);
	KIT_UNTIL(w->loop, state_of(w, id) == JOB_SUSPENDED);
	assert_int_equal(w->arrived, 2 * SEGMENT);
	assert_int_equal(w->n_held, 0);
	assert_int_equal(w->suspends, 1);
	w->hold = false;
}

static void the_device_holds_the_job_during_the_move(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	suspended(w, id);
	assert_int_equal(w->n_tunnels, 1); /* not cut before the connection is up */
	agent_connect(w);
	KIT_UNTIL(w->loop, w->resumed_on);
	assert_ptr_equal(w->resumed_on, w->direct);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_true(job.moved);
	assert_int_equal(job.paths[0].bytes, 2 * SEGMENT);
	assert_true(timeline_has(&job, "suspended", "suspended"));
	assert_true(timeline_has(&job, "running", "resumed"));
	sapi_job_fini(&job);
}

/* It connects before it was told to hold the job: the order of #811-#816 is kept. */
static void a_quick_device_holds_the_job_too(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->suspend = true;
	start(w, id);
	gateway_decides(w, SAPI_GW_MOVE, "tunnel-limit");
	agent_connect(w);
	KIT_UNTIL(w->loop,
		  delivery_of(w, id)->via_direct.path &&
			  path_get_state(delivery_of(w, id)->via_direct.path) == PATH_ACTIVE);
	kit_settle(w->loop);
	assert_int_equal(w->n_held, 2); /* nothing by the connection yet */
	go_on(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->suspends, 1);
	assert_int_equal(job.paths[0].bytes, 2 * SEGMENT);
	sapi_job_fini(&job);
}

/* It is being resumed from an earlier suspension when it is to be suspended for the move. */
static void suspended_while_it_is_resumed(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->suspend = true;
	w->mute_resume = true;
	start(w, id);
	agent_becomes(w, JOB_SUSPENDED);
	KIT_UNTIL(w->loop, w->resuming);
	w->job_state = JOB_RECEIVING;
	gateway_decides(w, SAPI_GW_MOVE, "tunnel-limit");
	KIT_UNTIL(w->loop, delivery_of(w, id)->move.hold == HOLD_QUIET);
	agent_release(w);
	KIT_UNTIL(w->loop, delivery_of(w, id)->move.hold == HOLD_ASKED);
	w->mute_resume = false;
	h2_respond(w->resuming, 204, NULL, NULL, 0);
	KIT_UNTIL(w->loop, w->suspends == 1 && delivery_of(w, id)->move.hold == HOLD_HELD);
	w->hold = false;
	agent_connect(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->resumes, 2);
	sapi_job_fini(&job);
}

/* Somebody else suspends it while the last segments are under way: they come back instead of arriving. */
static void suspended_by_somebody_else(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->suspend = true;
	start(w, id);
	gateway_decides(w, SAPI_GW_MOVE, "tunnel-limit");
	KIT_UNTIL(w->loop, delivery_of(w, id)->move.hold == HOLD_QUIET);
	agent_becomes(w, JOB_SUSPENDED);
	agent_release(w);
	KIT_UNTIL(w->loop, delivery_of(w, id)->move.hold == HOLD_HELD);
	assert_int_equal(w->arrived, 0);
	w->hold = false;
	agent_connect(w);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_memory_equal(w->content, w->data, CONTENT);
	assert_true(job.moved);
	assert_int_equal(job.resent, 2 * SEGMENT); /* refused, but sent */
	sapi_job_fini(&job);
}

static void a_failed_move_resumes_in_the_tunnel(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	suspended(w, id);
	gateway_move_failed(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->opens, 1);
	assert_int_equal(w->resumes, 1);
	assert_false(job.moved);
	sapi_job_fini(&job);
}

static void a_move_that_nobody_ends_resumes_in_the_tunnel(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.policy.connect_timeout = 100;
	suspended(w, id);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->opens, 1);
	assert_true(timeline_has(&job, "move-failed", "connect-timeout"));
	sapi_job_fini(&job);
}

/* The word that the move failed overtakes the device's answer. */
static void called_off_before_the_job_is_held(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->suspend = true;
	start(w, id);
	gateway_decides(w, SAPI_GW_MOVE, "tunnel-limit");
	KIT_UNTIL(w->loop, delivery_of(w, id)->move.hold == HOLD_QUIET);
	gateway_move_failed(w);
	KIT_UNTIL(w->loop, delivery_of(w, id)->move.hold == HOLD_NONE);
	go_on(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->suspends, 0);
	sapi_job_fini(&job);
}

/* The default way, which needs no suspension, is what is left. */
static void a_refused_suspension_does_not_hinder_the_move(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->refuse_suspend = 500;
	suspend(w, id);
	KIT_UNTIL(w->loop, w->n_held >= 2); /* on with the tunnel */
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && held_on(w, w->direct) >= 2);
	go_on(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_true(job.moved);
	assert_true(timeline_has(&job, "suspend-failed", "suspend-failed"));
	sapi_job_fini(&job);
}

/* It does hold the job, but the answer says otherwise. */
static void a_suspension_whose_answer_is_lost(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->refuse_suspend = 500;
	w->suspend_in_vain = true;
	suspend(w, id);
	KIT_UNTIL(w->loop, w->suspends == 1);
	w->hold = false;
	agent_connect(w);
	await_end(w, id, &job);
	assert_intact(w, &job); /* a segment that it refused meanwhile counts as sent twice */
	assert_true(w->resumes > 0);
	sapi_job_fini(&job);
}

/* It answers on the new path, but does not go on there: back to the tunnel. */
static void a_refused_resumption_goes_back_to_the_tunnel(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->refuse_resume = 1;
	suspended(w, id);
	agent_connect(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->opens, 1);
	assert_int_equal(w->resumes, 2);
	assert_false(job.moved);
	assert_int_equal(job.paths[1].bytes, 0);
	sapi_job_fini(&job);
}

/* It keeps what it has, over a restart too; the next try finds the job suspended and resumes it. */
static void the_device_vanishes_while_suspended(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	suspended(w, id);
	agent_breaks(w->agent_sessions[0]);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->opens, 2);
	assert_int_equal(w->resumes, 1);
	sapi_job_fini(&job);
}

static void the_connection_dies_before_it_resumes(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	suspended(w, id);
	w->hold = true;
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && delivery_of(w, id)->via_direct.path);
	agent_breaks(w->direct);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	assert_int_equal(held_on(w, w->agent_sessions[0]), w->n_held);
	go_on(w);
	await_end(w, id, &job);
	assert_intact(w, &job);
	assert_int_equal(w->opens, 1);
	sapi_job_fini(&job);
}

static void the_cloud_restarts_while_suspended(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	suspended(w, id);
	cloud_die(w);
	KIT_UNTIL(w->loop, !w->n_sessions && !w->gateway);
	cloud_up(w);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_memory_equal(w->content, w->data, CONTENT);
	assert_int_equal(w->arrived, CONTENT);
	assert_int_equal(w->resumes, 1);
	KIT_UNTIL(w->loop, !w->n_tunnels);
	sapi_job_fini(&job);
}

static void suspended_and_cut_early(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->cut_early = true;
	suspended(w, id);
	KIT_UNTIL(w->loop, w->n_tunnels == 0);
	assert_int_equal(delivery_of(w, id)->step, STEP_CONNECT);
	assert_int_equal(state_of(w, id), JOB_SUSPENDED);
	agent_connect(w);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_true(job.moved);
	assert_int_equal(w->opens, 1);
	assert_int_equal(w->resumes, 1);
	sapi_job_fini(&job);
}

static void suspended_cut_early_and_nobody_comes(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->cut_early = true;
	w->conf.policy.connect_timeout = 100;
	suspended(w, id);
	await_end(w, id, &job);
	assert_delivered_once(w, &job);
	assert_int_equal(w->opens, 2);
	assert_int_equal(w->resumes, 1);
	sapi_job_fini(&job);
}

static void cancelled_while_suspended(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	suspended(w, id);
	deliveries_cancel(w->cloud.deliveries, jobs_find(w->cloud.jobs, id), "alice");
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_CANCELED);
	assert_int_equal(w->cancels, 1);
	assert_int_equal(w->n_tunnels, 0);
	sapi_job_fini(&job);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(split_shares_until_the_move),
		TEST(a_job_that_ends_while_split_closes_both),
		TEST(the_connection_dies_while_split),
		TEST(the_tunnel_dies_while_split),
		TEST(the_tunnel_is_cut_before_the_device_connects),
		TEST(nobody_comes_after_the_cut),
		TEST(nobody_comes_before_the_cut),
		TEST(the_gateway_says_that_nobody_will_come),
		TEST(the_tunnel_dies_while_it_is_cut),
		TEST(a_running_job_does_not_wait),
		TEST(canceled_while_it_is_cut),
		TEST(canceled_while_the_path_opens),
		TEST(canceled_while_the_agent_is_dialled),
		TEST(a_waiting_job_has_nothing_to_drain),
		TEST(the_device_holds_the_job_during_the_move),
		TEST(a_quick_device_holds_the_job_too),
		TEST(suspended_while_it_is_resumed),
		TEST(suspended_by_somebody_else),
		TEST(a_failed_move_resumes_in_the_tunnel),
		TEST(a_move_that_nobody_ends_resumes_in_the_tunnel),
		TEST(called_off_before_the_job_is_held),
		TEST(a_refused_suspension_does_not_hinder_the_move),
		TEST(a_suspension_whose_answer_is_lost),
		TEST(a_refused_resumption_goes_back_to_the_tunnel),
		TEST(the_device_vanishes_while_suspended),
		TEST(the_connection_dies_before_it_resumes),
		TEST(the_cloud_restarts_while_suspended),
		TEST(suspended_and_cut_early),
		TEST(suspended_cut_early_and_nobody_comes),
		TEST(cancelled_while_suspended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
