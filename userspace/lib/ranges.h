/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ranges: a set of half-open byte ranges [from, to), kept sorted and merged in one array.
 *
 * Membership is O(log n); add and remove are O(log n) plus a move of what follows. The number of
 * ranges is bounded (RANGES_MAX_DEFAULT): an operation that would leave more fails with -E2BIG and
 * changes nothing. Empty ranges (from == to) are accepted and change nothing; from > to is -EINVAL.
 */
#ifndef SHUNT_LIB_RANGES_H
#define SHUNT_LIB_RANGES_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANGES_MAX_DEFAULT 65536

struct range {
	uint64_t from, to;
};

struct ranges {
	struct range *v; /* sorted, disjoint, not even touching */
	size_t n, cap;
	size_t max; /* 0 = RANGES_MAX_DEFAULT */
};

#define RANGES_INIT                                                                                \
	{                                                                                          \
		0                                                                                  \
	}

void ranges_init(struct ranges *r);
void ranges_fini(struct ranges *r); /* leaves an empty, usable set */
void ranges_clear(struct ranges *r);
int ranges_copy(struct ranges *dst, const struct ranges *src); /* 0 or -ENOMEM */

/* 0, -EINVAL, -E2BIG, -ENOMEM. *added / *removed (may be NULL): bytes that actually changed. */
int ranges_add(struct ranges *r, uint64_t from, uint64_t to, uint64_t *added);
int ranges_remove(struct ranges *r, uint64_t from, uint64_t to, uint64_t *removed);
int ranges_add_all(struct ranges *r, const struct ranges *other);
int ranges_remove_all(struct ranges *r, const struct ranges *other);

bool ranges_contains(const struct ranges *r, uint64_t from, uint64_t to); /* all of it */
uint64_t ranges_overlap(const struct ranges *r, uint64_t from, uint64_t to); /* bytes of it held */
uint64_t ranges_total(const struct ranges *r); /* bytes in all */
bool ranges_complete(const struct ranges *r, uint64_t size); /* holds all of [0, size) */

/*
 * First gap at or after @start and below @size, as [*from, *to). True when there is one.
 * Walk all: for (p = 0; ranges_next_hole(r, p, size, &f, &t); p = t)
 */
bool ranges_next_hole(const struct ranges *r, uint64_t start, uint64_t size, uint64_t *from,
		      uint64_t *to);

/*
 * Text form: "0-4,8-12" half-open, decimal, ascending, "" for the empty set. The parser demands
 * that canonical form: sorted, not touching, from < to. 0, -SHUNT_EPARSE, -E2BIG or -ENOMEM.
 */
int ranges_print(const struct ranges *r, struct buf *out);
int ranges_parse(const char *s, struct ranges *out); /* replaces the content, on success only */

#endif
