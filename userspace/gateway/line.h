/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * line: the speed of the gateway's line to the outside (communication line 4; the second embodiment
 * moves jobs when it is at or below a limit).
 *
 * What a line could carry is not known; what it does carry is counted by its device. So it is
 * measured only while tunnels have something to carry, and smoothed, so that no single second
 * decides anything.
 */
#ifndef SHUNT_GATEWAY_LINE_H
#define SHUNT_GATEWAY_LINE_H

#include "lib/addr.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- the arithmetic, without clock or kernel ---- */

#define LINE_UNKNOWN UINT64_MAX /* POLICY_LINE_UNKNOWN */

#define LINE_INTERVAL_MIN 200 /* ms; readings closer together are taken as one */
#define LINE_INTERVAL_MAX 5000 /* ms; after a longer gap nobody knows what was in between */
#define LINE_SMOOTH 4000 /* ms that the average looks back */
#define LINE_WARM_UP 3000 /* ms under load before there is a figure */
#define LINE_HOLD 3000 /* ms without load after which the figure is void */

/* A device's counters at a time. */
struct line_reading {
	uint64_t ms; /* boot */
	uint32_t ifindex;
	uint64_t rx, tx; /* bytes */
};

/* Zeroed: nothing was measured. */
struct line_meter {
	struct line_reading last; /* ifindex 0: none */
	bool busy; /* in the interval that is too short yet */
	uint64_t busy_ms, idle_ms; /* under load, and without since then */
	uint64_t speed; /* bit/s, smoothed */
};

/*
 * Take a reading; @busy: tunnels had something to carry since the one before. The busier direction
 * counts. A change of device, or counters that run backwards, begin anew.
 */
void line_meter_add(struct line_meter *m, const struct line_reading *now, bool busy);
/* bit/s, or LINE_UNKNOWN. */
uint64_t line_meter_speed(const struct line_meter *m);

/* ---- the gateway's line ---- */

struct line;

/*
 * The line is the device @name, or (NULL) whichever leads to @towards at the time. Both are copied.
 * 0 or -errno.
 */
int line_new(const char *name, const struct shunt_addr *towards, struct line **out);
void line_free(struct line *l); /* NULL is allowed */

/* Read the counters; about once a second. @busy as above. Failures are logged. */
void line_sample(struct line *l, bool busy);
/* bit/s, or LINE_UNKNOWN. */
uint64_t line_speed(const struct line *l);

#endif
