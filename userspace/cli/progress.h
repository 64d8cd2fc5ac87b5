/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * progress: how far a transfer is, on standard error: a bar on a terminal, else a line per quarter.
 */
#ifndef SHUNT_CLI_PROGRESS_H
#define SHUNT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
	FILE *f;
	const char *what; /* "report.pdf"; cleaned before it is drawn */
	const char *verb; /* "sent", or what the caller changes it to */
	uint64_t total; /* octets */
	bool terminal;
	uint64_t start_ms, drawn_ms;
	int drawn_permille; /* -1: nothing yet */
};

/* @terminal: draw a bar. NULL for @f: silent. */
void progress_init(struct progress *p, FILE *f, bool terminal, const char *what, uint64_t total);
/* @now_ms on the monotonic clock. Cheap to call often. */
void progress_set(struct progress *p, uint64_t done, uint64_t now_ms);
/* Complete what is drawn; more may be printed after it. */
void progress_end(struct progress *p);

#endif
