// SPDX-License-Identifier: GPL-2.0-or-later
/* addr_pool: the host addresses of a prefix, each handed out at most once (see addr.h). */
#include "lib/addr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Free slots form a ring in order of release, so that the one idle longest goes first. */
struct addr_pool {
	struct shunt_prefix prefix;
	size_t skip, size, used;
	size_t head; /* ring position of the next one to hand out */
	uint32_t *ring; /* free slot numbers, size - used of them from head on */
	uint32_t *where; /* slot -> ring position, or TAKEN */
};

#define TAKEN UINT32_MAX

struct addr_pool *addr_pool_new(const struct shunt_prefix *p, size_t skip)
{
	uint64_t hosts = prefix_hosts(p);
	struct addr_pool *pool;

	if (hosts <= skip) {
		errno = EINVAL;
		return NULL;
	}
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return NULL;
	pool->prefix = *p;
	pool->skip = skip;
	pool->size = hosts - skip > ADDR_POOL_MAX ? ADDR_POOL_MAX : (size_t)(hosts - skip);
	pool->ring = malloc(pool->size * sizeof(*pool->ring));
	pool->where = malloc(pool->size * sizeof(*pool->where));
	if (!pool->ring || !pool->where) {
		addr_pool_free(pool);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 0; i < pool->size; i++)
		pool->ring[i] = pool->where[i] = i;
	return pool;
}

void addr_pool_free(struct addr_pool *pool)
{
	if (!pool)
		return;
	free(pool->ring);
	free(pool->where);
	free(pool);
}

/* Take @slot, which lies at some ring position, by swapping it to the head. */
static void slot_take(struct addr_pool *pool, uint32_t slot)
{
	uint32_t pos = pool->where[slot], other = pool->ring[pool->head];

	pool->ring[pos] = other;
	pool->where[other] = pos;
	pool->where[slot] = TAKEN;
	pool->head = (pool->head + 1) % pool->size;
	pool->used++;
}

int addr_pool_get(struct addr_pool *pool, struct shunt_addr *out)
{
	uint32_t slot;

	if (pool->used == pool->size)
		return -ENOSPC;
	slot = pool->ring[pool->head];
	slot_take(pool, slot);
	return prefix_host(&pool->prefix, pool->skip + slot, out);
}

/* Distance of @a from the start of the prefix as a slot number. */
static int slot_of(const struct addr_pool *pool, const struct shunt_addr *a, uint32_t *slot)
{
	const uint8_t *base = pool->prefix.addr.bytes;
	struct shunt_addr first;
	uint64_t d = 0;

	if (!prefix_contains(&pool->prefix, a))
		return -ERANGE;
	/* The base has no host bits, so subtracting is clearing its bits. */
	for (size_t i = 0; i < addr_len(a); i++) {
		if (d >> 56)
			return -ERANGE;
		d = d << 8 | (uint8_t)(a->bytes[i] ^ base[i]);
	}
	prefix_host(&pool->prefix, 0, &first);
	if (!addr_equal(&first, &pool->prefix.addr) && d-- == 0)
		return -ERANGE;
	if (d < pool->skip || d - pool->skip >= pool->size)
		return -ERANGE;
	*slot = (uint32_t)(d - pool->skip);
	return 0;
}

int addr_pool_take(struct addr_pool *pool, const struct shunt_addr *a)
{
	uint32_t slot;

	if (slot_of(pool, a, &slot))
		return -ERANGE;
	if (pool->where[slot] == TAKEN)
		return -EBUSY;
	slot_take(pool, slot);
	return 0;
}

int addr_pool_put(struct addr_pool *pool, const struct shunt_addr *a)
{
	uint32_t slot, pos;

	if (slot_of(pool, a, &slot) || pool->where[slot] != TAKEN)
		return -ENOENT;
	pos = (uint32_t)((pool->head + pool->size - pool->used) % pool->size);
	pool->ring[pos] = slot;
	pool->where[slot] = pos;
	pool->used--;
	return 0;
}

size_t addr_pool_used(const struct addr_pool *pool)
{
	return pool->used;
}

size_t addr_pool_size(const struct addr_pool *pool)
{
	return pool->size;
}
