/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a capsule leaves and arrives: in UDP over IPv4 or IPv6, one socket per device for each. The
 * rest of the module knows nothing about it, so that another way can take its place.
 */
#ifndef SHUNT_OUTER_H
#define SHUNT_OUTER_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/udp.h>

#include "esp.h"
#include "tunnel.h"

struct dst_entry;
struct shunt_dev;
struct sock;
struct netlink_ext_ack;

/* What is put before a capsule, link layer aside. */
#define SHUNT_OUTER_HEAD4	(sizeof(struct iphdr) + sizeof(struct udphdr))
#define SHUNT_OUTER_HEAD6	(sizeof(struct ipv6hdr) + sizeof(struct udphdr))

/* Headroom a capsule in the making should have; link layers seldom want more than these 16. */
#define SHUNT_HEADROOM		(SHUNT_OUTER_HEAD6 + SHUNT_ESP_HEAD + 16)

/*
 * MTU of a device whose capsules cross Ethernet. Tunnels over IPv6 fit 20 octets less, which their
 * senders are told as with any other path that is narrower.
 */
#define SHUNT_OUTER_MTU		shunt_esp_fit(ETH_DATA_LEN - (int)SHUNT_OUTER_HEAD4)

/* Where capsules go: the route, with a reference, and the addresses, those of IPv4 mapped. */
struct shunt_way {
	struct sock *sk;
	struct dst_entry *dst; /* NULL: not found */
	struct shunt_endpoint ep;
	struct in6_addr saddr;
	u8 family;
};

int shunt_outer_open(struct shunt_dev *shunt);
void shunt_outer_close(struct shunt_dev *shunt);
void shunt_outer_mark(struct shunt_dev *shunt);
int shunt_outer_find(struct shunt_tunnel *t, struct shunt_way *way);
void shunt_outer_put(struct shunt_way *way);
unsigned int shunt_outer_mtu(const struct shunt_tunnel *t, const struct shunt_way *way);
void shunt_outer_send(struct shunt_tunnel *t, struct shunt_way *way, struct sk_buff_head *burst,
		      u8 tos, bool fragment);
bool shunt_outer_from(const struct sk_buff *skb, struct shunt_endpoint *ep);
u8 shunt_outer_tos(const struct sk_buff *skb);

#endif /* SHUNT_OUTER_H */
