/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * body: JSON bodies (sapi) in HTTP/2 requests and responses.
 */
#ifndef SHUNT_LIB_BODY_H
#define SHUNT_LIB_BODY_H

#include <stddef.h>

#include "lib/err.h"
#include "lib/h2.h"
#include "lib/sapi.h"

/*
 * Decode the whole body of @req into @out. On error @req has been answered (400 bad-request with
 * the member's path, or 500) and a negative code is returned: the handler is done.
 */
int body_decode(struct h2_req *req, const struct sapi_schema *schema, void *out);

/* Respond with @in as JSON; 500 when it cannot be encoded. Returns what h2_respond() does. */
int body_respond(struct h2_req *req, int status, const struct sapi_schema *schema, const void *in);

/* A content at rest, to be served by body_respond_content(). */
struct body_content {
	int fd; /* duplicated */
	uint64_t size;
	const char *type; /* media type */
	const char *sha256; /* hex; its strong ETag */
};

/*
 * Answer a GET with the content, or with the one range that Range asks for (RFC 9110 14.2: 206, or
 * 416 when it begins behind the end; If-Range is honoured). *@len (may be NULL) is the number of
 * bytes the answer brings. Returns what h2_respond() does, or -errno after a 500.
 */
int body_respond_content(struct h2_req *req, const struct body_content *content, uint64_t *len);

/*
 * Decode the response of a fetch into @out (NULL: any 2xx will do). 0, or a negative code and one
 * sentence in @e: the transport's error, -SHUNT_EREMOTE with the peer's own words (problem+json)
 * for a status that is not 2xx, or what is wrong with the body.
 */
int body_reply(const struct h2_reply *reply, const struct sapi_schema *schema, void *out,
	       struct err *e);

#endif
