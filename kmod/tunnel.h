/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A tunnel: one job's way between gateway and cloud. Found by its inbound SPI and by the inner
 * address that is sent to, both under RCU. Whoever keeps one beyond his RCU section holds a
 * reference; the device stays as long as its tunnels.
 */
#ifndef SHUNT_TUNNEL_H
#define SHUNT_TUNNEL_H

#include <linux/llist.h>
#include <linux/netdevice.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/seqlock.h>
#include <linux/timer.h>
#include <net/dst_cache.h>
#include <net/ipv6.h>

#include "esp.h"
#include "flow.h"
#include "replay.h"
#include "scope.h"
#include "stats.h"

struct shunt_dev;

/* The control plane's name for a tunnel; replaced as a whole under RCU. */
struct shunt_cookie {
	struct rcu_head rcu;
	char text[]; /* at most SHUNT_COOKIE_MAX_LEN octets and a NUL */
};

/* Outer address of the other end; IPv4 ones mapped. */
struct shunt_endpoint {
	struct in6_addr addr;
	struct in6_addr local; /* our address it sends to, all zero: not known yet */
	__be16 port; /* 0: not known yet */
};

/* What can be changed; all of it under the device's lock. */
struct shunt_settings {
	struct shunt_scope __rcu *scope; /* NULL: no rules */
	struct shunt_cookie __rcu *cookie; /* NULL: none */
	u32 keepalive; /* ms, 0: never */
	u32 idle; /* s, 0: never */
	u32 dead; /* s, 0: never */
	u8 priority; /* 0 to 7 */
};

/* Bits of shunt_tunnel.chores, see chore.h. */
enum shunt_chore {
	SHUNT_CHORE_QUEUED,
	SHUNT_CHORE_ENDPOINT, /* announce that the endpoint moved */
	SHUNT_CHORE_WARN, /* announce that sequence numbers run out */
	SHUNT_CHORE_EXHAUSTED, /* delete: they did */
	SHUNT_CHORE_SILENT, /* delete: idle or dead for too long */
};

struct shunt_tunnel {
	struct shunt_dev *shunt;
	struct rhash_head by_spi;
	struct rhash_head by_addr;
	u32 spi_in;
	__be32 spi_out;
	u8 side; /* enum shunt_side */
	u8 cipher; /* enum shunt_cipher */
	u8 family; /* AF_INET or AF_INET6, of the inner addresses */
	bool translated; /* @real differs from @wire */
	bool dead; /* no longer in any table */
	bool heard; /* an authenticated packet came since the device is up */

	/* inner addresses of packets that leave here, in the tunnel and out of it */
	struct shunt_pair wire;
	struct shunt_pair real;
	struct shunt_settings set;

	struct shunt_esp_key key_in;
	struct shunt_esp_key key_out;
	atomic64_t seq; /* last sequence number used */
	u32 seq_limit; /* last one that may be used */
	struct shunt_replay replay;
	struct dst_cache dst_cache;
	seqlock_t endpoint_lock;
	struct shunt_endpoint endpoint;
	struct shunt_stats __percpu *stats;

	/* boottime in ns, of the last clock tick; 0 never */
	atomic64_t last_rx; /* authenticated packet */
	atomic64_t last_tx; /* packet of any kind */
	atomic64_t last_in; /* inner packet out of the tunnel */
	atomic64_t last_out; /* inner packet into the tunnel, or creation */

	struct timer_list timer; /* see alive.h */
	u64 since; /* boottime in ns since when something can have been heard */
	u64 open_at; /* boottime in ns of the next opening dummy; timer only */
	u32 open_ms; /* interval after that */
	u64 asked; /* boottime in ns of the last keepalive, 0 none yet; timer only */
	u64 announced; /* boottime in ns of the last announcement of the endpoint, 0 none yet */
	u64 announce_at; /* boottime in ns of the next one, 0 none is due */
	u64 ask_wait; /* ns after which it is repeated if nothing answers */

	u64 born; /* boottime in ns */
	u64 generation;
	u32 id; /* in shunt_dev.tunnels */
	unsigned long chores;
	struct llist_node chore_node;
	refcount_t refs;
	netdevice_tracker dev_tracker;
	union {
		struct rcu_head rcu;
		struct llist_node reap_node;
	};
};

/* What a new tunnel is made from. */
struct shunt_tunnel_conf {
	u32 spi_in; /* 0: any */
	u32 spi_out;
	u8 side;
	u8 cipher;
	u8 family;
	const u8 *key_in; /* shunt_esp_key_len() octets */
	const u8 *key_out;
	struct in6_addr near;
	struct in6_addr far;
	struct in6_addr host; /* equals @near where there is no translation */
	struct in6_addr alias; /* equals @far likewise */
	struct shunt_endpoint endpoint;
	u32 seq_limit;
	struct shunt_settings set; /* pointers become the tunnel's */
};

struct shunt_tunnel *shunt_tunnel_new(struct shunt_dev *shunt, struct shunt_tunnel_conf *conf);
int shunt_tunnel_add(struct shunt_tunnel *t, int *clash);
void shunt_tunnel_del(struct shunt_tunnel *t, u8 reason);
void shunt_tunnel_flush(struct shunt_dev *shunt, u8 reason);
void shunt_tunnel_reroute(struct shunt_dev *shunt);
void shunt_tunnel_forget(struct shunt_dev *shunt);
void shunt_tunnel_reaped(void);
void shunt_tunnel_put(struct shunt_tunnel *t);
struct shunt_tunnel *shunt_tunnel_by_spi(struct shunt_dev *shunt, u32 spi);
struct shunt_tunnel *shunt_tunnel_by_addr(struct shunt_dev *shunt, const struct in6_addr *addr);
void shunt_tunnel_endpoint(struct shunt_tunnel *t, struct shunt_endpoint *ep);
bool shunt_tunnel_move(struct shunt_tunnel *t, const struct shunt_endpoint *ep, u32 seq);

int shunt_tunnel_tables_init(struct shunt_dev *shunt);
void shunt_tunnel_tables_fini(struct shunt_dev *shunt);
int shunt_tunnel_init(void);
void shunt_tunnel_exit(void);

static inline bool shunt_endpoint_equal(const struct shunt_endpoint *a,
					const struct shunt_endpoint *b)
{
	return ipv6_addr_equal(&a->addr, &b->addr) && a->port == b->port &&
	       ipv6_addr_equal(&a->local, &b->local);
}

/* Take a reference, unless the last one is gone. */
static inline bool shunt_tunnel_hold(struct shunt_tunnel *t)
{
	return refcount_inc_not_zero(&t->refs);
}

/* Whether packets that leave here go to the LAN device's side of the tunnel. */
static inline bool shunt_tunnel_to_device(const struct shunt_tunnel *t, enum shunt_dir dir)
{
	return (t->side == SHUNT_SIDE_NEAR) == (dir == SHUNT_RX);
}

/* The clock of all that is said about a tunnel's past: no jumps, runs on during suspend. */
static inline u64 shunt_now(void)
{
	return ktime_get_coarse_boottime_ns();
}

/* Keep the time of an event; the clock is coarse, so the cache line is seldom written. */
static inline void shunt_touch(atomic64_t *when)
{
	u64 now = shunt_now();

	if ((u64)atomic64_read(when) != now)
		atomic64_set(when, now);
}

#endif /* SHUNT_TUNNEL_H */
