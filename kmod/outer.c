// SPDX-License-Identifier: GPL-2.0
#include "outer.h"
#include "compat.h"
#include "device.h"
#include "flow.h"
#include "rx.h"
#include "tunnel.h"

#include <net/addrconf.h>
#include <net/dst_cache.h>
#include <net/inet_sock.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/ipv6_stubs.h>
#include <net/route.h>
#include <net/udp.h>

/* A value the kernel does not give a meaning of its own; it only must not be 0. */
#define ENCAP_TYPE	1

/* ---- sockets ---- */

static int open_socket(struct shunt_dev *shunt, struct net *net, u8 family, struct sock __rcu **sk)
{
	struct udp_port_cfg port = {
		.family = family,
		.local_udp_port = shunt->port,
		/* RFC 8200 section 8.1: nothing else vouches for the outer addresses */
		.use_udp6_tx_checksums = true,
		.use_udp6_rx_checksums = true,
		.ipv6_v6only = true,
	};
	struct udp_tunnel_sock_cfg encap = {
		.sk_user_data = shunt,
		.encap_type = ENCAP_TYPE,
		.encap_rcv = shunt_rx,
	};
	struct socket *sock;
	int err;

	err = udp_sock_create(net, &port, &sock);
	if (err)
		return err;
	/* packets are sent on behalf of others, whose buffers they count against */
	sock->sk->sk_allocation = GFP_ATOMIC;
	/* by which the route is found that an ICMP error is about */
	sock->sk->sk_mark = shunt->fwmark;
	setup_udp_tunnel_sock(net, sock, &encap);
	/* sums of what is inside come from nowhere but the cipher, see rx.c */
	inet_dec_convert_csum(sock->sk);
	rcu_assign_pointer(*sk, sock->sk);
	return 0;
}

/**
 * shunt_outer_open() - open a device's sockets in the namespace the device was made in
 * @shunt: device; its lock is held
 *
 * Return: 0, -EADDRINUSE, -ENODEV when that namespace is gone, or another -errno. That the host
 * has no IPv6 is no error.
 */
int shunt_outer_open(struct shunt_dev *shunt)
{
	struct net *net = rtnl_dereference(shunt->net);
	int err;

	if (!net)
		return -ENODEV;
	err = open_socket(shunt, net, AF_INET, &shunt->sk4);
	if (err)
		return err;
	err = open_socket(shunt, net, AF_INET6, &shunt->sk6);
	if (!err || err == -EAFNOSUPPORT || err == -EPFNOSUPPORT)
		return 0;
	shunt_outer_close(shunt);
	return err;
}

/**
 * shunt_outer_mark() - give the sockets the device's mark
 * @shunt: device; its lock is held
 */
void shunt_outer_mark(struct shunt_dev *shunt)
{
	struct sock *sk4 = rcu_dereference_protected(shunt->sk4, lockdep_is_held(&shunt->lock));
	struct sock *sk6 = rcu_dereference_protected(shunt->sk6, lockdep_is_held(&shunt->lock));

	if (sk4)
		WRITE_ONCE(sk4->sk_mark, shunt->fwmark);
	if (sk6)
		WRITE_ONCE(sk6->sk_mark, shunt->fwmark);
}

/**
 * shunt_outer_close() - close a device's sockets, if they are open
 * @shunt: device; its lock is held. Nothing is sent or received when this returns
 */
void shunt_outer_close(struct shunt_dev *shunt)
{
	struct sock *sk4 = rcu_dereference_protected(shunt->sk4, lockdep_is_held(&shunt->lock));
	struct sock *sk6 = rcu_dereference_protected(shunt->sk6, lockdep_is_held(&shunt->lock));

	if (!sk4)
		return;
	RCU_INIT_POINTER(shunt->sk4, NULL);
	RCU_INIT_POINTER(shunt->sk6, NULL);
	synchronize_net();
	udp_tunnel_sock_release(sk4->sk_socket);
	if (sk6)
		udp_tunnel_sock_release(sk6->sk_socket);
}

/* ---- IPv4 ---- */

static struct dst_entry *route4(const struct shunt_tunnel *t, struct shunt_way *way)
{
	struct flowi4 fl = {
		.saddr = way->saddr.s6_addr32[3],
		.daddr = way->ep.addr.s6_addr32[3],
		.flowi4_mark = READ_ONCE(t->shunt->fwmark),
		.flowi4_proto = IPPROTO_UDP,
		.fl4_sport = t->shunt->port,
		.fl4_dport = way->ep.port,
	};
	struct rtable *rt = ip_route_output_flow(sock_net(way->sk), &fl, way->sk);

	if (IS_ERR(rt))
		return ERR_CAST(rt);
	shunt_addr_v4(&way->saddr, fl.saddr);
	return &rt->dst;
}

static struct dst_entry *cached4(struct shunt_tunnel *t, struct shunt_way *way)
{
	struct rtable *rt;
	__be32 saddr;

	rt = dst_cache_get_ip4(&t->dst_cache, &saddr);
	if (!rt)
		return NULL;
	shunt_addr_v4(&way->saddr, saddr);
	return &rt->dst;
}

static void send4(const struct shunt_tunnel *t, struct shunt_way *way, struct sk_buff *skb, u8 tos,
		  bool fragment)
{
	/* RFC 3948 section 2.1: no checksum, the ICV does better. Segmentation needs one. */
	shunt_udp_xmit((struct rtable *)way->dst, way->sk, skb, way->saddr.s6_addr32[3],
		       way->ep.addr.s6_addr32[3], tos, ip4_dst_hoplimit(way->dst),
		       fragment ? 0 : htons(IP_DF), t->shunt->port, way->ep.port,
		       !skb_is_gso(skb));
}

/* ---- IPv6; without it no socket is there and none of this is called ---- */

#if IS_ENABLED(CONFIG_IPV6)

static struct dst_entry *route6(const struct shunt_tunnel *t, struct shunt_way *way)
{
	struct net *net = sock_net(way->sk);
	struct flowi6 fl = {
		.saddr = way->saddr,
		.daddr = way->ep.addr,
		.flowi6_mark = READ_ONCE(t->shunt->fwmark),
		.flowi6_proto = IPPROTO_UDP,
		.fl6_sport = t->shunt->port,
		.fl6_dport = way->ep.port,
	};
	struct dst_entry *dst;

	/* the look-up does not mind whose the source is, unlike that of IPv4 */
	if (!ipv6_addr_any(&fl.saddr) && !ipv6_chk_addr(net, &fl.saddr, NULL, 0))
		return ERR_PTR(-EADDRNOTAVAIL);
	dst = ipv6_stub->ipv6_dst_lookup_flow(net, way->sk, &fl, NULL);
	if (!IS_ERR(dst))
		way->saddr = fl.saddr;
	return dst;
}

static struct dst_entry *cached6(struct shunt_tunnel *t, struct shunt_way *way)
{
	return dst_cache_get_ip6(&t->dst_cache, &way->saddr);
}

static void keep6(struct shunt_tunnel *t, const struct shunt_way *way)
{
	dst_cache_set_ip6(&t->dst_cache, way->dst, &way->saddr);
}

static void send6(const struct shunt_tunnel *t, struct shunt_way *way, struct sk_buff *skb, u8 tos,
		  bool fragment)
{
	/* what DF is to IPv4 */
	skb->ignore_df = fragment;
	shunt_udp6_xmit(way->dst, way->sk, skb, &way->saddr, &way->ep.addr, tos,
			ip6_dst_hoplimit(way->dst), t->shunt->port, way->ep.port);
}

#else

static struct dst_entry *route6(const struct shunt_tunnel *t, struct shunt_way *way)
{
	return ERR_PTR(-EAFNOSUPPORT);
}

static struct dst_entry *cached6(struct shunt_tunnel *t, struct shunt_way *way)
{
	return NULL;
}

static void keep6(struct shunt_tunnel *t, const struct shunt_way *way)
{
}

static void send6(const struct shunt_tunnel *t, struct shunt_way *way, struct sk_buff *skb, u8 tos,
		  bool fragment)
{
	dst_release(way->dst);
	kfree_skb(skb);
}

#endif

/* ---- either ---- */

static struct dst_entry *route(const struct shunt_tunnel *t, struct shunt_way *way)
{
	return way->family == AF_INET ? route4(t, way) : route6(t, way);
}

/* The route that was used last, with its source address; NULL if there is none or it is no good. */
static struct dst_entry *cached(struct shunt_tunnel *t, struct shunt_way *way)
{
	struct dst_entry *dst = way->family == AF_INET ? cached4(t, way) : cached6(t, way);

	if (!dst || dst->ops->family == way->family)
		return dst;
	/* another CPU has not heard yet that the endpoint is of another family now */
	dst_release(dst);
	return NULL;
}

static void keep(struct shunt_tunnel *t, const struct shunt_way *way)
{
	if (way->family == AF_INET)
		dst_cache_set_ip4(&t->dst_cache, way->dst, way->saddr.s6_addr32[3]);
	else
		keep6(t, way);
}

/**
 * shunt_outer_find() - find the way to the other end
 * @t: tunnel; RCU is held and bottom halves are off, until the way is no longer used
 * @way: result, with a reference to the route for shunt_outer_send() or shunt_outer_put()
 *
 * Return: 0; -EDESTADDRREQ when no endpoint is known yet, -ENETDOWN when the device is down, -ELOOP
 * when it would come back here, or another -errno, and then there is no route in @way.
 */
int shunt_outer_find(struct shunt_tunnel *t, struct shunt_way *way)
{
	struct shunt_endpoint now;
	struct dst_entry *dst;

	way->dst = NULL;
	shunt_tunnel_endpoint(t, &way->ep);
	if (!way->ep.port)
		return -EDESTADDRREQ;
	way->family = ipv6_addr_v4mapped(&way->ep.addr) ? AF_INET : AF_INET6;
	way->sk = rcu_dereference(*(way->family == AF_INET ? &t->shunt->sk4 : &t->shunt->sk6));
	if (!way->sk)
		return -ENETDOWN;
	way->dst = cached(t, way);
	if (way->dst)
		return 0;

	/* what the other end sends to is what its NAT expects answers from, if we still have it */
	way->saddr = way->ep.local;
	dst = route(t, way);
	if (IS_ERR(dst) && !ipv6_addr_any(&way->ep.local)) {
		way->saddr = in6addr_any;
		dst = route(t, way);
	}
	if (IS_ERR(dst))
		return PTR_ERR(dst);
	/* back into the device it came from: it would not end */
	if (dst->dev == t->shunt->dev) {
		dst_release(dst);
		return -ELOOP;
	}
	way->dst = dst;
	keep(t, way);
	/* the endpoint may have moved meanwhile, and its reset of the cache come too early */
	shunt_tunnel_endpoint(t, &now);
	if (!shunt_endpoint_equal(&now, &way->ep))
		dst_cache_reset(&t->dst_cache);
	return 0;
}

/**
 * shunt_outer_put() - let go of a way
 * @way: way, found or not
 */
void shunt_outer_put(struct shunt_way *way)
{
	dst_release(way->dst);
	way->dst = NULL;
}

/**
 * shunt_outer_mtu() - how large an inner packet may be
 * @t: tunnel
 * @way: way to its other end; what routers on it have asked for is in its route
 *
 * Return: octets that fit without fragmentation, at most the device's MTU.
 */
unsigned int shunt_outer_mtu(const struct shunt_tunnel *t, const struct shunt_way *way)
{
	int mtu = dst_mtu(way->dst);

	mtu -= way->family == AF_INET ? SHUNT_OUTER_HEAD4 : SHUNT_OUTER_HEAD6;
	return clamp_t(int, shunt_esp_fit(mtu), 0, READ_ONCE(t->shunt->dev->mtu));
}

/*
 * Whether capsules may leave as one packet that is cut up again as late as possible. Where their
 * checksums had to be made by software then, which those of single ones over IPv4 are spared, that
 * would cost more than it saves.
 */
static bool may_join(const struct shunt_way *way)
{
	netdev_features_t sums = way->family == AF_INET ? NETIF_F_IP_CSUM : NETIF_F_IPV6_CSUM;

	return way->dst->dev->features & (NETIF_F_HW_CSUM | sums) && !dst_xfrm(way->dst);
}

/*
 * What waits in a queue is to count against its sender's socket. Segmentation hands that on for
 * sock_wfree() only; TCP's stays with the whole packet, so that has to wait before it is cut up,
 * not behind a device that has no queue. A reference to the socket without a size, as sock_efree()
 * gives back, is each capsule's own.
 */
static bool pays_for_all(const struct sk_buff *head, const struct net_device *dev)
{
	if (!head->sk || head->destructor == sock_wfree)
		return true;
	return head->destructor != sock_efree &&
	       (dev->features & NETIF_F_FRAGLIST || !(dev->priv_flags & IFF_NO_QUEUE));
}

/*
 * Segments that owe their sender's socket owe it for their size, so that one can pay for all; and
 * all but the last are as long as the first.
 */
static bool fits_behind(const struct sk_buff *head, const struct sk_buff *skb, unsigned int size)
{
	return skb->len <= size && skb->sk == head->sk && skb->destructor == head->destructor &&
	       head->len + skb->len + SHUNT_OUTER_HEAD6 <= IP_MAX_MTU;
}

/*
 * Take the next capsule out of a burst, and those behind it that may leave with it by @dev, NULL if
 * none may: as its frag list, which UDP's segmentation takes apart without a copy.
 */
static struct sk_buff *next_packet(struct sk_buff_head *burst, const struct net_device *dev)
{
	struct sk_buff *head = __skb_dequeue(burst), *skb, **tail;
	unsigned int size, count = 1;

	if (!head || !dev || !pays_for_all(head, dev))
		return head;
	size = head->len;
	tail = &skb_shinfo(head)->frag_list;
	while ((skb = skb_peek(burst)) && fits_behind(head, skb, size)) {
		__skb_unlink(skb, burst);
		skb->sk = NULL;
		skb->destructor = NULL;
		/* the octets before it are for copies of the first one's headers */
		__skb_header_release(skb);
		*tail = skb;
		tail = &skb->next;
		head->len += skb->len;
		head->data_len += skb->len;
		head->truesize += skb->truesize;
		count++;
		if (skb->len < size)
			break;
	}
	if (count > 1) {
		skb_shinfo(head)->gso_size = size;
		skb_shinfo(head)->gso_segs = count;
		skb_shinfo(head)->gso_type = SKB_GSO_UDP_L4;
		head->ip_summed = CHECKSUM_PARTIAL;
		head->csum_start = skb_headroom(head) - sizeof(struct udphdr);
		head->csum_offset = offsetof(struct udphdr, check);
	}
	return head;
}

static void drop_burst(struct shunt_tunnel *t, struct sk_buff_head *burst)
{
	unsigned int count = skb_queue_len(burst);

	shunt_stats_drop(t->stats, SHUNT_TX, SHUNT_DROP_NOROUTE, count);
	shunt_stats_drop(t->shunt->stats, SHUNT_TX, SHUNT_DROP_NOROUTE, count);
	__skb_queue_purge(burst);
}

/**
 * shunt_outer_send() - let capsules leave
 * @t: tunnel; RCU is held and bottom halves are off
 * @way: way to its other end, void afterwards; without a route in it, it is found here
 * @burst: UDP payloads in their order, at least one, linear, with SHUNT_OUTER_HEAD6 of headroom;
 *	empty afterwards. With more than one they are the segments of one inner packet
 * @tos: of the outer header
 * @fragment: whether they may be fragmented on their way
 */
void shunt_outer_send(struct shunt_tunnel *t, struct shunt_way *way, struct sk_buff_head *burst,
		      u8 tos, bool fragment)
{
	const struct net_device *join;
	struct sk_buff *skb;

	if (!way->dst && shunt_outer_find(t, way)) {
		drop_burst(t, burst);
		return;
	}
	shunt_touch(&t->last_tx);
	join = !fragment && may_join(way) ? way->dst->dev : NULL;
	while ((skb = next_packet(burst, join))) {
		/* the device counts by itself, what is inside the capsules */
		skb->dev = NULL;
		skb->mark = READ_ONCE(t->shunt->fwmark);
		/* what sends takes a reference to the route; the last one takes ours */
		if (!skb_queue_empty(burst))
			dst_hold(way->dst);
		if (way->family == AF_INET)
			send4(t, way, skb, tos, fragment);
		else
			send6(t, way, skb, tos, fragment);
	}
	way->dst = NULL;
}

/**
 * shunt_outer_from() - where a received capsule came from
 * @skb: capsule, with its outer headers in place
 * @ep: result
 *
 * Return: true, or false if nothing can be sent there, as to link-local addresses, which mean
 * nothing without an interface.
 */
bool shunt_outer_from(const struct sk_buff *skb, struct shunt_endpoint *ep)
{
	ep->port = udp_hdr(skb)->source;
	if (ip_hdr(skb)->version == 4) {
		shunt_addr_v4(&ep->addr, ip_hdr(skb)->saddr);
		shunt_addr_v4(&ep->local, ip_hdr(skb)->daddr);
		return true;
	}
	ep->addr = ipv6_hdr(skb)->saddr;
	ep->local = ipv6_hdr(skb)->daddr;
	return !(ipv6_addr_type(&ep->addr) & (IPV6_ADDR_LINKLOCAL | IPV6_ADDR_MAPPED));
}

/**
 * shunt_outer_tos() - the outer traffic class of a received capsule
 * @skb: capsule, with its outer headers in place
 *
 * Return: the octet with DSCP and ECN.
 */
u8 shunt_outer_tos(const struct sk_buff *skb)
{
	return ip_hdr(skb)->version == 4 ? ip_hdr(skb)->tos : ipv6_get_dsfield(ipv6_hdr(skb));
}
