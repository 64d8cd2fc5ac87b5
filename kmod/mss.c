// SPDX-License-Identifier: GPL-2.0
#include "mss.h"
#include "compat.h"
#include "flow.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/swab.h>
#include <linux/tcp.h>
#include <net/checksum.h>
#include <net/tcp.h>

/* The value of the option among @len octets of options, NULL if none or if they are not sound. */
static u8 *find_mss(u8 *opt, int len)
{
	while (len > 0 && *opt != TCPOPT_EOL) {
		if (*opt == TCPOPT_NOP) {
			opt++;
			len--;
			continue;
		}
		if (len < 2 || opt[1] < 2 || opt[1] > len)
			return NULL;
		if (*opt == TCPOPT_MSS)
			return opt[1] == TCPOLEN_MSS ? opt + 2 : NULL;
		len -= opt[1];
		opt += opt[1];
	}
	return NULL;
}

/**
 * shunt_mss_clamp() - let a connection that is being made send segments that fit
 * @skb: packet that @flow describes; changed only if it is a SYN that allows larger ones
 * @flow: its description, which stays valid
 * @mtu: how large an inner packet may be
 *
 * The checksum is updated by what changed. Without the option TCP sends little anyway.
 *
 * Return: 0, or -ENOMEM with the packet unchanged.
 */
int shunt_mss_clamp(struct sk_buff *skb, const struct shunt_flow *flow, unsigned int mtu)
{
	const struct shunt_hdr *h = &flow->packet;
	unsigned int headers = h->l4 + sizeof(struct tcphdr);
	unsigned int start = skb_network_offset(skb) + h->l4;
	__be16 old, mss;
	struct tcphdr *th;
	u8 *value;

	if (!h->syn || mtu <= headers)
		return 0;
	if (!pskb_may_pull(skb, start + h->tcp_len))
		return -ENOMEM;
	th = (struct tcphdr *)(skb->data + start);
	value = find_mss((u8 *)(th + 1), h->tcp_len - sizeof(*th));
	if (!value || get_unaligned_be16(value) <= mtu - headers)
		return 0;

	/* the offset outlives what making it writable moves */
	start = value - skb->data;
	if (skb_ensure_writable(skb, start + sizeof(mss)))
		return -ENOMEM;
	th = (struct tcphdr *)(skb_network_header(skb) + h->l4);
	value = skb->data + start;
	mss = htons(mtu - headers);
	old = get_unaligned((__be16 *)value);
	put_unaligned(mss, (__be16 *)value);
	/* at an odd offset its octets are in two words of the sum, in the other order */
	if ((value - (u8 *)th) & 1) {
		old = (__force __be16)swab16((__force u16)old);
		mss = (__force __be16)swab16((__force u16)mss);
	}
	inet_proto_csum_replace2(&th->check, skb, old, mss, false);
	return 0;
}
