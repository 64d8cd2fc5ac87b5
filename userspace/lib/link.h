/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link: network devices, addresses and routes of this network namespace. The only owner of
 * libnl-route.
 *
 * Calls are synchronous; each waits for the kernel's verdict, which comes at once. Errors are the
 * kernel's own -errno with its text in @e. Not thread-safe.
 */
#ifndef SHUNT_LIB_LINK_H
#define SHUNT_LIB_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"

struct err;
struct link_ctx;

int link_open(struct link_ctx **out, struct err *e);
void link_close(struct link_ctx *ctx); /* NULL is allowed */

/* Settings of a new shunt device; 0 leaves the kernel's default. */
struct link_conf {
	const char *name; /* 1..15 octets, as the kernel takes them */
	uint16_t port; /* UDP port of the outer packets, host order; default 4500 */
	uint32_t mtu; /* octets */
	uint32_t fwmark; /* of the outer packets */
	uint8_t dscp; /* of the outer packets, 0..63; or LINK_DSCP_INHERIT */
};

#define LINK_DSCP_INHERIT 64 /* that of the packet inside */

/*
 * Create a shunt device, down. -EEXIST when the name is taken; -EOPNOTSUPP (with the hint to load
 * the module) when the kernel does not know the type.
 */
int link_add(struct link_ctx *ctx, const struct link_conf *conf, struct err *e);
/* Delete a shunt device with its tunnels. -ENODEV; -EINVAL when @name is of another kind. */
int link_del(struct link_ctx *ctx, const char *name, struct err *e);
int link_set_up(struct link_ctx *ctx, const char *name, bool up, struct err *e);
int link_set_mtu(struct link_ctx *ctx, const char *name, uint32_t mtu, struct err *e);

/*
 * Give the device an address, or take it away; @len is the prefix length. @replace: an existing one
 * (route) is not an error. A deletion of what is not there is -EADDRNOTAVAIL (-ESRCH).
 */
int link_addr_add(struct link_ctx *ctx, const char *name, const struct shunt_addr *addr,
		  uint8_t len, bool replace, struct err *e);
int link_addr_del(struct link_ctx *ctx, const char *name, const struct shunt_addr *addr,
		  uint8_t len, struct err *e);
/* Send @prefix out of the device: a link-scope route of the main table. */
int link_route_add(struct link_ctx *ctx, const char *name, const struct shunt_prefix *prefix,
		   bool replace, struct err *e);
int link_route_del(struct link_ctx *ctx, const char *name, const struct shunt_prefix *prefix,
		   struct err *e);

struct link_info {
	uint32_t ifindex;
	char name[IF_NAMESIZE];
	char kind[16]; /* "shunt", "veth"; "" for hardware */
	bool up; /* administratively */
	bool running; /* can carry packets */
	uint32_t mtu; /* octets */
	/* Totals since the device was made. */
	uint64_t rx_packets, rx_bytes, rx_errors, rx_dropped;
	uint64_t tx_packets, tx_bytes, tx_errors, tx_dropped;
};

/* One device by name: its state and, for the line's speed, its counters. -ENODEV. */
int link_get(struct link_ctx *ctx, const char *name, struct link_info *out, struct err *e);
/* The same of the device through which packets to @to leave. -ENETUNREACH, -EHOSTUNREACH. */
int link_towards(struct link_ctx *ctx, const struct shunt_addr *to, struct link_info *out,
		 struct err *e);
/*
 * Devices of @kind (NULL: all) in order of ifindex; a negative value of @on_link ends it and is
 * returned.
 */
int link_list(struct link_ctx *ctx, const char *kind,
	      int (*on_link)(void *arg, const struct link_info *info), void *arg, struct err *e);

#endif
