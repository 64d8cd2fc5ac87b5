// SPDX-License-Identifier: GPL-2.0-or-later
/* bech32: the examples of BIP 173, and what must not pass. */
#include "lib/bech32.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void examples_of_the_bip(void **state)
{
	static const uint8_t counting[20] = { 0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54,
					      0xb6, 0x35, 0xcf, 0x84, 0x65, 0x3a, 0x56,
					      0xd7, 0xc6, 0x75, 0xbe, 0x77, 0xdf };
	static const char text[] = "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw";
	uint8_t data[20];
	char out[64];

	(void)state;
	assert_int_equal(bech32_decode("a", "A12UEL5L", data, 0), 0);
	assert_int_equal(bech32_decode("a", "a12uel5l", data, 0), 0);
	assert_int_equal(bech32_decode("abcdef", text, data, sizeof(data)), 0);
	assert_memory_equal(data, counting, sizeof(data));
	assert_int_equal(bech32_encode("abcdef", data, sizeof(data), out, sizeof(out)), 0);
	assert_string_equal(out, text);
	assert_int_equal(BECH32_LEN(6, 20), sizeof(text));
	assert_int_equal(bech32_encode("abcdef", data, sizeof(data), out, sizeof(text) - 1),
			 -EMSGSIZE);
}

static void damage_is_noticed(void **state)
{
	char text[] = "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw";
	uint8_t data[20];
	size_t n = strlen(text);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		char was = text[i];

		for (int c = 1; c < 256; c++) {
			text[i] = (char)c;
			assert_int_equal(bech32_decode("abcdef", text, data, sizeof(data)),
					 text[i] == was ? 0 : -EINVAL);
		}
		text[i] = was;
	}
	text[n - 1] = '\0';
	assert_int_equal(bech32_decode("abcdef", text, data, sizeof(data)), -EINVAL);
	text[n - 1] = 'w';
	/* another length, another prefix, mixed case */
	assert_int_equal(bech32_decode("abcdef", text, data, 19), -EINVAL);
	assert_int_equal(bech32_decode("abcde", text, data, sizeof(data)), -EINVAL);
	assert_int_equal(bech32_decode("abcdef", "Abcdef1QPZRY", data, sizeof(data)), -EINVAL);
	assert_int_equal(bech32_decode("a", "", data, 0), -EINVAL);
	/* a right checksum over padding that is not zero: "qp" is 1 octet and bits */
	assert_int_equal(bech32_decode("a", "a1qpamnt9j", data, 1), -EINVAL);
}

static void every_length_comes_back(void **state)
{
	uint8_t data[BECH32_DATA_MAX], again[BECH32_DATA_MAX];
	char text[BECH32_LEN(3, BECH32_DATA_MAX)];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 167 + 13);
	for (size_t len = 0; len <= sizeof(data); len++) {
		assert_int_equal(bech32_encode("key", data, len, text, sizeof(text)), 0);
		assert_int_equal(bech32_decode("key", text, again, len), 0);
		assert_memory_equal(data, again, len);
	}
	assert_int_equal(bech32_encode("key", data, BECH32_DATA_MAX + 1, text, sizeof(text)),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_bip),
		cmocka_unit_test(damage_is_noticed),
		cmocka_unit_test(every_length_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
