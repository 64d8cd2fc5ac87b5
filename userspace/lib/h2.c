// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/h2.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/h2_int.h"
#include "lib/loop.h"
#include "lib/stream.h"
#include "lib/tls.h"
#include "lib/wire.h"

#define READ_CHUNK 32768
#define READ_TURN (256 * 1024) /* octets a session may read, and write, before others get a turn */
#define WRITE_TURN (512 * 1024)
#define OUT_CHUNK 32768 /* frames gathered for one write */
#define OUT_MAX (1024 * 1024)
#define LINGER_MS 1000
#define PING_LOOKS 4 /* for signs of life, within dead_ms */

static const struct h2_conf defaults = {
	.max_streams = 128,
	.header_max = 16384,
	.stream_window = 1024 * 1024,
	.conn_window = 4 * 1024 * 1024,
	.write_max = 256 * 1024,
	.ping_ms = 15000,
	.dead_ms = 10000,
	.close_ms = 10000,
};

static void turn(struct h2 *h2, bool readable);

/* ---- nghttp2's callbacks ---- */

int h2_fail(struct h2 *h2, int err, const char *why)
{
	if (h2->state < H2_FAILED) {
		h2->state = H2_FAILED;
		if (!h2->err) {
			h2->err = err;
			err_escape(h2->why, sizeof(h2->why), why, strlen(why));
		}
		h2_wake(h2);
	}
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void *object_of(struct h2 *h2, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h2->ng, id);
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h2 = arg;
	struct h2_call *call;

	(void)ng;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (h2->side == H2_SERVER) {
		if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
			return h2_req_begin(h2, frame->hd.stream_id);
		return 0;
	}
	call = object_of(h2, frame->hd.stream_id);
	if (call)
		h2_call_section(call);
	return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *arg)
{
	struct h2 *h2 = arg;
	void *object = object_of(h2, frame->hd.stream_id);

	(void)ng;
	(void)flags;
	if (frame->hd.type != NGHTTP2_HEADERS || !object)
		return 0;
	if (h2->side == H2_CLIENT)
		return h2_call_field(object, name, name_len, value, value_len);
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0; /* trailers: nobody asks for them */
	return h2_req_field(object, name, name_len, value, value_len);
}

static void on_ping_ack(struct h2 *h2, const uint8_t *opaque)
{
	struct wire w;

	wire_reader(&w, opaque, 8);
	if (!h2->ping_ns || wire_get_be64(&w) != h2->ping_ns)
		return;
	h2->rtt_us = (uint32_t)((clock_mono_ns() - h2->ping_ns) / 1000);
	h2->ping_ns = 0;
}

static void on_goaway(struct h2 *h2, const nghttp2_goaway *goaway)
{
	char text[160];

	h2->goaway_in = true;
	if (goaway->error_code == NGHTTP2_NO_ERROR || h2->err)
		return;
	h2->err = -SHUNT_EREMOTE;
	err_escape(text, sizeof(text), (const char *)goaway->opaque_data,
		   goaway->opaque_data_len < 128 ? goaway->opaque_data_len : 128);
	snprintf(h2->why, sizeof(h2->why), "peer ended the session: %s",
		 text[0] ? text : nghttp2_http2_strerror(goaway->error_code));
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h2 = arg;
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	void *object;

	(void)ng;
	switch (frame->hd.type) {
	case NGHTTP2_SETTINGS:
		if (!h2->settings_in && !(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
			h2->settings_in = true;
			if (h2->on_ready)
				h2->on_ready(h2, h2->ready_arg);
		}
		return 0;
	case NGHTTP2_PING:
		if (frame->hd.flags & NGHTTP2_FLAG_ACK)
			on_ping_ack(h2, frame->ping.opaque_data);
		return 0;
	case NGHTTP2_GOAWAY:
		on_goaway(h2, &frame->goaway);
		return 0;
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		break;
	default:
		return 0;
	}
	object = object_of(h2, frame->hd.stream_id);
	if (!object)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS) {
		if (h2->side == H2_CLIENT)
			h2_call_headers(object);
		else if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
			h2_req_headers(object);
	}
	if (end && h2->side == H2_CLIENT)
		h2_call_end(object);
	else if (end)
		h2_req_end(object);
	return 0;
}

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data,
			 size_t len, void *arg)
{
	struct h2 *h2 = arg;
	void *object = object_of(h2, id);

	(void)ng;
	(void)flags;
	if (!object)
		h2_consumed(h2, id, len);
	else if (h2->side == H2_CLIENT)
		h2_call_chunk(object, data, len);
	else
		h2_req_chunk(object, data, len);
	return 0;
}

static int stream_error_code(uint32_t code)
{
	switch (code) {
	case NGHTTP2_NO_ERROR:
	case NGHTTP2_PROTOCOL_ERROR:
		return -SHUNT_EPROTO;
	case NGHTTP2_REFUSED_STREAM:
		return -EAGAIN;
	case NGHTTP2_CANCEL:
		return -ECANCELED;
	default:
		return -SHUNT_EREMOTE;
	}
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct h2 *h2 = arg;
	void *object = object_of(h2, id);
	int err = stream_error_code(code);
	char why[96];

	if (!object)
		return 0;
	/* From here on nobody may find the object under this id. */
	nghttp2_session_set_stream_user_data(ng, id, NULL);
	if (h2->side == H2_SERVER) {
		h2_req_gone(object, code == NGHTTP2_NO_ERROR ? 0 : err);
		return 0;
	}
	if (code == NGHTTP2_NO_ERROR)
		snprintf(why, sizeof(why), "response is incomplete");
	else if (code == NGHTTP2_REFUSED_STREAM)
		snprintf(why, sizeof(why), "peer did not take the request");
	else
		snprintf(why, sizeof(why), "request was reset (%s)", nghttp2_http2_strerror(code));
	h2_call_gone(object, err, why);
	return 0;
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h2 = arg;
	struct h2_req *req;

	(void)ng;
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR &&
	    !h2->err) {
		h2->err = -SHUNT_EPROTO;
		snprintf(h2->why, sizeof(h2->why), "peer broke HTTP/2: %s",
			 h2->ng_why[0] ? h2->ng_why :
					 nghttp2_http2_strerror(frame->goaway.error_code));
		return 0;
	}
	if (h2->side != H2_SERVER || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
	    (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	req = object_of(h2, frame->hd.stream_id);
	if (req)
		h2_req_sent_end(req);
	return 0;
}

/* A request that never left: the peer said GOAWAY first, or it was cancelled while it waited. nghttp2 may
 * or may not have opened its stream by then, so the call is found by its id, and on_stream_close() must
 * not find it once more.
 */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int code, void *arg)
{
	struct h2 *h2 = arg;
	struct h2_call *call;

	(void)code;
	if (h2->side != H2_CLIENT || frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	LIST_FOREACH(call, &h2->calls, link) {
		if (call->id == frame->hd.stream_id) {
			nghttp2_session_set_stream_user_data(ng, call->id, NULL);
			h2_call_gone(call, -EAGAIN, "peer takes no more requests");
			break;
		}
	}
	return 0;
}

static int on_ng_error(nghttp2_session *ng, int code, const char *text, size_t len, void *arg)
{
	struct h2 *h2 = arg;

	(void)ng;
	(void)code;
	err_escape(h2->ng_why, sizeof(h2->ng_why), text, len);
	return 0;
}

static int make_callbacks(nghttp2_session_callbacks **out)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb))
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_frame_not_send);
	nghttp2_session_callbacks_set_error_callback2(cb, on_ng_error);
	*out = cb;
	return 0;
}

/* ---- turns ---- */

void h2_wake(struct h2 *h2)
{
	if (!h2->in_turn && h2->state < H2_DEAD)
		loop_defer_call(h2->kick);
}

void h2_consumed(struct h2 *h2, int32_t id, size_t len)
{
	if (len && h2->state < H2_DEAD)
		nghttp2_session_consume(h2->ng, id, len);
	h2_wake(h2);
}

void h2_discarded(struct h2 *h2, size_t len)
{
	if (len && h2->state < H2_DEAD)
		nghttp2_session_consume_connection(h2->ng, len);
	h2_wake(h2);
}

static void fail_stream(struct h2 *h2)
{
	h2_fail(h2, stream_error(h2->stream), stream_reason(h2->stream));
}

static void pump_read(struct h2 *h2)
{
	uint8_t chunk[READ_CHUNK];
	size_t total = 0, got = 0;
	enum stream_status status = STREAM_OK;
	ssize_t rc;

	h2->read_more = false;
	while (h2->state < H2_FAILED && total < READ_TURN) {
		status = stream_read(h2->stream, chunk, sizeof(chunk), &got);
		if (status != STREAM_OK)
			break;
		total += got;
		h2->bytes_in += got;
		h2->last_in_ms = loop_now(h2->loop);
		rc = nghttp2_session_mem_recv(h2->ng, chunk, got);
		if (rc < 0)
			h2->broken = true;
		if (rc == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
			h2_fail(h2, -SHUNT_EPROTO, "peer does not speak HTTP/2");
		else if (rc < 0)
			h2_fail(h2, rc == NGHTTP2_ERR_NOMEM ? -ENOMEM : -SHUNT_EPROTO,
				h2->ng_why[0] ? h2->ng_why : nghttp2_strerror((int)rc));
	}
	if (status == STREAM_OK)
		h2->read_more = h2->state < H2_FAILED;
	else if (status == STREAM_FAIL)
		fail_stream(h2);
	else if (status == STREAM_EOF)
		h2_fail(h2, h2->active ? -SHUNT_ECLOSED : 0, "peer closed the connection");
}

/* Frames into h2->out; false when there are none. */
static bool gather(struct h2 *h2)
{
	const uint8_t *frame;
	ssize_t len = 1;

	buf_reset(&h2->out);
	h2->out_off = 0;
	while (h2->out.len < OUT_CHUNK) {
		len = nghttp2_session_mem_send(h2->ng, &frame);
		if (len <= 0)
			break;
		buf_put(&h2->out, frame, (size_t)len);
	}
	if (len < 0 || h2->out.error) {
		h2->broken = true;
		h2_fail(h2, -ENOMEM, len < 0 ? nghttp2_strerror((int)len) : "output too large");
		return false;
	}
	return h2->out.len > 0;
}

/* Returns false when the budget was used up before everything was written. */
static bool pump_write(struct h2 *h2)
{
	enum stream_status status;
	size_t total = 0, put = 0;

	if (loop_held(h2->loop)) {
		h2->waits = true;
		loop_defer_held(h2->kick);
		return true;
	}
	h2->waits = false;
	while (total < WRITE_TURN) {
		if (h2->out_off == h2->out.len && !gather(h2)) {
			/* Idle sessions keep no buffer. */
			buf_fini(&h2->out);
			buf_init_secret(&h2->out, OUT_MAX);
			return true;
		}
		status = stream_write(h2->stream, h2->out.data + h2->out_off,
				      h2->out.len - h2->out_off, &put);
		if (status == STREAM_AGAIN)
			return true;
		if (status != STREAM_OK) {
			fail_stream(h2);
			return true;
		}
		h2->out_off += put;
		h2->bytes_out += put;
		total += put;
	}
	return false;
}

static void run_work(struct h2 *h2)
{
	struct h2_call *call;
	struct h2_req *req;

	while ((req = TAILQ_FIRST(&h2->req_work))) {
		TAILQ_REMOVE(&h2->req_work, req, work);
		req->work_queued = false;
		h2_req_work(req);
	}
	while ((call = TAILQ_FIRST(&h2->call_work))) {
		TAILQ_REMOVE(&h2->call_work, call, work);
		call->work_queued = false;
		h2_call_work(call);
	}
}

/* Tell the peer why, as far as the socket takes it without waiting. */
static void farewell(struct h2 *h2)
{
	const char *why = h2->err ? h2->why : "";
	uint32_t code = NGHTTP2_NO_ERROR;
	size_t put = 0;

	if (stream_error(h2->stream) || h2->broken)
		return;
	/* What is to be said before may not be said yet. */
	if (loop_held(h2->loop)) {
		stream_shutdown(h2->stream);
		return;
	}
	if (h2->err)
		code = h2->err == -SHUNT_EPROTO ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_INTERNAL_ERROR;
	nghttp2_submit_goaway(h2->ng, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(h2->ng), code,
			      (const uint8_t *)why, strlen(why));
	while (h2->out_off < h2->out.len || gather(h2)) {
		if (stream_write(h2->stream, h2->out.data + h2->out_off, h2->out.len - h2->out_off,
				 &put) != STREAM_OK)
			break;
		h2->out_off += put;
	}
	stream_shutdown(h2->stream);
}

static void teardown(struct h2 *h2)
{
	int each = h2->err ? h2->err : -SHUNT_ECLOSED;
	const char *why = h2->why[0] ? h2->why : "session ended";

	h2->state = H2_DEAD;
	while (!LIST_EMPTY(&h2->reqs)) {
		struct h2_req *req = LIST_FIRST(&h2->reqs);

		nghttp2_session_set_stream_user_data(h2->ng, req->id, NULL);
		h2_req_gone(req, each);
	}
	while (!LIST_EMPTY(&h2->calls)) {
		struct h2_call *call = LIST_FIRST(&h2->calls);

		nghttp2_session_set_stream_user_data(h2->ng, call->id, NULL);
		h2_call_gone(call, each, why);
	}
	farewell(h2);
	if (h2->user_close)
		h2->user_close(h2, h2->err, why, h2->user_arg);
	if (h2->on_close)
		h2->on_close(h2, h2->err, why, h2->close_arg);
	nghttp2_session_del(h2->ng);
	stream_free(h2->stream);
	loop_defer_free(h2->kick);
	loop_timer_free(h2->tick);
	loop_timer_free(h2->deadline);
	buf_fini(&h2->out);
	free(h2);
}

/* Everything was said and answered. Whoever said GOAWAY first lets the other one hang up: closing at once
 * could destroy it on its way, and with it the news of which requests were not processed.
 */
static bool is_over(struct h2 *h2)
{
	if (h2->out_off < h2->out.len || nghttp2_session_want_read(h2->ng) ||
	    nghttp2_session_want_write(h2->ng))
		return false;
	if (h2->state == H2_CLOSING && !h2->goaway_in) {
		if (!h2->lingering)
			loop_timer_set(h2->deadline, h2->conf.close_ms < LINGER_MS ?
							     h2->conf.close_ms :
							     LINGER_MS);
		h2->lingering = true;
		return false;
	}
	return true;
}

/* One turn: everything that came from the loop ends up here, and only here is a session freed. */
static void turn(struct h2 *h2, bool readable)
{
	bool all_written;

	h2->in_turn = true;
	/* First, for what is read now may hold the loop again. */
	if (h2->waits && h2->state < H2_FAILED)
		pump_write(h2);
	if (readable || h2->read_more)
		pump_read(h2);
	run_work(h2);
	all_written = h2->state >= H2_FAILED || pump_write(h2);
	/* Writing may have ended requests, and their callbacks may want to go on. */
	if (!TAILQ_EMPTY(&h2->req_work) || !TAILQ_EMPTY(&h2->call_work))
		all_written = false;
	h2->in_turn = false;
	if (h2->state >= H2_FAILED || is_over(h2))
		teardown(h2);
	else if (!all_written || h2->read_more)
		loop_defer_call(h2->kick);
}

static void on_ready(bool readable, bool writable, void *arg)
{
	(void)writable;
	turn(arg, readable);
}

static void on_kick(void *arg)
{
	turn(arg, false);
}

/* ---- PING ---- */

static void send_ping(struct h2 *h2)
{
	uint8_t opaque[8];
	struct wire w;

	h2->ping_ns = clock_mono_ns();
	h2->ping_ms = loop_now(h2->loop);
	h2->alive_ms = h2->ping_ms;
	stream_progress(h2->stream);
	wire_writer(&w, opaque, sizeof(opaque));
	wire_put_be64(&w, h2->ping_ns);
	nghttp2_submit_ping(h2->ng, NGHTTP2_FLAG_NONE, opaque);
	h2_wake(h2);
}

static bool ping_unanswered(const struct h2 *h2)
{
	return h2->ping_ns && h2->last_in_ms < h2->ping_ms;
}

/* Any octet received is a sign of life; only a silent peer is asked. The PING may be behind more
 * than a slow line carries in dead_ms, and the answer behind as much: as long as the other host
 * takes octets, however few, it is waited for.
 */
static void on_tick(void *arg)
{
	struct h2 *h2 = arg;
	uint64_t now = loop_now(h2->loop);
	uint64_t silent = now - h2->last_in_ms;
	uint64_t next;
	char why[96];

	if (ping_unanswered(h2) && stream_progress(h2->stream))
		h2->alive_ms = now;
	if (ping_unanswered(h2) && now - h2->alive_ms >= h2->conf.dead_ms) {
		snprintf(why, sizeof(why), "peer is silent (no answer to PING within %u ms)",
			 h2->conf.dead_ms);
		h2_fail(h2, -ETIMEDOUT, why);
		return;
	}
	if (silent >= h2->conf.ping_ms && !ping_unanswered(h2))
		send_ping(h2);
	if (ping_unanswered(h2))
		next = now + (h2->conf.dead_ms + PING_LOOKS - 1) / PING_LOOKS;
	else
		next = h2->last_in_ms + h2->conf.ping_ms;
	loop_timer_set(h2->tick, next > now ? next - now : 1);
}

static void on_deadline(void *arg)
{
	struct h2 *h2 = arg;

	if (h2->active)
		h2_fail(h2, -ETIMEDOUT, "requests in flight did not end in time");
	else
		h2_fail(h2, 0, "session closed");
}

/* ---- making and ending sessions ---- */

static void take_conf(struct h2_conf *conf, const struct h2_conf *given)
{
	*conf = defaults;
	if (!given)
		return;
#define TAKE(x)                                                                                    \
	if (given->x)                                                                              \
	conf->x = given->x
	TAKE(max_streams);
	TAKE(header_max);
	TAKE(stream_window);
	TAKE(conn_window);
	TAKE(write_max);
	TAKE(ping_ms);
	TAKE(dead_ms);
	TAKE(close_ms);
#undef TAKE
}

static void print_addr(const struct sockaddr_storage *sa, socklen_t len, char *out)
{
	struct shunt_endpoint ep;

	if (endpoint_from_sockaddr((const struct sockaddr *)sa, len, &ep) == 0)
		endpoint_print(&ep, out);
	else
		strcpy(out, "-");
}

static void take_addresses(struct h2 *h2)
{
	struct sockaddr_storage sa;
	socklen_t len;

	_Static_assert(sizeof(h2->local) >= ENDPOINT_STR_LEN, "an endpoint must fit");
	strcpy(h2->remote, "-");
	strcpy(h2->local, "-");
	if (h2_remote_addr(h2, &sa, &len) == 0)
		print_addr(&sa, len, h2->remote);
	if (h2_local_addr(h2, &sa, &len) == 0)
		print_addr(&sa, len, h2->local);
}

static int make_ng(struct h2 *h2)
{
	nghttp2_session_callbacks *cb = NULL;
	nghttp2_option *opt = NULL;
	int rc = make_callbacks(&cb);

	if (rc < 0)
		return rc;
	if (nghttp2_option_new(&opt)) {
		nghttp2_session_callbacks_del(cb);
		return -ENOMEM;
	}
	/* Windows open when bodies are consumed, not when they arrive. */
	nghttp2_option_set_no_auto_window_update(opt, 1);
	nghttp2_option_set_no_closed_streams(opt, 1);
	/* Requests before the peer has said how many it takes: it would refuse what is too many. */
	nghttp2_option_set_peer_max_concurrent_streams(opt, H2_STREAMS_UNASKED);
	if (h2->side == H2_SERVER)
		rc = nghttp2_session_server_new2(&h2->ng, cb, h2, opt);
	else
		rc = nghttp2_session_client_new2(&h2->ng, cb, h2, opt);
	nghttp2_option_del(opt);
	nghttp2_session_callbacks_del(cb);
	return rc ? -ENOMEM : 0;
}

static int submit_settings(struct h2 *h2)
{
	nghttp2_settings_entry entries[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
		  h2->side == H2_SERVER ? h2->conf.max_streams : 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, h2->conf.stream_window },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, h2->conf.header_max },
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
	};
	/* ENABLE_PUSH is a client's (RFC 9113 6.5.2). */
	size_t count = h2->side == H2_CLIENT ? 4 : 3;

	if (nghttp2_submit_settings(h2->ng, NGHTTP2_FLAG_NONE, entries, count))
		return -EINVAL;
	if (nghttp2_session_set_local_window_size(h2->ng, NGHTTP2_FLAG_NONE, 0,
						  (int32_t)h2->conf.conn_window))
		return -EINVAL;
	return 0;
}

int h2_new(struct loop *loop, struct stream *s, enum h2_side side, const struct h2_conf *conf,
	   const struct h2_router *router,
	   void (*on_close)(struct h2 *h2, int err, const char *why, void *arg), void *arg,
	   struct h2 **out)
{
	static const struct stream_ops ops = { .on_ready = on_ready };
	struct h2 *h2 = calloc(1, sizeof(*h2));
	int rc;

	if (!h2)
		return -ENOMEM;
	h2->loop = loop;
	h2->stream = s;
	h2->side = side;
	h2->router = router;
	h2->on_close = on_close;
	h2->close_arg = arg;
	take_conf(&h2->conf, conf);
	buf_init_secret(&h2->out, OUT_MAX);
	LIST_INIT(&h2->reqs);
	LIST_INIT(&h2->calls);
	TAILQ_INIT(&h2->req_work);
	TAILQ_INIT(&h2->call_work);
	h2->opened_ms = loop_now(loop);
	h2->last_in_ms = h2->opened_ms;
	take_addresses(h2);
	rc = loop_defer_new(loop, on_kick, h2, &h2->kick);
	if (rc == 0)
		rc = loop_timer_new(loop, on_tick, h2, &h2->tick);
	if (rc == 0)
		rc = loop_timer_new(loop, on_deadline, h2, &h2->deadline);
	if (rc == 0)
		rc = make_ng(h2);
	if (rc == 0)
		rc = submit_settings(h2);
	if (rc == 0)
		rc = stream_start(s, &ops, h2);
	if (rc < 0)
		goto fail;
	/* The first PING measures the round trip. */
	send_ping(h2);
	loop_timer_set(h2->tick, h2->conf.dead_ms / PING_LOOKS);
	*out = h2;
	return 0;
fail:
	nghttp2_session_del(h2->ng);
	loop_defer_free(h2->kick);
	loop_timer_free(h2->tick);
	loop_timer_free(h2->deadline);
	free(h2);
	return rc;
}

void h2_close(struct h2 *h2)
{
	if (h2->state != H2_OPEN)
		return;
	h2->state = H2_CLOSING;
	nghttp2_submit_goaway(h2->ng, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(h2->ng), NGHTTP2_NO_ERROR,
			      NULL, 0);
	loop_timer_set(h2->deadline, h2->conf.close_ms);
	h2_wake(h2);
}

void h2_abort(struct h2 *h2, int err, const char *why)
{
	h2_fail(h2, err, why ? why : "");
}

void h2_free(struct h2 *h2, int err, const char *why)
{
	if (!h2 || h2->state == H2_DEAD)
		return;
	h2_fail(h2, err, why ? why : "");
	/* From one of its own callbacks: the turn below us on the stack does it. */
	if (!h2->in_turn)
		teardown(h2);
}

bool h2_usable(const struct h2 *h2)
{
	return h2->state == H2_OPEN && !h2->goaway_in;
}

void h2_on_ready(struct h2 *h2, void (*on_ready)(struct h2 *h2, void *arg), void *arg)
{
	h2->on_ready = on_ready;
	h2->ready_arg = arg;
}

void h2_on_close(struct h2 *h2,
		 void (*on_close)(struct h2 *h2, int err, const char *why, void *arg), void *arg)
{
	h2->user_close = on_close;
	h2->user_arg = arg;
}

void h2_set_data(struct h2 *h2, void *data)
{
	h2->data = data;
}

void *h2_data(const struct h2 *h2)
{
	return h2->data;
}

/* ---- what a session knows ---- */

const struct party *h2_peer(const struct h2 *h2)
{
	struct tls_conn *tls = stream_tls(h2->stream);

	return tls ? tls_peer(tls) : NULL;
}

const char *h2_remote(const struct h2 *h2)
{
	return h2->remote;
}

const char *h2_local(const struct h2 *h2)
{
	return h2->local;
}

int h2_remote_addr(const struct h2 *h2, struct sockaddr_storage *addr, socklen_t *len)
{
	*len = sizeof(*addr);
	if (getpeername(stream_fd(h2->stream), (struct sockaddr *)addr, len) < 0)
		return -errno;
	return 0;
}

int h2_local_addr(const struct h2 *h2, struct sockaddr_storage *addr, socklen_t *len)
{
	*len = sizeof(*addr);
	if (getsockname(stream_fd(h2->stream), (struct sockaddr *)addr, len) < 0)
		return -errno;
	return 0;
}

enum h2_side h2_get_side(const struct h2 *h2)
{
	return h2->side;
}

int h2_export(struct h2 *h2, const char *label, const void *context, size_t context_len, void *out,
	      size_t len)
{
	struct tls_conn *tls = stream_tls(h2->stream);

	return tls ? tls_export(tls, label, context, context_len, out, len) : -ENOTCONN;
}

void h2_stats(const struct h2 *h2, struct h2_stats *stats)
{
	const struct h2_call *call;
	const struct h2_req *req;

	memset(stats, 0, sizeof(*stats));
	stats->bytes_in = h2->bytes_in;
	stats->bytes_out = h2->bytes_out;
	stats->requests = h2->requests;
	stats->active = h2->active;
	stats->rtt_us = h2->rtt_us;
	stats->opened_ms = h2->opened_ms;
	stats->last_ms = h2->last_in_ms;
	stats->buffered = h2->out.len - h2->out_off;
	LIST_FOREACH(req, &h2->reqs, link)
		stats->buffered += req->body.len + h2_body_unsent(&req->out);
	LIST_FOREACH(call, &h2->calls, link)
		stats->buffered +=
			call->held.len + call->fetch_body.len + h2_body_unsent(&call->out);
}
