/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The anti-replay window, RFC 4303 section 3.4.3 kept as RFC 6479 proposes: a ring of words, so
 * that moving the window clears whole words instead of shifting bits.
 */
#ifndef SHUNT_REPLAY_H
#define SHUNT_REPLAY_H

#include <linux/bits.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/* CPUs that share a receive queue's work reorder; this is what may be late and still counts. */
#define SHUNT_REPLAY_WINDOW	2048
#define SHUNT_REPLAY_WORDS	(SHUNT_REPLAY_WINDOW / BITS_PER_LONG + 1)

struct shunt_replay {
	spinlock_t lock; /* of the writers */
	u32 top; /* highest sequence number accepted; 0 none yet */
	unsigned long bits[SHUNT_REPLAY_WORDS];
};

void shunt_replay_init(struct shunt_replay *r);
bool shunt_replay_check(const struct shunt_replay *r, u32 seq);
int shunt_replay_commit(struct shunt_replay *r, u32 seq);

#endif /* SHUNT_REPLAY_H */
