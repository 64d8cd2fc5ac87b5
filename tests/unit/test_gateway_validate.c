// SPDX-License-Identifier: GPL-2.0-or-later
/* gateway/validate: what a cloud may ask for, as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/validate.h"

static struct shunt_addr addr(const char *s)
{
	struct shunt_addr a = { 0 };

	assert_int_equal(addr_parse(s, &a), 0);
	return a;
}

static bool is_router(void *arg, const struct shunt_addr *a)
{
	struct shunt_addr router = addr("192.168.1.1");

	(void)arg;
	return addr_equal(a, &router);
}

static struct sapi_tunnel_open good(void)
{
	struct sapi_tunnel_open o = {
		.host = addr("192.168.1.10"),
		.near = addr("100.64.0.5"),
		.far = addr("100.64.0.1"),
		.endpoint = { addr("203.0.113.10"), 4500 },
		.scope = { { PROTO_TCP, 8632 } },
		.n_scope = 1,
	};

	return o;
}

/* One change to a good request, and what becomes of it. */
struct row {
	const char *what;
	const char *host, *near, *far, *endpoint; /* NULL: as in good() */
	int n_scope; /* -1: as in good() */
	uint16_t port;
	bool any;
	const char *own; /* address of own-service, whose port is good()'s plus own_off */
	uint16_t own_off;
	uint16_t agent; /* not 0: connectable, with the agent at this port */
	const char *dial; /* where the device is to connect */
	int status;
	const char *code;
};

static const struct row rows[] = {
	{ "good", .n_scope = -1, .status = 0 },
	{ "in the second prefix", .host = "10.1.2.3", .n_scope = -1, .status = 0 },
	{ "elsewhere", "192.168.2.10", .n_scope = -1, .status = 403, .code = "host-not-allowed" },
	{ "the internet", "8.8.8.8", .n_scope = -1, .status = 403, .code = "host-not-allowed" },
	{ "the router", "192.168.1.1", .n_scope = -1, .status = 403, .code = "host-not-allowed" },
	{ "the router, a device too", "192.168.1.1", .own = "192.168.1.1", .n_scope = -1,
	  .status = 0 },
	{ "the router, another service", "192.168.1.1", .own = "192.168.1.1", .own_off = 1,
	  .n_scope = -1, .status = 403, .code = "host-not-allowed" },
	{ "another of the router's", "192.168.1.1", .own = "192.168.1.2", .n_scope = -1,
	  .status = 403, .code = "host-not-allowed" },
	{ "own, but elsewhere", "192.168.2.1", .own = "192.168.2.1", .n_scope = -1, .status = 403,
	  .code = "host-not-allowed" },
	{ "loopback", "127.0.0.1", .n_scope = -1, .status = 422, .code = "bad-address" },
	{ "multicast", "224.0.0.1", .n_scope = -1, .status = 422, .code = "bad-address" },
	{ "any", "0.0.0.0", .n_scope = -1, .status = 422, .code = "bad-address" },
	{ "near multicast", .near = "224.0.0.1", .n_scope = -1, .status = 422,
	  .code = "bad-address" },
	{ "far loopback", .far = "127.0.0.1", .n_scope = -1, .status = 422, .code = "bad-address" },
	{ "near is far", .near = "100.64.0.1", .n_scope = -1, .status = 422,
	  .code = "bad-address" },
	{ "mixed families", .near = "2001:db8::5", .n_scope = -1, .status = 422,
	  .code = "bad-address" },
	{ "IPv6 without aliases", "2001:db8:1::10", "2001:db8::5", "2001:db8::1", .n_scope = -1,
	  .status = 422, .code = "bad-address" },
	{ "endpoint elsewhere", .endpoint = "203.0.113.11", .n_scope = -1, .status = 403,
	  .code = "endpoint-not-allowed" },
	{ "endpoint elsewhere, allowed", .endpoint = "203.0.113.11", .n_scope = -1, .any = true,
	  .status = 0 },
	{ "endpoint any", .endpoint = "0.0.0.0", .n_scope = -1, .any = true, .status = 422,
	  .code = "bad-address" },
	{ "connectable", .agent = 8632, .n_scope = -1, .status = 0 },
	{ "agent elsewhere", .agent = 22, .n_scope = -1, .status = 422, .code = "bad-scope" },
	{ "connect elsewhere", .agent = 8632, .dial = "192.168.1.20", .n_scope = -1, .status = 403,
	  .code = "endpoint-not-allowed" },
	{ "connect elsewhere, allowed", .agent = 8632, .dial = "203.0.113.11", .n_scope = -1,
	  .any = true, .status = 0 },
	{ "no scope", .n_scope = 0, .status = 422, .code = "bad-scope" },
	{ "scope without port", .n_scope = 1, .port = 0, .status = 422, .code = "bad-scope" },
};

static void apply(const struct row *r, struct sapi_tunnel_open *o)
{
	if (r->host)
		o->host = addr(r->host);
	if (r->near)
		o->near = addr(r->near);
	if (r->far)
		o->far = addr(r->far);
	if (r->endpoint)
		o->endpoint.addr = addr(r->endpoint);
	o->connectable = r->agent != 0;
	o->connect.agent_port = r->agent;
	o->connect.address.addr = addr(r->dial ? r->dial : "203.0.113.10");
	if (r->n_scope >= 0) {
		o->n_scope = (size_t)r->n_scope;
		o->scope[0].port = r->port;
	}
}

static void test_table(void **state)
{
	struct shunt_prefix lan[3];
	struct gateway_conf conf = { .lan = { lan, 3 } };
	struct validate_env env = { .cloud = addr("203.0.113.10"), .is_local = is_router };
	size_t i;

	(void)state;
	assert_int_equal(prefix_parse("192.168.1.0/24", &lan[0]), 0);
	assert_int_equal(prefix_parse("10.1.0.0/16", &lan[1]), 0);
	assert_int_equal(prefix_parse("2001:db8:1::/64", &lan[2]), 0);
	assert_int_equal(prefix_parse("100.65.0.0/16", &conf.alias_pool), 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sapi_tunnel_open o = good();
		struct refusal why = { 0 };
		int rc;

		apply(&rows[i], &o);
		conf.endpoint_any = rows[i].any;
		conf.own_service = (struct shunt_endpoint){ 0 };
		if (rows[i].own)
			conf.own_service = (struct shunt_endpoint){
				addr(rows[i].own), (uint16_t)(o.scope[0].port + rows[i].own_off)
			};
		rc = validate_open(&conf, &env, &o, &why);
		if ((rc < 0 ? why.status : 0) != rows[i].status)
			fail_msg("%s: %d %s", rows[i].what, why.status, why.text);
		if (rc < 0) {
			assert_string_equal(why.code, rows[i].code);
			assert_int_not_equal(why.text[0], 0);
		}
		/* An adopted tunnel is told of the same. */
		if (rows[i].agent)
			assert_int_equal(validate_connect(&conf, &env, &o, &why), rc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests_name("gateway_validate", tests, NULL, NULL);
}
