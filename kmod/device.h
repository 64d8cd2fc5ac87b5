/* SPDX-License-Identifier: GPL-2.0 */
/* A link of type "shunt": its tunnels, its UDP sockets, its load. */
#ifndef SHUNT_DEVICE_H
#define SHUNT_DEVICE_H

#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/rhashtable-types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/gro_cells.h>

#include "load.h"
#include "stats.h"

struct shunt_dev {
	struct net_device *dev;
	struct net __rcu *net; /* where it was made and its sockets are; NULL once that is going */
	struct sock __rcu *sk4; /* NULL while down */
	struct sock __rcu *sk6; /* likewise, and on hosts without IPv6 */
	__be16 port; /* of both sockets */
	u32 fwmark; /* of what they send */
	u8 dscp; /* of the same; or SHUNT_DSCP_INHERIT */
	u32 id; /* in shunt_devices */
	bool listed; /* in shunt_devices */

	struct mutex lock; /* serialises all that changes tunnels, thresholds and the socket */
	bool dying; /* takes no more tunnels; under @lock */
	struct rhashtable by_spi; /* tunnels by inbound SPI */
	struct rhashtable by_addr; /* tunnels by the inner address that is sent to */
	struct xarray tunnels; /* tunnels by order of creation, so that dumps can be resumed */
	u32 next_id; /* cursor of the next tunnel in @tunnels */
	u32 count; /* tunnels */

	struct shunt_stats __percpu *stats; /* of all tunnels ever, and of packets without one */
	struct gro_cells gro;
	struct llist_head chores; /* tunnels with something to do in process context */
	struct work_struct chore_work;
	struct shunt_load load;
};

/* All devices, by order of creation; read under RCU. */
extern struct xarray shunt_devices;

struct shunt_dev *shunt_dev_get(struct net *net, u32 ifindex);
void shunt_dev_put(struct shunt_dev *shunt);
bool shunt_dev_capable(const struct shunt_dev *shunt);
int shunt_dev_register(void);
void shunt_dev_unregister(void);

#endif /* SHUNT_DEVICE_H */
