// SPDX-License-Identifier: GPL-2.0-or-later
/* addr: parse and print tables, prefixes, pools. */
#include "lib/addr.h"

#include "lib/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct shunt_addr addr(const char *s)
{
	struct shunt_addr a;

	assert_int_equal(addr_parse(s, &a), 0);
	return a;
}

static struct shunt_prefix prefix(const char *s)
{
	struct shunt_prefix p;

	assert_int_equal(prefix_parse(s, &p), 0);
	return p;
}

static void test_addr(void **state)
{
	static const char *const good[] = { "0.0.0.0",	   "192.0.2.1", "255.255.255.255", "::",
					    "2001:db8::1", "fe80::1",	"::ffff:192.0.2.1" };
	static const char *const bad[] = { "",	       "1.2.3",	   "1.2.3.4.5",	 "1.2.3.256",
					   "01.2.3.4", " 1.2.3.4", "1.2.3.4 ",	 "fe80::1%eth0",
					   ":::",      "1::2::3",  "example.com" };
	struct shunt_addr a, b;
	char s[ADDR_STR_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		a = addr(good[i]);
		assert_string_equal(addr_print(&a, s), good[i]);
		assert_int_equal(addr_from_bytes(a.bytes, addr_len(&a), &b), 0);
		assert_true(addr_equal(&a, &b));
	}
	memset(&a, 0, sizeof(a));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(addr_parse(bad[i], &a), -SHUNT_EPARSE);
	assert_false(addr_is_set(&a));
	assert_string_equal(addr_print(&a, s), "");
	assert_int_equal(addr_from_bytes("12345", 5, &a), -EINVAL);
	a = addr("10.0.0.1");
	b = addr("10.0.0.2");
	assert_true(addr_cmp(&a, &b) < 0);
	b = addr("::1");
	assert_true(addr_cmp(&a, &b) < 0);
	assert_false(addr_equal(&a, &b));
}

static void test_classes(void **state)
{
	static const struct {
		const char *s;
		bool unicast, loopback, any;
	} t[] = {
		{ "192.168.1.10", true, false, false },
		{ "2001:db8::1", true, false, false },
		{ "fd00::1", true, false, false },
		{ "127.0.0.1", false, true, false },
		{ "127.9.9.9", false, true, false },
		{ "::1", false, true, false },
		{ "0.0.0.0", false, false, true },
		{ "::", false, false, true },
		{ "0.1.2.3", false, false, false },
		{ "169.254.1.1", false, false, false },
		{ "224.0.0.1", false, false, false },
		{ "255.255.255.255", false, false, false },
		{ "ff02::1", false, false, false },
		{ "fe80::1", false, false, false },
		{ "::ffff:10.0.0.1", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct shunt_addr a = addr(t[i].s);

		assert_int_equal(addr_is_unicast(&a), t[i].unicast);
		assert_int_equal(addr_is_loopback(&a), t[i].loopback);
		assert_int_equal(addr_is_any(&a), t[i].any);
	}
}

static void test_endpoint(void **state)
{
	static const char *const good[] = { "192.0.2.1:80", "[2001:db8::1]:65535", "[::]:1" };
	static const char *const bad[] = {
		"",
		"192.0.2.1",
		"192.0.2.1:",
		"192.0.2.1:0",
		"192.0.2.1:65536",
		"192.0.2.1:080",
		"192.0.2.1:8x",
		"2001:db8::1:80",
		"[2001:db8::1]80",
		"[2001:db8::1]",
		"[2001:db8::1:80",
		"[192.0.2.1]:80",
		":80",
		"host:80",
		"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:1"
	};
	struct sockaddr_storage ss;
	struct shunt_endpoint e, f;
	char s[ENDPOINT_STR_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		socklen_t len;

		assert_int_equal(endpoint_parse(good[i], &e), 0);
		assert_string_equal(endpoint_print(&e, s), good[i]);
		len = endpoint_to_sockaddr(&e, &ss);
		assert_true(len > 0);
		assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&ss, len, &f), 0);
		assert_true(endpoint_equal(&e, &f));
		assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&ss, len - 1, &f),
				 -EINVAL);
	}
	memset(&e, 0, sizeof(e));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(endpoint_parse(bad[i], &e), -SHUNT_EPARSE);
	assert_int_equal(endpoint_to_sockaddr(&e, &ss), 0);
	assert_string_equal(endpoint_print(&e, s), "");
	assert_int_equal(endpoint_parse_any("0.0.0.0:0", &e), 0);
	ss.ss_family = AF_UNIX;
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&ss, sizeof(ss), &e),
			 -EAFNOSUPPORT);
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&ss, 1, &e), -EINVAL);
	/* A dual-stack socket reports IPv4 peers as mapped. */
	assert_int_equal(endpoint_parse("[::ffff:192.0.2.1]:80", &e), 0);
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&ss,
						endpoint_to_sockaddr(&e, &ss), &f),
			 0);
	assert_string_equal(endpoint_print(&f, s), "192.0.2.1:80");
}

static void test_prefix(void **state)
{
	static const char *const bad[] = { "",
					   "/24",
					   "10.0.0.0/",
					   "10.0.0.0/33",
					   "10.0.0.0/-1",
					   "10.0.0.0/08",
					   "10.0.0.1/24",
					   "2001:db8::/129",
					   "2001:db8::1/64",
					   "10.0.0.0/24/24",
					   "0.0.0.1/0" };
	struct shunt_prefix p = { 0 }, q;
	struct shunt_addr a;
	char s[PREFIX_STR_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(prefix_parse(bad[i], &p), -SHUNT_EPARSE);
	assert_string_equal(prefix_print(&p, s), "");
	p = prefix("10.1.2.3");
	assert_string_equal(prefix_print(&p, s), "10.1.2.3/32");
	p = prefix("192.168.0.0/22");
	a = addr("192.168.3.255");
	assert_true(prefix_contains(&p, &a));
	a = addr("192.168.4.0");
	assert_false(prefix_contains(&p, &a));
	a = addr("::1");
	assert_false(prefix_contains(&p, &a));
	p = prefix("0.0.0.0/0");
	a = addr("8.8.8.8");
	assert_true(prefix_contains(&p, &a));
	p = prefix("2001:db8:8000::/33");
	a = addr("2001:db8:ffff::1");
	assert_true(prefix_contains(&p, &a));
	a = addr("2001:db8:7fff::1");
	assert_false(prefix_contains(&p, &a));
	p = prefix("10.0.0.0/8");
	q = prefix("10.200.0.0/16");
	assert_true(prefix_overlaps(&p, &q));
	assert_true(prefix_overlaps(&q, &p));
	q = prefix("11.0.0.0/16");
	assert_false(prefix_overlaps(&p, &q));
	q = prefix("::/0");
	assert_false(prefix_overlaps(&p, &q));
}

static void test_hosts(void **state)
{
	static const struct {
		const char *prefix;
		uint64_t n;
		const char *first, *last;
	} t[] = {
		{ "192.168.1.0/24", 254, "192.168.1.1", "192.168.1.254" },
		{ "10.0.0.0/31", 2, "10.0.0.0", "10.0.0.1" },
		{ "10.0.0.7/32", 1, "10.0.0.7", "10.0.0.7" },
		{ "10.0.0.0/30", 2, "10.0.0.1", "10.0.0.2" },
		{ "100.64.0.0/10", (1 << 22) - 2, "100.64.0.1", "100.127.255.254" },
		{ "2001:db8::/126", 3, "2001:db8::1", "2001:db8::3" },
		{ "2001:db8::4/127", 2, "2001:db8::4", "2001:db8::5" },
	};
	struct shunt_prefix p;
	struct shunt_addr a;
	char s[ADDR_STR_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		p = prefix(t[i].prefix);
		assert_true(prefix_hosts(&p) == t[i].n);
		assert_int_equal(prefix_host(&p, 0, &a), 0);
		assert_string_equal(addr_print(&a, s), t[i].first);
		assert_int_equal(prefix_host(&p, t[i].n - 1, &a), 0);
		assert_string_equal(addr_print(&a, s), t[i].last);
		assert_int_equal(prefix_host(&p, t[i].n, &a), -ERANGE);
	}
	p = prefix("2001:db8::/32");
	assert_true(prefix_hosts(&p) == UINT64_MAX);
	assert_int_equal(prefix_host(&p, UINT64_MAX - 1, &a), 0);
	assert_string_equal(addr_print(&a, s), "2001:db8::ffff:ffff:ffff:ffff");
	memset(&p, 0, sizeof(p));
	assert_true(prefix_hosts(&p) == 0);
}

static void test_pool(void **state)
{
	struct shunt_prefix p = prefix("10.9.0.0/29"); /* hosts .1 to .6 */
	struct addr_pool *pool = addr_pool_new(&p, 1);
	struct shunt_addr a, got[5];
	char s[ADDR_STR_LEN];

	(void)state;
	assert_non_null(pool);
	assert_int_equal(addr_pool_size(pool), 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(addr_pool_get(pool, &got[i]), 0);
	assert_string_equal(addr_print(&got[0], s), "10.9.0.2");
	assert_string_equal(addr_print(&got[4], s), "10.9.0.6");
	assert_int_equal(addr_pool_get(pool, &a), -ENOSPC);
	assert_int_equal(addr_pool_put(pool, &got[3]), 0);
	assert_int_equal(addr_pool_put(pool, &got[3]), -ENOENT);
	assert_int_equal(addr_pool_put(pool, &got[1]), 0);
	assert_int_equal(addr_pool_used(pool), 3);
	/* The one released first comes back first. */
	assert_int_equal(addr_pool_get(pool, &a), 0);
	assert_true(addr_equal(&a, &got[3]));
	assert_int_equal(addr_pool_take(pool, &got[1]), 0);
	assert_int_equal(addr_pool_take(pool, &got[1]), -EBUSY);
	a = addr("10.9.0.1"); /* skipped */
	assert_int_equal(addr_pool_take(pool, &a), -ERANGE);
	assert_int_equal(addr_pool_put(pool, &a), -ENOENT);
	a = addr("10.9.0.7"); /* broadcast */
	assert_int_equal(addr_pool_take(pool, &a), -ERANGE);
	a = addr("10.9.0.0");
	assert_int_equal(addr_pool_take(pool, &a), -ERANGE);
	a = addr("10.9.1.2");
	assert_int_equal(addr_pool_take(pool, &a), -ERANGE);
	addr_pool_free(pool);
	assert_null(addr_pool_new(&p, 6));
	addr_pool_free(NULL);
}

/* Random gets, takes and puts against a plain table of flags. */
static void test_pool_model(void **state)
{
	struct shunt_prefix p = prefix("2001:db8::/120");
	struct addr_pool *pool = addr_pool_new(&p, 0);
	bool used[256] = { false };
	size_t n = 0;

	(void)state;
	assert_non_null(pool);
	srandom(7);
	for (int i = 0; i < 100000; i++) {
		unsigned int k = 1 + (unsigned int)random() % 255;
		struct shunt_addr a = p.addr;
		int ret;

		a.bytes[15] = (uint8_t)k;
		switch (random() % 3) {
		case 0:
			ret = addr_pool_get(pool, &a);
			assert_int_equal(ret, n < 255 ? 0 : -ENOSPC);
			if (!ret) {
				assert_false(used[a.bytes[15]]);
				used[a.bytes[15]] = true;
				n++;
			}
			break;
		case 1:
			assert_int_equal(addr_pool_take(pool, &a), used[k] ? -EBUSY : 0);
			n += !used[k];
			used[k] = true;
			break;
		default:
			assert_int_equal(addr_pool_put(pool, &a), used[k] ? 0 : -ENOENT);
			n -= used[k];
			used[k] = false;
		}
		assert_int_equal(addr_pool_used(pool), n);
	}
	addr_pool_free(pool);
}

static void test_pool_large(void **state)
{
	struct shunt_prefix p = prefix("2001:db8::/32");
	struct addr_pool *pool = addr_pool_new(&p, 5);
	struct shunt_addr a;
	char s[ADDR_STR_LEN];

	(void)state;
	assert_non_null(pool);
	assert_int_equal(addr_pool_size(pool), ADDR_POOL_MAX);
	assert_int_equal(addr_pool_get(pool, &a), 0);
	assert_string_equal(addr_print(&a, s), "2001:db8::6");
	a = addr("2001:db8:1::1");
	assert_int_equal(addr_pool_take(pool, &a), -ERANGE);
	addr_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr),	   cmocka_unit_test(test_classes),
		cmocka_unit_test(test_endpoint),   cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_hosts),	   cmocka_unit_test(test_pool),
		cmocka_unit_test(test_pool_model), cmocka_unit_test(test_pool_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
