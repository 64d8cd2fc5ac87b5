/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cloud: the program's configuration, and the parts it is put together from.
 */
#ifndef SHUNT_CLOUD_CLOUD_H
#define SHUNT_CLOUD_CLOUD_H

#include "lib/conf.h"
#include "lib/h2.h"
#include "lib/policy.h"
#include "lib/types.h"

#include <stdbool.h>
#include <stdint.h>

struct credentials;
struct decider;
struct deliveries;
struct directs;
struct err;
struct gateways;
struct jobs;
struct loop;
struct notices;
struct peer_listener;
struct probes;
struct registry;
struct spool;
struct store;
struct tls_ctx;
struct tokens;
struct tunnels;
struct http;

struct cloud_conf {
	char *ca, *cert, *key; /* PEM files */
	char *device_credentials; /* file of credentials.h, or NULL */
	char *smb_helper; /* path of shunt-smb */
	int log_level;
	char *user;
	char *state; /* directory */
	struct shunt_endpoint listen, public, manager;
	bool tunnels; /* false: serve direct connections only */
	char *device;
	uint32_t port;
	struct shunt_endpoint public_tunnel;
	struct shunt_prefix pool;
	int cipher;
	uint64_t segment; /* bytes */
	uint32_t max_jobs, max_running, max_waiting;
	uint64_t max_size; /* bytes */
	uint32_t attempts;
	uint64_t linger, upload_timeout, printer_patience, keep; /* ms */
	uint64_t retry_min,
		retry_max; /* ms before a device that failed to connect is asked again */
	struct policy_settings policy;
};

extern const struct conf_row cloud_conf_table[];

struct cloud {
	const struct cloud_conf *conf;
	struct loop *loop;
	struct tls_ctx *tls;
	struct credentials *credentials; /* NULL when there are none */
	struct store *store;
	struct spool *spool;
	struct tokens *tokens;
	struct registry *registry;
	struct gateways *gateways;
	struct tunnels *tunnels; /* NULL when conf->tunnels is off */
	struct directs *directs;
	struct http *http; /* to devices' own servers */
	struct jobs *jobs;
	struct notices *notices;
	struct decider *decider; /* NULL unless this cloud decides about moves */
	struct deliveries *deliveries;
	struct probes *probes;
	struct peer_listener *listener;
	struct h2_router router;
};

/*
 * What the table cannot say: combinations of settings; fills in what depends on others. 0 or
 * -SHUNT_E*.
 */
int cloud_conf_check(struct cloud_conf *conf, struct err *e);
/* Load credentials; for --check and for the start. */
int cloud_credentials(const struct cloud_conf *conf, struct tls_ctx **out, struct err *e);
/* And those of devices; NULL when none are configured. */
int cloud_device_credentials(const struct cloud_conf *conf, struct credentials **out,
			     struct err *e);

/*
 * Start everything: @c holds conf, loop, tls and credentials. On failure all of it is undone. Privileges are
 * dropped once the network device, the port and the state directory are open.
 */
int cloud_start(struct cloud *c, struct err *e);
/* Accept nothing new, close sessions gracefully, then stop the loop with status 0. */
void cloud_stop(struct cloud *c);
/* Read the certificate files again; keeps the old ones when they are not usable. */
void cloud_reload(struct cloud *c);
/* Free what cloud_start() made. */
void cloud_fini(struct cloud *c);

#endif
