/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tunnels: this cloud's ends of tunnels (seed: #703/#733 opening, #709/#815 closing).
 *
 * A tunnel is asked for at the gateway (POST /v1/tunnels), which may let the request wait for a
 * slot; its answer names the gateway's SPI. Both ends then derive the keys from their TLS
 * connection, the cloud makes its kernel object (side far) and waits until the first authenticated
 * packet has taught the kernel where the gateway is. Each tunnel has a near address of its own out
 * of the pool, at which the LAN device is reached from here.
 */
#ifndef SHUNT_CLOUD_TUNNELS_H
#define SHUNT_CLOUD_TUNNELS_H

#include "lib/sapi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctun; /* one tunnel; "tunnel_*" are the kernel objects of lib/tunnel.h */
struct err;
struct gateways;
struct h2;
struct loop;
struct tunnels;

#define TUNNEL_FIRST_PACKET_MS 15000
#define TUNNEL_DELETE_MS 10000

struct tunnels_conf {
	struct loop *loop;
	struct gateways *gateways;
	const char *device; /* "shunt0"; made when absent */
	uint16_t port; /* UDP, of a device that is made */
	struct shunt_prefix pool; /* first host: far, the others: near */
	struct shunt_endpoint outer; /* where gateways send capsules to */
	enum cipher cipher;
};

/*
 * Set up the network device (up, far address, route to the pool) and remove tunnels that an earlier
 * run left on it. Fails with the reason in @e: module missing, no rights, pool too small.
 */
int tunnels_new(const struct tunnels_conf *conf, struct tunnels **out, struct err *e);
/*
 * Removes the kernel objects and tells gateways that are connected, without waiting; no callbacks.
 * NULL is allowed.
 */
void tunnels_free(struct tunnels *t);
/* The address of this end, which connections into tunnels are bound to. */
const struct shunt_addr *tunnels_far(const struct tunnels *t);
size_t tunnels_count(const struct tunnels *t);
/* Does @tunnel, as gateway @gateway lists it, belong to a tunnel here? */
bool tunnels_knows(const struct tunnels *t, const char *gateway, const struct sapi_tunnel *tunnel);

/* How a tunnel ended. */
struct ctun_end {
	int err; /* 0: as asked by ctun_close() */
	bool fatal; /* trying again would end the same way */
	char reason[SAPI_REASON_LEN]; /* word */
	char text[SAPI_TEXT_LEN]; /* sentence */
	const struct sapi_tunnel *last; /* the gateway's final counters, or NULL */
};

struct ctun_ops {
	/* The gateway gave its slot; the id is known. */
	void (*on_slot)(struct ctun *tun, void *arg);
	/* Packets pass in both directions. */
	void (*on_open)(struct ctun *tun, void *arg);
	/* Its gateway has restarted and adopted it: fill in what the job is like by now, or fail. */
	int (*on_adopted)(struct ctun *tun, struct sapi_tunnel_job *job, void *arg);
	/* It is over, for whatever reason; @tun is freed after this returns. */
	void (*on_end)(struct ctun *tun, const struct ctun_end *end, void *arg);
};

/*
 * Ask for a tunnel on @gateway, a session of gateways_session(). Of @open the caller fills in job,
 * device, kind, host, scope, priority, remaining, connectable and connect; the rest is set here.
 * The copy made of it is wiped. Callbacks never come from within. 0; -ENOSPC: no near address left;
 * -ENOMEM; others.
 */
int ctun_open(struct tunnels *t, struct h2 *gateway, const struct sapi_tunnel_open *open,
	      const struct ctun_ops *ops, void *arg, struct ctun **out, struct err *e);
/*
 * End it: withdraws a request that waits, deletes the tunnel at the gateway and here. on_end
 * follows with @reason. Idempotent.
 */
void ctun_close(struct ctun *tun, const char *reason);
/*
 * @gateway lists @tunnel as adopted after a restart: tells it of the job again, so that it may be
 * moved, unless the tunnel is being closed.
 */
void tunnels_adopted(struct tunnels *t, struct h2 *gateway, const struct sapi_tunnel *tunnel);
/* Gateway says that its end is gone. */
void tunnels_gone(struct tunnels *t, const char *gateway, uint32_t id, const char *reason);

uint32_t ctun_id(const struct ctun *tun); /* 0 before on_slot */
const char *ctun_gateway(const struct ctun *tun);
/* Where the device delivers its connection log (7J); unset before on_slot, or if nowhere. */
const struct shunt_endpoint *ctun_log(const struct ctun *tun);
/* Where the LAN device is reached through this tunnel. */
const struct shunt_addr *ctun_near(const struct ctun *tun);

#endif
