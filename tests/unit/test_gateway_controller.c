// SPDX-License-Identifier: GPL-2.0-or-later
/* gateway/controller: requests for tunnels, the moves they cause, and the ends of tunnels. */
#include "gateway_fakes.h"

/* ---- tests ---- */

/* FIG. 16-17: the third job's device cannot connect, the second's can: the second is moved. */
static void test_main_job(void **state)
{
	struct request a, b, c;

	(void)state;
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "mfp-1", 4, true);
	settle();
	assert_true(a.spi && b.spi);
	assert_int_equal(n_asked, 0);
	assert_non_null(decision(JOB1, SAPI_GW_OPEN));
	assert_int_equal(kernel_find(b.spi)->spec.scope_n, 1);
	assert_string_equal(kernel_find(b.spi)->spec.cookie, JOB2);
	assert_int_equal(kernel_find(b.spi)->spec.keepalive_ms, 20000);
	assert_int_equal(kernel_find(b.spi)->spec.idle_s, 600);
	assert_int_equal(kernel_find(b.spi)->spec.dead_s, 300);

	ask(&c, JOB3, "nas-1", 4, false);
	settle();
	assert_int_equal(c.spi, 0);
	assert_non_null(c.waiter);
	assert_int_equal(n_asked, 1);
	assert_string_equal(asked[0]->device, "mfp-1");
	assert_string_equal(asked[0]->body.job, JOB2);
	assert_string_equal(asked[0]->body.token, TOKEN);
	assert_string_equal(asked[0]->body.cloud, "cloud1");
	assert_int_equal(asked[0]->at.port, 8632);
	assert_int_equal(asked[0]->body.log.port, 8633);
	assert_string_equal(decision(JOB2, SAPI_GW_MOVE)->reason, "tunnel-limit");
	assert_string_equal(decision(JOB1, SAPI_GW_KEEP)->reason, "not-connectable");
	assert_non_null(decision(JOB3, SAPI_GW_WAIT));

	device_answers(0, 0, "");
	settle();
	assert_int_equal(n_asked, 1);
	end(&b);
	settle();
	assert_true(c.spi != 0);
	assert_non_null(decision(JOB3, SAPI_GW_OPEN));
	assert_int_equal(told[n_told - 1].tunnel, c.spi);
	end(&a);
	end(&c);
	assert_int_equal(kernel.n, 0);
	assert_int_equal(records("\"7K\""), 3);
	assert_int_equal(records("\"move\""), 1);
}

/* A device that fails is told of, left alone for a while, and asked again. */
static void test_move_fails(void **state)
{
	struct request a, b, c;

	(void)state;
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "mfp-1", 4, true);
	ask(&c, JOB3, "nas-2", 4, false);
	settle();
	assert_int_equal(n_asked, 1);
	device_answers(0, -ECONNREFUSED, "connection refused");
	settle();
	assert_int_equal(n_asked, 1);
	assert_int_equal(told[n_told - 1].event, SAPI_GW_DECISION);
	assert_non_null(c.waiter);
	assert_int_equal(records("connection refused"), 1);
	AWAIT(n_asked == 2);
	device_answers(1, 0, "");
	/* The job ends by itself meanwhile; that frees the slot as well. */
	end(&b);
	settle();
	assert_true(c.spi != 0);
}

/* An arriving job whose device can connect needs no tunnel when none is free. */
static void test_arrival_direct(void **state)
{
	struct request a, b, c;

	(void)state;
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "nas-2", 4, false);
	settle();
	ask(&c, JOB3, "mfp-1", 4, true);
	settle();
	assert_int_equal(n_asked, 1);
	assert_string_equal(asked[0]->body.job, JOB3);
	assert_non_null(decision(JOB3, SAPI_GW_DIRECT));
	device_answers(0, -ETIMEDOUT, "timed out");
	settle();
	/* Then it waits like any other. */
	assert_int_equal(n_asked, 1);
	assert_non_null(decision(JOB3, SAPI_GW_WAIT));
	end(&a);
	settle();
	assert_true(c.spi != 0);
}

/* The cloud withdraws: what was started for the request is called off. */
static void test_withdraw(void **state)
{
	struct request a, b, c;

	(void)state;
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "nas-2", 4, false);
	ask(&c, JOB3, "mfp-1", 4, true);
	settle();
	assert_int_equal(n_asked, 1);
	controller_withdraw(w.controller, c.waiter);
	assert_int_equal(n_canceled, 1);
	assert_false(controller_waits(w.controller, "cloud1", JOB3));
	end(&a);
	settle();
	assert_int_equal(kernel.n, 1);
}

/* First come first served, but higher priority first. */
static void test_order(void **state)
{
	struct request a, b, c, d, f;

	(void)state;
	w.conf.policy.tunnels_high = w.conf.policy.tunnels_low = 1;
	ask(&a, JOB1, "nas-1", 4, false);
	settle();
	ask(&b, JOB2, "nas-2", 4, false);
	ask(&c, JOB3, "nas-3", 4, false);
	ask(&d, JOB4, "nas-4", 6, false);
	settle();
	assert_true(controller_waits(w.controller, "cloud1", JOB4));
	end(&a);
	settle();
	assert_true(d.spi && !b.spi && !c.spi);
	end(&d);
	settle();
	assert_true(b.spi && !c.spi);
	ask(&f, JOB1, "nas-1", 4, false);
	controller_stop(w.controller);
	assert_int_equal(c.status, 503);
	assert_string_equal(c.code, "stopping");
	assert_int_equal(f.status, 503);
}

static void test_bounds(void **state)
{
	struct request a, b, c, d;

	(void)state;
	w.conf.policy.tunnels_high = w.conf.policy.tunnels_low = 1;
	w.conf.wait_max = 1;
	w.conf.wait_timeout = 1000;
	ask(&a, JOB1, "nas-1", 4, false);
	settle();
	ask(&b, JOB2, "nas-2", 4, false);
	settle();
	ask(&c, JOB3, "nas-3", 4, false);
	settle();
	assert_int_equal(c.status, 503);
	assert_string_equal(c.code, "queue-full");
	/* A higher priority takes the place of the last. */
	ask(&d, JOB4, "nas-4", 6, false);
	settle();
	assert_int_equal(d.status, 0);
	assert_int_equal(b.status, 503);
	assert_string_equal(b.code, "queue-full");
	AWAIT(d.status == 503);
	assert_string_equal(d.code, "no-slot");
	/* The kernel refuses. */
	end(&a);
	kernel.fail_new = -ENOSPC;
	ask(&c, JOB3, "nas-3", 4, false);
	settle();
	assert_string_equal(c.code, "tunnel-failed");
	/* An SPI that is in use there is no reason to give up. */
	kernel.fail_new = -EEXIST;
	ask(&c, JOB3, "nas-3", 4, false);
	settle();
	assert_true(c.spi != 0);
}

/* Ended by the kernel, or found gone: recorded, announced, slot free. */
static void test_kernel_ends(void **state)
{
	struct request a, b, c;
	struct tunnel_info last;
	struct err e = { 0 };

	(void)state;
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "nas-2", 4, false);
	ask(&c, JOB3, "nas-3", 4, false);
	settle();
	assert_int_equal(datapath_del(&kernel, a.spi, &last, NULL), 0);
	last.end = TUNNEL_END_IDLE;
	last.rx.bytes = 4711;
	tunnels_deleted(w.tunnels, &last);
	tunnels_deleted(w.tunnels, &last);
	assert_int_equal(records("4711"), 1);
	assert_int_equal(told[n_told - 1].event, SAPI_GW_TUNNEL_CLOSED);
	assert_string_equal(told[n_told - 1].reason, "idle");
	settle();
	assert_true(c.spi != 0);
	assert_int_equal(datapath_del(&kernel, b.spi, NULL, NULL), 0);
	assert_int_equal(tunnels_refresh(w.tunnels, &e), 0);
	assert_null(tunnels_find(w.tunnels, b.spi));
	assert_int_equal(records("vanished"), 1);
}

/* What the kernel does not delete keeps its alias until it does. */
static void test_stuck(void **state)
{
	struct request a, b;
	struct shunt_addr alias;
	struct tunnel_info info;
	uint32_t spi;

	(void)state;
	ask(&a, JOB1, "mfp-1", 4, false);
	AWAIT(a.spi);
	spi = a.spi;
	alias = tunnels_find(w.tunnels, spi)->alias;
	kernel.fail_del = -ENOMEM;
	end(&a);
	assert_null(tunnels_find(w.tunnels, spi));
	assert_int_equal(records("\"7K\""), 1);
	ask(&b, JOB2, "mfp-2", 4, false);
	AWAIT(b.spi);
	assert_false(addr_equal(&tunnels_find(w.tunnels, b.spi)->alias, &alias));
	tunnels_sweep(w.tunnels);
	assert_non_null(kernel_find(spi));
	/* the daemon comes back and cannot remove the orphan either */
	stop();
	start();
	assert_int_equal(tunnels_adopt(w.tunnels, &(struct err){ 0 }), 0);
	assert_non_null(tunnels_find(w.tunnels, b.spi));
	assert_null(tunnels_find(w.tunnels, spi));
	assert_non_null(kernel_find(spi));
	kernel.fail_del = 0;
	/* the tick does it */
	AWAIT(!kernel_find(spi));
	assert_int_equal(tunnels_count(w.tunnels), 1);
	/* the kernel does it by itself */
	info = *kernel_find(b.spi);
	kernel.fail_del = -ENOMEM;
	tunnels_close(w.tunnels, tunnels_find(w.tunnels, b.spi), "closed", NULL);
	kernel.n = 0;
	tunnels_deleted(w.tunnels, &info);
	tunnels_sweep(w.tunnels);
	assert_int_equal(tunnels_count(w.tunnels), 0);
}

/* After a restart: known tunnels are taken over, unknown ones removed, lost ones recorded. */
static void test_adoption(void **state)
{
	struct request a, b;
	struct gw_tunnel *t;
	struct tunnel_spec orphan = { .spi_in = 0x9999, .cookie = JOB4 };
	const uint8_t key_in[36] = { 0xaa }, key_out[36] = { 0xbb };
	struct sapi_load load;
	struct err e = { 0 };

	(void)state;
	ask(&a, JOB1, "mfp-1", 4, true);
	ask(&b, JOB2, "nas-2", 4, false);
	settle();
	assert_true(a.spi && b.spi);
	stop();
	assert_int_equal(kernel.n, 2);
	assert_int_equal(datapath_del(&kernel, b.spi, NULL, NULL), 0);
	assert_int_equal(datapath_new(&kernel, &orphan, key_in, key_out, NULL), 0);
	start();
	assert_int_equal(tunnels_adopt(w.tunnels, &e), 0);
	assert_int_equal(kernel.n, 1);
	t = tunnels_find(w.tunnels, a.spi);
	assert_non_null(t);
	assert_string_equal(t->job, JOB1);
	assert_string_equal(t->cloud, "cloud1");
	assert_string_equal(t->device, "mfp-1");
	assert_false(t->connectable);
	assert_true(t->adopted);
	assert_true(tunnels_find_job(w.tunnels, "cloud1", JOB1) == t);
	assert_null(tunnels_find_job(w.tunnels, "cloud2", JOB1));
	assert_int_equal(records("vanished"), 1);
	assert_int_equal(records("orphaned"), 1);
	/* The alias is not given away a second time. */
	ask(&b, JOB2, "nas-2", 4, false);
	settle();
	assert_false(addr_equal(&tunnels_find(w.tunnels, b.spi)->alias, &t->alias));
	controller_load(w.controller, &load);
	assert_int_equal(load.tunnels, 2);
	assert_int_equal(load.tunnels_high, 2);
	assert_int_equal(load.datapath_permille, 1000);
}

/* An adopted tunnel stays until its cloud has told of the job again; then it is moved like any other. */
static void test_adopted_moves(void **state)
{
	struct sapi_tunnel_job job = { .kind = JOB_PRINT,
				       .remaining = 100000000,
				       .connectable = true,
				       .connect = { .agent_port = 8633 } };
	struct request a, b;
	struct gw_tunnel *t;
	struct err e = { 0 };

	(void)state;
	w.conf.policy.tunnels_high = w.conf.policy.tunnels_low = 1;
	ask(&a, JOB1, "mfp-1", 4, true);
	settle();
	kernel_find(a.spi)->rx.bytes = 5000000;
	stop();
	start();
	assert_int_equal(tunnels_adopt(w.tunnels, &e), 0);
	ask(&b, JOB2, "nas-1", 4, false);
	settle();
	assert_int_equal(n_asked, 0);
	t = tunnels_find(w.tunnels, a.spi);
	assert_int_equal(tunnel_remaining(t), POLICY_REMAINING_UNKNOWN);
	strcpy(job.connect.token, JOB3);
	tunnels_tell(t, &job);
	assert_false(t->adopted);
	assert_int_equal(tunnel_remaining(t), 100000000); /* as from now, not from its opening */
	controller_told(w.controller, t);
	settle();
	assert_int_equal(n_asked, 1);
	assert_string_equal(asked[0]->body.job, JOB1);
	assert_string_equal(asked[0]->body.token, JOB3);
	assert_int_equal(asked[0]->at.port, 8633);
	assert_string_equal(decision(JOB1, SAPI_GW_MOVE)->reason, "tunnel-limit");
	device_answers(0, 0, "");
	end(&a);
	settle();
	assert_true(b.spi != 0);
}

/* A restart knows that a tunnel's job was leaving it: its record will say "moved". */
static void test_adopted_leaving(void **state)
{
	struct request a, b;
	struct err e = { 0 };

	(void)state;
	w.conf.policy.tunnels_high = w.conf.policy.tunnels_low = 1;
	ask(&a, JOB1, "mfp-1", 4, true);
	settle();
	ask(&b, JOB2, "nas-1", 4, false);
	settle();
	assert_int_equal(n_asked, 1);
	assert_false(tunnels_find(w.tunnels, a.spi)->leaving);
	device_answers(0, 0, "");
	settle();
	stop();
	start();
	assert_int_equal(tunnels_adopt(w.tunnels, &e), 0);
	assert_true(tunnels_find(w.tunnels, a.spi)->leaving);
}

/* What is left counts in the direction in which the content goes. */
static void test_remaining(void **state)
{
	struct sapi_tunnel_job job = { .kind = JOB_FETCH, .remaining = 1000 };
	struct request a;
	struct gw_tunnel *t;

	(void)state;
	ask(&a, JOB1, "mfp-1", 4, true);
	settle();
	t = tunnels_find(w.tunnels, a.spi);
	t->rx.bytes = 400;
	assert_int_equal(tunnel_remaining(t), (64 << 20) - 400);
	tunnels_tell(t, &job);
	t->rx.bytes = 100000;
	t->tx.bytes = 300;
	assert_int_equal(tunnel_remaining(t), 700);
	t->tx.bytes = 1100;
	assert_int_equal(tunnel_remaining(t), 0);
	job.remaining = POLICY_REMAINING_UNKNOWN;
	tunnels_tell(t, &job);
	assert_int_equal(tunnel_remaining(t), POLICY_REMAINING_UNKNOWN);
}

/* First embodiment: moved at once, whatever the limits say. */
static void test_always(void **state)
{
	struct request a, b;

	(void)state;
	w.conf.policy.when = WHEN_ALWAYS;
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "mfp-1", 4, true);
	AWAIT(n_asked == 1);
	assert_string_equal(decision(JOB2, SAPI_GW_MOVE)->reason, "always");
	assert_true(b.spi != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_main_job, setup, teardown),
		cmocka_unit_test_setup_teardown(test_move_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arrival_direct, setup, teardown),
		cmocka_unit_test_setup_teardown(test_withdraw, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stuck, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adoption, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopted_moves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopted_leaving, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remaining, setup, teardown),
		cmocka_unit_test_setup_teardown(test_always, setup, teardown),
	};

	return cmocka_run_group_tests_name("gateway_controller", tests, NULL, NULL);
}
