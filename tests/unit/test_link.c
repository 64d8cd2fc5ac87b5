// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link: addresses, routes and state of the loopback device of a network namespace of the test's own, which needs
 * neither modules nor, where user namespaces are allowed, privileges. Shunt devices are made in
 * tests/selftests/cli.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "lib/err.h"
#include "lib/link.h"

static struct link_ctx *ctx;
static bool isolated;

static int setup(void **state)
{
	struct err e;

	(void)state;
	isolated = !unshare(CLONE_NEWNET) || !unshare(CLONE_NEWUSER | CLONE_NEWNET);
	return link_open(&ctx, &e);
}

static int teardown(void **state)
{
	(void)state;
	link_close(ctx);
	link_close(NULL);
	return 0;
}

#define NEED_NAMESPACE()                                                                           \
	do {                                                                                       \
		if (!isolated)                                                                     \
			skip();                                                                    \
	} while (0)

static struct shunt_addr addr(const char *s)
{
	struct shunt_addr a = { 0 };

	assert_int_equal(addr_parse(s, &a), 0);
	return a;
}

static struct shunt_prefix prefix(const char *s)
{
	struct shunt_prefix p = { 0 };

	assert_int_equal(prefix_parse(s, &p), 0);
	return p;
}

static void state_and_settings(void **state)
{
	struct link_info info;
	struct err e;

	(void)state;
	NEED_NAMESPACE();
	assert_int_equal(link_get(ctx, "lo", &info, &e), 0);
	assert_string_equal(info.name, "lo");
	assert_int_equal(info.ifindex, 1);
	assert_false(info.up);
	assert_int_equal(link_set_up(ctx, "lo", true, &e), 0);
	assert_int_equal(link_set_mtu(ctx, "lo", 1400, &e), 0);
	assert_int_equal(link_get(ctx, "lo", &info, &e), 0);
	assert_true(info.up);
	assert_true(info.running);
	assert_int_equal(info.mtu, 1400);
}

static void addresses(void **state)
{
	struct shunt_addr v4 = addr("192.0.2.1"), v6 = addr("2001:db8::1"), none = { 0 };
	struct err e;

	(void)state;
	NEED_NAMESPACE();
	assert_int_equal(link_addr_add(ctx, "lo", &v4, 32, false, &e), 0);
	assert_int_equal(link_addr_add(ctx, "lo", &v4, 32, false, &e), -EEXIST);
	assert_non_null(strstr(err_text(&e), "address 192.0.2.1: lo: "));
	assert_int_equal(link_addr_add(ctx, "lo", &v4, 32, true, &e), 0);
	assert_int_equal(link_addr_add(ctx, "lo", &v6, 128, false, &e), 0);
	assert_int_equal(link_addr_del(ctx, "lo", &v6, 128, &e), 0);
	assert_int_equal(link_addr_del(ctx, "lo", &v6, 128, &e), -EADDRNOTAVAIL);
	assert_int_equal(link_addr_del(ctx, "lo", &v4, 32, &e), 0);
	assert_int_equal(link_addr_add(ctx, "lo", &v4, 33, false, &e), -EINVAL);
	assert_int_equal(link_addr_add(ctx, "lo", &none, 0, false, &e), -EINVAL);
}

static void routes(void **state)
{
	struct shunt_prefix v4 = prefix("198.51.100.0/24"), v6 = prefix("2001:db8:1::/48");
	struct err e;

	(void)state;
	NEED_NAMESPACE();
	assert_int_equal(link_route_add(ctx, "lo", &v4, false, &e), 0);
	assert_int_equal(link_route_add(ctx, "lo", &v4, false, &e), -EEXIST);
	assert_non_null(strstr(err_text(&e), "route 198.51.100.0/24: lo: "));
	assert_int_equal(link_route_add(ctx, "lo", &v4, true, &e), 0);
	assert_int_equal(link_route_del(ctx, "lo", &v4, &e), 0);
	assert_int_equal(link_route_del(ctx, "lo", &v4, &e), -ESRCH);
	assert_int_equal(link_route_add(ctx, "lo", &v6, false, &e), 0);
	assert_int_equal(link_route_del(ctx, "lo", &v6, &e), 0);
}

/* Which device leads there; the routes of the test before are gone again. */
static void towards(void **state)
{
	struct shunt_prefix v4 = prefix("198.51.100.0/24"), v6 = prefix("2001:db8:1::/48");
	struct shunt_addr to4 = addr("198.51.100.7"), to6 = addr("2001:db8:1::7");
	struct link_info info;
	struct err e;

	(void)state;
	NEED_NAMESPACE();
	assert_int_equal(link_towards(ctx, &to4, &info, &e), -ENETUNREACH);
	assert_non_null(strstr(err_text(&e), "198.51.100.7: "));
	assert_int_equal(link_route_add(ctx, "lo", &v4, false, &e), 0);
	assert_int_equal(link_route_add(ctx, "lo", &v6, false, &e), 0);
	memset(&info, 0, sizeof(info));
	assert_int_equal(link_towards(ctx, &to4, &info, &e), 0);
	assert_string_equal(info.name, "lo");
	assert_int_equal(info.ifindex, 1);
	memset(&info, 0, sizeof(info));
	assert_int_equal(link_towards(ctx, &to6, &info, &e), 0);
	assert_string_equal(info.name, "lo");
	assert_int_equal(link_route_del(ctx, "lo", &v4, &e), 0);
	assert_int_equal(link_route_del(ctx, "lo", &v6, &e), 0);
}

static void refusals(void **state)
{
	struct link_conf conf = { .name = "a/b" };
	struct link_info info;
	struct err e;

	(void)state;
	assert_int_equal(link_get(ctx, "none0", &info, &e), -ENODEV);
	assert_string_equal(err_text(&e), "none0: No such device");
	assert_int_equal(link_add(ctx, &conf, &e), -EINVAL);
	assert_string_equal(err_text(&e), "\"a/b\" is not a device name (1 to 15 characters)");
	conf.name = "sixteen-octets-x";
	assert_int_equal(link_add(ctx, &conf, &e), -EINVAL);
	assert_int_equal(link_get(ctx, "", &info, &e), -EINVAL);
	assert_int_equal(link_del(ctx, "lo", &e), -EINVAL);
	assert_string_equal(err_text(&e), "lo: not a shunt device");
}

static int on_link(void *arg, const struct link_info *info)
{
	int *seen = arg;

	if (*seen < 0)
		return *seen;
	*seen += !strcmp(info->name, "lo");
	return 0;
}

static void list(void **state)
{
	int seen = 0;
	struct err e;

	(void)state;
	assert_int_equal(link_list(ctx, NULL, on_link, &seen, &e), 0);
	assert_int_equal(seen, 1);
	seen = 0;
	assert_int_equal(link_list(ctx, "shunt", on_link, &seen, &e), 0);
	assert_int_equal(seen, 0);
	seen = -EIO;
	assert_int_equal(link_list(ctx, NULL, on_link, &seen, &e), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_and_settings),
		cmocka_unit_test(addresses),
		cmocka_unit_test(routes),
		cmocka_unit_test(towards),
		cmocka_unit_test(refusals),
		cmocka_unit_test(list),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
