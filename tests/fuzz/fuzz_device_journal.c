// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device's journal: any file found in the state directory at start. Records whose checksum does not
 * fit are never looked into, so each input is tried twice: as it is, and with its checksums put right.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t n)
{
	for (crc = ~crc; n--; p++) {
		crc ^= *p;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (0x82f63b78u & -(crc & 1));
	}
	return ~crc;
}

static void put_checksums(uint8_t *p, size_t size)
{
	for (size_t at = 8; at + 8 <= size;) {
		uint32_t len = be32(p + at), crc;

		if (len > size - at - 8)
			break;
		crc = crc32c(crc32c(0, p + at, 4), p + at + 8, len);
		for (int i = 0; i < 4; i++)
			p[at + 4 + i] = (uint8_t)(crc >> (24 - 8 * i));
		at += 8 + len;
	}
}

static void decode(const uint8_t *data, size_t size)
{
	static const uint8_t boot[JOURNAL_BOOT_LEN] = "abcdefghijklmnop";
	struct journal_replay replay, again;
	size_t good, same;

	if (journal_decode(data, size, boot, &replay, &good) == 0) {
		assert(good > 8 && good <= size);
		assert(id_ok(replay.meta.id) && name_ok(replay.meta.cloud));
		assert(replay.received.n <= JOB_RANGES_MAX);
		if (replay.received.n)
			assert(replay.received.v[replay.received.n - 1].to <= replay.meta.job.size);
		/* What is cut off says nothing. */
		assert(journal_decode(data, good, boot, &again, &same) == 0 && same == good);
		assert(ranges_total(&again.received) == ranges_total(&replay.received));
		assert(again.state == replay.state);
		journal_replay_fini(&again);
	}
	journal_replay_fini(&replay);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	decode(data, size);
	copy = malloc(size ? size : 1);
	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	put_checksums(copy, size);
	decode(copy, size);
	free(copy);
	return 0;
}
