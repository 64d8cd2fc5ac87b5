// SPDX-License-Identifier: GPL-2.0-or-later
/* Every parser of small things: what is accepted prints to something that means the same. */
#include "lib/conf.h"
#include "lib/types.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void addresses(const char *s)
{
	char text[64];
	struct shunt_addr a, a2;
	struct shunt_endpoint e, e2;
	struct shunt_prefix p, p2;

	if (!addr_parse(s, &a)) {
		must(!addr_parse(addr_print(&a, text), &a2) && addr_equal(&a, &a2));
		(void)addr_is_unicast(&a);
	}
	if (!endpoint_parse_any(s, &e))
		must(!endpoint_parse_any(endpoint_print(&e, text), &e2) && endpoint_equal(&e, &e2));
	if (!prefix_parse(s, &p)) {
		must(!prefix_parse(prefix_print(&p, text), &p2) && p.len == p2.len &&
		     addr_equal(&p.addr, &p2.addr));
		must(prefix_contains(&p, &p.addr));
		if (prefix_hosts(&p) && !prefix_host(&p, prefix_hosts(&p) - 1, &a))
			must(prefix_contains(&p, &a));
	}
}

static void times_and_ranges(const char *s)
{
	char text[CONTENT_RANGE_STR_LEN], when[CLOCK_STR_LEN];
	struct content_range r, r2;
	int64_t t, t2;

	/* An offset can lead out of the years that are printed. */
	if (!clock_parse(s, &t) && t && t >= -62135596800000 && t <= 253402300799999)
		must(!clock_parse(clock_print(t, when), &t2) && t == t2);
	if (!content_range_parse(s, &r)) {
		must(r.from < r.to && r.to <= r.size);
		must(!content_range_parse(content_range_print(&r, text), &r2) &&
		     r.from == r2.from && r.to == r2.to && r.size == r2.size);
	}
	if (!range_request_parse(s, 1000, &r.from, &r.to))
		must(r.from < r.to && r.to <= 1000);
	must(range_request_parse(s, 0, &r.from, &r.to));
}

static void names(const char *s, size_t n)
{
	char text[PARTY_STR_LEN], id[TUNNEL_ID_LEN];
	struct party p, p2;
	uint32_t spi;

	if (!party_parse(s, &p)) {
		must(!strcmp(party_print(&p, text), s));
		must(!party_parse(text, &p2) && party_equal(&p, &p2));
	}
	if (!tunnel_id_parse(s, &spi))
		must(!strcmp(tunnel_id_print(spi, id), s));
	if (name_ok(s))
		must(utf8_ok(s, strlen(s)) && strlen(s) < NAME_LEN);
	must(!media_type_ok(s) || utf8_ok(s, strlen(s)));
	(void)utf8_ok(s, n);
	(void)id_ok(s);
}

static void amounts(const char *s)
{
	char text[64];
	uint64_t v, v2;

	if (!duration_parse(s, &v))
		must(!duration_parse(duration_print(v, text, sizeof(text)), &v2) && v == v2);
	if (!size_parse(s, &v))
		must(!size_parse(size_print(v, text, sizeof(text)), &v2) && v == v2);
	if (!rate_parse(s, &v))
		must(!rate_parse(rate_print(v, text, sizeof(text)), &v2) && v == v2);
	if (!u64_parse(s, 1000, &v))
		must(v <= 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1), escaped[64];

	if (!s)
		return 0;
	if (size)
		memcpy(s, data, size);
	s[size] = '\0';
	addresses(s);
	times_and_ranges(s);
	names(s, size);
	amounts(s);
	must(err_escape(escaped, sizeof(escaped), s, size) == strlen(escaped));
	must(utf8_ok(escaped, strlen(escaped)) && !strpbrk(escaped, "\n\r\x1b\x7f"));
	free(s);
	return 0;
}
