/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu: how busy the host's CPUs are, from /proc/stat.
 */
#ifndef SHUNT_GATEWAY_CPU_H
#define SHUNT_GATEWAY_CPU_H

#include <stddef.h>
#include <stdint.h>

/* CPU time since boot in ticks, all CPUs together. */
struct cpu_times {
	uint64_t busy; /* all but idle, waiting for disks, and stolen by a hypervisor */
	uint64_t total;
};

/* Read from the text of /proc/stat. 0 or -SHUNT_EPARSE. */
int cpu_parse(const char *text, struct cpu_times *out);
/* Read from the system. 0 or -errno. */
int cpu_sample(struct cpu_times *out);
/* Use between two samples in permille, 0..1000; 0 when no time passed. */
uint32_t cpu_permille(const struct cpu_times *from, const struct cpu_times *to);

#endif
