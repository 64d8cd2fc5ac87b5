/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The capsule: RFC 4303 ESP in tunnel mode with AEAD, RFC 4106 and RFC 7634. Both give the cipher
 * SPI and sequence number as associated data and carry an 8-octet IV, which here is the sequence
 * number, so that a nonce is never used twice as long as a key has one tunnel.
 */
#ifndef SHUNT_ESP_H
#define SHUNT_ESP_H

#include <linux/ip.h>
#include <linux/skbuff.h>
#include <linux/types.h>

#include "chapoly.h"

struct crypto_aead;
struct shunt_tunnel;

#define SHUNT_ESP_IV	8
#define SHUNT_ESP_ICV	16
#define SHUNT_ESP_ALIGN	4

/* Octets before the inner packet, and the most after it. */
#define SHUNT_ESP_HEAD	(sizeof(struct ip_esp_hdr) + SHUNT_ESP_IV)
#define SHUNT_ESP_TAIL	(SHUNT_ESP_ALIGN - 1 + 2 + SHUNT_ESP_ICV)

/* The shortest capsule: an empty payload, padded. */
#define SHUNT_ESP_MIN	(SHUNT_ESP_HEAD + SHUNT_ESP_ALIGN + SHUNT_ESP_ICV)

/*
 * Called when the cipher finished later than the call that began: in the same way that call would
 * have gone on, with RCU held and bottom halves off. @err is 0 or -errno; the packet is the
 * callee's.
 */
typedef void (*shunt_esp_done)(struct shunt_tunnel *t, struct sk_buff *skb, int err);

/* One direction's key; all zero is none. */
struct shunt_esp_key {
	struct crypto_aead *aead; /* NULL with ChaCha20-Poly1305 */
	struct shunt_chapoly chapoly;
};

unsigned int shunt_esp_key_len(u8 cipher);
int shunt_esp_key_set(struct shunt_esp_key *k, u8 cipher, const u8 *key);
void shunt_esp_key_clear(struct shunt_esp_key *k);

int shunt_esp_room(struct sk_buff *skb, unsigned int head);
int shunt_esp_encode(struct shunt_tunnel *t, struct sk_buff *skb, u32 seq, u8 next_header,
		     shunt_esp_done done);
int shunt_esp_decode(struct shunt_tunnel *t, struct sk_buff *skb, shunt_esp_done done);
int shunt_esp_strip(struct sk_buff *skb);

/* The largest inner packet that fits into @len octets of UDP payload. */
static inline int shunt_esp_fit(int len)
{
	return round_down(len - (int)(SHUNT_ESP_HEAD + SHUNT_ESP_ICV), SHUNT_ESP_ALIGN) - 2;
}

#endif /* SHUNT_ESP_H */
