// SPDX-License-Identifier: GPL-2.0-or-later
/* Fetch jobs in a real cloud (cloud_fakes.h): content comes from the device, once, and is kept. */
#include "cloud_steps.h"

#include <sqlite3.h>

#include "cloud/spool.h"

static void submit_fetch(struct world *w, const char *path, char id[ID_LEN])
{
	struct sapi_job_submit body = { .kind = JOB_FETCH, .size = CONTENT_SIZE_UNKNOWN };
	struct job_order order = { .submit = &body, .owner = "alice", .priority = 3, .key = "" };
	struct err e = { 0 };

	strcpy(body.device, "mfp-1");
	strcpy(body.path, path);
	if (jobs_submit(w->cloud.jobs, &order, id, &e))
		fail_msg("%s", err_text(&e));
}

static void assert_here(struct world *w, const char *id)
{
	uint8_t got[CONTENT + 1];
	int fd;

	assert_int_equal(jobs_open_fetched(w->cloud.jobs, id, &fd), 0);
	assert_int_equal(pread(fd, got, sizeof(got), 0), CONTENT);
	assert_memory_equal(got, w->data, CONTENT);
	close(fd);
}

static void assert_fetched_once(struct world *w, const struct sapi_job *job)
{
	uint64_t by_paths = 0;
	size_t i;

	for (i = 0; i < job->n_paths; i++)
		by_paths += job->paths[i].bytes;
	if (job->state != JOB_COMPLETED)
		fail_msg("%s", job->reason);
	assert_int_equal(job->size, CONTENT);
	assert_true(sha256_str_ok(job->sha256));
	assert_int_equal(job->uploaded, CONTENT);
	assert_int_equal(job->delivered, CONTENT);
	assert_int_equal(by_paths, CONTENT);
	assert_int_equal(job->resent, 0);
	assert_int_equal(w->fetch.given, CONTENT);
	assert_int_equal(w->fetch.made, 1);
	assert_int_equal(w->fetch.dones, 1);
	assert_int_equal(kernel.n, 0);
	assert_here(w, job->id);
}

static void through_the_tunnel(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	submit_fetch(w, "in/a.bin", id);
	assert_int_equal(state_of(w, id), JOB_QUEUED);
	await_end(w, id, &job);
	assert_fetched_once(w, &job);
	assert_string_equal(job.name, "a.bin");
	assert_string_equal(w->fetch.path, "in/a.bin");
	assert_int_equal(job.n_paths, 1);
	/* The gateway was told of a job whose end nobody can foresee. */
	assert_true(w->last_open.remaining == CONTENT_SIZE_UNKNOWN);
	assert_int_equal(w->last_open.kind, JOB_FETCH);
	assert_true(timeline_has(&job, "content-told", NULL));
	assert_true(timeline_has(&job, "content-here", NULL));
	sapi_job_fini(&job);
	/* It is there after a restart, too, until its owner has done with it. */
	cloud_die(w);
	cloud_up(w);
	assert_here(w, id);
	assert_int_equal(jobs_drop_fetched(w->cloud.jobs, id), 0);
	assert_int_equal(jobs_drop_fetched(w->cloud.jobs, id), -ENOENT);
}

static void moves_in_the_middle(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit_fetch(w, "a.bin", id);
	KIT_UNTIL(w->loop, w->n_held == 2);
	gateway_decides(w, SAPI_GW_MOVE, "tunnels-high");
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && w->n_held >= 4);
	w->hold = false;
	agent_release(w);
	await_end(w, id, &job);
	assert_fetched_once(w, &job);
	assert_true(job.moved);
	assert_int_equal(job.n_paths, 2);
	assert_true(job.paths[0].bytes > 0 && job.paths[1].bytes > 0);
	sapi_job_fini(&job);
}

static void a_scan_takes_its_time(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->fetch.slow = true;
	submit_fetch(w, "scan:flatbed", id);
	KIT_UNTIL(w->loop, state_of(w, id) == JOB_EXECUTING);
	/* A device that moves meanwhile has nothing to send twice. */
	gateway_decides(w, SAPI_GW_MOVE, "always");
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && w->n_tunnels == 0);
	agent_becomes(w, JOB_RUNNING);
	await_end(w, id, &job);
	assert_fetched_once(w, &job);
	assert_string_equal(job.name, "flatbed");
	assert_int_equal(job.paths[0].bytes, 0);
	assert_true(timeline_has(&job, "executing", NULL));
	sapi_job_fini(&job);
}

/* The session breaks in the middle: what has come is not fetched again. */
static void resumes_where_it_was(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit_fetch(w, "a.bin", id);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	agent_release(w);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	h2_abort(w->agent_sessions[0], -EPIPE, "test");
	w->hold = false;
	await_end(w, id, &job);
	assert_fetched_once(w, &job);
	assert_true(timeline_has(&job, "retry", NULL));
	assert_int_equal(w->opens, 2);
	sapi_job_fini(&job);
}

/* As kill -9 of the cloud, when some of the content was flushed, and when all of it was. */
static void survives_the_cloud(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit_fetch(w, "scan:x", id);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	cloud_die(w);
	w->n_held = 0;
	cloud_up(w);
	w->hold = false;
	w->fetch.deaf = true;
	KIT_UNTIL(w->loop, w->fetch.dones == 1);
	/* All of it is here, but the device does not know. */
	cloud_die(w);
	w->fetch.deaf = false;
	w->fetch.dones = 0;
	cloud_up(w);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_int_equal(w->fetch.made, 1);
	assert_int_equal(w->fetch.given, CONTENT);
	assert_here(w, id);
	sapi_job_fini(&job);
}

/* The last word reached the device, and then the cloud died: nothing is fetched or made again. */
static void survives_between_done_and_completed(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->fetch.deaf = true;
	submit_fetch(w, "scan:x", id);
	KIT_UNTIL(w->loop, w->fetch.dones == 1);
	cloud_die(w);
	w->job_state = JOB_COMPLETED;
	cloud_up(w);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_int_equal(w->fetch.given, CONTENT);
	assert_int_equal(w->fetch.made, 1);
	assert_here(w, id);
	sapi_job_fini(&job);
}

/* The name that a long path ends in is cut between two characters. */
static void a_long_name_stays_text(void **state)
{
	struct world *w = *state;
	char path[400] = "ab", id[ID_LEN];
	struct sapi_job job;
	size_t i;

	for (i = 2; i < 302; i += 2)
		memcpy(path + i, "\xc3\xa9", 3);
	submit_fetch(w, path, id);
	assert_int_equal(jobs_show(w->cloud.jobs, id, false, &job), 0);
	assert_true(utf8_ok(job.name, strlen(job.name)));
	assert_true(strlen(job.name) > 250);
	sapi_job_fini(&job);
	await_end(w, id, &job);
	assert_fetched_once(w, &job);
	sapi_job_fini(&job);
}

/* ... and the device has even forgotten the job meanwhile. */
static void survives_when_the_device_forgot(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->fetch.deaf = true;
	submit_fetch(w, "scan:x", id);
	KIT_UNTIL(w->loop, w->fetch.dones == 1);
	cloud_die(w);
	w->known = false;
	cloud_up(w);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_int_equal(w->fetch.made, 1);
	assert_here(w, id);
	sapi_job_fini(&job);
}

/* What had come of a segment when its tunnel was closed is counted as the tunnel's. */
static void a_part_of_a_segment_counts(void **state)
{
	struct sapi_gateway_event ev = { .time = 1, .event = SAPI_GW_TUNNEL_CLOSED };
	struct world *w = *state;
	struct delivery *d;
	struct sapi_job job;
	char id[ID_LEN], range[64];

	w->hold = true;
	submit_fetch(w, "a.bin", id);
	KIT_UNTIL(w->loop, w->n_held >= 2 && w->events);
	d = job_delivery(jobs_find(w->cloud.jobs, id));
	snprintf(range, sizeof(range), "bytes 0-%d/%d", SEGMENT - 1, CONTENT);
	assert_string_equal(h2_req_header(w->held[0], "range"), "bytes=0-4095");
	h2_req_set_header(w->held[0], "content-range", range);
	assert_int_equal(h2_start(w->held[0], 206, "application/octet-stream"), 0);
	assert_int_equal(h2_write(w->held[0], w->data, 1000), 0);
	KIT_UNTIL(w->loop, ranges_total(spool_held(job_content(d->job))) == 1000);
	w->fetch.given += 1000;
	memcpy(ev.job, id, ID_LEN);
	ev.tunnel = w->tunnels[0].id;
	strcpy(ev.reason, "idle");
	w->n_tunnels = 0;
	gateway_say(w, &ev);
	KIT_UNTIL(w->loop, !d->tunnel);
	w->hold = false;
	await_end(w, id, &job);
	assert_fetched_once(w, &job);
	assert_int_equal(job.paths[0].bytes, 1000);
	sapi_job_fini(&job);
}

/* The device holds the job while it moves (7L), and goes on giving over the connection. */
static void suspended_while_it_moves(void **state)
{
	struct sapi_gateway_event ev = { .time = 1,
					 .event = SAPI_GW_DECISION,
					 .action = SAPI_GW_MOVE,
					 .reason = "tunnels-high",
					 .suspend = true };
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit_fetch(w, "a.bin", id);
	KIT_UNTIL(w->loop, w->n_held == 2);
	memcpy(ev.job, id, ID_LEN);
	ev.tunnel = w->tunnels[0].id;
	gateway_say(w, &ev);
	KIT_UNTIL(w->loop,
		  ((struct delivery *)job_delivery(jobs_find(w->cloud.jobs, id)))->move.hold);
	w->hold = false;
	agent_release(w);
	KIT_UNTIL(w->loop, state_of(w, id) == JOB_SUSPENDED);
	assert_int_equal(w->suspends, 1);
	agent_connect(w);
	await_end(w, id, &job);
	assert_fetched_once(w, &job);
	assert_int_equal(w->resumes, 1);
	assert_true(job.paths[0].bytes > 0 && job.paths[1].bytes > 0);
	sapi_job_fini(&job);
}

/* Tunnel and connection give together (claims 2-3). */
static void split_over_both(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit_fetch(w, "a.bin", id);
	KIT_UNTIL(w->loop, w->n_held == 2);
	gateway_decides(w, SAPI_GW_SPLIT, "always");
	agent_connect(w);
	KIT_UNTIL(w->loop, w->direct && held_on(w, w->direct) > 0);
	w->hold = false;
	agent_release(w);
	await_end(w, id, &job);
	assert_fetched_once(w, &job);
	assert_true(job.paths[0].bytes > 2 * SEGMENT && job.paths[1].bytes > 0);
	sapi_job_fini(&job);
}

/* Nobody can be told any more, but the content is here: that is what was asked for. */
static void completes_without_the_device(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->fetch.deaf = true;
	submit_fetch(w, "a.bin", id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_true(timeline_has(&job, "device-not-told", NULL));
	assert_here(w, id);
	sapi_job_fini(&job);
}

/* A device that has forgotten the job would scan again if it were put again. */
static void a_forgotten_job_is_not_made_again(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit_fetch(w, "scan:x", id);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	w->known = false;
	h2_abort(w->agent_sessions[0], -EPIPE, "test");
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	assert_true(timeline_has(&job, "failed", "unknown-job"));
	assert_int_equal(w->fetch.made, 1);
	sapi_job_fini(&job);
}

static void wrong_content_is_not_kept(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];
	int fd;

	w->fetch.lie = true;
	submit_fetch(w, "a.bin", id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	assert_true(timeline_has(&job, "failed", "digest-mismatch"));
	assert_int_equal(w->cancels, 1); /* the device need not keep it */
	assert_int_equal(w->fetch.dones, 0);
	assert_int_equal(jobs_open_fetched(w->cloud.jobs, id, &fd), -EBUSY);
	sapi_job_fini(&job);
}

static void refusals_and_limits(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->fetch.refuse = true;
	submit_fetch(w, "none", id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	assert_non_null(strstr(job.reason, "no such file"));
	assert_true(job.size == CONTENT_SIZE_UNKNOWN);
	sapi_job_fini(&job);
	w->fetch.refuse = false;
	w->conf.max_size = CONTENT - 1;
	submit_fetch(w, "large", id);
	await_end(w, id, &job);
	assert_true(timeline_has(&job, "failed", "too-large"));
	assert_int_equal(w->fetch.given, 0);
	sapi_job_fini(&job);
}

static void nothing_is_a_content_too(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->fetch.empty = true;
	submit_fetch(w, "empty", id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_int_equal(job.size, 0);
	assert_int_equal(w->fetch.dones, 1);
	sapi_job_fini(&job);
}

/* With the cloud down: a database has one user. */
static void alter_store(struct world *w, const char *sql)
{
	char path[PATH_MAX + 16];
	sqlite3 *db;

	cloud_die(w);
	snprintf(path, sizeof(path), "%s/jobs.db", w->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	cloud_up(w);
}

/* The spool has it all, but a cloud that starts again would not know: so the device keeps it, too, and gives it again. */
static void the_store_does_not_take_ranges(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	alter_store(w, "CREATE TRIGGER no BEFORE UPDATE OF uploaded_ranges ON job "
		       "BEGIN SELECT RAISE(ABORT, 'no'); END");
	submit_fetch(w, "a.bin", id);
	KIT_UNTIL(w->loop, w->fetch.given == CONTENT);
	kit_settle(w->loop);
	assert_int_equal(w->fetch.dones, 0);
	assert_int_equal(state_of(w, id), JOB_RUNNING);
	alter_store(w, "DROP TRIGGER no");
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_int_equal(w->fetch.dones, 1);
	assert_here(w, id);
	sapi_job_fini(&job);
}

static void canceled_at_the_device_too(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->hold = true;
	submit_fetch(w, "a.bin", id);
	KIT_UNTIL(w->loop, w->n_held >= 2);
	deliveries_cancel(w->cloud.deliveries, jobs_find(w->cloud.jobs, id), "alice");
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_CANCELED);
	assert_int_equal(w->cancels, 1);
	sapi_job_fini(&job);
}

int main(void)
{
#define TEST(x) cmocka_unit_test_setup_teardown(x, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(through_the_tunnel),
		TEST(moves_in_the_middle),
		TEST(a_scan_takes_its_time),
		TEST(resumes_where_it_was),
		TEST(survives_the_cloud),
		TEST(suspended_while_it_moves),
		TEST(split_over_both),
		TEST(survives_between_done_and_completed),
		TEST(a_long_name_stays_text),
		TEST(survives_when_the_device_forgot),
		TEST(a_part_of_a_segment_counts),
		TEST(completes_without_the_device),
		TEST(a_forgotten_job_is_not_made_again),
		TEST(wrong_content_is_not_kept),
		TEST(refusals_and_limits),
		TEST(nothing_is_a_content_too),
		TEST(the_store_does_not_take_ranges),
		TEST(canceled_at_the_device_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
