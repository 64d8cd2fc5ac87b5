/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reach: where the agent dials because others say so: the cloud's address of a connect request (7G),
 * and the gateway's that takes connection logs (7J).
 *
 * Who is met there must be a cloud of that name, or a gateway, by certificate; but a cloud talks to the
 * agent from beyond the firewall, and must not have it knock at doors that are closed to the cloud
 * itself. A gateway is on the LAN, and was at that cloud's address before it asks a device to go there.
 */
#ifndef SHUNT_DEVICE_REACH_H
#define SHUNT_DEVICE_REACH_H

#include "lib/conf.h"
#include "lib/sapi.h"
#include "lib/types.h"

struct reach_conf {
	/* Where clouds may be; empty: for a cloud, anywhere outside of our networks; a gateway knows. */
	const struct conf_prefixes *clouds;
	/* Where logs may go; empty: for a cloud, our networks; a gateway knows. */
	const struct conf_prefixes *gateways;
	/* Is it in a network of this host? 1, 0 or -errno. reach_own_network(), but for tests. */
	int (*own)(const struct shunt_addr *addr);
};

/* Of the interfaces as they are now, loopback included. 1, 0 or -errno. */
int reach_own_network(const struct shunt_addr *addr);

/* May @caller, of role cloud or gateway, have us dial what @ask says? Why not, as a problem's code (static). */
struct reach_refusal {
	const char *code;
	char text[160];
};
/* 0; -EPERM or -errno of own(), with @why. */
int reach_check(const struct reach_conf *conf, enum role caller, const struct sapi_connect *ask,
		struct reach_refusal *why);

#endif
