// SPDX-License-Identifier: GPL-2.0
#include "tx.h"
#include "chore.h"
#include "compat.h"
#include "device.h"
#include "esp.h"
#include "flow.h"
#include "mss.h"
#include "outer.h"
#include "scope.h"
#include "segment.h"
#include "tunnel.h"
#include "xlat.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/sched/clock.h>
#include <net/icmp.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ipv6.h>

/* What a dummy carries; xfrm takes an ESP packet without any payload for garbage. */
#define DUMMY_LEN	4

/* What must be known of a packet behind the cipher, in skb->cb. */
struct tx_cb {
	u32 len; /* of the inner packet; 0 for a dummy */
	u8 tos; /* of the outer header */
	bool fragment; /* the capsule may be fragmented */
};

static struct tx_cb *tx_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct tx_cb) > sizeof(skb->cb));
	return (struct tx_cb *)skb->cb;
}

/* @t is NULL for packets without a tunnel. */
static void count_drop(struct shunt_dev *shunt, struct shunt_tunnel *t, enum shunt_drop why,
		       unsigned int packets)
{
	if (t)
		shunt_stats_drop(t->stats, SHUNT_TX, why, packets);
	shunt_stats_drop(shunt->stats, SHUNT_TX, why, packets);
	net_dbg_ratelimited("%s: tunnel %08x: %u not sent: %s\n", shunt->dev->name,
			    t ? t->spi_in : 0, packets, shunt_drop_str(why));
}

static void count_cpu(struct shunt_dev *shunt, struct shunt_tunnel *t, u64 start)
{
	u64 ns = local_clock() - start;

	if (t)
		shunt_stats_cpu(t->stats, SHUNT_TX, ns);
	shunt_stats_cpu(shunt->stats, SHUNT_TX, ns);
}

static unsigned int packets_of(const struct sk_buff *skb)
{
	return skb_is_gso(skb) ? max_t(unsigned int, skb_shinfo(skb)->gso_segs, 1) : 1;
}

/* Tell the sender that there is no way to its destination. */
static void no_way(struct sk_buff *skb, u8 family)
{
	if (family == AF_INET)
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
	else
		icmpv6_ndo_send(skb, ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH, 0);
}

static bool fits(const struct sk_buff *skb, unsigned int mtu)
{
	return skb_is_gso(skb) ? skb_gso_validate_network_len(skb, mtu) : skb->len <= mtu;
}

/*
 * A packet too big for the way to the other end goes back, unless its sender wants it cut up;
 * TCP is told before it comes to that.
 */
static enum shunt_drop check_size(struct shunt_tunnel *t, struct sk_buff *skb,
				  const struct shunt_flow *flow, struct shunt_way *way)
{
	u8 family = flow->family;
	unsigned int mtu;

	tx_cb(skb)->fragment = false;
	if (shunt_outer_find(t, way)) {
		no_way(skb, family);
		return SHUNT_DROP_NOROUTE;
	}
	mtu = shunt_outer_mtu(t, way);
	if (shunt_mss_clamp(skb, flow, mtu))
		return SHUNT_DROP_NOMEM;
	if (fits(skb, mtu))
		return SHUNT_PASS;
	tx_cb(skb)->fragment = true;
	if (family == AF_INET) {
		if (!(ip_hdr(skb)->frag_off & htons(IP_DF)))
			return SHUNT_PASS;
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
	} else {
		/* what is smaller cannot be asked of IPv6, RFC 8200 section 5 */
		mtu = max_t(unsigned int, mtu, IPV6_MIN_MTU);
		if (fits(skb, mtu))
			return SHUNT_PASS;
		icmpv6_ndo_send(skb, ICMPV6_PKT_TOOBIG, 0, mtu);
	}
	return SHUNT_DROP_TOOBIG;
}

/*
 * An ICMP error may come from any router on our side; what it quotes must be a packet of the
 * tunnel. It leaves with our address on the wire, as its author's is of no use at the other end.
 */
static bool is_ours(const struct shunt_tunnel *t, const struct shunt_flow *flow)
{
	if (flow->error)
		return ipv6_addr_equal(&flow->quoted.addr.src, &t->real.dst) &&
		       ipv6_addr_equal(&flow->quoted.addr.dst, &t->real.src);
	return ipv6_addr_equal(&flow->packet.addr.src, &t->real.src);
}

/*
 * Decide whether a packet goes into a tunnel, and which, by which way. Nothing is changed in it but
 * its end, and the segment size of a SYN.
 */
static enum shunt_drop classify(struct shunt_dev *shunt, struct sk_buff *skb,
				struct shunt_flow *flow, struct shunt_tunnel **tunnel,
				struct shunt_way *way)
{
	enum shunt_drop drop = shunt_flow_parse(skb, flow);
	struct shunt_tunnel *t;
	unsigned int len;

	*tunnel = NULL;
	/* raw sockets may contradict themselves, and the rest of the stack goes by this */
	if (skb->protocol != (flow->family == AF_INET ? htons(ETH_P_IP) : htons(ETH_P_IPV6)))
		return SHUNT_DROP_MALFORMED;
	/* even what cannot be parsed to the end is some tunnel's, if its addresses could be */
	t = shunt_tunnel_by_addr(shunt, &flow->packet.addr.dst);
	*tunnel = t;
	if (!t) {
		if (flow->packet.l4)
			no_way(skb, flow->family);
		return drop ?: SHUNT_DROP_NOROUTE;
	}
	if (drop)
		return drop;
	if (READ_ONCE(t->dead))
		return SHUNT_DROP_STALE;

	len = flow->packet.l4 + flow->packet.len;
	if (skb_is_gso(skb) ? len != skb->len : pskb_trim(skb, len))
		return SHUNT_DROP_MALFORMED;
	if (!is_ours(t, flow) ||
	    !shunt_scope_allows(rcu_dereference(t->set.scope), flow,
				shunt_tunnel_to_device(t, SHUNT_TX)))
		return SHUNT_DROP_SCOPE;
	return check_size(t, skb, flow, way);
}

/* The first of @count sequence numbers in a row, or 0 when there are not that many left. */
static u32 reserve_seq(struct shunt_tunnel *t, unsigned int count)
{
	u64 last = atomic64_add_return(count, &t->seq);
	/* where the users of the tunnel are told to replace it */
	u32 warn = t->seq_limit - t->seq_limit / 4;

	if (unlikely(last > t->seq_limit)) {
		shunt_chore(t, SHUNT_CHORE_EXHAUSTED);
		return 0;
	}
	if (unlikely(last >= warn && last - count < warn))
		shunt_chore(t, SHUNT_CHORE_WARN);
	return last - count + 1;
}

/* A capsule is ready. Counts it, and returns whether it may leave; else it is freed. */
static bool ready(struct shunt_tunnel *t, struct sk_buff *skb, int err)
{
	unsigned int len = tx_cb(skb)->len;

	if (READ_ONCE(t->dead))
		err = -ESTALE;
	if (err) {
		count_drop(t->shunt, t, err == -ESTALE ? SHUNT_DROP_STALE : SHUNT_DROP_NOMEM, 1);
		kfree_skb(skb);
		return false;
	}
	if (len) {
		shunt_touch(&t->last_out);
		shunt_stats_packets(t->stats, SHUNT_TX, 1, len);
		shunt_stats_packets(t->shunt->stats, SHUNT_TX, 1, len);
	}
	if (tx_cb(skb)->fragment) {
		shunt_stats_fragmented(t->stats, SHUNT_TX);
		shunt_stats_fragmented(t->shunt->stats, SHUNT_TX);
	}
	return true;
}

/* The capsules of one inner packet, none if it was dropped or is in the cipher still. */
static void send(struct shunt_tunnel *t, struct shunt_way *way, struct sk_buff_head *burst)
{
	struct sk_buff *first = skb_peek(burst);

	if (first)
		shunt_outer_send(t, way, burst, tx_cb(first)->tos, tx_cb(first)->fragment);
	else
		shunt_outer_put(way);
}

/* The cipher finished later, see esp.h. */
static void done(struct shunt_tunnel *t, struct sk_buff *skb, int err)
{
	struct shunt_way way = {};
	u64 start = local_clock();
	struct sk_buff_head burst;

	__skb_queue_head_init(&burst);
	if (ready(t, skb, err))
		__skb_queue_tail(&burst, skb);
	count_cpu(t->shunt, t, start);
	send(t, &way, &burst);
}

/* Forget all that the inner packet's way here left in the buffer, and finish its checksum. */
static int scrub(struct sk_buff *skb)
{
	skb_scrub_packet(skb, true);
	skb->encapsulation = 0;
	if (shunt_esp_room(skb, SHUNT_HEADROOM))
		return -ENOMEM;
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		return skb_checksum_help(skb);
	skb->ip_summed = CHECKSUM_NONE;
	return 0;
}

/*
 * Cipher one packet and put it on @burst, unless that takes longer or fails. The buffer is
 * consumed.
 */
static void encode(struct shunt_tunnel *t, struct sk_buff *skb, u32 seq, u8 next_header,
		   struct sk_buff_head *burst)
{
	int err = scrub(skb);

	if (!err)
		err = shunt_esp_encode(t, skb, seq, next_header, done);
	if (err != -EINPROGRESS && ready(t, skb, err))
		__skb_queue_tail(burst, skb);
}

static u8 outer_dscp(const struct shunt_dev *shunt, u8 inner)
{
	u8 dscp = READ_ONCE(shunt->dscp);

	return dscp == SHUNT_DSCP_INHERIT ? inner & ~INET_ECN_MASK : dscp << 2;
}

static u8 outer_tos(const struct shunt_dev *shunt, const struct sk_buff *skb, u8 family)
{
	u8 inner = family == AF_INET ? ip_hdr(skb)->tos : ipv6_get_dsfield(ipv6_hdr(skb));

	/*
	 * RFC 6040 section 4.1: ECN is copied, congestion included, which INET_ECN_encapsulate()
	 * would hide as RFC 3168 had it.
	 */
	return outer_dscp(shunt, inner) | (inner & INET_ECN_MASK);
}

/* One packet, or the segments of one, into the tunnel. @skb is consumed. */
static void encode_burst(struct shunt_tunnel *t, struct sk_buff *skb, const struct shunt_flow *flow,
			 struct sk_buff_head *burst)
{
	u8 family = flow->family;
	struct tx_cb cb = {
		.tos = outer_tos(t->shunt, skb, family),
		.fragment = tx_cb(skb)->fragment,
	};
	struct sk_buff *segs = skb, *next;
	unsigned int count = 0;
	u32 seq;

	if (skb_is_gso(skb)) {
		segs = shunt_segment(skb, flow);
		if (IS_ERR_OR_NULL(segs)) {
			count_drop(t->shunt, t, SHUNT_DROP_NOMEM, packets_of(skb));
			kfree_skb(skb);
			return;
		}
		consume_skb(skb);
	}
	skb_list_walk_safe(segs, skb, next)
		count++;
	seq = reserve_seq(t, count);
	if (!seq) {
		count_drop(t->shunt, t, SHUNT_DROP_STALE, count);
		kfree_skb_list(segs);
		return;
	}
	skb_list_walk_safe(segs, skb, next) {
		skb_mark_not_on_list(skb);
		*tx_cb(skb) = cb;
		tx_cb(skb)->len = skb->len;
		encode(t, skb, seq++, family == AF_INET ? IPPROTO_IPIP : IPPROTO_IPV6, burst);
	}
}

/**
 * shunt_tx() - send a packet into its tunnel
 * @skb: inner packet, possibly GSO; consumed
 * @dev: the device
 *
 * Return: NETDEV_TX_OK, always.
 */
netdev_tx_t shunt_tx(struct sk_buff *skb, struct net_device *dev)
{
	struct shunt_dev *shunt = netdev_priv(dev);
	struct shunt_way way = {};
	u64 start = local_clock();
	struct sk_buff_head burst;
	struct shunt_tunnel *t;
	struct shunt_flow flow;
	enum shunt_drop drop;

	skb = skb_share_check(skb, GFP_ATOMIC);
	if (!skb) {
		shunt_stats_drop(shunt->stats, SHUNT_TX, SHUNT_DROP_NOMEM, 1);
		return NETDEV_TX_OK;
	}
	skb_reset_network_header(skb);
	__skb_queue_head_init(&burst);
	rcu_read_lock();
	drop = classify(shunt, skb, &flow, &t, &way);
	if (!drop && shunt_xlat(skb, &flow, &t->wire))
		drop = SHUNT_DROP_NOMEM;
	if (drop) {
		count_drop(shunt, t, drop, packets_of(skb));
		kfree_skb(skb);
	} else {
		encode_burst(t, skb, &flow, &burst);
	}
	count_cpu(shunt, t, start);
	if (t)
		send(t, &way, &burst);
	rcu_read_unlock();
	return NETDEV_TX_OK;
}

static struct sk_buff *dummy_skb(void)
{
	struct sk_buff *skb = alloc_skb(SHUNT_HEADROOM + DUMMY_LEN + SHUNT_ESP_TAIL, GFP_ATOMIC);

	if (!skb)
		return NULL;
	skb_reserve(skb, SHUNT_HEADROOM);
	skb_put_zero(skb, DUMMY_LEN);
	skb_reset_network_header(skb);
	memset(tx_cb(skb), 0, sizeof(struct tx_cb));
	return skb;
}

/**
 * shunt_tx_dummy() - send a dummy packet, RFC 4303 section 2.6
 * @t: tunnel; bottom halves are off
 */
void shunt_tx_dummy(struct shunt_tunnel *t)
{
	struct shunt_way way = {};
	u64 start = local_clock();
	struct sk_buff_head burst;
	struct sk_buff *skb;
	u32 seq = 0;

	__skb_queue_head_init(&burst);
	skb = dummy_skb();
	rcu_read_lock();
	if (skb)
		seq = reserve_seq(t, 1);
	if (seq) {
		tx_cb(skb)->tos = outer_dscp(t->shunt, 0);
		encode(t, skb, seq, IPPROTO_NONE, &burst);
	} else {
		kfree_skb(skb);
	}
	count_cpu(t->shunt, t, start);
	send(t, &way, &burst);
	rcu_read_unlock();
}
