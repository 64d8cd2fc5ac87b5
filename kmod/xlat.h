/* SPDX-License-Identifier: GPL-2.0 */
/* Stateless 1:1 address translation of inner packets, ICMP errors inside and out. */
#ifndef SHUNT_XLAT_H
#define SHUNT_XLAT_H

#include "flow.h"

int shunt_xlat(struct sk_buff *skb, const struct shunt_flow *flow, const struct shunt_pair *packet);

#endif /* SHUNT_XLAT_H */
