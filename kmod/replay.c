// SPDX-License-Identifier: GPL-2.0
#include "replay.h"

#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>

static u32 word_of(u32 seq)
{
	return (seq / BITS_PER_LONG) % SHUNT_REPLAY_WORDS;
}

/* One word is kept free ahead of the window, hence not "<=". */
static bool too_old(u32 top, u32 seq)
{
	return seq < top && top - seq >= SHUNT_REPLAY_WINDOW;
}

/**
 * shunt_replay_init() - make an empty window
 * @r: window
 */
void shunt_replay_init(struct shunt_replay *r)
{
	spin_lock_init(&r->lock);
	r->top = 0;
	memset(r->bits, 0, sizeof(r->bits));
}

/**
 * shunt_replay_check() - whether a packet is worth authenticating
 * @r: window
 * @seq: its sequence number
 *
 * Takes no lock, so that a flood of old packets costs little. What passes here must pass
 * shunt_replay_commit() too, which is what counts.
 *
 * Return: false if @seq was accepted before or is left of the window.
 */
bool shunt_replay_check(const struct shunt_replay *r, u32 seq)
{
	u32 top = READ_ONCE(r->top);

	if (!seq || too_old(top, seq))
		return false;
	if (seq > top)
		return true;
	return !(READ_ONCE(r->bits[word_of(seq)]) & BIT(seq % BITS_PER_LONG));
}

/**
 * shunt_replay_commit() - accept an authenticated packet's sequence number
 * @r: window; bottom halves are off
 * @seq: the number
 *
 * Return: 1 if @seq is newer than all before, 0 if it is not but new, -EALREADY if it was
 * accepted before or is left of the window.
 */
int shunt_replay_commit(struct shunt_replay *r, u32 seq)
{
	u32 from, words;
	int ret = 0;

	spin_lock(&r->lock);
	if (!seq || too_old(r->top, seq)) {
		ret = -EALREADY;
		goto unlock;
	}
	if (seq > r->top) {
		from = r->top / BITS_PER_LONG;
		words = min_t(u32, seq / BITS_PER_LONG - from, SHUNT_REPLAY_WORDS);
		while (words--)
			WRITE_ONCE(r->bits[++from % SHUNT_REPLAY_WORDS], 0);
		WRITE_ONCE(r->top, seq);
		ret = 1;
	}
	if (__test_and_set_bit(seq % BITS_PER_LONG, &r->bits[word_of(seq)]))
		ret = -EALREADY;
unlock:
	spin_unlock(&r->lock);
	return ret;
}
