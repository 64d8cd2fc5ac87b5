// SPDX-License-Identifier: GPL-2.0-or-later
#include "procs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int procs_parse(struct procs *p, const char *text)
{
	const char *s = strchr(text, '=');
	char *end;

	if (!s || s == text || (size_t)(s - text) >= sizeof(p->name))
		return -1;
	memcpy(p->name, text, (size_t)(s - text));
	p->name[s - text] = '\0';
	for (p->n = 0; p->n < PROCS_MAX; s = end) {
		p->pids[p->n] = (pid_t)strtol(s + 1, &end, 10);
		if (end == s + 1)
			return -1;
		if (!p->pids[p->n])
			p->pids[p->n] = getpid();
		p->n++;
		if (!*end)
			return 0;
		if (*end != ',')
			return -1;
	}
	return -1;
}

/* utime and stime follow the name, which is in parentheses and may hold anything. */
static double cpu_s(pid_t pid)
{
	unsigned long user = 0, sys = 0;
	char path[64], line[1024], *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	if (!p ||
	    sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
		return 0;
	return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static unsigned long status_kb(pid_t pid, const char *key)
{
	unsigned long kb = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			kb = strtoul(line + strlen(key), NULL, 10);
	fclose(f);
	return kb;
}

static double all_cpu_s(const struct procs *p)
{
	double s = 0;

	for (size_t i = 0; i < p->n; i++)
		s += cpu_s(p->pids[i]);
	return s;
}

void procs_begin(struct procs *p)
{
	p->cpu_s = all_cpu_s(p);
}

void procs_print(const struct procs *p, FILE *out, unsigned int jobs)
{
	unsigned long rss = 0, peak = 0;
	double s = all_cpu_s(p) - p->cpu_s;

	for (size_t i = 0; i < p->n; i++) {
		rss += status_kb(p->pids[i], "VmRSS:");
		peak += status_kb(p->pids[i], "VmHWM:");
	}
	fprintf(out,
		",\"%s\":{\"processes\":%zu,\"cpu_s\":%.2f,\"cpu_ms_per_job\":%.3f,"
		"\"rss_kb\":%lu,\"peak_kb\":%lu}",
		p->name, p->n, s, 1e3 * s / jobs, rss, peak);
}
