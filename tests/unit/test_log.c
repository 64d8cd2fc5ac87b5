// SPDX-License-Identifier: GPL-2.0-or-later
/* log: levels, escaping, the limit per remote fault. */
#include "lib/log.h"

#include "lib/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct lines {
	unsigned int n;
	enum log_level level;
	char last[LOG_LINE_MAX];
};

static void on_line(void *arg, enum log_level level, const char *line)
{
	struct lines *l = arg;

	l->n++;
	l->level = level;
	snprintf(l->last, sizeof(l->last), "%s", line);
}

static void test_levels(void **state)
{
	enum log_level level = LOG_LVL_ERR;

	(void)state;
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_LVL_DEBUG);
	assert_int_equal(log_level_parse("loud", &level), -SHUNT_EPARSE);
	assert_int_equal(level, LOG_LVL_DEBUG);
	assert_string_equal(log_level_str(LOG_LVL_WARNING), "warning");
	assert_string_equal(log_level_str((enum log_level)99), "?");
	assert_string_equal(log_level_str((enum log_level) - 1), "?");
}

static void test_sink(void **state)
{
	struct lines l = { 0 };
	char big[2 * LOG_LINE_MAX];

	(void)state;
	log_info("nobody hears this");
	log_init("test", LOG_LVL_INFO, LOG_TARGET_NONE);
	assert_false(log_enabled(LOG_LVL_ERR));
	log_set_sink(on_line, &l);
	assert_true(log_enabled(LOG_LVL_INFO));
	assert_false(log_enabled(LOG_LVL_DEBUG));
	log_debug("no");
	assert_int_equal(l.n, 0);
	errno = EINTR;
	log_info("tunnel: gw1: opened: %s", "why\nforged: line");
	assert_int_equal(errno, EINTR);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.level, LOG_LVL_INFO);
	assert_string_equal(l.last, "tunnel: gw1: opened: why\\x0aforged: line");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	log_err("%s", big);
	assert_int_equal(strlen(l.last), LOG_LINE_MAX - 1);
	log_fini();
	log_err("silent again");
	assert_int_equal(l.n, 2);
}

static void test_limit(void **state)
{
	struct lines l = { 0 };
	char key[32];

	(void)state;
	log_init("test", LOG_LVL_INFO, LOG_TARGET_NONE);
	log_set_sink(on_line, &l);
	for (int i = 0; i < 100; i++)
		log_limited("tls:192.0.2.1", LOG_LVL_WARNING, "tls: 192.0.2.1: bad: %d", i);
	assert_int_equal(l.n, LOG_LIMIT_BURST);
	assert_string_equal(l.last, "tls: 192.0.2.1: bad: 4");
	log_limited("tls:192.0.2.2", LOG_LVL_WARNING, "another peer");
	assert_int_equal(l.n, LOG_LIMIT_BURST + 1);
	/* Many keys, one each: the ceiling over all holds, also beyond the table. */
	for (int i = 0; i < 3 * LOG_LIMIT_KEYS; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		log_limited(key, LOG_LVL_WARNING, "x");
	}
	assert_int_equal(l.n, LOG_LIMIT_ALL);
	log_fini();
}

static void test_stderr(void **state)
{
	char text[256] = "";
	int fds[2], saved;
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	saved = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	log_init("test", LOG_LVL_INFO, LOG_TARGET_STDERR);
	log_warn("a: b: c");
	log_fini();
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	n = read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	assert_true(n > 0);
	assert_non_null(strstr(text, "Z warning a: b: c\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_sink),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_stderr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
