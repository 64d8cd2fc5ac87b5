/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tunnels: the gateway's tunnels, each a kernel object with an owner (the cloud that asked for it)
 * and a job. Whether there may be one more is the controller's business.
 */
#ifndef SHUNT_GATEWAY_TUNNELS_H
#define SHUNT_GATEWAY_TUNNELS_H

#include "gateway/config.h"
#include "lib/err.h"
#include "lib/sapi.h"
#include "lib/tunnel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct datapath;
struct events;
struct h2;
struct ledger;
struct record;
struct tunnels;

/* One open tunnel. Members are read by all, the last group is the controller's to change. */
#define TUNNEL_MOVED "moved" /* the reason of a tunnel's end when its job went on elsewhere */

struct gw_tunnel {
	struct gw_tunnel *next, *prev; /* by age, oldest first */
	struct gw_tunnel *spi_next, *job_next; /* hash chains */

	uint32_t spi; /* inbound; its id */
	char job[ID_LEN], device[NAME_LEN], cloud[NAME_LEN];
	struct shunt_addr host, alias, near, far;
	struct shunt_endpoint endpoint;
	struct sapi_scope scope[SAPI_SCOPE_MAX];
	size_t n_scope;
	uint8_t priority;
	int64_t opened; /* wall ms */
	uint64_t opened_boot; /* boot ms */
	enum job_kind kind;
	uint64_t remaining; /* content bytes when the cloud last told, */
	uint64_t remaining_at; /* and what had been carried their way by then */
	bool adopted; /* the cloud has not told yet what the job is like by now */
	bool leaving; /* its device is connected, and its job moves there */
	bool connectable;
	struct shunt_endpoint cloud_address; /* for the device, when connectable */
	uint16_t agent_port;
	char token[ID_LEN]; /* secret */

	struct tunnel_counters rx, tx; /* as of the last refresh */
	uint64_t load_ns; /* CPU ns per second between the last two */
	uint64_t seen; /* boot ns of the last refresh that found it */

	struct move *move; /* its device was asked to connect, or NULL */
	uint64_t carried; /* bytes both ways when it was last looked whether it has work */
	int decided; /* last reason that was recorded for it, -1: none */
};

struct tunnels_deps {
	const struct gateway_conf *conf;
	struct datapath *datapath;
	struct ledger *ledger;
	struct record *record;
	struct events *events;
	/* A tunnel is gone; @t is not to be used any more. */
	void (*on_closed)(struct gw_tunnel *t, void *arg);
	void *arg;
};

/* @deps is copied; what it points to must outlive the tunnels. */
int tunnels_new(const struct tunnels_deps *deps, struct tunnels **out, struct err *e);
/* Leaves the kernel's tunnels alone. NULL is allowed. */
void tunnels_free(struct tunnels *ts);

/*
 * Open the tunnel @open describes for @cloud, with keys of the connection @h2 on which it asked. 0;
 * -EAGAIN no alias is free; or the kernel's error.
 */
int tunnels_open(struct tunnels *ts, const struct sapi_tunnel_open *open, const char *cloud,
		 struct h2 *h2, struct gw_tunnel **out, struct err *e);

/* The cloud tells again of the job, whose tunnel was adopted, or which has changed since. */
void tunnels_tell(struct gw_tunnel *t, const struct sapi_tunnel_job *job);

/* Its job moves off it, or does not after all; a restart knows. */
void tunnels_leaving(struct tunnels *ts, struct gw_tunnel *t, bool leaving);

/*
 * Content bytes left to carry, or POLICY_REMAINING_UNKNOWN. Counted in inner packets, headers and
 * repeats included, so it errs towards "nearly done".
 */
uint64_t tunnel_remaining(const struct gw_tunnel *t);

/*
 * End it: final counters are taken from the kernel, recorded (7K), and announced with @reason.
 * @last (may be NULL) gets the tunnel as the API shows it. @t is freed. When the kernel does not
 * delete it, its alias stays in use until tunnels_sweep() had more luck.
 */
void tunnels_close(struct tunnels *ts, struct gw_tunnel *t, const char *reason,
		   struct sapi_tunnel *last);
/* Try again what the kernel refused to delete; now and then. */
void tunnels_sweep(struct tunnels *ts);
/* The kernel ended a tunnel. One that we ended is not known any more, and ignored. */
void tunnels_deleted(struct tunnels *ts, const struct tunnel_info *info);

/*
 * Once at the start: take over the kernel's tunnels that the ledger knows, end the others, and
 * record those that vanished while we were not looking. An adopted one stays where it is until
 * tunnels_tell().
 */
int tunnels_adopt(struct tunnels *ts, struct err *e);

/* Read all counters from the kernel; tunnels it does not have any more are ended here too. */
int tunnels_refresh(struct tunnels *ts, struct err *e);

struct gw_tunnel *tunnels_find(const struct tunnels *ts, uint32_t spi);
struct gw_tunnel *tunnels_find_job(const struct tunnels *ts, const char *cloud, const char *job);
size_t tunnels_count(const struct tunnels *ts);
size_t tunnels_count_cloud(const struct tunnels *ts, const char *cloud);
/* The oldest; the others follow by ->next. */
struct gw_tunnel *tunnels_first(const struct tunnels *ts);

/* As the API shows it. @reason "" while it is open. */
void tunnels_show(const struct gw_tunnel *t, const char *reason, struct sapi_tunnel *out);

#endif
