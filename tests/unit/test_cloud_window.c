// SPDX-License-Identifier: GPL-2.0-or-later
/* The window against a simulated path: it must fill the path, and not much more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/window.h"

#define SEGMENT ((uint64_t)256 << 10)
#define MAX ((uint64_t)4 << 20)
#define IN_FLIGHT 64

/* A pipe of @rate bytes/ms and @rtt ms; segments leave one after the other. */
struct pipe {
	struct window w;
	uint64_t now, rate, rtt, busy_until, done;
	struct {
		struct window_mark mark;
		uint64_t acked_at;
	} q[IN_FLIGHT];
	unsigned int n;
};

static void pipe_fill(struct pipe *p)
{
	while (p->n < IN_FLIGHT && window_room(&p->w, SEGMENT)) {
		uint64_t start = p->busy_until > p->now ? p->busy_until : p->now;

		window_sent(&p->w, SEGMENT, p->now, &p->q[p->n].mark);
		p->busy_until = start + SEGMENT / p->rate;
		p->q[p->n++].acked_at = p->busy_until + p->rtt;
	}
}

static void pipe_run(struct pipe *p, uint64_t ms)
{
	uint64_t end = p->now + ms;

	for (pipe_fill(p); p->n && p->q[0].acked_at <= end; pipe_fill(p)) {
		p->now = p->q[0].acked_at;
		window_acked(&p->w, SEGMENT, p->now, &p->q[0].mark);
		p->done += SEGMENT;
		memmove(p->q, p->q + 1, --p->n * sizeof(p->q[0]));
	}
	p->now = end;
}

/* 40 ms and 100 Mbit/s, as between a home and a data centre. */
static void fills_a_long_path(void **state)
{
	struct pipe p = { .rate = 12500, .rtt = 40, .now = 1 };

	(void)state;
	window_init(&p.w, SEGMENT, MAX);
	window_rtt(&p.w, p.rtt);
	pipe_run(&p, 1000); /* start */
	p.done = 0;
	pipe_run(&p, 2000);
	assert_true(p.done > 2000 * p.rate * 9 / 10);
	/* A move waits for what is in flight: a few round trips, not more. */
	assert_true(p.w.flight < 4 * p.rate * (p.rtt + SEGMENT / p.rate));
}

static void stays_small_on_a_slow_path(void **state)
{
	struct pipe p = { .rate = 250, .rtt = 40, .now = 1 }; /* 2 Mbit/s */

	(void)state;
	window_init(&p.w, SEGMENT, MAX);
	window_rtt(&p.w, p.rtt);
	pipe_run(&p, 20000);
	assert_int_equal(window_size(&p.w), 2 * SEGMENT);
}

static void has_bounds(void **state)
{
	struct pipe p = { .rate = 1000000, .rtt = 200, .now = 1 };
	struct window_mark mark;

	(void)state;
	window_init(&p.w, SEGMENT, MAX);
	assert_int_equal(window_size(&p.w), 2 * SEGMENT);
	window_rtt(&p.w, p.rtt);
	pipe_run(&p, 3000);
	assert_int_equal(window_size(&p.w), MAX);
	window_init(&p.w, SEGMENT, MAX);
	assert_true(window_room(&p.w, 100 * SEGMENT)); /* never stuck with nothing in flight */
	window_sent(&p.w, SEGMENT, 1, &mark);
	assert_false(window_room(&p.w, 2 * SEGMENT));
	window_lost(&p.w, SEGMENT);
	assert_int_equal(p.w.flight, 0);
	window_lost(&p.w, SEGMENT);
	assert_int_equal(p.w.flight, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_a_long_path),
		cmocka_unit_test(stays_small_on_a_slow_path),
		cmocka_unit_test(has_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
