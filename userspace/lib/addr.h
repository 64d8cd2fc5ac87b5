/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addr: IP addresses, endpoints (address and port), prefixes, and pools of addresses.
 *
 * Values without pointers; AF_UNSPEC (zero-initialised) means "none". Parsers accept the whole
 * string or nothing, numeric only, no scope ids, no leading zeros in IPv4; they return 0 or
 * -SHUNT_EPARSE and leave @out alone on error.
 */
#ifndef SHUNT_LIB_ADDR_H
#define SHUNT_LIB_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct shunt_addr {
	sa_family_t family; /* AF_UNSPEC, AF_INET, AF_INET6 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
		uint8_t bytes[16]; /* network order; first 4 for IPv4 */
	};
};

struct shunt_endpoint {
	struct shunt_addr addr;
	uint16_t port; /* host order */
};

struct shunt_prefix {
	struct shunt_addr addr; /* bits beyond len are zero */
	uint8_t len; /* 0..32, 0..128 */
};

#define ADDR_STR_LEN 46
#define ENDPOINT_STR_LEN 56 /* "[v6]:65535" */
#define PREFIX_STR_LEN 50

int addr_parse(const char *s, struct shunt_addr *out);
char *addr_print(const struct shunt_addr *a, char out[ADDR_STR_LEN]); /* "" for none */
/* From 4 or 16 octets in network order; -EINVAL for any other length. */
int addr_from_bytes(const void *p, size_t n, struct shunt_addr *out);
size_t addr_len(const struct shunt_addr *a); /* 0, 4 or 16 */
bool addr_is_set(const struct shunt_addr *a);
bool addr_equal(const struct shunt_addr *a, const struct shunt_addr *b);
int addr_cmp(const struct shunt_addr *a, const struct shunt_addr *b); /* total order */
/* Neither unspecified (0.0.0.0, ::), loopback, multicast, broadcast, link-local nor v4-mapped. */
bool addr_is_unicast(const struct shunt_addr *a);
bool addr_is_loopback(const struct shunt_addr *a);
bool addr_is_any(const struct shunt_addr *a); /* 0.0.0.0 or :: */

/* "192.0.2.1:80", "[2001:db8::1]:80". Port 0 is refused by endpoint_parse(), not by _any. */
int endpoint_parse(const char *s, struct shunt_endpoint *out);
int endpoint_parse_any(const char *s, struct shunt_endpoint *out); /* port 0 allowed (listeners) */
char *endpoint_print(const struct shunt_endpoint *e, char out[ENDPOINT_STR_LEN]);
bool endpoint_equal(const struct shunt_endpoint *a, const struct shunt_endpoint *b);
/* Length of the sockaddr written, 0 for none. */
socklen_t endpoint_to_sockaddr(const struct shunt_endpoint *e, struct sockaddr_storage *out);
/* v4-mapped IPv6 becomes IPv4. -EAFNOSUPPORT for other families, -EINVAL when @len is short. */
int endpoint_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct shunt_endpoint *out);

/* "192.168.1.0/24"; a bare address is a host prefix; set host bits are an error. */
int prefix_parse(const char *s, struct shunt_prefix *out);
char *prefix_print(const struct shunt_prefix *p, char out[PREFIX_STR_LEN]);
bool prefix_contains(const struct shunt_prefix *p, const struct shunt_addr *a);
bool prefix_overlaps(const struct shunt_prefix *a, const struct shunt_prefix *b);
/*
 * Usable host addresses: IPv4 leaves out network and broadcast below /31, IPv6 the subnet-router
 * anycast address below /127. Capped at UINT64_MAX.
 */
uint64_t prefix_hosts(const struct shunt_prefix *p);
/* The @n-th usable host, counted from 0. 0 or -ERANGE. */
int prefix_host(const struct shunt_prefix *p, uint64_t n, struct shunt_addr *out);

/*
 * addr_pool: hands out the host addresses of a prefix, each at most once until released. A released
 * address is the last to be handed out again (late packets of the old owner find nobody). Holds at
 * most ADDR_POOL_MAX addresses, the first ones of a larger prefix.
 */
#define ADDR_POOL_MAX ((size_t)1 << 20)
struct addr_pool;

/* @skip leading hosts are left out. NULL with errno EINVAL (no host left) or ENOMEM. */
struct addr_pool *addr_pool_new(const struct shunt_prefix *p, size_t skip);
void addr_pool_free(struct addr_pool *pool);
int addr_pool_get(struct addr_pool *pool, struct shunt_addr *out); /* 0 or -ENOSPC */
/* Take a given one (adoption after a restart). 0, -EBUSY, or -ERANGE when not of this pool. */
int addr_pool_take(struct addr_pool *pool, const struct shunt_addr *a);
/* 0, or -ENOENT when it was not handed out. */
int addr_pool_put(struct addr_pool *pool, const struct shunt_addr *a);
size_t addr_pool_used(const struct addr_pool *pool);
size_t addr_pool_size(const struct addr_pool *pool);

#endif
