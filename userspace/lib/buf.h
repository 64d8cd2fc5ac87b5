/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * buf: a growable byte buffer with a ceiling and a sticky error, so that an encoder checks once.
 *
 * The bytes are always followed by a NUL that is not counted, so data can be used as a string when
 * it holds no NUL itself. A secret buffer is wiped whenever its memory is given back.
 */
#ifndef SHUNT_LIB_BUF_H
#define SHUNT_LIB_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUF_MAX_DEFAULT ((size_t)64 << 20) /* bytes */

struct buf {
	uint8_t *data; /* NULL while empty and never grown */
	size_t len; /* bytes in use */
	size_t cap; /* bytes allocated */
	size_t max; /* ceiling for len */
	int error; /* first -ENOMEM or -EMSGSIZE; later puts do nothing */
	bool secret;
};

#define BUF_INIT                                                                                   \
	{                                                                                          \
		.max = BUF_MAX_DEFAULT                                                             \
	}

void buf_init(struct buf *b);
void buf_init_max(struct buf *b, size_t max);
void buf_init_secret(struct buf *b, size_t max);
void buf_fini(struct buf *b); /* frees (wipes a secret) and leaves an empty, usable buffer */
void buf_reset(struct buf *b); /* forgets (wipes a secret's) content and error, keeps the memory */

/* All return 0 or the sticky error. */
int buf_put(struct buf *b, const void *p, size_t n);
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, uint8_t c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/*
 * Room for @n more bytes at the end; NULL on error. Valid until the next call; fill it, then
 * buf_commit() at most @n bytes.
 */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

/* Up to @len bytes from *@pos on, which goes on behind them; how many: 0 at the end. */
size_t buf_copy(const struct buf *b, size_t *pos, void *to, size_t len);

/* Drop @n bytes (at most len) from the front. */
void buf_consume(struct buf *b, size_t n);

/* The content as a C string, "" when empty. Owned by @b. */
const char *buf_str(const struct buf *b);

/*
 * Hand the memory to the caller, who frees it with free(); *len may be NULL. NULL when @b holds an
 * error or no memory; @b is empty afterwards.
 */
char *buf_steal(struct buf *b, size_t *len);

#endif
