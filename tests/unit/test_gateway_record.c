// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gateway/record and gateway/ledger: lines whole, rotated, repaired; entries replaced, listed,
 * pruned.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/cpu.h"
#include "gateway/ledger.h"
#include "gateway/nonces.h"
#include "gateway/record.h"

#define JOB "0123456789abcdef0123456789abcdef"

static char dir[64];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/shunt-test-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static const char *path(const char *name)
{
	static char out[4][160];
	static unsigned int n;
	char *p = out[n++ % 4];

	snprintf(p, sizeof(out[0]), "%s/%s", dir, name);
	return p;
}

static struct sapi_record_7k sample_7k(uint32_t id)
{
	struct sapi_record_7k rec = { .time = 1764000000123,
				      .tunnel = id,
				      .opened = 1764000000000 };

	strcpy(rec.job, JOB);
	strcpy(rec.device, "mfp-1");
	strcpy(rec.cloud, "cloud1");
	strcpy(rec.reason, "closed");
	rec.closed = rec.time;
	rec.rx.packets = 7;
	rec.tx.drops.scope = 3;
	return rec;
}

/* Every line of the file decodes; returns their number and the last one's tunnel. */
static unsigned int count_7k(const char *file, uint32_t *last)
{
	char line[4096];
	FILE *f = fopen(file, "r");
	unsigned int n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		struct sapi_record_7k rec;
		struct err e = { 0 };
		size_t len = strlen(line);

		assert_int_equal(line[len - 1], '\n');
		if (sapi_record_7k_decode(line, len - 1, &rec, &e) < 0)
			fail_msg("%s: %s", line, err_text(&e));
		*last = rec.tunnel;
		n++;
	}
	fclose(f);
	return n;
}

static void test_7k(void **state)
{
	struct sapi_record_7k rec = sample_7k(0x1001), back;
	struct record *r;
	struct err e = { 0 };
	char text[4096];
	ssize_t n;
	int fd;

	(void)state;
	assert_int_equal(record_open(NULL, path("r"), 65536, 2, &r, &e), 0);
	assert_int_equal(record_7k(r, &rec), 0);
	/* Nobody answers for this one. */
	rec.job[0] = rec.device[0] = rec.cloud[0] = '\0';
	rec.opened = 0;
	assert_int_equal(record_7k(r, &rec), 0);
	record_close(r);
	fd = open(path("r"), O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "\"record\":\"7K\""));
	*strchr(text, '\n') = '\0';
	assert_int_equal(sapi_record_7k_decode(text, strlen(text), &back, &e), 0);
	assert_int_equal(back.tunnel, 0x1001);
	assert_int_equal(back.rx.packets, 7);
	assert_int_equal(back.tx.drops.scope, 3);
}

static void test_rotation(void **state)
{
	struct record *r;
	struct err e = { 0 };
	uint32_t last = 0, i;
	unsigned int n;

	(void)state;
	assert_int_equal(record_open(NULL, path("r"), 4096, 2, &r, &e), 0);
	for (i = 0; i < 40; i++) {
		struct sapi_record_7k rec = sample_7k(0x1000 + i);
		struct stat st;

		assert_int_equal(record_7k(r, &rec), 0);
		assert_int_equal(stat(path("r"), &st), 0);
		assert_true(st.st_size <= 4096);
	}
	record_close(r);
	n = count_7k(path("r"), &last);
	assert_int_equal(last, 0x1000 + 39);
	n += count_7k(path("r.1"), &last);
	assert_int_equal(last, 0x1000 + 39 - count_7k(path("r"), &(uint32_t){ 0 }));
	assert_true(n < 40);
	assert_int_equal(access(path("r.2"), F_OK), 0);
	assert_int_not_equal(access(path("r.3"), F_OK), 0);
}

/* What a power loss left of the last line goes; whole lines stay. */
static void test_torn(void **state)
{
	struct sapi_record_7k rec = sample_7k(0x2001);
	struct record *r;
	struct err e = { 0 };
	uint32_t last = 0;
	int fd;

	(void)state;
	assert_int_equal(record_open(NULL, path("r"), 65536, 2, &r, &e), 0);
	assert_int_equal(record_7k(r, &rec), 0);
	record_close(r);
	fd = open(path("r"), O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "{\"record\":\"7K\",\"ti", 18), 18);
	close(fd);
	assert_int_equal(record_open(NULL, path("r"), 65536, 2, &r, &e), 0);
	rec.tunnel = 0x2002;
	assert_int_equal(record_7k(r, &rec), 0);
	record_close(r);
	assert_int_equal(count_7k(path("r"), &last), 2);
	assert_int_equal(last, 0x2002);
	/* A file of rubbish only. */
	fd = open(path("r"), O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "xxx", 3), 3);
	close(fd);
	assert_int_equal(record_open(NULL, path("r"), 65536, 2, &r, &e), 0);
	assert_int_equal(record_7k(r, &rec), 0);
	record_close(r);
	assert_int_equal(count_7k(path("r"), &last), 1);
}

static void test_record_errors(void **state)
{
	struct record *r;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(record_open(NULL, path("none/r"), 65536, 2, &r, &e), -ENOENT);
	assert_non_null(strstr(err_text(&e), "none/r"));
	assert_int_equal(record_open(NULL, "/dev/null", 65536, 2, &r, &e), -EINVAL);
}

/* A full disk, by way of a limit on the file's size: half a line must not stay. */
static void test_full(void **state)
{
	struct sapi_record_7k rec = sample_7k(0x4001);
	struct rlimit before, limit;
	struct record *r;
	struct err e = { 0 };
	struct stat st;
	uint32_t last = 0;

	(void)state;
	assert_int_equal(record_open(NULL, path("r"), 65536, 2, &r, &e), 0);
	assert_int_equal(record_7k(r, &rec), 0);
	assert_int_equal(stat(path("r"), &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)st.st_size + 20;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	rec.tunnel = 0x4002;
	assert_int_equal(record_7k(r, &rec), -ENOSPC);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	rec.tunnel = 0x4003;
	assert_int_equal(record_7k(r, &rec), 0);
	record_close(r);
	assert_int_equal(count_7k(path("r"), &last), 2);
	assert_int_equal(last, 0x4003);
}

/* ---- ledger ---- */

struct seen {
	unsigned int tunnels, clouds;
	struct sapi_tunnel tunnel;
	struct sapi_dial cloud;
};

static void see_tunnel(void *arg, const struct sapi_tunnel *t)
{
	struct seen *s = arg;

	s->tunnels++;
	s->tunnel = *t;
}

static void see_cloud(void *arg, const struct sapi_dial *d)
{
	struct seen *s = arg;

	s->clouds++;
	s->cloud = *d;
}

static struct sapi_tunnel sample_tunnel(uint32_t id)
{
	struct sapi_tunnel t = { .id = id, .spi = id, .opened = 1764000000000, .open = true };

	strcpy(t.job, JOB);
	strcpy(t.device, "mfp-1");
	strcpy(t.cloud, "cloud1");
	addr_parse("192.168.1.10", &t.host);
	addr_parse("100.65.0.1", &t.alias);
	addr_parse("100.64.0.2", &t.near);
	addr_parse("100.64.0.1", &t.far);
	endpoint_parse("203.0.113.10:4500", &t.endpoint);
	return t;
}

static void test_ledger(void **state)
{
	struct sapi_tunnel a = sample_tunnel(0x1001), b = sample_tunnel(0x1002);
	struct sapi_dial cloud = { .cloud = "cloud1" };
	struct seen seen = { 0 };
	struct ledger *l;
	struct err e = { 0 };
	int fd;

	(void)state;
	endpoint_parse("203.0.113.10:8443", &cloud.address);
	assert_int_equal(ledger_open(path("a/b/state"), &l, &e), 0);
	assert_int_equal(ledger_put_tunnel(l, &a), 0);
	assert_int_equal(ledger_put_tunnel(l, &b), 0);
	assert_int_equal(ledger_put_tunnel(l, &b), 0);
	assert_int_equal(ledger_put_cloud(l, &cloud), 0);
	ledger_del_tunnel(l, 0x1001);
	ledger_del_tunnel(l, 0x1001);
	ledger_close(l);
	/* Rubbish does not come back, nor does it stop the rest. */
	fd = open(path("a/b/state/tunnels/00001003"), O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "{", 1), 1);
	close(fd);
	assert_int_equal(ledger_open(path("a/b/state"), &l, &e), 0);
	assert_int_equal(ledger_tunnels(l, see_tunnel, &seen), 0);
	assert_int_equal(ledger_clouds(l, see_cloud, &seen), 0);
	assert_int_equal(seen.tunnels, 1);
	assert_int_equal(seen.tunnel.id, 0x1002);
	assert_true(addr_equal(&seen.tunnel.alias, &b.alias));
	assert_string_equal(seen.tunnel.job, JOB);
	assert_int_equal(seen.clouds, 1);
	assert_true(endpoint_equal(&seen.cloud.address, &cloud.address));
	assert_int_not_equal(access(path("a/b/state/tunnels/00001003"), F_OK), 0);
	ledger_close(l);
	assert_true(ledger_open("/proc/none/state", &l, &e) < 0);
	assert_non_null(strstr(err_text(&e), "/proc/none"));
}

/* ---- small things of the gateway ---- */

static void test_cpu(void **state)
{
	struct cpu_times a, b;

	(void)state;
	assert_int_equal(cpu_parse("cpu  10 5 10 70 5 0 0 0 0 0\ncpu0 1 2\n", &a), 0);
	assert_int_equal(a.busy, 25);
	assert_int_equal(a.total, 100);
	assert_int_equal(cpu_parse("cpu  60 5 10 110 10 2 3 0 0 0\n", &b), 0);
	assert_int_equal(cpu_permille(&a, &b), 550);
	assert_int_equal(cpu_permille(&b, &b), 0);
	assert_int_equal(cpu_permille(&b, &a), 0);
	assert_int_equal(cpu_parse("cpu  1 2 3 4\n", &a), 0); /* Linux 2.4 */
	assert_true(cpu_parse("", &a) < 0);
	assert_true(cpu_parse("cpux 1 2 3 4", &a) < 0);
	assert_int_equal(cpu_sample(&a), 0);
	assert_true(a.total > 0);
}

static void test_nonces(void **state)
{
	struct nonces s = { 0 };
	char id[ID_LEN];
	unsigned int i;

	(void)state;
	for (i = 1; i <= 5000; i++) {
		/* All in one neighbourhood of the table. */
		snprintf(id, sizeof(id), "00000000000000000000%012x", i);
		assert_int_equal(nonces_add(&s, id, 5000), 0);
		assert_int_equal(nonces_add(&s, id, 5000), -EEXIST);
	}
	assert_int_equal(nonces_add(&s, JOB, 5000), -ENOSPC);
	assert_int_equal(nonces_add(&s, "00000000000000000000000000000000", 9999), -EINVAL);
	assert_int_equal(nonces_add(&s, "abc", 9999), -EINVAL);
	nonces_clear(&s);
	assert_int_equal(nonces_add(&s, JOB, 1), 0);
	nonces_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_7k, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ledger, setup, teardown),
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_nonces),
	};

	return cmocka_run_group_tests_name("gateway_record", tests, NULL, NULL);
}
