/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe: what a device is, found by asking it through a tunnel (POST /v1/devices/{code}/probe; seed: data 7A).
 *
 *	look the device up ─▶ gateway ─▶ tunnel ─▶ all its services at once (cloud/inquiry.h) ─▶ close ─▶ answer
 *
 * The tunnel's scope has the ports to be tried and no others: those named in the request, those of the registry, and the
 * usual ones. It takes a slot of the gateway like a job's, and stands in its records under an id of its own: of the highest
 * priority, since it is short; it cannot be moved. What the device says it says of itself: it is answered and not written
 * anywhere, the registry is the administrator's.
 *
 * It ends whatever the others do: `timeout` of the request bounds the wait for the tunnel, PROBE_ASK_MS the questions,
 * TUNNEL_DELETE_MS its end. A caller that goes away ends it, too.
 */
#ifndef SHUNT_CLOUD_PROBE_H
#define SHUNT_CLOUD_PROBE_H

struct cloud;
struct h2_req;
struct probes;

#define PROBE_ASK_MS 15000
#define PROBES_MAX 4 /* at once; more are refused for the moment */

int probes_new(struct cloud *c, struct probes **out); /* 0 or -ENOMEM */
/* Answers all that wait, takes no more. The tunnels must be freed before the loop goes on. */
void probes_stop(struct probes *ps);
void probes_free(struct probes *ps); /* after probes_stop(), or when it never ran; NULL is allowed */

/* Answers @req of POST /v1/devices/{code}/probe, some time. */
void probes_ask(struct probes *ps, struct h2_req *req);

#endif
