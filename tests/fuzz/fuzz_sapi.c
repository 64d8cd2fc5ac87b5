// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JSON bodies: the first octet picks the body, the rest is JSON. What is accepted must be encoded
 * again, decoded again and encoded to the same text.
 */
#include "lib/sapi.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct body {
	const struct sapi_schema *schema;
	size_t size;
};

#define BODY(x)                                                                                    \
	{                                                                                          \
		&sapi_##x##_schema, sizeof(struct sapi_##x)                                        \
	}
static const struct body bodies[] = {
	BODY(problem),		 BODY(device),	      BODY(device_list),
	BODY(gateway),		 BODY(gateway_list),  BODY(dial),
	BODY(dial_reply),	 BODY(tunnel_open),   BODY(tunnel),
	BODY(tunnel_list),	 BODY(load),	      BODY(gateway_event),
	BODY(conn_log),		 BODY(record_7k),     BODY(record_7j),
	BODY(record_decision),	 BODY(hello),	      BODY(device_job),
	BODY(device_job_status), BODY(content_reply), BODY(state_event),
	BODY(connect),		 BODY(connect_reply), BODY(job_submit),
	BODY(job_event),	 BODY(job),	      BODY(job_list),
	BODY(tunnel_job),	 BODY(probe_ask),     BODY(probe),
};

static void check(const struct body *body, const void *x)
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	void *again = malloc(body->size);

	if (!again || sapi_encode(body->schema, x, &first))
		abort();
	/* Defaults may make it longer than a body may be; anything else must come back. */
	if (first.len <= SAPI_MAX) {
		if (sapi_decode(body->schema, first.data, first.len, again, NULL) ||
		    sapi_encode(body->schema, again, &second) ||
		    strcmp(buf_str(&first), buf_str(&second)))
			abort();
		sapi_fini(body->schema, again);
	}
	free(again);
	buf_fini(&first);
	buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct body *body;
	struct err e = { 0 };
	void *x;

	if (!size)
		return 0;
	body = &bodies[data[0] % (sizeof(bodies) / sizeof(bodies[0]))];
	x = malloc(body->size);
	if (!x)
		return 0;
	if (!sapi_decode(body->schema, data + 1, size - 1, x, &e)) {
		check(body, x);
		sapi_fini(body->schema, x);
	} else if (!e.text[0]) {
		abort(); /* a refusal without a reason */
	}
	free(x);
	return 0;
}
