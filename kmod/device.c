// SPDX-License-Identifier: GPL-2.0
#include "device.h"
#include "alive.h"
#include "chore.h"
#include "compat.h"
#include "esp.h"
#include "outer.h"
#include "tunnel.h"
#include "tx.h"

#include <linux/if_arp.h>
#include <net/addrconf.h>
#include <net/ip_tunnels.h>
#include <net/net_namespace.h>
#include <net/rtnetlink.h>

DEFINE_XARRAY_FLAGS(shunt_devices, XA_FLAGS_ALLOC);
static u32 next_device;

static int on_init(struct net_device *dev)
{
	struct shunt_dev *shunt = netdev_priv(dev);
	int err;

	shunt->stats = shunt_stats_alloc();
	if (!shunt->stats)
		return -ENOMEM;
	err = shunt_tunnel_tables_init(shunt);
	if (err)
		goto free_stats;
	err = gro_cells_init(&shunt->gro, dev);
	if (err)
		goto free_tables;
	return 0;

free_tables:
	shunt_tunnel_tables_fini(shunt);
free_stats:
	free_percpu(shunt->stats);
	return err;
}

/* The device can still be announced about, but not be looked up any more. */
static void on_uninit(struct net_device *dev)
{
	struct shunt_dev *shunt = netdev_priv(dev);

	if (shunt->listed)
		xa_erase(&shunt_devices, shunt->id);
	shunt_tunnel_flush(shunt, SHUNT_DEL_REASON_NETDEV);
}

/* Nobody holds a reference any more, so no tunnel is left either. */
static void on_free(struct net_device *dev)
{
	struct shunt_dev *shunt = netdev_priv(dev);

	flush_work(&shunt->chore_work);
	gro_cells_destroy(&shunt->gro);
	shunt_tunnel_tables_fini(shunt);
	free_percpu(shunt->stats);
	mutex_destroy(&shunt->lock);
}

/* Link-local addresses, and what is sent in their name, have no place in a tunnel. */
static void no_link_local(struct net_device *dev)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct inet6_dev *idev = __in6_dev_get(dev);

	if (idev)
		WRITE_ONCE(idev->cnf.addr_gen_mode, IN6_ADDR_GEN_MODE_NONE);
#endif
}

static int on_open(struct net_device *dev)
{
	struct shunt_dev *shunt = netdev_priv(dev);
	int err;

	no_link_local(dev);
	mutex_lock(&shunt->lock);
	err = shunt_outer_open(shunt);
	if (!err)
		shunt_alive_restart(shunt);
	mutex_unlock(&shunt->lock);
	if (!err)
		shunt_load_start(shunt);
	return err;
}

static int on_stop(struct net_device *dev)
{
	struct shunt_dev *shunt = netdev_priv(dev);

	shunt_load_stop(shunt);
	mutex_lock(&shunt->lock);
	shunt_outer_close(shunt);
	mutex_unlock(&shunt->lock);
	return 0;
}

static void on_stats(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	struct shunt_dev *shunt = netdev_priv(dev);
	struct shunt_sum rx, tx;
	int i;

	shunt_stats_sum(shunt->stats, SHUNT_RX, &rx);
	shunt_stats_sum(shunt->stats, SHUNT_TX, &tx);
	stats->rx_packets = rx.packets;
	stats->rx_bytes = rx.bytes;
	stats->tx_packets = tx.packets;
	stats->tx_bytes = tx.bytes;
	for (i = SHUNT_PASS + 1; i < SHUNT_DROPS; i++) {
		stats->rx_dropped += rx.drops[i];
		stats->tx_dropped += tx.drops[i];
	}
	stats->rx_length_errors = rx.drops[SHUNT_DROP_MALFORMED];
	stats->rx_crc_errors = rx.drops[SHUNT_DROP_AUTH];
	stats->rx_errors = stats->rx_length_errors + stats->rx_crc_errors;
	stats->tx_carrier_errors = tx.drops[SHUNT_DROP_NOROUTE];
	stats->tx_errors = stats->tx_carrier_errors;
}

static const struct net_device_ops device_ops = {
	.ndo_init = on_init,
	.ndo_uninit = on_uninit,
	.ndo_open = on_open,
	.ndo_stop = on_stop,
	.ndo_start_xmit = shunt_tx,
	.ndo_get_stats64 = on_stats,
};

static const struct device_type device_type = { .name = SHUNT_LINK_KIND };

static void setup(struct net_device *dev)
{
	const netdev_features_t features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_RXCSUM |
					   NETIF_F_GSO_SOFTWARE | NETIF_F_HIGHDMA;
	struct shunt_dev *shunt = netdev_priv(dev);

	dev->netdev_ops = &device_ops;
	dev->header_ops = &ip_tunnel_header_ops;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_POINTOPOINT | IFF_NOARP;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	dev->features |= features;
	dev->hw_features |= features;
	dev->hw_enc_features |= features;
	shunt_set_lltx(dev);
	dev->needed_headroom = SHUNT_HEADROOM;
	dev->needed_tailroom = SHUNT_ESP_TAIL;
	dev->mtu = SHUNT_OUTER_MTU;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = shunt_esp_fit(IP_MAX_MTU - (int)SHUNT_OUTER_HEAD4);
	dev->needs_free_netdev = true;
	dev->priv_destructor = on_free;
	SET_NETDEV_DEVTYPE(dev, &device_type);
	/* who sent a packet is asked when it has to be sent back */
	netif_keep_dst(dev);

	shunt->dev = dev;
	mutex_init(&shunt->lock);
	init_llist_head(&shunt->chores);
	INIT_WORK(&shunt->chore_work, shunt_chore_work);
	shunt_load_init(shunt);
}

static const struct nla_policy link_policy[IFLA_SHUNT_MAX + 1] = {
	[IFLA_SHUNT_PORT] = { .type = NLA_BE16 },
	[IFLA_SHUNT_FWMARK] = { .type = NLA_U32 },
	[IFLA_SHUNT_DSCP] = NLA_POLICY_MAX(NLA_U8, SHUNT_DSCP_INHERIT),
};

static int validate(struct nlattr *tb[], struct nlattr *data[], struct netlink_ext_ack *extack)
{
	if (tb[IFLA_ADDRESS]) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_ADDRESS],
				    "a shunt device has no hardware address");
		return -EINVAL;
	}
	if (data && data[IFLA_SHUNT_PORT] && !nla_get_be16(data[IFLA_SHUNT_PORT])) {
		NL_SET_ERR_MSG_ATTR(extack, data[IFLA_SHUNT_PORT], "port 0 is not a port");
		return -EINVAL;
	}
	return 0;
}

static int new_link(struct net *net, struct net_device *dev, struct nlattr *data[])
{
	struct shunt_dev *shunt = netdev_priv(dev);
	int err;

	rcu_assign_pointer(shunt->net, net);
	shunt->port = htons(SHUNT_DEFAULT_PORT);
	if (data && data[IFLA_SHUNT_PORT])
		shunt->port = nla_get_be16(data[IFLA_SHUNT_PORT]);
	if (data && data[IFLA_SHUNT_FWMARK])
		shunt->fwmark = nla_get_u32(data[IFLA_SHUNT_FWMARK]);
	if (data && data[IFLA_SHUNT_DSCP])
		shunt->dscp = nla_get_u8(data[IFLA_SHUNT_DSCP]);

	err = register_netdevice(dev);
	if (err)
		return err;
	err = xa_alloc_cyclic(&shunt_devices, &shunt->id, shunt, xa_limit_32b, &next_device,
			      GFP_KERNEL);
	if (err < 0) {
		unregister_netdevice(dev);
		return err;
	}
	shunt->listed = true;
	return 0;
}

#ifdef SHUNT_HAVE_NEWLINK_PARAMS
static int newlink(struct net_device *dev, struct rtnl_newlink_params *params,
		   struct netlink_ext_ack *extack)
{
	return new_link(rtnl_newlink_link_net(params), dev, params->data);
}
#else
static int newlink(struct net *net, struct net_device *dev, struct nlattr *tb[],
		   struct nlattr *data[], struct netlink_ext_ack *extack)
{
	return new_link(net, dev, data);
}
#endif

static int changelink(struct net_device *dev, struct nlattr *tb[], struct nlattr *data[],
		      struct netlink_ext_ack *extack)
{
	struct shunt_dev *shunt = netdev_priv(dev);

	if (!data)
		return 0;
	if (data[IFLA_SHUNT_PORT] && nla_get_be16(data[IFLA_SHUNT_PORT]) != shunt->port) {
		NL_SET_ERR_MSG_ATTR(extack, data[IFLA_SHUNT_PORT],
				    "the port of a shunt device cannot be changed");
		return -EOPNOTSUPP;
	}
	/* as with the endpoints, it takes rights over the namespace the packets appear in */
	if ((data[IFLA_SHUNT_FWMARK] || data[IFLA_SHUNT_DSCP]) && !shunt_dev_capable(shunt)) {
		NL_SET_ERR_MSG(extack, "no rights over the namespace of the device's sockets");
		return -EPERM;
	}
	if (data[IFLA_SHUNT_DSCP])
		WRITE_ONCE(shunt->dscp, nla_get_u8(data[IFLA_SHUNT_DSCP]));
	if (data[IFLA_SHUNT_FWMARK]) {
		mutex_lock(&shunt->lock);
		WRITE_ONCE(shunt->fwmark, nla_get_u32(data[IFLA_SHUNT_FWMARK]));
		shunt_outer_mark(shunt);
		mutex_unlock(&shunt->lock);
		shunt_tunnel_reroute(shunt);
	}
	return 0;
}

static size_t get_size(const struct net_device *dev)
{
	return nla_total_size(sizeof(__be16)) + nla_total_size(sizeof(u32)) +
	       nla_total_size(sizeof(u8));
}

static int fill_info(struct sk_buff *msg, const struct net_device *dev)
{
	const struct shunt_dev *shunt = netdev_priv(dev);

	return nla_put_be16(msg, IFLA_SHUNT_PORT, shunt->port) ?:
	       nla_put_u32(msg, IFLA_SHUNT_FWMARK, READ_ONCE(shunt->fwmark)) ?:
	       nla_put_u8(msg, IFLA_SHUNT_DSCP, READ_ONCE(shunt->dscp));
}

static struct net *get_link_net(const struct net_device *dev)
{
	const struct shunt_dev *shunt = netdev_priv(dev);

	/* none is left once that namespace goes, but callers want one */
	return rtnl_dereference(shunt->net) ?: dev_net(dev);
}

static struct rtnl_link_ops link_ops __read_mostly = {
	.kind = SHUNT_LINK_KIND,
	.priv_size = sizeof(struct shunt_dev),
	.setup = setup,
	.maxtype = IFLA_SHUNT_MAX,
	.policy = link_policy,
	.validate = validate,
	.newlink = newlink,
	.changelink = changelink,
	.get_size = get_size,
	.fill_info = fill_info,
	.get_link_net = get_link_net,
};

/*
 * A device may have been moved out of the namespace it was made in. When that one goes, so does the
 * socket, and the device stays without.
 */
static void __net_exit on_net_exit(struct net *net)
{
	struct shunt_dev *shunt;
	unsigned long id;

	rtnl_lock();
	xa_for_each(&shunt_devices, id, shunt) {
		if (rtnl_dereference(shunt->net) != net)
			continue;
		netif_carrier_off(shunt->dev);
		mutex_lock(&shunt->lock);
		RCU_INIT_POINTER(shunt->net, NULL);
		shunt_outer_close(shunt);
		/* a route of IPv6 points into its namespace; nobody looks at the caches any more */
		shunt_tunnel_forget(shunt);
		mutex_unlock(&shunt->lock);
	}
	rtnl_unlock();
	shunt_tunnel_reaped();
}

static struct pernet_operations net_ops = {
	.pre_exit = on_net_exit,
};

/**
 * shunt_dev_get() - find a device
 * @net: network namespace it is in
 * @ifindex: its index there
 *
 * Return: the device with a reference for shunt_dev_put(), or NULL when there is none or it is of
 * another type.
 */
struct shunt_dev *shunt_dev_get(struct net *net, u32 ifindex)
{
	struct net_device *dev = dev_get_by_index(net, ifindex);

	if (!dev)
		return NULL;
	if (dev->netdev_ops == &device_ops)
		return netdev_priv(dev);
	dev_put(dev);
	return NULL;
}

/**
 * shunt_dev_put() - let go of a device
 * @shunt: device
 */
void shunt_dev_put(struct shunt_dev *shunt)
{
	dev_put(shunt->dev);
}

/**
 * shunt_dev_capable() - whether the current task may decide what the device sends
 * @shunt: device
 *
 * The device's own namespace is what netlink checks; this is about the one its socket is in.
 *
 * Return: true if it has CAP_NET_ADMIN there, or the namespace is gone.
 */
bool shunt_dev_capable(const struct shunt_dev *shunt)
{
	struct net *net;
	bool capable;

	rcu_read_lock();
	net = rcu_dereference(shunt->net);
	capable = !net || ns_capable(net->user_ns, CAP_NET_ADMIN);
	rcu_read_unlock();
	return capable;
}

int __init shunt_dev_register(void)
{
	int err;

	err = register_pernet_device(&net_ops);
	if (err)
		return err;
	err = rtnl_link_register(&link_ops);
	if (err)
		unregister_pernet_device(&net_ops);
	return err;
}

void shunt_dev_unregister(void)
{
	rtnl_link_unregister(&link_ops);
	unregister_pernet_device(&net_ops);
}
