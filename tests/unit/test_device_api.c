// SPDX-License-Identifier: GPL-2.0-or-later
/* The whole agent over loopback TLS: its API, and a job that moves from one connection to another.
 */
#include "device_world.h"

static void hello_says_who_it_is(void **state)
{
	struct world *w = *state;
	struct answer a = get(w, w->gateway, "/v1/hello");
	struct sapi_hello hello;
	struct err e = { 0 };

	EXPECT(a, 200);
	assert_int_equal(sapi_hello_decode(a.body, a.len, &hello, &e), 0);
	assert_string_equal(hello.name, "mfp-1");
	assert_int_equal(hello.services, 1u << JOB_PRINT | 1u << JOB_STORE | 1u << JOB_FETCH);
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

static void events_follow_the_job_to_its_end(void **state)
{
	struct world *w = *state;
	struct lines lines;
	const char *at;

	EXPECT(put_job(w, w->cloud, "store", "kept.pdf"), 201);
	follow(w->cloud, &lines);
	AWAIT(w, strstr(lines.text, "receiving"));
	EXPECT(put_range(w, w->cloud, 0, SIZE), 200);
	AWAIT(w, lines.closed);
	assert_int_equal(lines.err, 0);
	at = strstr(lines.text, "\"executing\"");
	assert_non_null(at);
	assert_non_null(strstr(at, "\"completed\""));
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
	a = post_connect_to(w, w->cloud, "cloud1", "192.168.77.1:443", "");
	EXPECT(a, 403);
	assert_non_null(strstr(a.body, "address-not-allowed"));
	a = post_connect_log(w, w->cloud, "cloud1", port, "203.0.113.1:80");
	EXPECT(a, 403);
	assert_non_null(strstr(a.body, "log-not-allowed"));
	EXPECT(post_connect(w, w->cloud, "cloud1", port), 200);
}

struct range_answer {
	struct answer a;
	char *field; /* Content-Range */
	size_t size;
};

static void on_range(const struct h2_reply *reply, void *arg)
{
	struct range_answer *r = arg;
	const char *text = reply->call ? h2_call_header(reply->call, "content-range") : NULL;

	snprintf(r->field, r->size, "%s", text ? text : "");
	on_reply(reply, &r->a);
}

static struct answer get_range(struct world *w, struct h2 *h2, const char *range, char *field,
			       size_t size)
{
	struct h2_header headers[] = { { "range", range } };
	struct h2_request request = { .method = "GET",
				      .path = "/v1/jobs/" JOB "/content",
				      .headers = headers,
				      .header_count = range ? 1 : 0,
				      .timeout_ms = 20000 };
	struct range_answer r = { .field = field, .size = size };

	field[0] = '\0';
	assert_int_equal(h2_fetch(h2, &request, on_range, &r, NULL), 0);
	AWAIT(w, r.a.done);
	return r.a;
}

static void content_is_fetched_by_ranges(void **state)
{
	static const char fetch[] = "{\"kind\":\"fetch\",\"name\":\"a\",\"media_type\":\"a/b\","
				    "\"path\":\"%s\"}";
	struct world *w = *state;
	struct sapi_device_job_status s;
	char body[256], path[128], field[64];
	struct answer a;
	FILE *file;

	snprintf(path, sizeof(path), "%s/share/a", w->top);
	file = fopen(path, "wb");
	assert_int_equal(fwrite(w->data, 1, 10000, file), 10000);
	fclose(file);
	snprintf(body, sizeof(body), fetch, "../state/lock");
	EXPECT(ask(w, w->cloud, "PUT", "/v1/jobs/" JOB, body, strlen(body), NULL), 422);
	snprintf(body, sizeof(body), fetch, "scan:x");
	EXPECT(ask(w, w->cloud, "PUT", "/v1/jobs/" JOB, body, strlen(body), NULL), 201);
	await_state(w, w->cloud, JOB_RUNNING);
	s = status_of(w, w->cloud);
	assert_int_equal(s.job.size, 10000);
	assert_true(sha256_str_ok(s.job.sha256));
	sapi_device_job_status_fini(&s);
	a = get_range(w, w->cloud, "bytes=100-4099", field, sizeof(field));
	EXPECT(a, 206);
	assert_string_equal(field, "bytes 100-4099/10000");
	assert_int_equal(a.len, 4000);
	assert_memory_equal(a.body, w->data + 100, 4000);
	a = get_range(w, w->cloud, NULL, field, sizeof(field));
	EXPECT(a, 200);
	assert_int_equal(a.len, 10000);
	EXPECT(get_range(w, w->cloud, "bytes=10000-", field, sizeof(field)), 416);
	assert_string_equal(field, "bytes */10000");
	EXPECT(get(w, w->cloud2, "/v1/jobs/" JOB "/content"), 404);
	EXPECT(get(w, w->gateway, "/v1/jobs/" JOB "/content"), 403);
	EXPECT(put_range(w, w->cloud, 0, 10), 409);
	EXPECT(ask(w, w->cloud, "POST", "/v1/jobs/" JOB "/done", NULL, 0, NULL), 204);
	EXPECT(ask(w, w->cloud, "POST", "/v1/jobs/" JOB "/done", NULL, 0, NULL), 204);
	EXPECT(get(w, w->cloud, "/v1/jobs/" JOB "/content"), 409);
	/* The record is kept, so the same job does not scan again. */
	EXPECT(ask(w, w->cloud, "PUT", "/v1/jobs/" JOB, body, strlen(body), NULL), 200);
	await_state(w, w->cloud, JOB_COMPLETED);
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
		TEST(content_is_fetched_by_ranges),
	};

	if (getenv("SHUNT_TEST_LOG"))
		log_init("test", LOG_LVL_DEBUG, LOG_TARGET_STDERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
