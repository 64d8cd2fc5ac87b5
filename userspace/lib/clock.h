/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock: the three clocks and RFC 3339 timestamps.
 *
 * Durations and deadlines use boottime (it neither jumps nor stops in suspend), loop timers
 * monotonic; wall time is only for what people and records read.
 */
#ifndef SHUNT_LIB_CLOCK_H
#define SHUNT_LIB_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t clock_mono_ms(void);
uint64_t clock_mono_ns(void);
uint64_t clock_boot_ms(void);
uint64_t clock_boot_ns(void);
int64_t clock_wall_ms(void); /* ms since 1970-01-01T00:00:00Z */

#define CLOCK_STR_LEN 25 /* "2026-11-22T20:44:00.000Z" and NUL */

/*
 * UTC with milliseconds. 0 prints "" (no time yet), as the API has it. Years 0001-9999; outside
 * that the nearest end is printed. Returns @out.
 */
char *clock_print(int64_t wall_ms, char out[CLOCK_STR_LEN]);

/*
 * RFC 3339 5.6 date-time with any offset and up to 9 fraction digits (truncated to ms), upper- or
 * lower-case T and Z, second 60 accepted as 59.999. Not "". Returns 0 or -SHUNT_EPARSE.
 */
int clock_parse(const char *s, int64_t *wall_ms);

#endif
