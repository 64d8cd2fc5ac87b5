// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/window.h"

#include <string.h>

void window_init(struct window *w, uint64_t segment, uint64_t max)
{
	memset(w, 0, sizeof(*w));
	w->segment = segment;
	w->max = max < 2 * segment ? 2 * segment : max;
}

void window_rtt(struct window *w, uint64_t ms)
{
	if (!ms)
		ms = 1; /* a loopback round trip is below the clock's resolution, not unknown */
	if (!w->rtt || ms < w->rtt)
		w->rtt = ms;
}

static uint64_t best_rate(const struct window *w)
{
	uint64_t best = 0;
	unsigned int i;

	for (i = 0; i < WINDOW_RATES; i++)
		if (w->rates[i] > best)
			best = w->rates[i];
	return best;
}

uint64_t window_size(const struct window *w)
{
	uint64_t want = 2 * best_rate(w) * w->rtt + w->segment;

	if (want < 2 * w->segment)
		return 2 * w->segment;
	return want > w->max ? w->max : want;
}

bool window_room(const struct window *w, uint64_t bytes)
{
	return !w->flight || w->flight + bytes <= window_size(w);
}

void window_sent(struct window *w, uint64_t bytes, uint64_t now, struct window_mark *mark)
{
	mark->acked = w->acked;
	mark->at = now;
	w->flight += bytes;
}

void window_acked(struct window *w, uint64_t bytes, uint64_t now, const struct window_mark *mark)
{
	uint64_t took = now > mark->at ? now - mark->at : 1;

	w->flight -= bytes < w->flight ? bytes : w->flight;
	w->acked += bytes;
	w->rates[w->next] = (w->acked - mark->acked) / took;
	w->next = (w->next + 1) % WINDOW_RATES;
	window_rtt(w, took);
}

void window_lost(struct window *w, uint64_t bytes)
{
	w->flight -= bytes < w->flight ? bytes : w->flight;
}
