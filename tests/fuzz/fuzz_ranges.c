// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ranges: the input is the text form, and also a program of operations of three octets each (what,
 * from, to) that is run against an array of flags.
 */
#include "lib/ranges.h"

#include <stdlib.h>
#include <string.h>

#define SIZE 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void text(const uint8_t *data, size_t size)
{
	struct ranges r = { .max = 64 };
	struct buf b = BUF_INIT;
	char *s = malloc(size + 1);

	if (!s)
		return;
	if (size)
		memcpy(s, data, size);
	s[size] = '\0';
	if (!ranges_parse(s, &r) && (ranges_print(&r, &b) || strcmp(buf_str(&b), s)))
		abort();
	if (r.n > 64)
		abort();
	free(s);
	buf_fini(&b);
	ranges_fini(&r);
}

static void operations(const uint8_t *data, size_t size)
{
	struct ranges r = RANGES_INIT;
	bool model[SIZE] = { false };

	for (; size >= 3; data += 3, size -= 3) {
		bool set = data[0] & 1;
		uint64_t from = data[1], to = data[2], changed, want = 0;

		if ((set ? ranges_add : ranges_remove)(&r, from, to, &changed)) {
			if (from <= to)
				abort();
			continue;
		}
		for (uint64_t i = from; i < to; i++) {
			want += model[i] != set;
			model[i] = set;
		}
		if (changed != want)
			abort();
	}
	for (uint64_t i = 0; i < SIZE; i++) {
		if (ranges_contains(&r, i, i + 1) != model[i])
			abort();
	}
	ranges_fini(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	text(data, size);
	operations(data, size);
	return 0;
}
