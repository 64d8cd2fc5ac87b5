// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A certificate in DER as a stranger may present it, and the text of a SAN URI: what is accepted must be in
 * canonical form, so that one party cannot have two names.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_party(const struct party *party)
{
	char text[PARTY_STR_LEN];
	struct party again;

	assert(name_ok(party->name));
	assert(party_parse(party_print(party, text), &again) == 0);
	assert(party_equal(party, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pki_info info;
	struct party party;
	struct err e = { 0 };
	char *text;

	if (pki_decode(data, size, &info, &e) == 0) {
		assert(strlen(info.serial) % 2 == 0 && strlen(info.sha256) == 64);
		assert(strlen(info.subject) < sizeof(info.subject));
		if (info.has_party)
			check_party(&info.party);
	} else {
		assert(e.code < 0 && e.text[0]);
	}
	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (party_parse(text, &party) == 0)
		check_party(&party);
	free(text);
	return 0;
}
