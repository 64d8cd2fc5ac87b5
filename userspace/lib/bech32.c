// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/bech32.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define CHECKSUM 6
#define SYMBOLS_MAX ((BECH32_DATA_MAX * 8 + 4) / 5 + CHECKSUM)

static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* One step of the BCH code of BIP 173. */
static uint32_t mix(uint32_t sum, uint8_t symbol)
{
	static const uint32_t generator[] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
					      0x2a1462b3 };
	uint32_t top = sum >> 25;

	sum = (sum & 0x1ffffff) << 5 ^ symbol;
	for (int i = 0; i < 5; i++)
		if (top >> i & 1)
			sum ^= generator[i];
	return sum;
}

static uint32_t checksum(const char *prefix, const uint8_t *symbols, size_t n)
{
	uint32_t sum = 1;
	const char *p;

	for (p = prefix; *p; p++)
		sum = mix(sum, (uint8_t)*p >> 5);
	sum = mix(sum, 0);
	for (p = prefix; *p; p++)
		sum = mix(sum, (uint8_t)*p & 31);
	for (size_t i = 0; i < n; i++)
		sum = mix(sum, symbols[i]);
	return sum;
}

/* Octets to groups of five bits; the last group is padded with zeros. Returns their number. */
static size_t spread(const uint8_t *data, size_t len, uint8_t *symbols)
{
	uint32_t bits = 0;
	unsigned int held = 0;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | data[i];
		for (held += 8; held >= 5; held -= 5)
			symbols[n++] = bits >> (held - 5) & 31;
	}
	if (held)
		symbols[n++] = (uint8_t)(bits << (5 - held) & 31);
	return n;
}

/* Back again; false when the padding is not zero. */
static bool gather(const uint8_t *symbols, uint8_t *data, size_t len)
{
	uint32_t bits = 0;
	unsigned int held = 0;
	size_t n = 0;

	for (size_t i = 0; n < len; i++) {
		bits = bits << 5 | symbols[i];
		held += 5;
		if (held >= 8) {
			held -= 8;
			data[n++] = (uint8_t)(bits >> held);
		}
	}
	return (bits & ((1u << held) - 1)) == 0;
}

int bech32_encode(const char *prefix, const void *data, size_t len, char *out, size_t size)
{
	uint8_t symbols[SYMBOLS_MAX];
	size_t at = strlen(prefix), n;
	uint32_t sum;

	if (!at || at > BECH32_PREFIX_MAX || len > BECH32_DATA_MAX)
		return -EINVAL;
	if (size < BECH32_LEN(at, len))
		return -EMSGSIZE;
	n = spread(data, len, symbols);
	memset(symbols + n, 0, CHECKSUM);
	sum = checksum(prefix, symbols, n + CHECKSUM) ^ 1;
	for (int i = 0; i < CHECKSUM; i++)
		symbols[n + (size_t)i] = sum >> 5 * (CHECKSUM - 1 - i) & 31;
	memcpy(out, prefix, at);
	out[at++] = '1';
	for (size_t i = 0; i < n + CHECKSUM; i++)
		out[at++] = alphabet[symbols[i]];
	out[at] = '\0';
	explicit_bzero(symbols, sizeof(symbols));
	return 0;
}

/* The characters of @text behind the prefix as groups of five bits; false: one of them is wrong. */
static bool read_symbols(const char *text, size_t n, bool upper, uint8_t *symbols)
{
	const char *at;
	int c;

	for (size_t i = 0; i < n; i++) {
		c = (unsigned char)text[i];
		if (upper ? islower(c) : isupper(c))
			return false;
		at = c ? strchr(alphabet, tolower(c)) : NULL;
		if (!at)
			return false;
		symbols[i] = (uint8_t)(at - alphabet);
	}
	return true;
}

int bech32_decode(const char *prefix, const char *text, void *out, size_t len)
{
	size_t at = strlen(prefix), n = (len * 8 + 4) / 5 + CHECKSUM;
	uint8_t symbols[SYMBOLS_MAX];
	bool upper = isupper((unsigned char)text[0]), good;

	if (len > BECH32_DATA_MAX || strlen(text) != at + 1 + n || text[at] != '1')
		return -EINVAL;
	for (size_t i = 0; i < at; i++)
		if (text[i] != (upper ? toupper((unsigned char)prefix[i]) : prefix[i]))
			return -EINVAL;
	good = read_symbols(text + at + 1, n, upper, symbols) &&
	       checksum(prefix, symbols, n) == 1 && gather(symbols, out, len);
	explicit_bzero(symbols, sizeof(symbols));
	if (!good)
		explicit_bzero(out, len);
	return good ? 0 : -EINVAL;
}
