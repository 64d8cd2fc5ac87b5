// SPDX-License-Identifier: GPL-2.0-or-later

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

/* ---- the server's side ---- */

static void on_req_close(struct h2_req *req, int err, void *arg)
{
	struct h2kit *w = arg;

	assert_ptr_equal(h2_req_data(req), w);
	w->req_err = err;
	w->req_gone = true;
	w->req = NULL;
}

static void keep(struct h2kit *w, struct h2_req *req)
{
	w->req = req;
	w->req_gone = false;
	w->req_err = 1;
	h2_req_set_data(req, w);
	h2_req_on_close(req, on_req_close, w);
}

static void get_hello(struct h2_req *req, void *arg)
{
	struct h2kit *w = arg;
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
	struct h2kit *w = arg;

	if (w->req)
		h2_respond(w->req, 202, "text/plain", "later", 5);
}

static void get_later(struct h2_req *req, void *arg)
{
	struct h2kit *w = arg;

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
	struct h2kit *w = arg;
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
	struct h2kit *w = arg;
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
	struct h2kit *w = arg;

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
	struct h2kit *w = arg;

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

void h2kit_on_client_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct h2kit *w = arg;

	assert_ptr_equal(h2, w->client);
	assert_false(w->client_gone);
	w->client_gone = true;
	w->client_err = err;
	snprintf(w->client_why, sizeof(w->client_why), "%s", why);
	w->client = NULL;
}

static void on_server_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct h2kit *w = arg;

	assert_ptr_equal(h2, w->server);
	assert_false(w->server_gone);
	w->server_gone = true;
	w->server_err = err;
	snprintf(w->server_why, sizeof(w->server_why), "%s", why);
	w->server = NULL;
}

static void on_timer(void *arg)
{
	struct h2kit *w = arg;

	if (w->pause_every && w->req)
		h2_req_unpause(w->req);
	else
		on_later(w);
}

struct h2kit *h2kit_new(const struct h2_conf *client, const struct h2_conf *server)
{
	static struct h2_router router = { routes, sizeof(routes) / sizeof(routes[0]), NULL };
	struct h2kit *w = calloc(1, sizeof(*w));
	struct stream *a = NULL, *b = NULL;
	int fd[2];

	assert_non_null(w);
	router.arg = w;
	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(loop_timer_new(w->loop, on_timer, w, &w->timer), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	if (client) {
		assert_int_equal(stream_new(w->loop, fd[0], NULL, &a), 0);
		assert_int_equal(h2_new(w->loop, a, H2_CLIENT, client, NULL, h2kit_on_client_close,
					w, &w->client),
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

void h2kit_free(struct h2kit *w)
{
	h2_free(w->client, -ECANCELED, "test is over");
	h2_free(w->server, -ECANCELED, "test is over");
	loop_timer_free(w->timer);
	sha256_free(w->sha);
	loop_free(w->loop);
	free(w);
}

const struct h2_conf h2kit_defaults;

int h2kit_setup(void **state)
{
	*state = h2kit_new(&h2kit_defaults, &h2kit_defaults);
	return 0;
}

int h2kit_teardown(void **state)
{
	h2kit_free(*state);
	return 0;
}

/* ---- the client's side ---- */

static void copy(char *out, size_t size, const char *s)
{
	snprintf(out, size, "%s", s ? s : "");
}

void h2kit_on_reply(const struct h2_reply *reply, void *arg)
{
	struct h2kit_answer *a = arg;

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

struct h2kit_answer h2kit_ask(struct h2kit *w, const char *method, const char *path,
			      const void *body, size_t len)
{
	struct h2_request request = {
		.method = method,
		.path = path,
		.type = body ? "application/json" : NULL,
		.body = body,
		.body_len = len,
	};
	struct h2kit_answer a = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), 0);
	assert_false(a.done);
	kit_until(w->loop, &a.done);
	return a;
}

void h2kit_assert_problem(const struct h2kit_answer *a, int status, const char *code)
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

/* ---- calls by hand ---- */

int h2kit_no_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	(void)call;
	(void)data;
	(void)len;
	(void)arg;
	return 0;
}

static int events_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	struct h2kit_events *ev = arg;

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
	struct h2kit_events *ev = arg;

	(void)call;
	(void)why;
	ev->closed = true;
	ev->err = err;
}

const struct h2_call_ops h2kit_events_ops = { NULL, events_data, events_close };
