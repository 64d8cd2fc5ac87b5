// SPDX-License-Identifier: GPL-2.0-or-later
/* clock: RFC 3339 both ways, against the C library's calendar. */
#include "lib/clock.h"

#include "lib/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

static void test_clocks(void **state)
{
	uint64_t mono = clock_mono_ns(), boot = clock_boot_ns();

	(void)state;
	assert_true(clock_mono_ns() >= mono);
	assert_true(clock_boot_ns() >= boot);
	assert_true(llabs((long long)clock_wall_ms() - (long long)time(NULL) * 1000) < 5000);
	assert_true(clock_boot_ms() >= boot / 1000000);
	assert_true(clock_mono_ms() >= mono / 1000000);
}

static void test_print(void **state)
{
	char s[CLOCK_STR_LEN];

	(void)state;
	assert_string_equal(clock_print(0, s), "");
	assert_string_equal(clock_print(1, s), "1970-01-01T00:00:00.001Z");
	assert_string_equal(clock_print(-1, s), "1969-12-31T23:59:59.999Z");
	assert_string_equal(clock_print(951782400000, s), "2000-02-29T00:00:00.000Z");
	assert_string_equal(clock_print(INT64_MAX, s), "9999-12-31T23:59:59.999Z");
	assert_string_equal(clock_print(INT64_MIN, s), "0001-01-01T00:00:00.000Z");
}

static void test_parse(void **state)
{
	static const struct {
		const char *s;
		int64_t ms;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01t00:00:00.5z", 500 },
		{ "1970-01-01T01:00:00.123456789+01:00", 123 },
		{ "1969-12-31T23:30:00-00:30", 0 },
		{ "2016-12-31T23:59:60Z", 1483228799999 }, /* a leap second */
		{ "2000-02-29T00:00:00Z", 951782400000 },
		{ "9999-12-31T23:59:59.999Z", 253402300799999 },
	};
	static const char *const bad[] = {
		"",
		"1970-01-01",
		"1970-01-01T00:00:00",
		"1970-01-01 00:00:00Z",
		"1970-1-01T00:00:00Z",
		"0000-01-01T00:00:00Z",
		"1970-00-01T00:00:00Z",
		"1970-13-01T00:00:00Z",
		"1970-02-30T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"1970-01-01T24:00:00Z",
		"1970-01-01T00:60:00Z",
		"1970-01-01T00:00:61Z",
		"1970-01-01T00:00:00.Z",
		"1970-01-01T00:00:00.1234567890Z",
		"1970-01-01T00:00:00+24:00",
		"1970-01-01T00:00:00+0100",
		"1970-01-01T00:00:00Zx",
		"-970-01-01T00:00:00Z",
	};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(clock_parse(good[i].s, &ms), 0);
		assert_true(ms == good[i].ms);
	}
	ms = 42;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(clock_parse(bad[i], &ms), -SHUNT_EPARSE);
	assert_int_equal(ms, 42);
}

/* Every day for a century and random instants, against timegm(3). */
static void test_against_libc(void **state)
{
	char s[CLOCK_STR_LEN], want[64];
	int64_t ms;

	(void)state;
	srandom(1);
	for (int64_t day = -20000; day < 40000; day++) {
		int64_t at = day * 86400000 + random() % 86400000;
		time_t t = (time_t)((at - ((at % 1000) + 1000) % 1000) / 1000);
		struct tm tm;

		if (!at)
			continue;
		gmtime_r(&t, &tm);
		snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
			 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			 tm.tm_sec, (int)(((at % 1000) + 1000) % 1000));
		assert_string_equal(clock_print(at, s), want);
		assert_int_equal(clock_parse(s, &ms), 0);
		assert_true(ms == at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_against_libc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
