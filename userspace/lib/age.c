// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/age_int.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"

#define IV_LEN 12
#define BLOCK 64 /* of ChaCha20 (RFC 8439, 2.3) */

/* ---- primitives ---- */

int age_hkdf(const void *secret, size_t secret_len, const void *salt, size_t salt_len,
	     const char *info, uint8_t out[AGE_KEY_LEN])
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, secret_len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, salt_len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, strlen(info)),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	int rc = ctx && EVP_KDF_derive(ctx, out, AGE_KEY_LEN, params) == 1 ? 0 : -EIO;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return rc;
}

static int aead_seal(EVP_CIPHER_CTX *ctx, const uint8_t *iv, const void *plain, size_t len,
		     uint8_t *out)
{
	int n = 0, rest = 0;

	if (EVP_CipherInit_ex(ctx, NULL, NULL, NULL, iv, 1) != 1 ||
	    (len && EVP_EncryptUpdate(ctx, out, &n, plain, (int)len) != 1) ||
	    EVP_EncryptFinal_ex(ctx, out + n, &rest) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AGE_TAG, out + len) != 1)
		return -EIO;
	return 0;
}

static int aead_unseal(EVP_CIPHER_CTX *ctx, const uint8_t *iv, const uint8_t *in, size_t len,
		       uint8_t *out)
{
	uint8_t tag[AGE_TAG];
	int n = 0, rest = 0;

	if (len < AGE_TAG)
		return -EBADMSG;
	len -= AGE_TAG;
	memcpy(tag, in + len, AGE_TAG);
	if (EVP_CipherInit_ex(ctx, NULL, NULL, NULL, iv, 0) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AGE_TAG, tag) != 1 ||
	    (len && EVP_DecryptUpdate(ctx, out, &n, in, (int)len) != 1))
		return -EIO;
	if (EVP_DecryptFinal_ex(ctx, out + n, &rest) == 1)
		return 0;
	secret_wipe(out, len); /* nobody is to see what was not verified */
	return -EBADMSG;
}

static EVP_CIPHER_CTX *keyed(const EVP_CIPHER *cipher, const uint8_t key[AGE_KEY_LEN])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx && EVP_CipherInit_ex(ctx, cipher, NULL, key, NULL, 1) == 1)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

static const uint8_t zero_iv[IV_LEN];

int age_wrap(const uint8_t key[AGE_KEY_LEN], const uint8_t in[AGE_FILE_KEY_LEN],
	     uint8_t out[AGE_WRAPPED_LEN])
{
	EVP_CIPHER_CTX *ctx = keyed(EVP_chacha20_poly1305(), key);
	int rc = ctx ? aead_seal(ctx, zero_iv, in, AGE_FILE_KEY_LEN, out) : -EIO;

	EVP_CIPHER_CTX_free(ctx);
	return rc;
}

int age_unwrap(const uint8_t key[AGE_KEY_LEN], const uint8_t in[AGE_WRAPPED_LEN],
	       uint8_t out[AGE_FILE_KEY_LEN])
{
	EVP_CIPHER_CTX *ctx = keyed(EVP_chacha20_poly1305(), key);
	int rc = ctx ? aead_unseal(ctx, zero_iv, in, AGE_WRAPPED_LEN, out) : -EIO;

	EVP_CIPHER_CTX_free(ctx);
	return rc;
}

/* ---- one file's keys ---- */

/* What follows from file key and prefix. */
static int derive(struct age *age)
{
	const uint8_t *nonce = age->prefix + age->prefix_len - AGE_NONCE_LEN;
	int rc;

	rc = age_hkdf(age->file_key, AGE_FILE_KEY_LEN, nonce, AGE_NONCE_LEN, "payload",
		      age->payload_key);
	if (!rc)
		rc = age_hkdf(age->file_key, AGE_FILE_KEY_LEN, nonce, AGE_NONCE_LEN,
			      "shunt: parts of chunks", age->mask_key);
	if (rc)
		return rc;
	age->aead = keyed(EVP_chacha20_poly1305(), age->payload_key);
	age->stream = keyed(EVP_chacha20(), age->mask_key);
	return age->aead && age->stream ? 0 : -EIO;
}

static int age_make(const uint8_t *file_key, const void *prefix, size_t len, struct age **out)
{
	struct age *age = calloc(1, sizeof(*age));
	int rc = -ENOMEM;

	if (!age)
		return rc;
	memcpy(age->file_key, file_key, AGE_FILE_KEY_LEN);
	age->prefix = malloc(len);
	age->prefix_len = len;
	if (age->prefix) {
		memcpy(age->prefix, prefix, len);
		rc = derive(age);
	}
	if (rc)
		age_free(age);
	else
		*out = age;
	return rc;
}

int age_new(const struct age_recipient *to, size_t n, struct age **out)
{
	uint8_t file_key[AGE_FILE_KEY_LEN], nonce[AGE_NONCE_LEN];
	struct buf prefix = BUF_INIT;
	int rc;

	if (!n || n > AGE_RECIPIENTS_MAX)
		return -EINVAL;
	rc = age_random(file_key, sizeof(file_key));
	if (!rc)
		rc = age_header_make(file_key, to, n, &prefix);
	if (!rc)
		rc = age_random(nonce, sizeof(nonce));
	if (!rc)
		rc = buf_put(&prefix, nonce, sizeof(nonce));
	if (!rc)
		rc = age_make(file_key, prefix.data, prefix.len, out);
	secret_wipe(file_key, sizeof(file_key));
	buf_fini(&prefix);
	return rc;
}

/* Length of the prefix with whatever @each makes of its stanzas. */
static ssize_t walk(const void *data, size_t len,
		    int (*each)(const struct age_stanza *s, void *arg), void *arg, int *found,
		    struct err *e)
{
	ssize_t n;

	if (!len)
		return 0;
	n = age_header_walk(data, len < AGE_PREFIX_MAX ? len : AGE_PREFIX_MAX, each, arg, found, e);
	if (n > 0 && (size_t)n + AGE_NONCE_LEN > AGE_PREFIX_MAX)
		n = 0;
	if (n == 0 && len >= AGE_PREFIX_MAX)
		return err_set(e, -SHUNT_EPARSE, "the header of the age file passes %d octets",
			       AGE_PREFIX_MAX);
	return n > 0 && len - (size_t)n >= AGE_NONCE_LEN ? n + AGE_NONCE_LEN : n < 0 ? n : 0;
}

ssize_t age_prefix(const void *data, size_t len, struct err *e)
{
	int found;

	return walk(data, len, NULL, NULL, &found, e);
}

struct unlock {
	const struct age_identity *ids;
	size_t n;
	uint8_t file_key[AGE_FILE_KEY_LEN];
};

/* 1: an identity fits; -errno ends the search, too. */
static int try_stanza(const struct age_stanza *s, void *arg)
{
	struct unlock *u = arg;
	uint8_t salt[2 * AGE_KEY_LEN], shared[AGE_KEY_LEN], key[AGE_KEY_LEN];
	struct age_recipient self;
	int rc = -EBADMSG;

	for (size_t i = 0; i < u->n && rc == -EBADMSG; i++) {
		memcpy(salt, s->share, AGE_KEY_LEN);
		rc = age_identity_recipient(&u->ids[i], &self);
		memcpy(salt + AGE_KEY_LEN, self.key, AGE_KEY_LEN);
		if (!rc)
			rc = age_x25519(u->ids[i].key, s->share, shared);
		if (!rc)
			rc = age_hkdf(shared, sizeof(shared), salt, sizeof(salt),
				      "age-encryption.org/v1/X25519", key);
		if (!rc)
			rc = age_unwrap(key, s->body, u->file_key);
	}
	secret_wipe(shared, sizeof(shared));
	secret_wipe(key, sizeof(key));
	return rc == -EBADMSG ? 0 : rc ? rc : 1;
}

/* From here on only a header that is all there will do. */
static int whole(ssize_t n, struct err *e)
{
	if (n == 0)
		return err_set(e, -SHUNT_EPARSE, "the age file ends within its header");
	return n < 0 ? (int)n : 0;
}

int age_open(const void *data, size_t len, const struct age_identity *ids, size_t n,
	     struct age **out, struct err *e)
{
	struct unlock u = { .ids = ids, .n = n };
	int found = 0, rc;
	ssize_t prefix = walk(data, len, try_stanza, &u, &found, e);

	rc = whole(prefix, e);
	if (!rc && found == 0)
		rc = err_set(e, -ENOKEY, "the file is not encrypted to this identity");
	else if (!rc && found == -EINVAL)
		rc = err_set(e, -SHUNT_EPARSE, "the header of the age file is malformed");
	else if (!rc && found < 0)
		rc = err_sys(e, found, "the header of the age file");
	if (!rc) {
		rc = age_header_verify(data, (size_t)prefix - AGE_NONCE_LEN, u.file_key);
		if (rc == -EBADMSG)
			err_set(e, rc, "the header of the age file was altered");
	}
	if (!rc)
		rc = age_make(u.file_key, data, (size_t)prefix, out);
	secret_wipe(u.file_key, sizeof(u.file_key));
	return rc;
}

int age_restore(const void *data, size_t len, const uint8_t file_key[AGE_FILE_KEY_LEN],
		struct age **out, struct err *e)
{
	ssize_t prefix = age_prefix(data, len, e);
	int rc = whole(prefix, e);

	if (!rc)
		rc = age_header_verify(data, (size_t)prefix - AGE_NONCE_LEN, file_key);
	if (rc == -EBADMSG)
		err_set(e, rc, "the file key kept is not this age file's");
	return rc ? rc : age_make(file_key, data, (size_t)prefix, out);
}

void age_free(struct age *age)
{
	if (!age)
		return;
	EVP_CIPHER_CTX_free(age->aead);
	EVP_CIPHER_CTX_free(age->stream);
	free(age->prefix);
	secret_wipe(age, sizeof(*age));
	free(age);
}

void age_file_key(const struct age *age, uint8_t out[AGE_FILE_KEY_LEN])
{
	memcpy(out, age->file_key, AGE_FILE_KEY_LEN);
}

const void *age_prefix_of(const struct age *age, size_t *len)
{
	*len = age->prefix_len;
	return age->prefix;
}

/* ---- sizes and chunks ---- */

uint64_t age_chunks(uint64_t plain)
{
	return plain ? (plain - 1) / AGE_CHUNK + 1 : 1;
}

uint64_t age_size(const struct age *age, uint64_t plain)
{
	return age->prefix_len + plain + age_chunks(plain) * AGE_TAG;
}

int age_plain_size(const struct age *age, uint64_t size, uint64_t *plain)
{
	uint64_t body, chunks, last;

	if (size < age->prefix_len + AGE_TAG)
		return -EBADMSG;
	body = size - age->prefix_len;
	chunks = (body - 1) / AGE_SEALED + 1;
	last = body - (chunks - 1) * AGE_SEALED;
	/* A last chunk of nothing is that of an empty file only. */
	if (last < AGE_TAG || (last == AGE_TAG && chunks > 1))
		return -EBADMSG;
	*plain = body - chunks * AGE_TAG;
	return 0;
}

size_t age_chunk_len(uint64_t plain, uint64_t index)
{
	uint64_t left = plain - index * AGE_CHUNK;

	return left < AGE_CHUNK ? (size_t)left : AGE_CHUNK;
}

uint64_t age_chunk_at(const struct age *age, uint64_t index)
{
	return age->prefix_len + index * AGE_SEALED;
}

/* The counter has 11 octets, of which 8 are ever used. */
static void chunk_iv(uint64_t index, bool last, uint8_t iv[IV_LEN])
{
	memset(iv, 0, IV_LEN);
	for (int i = 0; i < 8; i++)
		iv[10 - i] = (uint8_t)(index >> 8 * i);
	iv[11] = last;
}

int age_seal(struct age *age, uint64_t index, bool last, const void *plain, size_t len,
	     uint8_t *out)
{
	uint8_t iv[IV_LEN];

	chunk_iv(index, last, iv);
	return aead_seal(age->aead, iv, plain, len, out);
}

int age_unseal(struct age *age, uint64_t index, bool last, const void *sealed, size_t len,
	       uint8_t *out)
{
	uint8_t iv[IV_LEN];

	chunk_iv(index, last, iv);
	return aead_unseal(age->aead, iv, sealed, len, out);
}

int age_mask(struct age *age, uint64_t index, size_t offset, void *data, size_t len)
{
	uint8_t iv[4 + IV_LEN], skipped[BLOCK] = { 0 };
	uint32_t block = (uint32_t)(offset / BLOCK);
	int n, skip = (int)(offset % BLOCK);

	/* OpenSSL's IV is the block counter, little endian, and the nonce (RFC 8439, 2.3). */
	for (int i = 0; i < 4; i++)
		iv[i] = (uint8_t)(block >> 8 * i);
	chunk_iv(index, false, iv + 4);
	if (EVP_CipherInit_ex(age->stream, NULL, NULL, NULL, iv, 1) != 1 ||
	    (skip && EVP_EncryptUpdate(age->stream, skipped, &n, skipped, skip) != 1) ||
	    EVP_EncryptUpdate(age->stream, data, &n, data, (int)len) != 1)
		return -EIO;
	return 0;
}
