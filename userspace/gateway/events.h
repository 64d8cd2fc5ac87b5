/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * events: GET /v1/events, a stream of decisions and ends of tunnels for each cloud, only about its
 * own.
 *
 * A stream holds at most what h2 buffers (h2_conf.write_max); one whose reader is slower is reset,
 * so that the cloud notices, asks for the present state and subscribes again.
 */
#ifndef SHUNT_GATEWAY_EVENTS_H
#define SHUNT_GATEWAY_EVENTS_H

#include "lib/sapi.h"

struct events;
struct h2_req;

#define EVENTS_STREAMS_MAX 4 /* of one cloud; an older one makes room */

int events_new(struct events **out);
/* Streams still open are forgotten: end their sessions before. NULL is allowed. */
void events_free(struct events *ev);

/* End the streams of @cloud (NULL: of all) in order: its connection, or the gateway, is stopping. */
void events_finish(struct events *ev, const char *cloud);

/* Handler of GET /v1/events. */
void events_subscribe(struct events *ev, struct h2_req *req);
/* Tell @cloud. Never fails: without a reader there is nobody to tell. */
void events_publish(struct events *ev, const char *cloud, const struct sapi_gateway_event *event);

#endif
