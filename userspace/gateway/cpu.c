// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/cpu.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"

/* user nice system idle iowait irq softirq steal (proc(5)); guest times are part of user's. */
enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };

int cpu_parse(const char *text, struct cpu_times *out)
{
	uint64_t v[FIELDS] = { 0 };
	int n = sscanf(text,
		       "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		       " %" SCNu64 " %" SCNu64,
		       &v[USER], &v[NICE], &v[SYSTEM], &v[IDLE], &v[IOWAIT], &v[IRQ], &v[SOFTIRQ],
		       &v[STEAL]);

	if (n < IDLE + 1)
		return -SHUNT_EPARSE;
	out->busy = v[USER] + v[NICE] + v[SYSTEM] + v[IRQ] + v[SOFTIRQ];
	out->total = out->busy + v[IDLE] + v[IOWAIT] + v[STEAL];
	return 0;
}

int cpu_sample(struct cpu_times *out)
{
	char text[512]; /* the first line is all we need */
	int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	text[n] = '\0';
	return cpu_parse(text, out);
}

uint32_t cpu_permille(const struct cpu_times *from, const struct cpu_times *to)
{
	uint64_t busy, total;

	/* iowait may run backwards (proc(5)). */
	if (to->total <= from->total || to->busy < from->busy)
		return 0;
	busy = to->busy - from->busy;
	total = to->total - from->total;
	return busy >= total ? 1000 : (uint32_t)(busy * 1000 / total);
}
