/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config: the gateway's settings (shuntd.conf), as Documentation/configuration.md has them.
 */
#ifndef SHUNT_GATEWAY_CONFIG_H
#define SHUNT_GATEWAY_CONFIG_H

#include "lib/conf.h"
#include "lib/opts.h"
#include "lib/policy.h"

#include <stdbool.h>
#include <stdint.h>

struct gateway_conf {
	char *ca, *cert, *key; /* PEM files */
	char *user; /* to run as; NULL: whoever started it */
	char *state; /* directory of what a restart needs */
	int log_level; /* enum log_level */

	struct shunt_endpoint manager;
	struct shunt_endpoint listen; /* on the LAN, for connection logs (7J) */
	char *device; /* shunt device of the kernel */
	uint32_t port; /* UDP port of the tunnels, when the device has to be made */
	struct conf_prefixes lan; /* hosts that tunnels may reach */
	struct shunt_prefix alias_pool; /* LAN-side addresses of the far ends, one a tunnel */
	char *line; /* device towards the clouds; NULL: the one that leads to the manager */
	struct shunt_endpoint own_service; /* of this host, that tunnels may lead to; or unset */
	bool endpoint_any; /* a tunnel's far end need not be where the cloud was dialled */

	uint64_t keepalive; /* ms between packets that keep NAT mappings; 0: none */
	uint64_t tunnel_idle; /* ms without a packet until the kernel ends a tunnel; 0: never */
	uint64_t tunnel_dead; /* ms of silence from the cloud until the kernel ends a tunnel; 0: never */
	uint64_t cloud_idle; /* ms a connection to a cloud outlives its last tunnel */
	uint64_t wait_timeout; /* ms a request may wait for a slot */
	uint32_t wait_max; /* requests that may wait */
	uint64_t drain_timeout; /* ms from the device's connection to the end of its tunnel */
	uint64_t retry_min,
		retry_max; /* ms before a device that failed to connect is asked again */

	char *record_log; /* file of the records 7K, 7J, decisions; NULL: in the state directory */
	uint64_t record_log_size; /* bytes at which it is rotated */
	uint32_t record_log_keep; /* rotated files kept */

	struct policy_settings policy;
};

extern const struct conf_row gateway_conf_table[];
extern const struct opts_about gateway_about;

/* What the table cannot check: prefixes that overlap, settings of the policy. 0 or -SHUNT_E*. */
int gateway_conf_check(struct gateway_conf *conf, struct err *e);

#endif
