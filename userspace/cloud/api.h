/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api: what terminals ask of the cloud (Documentation/api/cloud.yaml).
 *
 * A terminal sees its own jobs only; of others' it learns not even that they exist. An admin sees
 * all.
 */
#ifndef SHUNT_CLOUD_API_H
#define SHUNT_CLOUD_API_H

#include "lib/h2.h"

struct cloud;

#define API_RETRY_FULL_S 10 /* Retry-After when as many jobs as may be are under way */
#define API_RETRY_MANAGER_S 5 /* ... when the manager cannot be asked */
#define API_EVENTS_MAX ((size_t)1 << 20) /* octets of events a slow reader may be behind */

/* Fill in the router; @c must outlive it. */
void api_router(struct cloud *c, struct h2_router *out);

#endif
