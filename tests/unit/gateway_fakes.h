/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_fakes: gateway/controller with the real moves, tunnels, policy and records. The kernel, the
 * devices, the line, TLS keys and the clouds' event streams are fakes: they take the place of
 * datapath.o, agent.o, line.o, keys.o and events.o. For one test program, which it gives external
 * functions to.
 */
#ifndef SHUNT_TESTS_GATEWAY_FAKES_H
#define SHUNT_TESTS_GATEWAY_FAKES_H

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
#include "gateway/line.h"
#include "gateway/moves.h"
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

static inline struct tunnel_info *kernel_find(uint32_t spi)
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
static char told_cloud[EVENTS_MAX][NAME_LEN];
static size_t n_told;

void events_publish(struct events *ev, const char *cloud, const struct sapi_gateway_event *event)
{
	(void)ev;
	assert_true(n_told < EVENTS_MAX);
	snprintf(told_cloud[n_told], NAME_LEN, "%s", cloud);
	told[n_told++] = *event;
}

/* Was this decision told about this job? */
static inline const struct sapi_gateway_event *decision(const char *job,
							enum sapi_gateway_action action)
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

static struct agent_call *asked[32];
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
	assert_true(n_asked < sizeof(asked) / sizeof(asked[0]));
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

static inline void device_answers(size_t i, int err, const char *why)
{
	struct agent_call *c = asked[i];

	assert_non_null(c);
	asked[i] = NULL;
	c->done(err, why, false, c->arg);
	free(c);
}

/* ---- fake line ---- */

static struct {
	uint64_t speed; /* as measured while tunnels carry something */
	bool busy;
	unsigned int samples;
} the_line;

int line_new(const char *name, const struct shunt_addr *towards, struct line **out)
{
	(void)name;
	(void)towards;
	*out = NULL;
	return 0;
}

void line_free(struct line *l)
{
	(void)l;
}

void line_sample(struct line *l, bool busy)
{
	(void)l;
	the_line.busy = busy;
	the_line.samples++;
}

uint64_t line_speed(const struct line *l)
{
	(void)l;
	return the_line.busy ? the_line.speed : LINE_UNKNOWN;
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

static inline void on_closed(struct gw_tunnel *t, void *arg)
{
	(void)arg;
	if (w.controller)
		controller_closed(w.controller, t);
}

static inline void start(void)
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

static inline void stop(void)
{
	controller_free(w.controller);
	w.controller = NULL;
	tunnels_free(w.tunnels);
	ledger_close(w.ledger);
	record_close(w.record);
}

static inline int setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	memset(&w, 0, sizeof(w));
	memset(&kernel, 0, sizeof(kernel));
	memset(&the_line, 0, sizeof(the_line));
	the_line.speed = LINE_UNKNOWN;
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

static inline int teardown(void **state)
{
	char command[128];

	(void)state;
	stop();
	conf_free(gateway_conf_table, &w.conf);
	loop_free(w.loop);
	snprintf(command, sizeof(command), "rm -rf '%s'", w.dir);
	return system(command);
}

static inline void settle(void)
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

static inline void on_opened(const struct gw_tunnel *t, void *arg)
{
	struct request *r = arg;

	assert_non_null(r->waiter);
	r->waiter = NULL;
	r->spi = t->spi;
}

static inline void on_refused(int status, const char *code, const char *text, void *arg)
{
	struct request *r = arg;

	assert_non_null(r->waiter);
	assert_int_not_equal(text[0], 0);
	r->waiter = NULL;
	r->status = status;
	snprintf(r->code, sizeof(r->code), "%s", code);
}

#define TOKEN "fedcba9876543210fedcba9876543210"

static inline void ask_for(struct request *r, const char *cloud, const char *job,
			   const char *device, uint8_t priority, bool connectable)
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
							      .cloud = cloud,
							      .on_opened = on_opened,
							      .on_refused = on_refused,
							      .arg = r },
					   &r->waiter),
			 0);
}

static inline void ask(struct request *r, const char *job, const char *device, uint8_t priority,
		       bool connectable)
{
	ask_for(r, "cloud1", job, device, priority, connectable);
}

static inline void end(struct request *r)
{
	struct gw_tunnel *t = tunnels_find(w.tunnels, r->spi);

	assert_non_null(t);
	tunnels_close(w.tunnels, t, "closed", NULL);
}

/* How many lines of the record log have @text? */
static inline unsigned int records(const char *text)
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

#endif
