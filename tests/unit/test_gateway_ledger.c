// SPDX-License-Identifier: GPL-2.0-or-later
/* gateway/ledger: what survives a restart, and what must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/ledger.h"

#define JOB "11111111111111111111111111111111"

static char dir[] = "ledger-XXXXXX";
static struct ledger *ledger;

static int setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	strcpy(dir, "ledger-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(ledger_open(dir, &ledger, &e), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[100];

	(void)state;
	ledger_close(ledger);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void copy_entry(const char *from, const char *to)
{
	char command[200];

	snprintf(command, sizeof(command), "cp '%s/%s' '%s/%s'", dir, from, dir, to);
	assert_int_equal(system(command), 0);
}

static bool exists(const char *name)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static struct sapi_dial a_cloud(const char *name)
{
	struct sapi_dial d = { 0 };

	snprintf(d.cloud, sizeof(d.cloud), "%s", name);
	assert_int_equal(endpoint_parse("203.0.113.10:8443", &d.address), 0);
	return d;
}

static void seen_cloud(void *arg, const struct sapi_dial *d)
{
	char *seen = arg;

	strcat(seen, d->cloud);
	strcat(seen, " ");
}

static void test_clouds(void **state)
{
	struct sapi_dial d = a_cloud("cloud1");
	char seen[200] = "";

	(void)state;
	assert_int_equal(ledger_put_cloud(ledger, &d), 0);
	/* written halfway when the power went, and a copy somebody made */
	copy_entry("clouds/cloud1", "clouds/cloud2+");
	copy_entry("clouds/cloud1", "clouds/cloud3");
	assert_int_equal(ledger_clouds(ledger, seen_cloud, seen), 0);
	assert_string_equal(seen, "cloud1 ");
	assert_true(exists("clouds/cloud1"));
	assert_false(exists("clouds/cloud2+"));
	assert_false(exists("clouds/cloud3"));
	ledger_del_cloud(ledger, "cloud1");
	assert_false(exists("clouds/cloud1"));
}

static void seen_tunnel(void *arg, const struct sapi_tunnel *t)
{
	assert_int_equal(t->id, 0x12345678);
	++*(unsigned int *)arg;
}

static void test_tunnels(void **state)
{
	struct sapi_tunnel t = { .id = 0x12345678, .spi = 0x12345678, .job = JOB, .opened = 1000 };
	unsigned int seen = 0;

	(void)state;
	strcpy(t.device, "mfp-1");
	strcpy(t.cloud, "cloud1");
	t.open = true;
	addr_parse("192.168.1.10", &t.host);
	addr_parse("100.64.0.2", &t.alias);
	addr_parse("100.64.0.2", &t.near);
	addr_parse("100.64.0.1", &t.far);
	endpoint_parse("203.0.113.10:4500", &t.endpoint);
	assert_int_equal(ledger_put_tunnel(ledger, &t), 0);
	copy_entry("tunnels/12345678", "tunnels/12345678+");
	copy_entry("tunnels/12345678", "tunnels/12345679");
	assert_int_equal(ledger_tunnels(ledger, seen_tunnel, &seen), 0);
	assert_int_equal(seen, 1);
	assert_true(exists("tunnels/12345678"));
	assert_false(exists("tunnels/12345678+"));
	assert_false(exists("tunnels/12345679"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_clouds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tunnels, setup, teardown),
	};

	return cmocka_run_group_tests_name("gateway_ledger", tests, NULL, NULL);
}
