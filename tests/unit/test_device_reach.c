// SPDX-License-Identifier: GPL-2.0-or-later
/* device/reach: where a device lets itself be sent, as a table. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "device/reach.h"

static struct shunt_addr addr(const char *s)
{
	struct shunt_addr a = { 0 };

	if (s[0])
		assert_int_equal(addr_parse(s, &a), 0);
	return a;
}

/* A device on 192.168.1.0/24 and fd00:1::/64. */
static int own(const struct shunt_addr *a)
{
	struct shunt_prefix lan, lan6;

	assert_int_equal(prefix_parse("192.168.1.0/24", &lan), 0);
	assert_int_equal(prefix_parse("fd00:1::/64", &lan6), 0);
	return prefix_contains(&lan, a) || prefix_contains(&lan6, a);
}

static int unknown(const struct shunt_addr *a)
{
	(void)a;
	return -EMFILE;
}

struct row {
	enum role caller;
	const char *cloud, *log;
	bool listed; /* cloud-networks and gateway-networks are set */
	const char *code; /* NULL: allowed */
};

#define GW ROLE_GATEWAY
#define CL ROLE_CLOUD

static const struct row rows[] = {
	{ CL, "203.0.113.10", "192.168.1.1", false, NULL },
	{ CL, "203.0.113.10", "", false, NULL },
	{ CL, "2001:db8::10", "fd00:1::1", false, NULL },
	{ CL, "192.168.1.20", "", false, "address-not-allowed" },
	{ CL, "fd00:1::20", "", false, "address-not-allowed" },
	{ CL, "127.0.0.1", "", false, "address-not-allowed" },
	{ CL, "::1", "", false, "address-not-allowed" },
	{ CL, "::ffff:192.168.1.20", "", false, "address-not-allowed" },
	{ CL, "fe80::1", "", false, "address-not-allowed" },
	{ CL, "0.0.0.0", "", false, "address-not-allowed" },
	{ CL, "203.0.113.10", "203.0.113.10", false, "log-not-allowed" },
	{ CL, "203.0.113.10", "10.0.0.1", false, "log-not-allowed" },
	{ CL, "203.0.113.10", "127.0.0.1", false, "log-not-allowed" },
	/* the gateway is on the LAN, and has been where it sends the device */
	{ GW, "192.168.1.20", "10.0.0.1", false, NULL },
	{ CL, "192.168.1.20", "10.0.0.1", true, NULL },
	{ CL, "203.0.113.10", "10.0.0.1", true, "address-not-allowed" },
	{ GW, "203.0.113.10", "10.0.0.1", true, "address-not-allowed" },
	{ CL, "192.168.1.20", "192.168.1.1", true, "log-not-allowed" },
	{ GW, "192.168.1.20", "192.168.1.1", true, "log-not-allowed" },
	{ GW, "192.168.1.20", "", true, NULL },
};

static void table(void **state)
{
	struct shunt_prefix clouds[1], gateways[1];
	struct conf_prefixes none = { 0 }, c = { clouds, 1 }, g = { gateways, 1 };

	(void)state;
	assert_int_equal(prefix_parse("192.168.1.16/28", clouds), 0);
	assert_int_equal(prefix_parse("10.0.0.0/8", gateways), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reach_conf conf = { rows[i].listed ? &c : &none, rows[i].listed ? &g : &none,
					   own };
		struct sapi_connect ask = { .address.addr = addr(rows[i].cloud),
					    .log.addr = addr(rows[i].log) };
		struct reach_refusal why = { 0 };
		int rc = reach_check(&conf, rows[i].caller, &ask, &why);

		if (rc != (rows[i].code ? -EPERM : 0))
			fail_msg("row %zu: %s: %d %s", i, rows[i].cloud, rc, why.text);
		if (rc)
			assert_string_equal(why.code, rows[i].code);
	}
}

/* Who cannot tell lets nobody. */
static void without_knowing(void **state)
{
	struct conf_prefixes none = { 0 };
	struct reach_conf conf = { &none, &none, unknown };
	struct sapi_connect ask = { .address.addr = addr("203.0.113.10") };
	struct reach_refusal why = { 0 };

	(void)state;
	assert_int_equal(reach_check(&conf, ROLE_CLOUD, &ask, &why), -EMFILE);
	assert_string_equal(why.code, "internal");
	assert_int_equal(reach_check(&conf, ROLE_GATEWAY, &ask, &why), 0);
}

static void this_host(void **state)
{
	struct shunt_addr lo = addr("127.3.2.1"), far = addr("203.0.113.10");

	(void)state;
	assert_int_equal(reach_own_network(&lo), 1);
	assert_int_equal(reach_own_network(&far), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(without_knowing),
		cmocka_unit_test(this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
