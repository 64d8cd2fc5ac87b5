// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Split (claims 2-3): tunnel and connection take segments from one transfer, each as its window
 * allows. Two modelled paths of different speed and delay must end up with shares in proportion to
 * their speeds, finish together, and carry no byte twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/transfer.h"
#include "cloud/window.h"

#define SEGMENT ((uint64_t)64 << 10)
#define SIZE ((uint64_t)64 << 20)
#define FLIGHT_MAX 128

struct flight {
	uint64_t from, to, acked_at;
	struct window_mark mark;
};

/* A line that carries one byte after the other, and tells of a segment one round trip later. */
struct line {
	uint64_t rate; /* bytes/ms */
	uint64_t rtt; /* ms */
	uint64_t busy_until; /* thousandths of a ms */
	struct window window;
	struct flight flight[FLIGHT_MAX];
	size_t n;
	uint64_t bytes;
};

static void line_init(struct line *l, uint64_t rate, uint64_t rtt)
{
	memset(l, 0, sizeof(*l));
	l->rate = rate;
	l->rtt = rtt;
	window_init(&l->window, SEGMENT, (uint64_t)4 << 20);
	window_rtt(&l->window, rtt);
}

/* As path_pump() does. */
static void line_pump(struct line *l, struct transfer *t, uint64_t now)
{
	struct flight *f;

	while (window_room(&l->window, SEGMENT)) {
		assert_true(l->n < FLIGHT_MAX);
		f = &l->flight[l->n];
		if (transfer_take(t, &f->from, &f->to))
			return;
		assert_int_equal(transfer_wire(t, f->from, f->to), 0);
		if (l->busy_until < now * 1000)
			l->busy_until = now * 1000;
		l->busy_until += (f->to - f->from) * 1000 / l->rate;
		f->acked_at = l->busy_until / 1000 + l->rtt;
		window_sent(&l->window, f->to - f->from, now, &f->mark);
		l->n++;
	}
}

static void line_acks(struct line *l, struct transfer *t, uint64_t now)
{
	struct flight *f = &l->flight[0];

	while (l->n && f->acked_at <= now) {
		window_acked(&l->window, f->to - f->from, now, &f->mark);
		assert_int_equal(transfer_ack(t, f->from, f->to, 0, 0), 0);
		l->bytes += f->to - f->from;
		memmove(f, f + 1, --l->n * sizeof(*f));
	}
}

/* Carry all of it; how long that took. */
static uint64_t run(struct line *a, struct line *b)
{
	struct transfer *t;
	uint64_t now;

	assert_int_equal(transfer_new(&t, SIZE, (uint32_t)SEGMENT), 0);
	for (now = 1; !transfer_complete(t); now++) {
		assert_true(now < 1000000);
		line_acks(a, t, now);
		line_acks(b, t, now);
		line_pump(a, t, now);
		line_pump(b, t, now);
	}
	assert_int_equal(transfer_resent(t), 0);
	transfer_free(t);
	assert_true(a->bytes + b->bytes == SIZE);
	return now;
}

static void assert_near(uint64_t got, uint64_t want, uint64_t percent)
{
	if (got < want - want * percent / 100 || got > want + want * percent / 100)
		fail_msg("%llu, not within %llu %% of %llu", (unsigned long long)got,
			 (unsigned long long)percent, (unsigned long long)want);
}

static void check(uint64_t rate_a, uint64_t rtt_a, uint64_t rate_b, uint64_t rtt_b)
{
	struct line a, b;
	uint64_t took;

	line_init(&a, rate_a, rtt_a);
	line_init(&b, rate_b, rtt_b);
	took = run(&a, &b);
	assert_near(a.bytes, SIZE * rate_a / (rate_a + rate_b), 10);
	assert_near(b.bytes, SIZE * rate_b / (rate_a + rate_b), 10);
	/* Neither waits for the other's last segments. */
	assert_near(took, SIZE / (rate_a + rate_b), 15);
}

static void shares_follow_the_speeds(void **state)
{
	(void)state;
	check(5000, 20, 5000, 20); /* alike */
	check(2000, 40, 8000, 40); /* the tunnel is the gateway's bottleneck */
	check(2000, 10, 8000, 80); /* ... although its answers come sooner */
	check(1000, 5, 20000, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_follow_the_speeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
