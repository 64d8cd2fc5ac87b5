/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * delivery: bringing one queued job's content to its device, or from it (seed: #702-#712,
 * #801-#818).
 *
 *	look the device up ─▶ directly connected? ─────────────▶ send ─▶ (device executes) ─▶ end
 *	                      └▶ gateway ─▶ tunnel ─▶ agent or ──▶ ┘  ▲
 *	                                              WebDAV          └ the device connects: move
 *
 * A delivery has at most one tunnel and one direct path at a time. When the device has connected
 * and its agent has answered on the new path, the tunnel gets no more segments, finishes those in
 * flight and is closed. A try that fails for a reason that may pass is repeated with growing
 * pauses; tries that bring no byte forward are counted and end in a precise failure.
 *
 * There are at most max-running and max-waiting of them together. Those that wait for a slot are always the
 * first of all jobs, by priority and then by turn: a job for which there is no room takes the place of the
 * least that only waits, whose request is withdrawn. A gateway gives its slots in the same order.
 */
#ifndef SHUNT_CLOUD_DELIVERY_H
#define SHUNT_CLOUD_DELIVERY_H

#include "lib/sapi.h"

#include <stddef.h>
#include <stdint.h>

struct cloud;
struct deliveries;
struct err;
struct job;

#define DELIVERY_PAUSE_MIN_MS 500
#define DELIVERY_PAUSE_MAX_MS 30000
#define DELIVERY_STEADY_MS                                                                         \
	30000 /* a path that worked so long makes the count of tries start over */
#define DELIVERY_CANCEL_MS 5000 /* for the device to hear of it */

/* What deliveries have done since the start, for metrics. */
struct delivery_totals {
	uint64_t tunnel_bytes, direct_bytes; /* content acknowledged, by path */
	uint64_t resent_bytes;
	uint64_t moved, retries;
};

/* @c must outlive it. */
int deliveries_new(struct cloud *c, struct deliveries **out, struct err *e);
/*
 * Drop all deliveries where they stand and take no more; their jobs stay in the store for the next
 * start. The tunnels must be freed before the loop goes on.
 */
void deliveries_stop(struct deliveries *ds);
void deliveries_free(struct deliveries *ds); /* no callbacks; NULL is allowed */
/* Take queued jobs as long as there is room for more. */
void deliveries_kick(struct deliveries *ds);
/* Cancel a job in any state that is not final; it is canceled on return, the device hears of it. */
void deliveries_cancel(struct deliveries *ds, struct job *job, const char *who);
/* At the start: jobs that were canceled, of which their printers have not heard (cloud/printing.h). */
void deliveries_recall(struct deliveries *ds);
/*
 * The device has a direct connection: jobs of its that wait for a slot or to try again need neither any more,
 * in their order and as many as may run.
 */
void deliveries_connected(struct deliveries *ds, const char *device);
/* The device presented the job's token: the job joins its connection. */
void deliveries_joined(struct deliveries *ds, const char *job, const char *device);
/* A gateway tells of a decision or of the end of a tunnel. */
void deliveries_gateway_event(struct deliveries *ds, const char *gateway,
			      const struct sapi_gateway_event *ev);
size_t deliveries_count(const struct deliveries *ds);
/* Of them, those that wait for a tunnel's slot or for their next try. */
size_t deliveries_waiting(const struct deliveries *ds);
const struct delivery_totals *deliveries_totals(const struct deliveries *ds);

/* The service of @dev that jobs of @kind go to, or NULL: agent before the device's own protocol. */
const struct sapi_service *delivery_service(const struct sapi_device *dev, enum job_kind kind);

#endif
