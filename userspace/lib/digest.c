// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/digest.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/types.h"

struct sha256 {
	EVP_MD_CTX *ctx;
};

int sha256_new(struct sha256 **out)
{
	struct sha256 *sha = calloc(1, sizeof(*sha));

	if (!sha)
		return -ENOMEM;
	sha->ctx = EVP_MD_CTX_new();
	if (!sha->ctx || EVP_DigestInit_ex(sha->ctx, EVP_sha256(), NULL) != 1) {
		sha256_free(sha);
		return -ENOMEM;
	}
	*out = sha;
	return 0;
}

int sha256_update(struct sha256 *sha, const void *data, size_t len)
{
	return EVP_DigestUpdate(sha->ctx, data, len) == 1 ? 0 : -EIO;
}

int sha256_final(struct sha256 *sha, uint8_t out[SHA256_LEN])
{
	return EVP_DigestFinal_ex(sha->ctx, out, NULL) == 1 ? 0 : -EIO;
}

int sha256_peek(const struct sha256 *sha, uint8_t out[SHA256_LEN])
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	int rc = -EIO;

	if (!copy)
		return -ENOMEM;
	if (EVP_MD_CTX_copy_ex(copy, sha->ctx) == 1 && EVP_DigestFinal_ex(copy, out, NULL) == 1)
		rc = 0;
	EVP_MD_CTX_free(copy);
	return rc;
}

void sha256_free(struct sha256 *sha)
{
	if (!sha)
		return;
	EVP_MD_CTX_free(sha->ctx);
	free(sha);
}

int sha256_once(const void *data, size_t len, uint8_t out[SHA256_LEN])
{
	return EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

int sha256_fd(int fd, uint64_t offset, uint64_t len, uint8_t out[SHA256_LEN])
{
	enum { CHUNK = 65536 };
	struct sha256 *sha = NULL;
	uint8_t *chunk = malloc(CHUNK);
	int rc = chunk ? sha256_new(&sha) : -ENOMEM;

	while (rc == 0 && len > 0) {
		ssize_t got = pread(fd, chunk, len < CHUNK ? len : CHUNK, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			rc = got < 0 ? -errno : -ENODATA;
			break;
		}
		rc = sha256_update(sha, chunk, (size_t)got);
		offset += (uint64_t)got;
		len -= (uint64_t)got;
	}
	if (rc == 0)
		rc = sha256_final(sha, out);
	sha256_free(sha);
	free(chunk);
	return rc;
}

void sha256_hex(const uint8_t digest[SHA256_LEN], char out[SHA256_HEX_LEN + 1])
{
	hex_encode(digest, SHA256_LEN, out);
}

void secret_wipe(void *p, size_t len)
{
	OPENSSL_cleanse(p, len);
}
