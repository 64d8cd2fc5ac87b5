// SPDX-License-Identifier: GPL-2.0-or-later
/* What a file server answers to PROPFIND, whole and in pieces of the length that its first octet says. */
#include <stdint.h>
#include <stdlib.h>

#include "cloud/multistatus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_item(const struct multistatus_item *item, void *arg)
{
	(void)arg;
	if (item->path[0] != '/')
		abort();
	return 0;
}

static int read_in_pieces(const uint8_t *data, size_t size, size_t piece)
{
	struct multistatus *m;
	size_t n;
	int ret;

	if (multistatus_new(on_item, NULL, &m))
		return 0;
	for (; size; data += n, size -= n) {
		n = size < piece ? size : piece;
		multistatus_feed(m, data, n);
	}
	ret = multistatus_end(m);
	multistatus_free(m);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > 4096)
		return 0;
	/* However it is cut, it is the same answer. */
	if (read_in_pieces(data + 1, size - 1, size) !=
	    read_in_pieces(data + 1, size - 1, data[0] + 1U))
		abort();
	return 0;
}
