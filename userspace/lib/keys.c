// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/keys.h"

#include <errno.h>
#include <linux/shunt.h>

#include "lib/digest.h"
#include "lib/h2.h"
#include "lib/wire.h"

#define NONCE_LEN 16

/*
 * The context names the cipher by the kernel's number, which is part of a protocol between hosts.
 */
_Static_assert((int)CIPHER_AES_GCM_128 == SHUNT_CIPHER_AES_GCM_128, "cipher number");
_Static_assert((int)CIPHER_AES_GCM_256 == SHUNT_CIPHER_AES_GCM_256, "cipher number");
_Static_assert((int)CIPHER_CHACHA20_POLY1305 == SHUNT_CIPHER_CHACHA20_POLY1305, "cipher number");

int tunnel_keys_context(const struct tunnel_keys_id *id, enum tunnel_direction direction,
			uint8_t out[TUNNEL_KEYS_CONTEXT_LEN])
{
	uint8_t nonce[NONCE_LEN];
	struct wire w;

	if (id->cipher < CIPHER_AES_GCM_128 || id->cipher > CIPHER_CHACHA20_POLY1305 ||
	    !id_ok(id->nonce) || hex_decode(id->nonce, nonce, sizeof(nonce)) < 0)
		return -EINVAL;
	wire_writer(&w, out, TUNNEL_KEYS_CONTEXT_LEN);
	wire_put(&w, nonce, sizeof(nonce));
	wire_put_be32(&w, id->cloud_spi);
	wire_put_be32(&w, id->gateway_spi);
	wire_put_u8(&w, (uint8_t)id->cipher);
	wire_put_u8(&w, (uint8_t)direction);
	return wire_error(&w);
}

static int derive(struct h2 *h2, const struct tunnel_keys_id *id, enum tunnel_direction direction,
		  uint8_t *out, size_t len)
{
	uint8_t context[TUNNEL_KEYS_CONTEXT_LEN];
	int rc = tunnel_keys_context(id, direction, context);

	if (rc < 0)
		return rc;
	return h2_export(h2, TUNNEL_KEYS_LABEL, context, sizeof(context), out, len);
}

int tunnel_keys_derive(struct h2 *h2, const struct tunnel_keys_id *id, struct tunnel_keys *out)
{
	int rc;

	out->len = cipher_key_len(id->cipher);
	rc = derive(h2, id, TUNNEL_TO_GATEWAY, out->to_gateway, out->len);
	if (rc == 0)
		rc = derive(h2, id, TUNNEL_TO_CLOUD, out->to_cloud, out->len);
	if (rc < 0)
		tunnel_keys_wipe(out);
	return rc;
}

void tunnel_keys_wipe(struct tunnel_keys *keys)
{
	secret_wipe(keys, sizeof(*keys));
}
