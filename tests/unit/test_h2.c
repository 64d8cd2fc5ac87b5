// SPDX-License-Identifier: GPL-2.0-or-later

/* Both roles of h2 over a socket pair without TLS, in one loop. */

#include "netkit.h"

#include <errno.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/digest.h"
#include "lib/h2.h"
#include "lib/h2_route.h"
#include "lib/sapi.h"
#include "lib/stream.h"

#define BIG (64u << 20)

struct world {
	struct loop *loop;
	struct h2 *client, *server;
	int client_err, server_err;
	char client_why[256], server_why[256];
	bool client_gone, server_gone;
	/* what the server's handlers share with the tests */
	struct h2_req *req;
	struct loop_timer *timer;
	int req_err;
	bool req_gone;
	struct sha256 *sha;
	uint64_t got, pause_every, next_pause;
	bool ended;
	int on_data_result;
	bool writable;
	unsigned int served;
	uint64_t max_buffered;
};

/* ---- the server's side ---- */

static void on_req_close(struct h2_req *req, int err, void *arg)
{
	struct world *w = arg;

	assert_ptr_equal(h2_req_data(req), w);
	w->req_err = err;
	w->req_gone = true;
	w->req = NULL;
}

static void keep(struct world *w, struct h2_req *req)
{
	w->req = req;
	w->req_gone = false;
	w->req_err = 1;
	h2_req_set_data(req, w);
	h2_req_on_close(req, on_req_close, w);
}

static void get_hello(struct h2_req *req, void *arg)
{
	struct world *w = arg;
	struct buf b = BUF_INIT;

	w->served++;
	assert_null(h2_req_param(req, "nothing"));
	assert_null(h2_req_query(req, "nothing"));
	assert_null(h2_req_peer(req));
	buf_printf(&b, "{\"id\":\"%s\",\"q\":\"%s\",\"x\":\"%s\",\"path\":\"%s\"}",
		   h2_req_param(req, "id"), h2_req_query(req, "q") ? h2_req_query(req, "q") : "-",
		   h2_req_header(req, "x-test") ? h2_req_header(req, "x-test") : "-",
		   h2_req_path(req));
	assert_int_equal(h2_req_set_header(req, "location", "/somewhere"), 0);
	assert_int_equal(h2_req_set_header(req, "x-evil", "a\r\nb: c"), -EINVAL);
	assert_int_equal(h2_req_set_header(req, ":status", "200"), -EINVAL);
	assert_int_equal(h2_respond_json(req, 200, &b), 0);
	assert_int_equal(h2_respond(req, 200, NULL, "", 0), -EALREADY);
	assert_int_equal(h2_req_set_header(req, "late", "x"), -EALREADY);
	buf_fini(&b);
}

static void post_echo(struct h2_req *req, void *arg)
{
	size_t len = 0;
	const char *body = h2_req_body(req, &len);

	(void)arg;
	assert_int_equal(body[len], 0);
	h2_respond(req, 200, h2_req_header(req, "content-type"), body, len);
}

static void on_later(void *arg)
{
	struct world *w = arg;

	if (w->req)
		h2_respond(w->req, 202, "text/plain", "later", 5);
}

static void get_later(struct h2_req *req, void *arg)
{
	struct world *w = arg;

	keep(w, req);
	loop_timer_set(w->timer, 20);
}

static void get_never(struct h2_req *req, void *arg)
{
	keep(arg, req);
}

static void get_empty(struct h2_req *req, void *arg)
{
	keep(arg, req);
	h2_respond(req, 204, NULL, NULL, 0);
}

static void get_reset(struct h2_req *req, void *arg)
{
	keep(arg, req);
	h2_start(req, 200, "text/plain");
	h2_write(req, "half", 4);
	h2_req_reset(req);
}

static void get_file(struct h2_req *req, void *arg)
{
	struct world *w = arg;
	const char *len = h2_req_query(req, "len");
	struct h2_source src;
	FILE *f = tmpfile();

	keep(w, req);
	assert_non_null(f);
	fputs("0123456789abcdef", f);
	fflush(f);
	assert_int_equal(h2_source_fd(&src, fileno(f), 4, len ? strtoull(len, NULL, 10) : 8), 0);
	fclose(f);
	h2_respond_source(req, 200, "application/octet-stream", &src);
}

static int put_data(struct h2_req *req, const void *data, size_t len, void *arg)
{
	struct world *w = arg;
	struct h2_stats stats;

	h2_stats(w->server, &stats);
	if (stats.buffered > w->max_buffered)
		w->max_buffered = stats.buffered;
	w->got += len;
	if (w->sha)
		sha256_update(w->sha, data, len);
	if (w->pause_every && w->got >= w->next_pause) {
		w->next_pause = w->got + w->pause_every;
		h2_req_pause(req);
		loop_timer_set(w->timer, 1);
	}
	return w->on_data_result;
}

static void put_end(struct h2_req *req, void *arg)
{
	struct world *w = arg;

	w->ended = true;
	h2_respond(req, 200, NULL, NULL, 0);
}

static const struct h2_body_ops put_ops = { .on_data = put_data, .on_end = put_end };

static void put_stream(struct h2_req *req, void *arg)
{
	keep(arg, req);
	h2_req_stream(req, &put_ops, arg);
}

static void put_no(struct h2_req *req, void *arg)
{
	keep(arg, req);
	h2_problem(req, 409, "suspended", "job \"%s\" is suspended\x1b[2J",
		   h2_req_param(req, "id"));
}

static void on_writable(struct h2_req *req, void *arg)
{
	struct world *w = arg;

	assert_true(h2_req_unsent(req) <= 128 * 1024);
	w->writable = true;
}

static void get_events(struct h2_req *req, void *arg)
{
	keep(arg, req);
	h2_req_on_writable(req, on_writable, arg);
	h2_start(req, 200, "application/x-ndjson");
}

static const struct h2_route routes[] = {
	{ "GET", "/v1/hello/{id}", 0, 0, 0, get_hello },
	{ "POST", "/v1/echo", 0, 1000, 0, post_echo },
	{ "GET", "/v1/later", 0, 0, 0, get_later },
	{ "GET", "/v1/never", 0, 0, 0, get_never },
	{ "GET", "/v1/empty", 0, 0, 0, get_empty },
	{ "GET", "/v1/reset", 0, 0, 0, get_reset },
	{ "GET", "/v1/file", 0, 0, 0, get_file },
	{ "PUT", "/v1/stream", 0, BIG, H2_STREAM_BODY, put_stream },
	{ "PUT", "/v1/small", 0, 1000, H2_STREAM_BODY, put_stream },
	{ "PUT", "/v1/no/{id}", 0, BIG, H2_STREAM_BODY, put_no },
	{ "GET", "/v1/events", 0, 0, 0, get_events },
	{ "GET", "/v1/secret", ROLE_BIT(ROLE_CLOUD), 0, 0, get_hello },
};

/* ---- setting up ---- */

static void on_client_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	assert_ptr_equal(h2, w->client);
	assert_false(w->client_gone);
	w->client_gone = true;
	w->client_err = err;
	snprintf(w->client_why, sizeof(w->client_why), "%s", why);
	w->client = NULL;
}

static void on_server_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct world *w = arg;

	assert_ptr_equal(h2, w->server);
	assert_false(w->server_gone);
	w->server_gone = true;
	w->server_err = err;
	snprintf(w->server_why, sizeof(w->server_why), "%s", why);
	w->server = NULL;
}

static void on_timer(void *arg)
{
	struct world *w = arg;

	if (w->pause_every && w->req)
		h2_req_unpause(w->req);
	else
		on_later(w);
}

static struct world *world_new(const struct h2_conf *client, const struct h2_conf *server)
{
	static struct h2_router router = { routes, sizeof(routes) / sizeof(routes[0]), NULL };
	struct world *w = calloc(1, sizeof(*w));
	struct stream *a = NULL, *b = NULL;
	int fd[2];

	assert_non_null(w);
	router.arg = w;
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(loop_timer_new(w->loop, on_timer, w, &w->timer), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	if (client) {
		assert_int_equal(stream_new(w->loop, fd[0], NULL, &a), 0);
		assert_int_equal(h2_new(w->loop, a, H2_CLIENT, client, NULL, on_client_close, w,
					&w->client),
				 0);
	} else {
		/* the test plays the client by hand, on this descriptor */
		w->client_err = fd[0];
		fcntl(fd[0], F_SETFL, O_NONBLOCK);
	}
	assert_int_equal(stream_new(w->loop, fd[1], NULL, &b), 0);
	assert_int_equal(
		h2_new(w->loop, b, H2_SERVER, server, &router, on_server_close, w, &w->server), 0);
	return w;
}

static void world_free(struct world *w)
{
	h2_free(w->client, -ECANCELED, "test is over");
	h2_free(w->server, -ECANCELED, "test is over");
	loop_timer_free(w->timer);
	sha256_free(w->sha);
	loop_free(w->loop);
	free(w);
}

static const struct h2_conf no_conf;

static int setup(void **state)
{
	*state = world_new(&no_conf, &no_conf);
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

/* ---- the client's side ---- */

struct answer {
	bool done;
	int err, status;
	char why[256], type[64], body[512], location[64], allow[64];
	size_t len;
};

static void copy(char *out, size_t size, const char *s)
{
	snprintf(out, size, "%s", s ? s : "");
}

static void on_reply(const struct h2_reply *reply, void *arg)
{
	struct answer *a = arg;

	assert_false(a->done);
	a->done = true;
	a->err = reply->err;
	a->status = reply->status;
	a->len = reply->len;
	copy(a->why, sizeof(a->why), reply->why);
	copy(a->type, sizeof(a->type), reply->type);
	copy(a->body, sizeof(a->body), reply->body);
	copy(a->location, sizeof(a->location), h2_call_header(reply->call, "location"));
	copy(a->allow, sizeof(a->allow), h2_call_header(reply->call, "allow"));
}

static struct answer ask(struct world *w, const char *method, const char *path, const void *body,
			 size_t len)
{
	struct h2_request request = {
		.method = method,
		.path = path,
		.type = body ? "application/json" : NULL,
		.body = body,
		.body_len = len,
	};
	struct answer a = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), 0);
	assert_false(a.done);
	kit_until(w->loop, &a.done);
	return a;
}

static void assert_problem(const struct answer *a, int status, const char *code)
{
	struct sapi_problem problem;
	struct err e = { 0 };

	assert_int_equal(a->err, 0);
	assert_int_equal(a->status, status);
	assert_string_equal(a->type, "application/problem+json");
	if (sapi_problem_decode(a->body, a->len, &problem, &e) < 0)
		fail_msg("%s: %s", a->body, err_text(&e));
	assert_string_equal(problem.code, code);
	assert_int_equal(problem.status, status);
	assert_true(problem.title[0] && problem.detail[0]);
	sapi_problem_fini(&problem);
}

/* ---- tests ---- */

static void get_with_parameters(void **state)
{
	struct world *w = *state;
	struct h2_header fields[] = { { "x-test", "yes" } };
	struct h2_request request = {
		.method = "GET",
		.path = "/v1/hello/a%20b?p=1&q=x%2By+z&bad=%zz",
		.headers = fields,
		.header_count = 1,
	};
	struct answer a = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), 0);
	kit_until(w->loop, &a.done);
	assert_int_equal(a.err, 0);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.type, "application/json");
	assert_string_equal(a.location, "/somewhere");
	assert_string_equal(
		a.body,
		"{\"id\":\"a b\",\"q\":\"x+y z\",\"x\":\"yes\",\"path\":\"/v1/hello/a%20b\"}");
}

static void head_has_no_body(void **state)
{
	struct world *w = *state;
	struct answer a = ask(w, "HEAD", "/v1/hello/x", NULL, 0);

	assert_int_equal(a.status, 200);
	assert_int_equal(a.len, 0);
	a = ask(w, "HEAD", "/v1/file", NULL, 0);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.len, 0);
	assert_true(w->req_gone);
	assert_int_equal(w->req_err, 0);
}

static void problems_before_any_handler(void **state)
{
	struct world *w = *state;
	char body[2000];
	struct answer a;

	a = ask(w, "GET", "/v1/nothing", NULL, 0);
	assert_problem(&a, 404, "not-found");
	a = ask(w, "GET", "/v1/hello/", NULL, 0);
	assert_problem(&a, 404, "not-found");
	a = ask(w, "DELETE", "/v1/echo", NULL, 0);
	assert_problem(&a, 405, "method-not-allowed");
	assert_string_equal(a.allow, "POST");
	a = ask(w, "GET", "/v1/secret", NULL, 0);
	assert_problem(&a, 403, "role-not-allowed");
	a = ask(w, "GET", "/v1/hello/%4", NULL, 0);
	assert_problem(&a, 400, "bad-path");
	a = ask(w, "GET", "/v1/hello/a%00b", NULL, 0);
	assert_problem(&a, 400, "bad-path");
	memset(body, 'x', sizeof(body));
	a = ask(w, "POST", "/v1/echo", body, 1001);
	assert_problem(&a, 413, "body-too-large");
	a = ask(w, "GET", "/v1/hello/x", body, 1);
	assert_problem(&a, 413, "body-too-large");
	a = ask(w, "PUT", "/v1/small", body, 1001);
	assert_problem(&a, 413, "body-too-large");
	a = ask(w, "POST", "/v1/echo", body, 300);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.len, 300);
	assert_memory_equal(a.body, body, 300);
	assert_int_equal(w->served, 0);
}

static void header_section_is_capped(void **state)
{
	struct world *w = *state;
	char value[12000];
	struct h2_header fields[] = { { "x-a", value }, { "x-b", value } };
	struct h2_request request = {
		.method = "GET",
		.path = "/v1/hello/x",
		.headers = fields,
		.header_count = 2,
	};
	struct answer a = { 0 };

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), 0);
	kit_until(w->loop, &a.done);
	assert_problem(&a, 431, "headers-too-large");
	/* the session lives on */
	a = ask(w, "GET", "/v1/hello/x", NULL, 0);
	assert_int_equal(a.status, 200);
}

static void malformed_requests_are_refused_locally(void **state)
{
	struct world *w = *state;
	struct h2_header bad_name[] = { { "X-Upper", "x" } };
	struct h2_header pseudo[] = { { ":path", "/x" } };
	struct h2_header bad_value[] = { { "x-a", "a\nb" } };
	struct h2_request request = { .method = "GET", .path = "no-slash" };
	struct answer a = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), -EINVAL);
	request.path = "/with blank";
	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), -EINVAL);
	request.path = "/ok";
	request.header_count = 1;
	request.headers = bad_name;
	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), -EINVAL);
	request.headers = pseudo;
	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), -EINVAL);
	request.headers = bad_value;
	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), -EINVAL);
	request.header_count = 0;
	assert_int_equal(h2_fetch(w->server, &request, on_reply, &a, NULL), -EINVAL);
	kit_settle(w->loop);
	assert_false(a.done);
}

static void deferred_response(void **state)
{
	struct world *w = *state;
	struct answer a = ask(w, "GET", "/v1/later", NULL, 0);

	assert_int_equal(a.status, 202);
	assert_string_equal(a.body, "later");
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, 0);
}

static void empty_response(void **state)
{
	struct world *w = *state;
	struct answer a = ask(w, "GET", "/v1/empty", NULL, 0);

	assert_int_equal(a.err, 0);
	assert_int_equal(a.status, 204);
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, 0);
}

static void file_ranges(void **state)
{
	struct world *w = *state;
	struct answer a = ask(w, "GET", "/v1/file", NULL, 0);

	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "456789ab");
	/* shorter than announced: reset, never a wrong length */
	a = ask(w, "GET", "/v1/file?len=100", NULL, 0);
	assert_int_equal(a.err, -SHUNT_EREMOTE);
	assert_int_equal(a.status, 200);
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, -ENODATA);
}

static void timeouts_and_cancels(void **state)
{
	struct world *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/never", .timeout_ms = 30 };
	struct h2_call *call = NULL;
	struct answer a = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), 0);
	kit_until(w->loop, &a.done);
	assert_int_equal(a.err, -ETIMEDOUT);
	assert_int_equal(a.status, 0);
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, -ECANCELED);
	memset(&a, 0, sizeof(a));
	w->req_gone = false;
	request.timeout_ms = 0;
	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, &call), 0);
	KIT_UNTIL(w->loop, w->req);
	h2_call_cancel(call);
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, -ECANCELED);
	/* and before it has left */
	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, &call), 0);
	h2_call_cancel(call);
	kit_settle(w->loop);
	assert_false(a.done);
}

static void server_resets_in_mid_response(void **state)
{
	struct world *w = *state;
	struct answer a = ask(w, "GET", "/v1/reset", NULL, 0);

	assert_int_equal(a.err, -SHUNT_EREMOTE);
	assert_non_null(strstr(a.why, "INTERNAL_ERROR"));
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, -ECANCELED);
}

/* ---- big bodies ---- */

struct upload {
	uint64_t left, done_calls;
	uint32_t seed;
	struct sha256 *sha;
	bool closed, stall, stalled;
	int err, status;
	struct world *w;
	uint64_t max_buffered;
};

static ssize_t upload_read(void *arg, void *buf, size_t len)
{
	struct upload *up = arg;
	uint8_t *at = buf;
	size_t i;

	if (up->stall) {
		up->stalled = true;
		return -EAGAIN;
	}
	if (len > up->left)
		len = (size_t)up->left;
	for (i = 0; i < len; i++) {
		up->seed = up->seed * 1664525 + 1013904223;
		at[i] = (uint8_t)(up->seed >> 24);
	}
	sha256_update(up->sha, buf, len);
	up->left -= len;
	return (ssize_t)len;
}

static void upload_done(void *arg)
{
	((struct upload *)arg)->done_calls++;
}

static int no_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	(void)call;
	(void)data;
	(void)len;
	(void)arg;
	return 0;
}

static void upload_headers(struct h2_call *call, int status, void *arg)
{
	(void)call;
	((struct upload *)arg)->status = status;
}

static void upload_close(struct h2_call *call, int err, const char *why, void *arg)
{
	struct upload *up = arg;

	(void)call;
	(void)why;
	up->err = err;
	up->closed = true;
}

static const struct h2_call_ops upload_ops = { upload_headers, no_data, upload_close };

static void upload_start(struct world *w, struct upload *up, const char *path, uint64_t len,
			 int64_t announced, struct h2_call **call)
{
	struct h2_request request = {
		.method = "PUT",
		.path = path,
		.source = { upload_read, upload_done, up, announced },
	};

	up->left = len;
	up->seed = 1;
	up->w = w;
	if (!up->sha)
		assert_int_equal(sha256_new(&up->sha), 0);
	if (!w->sha)
		assert_int_equal(sha256_new(&w->sha), 0);
	assert_int_equal(h2_call_start(w->client, &request, &upload_ops, up, call), 0);
}

/* A reader that stops again and again; what is in flight stays within the window. */
static void big_upload_with_pauses_is_bounded(void **state)
{
	struct world *w = *state;
	uint8_t sent[SHA256_LEN], got[SHA256_LEN];
	struct h2_call *call = NULL;
	struct upload up = { 0 };
	struct h2_stats stats;

	w->pause_every = 3u << 20;
	upload_start(w, &up, "/v1/stream", BIG, BIG, &call);
	while (!up.closed) {
		assert_int_equal(loop_step(w->loop, 1000), 0);
		h2_stats(w->server, &stats);
		if (stats.buffered > w->max_buffered)
			w->max_buffered = stats.buffered;
		h2_stats(w->client, &stats);
		if (stats.buffered > up.max_buffered)
			up.max_buffered = stats.buffered;
	}
	assert_int_equal(up.err, 0);
	assert_int_equal(up.status, 200);
	assert_int_equal(up.done_calls, 1);
	assert_int_equal(w->got, BIG);
	assert_true(w->ended);
	assert_int_equal(w->req_err, 0);
	assert_true(w->max_buffered <= (1u << 20));
	assert_true(w->max_buffered > 100000); /* the pauses did fill the window */
	assert_true(up.max_buffered <= 128 * 1024);
	assert_int_equal(sha256_final(up.sha, sent), 0);
	assert_int_equal(sha256_final(w->sha, got), 0);
	assert_memory_equal(sent, got, sizeof(got));
	sha256_free(up.sha);
}

static void source_that_waits_and_lies(void **state)
{
	struct world *w = *state;
	struct h2_call *call = NULL;
	struct upload up = { .stall = true }, lie = { 0 };

	upload_start(w, &up, "/v1/stream", 100000, H2_SOURCE_UNKNOWN, &call);
	KIT_UNTIL(w->loop, up.stalled);
	kit_settle(w->loop);
	assert_int_equal(h2_call_sent(call), 0);
	up.stall = false;
	h2_call_resume(call);
	KIT_UNTIL(w->loop, up.closed);
	assert_int_equal(up.err, 0);
	assert_int_equal(w->got, 100000);
	/* announces more than it has */
	w->req_gone = false;
	upload_start(w, &lie, "/v1/stream", 1000, 2000, &call);
	KIT_UNTIL(w->loop, lie.closed);
	assert_int_equal(lie.err, -ENODATA);
	assert_int_equal(lie.done_calls, 1);
	KIT_UNTIL(w->loop, w->req_gone);
	assert_true(w->req_err < 0);
	sha256_free(up.sha);
	sha256_free(lie.sha);
}

static void early_response_ends_the_upload(void **state)
{
	struct world *w = *state;
	struct h2_call *call = NULL;
	struct upload up = { 0 };
	struct answer a;

	upload_start(w, &up, "/v1/no/7", BIG, BIG, &call);
	KIT_UNTIL(w->loop, up.closed);
	assert_int_equal(up.err, 0);
	assert_int_equal(up.status, 409);
	assert_int_equal(up.done_calls, 1);
	assert_true(up.left > BIG / 2);
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, 0);
	assert_int_equal(w->got, 0);
	/* escape sequences from the request do not come back as such */
	a = ask(w, "PUT", "/v1/no/x", "{}", 2);
	assert_problem(&a, 409, "suspended");
	assert_null(strchr(a.body, '\x1b'));
	sha256_free(up.sha);
}

static void abort_in_mid_upload(void **state)
{
	struct world *w = *state;
	struct h2_call *call = NULL;
	struct upload up = { 0 }, other = { 0 };

	upload_start(w, &up, "/v1/stream", BIG, BIG, &call);
	KIT_UNTIL(w->loop, w->got > 1u << 20);
	h2_call_cancel(call);
	assert_int_equal(up.done_calls, 1);
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, -ECANCELED);
	assert_false(w->ended);
	assert_false(up.closed);
	/* the receiver does not want it */
	w->on_data_result = -ENOSPC;
	upload_start(w, &other, "/v1/stream", BIG, BIG, &call);
	KIT_UNTIL(w->loop, other.closed);
	assert_int_equal(other.err, -SHUNT_EREMOTE);
	KIT_UNTIL(w->loop, w->req_gone);
	assert_int_equal(w->req_err, -ENOSPC);
	/* the windows of the session are whole again: a third one goes through */
	w->on_data_result = 0;
	other.closed = false;
	w->got = 0;
	upload_start(w, &other, "/v1/stream", 16u << 20, 16u << 20, &call);
	KIT_UNTIL(w->loop, other.closed);
	assert_int_equal(other.err, 0);
	assert_int_equal(w->got, 16u << 20);
	sha256_free(up.sha);
	sha256_free(other.sha);
}

static void reply_larger_than_wanted(void **state)
{
	struct world *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/file", .max_reply = 4 };
	struct answer a = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), 0);
	kit_until(w->loop, &a.done);
	assert_int_equal(a.err, -EMSGSIZE);
	a = ask(w, "GET", "/v1/file", NULL, 0);
	assert_int_equal(a.status, 200);
}

/* ---- pushed responses ---- */

struct events {
	uint64_t got;
	bool closed, pause_first, end_before_pause;
	int err;
	struct h2_call *call;
};

static int events_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	struct events *ev = arg;

	(void)data;
	ev->got += len;
	if (ev->pause_first) {
		ev->pause_first = false;
		h2_call_pause(call);
	}
	return 0;
}

static void events_close(struct h2_call *call, int err, const char *why, void *arg)
{
	struct events *ev = arg;

	(void)call;
	(void)why;
	ev->closed = true;
	ev->err = err;
}

static const struct h2_call_ops events_ops = { NULL, events_data, events_close };

static void slow_reader_of_events(void **state)
{
	struct world *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/events" };
	struct events ev = { .pause_first = true };
	struct h2_stats stats;
	char line[1000];
	uint64_t written = 0;
	int rc = 0, i;

	memset(line, 'e', sizeof(line));
	assert_int_equal(h2_call_start(w->client, &request, &events_ops, &ev, &ev.call), 0);
	KIT_UNTIL(w->loop, w->req);
	assert_int_equal(h2_write(w->req, line, 1u << 20), -EMSGSIZE);
	/* until neither the server's buffer nor the reader's window takes any more */
	for (i = 0; i < 100; i++) {
		while ((rc = h2_write(w->req, line, sizeof(line))) == 0)
			written += sizeof(line);
		assert_int_equal(rc, -EAGAIN);
		kit_settle(w->loop);
	}
	assert_true(written >= 1u << 20);
	assert_true(written <= (1u << 20) + (256u << 10) + (128u << 10));
	h2_stats(w->client, &stats);
	assert_true(stats.buffered <= 1u << 20);
	w->writable = false;
	h2_call_unpause(ev.call);
	KIT_UNTIL(w->loop, w->writable);
	assert_int_equal(h2_write(w->req, line, sizeof(line)), 0);
	written += sizeof(line);
	assert_int_equal(h2_finish(w->req), 0);
	assert_int_equal(h2_write(w->req, line, 1), -ENOTCONN);
	KIT_UNTIL(w->loop, ev.closed);
	assert_int_equal(ev.err, 0);
	assert_int_equal(ev.got, written);
	assert_true(w->req_gone);
}

/* The response is complete at the peer while we are paused: nothing of it is lost. */
static void end_while_paused(void **state)
{
	struct world *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/events" };
	struct events ev = { .pause_first = true };

	assert_int_equal(h2_call_start(w->client, &request, &events_ops, &ev, &ev.call), 0);
	KIT_UNTIL(w->loop, w->req);
	h2_write(w->req, "one\n", 4);
	KIT_UNTIL(w->loop, ev.got == 4);
	h2_write(w->req, "two\n", 4);
	h2_finish(w->req);
	KIT_UNTIL(w->loop, w->req_gone);
	kit_settle(w->loop);
	assert_false(ev.closed);
	assert_int_equal(ev.got, 4);
	h2_call_unpause(ev.call);
	KIT_UNTIL(w->loop, ev.closed);
	assert_int_equal(ev.err, 0);
	assert_int_equal(ev.got, 8);
	/* the same, cancelled instead, and once left to the end of the session */
	memset(&ev, 0, sizeof(ev));
	ev.pause_first = true;
	assert_int_equal(h2_call_start(w->client, &request, &events_ops, &ev, &ev.call), 0);
	KIT_UNTIL(w->loop, w->req);
	h2_write(w->req, "one\n", 4);
	KIT_UNTIL(w->loop, ev.got == 4);
	h2_write(w->req, "two\n", 4);
	h2_finish(w->req);
	KIT_UNTIL(w->loop, w->req_gone);
	kit_settle(w->loop);
	h2_call_cancel(ev.call);
	kit_settle(w->loop);
	assert_false(ev.closed);
}

/* ---- many requests ---- */

static void more_requests_than_streams(void **state)
{
	struct h2_conf few = { .max_streams = 4 };
	struct h2_request request = { .method = "GET", .path = "/v1/hello/x" };
	struct world *w = world_new(&no_conf, &few);
	struct answer *answers = calloc(300, sizeof(*answers));
	struct h2_call *calls[300];
	unsigned int i, done;

	(void)state;
	assert_non_null(answers);
	for (i = 0; i < 300; i++)
		assert_int_equal(h2_fetch(w->client, &request, on_reply, &answers[i], &calls[i]),
				 0);
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
	world_free(w);
}

static void queue_is_bounded(void **state)
{
	struct world *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/never" };
	struct answer *answers = calloc(1024, sizeof(*answers));
	unsigned int i;

	assert_non_null(answers);
	for (i = 0; i < 1024; i++)
		assert_int_equal(h2_fetch(w->client, &request, on_reply, &answers[i], NULL), 0);
	assert_int_equal(h2_fetch(w->client, &request, on_reply, &answers[0], NULL), -EAGAIN);
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

/* ---- the end of sessions ---- */

static void graceful_close(void **state)
{
	struct world *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/later" };
	struct answer a = { 0 }, late = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), 0);
	KIT_UNTIL(w->loop, w->req);
	h2_close(w->server);
	h2_close(w->server);
	assert_false(h2_usable(w->server));
	KIT_UNTIL(w->loop, !h2_usable(w->client));
	assert_int_equal(h2_fetch(w->client, &request, on_reply, &late, NULL), -ENOTCONN);
	kit_until(w->loop, &a.done);
	assert_int_equal(a.status, 202);
	KIT_UNTIL(w->loop, w->server_gone && w->client_gone);
	assert_int_equal(w->server_err, 0);
	assert_int_equal(w->client_err, 0);
}

static void graceful_close_has_a_deadline(void **state)
{
	struct h2_conf hasty = { .close_ms = 30 };
	struct h2_request request = { .method = "GET", .path = "/v1/never" };
	struct world *w = world_new(&no_conf, &hasty);
	struct answer a = { 0 };

	(void)state;
	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), 0);
	KIT_UNTIL(w->loop, w->req);
	h2_close(w->server);
	kit_until(w->loop, &a.done);
	assert_true(a.err < 0);
	KIT_UNTIL(w->loop, w->server_gone && w->client_gone);
	assert_int_equal(w->server_err, -ETIMEDOUT);
	assert_true(w->req_gone);
	assert_int_equal(w->req_err, -ETIMEDOUT);
	world_free(w);
}

static void request_crosses_goaway(void **state)
{
	struct world *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/hello/x" };
	struct answer a = { 0 };

	kit_settle(w->loop);
	h2_close(w->server);
	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), 0);
	kit_until(w->loop, &a.done);
	/* not processed, and the caller is told that it may try again */
	assert_int_equal(a.err, -EAGAIN);
	assert_int_equal(w->served, 0);
	KIT_UNTIL(w->loop, w->server_gone && w->client_gone);
}

static void abort_tells_the_peer_why(void **state)
{
	struct world *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/never" };
	struct answer a = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), 0);
	KIT_UNTIL(w->loop, w->req);
	h2_abort(w->server, -EPERM, "token is not valid");
	h2_abort(w->server, -EIO, "something else");
	kit_until(w->loop, &a.done);
	assert_int_equal(a.err, -SHUNT_EREMOTE);
	assert_non_null(strstr(a.why, "token is not valid"));
	KIT_UNTIL(w->loop, w->server_gone && w->client_gone);
	assert_int_equal(w->server_err, -EPERM);
	assert_int_equal(w->req_err, -EPERM);
	assert_string_equal(w->server_why, "token is not valid");
	assert_int_equal(w->client_err, -SHUNT_EREMOTE);
}

struct nested {
	struct world *w;
	bool called, user_called;
};

static void nested_close(struct h2_call *call, int err, const char *why, void *arg)
{
	struct nested *n = arg;
	struct h2_request request = { .method = "GET", .path = "/v1/hello/x" };
	struct h2_call *other = NULL;

	(void)why;
	assert_true(err < 0);
	n->called = true;
	/* what a user may do at the worst moment */
	assert_int_equal(h2_call_start(h2_call_session(call), &request, &events_ops, NULL, &other),
			 -ENOTCONN);
	h2_close(h2_call_session(call));
	h2_abort(h2_call_session(call), -EIO, "again");
}

static void nested_user_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct nested *n = arg;

	(void)err;
	(void)why;
	assert_true(n->called);
	assert_ptr_equal(h2_data(h2), n);
	n->user_called = true;
}

static void callbacks_of_the_end(void **state)
{
	static const struct h2_call_ops ops = { NULL, no_data, nested_close };
	struct world *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/never" };
	struct nested n = { .w = w };
	struct h2_call *call = NULL;

	h2_set_data(w->client, &n);
	h2_on_close(w->client, nested_user_close, &n);
	assert_int_equal(h2_call_start(w->client, &request, &ops, &n, &call), 0);
	KIT_UNTIL(w->loop, w->req);
	h2_free(w->server, -ECANCELED, "gone");
	KIT_UNTIL(w->loop, w->client_gone);
	assert_true(n.called && n.user_called);
}

/* ---- peers that do not play by the rules; the test is the client by hand ---- */

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS "\0\0\0\4\0\0\0\0\0"

static struct world *raw_world(const struct h2_conf *conf, int *fd)
{
	struct world *w = world_new(NULL, conf);

	*fd = w->client_err;
	w->client_err = 0;
	return w;
}

static void expect_end(const void *bytes, size_t len, int err, const char *part)
{
	int fd;
	struct world *w = raw_world(&no_conf, &fd);

	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	KIT_UNTIL(w->loop, w->server_gone);
	assert_int_equal(w->server_err, err);
	if (!strstr(w->server_why, part))
		fail_msg("'%s' lacks '%s'", w->server_why, part);
	close(fd);
	world_free(w);
}

static void malformed_bytes_end_the_session(void **state)
{
	static const char tls[] =
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello there, who are";
	static const char http1[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	/* a DATA frame on stream 0 */
	static const char data0[] = PREFACE SETTINGS "\0\0\1\0\0\0\0\0\0x";
	/* a frame of 16 MiB */
	static const char huge[] = PREFACE SETTINGS "\xff\xff\xff\0\0\0\0\0\1";
	/* HEADERS that are no HPACK */
	static const char hpack[] = PREFACE SETTINGS "\0\0\4\1\5\0\0\0\1\xff\xff\xff\xff";
	/* a WINDOW_UPDATE by 0 */
	static const char window[] = PREFACE SETTINGS "\0\0\4\x8\0\0\0\0\0\0\0\0\0";

	(void)state;
	expect_end(tls, sizeof(tls) - 1, -SHUNT_EPROTO, "does not speak HTTP/2");
	expect_end(http1, sizeof(http1) - 1, -SHUNT_EPROTO, "does not speak HTTP/2");
	expect_end(data0, sizeof(data0) - 1, -SHUNT_EPROTO, "peer broke HTTP/2");
	expect_end(huge, sizeof(huge) - 1, -SHUNT_EPROTO, "peer broke HTTP/2");
	expect_end(hpack, sizeof(hpack) - 1, -SHUNT_EPROTO, "peer broke HTTP/2");
	expect_end(window, sizeof(window) - 1, -SHUNT_EPROTO, "peer broke HTTP/2");
}

static void silent_peer_is_given_up(void **state)
{
	struct h2_conf conf = { .ping_ms = 20, .dead_ms = 30 };
	struct world *w;
	int fd;

	(void)state;
	w = raw_world(&conf, &fd);
	assert_int_equal(write(fd, PREFACE SETTINGS, 33), 33);
	KIT_UNTIL(w->loop, w->server_gone);
	assert_int_equal(w->server_err, -ETIMEDOUT);
	assert_non_null(strstr(w->server_why, "silent"));
	close(fd);
	world_free(w);
}

/* Two ends of a TCP connection with small buffers, the second one non-blocking. */
static void tcp_pair(int fd[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int size = 16384, mss = 1400;
	int l = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(l, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	assert_int_equal(bind(l, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&sin, &len), 0);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd[0], IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof(mss));
	assert_int_equal(connect(fd[0], (struct sockaddr *)&sin, len), 0);
	fd[1] = accept4(l, NULL, NULL, SOCK_NONBLOCK);
	assert_true(fd[1] >= 0);
	close(l);
}

/* An upload fills a slow line: the peer says nothing for long, and the PING waits in the queue. Only
 * once it takes nothing any more it is dead.
 */
static void slow_line_is_no_dead_peer(void **state)
{
	/* an unlimited window for the stream, and for the session */
	static const char settings[] = "\0\0\6\4\0\0\0\0\0\0\4\x7f\xff\xff\xff"
				       "\0\0\4\x8\0\0\0\0\0\x7f\0\0\0";
	struct h2_conf conf = { .ping_ms = 50, .dead_ms = 400 };
	struct h2_request request = { .method = "PUT", .path = "/", .body_len = 8 << 20 };
	struct world *w = calloc(1, sizeof(*w));
	struct stream *stream = NULL;
	struct answer a = { 0 };
	char taken[2048];
	uint64_t end;
	int fd[2];

	(void)state;
	assert_non_null(w);
	assert_int_equal(loop_new(&w->loop), 0);
	tcp_pair(fd);
	assert_int_equal(stream_new(w->loop, fd[0], NULL, &stream), 0);
	assert_int_equal(
		h2_new(w->loop, stream, H2_CLIENT, &conf, NULL, on_client_close, w, &w->client), 0);
	request.body = calloc(1, request.body_len);
	assert_int_equal(h2_fetch(w->client, &request, on_reply, &a, NULL), 0);
	free((void *)(uintptr_t)request.body);
	assert_int_equal(write(fd[1], settings, sizeof(settings) - 1), sizeof(settings) - 1);
	for (end = loop_now(w->loop) + 1500; loop_now(w->loop) < end;) {
		assert_int_equal(loop_step(w->loop, 5), 0);
		assert_true(read(fd[1], taken, sizeof(taken)) != 0);
		if (w->client_gone)
			fail_msg("%s", w->client_why);
	}
	assert_false(a.done);
	KIT_UNTIL(w->loop, w->client_gone);
	assert_int_equal(w->client_err, -ETIMEDOUT);
	assert_non_null(strstr(w->client_why, "silent"));
	close(fd[1]);
	world_free(w);
}

static void quiet_session_lives(void **state)
{
	struct h2_conf conf = { .ping_ms = 5, .dead_ms = 50 };
	struct world *w = world_new(&conf, &conf);
	uint64_t end = loop_now(w->loop) + 200;
	struct h2_stats stats;

	(void)state;
	while (loop_now(w->loop) < end)
		assert_int_equal(loop_step(w->loop, 10), 0);
	assert_false(w->client_gone || w->server_gone);
	h2_stats(w->client, &stats);
	assert_true(stats.rtt_us > 0);
	assert_int_equal(stats.active, 0);
	world_free(w);
}

static void peer_goes_away(void **state)
{
	struct world *w;
	int fd;

	(void)state;
	w = raw_world(&no_conf, &fd);
	assert_int_equal(write(fd, PREFACE SETTINGS, 33), 33);
	kit_settle(w->loop);
	close(fd);
	KIT_UNTIL(w->loop, w->server_gone);
	assert_true(w->server_err == 0 || w->server_err == -ECONNRESET);
	world_free(w);
}

/* A peer that floods PINGs and never reads the answers must not fill our memory. */
static void ping_flood_is_bounded(void **state)
{
	static const char ping[] = "\0\0\x8\6\0\0\0\0\0abcdefgh";
	char flood[17 * 512];
	struct h2_stats stats;
	struct world *w;
	int fd, i;

	(void)state;
	w = raw_world(&no_conf, &fd);
	for (i = 0; i < 512; i++)
		memcpy(flood + 17 * i, ping, 17);
	assert_int_equal(write(fd, PREFACE SETTINGS, 33), 33);
	for (i = 0; i < 2000 && !w->server_gone; i++) {
		if (write(fd, flood, sizeof(flood)) < 0)
			assert_int_equal(errno, EAGAIN);
		assert_int_equal(loop_step(w->loop, 0), 0);
		if (w->server) {
			h2_stats(w->server, &stats);
			assert_true(stats.buffered < 256 * 1024);
		}
	}
	assert_true(w->server_gone);
	assert_int_equal(w->server_err, -SHUNT_EPROTO);
	close(fd);
	world_free(w);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(get_with_parameters),
		TEST(head_has_no_body),
		TEST(problems_before_any_handler),
		TEST(header_section_is_capped),
		TEST(malformed_requests_are_refused_locally),
		TEST(deferred_response),
		TEST(empty_response),
		TEST(file_ranges),
		TEST(timeouts_and_cancels),
		TEST(server_resets_in_mid_response),
		TEST(big_upload_with_pauses_is_bounded),
		TEST(source_that_waits_and_lies),
		TEST(early_response_ends_the_upload),
		TEST(abort_in_mid_upload),
		TEST(reply_larger_than_wanted),
		TEST(slow_reader_of_events),
		TEST(end_while_paused),
		cmocka_unit_test(more_requests_than_streams),
		TEST(queue_is_bounded),
		TEST(graceful_close),
		cmocka_unit_test(graceful_close_has_a_deadline),
		TEST(request_crosses_goaway),
		TEST(abort_tells_the_peer_why),
		TEST(callbacks_of_the_end),
		cmocka_unit_test(malformed_bytes_end_the_session),
		cmocka_unit_test(silent_peer_is_given_up),
		cmocka_unit_test(slow_line_is_no_dead_peer),
		cmocka_unit_test(quiet_session_lives),
		cmocka_unit_test(peer_goes_away),
		cmocka_unit_test(ping_flood_is_bounded),
		cmocka_unit_test(routes_match),
	};

	return cmocka_run_group_tests_name("h2", tests, NULL, NULL);
}
