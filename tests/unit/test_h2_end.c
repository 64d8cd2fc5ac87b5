// SPDX-License-Identifier: GPL-2.0-or-later

/* How sessions of h2 end, and peers that do not play by the rules. */

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

/* ---- the end of sessions ---- */

static void graceful_close(void **state)
{
	struct h2kit *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/later" };
	struct h2kit_answer a = { 0 }, late = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), 0);
	KIT_UNTIL(w->loop, w->req);
	h2_close(w->server);
	h2_close(w->server);
	assert_false(h2_usable(w->server));
	KIT_UNTIL(w->loop, !h2_usable(w->client));
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &late, NULL), -ENOTCONN);
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
	struct h2kit *w = h2kit_new(&h2kit_defaults, &hasty);
	struct h2kit_answer a = { 0 };

	(void)state;
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), 0);
	KIT_UNTIL(w->loop, w->req);
	h2_close(w->server);
	kit_until(w->loop, &a.done);
	assert_true(a.err < 0);
	KIT_UNTIL(w->loop, w->server_gone && w->client_gone);
	assert_int_equal(w->server_err, -ETIMEDOUT);
	assert_true(w->req_gone);
	assert_int_equal(w->req_err, -ETIMEDOUT);
	h2kit_free(w);
}

static void request_crosses_goaway(void **state)
{
	struct h2kit *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/hello/x" };
	struct h2kit_answer a = { 0 };

	kit_settle(w->loop);
	h2_close(w->server);
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), 0);
	kit_until(w->loop, &a.done);
	/* not processed, and the caller is told that it may try again */
	assert_int_equal(a.err, -EAGAIN);
	assert_int_equal(w->served, 0);
	KIT_UNTIL(w->loop, w->server_gone && w->client_gone);
}

static void abort_tells_the_peer_why(void **state)
{
	struct h2kit *w = *state;
	struct h2_request request = { .method = "GET", .path = "/v1/never" };
	struct h2kit_answer a = { 0 };

	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), 0);
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
	struct h2kit *w;
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
	assert_int_equal(h2_call_start(h2_call_session(call), &request, &h2kit_events_ops, NULL,
				       &other),
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
	static const struct h2_call_ops ops = { NULL, h2kit_no_data, nested_close };
	struct h2kit *w = *state;
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

static struct h2kit *raw_world(const struct h2_conf *conf, int *fd)
{
	struct h2kit *w = h2kit_new(NULL, conf);

	*fd = w->client_err;
	w->client_err = 0;
	return w;
}

static void expect_end(const void *bytes, size_t len, int err, const char *part)
{
	int fd;
	struct h2kit *w = raw_world(&h2kit_defaults, &fd);

	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	KIT_UNTIL(w->loop, w->server_gone);
	assert_int_equal(w->server_err, err);
	if (!strstr(w->server_why, part))
		fail_msg("'%s' lacks '%s'", w->server_why, part);
	close(fd);
	h2kit_free(w);
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
	struct h2kit *w;
	int fd;

	(void)state;
	w = raw_world(&conf, &fd);
	assert_int_equal(write(fd, PREFACE SETTINGS, 33), 33);
	KIT_UNTIL(w->loop, w->server_gone);
	assert_int_equal(w->server_err, -ETIMEDOUT);
	assert_non_null(strstr(w->server_why, "silent"));
	close(fd);
	h2kit_free(w);
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
	struct h2kit *w = calloc(1, sizeof(*w));
	struct stream *stream = NULL;
	struct h2kit_answer a = { 0 };
	char taken[2048];
	uint64_t end;
	int fd[2];

	(void)state;
	assert_non_null(w);
	assert_int_equal(loop_new(&w->loop), 0);
	tcp_pair(fd);
	assert_int_equal(stream_new(w->loop, fd[0], NULL, &stream), 0);
	assert_int_equal(h2_new(w->loop, stream, H2_CLIENT, &conf, NULL, h2kit_on_client_close, w,
				&w->client),
			 0);
	request.body = calloc(1, request.body_len);
	assert_int_equal(h2_fetch(w->client, &request, h2kit_on_reply, &a, NULL), 0);
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
	h2kit_free(w);
}

static void quiet_session_lives(void **state)
{
	struct h2_conf conf = { .ping_ms = 5, .dead_ms = 50 };
	struct h2kit *w = h2kit_new(&conf, &conf);
	uint64_t end = loop_now(w->loop) + 200;
	struct h2_stats stats;

	(void)state;
	while (loop_now(w->loop) < end)
		assert_int_equal(loop_step(w->loop, 10), 0);
	assert_false(w->client_gone || w->server_gone);
	h2_stats(w->client, &stats);
	assert_true(stats.rtt_us > 0);
	assert_int_equal(stats.active, 0);
	h2kit_free(w);
}

static void peer_goes_away(void **state)
{
	struct h2kit *w;
	int fd;

	(void)state;
	w = raw_world(&h2kit_defaults, &fd);
	assert_int_equal(write(fd, PREFACE SETTINGS, 33), 33);
	kit_settle(w->loop);
	close(fd);
	KIT_UNTIL(w->loop, w->server_gone);
	assert_true(w->server_err == 0 || w->server_err == -ECONNRESET);
	h2kit_free(w);
}

/* A peer that floods PINGs and never reads the answers must not fill our memory. */
static void ping_flood_is_bounded(void **state)
{
	static const char ping[] = "\0\0\x8\6\0\0\0\0\0abcdefgh";
	char flood[17 * 512];
	struct h2_stats stats;
	struct h2kit *w;
	int fd, i;

	(void)state;
	w = raw_world(&h2kit_defaults, &fd);
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
	h2kit_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests_name("h2_end", tests, NULL, NULL);
}
