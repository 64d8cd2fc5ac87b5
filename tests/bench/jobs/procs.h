/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * procs: what a group of processes used of the processors, and their memory, from /proc.
 */
#ifndef SHUNT_BENCH_PROCS_H
#define SHUNT_BENCH_PROCS_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define PROCS_MAX 1024

struct procs {
	char name[32];
	pid_t pids[PROCS_MAX];
	size_t n;
	double cpu_s; /* all of them together, at procs_begin() */
};

/* "cloud=123" or "agents=12,13,14"; pid 0 is this process. 0 or -1. */
int procs_parse(struct procs *p, const char *text);
void procs_begin(struct procs *p);
/* Since procs_begin(): ,"name":{"processes":N,"cpu_s":S,"cpu_ms_per_job":M,"rss_kb":R,"peak_kb":P} */
void procs_print(const struct procs *p, FILE *out, unsigned int jobs);

#endif
