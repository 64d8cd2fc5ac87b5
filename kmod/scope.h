/* SPDX-License-Identifier: GPL-2.0 */
/* What of a LAN device a tunnel may reach: protocols and the device's ports. */
#ifndef SHUNT_SCOPE_H
#define SHUNT_SCOPE_H

#include <linux/rcupdate.h>
#include <linux/types.h>

#include "flow.h"

struct shunt_rule {
	__be16 port; /* of the LAN device; 0 with ICMP */
	u8 proto;
};

/* Without rules all of TCP, UDP and ICMP is allowed. Immutable; replaced as a whole under RCU. */
struct shunt_scope {
	struct rcu_head rcu;
	u8 count;
	struct shunt_rule rules[];
};

bool shunt_scope_allows(const struct shunt_scope *scope, const struct shunt_flow *flow,
			bool to_device);

#endif /* SHUNT_SCOPE_H */
