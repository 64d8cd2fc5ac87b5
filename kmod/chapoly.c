// SPDX-License-Identifier: GPL-2.0
#include "chapoly.h"
#include "compat.h"

#include <crypto/algapi.h>
#include <crypto/poly1305.h>
#include <linux/string.h>

/* What one packet is ciphered with. */
struct state {
	struct chacha_state stream;
	struct poly1305_desc_ctx mac;
};

/**
 * shunt_chapoly_set() - take a key
 * @c: where to
 * @key: cipher key, then the salt
 */
void shunt_chapoly_set(struct shunt_chapoly *c, const u8 *key)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(c->key); i++)
		c->key[i] = get_unaligned_le32(key + i * sizeof(u32));
	memcpy(c->salt, key + CHACHA_KEY_SIZE, sizeof(c->salt));
}

/* RFC 7634 section 2: nonce of salt and IV; RFC 8439 section 2.6: its first block keys the MAC. */
static void begin(struct state *s, const struct shunt_chapoly *c, const u8 *ad, const u8 *iv)
{
	u8 nonce[CHACHA_IV_SIZE] = {};
	u8 block[POLY1305_KEY_SIZE] = {};
	u8 padded[POLY1305_BLOCK_SIZE] = {};

	memcpy(nonce + sizeof(u32), c->salt, sizeof(c->salt));
	memcpy(nonce + sizeof(u32) + sizeof(c->salt), iv, 8);
	chacha_init(&s->stream, c->key, nonce);
	chacha20_crypt(&s->stream, block, block, sizeof(block));
	poly1305_init(&s->mac, block);
	memcpy(padded, ad, SHUNT_CHAPOLY_AD);
	poly1305_update(&s->mac, padded, sizeof(padded));
	memzero_explicit(block, sizeof(block));
}

/* RFC 8439 section 2.8: ciphertext, zeros to a whole block, both lengths. */
static void authenticate(struct state *s, const u8 *text, unsigned int len, u8 *icv)
{
	static const u8 zeros[POLY1305_BLOCK_SIZE];
	__le64 lens[2] = { cpu_to_le64(SHUNT_CHAPOLY_AD), cpu_to_le64(len) };

	poly1305_update(&s->mac, text, len);
	if (len % POLY1305_BLOCK_SIZE)
		poly1305_update(&s->mac, zeros, POLY1305_BLOCK_SIZE - len % POLY1305_BLOCK_SIZE);
	poly1305_update(&s->mac, (u8 *)lens, sizeof(lens));
	poly1305_final(&s->mac, icv);
}

/**
 * shunt_chapoly_encrypt() - encrypt and authenticate, in place
 * @c: key
 * @ad: SHUNT_CHAPOLY_AD octets that are authenticated only
 * @iv: 8 octets, never used before with this key
 * @text: @len octets, and room for the ICV behind them
 * @len: without the ICV
 */
void shunt_chapoly_encrypt(const struct shunt_chapoly *c, const u8 *ad, const u8 *iv, u8 *text,
			   unsigned int len)
{
	struct state s;

	begin(&s, c, ad, iv);
	chacha20_crypt(&s.stream, text, text, len);
	authenticate(&s, text, len, text + len);
	memzero_explicit(&s, sizeof(s));
}

/**
 * shunt_chapoly_decrypt() - verify and decrypt, in place
 * @c: key
 * @ad: SHUNT_CHAPOLY_AD octets that are authenticated only
 * @iv: 8 octets
 * @text: @len octets, and the ICV behind them
 * @len: without the ICV
 *
 * Return: true; false when it is not authentic, and then nothing was decrypted.
 */
bool shunt_chapoly_decrypt(const struct shunt_chapoly *c, const u8 *ad, const u8 *iv, u8 *text,
			   unsigned int len)
{
	u8 icv[POLY1305_DIGEST_SIZE];
	struct state s;
	bool authentic;

	begin(&s, c, ad, iv);
	authenticate(&s, text, len, icv);
	authentic = !crypto_memneq(icv, text + len, sizeof(icv));
	if (authentic)
		chacha20_crypt(&s.stream, text, text, len);
	memzero_explicit(&s, sizeof(s));
	return authentic;
}
