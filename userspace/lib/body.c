// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/body.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PROBLEM_TYPE "application/problem+json"

int body_decode(struct h2_req *req, const struct sapi_schema *schema, void *out)
{
	struct err e = { 0 };
	size_t len;
	const void *json = h2_req_body(req, &len);
	int rc = sapi_decode(schema, json, len, out, &e);

	if (rc == -ENOMEM)
		h2_problem(req, 500, "out-of-memory", "the request could not be read");
	else if (rc < 0)
		h2_problem(req, 400, "bad-request", "%s", err_text(&e));
	return rc;
}

int body_respond(struct h2_req *req, int status, const struct sapi_schema *schema, const void *in)
{
	struct buf json;
	int rc;

	buf_init_max(&json, SAPI_LIST_MAX);
	rc = sapi_encode(schema, in, &json);
	if (rc == 0)
		rc = h2_respond_json(req, status, &json);
	else
		rc = h2_problem(req, 500, "internal-error", "the response could not be made: %s",
				shunt_strerror(rc));
	buf_fini(&json);
	return rc;
}

/* Which bytes the request asks for. 0: all of them, 1: [*from, *to), -ERANGE: none there are. */
static int wanted_range(struct h2_req *req, const struct body_content *c, const char *etag,
			uint64_t *from, uint64_t *to)
{
	const char *range = h2_req_header(req, "range"), *if_range = h2_req_header(req, "if-range");
	int rc;

	*from = 0;
	*to = c->size;
	/* HEAD is served by this, too, and Range means something for GET alone. */
	if (!range || strcmp(h2_req_method(req), "GET") != 0 ||
	    (if_range && strcmp(if_range, etag) != 0))
		return 0;
	rc = range_request_parse(range, c->size, from, to);
	return rc == -SHUNT_EPARSE ? 0 : rc ? rc : 1;
}

int body_respond_content(struct h2_req *req, const struct body_content *c, uint64_t *len)
{
	char etag[SHA256_STR_LEN + 2], text[CONTENT_RANGE_STR_LEN];
	struct content_range range = { .size = c->size };
	struct h2_source source;
	int which, rc;

	if (len)
		*len = 0;
	snprintf(etag, sizeof(etag), "\"%s\"", c->sha256);
	which = wanted_range(req, c, etag, &range.from, &range.to);
	if (which == -ERANGE) {
		snprintf(text, sizeof(text), "bytes */%" PRIu64, c->size);
		h2_req_set_header(req, "content-range", text);
		return h2_problem(req, 416, "range-outside", "the content has %" PRIu64 " bytes",
				  c->size);
	}
	h2_req_set_header(req, "etag", etag);
	h2_req_set_header(req, "accept-ranges", "bytes");
	if (which)
		h2_req_set_header(req, "content-range", content_range_print(&range, text));
	if (range.from == range.to)
		return h2_respond(req, 200, c->type, "", 0);
	rc = h2_source_fd(&source, c->fd, range.from, range.to - range.from);
	if (rc) {
		h2_problem(req, 500, "internal-error", "the content cannot be read: %s",
			   shunt_strerror(rc));
		return rc;
	}
	if (len)
		*len = range.to - range.from;
	return h2_respond_source(req, which ? 206 : 200, c->type, &source);
}

/* A refusal in the peer's own words, where it has some. */
static int refusal(const struct h2_reply *reply, struct err *e)
{
	struct sapi_problem problem;
	int rc;

	if (!reply->type || strncmp(reply->type, PROBLEM_TYPE, strlen(PROBLEM_TYPE)) != 0 ||
	    sapi_problem_decode(reply->body, reply->len, &problem, NULL) < 0)
		return err_set(e, -SHUNT_EREMOTE, "answered with status %d", reply->status);
	rc = err_set(e, -SHUNT_EREMOTE, "%s (%d %s)",
		     problem.detail[0] ? problem.detail : problem.title, reply->status,
		     problem.code[0] ? problem.code : "without a code");
	sapi_problem_fini(&problem);
	return rc;
}

int body_reply(const struct h2_reply *reply, const struct sapi_schema *schema, void *out,
	       struct err *e)
{
	if (reply->err)
		return err_set(e, reply->err, "%s",
			       reply->why ? reply->why : shunt_strerror(reply->err));
	if (reply->status < 200 || reply->status > 299)
		return refusal(reply, e);
	if (!schema)
		return 0;
	return sapi_decode(schema, reply->body, reply->len, out, e);
}
