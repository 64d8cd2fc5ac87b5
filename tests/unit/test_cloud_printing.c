// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whole lives of jobs for a printer without agent, in a real cloud (cloud_fakes.h), whose printer does what the test
 * wants (ippkit.h): what is recorded of them, and that a cancellation gets there whatever ends meanwhile.
 */
#include "cloud_steps.h"
#include "ippkit.h"

#include "cloud/notice.h"

static struct ippkit kit;

static int setup(void **state)
{
	struct world *w;

	world_setup(state);
	w = *state;
	ippkit_start(&kit, w->loop);
	memcpy(w->data, "%PDF-1.7\n", 9);
	w->device.connectable = false;
	w->device.services[0].kind = SERVICE_IPP;
	w->device.services[0].port = kit.port;
	w->device.services[0].tls = false;
	strcpy(w->device.services[0].path, "/ipp/print");
	return 0;
}

static int teardown(void **state)
{
	ippkit_stop(&kit);
	return world_teardown(state);
}

static struct job *job_of(struct world *w, const char *id)
{
	return jobs_find(w->cloud.jobs, id);
}

static struct delivery *delivery_of(struct world *w, const char *id)
{
	return job_delivery(job_of(w, id));
}

/* Is the printer's number, or that it has none any more, on its way to the disk? */
static bool storing(struct world *w, const char *id, uint32_t number)
{
	const struct delivery *d = delivery_of(w, id);

	return d && d->kept.group && job_row(d->job)->printer_job == number;
}

static void cancel(struct world *w, const char *id)
{
	deliveries_cancel(w->cloud.deliveries, job_of(w, id), "alice");
	assert_int_equal(state_of(w, id), JOB_CANCELED);
}

static size_t left(const struct world *w)
{
	return notices_count(w->cloud.notices);
}

static bool asked_to_cancel(void)
{
	return strchr(kit.ops, 'X');
}

static void die(struct world *w)
{
	cloud_die(w);
	KIT_UNTIL(w->loop, !w->gateway);
}

static void restart(struct world *w)
{
	die(w);
	cloud_up(w);
}

static void end_tunnel(struct world *w)
{
	struct sapi_gateway_event ev = { .time = 1, .event = SAPI_GW_TUNNEL_CLOSED };

	memcpy(ev.job, w->last_open.job, ID_LEN);
	ev.tunnel = w->tunnels[0].id;
	strcpy(ev.reason, "found-gone");
	w->n_tunnels = 0;
	gateway_say(w, &ev);
}

static void assert_end(struct world *w, const char *id, enum job_state state)
{
	struct sapi_job job;

	await_end(w, id, &job);
	assert_int_equal(job.state, state);
	sapi_job_fini(&job);
}

/* Neither here nor there is anything left of it. */
static void assert_canceled(struct world *w, const char *id, int canceled)
{
	assert_end(w, id, JOB_CANCELED);
	assert_int_equal(kit.canceled, canceled);
	assert_int_equal(left(w), 0);
	assert_int_equal(w->n_tunnels, 0);
}

/* The printer has all of it, and waits. */
static void held(struct world *w, char id[ID_LEN])
{
	kit.hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, state_of(w, id) == JOB_EXECUTING);
}

/* ---- as it should be ---- */

static void prints(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_int_equal(job.delivered, CONTENT);
	assert_int_equal(job.resent, 0);
	assert_int_equal(job.n_paths, 1);
	assert_int_equal(job.paths[0].bytes, CONTENT);
	assert_true(timeline_has(&job, "printer-job", NULL));
	assert_true(timeline_has(&job, "executing", NULL));
	sapi_job_fini(&job);
	assert_int_equal(kit.printed, 1);
	assert_int_equal(kit.page_len, CONTENT);
	assert_memory_equal(kit.page, w->data, CONTENT);
	assert_int_equal(left(w), 0);
}

/* It had all of it before the restart: it is asked, and gets nothing again. */
static void goes_on_after_a_restart(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	held(w, id);
	die(w);
	kit.state = IPP_JSTATE_COMPLETED;
	kit.hold = false;
	cloud_up(w);
	assert_end(w, id, JOB_COMPLETED);
	assert_int_equal(kit.created, 1);
	assert_int_equal(kit.printed, 1);
}

/* The slot is another's while the printer has no paper. */
static void gives_its_slot_back(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	w->conf.printer_patience = 300;
	kit.printer_reason = "media-empty";
	held(w, id);
	KIT_UNTIL(w->loop, delivery_of(w, id)->step == STEP_PAUSE && !w->n_tunnels);
	assert_non_null(strstr(job_row(job_of(w, id))->reason, "media-empty"));
	KIT_UNTIL(w->loop, delivery_of(w, id)->step == STEP_SENDING);
	assert_non_null(strstr(job_row(job_of(w, id))->reason, "media-empty")); /* all the time */
	kit.printer_reason = NULL;
	kit.state = IPP_JSTATE_COMPLETED;
	assert_end(w, id, JOB_COMPLETED);
	assert_int_equal(w->opens, 2);
	assert_int_equal(kit.printed, 1);
}

/* ---- it has the job, and does not talk to us any more ---- */

/* The password is changed, or its certificate renewed, while it prints: that is no reason to call the job failed. */
static void asks_again_whoever_shuts_it_out(void **state)
{
	static const int statuses[] = { 401, 403, 404 };
	struct world *w = *state;
	char id[ID_LEN];
	size_t i;

	w->conf.attempts = 10;
	held(w, id);
	for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		kit.fault.http_status = statuses[i];
		KIT_UNTIL(w->loop, delivery_of(w, id)->step == STEP_PAUSE);
		assert_int_equal(state_of(w, id), JOB_QUEUED);
		assert_non_null(
			strstr(job_row(job_of(w, id))->reason, "it has the job, and may print it"));
		kit.fault.http_status = 0;
		KIT_UNTIL(w->loop, state_of(w, id) == JOB_EXECUTING);
	}
	/* After a restart, too. */
	die(w);
	kit.fault.http_status = 403;
	cloud_up(w);
	KIT_UNTIL(w->loop, delivery_of(w, id) && delivery_of(w, id)->step == STEP_PAUSE);
	kit.fault.http_status = 0;
	kit.state = IPP_JSTATE_COMPLETED;
	kit.hold = false;
	assert_end(w, id, JOB_COMPLETED);
	assert_int_equal(kit.created, 1);
	assert_int_equal(kit.printed, 1);
}

/* Whoever sent it is told that it may be printed all the same. */
static void says_what_may_be_printed(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.attempts = 2;
	held(w, id);
	kit.fault.http_status = 403;
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	assert_non_null(strstr(job.reason, "it has the job, and may print it"));
	assert_true(timeline_has(&job, "printer-not-told", NULL));
	sapi_job_fini(&job);
	assert_int_equal(w->opens, 2);
}

/* One that has nothing yet is not asked in vain. */
static void fails_at_once_without_a_job_there(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	kit.fault.http_status = 403;
	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	assert_false(timeline_has(&job, "printer-not-told", NULL));
	sapi_job_fini(&job);
	assert_int_equal(w->opens, 1);
}

/* ---- cancellations ---- */

static void cancels(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	held(w, id);
	cancel(w, id);
	assert_int_equal(left(w), 1); /* until it has agreed */
	assert_canceled(w, id, 1);
	assert_int_equal(w->opens, 1);
}

/* In the pass of the loop in which the store takes the number. */
static void cancels_while_the_number_is_stored(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	submit(w, id);
	KIT_UNTIL(w->loop, storing(w, id, 1));
	cancel(w, id);
	assert_canceled(w, id, 1);
	assert_int_equal(kit.printed, 0);
}

/* And in that in which it is taken back, so that the printer is gone before the store says so. */
static void cancels_while_the_number_is_taken_back(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	kit.fault.cut_at = CONTENT / 2;
	submit(w, id);
	KIT_UNTIL(w->loop, storing(w, id, 0));
	cancel(w, id);
	assert_canceled(w, id, 1); /* it was an incomplete job already */
	assert_int_equal(kit.created, 1);
	assert_int_equal(kit.printed, 0);
}

/* The tunnel ends in that pass: the printer is told in another. */
static void cancels_what_has_lost_its_tunnel(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	submit(w, id);
	KIT_UNTIL(w->loop, storing(w, id, 1));
	delivery_try_failed(delivery_of(w, id), false, "found-gone", "test");
	assert_null(delivery_of(w, id)->printer);
	cancel(w, id);
	assert_canceled(w, id, 1);
	assert_int_equal(w->opens, 2);
}

/* The tunnel ends while Cancel-Job is on its way. */
static void cancels_after_the_end_of_a_tunnel(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	held(w, id);
	kit.fault.deaf = true;
	cancel(w, id);
	KIT_UNTIL(w->loop, asked_to_cancel());
	end_tunnel(w);
	KIT_UNTIL(w->loop, !delivery_of(w, id)->printer);
	assert_int_equal(left(w), 1);
	kit.fault.deaf = false;
	assert_canceled(w, id, 1);
	assert_int_equal(w->opens, 2);
}

static void cancels_between_two_visits(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	w->conf.printer_patience = 200;
	kit.printer_reason = "media-empty";
	held(w, id);
	w->conf.printer_patience = 60000;
	KIT_UNTIL(w->loop, delivery_of(w, id)->step == STEP_PAUSE && !w->n_tunnels);
	cancel(w, id);
	assert_canceled(w, id, 1);
	assert_int_equal(w->opens, 2);
}

/* The cloud is killed while Cancel-Job is on its way, or before there was a way. */
static void cancels_after_a_restart(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	held(w, id);
	kit.fault.deaf = true;
	cancel(w, id);
	KIT_UNTIL(w->loop, asked_to_cancel());
	restart(w);
	assert_int_equal(left(w), 1);
	assert_int_equal(state_of(w, id), JOB_CANCELED);
	KIT_UNTIL(w->loop, w->opens == 2);
	restart(w); /* once more */
	kit.fault.deaf = false;
	assert_canceled(w, id, 1);
	assert_int_equal(kit.printed, 1); /* it had it, and was held back */
	w->lookups = 0;
	restart(w);
	kit_settle(w->loop);
	assert_null(job_of(w, id));
	assert_int_equal(w->lookups, 0);
}

/* It was switched off, and its numbers began anew. */
static void cancels_nothing_of_others_after_a_restart(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	held(w, id);
	kit.fault.deaf = true;
	cancel(w, id);
	KIT_UNTIL(w->loop, asked_to_cancel());
	die(w);
	kit.fault.deaf = false;
	snprintf(kit.name, sizeof(kit.name), "invoice.pdf");
	cloud_up(w);
	assert_canceled(w, id, 0);
}

/* It does not agree: that is said, and no more tried. */
static void says_that_a_printer_did_not_hear(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	w->conf.attempts = 2;
	held(w, id);
	kit.fault.refuse_cancel = IPP_STATUS_ERROR_FORBIDDEN;
	cancel(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_CANCELED);
	assert_true(timeline_has(&job, "printer-not-told", NULL));
	sapi_job_fini(&job);
	assert_int_equal(w->opens, 3);
	assert_int_equal(left(w), 0);
}

/* The registry knows the device as something else by now, which is not to get the job. */
static void gives_nothing_to_what_is_no_printer_any_more(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	held(w, id);
	kit.fault.deaf = true;
	cancel(w, id);
	KIT_UNTIL(w->loop, asked_to_cancel());
	w->device.services[0].kind = SERVICE_AGENT;
	restart(w);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_CANCELED);
	assert_true(timeline_has(&job, "printer-not-told", NULL));
	sapi_job_fini(&job);
	assert_int_equal(w->introductions, 0);
	assert_int_equal(w->opens, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(prints),
		T(goes_on_after_a_restart),
		T(gives_its_slot_back),
		T(asks_again_whoever_shuts_it_out),
		T(says_what_may_be_printed),
		T(fails_at_once_without_a_job_there),
		T(cancels),
		T(cancels_while_the_number_is_stored),
		T(cancels_while_the_number_is_taken_back),
		T(cancels_what_has_lost_its_tunnel),
		T(cancels_after_the_end_of_a_tunnel),
		T(cancels_between_two_visits),
		T(cancels_after_a_restart),
		T(cancels_nothing_of_others_after_a_restart),
		T(says_that_a_printer_did_not_hear),
		T(gives_nothing_to_what_is_no_printer_any_more),
	};

	return cmocka_run_group_tests_name("cloud_printing", tests, NULL, NULL);
}
