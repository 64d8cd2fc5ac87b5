// SPDX-License-Identifier: GPL-2.0-or-later
/* addr: IP addresses, endpoints, prefixes. */
#include "lib/addr.h"

#include "lib/err.h"
#include "lib/types.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int addr_parse(const char *s, struct shunt_addr *out)
{
	struct shunt_addr a = { 0 };

	/* inet_pton() refuses leading zeros in IPv4, scope ids and trailing text. */
	if (inet_pton(AF_INET, s, &a.v4) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, s, &a.v6) == 1)
		a.family = AF_INET6;
	else
		return -SHUNT_EPARSE;
	*out = a;
	return 0;
}

char *addr_print(const struct shunt_addr *a, char out[ADDR_STR_LEN])
{
	out[0] = '\0';
	if (addr_is_set(a))
		inet_ntop(a->family, a->bytes, out, ADDR_STR_LEN);
	return out;
}

int addr_from_bytes(const void *p, size_t n, struct shunt_addr *out)
{
	if (n != 4 && n != 16)
		return -EINVAL;
	*out = (struct shunt_addr){ .family = n == 4 ? AF_INET : AF_INET6 };
	memcpy(out->bytes, p, n);
	return 0;
}

size_t addr_len(const struct shunt_addr *a)
{
	return a->family == AF_INET ? 4 : a->family == AF_INET6 ? 16 : 0;
}

bool addr_is_set(const struct shunt_addr *a)
{
	return addr_len(a) != 0;
}

int addr_cmp(const struct shunt_addr *a, const struct shunt_addr *b)
{
	size_t la = addr_len(a), lb = addr_len(b);

	if (la != lb)
		return la < lb ? -1 : 1;
	return memcmp(a->bytes, b->bytes, la);
}

bool addr_equal(const struct shunt_addr *a, const struct shunt_addr *b)
{
	return addr_cmp(a, b) == 0;
}

bool addr_is_any(const struct shunt_addr *a)
{
	static const uint8_t zero[16];

	return addr_is_set(a) && !memcmp(a->bytes, zero, addr_len(a));
}

bool addr_is_loopback(const struct shunt_addr *a)
{
	if (a->family == AF_INET)
		return a->bytes[0] == 127;
	return a->family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->v6);
}

bool addr_is_unicast(const struct shunt_addr *a)
{
	const uint8_t *b = a->bytes;

	if (!addr_is_set(a) || addr_is_any(a) || addr_is_loopback(a))
		return false;
	if (a->family == AF_INET) /* 0/8, 169.254/16, 224/4 and 240/4 with the broadcast */
		return b[0] != 0 && !(b[0] == 169 && b[1] == 254) && b[0] < 224;
	return !IN6_IS_ADDR_MULTICAST(&a->v6) && !IN6_IS_ADDR_LINKLOCAL(&a->v6) &&
	       !IN6_IS_ADDR_V4MAPPED(&a->v6) && !IN6_IS_ADDR_V4COMPAT(&a->v6);
}

/* ---- endpoints ---- */

static int endpoint_read(const char *s, struct shunt_endpoint *out)
{
	char host[ADDR_STR_LEN];
	struct shunt_endpoint e;
	bool bracket = *s == '[';
	const char *end;
	uint64_t port;
	size_t n;

	s += bracket;
	end = bracket ? strchr(s, ']') : strrchr(s, ':');
	if (!end)
		return -SHUNT_EPARSE;
	n = (size_t)(end - s);
	if (n >= sizeof(host))
		return -SHUNT_EPARSE;
	memcpy(host, s, n);
	host[n] = '\0';
	end += bracket;
	if (*end != ':' || addr_parse(host, &e.addr) || u64_parse(end + 1, 65535, &port))
		return -SHUNT_EPARSE;
	/* Brackets belong to IPv6 and only to it: "2001:db8::1:80" would be ambiguous. */
	if (bracket != (e.addr.family == AF_INET6))
		return -SHUNT_EPARSE;
	e.port = (uint16_t)port;
	*out = e;
	return 0;
}

int endpoint_parse_any(const char *s, struct shunt_endpoint *out)
{
	return endpoint_read(s, out);
}

int endpoint_parse(const char *s, struct shunt_endpoint *out)
{
	struct shunt_endpoint e;

	if (endpoint_read(s, &e) || !e.port)
		return -SHUNT_EPARSE;
	*out = e;
	return 0;
}

char *endpoint_print(const struct shunt_endpoint *e, char out[ENDPOINT_STR_LEN])
{
	char host[ADDR_STR_LEN];

	out[0] = '\0';
	if (!addr_is_set(&e->addr))
		return out;
	addr_print(&e->addr, host);
	snprintf(out, ENDPOINT_STR_LEN, e->addr.family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
		 e->port);
	return out;
}

bool endpoint_equal(const struct shunt_endpoint *a, const struct shunt_endpoint *b)
{
	return addr_equal(&a->addr, &b->addr) && a->port == b->port;
}

socklen_t endpoint_to_sockaddr(const struct shunt_endpoint *e, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (e->addr.family == AF_INET) {
		struct sockaddr_in *sin = (struct sockaddr_in *)out;

		sin->sin_family = AF_INET;
		sin->sin_port = htons(e->port);
		sin->sin_addr = e->addr.v4;
		return sizeof(*sin);
	}
	if (e->addr.family == AF_INET6) {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)out;

		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(e->port);
		sin6->sin6_addr = e->addr.v6;
		return sizeof(*sin6);
	}
	return 0;
}

int endpoint_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct shunt_endpoint *out)
{
	struct shunt_endpoint e = { 0 };
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	if (len < (socklen_t)sizeof(sa->sa_family))
		return -EINVAL;
	/* Copies, because what netlink hands over need not be aligned. */
	switch (sa->sa_family) {
	case AF_INET:
		if (len < (socklen_t)sizeof(sin))
			return -EINVAL;
		memcpy(&sin, sa, sizeof(sin));
		e.addr.family = AF_INET;
		e.addr.v4 = sin.sin_addr;
		e.port = ntohs(sin.sin_port);
		break;
	case AF_INET6:
		if (len < (socklen_t)sizeof(sin6))
			return -EINVAL;
		memcpy(&sin6, sa, sizeof(sin6));
		e.addr.family = IN6_IS_ADDR_V4MAPPED(&sin6.sin6_addr) ? AF_INET : AF_INET6;
		memcpy(e.addr.bytes, sin6.sin6_addr.s6_addr + 16 - addr_len(&e.addr),
		       addr_len(&e.addr));
		e.port = ntohs(sin6.sin6_port);
		break;
	default:
		return -EAFNOSUPPORT;
	}
	*out = e;
	return 0;
}

/* ---- prefixes ---- */

/* True when all bits of @b from @from on are zero. */
static bool bits_zero(const uint8_t *b, size_t len, unsigned int from)
{
	for (size_t i = from / 8; i < len; i++) {
		if (b[i] & (i == from / 8 ? 0xff >> from % 8 : 0xff))
			return false;
	}
	return true;
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned int n)
{
	unsigned int rest = n % 8;

	if (memcmp(a, b, n / 8))
		return false;
	return !rest || !((a[n / 8] ^ b[n / 8]) & (0xff00 >> rest & 0xff));
}

int prefix_parse(const char *s, struct shunt_prefix *out)
{
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	char host[ADDR_STR_LEN];
	struct shunt_prefix p;
	uint64_t len;

	if (n >= sizeof(host))
		return -SHUNT_EPARSE;
	memcpy(host, s, n);
	host[n] = '\0';
	if (addr_parse(host, &p.addr))
		return -SHUNT_EPARSE;
	len = addr_len(&p.addr) * 8;
	if (slash && u64_parse(slash + 1, len, &len))
		return -SHUNT_EPARSE;
	if (!bits_zero(p.addr.bytes, addr_len(&p.addr), (unsigned int)len))
		return -SHUNT_EPARSE;
	p.len = (uint8_t)len;
	*out = p;
	return 0;
}

char *prefix_print(const struct shunt_prefix *p, char out[PREFIX_STR_LEN])
{
	char host[ADDR_STR_LEN];

	out[0] = '\0';
	if (addr_is_set(&p->addr))
		snprintf(out, PREFIX_STR_LEN, "%s/%u", addr_print(&p->addr, host), p->len);
	return out;
}

bool prefix_contains(const struct shunt_prefix *p, const struct shunt_addr *a)
{
	return addr_is_set(a) && p->addr.family == a->family &&
	       bits_equal(p->addr.bytes, a->bytes, p->len);
}

bool prefix_overlaps(const struct shunt_prefix *a, const struct shunt_prefix *b)
{
	return addr_is_set(&a->addr) && a->addr.family == b->addr.family &&
	       bits_equal(a->addr.bytes, b->addr.bytes, a->len < b->len ? a->len : b->len);
}

/* Addresses that are no host's, at the front and at the end (RFC 3021, RFC 4291 2.6.1). */
static void prefix_edges(const struct shunt_prefix *p, uint64_t *front, uint64_t *back)
{
	unsigned int host = (unsigned int)addr_len(&p->addr) * 8 - p->len;

	*front = host > 1;
	*back = host > 1 && p->addr.family == AF_INET;
}

uint64_t prefix_hosts(const struct shunt_prefix *p)
{
	unsigned int host = (unsigned int)addr_len(&p->addr) * 8 - p->len;
	uint64_t front, back;

	if (!addr_is_set(&p->addr))
		return 0;
	if (host >= 64)
		return UINT64_MAX;
	prefix_edges(p, &front, &back);
	return ((uint64_t)1 << host) - front - back;
}

int prefix_host(const struct shunt_prefix *p, uint64_t n, struct shunt_addr *out)
{
	uint64_t front, back;
	struct shunt_addr a;

	if (n >= prefix_hosts(p))
		return -ERANGE;
	prefix_edges(p, &front, &back);
	a = p->addr;
	/* Host bits are zero, so adding needs no carry beyond n + front; that may pass 2^64. */
	for (size_t i = addr_len(&a); i-- && (n || front);) {
		uint64_t sum = (uint64_t)a.bytes[i] + (n & 0xff) + front;

		a.bytes[i] = (uint8_t)sum;
		front = sum >> 8;
		n >>= 8;
	}
	*out = a;
	return 0;
}
