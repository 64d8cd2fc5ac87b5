// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/reply.h"

#include <string.h>

#include "lib/sapi.h"

int reply_json(const struct cli *c, const struct buf *reply, struct err *e)
{
	struct buf pretty = BUF_INIT;
	size_t i, n = 0;
	int err;

	/* Also the check that it is JSON at all. */
	err = sapi_pretty(reply->data, reply->len, SAPI_LIST_MAX, &pretty, e);
	if (err) {
		buf_fini(&pretty);
		return err;
	}
	if (!c->pretty) {
		/* JSON strings hold no raw line breaks, so all there are can go. */
		buf_reset(&pretty);
		for (i = 0; i < reply->len; i++)
			if (reply->data[i] != '\n' && reply->data[i] != '\r')
				buf_putc(&pretty, reply->data[i]);
	}
	n = pretty.len;
	while (n && pretty.data[n - 1] == '\n')
		n--;
	err = pretty.error;
	if (err)
		err_sys(e, err, "answer");
	else
		out_json(c->out, buf_str(&pretty), n);
	buf_fini(&pretty);
	return err;
}
