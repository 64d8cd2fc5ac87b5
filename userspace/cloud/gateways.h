/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateways: the connections that gateways dialled to this cloud, and what they tell on them.
 *
 * A gateway without connection is woken through the manager (seed: #702, #722, #732). On each
 * connection the cloud follows the gateway's event stream, and first has tunnels removed that it
 * does not know (left from a run of this program that died). A second connection of a gateway takes
 * the place of the first.
 */
#ifndef SHUNT_CLOUD_GATEWAYS_H
#define SHUNT_CLOUD_GATEWAYS_H

#include "lib/sapi.h"

#include <stddef.h>
#include <stdint.h>

struct err;
struct gateways;
struct gateways_want;
struct h2;
struct loop;
struct registry;

#define GATEWAY_AWAIT_MS 20000 /* from waking a gateway to its connection */

struct gateways_conf {
	struct loop *loop;
	struct registry *registry;
	/* Gateway @name reports something about one of this cloud's jobs or tunnels. */
	void (*on_event)(const char *name, const struct sapi_gateway_event *ev, void *arg);
	/* Is @tunnel of gateway @name in use? One that is not gets deleted. */
	bool (*is_known)(const char *name, const struct sapi_tunnel *tunnel, void *arg);
	/*
	 * The gateway of the new connection @h2 has restarted and adopted @tunnel, which is in use: it is to
	 * be told of the job.
	 */
	void (*on_adopted)(struct h2 *h2, const struct sapi_tunnel *tunnel, void *arg);
	void *arg;
};

int gateways_new(const struct gateways_conf *conf, struct gateways **out, struct err *e);
void gateways_free(struct gateways *g); /* no callbacks; NULL is allowed */

/* A party of role gateway dialled in. */
void gateways_attach(struct gateways *g, struct h2 *h2);
/* The usable connection of gateway @name, or NULL. */
struct h2 *gateways_session(const struct gateways *g, const char *name);
size_t gateways_connected(const struct gateways *g);

/*
 * Get a connection of gateway @name, waking it if need be. @done once, never from within: a usable
 * session, or NULL and why not. 0 or -ENOMEM. *@out is valid until @done.
 */
int gateways_want(struct gateways *g, const char *name,
		  void (*done)(struct h2 *h2, int err, const char *why, void *arg), void *arg,
		  struct gateways_want **out);
void gateways_want_cancel(struct gateways_want *want); /* NULL is allowed */
/*
 * Look for tunnels of ours that are not in use (a withdrawn request may have been granted already).
 */
void gateways_sweep(struct gateways *g, const char *name);

#endif
