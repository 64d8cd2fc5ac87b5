// SPDX-License-Identifier: GPL-2.0-or-later
/* The HTTP client for devices' own servers, against one that answers what the test wants. */
#include <errno.h>
#include <netinet/in.h>

#include "netkit.h"

#include "cloud/http.h"

#define BODY 40000
#define CONNS 8

struct conn {
	struct server *server;
	int fd;
	struct loop_io *io;
	size_t got;
};

struct server {
	struct loop *loop;
	int listener;
	struct loop_io *accept_io;
	struct conn conns[CONNS];
	size_t accepted, requests;
	const char *answer; /* NULL: none */
	size_t want; /* octets of a request, head and body, before it is answered */
	bool hang_up; /* instead of an answer */
	bool close_after; /* an answer */
};

struct world {
	struct server s;
	struct http *http;
	struct http_host *host;
	size_t sent; /* of the body */
	bool free_host;
	bool done;
	int err, status, calls;
	uint64_t left;
	char type[64], body[64], why[256], streamed[64];
	int head_status, refuse; /* refuse: what on_head returns */
};

static void conn_close(struct conn *c)
{
	loop_io_free(c->io);
	c->io = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->got = 0;
}

static void on_readable(unsigned int events, void *arg)
{
	struct conn *c = arg;
	struct server *s = c->server;
	char buf[8192];
	ssize_t n = read(c->fd, buf, sizeof(buf));

	(void)events;
	if (n <= 0) {
		conn_close(c);
		return;
	}
	if (!c->got)
		s->requests++;
	c->got += (size_t)n;
	if (c->got < s->want || (!s->want && !memmem(buf, (size_t)n, "\r\n\r\n", 4)))
		return;
	c->got = 0;
	if (s->hang_up) {
		conn_close(c);
		return;
	}
	if (s->answer)
		assert_true(write(c->fd, s->answer, strlen(s->answer)) > 0);
	if (s->answer && s->close_after)
		conn_close(c);
}

static void on_connection(unsigned int events, void *arg)
{
	struct server *s = arg;
	struct conn *c = s->conns;

	(void)events;
	while (c->fd >= 0)
		assert_true(++c < s->conns + CONNS);
	c->fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(c->fd >= 0);
	s->accepted++;
	assert_int_equal(loop_io_new(s->loop, c->fd, on_readable, c, &c->io), 0);
	loop_io_set(c->io, LOOP_READ);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	struct http_target target = { .tls = false };
	struct err e = { 0 };
	size_t i;

	assert_int_equal(loop_new(&w->s.loop), 0);
	for (i = 0; i < CONNS; i++) {
		w->s.conns[i].server = &w->s;
		w->s.conns[i].fd = -1;
	}
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	w->s.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->s.listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(w->s.listener, 4), 0);
	getsockname(w->s.listener, (struct sockaddr *)&sin, &len);
	loop_io_new(w->s.loop, w->s.listener, on_connection, &w->s, &w->s.accept_io);
	loop_io_set(w->s.accept_io, LOOP_READ);
	w->s.answer = "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhello";
	assert_int_equal(http_new(w->s.loop, NULL, &w->http, &e), 0);
	addr_parse("127.0.0.1", &target.address);
	target.port = ntohs(sin.sin_port);
	assert_int_equal(http_host_new(w->http, &target, &w->host), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	size_t i;

	http_host_free(w->host);
	http_free(w->http);
	for (i = 0; i < CONNS; i++)
		conn_close(&w->s.conns[i]);
	loop_io_free(w->s.accept_io);
	close(w->s.listener);
	loop_free(w->s.loop);
	free(w);
	return 0;
}

static ssize_t read_body(void *arg, void *buf, size_t len)
{
	struct world *w = arg;

	if (len > BODY - w->sent)
		len = BODY - w->sent;
	memset(buf, 'x', len);
	w->sent += len;
	return (ssize_t)len;
}

static ssize_t read_badly(void *arg, void *buf, size_t len)
{
	(void)arg;
	(void)buf;
	(void)len;
	return -EIO;
}

static void on_done(const struct http_reply *reply, void *arg)
{
	struct world *w = arg;

	w->done = true;
	w->calls++;
	w->err = reply->err;
	w->status = reply->status;
	w->left = reply->left;
	snprintf(w->type, sizeof(w->type), "%s", reply->type);
	snprintf(w->body, sizeof(w->body), "%s", (const char *)reply->body);
	snprintf(w->why, sizeof(w->why), "%s", reply->why ? reply->why : "");
	if (w->free_host) {
		http_host_free(w->host);
		w->host = NULL;
	}
}

static void call(struct world *w, struct http_request req)
{
	struct http_call *call;

	req.method = req.read ? "POST" : "GET";
	req.path = "/p";
	req.read_arg = w;
	req.max_reply = req.max_reply ? req.max_reply : 1000;
	w->done = false;
	w->sent = 0;
	assert_int_equal(http_call_new(w->host, &req, on_done, w, &call), 0);
	kit_until(w->s.loop, &w->done);
}

static void asks_and_keeps_the_connection(void **state)
{
	struct world *w = *state;
	int i;

	for (i = 0; i < 3; i++) {
		call(w, (struct http_request){ 0 });
		assert_int_equal(w->err, 0);
		assert_int_equal(w->status, 200);
		assert_string_equal(w->type, "a/b");
		assert_string_equal(w->body, "hello");
	}
	assert_int_equal(w->s.accepted, 1);
}

static void sends_a_body(void **state)
{
	struct world *w = *state;

	w->s.want = BODY + 50;
	call(w, (struct http_request){ .read = read_body, .size = BODY });
	assert_int_equal(w->err, 0);
	assert_int_equal(w->left, BODY);
}

static void other_statuses_are_answers(void **state)
{
	struct world *w = *state;

	w->s.answer = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
	call(w, (struct http_request){ 0 });
	assert_int_equal(w->err, 0);
	assert_int_equal(w->status, 404);
	/* one that leads elsewhere is not followed */
	w->s.answer =
		"HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
	call(w, (struct http_request){ 0 });
	assert_int_equal(w->err, 0);
	assert_int_equal(w->status, 302);
}

static void an_answer_has_an_end(void **state)
{
	struct world *w = *state;

	call(w, (struct http_request){ .max_reply = 4 });
	assert_int_equal(w->err, -EMSGSIZE);
	assert_string_equal(w->why, "the answer is longer than 4 octets");
}

static int on_head(void *arg, const struct http_head *head)
{
	struct world *w = arg;

	w->head_status = head->status;
	snprintf(w->streamed, sizeof(w->streamed), "%s ", head->etag);
	return w->refuse;
}

static int on_body(void *arg, const void *data, size_t len)
{
	struct world *w = arg;
	size_t n = strlen(w->streamed);

	snprintf(w->streamed + n, sizeof(w->streamed) - n, "%.*s", (int)len, (const char *)data);
	return 0;
}

static void stream(struct world *w, const char *answer)
{
	w->s.answer = answer;
	w->streamed[0] = '\0';
	w->head_status = 0;
	call(w, (struct http_request){
			.stall_s = 1, .on_head = on_head, .on_body = on_body, .body_arg = w });
}

static void a_body_in_pieces(void **state)
{
	struct world *w = *state;

	stream(w, "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 5\r\n\r\nhello");
	assert_int_equal(w->err, 0);
	assert_string_equal(w->streamed, "\"x\" hello");
	assert_int_equal(w->head_status, 200);
	/* One of no octets has a head, too. */
	stream(w, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(w->head_status, 200);
	/* What is refused is no body. */
	stream(w, "HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhello");
	assert_int_equal(w->err, 0);
	assert_int_equal(w->head_status, 0);
	assert_string_equal(w->streamed, "");
	assert_string_equal(w->body, "hello");
	w->refuse = -EFBIG;
	stream(w, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	assert_int_equal(w->err, -EFBIG);
	assert_string_equal(w->streamed, " ");
}

/* Content may take as long as it moves. */
static void a_body_that_stands_still(void **state)
{
	struct world *w = *state;
	uint64_t begun = loop_now(w->s.loop);

	stream(w, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
	assert_int_equal(w->err, -ETIMEDOUT);
	assert_string_equal(w->streamed, " he");
	stream(w, "HTTP/1.1 200 OK\r\n");
	assert_int_equal(w->err, -ETIMEDOUT);
	assert_true(loop_now(w->s.loop) - begun < 15000);
}

static void a_silent_server_is_given_up(void **state)
{
	struct world *w = *state;
	uint64_t begun = loop_now(w->s.loop);

	w->s.answer = NULL;
	call(w, (struct http_request){ .timeout_ms = 200 });
	assert_int_equal(w->err, -ETIMEDOUT);
	assert_true(loop_now(w->s.loop) - begun < 5000);
}

/* A head that never ends is one that never comes. */
static void a_slow_server_is_given_up(void **state)
{
	struct world *w = *state;

	w->s.answer = "HTTP/1.1 200 OK\r\nX-A: b\r\n";
	call(w, (struct http_request){ .timeout_ms = 200 });
	assert_int_equal(w->err, -ETIMEDOUT);
}

static void nonsense_is_no_answer(void **state)
{
	struct world *w = *state;

	w->s.answer = "\x80\x81 nonsense\r\n\r\n";
	w->s.close_after = true;
	call(w, (struct http_request){ 0 });
	assert_int_equal(w->err, -SHUNT_ECLOSED);
}

static void a_source_that_fails_ends_the_call(void **state)
{
	struct world *w = *state;

	call(w, (struct http_request){ .read = read_badly, .size = BODY });
	assert_int_equal(w->err, -EIO);
}

/* The server has taken all of it and hangs up: what must not come twice does not, not even after that. */
static void what_must_not_come_twice_does_not(void **state)
{
	struct world *w = *state;

	call(w, (struct http_request){ 0 }); /* a connection to be kept */
	w->s.hang_up = true;
	w->s.want = BODY + 50;
	call(w, (struct http_request){ .read = read_body, .size = BODY, .once = true });
	assert_int_equal(w->err, -SHUNT_ECLOSED);
	assert_int_equal(w->left, BODY);
	assert_int_equal(w->s.requests, 2);
	assert_int_equal(w->s.accepted, 2);
}

static void nobody_is_there(void **state)
{
	struct world *w = *state;

	loop_io_set(w->s.accept_io, 0);
	close(w->s.listener);
	w->s.listener = -1;
	call(w, (struct http_request){ .read = read_body, .size = BODY });
	assert_int_equal(w->err, -ECONNREFUSED);
	assert_int_equal(w->left, 0);
}

static void a_host_may_go_when_a_call_ends(void **state)
{
	struct world *w = *state;
	struct http_request req = { .method = "GET", .path = "/q", .max_reply = 10 };
	struct http_call *other;

	w->free_host = true;
	assert_int_equal(http_call_new(w->host, &req, on_done, w, &other), 0);
	call(w, (struct http_request){ 0 });
	kit_settle(w->s.loop);
	assert_int_equal(w->calls, 1); /* the other went with it */
}

static void an_overlong_path_is_refused(void **state)
{
	struct world *w = *state;
	char path[8192];
	struct http_request req = { .method = "GET", .path = path, .max_reply = 10 };
	struct http_call *out;

	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(http_call_new(w->host, &req, on_done, w, &out), -ENAMETOOLONG);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(asks_and_keeps_the_connection),
		T(sends_a_body),
		T(other_statuses_are_answers),
		T(an_answer_has_an_end),
		T(a_body_in_pieces),
		T(a_body_that_stands_still),
		T(a_silent_server_is_given_up),
		T(a_slow_server_is_given_up),
		T(nonsense_is_no_answer),
		T(a_source_that_fails_ends_the_call),
		T(what_must_not_come_twice_does_not),
		T(nobody_is_there),
		T(a_host_may_go_when_a_call_ends),
		T(an_overlong_path_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
