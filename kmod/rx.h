/* SPDX-License-Identifier: GPL-2.0 */
/* The way out of the tunnel. */
#ifndef SHUNT_RX_H
#define SHUNT_RX_H

#include <linux/skbuff.h>

struct sock;

int shunt_rx(struct sock *sk, struct sk_buff *skb);

#endif /* SHUNT_RX_H */
