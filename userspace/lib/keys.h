/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keys: the two keys of a tunnel, derived alike by gateway and cloud from the TLS connection
 * between them, so that they never travel (Documentation/protocol.md, "Keys").
 *
 * TLS exporter (RFC 8446 7.5) with label TUNNEL_KEYS_LABEL and the context
 *	nonce (16 octets) | cloud's SPI (be32) | gateway's SPI (be32) | cipher (u8) | direction (u8)
 * where an SPI is the party's inbound one and cipher is the number of enum shunt_cipher in
 * <linux/shunt.h>. A context must not be used twice: the gateway picks a random SPI of its own and
 * refuses a nonce it has seen on this connection.
 */
#ifndef SHUNT_LIB_KEYS_H
#define SHUNT_LIB_KEYS_H

#include "lib/types.h"

#include <stddef.h>
#include <stdint.h>

struct h2;

#define TUNNEL_KEYS_LABEL "EXPORTER-shunt-tunnel-v1"
#define TUNNEL_KEYS_CONTEXT_LEN 26
#define TUNNEL_KEYS_MAX 36 /* octets: 32 of cipher key, 4 of salt */

enum tunnel_direction { TUNNEL_TO_GATEWAY = 0, TUNNEL_TO_CLOUD = 1 };

/* What both ends know of the tunnel. */
struct tunnel_keys_id {
	const char *nonce; /* 32 hex digits */
	uint32_t cloud_spi, gateway_spi; /* inbound SPIs */
	enum cipher cipher;
};

/* Secret; wipe as soon as the kernel has it. */
struct tunnel_keys {
	uint8_t to_gateway[TUNNEL_KEYS_MAX]; /* gateway: key-in, cloud: key-out */
	uint8_t to_cloud[TUNNEL_KEYS_MAX];
	size_t len; /* octets of each: cipher_key_len() */
};

/* The exporter's context. 0, or -EINVAL for a nonce or cipher that is none. */
int tunnel_keys_context(const struct tunnel_keys_id *id, enum tunnel_direction direction,
			uint8_t out[TUNNEL_KEYS_CONTEXT_LEN]);

/*
 * Derive both keys from @h2's TLS connection. 0, -EINVAL, -ENOTCONN (no TLS), -EIO; on error @out
 * is wiped.
 */
int tunnel_keys_derive(struct h2 *h2, const struct tunnel_keys_id *id, struct tunnel_keys *out);
void tunnel_keys_wipe(struct tunnel_keys *keys);

#endif
