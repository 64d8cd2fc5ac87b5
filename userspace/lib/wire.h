/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire: a bounded cursor over bytes with a sticky error. All bytes from or to the network pass
 * through one; check wire_error() once, at the end. After an error reads give zeros and writes do
 * nothing; the cursor stays where it was. Numbers are big-endian.
 */
#ifndef SHUNT_LIB_WIRE_H
#define SHUNT_LIB_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
	const uint8_t *base; /* start of the bytes */
	uint8_t *wbase; /* the same when writable, else NULL */
	size_t pos, size; /* pos <= size always */
	int error; /* 0, -EMSGSIZE (end reached), -EACCES (write to a reader), -SHUNT_EPARSE */
};

void wire_reader(struct wire *w, const void *p, size_t n);
void wire_writer(struct wire *w, void *p, size_t n);

size_t wire_left(const struct wire *w);
size_t wire_used(const struct wire *w);
int wire_error(const struct wire *w);
/* Record @error (negative) unless one is there already; returns the sticky one. */
int wire_fail(struct wire *w, int error);
/* 0 when no error and nothing is left; else the error, or -SHUNT_EPARSE for trailing bytes. */
int wire_done(struct wire *w);

uint8_t wire_get_u8(struct wire *w);
uint16_t wire_get_be16(struct wire *w);
uint32_t wire_get_be32(struct wire *w);
uint64_t wire_get_be64(struct wire *w);
void wire_get(struct wire *w, void *out, size_t n); /* zeroes @out on error */
const uint8_t *wire_get_ptr(struct wire *w, size_t n); /* NULL on error; points into the bytes */
void wire_skip(struct wire *w, size_t n);

void wire_put_u8(struct wire *w, uint8_t v);
void wire_put_be16(struct wire *w, uint16_t v);
void wire_put_be32(struct wire *w, uint32_t v);
void wire_put_be64(struct wire *w, uint64_t v);
void wire_put(struct wire *w, const void *p, size_t n);

#endif
