/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api: the HTTP resources of the device (Documentation/api/device.yaml), the same on connections
 * that were accepted and on those it dialled itself.
 */
#ifndef SHUNT_DEVICE_API_H
#define SHUNT_DEVICE_API_H

#include <stddef.h>
#include <stdint.h>

#include "device/reach.h"

struct api;
struct connects;
struct h2_router;
struct job;
struct jobs;
struct loop;

struct api_conf {
	const char *name; /* of this device */
	uint32_t services; /* 1u << enum job_kind */
	const char *const *clouds; /* who may command it; outlives the api */
	uint64_t ahead; /* octets that a device which pulls asks for at a time */
	size_t n_clouds; /* 0: every cloud that the CA vouches for */
	bool connect; /* has the connection establishment function (7A) */
	struct reach_conf reach; /* where they may have it dial */
};

/* @conf is copied, what it points to is not. 0 or -ENOMEM. */
int api_new(struct loop *loop, const struct api_conf *conf, struct api **out);
/* Before the first request; both must outlive the connections on which the router serves. */
void api_bind(struct api *api, struct jobs *jobs, struct connects *connects);
/* All requests must have ended. NULL is allowed. */
void api_free(struct api *api);

/* Lives as long as @api. */
const struct h2_router *api_router(const struct api *api);

/* End all event streams, so that connections can be closed. */
void api_stop(struct api *api);

/* A job has entered another state: tell those who follow it. */
void api_job_changed(struct api *api, const struct job *job);
/* Connections came or went: the device may prefer another path for what it pulls. */
void api_connects_changed(struct api *api);

#endif
