// SPDX-License-Identifier: GPL-2.0-or-later
/* key: octets or hex from files that are ours alone; a key never appears in an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/key.h"
#include "lib/err.h"

#define LEN 36
#define HEX                                                                                        \
	"000102030405060708090a0b0c0d0e0f"                                                         \
	"101112131415161718191A1B1C1D1E1F"                                                         \
	"20212223"

static char path[] = "/tmp/test_cli_key.XXXXXX";
static char source[64];

static void write_file(const void *data, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), n);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void expect_key(const uint8_t *key)
{
	int i;

	for (i = 0; i < LEN; i++)
		assert_int_equal(key[i], i);
}

static void forms(void **state)
{
	static const char *const good[] = { HEX, HEX "\n", "  " HEX " \r\n", "\n" HEX };
	uint8_t raw[LEN], key[LEN];
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < LEN; i++)
		raw[i] = (uint8_t)i;
	write_file(raw, LEN, 0600);
	assert_int_equal(key_read(source, key, LEN, &e), 0);
	expect_key(key);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		memset(key, 0, LEN);
		write_file(good[i], strlen(good[i]), 0400);
		assert_int_equal(key_read(source, key, LEN, &e), 0);
		expect_key(key);
	}
}

static void refused(void **state)
{
	static const struct {
		const char *data;
		mode_t mode;
		int err;
		const char *text;
	} rows[] = {
		{ "", 0600, -SHUNT_EFIELD, "has 0 octets" },
		{ "00", 0600, -SHUNT_EFIELD, "its octets or 72 hex digits" },
		{ HEX "00", 0600, -SHUNT_EFIELD, "has 74 octets" },
		{ "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223", 0600,
		  -SHUNT_EFIELD, "not hex digits" },
		{ HEX, 0640, -SHUNT_ESECRETFILE, "" },
		{ HEX, 0604, -SHUNT_ESECRETFILE, "" },
	};
	uint8_t key[LEN];
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(rows[i].data, strlen(rows[i].data), rows[i].mode);
		memset(key, 0xaa, LEN);
		assert_int_equal(key_read(source, key, LEN, &e), rows[i].err);
		assert_non_null(strstr(err_text(&e), rows[i].text));
		assert_non_null(strstr(err_text(&e), path));
		assert_null(strstr(err_text(&e), "0405"));
		/* Nothing of an earlier or half-read key stays. */
		assert_int_equal(key[0], 0);
		assert_int_equal(key[LEN - 1], 0);
	}
	assert_int_equal(key_read("file:/nonexistent/key", key, LEN, &e), -ENOENT);
	assert_true(key_read("file:/tmp", key, LEN, &e) < 0);
	assert_int_equal(key_read(source, key, 65, &e), -EINVAL);
}

static void sources(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(key_source_check("-", &e), 0);
	assert_int_equal(key_source_check("file:x", &e), 0);
	assert_int_equal(key_source_check("file:", &e), -EINVAL);
	assert_int_equal(key_source_check("", &e), -EINVAL);
	assert_int_equal(key_source_check(HEX, &e), -EINVAL);
	assert_null(strstr(err_text(&e), "0405"));
}

/* Two keys from one standard input, a line each. */
static void standard_input(void **state)
{
	static const char lines[] = HEX "\n" HEX;
	uint8_t key[LEN];
	int fds[2], saved;
	struct err e;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], lines, sizeof(lines) - 1), sizeof(lines) - 1);
	close(fds[1]);
	saved = dup(STDIN_FILENO);
	assert_true(dup2(fds[0], STDIN_FILENO) >= 0);
	close(fds[0]);
	assert_int_equal(key_read("-", key, LEN, &e), 0);
	expect_key(key);
	assert_int_equal(key_read("-", key, LEN, &e), 0);
	expect_key(key);
	assert_int_equal(key_read("-", key, LEN, &e), -SHUNT_EFIELD);
	if (saved >= 0) {
		dup2(saved, STDIN_FILENO);
		close(saved);
	}
}

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	snprintf(source, sizeof(source), "file:%s", path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(refused),
		cmocka_unit_test(sources),
		cmocka_unit_test(standard_input),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
