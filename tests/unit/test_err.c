// SPDX-License-Identifier: GPL-2.0-or-later
/* err: texts for every code, context, bounds, escaping. */
#include "lib/err.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_strerror(void **state)
{
	(void)state;
	assert_string_equal(shunt_strerror(0), "Success");
	assert_string_equal(shunt_strerror(-ECONNREFUSED), "Connection refused");
	assert_string_equal(shunt_strerror(ECONNREFUSED), "Connection refused");
	assert_string_equal(shunt_strerror(-SHUNT_ETLS), "TLS failure");
	for (int c = SHUNT_EPARSE; c < SHUNT_ELAST; c++)
		assert_string_not_equal(shunt_strerror(-c), "Unknown error");
	assert_string_equal(shunt_strerror(-SHUNT_ELAST), "Unknown error");
	assert_string_equal(shunt_strerror(4095), "Unknown error");
	assert_string_equal(shunt_strerror(INT_MIN), "Unknown error");
	assert_string_equal(shunt_strerror(INT_MAX), "Unknown error");
}

static void test_context(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_string_equal(err_text(NULL), "Unknown error");
	assert_string_equal(err_text(&e), "Success");
	assert_int_equal(err_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_sys(&e, -ENOENT, "open %s", "f"), -ENOENT);
	assert_string_equal(err_text(&e), "open f: No such file or directory");
	assert_int_equal(err_prefix(&e, "conf"), -ENOENT);
	assert_string_equal(err_text(&e), "conf: open f: No such file or directory");
	err_clear(&e);
	assert_int_equal(e.code, 0);
	e.code = -EPERM;
	assert_string_equal(err_text(&e), "Operation not permitted");
	assert_int_equal(err_prefix(&e, "link"), -EPERM);
	assert_string_equal(err_text(&e), "link: Operation not permitted");
	assert_int_equal(err_prefix(NULL, "x"), 0);
}

static void test_bounds(void **state)
{
	char big[2 * ERR_TEXT_MAX];
	struct err e;

	(void)state;
	memset(big, 'a', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	err_set(&e, -EIO, "%s", big);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	err_prefix(&e, "%s", big);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	err_sys(&e, -EIO, "%s", big);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	memset(big, '\n', sizeof(big) - 1);
	err_set(&e, -EIO, "%s", big);
	assert_true(strlen(e.text) < ERR_TEXT_MAX);
	assert_null(strchr(e.text, '\n'));
}

static void test_set_escapes_once(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, -EIO, "a\nb\x1b[2J\\x0a");
	assert_string_equal(e.text, "a\\x0ab\\x1b[2J\\x0a");
	err_prefix(&e, "p");
	assert_string_equal(e.text, "p: a\\x0ab\\x1b[2J\\x0a");
}

static void test_escape(void **state)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{ "plain text", "plain text" },
		{ "a\r\n", "a\\x0d\\x0a" },
		{ "\x7f", "\\x7f" },
		{ "back\\slash", "back\\x5cslash" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xe2\x82\xac \xf0\x9f\x96\xa8", "\xe2\x82\xac \xf0\x9f\x96\xa8" },
		{ "\xc2\x9b", "\\xc2\\x9b" }, /* C1: CSI */
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae" }, /* right-to-left override */
		{ "\xc0\xaf", "\\xc0\\xaf" }, /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* surrogate */
		{ "\xe0\x80\x80", "\\xe0\\x80\\x80" },
		{ "\xf0\x80\x80\x80", "\\xf0\\x80\\x80\\x80" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "\xe2\x82", "\\xe2\\x82" }, /* cut short */
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(err_escape(out, sizeof(out), t[i].in, strlen(t[i].in)),
				 strlen(t[i].out));
		assert_string_equal(out, t[i].out);
	}
	/* Never half an escape or character. */
	for (size_t n = 1; n < 8; n++) {
		size_t len = err_escape(out, n, "\n\n", 2);

		assert_int_equal(len, n > 4 ? 4 : 0);
		assert_int_equal(strlen(out), len);
	}
	assert_int_equal(err_escape(out, 3, "\xe2\x82\xac", 3), 0);
	assert_int_equal(err_escape(out, 0, "x", 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strerror), cmocka_unit_test(test_context),
		cmocka_unit_test(test_bounds),	 cmocka_unit_test(test_set_escapes_once),
		cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
