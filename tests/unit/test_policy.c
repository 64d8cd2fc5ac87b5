// SPDX-License-Identifier: GPL-2.0-or-later
/* policy: each rule by itself, then properties over random input. */
#include "lib/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MIB (1u << 20)

static struct policy_settings settings(void)
{
	struct policy_settings s = {
		.tunnels_high = 2,
		.min_remaining = MIB,
		.connect_timeout = 10000,
	};

	assert_int_equal(policy_settings_check(&s, DECIDE_GATEWAY, NULL), 0);
	return s;
}

/* A connectable tunnel with plenty left. */
static struct policy_tunnel tunnel(uint32_t id, const char *device, uint8_t priority)
{
	return (struct policy_tunnel){
		.id = id,
		.device = device,
		.priority = priority,
		.connectable = true,
		.remaining = 100 * MIB,
	};
}

static struct policy_result run(const struct policy_settings *s, const struct policy_tunnel *t,
				size_t n, const struct policy_arrival *a,
				const struct policy_totals *totals)
{
	struct policy_totals tot = { .tunnels = (uint32_t)n,
				     .cpu_permille = POLICY_CPU_UNKNOWN,
				     .line_speed = POLICY_LINE_UNKNOWN };
	struct policy_input in = { .settings = s, .tunnels = t, .n = n, .arrival = a };
	struct policy_result r;

	in.totals = totals ? *totals : tot;
	assert_int_equal(policy_run(&in, &r), 0);
	assert_int_equal(r.n, n);
	return r;
}

static void expect(const struct policy_result *r, size_t i, uint32_t id, enum policy_action action,
		   enum policy_reason reason)
{
	assert_int_equal(r->v[i].tunnel, id);
	assert_string_equal(policy_action_str(r->v[i].action), policy_action_str(action));
	assert_string_equal(policy_reason_str(r->v[i].reason), policy_reason_str(reason));
	assert_true(strlen(r->v[i].text) > 0);
}

/* The demo: a job that cannot connect arrives at the limit, the print job moves (#809-#815). */
static void test_demo(void **state)
{
	struct policy_settings s = settings();
	struct policy_tunnel t[] = { tunnel(1, "nas", 4), tunnel(2, "mfp", 1) };
	struct policy_arrival a = { .device = "nas", .priority = 4, .remaining = 50 * MIB };
	struct policy_result r;

	(void)state;
	t[0].connectable = false;
	r = run(&s, t, 2, &a, NULL);
	expect(&r, 0, 2, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	assert_string_equal(r.v[0].text, "tunnels 2+1 > limit 2; lowest priority 1 of 1 movable");
	assert_int_equal(r.v[0].index, 1);
	expect(&r, 1, 1, POLICY_KEEP, POLICY_R_NOT_CONNECTABLE);
	assert_int_equal(r.arrival.action, POLICY_WAIT);
	assert_int_equal(r.arrival.reason, POLICY_R_TUNNEL_LIMIT);
	assert_string_equal(r.arrival.text, "tunnels 2+1 > limit 2; waits for 1 to be moved");
	policy_result_fini(&r);

	/* While that move is in flight nothing else happens; the job waits on. */
	t[1].moving = true;
	r = run(&s, t, 2, &a, NULL);
	expect(&r, 1, 2, POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT);
	assert_int_equal(r.arrival.action, POLICY_WAIT);
	assert_int_equal(r.arrival.reason, POLICY_R_MOVE_IN_FLIGHT);
	policy_result_fini(&r);

	/* The tunnel is gone: open. */
	r = run(&s, t, 1, &a, NULL);
	assert_int_equal(r.arrival.action, POLICY_OPEN);
	assert_string_equal(r.arrival.text, "tunnels 1+1 <= limit 2");
	policy_result_fini(&r);
}

static void test_below_limit(void **state)
{
	struct policy_settings s = settings();
	struct policy_tunnel t[] = { tunnel(1, "a", 4) };
	struct policy_arrival a = { .device = "b", .connectable = true, .remaining = MIB };
	struct policy_result r;

	(void)state;
	r = run(&s, t, 1, &a, NULL);
	expect(&r, 0, 1, POLICY_KEEP, POLICY_R_BELOW_LIMIT);
	assert_int_equal(r.arrival.action, POLICY_OPEN);
	assert_int_equal(r.relieving, 0);
	policy_result_fini(&r);
	s.tunnels_high = s.tunnels_low = 0; /* no limit */
	r = run(&s, t, 1, &a, NULL);
	assert_int_equal(r.arrival.action, POLICY_OPEN);
	assert_string_equal(r.arrival.text, "no limit on tunnels");
	policy_result_fini(&r);
	r = run(&s, NULL, 0, NULL, NULL);
	policy_result_fini(&r);
}

static void test_always(void **state)
{
	struct policy_settings s = settings();
	struct policy_tunnel t[] = { tunnel(1, "a", 4), tunnel(2, "b", 1), tunnel(3, "b", 0),
				     tunnel(4, "c", 4) };
	struct policy_result r;

	(void)state;
	s.when = WHEN_ALWAYS;
	s.tunnels_high = s.tunnels_low = 16;
	t[3].connectable = false;
	r = run(&s, t, 4, NULL, NULL);
	expect(&r, 0, 3, POLICY_MOVE, POLICY_R_ALWAYS);
	expect(&r, 1, 1, POLICY_MOVE, POLICY_R_ALWAYS);
	expect(&r, 2, 4, POLICY_KEEP, POLICY_R_NOT_CONNECTABLE);
	/* One move a device at a time, its lowest priority first (claim 3 of the third aspect). */
	expect(&r, 3, 2, POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT);
	policy_result_fini(&r);
}

static void test_excluded(void **state)
{
	struct policy_settings s = settings();
	struct policy_tunnel t[] = { tunnel(1, "a", 0), tunnel(2, "b", 0), tunnel(3, "c", 0),
				     tunnel(4, "d", 0), tunnel(5, "d", 0), tunnel(6, "e", 7) };
	struct policy_arrival a = { .device = "z", .remaining = 50 * MIB };
	struct policy_result r;

	(void)state;
	t[0].closing = true;
	t[1].failed = true;
	t[2].remaining = MIB - 1;
	t[3].moving = true;
	t[5].remaining = POLICY_REMAINING_UNKNOWN;
	r = run(&s, t, 6, &a, NULL);
	expect(&r, 0, 6, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	expect(&r, 1, 1, POLICY_KEEP, POLICY_R_CLOSING);
	expect(&r, 2, 2, POLICY_KEEP, POLICY_R_MOVE_FAILED);
	expect(&r, 3, 3, POLICY_KEEP, POLICY_R_NEARLY_DONE);
	expect(&r, 4, 4, POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT);
	expect(&r, 5, 5, POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT);
	policy_result_fini(&r);
}

/* min-remaining 0: every rest is worth a move, but not no rest; and what is not known may be much. */
static void test_nothing_left(void **state)
{
	struct policy_settings s = settings();
	struct policy_tunnel t[] = { tunnel(1, "a", 0), tunnel(2, "b", 1), tunnel(3, "c", 2) };
	struct policy_arrival a = { .device = "z", .connectable = true };
	struct policy_result r;

	(void)state;
	s.min_remaining = 0;
	t[0].remaining = 0;
	t[1].remaining = 1;
	t[2].remaining = POLICY_REMAINING_UNKNOWN;
	r = run(&s, t, 3, &a, NULL);
	expect(&r, 0, 2, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	expect(&r, 1, 3, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	expect(&r, 2, 1, POLICY_KEEP, POLICY_R_NEARLY_DONE);
	assert_string_equal(r.v[2].text, "nothing left to carry");
	assert_int_equal(r.arrival.action, POLICY_WAIT);
	policy_result_fini(&r);
	s.when = WHEN_ALWAYS;
	r = run(&s, t, 1, NULL, NULL);
	expect(&r, 0, 1, POLICY_KEEP, POLICY_R_NEARLY_DONE);
	policy_result_fini(&r);
}

static void test_select(void **state)
{
	struct policy_settings s = settings();
	struct policy_tunnel t[] = { tunnel(1, "a", 5), tunnel(2, "b", 2), tunnel(3, "c", 2) };
	struct policy_arrival a = { .device = "z", .remaining = 50 * MIB };
	struct policy_result r;

	(void)state;
	s.tunnels_high = s.tunnels_low = 3;
	t[0].load_ns = 900000000;
	t[1].load_ns = 1000000;
	t[2].load_ns = 2500000;
	r = run(&s, t, 3, &a, NULL);
	expect(&r, 0, 3, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	assert_string_equal(r.v[0].text, "tunnels 3+1 > limit 3; greatest relief 2500 us/s at "
					 "priority 2 of 3 movable");
	expect(&r, 1, 2, POLICY_KEEP, POLICY_R_ENOUGH);
	expect(&r, 2, 1, POLICY_KEEP, POLICY_R_ENOUGH);
	policy_result_fini(&r);
	/* Without figures the job with most left is the best guess. */
	t[1].load_ns = t[2].load_ns = 0;
	t[1].remaining++;
	r = run(&s, t, 3, &a, NULL);
	expect(&r, 0, 2, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	policy_result_fini(&r);
	s.select = SELECT_RELIEF;
	r = run(&s, t, 3, &a, NULL);
	expect(&r, 0, 1, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	policy_result_fini(&r);
}

static void test_hysteresis(void **state)
{
	struct policy_settings s = settings();
	struct policy_tunnel t[6];
	struct policy_totals tot = { .cpu_permille = POLICY_CPU_UNKNOWN,
				     .line_speed = POLICY_LINE_UNKNOWN };
	const char *const device[] = { "a", "b", "c", "d", "e", "f" };
	struct policy_arrival a = { .device = "z", .remaining = 50 * MIB };
	struct policy_result r;

	(void)state;
	s.tunnels_high = 6;
	s.tunnels_low = 4;
	for (uint32_t i = 0; i < 6; i++)
		t[i] = tunnel(i + 1, device[i], 4);
	/* 6 + 1 passes 6: down to 4, so three go. */
	tot.tunnels = 6;
	r = run(&s, t, 6, &a, &tot);
	expect(&r, 2, 3, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	expect(&r, 3, 4, POLICY_KEEP, POLICY_R_ENOUGH);
	assert_int_equal(r.relieving, POLICY_RELIEVING_TUNNELS);
	policy_result_fini(&r);
	/* 5 left, still above the low mark: one more. */
	tot.tunnels = 5;
	tot.relieving = POLICY_RELIEVING_TUNNELS;
	r = run(&s, t, 5, NULL, &tot);
	expect(&r, 0, 1, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	assert_non_null(strstr(r.v[0].text, "tunnels 5+0 > low mark 4"));
	policy_result_fini(&r);
	/* At the low mark it is over, and 5 again starts nothing. */
	tot.tunnels = 4;
	r = run(&s, t, 4, NULL, &tot);
	expect(&r, 0, 1, POLICY_KEEP, POLICY_R_BELOW_LIMIT);
	assert_int_equal(r.relieving, 0);
	policy_result_fini(&r);
	tot.tunnels = 5;
	tot.relieving = 0;
	r = run(&s, t, 5, NULL, &tot);
	expect(&r, 0, 1, POLICY_KEEP, POLICY_R_BELOW_LIMIT);
	policy_result_fini(&r);
	/* The count may be larger than what we see; only ours can be moved. */
	tot.tunnels = 100;
	r = run(&s, t, 2, NULL, &tot);
	expect(&r, 1, 2, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	policy_result_fini(&r);
}

static void test_cpu(void **state)
{
	struct policy_settings s = settings();
	struct policy_tunnel t[] = { tunnel(1, "a", 4), tunnel(2, "b", 4), tunnel(3, "c", 4) };
	struct policy_totals tot = { .tunnels = 3, .cpu_permille = 800, .cpus = 2 };
	struct policy_arrival a = { .device = "z", .remaining = 50 * MIB };
	struct policy_result r;

	(void)state;
	s.tunnels_high = s.tunnels_low = 16;
	s.cpu_high = 800;
	s.cpu_low = 700;
	/* 101 permille of two CPUs are 202 ms per second. */
	t[0].load_ns = 150000000;
	t[1].load_ns = 100000000;
	t[2].load_ns = 50000000;
	r = run(&s, t, 3, &a, &tot);
	expect(&r, 0, 1, POLICY_MOVE, POLICY_R_CPU_LIMIT);
	assert_string_equal(r.v[0].text, "cpu 800 >= 800 permille; greatest relief 150000 us/s at "
					 "priority 4 of 3 movable");
	expect(&r, 1, 2, POLICY_MOVE, POLICY_R_CPU_LIMIT);
	expect(&r, 2, 3, POLICY_KEEP, POLICY_R_ENOUGH);
	assert_int_equal(r.arrival.action, POLICY_OPEN); /* it has a slot and cannot connect */
	assert_int_equal(r.relieving, POLICY_RELIEVING_CPU);
	policy_result_fini(&r);
	/* Moves in flight count as relief. */
	t[0].moving = t[1].moving = true;
	r = run(&s, t, 3, NULL, &tot);
	expect(&r, 2, 3, POLICY_KEEP, POLICY_R_ENOUGH);
	policy_result_fini(&r);
	/* Between the marks only when relieving. */
	t[0].moving = t[1].moving = false;
	tot.cpu_permille = 750;
	r = run(&s, t, 3, NULL, &tot);
	expect(&r, 0, 1, POLICY_KEEP, POLICY_R_BELOW_LIMIT);
	policy_result_fini(&r);
	tot.relieving = POLICY_RELIEVING_CPU;
	r = run(&s, t, 3, NULL, &tot);
	expect(&r, 0, 1, POLICY_MOVE, POLICY_R_CPU_LIMIT);
	policy_result_fini(&r);
	tot.cpu_permille = 699;
	r = run(&s, t, 3, NULL, &tot);
	assert_int_equal(r.relieving, 0);
	policy_result_fini(&r);
	/* An idle tunnel is no relief; an arrival that can connect is spared its tunnel. */
	tot.cpu_permille = 900;
	t[0].load_ns = t[1].load_ns = t[2].load_ns = 0;
	a.connectable = true;
	r = run(&s, t, 3, &a, &tot);
	expect(&r, 0, 1, POLICY_KEEP, POLICY_R_NO_RELIEF);
	assert_int_equal(r.arrival.action, POLICY_DIRECT);
	assert_int_equal(r.arrival.reason, POLICY_R_CPU_LIMIT);
	policy_result_fini(&r);
}

/*
 * Second embodiment, variant: at or below a line speed jobs are moved, one at a time, until the line
 * is above the high mark.
 */
static void test_line(void **state)
{
	struct policy_settings s = settings();
	struct policy_tunnel t[] = { tunnel(1, "a", 4), tunnel(2, "b", 1), tunnel(3, "c", 2) };
	struct policy_totals tot = { .tunnels = 3, .cpu_permille = POLICY_CPU_UNKNOWN };
	struct policy_arrival a = { .device = "z", .priority = 1, .remaining = 50 * MIB };
	struct policy_result r;

	(void)state;
	s.tunnels_high = s.tunnels_low = 16;
	s.line_speed_low = 1000000;
	s.line_speed_high = 2000000;
	tot.line_speed = 812345;
	r = run(&s, t, 3, NULL, &tot);
	expect(&r, 0, 2, POLICY_MOVE, POLICY_R_LINE_SPEED);
	assert_string_equal(r.v[0].text,
			    "line 812 kbit/s <= 1000 kbit/s; lowest priority 1 of 3 movable");
	expect(&r, 1, 3, POLICY_KEEP, POLICY_R_ENOUGH);
	assert_int_equal(r.relieving, POLICY_RELIEVING_LINE);
	policy_result_fini(&r);
	/* Its effect is awaited: neither while it is in flight, nor right after it. */
	t[1].moving = true;
	r = run(&s, t, 3, NULL, &tot);
	expect(&r, 1, 3, POLICY_KEEP, POLICY_R_ENOUGH);
	policy_result_fini(&r);
	t[1].moving = false;
	tot.line_settling = true;
	r = run(&s, t, 3, NULL, &tot);
	expect(&r, 0, 2, POLICY_KEEP, POLICY_R_ENOUGH);
	assert_int_equal(r.relieving, POLICY_RELIEVING_LINE);
	policy_result_fini(&r);
	/* Between the marks only when relieving; the marks themselves still count. */
	tot.line_settling = false;
	tot.line_speed = 2000000;
	r = run(&s, t, 3, NULL, &tot);
	expect(&r, 0, 2, POLICY_KEEP, POLICY_R_BELOW_LIMIT);
	assert_int_equal(r.relieving, 0);
	policy_result_fini(&r);
	tot.relieving = POLICY_RELIEVING_LINE;
	r = run(&s, t, 3, NULL, &tot);
	expect(&r, 0, 2, POLICY_MOVE, POLICY_R_LINE_SPEED);
	assert_non_null(strstr(r.v[0].text, "line 2000 kbit/s <= 2000 kbit/s"));
	policy_result_fini(&r);
	tot.line_speed = 2000001;
	r = run(&s, t, 3, NULL, &tot);
	assert_int_equal(r.relieving, 0);
	policy_result_fini(&r);
	/* Nobody knows: nothing is done. */
	tot.line_speed = POLICY_LINE_UNKNOWN;
	r = run(&s, t, 3, NULL, &tot);
	expect(&r, 0, 2, POLICY_KEEP, POLICY_R_BELOW_LIMIT);
	policy_result_fini(&r);
	/* By relief where that is the order; a newcomer that can connect is spared its tunnel. */
	tot.line_speed = 1000000;
	s.select = SELECT_RELIEF;
	t[0].load_ns = 5000;
	r = run(&s, t, 3, &a, &tot);
	expect(&r, 0, 1, POLICY_MOVE, POLICY_R_LINE_SPEED);
	assert_int_equal(r.arrival.action, POLICY_OPEN);
	policy_result_fini(&r);
	s.select = SELECT_PRIORITY;
	a.connectable = true;
	r = run(&s, t, 3, &a, &tot);
	assert_int_equal(r.arrival.action, POLICY_DIRECT);
	assert_int_equal(r.arrival.reason, POLICY_R_LINE_SPEED);
	policy_result_fini(&r);
}

/* Claims 2-3: while no limit needs the tunnel, it is used together with the connection. */
static void test_split(void **state)
{
	struct policy_settings s = settings();
	struct policy_tunnel t[] = { tunnel(1, "a", 4), tunnel(2, "b", 1), tunnel(3, "c", 4),
				     tunnel(4, "b", 0) };
	struct policy_result r;

	(void)state;
	s.when = WHEN_ALWAYS;
	s.split = true;
	s.tunnels_high = s.tunnels_low = 4;
	t[2].connectable = false;
	r = run(&s, t, 4, NULL, NULL);
	expect(&r, 0, 4, POLICY_SPLIT, POLICY_R_ALWAYS);
	expect(&r, 1, 1, POLICY_SPLIT, POLICY_R_ALWAYS);
	expect(&r, 2, 3, POLICY_KEEP, POLICY_R_NOT_CONNECTABLE);
	expect(&r, 3, 2, POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT);
	assert_int_equal(r.relieving, 0);
	policy_result_fini(&r);
	/* Both asked, one is connected: beside. Then the device's next job has its turn. */
	t[0].splitting = true;
	t[3].beside = true;
	r = run(&s, t, 4, NULL, NULL);
	expect(&r, 0, 2, POLICY_SPLIT, POLICY_R_ALWAYS);
	expect(&r, 1, 1, POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT);
	expect(&r, 2, 3, POLICY_KEEP, POLICY_R_NOT_CONNECTABLE);
	expect(&r, 3, 4, POLICY_KEEP, POLICY_R_BESIDE);
	policy_result_fini(&r);
	/* Without `split` the first embodiment: moved at once. */
	s.split = false;
	t[0].splitting = t[3].beside = false;
	r = run(&s, t, 4, NULL, NULL);
	expect(&r, 0, 4, POLICY_MOVE, POLICY_R_ALWAYS);
	policy_result_fini(&r);
	/* At a threshold nothing is split: what is moved frees its slot. */
	s.split = true;
	s.when = WHEN_THRESHOLD;
	r = run(&s, t, 4, NULL, NULL);
	expect(&r, 1, 4, POLICY_KEEP, POLICY_R_BELOW_LIMIT);
	policy_result_fini(&r);
}

/* Claim 2: "until the tunnel is disconnected". A limit is passed: beside goes first. */
static void test_split_cut(void **state)
{
	struct policy_settings s = settings();
	struct policy_tunnel t[] = { tunnel(1, "a", 0), tunnel(2, "b", 3), tunnel(3, "c", 1),
				     tunnel(4, "d", 7) };
	struct policy_arrival a = { .device = "z", .connectable = true, .remaining = 50 * MIB };
	struct policy_totals tot = { .tunnels = 4,
				     .cpu_permille = POLICY_CPU_UNKNOWN,
				     .line_speed = POLICY_LINE_UNKNOWN };
	struct policy_result r;

	(void)state;
	s.when = WHEN_ALWAYS;
	s.split = true;
	s.tunnels_high = s.tunnels_low = 4;
	t[1].beside = t[2].beside = true;
	/* One more is wanted: the lowest priority of those beside; the rest is as before. */
	r = run(&s, t, 4, &a, NULL);
	expect(&r, 0, 3, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	assert_string_equal(r.v[0].text, "tunnels 4+1 > limit 4; device c is connected, "
					 "priority 1 of 4 movable");
	expect(&r, 1, 1, POLICY_SPLIT, POLICY_R_ALWAYS);
	expect(&r, 2, 4, POLICY_SPLIT, POLICY_R_ALWAYS);
	expect(&r, 3, 2, POLICY_KEEP, POLICY_R_BESIDE);
	/* Its slot costs nothing, so the newcomer is not asked to connect instead. */
	assert_int_equal(r.arrival.action, POLICY_WAIT);
	assert_string_equal(r.arrival.text, "tunnels 4+1 > limit 4; waits for 1 to be moved");
	policy_result_fini(&r);
	/* Three more: those beside, then in the usual order. */
	tot.waiting = 2;
	r = run(&s, t, 4, &a, &tot);
	expect(&r, 0, 3, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	expect(&r, 1, 2, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	expect(&r, 2, 1, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	expect(&r, 3, 4, POLICY_SPLIT, POLICY_R_ALWAYS);
	policy_result_fini(&r);
	/* What keeps others back from connecting does not matter to it any more. */
	tot.waiting = 0;
	t[2].remaining = 10;
	t[2].failed = true;
	r = run(&s, t, 4, &a, &tot);
	expect(&r, 0, 3, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	policy_result_fini(&r);
	/* By relief among themselves where that is the order. */
	s.select = SELECT_RELIEF;
	t[0].load_ns = 900000;
	t[1].load_ns = 1000;
	r = run(&s, t, 4, &a, &tot);
	expect(&r, 0, 2, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	policy_result_fini(&r);
	/* CPU: only what costs something. */
	s.cpu_high = s.cpu_low = 500;
	tot.cpu_permille = 500;
	t[1].load_ns = t[2].load_ns = 0;
	r = run(&s, t, 4, NULL, &tot);
	expect(&r, 0, 1, POLICY_MOVE, POLICY_R_CPU_LIMIT);
	policy_result_fini(&r);
	/* A device about to connect is waited for. */
	t[0] = tunnel(1, "a", 0);
	t[0].splitting = true;
	s.tunnels_high = s.tunnels_low = 1;
	tot = (struct policy_totals){ .tunnels = 1,
				      .cpu_permille = POLICY_CPU_UNKNOWN,
				      .line_speed = POLICY_LINE_UNKNOWN };
	a.connectable = false;
	r = run(&s, t, 1, &a, &tot);
	expect(&r, 0, 1, POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT);
	assert_int_equal(r.arrival.action, POLICY_WAIT);
	assert_string_equal(r.arrival.text,
			    "tunnels 1+1 > limit 1; waits for the devices of 1 to connect");
	policy_result_fini(&r);
}

/*
 * Claims 4-5: one tunnel for each job, and a device with several jobs connects for that of the lowest
 * priority first, whatever others have; then for the next.
 */
static void test_same_device(void **state)
{
	struct policy_settings s = settings();
	struct policy_tunnel t[] = { tunnel(1, "mfp", 6), tunnel(2, "mfp", 2), tunnel(3, "mfp", 4),
				     tunnel(4, "nas", 5) };
	const char *busy[] = { "mfp" };
	struct policy_arrival a = { .device = "pc", .priority = 7, .remaining = 50 * MIB };
	struct policy_input in = { .settings = &s, .tunnels = t, .n = 4, .arrival = &a };
	struct policy_totals tot = { .tunnels = 4,
				     .waiting = 2,
				     .cpu_permille = POLICY_CPU_UNKNOWN,
				     .line_speed = POLICY_LINE_UNKNOWN };
	struct policy_result r;

	(void)state;
	s.tunnels_high = s.tunnels_low = 4;
	/* Three slots are wanted: one of each device, though two others of mfp come before nas. */
	r = run(&s, t, 4, &a, &tot);
	expect(&r, 0, 2, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	expect(&r, 1, 4, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	expect(&r, 2, 3, POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT);
	assert_string_equal(r.v[2].text, "another move to device mfp goes first");
	expect(&r, 3, 1, POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT);
	policy_result_fini(&r);
	/* The first is over: the next lowest follows. */
	tot.tunnels = 3;
	r = run(&s, (struct policy_tunnel[]){ t[0], t[2], t[3] }, 3, &a, &tot);
	expect(&r, 0, 3, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	policy_result_fini(&r);
	/* The device is asked for a job that has no tunnel here. */
	in.totals = tot;
	in.busy = busy;
	in.n_busy = 1;
	assert_int_equal(policy_run(&in, &r), 0);
	expect(&r, 0, 4, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	expect(&r, 1, 1, POLICY_KEEP, POLICY_R_MOVE_IN_FLIGHT);
	policy_result_fini(&r);
	/* `select = relief`: what the kernel measured, before any priority. */
	s.select = SELECT_RELIEF;
	t[0].load_ns = 3000000;
	t[1].load_ns = 1000000;
	t[3].load_ns = 2000000;
	tot.tunnels = 4;
	r = run(&s, t, 4, &a, &tot);
	expect(&r, 0, 1, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	expect(&r, 1, 4, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	policy_result_fini(&r);
}

static void test_arrival(void **state)
{
	struct policy_settings s = settings();
	struct policy_tunnel t[] = { tunnel(1, "a", 4), tunnel(2, "b", 4) };
	struct policy_arrival a = { .device = "z", .priority = 4, .connectable = true };
	struct policy_totals tot = { .tunnels = 2, .cpu_permille = POLICY_CPU_UNKNOWN };
	struct policy_result r;

	(void)state;
	a.remaining = 50 * MIB;
	/* Among equals the newcomer connects itself: nothing has to be moved. */
	r = run(&s, t, 2, &a, NULL);
	assert_int_equal(r.arrival.action, POLICY_DIRECT);
	assert_int_equal(r.arrival.reason, POLICY_R_TUNNEL_LIMIT);
	expect(&r, 0, 1, POLICY_KEEP, POLICY_R_ENOUGH);
	policy_result_fini(&r);
	/* A more important one gets the slot of the least important. */
	a.priority = 5;
	r = run(&s, t, 2, &a, NULL);
	assert_int_equal(r.arrival.action, POLICY_WAIT);
	expect(&r, 0, 1, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	policy_result_fini(&r);
	/* Its device is connected already. */
	a.direct = true;
	r = run(&s, t, 2, &a, NULL);
	assert_int_equal(r.arrival.action, POLICY_DIRECT);
	assert_int_equal(r.arrival.reason, POLICY_R_DIRECT);
	expect(&r, 0, 1, POLICY_KEEP, POLICY_R_BELOW_LIMIT);
	policy_result_fini(&r);
	/* Not worth a connection. */
	a = (struct policy_arrival){ .device = "z", .connectable = true, .remaining = 10 };
	t[0].connectable = t[1].connectable = false;
	r = run(&s, t, 2, &a, NULL);
	assert_int_equal(r.arrival.action, POLICY_WAIT);
	assert_int_equal(r.arrival.reason, POLICY_R_NO_RELIEF);
	policy_result_fini(&r);
	/* Its device is about to be connected for another job. */
	a.remaining = 50 * MIB;
	a.device = "b";
	t[1].connectable = t[1].moving = true;
	r = run(&s, t, 2, &a, NULL);
	assert_int_equal(r.arrival.action, POLICY_WAIT);
	assert_int_equal(r.arrival.reason, POLICY_R_MOVE_IN_FLIGHT);
	policy_result_fini(&r);
	/* Others wait: each needs a slot of its own; some go first. */
	t[0].connectable = true;
	t[1].moving = false;
	a.connectable = false;
	tot.waiting = 1;
	r = run(&s, t, 2, &a, &tot);
	expect(&r, 0, 1, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	expect(&r, 1, 2, POLICY_MOVE, POLICY_R_TUNNEL_LIMIT);
	policy_result_fini(&r);
	tot.tunnels = 1;
	r = run(&s, t, 1, &a, &tot);
	assert_int_equal(r.arrival.action, POLICY_OPEN);
	policy_result_fini(&r);
	a.ahead = 1;
	r = run(&s, t, 1, &a, &tot);
	assert_int_equal(r.arrival.action, POLICY_WAIT);
	policy_result_fini(&r);
	/* A full queue refuses, and moves nothing for the one refused. */
	tot.tunnels = 2;
	tot.waiting = tot.waiting_max = 1;
	r = run(&s, t, 2, &a, &tot);
	assert_int_equal(r.arrival.action, POLICY_REFUSE);
	assert_int_equal(r.arrival.reason, POLICY_R_QUEUE_FULL);
	expect(&r, 1, 2, POLICY_KEEP, POLICY_R_ENOUGH);
	policy_result_fini(&r);
}

static void test_settings(void **state)
{
	struct policy_settings s = { .tunnels_high = 5, .cpu_high = 900 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(policy_settings_check(&s, DECIDE_GATEWAY, &e), 0);
	assert_int_equal(s.tunnels_low, 5);
	assert_int_equal(s.cpu_low, 900);
	s.tunnels_low = 6;
	assert_int_equal(policy_settings_check(&s, DECIDE_GATEWAY, &e), -SHUNT_ECONF);
	assert_string_equal(err_text(&e), "policy: tunnels-low: 6 is above tunnels-high 5");
	s.tunnels_low = 0;
	s.cpu_low = 901;
	assert_int_equal(policy_settings_check(&s, DECIDE_GATEWAY, &e), -SHUNT_ECONF);
	s.cpu_low = 0;
	s.line_speed_low = 1000000;
	assert_int_equal(policy_settings_check(&s, DECIDE_GATEWAY, &e), 0);
	assert_int_equal(s.line_speed_high, 1000000);
	s.line_speed_high = 999999;
	assert_int_equal(policy_settings_check(&s, DECIDE_GATEWAY, &e), -SHUNT_ECONF);
	assert_string_equal(err_text(&e), "policy: line-speed-low: is above line-speed-high");
	s.line_speed_high = 0;
	s.decide = DECIDE_CLOUD;
	s.cut = CUT_AFTER_REQUEST;
	s.count = COUNT_PAIR;
	s.split = s.suspend = true;
	assert_int_equal(policy_settings_check(&s, DECIDE_GATEWAY, &e), 0);
	/* Who asks for the content is between the cloud and its devices. */
	s.delivery = DELIVERY_PULL;
	assert_int_equal(policy_settings_check(&s, DECIDE_CLOUD, &e), 0);
	assert_int_equal(policy_settings_check(&s, DECIDE_GATEWAY, &e), -SHUNT_ECONF);
	assert_string_equal(err_text(&e),
			    "policy: delivery: is the cloud's setting, not a gateway's");
}

#define RANDOM_MAX 12

/* What must hold whatever comes in. */
static void check_properties(const struct policy_input *in, const struct policy_result *r)
{
	bool seen[RANDOM_MAX] = { false };
	size_t moves = 0; /* and splits */

	assert_int_equal(r->n, in->n);
	for (size_t i = 0; i < r->n; i++) {
		const struct policy_decision *d = &r->v[i];
		const struct policy_tunnel *t = &in->tunnels[d->index];

		assert_true(d->index < in->n && !seen[d->index]);
		seen[d->index] = true;
		assert_int_equal(d->tunnel, t->id);
		assert_true(d->text[0] && strlen(d->text) < POLICY_TEXT_MAX - 1);
		if (d->action != POLICY_MOVE && d->action != POLICY_SPLIT)
			continue;
		assert_int_equal(moves++, i); /* they come first */
		assert_false(t->moving || t->closing || t->splitting);
		assert_true(t->beside || (t->connectable && !t->failed));
		assert_true(t->beside || t->remaining >= in->settings->min_remaining);
		assert_true(t->beside || t->remaining);
		assert_false(d->action == POLICY_SPLIT && (t->beside || !in->settings->split));
		for (size_t j = 0; j < in->n; j++)
			assert_false((in->tunnels[j].moving || in->tunnels[j].splitting) &&
				     !strcmp(in->tunnels[j].device, t->device));
		for (size_t j = 0; j < in->n_busy; j++)
			assert_true(strcmp(in->busy[j], t->device));
		for (size_t j = 0; j < i; j++)
			assert_true(strcmp(in->tunnels[r->v[j].index].device, t->device));
	}
	/* Nobody more important moves while a movable less important one stays for no reason. */
	for (size_t i = 0; in->settings->select == SELECT_PRIORITY && i + 1 < moves; i++)
		assert_true(in->tunnels[r->v[i].index].priority <=
				    in->tunnels[r->v[i + 1].index].priority ||
			    in->tunnels[r->v[i].index].beside);
	if (in->arrival && r->arrival.action == POLICY_OPEN)
		assert_true(!in->settings->tunnels_high ||
			    in->totals.tunnels < in->settings->tunnels_high);
}

static void test_random(void **state)
{
	static const char *const device[] = { "a", "b", "c", "d", "e", "f" };
	struct policy_tunnel t[RANDOM_MAX];
	struct policy_arrival a;

	(void)state;
	srandom(11);
	for (int round = 0; round < 50000; round++) {
		struct policy_settings s = settings();
		struct policy_input in = { .settings = &s, .tunnels = t };
		struct policy_result r, again;

		s.tunnels_high = (uint32_t)random() % 10;
		s.tunnels_low = s.tunnels_high ? (uint32_t)random() % (s.tunnels_high + 1) : 0;
		s.cpu_high = random() % 2 ? 500 : 0;
		s.when = random() % 4 ? WHEN_THRESHOLD : WHEN_ALWAYS;
		s.select = (int)(random() % 2);
		s.split = random() % 2;
		s.line_speed_low = random() % 3 ? 0 : 1000;
		assert_int_equal(policy_settings_check(&s, DECIDE_GATEWAY, NULL), 0);
		in.n = (size_t)random() % (RANDOM_MAX + 1);
		for (size_t i = 0; i < in.n; i++) {
			t[i] = tunnel((uint32_t)i + 1, device[random() % 6],
				      (uint8_t)(random() % 8));
			t[i].connectable = random() % 3;
			t[i].moving = random() % 5 == 0;
			t[i].splitting = random() % 6 == 0;
			t[i].beside = random() % 4 == 0 && !t[i].splitting;
			t[i].closing = random() % 7 == 0;
			t[i].failed = random() % 9 == 0;
			t[i].remaining = (uint64_t)(random() % 4) * MIB;
			t[i].load_ns = (uint64_t)(random() % 4) * 100000000;
		}
		in.totals.tunnels = (uint32_t)(in.n + (size_t)random() % 3);
		in.totals.waiting = (uint32_t)random() % 3;
		in.totals.waiting_max = (uint32_t)random() % 4;
		in.totals.cpu_permille = random() % 3 ? (uint32_t)random() % 1001 :
							POLICY_CPU_UNKNOWN;
		in.totals.line_speed = random() % 3 ? (uint64_t)random() % 2000 :
						      POLICY_LINE_UNKNOWN;
		in.totals.line_settling = random() % 4 == 0;
		in.totals.relieving = (unsigned int)random() % 8;
		in.busy = device;
		in.n_busy = random() % 3 ? 0 : 2;
		a = (struct policy_arrival){
			.device = device[random() % 6],
			.priority = (uint8_t)(random() % 8),
			.connectable = random() % 2,
			.direct = random() % 6 == 0,
			.remaining = (uint64_t)(random() % 4) * MIB,
		};
		a.ahead = in.totals.waiting ? (uint32_t)random() % in.totals.waiting : 0;
		in.arrival = random() % 2 ? &a : NULL;
		assert_int_equal(policy_run(&in, &r), 0);
		check_properties(&in, &r);
		/* Same input, same answer. */
		assert_int_equal(policy_run(&in, &again), 0);
		assert_int_equal(r.relieving, again.relieving);
		for (size_t i = 0; i < r.n; i++)
			assert_string_equal(r.v[i].text, again.v[i].text);
		policy_result_fini(&r);
		policy_result_fini(&again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_demo),	     cmocka_unit_test(test_below_limit),
		cmocka_unit_test(test_always),	     cmocka_unit_test(test_excluded),
		cmocka_unit_test(test_nothing_left), cmocka_unit_test(test_select),
		cmocka_unit_test(test_hysteresis),   cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_line),	     cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_cut),    cmocka_unit_test(test_same_device),
		cmocka_unit_test(test_arrival),	     cmocka_unit_test(test_settings),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
