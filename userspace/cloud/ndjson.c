// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/ndjson.h"

#include <errno.h>
#include <string.h>

void ndjson_init(struct ndjson *n, int (*on_line)(const char *line, size_t len, void *arg),
		 void *arg)
{
	buf_init_max(&n->partial, NDJSON_LINE_MAX);
	n->on_line = on_line;
	n->arg = arg;
}

void ndjson_fini(struct ndjson *n)
{
	buf_fini(&n->partial);
}

static int line_end(struct ndjson *n)
{
	int ret = 0;

	if (n->partial.len)
		ret = n->on_line((const char *)n->partial.data, n->partial.len, n->arg);
	buf_reset(&n->partial);
	return ret;
}

int ndjson_feed(struct ndjson *n, const void *data, size_t len)
{
	const char *p = data, *nl;
	int ret;

	while (len) {
		nl = memchr(p, '\n', len);
		ret = buf_put(&n->partial, p, nl ? (size_t)(nl - p) : len);
		if (ret)
			return ret;
		if (!nl)
			return 0;
		ret = line_end(n);
		if (ret)
			return ret;
		len -= (size_t)(nl - p) + 1;
		p = nl + 1;
	}
	return 0;
}
