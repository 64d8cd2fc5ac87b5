/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * digest: SHA-256 of content (FIPS 180-4), wiping of secrets. On OpenSSL. (Comparison of secrets and
 * random ids are in types.h.)
 */
#ifndef SHUNT_LIB_DIGEST_H
#define SHUNT_LIB_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN 32
#define SHA256_HEX_LEN 64

struct sha256;

/* Streaming: new, any number of updates, final (which may be called once), free. NULL to free is
 * allowed. Return 0, -ENOMEM, -EIO (OpenSSL failed).
 */
int sha256_new(struct sha256 **out);
int sha256_update(struct sha256 *sha, const void *data, size_t len);
int sha256_final(struct sha256 *sha, uint8_t out[SHA256_LEN]);
/* The digest of what was added so far; @sha goes on. */
int sha256_peek(const struct sha256 *sha, uint8_t out[SHA256_LEN]);
void sha256_free(struct sha256 *sha);

int sha256_once(const void *data, size_t len, uint8_t out[SHA256_LEN]);
/* Of the @len octets of @fd from @offset on (pread; the file position stays). -ENODATA when the file
 * is shorter. Blocks for the time of reading.
 */
int sha256_fd(int fd, uint64_t offset, uint64_t len, uint8_t out[SHA256_LEN]);
/* Lower-case hex with NUL. */
void sha256_hex(const uint8_t digest[SHA256_LEN], char out[SHA256_HEX_LEN + 1]);

/* Overwrite; never optimised away. */
void secret_wipe(void *p, size_t len);

#endif
