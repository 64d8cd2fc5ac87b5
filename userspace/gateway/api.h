/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api: the resources served to the manager and to clouds (Documentation/api/gateway.yaml).
 */
#ifndef SHUNT_GATEWAY_API_H
#define SHUNT_GATEWAY_API_H

#include "lib/h2.h"

struct gateway;

/* @g must outlive the router's sessions. */
void api_router(struct gateway *g, struct h2_router *out);

#endif
