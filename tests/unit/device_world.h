/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device_world: a whole agent over loopback TLS, with two clouds, a gateway that takes its logs and a
 * cloud that it can dial. For one test program.
 */
#ifndef SHUNT_TESTS_DEVICE_WORLD_H
#define SHUNT_TESTS_DEVICE_WORLD_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/device.h"
#include "lib/digest.h"
#include "lib/h2.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/peer.h"
#include "lib/pki.h"
#include "lib/sapi.h"
#include "lib/tls.h"

#define SIZE 700000
#define JOB "0123456789abcdef0123456789abcdef"
#define TOKEN "fedcba9876543210fedcba9876543210"

struct answer {
	bool done;
	int err, status;
	char why[256];
	char body[16384];
	size_t len;
};

struct world {
	char top[64], pki[96], text[2048];
	struct loop *loop;
	struct device_conf conf;
	struct device *device;
	/* The others' identities and sessions to the device. */
	struct tls_ctx *cloud_tls, *cloud2_tls, *gateway_tls, *terminal_tls;
	struct h2 *cloud, *cloud2, *gateway;
	unsigned int sessions; /* of them that are open */
	/* A cloud that devices dial, and a gateway that takes connection logs. */
	struct peer_listener *cloud_listener, *log_listener;
	struct h2 *reverse;
	unsigned int reverse_count;
	struct sapi_conn_log log;
	unsigned int log_count;
	uint8_t data[SIZE];
	char sha256[SHA256_STR_LEN];
};

/* Run the loop until @condition holds; the time limit makes a hang a failure. */
#define AWAIT(w, condition)                                                                        \
	do {                                                                                       \
		uint64_t limit_ = loop_now((w)->loop) + 30000;                                     \
		while (!(condition)) {                                                             \
			assert_int_equal(loop_step((w)->loop, 1000), 0);                           \
			assert_true(loop_now((w)->loop) < limit_);                                 \
		}                                                                                  \
	} while (0)

/* ---- the world around the device ---- */

static inline struct tls_ctx *identity(struct world *w, enum role role, const char *name)
{
	struct pki_opts opts = { .alg = PKI_ED25519, .not_before = -3600, .not_after = 86400 };
	struct party party = { .role = role };
	struct pki_paths paths;
	struct tls_files files;
	struct tls_ctx *tls = NULL;
	char ca[128];
	struct err e = { 0 };

	snprintf(party.name, sizeof(party.name), "%s", name);
	snprintf(ca, sizeof(ca), "%s/ca.crt", w->pki);
	assert_int_equal(pki_issue(w->pki, &party, NULL, &opts, &paths, &e), 0);
	files = (struct tls_files){ .ca = ca, .cert = paths.cert, .key = paths.key };
	assert_int_equal(tls_ctx_new(&tls, &files, &e), 0);
	return tls;
}

static inline void configure(struct world *w)
{
	struct err e = { 0 };

	snprintf(
		w->text, sizeof(w->text),
		"ca = \"%s/ca.crt\"\ncert = \"%s/device-mfp-1.crt\"\nkey = \"%s/device-mfp-1.key\"\n"
		"listen = \"127.0.0.1:0\"\nstate = \"%s/state\"\nstore-dir = \"%s/store\"\n"
		"print-command = \"/bin/cp %%f %s/printed\"\nclouds = {\"cloud1\", \"cloud2\"}\n"
		"cloud-networks = {\"127.0.0.0/8\"}\ngateway-networks = {\"127.0.0.0/8\"}\n"
		"scan-command = \"/bin/cp %s/share/a %%f\"\nfetch-dir = \"%s/share\"\n"
		"linger = \"1s\"\nconnect-timeout = \"2s\"\nmax-bytes = \"10M\"\n"
		"pull-ahead = \"200K\"\n",
		w->pki, w->pki, w->pki, w->top, w->top, w->top, w->top, w->top);
	if (conf_parse("test", w->text, strlen(w->text), device_conf_table, &w->conf, &e))
		fail_msg("%s", e.text);
	assert_int_equal(device_conf_check(&w->conf, &e), 0);
}

static inline void on_reverse(struct h2 *h2, void *arg)
{
	struct world *w = arg;

	w->reverse = h2;
	w->reverse_count++;
}

static inline void take_log(struct h2_req *req, void *arg)
{
	struct world *w = arg;
	struct err e = { 0 };
	const void *body;
	size_t len;

	body = h2_req_body(req, &len);
	if (sapi_conn_log_decode(body, len, &w->log, &e))
		h2_problem(req, 400, "bad-request", "%s", e.text);
	else
		h2_respond(req, 204, NULL, NULL, 0);
	w->log_count++;
}

static const struct h2_route log_routes[] = {
	{ "POST", "/v1/logs", ROLE_BIT(ROLE_DEVICE), SAPI_MAX, 0, take_log },
};

static struct h2_router log_router = { .routes = log_routes, .count = 1 };

static inline void listen_for_logs(struct world *w, unsigned int port)
{
	char address[32];
	struct peer_listen_conf logs = { .address = address,
					 .tls = w->gateway_tls,
					 .roles = ROLE_BIT(ROLE_DEVICE),
					 .routes = &log_router };
	struct err e = { 0 };

	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	assert_int_equal(peer_listen(w->loop, &logs, &w->log_listener, &e), 0);
}

static inline void surround(struct world *w)
{
	struct peer_listen_conf cloud = { .address = "127.0.0.1:0",
					  .tls = w->cloud_tls,
					  .reverse_roles = ROLE_BIT(ROLE_DEVICE),
					  .on_reverse = on_reverse,
					  .arg = w };
	struct err e = { 0 };

	log_router.arg = w;
	assert_int_equal(peer_listen(w->loop, &cloud, &w->cloud_listener, &e), 0);
	listen_for_logs(w, 0);
}

struct dialled {
	bool done;
	struct h2 *h2;
	int err;
};

static inline void on_dialled(struct h2 *h2, int err, const char *why, void *arg)
{
	struct dialled *d = arg;

	d->done = true;
	d->h2 = h2;
	d->err = err;
	if (err)
		log_debug("test: dial: %s", why);
}

static inline void on_session_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	(void)h2;
	(void)err;
	(void)why;
	w->sessions--;
}

static inline struct h2 *dial(struct world *w, struct tls_ctx *tls)
{
	char address[32];
	struct peer_dial_conf conf = {
		.address = address, .tls = tls, .roles = ROLE_BIT(ROLE_DEVICE), .name = "mfp-1"
	};
	struct dialled d = { 0 };
	struct peer_dial *handle;

	snprintf(address, sizeof(address), "127.0.0.1:%u", device_port(w->device));
	assert_int_equal(peer_dial(w->loop, &conf, on_dialled, &d, &handle), 0);
	AWAIT(w, d.done);
	if (d.h2) {
		w->sessions++;
		h2_on_close(d.h2, on_session_close, w);
	}
	return d.h2;
}

static inline int setup(void **state)
{
	struct pki_opts opts = { .alg = PKI_ED25519, .not_before = -3600, .not_after = 864000 };
	struct world *w = calloc(1, sizeof(*w));
	uint8_t digest[SHA256_LEN];
	char path[128];
	struct err e = { 0 };

	strcpy(w->top, "/tmp/shunt-device-XXXXXX");
	assert_non_null(mkdtemp(w->top));
	snprintf(w->pki, sizeof(w->pki), "%s/pki", w->top);
	assert_int_equal(pki_init(w->pki, "test", &opts, &e), 0);
	snprintf(path, sizeof(path), "%s/state", w->top);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/store", w->top);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/share", w->top);
	assert_int_equal(mkdir(path, 0700), 0);
	tls_ctx_free(identity(w, ROLE_DEVICE, "mfp-1"));
	w->cloud_tls = identity(w, ROLE_CLOUD, "cloud1");
	w->cloud2_tls = identity(w, ROLE_CLOUD, "cloud2");
	w->gateway_tls = identity(w, ROLE_GATEWAY, "gw1");
	w->terminal_tls = identity(w, ROLE_TERMINAL, "alice");
	for (size_t i = 0; i < SIZE; i++)
		w->data[i] = (uint8_t)(i * 2654435761u >> 13);
	assert_int_equal(sha256_once(w->data, SIZE, digest), 0);
	sha256_hex(digest, w->sha256);
	assert_int_equal(loop_new(&w->loop), 0);
	configure(w);
	surround(w);
	if (device_new(w->loop, &w->conf, &w->device, &e))
		fail_msg("%s", e.text);
	w->cloud = dial(w, w->cloud_tls);
	w->cloud2 = dial(w, w->cloud2_tls);
	w->gateway = dial(w, w->gateway_tls);
	assert_true(w->cloud && w->cloud2 && w->gateway);
	*state = w;
	return 0;
}

static inline void on_stopped(void *arg)
{
	*(bool *)arg = true;
}

static inline int teardown(void **state)
{
	struct world *w = *state;
	bool stopped = false;
	char command[128];

	if (w->device) {
		device_stop(w->device, on_stopped, &stopped);
		AWAIT(w, stopped);
		device_free(w->device);
	}
	AWAIT(w, w->sessions == 0);
	peer_listener_free(w->cloud_listener);
	peer_listener_free(w->log_listener);
	tls_ctx_free(w->cloud_tls);
	tls_ctx_free(w->cloud2_tls);
	tls_ctx_free(w->gateway_tls);
	tls_ctx_free(w->terminal_tls);
	conf_free(device_conf_table, &w->conf);
	loop_free(w->loop);
	snprintf(command, sizeof(command), "rm -r %s", w->top);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

/* ---- requests ---- */

static inline void on_reply(const struct h2_reply *reply, void *arg)
{
	struct answer *a = arg;

	a->done = true;
	a->err = reply->err;
	a->status = reply->status;
	snprintf(a->why, sizeof(a->why), "%s", reply->why ? reply->why : "");
	a->len = reply->len < sizeof(a->body) ? reply->len : sizeof(a->body) - 1;
	if (a->len)
		memcpy(a->body, reply->body, a->len);
	a->body[a->len] = '\0';
}

static inline struct answer ask(struct world *w, struct h2 *h2, const char *method,
				const char *path, const void *body, size_t len, const char *range)
{
	struct h2_header header = { "content-range", range };
	struct h2_request request = { .method = method,
				      .path = path,
				      .headers = &header,
				      .header_count = range ? 1 : 0,
				      .body = body,
				      .body_len = len,
				      .timeout_ms = 20000 };
	struct answer a = { 0 };

	assert_int_equal(h2_fetch(h2, &request, on_reply, &a, NULL), 0);
	AWAIT(w, a.done);
	return a;
}

#define EXPECT(got, code)                                                                          \
	do {                                                                                       \
		struct answer a_ = (got);                                                          \
		if (a_.status != (code))                                                           \
			fail_msg("status %d (%s): %s", a_.status, a_.why, a_.body);                \
	} while (0)

static inline struct answer get(struct world *w, struct h2 *h2, const char *path)
{
	return ask(w, h2, "GET", path, NULL, 0, NULL);
}

static inline struct answer put_job(struct world *w, struct h2 *h2, const char *kind,
				    const char *name)
{
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"kind\":\"%s\",\"name\":\"%s\",\"media_type\":\"application/pdf\","
		 "\"size\":%d,\"sha256\":\"%s\"}",
		 kind, name, SIZE, w->sha256);
	return ask(w, h2, "PUT", "/v1/jobs/" JOB, body, strlen(body), NULL);
}

static inline struct answer put_range(struct world *w, struct h2 *h2, size_t from, size_t to)
{
	char range[64];

	snprintf(range, sizeof(range), "bytes %zu-%zu/%d", from, to - 1, SIZE);
	return ask(w, h2, "PUT", "/v1/jobs/" JOB "/content", w->data + from, to - from, range);
}

static inline struct sapi_device_job_status status_of(struct world *w, struct h2 *h2)
{
	struct answer a = get(w, h2, "/v1/jobs/" JOB);
	struct sapi_device_job_status s;
	struct err e = { 0 };

	EXPECT(a, 200);
	assert_int_equal(sapi_device_job_status_decode(a.body, a.len, &s, &e), 0);
	return s;
}

static inline void await_state(struct world *w, struct h2 *h2, enum job_state state)
{
	struct sapi_device_job_status s;

	do {
		s = status_of(w, h2);
		sapi_device_job_status_fini(&s);
	} while (s.state != state && !job_state_final(s.state));
	assert_int_equal(s.state, state);
}

static inline void assert_printed(struct world *w)
{
	static uint8_t got[SIZE + 1];
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/printed", w->top);
	f = fopen(path, "rb");
	assert_non_null(f);
	assert_int_equal(fread(got, 1, sizeof(got), f), SIZE);
	fclose(f);
	assert_memory_equal(got, w->data, SIZE);
}

static inline struct answer post_connect_to(struct world *w, struct h2 *h2, const char *cloud,
					    const char *address, const char *log)
{
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"job\":\"" JOB "\",\"cloud\":\"%s\",\"address\":\"%s\","
		 "\"token\":\"" TOKEN "\",\"log\":\"%s\"}",
		 cloud, address, log);
	return ask(w, h2, "POST", "/v1/connect", body, strlen(body), NULL);
}

static inline struct answer post_connect_log(struct world *w, struct h2 *h2, const char *cloud,
					     unsigned int port, const char *log)
{
	char address[32];

	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	return post_connect_to(w, h2, cloud, address, log);
}

static inline struct answer post_connect(struct world *w, struct h2 *h2, const char *cloud,
					 unsigned int port)
{
	char log[32];

	snprintf(log, sizeof(log), "127.0.0.1:%u", peer_listener_port(w->log_listener));
	return post_connect_log(w, h2, cloud, port, log);
}

/* ---- event streams ---- */

struct lines {
	char text[4096];
	bool closed;
	int err;
};

static inline int on_line(struct h2_call *call, const void *data, size_t len, void *arg)
{
	struct lines *l = arg;

	(void)call;
	strncat(l->text, data, len);
	return 0;
}

static inline void on_lines_close(struct h2_call *call, int err, const char *why, void *arg)
{
	struct lines *l = arg;

	(void)call;
	(void)why;
	l->closed = true;
	l->err = err;
}

/* Follow the job's events on @h2. */
static inline struct h2_call *follow(struct h2 *h2, struct lines *lines)
{
	static const struct h2_call_ops ops = { .on_data = on_line, .on_close = on_lines_close };
	struct h2_request request = { .method = "GET", .path = "/v1/jobs/" JOB "/events" };
	struct h2_call *call;

	memset(lines, 0, sizeof(*lines));
	assert_int_equal(h2_call_start(h2, &request, &ops, lines, &call), 0);
	return call;
}

#endif
