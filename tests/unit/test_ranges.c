// SPDX-License-Identifier: GPL-2.0-or-later
/* ranges: by hand, and random operations against a plain array of flags. */
#include "lib/ranges.h"

#include "lib/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void expect(const struct ranges *r, const char *text)
{
	struct buf b = BUF_INIT;

	assert_int_equal(ranges_print(r, &b), 0);
	assert_string_equal(buf_str(&b), text);
	buf_fini(&b);
}

static void test_add_remove(void **state)
{
	struct ranges r = RANGES_INIT;
	uint64_t n;

	(void)state;
	expect(&r, "");
	assert_int_equal(ranges_add(&r, 10, 20, &n), 0);
	assert_int_equal(n, 10);
	assert_int_equal(ranges_add(&r, 30, 40, NULL), 0);
	expect(&r, "10-20,30-40");
	assert_int_equal(ranges_add(&r, 20, 30, &n), 0); /* touches both */
	assert_int_equal(n, 10);
	expect(&r, "10-40");
	assert_int_equal(ranges_add(&r, 15, 50, &n), 0);
	assert_int_equal(n, 10);
	assert_int_equal(ranges_add(&r, 12, 13, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(ranges_add(&r, 5, 5, &n), 0);
	assert_int_equal(ranges_add(&r, 6, 5, &n), -EINVAL);
	expect(&r, "10-50");
	assert_int_equal(ranges_remove(&r, 20, 25, &n), 0);
	assert_int_equal(n, 5);
	expect(&r, "10-20,25-50");
	assert_int_equal(ranges_remove(&r, 0, 12, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(ranges_remove(&r, 18, 26, &n), 0);
	assert_int_equal(n, 3);
	expect(&r, "12-18,26-50");
	assert_int_equal(ranges_remove(&r, 0, UINT64_MAX, &n), 0);
	assert_int_equal(n, 30);
	expect(&r, "");
	assert_int_equal(ranges_add(&r, 0, UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_true(ranges_complete(&r, UINT64_MAX));
	ranges_fini(&r);
}

static void test_queries(void **state)
{
	struct ranges r = RANGES_INIT;
	uint64_t from = 0, to = 0;

	(void)state;
	assert_true(ranges_complete(&r, 0));
	assert_false(ranges_next_hole(&r, 0, 0, &from, &to));
	assert_true(ranges_next_hole(&r, 0, 9, &from, &to));
	assert_int_equal(to, 9);
	assert_int_equal(ranges_parse("0-4,8-12", &r), 0);
	assert_true(ranges_contains(&r, 8, 12));
	assert_false(ranges_contains(&r, 3, 5));
	assert_true(ranges_contains(&r, 6, 6));
	assert_false(ranges_contains(&r, 9, 8));
	assert_int_equal(ranges_overlap(&r, 2, 10), 4);
	assert_int_equal(ranges_total(&r), 8);
	assert_true(ranges_next_hole(&r, 0, 20, &from, &to));
	assert_int_equal(from, 4);
	assert_int_equal(to, 8);
	assert_true(ranges_next_hole(&r, to, 20, &from, &to));
	assert_int_equal(from, 12);
	assert_int_equal(to, 20);
	assert_false(ranges_next_hole(&r, to, 20, &from, &to));
	assert_true(ranges_next_hole(&r, 5, 6, &from, &to));
	assert_int_equal(from, 5);
	assert_int_equal(to, 6);
	assert_false(ranges_next_hole(&r, 0, 4, &from, &to));
	ranges_fini(&r);
}

static void test_sets(void **state)
{
	struct ranges a = RANGES_INIT, b = RANGES_INIT;

	(void)state;
	assert_int_equal(ranges_parse("0-10,20-30", &a), 0);
	assert_int_equal(ranges_parse("5-25", &b), 0);
	assert_int_equal(ranges_remove_all(&a, &b), 0);
	expect(&a, "0-5,25-30");
	assert_int_equal(ranges_add_all(&a, &b), 0);
	expect(&a, "0-30");
	assert_int_equal(ranges_copy(&b, &a), 0);
	expect(&b, "0-30");
	assert_int_equal(ranges_copy(&b, &b), 0);
	ranges_clear(&b);
	expect(&b, "");
	ranges_fini(&a);
	ranges_fini(&b);
}

static void test_bound(void **state)
{
	struct ranges r = { .max = 3 }, other = RANGES_INIT;

	(void)state;
	assert_int_equal(ranges_parse("0-1,2-3,4-5", &r), 0);
	assert_int_equal(ranges_add(&r, 6, 7, NULL), -E2BIG);
	expect(&r, "0-1,2-3,4-5");
	assert_int_equal(ranges_add(&r, 1, 2, NULL), 0);
	assert_int_equal(ranges_add(&r, 10, 20, NULL), 0);
	assert_int_equal(ranges_remove(&r, 12, 13, NULL), -E2BIG);
	expect(&r, "0-3,4-5,10-20");
	assert_int_equal(ranges_parse("0-1,2-3,4-5,6-7", &r), -E2BIG);
	expect(&r, "0-3,4-5,10-20");
	assert_int_equal(ranges_parse("3-4,30-31", &other), 0);
	assert_int_equal(ranges_add_all(&r, &other), 0);
	assert_int_equal(ranges_parse("40-41,50-51", &other), 0);
	assert_int_equal(ranges_add_all(&r, &other), -E2BIG);
	expect(&r, "0-5,10-20,30-31"); /* nothing half done */
	ranges_fini(&r);
	ranges_fini(&other);
}

static void test_text(void **state)
{
	static const char *const bad[] = { "1",
					   "1-",
					   "-1",
					   "1-1",
					   "2-1",
					   "1-2,",
					   ",1-2",
					   "1-2,2-3",
					   "3-4,1-2",
					   "1-2 ",
					   " 1-2",
					   "01-2",
					   "1-2;3-4",
					   "1--2",
					   "a-b",
					   "0x1-0x2",
					   "0-18446744073709551616" };
	struct ranges r = RANGES_INIT;

	(void)state;
	assert_int_equal(ranges_parse("7-9", &r), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ranges_parse(bad[i], &r), -SHUNT_EPARSE);
	expect(&r, "7-9");
	assert_int_equal(ranges_parse("0-18446744073709551615", &r), 0);
	expect(&r, "0-18446744073709551615");
	assert_int_equal(ranges_parse("", &r), 0);
	expect(&r, "");
	ranges_fini(&r);
}

#define SIZE 200

static void check_model(const struct ranges *r, const bool *model)
{
	uint64_t p = 0, from, to;

	for (size_t i = 0; i < r->n; i++) {
		assert_true(r->v[i].from < r->v[i].to);
		assert_true(!i || r->v[i - 1].to < r->v[i].from);
	}
	for (uint64_t i = 0; i < SIZE; i++)
		assert_int_equal(ranges_contains(r, i, i + 1), model[i]);
	/* Walking the holes meets exactly the clear flags. */
	while (ranges_next_hole(r, p, SIZE, &from, &to)) {
		assert_true(from >= p && from < to && to <= SIZE);
		for (uint64_t i = p; i < from; i++)
			assert_true(model[i]);
		for (uint64_t i = from; i < to; i++)
			assert_false(model[i]);
		p = to;
	}
	for (uint64_t i = p; i < SIZE; i++)
		assert_true(model[i]);
}

static void test_model(void **state)
{
	struct ranges r = RANGES_INIT;
	bool model[SIZE] = { false };

	(void)state;
	srandom(3);
	for (int round = 0; round < 20000; round++) {
		uint64_t a = (uint64_t)random() % SIZE, b = (uint64_t)random() % SIZE, n, want = 0;
		bool set = random() % 2;

		if (random() % 4)
			b = a + b % 8 < SIZE ? a + b % 8 : SIZE;
		if (a > b) {
			n = a;
			a = b;
			b = n;
		}
		n = 0;
		for (uint64_t i = a; i < b; i++) {
			n += model[i];
			want += model[i] != set;
		}
		assert_int_equal(ranges_overlap(&r, a, b), n);
		assert_int_equal((set ? ranges_add : ranges_remove)(&r, a, b, &n), 0);
		assert_int_equal(n, want);
		for (uint64_t i = a; i < b; i++)
			model[i] = set;
		check_model(&r, model);
	}
	ranges_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_remove), cmocka_unit_test(test_queries),
		cmocka_unit_test(test_sets),	   cmocka_unit_test(test_bound),
		cmocka_unit_test(test_text),	   cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
