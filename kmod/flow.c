// SPDX-License-Identifier: GPL-2.0
#include "flow.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ipv6.h>

/* RFC 792 and RFC 4443: an error quotes at least this much behind the IP header. */
#define QUOTED_MIN	8

/* The packet cursor: where headers are looked for, all of it in the linear part when asked for. */
static void *pull(struct sk_buff *skb, unsigned int offset, unsigned int len)
{
	offset += skb_network_offset(skb);
	if (!pskb_may_pull(skb, offset + len))
		return NULL;
	return skb->data + offset;
}

static unsigned int inner_len(const struct sk_buff *skb)
{
	return skb->len - skb_network_offset(skb);
}

/* IPv4 header at h->ip. @whole is false for a quoted packet, of which the end may be missing. */
static enum shunt_drop parse_ipv4(struct sk_buff *skb, struct shunt_hdr *h, bool whole)
{
	const struct iphdr *iph = pull(skb, h->ip, sizeof(*iph));
	unsigned int have = inner_len(skb) - h->ip;

	if (!iph || iph->version != 4 || iph->ihl < 5)
		return SHUNT_DROP_MALFORMED;
	if (ntohs(iph->tot_len) < iph->ihl * 4 || (whole && ntohs(iph->tot_len) > have))
		return SHUNT_DROP_MALFORMED;
	shunt_addr_v4(&h->addr.src, iph->saddr);
	shunt_addr_v4(&h->addr.dst, iph->daddr);
	/* options may route the packet elsewhere, and fragments have no port to look at */
	if (iph->ihl != 5 || ip_is_fragment(iph))
		return SHUNT_DROP_SCOPE;
	h->proto = iph->protocol;
	h->l4 = h->ip + sizeof(*iph);
	h->len = min_t(unsigned int, ntohs(iph->tot_len), have) - sizeof(*iph);
	return SHUNT_PASS;
}

static enum shunt_drop parse_ipv6(struct sk_buff *skb, struct shunt_hdr *h, bool whole)
{
	const struct ipv6hdr *ip6h = pull(skb, h->ip, sizeof(*ip6h));
	unsigned int have;

	if (!ip6h || ip6h->version != 6)
		return SHUNT_DROP_MALFORMED;
	have = inner_len(skb) - h->ip - sizeof(*ip6h);
	if (whole && ntohs(ip6h->payload_len) > have)
		return SHUNT_DROP_MALFORMED;
	h->addr.src = ip6h->saddr;
	h->addr.dst = ip6h->daddr;
	/* any extension header ends up as a protocol that parse_transport() does not know */
	h->proto = ip6h->nexthdr;
	h->l4 = h->ip + sizeof(*ip6h);
	h->len = min_t(unsigned int, ntohs(ip6h->payload_len), have);
	return SHUNT_PASS;
}

static enum shunt_drop parse_ip(struct sk_buff *skb, struct shunt_hdr *h, u8 family, bool whole)
{
	return family == AF_INET ? parse_ipv4(skb, h, whole) : parse_ipv6(skb, h, whole);
}

static bool icmp_is_error(u8 family, u8 type)
{
	if (family == AF_INET)
		return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
		       type == ICMP_PARAMETERPROB;
	return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB;
}

/* Sets *@error, unless that is NULL, where an error may not be. */
static enum shunt_drop parse_icmp(struct sk_buff *skb, struct shunt_hdr *h, u8 family, bool *error)
{
	const struct icmphdr *icmph = pull(skb, h->l4, sizeof(*icmph));
	u8 type;

	/* both versions start with type, code and checksum */
	if (!icmph || h->len < sizeof(*icmph))
		return SHUNT_DROP_MALFORMED;
	type = icmph->type;
	if (type == (family == AF_INET ? ICMP_ECHO : ICMPV6_ECHO_REQUEST))
		h->request = true;
	else if (error && icmp_is_error(family, type))
		*error = true;
	else if (type != (family == AF_INET ? ICMP_ECHOREPLY : ICMPV6_ECHO_REPLY))
		return SHUNT_DROP_SCOPE;
	return SHUNT_PASS;
}

static enum shunt_drop parse_tcp(struct sk_buff *skb, struct shunt_hdr *h, bool whole)
{
	/* ports and sequence number, all that a quotation must have */
	const struct tcphdr *th = pull(skb, h->l4, whole ? sizeof(*th) : QUOTED_MIN);

	if (!th || h->len < (whole ? sizeof(*th) : QUOTED_MIN))
		return SHUNT_DROP_MALFORMED;
	if (whole && (th->doff < 5 || th->doff * 4 > h->len))
		return SHUNT_DROP_MALFORMED;
	if (whole) {
		h->tcp_len = th->doff * 4;
		h->syn = th->syn;
	}
	h->sport = th->source;
	h->dport = th->dest;
	return SHUNT_PASS;
}

static enum shunt_drop parse_udp(struct sk_buff *skb, struct shunt_hdr *h, bool whole)
{
	const struct udphdr *uh = pull(skb, h->l4, sizeof(*uh));

	if (!uh || h->len < sizeof(*uh))
		return SHUNT_DROP_MALFORMED;
	if (ntohs(uh->len) < sizeof(*uh) || (whole && ntohs(uh->len) > h->len))
		return SHUNT_DROP_MALFORMED;
	h->sport = uh->source;
	h->dport = uh->dest;
	return SHUNT_PASS;
}

static enum shunt_drop parse_transport(struct sk_buff *skb, struct shunt_hdr *h, u8 family,
				       bool *error)
{
	bool whole = error;

	switch (h->proto) {
	case IPPROTO_TCP:
		return parse_tcp(skb, h, whole);
	case IPPROTO_UDP:
		return parse_udp(skb, h, whole);
	case IPPROTO_ICMP:
		return family == AF_INET ? parse_icmp(skb, h, family, error) : SHUNT_DROP_SCOPE;
	case IPPROTO_ICMPV6:
		return family == AF_INET6 ? parse_icmp(skb, h, family, error) : SHUNT_DROP_SCOPE;
	default:
		return SHUNT_DROP_SCOPE;
	}
}

/**
 * shunt_flow_parse() - find out what an inner packet is about
 * @skb: packet; its network header is the inner IP header, and skb->data is not after it. Headers
 *	may be pulled into the linear part, so pointers into it are void afterwards
 * @flow: result; offsets stay valid as long as the headers are not changed
 *
 * Where the IP header itself is sound, @flow->packet.addr is valid in any case.
 *
 * Return: SHUNT_PASS, else why the packet is to be dropped: what a tunnel never carries is
 * SHUNT_DROP_SCOPE (fragments, IPv4 options, IPv6 extension headers, other protocols, other ICMP
 * than echo and errors), what contradicts itself SHUNT_DROP_MALFORMED.
 */
enum shunt_drop shunt_flow_parse(struct sk_buff *skb, struct shunt_flow *flow)
{
	const u8 *first = pull(skb, 0, 1);
	enum shunt_drop drop;

	memset(flow, 0, sizeof(*flow));
	if (!first)
		return SHUNT_DROP_MALFORMED;
	switch (*first >> 4) {
	case 4:
		flow->family = AF_INET;
		break;
	case 6:
		flow->family = AF_INET6;
		break;
	default:
		return SHUNT_DROP_MALFORMED;
	}
	drop = parse_ip(skb, &flow->packet, flow->family, true);
	if (!drop)
		drop = parse_transport(skb, &flow->packet, flow->family, &flow->error);
	if (drop || !flow->error)
		return drop;

	flow->quoted.ip = flow->packet.l4 + sizeof(struct icmphdr);
	drop = parse_ip(skb, &flow->quoted, flow->family, false);
	if (!drop)
		drop = parse_transport(skb, &flow->quoted, flow->family, NULL);
	return drop;
}
