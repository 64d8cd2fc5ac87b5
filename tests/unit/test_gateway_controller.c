// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gateway/controller with the real tunnels, policy and records. The kernel, the devices, TLS keys
 * and the clouds' event streams are fakes: they take the place of datapath.o, agent.o, keys.o and
 * events.o.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/agent.h"
#include "gateway/controller.h"
#include "gateway/datapath.h"
#include "gateway/events.h"
#include "gateway/ledger.h"
#include "gateway/record.h"
#include "gateway/tunnels.h"
#include "lib/keys.h"
#include "lib/loop.h"

/* ---- fake kernel ---- */

#define KERNEL_MAX 16

struct datapath {
	struct tunnel_info v[KERNEL_MAX];
	size_t n;
	int fail_new; /* error of the next datapath_new() */
	int fail_del; /* of all datapath_del() */
};

static struct datapath kernel;

int datapath_new(struct datapath *dp, struct tunnel_spec *spec, const uint8_t *key_in,
		 const uint8_t *key_out, struct err *e)
{
	int rc = dp->fail_new;

	assert_int_equal(key_in[0], 0xaa);
	assert_int_equal(key_out[0], 0xbb);
	dp->fail_new = 0;
	if (rc)
		return err_set(e, rc, "the kernel says no");
	assert_true(dp->n < KERNEL_MAX);
	dp->v[dp->n++] = (struct tunnel_info){ .spec = *spec };
	return 0;
}

static struct tunnel_info *kernel_find(uint32_t spi)
{
	size_t i;

	for (i = 0; i < kernel.n; i++) {
		if (kernel.v[i].spec.spi_in == spi)
			return &kernel.v[i];
	}
	return NULL;
}

int datapath_del(struct datapath *dp, uint32_t spi, struct tunnel_info *last, struct err *e)
{
	struct tunnel_info *info = kernel_find(spi);

	if (dp->fail_del)
		return err_set(e, dp->fail_del, "the kernel says no");
	if (!info)
		return err_set(e, -ENOENT, "spi-in: no such tunnel");
	if (last)
		*last = *info;
	*info = dp->v[--dp->n];
	return 0;
}

int datapath_dump(struct datapath *dp, int (*on_tunnel)(void *arg, const struct tunnel_info *info),
		  void *arg, struct err *e)
{
	size_t i;
	int rc = 0;

	(void)e;
	for (i = 0; rc == 0 && i < dp->n; i++)
		rc = on_tunnel(arg, &dp->v[i]);
	return rc;
}

int datapath_load(struct datapath *dp, struct tunnel_load *out, struct err *e)
{
	(void)e;
	*out = (struct tunnel_load){ .tunnels = (uint32_t)dp->n, .cpu_permille = 1700, .pps = 9 };
	return 0;
}

/* ---- fake keys, events, devices ---- */

int tunnel_keys_derive(struct h2 *h2, const struct tunnel_keys_id *id, struct tunnel_keys *out)
{
	(void)h2;
	assert_true(id->gateway_spi >= TUNNEL_SPI_MIN);
	memset(out->to_gateway, 0xaa, sizeof(out->to_gateway));
	memset(out->to_cloud, 0xbb, sizeof(out->to_cloud));
	out->len = cipher_key_len(id->cipher);
	return 0;
}

void tunnel_keys_wipe(struct tunnel_keys *keys)
{
	memset(keys, 0, sizeof(*keys));
}

#define EVENTS_MAX 64
static struct sapi_gateway_event told[EVENTS_MAX];
static size_t n_told;

void events_publish(struct events *ev, const char *cloud, const struct sapi_gateway_event *event)
{
	(void)ev;
	assert_string_equal(cloud, "cloud1");
	assert_true(n_told < EVENTS_MAX);
	told[n_told++] = *event;
}

/* Was this decision told about this job? */
static const struct sapi_gateway_event *decision(const char *job, enum sapi_gateway_action action)
{
	size_t i;

	for (i = n_told; i-- > 0;) {
		if (told[i].event == SAPI_GW_DECISION && told[i].action == action &&
		    strcmp(told[i].job, job) == 0)
			return &told[i];
	}
	return NULL;
}

struct agent_call {
	struct sapi_connect body;
	char device[NAME_LEN];
	struct shunt_endpoint at;
	void (*done)(int err, const char *why, bool reused, void *arg);
	void *arg;
};

static struct agent_call *asked[8];
static size_t n_asked, n_canceled;

int agent_connect(struct loop *loop, struct tls_ctx *tls, const struct agent_target *target,
		  const struct sapi_connect *body,
		  void (*done)(int err, const char *why, bool reused, void *arg), void *arg,
		  struct agent_call **out)
{
	struct agent_call *c = calloc(1, sizeof(*c));

	(void)loop;
	(void)tls;
	c->body = *body;
	snprintf(c->device, sizeof(c->device), "%s", target->device);
	c->at = target->at;
	c->done = done;
	c->arg = arg;
	asked[n_asked++] = c;
	*out = c;
	return 0;
}

void agent_cancel(struct agent_call *call)
{
	size_t i;

	for (i = 0; call && i < n_asked; i++) {
		if (asked[i] == call)
			asked[i] = NULL;
	}
	n_canceled += call != NULL;
	free(call);
}

static void device_answers(size_t i, int err, const char *why)
{
	struct agent_call *c = asked[i];

	assert_non_null(c);
	asked[i] = NULL;
	c->done(err, why, false, c->arg);
	free(c);
}

/* ---- world ---- */

struct request {
	struct waiter *waiter;
	uint32_t spi; /* opened */
	int status; /* refused */
	char code[64];
};

static struct world {
	char dir[64];
	struct loop *loop;
	struct gateway_conf conf;
	struct shunt_prefix lan;
	struct record *record;
	struct ledger *ledger;
	struct tunnels *tunnels;
	struct controller *controller;
} w;

static void on_closed(struct gw_tunnel *t, void *arg)
{
	(void)arg;
	if (w.controller)
		controller_closed(w.controller, t);
}

static void start(void)
{
	char path[128];
	struct err e = { 0 };

	snprintf(path, sizeof(path), "%s/record", w.dir);
	assert_int_equal(record_open(w.loop, path, 1 << 20, 2, &w.record, &e), 0);
	snprintf(path, sizeof(path), "%s/state", w.dir);
	assert_int_equal(ledger_open(path, &w.ledger, &e), 0);
	assert_int_equal(tunnels_new(&(struct tunnels_deps){ .conf = &w.conf,
							     .datapath = &kernel,
							     .ledger = w.ledger,
							     .record = w.record,
							     .on_closed = on_closed },
				     &w.tunnels, &e),
			 0);
	assert_int_equal(controller_new(&(struct controller_deps){ .loop = w.loop,
								   .conf = &w.conf,
								   .tunnels = w.tunnels,
								   .datapath = &kernel,
								   .record = w.record },
					&w.controller),
			 0);
}

static void stop(void)
{
	controller_free(w.controller);
	w.controller = NULL;
	tunnels_free(w.tunnels);
	ledger_close(w.ledger);
	record_close(w.record);
}

static int setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	memset(&w, 0, sizeof(w));
	memset(&kernel, 0, sizeof(kernel));
	n_told = n_asked = n_canceled = 0;
	strcpy(w.dir, "/tmp/shunt-test-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	assert_int_equal(loop_new(&w.loop), 0);
	assert_int_equal(conf_defaults(gateway_conf_table, &w.conf, &e), 0);
	w.conf.policy.tunnels_high = 2;
	w.conf.retry_min = 200;
	w.conf.retry_max = 200;
	assert_int_equal(endpoint_parse("192.168.1.1:8633", &w.conf.listen), 0);
	assert_int_equal(policy_settings_check(&w.conf.policy, DECIDE_GATEWAY, &e), 0);
	start();
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	stop();
	conf_free(gateway_conf_table, &w.conf);
	loop_free(w.loop);
	snprintf(command, sizeof(command), "rm -rf '%s'", w.dir);
	return system(command);
}

static void settle(void)
{
	int i;

	for (i = 0; i < 10; i++)
		assert_int_equal(loop_step(w.loop, 0), 0);
}

#define AWAIT(condition)                                                                           \
	do {                                                                                       \
		uint64_t limit_ = loop_now(w.loop) + 20000;                                        \
		while (!(condition)) {                                                             \
			assert_int_equal(loop_step(w.loop, 100), 0);                               \
			assert_true(loop_now(w.loop) < limit_);                                    \
		}                                                                                  \
	} while (0)

static void on_opened(const struct gw_tunnel *t, void *arg)
{
	struct request *r = arg;

	assert_non_null(r->waiter);
	r->waiter = NULL;
	r->spi = t->spi;
}

static void on_refused(int status, const char *code, const char *text, void *arg)
{
	struct request *r = arg;

	assert_non_null(r->waiter);
	assert_int_not_equal(text[0], 0);
	r->waiter = NULL;
	r->status = status;
	snprintf(r->code, sizeof(r->code), "%s", code);
}

#define TOKEN "fedcba9876543210fedcba9876543210"

static void ask(struct request *r, const char *job, const char *device, uint8_t priority,
		bool connectable)
{
	struct sapi_tunnel_open o = { .cipher = CIPHER_AES_GCM_256,
				      .spi = 0x2001,
				      .scope = { { PROTO_TCP, 8632 } },
				      .n_scope = 1,
				      .priority = priority,
				      .remaining = 64 << 20,
				      .connectable = connectable };

	memset(r, 0, sizeof(*r));
	snprintf(o.job, sizeof(o.job), "%s", job);
	snprintf(o.device, sizeof(o.device), "%s", device);
	snprintf(o.nonce, sizeof(o.nonce), "%s", job);
	addr_parse("192.168.1.10", &o.host);
	addr_parse("100.64.0.5", &o.near);
	addr_parse("100.64.0.1", &o.far);
	endpoint_parse("203.0.113.10:4500", &o.endpoint);
	if (connectable) {
		endpoint_parse("203.0.113.10:8443", &o.connect.address);
		o.connect.agent_port = 8632;
		strcpy(o.connect.token, TOKEN);
	}
	assert_int_equal(controller_arrive(w.controller,
					   &(struct arrival){ .open = &o,
							      .cloud = "cloud1",
							      .on_opened = on_opened,
							      .on_refused = on_refused,
							      .arg = r },
					   &r->waiter),
			 0);
}

static void end(struct request *r)
{
	struct gw_tunnel *t = tunnels_find(w.tunnels, r->spi);

	assert_non_null(t);
	tunnels_close(w.tunnels, t, "closed", NULL);
}

/* How many lines of the record log have @text? */
static unsigned int records(const char *text)
{
	char path[128], line[4096];
	unsigned int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/record", w.dir);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		assert_null(strstr(line, TOKEN));
		n += strstr(line, text) != NULL;
	}
	fclose(f);
	return n;
}

#define JOB1 "11111111111111111111111111111111"
#define JOB2 "22222222222222222222222222222222"
#define JOB3 "33333333333333333333333333333333"
#define JOB4 "44444444444444444444444444444444"

/* ---- tests ---- */

/* FIG. 16-17: the third job's device cannot connect, the second's can: the second is moved. */
static void test_main_job(void **state)
{
	struct request a, b, c;

	(void)state;
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "mfp-1", 4, true);
	settle();
	assert_true(a.spi && b.spi);
	assert_int_equal(n_asked, 0);
	assert_non_null(decision(JOB1, SAPI_GW_OPEN));
	assert_int_equal(kernel_find(b.spi)->spec.scope_n, 1);
	assert_string_equal(kernel_find(b.spi)->spec.cookie, JOB2);
	assert_int_equal(kernel_find(b.spi)->spec.keepalive_ms, 20000);
	assert_int_equal(kernel_find(b.spi)->spec.idle_s, 600);

	ask(&c, JOB3, "nas-1", 4, false);
	settle();
	assert_int_equal(c.spi, 0);
	assert_non_null(c.waiter);
	assert_int_equal(n_asked, 1);
	assert_string_equal(asked[0]->device, "mfp-1");
	assert_string_equal(asked[0]->body.job, JOB2);
	assert_string_equal(asked[0]->body.token, TOKEN);
	assert_string_equal(asked[0]->body.cloud, "cloud1");
	assert_int_equal(asked[0]->at.port, 8632);
	assert_int_equal(asked[0]->body.log.port, 8633);
	assert_string_equal(decision(JOB2, SAPI_GW_MOVE)->reason, "tunnel-limit");
	assert_string_equal(decision(JOB1, SAPI_GW_KEEP)->reason, "not-connectable");
	assert_non_null(decision(JOB3, SAPI_GW_WAIT));

	device_answers(0, 0, "");
	settle();
	assert_int_equal(n_asked, 1);
	end(&b);
	settle();
	assert_true(c.spi != 0);
	assert_non_null(decision(JOB3, SAPI_GW_OPEN));
	assert_int_equal(told[n_told - 1].tunnel, c.spi);
	end(&a);
	end(&c);
	assert_int_equal(kernel.n, 0);
	assert_int_equal(records("\"7K\""), 3);
	assert_int_equal(records("\"move\""), 1);
}

/* A device that fails is told of, left alone for a while, and asked again. */
static void test_move_fails(void **state)
{
	struct request a, b, c;

	(void)state;
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "mfp-1", 4, true);
	ask(&c, JOB3, "nas-2", 4, false);
	settle();
	assert_int_equal(n_asked, 1);
	device_answers(0, -ECONNREFUSED, "connection refused");
	settle();
	assert_int_equal(n_asked, 1);
	assert_int_equal(told[n_told - 1].event, SAPI_GW_DECISION);
	assert_non_null(c.waiter);
	assert_int_equal(records("connection refused"), 1);
	AWAIT(n_asked == 2);
	device_answers(1, 0, "");
	/* The job ends by itself meanwhile; that frees the slot as well. */
	end(&b);
	settle();
	assert_true(c.spi != 0);
}

/* An arriving job whose device can connect needs no tunnel when none is free. */
static void test_arrival_direct(void **state)
{
	struct request a, b, c;

	(void)state;
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "nas-2", 4, false);
	settle();
	ask(&c, JOB3, "mfp-1", 4, true);
	settle();
	assert_int_equal(n_asked, 1);
	assert_string_equal(asked[0]->body.job, JOB3);
	assert_non_null(decision(JOB3, SAPI_GW_DIRECT));
	device_answers(0, -ETIMEDOUT, "timed out");
	settle();
	/* Then it waits like any other. */
	assert_int_equal(n_asked, 1);
	assert_non_null(decision(JOB3, SAPI_GW_WAIT));
	end(&a);
	settle();
	assert_true(c.spi != 0);
}

/* The cloud withdraws: what was started for the request is called off. */
static void test_withdraw(void **state)
{
	struct request a, b, c;

	(void)state;
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "nas-2", 4, false);
	ask(&c, JOB3, "mfp-1", 4, true);
	settle();
	assert_int_equal(n_asked, 1);
	controller_withdraw(w.controller, c.waiter);
	assert_int_equal(n_canceled, 1);
	assert_false(controller_waits(w.controller, "cloud1", JOB3));
	end(&a);
	settle();
	assert_int_equal(kernel.n, 1);
}

/* First come first served, but higher priority first. */
static void test_order(void **state)
{
	struct request a, b, c, d, f;

	(void)state;
	w.conf.policy.tunnels_high = w.conf.policy.tunnels_low = 1;
	ask(&a, JOB1, "nas-1", 4, false);
	settle();
	ask(&b, JOB2, "nas-2", 4, false);
	ask(&c, JOB3, "nas-3", 4, false);
	ask(&d, JOB4, "nas-4", 6, false);
	settle();
	assert_true(controller_waits(w.controller, "cloud1", JOB4));
	end(&a);
	settle();
	assert_true(d.spi && !b.spi && !c.spi);
	end(&d);
	settle();
	assert_true(b.spi && !c.spi);
	ask(&f, JOB1, "nas-1", 4, false);
	controller_stop(w.controller);
	assert_int_equal(c.status, 503);
	assert_string_equal(c.code, "stopping");
	assert_int_equal(f.status, 503);
}

static void test_bounds(void **state)
{
	struct request a, b, c;

	(void)state;
	w.conf.policy.tunnels_high = w.conf.policy.tunnels_low = 1;
	w.conf.wait_max = 1;
	w.conf.wait_timeout = 1000;
	ask(&a, JOB1, "nas-1", 4, false);
	settle();
	ask(&b, JOB2, "nas-2", 4, false);
	settle();
	ask(&c, JOB3, "nas-3", 4, false);
	settle();
	assert_int_equal(c.status, 503);
	assert_string_equal(c.code, "queue-full");
	AWAIT(b.status == 503);
	assert_string_equal(b.code, "no-slot");
	/* The kernel refuses. */
	end(&a);
	kernel.fail_new = -ENOSPC;
	ask(&c, JOB3, "nas-3", 4, false);
	settle();
	assert_string_equal(c.code, "tunnel-failed");
	/* An SPI that is in use there is no reason to give up. */
	kernel.fail_new = -EEXIST;
	ask(&c, JOB3, "nas-3", 4, false);
	settle();
	assert_true(c.spi != 0);
}

/* Ended by the kernel, or found gone: recorded, announced, slot free. */
static void test_kernel_ends(void **state)
{
	struct request a, b, c;
	struct tunnel_info last;
	struct err e = { 0 };

	(void)state;
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "nas-2", 4, false);
	ask(&c, JOB3, "nas-3", 4, false);
	settle();
	assert_int_equal(datapath_del(&kernel, a.spi, &last, NULL), 0);
	last.end = TUNNEL_END_IDLE;
	last.rx.bytes = 4711;
	tunnels_deleted(w.tunnels, &last);
	tunnels_deleted(w.tunnels, &last);
	assert_int_equal(records("4711"), 1);
	assert_int_equal(told[n_told - 1].event, SAPI_GW_TUNNEL_CLOSED);
	assert_string_equal(told[n_told - 1].reason, "idle");
	settle();
	assert_true(c.spi != 0);
	assert_int_equal(datapath_del(&kernel, b.spi, NULL, NULL), 0);
	assert_int_equal(tunnels_refresh(w.tunnels, &e), 0);
	assert_null(tunnels_find(w.tunnels, b.spi));
	assert_int_equal(records("vanished"), 1);
}

/* After a restart: known tunnels are taken over, unknown ones removed, lost ones recorded. */
/* What the kernel does not delete keeps its alias until it does. */
static void test_stuck(void **state)
{
	struct request a, b;
	struct shunt_addr alias;
	struct tunnel_info info;
	uint32_t spi;

	(void)state;
	ask(&a, JOB1, "mfp-1", 4, false);
	AWAIT(a.spi);
	spi = a.spi;
	alias = tunnels_find(w.tunnels, spi)->alias;
	kernel.fail_del = -ENOMEM;
	end(&a);
	assert_null(tunnels_find(w.tunnels, spi));
	assert_int_equal(records("\"7K\""), 1);
	ask(&b, JOB2, "mfp-2", 4, false);
	AWAIT(b.spi);
	assert_false(addr_equal(&tunnels_find(w.tunnels, b.spi)->alias, &alias));
	tunnels_sweep(w.tunnels);
	assert_non_null(kernel_find(spi));
	/* the daemon comes back and cannot remove the orphan either */
	stop();
	start();
	assert_int_equal(tunnels_adopt(w.tunnels, &(struct err){ 0 }), 0);
	assert_non_null(tunnels_find(w.tunnels, b.spi));
	assert_null(tunnels_find(w.tunnels, spi));
	assert_non_null(kernel_find(spi));
	kernel.fail_del = 0;
	/* the tick does it */
	AWAIT(!kernel_find(spi));
	assert_int_equal(tunnels_count(w.tunnels), 1);
	/* the kernel does it by itself */
	info = *kernel_find(b.spi);
	kernel.fail_del = -ENOMEM;
	tunnels_close(w.tunnels, tunnels_find(w.tunnels, b.spi), "closed", NULL);
	kernel.n = 0;
	tunnels_deleted(w.tunnels, &info);
	tunnels_sweep(w.tunnels);
	assert_int_equal(tunnels_count(w.tunnels), 0);
}

static void test_adoption(void **state)
{
	struct request a, b;
	struct gw_tunnel *t;
	struct tunnel_spec orphan = { .spi_in = 0x9999, .cookie = JOB4 };
	const uint8_t key_in[36] = { 0xaa }, key_out[36] = { 0xbb };
	struct sapi_load load;
	struct err e = { 0 };

	(void)state;
	ask(&a, JOB1, "mfp-1", 4, true);
	ask(&b, JOB2, "nas-2", 4, false);
	settle();
	assert_true(a.spi && b.spi);
	stop();
	assert_int_equal(kernel.n, 2);
	assert_int_equal(datapath_del(&kernel, b.spi, NULL, NULL), 0);
	assert_int_equal(datapath_new(&kernel, &orphan, key_in, key_out, NULL), 0);
	start();
	assert_int_equal(tunnels_adopt(w.tunnels, &e), 0);
	assert_int_equal(kernel.n, 1);
	t = tunnels_find(w.tunnels, a.spi);
	assert_non_null(t);
	assert_string_equal(t->job, JOB1);
	assert_string_equal(t->cloud, "cloud1");
	assert_string_equal(t->device, "mfp-1");
	assert_false(t->connectable);
	assert_true(tunnels_find_job(w.tunnels, "cloud1", JOB1) == t);
	assert_null(tunnels_find_job(w.tunnels, "cloud2", JOB1));
	assert_int_equal(records("vanished"), 1);
	assert_int_equal(records("orphaned"), 1);
	/* The alias is not given away a second time. */
	ask(&b, JOB2, "nas-2", 4, false);
	settle();
	assert_false(addr_equal(&tunnels_find(w.tunnels, b.spi)->alias, &t->alias));
	controller_load(w.controller, &load);
	assert_int_equal(load.tunnels, 2);
	assert_int_equal(load.tunnels_high, 2);
	assert_int_equal(load.datapath_permille, 1000);
}

/* First embodiment: moved at once, whatever the limits say. */
static void test_always(void **state)
{
	struct request a, b;

	(void)state;
	w.conf.policy.when = WHEN_ALWAYS;
	ask(&a, JOB1, "nas-1", 4, false);
	ask(&b, JOB2, "mfp-1", 4, true);
	AWAIT(n_asked == 1);
	assert_string_equal(decision(JOB2, SAPI_GW_MOVE)->reason, "always");
	assert_true(b.spi != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_main_job, setup, teardown),
		cmocka_unit_test_setup_teardown(test_move_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arrival_direct, setup, teardown),
		cmocka_unit_test_setup_teardown(test_withdraw, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stuck, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adoption, setup, teardown),
		cmocka_unit_test_setup_teardown(test_always, setup, teardown),
	};

	return cmocka_run_group_tests_name("gateway_controller", tests, NULL, NULL);
}
