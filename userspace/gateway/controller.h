/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * controller: decides which tunnels may be opened and which jobs are moved off theirs, and carries
 * it out (#804-#815). The decisions are lib/policy's; this file feeds it and acts.
 *
 * A request for a tunnel opens one, waits for a slot, or is refused. A run happens in the loop's
 * next pass after anything that may change the picture: a request, the end of a tunnel, a threshold
 * announced by the kernel, a move that failed, a sample of CPU use and line. Every decision is
 * recorded and told to the cloud when it is new.
 *
 * A move: the device is asked to connect (7G, gateway/moves.h); while it does, and until the cloud
 * ends the tunnel, the move is in flight. With `split` and no limit passed the tunnel stays in use
 * beside the connection (claims 2-3), and is moved when its slot is needed.
 *
 * With `count = pair` the limit on tunnels holds for each cloud by itself. With `decide = cloud`
 * every request opens a tunnel, nothing is moved, and what is measured is only reported.
 */
#ifndef SHUNT_GATEWAY_CONTROLLER_H
#define SHUNT_GATEWAY_CONTROLLER_H

#include "gateway/config.h"
#include "lib/sapi.h"
#include "lib/tunnel.h"

#include <stddef.h>

struct controller;
struct datapath;
struct events;
struct gw_tunnel;
struct h2;
struct loop;
struct record;
struct tls_ctx;
struct tunnels;
struct waiter;

struct controller_deps {
	struct loop *loop;
	const struct gateway_conf *conf;
	struct tls_ctx *tls; /* to talk to devices */
	struct tunnels *tunnels;
	struct datapath *datapath;
	struct events *events;
	struct record *record;
};

int controller_new(const struct controller_deps *deps, struct controller **out);
/* Waiting requests must have been withdrawn or refused. NULL is allowed. */
void controller_free(struct controller *c);
void controller_set_tls(struct controller *c, struct tls_ctx *tls);

/* Who asks for a tunnel, and how to answer: exactly one of the two is called, from the loop. */
struct arrival {
	const struct sapi_tunnel_open *open; /* valid; copied */
	const char *cloud;
	struct h2 *h2; /* on which it asked: its keys come from there */
	void (*on_opened)(const struct gw_tunnel *t, void *arg);
	void (*on_refused)(int status, const char *code, const char *text, void *arg);
	void *arg;
};

/* 0 or -ENOMEM. *@out is valid until it is answered or withdrawn. */
int controller_arrive(struct controller *c, const struct arrival *a, struct waiter **out);
/* The request is off; no answer is given any more. */
void controller_withdraw(struct controller *c, struct waiter *w);
/* Does a request of @cloud wait, for @job (NULL: any)? */
bool controller_waits(const struct controller *c, const char *cloud, const char *job);
/* Refuse all that wait, and let nothing in any more. */
void controller_stop(struct controller *c);

/* Something changed: run in the loop's next pass. */
void controller_run(struct controller *c);
/* The cloud of an adopted tunnel has told of its job (tunnels_tell()): it can be moved from now on. */
void controller_told(struct controller *c, const struct gw_tunnel *t);
/* A tunnel is gone (its struct is freed afterwards). */
void controller_closed(struct controller *c, struct gw_tunnel *t);
/* The kernel announced a threshold. */
void controller_crossed(struct controller *c, enum tunnel_crossing crossing,
			const struct tunnel_load *now);

/* GET /v1/load */
void controller_load(struct controller *c, struct sapi_load *out);

#endif
