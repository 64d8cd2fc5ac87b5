// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/h2_body.h"

#include <errno.h>
#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- outgoing bodies ---- */

void h2_body_init(struct h2_body *body)
{
	memset(body, 0, sizeof(*body));
	buf_init_secret(&body->bytes, BUF_MAX_DEFAULT);
}

static void source_done(struct h2_body *body)
{
	if (body->kind != H2_BODY_SOURCE || !body->source.read)
		return;
	body->source.read = NULL;
	if (body->source.done)
		body->source.done(body->source.arg);
}

void h2_body_fini(struct h2_body *body)
{
	source_done(body);
	buf_fini(&body->bytes);
}

int64_t h2_body_len(const struct h2_body *body)
{
	switch (body->kind) {
	case H2_BODY_NONE:
		return 0;
	case H2_BODY_BYTES:
		return (int64_t)body->bytes.len;
	case H2_BODY_SOURCE:
		return body->source.len;
	default:
		return H2_SOURCE_UNKNOWN;
	}
}

size_t h2_body_unsent(const struct h2_body *body)
{
	return body->bytes.len - body->off;
}

static ssize_t read_source(struct h2_body *body, uint8_t *buf, size_t len, uint32_t *flags)
{
	struct h2_source *src = &body->source;
	uint64_t left = UINT64_MAX;
	ssize_t got = 0;

	if (!src->read)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (src->len >= 0)
		left = (uint64_t)src->len - body->sent;
	if (left) {
		got = src->read(src->arg, buf, len < left ? len : (size_t)left);
		if (got == -EAGAIN) {
			body->deferred = true;
			return NGHTTP2_ERR_DEFERRED;
		}
		/* Too little is as wrong as too much: the length was announced. */
		if (got < 0 || (uint64_t)got > left || (got == 0 && src->len >= 0)) {
			body->error = got < 0 ? (int)got : -ENODATA;
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		}
	}
	if (got == 0 || (uint64_t)got == left) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		body->ended = true;
		source_done(body);
	}
	return got;
}

static ssize_t read_bytes(struct h2_body *body, uint8_t *buf, size_t len, uint32_t *flags)
{
	size_t left = h2_body_unsent(body);
	bool last = body->kind == H2_BODY_BYTES || body->finished;

	if (!left && !last) {
		body->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (len > left)
		len = left;
	if (len)
		memcpy(buf, body->bytes.data + body->off, len);
	body->off += len;
	if (len == left && last) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		body->ended = true;
	}
	if (body->off == body->bytes.len) {
		buf_reset(&body->bytes);
		body->off = 0;
	}
	return (ssize_t)len;
}

ssize_t h2_body_read(struct h2_body *body, uint8_t *buf, size_t len, uint32_t *flags)
{
	ssize_t got;

	if (body->kind == H2_BODY_SOURCE)
		got = read_source(body, buf, len, flags);
	else
		got = read_bytes(body, buf, len, flags);
	if (got > 0)
		body->sent += (uint64_t)got;
	return got;
}

/* ---- header sections ---- */

const char *h2_fields_get(const struct buf *fields, const char *name)
{
	const char *at = (const char *)fields->data;
	const char *end = at + fields->len;

	while (at < end) {
		const char *value = at + strlen(at) + 1;

		if (!strcmp(at, name))
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}

int h2_fields_put(struct buf *fields, const uint8_t *name, size_t name_len, const uint8_t *value,
		  size_t value_len)
{
	/* nghttp2 refuses NUL in both, so the separators stay unambiguous. */
	buf_put(fields, name, name_len);
	buf_putc(fields, 0);
	buf_put(fields, value, value_len);
	return buf_putc(fields, 0);
}

/* ---- files as sources ---- */

struct fd_source {
	int fd;
	uint64_t at, end;
};

static ssize_t fd_source_read(void *arg, void *buf, size_t len)
{
	struct fd_source *src = arg;
	uint64_t left = src->end - src->at;
	ssize_t got;

	do {
		got = pread(src->fd, buf, len < left ? len : (size_t)left, (off_t)src->at);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	src->at += (uint64_t)got;
	return got;
}

static void fd_source_done(void *arg)
{
	struct fd_source *src = arg;

	close(src->fd);
	free(src);
}

int h2_source_fd(struct h2_source *source, int fd, uint64_t offset, uint64_t len)
{
	struct fd_source *src;
	int rc;

	if (offset > INT64_MAX || len > INT64_MAX - offset)
		return -EOVERFLOW;
	src = calloc(1, sizeof(*src));
	if (!src)
		return -ENOMEM;
	src->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (src->fd < 0) {
		rc = -errno;
		free(src);
		return rc;
	}
	src->at = offset;
	src->end = offset + len;
	*source = (struct h2_source){
		.read = fd_source_read,
		.done = fd_source_done,
		.arg = src,
		.len = (int64_t)len,
	};
	return 0;
}
