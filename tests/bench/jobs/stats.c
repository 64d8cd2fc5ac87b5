// SPDX-License-Identifier: GPL-2.0-or-later
#include "stats.h"

#include <stdlib.h>

void stats_init(struct stats *s, size_t cap)
{
	s->v = calloc(cap, sizeof(*s->v));
	s->n = 0;
	s->cap = cap;
	if (!s->v)
		abort();
}

void stats_fini(struct stats *s)
{
	free(s->v);
}

void stats_add(struct stats *s, double value)
{
	if (s->n < s->cap)
		s->v[s->n++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Nearest rank: the smallest value that at least @permille of the sample do not exceed. */
static double rank(const struct stats *s, size_t permille)
{
	return s->n ? s->v[(s->n * permille + 999) / 1000 - 1] : 0;
}

void stats_print(struct stats *s, FILE *out, const char *name)
{
	qsort(s->v, s->n, sizeof(*s->v), compare);
	fprintf(out, ",\"%s\":{\"n\":%zu,\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"max\":%.2f}",
		name, s->n, rank(s, 500), rank(s, 900), rank(s, 990), rank(s, 1000));
}
