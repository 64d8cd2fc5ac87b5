// SPDX-License-Identifier: GPL-2.0-or-later
/* One-time tokens: once, for one job, by one device. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/token.h"

#define JOB "0123456789abcdef0123456789abcdef"
#define OTHER "0123456789abcdef0123456789abcdee"

static void works_once(void **state)
{
	struct tokens *t;
	char token[ID_LEN];

	(void)state;
	assert_int_equal(tokens_new(&t), 0);
	assert_int_equal(tokens_issue(t, JOB, "mfp-1", token), 0);
	assert_true(id_ok(token));
	assert_true(tokens_take(t, JOB, "mfp-1", token));
	assert_false(tokens_take(t, JOB, "mfp-1", token));
	assert_int_equal(tokens_count(t), 0);
	tokens_free(t);
}

static void is_bound(void **state)
{
	struct tokens *t;
	char token[ID_LEN], other[ID_LEN], wrong[ID_LEN];

	(void)state;
	assert_int_equal(tokens_new(&t), 0);
	assert_int_equal(tokens_issue(t, JOB, "mfp-1", token), 0);
	assert_int_equal(tokens_issue(t, OTHER, "mfp-1", other), 0);
	assert_string_not_equal(token, other);
	assert_false(tokens_take(t, JOB, "mfp-2", token));
	assert_false(tokens_take(t, OTHER, "mfp-1", token));
	assert_false(tokens_take(t, JOB, "mfp-1", ""));
	memcpy(wrong, token, sizeof(wrong));
	wrong[31] = wrong[31] == '0' ? '1' : '0';
	assert_false(tokens_take(t, JOB, "mfp-1", wrong));
	wrong[31] = '\0';
	assert_false(tokens_take(t, JOB, "mfp-1", wrong));
	assert_true(tokens_take(t, JOB, "mfp-1", token)); /* the wrong guesses did not use it up */
	assert_true(tokens_take(t, OTHER, "mfp-1", other));
	tokens_free(t);
}

static void is_replaced_and_revoked(void **state)
{
	struct tokens *t;
	char first[ID_LEN], second[ID_LEN];

	(void)state;
	assert_int_equal(tokens_new(&t), 0);
	tokens_issue(t, JOB, "mfp-1", first);
	tokens_issue(t, JOB, "mfp-1", second);
	assert_int_equal(tokens_count(t), 1);
	assert_false(tokens_take(t, JOB, "mfp-1", first));
	tokens_revoke(t, JOB);
	tokens_revoke(t, JOB);
	assert_false(tokens_take(t, JOB, "mfp-1", second));
	assert_int_equal(tokens_issue(t, "no id", "mfp-1", first), -EINVAL);
	assert_int_equal(tokens_issue(t, JOB, "no name!", first), -EINVAL);
	tokens_free(t);
}

static void many(void **state)
{
	struct tokens *t;
	char token[300][ID_LEN], job[ID_LEN];
	int i;

	(void)state;
	assert_int_equal(tokens_new(&t), 0);
	for (i = 0; i < 300; i++) {
		snprintf(job, sizeof(job), "%032x", i);
		assert_int_equal(tokens_issue(t, job, "mfp-1", token[i]), 0);
	}
	assert_int_equal(tokens_count(t), 300);
	for (i = 0; i < 300; i++) {
		snprintf(job, sizeof(job), "%032x", i);
		assert_true(tokens_take(t, job, "mfp-1", token[i]));
	}
	tokens_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(works_once),
		cmocka_unit_test(is_bound),
		cmocka_unit_test(is_replaced_and_revoked),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
