// SPDX-License-Identifier: GPL-2.0-or-later

/* The client's half of h2: requests on their way and their responses. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/h2_int.h"
#include "lib/loop.h"

#define REPLY_MAX (64 * 1024)
#define HEADERS_MAX 32

/* ---- the end ---- */

/* A call outlives its end until nghttp2 has forgotten the stream: that is what keeps every pointer that
 * nghttp2 holds valid.
 */
void h2_call_free(struct h2_call *call)
{
	LIST_REMOVE(call, link);
	if (call->work_queued)
		TAILQ_REMOVE(&call->h2->call_work, call, work);
	call->h2->active--;
	loop_timer_free(call->timeout);
	h2_body_fini(&call->out);
	buf_fini(&call->fields);
	buf_fini(&call->held);
	buf_fini(&call->fetch_body);
	free(call);
}

static void queue_work(struct h2_call *call)
{
	if (!call->work_queued) {
		call->work_queued = true;
		TAILQ_INSERT_TAIL(&call->h2->call_work, call, work);
	}
	h2_wake(call->h2);
}

/* Tell the user, once. */
static void finish(struct h2_call *call, int err, const char *why)
{
	if (call->done)
		return;
	call->done = true;
	loop_timer_stop(call->timeout);
	h2_consumed(call->h2, call->id, call->held.len);
	buf_fini(&call->held);
	h2_body_fini(&call->out);
	/* Nothing will come from nghttp2 to free it. */
	if (call->gone)
		queue_work(call);
	call->ops->on_close(call, err, why, call->arg);
}

static void reset(struct h2_call *call, uint32_t code)
{
	if (call->gone)
		return;
	nghttp2_submit_rst_stream(call->h2->ng, NGHTTP2_FLAG_NONE, call->id, code);
	h2_wake(call->h2);
}

static void on_timeout(void *arg)
{
	struct h2_call *call = arg;

	reset(call, NGHTTP2_CANCEL);
	finish(call, -ETIMEDOUT,
	       call->status ? "the response did not end in time" : "no response in time");
}

void h2_call_cancel(struct h2_call *call)
{
	if (call->done)
		return;
	call->done = true;
	loop_timer_stop(call->timeout);
	h2_consumed(call->h2, call->id, call->held.len);
	buf_fini(&call->held);
	h2_body_fini(&call->out);
	reset(call, NGHTTP2_CANCEL);
	/* A stream that nghttp2 knows no more (held data was all that was left). */
	if (call->gone)
		queue_work(call);
}

void h2_call_gone(struct h2_call *call, int err, const char *why)
{
	char text[128];

	call->gone = true;
	/* Complete, but the user has paused and not seen all of it yet. */
	if (call->remote_end && !call->done && call->h2->state != H2_DEAD)
		return;
	if (call->out.error) {
		err = call->out.error;
		snprintf(text, sizeof(text), "the request's body: %s", shunt_strerror(err));
		why = text;
	}
	finish(call, err, why);
	h2_call_free(call);
}

/* ---- receiving ---- */

void h2_call_section(struct h2_call *call)
{
	call->got_status = 0;
}

int h2_call_field(struct h2_call *call, const uint8_t *name, size_t name_len, const uint8_t *value,
		  size_t value_len)
{
	size_t cap = call->h2->conf.header_max;

	/* Trailers are of no interest. */
	if (call->status || call->done)
		return 0;
	if (name_len == 7 && !memcmp(name, ":status", 7)) {
		/* Three digits, as nghttp2 has checked. */
		call->got_status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + value[2] - '0';
		return 0;
	}
	/* An interim response (1xx) comes before the one that counts. */
	if (call->got_status < 200)
		return 0;
	if (name_len + value_len + call->fields.len > cap) {
		reset(call, NGHTTP2_CANCEL);
		finish(call, -EMSGSIZE, "the response's header section is too large");
		return 0;
	}
	if (h2_fields_put(&call->fields, name, name_len, value, value_len) < 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return 0;
}

void h2_call_headers(struct h2_call *call)
{
	if (call->done || call->status || call->got_status < 200)
		return;
	call->status = call->got_status;
	if (call->ops->on_headers)
		call->ops->on_headers(call, call->status, call->arg);
}

static void deliver(struct h2_call *call, const uint8_t *data, size_t len)
{
	int rc = call->ops->on_data(call, data, len, call->arg);

	if (rc < 0 && !call->done) {
		reset(call, NGHTTP2_CANCEL);
		finish(call, rc, "the response was not wanted");
	}
}

void h2_call_chunk(struct h2_call *call, const uint8_t *data, size_t len)
{
	if (!call->done && (call->paused || call->held.len)) {
		/* Kept, and the window kept shut: it bounds what can be kept. */
		if (buf_put(&call->held, data, len) < 0) {
			reset(call, NGHTTP2_CANCEL);
			finish(call, -ENOMEM, "out of memory");
		}
		return;
	}
	h2_consumed(call->h2, call->id, len);
	if (!call->done)
		deliver(call, data, len);
}

static void complete(struct h2_call *call)
{
	/* The response may come before all of the request went out: it counts, the rest is
	 * not wanted (RFC 9113 8.1).
	 */
	if (call->out.kind != H2_BODY_NONE && !call->out.ended)
		reset(call, NGHTTP2_CANCEL);
	finish(call, 0, "");
}

void h2_call_end(struct h2_call *call)
{
	call->remote_end = true;
	if (!call->done && !call->paused && !call->held.len)
		complete(call);
}

void h2_call_work(struct h2_call *call)
{
	uint8_t *data;
	size_t len = 0;

	while (!call->done && !call->paused && call->held.len) {
		/* Taken out first: on_data may pause again, and more may be put in. */
		data = (uint8_t *)buf_steal(&call->held, &len);
		h2_consumed(call->h2, call->id, len);
		if (data)
			deliver(call, data, len);
		free(data);
	}
	if (!call->done && call->remote_end && !call->paused)
		complete(call);
	if (call->done && call->gone)
		h2_call_free(call);
}

/* ---- sending ---- */

static ssize_t on_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t len, uint32_t *flags,
		       nghttp2_data_source *source, void *arg)
{
	struct h2_call *call = nghttp2_session_get_stream_user_data(ng, id);

	(void)source;
	(void)arg;
	/* Cancelled, or the session is saying farewell. */
	if (!call || call->done)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return h2_body_read(&call->out, buf, len, flags);
}

static bool add_nv(nghttp2_nv *nv, size_t *n, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value);

	if (!nghttp2_check_header_value((const uint8_t *)value, value_len))
		return false;
	nv[(*n)++] = (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name,
		.namelen = name_len,
		.value = (uint8_t *)(uintptr_t)value,
		.valuelen = value_len,
	};
	return true;
}

static bool add_field(nghttp2_nv *nv, size_t *n, const char *name, const char *value)
{
	/* Pseudo-header fields are ours alone. */
	return name[0] != ':' && nghttp2_check_header_name((const uint8_t *)name, strlen(name)) &&
	       add_nv(nv, n, name, value);
}

/* A path that could break the request line of whoever logs or forwards it is refused here. */
static bool path_ok(const char *path)
{
	const char *c;

	if (path[0] != '/')
		return false;
	for (c = path; *c; c++)
		if (*c <= ' ' || *c == 0x7f || *c == '#')
			return false;
	return true;
}

static int submit(struct h2_call *call, const struct h2_request *request)
{
	nghttp2_data_provider provider = { .read_callback = on_read };
	nghttp2_nv nv[HEADERS_MAX + 8];
	int64_t len = h2_body_len(&call->out);
	bool wants_length = len > 0 || !strcmp(request->method, "POST") ||
			    !strcmp(request->method, "PUT");
	char len_text[24];
	size_t i, n = 0;
	bool ok;

	ok = add_nv(nv, &n, ":method", request->method) &&
	     add_nv(nv, &n, ":scheme", h2_peer(call->h2) ? "https" : "http") &&
	     add_nv(nv, &n, ":path", request->path) &&
	     add_nv(nv, &n, ":authority",
		    strcmp(h2_remote(call->h2), "-") ? h2_remote(call->h2) : "localhost");
	if (ok && request->type)
		ok = add_nv(nv, &n, "content-type", request->type);
	if (ok && len >= 0 && wants_length) {
		snprintf(len_text, sizeof(len_text), "%lld", (long long)len);
		ok = add_nv(nv, &n, "content-length", len_text);
	}
	for (i = 0; ok && i < request->header_count; i++)
		ok = add_field(nv, &n, request->headers[i].name, request->headers[i].value);
	if (!ok)
		return -EINVAL;
	if (len == 0) {
		h2_body_fini(&call->out);
		call->out.kind = H2_BODY_NONE;
	}
	call->id = nghttp2_submit_request(call->h2->ng, NULL, nv, n,
					  call->out.kind == H2_BODY_NONE ? NULL : &provider, call);
	if (call->id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) {
		/* 2^30 requests: time for a new connection. */
		h2_close(call->h2);
		return -ENOTCONN;
	}
	return call->id < 0 ? -ENOMEM : 0;
}

static int check_request(const struct h2 *h2, const struct h2_request *request)
{
	if (h2->side != H2_CLIENT || !request->method || !request->method[0] || !request->path ||
	    !path_ok(request->path) || request->header_count > HEADERS_MAX)
		return -EINVAL;
	if (!h2_usable(h2))
		return -ENOTCONN;
	return h2->active >= H2_QUEUE_MAX ? -EAGAIN : 0;
}

static int set_body(struct h2_call *call, const struct h2_request *request)
{
	if (request->source.read) {
		call->out.kind = H2_BODY_SOURCE;
		call->out.source = request->source;
		return 0;
	}
	call->out.kind = H2_BODY_BYTES;
	return buf_put(&call->out.bytes, request->body, request->body_len);
}

int h2_call_start(struct h2 *h2, const struct h2_request *request, const struct h2_call_ops *ops,
		  void *arg, struct h2_call **out)
{
	struct h2_call *call = NULL;
	int rc = check_request(h2, request);

	if (rc == 0) {
		call = calloc(1, sizeof(*call));
		if (!call)
			rc = -ENOMEM;
	}
	if (rc < 0) {
		if (request->source.read && request->source.done)
			request->source.done(request->source.arg);
		return rc;
	}
	call->h2 = h2;
	call->ops = ops;
	call->arg = arg;
	buf_init_max(&call->fields, h2->conf.header_max * 2);
	buf_init(&call->held);
	buf_init_secret(&call->fetch_body, REPLY_MAX);
	h2_body_init(&call->out);
	LIST_INSERT_HEAD(&h2->calls, call, link);
	h2->active++;
	rc = set_body(call, request);
	if (rc == 0)
		rc = loop_timer_new(h2->loop, on_timeout, call, &call->timeout);
	if (rc == 0)
		rc = submit(call, request);
	if (rc < 0) {
		h2_call_free(call);
		return rc;
	}
	if (request->timeout_ms)
		loop_timer_set(call->timeout, request->timeout_ms);
	h2->requests++;
	h2_wake(h2);
	if (out)
		*out = call;
	return 0;
}

const char *h2_call_header(const struct h2_call *call, const char *name)
{
	return h2_fields_get(&call->fields, name);
}

struct h2 *h2_call_session(const struct h2_call *call)
{
	return call->h2;
}

void h2_call_pause(struct h2_call *call)
{
	call->paused = true;
}

void h2_call_unpause(struct h2_call *call)
{
	call->paused = false;
	if (call->held.len || call->remote_end)
		queue_work(call);
}

void h2_call_resume(struct h2_call *call)
{
	if (!call->out.deferred || call->gone || call->done)
		return;
	call->out.deferred = false;
	nghttp2_session_resume_data(call->h2->ng, call->id);
	h2_wake(call->h2);
}

uint64_t h2_call_sent(const struct h2_call *call)
{
	return call->out.sent;
}

/* ---- h2_fetch(): collect the response ---- */

static int on_fetch_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	(void)arg;
	return buf_put(&call->fetch_body, data, len);
}

static void on_fetch_close(struct h2_call *call, int err, const char *why, void *arg)
{
	struct h2_reply reply = {
		.err = err,
		.why = err == -EMSGSIZE ? "the response is too large" : why,
		.status = call->status,
		.type = h2_call_header(call, "content-type"),
		.body = buf_str(&call->fetch_body),
		.len = call->fetch_body.len,
		.call = call,
	};

	(void)arg;
	call->fetch_done(&reply, call->fetch_arg);
}

int h2_fetch(struct h2 *h2, const struct h2_request *request,
	     void (*done)(const struct h2_reply *reply, void *arg), void *arg, struct h2_call **out)
{
	static const struct h2_call_ops ops = {
		.on_data = on_fetch_data,
		.on_close = on_fetch_close,
	};
	struct h2_call *call = NULL;
	int rc = h2_call_start(h2, request, &ops, NULL, &call);

	if (rc < 0)
		return rc;
	if (request->max_reply)
		buf_init_secret(&call->fetch_body, request->max_reply);
	call->fetch_done = done;
	call->fetch_arg = arg;
	if (out)
		*out = call;
	return 0;
}
