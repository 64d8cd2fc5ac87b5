// SPDX-License-Identifier: GPL-2.0-or-later
/* wire: bounded cursor with a sticky error. */
#include "lib/wire.h"

#include "lib/err.h"

#include <errno.h>
#include <string.h>

void wire_reader(struct wire *w, const void *p, size_t n)
{
	*w = (struct wire){ .base = p, .size = n };
}

void wire_writer(struct wire *w, void *p, size_t n)
{
	*w = (struct wire){ .base = p, .wbase = p, .size = n };
}

size_t wire_left(const struct wire *w)
{
	return w->size - w->pos;
}

size_t wire_used(const struct wire *w)
{
	return w->pos;
}

int wire_error(const struct wire *w)
{
	return w->error;
}

int wire_fail(struct wire *w, int error)
{
	if (!w->error)
		w->error = error;
	return w->error;
}

int wire_done(struct wire *w)
{
	if (!w->error && wire_left(w))
		w->error = -SHUNT_EPARSE;
	return w->error;
}

static bool wire_have(struct wire *w, size_t n)
{
	if (!w->error && n > wire_left(w))
		w->error = -EMSGSIZE;
	return !w->error;
}

const uint8_t *wire_get_ptr(struct wire *w, size_t n)
{
	const uint8_t *p;

	if (!wire_have(w, n))
		return NULL;
	p = w->base + w->pos;
	w->pos += n;
	return p;
}

void wire_get(struct wire *w, void *out, size_t n)
{
	if (!wire_have(w, n)) {
		memset(out, 0, n);
		return;
	}
	if (n)
		memcpy(out, w->base + w->pos, n);
	w->pos += n;
}

void wire_skip(struct wire *w, size_t n)
{
	if (wire_have(w, n))
		w->pos += n;
}

/* Big-endian number of @n octets. */
static uint64_t wire_get_uint(struct wire *w, size_t n)
{
	uint64_t v = 0;

	if (!wire_have(w, n))
		return 0;
	while (n--)
		v = v << 8 | w->base[w->pos++];
	return v;
}

uint8_t wire_get_u8(struct wire *w)
{
	return (uint8_t)wire_get_uint(w, 1);
}

uint16_t wire_get_be16(struct wire *w)
{
	return (uint16_t)wire_get_uint(w, 2);
}

uint32_t wire_get_be32(struct wire *w)
{
	return (uint32_t)wire_get_uint(w, 4);
}

uint64_t wire_get_be64(struct wire *w)
{
	return wire_get_uint(w, 8);
}

static bool wire_room(struct wire *w, size_t n)
{
	if (!w->wbase)
		wire_fail(w, -EACCES);
	return wire_have(w, n);
}

void wire_put(struct wire *w, const void *p, size_t n)
{
	if (!wire_room(w, n))
		return;
	if (n)
		memcpy(w->wbase + w->pos, p, n);
	w->pos += n;
}

static void wire_put_uint(struct wire *w, uint64_t v, size_t n)
{
	if (!wire_room(w, n))
		return;
	for (size_t i = n; i--; v >>= 8)
		w->wbase[w->pos + i] = (uint8_t)v;
	w->pos += n;
}

void wire_put_u8(struct wire *w, uint8_t v)
{
	wire_put_uint(w, v, 1);
}

void wire_put_be16(struct wire *w, uint16_t v)
{
	wire_put_uint(w, v, 2);
}

void wire_put_be32(struct wire *w, uint32_t v)
{
	wire_put_uint(w, v, 4);
}

void wire_put_be64(struct wire *w, uint64_t v)
{
	wire_put_uint(w, v, 8);
}
