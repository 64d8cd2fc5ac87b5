/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * window: how many bytes one path may have in flight.
 *
 * A segment is acknowledged one round trip after it arrived, so a path needs about rate x round
 * trip in flight to be full, and more than that only makes it slow to drain when a job is moved.
 * The window therefore follows twice the product of the best delivery rate seen lately and the
 * shortest round trip (the estimate of BBR, draft-cardwell-iccrg-bbr 4.1, without its pacing), and
 * a segment, since that is acknowledged only when all of it has arrived: while the path is not full
 * the product grows with every round trip, once it is full the window stays. Pure: the caller
 * brings the clock. Times are ms, rates bytes/ms.
 */
#ifndef SHUNT_CLOUD_WINDOW_H
#define SHUNT_CLOUD_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_RATES 8 /* delivery rates remembered; the largest counts */

struct window {
	uint64_t segment, max; /* bytes; the window is between two segments and max */
	uint64_t rtt; /* shortest round trip seen; 0: none yet */
	uint64_t flight; /* bytes in flight */
	uint64_t acked; /* bytes acknowledged in all */
	uint64_t rates[WINDOW_RATES];
	unsigned int next; /* place of the next rate */
};

/* What to remember with a segment when it starts. */
struct window_mark {
	uint64_t acked;
	uint64_t at;
};

void window_init(struct window *w, uint64_t segment, uint64_t max);
/* A small request took @ms: an upper bound of the round trip. */
void window_rtt(struct window *w, uint64_t ms);
/* Bytes that may be in flight now. */
uint64_t window_size(const struct window *w);
/* May another segment start? True with nothing in flight, whatever its size. */
bool window_room(const struct window *w, uint64_t bytes);
void window_sent(struct window *w, uint64_t bytes, uint64_t now, struct window_mark *mark);
void window_acked(struct window *w, uint64_t bytes, uint64_t now, const struct window_mark *mark);
void window_lost(struct window *w, uint64_t bytes);

#endif
