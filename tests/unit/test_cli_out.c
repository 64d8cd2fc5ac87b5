// SPDX-License-Identifier: GPL-2.0-or-later
/* out: the same calls as text and as JSON; nothing a remote says drives the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out.h"

struct capture {
	char *text;
	size_t size;
	FILE *f;
	struct out *o;
};

static void begin(struct capture *c, unsigned int flags)
{
	c->f = open_memstream(&c->text, &c->size);
	assert_non_null(c->f);
	c->o = out_new(c->f, flags);
	assert_non_null(c->o);
}

static void expect(struct capture *c, const char *text)
{
	assert_int_equal(out_free(c->o), 0);
	fclose(c->f);
	assert_string_equal(c->text, text);
	free(c->text);
}

static void sample(struct out *o)
{
	out_list_begin(o, NULL);
	out_obj_begin(o, NULL);
	out_str(o, "dev", "dev %s", "shunt0");
	out_uint(o, "spi", " spi %" PRIu64, UINT64_MAX);
	out_bool(o, "up", " up %s", true);
	out_str(o, NULL, " text-only %s", "x");
	out_str(o, "json_only", NULL, "y");
	out_list_begin(o, "scope");
	out_list_end(o);
	out_obj_begin(o, "rx");
	out_uint(o, "packets", " rx %" PRIu64, 3);
	out_obj_end(o);
	out_text(o, "\n");
	out_obj_end(o);
	out_list_end(o);
}

static void both_forms(void **state)
{
	struct capture c;

	(void)state;
	begin(&c, 0);
	sample(c.o);
	expect(&c, "dev shunt0 spi 18446744073709551615 up true text-only x rx 3\n");
	begin(&c, OUT_JSON);
	sample(c.o);
	expect(&c,
	       "[{\"dev\":\"shunt0\",\"spi\":18446744073709551615,\"up\":true,\"json_only\":\"y\","
	       "\"scope\":[],\"rx\":{\"packets\":3}}]\n");
	begin(&c, OUT_JSON | OUT_PRETTY);
	sample(c.o);
	expect(&c, "[\n"
		   "    {\n"
		   "        \"dev\": \"shunt0\",\n"
		   "        \"spi\": 18446744073709551615,\n"
		   "        \"up\": true,\n"
		   "        \"json_only\": \"y\",\n"
		   "        \"scope\": [],\n"
		   "        \"rx\": {\n"
		   "            \"packets\": 3\n"
		   "        }\n"
		   "    }\n"
		   "]\n");
}

static void streams_are_ndjson(void **state)
{
	struct capture c;

	(void)state;
	begin(&c, OUT_JSON);
	out_obj_begin(c.o, NULL);
	out_uint(c.o, "n", NULL, 1);
	out_obj_end(c.o);
	out_obj_begin(c.o, NULL);
	out_obj_end(c.o);
	out_json(c.o, "{\"n\":2}", 7);
	expect(&c, "{\"n\":1}\n{}\n{\"n\":2}\n");
}

static void what_is_open_is_closed(void **state)
{
	struct capture c;

	(void)state;
	begin(&c, OUT_JSON);
	out_list_begin(c.o, NULL);
	out_obj_begin(c.o, NULL);
	out_list_begin(c.o, "a");
	expect(&c, "[{\"a\":[]}]\n");
}

static void hostile_strings(void **state)
{
	static const struct {
		const char *in, *text, *json;
	} rows[] = {
		{ "plain", "plain", "\"plain\"" },
		{ "q\"b\\", "q\"b\\", "\"q\\\"b\\\\\"" },
		{ "\x1b[2J\n\t\x7f", "\\x1b[2J\\x0a\\x09\\x7f",
		  "\"\\u001b[2J\\u000a\\u0009\\u007f\"" },
		{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x96\xa8",
		  "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x96\xa8",
		  "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x96\xa8\"" },
		/* C1 control, overlong, surrogate, beyond Unicode, cut short */
		{ "\xc2\x9b", "\\xc2\\x9b", "\"\\u009b\"" },
		{ "\xc0\xaf", "\\xc0\\xaf", "\"\\ufffd\\ufffd\"" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
		{ "\xe2\x82", "\\xe2\\x82", "\"\\ufffd\\ufffd\"" },
	};
	char json[128];
	struct capture c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&c, 0);
		out_str(c.o, "k", "%s", rows[i].in);
		expect(&c, rows[i].text);
		begin(&c, 0);
		out_text(c.o, "<%s>", strpbrk(rows[i].in, "\n\t") ? "" : rows[i].in);
		out_flush(c.o);
		assert_int_equal(out_free(c.o), 0);
		fclose(c.f);
		assert_null(strchr(c.text, '\x1b'));
		free(c.text);
		begin(&c, OUT_JSON);
		out_list_begin(c.o, NULL);
		out_str(c.o, "k", "%s", rows[i].in);
		out_list_end(c.o);
		/* In a list a value has no key. */
		snprintf(json, sizeof(json), "[%s]\n", rows[i].json);
		expect(&c, json);
	}
}

static void write_errors_stick(void **state)
{
	struct out *o;
	FILE *f;
	int i;

	(void)state;
	f = fopen("/dev/full", "w");
	if (!f)
		skip();
	o = out_new(f, OUT_JSON);
	assert_non_null(o);
	for (i = 0; i < 3; i++) {
		out_obj_begin(o, NULL);
		out_obj_end(o);
	}
	assert_int_equal(out_free(o), -ENOSPC);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms),
		cmocka_unit_test(streams_are_ndjson),
		cmocka_unit_test(what_is_open_is_closed),
		cmocka_unit_test(hostile_strings),
		cmocka_unit_test(write_errors_stick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
