// SPDX-License-Identifier: GPL-2.0-or-later

/* Both roles of h2 over a socket pair without TLS, in one loop. */

#include "h2kit.h"

#include <errno.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/digest.h"
#include "lib/h2_route.h"
#include "lib/sapi.h"
#include "lib/stream.h"

/* ---- tests ---- */

static void get_with_parameters(void **state)
{
	struct h2kit *w = *state;
	struct h2_header fields[] = { { "x-test", "yes" } };
	struct h2_request request = {
		.method = "GET",
		.path = "/v1/hello/a%20b?p=1&q=x%2By+z&bad=%zz",
		.headers = fields,
		.header_count = 1,
	};
	struct h2kit_answer a = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), 0);
	kit_until(w->loop, &a.done);
	assert_int_equal(a.err, 0);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.type, "application/json");
	assert_string_equal(a.location, "/somewhere");
	assert_string_equal(
		a.body,
		"{\"id\":\"a b\",\"q\":\"x+y z\",\"x\":\"yes\",\"path\":\"/v1/hello/a%20b\"}");
}

/* As somebody does who changes something in each pass: holds, and releases in the next one. */
struct holder {
	struct loop *loop;
	struct loop_defer *again;
};

static void hold_again(void *arg)
{
	struct holder *h = arg;

	loop_release(h->loop);
	loop_hold(h->loop);
	loop_defer_call(h->again);
}

static void nothing_is_sent_while_the_loop_is_held(void **state)
{
	struct h2kit *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/hello/x" };
	struct h2kit_answer a = { 0 }, b = { 0 };
	struct holder holder = { .loop = w->loop };
	struct h2_stats before, after;

	kit_settle(w->loop);
	loop_hold(w->loop);
	h2_stats(w->client, &before);
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), 0);
	kit_settle(w->loop);
	h2_stats(w->client, &after);
	assert_int_equal(before.bytes_out, after.bytes_out);
	loop_release(w->loop);
	h2_stats(w->client, &after);
	assert_true(after.bytes_out > before.bytes_out); /* at once, not in another pass */
	kit_until(w->loop, &a.done);
	assert_int_equal(a.status, 200);
	/* Holds that follow each other at once hold nothing up. */
	assert_int_equal(loop_defer_new(w->loop, hold_again, &holder, &holder.again), 0);
	hold_again(&holder);
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &b, NULL), 0);
	kit_until(w->loop, &b.done);
	assert_int_equal(b.status, 200);
	loop_defer_free(holder.again);
	loop_release(w->loop);
}

static void head_has_no_body(void **state)
{
	struct h2kit *w = *state;
	struct h2kit_answer a = h2kit_ask(w, "HEAD", "/v1/hello/x", NULL, 0);

	assert_int_equal(a.status, 200);
	assert_int_equal(a.len, 0);
	a = h2kit_ask(w, "HEAD", "/v1/file", NULL, 0);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.len, 0);
	assert_true(w->req_gone);
	assert_int_equal(w->req_err, 0);
}

static void problems_before_any_handler(void **state)
{
	struct h2kit *w = *state;
	char body[2000];
	struct h2kit_answer a;

	a = h2kit_ask(w, "GET", "/v1/nothing", NULL, 0);
	h2kit_assert_problem(&a, 404, "not-found");
	a = h2kit_ask(w, "GET", "/v1/hello/", NULL, 0);
	h2kit_assert_problem(&a, 404, "not-found");
	a = h2kit_ask(w, "DELETE", "/v1/echo", NULL, 0);
	h2kit_assert_problem(&a, 405, "method-not-allowed");
	assert_string_equal(a.allow, "POST");
	a = h2kit_ask(w, "GET", "/v1/secret", NULL, 0);
	h2kit_assert_problem(&a, 403, "role-not-allowed");
	a = h2kit_ask(w, "GET", "/v1/hello/%4", NULL, 0);
	h2kit_assert_problem(&a, 400, "bad-path");
	a = h2kit_ask(w, "GET", "/v1/hello/a%00b", NULL, 0);
	h2kit_assert_problem(&a, 400, "bad-path");
	memset(body, 'x', sizeof(body));
	a = h2kit_ask(w, "POST", "/v1/echo", body, 1001);
	h2kit_assert_problem(&a, 413, "body-too-large");
	a = h2kit_ask(w, "GET", "/v1/hello/x", body, 1);
	h2kit_assert_problem(&a, 413, "body-too-large");
	a = h2kit_ask(w, "PUT", "/v1/small", body, 1001);
	h2kit_assert_problem(&a, 413, "body-too-large");
	a = h2kit_ask(w, "POST", "/v1/echo", body, 300);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.len, 300);
	assert_memory_equal(a.body, body, 300);
	assert_int_equal(w->served, 0);
}

static void header_section_is_capped(void **state)
{
	struct h2kit *w = *state;
	char value[12000];
	struct h2_header fields[] = { { "x-a", value }, { "x-b", value } };
	struct h2_request request = {
		.method = "GET",
		.path = "/v1/hello/x",
		.headers = fields,
		.header_count = 2,
	};
	struct h2kit_answer a = { 0 };

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), 0);
	kit_until(w->loop, &a.done);
	h2kit_assert_problem(&a, 431, "headers-too-large");
	/* the session lives on */
	a = h2kit_ask(w, "GET", "/v1/hello/x", NULL, 0);
	assert_int_equal(a.status, 200);
}

static void malformed_requests_are_refused_locally(void **state)
{
	struct h2kit *w = *state;
	struct h2_header bad_name[] = { { "X-Upper", "x" } };
	struct h2_header pseudo[] = { { ":path", "/x" } };
	struct h2_header bad_value[] = { { "x-a", "a\nb" } };
	struct h2_request request = { .method = "GET", .path = "no-slash" };
	struct h2kit_answer a = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), -EINVAL);
	request.path = "/with blank";
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), -EINVAL);
	request.path = "/ok";
	request.header_count = 1;
	request.headers = bad_name;
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), -EINVAL);
	request.headers = pseudo;
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), -EINVAL);
	request.headers = bad_value;
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), -EINVAL);
	request.header_count = 0;
	assert_int_equal(h2_fetch(w->server, &request, h2kit_on_reply, &a, NULL), -EINVAL);
	kit_settle(w->loop);
	assert_false(a.done);
}

static void deferred_response(void **state)
{
	struct h2kit *w = *state;
	struct h2kit_answer a = h2kit_ask(w, "GET", "/v1/later", NULL, 0);

	assert_int_equal(a.status, 202);
	assert_string_equal(a.body, "later");
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, 0);
}

static void empty_response(void **state)
{
	struct h2kit *w = *state;
	struct h2kit_answer a = h2kit_ask(w, "GET", "/v1/empty", NULL, 0);

	assert_int_equal(a.err, 0);
	assert_int_equal(a.status, 204);
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, 0);
}

static void file_ranges(void **state)
{
	struct h2kit *w = *state;
	struct h2kit_answer a = h2kit_ask(w, "GET", "/v1/file", NULL, 0);

	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "456789ab");
	/* shorter than announced: reset, never a wrong length */
	a = h2kit_ask(w, "GET", "/v1/file?len=100", NULL, 0);
	assert_int_equal(a.err, -SHUNT_EREMOTE);
	assert_int_equal(a.status, 200);
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, -ENODATA);
}

static void timeouts_and_cancels(void **state)
{
	struct h2kit *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/never", .timeout_ms = 30 };
	struct h2_call *call = NULL;
	struct h2kit_answer a = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), 0);
	kit_until(w->loop, &a.done);
	assert_int_equal(a.err, -ETIMEDOUT);
	assert_int_equal(a.status, 0);
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, -ECANCELED);
	memset(&a, 0, sizeof(a));
	w->req_gone = false;
	request.timeout_ms = 0;
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, &call), 0);
	KIT_UNTIL(w->loop, w->req);
	h2_call_cancel(call);
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, -ECANCELED);
	/* and before it has left */
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, &call), 0);
	h2_call_cancel(call);
	kit_settle(w->loop);
	assert_false(a.done);
}

static void server_resets_in_mid_response(void **state)
{
	struct h2kit *w = *state;
	struct h2kit_answer a = h2kit_ask(w, "GET", "/v1/reset", NULL, 0);

	assert_int_equal(a.err, -SHUNT_EREMOTE);
	assert_non_null(strstr(a.why, "INTERNAL_ERROR"));
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, -ECANCELED);
}

/* ---- many requests ---- */

static void more_requests_than_streams(void **state)
{
	struct h2_conf few = { .max_streams = 4 };
	struct h2_request request = { .method = "GET", .path = "/v1/hello/x" };
	struct h2kit *w = h2kit_new(&h2kit_defaults, &few);
	struct h2kit_answer *answers = calloc(300, sizeof(*answers));
	struct h2_call *calls[300];
	unsigned int i, done;

	(void)state;
	assert_non_null(answers);
	for (i = 0; i < 300; i++)
		assert_int_equal(
			h2_fetch(w->client, &request, h2kit_on_reply, &answers[i], &calls[i]), 0);
	/* every third one is withdrawn while it waits */
	for (i = 0; i < 300; i += 3)
		h2_call_cancel(calls[i]);
	do {
		assert_int_equal(loop_step(w->loop, 1000), 0);
		for (i = 0, done = 0; i < 300; i++)
			done += answers[i].done;
	} while (done < 200);
	kit_settle(w->loop);
	for (i = 0; i < 300; i++) {
		assert_int_equal(answers[i].done, i % 3 != 0);
		assert_int_equal(answers[i].status, i % 3 ? 200 : 0);
	}
	free(answers);
	h2kit_free(w);
}

static void count_headers(int fd, struct buf *in, unsigned int *n)
{
	uint8_t raw[4096];
	ssize_t got = recv(fd, raw, sizeof(raw), MSG_DONTWAIT);
	size_t at, len;

	if (got > 0)
		buf_put(in, raw, (size_t)got);
	*n = 0;
	for (at = 24; at + 9 <= in->len;
	     at += 9 + len) { /* after the preface: RFC 9113, 3.4, 4.1 */
		const uint8_t *f = in->data + at;

		len = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];
		*n += f[3] == 1;
	}
}

/* A server that has not said how many requests it takes gets a few all the same: a round trip less. */
static void some_requests_do_not_wait_for_settings(void **state)
{
	struct h2_request request = { .method = "GET", .path = "/v1/hello/x" };
	struct h2kit_answer a[H2_STREAMS_UNASKED + 1] = { 0 };
	struct buf in = BUF_INIT;
	struct h2kit w = { 0 };
	struct stream *s;
	unsigned int i, n;
	int fd[2];

	(void)state;
	assert_int_equal(loop_new(&w.loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(stream_new(w.loop, fd[0], NULL, &s), 0);
	assert_int_equal(h2_new(w.loop, s, H2_CLIENT, &h2kit_defaults, NULL, h2kit_on_client_close,
				&w, &w.client),
			 0);
	for (i = 0; i <= H2_STREAMS_UNASKED; i++)
		assert_int_equal(h2_fetch(w.client, &request, h2kit_on_reply, &a[i], NULL), 0);
	do {
		assert_int_equal(loop_step(w.loop, 1000), 0);
		count_headers(fd[1], &in, &n);
	} while (n < H2_STREAMS_UNASKED);
	kit_settle(w.loop);
	count_headers(fd[1], &in, &n);
	assert_int_equal(n, H2_STREAMS_UNASKED);
	h2_free(w.client, -ECANCELED, "enough");
	close(fd[1]);
	buf_fini(&in);
	loop_free(w.loop);
}

static void queue_is_bounded(void **state)
{
	struct h2kit *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/never" };
	struct h2kit_answer *answers = calloc(1024, sizeof(*answers));
	unsigned int i;

	assert_non_null(answers);
	for (i = 0; i < 1024; i++)
		assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &answers[i], NULL),
				 0);
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &answers[0], NULL), -EAGAIN);
	h2_free(w->client, -ECANCELED, "enough");
	for (i = 0; i < 1024; i++) {
		assert_true(answers[i].done);
		assert_int_equal(answers[i].err, -ECANCELED);
		assert_string_equal(answers[i].why, "enough");
	}
	free(answers);
	/* handlers keep one pointer only; the others end without a word to them */
	KIT_UNTIL(w->loop, w->server_gone);
}

/* ---- routing, by itself ---- */

static void routes_match(void **state)
{
	static const struct h2_route table[] = {
		{ "GET", "/", 0, 0, 0, NULL },
		{ "GET", "/v1/jobs", 0, 0, 0, NULL },
		{ "POST", "/v1/jobs", 0, 0, 0, NULL },
		{ "GET", "/v1/jobs/{id}", 0, 0, 0, NULL },
		{ "PUT", "/v1/{a}/{b}/content", ROLE_BIT(ROLE_CLOUD), 0, 0, NULL },
	};
	static const struct h2_router router = { table, 5, NULL };
	static const struct {
		const char *method, *path;
		uint32_t roles;
		int status, route;
	} cases[] = {
		{ "GET", "/", 0, 0, 0 },
		{ "GET", "/v1/jobs", 0, 0, 1 },
		{ "HEAD", "/v1/jobs", 0, 0, 1 },
		{ "POST", "/v1/jobs", 0, 0, 2 },
		{ "PATCH", "/v1/jobs", 0, 405, 0 },
		{ "GET", "/v1/jobs/7", 0, 0, 3 },
		{ "GET", "/v1/jobs/", 0, 404, 0 },
		{ "GET", "/v1/jobs//", 0, 404, 0 },
		{ "GET", "/v1/jobs/7/", 0, 404, 0 },
		{ "GET", "/v1/job", 0, 404, 0 },
		{ "GET", "", 0, 404, 0 },
		{ "GET", "*", 0, 404, 0 },
		{ "PUT", "/v1/x/y/content", ROLE_BIT(ROLE_CLOUD), 0, 4 },
		{ "PUT", "/v1/x/y/content", ROLE_BIT(ROLE_DEVICE), 403, 0 },
		{ "PUT", "/v1/x/%ff/content", ROLE_BIT(ROLE_CLOUD), 0, 4 },
		{ "PUT", "/v1/x/%f/content", ROLE_BIT(ROLE_CLOUD), 400, 0 },
	};
	struct h2_match m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			h2_match(&router, cases[i].method, cases[i].path, cases[i].roles, &m), 0);
		if (m.status != cases[i].status)
			fail_msg("%s %s: %d", cases[i].method, cases[i].path, m.status);
		if (!m.status)
			assert_ptr_equal(m.route, &table[cases[i].route]);
		if (m.status == 405)
			assert_string_equal(m.allow, "GET, POST");
		h2_match_fini(&m);
	}
	assert_int_equal(
		h2_match(&router, "PUT", "/v1/%2e%2E/b%2Fc/content", ROLE_BIT(ROLE_CLOUD), &m), 0);
	assert_int_equal(m.params, 2);
	assert_string_equal(m.param[0].value, "..");
	assert_string_equal(m.param[1].value, "b/c");
	h2_match_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(get_with_parameters),
		TEST(nothing_is_sent_while_the_loop_is_held),
		TEST(head_has_no_body),
		TEST(problems_before_any_handler),
		TEST(header_section_is_capped),
		TEST(malformed_requests_are_refused_locally),
		TEST(deferred_response),
		TEST(empty_response),
		TEST(file_ranges),
		TEST(timeouts_and_cancels),
		TEST(server_resets_in_mid_response),
		cmocka_unit_test(more_requests_than_streams),
		cmocka_unit_test(some_requests_do_not_wait_for_settings),
		TEST(queue_is_bounded),
		cmocka_unit_test(routes_match),
	};

	return cmocka_run_group_tests_name("h2", tests, NULL, NULL);
}
