// SPDX-License-Identifier: GPL-2.0-or-later
/* conf: every type, every error with its line, round trip of what is printed. */
#include "lib/conf.h"
#include "lib/policy.h"

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct prog {
	char *ca, *name, *text, *secret;
	uint32_t num;
	uint64_t dur, size, rate;
	struct shunt_addr addr;
	struct shunt_endpoint listen, cloud;
	struct shunt_prefix pool;
	bool flag;
	int word;
	struct conf_list accept;
	struct conf_prefixes lan;
	struct policy_settings policy;
};

static const struct enum_name words[] = { { 3, "red" }, { 5, "green" }, { 0, NULL } };

static const struct conf_row table[] = {
	CONF_VALUE(CONF_PATH, "ca", struct prog, ca, NULL, CONF_REQUIRED, "the CA's certificate"),
	CONF_VALUE(CONF_NAME, "name", struct prog, name, NULL, 0, "own name"),
	CONF_RANGE(CONF_STRING, "text", struct prog, text, "a b", 0, 10, "some text"),
	CONF_VALUE(CONF_STRING, "secret", struct prog, secret, NULL, CONF_SECRET, "a secret"),
	CONF_RANGE(CONF_U32, "num", struct prog, num, "7", 1, 100, "a number"),
	CONF_RANGE(CONF_DURATION, "dur", struct prog, dur, "5s", 100, 3600000, "a duration"),
	CONF_VALUE(CONF_SIZE, "size", struct prog, size, "64M", 0, "a size"),
	CONF_VALUE(CONF_RATE, "rate", struct prog, rate, "40mbit", 0, "a rate"),
	CONF_VALUE(CONF_ADDR, "addr", struct prog, addr, NULL, 0, "an address"),
	CONF_VALUE(CONF_ENDPOINT, "listen", struct prog, listen, "0.0.0.0:0", 0, "listener"),
	CONF_RANGE(CONF_ENDPOINT, "cloud", struct prog, cloud, NULL, 1, UINT64_MAX, "peer"),
	CONF_VALUE(CONF_PREFIX, "pool", struct prog, pool, "100.65.0.0/16", 0, "a pool"),
	CONF_VALUE(CONF_BOOL, "flag", struct prog, flag, "no", 0, "a flag"),
	CONF_WORD("word", struct prog, word, "red", words, "a word"),
	CONF_VALUE(CONF_LIST, "accept", struct prog, accept, "print, store", 0, "a list"),
	CONF_VALUE(CONF_PREFIXES, "lan", struct prog, lan, NULL, 0, "LAN prefixes"),
	POLICY_CONF(struct prog, policy),
	CONF_END,
};

static int load(const char *text, struct prog *p, struct err *e)
{
	err_clear(e);
	return conf_parse("t.conf", text, strlen(text), table, p, e);
}

static void expect_error(const char *text, const char *message)
{
	struct prog p;
	struct err e;

	assert_true(load(text, &p, &e) < 0);
	assert_string_equal(err_text(&e), message);
	assert_null(p.ca);
}

static void test_defaults(void **state)
{
	struct prog p;
	struct err e;

	(void)state;
	assert_int_equal(load("ca = /etc/ca.crt", &p, &e), 0);
	assert_string_equal(p.ca, "/etc/ca.crt");
	assert_null(p.name);
	assert_string_equal(p.text, "a b");
	assert_int_equal(p.num, 7);
	assert_int_equal(p.dur, 5000);
	assert_int_equal(p.size, 64 << 20);
	assert_int_equal(p.rate, 40000000);
	assert_false(p.flag);
	assert_int_equal(p.word, 3);
	assert_int_equal(p.accept.n, 2);
	assert_string_equal(p.accept.v[1], "store");
	assert_int_equal(p.lan.n, 0);
	assert_int_equal(p.policy.tunnels_high, 16);
	assert_int_equal(p.policy.connect_timeout, 10000);
	assert_int_equal(p.policy.min_remaining, 1 << 20);
	conf_free(table, &p);
	assert_null(p.ca);
}

static void test_all_types(void **state)
{
	static const char text[] =
		"# comment\n"
		"ca = \"ca.crt\" // relative\n"
		"name = gw1\ntext = 'x y'\nsecret = \"s3cr\\\"et\"\nnum = 100\n"
		"dur = 250ms\nsize = 4096\nrate = 1gbit\naddr = 2001:db8::1\n"
		"listen = \"[::]:8443\"\ncloud = 203.0.113.10:8443\n"
		"pool = 10.0.0.0/8\nflag = on\nword = green\n"
		"accept = {\"a\",\n \"b\", c}\nlan = {192.168.1.0/24, 10.1.0.0/16}\n"
		"policy {\n\ttunnels-high = 2\n\twhen = always\n}\n";
	struct prog p;
	struct err e;

	(void)state;
	assert_int_equal(load(text, &p, &e), 0);
	assert_string_equal(p.name, "gw1");
	assert_string_equal(p.text, "x y");
	assert_string_equal(p.secret, "s3cr\"et");
	assert_int_equal(p.num, 100);
	assert_int_equal(p.dur, 250);
	assert_int_equal(p.size, 4096);
	assert_true(p.rate == 1000000000);
	assert_int_equal(p.addr.family, AF_INET6);
	assert_int_equal(p.listen.port, 8443);
	assert_int_equal(p.cloud.port, 8443);
	assert_int_equal(p.pool.len, 8);
	assert_true(p.flag);
	assert_int_equal(p.word, 5);
	assert_int_equal(p.accept.n, 3);
	assert_string_equal(p.accept.v[2], "c");
	assert_int_equal(p.lan.n, 2);
	assert_int_equal(p.lan.v[1].len, 16);
	assert_int_equal(p.policy.tunnels_high, 2);
	assert_int_equal(p.policy.when, WHEN_ALWAYS);
	conf_free(table, &p);
}

static void test_empty_list(void **state)
{
	struct prog p;
	struct err e;

	(void)state;
	assert_int_equal(load("ca=a\naccept = {}", &p, &e), 0);
	assert_int_equal(p.accept.n, 0);
	conf_free(table, &p);
}

static void test_errors(void **state)
{
	(void)state;
	expect_error("", "t.conf: ca: is required (the CA's certificate)");
	expect_error("ca=x\n\nnum = 0", "t.conf:3: num: must be a number, 1..100");
	expect_error("ca=x\nnum = 1x", "t.conf:2: num: must be a number, 1..100");
	expect_error("ca=x\nnum = 99999999999999999999", "t.conf:2: num: must be a number, 1..100");
	expect_error("ca=x\ndur = 5", "t.conf:2: dur: must be a duration such as 250ms, 5s, 10m, "
				      "2h, 100ms..1h");
	expect_error("ca=x\nword = blue", "t.conf:2: word: must be red or green");
	expect_error("ca=x\nflag = maybe", "t.conf:2: flag: must be true or false");
	expect_error("ca=x\nname = a/b",
		     "t.conf:2: name: must be a name, 1 to 63 of A-Z a-z 0-9 . _ -");
	expect_error("ca=x\ntext = 12345678901", "t.conf:2: text: must have 0..10 bytes");
	expect_error("ca=x\ncloud = \"1.2.3.4:0\"", "t.conf:2: cloud: must be an ADDRESS:PORT");
	expect_error("ca=x\nlan = {10.0.0.1/24}",
		     "t.conf:2: lan: must be a list of prefixes such as 192.168.1.0/24");
	expect_error("ca=x\nca=y", "t.conf:2: ca: is set twice, first in line 1");
	expect_error("ca=x\nnumm = 3", "t.conf:2: numm: unknown key, did you mean num?");
	expect_error("ca=x\nzzzzzz = 3", "t.conf:2: zzzzzz: unknown key");
	expect_error("ca=x\ntunnels-high = 3",
		     "t.conf:2: tunnels-high: unknown key, it belongs in section policy");
	expect_error("ca=x\npolicy {\nca = 3\n}",
		     "t.conf:3: ca: unknown key, it belongs outside sections");
	expect_error("ca=x\npolicy {\ntunnel-high = 3\n}",
		     "t.conf:3: tunnel-high: unknown key, did you mean tunnels-high?");
	expect_error("ca=x\npolicies {\n}", "t.conf:2: policies: unknown key");
	expect_error("ca=x\npolice {\n}",
		     "t.conf:2: police: unknown key, did you mean section policy?");
	expect_error("ca=x\npolicy {\nsplit = true", "t.conf: section policy is not closed");
	expect_error("ca=x\n/* open", "t.conf: a comment is not closed");
	expect_error("ca=x\nnum 5", "t.conf:2: missing equal sign after option 'num'");
	expect_error("ca=x\n}", "t.conf:2: unexpected closing brace");
	expect_error("ca=x\npolicy {\ntunnels-high=1\n}\npolicy {\ntunnels-high=2\n}",
		     "t.conf:6: tunnels-high: is set twice, first in line 3");
}

static void test_nul(void **state)
{
	struct prog p;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(conf_parse("t", "ca\0=x", 5, table, &p, &e), -SHUNT_ECONF);
	assert_string_equal(err_text(&e), "t: holds NUL bytes, this is no configuration file");
}

/* What conf_print() writes is read back to the same, and the secret stays out of it. */
static void test_print_round_trip(void **state)
{
	struct prog p, q;
	struct buf a, b;
	struct err e;

	(void)state;
	assert_int_equal(load("ca='it''s'\ntext='\\'\\\\${HOME}'\nsecret=hush\nlan={10.0.0.0/8}\n"
			      "cloud='[2001:db8::1]:1'\nsize=1536\npolicy{cpu-high=900}",
			      &p, &e),
			 -SHUNT_ECONF); /* two strings in a row */
	assert_int_equal(load("ca=\"it's\"\ntext='\\'\\\\${HOM}'\nsecret=hush\nlan={10.0.0.0/8}\n"
			      "cloud='[2001:db8::1]:1'\nsize=1536\npolicy{cpu-high=900}",
			      &p, &e),
			 0);
	assert_string_equal(p.text, "'\\${HOM}");
	buf_init(&a);
	buf_init(&b);
	assert_int_equal(conf_print(table, &p, &a), 0);
	assert_null(strstr(buf_str(&a), "hush"));
	assert_int_equal(load(buf_str(&a), &q, &e), 0);
	assert_int_equal(conf_print(table, &q, &b), 0);
	assert_string_equal(buf_str(&a), buf_str(&b));
	assert_string_equal(q.text, "'\\${HOM}");
	assert_int_equal(q.size, 1536);
	buf_fini(&a);
	buf_fini(&b);
	conf_free(table, &p);
	conf_free(table, &q);
}

static void test_print_defaults(void **state)
{
	struct prog p;
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b);
	assert_int_equal(conf_print_defaults(table, &b), 0);
	assert_non_null(strstr(buf_str(&b), "#dur = 5s\n"));
	assert_non_null(strstr(buf_str(&b), "#accept = {'print', 'store'}\n"));
	assert_non_null(strstr(buf_str(&b), "policy {\n"));
	assert_non_null(strstr(buf_str(&b), "\t#min-remaining = 1M\n"));
	/* All of it is comment but the sections, so it parses and only ca is missing. */
	assert_int_equal(load(buf_str(&b), &p, &e), -SHUNT_ECONF);
	assert_string_equal(err_text(&e), "t.conf: ca: is required (the CA's certificate)");
	buf_fini(&b);
}

static void test_set(void **state)
{
	struct prog p;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(conf_defaults(table, &p, &e), 0);
	assert_int_equal(conf_set(table, &p, "num", "12", &e), 0);
	assert_int_equal(p.num, 12);
	assert_int_equal(conf_set(table, &p, "policy.tunnels-high", "3", &e), 0);
	assert_int_equal(p.policy.tunnels_high, 3);
	assert_int_equal(conf_set(table, &p, "accept", "x,y , z", &e), 0);
	assert_int_equal(p.accept.n, 3);
	assert_string_equal(p.accept.v[2], "z");
	assert_int_equal(conf_set(table, &p, "text", "", &e), 0);
	assert_null(p.text);
	assert_int_equal(conf_set(table, &p, "nope", "1", &e), -SHUNT_ECONF);
	assert_int_equal(conf_set(table, &p, "num", "0", &e), -SHUNT_ECONF);
	assert_string_equal(err_text(&e), "num: must be a number, 1..100");
	conf_free(table, &p);
}

static void test_scalars(void **state)
{
	static const struct {
		const char *text;
		int (*parse)(const char *s, uint64_t *v);
		int ret;
		uint64_t v;
	} t[] = {
		{ "0", duration_parse, 0, 0 },
		{ "0s", duration_parse, 0, 0 },
		{ "1d", duration_parse, 0, 86400000 },
		{ "90m", duration_parse, 0, 5400000 },
		{ "5", duration_parse, -SHUNT_EPARSE, 0 },
		{ "", duration_parse, -SHUNT_EPARSE, 0 },
		{ "05s", duration_parse, -SHUNT_EPARSE, 0 },
		{ "5 s", duration_parse, -SHUNT_EPARSE, 0 },
		{ "-5s", duration_parse, -SHUNT_EPARSE, 0 },
		{ "18446744073709551615ms", duration_parse, 0, UINT64_MAX },
		{ "18446744073709551616ms", duration_parse, -ERANGE, 0 },
		{ "18446744073709551615s", duration_parse, -ERANGE, 0 },
		{ "4096", size_parse, 0, 4096 },
		{ "2G", size_parse, 0, 2ULL << 30 },
		{ "2g", size_parse, -SHUNT_EPARSE, 0 },
		{ "16777216T", size_parse, -ERANGE, 0 },
		{ "0", rate_parse, 0, 0 },
		{ "800kbit", rate_parse, 0, 800000 },
		{ "800", rate_parse, -SHUNT_EPARSE, 0 },
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint64_t v = 0;

		assert_int_equal(t[i].parse(t[i].text, &v), t[i].ret);
		assert_true(v == t[i].v);
	}
	assert_string_equal(duration_print(90000, out, sizeof(out)), "90s");
	assert_string_equal(duration_print(0, out, sizeof(out)), "0");
	assert_string_equal(size_print(64 << 20, out, sizeof(out)), "64M");
	assert_string_equal(rate_print(1500000, out, sizeof(out)), "1500kbit");
}

static void test_files(void **state)
{
	char dir[] = "/tmp/shunt-test-XXXXXX", path[64];
	struct prog p;
	struct err e = { 0 };
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.conf", dir);
	assert_int_equal(conf_load(path, table, &p, &e), -ENOENT);
	assert_non_null(strstr(err_text(&e), "x.conf: No such file or directory"));
	assert_int_equal(conf_load(dir, table, &p, &e), -SHUNT_ECONF);
	assert_non_null(strstr(err_text(&e), "is not a regular file"));
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("ca = here\n", f);
	fclose(f);
	assert_int_equal(conf_load(path, table, &p, &e), 0);
	assert_string_equal(p.ca, "here");
	conf_free(table, &p);

	chmod(path, 0640);
	assert_int_equal(conf_check_secret_file(path, &e), -SHUNT_ESECRETFILE);
	assert_non_null(strstr(err_text(&e), "mode 0640 lets others in; run chmod 600"));
	chmod(path, 0600);
	assert_int_equal(conf_check_secret_file(path, &e), 0);
	assert_int_equal(conf_check_secret_file(dir, &e), -SHUNT_ESECRETFILE);
	unlink(path);
	assert_int_equal(conf_check_secret_file(path, &e), -ENOENT);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_types),
		cmocka_unit_test(test_empty_list),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_print_round_trip),
		cmocka_unit_test(test_print_defaults),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
