/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels Shunt builds for. The SHUNT_HAVE_* come from probes in Kbuild.
 * A kernel tree that takes Shunt in drops this file.
 */
#ifndef SHUNT_COMPAT_H
#define SHUNT_COMPAT_H

#include <crypto/chacha.h>
#include <linux/crypto.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/timer.h>
#include <linux/u64_stats_sync.h>
#include <net/genetlink.h>
#include <net/udp_tunnel.h>

#ifdef SHUNT_HAVE_GSO_H
#include <net/gso.h>
#endif

#ifdef SHUNT_HAVE_LINUX_UNALIGNED
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

#ifdef SHUNT_HAVE_GENL_INFO_DUMP
static inline struct nlattr **shunt_dump_attrs(struct netlink_callback *cb)
{
	return genl_info_dump(cb)->attrs;
}
#else
static inline struct nlattr **shunt_dump_attrs(struct netlink_callback *cb)
{
	return genl_dumpit_info(cb)->attrs;
}
#endif

/* The first argument of a completion callback, and what aead_request_set_callback() was given. */
#ifdef SHUNT_HAVE_CRYPTO_DATA
#define shunt_crypto_arg	void

static inline void *shunt_crypto_data(shunt_crypto_arg *arg)
{
	return arg;
}
#else
#define shunt_crypto_arg	struct crypto_async_request

static inline void *shunt_crypto_data(shunt_crypto_arg *arg)
{
	return arg->data;
}
#endif

/* The counters are written with bottom halves off, which 32-bit readers must then exclude. */
#ifdef SHUNT_HAVE_STATS_IRQ
#define shunt_stats_begin	u64_stats_fetch_begin_irq
#define shunt_stats_retry	u64_stats_fetch_retry_irq
#else
#define shunt_stats_begin	u64_stats_fetch_begin
#define shunt_stats_retry	u64_stats_fetch_retry
#endif

#ifndef SHUNT_HAVE_TIMER_CONTAINER_OF
#define timer_container_of	from_timer
#endif

#ifndef SHUNT_HAVE_TIMER_DELETE
#define timer_delete_sync	del_timer_sync
#endif

/* ChaCha's state was an array before it became a type of its own. */
#ifndef SHUNT_HAVE_CHACHA_STATE
struct chacha_state {
	u32 x[CHACHA_STATE_WORDS];
};

#define chacha_init(state, key, iv)		chacha_init((state)->x, key, iv)
#define chacha20_crypt(state, dst, src, len)	chacha20_crypt((state)->x, dst, src, len)
#endif

static inline void shunt_set_lltx(struct net_device *dev)
{
#ifdef SHUNT_HAVE_LLTX
	dev->lltx = true;
#else
	dev->features |= NETIF_F_LLTX;
#endif
}

static inline void shunt_udp_xmit(struct rtable *rt, struct sock *sk, struct sk_buff *skb,
				  __be32 saddr, __be32 daddr, u8 tos, u8 ttl, __be16 df,
				  __be16 sport, __be16 dport, bool nocheck)
{
	udp_tunnel_xmit_skb(rt, sk, skb, saddr, daddr, tos, ttl, df, sport, dport, false, nocheck
#ifdef SHUNT_HAVE_XMIT_IPCB_FLAGS
			    , 0
#endif
			    );
}

static inline void shunt_udp6_xmit(struct dst_entry *dst, struct sock *sk, struct sk_buff *skb,
				   struct in6_addr *saddr, struct in6_addr *daddr, u8 tclass,
				   u8 hops, __be16 sport, __be16 dport)
{
	udp_tunnel6_xmit_skb(dst, sk, skb, NULL, saddr, daddr, tclass, hops, 0, sport, dport, false
#ifdef SHUNT_HAVE_XMIT_IP6CB_FLAGS
			     , 0
#endif
			     );
}

#endif /* SHUNT_COMPAT_H */
