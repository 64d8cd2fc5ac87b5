// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/link.h"
#include "lib/log.h"

/* ---- meter ---- */

static void meter_begin(struct line_meter *m, const struct line_reading *now)
{
	*m = (struct line_meter){ .last = *now };
}

/* Exponential average; its first LINE_SMOOTH ms are a plain one, so that no first value sticks. */
static void meter_average(struct line_meter *m, uint64_t bit_s, uint64_t ms)
{
	uint64_t before = m->busy_ms < LINE_SMOOTH ? m->busy_ms : LINE_SMOOTH;

	m->speed = (uint64_t)(((double)m->speed * (double)before + (double)bit_s * (double)ms) /
			      (double)(before + ms));
	m->busy_ms += ms;
	m->idle_ms = 0;
}

static void meter_idle(struct line_meter *m, uint64_t ms)
{
	m->idle_ms += ms;
	if (m->idle_ms >= LINE_HOLD)
		m->busy_ms = m->speed = 0;
}

void line_meter_add(struct line_meter *m, const struct line_reading *now, bool busy)
{
	uint64_t ms = now->ms - m->last.ms, rx, tx;

	m->busy |= busy;
	if (now->ifindex != m->last.ifindex || now->rx < m->last.rx || now->tx < m->last.tx ||
	    ms > LINE_INTERVAL_MAX) {
		meter_begin(m, now);
		return;
	}
	if (ms < LINE_INTERVAL_MIN)
		return;
	rx = now->rx - m->last.rx;
	tx = now->tx - m->last.tx;
	if (m->busy)
		meter_average(m, (rx > tx ? rx : tx) * 8000 / ms, ms);
	else
		meter_idle(m, ms);
	m->last = *now;
	m->busy = false;
}

uint64_t line_meter_speed(const struct line_meter *m)
{
	return m->busy_ms >= LINE_WARM_UP ? m->speed : LINE_UNKNOWN;
}

/* ---- line ---- */

struct line {
	struct link_ctx *link;
	char *name; /* NULL: by route */
	struct shunt_addr towards;
	struct line_meter meter;
};

int line_new(const char *name, const struct shunt_addr *towards, struct line **out)
{
	struct line *l = calloc(1, sizeof(*l));
	struct err e = { 0 };
	int rc = -ENOMEM;

	if (!l)
		return rc;
	l->towards = *towards;
	if (name) {
		l->name = strdup(name);
		if (!l->name)
			goto err;
	}
	rc = link_open(&l->link, &e);
	if (rc < 0)
		goto err;
	*out = l;
	return 0;
err:
	line_free(l);
	return rc;
}

void line_free(struct line *l)
{
	if (!l)
		return;
	link_close(l->link);
	free(l->name);
	free(l);
}

void line_sample(struct line *l, bool busy)
{
	struct line_reading now = { .ms = clock_boot_ms() };
	struct link_info info;
	struct err e = { 0 };
	int rc = l->name ? link_get(l->link, l->name, &info, &e) :
			   link_towards(l->link, &l->towards, &info, &e);

	if (rc < 0) {
		log_limited("line", LOG_LVL_WARNING, "line: not measured: %s", err_text(&e));
		l->meter = (struct line_meter){ 0 };
		return;
	}
	now.ifindex = info.ifindex;
	now.rx = info.rx_bytes;
	now.tx = info.tx_bytes;
	line_meter_add(&l->meter, &now, busy);
}

uint64_t line_speed(const struct line *l)
{
	return line_meter_speed(&l->meter);
}
