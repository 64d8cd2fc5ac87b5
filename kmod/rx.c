// SPDX-License-Identifier: GPL-2.0
#include "rx.h"
#include "alive.h"
#include "chore.h"
#include "device.h"
#include "esp.h"
#include "flow.h"
#include "mss.h"
#include "outer.h"
#include "scope.h"
#include "tunnel.h"
#include "xlat.h"

#include <linux/sched/clock.h>
#include <net/inet_ecn.h>
#include <net/ipv6.h>
#include <net/udp.h>

/* RFC 3948 section 2.3 */
#define NAT_KEEPALIVE	0xff

static void count_cpu(struct shunt_dev *shunt, struct shunt_tunnel *t, u64 start)
{
	u64 ns = local_clock() - start;

	if (t)
		shunt_stats_cpu(t->stats, SHUNT_RX, ns);
	shunt_stats_cpu(shunt->stats, SHUNT_RX, ns);
}

/* @t is NULL for packets without a tunnel. */
static void drop_packet(struct shunt_dev *shunt, struct shunt_tunnel *t, struct sk_buff *skb,
			enum shunt_drop why)
{
	if (t)
		shunt_stats_drop(t->stats, SHUNT_RX, why, 1);
	shunt_stats_drop(shunt->stats, SHUNT_RX, why, 1);
	net_dbg_ratelimited("%s: tunnel %08x: not received: %s\n", shunt->dev->name,
			    t ? t->spi_in : 0, shunt_drop_str(why));
	kfree_skb(skb);
}

static u32 seq_of(const struct sk_buff *skb)
{
	return ntohl(((struct ip_esp_hdr *)skb->data)->seq_no);
}

/* The other end is there, and where this packet came from if nothing newer came before. */
static void heard(struct shunt_tunnel *t, const struct sk_buff *skb, bool newest)
{
	struct shunt_endpoint ep;

	shunt_touch(&t->last_rx);
	if (!READ_ONCE(t->heard))
		WRITE_ONCE(t->heard, true);
	if (newest && shunt_outer_from(skb, &ep) && shunt_tunnel_move(t, &ep, seq_of(skb)))
		shunt_chore(t, SHUNT_CHORE_ENDPOINT);
}

/* Forget all that the capsule's way here left in the buffer. */
static void scrub(struct sk_buff *skb, struct net_device *dev)
{
	skb_scrub_packet(skb, true);
	skb_clear_hash(skb);
	skb->dev = dev;
	skb->encapsulation = 0;
	/* the ICV vouches for what is inside, at every level */
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->csum_level = ~0;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
}

static bool is_ours(const struct shunt_tunnel *t, const struct shunt_flow *flow)
{
	const struct shunt_pair *packet = &flow->packet.addr;
	const struct shunt_pair *quoted = &flow->quoted.addr;

	if (!ipv6_addr_equal(&packet->src, &t->wire.dst) ||
	    !ipv6_addr_equal(&packet->dst, &t->wire.src))
		return false;
	return !flow->error || (ipv6_addr_equal(&quoted->src, &t->wire.src) &&
				ipv6_addr_equal(&quoted->dst, &t->wire.dst));
}

/* What answers a SYN comes back through the tunnel. The other end clamps too, if it is ours. */
static int clamp_answers(struct shunt_tunnel *t, struct sk_buff *skb, const struct shunt_flow *flow)
{
	struct shunt_way way;
	int err;

	if (shunt_outer_find(t, &way))
		return 0;
	err = shunt_mss_clamp(skb, flow, shunt_outer_mtu(t, &way));
	shunt_outer_put(&way);
	return err;
}

/* The inner packet at skb->data becomes one that the stack may have. */
static enum shunt_drop unwrap(struct shunt_tunnel *t, struct sk_buff *skb, int next_header, u8 tos)
{
	/* seen from here the other end is the source */
	const struct shunt_pair real = { .src = t->real.dst, .dst = t->real.src };
	struct shunt_flow flow;
	enum shunt_drop drop;
	u8 inner_tos;

	drop = shunt_flow_parse(skb, &flow);
	if (drop)
		return drop;
	if (next_header != (flow.family == AF_INET ? IPPROTO_IPIP : IPPROTO_IPV6))
		return SHUNT_DROP_MALFORMED;
	/* what follows is padding for traffic flow confidentiality, RFC 4303 section 2.7 */
	if (pskb_trim(skb, flow.packet.l4 + flow.packet.len))
		return SHUNT_DROP_NOMEM;
	if (!is_ours(t, &flow) ||
	    !shunt_scope_allows(rcu_dereference(t->set.scope), &flow,
				shunt_tunnel_to_device(t, SHUNT_RX)))
		return SHUNT_DROP_SCOPE;
	if ((flow.packet.syn && clamp_answers(t, skb, &flow)) || shunt_xlat(skb, &flow, &real))
		return SHUNT_DROP_NOMEM;

	if (flow.family == AF_INET) {
		skb->protocol = htons(ETH_P_IP);
		inner_tos = ip_hdr(skb)->tos;
	} else {
		skb->protocol = htons(ETH_P_IPV6);
		inner_tos = ipv6_get_dsfield(ipv6_hdr(skb));
	}
	/* RFC 6040 section 4.2: congestion that the packet cannot be told of is told by its loss */
	return INET_ECN_decapsulate(skb, tos, inner_tos) > 1 ? SHUNT_DROP_MALFORMED : SHUNT_PASS;
}

/*
 * Decides over a capsule that is out of the cipher. Sets *@dummy if there is nothing in it, else
 * @skb is what the stack may have, on SHUNT_PASS.
 */
static enum shunt_drop accept(struct shunt_tunnel *t, struct sk_buff *skb, int err, bool *dummy)
{
	u8 tos = shunt_outer_tos(skb);
	int next_header;
	int newest;

	if (err == -EBADMSG)
		return SHUNT_DROP_AUTH;
	if (err == -ESTALE || READ_ONCE(t->dead))
		return SHUNT_DROP_STALE;
	if (err)
		return SHUNT_DROP_NOMEM;
	newest = shunt_replay_commit(&t->replay, seq_of(skb));
	if (newest < 0)
		return SHUNT_DROP_REPLAY;
	heard(t, skb, newest);

	next_header = shunt_esp_strip(skb);
	if (next_header == IPPROTO_NONE) {
		*dummy = true;
		return SHUNT_PASS;
	}
	if (next_header < 0)
		return SHUNT_DROP_MALFORMED;
	scrub(skb, t->shunt->dev);
	return unwrap(t, skb, next_header, tos);
}

static void finish(struct shunt_tunnel *t, struct sk_buff *skb, int err, u64 start)
{
	struct shunt_dev *shunt = t->shunt;
	enum shunt_drop drop;
	bool dummy = false;

	drop = accept(t, skb, err, &dummy);
	if (!drop && !dummy) {
		shunt_touch(&t->last_in);
		shunt_stats_packets(t->stats, SHUNT_RX, 1, skb->len);
		shunt_stats_packets(shunt->stats, SHUNT_RX, 1, skb->len);
	}
	count_cpu(shunt, t, start);
	if (drop) {
		drop_packet(shunt, t, skb, drop);
	} else if (dummy) {
		consume_skb(skb);
		shunt_alive_answer(t);
	} else {
		gro_cells_receive(&shunt->gro, skb);
	}
}

/* The cipher finished later, see esp.h. */
static void done(struct shunt_tunnel *t, struct sk_buff *skb, int err)
{
	finish(t, skb, err, local_clock());
}

/* Find the tunnel of what may be a capsule, and see whether it is worth the cipher's time. */
static enum shunt_drop classify(struct shunt_dev *shunt, struct sk_buff *skb,
				struct shunt_tunnel **tunnel)
{
	struct shunt_tunnel *t;
	u32 spi;

	if (skb->len < SHUNT_ESP_MIN || !pskb_may_pull(skb, SHUNT_ESP_HEAD))
		return SHUNT_DROP_MALFORMED;
	spi = ntohl(((struct ip_esp_hdr *)skb->data)->spi);
	if (spi < SHUNT_SPI_MIN)
		return SHUNT_DROP_MALFORMED;
	t = shunt_tunnel_by_spi(shunt, spi);
	*tunnel = t;
	if (!t)
		return SHUNT_DROP_NOROUTE;
	if ((skb->len - SHUNT_ESP_HEAD - SHUNT_ESP_ICV) % SHUNT_ESP_ALIGN)
		return SHUNT_DROP_MALFORMED;
	if (READ_ONCE(t->dead))
		return SHUNT_DROP_STALE;
	if (!shunt_replay_check(&t->replay, seq_of(skb)))
		return SHUNT_DROP_REPLAY;
	/*
	 * Decryption is in place, so the octets must be this packet's alone. Pages are not, even
	 * where no clone shows: they may be a sender's, or a file's.
	 */
	return skb_linearize_cow(skb) ? SHUNT_DROP_NOMEM : SHUNT_PASS;
}

/* RFC 3948: the one octet that keeps NAT open, and IKE, which is not spoken here. */
static bool is_other(struct sk_buff *skb)
{
	if (skb->len == 1)
		return pskb_may_pull(skb, 1) && skb->data[0] == NAT_KEEPALIVE;
	return pskb_may_pull(skb, sizeof(__be32)) && !*(__be32 *)skb->data;
}

/**
 * shunt_rx() - a datagram came to a device's socket
 * @sk: the socket
 * @skb: datagram at skb->data, UDP header first; consumed
 *
 * RCU is held and bottom halves are off, as UDP's encap_rcv has it.
 *
 * Return: 0, always.
 */
int shunt_rx(struct sock *sk, struct sk_buff *skb)
{
	struct shunt_dev *shunt = rcu_dereference_sk_user_data(sk);
	u64 start = local_clock();
	struct shunt_tunnel *t = NULL;
	enum shunt_drop drop;
	int err;

	if (!shunt)
		goto drop_silently;
	__skb_pull(skb, sizeof(struct udphdr));
	if (is_other(skb))
		goto drop_silently;
	drop = classify(shunt, skb, &t);
	if (drop) {
		drop_packet(shunt, t, skb, drop);
		count_cpu(shunt, t, start);
		return 0;
	}
	err = shunt_esp_decode(t, skb, done);
	if (err == -EINPROGRESS)
		count_cpu(shunt, t, start);
	else
		finish(t, skb, err, start);
	return 0;

drop_silently:
	consume_skb(skb);
	return 0;
}
