/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateways: the gateways that dialled in and stay connected, and passing a cloud's wish to be
 * dialled on to them (tunnel establishment command 7D, #721-#722).
 */
#ifndef SHUNT_MANAGER_GATEWAYS_H
#define SHUNT_MANAGER_GATEWAYS_H

struct gateways;
struct h2;
struct h2_req;

/* Names remembered; beyond that the disconnected one idle longest is forgotten. */
#define GATEWAYS_MAX 4096

int gateways_new(struct gateways **out);
/* Sessions must have ended before. NULL is allowed. */
void gateways_free(struct gateways *g);

/* A gateway dialled in; a session it had before is ended. */
void gateways_attach(struct gateways *g, struct h2 *h2);

/* GET /v1/gateways */
void gateways_list(struct h2_req *req, struct gateways *g);
/* POST /v1/gateways/{name}/dial */
void gateways_dial(struct h2_req *req, struct gateways *g);

#endif
