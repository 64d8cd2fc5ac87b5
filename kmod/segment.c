// SPDX-License-Identifier: GPL-2.0
#include "segment.h"
#include "compat.h"
#include "esp.h"
#include "flow.h"
#include "outer.h"

#include <linux/tcp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/sock.h>
#include <net/tcp.h>

/* Ciphers are quicker with words that lie on their own boundaries. */
#define ROOM_BEFORE	ALIGN(SHUNT_HEADROOM, sizeof(u64))

/* The packet that is cut up. */
struct cut {
	struct sk_buff *skb;
	const struct shunt_flow *flow;
	unsigned int head; /* octets of its headers */
	unsigned int size; /* octets behind them in each segment but the last */
	bool owned; /* the sender's socket pays */
};

/*
 * Whether a TCP socket here sent the packet and pays for it in TCP's own way, by tcp_wfree(), which
 * modules cannot name: these are all the others there are for what is sent.
 */
static bool tcp_pays(const struct sk_buff *skb)
{
	return skb->sk && sk_fullsock(skb->sk) && skb->sk->sk_protocol == IPPROTO_TCP &&
	       !skb->skb_iif && skb->destructor != sock_wfree && skb->destructor != sock_efree;
}

/* Anything out of the ordinary is the kernel's to cut up, which knows it all. */
static bool is_plain(const struct sk_buff *skb, const struct shunt_flow *flow)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);

	return flow->packet.proto == IPPROTO_TCP && skb->ip_summed == CHECKSUM_PARTIAL &&
	       shinfo->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6) &&
	       !(shinfo->gso_type & ~(SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_TCP_ECN)) &&
	       !(shinfo->tx_flags & SKBTX_ANY_TSTAMP) && (!skb->destructor || tcp_pays(skb));
}

/* @seg's IP header is that of the whole, and it is the @index-th segment. */
static void mend_ip(const struct cut *cut, struct sk_buff *seg, unsigned int index)
{
	struct iphdr *iph = ip_hdr(seg);

	if (cut->flow->family == AF_INET) {
		iph->tot_len = htons(seg->len);
		iph->id = htons(ntohs(iph->id) + index);
		ip_send_check(iph);
	} else {
		ipv6_hdr(seg)->payload_len = htons(seg->len - sizeof(struct ipv6hdr));
	}
}

/* @sum is that of the payload, which begins @offset octets into that of the whole. */
static void mend_tcp(const struct cut *cut, struct sk_buff *seg, unsigned int offset, bool last,
		     __wsum sum)
{
	unsigned int len = seg->len - cut->flow->packet.l4;
	struct tcphdr *th = tcp_hdr(seg);

	th->seq = htonl(ntohl(th->seq) + offset);
	if (offset)
		th->cwr = 0;
	if (!last) {
		th->fin = 0;
		th->psh = 0;
	}
	th->check = 0;
	sum = csum_partial(th, cut->flow->packet.tcp_len, sum);
	if (cut->flow->family == AF_INET)
		th->check = tcp_v4_check(len, ip_hdr(seg)->saddr, ip_hdr(seg)->daddr, sum);
	else
		th->check = csum_ipv6_magic(&ipv6_hdr(seg)->saddr, &ipv6_hdr(seg)->daddr, len,
					    IPPROTO_TCP, sum);
}

/* The segment that begins @offset octets into the payload; NULL without memory. */
static struct sk_buff *cut_one(const struct cut *cut, unsigned int offset, unsigned int index)
{
	unsigned int left = cut->skb->len - cut->head - offset;
	unsigned int len = min(left, cut->size);
	struct sk_buff *seg;
	__wsum sum;

	seg = alloc_skb(ROOM_BEFORE + cut->head + len + SHUNT_ESP_TAIL, GFP_ATOMIC);
	if (!seg)
		return NULL;
	skb_reserve(seg, ROOM_BEFORE);
	skb_reset_network_header(seg);
	skb_set_transport_header(seg, cut->flow->packet.l4);
	skb_put_data(seg, cut->skb->data, cut->head);
	sum = skb_copy_and_csum_bits(cut->skb, cut->head + offset, skb_put(seg, len), len);
	mend_ip(cut, seg, index);
	mend_tcp(cut, seg, offset, len == left, sum);
	seg->protocol = cut->skb->protocol;
	seg->priority = cut->skb->priority;
	skb_copy_queue_mapping(seg, cut->skb);
	skb_copy_hash(seg, cut->skb);
	if (cut->owned) {
		seg->sk = cut->skb->sk;
		seg->destructor = cut->skb->destructor;
	}
	return seg;
}

/*
 * The whole's account goes over to its segments, as in tcp_gso_segment(), so that TCP hears when
 * the last of them is gone: @paid is what they owe.
 */
static void pass_account(struct sk_buff *skb, unsigned int paid)
{
	int more = paid - skb->truesize;

	if (more >= 0)
		refcount_add(more, &skb->sk->sk_wmem_alloc);
	else
		WARN_ON_ONCE(refcount_sub_and_test(-more, &skb->sk->sk_wmem_alloc));
	skb->sk = NULL;
	skb->destructor = NULL;
}

static struct sk_buff *cut_up(const struct cut *cut)
{
	unsigned int offset = 0, index = 0, paid = 0;
	struct sk_buff *list = NULL, **tail = &list, *seg;

	do {
		seg = cut_one(cut, offset, index++);
		if (!seg)
			goto nomem;
		*tail = seg;
		tail = &seg->next;
		paid += seg->truesize;
		offset += cut->size;
	} while (offset < cut->skb->len - cut->head);
	if (cut->owned)
		pass_account(cut->skb, paid);
	return list;

nomem:
	/* the account is the whole's still */
	for (seg = list; seg; seg = seg->next) {
		seg->sk = NULL;
		seg->destructor = NULL;
	}
	kfree_skb_list(list);
	return ERR_PTR(-ENOMEM);
}

/**
 * shunt_segment() - cut a packet into segments
 * @skb: GSO packet at skb->data, its headers writable; stays the caller's, but its socket's account
 *	goes over to the segments
 * @flow: what it is about
 *
 * TCP's, which are nearly all, are copied once, summed by the way, to where the cipher finds them
 * with room around, and without the bookkeeping of skb_segment(), which can do much more.
 *
 * Return: the segments, a list by skb->next; or an error pointer.
 */
struct sk_buff *shunt_segment(struct sk_buff *skb, const struct shunt_flow *flow)
{
	struct cut cut = {
		.skb = skb,
		.flow = flow,
		.head = flow->packet.l4 + flow->packet.tcp_len,
		.size = skb_shinfo(skb)->gso_size,
		.owned = skb->destructor,
	};

	if (!is_plain(skb, flow) || cut.head >= skb->len || cut.head > skb_headlen(skb))
		return skb_gso_segment(skb, 0);
	return cut_up(&cut);
}
