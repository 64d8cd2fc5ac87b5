/* SPDX-License-Identifier: GPL-2.0 */
/* The way into the tunnel. */
#ifndef SHUNT_TX_H
#define SHUNT_TX_H

#include <linux/netdevice.h>

struct shunt_tunnel;

netdev_tx_t shunt_tx(struct sk_buff *skb, struct net_device *dev);
void shunt_tx_dummy(struct shunt_tunnel *t);

#endif /* SHUNT_TX_H */
