// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/progress.h"

#include <inttypes.h>
#include <string.h>

#include "lib/conf.h"
#include "lib/err.h"

#define BAR 30
#define REDRAW_MS 100
#define LINE_PERMILLE 250

void progress_init(struct progress *p, FILE *f, bool terminal, const char *what, uint64_t total)
{
	memset(p, 0, sizeof(*p));
	p->f = f;
	p->what = what;
	p->verb = "sent";
	p->total = total;
	p->terminal = terminal;
	p->drawn_permille = -1;
}

/* "12.3M": three digits are enough to watch. */
static const char *octets(uint64_t n, char *out, size_t size)
{
	static const char units[] = "BKMGTP";
	double v = (double)n;
	size_t i = 0;

	while (v >= 1000 && i + 2 < sizeof(units)) {
		v /= 1024;
		i++;
	}
	snprintf(out, size, i && v < 99.95 ? "%.1f%c" : "%.0f%c", v, units[i]);
	return out;
}

static void draw(const struct progress *p, uint64_t done, uint64_t now_ms, int permille)
{
	char name[64], size[16], rate[16], bar[BAR + 1];
	uint64_t ms = now_ms - p->start_ms;
	int full = permille * BAR / 1000;

	err_escape(name, sizeof(name), p->what, strlen(p->what));
	octets(ms ? done * 1000 / ms : 0, rate, sizeof(rate));
	if (!p->terminal) {
		fprintf(p->f, "%s: %d%% of %s %s, %s/s\n", name, permille / 10,
			octets(p->total, size, sizeof(size)), p->verb, rate);
		return;
	}
	memset(bar, '#', (size_t)full);
	memset(bar + full, '.', (size_t)(BAR - full));
	bar[BAR] = '\0';
	fprintf(p->f, "\r\033[K%s [%s] %3d%% of %s %s/s", name, bar, permille / 10,
		octets(p->total, size, sizeof(size)), rate);
	fflush(p->f);
}

void progress_set(struct progress *p, uint64_t done, uint64_t now_ms)
{
	int permille, step = p->terminal ? 1 : LINE_PERMILLE;

	if (!p->f)
		return;
	if (!p->start_ms)
		p->start_ms = now_ms;
	if (done > p->total)
		done = p->total;
	permille = p->total ? (int)(done / (p->total / 1000.0)) : 1000;
	if (permille > 1000)
		permille = 1000;
	if (permille - permille % step <= p->drawn_permille)
		return;
	if (p->terminal && permille < 1000 && now_ms - p->drawn_ms < REDRAW_MS)
		return;
	draw(p, done, now_ms, permille);
	p->drawn_permille = permille;
	p->drawn_ms = now_ms;
}

void progress_end(struct progress *p)
{
	if (p->f && p->terminal && p->drawn_permille >= 0)
		fputc('\n', p->f);
}
