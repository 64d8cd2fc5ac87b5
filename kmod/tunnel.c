// SPDX-License-Identifier: GPL-2.0
#include "tunnel.h"
#include "alive.h"
#include "device.h"
#include "esp.h"
#include "report.h"

#include <linux/random.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>

/* How often a random SPI may turn out to be taken; far from it even with a full device. */
#define SPI_TRIES	64

static const struct rhashtable_params by_spi_params = {
	.key_len = sizeof_field(struct shunt_tunnel, spi_in),
	.key_offset = offsetof(struct shunt_tunnel, spi_in),
	.head_offset = offsetof(struct shunt_tunnel, by_spi),
	.automatic_shrinking = true,
};

static const struct rhashtable_params by_addr_params = {
	.key_len = sizeof_field(struct shunt_tunnel, real.dst),
	.key_offset = offsetof(struct shunt_tunnel, real.dst),
	.head_offset = offsetof(struct shunt_tunnel, by_addr),
	.automatic_shrinking = true,
};

static struct kmem_cache *cache;
static atomic64_t generations;
static LLIST_HEAD(reap_list);
static atomic_t unreaped; /* tunnels that are not freed yet */

/* Freeing a transform may sleep, so it is not for an RCU callback; one work serves all tunnels. */
static void reap(struct work_struct *work)
{
	struct llist_node *list = llist_del_all(&reap_list);
	struct shunt_tunnel *t, *next;

	llist_for_each_entry_safe(t, next, list, reap_node) {
		shunt_esp_key_clear(&t->key_in);
		shunt_esp_key_clear(&t->key_out);
		dst_cache_destroy(&t->dst_cache);
		free_percpu(t->stats);
		kfree(rcu_access_pointer(t->set.scope));
		kfree(rcu_access_pointer(t->set.cookie));
		netdev_put(t->shunt->dev, &t->dev_tracker);
		kmem_cache_free(cache, t);
		atomic_dec(&unreaped);
		cond_resched();
	}
}

static DECLARE_WORK(reap_work, reap);

static void reap_rcu(struct rcu_head *rcu)
{
	struct shunt_tunnel *t = container_of(rcu, struct shunt_tunnel, rcu);

	if (llist_add(&t->reap_node, &reap_list))
		schedule_work(&reap_work);
}

/**
 * shunt_tunnel_put() - let go of a tunnel
 * @t: tunnel; freed a grace period after the last reference
 */
void shunt_tunnel_put(struct shunt_tunnel *t)
{
	if (refcount_dec_and_test(&t->refs))
		call_rcu(&t->rcu, reap_rcu);
}

static void set_addresses(struct shunt_tunnel *t, const struct shunt_tunnel_conf *conf)
{
	t->family = conf->family;
	t->side = conf->side;
	if (conf->side == SHUNT_SIDE_NEAR) {
		t->wire = (struct shunt_pair){ .src = conf->near, .dst = conf->far };
		t->real = (struct shunt_pair){ .src = conf->host, .dst = conf->alias };
	} else {
		t->wire = (struct shunt_pair){ .src = conf->far, .dst = conf->near };
		t->real = t->wire;
	}
	t->translated = memcmp(&t->wire, &t->real, sizeof(t->wire));
}

static int set_keys(struct shunt_tunnel *t, const struct shunt_tunnel_conf *conf)
{
	t->cipher = conf->cipher;
	return shunt_esp_key_set(&t->key_in, conf->cipher, conf->key_in) ?:
	       shunt_esp_key_set(&t->key_out, conf->cipher, conf->key_out);
}

/**
 * shunt_tunnel_new() - make a tunnel that is not in use yet
 * @shunt: its device; the caller holds a reference, the tunnel takes one of its own
 * @conf: what it is made from; the pointers in @conf->set become the tunnel's on success
 *
 * Sleeps, and may load crypto modules, so the device's lock must not be held.
 *
 * Return: the tunnel, for shunt_tunnel_add() or shunt_tunnel_put(); or an error pointer: -ENOMEM,
 * -ENOENT when the kernel has no such cipher, -EINVAL for a key the cipher refuses.
 */
struct shunt_tunnel *shunt_tunnel_new(struct shunt_dev *shunt, struct shunt_tunnel_conf *conf)
{
	struct shunt_tunnel *t = kmem_cache_zalloc(cache, GFP_KERNEL);
	int err = -ENOMEM;

	if (!t)
		return ERR_PTR(-ENOMEM);
	t->shunt = shunt;
	t->stats = shunt_stats_alloc();
	if (!t->stats)
		goto free_tunnel;
	err = dst_cache_init(&t->dst_cache, GFP_KERNEL);
	if (err)
		goto free_stats;
	err = set_keys(t, conf);
	if (err)
		goto free_keys;

	set_addresses(t, conf);
	t->spi_in = conf->spi_in;
	t->spi_out = htonl(conf->spi_out);
	t->endpoint = conf->endpoint;
	t->seq_limit = conf->seq_limit;
	t->set = conf->set;
	refcount_set(&t->refs, 1);
	seqlock_init(&t->endpoint_lock);
	shunt_replay_init(&t->replay);
	t->born = shunt_now();
	shunt_alive_init(t);
	atomic64_set(&t->last_out, t->born);
	netdev_hold(shunt->dev, &t->dev_tracker, GFP_KERNEL);
	atomic_inc(&unreaped);
	return t;

free_keys:
	shunt_esp_key_clear(&t->key_in);
	shunt_esp_key_clear(&t->key_out);
	dst_cache_destroy(&t->dst_cache);
free_stats:
	free_percpu(t->stats);
free_tunnel:
	kmem_cache_free(cache, t);
	return ERR_PTR(err);
}

static int insert_by_spi(struct shunt_tunnel *t)
{
	struct shunt_dev *shunt = t->shunt;
	bool any = !t->spi_in;
	int tries = SPI_TRIES;
	int err;

	do {
		if (any)
			do
				t->spi_in = get_random_u32();
			while (t->spi_in < SHUNT_SPI_MIN);
		err = rhashtable_lookup_insert_fast(&shunt->by_spi, &t->by_spi, by_spi_params);
	} while (any && err == -EEXIST && --tries);
	return err;
}

/**
 * shunt_tunnel_add() - put a new tunnel to use
 * @t: tunnel; its device's lock is held. The device takes over the caller's reference on success
 * @clash: with -EEXIST, the SHUNT_A_TUNNEL_* that another tunnel of the device already has
 *
 * Return: 0, -EEXIST, -ENOSPC when the device is full, -ENODEV when it is being deleted, or
 * -ENOMEM.
 */
int shunt_tunnel_add(struct shunt_tunnel *t, int *clash)
{
	struct shunt_dev *shunt = t->shunt;
	int err;

	lockdep_assert_held(&shunt->lock);
	if (shunt->dying)
		return -ENODEV;
	if (shunt->count >= SHUNT_TUNNELS_MAX)
		return -ENOSPC;

	/* before readers find it; a number that is then not used does no harm */
	t->generation = atomic64_inc_return(&generations);
	*clash = SHUNT_A_TUNNEL_SPI_IN;
	err = insert_by_spi(t);
	if (err)
		return err;
	*clash = t->side == SHUNT_SIDE_FAR ? SHUNT_A_TUNNEL_NEAR :
		 t->translated ? SHUNT_A_TUNNEL_ALIAS : SHUNT_A_TUNNEL_FAR;
	err = rhashtable_lookup_insert_fast(&shunt->by_addr, &t->by_addr, by_addr_params);
	if (err)
		goto remove_spi;
	err = xa_alloc_cyclic(&shunt->tunnels, &t->id, t, xa_limit_32b, &shunt->next_id,
			      GFP_KERNEL);
	if (err < 0)
		goto remove_addr;

	shunt->count++;
	shunt_report_tunnel(t, SHUNT_CMD_TUNNEL_NEW_NTF, 0);
	shunt_load_count(shunt);
	shunt_alive_start(t);
	return 0;

remove_addr:
	rhashtable_remove_fast(&shunt->by_addr, &t->by_addr, by_addr_params);
remove_spi:
	WRITE_ONCE(t->dead, true); /* a packet may have found it already */
	rhashtable_remove_fast(&shunt->by_spi, &t->by_spi, by_spi_params);
	return err;
}

/**
 * shunt_tunnel_del() - end a tunnel
 * @t: tunnel in use; its device's lock is held. The device's reference is dropped, so the caller
 *	needs one of his own, or RCU, to look at it afterwards
 * @reason: enum shunt_del_reason, for the announcement
 *
 * Packets that are on their way through the cipher are dropped when they come out of it.
 */
void shunt_tunnel_del(struct shunt_tunnel *t, u8 reason)
{
	struct shunt_dev *shunt = t->shunt;

	lockdep_assert_held(&shunt->lock);
	WRITE_ONCE(t->dead, true);
	rhashtable_remove_fast(&shunt->by_spi, &t->by_spi, by_spi_params);
	rhashtable_remove_fast(&shunt->by_addr, &t->by_addr, by_addr_params);
	xa_erase(&shunt->tunnels, t->id);
	shunt->count--;
	shunt_alive_stop(t);
	shunt_report_tunnel(t, SHUNT_CMD_TUNNEL_DEL_NTF, reason);
	shunt_load_count(shunt);
	shunt_tunnel_put(t);
}

/**
 * shunt_tunnel_flush() - end all tunnels of a device that is going away
 * @shunt: device; takes no more tunnels from here on
 * @reason: enum shunt_del_reason
 */
void shunt_tunnel_flush(struct shunt_dev *shunt, u8 reason)
{
	struct shunt_tunnel *t;
	unsigned long id;

	mutex_lock(&shunt->lock);
	shunt->dying = true;
	xa_for_each(&shunt->tunnels, id, t) {
		shunt_tunnel_del(t, reason);
		cond_resched();
	}
	mutex_unlock(&shunt->lock);
}

/**
 * shunt_tunnel_reroute() - forget the routes to all other ends of a device
 * @shunt: device
 */
void shunt_tunnel_reroute(struct shunt_dev *shunt)
{
	struct shunt_tunnel *t;
	unsigned long id;

	mutex_lock(&shunt->lock);
	xa_for_each(&shunt->tunnels, id, t)
		dst_cache_reset(&t->dst_cache);
	mutex_unlock(&shunt->lock);
}

/**
 * shunt_tunnel_forget() - give back the routes to all other ends of a device
 * @shunt: device; its lock is held and its sockets are closed, so that nobody looks for a route
 */
void shunt_tunnel_forget(struct shunt_dev *shunt)
{
	struct shunt_tunnel *t;
	unsigned long id;

	lockdep_assert_held(&shunt->lock);
	xa_for_each(&shunt->tunnels, id, t)
		dst_cache_reset_now(&t->dst_cache);
}

/**
 * shunt_tunnel_reaped() - wait for tunnels that were deleted, and for their routes, to be gone
 */
void shunt_tunnel_reaped(void)
{
	if (!atomic_read(&unreaped))
		return;
	rcu_barrier();
	flush_work(&reap_work);
}

/**
 * shunt_tunnel_by_spi() - find the tunnel of a received packet
 * @shunt: device; either its lock or RCU is held
 * @spi: SPI in host byte order
 *
 * Return: the tunnel, without a reference, or NULL.
 */
struct shunt_tunnel *shunt_tunnel_by_spi(struct shunt_dev *shunt, u32 spi)
{
	return rhashtable_lookup_fast(&shunt->by_spi, &spi, by_spi_params);
}

/**
 * shunt_tunnel_by_addr() - find the tunnel of a packet to send
 * @shunt: device; RCU is held
 * @addr: inner destination, IPv4 ones mapped
 *
 * Return: the tunnel, without a reference, or NULL.
 */
struct shunt_tunnel *shunt_tunnel_by_addr(struct shunt_dev *shunt, const struct in6_addr *addr)
{
	return rhashtable_lookup(&shunt->by_addr, addr, by_addr_params);
}

/**
 * shunt_tunnel_endpoint() - read the outer address of the other end
 * @t: tunnel
 * @ep: result; port 0 while it is not known
 */
void shunt_tunnel_endpoint(struct shunt_tunnel *t, struct shunt_endpoint *ep)
{
	unsigned int seq;

	do {
		seq = read_seqbegin(&t->endpoint_lock);
		*ep = t->endpoint;
	} while (read_seqretry(&t->endpoint_lock, seq));
}

/**
 * shunt_tunnel_move() - set the outer address of the other end
 * @t: tunnel
 * @ep: from configuration, or from an authenticated packet newer than all before
 * @seq: sequence number of that packet, 0 with a configured one
 *
 * Return: true if that is another address or port than before.
 */
bool shunt_tunnel_move(struct shunt_tunnel *t, const struct shunt_endpoint *ep, u32 seq)
{
	struct shunt_endpoint old;
	bool moved;

	/* the rule is that nothing changed, and that must not cost a lock */
	shunt_tunnel_endpoint(t, &old);
	if (shunt_endpoint_equal(&old, ep))
		return false;

	write_seqlock_bh(&t->endpoint_lock);
	/* on another CPU a newer one came meanwhile, which says where it came from by itself */
	if (seq && READ_ONCE(t->replay.top) != seq) {
		write_sequnlock_bh(&t->endpoint_lock);
		return false;
	}
	moved = !ipv6_addr_equal(&t->endpoint.addr, &ep->addr) || t->endpoint.port != ep->port;
	t->endpoint = *ep;
	dst_cache_reset(&t->dst_cache);
	write_sequnlock_bh(&t->endpoint_lock);
	return moved;
}

/**
 * shunt_tunnel_tables_init() - make a device's tables, empty
 * @shunt: device
 *
 * Return: 0 or -ENOMEM.
 */
int shunt_tunnel_tables_init(struct shunt_dev *shunt)
{
	int err;

	err = rhashtable_init(&shunt->by_spi, &by_spi_params);
	if (err)
		return err;
	err = rhashtable_init(&shunt->by_addr, &by_addr_params);
	if (err) {
		rhashtable_destroy(&shunt->by_spi);
		return err;
	}
	xa_init_flags(&shunt->tunnels, XA_FLAGS_ALLOC);
	return 0;
}

/**
 * shunt_tunnel_tables_fini() - free a device's tables
 * @shunt: device; all its tunnels are freed
 */
void shunt_tunnel_tables_fini(struct shunt_dev *shunt)
{
	xa_destroy(&shunt->tunnels);
	rhashtable_destroy(&shunt->by_addr);
	rhashtable_destroy(&shunt->by_spi);
}

int __init shunt_tunnel_init(void)
{
	cache = KMEM_CACHE(shunt_tunnel, 0);
	return cache ? 0 : -ENOMEM;
}

/* All devices are gone, and with them all tunnels; what is left is the tail of freeing them. */
void shunt_tunnel_exit(void)
{
	rcu_barrier();
	flush_work(&reap_work);
	kmem_cache_destroy(cache);
}
