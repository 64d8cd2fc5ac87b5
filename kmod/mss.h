/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The largest segment that TCP is told to send, RFC 9293 section 3.7.1: lowered to what fits the
 * tunnel, as many a firewall eats the ICMP messages that would say so later.
 */
#ifndef SHUNT_MSS_H
#define SHUNT_MSS_H

#include <linux/skbuff.h>

struct shunt_flow;

int shunt_mss_clamp(struct sk_buff *skb, const struct shunt_flow *flow, unsigned int mtu);

#endif /* SHUNT_MSS_H */
