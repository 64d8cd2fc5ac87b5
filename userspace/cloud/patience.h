/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * patience: how soon a printer is asked again, how long it may wait for somebody, and how much of what it
 * says is passed on. A printer whose words change with each answer is asked no sooner for that, and told of
 * ever more seldom; short breaks in its waiting do not count. Pure; times are ms.
 */
#ifndef SHUNT_CLOUD_PATIENCE_H
#define SHUNT_CLOUD_PATIENCE_H

#include "lib/sapi.h"

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_NEWS 10 /* passed on at once; then one after 5 s, 10 s and so on */
#define PATIENCE_NEWS_MS 5000
#define PATIENCE_NEWS_MAX_MS 600000

struct patience {
	uint64_t limit; /* of waiting; 0: none */
	uint64_t interval; /* until the next question */
	bool waits;
	uint64_t since, until; /* when waiting began, and when it was seen last */
	char said[SAPI_TEXT_LEN]; /* passed on last, as are these */
	bool said_waits;
	int said_state;
	unsigned int news;
	uint64_t news_at;
};

/* It says @text. Is that to be passed on? @changed: whether more than the words is new. */
bool patience_hear(struct patience *p, uint64_t now, int state, bool waits, const char *text,
		   bool *changed);
/* Has it waited for too long? */
bool patience_over(const struct patience *p, uint64_t now);
/* Set the interval: @min after a change, longer each time without, at most @max. */
void patience_next(struct patience *p, bool changed, uint64_t min, uint64_t max);

#endif
