// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HTTP/2 from a peer that may send anything, without TLS. The first octet chooses the session's side and how the
 * rest is cut into pieces; the rest is what the peer sends. Whatever it is, the session ends or goes on with
 * everything bounded.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/h2.h"
#include "lib/loop.h"
#include "lib/stream.h"

#define BUFFERED_MAX (8u << 20)
#define PASSES_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct h2 *h2;
	unsigned int open; /* requests kept or calls started, and not ended */
};

/* ---- a server with a route of each kind ---- */

static void on_req_close(struct h2_req *req, int err, void *arg)
{
	struct run *run = arg;

	(void)req;
	(void)err;
	assert(run->open > 0);
	run->open--;
}

static void answer(struct h2_req *req, void *arg)
{
	size_t len;
	const void *body = h2_req_body(req, &len);

	(void)arg;
	h2_req_query(req, "q");
	h2_req_header(req, "x-test");
	h2_respond(req, 200, "text/plain", body, len);
}

static void refuse(struct h2_req *req, void *arg)
{
	(void)arg;
	h2_problem(req, 409, "no", "not %s", h2_req_param(req, "id"));
}

static void keep(struct h2_req *req, void *arg)
{
	struct run *run = arg;

	run->open++;
	h2_req_on_close(req, on_req_close, run);
}

static int on_body(struct h2_req *req, const void *data, size_t len, void *arg)
{
	const char *octets = data;

	(void)arg;
	/* the peer decides what its data does */
	if (octets[0] == 'p')
		h2_req_pause(req);
	return octets[len - 1] == 'f' ? -1 : 0;
}

static void on_end(struct h2_req *req, void *arg)
{
	(void)arg;
	h2_respond(req, 200, NULL, NULL, 0);
}

static void take(struct h2_req *req, void *arg)
{
	static const struct h2_body_ops ops = { on_body, on_end };

	keep(req, arg);
	h2_req_stream(req, &ops, arg);
}

static void push(struct h2_req *req, void *arg)
{
	char line[4000];

	keep(req, arg);
	memset(line, 'e', sizeof(line));
	h2_start(req, 200, "application/x-ndjson");
	while (h2_write(req, line, sizeof(line)) == 0)
		;
}

static const struct h2_route routes[] = {
	{ "GET", "/a", 0, 0, 0, answer },
	{ "POST", "/a", 0, 1000, 0, answer },
	{ "GET", "/n/{id}", 0, 0, 0, refuse },
	{ "GET", "/k", 0, 0, 0, keep },
	{ "PUT", "/t", 0, 1 << 20, H2_STREAM_BODY, take },
	{ "GET", "/p", 0, 0, 0, push },
};

/* ---- a client with some requests in flight ---- */

static int on_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	const char *octets = data;

	(void)arg;
	if (octets[0] == 'p')
		h2_call_pause(call);
	return octets[len - 1] == 'f' ? -1 : 0;
}

static void on_call_close(struct h2_call *call, int err, const char *why, void *arg)
{
	struct run *run = arg;

	(void)call;
	(void)err;
	assert(why);
	assert(run->open > 0);
	run->open--;
}

static void start_calls(struct run *run)
{
	static const struct h2_call_ops ops = { NULL, on_data, on_call_close };
	struct h2_request get = { .method = "GET", .path = "/a" };
	struct h2_request put = { .method = "PUT", .path = "/t", .body = "content", .body_len = 7 };

	for (int i = 0; i < 3; i++)
		if (h2_call_start(run->h2, i ? &get : &put, &ops, run, NULL) == 0)
			run->open++;
}

/* ---- driving ---- */

static void on_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct run *run = arg;

	(void)err;
	assert(h2 == run->h2);
	assert(why);
	run->h2 = NULL;
}

static void settle(struct loop *loop, struct run *run, int fd)
{
	struct h2_stats stats;
	char sink[65536];
	uint64_t sent = UINT64_MAX;

	for (int i = 0; i < PASSES_MAX; i++) {
		loop_step(loop, 0);
		while (read(fd, sink, sizeof(sink)) > 0)
			;
		if (!run->h2)
			return;
		h2_stats(run->h2, &stats);
		assert(stats.buffered <= BUFFERED_MAX);
		/* quiet: nothing more will come of what it got */
		if (i > 3 && stats.bytes_out == sent)
			return;
		sent = stats.bytes_out;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run = { 0 };
	struct h2_router router = { routes, sizeof(routes) / sizeof(routes[0]), &run };
	struct stream *stream = NULL;
	struct loop *loop = NULL;
	size_t piece;
	int fd[2];

	if (size < 1 || loop_new(&loop) < 0)
		return 0;
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	assert(stream_new(loop, fd[0], NULL, &stream) == 0);
	assert(h2_new(loop, stream, data[0] & 1 ? H2_CLIENT : H2_SERVER, NULL, &router, on_close,
		      &run, &run.h2) == 0);
	if (data[0] & 1)
		start_calls(&run);
	piece = data[0] & 2 ? size : 1u + (data[0] >> 2);
	data++;
	size--;
	while (size && run.h2) {
		ssize_t put = write(fd[1], data, size < piece ? size : piece);

		if (put < 0)
			break;
		data += put;
		size -= (size_t)put;
		settle(loop, &run, fd[1]);
	}
	close(fd[1]);
	settle(loop, &run, -1);
	h2_free(run.h2, -1, "end of input");
	assert(!run.h2 && !run.open);
	loop_free(loop);
	return 0;
}
