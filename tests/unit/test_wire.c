// SPDX-License-Identifier: GPL-2.0-or-later
/* wire: numbers both ways, every bound, the sticky error. */
#include "lib/wire.h"

#include "lib/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_round_trip(void **state)
{
	static const uint8_t want[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 'x' };
	uint8_t bytes[16], rest[1];
	struct wire w;

	(void)state;
	wire_writer(&w, bytes, sizeof(bytes));
	wire_put_u8(&w, 0x01);
	wire_put_be16(&w, 0x0203);
	wire_put_be32(&w, 0x04050607);
	wire_put_be64(&w, 0x08090a0b0c0d0e0f);
	wire_put(&w, "x", 1);
	assert_int_equal(wire_done(&w), 0);
	assert_memory_equal(bytes, want, sizeof(want));

	wire_reader(&w, bytes, sizeof(bytes));
	assert_int_equal(wire_get_u8(&w), 0x01);
	assert_int_equal(wire_get_be16(&w), 0x0203);
	assert_int_equal(wire_get_be32(&w), 0x04050607);
	assert_true(wire_get_be64(&w) == 0x08090a0b0c0d0e0f);
	assert_int_equal(wire_left(&w), 1);
	wire_get(&w, rest, 1);
	assert_int_equal(rest[0], 'x');
	assert_int_equal(wire_used(&w), 16);
	assert_int_equal(wire_done(&w), 0);
}

static void test_read_past_end(void **state)
{
	static const uint8_t bytes[3] = { 1, 2, 3 };
	uint8_t out[4] = { 9, 9, 9, 9 };
	struct wire w;

	(void)state;
	wire_reader(&w, bytes, sizeof(bytes));
	assert_int_equal(wire_get_be16(&w), 0x0102);
	assert_int_equal(wire_get_be32(&w), 0);
	assert_int_equal(wire_error(&w), -EMSGSIZE);
	assert_int_equal(wire_get_u8(&w), 0); /* sticky though one octet is left */
	wire_get(&w, out, sizeof(out));
	assert_int_equal(out[0] | out[3], 0);
	assert_null(wire_get_ptr(&w, 0));
	wire_skip(&w, 1);
	assert_int_equal(wire_used(&w), 2);

	wire_reader(&w, bytes, sizeof(bytes));
	wire_skip(&w, SIZE_MAX);
	assert_int_equal(wire_error(&w), -EMSGSIZE);
	wire_reader(&w, NULL, 0);
	assert_int_equal(wire_done(&w), 0);
	assert_int_equal(wire_get_u8(&w), 0);
	assert_int_equal(wire_done(&w), -EMSGSIZE);
}

static void test_write_past_end(void **state)
{
	uint8_t bytes[4] = { 0 };
	struct wire w;

	(void)state;
	wire_writer(&w, bytes, 3);
	wire_put_be32(&w, 0xffffffff);
	assert_int_equal(wire_error(&w), -EMSGSIZE);
	wire_put_u8(&w, 1);
	assert_int_equal(bytes[0], 0);
	wire_reader(&w, bytes, sizeof(bytes));
	wire_put_u8(&w, 1);
	assert_int_equal(wire_error(&w), -EACCES);
	assert_int_equal(bytes[0], 0);
}

static void test_done(void **state)
{
	struct wire w;

	(void)state;
	wire_reader(&w, "ab", 2);
	assert_ptr_equal(wire_get_ptr(&w, 1), w.base);
	assert_int_equal(wire_done(&w), -SHUNT_EPARSE);
	wire_reader(&w, "ab", 2);
	assert_int_equal(wire_fail(&w, -SHUNT_EPROTO), -SHUNT_EPROTO);
	assert_int_equal(wire_fail(&w, -EIO), -SHUNT_EPROTO);
	assert_int_equal(wire_done(&w), -SHUNT_EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_read_past_end),
		cmocka_unit_test(test_write_past_end),
		cmocka_unit_test(test_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
