// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/transfer.h"

#include <errno.h>
#include <stdlib.h>

struct transfer {
	uint64_t size;
	uint64_t resent;
	uint64_t changes;
	uint32_t segment;
	bool hold;
	struct ranges busy; /* taken, unsure or held: everything that is not free */
	struct ranges taken;
	struct ranges unsure;
	struct ranges held;
	struct ranges wired; /* was on the wire at least once, or is held */
};

int transfer_new(struct transfer **out, uint64_t size, uint32_t segment)
{
	struct transfer *t;

	if (!segment)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->size = size;
	t->segment = segment;
	ranges_init(&t->busy);
	ranges_init(&t->taken);
	ranges_init(&t->unsure);
	ranges_init(&t->held);
	ranges_init(&t->wired);
	*out = t;
	return 0;
}

void transfer_free(struct transfer *t)
{
	if (!t)
		return;
	ranges_fini(&t->busy);
	ranges_fini(&t->taken);
	ranges_fini(&t->unsure);
	ranges_fini(&t->held);
	ranges_fini(&t->wired);
	free(t);
}

int transfer_resize(struct transfer *t, uint64_t size)
{
	if (t->size && t->size != size)
		return -EBUSY;
	t->size = size;
	return 0;
}

static int rebuild_busy(struct transfer *t)
{
	int ret;

	ranges_clear(&t->busy);
	ret = ranges_add_all(&t->busy, &t->held);
	if (!ret)
		ret = ranges_add_all(&t->busy, &t->taken);
	if (!ret)
		ret = ranges_add_all(&t->busy, &t->unsure);
	return ret;
}

int transfer_learn(struct transfer *t, const struct ranges *held, bool all)
{
	int ret;

	if (held->n && held->v[held->n - 1].to > t->size)
		return -ERANGE;
	if (all)
		ranges_clear(&t->held);
	ret = ranges_add_all(&t->held, held);
	/*
	 * wired is not trimmed when the receiver denies bytes: they did cross the wire, so sending
	 * them again is sending them twice.
	 */
	if (!ret)
		ret = ranges_add_all(&t->wired, held);
	if (ret)
		return ret;
	ranges_clear(&t->unsure);
	return rebuild_busy(t);
}

bool transfer_unsure(const struct transfer *t)
{
	return t->unsure.n > 0;
}

int transfer_take(struct transfer *t, uint64_t *from, uint64_t *to)
{
	return transfer_take_within(t, 0, t->size, from, to);
}

int transfer_take_within(struct transfer *t, uint64_t lo, uint64_t hi, uint64_t *from, uint64_t *to)
{
	uint64_t f, e, boundary;
	int ret;

	if (hi > t->size)
		hi = t->size;
	if (t->hold || !ranges_next_hole(&t->busy, lo, hi, &f, &e))
		return -ENODATA;
	boundary = (f / t->segment + 1) * t->segment;
	if (e > boundary)
		e = boundary;
	ret = ranges_add(&t->taken, f, e, NULL);
	if (ret)
		return ret;
	ret = ranges_add(&t->busy, f, e, NULL);
	if (ret) {
		ranges_remove(&t->taken, f, e, NULL);
		return ret;
	}
	t->changes++;
	*from = f;
	*to = e;
	return 0;
}

bool transfer_has_free(const struct transfer *t)
{
	uint64_t f, e;

	return ranges_next_hole(&t->busy, 0, t->size, &f, &e);
}

void transfer_hold(struct transfer *t, bool hold)
{
	t->hold = hold;
}

uint64_t transfer_wire(struct transfer *t, uint64_t from, uint64_t to)
{
	uint64_t again = ranges_overlap(&t->wired, from, to);

	/* Without memory the bytes are not remembered; the count is then a lower bound. */
	ranges_add(&t->wired, from, to, NULL);
	t->resent += again;
	return again;
}

int transfer_ack(struct transfer *t, uint64_t from, uint64_t to, uint64_t duplicate,
		 uint64_t counted)
{
	int ret;

	if (from >= to || !ranges_contains(&t->taken, from, to))
		return -EINVAL;
	ret = ranges_add(&t->held, from, to, NULL);
	if (ret)
		return ret;
	t->changes++;
	ranges_remove(&t->taken, from, to, NULL);
	if (duplicate > to - from)
		duplicate = to - from; /* a receiver cannot have held more than there was */
	if (duplicate > counted)
		t->resent += duplicate - counted;
	return 0;
}

int transfer_lose(struct transfer *t, uint64_t from, uint64_t to, bool wired)
{
	int ret;

	if (from >= to || !ranges_contains(&t->taken, from, to))
		return -EINVAL;
	if (wired) {
		ret = ranges_add(&t->unsure, from, to, NULL);
		if (ret)
			return ret;
	}
	t->changes++;
	ret = ranges_remove(&t->taken, from, to, NULL);
	return ret ? ret : rebuild_busy(t);
}

uint64_t transfer_changes(const struct transfer *t)
{
	return t->changes;
}

bool transfer_holds(const struct transfer *t, uint64_t lo, uint64_t hi)
{
	return ranges_contains(&t->held, lo, hi < t->size ? hi : t->size);
}

bool transfer_complete(const struct transfer *t)
{
	return ranges_complete(&t->held, t->size);
}

bool transfer_all_wired(const struct transfer *t)
{
	return ranges_complete(&t->wired, t->size);
}

uint64_t transfer_size(const struct transfer *t)
{
	return t->size;
}

uint64_t transfer_held(const struct transfer *t)
{
	return ranges_total(&t->held);
}

uint64_t transfer_taken(const struct transfer *t)
{
	return ranges_total(&t->taken);
}

uint64_t transfer_resent(const struct transfer *t)
{
	return t->resent;
}
