// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/nonces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/types.h"

#define NONCE_LEN 16
#define SLOTS_MIN 16

static const uint8_t none[NONCE_LEN];

static size_t find(uint8_t (*slot)[NONCE_LEN], size_t mask, const uint8_t *nonce)
{
	uint64_t h;

	/*
	 * The cloud chooses nonces, but it gains nothing from collisions: it would slow down its
	 * own requests, and the table of one connection is bounded.
	 */
	memcpy(&h, nonce, sizeof(h));
	while (memcmp(slot[h & mask], none, NONCE_LEN) != 0 &&
	       memcmp(slot[h & mask], nonce, NONCE_LEN) != 0)
		h++;
	return h & mask;
}

/* Kept at most half full. */
static int grow(struct nonces *s)
{
	size_t slots = s->slot ? 2 * (s->mask + 1) : SLOTS_MIN, i;
	uint8_t(*bigger)[NONCE_LEN] = calloc(slots, NONCE_LEN);

	if (!bigger)
		return -ENOMEM;
	for (i = 0; s->slot && i <= s->mask; i++) {
		if (memcmp(s->slot[i], none, NONCE_LEN) != 0)
			memcpy(bigger[find(bigger, slots - 1, s->slot[i])], s->slot[i], NONCE_LEN);
	}
	free(s->slot);
	s->slot = bigger;
	s->mask = slots - 1;
	return 0;
}

int nonces_add(struct nonces *s, const char *nonce, size_t max)
{
	uint8_t octets[NONCE_LEN];
	size_t at;

	if (!id_ok(nonce) || hex_decode(nonce, octets, sizeof(octets)) < 0 ||
	    memcmp(octets, none, NONCE_LEN) == 0)
		return -EINVAL;
	if ((!s->slot || 2 * (s->n + 1) > s->mask + 1) && grow(s) < 0)
		return -ENOMEM;
	at = find(s->slot, s->mask, octets);
	if (memcmp(s->slot[at], none, NONCE_LEN) != 0)
		return -EEXIST;
	if (s->n >= max)
		return -ENOSPC;
	memcpy(s->slot[at], octets, NONCE_LEN);
	s->n++;
	return 0;
}

void nonces_clear(struct nonces *s)
{
	free(s->slot);
	*s = (struct nonces){ 0 };
}
