// SPDX-License-Identifier: GPL-2.0-or-later
/* ranges: a set of half-open byte ranges in one sorted array. */
#include "lib/ranges.h"

#include "lib/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void ranges_init(struct ranges *r)
{
	*r = (struct ranges)RANGES_INIT;
}

void ranges_fini(struct ranges *r)
{
	free(r->v);
	*r = (struct ranges){ .max = r->max };
}

void ranges_clear(struct ranges *r)
{
	r->n = 0;
}

static int ranges_room(struct ranges *r, size_t n)
{
	size_t cap = r->cap ? r->cap : 8;
	struct range *v;

	if (n > (r->max ? r->max : RANGES_MAX_DEFAULT))
		return -E2BIG;
	if (n <= r->cap)
		return 0;
	while (cap < n)
		cap *= 2;
	v = realloc(r->v, cap * sizeof(*v));
	if (!v)
		return -ENOMEM;
	r->v = v;
	r->cap = cap;
	return 0;
}

int ranges_copy(struct ranges *dst, const struct ranges *src)
{
	int ret;

	if (dst == src)
		return 0;
	ret = ranges_room(dst, src->n);
	if (ret)
		return ret;
	if (src->n)
		memcpy(dst->v, src->v, src->n * sizeof(*src->v));
	dst->n = src->n;
	return 0;
}

/* Index of the first range that ends at or after @pos (@touch) or after it; n if none. */
static size_t first_ending(const struct ranges *r, uint64_t pos, bool touch)
{
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (touch ? r->v[mid].to >= pos : r->v[mid].to > pos)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* Replace ranges [i, j) by the @n in @with. */
static int splice(struct ranges *r, size_t i, size_t j, const struct range *with, size_t n)
{
	int ret = ranges_room(r, r->n - (j - i) + n);

	if (ret)
		return ret;
	if (r->n > j)
		memmove(r->v + i + n, r->v + j, (r->n - j) * sizeof(*r->v));
	if (n)
		memcpy(r->v + i, with, n * sizeof(*with));
	r->n = r->n - (j - i) + n;
	return 0;
}

int ranges_add(struct ranges *r, uint64_t from, uint64_t to, uint64_t *added)
{
	struct range merged = { from, to };
	uint64_t held = 0;
	size_t i, j;
	int ret;

	if (added)
		*added = 0;
	if (from > to)
		return -EINVAL;
	if (from == to)
		return 0;
	i = first_ending(r, from, true);
	for (j = i; j < r->n && r->v[j].from <= to; j++) {
		held += r->v[j].to - r->v[j].from;
		if (r->v[j].from < merged.from)
			merged.from = r->v[j].from;
		if (r->v[j].to > merged.to)
			merged.to = r->v[j].to;
	}
	ret = splice(r, i, j, &merged, 1);
	if (!ret && added)
		*added = merged.to - merged.from - held;
	return ret;
}

int ranges_remove(struct ranges *r, uint64_t from, uint64_t to, uint64_t *removed)
{
	struct range rest[2];
	uint64_t gone = 0;
	size_t i, j, n = 0;
	int ret;

	if (removed)
		*removed = 0;
	if (from > to)
		return -EINVAL;
	if (from == to)
		return 0;
	i = first_ending(r, from, false);
	for (j = i; j < r->n && r->v[j].from < to; j++) {
		struct range x = r->v[j];

		gone += (x.to < to ? x.to : to) - (x.from > from ? x.from : from);
		if (x.from < from)
			rest[n++] = (struct range){ x.from, from };
		if (x.to > to)
			rest[n++] = (struct range){ to, x.to };
	}
	ret = splice(r, i, j, rest, n);
	if (!ret && removed)
		*removed = gone;
	return ret;
}

/* Work on a copy, so that a failure half-way changes nothing. */
static int ranges_apply(struct ranges *r, const struct ranges *other,
			int (*op)(struct ranges *, uint64_t, uint64_t, uint64_t *))
{
	struct ranges tmp = { .max = r->max };
	int ret = ranges_copy(&tmp, r);

	for (size_t i = 0; !ret && i < other->n; i++)
		ret = op(&tmp, other->v[i].from, other->v[i].to, NULL);
	if (ret) {
		ranges_fini(&tmp);
		return ret;
	}
	ranges_fini(r);
	*r = tmp;
	return 0;
}

int ranges_add_all(struct ranges *r, const struct ranges *other)
{
	return ranges_apply(r, other, ranges_add);
}

int ranges_remove_all(struct ranges *r, const struct ranges *other)
{
	return ranges_apply(r, other, ranges_remove);
}

bool ranges_contains(const struct ranges *r, uint64_t from, uint64_t to)
{
	size_t i;

	if (from >= to)
		return from == to;
	i = first_ending(r, from, false);
	return i < r->n && r->v[i].from <= from && r->v[i].to >= to;
}

uint64_t ranges_overlap(const struct ranges *r, uint64_t from, uint64_t to)
{
	uint64_t sum = 0;

	if (from >= to)
		return 0;
	for (size_t i = first_ending(r, from, false); i < r->n && r->v[i].from < to; i++) {
		uint64_t a = r->v[i].from > from ? r->v[i].from : from;
		uint64_t b = r->v[i].to < to ? r->v[i].to : to;

		sum += b - a;
	}
	return sum;
}

uint64_t ranges_total(const struct ranges *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->n; i++)
		sum += r->v[i].to - r->v[i].from;
	return sum;
}

bool ranges_complete(const struct ranges *r, uint64_t size)
{
	return ranges_contains(r, 0, size);
}

bool ranges_next_hole(const struct ranges *r, uint64_t start, uint64_t size, uint64_t *from,
		      uint64_t *to)
{
	size_t i = first_ending(r, start, false);

	/* Ranges do not touch, so behind the one that covers @start there is a gap. */
	if (i < r->n && r->v[i].from <= start)
		start = r->v[i++].to;
	if (start >= size)
		return false;
	*from = start;
	*to = i < r->n && r->v[i].from < size ? r->v[i].from : size;
	return true;
}

int ranges_print(const struct ranges *r, struct buf *out)
{
	for (size_t i = 0; i < r->n; i++)
		buf_printf(out, "%s%" PRIu64 "-%" PRIu64, i ? "," : "", r->v[i].from, r->v[i].to);
	return out->error;
}

/* One number without leading zeros, up to a character that is none. */
static bool number(const char **s, uint64_t *out)
{
	const char *p = *s;
	uint64_t v = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	}
	if (p == *s || (**s == '0' && p - *s > 1))
		return false;
	*s = p;
	*out = v;
	return true;
}

int ranges_parse(const char *s, struct ranges *out)
{
	struct ranges tmp = { .max = out->max };
	struct range x;
	int ret = 0;

	while (*s) {
		ret = -SHUNT_EPARSE;
		if (tmp.n && *s++ != ',')
			goto fail;
		if (!number(&s, &x.from) || *s++ != '-' || !number(&s, &x.to) || x.from >= x.to)
			goto fail;
		if (tmp.n && x.from <= tmp.v[tmp.n - 1].to)
			goto fail;
		ret = splice(&tmp, tmp.n, tmp.n, &x, 1);
		if (ret)
			goto fail;
	}
	ranges_fini(out);
	*out = tmp;
	return 0;
fail:
	ranges_fini(&tmp);
	return ret;
}
