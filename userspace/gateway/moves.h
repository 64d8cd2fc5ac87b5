/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * moves: devices that were asked to connect to a cloud (7G, #735, #813), each for one job.
 *
 * A move begins with the request to the device. Once the device is connected the cloud has
 * drain-timeout to take the job over and end its tunnel. A split (claims 2-3) begins in the same way,
 * but its tunnel stays until moves_cut(). The tunnel may also be gone long before the device is
 * connected (`cut = after-request`): the request is then carried to its end all the same, since to
 * call it off would end the device's dial.
 *
 * A device that failed is left alone for a while, which doubles with each failure, whatever became
 * of the job: a cloud that asks for a new tunnel must not have it moved again at once.
 */
#ifndef SHUNT_GATEWAY_MOVES_H
#define SHUNT_GATEWAY_MOVES_H

#include "gateway/config.h"
#include "lib/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent_call;
struct gw_tunnel;
struct loop;
struct loop_timer;
struct moves;
struct tls_ctx;
struct waiter;

/* Read by others, changed by moves.c alone. */
struct move {
	struct move *next, *prev;
	struct moves *owner;
	struct gw_tunnel *tunnel; /* NULL: it is gone, or there was none */
	struct waiter *waiter; /* the job waits for a tunnel; NULL otherwise */
	uint32_t spi; /* the tunnel's, also when it is gone; 0: there was none */
	char job[ID_LEN], device[NAME_LEN], cloud[NAME_LEN];
	bool split; /* the tunnel stays */
	bool connected;
	struct agent_call *call; /* until then */
	struct loop_timer *drain; /* armed from then on, unless it is a split */
};

/* A move whose tunnel's end is on its way, or whose device is: its device is not to be asked. */
static inline bool move_in_flight(const struct move *m)
{
	return !m->split || !m->connected;
}

struct moves_deps {
	struct loop *loop;
	const struct gateway_conf *conf;
	struct tls_ctx *tls; /* to talk to devices */
	/* From the loop. @m failed, and is freed afterwards. */
	void (*on_failed)(struct move *m, const char *why, void *arg);
	/* From the loop. Its device is connected. */
	void (*on_connected)(struct move *m, void *arg);
	void *arg;
};

int moves_new(const struct moves_deps *deps, struct moves **out);
void moves_free(struct moves *ms); /* calls off all moves; NULL is allowed */
void moves_set_tls(struct moves *ms, struct tls_ctx *tls);

/* What the device is told, and where it is. Copied, but for the last two, which are the move's. */
struct move_request {
	const char *job, *device, *cloud, *token;
	const struct shunt_endpoint *cloud_address;
	const struct shunt_addr *host;
	uint16_t agent_port;
	uint32_t spi;
	bool split;
	struct gw_tunnel *tunnel; /* one of these two */
	struct waiter *waiter;
};

/* Ask the device. 0, or -errno when nothing was begun; then the device is left alone for a while. */
int moves_ask(struct moves *ms, const struct move_request *r, struct move **out);
/* The tunnel of a split is to go: from now on it is like any other move. */
void moves_cut(struct move *m);
/* Its tunnel is gone. @m is not to be used any more, but on_failed() may still come. */
void moves_tunnel_gone(struct move *m);
/* Call it off. */
void moves_cancel(struct move *m);

/* All moves; the others follow by ->next. */
struct move *moves_first(const struct moves *ms);
/* Did @device fail, so that it is to be left alone now? */
bool moves_paused(const struct moves *ms, const char *device);
/* Forget failures of long ago; now and then. */
void moves_sweep(struct moves *ms);

#endif
