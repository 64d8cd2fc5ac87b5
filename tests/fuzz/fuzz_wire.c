// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cursor: the first half of the input is a program, one operation an octet, run on a reader of
 * the second half, and what was read is written through a writer that must hold the same octets.
 */
#include "lib/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void step(uint8_t op, struct wire *r, struct wire *w)
{
	uint8_t some[64];
	size_t n = op >> 2 & 63;
	const uint8_t *p;

	switch (op & 3) {
	case 0:
		if (n < 16)
			wire_put_u8(w, wire_get_u8(r));
		else if (n < 32)
			wire_put_be16(w, wire_get_be16(r));
		else if (n < 48)
			wire_put_be32(w, wire_get_be32(r));
		else
			wire_put_be64(w, wire_get_be64(r));
		break;
	case 1:
		wire_get(r, some, n);
		wire_put(w, some, n);
		break;
	case 2:
		p = wire_get_ptr(r, n);
		wire_put(w, p ? p : some, p ? n : 0);
		break;
	default:
		if (wire_left(r) < n)
			return;
		wire_put(w, r->base + r->pos, n);
		wire_skip(r, n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t half = size / 2, used;
	uint8_t *in = malloc(size - half + 1), *out = malloc(size - half + 8);
	struct wire r, w;

	if (in && out) {
		memcpy(in, data + half, size - half);
		wire_reader(&r, in, size - half);
		wire_writer(&w, out, size - half);
		for (size_t i = 0; i < half && !wire_error(&r); i++) {
			used = wire_used(&r);
			step(data[i], &r, &w);
			if (wire_error(&r) && wire_used(&r) != used)
				abort(); /* moved though it failed */
			if (!wire_error(&r) && wire_used(&r) != wire_used(&w))
				abort();
			if (wire_used(&r) + wire_left(&r) != size - half)
				abort();
			if (!wire_error(&r) && memcmp(in, out, wire_used(&r)))
				abort();
		}
	}
	free(in);
	free(out);
	return 0;
}
