/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What one inner packet is about: addresses, protocol, ports, and for an ICMP error the same of the
 * packet it quotes. Nothing that would hide a port gets past shunt_flow_parse().
 */
#ifndef SHUNT_FLOW_H
#define SHUNT_FLOW_H

#include <linux/in6.h>
#include <linux/skbuff.h>
#include <linux/types.h>

#include "stats.h"

/* A pair of addresses; IPv4 ones are kept IPv4-mapped, so that one comparison serves both. */
struct shunt_pair {
	struct in6_addr src;
	struct in6_addr dst;
};

/* One IP packet, the inner one or one quoted by it. Offsets are from the inner IP header. */
struct shunt_hdr {
	struct shunt_pair addr;
	u16 ip; /* offset of the IP header */
	u16 l4; /* offset of the transport header */
	u16 len; /* octets there from the transport header on */
	u8 proto; /* IPPROTO_TCP, _UDP, _ICMP or _ICMPV6 */
	__be16 sport; /* 0 with ICMP */
	__be16 dport;
	u8 tcp_len; /* with TCP, octets of its header; 0 in a quoted packet */
	bool syn; /* with TCP, a connection is being made; not in a quoted packet */
	bool request; /* with ICMP, other than errors: an echo request, else a reply */
};

struct shunt_flow {
	u8 family; /* AF_INET or AF_INET6 */
	bool error; /* ICMP error; @quoted is valid */
	struct shunt_hdr packet;
	struct shunt_hdr quoted;
};

enum shunt_drop shunt_flow_parse(struct sk_buff *skb, struct shunt_flow *flow);

static inline void shunt_addr_v4(struct in6_addr *a, __be32 v4)
{
	a->s6_addr32[0] = 0;
	a->s6_addr32[1] = 0;
	a->s6_addr32[2] = htonl(0xffff);
	a->s6_addr32[3] = v4;
}

#endif /* SHUNT_FLOW_H */
