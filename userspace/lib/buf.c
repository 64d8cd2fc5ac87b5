// SPDX-License-Identifier: GPL-2.0-or-later
/* buf: growable byte buffer with a ceiling and a sticky error. */
#include "lib/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_MIN 128

void buf_init(struct buf *b)
{
	buf_init_max(b, BUF_MAX_DEFAULT);
}

void buf_init_max(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_init_secret(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max, .secret = true };
}

void buf_fini(struct buf *b)
{
	if (b->secret && b->data)
		explicit_bzero(b->data, b->cap);
	free(b->data);
	*b = (struct buf){ .max = b->max, .secret = b->secret };
}

void buf_reset(struct buf *b)
{
	/* Not all of cap: a large block may be refilled with little very often. */
	if (b->secret && b->data)
		explicit_bzero(b->data, b->len);
	b->len = 0;
	b->error = 0;
	if (b->data)
		b->data[0] = 0;
}

/* Move to a larger block; never realloc() for a secret, which would leave a copy behind. */
static int buf_grow(struct buf *b, size_t cap)
{
	uint8_t *p;

	if (!b->secret) {
		p = realloc(b->data, cap);
		if (!p)
			return b->error = -ENOMEM;
	} else {
		p = malloc(cap);
		if (!p)
			return b->error = -ENOMEM;
		if (b->data) {
			memcpy(p, b->data, b->len);
			explicit_bzero(b->data, b->cap);
			free(b->data);
		}
	}
	b->data = p;
	b->cap = cap;
	b->data[b->len] = 0;
	return 0;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
	size_t cap;

	if (b->error)
		return NULL;
	if (b->len > b->max || n > b->max - b->len || b->len + n == SIZE_MAX) {
		b->error = -EMSGSIZE;
		return NULL;
	}
	if (b->len + n + 1 <= b->cap)
		return b->data + b->len;
	cap = b->cap < BUF_MIN ? BUF_MIN : b->cap;
	while (cap < b->len + n + 1)
		cap = cap > SIZE_MAX / 2 ? b->len + n + 1 : cap * 2;
	return buf_grow(b, cap) ? NULL : b->data + b->len;
}

void buf_commit(struct buf *b, size_t n)
{
	if (b->error || !b->data)
		return;
	if (n > b->cap - 1 - b->len)
		n = b->cap - 1 - b->len;
	b->len += n;
	b->data[b->len] = 0;
}

int buf_put(struct buf *b, const void *p, size_t n)
{
	uint8_t *at = buf_reserve(b, n);

	if (!at)
		return b->error;
	if (n)
		memcpy(at, p, n);
	buf_commit(b, n);
	return 0;
}

int buf_puts(struct buf *b, const char *s)
{
	return buf_put(b, s, strlen(s));
}

int buf_putc(struct buf *b, uint8_t c)
{
	return buf_put(b, &c, 1);
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	uint8_t *at;
	int n;

	if (b->error)
		return b->error;
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return b->error = -EINVAL;
	at = buf_reserve(b, (size_t)n);
	if (!at)
		return b->error;
	vsnprintf((char *)at, (size_t)n + 1, fmt, ap);
	buf_commit(b, (size_t)n);
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return ret;
}

size_t buf_copy(const struct buf *b, size_t *pos, void *to, size_t len)
{
	if (len > b->len - *pos)
		len = b->len - *pos;
	if (len)
		memcpy(to, b->data + *pos, len);
	*pos += len;
	return len;
}

void buf_consume(struct buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (!n)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	if (b->secret)
		explicit_bzero(b->data + b->len, n);
	b->data[b->len] = 0;
}

const char *buf_str(const struct buf *b)
{
	return b->data ? (const char *)b->data : "";
}

char *buf_steal(struct buf *b, size_t *len)
{
	char *p;

	if (!b->data && !b->error)
		buf_reserve(b, 0);
	if (b->error)
		return NULL;
	p = (char *)b->data;
	if (len)
		*len = b->len;
	*b = (struct buf){ .max = b->max, .secret = b->secret };
	return p;
}
