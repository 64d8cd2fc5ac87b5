// SPDX-License-Identifier: GPL-2.0-or-later
/* clock: the three clocks and RFC 3339 timestamps. */
#include "lib/clock.h"

#include "lib/err.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS_DAY 86400000LL

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	/* Cannot fail: all three exist on every Linux this runs on. */
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000u;
}

uint64_t clock_boot_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

uint64_t clock_boot_ms(void)
{
	return clock_boot_ns() / 1000000u;
}

int64_t clock_wall_ms(void)
{
	return (int64_t)(clock_ns(CLOCK_REALTIME) / 1000000u);
}

/*
 * Days since 1970-01-01 of a proleptic Gregorian date. Years are counted from March, so that the
 * leap day is the last one; 400 years are 146097 days, 719468 lie between 0000-03-01 and 1970.
 */
static int64_t days_from_date(int64_t y, unsigned int m, unsigned int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * ((int64_t)m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_from_days(int64_t days, int *y, unsigned int *m, unsigned int *d)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*d = (unsigned int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (unsigned int)(mp < 10 ? mp + 3 : mp - 9);
	*y = (int)(yoe + era * 400 + (*m <= 2));
}

char *clock_print(int64_t wall_ms, char out[CLOCK_STR_LEN])
{
	const int64_t lo = -62135596800000LL, hi = 253402300799999LL; /* years 0001 and 9999 */
	int64_t days, ms;
	unsigned int m, d;
	char tmp[64]; /* larger than needed: spares the compiler's doubts about field widths */
	int y;

	out[0] = '\0';
	if (!wall_ms)
		return out;
	wall_ms = wall_ms < lo ? lo : wall_ms > hi ? hi : wall_ms;
	days = wall_ms / MS_DAY;
	ms = wall_ms % MS_DAY;
	if (ms < 0) {
		ms += MS_DAY;
		days--;
	}
	date_from_days(days, &y, &m, &d);
	snprintf(tmp, sizeof(tmp), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", y, m, d,
		 (int)(ms / 3600000), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60),
		 (int)(ms % 1000));
	memcpy(out, tmp, CLOCK_STR_LEN - 1);
	out[CLOCK_STR_LEN - 1] = '\0';
	return out;
}

/* Exactly @n digits. */
static bool digits(const char **s, int n, unsigned int *out)
{
	*out = 0;
	while (n--) {
		if (**s < '0' || **s > '9')
			return false;
		*out = *out * 10 + (unsigned int)(*(*s)++ - '0');
	}
	return true;
}

static bool lit(const char **s, const char *any)
{
	if (!**s || !strchr(any, **s))
		return false;
	(*s)++;
	return true;
}

static unsigned int month_days(unsigned int y, unsigned int m)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return days[m - 1] + (m == 2 && leap);
}

/* time-secfrac: up to nine digits, cut to milliseconds. */
static bool fraction(const char **s, unsigned int *ms)
{
	unsigned int scale = 100;
	int n = 0;

	*ms = 0;
	if (!lit(s, "."))
		return true;
	for (; **s >= '0' && **s <= '9'; (*s)++, n++) {
		*ms += (unsigned int)(**s - '0') * scale;
		scale /= 10;
	}
	return n >= 1 && n <= 9;
}

/* time-offset in minutes east of UTC. */
static bool offset(const char **s, int *min)
{
	unsigned int h, m;
	int sign;

	*min = 0;
	if (lit(s, "Zz"))
		return true;
	sign = **s == '-' ? -1 : 1;
	if (!lit(s, "+-") || !digits(s, 2, &h) || !lit(s, ":") || !digits(s, 2, &m))
		return false;
	*min = sign * (int)(h * 60 + m);
	return h <= 23 && m <= 59;
}

int clock_parse(const char *s, int64_t *wall_ms)
{
	unsigned int y, mo, d, h, mi, sec, ms;
	int off;

	if (!digits(&s, 4, &y) || !lit(&s, "-") || !digits(&s, 2, &mo) || !lit(&s, "-") ||
	    !digits(&s, 2, &d) || !lit(&s, "Tt") || !digits(&s, 2, &h) || !lit(&s, ":") ||
	    !digits(&s, 2, &mi) || !lit(&s, ":") || !digits(&s, 2, &sec) || !fraction(&s, &ms) ||
	    !offset(&s, &off) || *s)
		return -SHUNT_EPARSE;
	if (!y || !mo || mo > 12 || !d || d > month_days(y, mo) || h > 23 || mi > 59 || sec > 60)
		return -SHUNT_EPARSE;
	if (sec == 60) { /* leap second: the last instant before it ends */
		sec = 59;
		ms = 999;
	}
	*wall_ms = days_from_date(y, mo, d) * MS_DAY +
		   ((int64_t)h * 3600 + mi * 60 + sec - (int64_t)off * 60) * 1000 + ms;
	return 0;
}
