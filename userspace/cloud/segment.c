// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud/transfer.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/sapi.h"

static bool is_outward(const struct segment *s)
{
	return s->conf->write != NULL;
}

void segment_free(struct segment *s)
{
	buf_fini(&s->refusal);
	free(s);
}

uint64_t segment_partial(const struct segment *s)
{
	return is_outward(s) ? s->pos - s->from : 0;
}

/* Its bytes are free again if none left this host, else only the receiver knows. */
static void give_back(struct segment *s)
{
	struct transfer *t = s->conf->transfer;

	if (!is_outward(s)) {
		transfer_lose(t, s->from, s->to, s->pos > s->from);
		return;
	}
	/* What came stays, and is not fetched a second time. */
	if (s->pos > s->from && transfer_ack(t, s->from, s->pos, 0, s->counted))
		transfer_lose(t, s->from, s->pos, false);
	if (s->pos < s->to)
		transfer_lose(t, s->pos, s->to, false);
}

void segment_cancel(struct segment *s)
{
	h2_call_cancel(s->call);
	give_back(s);
	segment_free(s);
}

static void fail(struct segment *s, const struct problem *problem)
{
	give_back(s);
	s->done(s, problem);
}

static void acknowledged(struct segment *s, uint64_t duplicate)
{
	struct problem problem = { .code = "out-of-memory",
				   .text = "the acknowledgement could not be recorded" };

	if (!transfer_ack(s->conf->transfer, s->from, s->to, duplicate, s->counted)) {
		s->done(s, NULL);
		return;
	}
	transfer_lose(s->conf->transfer, s->from, s->to, !is_outward(s));
	s->done(s, &problem);
}

/* ---- to the agent ---- */

static ssize_t on_read(void *arg, void *buf, size_t len)
{
	struct segment *s = arg;
	ssize_t n;

	if (s->pos == s->to)
		return 0;
	if (len > s->to - s->pos)
		len = s->to - s->pos;
	do {
		n = pread(s->conf->fd, buf, len, (off_t)s->pos);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -ENODATA;
	s->counted += transfer_wire(s->conf->transfer, s->pos, s->pos + (uint64_t)n);
	s->pos += (uint64_t)n;
	return n;
}

static void on_put(const struct h2_reply *reply, void *arg)
{
	struct segment *s = arg;
	struct sapi_content_reply content;
	struct problem problem;
	uint64_t duplicate = 0;

	if (problem_of_reply(reply, s->conf->who, &problem)) {
		fail(s, &problem);
		return;
	}
	/* An agent that does not count duplicates has acknowledged nonetheless. */
	if (!sapi_content_reply_decode(reply->body, reply->len, &content, NULL))
		duplicate = content.duplicate;
	acknowledged(s, duplicate);
}

static int put(struct segment *s)
{
	struct content_range range = { s->from, s->to, transfer_size(s->conf->transfer) };
	char text[CONTENT_RANGE_STR_LEN], path[64];
	struct h2_header header = { "content-range", content_range_print(&range, text) };
	struct h2_request req = {
		.method = "PUT",
		.path = path,
		.headers = &header,
		.header_count = 1,
		.type = "application/octet-stream",
		.timeout_ms = SEGMENT_MS,
	};

	snprintf(path, sizeof(path), "%s/content", s->conf->resource);
	req.source.read = on_read;
	req.source.arg = s;
	req.source.len = (int64_t)(s->to - s->from);
	return h2_fetch(s->conf->h2, &req, on_put, s, &s->call);
}

/* ---- from the agent ---- */

/* Is it the range that was asked for? Anything else would be written to the wrong place. */
static void on_headers(struct h2_call *call, int status, void *arg)
{
	struct segment *s = arg;
	const char *field = h2_call_header(call, "content-range");
	struct content_range range;

	s->status = status;
	s->wanted = status == 206 && field && !content_range_parse(field, &range) &&
		    range.from == s->from && range.to == s->to &&
		    range.size == transfer_size(s->conf->transfer);
}

static int on_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	struct segment *s = arg;
	int ret;

	(void)call;
	if (s->status != 206)
		return buf_put(&s->refusal, data, len);
	if (!s->wanted || len > s->to - s->pos)
		return -SHUNT_EPROTO;
	ret = s->conf->write(s->conf->write_arg, s->pos, data, len);
	if (ret) {
		s->write_error = ret;
		return ret;
	}
	s->counted += transfer_wire(s->conf->transfer, s->pos, s->pos + len);
	s->pos += len;
	return 0;
}

static void on_close(struct h2_call *call, int err, const char *why, void *arg)
{
	struct segment *s = arg;
	struct h2_reply reply = { .err = err, .why = why, .status = s->status, .call = call };
	struct problem problem;

	s->call = NULL;
	if (!err && s->wanted && s->pos == s->to) {
		acknowledged(s, 0);
		return;
	}
	reply.type = s->status ? h2_call_header(call, "content-type") : NULL;
	reply.body = buf_str(&s->refusal);
	reply.len = s->refusal.len;
	if (s->write_error) {
		memset(&problem, 0, sizeof(problem));
		snprintf(problem.code, sizeof(problem.code), "spool-failed");
		snprintf(problem.text, sizeof(problem.text), "the content could not be stored: %s",
			 shunt_strerror(s->write_error));
	} else if (!problem_of_reply(&reply, s->conf->who, &problem)) {
		snprintf(problem.code, sizeof(problem.code), "bad-answer");
		snprintf(problem.text, sizeof(problem.text),
			 "%.63s: the answer is not the range that was asked for", s->conf->who);
	}
	fail(s, &problem);
}

static int get(struct segment *s)
{
	static const struct h2_call_ops ops = {
		.on_headers = on_headers,
		.on_data = on_data,
		.on_close = on_close,
	};
	char text[CONTENT_RANGE_STR_LEN], path[64];
	struct h2_header header = { "range", text };
	struct h2_request req = {
		.method = "GET",
		.path = path,
		.headers = &header,
		.header_count = 1,
		.timeout_ms = SEGMENT_MS,
	};

	snprintf(path, sizeof(path), "%s/content", s->conf->resource);
	snprintf(text, sizeof(text), "bytes=%llu-%llu", (unsigned long long)s->from,
		 (unsigned long long)s->to - 1);
	return h2_call_start(s->conf->h2, &req, &ops, s, &s->call);
}

int segment_start(const struct segment_conf *conf, uint64_t from, uint64_t to,
		  void (*done)(struct segment *s, const struct problem *problem), void *owner,
		  struct segment **out)
{
	struct segment *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	s->conf = conf;
	s->from = s->pos = from;
	s->to = to;
	s->done = done;
	s->owner = owner;
	buf_init_max(&s->refusal, SAPI_MAX);
	ret = is_outward(s) ? get(s) : put(s);
	if (ret) {
		segment_free(s);
		return ret;
	}
	*out = s;
	return 0;
}
