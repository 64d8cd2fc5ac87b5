// SPDX-License-Identifier: GPL-2.0-or-later
/* gateway/line: the arithmetic, and the loopback device of a network namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/line.h"
#include "lib/err.h"
#include "lib/link.h"
#include "lib/policy.h"

#define SECOND 1000
#define MBIT 125000u /* bytes */

static bool isolated; /* in a network namespace of our own */
static struct line_meter meter;
static struct line_reading at;

static int setup(void **state)
{
	(void)state;
	meter = (struct line_meter){ 0 };
	at = (struct line_reading){ .ms = 1000000, .ifindex = 3, .rx = 5000, .tx = 700 };
	line_meter_add(&meter, &at, true);
	return 0;
}

/* @ms later, with so many bytes more. */
static void pass(uint64_t ms, uint64_t rx, uint64_t tx, bool busy)
{
	at.ms += ms;
	at.rx += rx;
	at.tx += tx;
	line_meter_add(&meter, &at, busy);
}

static void unknown_at_first(void **state)
{
	(void)state;
	assert_true(LINE_UNKNOWN == POLICY_LINE_UNKNOWN);
	assert_true(line_meter_speed(&meter) == LINE_UNKNOWN);
	pass(SECOND, MBIT, 0, true);
	pass(SECOND, MBIT, 0, true);
	assert_true(line_meter_speed(&meter) == LINE_UNKNOWN);
	pass(SECOND, MBIT, 0, true);
	assert_int_equal(line_meter_speed(&meter), 1000000);
}

/* The line may be idle because nobody wants anything: that says nothing of its speed. */
static void only_under_load(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 20; i++)
		pass(SECOND, 10 * MBIT, 0, false);
	assert_true(line_meter_speed(&meter) == LINE_UNKNOWN);
	for (i = 0; i < 3; i++)
		pass(SECOND, MBIT, 0, true);
	/* Two idle seconds do not matter, three end it. */
	pass(SECOND, 0, 0, false);
	pass(SECOND, 0, 0, false);
	assert_int_equal(line_meter_speed(&meter), 1000000);
	pass(SECOND, 2 * MBIT, 0, true);
	assert_true(line_meter_speed(&meter) > 1000000);
	for (i = 0; i < 3; i++)
		pass(SECOND, 0, 0, false);
	assert_true(line_meter_speed(&meter) == LINE_UNKNOWN);
	/* And the old figure has no weight any more. */
	for (i = 0; i < 3; i++)
		pass(SECOND, 4 * MBIT, 0, true);
	assert_int_equal(line_meter_speed(&meter), 4000000);
}

/* One slow second decides nothing, several do. */
static void smoothed(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 20; i++)
		pass(SECOND, 0, 10 * MBIT, true);
	assert_int_equal(line_meter_speed(&meter), 10000000);
	pass(SECOND, 0, 0, true);
	assert_int_equal(line_meter_speed(&meter), 8000000);
	for (i = 0; i < 10; i++)
		pass(SECOND, 0, 0, true);
	assert_true(line_meter_speed(&meter) < 1000000);
	/* The busier direction counts; so does the time that really passed. */
	for (i = 0; i < 60; i++)
		pass(2 * SECOND, 6 * MBIT, MBIT, true);
	assert_in_range(line_meter_speed(&meter), 2999000, 3000000);
}

static void odd_intervals(void **state)
{
	(void)state;
	/* Close together: one interval, under load when any part was. */
	pass(LINE_INTERVAL_MIN / 2, MBIT, 0, true);
	assert_int_equal(meter.busy_ms, 0);
	pass(LINE_INTERVAL_MIN / 2, MBIT, 0, false);
	assert_int_equal(meter.busy_ms, LINE_INTERVAL_MIN);
	assert_int_equal(meter.speed, 10000000);
	/* No time at all. */
	pass(0, MBIT, 0, true);
	assert_int_equal(meter.busy_ms, LINE_INTERVAL_MIN);
	/* A gap, another device, counters of a device that was made anew. */
	pass(3 * SECOND, MBIT, 0, true);
	assert_true(line_meter_speed(&meter) != LINE_UNKNOWN);
	pass(LINE_INTERVAL_MAX + 1, MBIT, 0, true);
	assert_true(line_meter_speed(&meter) == LINE_UNKNOWN);
	pass(3 * SECOND, MBIT, 0, true);
	at.ifindex++;
	pass(SECOND, MBIT, 0, true);
	assert_true(line_meter_speed(&meter) == LINE_UNKNOWN);
	pass(3 * SECOND, MBIT, 0, true);
	assert_true(line_meter_speed(&meter) != LINE_UNKNOWN);
	at.rx = 0;
	pass(SECOND, 0, 0, true);
	assert_true(line_meter_speed(&meter) == LINE_UNKNOWN);
}

/* Fails to be measured without harm: a device that does not exist, an address without a route. */
static void nothing_there(void **state)
{
	struct shunt_addr there;
	struct line *l;

	(void)state;
	assert_int_equal(addr_parse("203.0.113.20", &there), 0);
	assert_int_equal(line_new("nosuch0", &there, &l), 0);
	line_sample(l, true);
	assert_true(line_speed(l) == LINE_UNKNOWN);
	line_free(l);
	if (!isolated)
		skip();
	assert_int_equal(line_new(NULL, &there, &l), 0);
	line_sample(l, true);
	assert_true(line_speed(l) == LINE_UNKNOWN);
	line_free(l);
	line_free(NULL);
}

/* The counters of the device that the route names; takes as long as it takes to warm up. */
static void by_route(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct shunt_addr there;
	struct link_ctx *link;
	struct line *l;
	struct err e;
	char data[1000] = { 0 };
	int fd, i;

	(void)state;
	if (!isolated)
		skip();
	assert_int_equal(link_open(&link, &e), 0);
	assert_int_equal(link_set_up(link, "lo", true, &e), 0);
	link_close(link);
	assert_int_equal(addr_parse("127.0.0.1", &there), 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(line_new(NULL, &there, &l), 0);
	for (i = 0; i < 400 && line_speed(l) == LINE_UNKNOWN; i++) {
		sendto(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
		line_sample(l, true);
		poll(NULL, 0, 50);
	}
	/* 20 a second are 160 kbit/s and headers; a busy machine sends fewer. */
	assert_in_range(line_speed(l), 1000, 1000000);
	line_free(l);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(unknown_at_first, setup),
		cmocka_unit_test_setup(only_under_load, setup),
		cmocka_unit_test_setup(smoothed, setup),
		cmocka_unit_test_setup(odd_intervals, setup),
		cmocka_unit_test(nothing_there),
		cmocka_unit_test(by_route),
	};

	isolated = !unshare(CLONE_NEWNET) || !unshare(CLONE_NEWUSER | CLONE_NEWNET);
	return cmocka_run_group_tests_name("gateway_line", tests, NULL, NULL);
}
