// SPDX-License-Identifier: GPL-2.0-or-later
/* types: words, names, ids, parties, Content-Range. */
#include "lib/types.h"

#include "lib/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void test_words(void **state)
{
	char list[64];
	int v;

	(void)state;
	for (int r = ROLE_TERMINAL; r <= ROLE_DEVICE; r++) {
		enum role out;

		assert_int_equal(role_parse(role_str((enum role)r), &out), 0);
		assert_int_equal(out, r);
		assert_true(ROLE_ANY & ROLE_BIT(r));
	}
	for (int s = JOB_RECEIVING; s <= JOB_CANCELED; s++) {
		enum job_state out;

		assert_int_equal(job_state_parse(job_state_str((enum job_state)s), &out), 0);
		assert_int_equal(out, s);
		assert_int_equal(job_state_final(out), s >= JOB_COMPLETED);
	}
	assert_string_equal(role_str((enum role)99), "?");
	assert_int_equal(enum_parse(role_names, "Gateway", &v), -SHUNT_EPARSE);
	assert_int_equal(enum_parse(role_names, "", &v), -SHUNT_EPARSE);
	assert_int_equal(enum_parse(path_kind_names, "", &v), 0);
	assert_int_equal(v, PATH_NONE);
	assert_string_equal(enum_list(job_kind_names, list, sizeof(list)), "print, store or fetch");
	assert_string_equal(enum_list(job_kind_names, list, 8), "print, ");
	assert_int_equal(cipher_key_len(CIPHER_AES_GCM_128), 20);
	assert_int_equal(cipher_key_len(CIPHER_AES_GCM_256), 36);
	assert_int_equal(cipher_key_len(CIPHER_CHACHA20_POLY1305), 36);
}

static void test_names(void **state)
{
	char long_name[NAME_LEN + 1];

	(void)state;
	assert_true(name_ok("gw1"));
	assert_true(name_ok("A.b_c-9"));
	assert_true(name_ok("..."));
	assert_false(name_ok(""));
	assert_false(name_ok("."));
	assert_false(name_ok(".."));
	assert_false(name_ok("a/b"));
	assert_false(name_ok("a b"));
	assert_false(name_ok("gr\xc3\xbc"));
	memset(long_name, 'a', sizeof(long_name));
	long_name[NAME_LEN] = '\0';
	assert_false(name_ok(long_name));
	long_name[NAME_LEN - 1] = '\0';
	assert_true(name_ok(long_name));
	assert_true(name_ok_n("gw1/", 3));
	assert_false(name_ok_n("gw1", 0));
}

static void test_ids(void **state)
{
	char a[ID_LEN], b[ID_LEN], s[TUNNEL_ID_LEN], hex[7];
	uint8_t raw[3];
	uint32_t spi = 0;

	(void)state;
	assert_int_equal(id_random(a), 0);
	assert_int_equal(id_random(b), 0);
	assert_true(id_ok(a));
	assert_string_not_equal(a, b);
	assert_false(id_ok("0123456789abcdef0123456789abcde"));
	assert_false(id_ok("0123456789abcdef0123456789abcdefa"));
	assert_false(id_ok("0123456789ABCDEF0123456789ABCDEF"));
	assert_false(sha256_str_ok(a));

	assert_string_equal(tunnel_id_print(0x1001, s), "00001001");
	assert_int_equal(tunnel_id_parse("ff00ee01", &spi), 0);
	assert_true(spi == 0xff00ee01);
	assert_int_equal(tunnel_id_parse("FF00EE01", &spi), -SHUNT_EPARSE);
	assert_int_equal(tunnel_id_parse("1001", &spi), -SHUNT_EPARSE);

	assert_int_equal(hex_decode("00fFa5", raw, 3), 0);
	assert_int_equal(raw[1], 0xff);
	hex_encode(raw, 3, hex);
	assert_string_equal(hex, "00ffa5");
	assert_int_equal(hex_decode("00ff", raw, 3), -SHUNT_EPARSE);
	assert_int_equal(hex_decode("00ffa5a5", raw, 3), -SHUNT_EPARSE);
	assert_int_equal(hex_decode("00ffg5", raw, 3), -SHUNT_EPARSE);
	assert_int_equal(raw[1], 0xff);

	assert_true(secret_equal(a, a, ID_LEN));
	assert_false(secret_equal(a, b, ID_LEN));
	assert_true(secret_equal(a, b, 0));
}

static void test_numbers(void **state)
{
	uint64_t v = 1;

	(void)state;
	assert_int_equal(u64_parse("0", 0, &v), 0);
	assert_true(v == 0);
	assert_int_equal(u64_parse("65535", 65535, &v), 0);
	assert_int_equal(u64_parse("65536", 65535, &v), -SHUNT_EPARSE);
	assert_int_equal(u64_parse("18446744073709551615", UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(u64_parse("18446744073709551616", UINT64_MAX, &v), -SHUNT_EPARSE);
	assert_int_equal(u64_parse("99999999999999999999", UINT64_MAX, &v), -SHUNT_EPARSE);
	assert_int_equal(u64_parse("3", 2, &v), -SHUNT_EPARSE);
	assert_int_equal(u64_parse("", 9, &v), -SHUNT_EPARSE);
	assert_int_equal(u64_parse("01", 9, &v), -SHUNT_EPARSE);
	assert_int_equal(u64_parse("+1", 9, &v), -SHUNT_EPARSE);
	assert_int_equal(u64_parse(" 1", 9, &v), -SHUNT_EPARSE);
	assert_int_equal(u64_parse("1 ", 9, &v), -SHUNT_EPARSE);
}

static void test_text(void **state)
{
	(void)state;
	assert_true(utf8_ok("", 0));
	assert_true(utf8_ok("gr\xc3\xbc\xe2\x82\xac\xf0\x9f\x96\xa8", 11));
	assert_false(utf8_ok("a\0b", 3));
	assert_false(utf8_ok("\xc3", 1));
	assert_false(utf8_ok("\xc0\x80", 2));
	assert_false(utf8_ok("\xed\xa0\x80", 3));
	assert_false(utf8_ok("\xf4\x90\x80\x80", 4));
	assert_false(utf8_ok("\x80", 1));
	assert_false(utf8_ok("\xff", 1));

	assert_true(media_type_ok("application/pdf"));
	assert_true(media_type_ok("text/plain; charset=utf-8"));
	assert_false(media_type_ok(""));
	assert_false(media_type_ok("application"));
	assert_false(media_type_ok("/pdf"));
	assert_false(media_type_ok("application/"));
	assert_false(media_type_ok("application/pdf x"));
	assert_false(media_type_ok("application/pdf;\n"));
	assert_false(media_type_ok("a/b;gr\xc3\xbc"));
}

static void test_party(void **state)
{
	static const char *const bad[] = { "",
					   "shunt:",
					   "shunt:gateway",
					   "shunt:gateway:",
					   "shunt:gateway:a/b",
					   "shunt:gateway:gw1:x",
					   "shunt::gw1",
					   "shunt:king:gw1",
					   "Shunt:gateway:gw1",
					   "spiffe://gateway/gw1",
					   "shunt:gatewaygatewaygateway:x" };
	struct party p, q = { 0 };
	char s[PARTY_STR_LEN];

	(void)state;
	assert_int_equal(party_parse("shunt:gateway:gw1", &p), 0);
	assert_int_equal(p.role, ROLE_GATEWAY);
	assert_string_equal(p.name, "gw1");
	assert_string_equal(party_print(&p, s), "shunt:gateway:gw1");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(party_parse(bad[i], &q), -SHUNT_EPARSE);
	assert_string_equal(q.name, "");
	assert_false(party_equal(&p, &q));
	assert_true(party_equal(&p, &p));
}

static void test_content_range(void **state)
{
	static const struct {
		const char *s;
		struct content_range r;
	} good[] = {
		{ "bytes 0-0/1", { 0, 1, 1 } },
		{ "bytes 0-499/1234", { 0, 500, 1234 } },
		{ "Bytes 734-1233/1234", { 734, 1234, 1234 } },
		{ "bytes 42-1233/*", { 42, 1234, CONTENT_SIZE_UNKNOWN } },
		{ "bytes 007-009/010", { 7, 10, 10 } },
	};
	static const char *const bad[] = {
		"",
		"bytes",
		"bytes */1234", /* unsatisfied range: not for a request */
		"bytes 5-4/10",
		"bytes 0-10/10",
		"bytes 0-9",
		"bytes 0-9/",
		"bytes -9/10",
		"bytes 0-/10",
		"bytes 0-9/10 ",
		"bytes 0 -9/10",
		"bytes=0-9/10",
		"lines 0-9/10",
		"bytes 0-9/x",
		"bytes 0-18446744073709551615/*",
		"bytes 0-9007199254740991/*",
		"bytes 0-1/99999999999999999999",
	};
	char s[CONTENT_RANGE_STR_LEN];
	struct content_range r = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(content_range_parse(good[i].s, &r), 0);
		assert_memory_equal(&r, &good[i].r, sizeof(r));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(content_range_parse(bad[i], &r), -SHUNT_EPARSE);
	r = (struct content_range){ 0, 500, 1234 };
	assert_string_equal(content_range_print(&r, s), "bytes 0-499/1234");
	r = (struct content_range){ CONTENT_SIZE_MAX - 2, CONTENT_SIZE_MAX - 1, CONTENT_SIZE_MAX };
	content_range_print(&r, s);
	assert_int_equal(content_range_parse(s, &r), 0);
	r.size = CONTENT_SIZE_UNKNOWN;
	assert_non_null(strstr(content_range_print(&r, s), "/*"));
}

static void test_range_request(void **state)
{
	static const struct {
		const char *s;
		uint64_t size;
		int ret;
		uint64_t from, to;
	} cases[] = {
		{ "bytes=0-499", 1000, 0, 0, 500 },
		{ "Bytes=500-", 1000, 0, 500, 1000 },
		{ "bytes=990-2000", 1000, 0, 990, 1000 },
		{ "bytes=999-9007199254740991", 1000, 0, 999, 1000 },
		{ "bytes=-1", 1000, 0, 999, 1000 },
		{ "bytes=-5000", 1000, 0, 0, 1000 },
		{ "bytes=1000-", 1000, -ERANGE, 0, 0 },
		{ "bytes=-0", 1000, -ERANGE, 0, 0 },
		{ "bytes=0-", 0, -ERANGE, 0, 0 },
		{ "bytes=-1", 0, -ERANGE, 0, 0 },
		{ "", 1000, -SHUNT_EPARSE, 0, 0 },
		{ "bytes=", 1000, -SHUNT_EPARSE, 0, 0 },
		{ "bytes=-", 1000, -SHUNT_EPARSE, 0, 0 },
		{ "bytes=5-4", 1000, -SHUNT_EPARSE, 0, 0 },
		{ "bytes=0-1,5-6", 1000, -SHUNT_EPARSE, 0, 0 },
		{ "bytes 0-1/1000", 1000, -SHUNT_EPARSE, 0, 0 },
		{ "lines=0-1", 1000, -SHUNT_EPARSE, 0, 0 },
		{ "bytes=0-1 ", 1000, -SHUNT_EPARSE, 0, 0 },
		{ "bytes=99999999999999999999-", 1000, -SHUNT_EPARSE, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t from = 0, to = 0;

		assert_int_equal(range_request_parse(cases[i].s, cases[i].size, &from, &to),
				 cases[i].ret);
		assert_int_equal(from, cases[i].from);
		assert_int_equal(to, cases[i].to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),	      cmocka_unit_test(test_names),
		cmocka_unit_test(test_ids),	      cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_text),	      cmocka_unit_test(test_party),
		cmocka_unit_test(test_content_range), cmocka_unit_test(test_range_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
