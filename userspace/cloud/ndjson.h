/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ndjson: lines out of a stream of bytes (application/x-ndjson), as event streams bring them.
 */
#ifndef SHUNT_CLOUD_NDJSON_H
#define SHUNT_CLOUD_NDJSON_H

#include "lib/buf.h"

#include <stddef.h>

#define NDJSON_LINE_MAX ((size_t)16 << 10) /* octets of one line */

struct ndjson {
	struct buf partial;
	int (*on_line)(const char *line, size_t len, void *arg);
	void *arg;
};

void ndjson_init(struct ndjson *n, int (*on_line)(const char *line, size_t len, void *arg),
		 void *arg);
void ndjson_fini(struct ndjson *n);
/*
 * Add bytes; on_line is called for each complete line that is not empty, and a non-zero return ends
 * the feeding and is returned. -EMSGSIZE: a line without end. After an error only ndjson_fini() is
 * left. on_line must not free @n.
 */
int ndjson_feed(struct ndjson *n, const void *data, size_t len);

#endif
