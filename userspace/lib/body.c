// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/body.h"

#include <errno.h>
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
