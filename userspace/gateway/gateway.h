/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway: the parts of shuntd and the order in which they live and die.
 *
 *	api ── controller ── moves ── agent   requests, decisions, connect requests
 *	 │         │   └── line, cpu          what is measured
 *	dial   tunnels ── datapath            connections, tunnels, kernel
 *	 │         │
 *	lan    record, events, ledger         what is kept and told
 */
#ifndef SHUNT_GATEWAY_GATEWAY_H
#define SHUNT_GATEWAY_GATEWAY_H

#include "gateway/config.h"
#include "lib/err.h"
#include "lib/h2.h"

struct controller;
struct datapath;
struct dial;
struct events;
struct lan;
struct ledger;
struct loop;
struct record;
struct tls_ctx;
struct tunnels;

/* Read by api.c; everything else gets the parts it needs. */
struct gateway {
	struct loop *loop;
	const struct gateway_conf *conf;
	struct tls_ctx *tls;
	struct h2_router router;
	struct datapath *datapath;
	struct record *record;
	struct ledger *ledger;
	struct events *events;
	struct tunnels *tunnels;
	struct controller *controller;
	struct dial *dial;
	struct lan *lan;
	unsigned int stopping; /* parts that have not stopped yet */
};

/*
 * Start all parts: kernel device, LAN listener, rights given up, old tunnels adopted, manager
 * dialled. @conf and @loop must outlive it. On error @e says what failed.
 */
int gateway_new(struct loop *loop, const struct gateway_conf *conf, struct gateway **out,
		struct err *e);
/*
 * Close connections gracefully, then stop the loop with EXIT_STOPPED. Tunnels stay in the kernel
 * for the next start.
 */
void gateway_stop(struct gateway *g);
/* Read the credentials again; on error the old ones stay. */
int gateway_reload(struct gateway *g, struct err *e);
void gateway_free(struct gateway *g); /* NULL is allowed */

/* Are the credentials usable (--check)? */
int gateway_check(const struct gateway_conf *conf, struct err *e);

#endif
