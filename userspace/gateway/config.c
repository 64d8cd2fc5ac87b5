// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/config.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "lib/log.h"

const struct opts_about gateway_about = {
	.name = "shuntd",
	.what = "opens tunnels for clouds and moves jobs off them",
};

static const struct enum_name log_levels[] = {
	{ LOG_LVL_ERR, "error" }, { LOG_LVL_WARNING, "warning" }, { LOG_LVL_NOTICE, "notice" },
	{ LOG_LVL_INFO, "info" }, { LOG_LVL_DEBUG, "debug" },	  { 0, NULL },
};

#define MS_MAX 86400000 /* a day */

#define T struct gateway_conf
const struct conf_row gateway_conf_table[] = {
	CONF_VALUE(CONF_PATH, "ca", T, ca, NULL, CONF_REQUIRED,
		   "PEM certificate of the deployment's CA"),
	CONF_VALUE(CONF_PATH, "cert", T, cert, NULL, CONF_REQUIRED,
		   "PEM certificate, role gateway"),
	CONF_VALUE(CONF_PATH, "key", T, key, NULL, CONF_REQUIRED, "PEM private key, mode 0600"),
	CONF_RANGE(CONF_ENDPOINT, "manager", T, manager, NULL, 1, UINT64_MAX,
		   "the manager to stay connected to"),
	CONF_RANGE(CONF_ENDPOINT, "listen", T, listen, NULL, 0, UINT64_MAX,
		   "address on the LAN that takes the devices' connection logs"),
	CONF_RANGE(CONF_STRING, "device", T, device, "shunt0", 1, IFNAMSIZ - 1,
		   "shunt device; made when it does not exist"),
	CONF_RANGE(CONF_U32, "port", T, port, "4500", 1, 65535,
		   "UDP port of the tunnels, when the device is made"),
	CONF_VALUE(CONF_PREFIXES, "lan", T, lan, NULL, CONF_REQUIRED,
		   "hosts that tunnels may reach"),
	CONF_RANGE(
		CONF_ENDPOINT, "own-service", T, own_service, NULL, 1, UINT64_MAX,
		"TCP service of this host that tunnels may reach: a device that is its own gateway"),
	CONF_VALUE(CONF_PREFIX, "alias-pool", T, alias_pool, "100.65.0.0/16", 0,
		   "addresses under which clouds appear on the LAN, one for each tunnel"),
	CONF_VALUE(CONF_BOOL, "endpoint-any", T, endpoint_any, "false", 0,
		   "a tunnel may lead elsewhere than to its cloud's own address"),
	CONF_RANGE(CONF_STRING, "line", T, line, NULL, 1, IFNAMSIZ - 1,
		   "device whose speed counts; unset = the one that leads to the manager"),
	CONF_RANGE(CONF_DURATION, "keepalive", T, keepalive, "20s", 0, MS_MAX,
		   "packets that keep NAT mappings alive; 0 = none"),
	CONF_RANGE(CONF_DURATION, "tunnel-idle", T, tunnel_idle, "10m", 0, MS_MAX,
		   "end a tunnel without packets after this; 0 = never"),
	CONF_RANGE(CONF_DURATION, "tunnel-dead", T, tunnel_dead, "5m", 0, MS_MAX,
		   "end a tunnel whose other end is silent for so long; 0 = never"),
	CONF_RANGE(CONF_DURATION, "cloud-idle", T, cloud_idle, "5m", 0, MS_MAX,
		   "keep the connection to a cloud so long after its last tunnel"),
	CONF_RANGE(CONF_DURATION, "wait-timeout", T, wait_timeout, "5m", 1000, MS_MAX,
		   "refuse a tunnel that got no slot in this time"),
	CONF_RANGE(CONF_U32, "wait-max", T, wait_max, "1000", 1, 65536,
		   "tunnel requests that may wait for a slot"),
	CONF_RANGE(CONF_DURATION, "drain-timeout", T, drain_timeout, "2m", 1000, MS_MAX,
		   "how long a tunnel may live on after its device connected"),
	CONF_RANGE(CONF_DURATION, "retry-min", T, retry_min, "30s", 100, MS_MAX,
		   "ask a device that failed to connect again after this; doubles"),
	CONF_RANGE(CONF_DURATION, "retry-max", T, retry_max, "10m", 100, MS_MAX, "... up to this"),
	CONF_VALUE(CONF_PATH, "state", T, state, "/var/lib/shunt/gateway", 0,
		   "directory of what a restart needs"),
	CONF_VALUE(
		CONF_PATH, "record-log", T, record_log, NULL, 0,
		"file of records 7K, 7J and decisions; unset = record.log in the state directory"),
	CONF_RANGE(CONF_SIZE, "record-log-size", T, record_log_size, "16M", 65536, UINT64_MAX,
		   "rotate it at this size"),
	CONF_RANGE(CONF_U32, "record-log-keep", T, record_log_keep, "4", 1, 99,
		   "rotated files to keep"),
	CONF_VALUE(CONF_STRING, "user", T, user, NULL, 0,
		   "user to become; keeps only the right to configure the network"),
	CONF_WORD("log-level", T, log_level, "info", log_levels, "least severity that is logged"),
	POLICY_CONF(T, policy),
	CONF_END,
};
#undef T

int gateway_conf_check(struct gateway_conf *conf, struct err *e)
{
	char lan[PREFIX_STR_LEN], pool[PREFIX_STR_LEN];
	size_t i;

	if (!conf->manager.port)
		return err_set(e, -SHUNT_ECONF, "manager: is not set");
	if (!conf->listen.port)
		return err_set(e, -SHUNT_ECONF, "listen: is not set, or has no port");
	if (!conf->lan.n)
		return err_set(e, -SHUNT_ECONF, "lan: is empty, so no tunnel could reach anything");
	for (i = 0; i < conf->lan.n; i++) {
		if (prefix_overlaps(&conf->lan.v[i], &conf->alias_pool))
			return err_set(e, -SHUNT_ECONF, "alias-pool: %s overlaps lan %s",
				       prefix_print(&conf->alias_pool, pool),
				       prefix_print(&conf->lan.v[i], lan));
	}
	if (conf->retry_max < conf->retry_min)
		return err_set(e, -SHUNT_ECONF, "retry-max: is below retry-min");
	return policy_settings_check(&conf->policy, DECIDE_GATEWAY, e);
}
