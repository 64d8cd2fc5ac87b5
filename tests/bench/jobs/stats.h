/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stats: percentiles of a sample that is kept whole.
 */
#ifndef SHUNT_BENCH_STATS_H
#define SHUNT_BENCH_STATS_H

#include <stddef.h>
#include <stdio.h>

struct stats {
	double *v;
	size_t n, cap;
};

/* Room for @cap values; exits when there is no memory. */
void stats_init(struct stats *s, size_t cap);
void stats_fini(struct stats *s);
/* Values beyond cap are not taken. */
void stats_add(struct stats *s, double value);
/* Sorts, and prints ,"name":{"n":N,"p50":...,"p90":...,"p99":...,"max":...} */
void stats_print(struct stats *s, FILE *out, const char *name);

#endif
