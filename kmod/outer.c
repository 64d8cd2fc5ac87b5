// SPDX-License-Identifier: GPL-2.0
#include "outer.h"
#include "compat.h"
#include "device.h"
#include "rx.h"
#include "tunnel.h"

#include <net/dst_cache.h>
#include <net/inet_sock.h>
#include <net/ip_tunnels.h>
#include <net/route.h>
#include <net/udp.h>

/* A value the kernel does not give a meaning of its own; it only must not be 0. */
#define ENCAP_TYPE	1

/* Where a packet goes: the route, with a reference, and the addresses. */
struct way {
	struct sock *sk;
	struct rtable *rt;
	struct shunt_endpoint ep;
	__be32 saddr;
};

/**
 * shunt_outer_open() - open a device's socket in the namespace the device was made in
 * @shunt: device; its lock is held
 *
 * Return: 0, -EADDRINUSE, -ENODEV when that namespace is gone, or another -errno.
 */
int shunt_outer_open(struct shunt_dev *shunt)
{
	struct udp_port_cfg port = {
		.family = AF_INET,
		.local_udp_port = shunt->port,
	};
	struct udp_tunnel_sock_cfg encap = {
		.sk_user_data = shunt,
		.encap_type = ENCAP_TYPE,
		.encap_rcv = shunt_rx,
	};
	struct net *net = rtnl_dereference(shunt->net);
	struct socket *sock;
	int err;

	if (!net)
		return -ENODEV;
	err = udp_sock_create(net, &port, &sock);
	if (err)
		return err;
	/* packets are sent on behalf of others, whose buffers they count against */
	sock->sk->sk_allocation = GFP_ATOMIC;
	setup_udp_tunnel_sock(net, sock, &encap);
	rcu_assign_pointer(shunt->sk, sock->sk);
	return 0;
}

/**
 * shunt_outer_close() - close a device's socket, if it is open
 * @shunt: device; its lock is held. Nothing is sent or received when this returns
 */
void shunt_outer_close(struct shunt_dev *shunt)
{
	struct sock *sk = rcu_dereference_protected(shunt->sk, lockdep_is_held(&shunt->lock));

	if (!sk)
		return;
	RCU_INIT_POINTER(shunt->sk, NULL);
	synchronize_net();
	udp_tunnel_sock_release(sk->sk_socket);
}

static struct rtable *route(const struct shunt_tunnel *t, struct way *way)
{
	struct flowi4 fl = {
		.saddr = way->saddr,
		.daddr = way->ep.addr,
		.flowi4_mark = READ_ONCE(t->shunt->fwmark),
		.flowi4_proto = IPPROTO_UDP,
		.fl4_sport = t->shunt->port,
		.fl4_dport = way->ep.port,
	};
	struct rtable *rt = ip_route_output_flow(sock_net(way->sk), &fl, way->sk);

	if (!IS_ERR(rt))
		way->saddr = fl.saddr;
	return rt;
}

/* RCU is held and bottom halves are off. */
static int find_way(struct shunt_tunnel *t, struct way *way)
{
	struct shunt_endpoint now;

	way->sk = rcu_dereference(t->shunt->sk);
	if (!way->sk)
		return -ENETDOWN;
	shunt_tunnel_endpoint(t, &way->ep);
	if (!way->ep.port)
		return -EDESTADDRREQ;
	way->rt = dst_cache_get_ip4(&t->dst_cache, &way->saddr);
	if (way->rt)
		return 0;

	/* what the other end sends to is what its NAT expects answers from, if we still have it */
	way->saddr = way->ep.local;
	way->rt = route(t, way);
	if (IS_ERR(way->rt) && way->ep.local) {
		way->saddr = 0;
		way->rt = route(t, way);
	}
	if (IS_ERR(way->rt))
		return PTR_ERR(way->rt);
	/* back into the device it came from: it would not end */
	if (way->rt->dst.dev == t->shunt->dev) {
		ip_rt_put(way->rt);
		return -ELOOP;
	}
	dst_cache_set_ip4(&t->dst_cache, &way->rt->dst, way->saddr);
	/* the endpoint may have moved meanwhile, and its reset of the cache come too early */
	shunt_tunnel_endpoint(t, &now);
	if (!shunt_endpoint_equal(&now, &way->ep))
		dst_cache_reset(&t->dst_cache);
	return 0;
}

/**
 * shunt_outer_mtu() - how large an inner packet may be
 * @t: tunnel; RCU is held and bottom halves are off
 *
 * What routers on the way to the other end have asked for is in its route.
 *
 * Return: octets that fit without fragmentation, at most the device's MTU; or -errno when the
 * other end cannot be reached.
 */
int shunt_outer_mtu(struct shunt_tunnel *t)
{
	struct way way;
	int mtu;

	mtu = find_way(t, &way);
	if (mtu)
		return mtu;
	mtu = shunt_esp_fit((int)dst_mtu(&way.rt->dst) - (int)SHUNT_OUTER_HEAD);
	ip_rt_put(way.rt);
	return clamp_t(int, mtu, 0, READ_ONCE(t->shunt->dev->mtu));
}

/**
 * shunt_outer_send() - let a capsule leave
 * @t: tunnel; RCU is held and bottom halves are off
 * @skb: UDP payload, with SHUNT_OUTER_HEAD of headroom; consumed
 * @tos: of the outer header
 * @fragment: whether it may be fragmented on its way
 */
void shunt_outer_send(struct shunt_tunnel *t, struct sk_buff *skb, u8 tos, bool fragment)
{
	struct shunt_dev *shunt = t->shunt;
	struct way way;

	if (find_way(t, &way)) {
		shunt_stats_drop(t->stats, SHUNT_TX, SHUNT_DROP_NOROUTE, 1);
		shunt_stats_drop(shunt->stats, SHUNT_TX, SHUNT_DROP_NOROUTE, 1);
		kfree_skb(skb);
		return;
	}
	shunt_touch(&t->last_tx);
	/* the device counts by itself, what is inside the capsules */
	skb->dev = NULL;
	skb->mark = READ_ONCE(shunt->fwmark);
	/* RFC 3948 section 2.1: no checksum, as the ICV does better */
	shunt_udp_xmit(way.rt, way.sk, skb, way.saddr, way.ep.addr, tos,
		       ip4_dst_hoplimit(&way.rt->dst), fragment ? 0 : htons(IP_DF),
		       shunt->port, way.ep.port);
}

/**
 * shunt_outer_from() - where a received capsule came from
 * @skb: capsule, with its outer headers in place
 * @ep: result
 */
void shunt_outer_from(const struct sk_buff *skb, struct shunt_endpoint *ep)
{
	ep->addr = ip_hdr(skb)->saddr;
	ep->local = ip_hdr(skb)->daddr;
	ep->port = udp_hdr(skb)->source;
}

/**
 * shunt_outer_tos() - the outer traffic class of a received capsule
 * @skb: capsule, with its outer headers in place
 *
 * Return: the octet with DSCP and ECN.
 */
u8 shunt_outer_tos(const struct sk_buff *skb)
{
	return ip_hdr(skb)->tos;
}
