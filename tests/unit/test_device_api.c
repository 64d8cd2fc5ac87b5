// SPDX-License-Identifier: GPL-2.0-or-later
/* The whole agent over loopback TLS: its API, and a job that moves from one connection to another.
 */
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

static struct tls_ctx *identity(struct world *w, enum role role, const char *name)
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

static void configure(struct world *w)
{
	struct err e = { 0 };

	snprintf(
		w->text, sizeof(w->text),
		"ca = \"%s/ca.crt\"\ncert = \"%s/device-mfp-1.crt\"\nkey = \"%s/device-mfp-1.key\"\n"
		"listen = \"127.0.0.1:0\"\nstate = \"%s/state\"\nstore-dir = \"%s/store\"\n"
		"print-command = \"/bin/cp %%f %s/printed\"\nclouds = {\"cloud1\", \"cloud2\"}\n"
		"linger = \"1s\"\nconnect-timeout = \"2s\"\nmax-bytes = \"10M\"\n",
		w->pki, w->pki, w->pki, w->top, w->top, w->top);
	if (conf_parse("test", w->text, strlen(w->text), device_conf_table, &w->conf, &e))
		fail_msg("%s", e.text);
	assert_int_equal(device_conf_check(&w->conf, &e), 0);
}

static void on_reverse(struct h2 *h2, void *arg)
{
	struct world *w = arg;

	w->reverse = h2;
	w->reverse_count++;
}

static void take_log(struct h2_req *req, void *arg)
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

static void listen_for_logs(struct world *w, unsigned int port)
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

static void surround(struct world *w)
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

static void on_dialled(struct h2 *h2, int err, const char *why, void *arg)
{
	struct dialled *d = arg;

	d->done = true;
	d->h2 = h2;
	d->err = err;
	if (err)
		log_debug("test: dial: %s", why);
}

static void on_session_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	(void)h2;
	(void)err;
	(void)why;
	w->sessions--;
}

static struct h2 *dial(struct world *w, struct tls_ctx *tls)
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

static int setup(void **state)
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

static void on_stopped(void *arg)
{
	*(bool *)arg = true;
}

static int teardown(void **state)
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

static void on_reply(const struct h2_reply *reply, void *arg)
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

static struct answer ask(struct world *w, struct h2 *h2, const char *method, const char *path,
			 const void *body, size_t len, const char *range)
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

static struct answer get(struct world *w, struct h2 *h2, const char *path)
{
	return ask(w, h2, "GET", path, NULL, 0, NULL);
}

static struct answer put_job(struct world *w, struct h2 *h2, const char *kind, const char *name)
{
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"kind\":\"%s\",\"name\":\"%s\",\"media_type\":\"application/pdf\","
		 "\"size\":%d,\"sha256\":\"%s\"}",
		 kind, name, SIZE, w->sha256);
	return ask(w, h2, "PUT", "/v1/jobs/" JOB, body, strlen(body), NULL);
}

static struct answer put_range(struct world *w, struct h2 *h2, size_t from, size_t to)
{
	char range[64];

	snprintf(range, sizeof(range), "bytes %zu-%zu/%d", from, to - 1, SIZE);
	return ask(w, h2, "PUT", "/v1/jobs/" JOB "/content", w->data + from, to - from, range);
}

static struct sapi_device_job_status status_of(struct world *w, struct h2 *h2)
{
	struct answer a = get(w, h2, "/v1/jobs/" JOB);
	struct sapi_device_job_status s;
	struct err e = { 0 };

	EXPECT(a, 200);
	assert_int_equal(sapi_device_job_status_decode(a.body, a.len, &s, &e), 0);
	return s;
}

static void await_state(struct world *w, struct h2 *h2, enum job_state state)
{
	struct sapi_device_job_status s;

	do {
		s = status_of(w, h2);
		sapi_device_job_status_fini(&s);
	} while (s.state != state && !job_state_final(s.state));
	assert_int_equal(s.state, state);
}

static void assert_printed(struct world *w)
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

/* ---- tests ---- */

static void hello_says_who_it_is(void **state)
{
	struct world *w = *state;
	struct answer a = get(w, w->gateway, "/v1/hello");
	struct sapi_hello hello;
	struct err e = { 0 };

	EXPECT(a, 200);
	assert_int_equal(sapi_hello_decode(a.body, a.len, &hello, &e), 0);
	assert_string_equal(hello.name, "mfp-1");
	assert_int_equal(hello.services, 1u << JOB_PRINT | 1u << JOB_STORE);
	assert_int_equal(hello.n_tokens, 0);
	sapi_hello_fini(&hello);
}

static void roles_are_kept_apart(void **state)
{
	struct world *w = *state;

	EXPECT(get(w, w->gateway, "/v1/jobs/" JOB), 403);
	/* A terminal is refused in the handshake. In TLS 1.3 it learns that after its own part. */
	{
		struct h2 *h2 = dial(w, w->terminal_tls);
		struct answer a = { 0 };
		struct h2_request request = { .method = "GET", .path = "/v1/hello" };

		if (h2 && h2_fetch(h2, &request, on_reply, &a, NULL) == 0) {
			AWAIT(w, a.done);
			assert_int_not_equal(a.err, 0);
		}
	}
}

static void a_job_comes_in_ranges(void **state)
{
	struct world *w = *state;
	struct sapi_device_job_status s;

	EXPECT(get(w, w->cloud, "/v1/jobs/" JOB), 404);
	EXPECT(put_job(w, w->cloud, "print", "report.pdf"), 201);
	EXPECT(put_job(w, w->cloud, "print", "report.pdf"), 200);
	EXPECT(put_job(w, w->cloud, "print", "other.pdf"), 409);
	EXPECT(get(w, w->cloud2, "/v1/jobs/" JOB), 404);
	EXPECT(put_range(w, w->cloud, 400000, 600000), 200);
	assert_string_equal(put_range(w, w->cloud, 500000, SIZE).body, "{\"duplicate\":100000}");
	s = status_of(w, w->cloud);
	assert_int_equal(s.state, JOB_RECEIVING);
	assert_int_equal(s.received.n, 1);
	assert_int_equal(s.received.v[0].from, 400000);
	sapi_device_job_status_fini(&s);
	EXPECT(put_range(w, w->cloud2, 0, 400000), 404);
	EXPECT(put_range(w, w->cloud, 0, 400000), 200);
	await_state(w, w->cloud, JOB_COMPLETED);
	assert_printed(w);
	EXPECT(ask(w, w->cloud, "DELETE", "/v1/jobs/" JOB, NULL, 0, NULL), 204);
	await_state(w, w->cloud, JOB_COMPLETED);
}

static void bad_requests_get_precise_answers(void **state)
{
	struct world *w = *state;
	const char *content = "/v1/jobs/" JOB "/content";
	struct answer a;

	EXPECT(ask(w, w->cloud, "PUT", "/v1/jobs/xyz", "{}", 2, NULL), 400);
	a = ask(w, w->cloud, "PUT", "/v1/jobs/" JOB, "{\"kind\":\"print\"}", 16, NULL);
	EXPECT(a, 400);
	assert_non_null(strstr(a.body, "name"));
	EXPECT(put_job(w, w->cloud, "store", "../etc/passwd"), 422);
	EXPECT(put_job(w, w->cloud, "print", "report.pdf"), 201);
	EXPECT(ask(w, w->cloud, "PUT", content, "x", 1, "bytes 0-0/1"), 416);
	EXPECT(ask(w, w->cloud, "PUT", content, "x", 1, "bytes 700000-700000/700001"), 416);
	EXPECT(ask(w, w->cloud, "PUT", content, "x", 1, "octets"), 400);
	EXPECT(ask(w, w->cloud, "PUT", content, "xy", 2, "bytes 0-0/700000"), 400);
	EXPECT(ask(w, w->cloud, "PUT", content, "x", 1, NULL), 400);
	EXPECT(ask(w, w->cloud, "POST", "/v1/jobs/" JOB "/suspend", NULL, 0, NULL), 204);
	a = put_range(w, w->cloud, 0, 1000);
	EXPECT(a, 409);
	assert_non_null(strstr(a.body, "\"suspended\""));
	EXPECT(ask(w, w->cloud, "POST", "/v1/jobs/" JOB "/resume", NULL, 0, NULL), 204);
	EXPECT(put_range(w, w->cloud, 0, 1000), 200);
	EXPECT(ask(w, w->cloud, "DELETE", "/v1/jobs/" JOB, NULL, 0, NULL), 204);
	a = put_range(w, w->cloud, 1000, 2000);
	EXPECT(a, 409);
	assert_non_null(strstr(a.body, "\"finished\""));
}

/* A body that breaks off: what has arrived is kept. */
struct half {
	struct world *w;
	size_t at;
};

static ssize_t half_read(void *arg, void *buf, size_t len)
{
	struct half *h = arg;

	if (h->at == 300000)
		return -EAGAIN;
	if (len > 300000 - h->at)
		len = 300000 - h->at;
	memcpy(buf, h->w->data + h->at, len);
	h->at += len;
	return (ssize_t)len;
}

static int on_no_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	(void)call;
	(void)data;
	(void)len;
	(void)arg;
	return 0;
}

static void on_call_close(struct h2_call *call, int err, const char *why, void *arg)
{
	(void)call;
	(void)err;
	(void)why;
	(void)arg;
}

static void a_broken_request_keeps_what_came(void **state)
{
	static const struct h2_call_ops ops = { .on_data = on_no_data, .on_close = on_call_close };
	struct world *w = *state;
	struct half half = { .w = w };
	struct h2_request request = { .method = "PUT",
				      .path = "/v1/jobs/" JOB "/content",
				      .source = { .read = half_read, .arg = &half, .len = SIZE } };
	struct sapi_device_job_status s;
	struct h2_call *call;
	uint64_t held = 0;

	EXPECT(put_job(w, w->cloud, "print", "report.pdf"), 201);
	assert_int_equal(h2_call_start(w->cloud, &request, &ops, NULL, &call), 0);
	AWAIT(w, h2_call_sent(call) == 300000);
	/* The ranges in the status are those on disk; wait until all that was sent is there. */
	while (held < 300000) {
		s = status_of(w, w->cloud);
		held = ranges_total(&s.received);
		sapi_device_job_status_fini(&s);
	}
	h2_call_cancel(call);
	assert_string_equal(put_range(w, w->cloud, 200000, SIZE).body, "{\"duplicate\":100000}");
	await_state(w, w->cloud, JOB_COMPLETED);
	assert_printed(w);
}

struct upload {
	struct half half;
	struct h2_call *call;
	bool closed;
};

static void on_upload_close(struct h2_call *call, int err, const char *why, void *arg)
{
	struct upload *u = arg;

	(void)call;
	(void)err;
	(void)why;
	u->closed = true;
}

/* Start to send the content by @h2; it does not come to an end. */
static void upload_hang(struct world *w, struct h2 *h2, struct upload *u)
{
	static const struct h2_call_ops ops = { .on_data = on_no_data,
						.on_close = on_upload_close };
	struct h2_request request = {
		.method = "PUT",
		.path = "/v1/jobs/" JOB "/content",
		.source = { .read = half_read, .arg = &u->half, .len = SIZE },
	};

	u->half.w = w;
	assert_int_equal(h2_call_start(h2, &request, &ops, u, &u->call), 0);
	AWAIT(w, h2_call_sent(u->call) == 300000);
}

static uint64_t held(struct world *w)
{
	struct sapi_device_job_status s = status_of(w, w->cloud);
	uint64_t octets = ranges_total(&s.received);

	sapi_device_job_status_fini(&s);
	return octets;
}

struct lines {
	char text[4096];
	bool closed;
	int err;
};

static int on_line(struct h2_call *call, const void *data, size_t len, void *arg)
{
	struct lines *l = arg;

	(void)call;
	strncat(l->text, data, len);
	return 0;
}

static void on_lines_close(struct h2_call *call, int err, const char *why, void *arg)
{
	struct lines *l = arg;

	(void)call;
	(void)why;
	l->closed = true;
	l->err = err;
}

static void events_follow_the_job_to_its_end(void **state)
{
	static const struct h2_call_ops ops = { .on_data = on_line, .on_close = on_lines_close };
	struct h2_request request = { .method = "GET", .path = "/v1/jobs/" JOB "/events" };
	struct world *w = *state;
	struct lines lines = { 0 };
	struct h2_call *call;
	const char *at;

	EXPECT(put_job(w, w->cloud, "store", "kept.pdf"), 201);
	assert_int_equal(h2_call_start(w->cloud, &request, &ops, &lines, &call), 0);
	AWAIT(w, strstr(lines.text, "receiving"));
	EXPECT(put_range(w, w->cloud, 0, SIZE), 200);
	AWAIT(w, lines.closed);
	assert_int_equal(lines.err, 0);
	at = strstr(lines.text, "\"executing\"");
	assert_non_null(at);
	assert_non_null(strstr(at, "\"completed\""));
}

static struct answer post_connect_log(struct world *w, struct h2 *h2, const char *cloud,
				      unsigned int port, const char *log)
{
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"job\":\"" JOB "\",\"cloud\":\"%s\",\"address\":\"127.0.0.1:%u\","
		 "\"token\":\"" TOKEN "\",\"log\":\"%s\"}",
		 cloud, port, log);
	return ask(w, h2, "POST", "/v1/connect", body, strlen(body), NULL);
}

static struct answer post_connect(struct world *w, struct h2 *h2, const char *cloud,
				  unsigned int port)
{
	char log[32];

	snprintf(log, sizeof(log), "127.0.0.1:%u", peer_listener_port(w->log_listener));
	return post_connect_log(w, h2, cloud, port, log);
}

/* The heart of it: the first half of a content comes one way, the other by a connection the device
 * dials.
 */
static void a_job_moves_to_a_direct_connection(void **state)
{
	struct world *w = *state;
	unsigned int port = peer_listener_port(w->cloud_listener);
	struct sapi_hello hello;
	struct answer a;
	struct err e = { 0 };

	EXPECT(put_job(w, w->cloud, "print", "report.pdf"), 201);
	EXPECT(put_range(w, w->cloud, 0, 350000), 200);
	a = post_connect(w, w->gateway, "cloud1", port);
	EXPECT(a, 200);
	assert_string_equal(a.body, "{\"connected\":true,\"reused\":false}");
	AWAIT(w, w->reverse);
	a = get(w, w->reverse, "/v1/hello");
	EXPECT(a, 200);
	assert_int_equal(sapi_hello_decode(a.body, a.len, &hello, &e), 0);
	assert_int_equal(hello.n_tokens, 1);
	assert_string_equal(hello.tokens[0].job, JOB);
	assert_string_equal(hello.tokens[0].token, TOKEN);
	sapi_hello_fini(&hello);
	/* Tokens are for the cloud that is connected, not for whoever asks on the LAN. */
	a = get(w, w->gateway, "/v1/hello");
	assert_null(strstr(a.body, TOKEN));
	a = post_connect(w, w->gateway, "cloud1", port);
	EXPECT(a, 200);
	assert_string_equal(a.body, "{\"connected\":true,\"reused\":true}");
	assert_int_equal(w->reverse_count, 1);

	EXPECT(put_range(w, w->reverse, 350000, SIZE), 200);
	await_state(w, w->reverse, JOB_COMPLETED);
	assert_printed(w);
	AWAIT(w, w->log_count);
	assert_string_equal(w->log.device, "mfp-1");
	assert_string_equal(w->log.job, JOB);
	assert_string_equal(w->log.cloud, "cloud1");
	assert_string_equal(w->log.result, "completed");
	assert_int_equal(w->log.address.port, port);
	assert_true(w->log.bytes_in >= SIZE - 350000 && w->log.bytes_in < SIZE);
	assert_non_null(strstr(w->log.text, "350000 octets"));
	assert_true(w->log.connected > 0);
	assert_int_equal(w->log.closed, 0);
	assert_int_equal(w->log_count, 1);
	/* Nobody needs it any more: it lingers, then closes. */
	AWAIT(w, peer_listener_conns(w->cloud_listener) == 0);
}

/* The gateway is away when the job ends: its log waits. Another ask, without log, changes nothing.
 */
static void a_log_waits_for_its_gateway(void **state)
{
	struct world *w = *state;
	unsigned int port = peer_listener_port(w->cloud_listener);
	unsigned int log_port = peer_listener_port(w->log_listener);
	uint64_t ended;

	EXPECT(post_connect(w, w->gateway, "cloud1", port), 200);
	EXPECT(post_connect_log(w, w->cloud, "cloud1", port, ""), 200);
	AWAIT(w, w->reverse);
	peer_listener_free(w->log_listener);
	w->log_listener = NULL;
	EXPECT(put_job(w, w->reverse, "print", "report.pdf"), 201);
	EXPECT(put_range(w, w->reverse, 0, SIZE), 200);
	await_state(w, w->reverse, JOB_COMPLETED);
	/* The first attempt is over when the connection it was about has lingered and closed. */
	ended = loop_now(w->loop);
	AWAIT(w, peer_listener_conns(w->cloud_listener) == 0);
	listen_for_logs(w, log_port);
	AWAIT(w, w->log_count);
	assert_true(loop_now(w->loop) - ended >= 1000);
	assert_string_equal(w->log.job, JOB);
	assert_string_equal(w->log.result, "completed");
}

/* An agent that ends forgets what it could not send, without a trace. */
static void a_log_nobody_takes_is_dropped_at_the_end(void **state)
{
	struct world *w = *state;
	unsigned int port = peer_listener_port(w->cloud_listener);

	EXPECT(post_connect(w, w->gateway, "cloud1", port), 200);
	AWAIT(w, w->reverse);
	peer_listener_free(w->log_listener);
	w->log_listener = NULL;
	EXPECT(put_job(w, w->reverse, "print", "report.pdf"), 201);
	EXPECT(put_range(w, w->reverse, 0, SIZE), 200);
	await_state(w, w->reverse, JOB_COMPLETED);
	assert_int_equal(w->log_count, 0);
}

/* The direct connection breaks in the middle of a job: the device dials again, for the job's sake.
 */
static void a_broken_connection_is_dialled_again(void **state)
{
	struct world *w = *state;
	unsigned int port = peer_listener_port(w->cloud_listener);

	EXPECT(post_connect(w, w->gateway, "cloud1", port), 200);
	AWAIT(w, w->reverse);
	EXPECT(put_job(w, w->reverse, "print", "report.pdf"), 201);
	EXPECT(put_range(w, w->reverse, 0, 350000), 200);
	h2_abort(w->reverse, -EPIPE, "test");
	AWAIT(w, w->reverse_count == 2);
	assert_string_equal(put_range(w, w->reverse, 300000, SIZE).body, "{\"duplicate\":50000}");
	await_state(w, w->reverse, JOB_COMPLETED);
	assert_printed(w);
	AWAIT(w, w->log_count);
	assert_non_null(strstr(w->log.text, "750000 octets"));
	assert_true(w->log.bytes_in > 750000);
}

/* A second SIGTERM does not wait for anything: uploads are open on connections of both kinds. */
static void an_agent_ends_in_the_middle_of_uploads(void **state)
{
	struct world *w = *state;
	unsigned int port = peer_listener_port(w->cloud_listener);
	struct upload by_listener = { 0 }, by_dialled = { 0 };
	bool stopped = false;

	EXPECT(put_job(w, w->cloud, "print", "report.pdf"), 201);
	EXPECT(post_connect(w, w->gateway, "cloud1", port), 200);
	AWAIT(w, w->reverse);
	upload_hang(w, w->cloud, &by_listener);
	upload_hang(w, w->reverse, &by_dialled);
	while (held(w) < 300000)
		;
	device_stop(w->device, on_stopped, &stopped);
	assert_false(stopped);
	device_free(w->device);
	w->device = NULL;
	AWAIT(w, by_listener.closed && by_dialled.closed);
}

static void connecting_fails_with_a_reason(void **state)
{
	struct world *w = *state;
	unsigned int port = peer_listener_port(w->cloud_listener);
	struct answer a;

	/* Nobody there; there, but not the one named; not this device's cloud; not the caller's
	 * business.
	 */
	a = post_connect(w, w->gateway, "cloud1", 1);
	EXPECT(a, 502);
	assert_non_null(strstr(a.body, "connect-failed"));
	assert_non_null(strstr(a.body, "refused"));
	a = post_connect(w, w->gateway, "cloud2", port);
	EXPECT(a, 502);
	assert_non_null(strstr(a.body, "cloud1"));
	a = post_connect(w, w->gateway, "cloud3", port);
	EXPECT(a, 403);
	assert_non_null(strstr(a.body, "cloud-not-allowed"));
	a = post_connect(w, w->cloud2, "cloud1", port);
	EXPECT(a, 403);
	assert_non_null(strstr(a.body, "cloud-not-caller"));
	EXPECT(post_connect(w, w->cloud, "cloud1", port), 200);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(hello_says_who_it_is),
		TEST(roles_are_kept_apart),
		TEST(a_job_comes_in_ranges),
		TEST(bad_requests_get_precise_answers),
		TEST(a_broken_request_keeps_what_came),
		TEST(events_follow_the_job_to_its_end),
		TEST(a_job_moves_to_a_direct_connection),
		TEST(a_log_waits_for_its_gateway),
		TEST(a_log_nobody_takes_is_dropped_at_the_end),
		TEST(a_broken_connection_is_dialled_again),
		TEST(an_agent_ends_in_the_middle_of_uploads),
		TEST(connecting_fails_with_a_reason),
	};

	if (getenv("SHUNT_TEST_LOG"))
		log_init("test", LOG_LVL_DEBUG, LOG_TARGET_STDERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
