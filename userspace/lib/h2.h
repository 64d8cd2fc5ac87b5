/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h2: HTTP/2 (RFC 9113) sessions. Owner of nghttp2.
 *
 * A session runs over one stream, as HTTP server or as HTTP client, no matter who dialled. Nothing
 * it holds is unbounded: concurrent streams, header octets, unread body octets and unsent
 * octets all have caps, in both directions and by flow control, so a slow reader slows its sender
 * down and costs no memory.
 *
 * While the loop is held (loop.h) sessions read and call back but send nothing.
 *
 * All callbacks come from the loop, except where a function says that it may call back at once. Any
 * function may be called from any callback; objects stay valid until the callback that announces
 * their end returns.
 */
#ifndef SHUNT_LIB_H2_H
#define SHUNT_LIB_H2_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct buf;
struct h2; /* a session */
struct h2_call; /* client: a request in flight */
struct h2_req; /* server: a request being served */
struct loop;
struct party;
struct stream;

/* ---- sessions ---- */

enum h2_side {
	H2_SERVER,
	H2_CLIENT,
};

/*
 * Requests that a client starts before the server has said how many it takes; further ones wait for its
 * SETTINGS. No server of ours takes fewer.
 */
#define H2_STREAMS_UNASKED 4

/* Limits; 0 takes the default. */
struct h2_conf {
	uint32_t max_streams; /* requests at once that we accept as a server: 128 */
	uint32_t header_max; /* octets of one header section, names and values: 16384 */
	uint32_t stream_window; /* unread body octets per stream: 1 MiB */
	uint32_t conn_window; /* unread body octets per session: 4 MiB */
	uint32_t write_max; /* unsent octets that h2_write() accepts per request: 256 KiB */
	uint32_t ping_ms; /* ask a silent peer for a sign of life after: 15 s */
	uint32_t dead_ms; /* ... and give it up when it neither sends nor takes any within: 10 s */
	uint32_t close_ms; /* h2_close() waits for requests in flight at most: 10 s */
};

struct h2_router;

/* Make a session over @s, which it takes over on success only. @router is needed by a server (NULL
 * answers 404 to everything), must outlive the session, and is ignored by a client.
 * @on_close is called once when the session ends by itself, after all its requests were ended: @err
 * is 0 for an orderly end or a negative code, @why a sentence. The session is freed after it returns.
 * The roles in the router need the peer's identity, so on a plain stream only routes for any
 * role (roles == 0) answer.
 */
int h2_new(struct loop *loop, struct stream *s, enum h2_side side, const struct h2_conf *conf,
	   const struct h2_router *router,
	   void (*on_close)(struct h2 *h2, int err, const char *why, void *arg), void *arg,
	   struct h2 **out);

/* @on_ready is called once when the peer has said its first words (SETTINGS): only then is it certain
 * that it accepted our certificate, because a TLS 1.3 client is done before the server has judged it.
 */
void h2_on_ready(struct h2 *h2, void (*on_ready)(struct h2 *h2, void *arg), void *arg);

/* Graceful end: GOAWAY, no new requests, those in flight may finish within close_ms; then
 * on_close. Event streams that have no end of their own should be finished before. Idempotent.
 */
void h2_close(struct h2 *h2);
/* End now: requests in flight are reset (their callbacks get @err), GOAWAY with @why as debug data is
 * tried, on_close follows in the loop's next pass.
 */
void h2_abort(struct h2 *h2, int err, const char *why);
/* The synchronous form for a session's owner: the callbacks of the end run from here; from within a
 * callback of this session, when that has returned, still without another pass of the loop. NULL is allowed.
 */
void h2_free(struct h2 *h2, int err, const char *why);
/* Can requests be started (not closing, peer sent no GOAWAY)? */
bool h2_usable(const struct h2 *h2);

/* One additional observer of the end for whoever uses a session that another (peer.h) owns; called
 * just before on_close. NULL removes it. And a pointer for the user.
 */
void h2_on_close(struct h2 *h2,
		 void (*on_close)(struct h2 *h2, int err, const char *why, void *arg), void *arg);
void h2_set_data(struct h2 *h2, void *data);
void *h2_data(const struct h2 *h2);

/* The peer's verified identity; NULL on a plain stream. */
const struct party *h2_peer(const struct h2 *h2);
/* "192.0.2.1:8443" or "[2001:db8::1]:8443", "-" when not an IP socket. Valid as long as the session. */
const char *h2_remote(const struct h2 *h2);
const char *h2_local(const struct h2 *h2);
/* The socket addresses themselves; returns 0 or -ENOTCONN. */
int h2_remote_addr(const struct h2 *h2, struct sockaddr_storage *addr, socklen_t *len);
int h2_local_addr(const struct h2 *h2, struct sockaddr_storage *addr, socklen_t *len);
enum h2_side h2_get_side(const struct h2 *h2);

/* tls_export() of the session's connection; -ENOTCONN on a plain stream. */
int h2_export(struct h2 *h2, const char *label, const void *context, size_t context_len, void *out,
	      size_t len);

struct h2_stats {
	uint64_t bytes_in; /* octets of HTTP/2, without TLS */
	uint64_t bytes_out;
	uint64_t requests; /* started (client) or received (server) */
	uint32_t active; /* requests in flight */
	uint32_t rtt_us; /* of the last PING; 0: not known */
	uint64_t buffered; /* octets of bodies and output held in memory now */
	uint64_t opened_ms; /* loop_now() when the session began */
	uint64_t last_ms; /* loop_now() of the last octet received */
};
void h2_stats(const struct h2 *h2, struct h2_stats *stats);

/* ---- body sources: pulled when the connection has room ---- */

#define H2_SOURCE_UNKNOWN (-1)

struct h2_source {
	/* Put up to @len octets into @buf: > 0 their number, 0 at the end, -EAGAIN nothing now
	 * (h2_req_resume() / h2_call_resume() later), other -errno: the stream is reset.
	 */
	ssize_t (*read)(void *arg, void *buf, size_t len);
	/* No more reads will come; called exactly once, may be NULL. */
	void (*done)(void *arg);
	void *arg;
	int64_t len; /* exact length, sent as content-length and enforced; or H2_SOURCE_UNKNOWN */
};

/* A source of the @len octets of @fd from @offset on (pread). Duplicates @fd. -ENODATA at run time
 * when the file turns out to be shorter.
 */
int h2_source_fd(struct h2_source *src, int fd, uint64_t offset, uint64_t len);

/* ---- server ---- */

#define H2_STREAM_BODY 1u /* the handler is called at the headers and takes the body by callbacks */

struct h2_route {
	const char *method; /* "GET"; HEAD is answered by GET's route, without the body */
	const char *pattern; /* "/v1/jobs/{id}/content": {x} matches one non-empty segment */
	uint32_t roles; /* ROLE_BIT()s that may; 0: anybody */
	size_t max_body; /* octets; more is answered 413. 0: any body is refused */
	unsigned int flags;
	/* Called when headers and, without H2_STREAM_BODY, the whole body are there. @arg is the
	 * router's. The handler responds now or later (see h2_req_on_close()).
	 */
	void (*handle)(struct h2_req *req, void *arg);
};

/* First match wins. No match: 404 not-found, 405 method-not-allowed with Allow, 403
 * role-not-allowed, 413 body-too-large, all as problem+json, before any handler.
 */
struct h2_router {
	const struct h2_route *routes;
	size_t count;
	void *arg;
};

/* A request is valid until its stream ends. A handler that keeps @req beyond its own return must
 * set this: @on_close is called exactly once, when the response is sent completely (err 0) or
 * the stream ended before (-ECANCELED reset by the peer, -ETIMEDOUT, -EPIPE connection lost, ...);
 * @req is freed after it returns.
 */
void h2_req_on_close(struct h2_req *req, void (*on_close)(struct h2_req *req, int err, void *arg),
		     void *arg);

struct h2 *h2_req_session(const struct h2_req *req);
const struct party *h2_req_peer(const struct h2_req *req); /* NULL on a plain stream */
const char *h2_req_method(const struct h2_req *req);
/* Path as sent, without query. */
const char *h2_req_path(const struct h2_req *req);
/* {name} of the route's pattern, percent-decoded; NULL when the pattern has no such name. */
const char *h2_req_param(const struct h2_req *req, const char *name);
/* Query parameter, percent-decoded; the first of that name, NULL when absent, "" without value. */
const char *h2_req_query(struct h2_req *req, const char *name);
/* Header field; @name in lower case; the first of that name, NULL when absent. */
const char *h2_req_header(const struct h2_req *req, const char *name);
/* As announced; -1 when not. */
int64_t h2_req_content_length(const struct h2_req *req);
/* The whole body (route without H2_STREAM_BODY), followed by a NUL that is not counted. */
const void *h2_req_body(const struct h2_req *req, size_t *len);
void h2_req_set_data(struct h2_req *req, void *data);
void *h2_req_data(const struct h2_req *req);

/* Body by callbacks (route with H2_STREAM_BODY); set in the handler. */
struct h2_body_ops {
	/* Return 0, or -errno to have the stream reset. */
	int (*on_data)(struct h2_req *req, const void *data, size_t len, void *arg);
	/* All of it came (content-length was checked). Respond here or later. */
	void (*on_end)(struct h2_req *req, void *arg);
};
/* An ended stream is announced by h2_req_on_close(), which is to be set too. */
void h2_req_stream(struct h2_req *req, const struct h2_body_ops *ops, void *arg);
/* Stop and go on with on_data; while paused at most stream_window octets arrive and are held. They count
 * against conn_window too: while conn_window / stream_window bodies are paused and full, the others of
 * this session stand still.
 */
void h2_req_pause(struct h2_req *req);
void h2_req_unpause(struct h2_req *req);

/* Additional response field, before responding; @name in lower case. -E2BIG beyond 16, -EINVAL when
 * the value has control characters, -EALREADY after responding.
 */
int h2_req_set_header(struct h2_req *req, const char *name, const char *value);

/* Respond with all of @body (copied); @type NULL: no content-type. Each request is responded to once:
 * -EALREADY. -ENOTCONN when the stream has ended meanwhile; nothing needs to be done then. A body of
 * the request that has not come yet is discarded.
 */
int h2_respond(struct h2_req *req, int status, const char *type, const void *body, size_t len);
/* application/json from a buffer. */
int h2_respond_json(struct h2_req *req, int status, const struct buf *body);
/* Problem (RFC 9457): {"type":"about:blank","title","status","detail","code"}; @code is a stable
 * kebab-case word, the detail is formatted.
 */
int h2_problem(struct h2_req *req, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int h2_vproblem(struct h2_req *req, int status, const char *code, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));

/* Response pulled from @src, which is taken over also on failure (done is called). */
int h2_respond_source(struct h2_req *req, int status, const char *type,
		      const struct h2_source *src);
/* A source that said -EAGAIN has data again. */
void h2_req_resume(struct h2_req *req);

/* Response pushed piece by piece (event streams): start, any number of writes, finish. */
int h2_start(struct h2_req *req, int status, const char *type);
/* Accepts all or nothing: -EAGAIN when write_max would be passed (on_writable tells when half of it
 * is free again), -ENOTCONN, -EMSGSIZE when @len alone passes write_max.
 */
int h2_write(struct h2_req *req, const void *data, size_t len);
int h2_finish(struct h2_req *req);
void h2_req_on_writable(struct h2_req *req, void (*on_writable)(struct h2_req *req, void *arg),
			void *arg);
/* Octets written and not yet handed to the connection. */
size_t h2_req_unsent(const struct h2_req *req);

/* Reset the stream (INTERNAL_ERROR after a response has begun, for instance). */
void h2_req_reset(struct h2_req *req);

/* ---- client ---- */

struct h2_header {
	const char *name; /* lower case */
	const char *value;
};

struct h2_request {
	const char *method;
	const char *path; /* "/v1/jobs?state=queued" */
	const struct h2_header *headers;
	size_t header_count;
	const char *type; /* content-type of the body; NULL: none */
	const void *body; /* copied */
	size_t body_len;
	struct h2_source source; /* instead of body when .read is set; taken over also on failure */
	uint32_t timeout_ms; /* from start to end; 0: none (event streams) */
	size_t max_reply; /* h2_fetch(): cap of the response body; 0: 64 KiB */
};

struct h2_call_ops {
	void (*on_headers)(struct h2_call *call, int status, void *arg); /* may be NULL */
	/* Return 0, or -errno to have the stream reset and on_close called with that. */
	int (*on_data)(struct h2_call *call, const void *data, size_t len, void *arg);
	/* Exactly once; err 0: the response is complete; @why is a sentence otherwise. @call is freed
	 * after it returns.
	 */
	void (*on_close)(struct h2_call *call, int err, const char *why, void *arg);
};
/* Errors worth telling apart: -EAGAIN the peer did not process the request and it may be repeated,
 * -ETIMEDOUT, -ECANCELED reset by the peer, -SHUNT_EREMOTE its internal error, -SHUNT_EPROTO, and what
 * ended the session.
 */

/* Start a request. Requests beyond the peer's limit of concurrent streams wait in order (at most
 * 1024: -EAGAIN). Never calls back from within. -ENOTCONN when the session is not usable,
 * -EINVAL on a server session or a malformed request.
 */
int h2_call_start(struct h2 *h2, const struct h2_request *request, const struct h2_call_ops *ops,
		  void *arg, struct h2_call **out);
/* Response field, from on_headers on; lower-case @name; NULL when absent. */
const char *h2_call_header(const struct h2_call *call, const char *name);
struct h2 *h2_call_session(const struct h2_call *call);
/* Stop and go on with on_data. */
void h2_call_pause(struct h2_call *call);
void h2_call_unpause(struct h2_call *call);
/* A body source that said -EAGAIN has data again. */
void h2_call_resume(struct h2_call *call);
/* Octets of the request's body handed to the connection so far. What of it arrived only the response
 * can tell.
 */
uint64_t h2_call_sent(const struct h2_call *call);
/* Reset the stream and forget the call: no callback comes any more (a source's done does). */
void h2_call_cancel(struct h2_call *call);

struct h2_reply {
	int err; /* 0, or why there is no (complete) response */
	const char *why; /* sentence when err */
	int status; /* 0 when no headers came */
	const char *type; /* content-type or NULL */
	const void *body; /* followed by a NUL that is not counted */
	size_t len;
	struct h2_call *call; /* for h2_call_header(); valid during the callback */
};

/* Request whose response is collected; @done is called exactly once unless cancelled with
 * h2_call_cancel(*out). @out may be NULL. A body beyond max_reply: -EMSGSIZE.
 */
int h2_fetch(struct h2 *h2, const struct h2_request *request,
	     void (*done)(const struct h2_reply *reply, void *arg), void *arg,
	     struct h2_call **out);

#endif
