// SPDX-License-Identifier: GPL-2.0-or-later

/* Bodies of h2: backpressure, sources, event streams, ends in the middle. */

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

/* ---- big bodies ---- */

struct upload {
	uint64_t left, done_calls;
	uint32_t seed;
	struct sha256 *sha;
	bool closed, stall, stalled;
	int err, status;
	struct h2kit *w;
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

static const struct h2_call_ops upload_ops = { upload_headers, h2kit_no_data, upload_close };

static void upload_start(struct h2kit *w, struct upload *up, const char *path, uint64_t len,
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
	struct h2kit *w = *state;
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
	struct h2kit *w = *state;
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
	struct h2kit *w = *state;
	struct h2_call *call = NULL;
	struct upload up = { 0 };
	struct h2kit_answer a;

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
	a = h2kit_ask(w, "PUT", "/v1/no/x", "{}", 2);
	h2kit_assert_problem(&a, 409, "suspended");
	assert_null(strchr(a.body, '\x1b'));
	sha256_free(up.sha);
}

static void abort_in_mid_upload(void **state)
{
	struct h2kit *w = *state;
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
	struct h2kit *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/file", .max_reply = 4 };
	struct h2kit_answer a = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), 0);
	kit_until(w->loop, &a.done);
	assert_int_equal(a.err, -EMSGSIZE);
	a = h2kit_ask(w, "GET", "/v1/file", NULL, 0);
	assert_int_equal(a.status, 200);
}

/* ---- pushed responses ---- */

static void slow_reader_of_events(void **state)
{
	struct h2kit *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/events" };
	struct h2kit_events ev = { .pause_first = true };
	struct h2_stats stats;
	char line[1000];
	uint64_t written = 0;
	int rc = 0, i;

	memset(line, 'e', sizeof(line));
	assert_int_equal(h2_call_start(w->client, &request, &h2kit_events_ops, &ev, &ev.call), 0);
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
	struct h2kit *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/events" };
	struct h2kit_events ev = { .pause_first = true };

	assert_int_equal(h2_call_start(w->client, &request, &h2kit_events_ops, &ev, &ev.call), 0);
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
	assert_int_equal(h2_call_start(w->client, &request, &h2kit_events_ops, &ev, &ev.call), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(big_upload_with_pauses_is_bounded),
		TEST(source_that_waits_and_lies),
		TEST(early_response_ends_the_upload),
		TEST(abort_in_mid_upload),
		TEST(reply_larger_than_wanted),
		TEST(slow_reader_of_events),
		TEST(end_while_paused),
	};

	return cmocka_run_group_tests_name("h2_body", tests, NULL, NULL);
}
