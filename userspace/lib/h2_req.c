// SPDX-License-Identifier: GPL-2.0-or-later

/* The server's half of h2: requests and their responses. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/h2_int.h"
#include "lib/loop.h"
#include "lib/sapi.h"
#include "lib/types.h"

#define GRACE_MS 1000

/* ---- receiving ---- */

int h2_req_begin(struct h2 *h2, int32_t id)
{
	struct h2_req *req = calloc(1, sizeof(*req));

	if (!req)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	req->h2 = h2;
	req->id = id;
	req->content_length = -1;
	buf_init_max(&req->fields, h2->conf.header_max * 2);
	buf_init(&req->query_fields);
	buf_init_secret(&req->body, BUF_MAX_DEFAULT);
	h2_body_init(&req->out);
	nghttp2_session_set_stream_user_data(h2->ng, id, req);
	LIST_INSERT_HEAD(&h2->reqs, req, link);
	h2->active++;
	h2->requests++;
	return 0;
}

static void req_free(struct h2_req *req)
{
	size_t i;

	LIST_REMOVE(req, link);
	if (req->work_queued)
		TAILQ_REMOVE(&req->h2->req_work, req, work);
	req->h2->active--;
	loop_timer_free(req->grace);
	h2_body_fini(&req->out);
	h2_match_fini(&req->match);
	for (i = 0; i < req->extra; i++) {
		free(req->header[i].name);
		free(req->header[i].value);
	}
	buf_fini(&req->fields);
	buf_fini(&req->query_fields);
	buf_fini(&req->body);
	free(req->method);
	free(req->path);
	free(req);
}

static void queue_work(struct h2_req *req)
{
	if (!req->work_queued) {
		req->work_queued = true;
		TAILQ_INSERT_TAIL(&req->h2->req_work, req, work);
	}
	h2_wake(req->h2);
}

static bool is_pseudo(const uint8_t *name, size_t len, const char *want)
{
	return len == strlen(want) && !memcmp(name, want, len);
}

int h2_req_field(struct h2_req *req, const uint8_t *name, size_t name_len, const uint8_t *value,
		 size_t value_len)
{
	size_t cap = req->h2->conf.header_max;
	char **slot = NULL;

	if (req->too_large || name_len + value_len + req->fields.len > cap) {
		req->too_large = true;
		return 0;
	}
	if (is_pseudo(name, name_len, ":method"))
		slot = &req->method;
	else if (is_pseudo(name, name_len, ":path"))
		slot = &req->path;
	if (slot) {
		/* nghttp2 lets each come once. */
		*slot = strndup((const char *)value, value_len);
		return *slot ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	if (h2_fields_put(&req->fields, name, name_len, value, value_len) < 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return 0;
}

void h2_req_reset(struct h2_req *req)
{
	if (req->ended)
		return;
	if (!req->error)
		req->error = -ECANCELED;
	nghttp2_submit_rst_stream(req->h2->ng, NGHTTP2_FLAG_NONE, req->id, NGHTTP2_INTERNAL_ERROR);
	h2_wake(req->h2);
}

static void too_long(struct h2_req *req)
{
	if (req->responded) {
		req->error = -EMSGSIZE;
		h2_req_reset(req);
		return;
	}
	h2_problem(req, 413, "body-too-large", "the body may have at most %zu octets here",
		   req->match.route->max_body);
}

static void refuse(struct h2_req *req)
{
	const struct party *peer = h2_peer(req->h2);

	switch (req->match.status) {
	case 400:
		h2_problem(req, 400, "bad-path", "the path is not properly percent-encoded");
		break;
	case 403:
		if (peer)
			h2_problem(req, 403, "role-not-allowed", "role %s may not %s %s",
				   role_str(peer->role), req->method, req->path);
		else
			h2_problem(req, 403, "role-not-allowed", "unknown peers may not do this");
		break;
	case 405:
		h2_req_set_header(req, "allow", req->match.allow);
		h2_problem(req, 405, "method-not-allowed", "%s is not for %s", req->method,
			   req->path);
		break;
	default:
		h2_problem(req, 404, "not-found", "there is no %s", req->path);
	}
}

/* The header section is complete: is there a route, and may this peer take it? */
void h2_req_headers(struct h2_req *req)
{
	const struct party *peer = h2_peer(req->h2);
	uint32_t roles = peer ? ROLE_BIT(peer->role) : 0;
	const char *length;
	uint64_t number;
	char *question;

	if (req->too_large) {
		h2_problem(req, 431, "headers-too-large",
			   "the header section may have at most %u octets",
			   req->h2->conf.header_max);
		return;
	}
	if (!req->method || !req->path) {
		/* CONNECT has no path; it is of no use here. */
		h2_problem(req, 501, "not-implemented", "this method is not implemented");
		return;
	}
	req->head = !strcmp(req->method, "HEAD");
	question = strchr(req->path, '?');
	if (question) {
		*question = '\0';
		req->query = question + 1;
	}
	length = h2_fields_get(&req->fields, "content-length");
	if (length && u64_parse(length, INT64_MAX, &number) == 0)
		req->content_length = (int64_t)number;
	if (h2_match(req->h2->router, req->method, req->path, roles, &req->match) < 0) {
		h2_problem(req, 503, "no-memory", "out of memory");
		return;
	}
	if (req->match.status) {
		refuse(req);
		return;
	}
	if (req->content_length > 0 && (uint64_t)req->content_length > req->match.route->max_body) {
		too_long(req);
		return;
	}
	if (req->match.route->flags & H2_STREAM_BODY)
		req->match.route->handle(req, req->h2->router->arg);
	else
		buf_init_secret(&req->body, req->match.route->max_body);
}

/* A piece of body for a handler that takes it as it comes. */
static void deliver(struct h2_req *req, const uint8_t *data, size_t len)
{
	int rc = req->body_ops->on_data(req, data, len, req->body_arg);

	if (rc < 0) {
		req->error = rc;
		h2_req_reset(req);
	}
}

void h2_req_chunk(struct h2_req *req, const uint8_t *data, size_t len)
{
	const struct h2_route *route = req->match.route;

	req->body_got += len;
	/* What comes after the response, or after a reset, is of interest to nobody. */
	if (req->responded || !route || req->error || req->ended) {
		h2_discarded(req->h2, len);
		return;
	}
	if (req->body_got > route->max_body) {
		h2_consumed(req->h2, req->id, len);
		too_long(req);
		return;
	}
	if (!(route->flags & H2_STREAM_BODY)) {
		h2_consumed(req->h2, req->id, len);
		if (buf_put(&req->body, data, len) < 0)
			h2_req_reset(req);
		return;
	}
	if (req->paused || req->body.len || !req->streaming) {
		/* Kept, and the window kept shut: it bounds what can be kept. */
		if (buf_put(&req->body, data, len) < 0)
			h2_req_reset(req);
		return;
	}
	h2_consumed(req->h2, req->id, len);
	deliver(req, data, len);
}

static void tell_end(struct h2_req *req)
{
	if (req->end_told || req->error || req->ended || req->responded || !req->streaming)
		return;
	req->end_told = true;
	req->body_ops->on_end(req, req->body_arg);
}

void h2_req_end(struct h2_req *req)
{
	const struct h2_route *route = req->match.route;

	req->body_ended = true;
	if (!route || req->responded || req->error)
		return;
	if (route->flags & H2_STREAM_BODY) {
		if (!req->paused && !req->body.len)
			tell_end(req);
		return;
	}
	route->handle(req, req->h2->router->arg);
}

/* Deliver what was held while paused. */
static void deliver_held(struct h2_req *req)
{
	uint8_t *data;
	size_t len = 0;

	while (!req->paused && req->body.len && !req->error && !req->ended) {
		/* Taken out first: on_data may pause again, and more may be put in. */
		data = (uint8_t *)buf_steal(&req->body, &len);
		h2_consumed(req->h2, req->id, len);
		if (data && !req->responded)
			deliver(req, data, len);
		free(data);
	}
	if (req->body_ended && !req->paused && !req->body.len)
		tell_end(req);
}

void h2_req_work(struct h2_req *req)
{
	if (req->streaming)
		deliver_held(req);
	if (req->blocked && req->on_writable && !req->ended &&
	    h2_body_unsent(&req->out) <= req->h2->conf.write_max / 2) {
		req->blocked = false;
		req->on_writable(req, req->writable_arg);
	}
}

/* ---- the end ---- */

static void on_grace_over(void *arg)
{
	struct h2_req *req = arg;

	nghttp2_submit_rst_stream(req->h2->ng, NGHTTP2_FLAG_NONE, req->id, NGHTTP2_NO_ERROR);
	h2_wake(req->h2);
}

/* The response is out, and nobody reads the rest of the body any more. The client may be asked to stop by
 * RST_STREAM (RFC 9113 8.1), but some (curl) then lose the response; so first it gets the time to find out by
 * itself, with the stream's window left to run dry.
 */
void h2_req_sent_end(struct h2_req *req)
{
	if (req->body_ended)
		return;
	if (loop_timer_new(req->h2->loop, on_grace_over, req, &req->grace) < 0)
		on_grace_over(req);
	else
		loop_timer_set(req->grace, GRACE_MS);
}

void h2_req_gone(struct h2_req *req, int err)
{
	if (req->out.ended || (req->responded && req->out.kind == H2_BODY_NONE))
		err = 0;
	else if (req->error)
		err = req->error;
	else if (req->out.error)
		err = req->out.error;
	else if (!err)
		err = -ECANCELED;
	req->ended = true;
	/* What was held will never be delivered, and the session's window must not shrink. */
	if (req->match.route && (req->match.route->flags & H2_STREAM_BODY))
		h2_consumed(req->h2, req->id, req->body.len);
	if (req->on_close)
		req->on_close(req, err, req->close_arg);
	req_free(req);
}

/* ---- what a handler can ask ---- */

void h2_req_on_close(struct h2_req *req, void (*on_close)(struct h2_req *req, int err, void *arg),
		     void *arg)
{
	req->on_close = on_close;
	req->close_arg = arg;
}

struct h2 *h2_req_session(const struct h2_req *req)
{
	return req->h2;
}

const struct party *h2_req_peer(const struct h2_req *req)
{
	return h2_peer(req->h2);
}

const char *h2_req_method(const struct h2_req *req)
{
	return req->method;
}

const char *h2_req_path(const struct h2_req *req)
{
	return req->path;
}

const char *h2_req_param(const struct h2_req *req, const char *name)
{
	size_t i, len = strlen(name);

	for (i = 0; i < req->match.params; i++)
		if (req->match.param[i].name_len == len &&
		    !memcmp(req->match.param[i].name, name, len))
			return req->match.param[i].value;
	return NULL;
}

/* "a=1&b=" into fields; pairs that are not properly encoded are left out. */
static void parse_query(struct h2_req *req)
{
	const char *at = req->query;

	while (at && *at) {
		size_t len = strcspn(at, "&");
		const char *equals = memchr(at, '=', len);
		size_t name_len = equals ? (size_t)(equals - at) : len;
		char *name = h2_percent_decode(at, name_len, 1);
		char *value = equals ? h2_percent_decode(equals + 1, len - name_len - 1, 1) :
				       strdup("");

		if (name && value)
			h2_fields_put(&req->query_fields, (uint8_t *)name, strlen(name),
				      (uint8_t *)value, strlen(value));
		free(name);
		free(value);
		at += len;
		at += *at == '&';
	}
	req->query = NULL;
}

const char *h2_req_query(struct h2_req *req, const char *name)
{
	parse_query(req);
	return h2_fields_get(&req->query_fields, name);
}

const char *h2_req_header(const struct h2_req *req, const char *name)
{
	return h2_fields_get(&req->fields, name);
}

int64_t h2_req_content_length(const struct h2_req *req)
{
	return req->content_length;
}

const void *h2_req_body(const struct h2_req *req, size_t *len)
{
	if (len)
		*len = req->body.len;
	return buf_str(&req->body);
}

void h2_req_set_data(struct h2_req *req, void *data)
{
	req->data = data;
}

void *h2_req_data(const struct h2_req *req)
{
	return req->data;
}

void h2_req_stream(struct h2_req *req, const struct h2_body_ops *ops, void *arg)
{
	req->streaming = true;
	req->body_ops = ops;
	req->body_arg = arg;
	if (req->body.len || req->body_ended)
		queue_work(req);
}

void h2_req_pause(struct h2_req *req)
{
	req->paused = true;
}

void h2_req_unpause(struct h2_req *req)
{
	req->paused = false;
	if (req->body.len || req->body_ended)
		queue_work(req);
}

/* ---- responding ---- */

static bool field_ok(const char *name, const char *value)
{
	return nghttp2_check_header_name((const uint8_t *)name, strlen(name)) && name[0] != ':' &&
	       nghttp2_check_header_value((const uint8_t *)value, strlen(value));
}

int h2_req_set_header(struct h2_req *req, const char *name, const char *value)
{
	if (req->responded)
		return -EALREADY;
	if (!field_ok(name, value))
		return -EINVAL;
	if (req->extra == H2_EXTRA_HEADERS)
		return -E2BIG;
	req->header[req->extra].name = strdup(name);
	req->header[req->extra].value = strdup(value);
	if (!req->header[req->extra].name || !req->header[req->extra].value) {
		free(req->header[req->extra].name);
		free(req->header[req->extra].value);
		return -ENOMEM;
	}
	req->extra++;
	return 0;
}

static ssize_t on_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t len, uint32_t *flags,
		       nghttp2_data_source *source, void *arg)
{
	struct h2_req *req = nghttp2_session_get_stream_user_data(ng, id);
	ssize_t got;

	(void)source;
	(void)arg;
	/* Its request is gone while the session says farewell. */
	if (!req)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	got = h2_body_read(&req->out, buf, len, flags);
	if (req->blocked && got > 0 && h2_body_unsent(&req->out) <= req->h2->conf.write_max / 2)
		queue_work(req);
	return got;
}

static void set_nv(nghttp2_nv *nv, const char *name, const char *value)
{
	nv->name = (uint8_t *)(uintptr_t)name;
	nv->namelen = strlen(name);
	nv->value = (uint8_t *)(uintptr_t)value;
	nv->valuelen = strlen(value);
	nv->flags = NGHTTP2_NV_FLAG_NONE;
}

/* Send the header section; req->out says what the body is. */
static int submit(struct h2_req *req, int status, const char *type)
{
	nghttp2_data_provider provider = { .read_callback = on_read };
	nghttp2_nv nv[H2_EXTRA_HEADERS + 3];
	int64_t len = h2_body_len(&req->out);
	char status_text[12], len_text[24];
	size_t i, n = 0;
	bool body = true;

	snprintf(status_text, sizeof(status_text), "%d", status);
	set_nv(&nv[n++], ":status", status_text);
	if (type)
		set_nv(&nv[n++], "content-type", type);
	if (len >= 0 && status != 204 && status != 304) {
		snprintf(len_text, sizeof(len_text), "%lld", (long long)len);
		set_nv(&nv[n++], "content-length", len_text);
	}
	for (i = 0; i < req->extra; i++)
		set_nv(&nv[n++], req->header[i].name, req->header[i].value);
	if (len == 0 || req->head || status == 204 || status == 304) {
		h2_body_fini(&req->out);
		req->out.kind = H2_BODY_NONE;
		body = false;
	}
	req->responded = true;
	if (nghttp2_submit_response(req->h2->ng, req->id, nv, n, body ? &provider : NULL))
		return -ENOMEM;
	h2_wake(req->h2);
	return 0;
}

static int check_respond(const struct h2_req *req, int status, const char *type)
{
	if (req->ended)
		return -ENOTCONN;
	if (req->responded)
		return -EALREADY;
	if (status < 200 || status > 599 || (type && !field_ok("content-type", type)))
		return -EINVAL;
	return 0;
}

int h2_respond(struct h2_req *req, int status, const char *type, const void *body, size_t len)
{
	int rc = check_respond(req, status, type);

	if (rc < 0)
		return rc;
	rc = buf_put(&req->out.bytes, body, len);
	if (rc < 0)
		return rc;
	req->out.kind = H2_BODY_BYTES;
	return submit(req, status, type);
}

int h2_respond_json(struct h2_req *req, int status, const struct buf *body)
{
	if (body->error)
		return h2_problem(req, 500, "internal", "the answer could not be encoded: %s",
				  shunt_strerror(body->error));
	return h2_respond(req, status, "application/json", body->data, body->len);
}

static const char *title_of(int status)
{
	static const struct {
		int status;
		const char *title;
	} titles[] = {
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 416, "Range Not Satisfiable" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 507, "Insufficient Storage" },
	};
	size_t i;

	for (i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return status < 500 ? "Client Error" : "Server Error";
}

int h2_vproblem(struct h2_req *req, int status, const char *code, const char *fmt, va_list ap)
{
	struct sapi_problem problem = { .status = (uint32_t)status };
	struct err detail = { 0 };
	struct buf body = BUF_INIT;
	int rc;

	/* err_vset() for its escaping: the detail may quote the peer. */
	err_vset(&detail, -SHUNT_EREMOTE, fmt, ap);
	snprintf(problem.title, sizeof(problem.title), "%s", title_of(status));
	snprintf(problem.code, sizeof(problem.code), "%s", code);
	snprintf(problem.detail, sizeof(problem.detail), "%s", detail.text);
	rc = sapi_problem_encode(&problem, &body);
	if (rc == 0)
		rc = h2_respond(req, status, "application/problem+json", body.data, body.len);
	else
		rc = h2_respond(req, status, NULL, NULL, 0);
	buf_fini(&body);
	return rc;
}

int h2_problem(struct h2_req *req, int status, const char *code, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = h2_vproblem(req, status, code, fmt, ap);
	va_end(ap);
	return rc;
}

int h2_respond_source(struct h2_req *req, int status, const char *type, const struct h2_source *src)
{
	int rc = check_respond(req, status, type);

	if (rc < 0) {
		if (src->done)
			src->done(src->arg);
		return rc;
	}
	req->out.kind = H2_BODY_SOURCE;
	req->out.source = *src;
	return submit(req, status, type);
}

static void resume(struct h2_req *req)
{
	if (!req->out.deferred || req->ended)
		return;
	req->out.deferred = false;
	nghttp2_session_resume_data(req->h2->ng, req->id);
	h2_wake(req->h2);
}

void h2_req_resume(struct h2_req *req)
{
	resume(req);
}

int h2_start(struct h2_req *req, int status, const char *type)
{
	int rc = check_respond(req, status, type);

	if (rc < 0)
		return rc;
	req->out.kind = H2_BODY_PUSH;
	return submit(req, status, type);
}

int h2_write(struct h2_req *req, const void *data, size_t len)
{
	struct h2_body *out = &req->out;
	size_t cap = req->h2->conf.write_max;

	if (req->ended || out->kind != H2_BODY_PUSH || out->finished)
		return req->head && !req->ended ? 0 : -ENOTCONN;
	if (len > cap)
		return -EMSGSIZE;
	if (h2_body_unsent(out) + len > cap) {
		req->blocked = true;
		return -EAGAIN;
	}
	if (out->off > out->bytes.len / 2) {
		buf_consume(&out->bytes, out->off);
		out->off = 0;
	}
	if (buf_put(&out->bytes, data, len) < 0)
		return -ENOMEM;
	resume(req);
	return 0;
}

int h2_finish(struct h2_req *req)
{
	if (req->ended || req->out.kind != H2_BODY_PUSH)
		return req->head && !req->ended ? 0 : -ENOTCONN;
	req->out.finished = true;
	resume(req);
	return 0;
}

void h2_req_on_writable(struct h2_req *req, void (*on_writable)(struct h2_req *req, void *arg),
			void *arg)
{
	req->on_writable = on_writable;
	req->writable_arg = arg;
}

size_t h2_req_unsent(const struct h2_req *req)
{
	return h2_body_unsent(&req->out);
}
