/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bech32: octets as text with a checksum (BIP 173), as age writes its keys: without BIP 173's limit of
 * 90 characters. Pure.
 */
#ifndef SHUNT_LIB_BECH32_H
#define SHUNT_LIB_BECH32_H

#include <stddef.h>
#include <stdint.h>

#define BECH32_DATA_MAX 64 /* octets of data */
#define BECH32_PREFIX_MAX 32 /* characters of the human-readable part */

/* Room that @len octets of data under a prefix of @prefix characters take, with NUL. */
#define BECH32_LEN(prefix, len) ((prefix) + 1 + ((len)*8 + 4) / 5 + 6 + 1)

/* In lower case; @prefix is lower case. 0, -EINVAL, -EMSGSIZE. */
int bech32_encode(const char *prefix, const void *data, size_t len, char *out, size_t size);
/*
 * Exactly @len octets under exactly @prefix, all upper or all lower case. 0 or -EINVAL: another prefix or
 * length, a wrong character or checksum, bits that are not zero in the padding. @out is wiped then.
 */
int bech32_decode(const char *prefix, const char *text, void *out, size_t len);

#endif
