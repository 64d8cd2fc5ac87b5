// SPDX-License-Identifier: GPL-2.0-or-later
/* The file of names and passwords: whatever it holds, it is taken as it stands or refused without telling a secret. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "cloud/credentials.h"
#include "lib/err.h"
#include "lib/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct credentials_entry *entry;
	struct credentials *c = NULL;
	struct err e = { 0 };
	char device[NAME_LEN] = "";
	size_t len;

	if (credentials_parse((const char *)data, size, &c, &e)) {
		assert(!c && e.text[0]);
		return 0;
	}
	/* Ask for whatever stands first in the text. */
	for (len = 0; len < size && len < NAME_LEN - 1 && data[len] > ' '; len++)
		device[len] = (char)data[len];
	entry = credentials_find(c, device);
	if (entry) {
		assert(!strcmp(entry->device, device) && name_ok(entry->device));
		assert(*entry->name && strlen(entry->name) <= CREDENTIALS_WORD_MAX);
		assert(*entry->password && strlen(entry->password) <= CREDENTIALS_WORD_MAX);
		assert(!strpbrk(entry->name, ": \t\n") && !strchr(entry->password, '\n'));
	}
	credentials_free(c);
	return 0;
}
