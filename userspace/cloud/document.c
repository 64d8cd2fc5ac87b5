// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud/http.h"
#include "lib/buf.h"

struct document {
	struct document_conf conf;
	struct http_call *call; /* NULL: over */
	struct buf head; /* the IPP message before the content */
	uint64_t pos; /* of head and content */
	uint64_t left; /* of them, when the call was over */
	uint64_t arrived, moved_at;
};

static ssize_t read_head(struct document *d, void *to, size_t len)
{
	size_t pos = (size_t)d->pos, n = buf_copy(&d->head, &pos, to, len);

	d->pos = pos;
	return (ssize_t)n;
}

static ssize_t read_content(struct document *d, void *to, size_t len)
{
	uint64_t at = d->pos - d->head.len;
	ssize_t n;

	if (len > d->conf.size - at)
		len = d->conf.size - at;
	if (!len)
		return 0;
	do {
		n = pread(d->conf.fd, to, len, (off_t)at);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -ENODATA;
	d->conf.on_wire(at, at + (uint64_t)n, d->conf.arg);
	d->pos += (uint64_t)n;
	return n;
}

static ssize_t read_body(void *arg, void *to, size_t len)
{
	struct document *d = arg;

	return d->pos < d->head.len ? read_head(d, to, len) : read_content(d, to, len);
}

static void on_reply(const struct http_reply *reply, void *arg)
{
	struct document *d = arg;

	d->call = NULL;
	d->left = reply->left;
	d->conf.on_sent(reply, d->conf.arg);
}

int document_new(const struct document_conf *conf, struct document **out)
{
	struct document *d = calloc(1, sizeof(*d));
	static const char *const headers[] = { IPP_TYPE_HEADER, NULL };
	struct http_request req = {
		.method = "POST",
		.path = conf->path,
		.headers = headers,
		.read = read_body,
		.read_arg = d,
		.once = true,
		.max_reply = IPP_REPLY_MAX,
	};
	int ret;

	if (!d)
		return -ENOMEM;
	d->conf = *conf;
	d->moved_at = conf->now;
	buf_init(&d->head);
	ret = ipp_send_document(conf->ref, conf->job, conf->format, conf->name, &d->head);
	req.size = d->head.len + conf->size;
	if (!ret)
		ret = http_call_new(conf->host, &req, on_reply, d, &d->call);
	if (ret) {
		document_free(d);
		return ret;
	}
	*out = d;
	return 0;
}

void document_free(struct document *d)
{
	if (!d)
		return;
	http_call_free(d->call);
	buf_fini(&d->head);
	free(d);
}

static uint64_t left(const struct document *d)
{
	return d->call ? http_call_left(d->call) : d->left;
}

bool document_none_left(const struct document *d)
{
	return left(d) <= d->head.len;
}

bool document_all_left(const struct document *d)
{
	return left(d) >= d->head.len + d->conf.size;
}

bool document_moves(struct document *d, uint64_t now)
{
	uint64_t acked = d->call ? http_call_acked(d->call) : 0;

	acked = acked > d->head.len ? acked - d->head.len : 0;
	if (acked >= d->conf.size)
		acked = d->conf.size ? d->conf.size - 1 : 0;
	if (acked <= d->arrived)
		return false;
	d->arrived = acked;
	d->moved_at = now;
	return true;
}

uint64_t document_arrived(const struct document *d)
{
	return d->arrived;
}

uint64_t document_quiet_ms(const struct document *d, uint64_t now)
{
	return now - d->moved_at;
}
