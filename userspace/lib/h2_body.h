/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h2_body: a body on its way out, whatever it is made from, and the fields of a header section. For h2*.c
 * only.
 */
#ifndef SHUNT_LIB_H2_BODY_H
#define SHUNT_LIB_H2_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/buf.h"
#include "lib/h2.h"

/* ---- outgoing bodies ---- */

enum h2_body_kind {
	H2_BODY_NONE,
	H2_BODY_BYTES,
	H2_BODY_SOURCE,
	H2_BODY_PUSH,
};

struct h2_body {
	enum h2_body_kind kind;
	struct buf bytes; /* BYTES, PUSH */
	size_t off; /* of bytes, already handed over */
	struct h2_source source; /* SOURCE; .read NULL once done() was called */
	uint64_t sent; /* octets handed over */
	bool finished; /* PUSH: no more writes will come */
	bool deferred; /* nghttp2 waits for nghttp2_session_resume_data() */
	bool ended; /* its end was handed over */
	int error; /* what the source said, or -ENODATA, -EMSGSIZE: wrong length */
};

void h2_body_init(struct h2_body *body);
void h2_body_fini(struct h2_body *body); /* calls the source's done() */
/* Next octets: as nghttp2_data_source_read_callback() returns. */
ssize_t h2_body_read(struct h2_body *body, uint8_t *buf, size_t len, uint32_t *flags);
/* Announced length, or H2_SOURCE_UNKNOWN. */
int64_t h2_body_len(const struct h2_body *body);
size_t h2_body_unsent(const struct h2_body *body);

/* ---- header sections: "name\0value\0..." ---- */

const char *h2_fields_get(const struct buf *fields, const char *name);
int h2_fields_put(struct buf *fields, const uint8_t *name, size_t name_len, const uint8_t *value,
		  size_t value_len);

#endif
