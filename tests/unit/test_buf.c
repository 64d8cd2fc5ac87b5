// SPDX-License-Identifier: GPL-2.0-or-later
/* buf: growth, ceiling, sticky error, wiping. */
#include "lib/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_put(void **state)
{
	struct buf b = BUF_INIT;
	char *p, got[16];
	size_t n;

	(void)state;
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_puts(&b, "abc"), 0);
	assert_int_equal(buf_putc(&b, 'd'), 0);
	assert_int_equal(buf_printf(&b, "-%d-%s", 42, "x"), 0);
	assert_int_equal(buf_put(&b, NULL, 0), 0);
	assert_string_equal(buf_str(&b), "abcd-42-x");
	n = 2;
	assert_int_equal(buf_copy(&b, &n, got, 3), 3);
	assert_memory_equal(got, "cd-", 3);
	assert_int_equal(buf_copy(&b, &n, got, sizeof(got)), 4);
	assert_memory_equal(got, "42-x", 4);
	assert_int_equal(buf_copy(&b, &n, got, sizeof(got)), 0);
	buf_consume(&b, 4);
	assert_string_equal(buf_str(&b), "-42-x");
	buf_consume(&b, 100);
	assert_int_equal(b.len, 0);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buf_putc(&b, (uint8_t)i), 0);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(b.data[i], i & 0xff);
	assert_int_equal(b.data[10000], 0);
	p = buf_steal(&b, &n);
	assert_int_equal(n, 10000);
	assert_int_equal(b.len, 0);
	free(p);
	p = buf_steal(&b, NULL);
	assert_string_equal(p, "");
	free(p);
	buf_fini(&b);
}

static void test_ceiling(void **state)
{
	struct buf b;

	(void)state;
	buf_init_max(&b, 4);
	assert_int_equal(buf_puts(&b, "abcd"), 0);
	assert_int_equal(buf_putc(&b, 'e'), -EMSGSIZE);
	assert_int_equal(buf_puts(&b, ""), -EMSGSIZE); /* sticky */
	assert_int_equal(buf_printf(&b, "x"), -EMSGSIZE);
	assert_null(buf_steal(&b, NULL));
	assert_null(buf_reserve(&b, 1));
	buf_reset(&b);
	assert_int_equal(b.error, 0);
	assert_null(buf_reserve(&b, SIZE_MAX));
	buf_reset(&b);
	assert_int_equal(buf_printf(&b, "%s", "12345"), -EMSGSIZE);
	buf_fini(&b);
	assert_int_equal(b.max, 4);
}

static void test_reserve(void **state)
{
	struct buf b = BUF_INIT;
	uint8_t *at;

	(void)state;
	at = buf_reserve(&b, 10);
	assert_non_null(at);
	memcpy(at, "0123456789", 10);
	buf_commit(&b, 5);
	assert_string_equal(buf_str(&b), "01234");
	buf_commit(&b, SIZE_MAX); /* cannot commit more than there is */
	assert_true(b.len < b.cap);
	buf_fini(&b);
}

/* What leaves a secret buffer is zeroed while the buffer still owns the memory. */
static void test_secret(void **state)
{
	struct buf b;

	(void)state;
	buf_init_secret(&b, 4096);
	buf_puts(&b, "hush, hush");
	buf_consume(&b, 6);
	assert_string_equal(buf_str(&b), "hush");
	for (size_t i = b.len; i < 10; i++)
		assert_int_equal(b.data[i], 0);
	buf_reset(&b);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(b.data[i], 0);
	for (int i = 0; i < 1000; i++)
		buf_putc(&b, 'x');
	assert_int_equal(b.len, 1000);
	buf_fini(&b);
	assert_true(b.secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
