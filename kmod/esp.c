// SPDX-License-Identifier: GPL-2.0
#include "esp.h"
#include "compat.h"
#include "tunnel.h"

#include <crypto/aead.h>
#include <linux/err.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

static const struct {
	const char *name; /* of the transform; NULL: chapoly.h */
	u8 key_len; /* salt included, which comes last */
} ciphers[] = {
	[SHUNT_CIPHER_AES_GCM_128] = { "rfc4106(gcm(aes))", 16 + SHUNT_KEY_SALT_LEN },
	[SHUNT_CIPHER_AES_GCM_256] = { "rfc4106(gcm(aes))", 32 + SHUNT_KEY_SALT_LEN },
	[SHUNT_CIPHER_CHACHA20_POLY1305] = { NULL, CHACHA_KEY_SIZE + SHUNT_CHAPOLY_SALT },
};

/* The header of a capsule. */
struct esp_head {
	__be32 spi;
	__be32 seq;
	u8 iv[SHUNT_ESP_IV];
};

/* One packet in the cipher; the transform's part of the request follows. */
struct esp_op {
	struct shunt_tunnel *tunnel;
	struct sk_buff *skb;
	shunt_esp_done done;
	struct scatterlist sg;
	u8 iv[SHUNT_ESP_IV];
	struct aead_request req;
};

/**
 * shunt_esp_key_len() - how long a cipher's key is
 * @cipher: enum shunt_cipher
 *
 * Return: octets, the salt included.
 */
unsigned int shunt_esp_key_len(u8 cipher)
{
	return ciphers[cipher].key_len;
}

static struct crypto_aead *aead_new(u8 cipher, const u8 *key)
{
	struct crypto_aead *aead = crypto_alloc_aead(ciphers[cipher].name, 0, 0);
	int err;

	if (IS_ERR(aead))
		return aead;
	err = crypto_aead_setkey(aead, key, ciphers[cipher].key_len);
	if (!err)
		err = crypto_aead_setauthsize(aead, SHUNT_ESP_ICV);
	if (!err && crypto_aead_ivsize(aead) != SHUNT_ESP_IV)
		err = -EINVAL;
	if (!err)
		return aead;
	crypto_free_aead(aead);
	return ERR_PTR(err);
}

/**
 * shunt_esp_key_set() - install a key
 * @k: where to, all zero
 * @cipher: enum shunt_cipher
 * @key: shunt_esp_key_len() octets, copied
 *
 * Return: 0 or -errno; to be undone by shunt_esp_key_clear() in any case.
 */
int shunt_esp_key_set(struct shunt_esp_key *k, u8 cipher, const u8 *key)
{
	struct crypto_aead *aead;

	if (!ciphers[cipher].name) {
		shunt_chapoly_set(&k->chapoly, key);
		return 0;
	}
	aead = aead_new(cipher, key);
	if (IS_ERR(aead))
		return PTR_ERR(aead);
	k->aead = aead;
	return 0;
}

/**
 * shunt_esp_key_clear() - wipe a key, and free what it needs
 * @k: key or none
 */
void shunt_esp_key_clear(struct shunt_esp_key *k)
{
	if (k->aead)
		crypto_free_aead(k->aead); /* wipes its context */
	memzero_explicit(k, sizeof(*k));
}

static void finish(shunt_crypto_arg *arg, int err)
{
	struct esp_op *op = shunt_crypto_data(arg);
	struct shunt_tunnel *t = op->tunnel;
	struct sk_buff *skb = op->skb;
	shunt_esp_done done = op->done;

	/* only with MAY_BACKLOG, which is not set */
	if (WARN_ON_ONCE(err == -EINPROGRESS))
		return;
	kfree(op);
	local_bh_disable();
	rcu_read_lock();
	done(t, skb, err);
	rcu_read_unlock();
	local_bh_enable();
	shunt_tunnel_put(t);
}

/* @len octets from the ESP header on are to be ciphered, in place. */
static struct esp_op *op_new(struct shunt_tunnel *t, struct crypto_aead *aead, struct sk_buff *skb,
			     unsigned int len, unsigned int crypt_len, shunt_esp_done done)
{
	struct esp_op *op = kmalloc(sizeof(*op) + crypto_aead_reqsize(aead), GFP_ATOMIC);

	if (!op)
		return NULL;
	op->tunnel = t;
	op->skb = skb;
	op->done = done;
	sg_init_one(&op->sg, skb->data, len);
	memcpy(op->iv, skb->data + sizeof(struct ip_esp_hdr), SHUNT_ESP_IV);
	aead_request_set_tfm(&op->req, aead);
	aead_request_set_callback(&op->req, 0, finish, op);
	aead_request_set_crypt(&op->req, &op->sg, &op->sg, crypt_len, op->iv);
	/* these transforms take the IV as the end of the associated data, and leave it out of it */
	aead_request_set_ad(&op->req, SHUNT_ESP_HEAD);
	return op;
}

/*
 * Completion may come on another CPU before this returns, so the reference for it is taken first.
 * Without one to be had the tunnel is gone.
 */
static int op_run(struct esp_op *op, int (*crypt)(struct aead_request *req))
{
	struct shunt_tunnel *t = op->tunnel;
	int err;

	if (!shunt_tunnel_hold(t)) {
		kfree(op);
		return -ESTALE;
	}
	err = crypt(&op->req);
	if (err == -EINPROGRESS)
		return err;
	kfree(op);
	shunt_tunnel_put(t);
	return err;
}

/**
 * shunt_esp_room() - make a packet linear, writable and with room around it
 * @skb: packet, not shared
 * @head: octets wanted before skb->data
 *
 * Room for the trailer is made too. At most one copy where the packet is not cloned and paged.
 *
 * Return: 0 or -ENOMEM; the packet stays the caller's.
 */
int shunt_esp_room(struct sk_buff *skb, unsigned int head)
{
	int more_head, more_tail;

	if (skb_linearize_cow(skb))
		return -ENOMEM;
	more_head = max_t(int, head - skb_headroom(skb), 0);
	more_tail = max_t(int, SHUNT_ESP_TAIL - skb_tailroom(skb), 0);
	if (!more_head && !more_tail)
		return 0;
	return pskb_expand_head(skb, SKB_DATA_ALIGN(more_head), more_tail, GFP_ATOMIC);
}

/* RFC 4303 section 2.4: 1, 2, 3, ..., then the pad's length and the next header. */
static void put_trailer(struct sk_buff *skb, u8 next_header)
{
	u8 pad = -(skb->len + 2) & (SHUNT_ESP_ALIGN - 1);
	u8 *tail = skb_put(skb, pad + 2);
	u8 i;

	for (i = 0; i < pad; i++)
		tail[i] = i + 1;
	tail[pad] = pad;
	tail[pad + 1] = next_header;
}

/**
 * shunt_esp_encode() - make a capsule of an inner packet
 * @t: tunnel; RCU is held and bottom halves are off
 * @skb: packet at skb->data that went through shunt_esp_room(); becomes the capsule, up to and
 *	with the ICV, in place
 * @seq: its sequence number, never used before
 * @next_header: IPPROTO_IPIP, IPPROTO_IPV6 or IPPROTO_NONE
 * @done: see shunt_esp_done
 *
 * Return: 0; -EINPROGRESS when @done has been or will be called and the packet is not the
 * caller's any more; else -errno.
 */
int shunt_esp_encode(struct shunt_tunnel *t, struct sk_buff *skb, u32 seq, u8 next_header,
		     shunt_esp_done done)
{
	unsigned int plain_len;
	struct esp_head *h;
	struct esp_op *op;

	put_trailer(skb, next_header);
	plain_len = skb->len;
	h = skb_push(skb, sizeof(*h));
	BUILD_BUG_ON(sizeof(*h) != SHUNT_ESP_HEAD);
	h->spi = t->spi_out;
	h->seq = htonl(seq);
	put_unaligned_be64(seq, h->iv);
	skb_put(skb, SHUNT_ESP_ICV);

	if (!t->key_out.aead) {
		shunt_chapoly_encrypt(&t->key_out.chapoly, skb->data, h->iv,
				      skb->data + SHUNT_ESP_HEAD, plain_len);
		return 0;
	}
	op = op_new(t, t->key_out.aead, skb, skb->len, plain_len, done);
	if (!op)
		return -ENOMEM;
	return op_run(op, crypto_aead_encrypt);
}

/**
 * shunt_esp_decode() - authenticate and decrypt a capsule
 * @t: tunnel; RCU is held and bottom halves are off
 * @skb: capsule at skb->data, at least SHUNT_ESP_MIN octets, linear and writable
 * @done: see shunt_esp_done
 *
 * Return: 0; -EINPROGRESS when @done has been or will be called and the packet is not the
 * caller's any more; -EBADMSG when it is not authentic; else -errno.
 */
int shunt_esp_decode(struct shunt_tunnel *t, struct sk_buff *skb, shunt_esp_done done)
{
	const struct esp_head *h = (const struct esp_head *)skb->data;
	unsigned int len = skb->len - SHUNT_ESP_HEAD;
	struct esp_op *op;

	if (!t->key_in.aead)
		return shunt_chapoly_decrypt(&t->key_in.chapoly, skb->data, h->iv,
					     skb->data + SHUNT_ESP_HEAD, len - SHUNT_ESP_ICV) ?
			       0 : -EBADMSG;
	op = op_new(t, t->key_in.aead, skb, skb->len, len, done);
	if (!op)
		return -ENOMEM;
	return op_run(op, crypto_aead_decrypt);
}

/**
 * shunt_esp_strip() - take header, trailer and ICV off a decrypted capsule
 * @skb: capsule at skb->data, linear; the inner packet afterwards
 *
 * Return: the next header, or -EINVAL when the padding is not what RFC 4303 section 2.4 says.
 */
int shunt_esp_strip(struct sk_buff *skb)
{
	unsigned int len = skb->len - SHUNT_ESP_ICV;
	const u8 *tail = skb->data + len - 2;
	u8 pad = tail[0];
	u8 next_header = tail[1];
	u8 i;

	if (SHUNT_ESP_HEAD + pad + 2 > len)
		return -EINVAL;
	for (i = 0; i < pad; i++)
		if (tail[i - pad] != i + 1)
			return -EINVAL;
	__skb_trim(skb, len - 2 - pad);
	__skb_pull(skb, SHUNT_ESP_HEAD);
	return next_header;
}
