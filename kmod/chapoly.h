/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ChaCha20-Poly1305 as RFC 7634 wants it for ESP, on the kernel's library of primitives. The crypto
 * API offers the same as a transform, at an allocation and several indirect calls a packet and half
 * a KiB a key; the library's own AEAD has no room for ESP's salt in its nonce.
 */
#ifndef SHUNT_CHAPOLY_H
#define SHUNT_CHAPOLY_H

#include <crypto/chacha.h>
#include <linux/types.h>

#define SHUNT_CHAPOLY_SALT	4
#define SHUNT_CHAPOLY_AD	8

struct shunt_chapoly {
	u32 key[CHACHA_KEY_SIZE / sizeof(u32)];
	u8 salt[SHUNT_CHAPOLY_SALT];
};

void shunt_chapoly_set(struct shunt_chapoly *c, const u8 *key);
void shunt_chapoly_encrypt(const struct shunt_chapoly *c, const u8 *ad, const u8 *iv, u8 *text,
			   unsigned int len);
bool shunt_chapoly_decrypt(const struct shunt_chapoly *c, const u8 *ad, const u8 *iv, u8 *text,
			   unsigned int len);

#endif /* SHUNT_CHAPOLY_H */
