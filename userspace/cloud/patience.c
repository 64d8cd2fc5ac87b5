// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/patience.h"

#include <stdio.h>
#include <string.h>

static bool may_tell(const struct patience *p, uint64_t now)
{
	uint64_t pause;

	if (p->news < PATIENCE_NEWS)
		return true;
	pause = (uint64_t)(p->news - PATIENCE_NEWS + 1) * PATIENCE_NEWS_MS;
	return now - p->news_at >= (pause < PATIENCE_NEWS_MAX_MS ? pause : PATIENCE_NEWS_MAX_MS);
}

bool patience_hear(struct patience *p, uint64_t now, int state, bool waits, const char *text,
		   bool *changed)
{
	if (waits && !p->waits && (!p->until || now - p->until >= p->limit))
		p->since = now;
	if (waits)
		p->until = now;
	p->waits = waits;
	*changed = false;
	if ((waits == p->said_waits && !strcmp(text, p->said)) || !may_tell(p, now))
		return false;
	*changed = waits != p->said_waits || state != p->said_state;
	p->said_waits = waits;
	p->said_state = state;
	snprintf(p->said, sizeof(p->said), "%s", text);
	p->news++;
	p->news_at = now;
	return true;
}

bool patience_over(const struct patience *p, uint64_t now)
{
	return p->limit && p->waits && now - p->since >= p->limit;
}

void patience_next(struct patience *p, bool changed, uint64_t min, uint64_t max)
{
	p->interval = changed ? min : p->interval + p->interval / 2;
	if (p->interval > max)
		p->interval = max;
}
