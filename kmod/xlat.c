// SPDX-License-Identifier: GPL-2.0
#include "xlat.h"

#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip6_checksum.h>

static void *at(struct sk_buff *skb, u16 offset)
{
	return skb_network_header(skb) + offset;
}

/* What replacing *@from by *@to adds to a sum; both start at even offsets of what is summed. */
static __wsum diff_of(const void *from, const void *to, int len)
{
	return csum_sub(csum_partial(to, len, 0), csum_partial(from, len, 0));
}

static __wsum diff_of_pair(const struct shunt_pair *from, const struct shunt_pair *to)
{
	/* the prefix of a mapped IPv4 address is the same in both and cancels out */
	return csum_add(diff_of(&from->src, &to->src, sizeof(from->src)),
			diff_of(&from->dst, &to->dst, sizeof(from->dst)));
}

static void set_addresses(struct sk_buff *skb, u8 family, u16 ip, const struct shunt_pair *to)
{
	struct ipv6hdr *ip6h;
	struct iphdr *iph;

	if (family == AF_INET) {
		iph = at(skb, ip);
		csum_replace4(&iph->check, iph->saddr, to->src.s6_addr32[3]);
		csum_replace4(&iph->check, iph->daddr, to->dst.s6_addr32[3]);
		iph->saddr = to->src.s6_addr32[3];
		iph->daddr = to->dst.s6_addr32[3];
	} else {
		ip6h = at(skb, ip);
		ip6h->saddr = to->src;
		ip6h->daddr = to->dst;
	}
}

/* The checksum that covers @h's addresses by way of the pseudo header; NULL if none is there. */
static __sum16 *transport_check(struct sk_buff *skb, const struct shunt_hdr *h)
{
	struct tcphdr *th;
	struct udphdr *uh;

	switch (h->proto) {
	case IPPROTO_TCP:
		th = at(skb, h->l4);
		return h->len >= offsetofend(struct tcphdr, check) ? &th->check : NULL;
	case IPPROTO_UDP:
		uh = at(skb, h->l4);
		return uh->check ? &uh->check : NULL;
	case IPPROTO_ICMPV6:
		return &((struct icmp6hdr *)at(skb, h->l4))->icmp6_cksum;
	default:
		return NULL;
	}
}

/*
 * The packet that an ICMP error quotes: its addresses swapped, since it travelled the other way.
 * Returns what all changes, which are payload of the error, add to the error's sum.
 */
static __wsum xlat_quoted(struct sk_buff *skb, const struct shunt_flow *flow,
			  const struct shunt_pair *to)
{
	const struct shunt_hdr *h = &flow->quoted;
	__sum16 *check = transport_check(skb, h);
	__wsum inner = diff_of_pair(&h->addr, to);
	__wsum diff = inner;
	__sum16 old;

	set_addresses(skb, flow->family, h->ip, to);
	/* an IPv4 header sums to the same as before, as its own checksum made up for it */
	if (flow->family == AF_INET)
		diff = 0;
	if (check) {
		old = *check;
		csum_replace_by_diff(check, inner);
		if (h->proto == IPPROTO_UDP && !*check)
			*check = CSUM_MANGLED_0;
		diff = csum_add(diff, diff_of(&old, check, sizeof(old)));
	}
	return diff;
}

static bool same_pair(const struct shunt_pair *a, const struct shunt_pair *b)
{
	return ipv6_addr_equal(&a->src, &b->src) && ipv6_addr_equal(&a->dst, &b->dst);
}

/**
 * shunt_xlat() - give an inner packet other addresses
 * @skb: packet that @flow describes
 * @flow: its description; out of date afterwards
 * @packet: the addresses it shall have; those of a quoted packet become the same, swapped
 *
 * Checksums are updated by what changed, so that one that was wrong stays wrong. Partial checksums
 * and GSO packets are fine.
 *
 * Return: 0, or -ENOMEM with the packet unchanged.
 */
int shunt_xlat(struct sk_buff *skb, const struct shunt_flow *flow, const struct shunt_pair *packet)
{
	const struct shunt_hdr *h = &flow->packet;
	const struct shunt_pair quoted = { .src = packet->dst, .dst = packet->src };
	unsigned int header = h->l4 + min_t(unsigned int, h->len, sizeof(struct tcphdr));
	__sum16 *check;

	if (same_pair(&h->addr, packet) && (!flow->error || same_pair(&flow->quoted.addr, &quoted)))
		return 0;
	/* an error is short, and its quotation may be touched anywhere */
	if (flow->error)
		header = h->l4 + h->len;
	if (skb_ensure_writable(skb, skb_network_offset(skb) + header))
		return -ENOMEM;

	check = transport_check(skb, h);
	if (check)
		inet_proto_csum_replace_by_diff(check, skb, diff_of_pair(&h->addr, packet), true,
						flow->family == AF_INET6);
	set_addresses(skb, flow->family, h->ip, packet);
	if (flow->error) {
		check = &((struct icmphdr *)at(skb, h->l4))->checksum;
		inet_proto_csum_replace_by_diff(check, skb, xlat_quoted(skb, flow, &quoted),
						false, false);
	}
	if (h->proto == IPPROTO_UDP && check && !*check && skb->ip_summed != CHECKSUM_PARTIAL)
		*check = CSUM_MANGLED_0;
	return 0;
}
