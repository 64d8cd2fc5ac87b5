// SPDX-License-Identifier: GPL-2.0-or-later
/* store_notice: what the cloud has to tell devices still. */
#include "lib/store_db.h"

#include <string.h>

int store_notice_add(struct store *s, const struct store_notice *n)
{
	return store_run(s, ST_NOTICE_ADD, "tti", n->device, n->job, n->created);
}

int store_notice_del(struct store *s, const char *device, const char *job)
{
	return store_run(s, ST_NOTICE_DEL, "tt", device, job);
}

int store_notice_list(struct store *s, int (*fn)(void *arg, const struct store_notice *n),
		      void *arg)
{
	sqlite3_stmt *st = store_start(s, ST_NOTICE_LIST, "");
	struct store_notice n;
	int ret;

	if (!st)
		return s->err.code;
	while ((ret = store_step(s, st)) == 1) {
		memset(&n, 0, sizeof(n));
		ret = store_text(s, st, 0, n.device, sizeof(n.device));
		if (!ret)
			ret = store_text(s, st, 1, n.job, sizeof(n.job));
		n.created = sqlite3_column_int64(st, 2);
		if (!ret)
			ret = fn(arg, &n);
		if (ret) {
			store_end(st);
			break;
		}
	}
	return ret;
}
