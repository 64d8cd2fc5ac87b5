/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * datapath: the gateway's shunt device in the kernel: made when missing, routed to, watched.
 *
 * Everything that needs the right to configure the network goes through here. Calls are synchronous
 * and quick; events come from the loop.
 */
#ifndef SHUNT_GATEWAY_DATAPATH_H
#define SHUNT_GATEWAY_DATAPATH_H

#include "lib/err.h"
#include "lib/tunnel.h"

#include <stdbool.h>
#include <stdint.h>

struct datapath;
struct loop;

struct datapath_conf {
	const char *device; /* made when it does not exist */
	uint16_t port; /* of a device that is made */
	struct shunt_prefix alias_pool; /* routed to the device */
	struct tunnel_thresholds thresholds;
};

/* From the loop, never from within a call. */
struct datapath_ops {
	/* The kernel ended a tunnel, or confirms that we did; @info has the final counters. */
	void (*on_deleted)(const struct tunnel_info *info, void *arg);
	/* A threshold was crossed. */
	void (*on_load)(enum tunnel_crossing crossing, const struct tunnel_load *now, void *arg);
	/* The kernel had to drop events: look at the present state. */
	void (*on_missed)(void *arg);
	/* Events cannot be read any more. */
	void (*on_failed)(const char *why, void *arg);
};

/*
 * Set up device, route and thresholds, and watch. The device stays when the datapath is closed,
 * since its tunnels outlive the daemon. -ENOENT or -EOPNOTSUPP when the module is missing; @e says
 * what to do.
 */
int datapath_open(struct loop *loop, const struct datapath_conf *conf,
		  const struct datapath_ops *ops, void *arg, struct datapath **out, struct err *e);
void datapath_close(struct datapath *dp); /* NULL is allowed */

/* As tunnel_new() and tunnel_del() on this device; spec->ifindex is filled in. */
int datapath_new(struct datapath *dp, struct tunnel_spec *spec, const uint8_t *key_in,
		 const uint8_t *key_out, struct err *e);
int datapath_del(struct datapath *dp, uint32_t spi, struct tunnel_info *last, struct err *e);
int datapath_dump(struct datapath *dp, int (*on_tunnel)(void *arg, const struct tunnel_info *info),
		  void *arg, struct err *e);
int datapath_load(struct datapath *dp, struct tunnel_load *out, struct err *e);

/* Is @addr assigned to this host? Errs on the side of yes. */
bool datapath_is_local(const struct shunt_addr *addr);

#endif
