// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cipher: how long the processor takes to encrypt and decrypt one packet, with nothing around it.
 * Loading it measures and prints "cipher: NAME SIZE NANOSECONDS" lines; it never stays loaded.
 */
#include <crypto/aead.h>
#include <crypto/chacha20poly1305.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#define ICV 16
#define AD 16 /* ESP header and IV */
#define TURNS 16 /* the least of so many is told, as nobody was in the way then */
#define ROUNDS 250 /* in each of them */

static const unsigned int sizes[] = { 96, 1432 };

/* WireGuard's calls */
static u64 library(u8 *buf, unsigned int size)
{
	static const u8 key[CHACHA20POLY1305_KEY_SIZE] = { 1 };
	u64 best = U64_MAX, start;
	unsigned int turn, i;

	for (turn = 0; turn < TURNS; turn++) {
		start = ktime_get_ns();
		for (i = 0; i < ROUNDS; i++) {
			chacha20poly1305_encrypt(buf, buf, size, NULL, 0, i, key);
			if (!chacha20poly1305_decrypt(buf, buf, size + ICV, NULL, 0, i, key))
				return 0;
		}
		best = min(best, ktime_get_ns() - start);
	}
	return div_u64(best, ROUNDS);
}

static int once(struct aead_request *req, u8 *buf, unsigned int size, bool encrypt)
{
	struct scatterlist sg;
	u8 iv[8] = {};
	DECLARE_CRYPTO_WAIT(wait);

	sg_init_one(&sg, buf, AD + size + ICV);
	aead_request_set_callback(req, CRYPTO_TFM_REQ_MAY_SLEEP, crypto_req_done, &wait);
	aead_request_set_ad(req, AD);
	aead_request_set_crypt(req, &sg, &sg, size + (encrypt ? 0 : ICV), iv);
	return crypto_wait_req(encrypt ? crypto_aead_encrypt(req) : crypto_aead_decrypt(req),
			       &wait);
}

static u64 api(const char *name, unsigned int key_len, u8 *buf, unsigned int size)
{
	static const u8 key[36] = { 1 };
	struct crypto_aead *tfm = crypto_alloc_aead(name, 0, 0);
	struct aead_request *req = NULL;
	u64 best = U64_MAX, start, ns = 0;
	unsigned int turn, i;

	if (IS_ERR(tfm))
		return 0;
	if (crypto_aead_setkey(tfm, key, key_len) || crypto_aead_setauthsize(tfm, ICV))
		goto out;
	req = aead_request_alloc(tfm, GFP_KERNEL);
	if (!req)
		goto out;
	for (turn = 0; turn < TURNS; turn++) {
		start = ktime_get_ns();
		for (i = 0; i < ROUNDS; i++)
			if (once(req, buf, size, true) || once(req, buf, size, false))
				goto out;
		best = min(best, ktime_get_ns() - start);
	}
	ns = div_u64(best, ROUNDS);
out:
	aead_request_free(req);
	crypto_free_aead(tfm);
	return ns;
}

static int __init cipher_init(void)
{
	u8 *buf = kzalloc(2048, GFP_KERNEL);
	unsigned int i;

	if (!buf)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		pr_notice("cipher: chacha20-poly1305 %u %llu\n", sizes[i], library(buf, sizes[i]));
		pr_notice("cipher: chacha20-poly1305-api %u %llu\n", sizes[i],
			  api("rfc7539esp(chacha20,poly1305)", 36, buf, sizes[i]));
		pr_notice("cipher: aes-gcm-256 %u %llu\n", sizes[i],
			  api("rfc4106(gcm(aes))", 36, buf, sizes[i]));
	}
	kfree(buf);
	return -EAGAIN; /* done */
}
module_init(cipher_init);

MODULE_DESCRIPTION("Time of the ciphers alone, for tests/bench/datapath");
MODULE_LICENSE("GPL");
