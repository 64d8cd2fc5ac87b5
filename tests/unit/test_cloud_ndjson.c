// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines out of a stream, however it is cut. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/ndjson.h"

struct seen {
	char text[256];
	int lines, stop_at;
};

static int on_line(const char *line, size_t len, void *arg)
{
	struct seen *s = arg;

	strncat(s->text, line, len);
	strcat(s->text, "|");
	return ++s->lines == s->stop_at ? -ECANCELED : 0;
}

static void any_cut(void **state)
{
	static const char text[] = "{\"a\":1}\n\n{\"b\":2}\nx\nrest";
	size_t cut, second;

	(void)state;
	for (cut = 0; cut < sizeof(text); cut++)
		for (second = cut; second < sizeof(text); second++) {
			struct seen s = { 0 };
			struct ndjson n;

			ndjson_init(&n, on_line, &s);
			assert_int_equal(ndjson_feed(&n, text, cut), 0);
			assert_int_equal(ndjson_feed(&n, text + cut, second - cut), 0);
			assert_int_equal(ndjson_feed(&n, text + second, sizeof(text) - 1 - second),
					 0);
			assert_string_equal(s.text, "{\"a\":1}|{\"b\":2}|x|");
			ndjson_fini(&n);
		}
}

static void stops_when_told(void **state)
{
	struct seen s = { .stop_at = 2 };
	struct ndjson n;

	(void)state;
	ndjson_init(&n, on_line, &s);
	assert_int_equal(ndjson_feed(&n, "1\n2\n3\n", 6), -ECANCELED);
	assert_string_equal(s.text, "1|2|");
	ndjson_fini(&n);
}

static void endless_line(void **state)
{
	char *big = malloc(NDJSON_LINE_MAX);
	struct seen s = { 0 };
	struct ndjson n;

	(void)state;
	memset(big, 'a', NDJSON_LINE_MAX);
	ndjson_init(&n, on_line, &s);
	assert_int_equal(ndjson_feed(&n, big, NDJSON_LINE_MAX), 0);
	assert_int_equal(ndjson_feed(&n, big, 1), -EMSGSIZE);
	ndjson_fini(&n);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_cut),
		cmocka_unit_test(stops_when_told),
		cmocka_unit_test(endless_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
