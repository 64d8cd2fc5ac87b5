/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h2_int: what h2.c (sessions), h2_req.c (server) and h2_call.c (client) share. Not for anyone else.
 *
 * nghttp2 must not be re-entered to send or receive from its own callbacks, so anything that produces
 * output only asks for a flush (h2_wake()), and a session is freed at the end of a turn that came from
 * the loop, or by h2_free() outside of one.
 */
#ifndef SHUNT_LIB_H2_INT_H
#define SHUNT_LIB_H2_INT_H

#include <nghttp2/nghttp2.h>
#include <sys/queue.h>

#include "lib/buf.h"
#include "lib/h2.h"
#include "lib/h2_body.h"
#include "lib/h2_route.h"

#define H2_EXTRA_HEADERS 16
#define H2_QUEUE_MAX 1024 /* a client's requests started and not ended */

/* ---- objects ---- */

/* Bodies may hold tokens: the buffers of whole ones, and of frames, are wiped. */
struct h2_req {
	struct h2 *h2;
	int32_t id;
	LIST_ENTRY(h2_req) link;
	TAILQ_ENTRY(h2_req) work; /* linked while work_queued */
	bool work_queued;

	char *method, *path, *query; /* query: NULL when there is none */
	struct buf fields;
	struct buf query_fields; /* decoded at the first h2_req_query() */
	int64_t content_length;
	bool too_large; /* header section over the cap */
	struct h2_match match;

	struct buf body; /* buffered, or held while paused */
	uint64_t body_got;
	bool body_ended; /* END_STREAM came */
	bool paused;
	bool streaming; /* body_ops are to be called */
	bool end_told; /* on_end was called */
	const struct h2_body_ops *body_ops;
	void *body_arg;

	bool responded;
	bool ended; /* on_close was called, or is to be called no more */
	bool head; /* HEAD: no response body */
	bool blocked; /* h2_write() said -EAGAIN since on_writable */
	int error; /* why we reset it */
	struct loop_timer *grace; /* runs when the response was earlier than the body */
	size_t extra;
	struct {
		char *name, *value;
	} header[H2_EXTRA_HEADERS];
	struct h2_body out;

	void (*on_close)(struct h2_req *req, int err, void *arg);
	void *close_arg;
	void (*on_writable)(struct h2_req *req, void *arg);
	void *writable_arg;
	void *data;
};

struct h2_call {
	struct h2 *h2;
	int32_t id;
	LIST_ENTRY(h2_call) link;
	TAILQ_ENTRY(h2_call) work;
	bool work_queued;

	const struct h2_call_ops *ops;
	void *arg;
	struct loop_timer *timeout;
	struct h2_body out;

	int status; /* of the final response; 0: not there yet */
	int got_status; /* of the header section being received */
	struct buf fields;
	struct buf held; /* while paused */
	bool paused;
	bool remote_end; /* END_STREAM came */
	bool done; /* on_close was called, or the call was cancelled */
	bool gone; /* nghttp2 knows the stream no more */
	int error; /* why we reset it */

	/* h2_fetch() */
	void (*fetch_done)(const struct h2_reply *reply, void *arg);
	void *fetch_arg;
	struct buf fetch_body;
};

enum h2_state {
	H2_OPEN,
	H2_CLOSING, /* h2_close() was called */
	H2_FAILED, /* ends at the end of this turn */
	H2_DEAD, /* callbacks of the end are running */
};

struct h2 {
	struct loop *loop;
	struct stream *stream;
	nghttp2_session *ng;
	enum h2_side side;
	enum h2_state state;
	struct h2_conf conf;
	const struct h2_router *router;

	void (*on_close)(struct h2 *h2, int err, const char *why, void *arg);
	void *close_arg;
	void (*on_ready)(struct h2 *h2, void *arg);
	void *ready_arg;
	void (*user_close)(struct h2 *h2, int err, const char *why, void *arg);
	void *user_arg;
	void *data;

	struct loop_defer *kick;
	struct loop_timer *tick; /* PING */
	struct loop_timer *deadline; /* of h2_close() */
	bool in_turn; /* a turn is running and will flush */
	bool waits; /* has output that waits for the loop to be released */
	bool read_more; /* the turn's reading budget was used up */
	bool goaway_in;
	bool settings_in;
	bool lingering; /* all is said; the peer is to hang up */
	bool broken; /* nghttp2 gave up; nothing can be sent through it */

	struct buf out; /* octets for the stream, out_off of them gone */
	size_t out_off;

	uint64_t last_in_ms, opened_ms, ping_ms;
	uint64_t alive_ms; /* last sign of life, while a PING is unanswered */
	uint64_t ping_ns; /* when the PING in flight left; 0: none */
	uint64_t bytes_in, bytes_out, requests;
	uint32_t rtt_us;
	uint32_t active;

	int err;
	char why[256];
	char ng_why[160]; /* nghttp2's last words on what the peer did */
	char local[56], remote[56];

	LIST_HEAD(, h2_req) reqs;
	LIST_HEAD(, h2_call) calls;
	TAILQ_HEAD(, h2_req) req_work;
	TAILQ_HEAD(, h2_call) call_work;
};

/* Output, or work in one of the work lists, is waiting: see to it in this turn or the next. */
void h2_wake(struct h2 *h2);
/* The session cannot go on. Returns an nghttp2 callback's failure. */
int h2_fail(struct h2 *h2, int err, const char *why);
/* Body octets were taken: open the windows again. */
void h2_consumed(struct h2 *h2, int32_t stream_id, size_t len);
/* They were thrown away: open the session's window only. */
void h2_discarded(struct h2 *h2, size_t len);

/* ---- called by h2.c for nghttp2's callbacks; ids are of streams of our side's kind ---- */

int h2_req_begin(struct h2 *h2, int32_t id);
int h2_req_field(struct h2_req *req, const uint8_t *name, size_t name_len, const uint8_t *value,
		 size_t value_len);
void h2_req_headers(struct h2_req *req);
void h2_req_chunk(struct h2_req *req, const uint8_t *data, size_t len);
void h2_req_end(struct h2_req *req); /* END_STREAM received */
void h2_req_sent_end(struct h2_req *req); /* END_STREAM sent */
void h2_req_gone(struct h2_req *req, int err); /* frees it */
void h2_req_work(struct h2_req *req);

void h2_call_section(struct h2_call *call); /* a header section begins */
int h2_call_field(struct h2_call *call, const uint8_t *name, size_t name_len, const uint8_t *value,
		  size_t value_len);
void h2_call_headers(struct h2_call *call);
void h2_call_chunk(struct h2_call *call, const uint8_t *data, size_t len);
void h2_call_end(struct h2_call *call);
/* The stream is over (err, why: unless the call has ended already); may free it. */
void h2_call_gone(struct h2_call *call, int err, const char *why);
void h2_call_work(struct h2_call *call);
void h2_call_free(struct h2_call *call);

#endif
