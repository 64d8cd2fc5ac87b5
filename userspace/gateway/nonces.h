/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nonces: which 128-bit nonces were used on a connection, so that no exporter context is used
 * twice.
 */
#ifndef SHUNT_GATEWAY_NONCES_H
#define SHUNT_GATEWAY_NONCES_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty. */
struct nonces {
	uint8_t (*slot)[16]; /* open addressing; all zero = free */
	size_t mask, n;
};

/* Add an id of 32 hex digits. 0, -EEXIST, -ENOSPC when @max are held, -EINVAL, -ENOMEM. */
int nonces_add(struct nonces *s, const char *nonce, size_t max);
void nonces_clear(struct nonces *s);

#endif
