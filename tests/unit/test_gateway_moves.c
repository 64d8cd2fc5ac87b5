// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gateway/controller and gateway/moves: the ways a job is moved (split, early cut, suspended), what
 * is counted, who decides, and the line.
 */
#include "gateway_fakes.h"

#define JOB5 "55555555555555555555555555555555"

/* The last event of a kind about a job. */
static const struct sapi_gateway_event *event(const char *job, enum sapi_gateway_event_kind kind)
{
	size_t i;

	for (i = n_told; i-- > 0;) {
		if (told[i].event == kind && strcmp(told[i].job, job) == 0)
			return &told[i];
	}
	return NULL;
}

static size_t decisions(const char *job, enum sapi_gateway_action action)
{
	size_t i, n = 0;

	for (i = 0; i < n_told; i++)
		n += told[i].event == SAPI_GW_DECISION && told[i].action == action &&
		     strcmp(told[i].job, job) == 0;
	return n;
}

/* The tick that follows now has been. */
static void tick(void)
{
	uint64_t before = the_line.samples;

	AWAIT(the_line.samples > before);
	settle();
}

/* Claims 2-3: both paths while nothing needs the slot; then it is cut, and nobody asked again. */
static void test_split(void **state)
{
	struct request a, b, c;

	(void)state;
	w.conf.policy.when = WHEN_ALWAYS;
	w.conf.policy.split = true;
	w.conf.policy.cut = CUT_AFTER_REQUEST;
	w.conf.policy.suspend = true;
	w.conf.drain_timeout = 500;
	ask(&a, JOB1, "mfp-1", 4, true);
	AWAIT(n_asked == 1);
	assert_string_equal(decision(JOB1, SAPI_GW_SPLIT)->reason, "always");
	assert_int_equal(decision(JOB1, SAPI_GW_SPLIT)->tunnel, a.spi);
	assert_false(decision(JOB1, SAPI_GW_SPLIT)->cut_early);
	assert_false(decision(JOB1, SAPI_GW_SPLIT)->suspend);
	device_answers(0, 0, "");
	/* No drain timer: it stays, however long that is. */
	tick();
	assert_non_null(tunnels_find(w.tunnels, a.spi));
	assert_null(event(JOB1, SAPI_GW_MOVE_FAILED));
	/* It counts as a tunnel meanwhile: with the next, the limit is reached, and then passed. */
	ask(&b, JOB2, "nas-1", 4, false);
	settle();
	assert_true(b.spi != 0);
	assert_null(decision(JOB1, SAPI_GW_MOVE));
	ask(&c, JOB3, "nas-2", 4, false);
	settle();
	assert_non_null(c.waiter);
	assert_int_equal(n_asked, 1);
	assert_string_equal(decision(JOB1, SAPI_GW_MOVE)->reason, "tunnel-limit");
	assert_non_null(strstr(decision(JOB1, SAPI_GW_MOVE)->text, "device mfp-1 is connected"));
	/* Connected: there is nothing to cut early, and nothing to hold the job for. */
	assert_false(decision(JOB1, SAPI_GW_MOVE)->cut_early);
	assert_false(decision(JOB1, SAPI_GW_MOVE)->suspend);
	assert_int_equal(records("\"split\""), 1);
	end(&a);
	settle();
	assert_true(c.spi != 0);
	assert_int_equal(n_canceled, 0);
}

/* The drain timer runs from the cut on; a cloud that does not cut has failed the move. */
static void test_split_drain(void **state)
{
	struct request a, b;

	(void)state;
	w.conf.policy.when = WHEN_ALWAYS;
	w.conf.policy.split = true;
	w.conf.policy.tunnels_high = w.conf.policy.tunnels_low = 1;
	w.conf.drain_timeout = 50;
	ask(&a, JOB1, "mfp-1", 4, true);
	AWAIT(n_asked == 1);
	/* While the device is about to connect, who comes next waits for it. */
	ask(&b, JOB2, "nas-1", 4, false);
	settle();
	assert_string_equal(decision(JOB2, SAPI_GW_WAIT)->reason, "move-in-flight");
	assert_null(decision(JOB1, SAPI_GW_MOVE));
	device_answers(0, 0, "");
	settle();
	assert_non_null(decision(JOB1, SAPI_GW_MOVE));
	assert_int_equal(n_asked, 1);
	AWAIT(event(JOB1, SAPI_GW_MOVE_FAILED));
	assert_int_equal(event(JOB1, SAPI_GW_MOVE_FAILED)->tunnel, a.spi);
	/* Left alone for a while, then asked like any other. */
	settle();
	assert_int_equal(n_asked, 1);
	AWAIT(n_asked == 2);
	assert_int_equal(decisions(JOB1, SAPI_GW_MOVE), 2);
}

/* The device of a split fails: as for a move. */
static void test_split_fails(void **state)
{
	struct request a;

	(void)state;
	w.conf.policy.when = WHEN_ALWAYS;
	w.conf.policy.split = true;
	ask(&a, JOB1, "mfp-1", 4, true);
	AWAIT(n_asked == 1);
	device_answers(0, -ECONNREFUSED, "connection refused");
	settle();
	assert_non_null(event(JOB1, SAPI_GW_MOVE_FAILED));
	assert_int_equal(n_asked, 1);
	assert_non_null(tunnels_find(w.tunnels, a.spi));
	AWAIT(n_asked == 2);
	assert_int_equal(decisions(JOB1, SAPI_GW_SPLIT), 2);
}

/* Variant: cut after the request. The tunnel goes, the request goes on. */
static void test_early_cut(void **state)
{
	struct request a, b;

	(void)state;
	w.conf.policy.when = WHEN_ALWAYS;
	w.conf.policy.cut = CUT_AFTER_REQUEST;
	ask(&a, JOB1, "mfp-1", 4, true);
	AWAIT(n_asked == 1);
	assert_true(decision(JOB1, SAPI_GW_MOVE)->cut_early);
	assert_false(decision(JOB1, SAPI_GW_MOVE)->suspend);
	end(&a);
	settle();
	assert_int_equal(n_canceled, 0);
	/* At most one request to a device at a time, also when its tunnel is gone. */
	ask(&b, JOB2, "mfp-1", 4, true);
	AWAIT(b.spi);
	tick();
	assert_int_equal(n_asked, 1);
	device_answers(0, 0, "");
	assert_null(event(JOB1, SAPI_GW_MOVE_FAILED));
	AWAIT(n_asked == 2);
	assert_string_equal(asked[1]->body.job, JOB2);
}

/* ... and when it fails, the cloud is told by job, and the device left alone for any other. */
static void test_early_cut_fails(void **state)
{
	struct request a, b;
	uint32_t gone;

	(void)state;
	w.conf.policy.when = WHEN_ALWAYS;
	w.conf.policy.cut = CUT_AFTER_REQUEST;
	w.conf.policy.suspend = true;
	w.conf.retry_min = 1500;
	w.conf.retry_max = 1500;
	ask(&a, JOB1, "mfp-1", 4, true);
	AWAIT(n_asked == 1);
	assert_true(decision(JOB1, SAPI_GW_MOVE)->suspend);
	gone = a.spi;
	end(&a);
	device_answers(0, -ETIMEDOUT, "timed out");
	assert_non_null(event(JOB1, SAPI_GW_MOVE_FAILED));
	assert_int_equal(event(JOB1, SAPI_GW_MOVE_FAILED)->tunnel, gone);
	assert_int_equal(records("timed out"), 1);
	/* The cloud asks for a new tunnel: it is not moved again at once. */
	ask(&b, JOB1, "mfp-1", 4, true);
	AWAIT(b.spi);
	tick();
	assert_int_equal(n_asked, 1);
	AWAIT(n_asked == 2);
	assert_string_equal(asked[1]->body.job, JOB1);
}

/* A device that says late that it does not come: its job waits for a slot from then on, as long as any. */
static void test_late_failure(void **state)
{
	struct request a, b;
	uint64_t began = clock_boot_ms();

	(void)state;
	w.conf.policy.tunnels_high = w.conf.policy.tunnels_low = 1;
	w.conf.wait_timeout = 2500;
	ask(&a, JOB1, "nas-1", 4, false);
	settle();
	ask(&b, JOB2, "mfp-1", 4, true);
	AWAIT(n_asked == 1);
	AWAIT(clock_boot_ms() > began + 3000);
	device_answers(0, -ETIMEDOUT, "timed out");
	assert_non_null(event(JOB2, SAPI_GW_MOVE_FAILED));
	tick();
	assert_int_equal(b.status, 0);
	end(&a);
	AWAIT(b.spi);
}

/* shuntd ends while a request without a tunnel is out. */
static void test_early_cut_stop(void **state)
{
	struct request a;

	(void)state;
	w.conf.policy.when = WHEN_ALWAYS;
	ask(&a, JOB1, "mfp-1", 4, true);
	AWAIT(n_asked == 1);
	end(&a);
	stop();
	assert_int_equal(n_canceled, 1);
	start();
}

/* Claims 4-5: a device with several jobs connects for that of the lowest priority first. */
static void test_same_device(void **state)
{
	struct request a, b, c;

	(void)state;
	w.conf.policy.tunnels_high = w.conf.policy.tunnels_low = 3;
	ask(&a, JOB1, "mfp-1", 6, true);
	ask(&b, JOB2, "mfp-1", 2, true);
	ask(&c, JOB3, "mfp-1", 4, true);
	settle();
	assert_int_equal(n_asked, 0);
	w.conf.policy.when = WHEN_ALWAYS;
	controller_run(w.controller);
	settle();
	assert_int_equal(n_asked, 1);
	assert_string_equal(asked[0]->body.job, JOB2);
	device_answers(0, 0, "");
	settle();
	/* Not before the first is over. */
	assert_int_equal(n_asked, 1);
	end(&b);
	settle();
	assert_int_equal(n_asked, 2);
	assert_string_equal(asked[1]->body.job, JOB3);
	device_answers(1, 0, "");
	end(&c);
	settle();
	assert_int_equal(n_asked, 3);
	assert_string_equal(asked[2]->body.job, JOB1);
}

/* Variant: each cloud has its own limit, or all have one. */
static void test_count_pair(void **state)
{
	struct request a, b, c, d, f;

	(void)state;
	w.conf.policy.count = COUNT_PAIR;
	stop();
	start();
	ask_for(&a, "cloud1", JOB1, "nas-1", 4, false);
	ask_for(&b, "cloud1", JOB2, "mfp-1", 4, true);
	ask_for(&c, "cloud2", JOB3, "nas-1", 4, false);
	ask_for(&d, "cloud2", JOB4, "mfp-2", 4, true);
	settle();
	assert_true(a.spi && b.spi && c.spi && d.spi);
	assert_int_equal(n_asked, 0);
	/* One more for cloud2: its own movable job goes, not cloud1's. */
	ask_for(&f, "cloud2", JOB5, "nas-2", 4, false);
	settle();
	assert_non_null(f.waiter);
	assert_int_equal(n_asked, 1);
	assert_string_equal(asked[0]->device, "mfp-2");
	assert_string_equal(decision(JOB4, SAPI_GW_MOVE)->text,
			    "tunnels 2+1 > limit 2; lowest priority 4 of 1 movable");
	assert_string_equal(told_cloud[decision(JOB4, SAPI_GW_MOVE) - told], "cloud2");
	/* A slot of cloud1's is none of cloud2's. */
	end(&a);
	settle();
	assert_non_null(f.waiter);
	device_answers(0, 0, "");
	end(&d);
	settle();
	assert_true(f.spi != 0);
}

/* ... but they share the line, so the least important job of all is moved for it. */
static void test_pair_line(void **state)
{
	struct request a, b, c, d;

	(void)state;
	w.conf.policy.count = COUNT_PAIR;
	w.conf.policy.tunnels_high = w.conf.policy.tunnels_low = 1;
	w.conf.policy.line_speed_low = 1000000;
	assert_int_equal(policy_settings_check(&w.conf.policy, DECIDE_GATEWAY, NULL), 0);
	stop();
	start();
	ask_for(&a, "cloud1", JOB1, "mfp-1", 5, true);
	ask_for(&b, "cloud2", JOB2, "mfp-2", 3, true);
	settle();
	ask_for(&c, "cloud1", JOB3, "nas-1", 1, false);
	settle();
	/* cloud1 is at its limit. */
	assert_int_equal(n_asked, 1);
	assert_string_equal(asked[0]->device, "mfp-1");
	the_line.speed = 500000;
	kernel_find(b.spi)->rx.bytes = 50000;
	tick();
	/* One at a time: the one in flight is counted. */
	assert_int_equal(n_asked, 1);
	device_answers(0, 0, "");
	end(&a);
	kernel_find(b.spi)->rx.bytes = 100000;
	tick();
	assert_int_equal(n_asked, 2);
	assert_string_equal(asked[1]->device, "mfp-2");
	assert_string_equal(decision(JOB2, SAPI_GW_MOVE)->reason, "line-speed");
	/* A newcomer that can connect is spared its tunnel. */
	kernel_find(b.spi)->rx.bytes = 150000;
	AWAIT(the_line.busy);
	ask_for(&d, "cloud3", JOB4, "mfp-3", 1, true);
	settle();
	assert_int_equal(n_asked, 3);
	assert_string_equal(decision(JOB4, SAPI_GW_DIRECT)->reason, "line-speed");
}

/*
 * Second embodiment, variant: the line's speed, measured while tunnels carry something; one more
 * job each interval until it is fast enough.
 */
static void test_line(void **state)
{
	struct request a, b, c;
	struct sapi_load load;
	uint64_t began;

	(void)state;
	w.conf.policy.tunnels_high = w.conf.policy.tunnels_low = 16;
	w.conf.policy.line_speed_low = 1000000;
	assert_int_equal(policy_settings_check(&w.conf.policy, DECIDE_GATEWAY, NULL), 0);
	the_line.speed = 812000;
	ask(&a, JOB1, "mfp-1", 4, true);
	ask(&b, JOB2, "mfp-2", 1, true);
	ask(&c, JOB3, "mfp-3", 2, true);
	settle();
	/* Asking how a job is does not load the line, nor does one that has all its content. */
	kernel_find(a.spi)->rx.bytes = 1000;
	tick();
	assert_false(the_line.busy);
	kernel_find(a.spi)->rx.bytes = 64 << 20;
	tick();
	assert_false(the_line.busy);
	assert_int_equal(n_asked, 0);
	controller_load(w.controller, &load);
	assert_true(load.line_speed == SAPI_LINE_UNKNOWN);

	kernel_find(b.spi)->rx.bytes = 5000;
	tick();
	assert_true(the_line.busy);
	controller_load(w.controller, &load);
	assert_int_equal(load.line_speed, 812000);
	assert_int_equal(n_asked, 1);
	assert_string_equal(decision(JOB2, SAPI_GW_MOVE)->reason, "line-speed");
	assert_string_equal(decision(JOB2, SAPI_GW_MOVE)->text,
			    "line 812 kbit/s <= 1000 kbit/s; lowest priority 1 of 2 movable");
	began = loop_now(w.loop);
	device_answers(0, 0, "");
	end(&b);
	while (n_asked < 2) {
		assert_true(loop_now(w.loop) < began + 20000);
		kernel_find(c.spi)->rx.bytes += 5000;
		tick();
	}
	assert_string_equal(asked[1]->device, "mfp-3");
	assert_true(loop_now(w.loop) >= began + POLICY_LINE_INTERVAL - 1000);
}

/* Variant: the cloud decides. The gateway opens what it is asked for, and reports. */
static void test_decide_cloud(void **state)
{
	struct request a, b, c;
	struct sapi_load load;

	(void)state;
	w.conf.policy.decide = DECIDE_CLOUD;
	w.conf.policy.when = WHEN_ALWAYS;
	w.conf.policy.tunnels_high = w.conf.policy.tunnels_low = 1;
	w.conf.policy.cpu_high = w.conf.policy.cpu_low = 1;
	w.conf.policy.line_speed_low = 1000000;
	the_line.speed = 500000;
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "mfp-1", 4, true);
	ask(&c, JOB3, "mfp-2", 4, true);
	settle();
	assert_true(a.spi && b.spi && c.spi);
	kernel_find(a.spi)->rx.bytes = 50000;
	tick();
	assert_int_equal(n_asked, 0);
	assert_int_equal(n_told, 0);
	controller_load(w.controller, &load);
	assert_int_equal(load.tunnels, 3);
	assert_int_equal(load.line_speed, 500000);
	/* What the kernel does not take is refused, and told. */
	end(&c);
	kernel.fail_new = -ENOSPC;
	ask(&c, JOB3, "mfp-2", 4, true);
	settle();
	assert_int_equal(c.status, 503);
	assert_string_equal(c.code, "tunnel-failed");
	assert_non_null(decision(JOB3, SAPI_GW_REFUSE));
}

/* ... nor does it keep anybody waiting for an address. */
static void test_decide_cloud_aliases(void **state)
{
	struct request a, b, c;

	(void)state;
	w.conf.policy.decide = DECIDE_CLOUD;
	assert_int_equal(prefix_parse("100.65.0.0/31", &w.conf.alias_pool), 0);
	stop();
	start();
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "nas-2", 4, false);
	ask(&c, JOB3, "nas-3", 4, false);
	settle();
	assert_int_equal(c.status, 503);
	assert_string_equal(c.code, "no-slot");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_split),
		TEST(test_split_drain),
		TEST(test_split_fails),
		TEST(test_early_cut),
		TEST(test_early_cut_fails),
		TEST(test_early_cut_stop),
		TEST(test_late_failure),
		TEST(test_same_device),
		TEST(test_count_pair),
		TEST(test_pair_line),
		TEST(test_line),
		TEST(test_decide_cloud),
		TEST(test_decide_cloud_aliases),
	};

	return cmocka_run_group_tests_name("gateway_moves", tests, NULL, NULL);
}
