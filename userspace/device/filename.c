// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/filename.h"

#include <stddef.h>
#include <string.h>

#include "lib/types.h"

#define FILENAME_MAX_OCTETS 200

const char *filename_fault(const char *name)
{
	size_t len = strlen(name);

	if (len == 0)
		return "the name is empty";
	if (len > FILENAME_MAX_OCTETS)
		return "the name is longer than 200 octets";
	if (!utf8_ok(name, len))
		return "the name is not valid UTF-8";
	/* Also keeps "." and ".." out, and our own temporary files apart. */
	if (name[0] == '.')
		return "the name begins with a dot";
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];
		/* U+0080 to U+009F are C2 80 to C2 9F. */
		unsigned char next = (unsigned char)name[i + 1];

		if (c == '/')
			return "the name contains a slash";
		if (c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next <= 0x9f))
			return "the name contains a control character";
	}
	return NULL;
}
