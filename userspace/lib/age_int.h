/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * age_int: what the parts of age.h share.
 */
#ifndef SHUNT_LIB_AGE_INT_H
#define SHUNT_LIB_AGE_INT_H

#include "lib/age.h"
#include "lib/buf.h"
#include "lib/err.h"

#define AGE_WRAPPED_LEN (AGE_FILE_KEY_LEN + AGE_TAG)

struct evp_cipher_ctx_st; /* OpenSSL's EVP_CIPHER_CTX */

struct age {
	uint8_t file_key[AGE_FILE_KEY_LEN];
	uint8_t *prefix; /* header and nonce */
	size_t prefix_len;
	uint8_t payload_key[AGE_KEY_LEN];
	uint8_t mask_key[AGE_KEY_LEN];
	struct evp_cipher_ctx_st *aead, *stream;
};

/* HKDF-SHA-256 (RFC 5869) to 32 octets. 0 or -EIO. */
int age_hkdf(const void *secret, size_t secret_len, const void *salt, size_t salt_len,
	     const char *info, uint8_t out[AGE_KEY_LEN]);
/* X25519 (RFC 7748); 0, -EINVAL (the result is all zero), -EIO. */
int age_x25519(const uint8_t secret[AGE_KEY_LEN], const uint8_t point[AGE_KEY_LEN],
	       uint8_t out[AGE_KEY_LEN]);
/* @point = @secret times the base point. */
int age_x25519_base(const uint8_t secret[AGE_KEY_LEN], uint8_t point[AGE_KEY_LEN]);
/* Random octets from the kernel. 0 or -errno. */
int age_random(void *out, size_t len);
/* One-shot ChaCha20-Poly1305 with a nonce of zeros, for wrapping: 16 octets. 0, -EBADMSG, -EIO. */
int age_wrap(const uint8_t key[AGE_KEY_LEN], const uint8_t in[AGE_FILE_KEY_LEN],
	     uint8_t out[AGE_WRAPPED_LEN]);
int age_unwrap(const uint8_t key[AGE_KEY_LEN], const uint8_t in[AGE_WRAPPED_LEN],
	       uint8_t out[AGE_FILE_KEY_LEN]);

/* ---- age_header.c ---- */

/* Append the header that wraps @file_key for @to. 0, -EINVAL, -EIO, -errno. */
int age_header_make(const uint8_t file_key[AGE_FILE_KEY_LEN], const struct age_recipient *to,
		    size_t n, struct buf *out);
struct age_stanza {
	uint8_t share[AGE_KEY_LEN];
	uint8_t body[AGE_WRAPPED_LEN];
};
/*
 * Walk over the header at the beginning of @data and call @each (may be NULL) for every X25519 stanza until it
 * returns something else than 0, which is remembered in *@found. > 0: the header's length; 0: it is not
 * all there; -SHUNT_EPARSE.
 */
ssize_t age_header_walk(const uint8_t *data, size_t len,
			int (*each)(const struct age_stanza *s, void *arg), void *arg, int *found,
			struct err *e);
/* Is the MAC of the header (all of @len octets) that of @file_key? 0, -EBADMSG, -EIO. */
int age_header_verify(const uint8_t *header, size_t len, const uint8_t file_key[AGE_FILE_KEY_LEN]);

#endif
