// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/cloud.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cloud/api.h"
#include "cloud/credentials.h"
#include "cloud/decider.h"
#include "cloud/delivery.h"
#include "cloud/direct.h"
#include "cloud/gateways.h"
#include "cloud/http.h"
#include "cloud/jobs.h"
#include "cloud/notice.h"
#include "cloud/probe.h"
#include "cloud/registry.h"
#include "cloud/smb.h"
#include "cloud/token.h"
#include "cloud/tunnels.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/peer.h"
#include "lib/proc.h"
#include "lib/tls.h"

static const struct enum_name log_levels[] = {
	{ LOG_LVL_ERR, "error" }, { LOG_LVL_WARNING, "warning" }, { LOG_LVL_NOTICE, "notice" },
	{ LOG_LVL_INFO, "info" }, { LOG_LVL_DEBUG, "debug" },	  { 0, NULL },
};

#define MS_DAY ((uint64_t)86400000)

#define T struct cloud_conf
const struct conf_row cloud_conf_table[] = {
	CONF_VALUE(CONF_PATH, "ca", T, ca, NULL, CONF_REQUIRED,
		   "PEM certificate of the deployment's CA"),
	CONF_VALUE(CONF_PATH, "cert", T, cert, NULL, CONF_REQUIRED, "PEM certificate, role cloud"),
	CONF_VALUE(CONF_PATH, "key", T, key, NULL, CONF_REQUIRED, "PEM private key, mode 0600"),
	CONF_VALUE(CONF_PATH, "device-credentials", T, device_credentials, NULL, 0,
		   "names and passwords for devices without agent, mode 0600"),
	CONF_VALUE(CONF_PATH, "smb-helper", T, smb_helper, NULL, 0,
		   "the program that speaks SMB; unset = shunt-smb beside this one"),
	CONF_RANGE(CONF_ENDPOINT, "listen", T, listen, "0.0.0.0:8443", 0, UINT64_MAX,
		   "address for terminals, gateways and devices"),
	CONF_VALUE(CONF_ENDPOINT, "public", T, public, NULL, CONF_REQUIRED,
		   "address at which gateways and devices dial this cloud"),
	CONF_VALUE(CONF_ENDPOINT, "manager", T, manager, NULL, CONF_REQUIRED,
		   "the manager to ask for devices and gateways"),
	CONF_VALUE(CONF_BOOL, "tunnels", T, tunnels, "true", 0,
		   "open tunnels; off: serve devices that connect, needs no kernel module"),
	CONF_RANGE(CONF_STRING, "device", T, device, "shunt0", 1, IFNAMSIZ - 1,
		   "shunt device of the tunnels; made when it does not exist"),
	CONF_RANGE(CONF_U32, "port", T, port, "4500", 1, 65535,
		   "UDP port of the tunnels, when the device is made"),
	CONF_RANGE(CONF_ENDPOINT, "public-tunnel", T, public_tunnel, NULL, 1, UINT64_MAX,
		   "where gateways send the tunnels' packets; unset = address of public, port"),
	CONF_VALUE(CONF_PREFIX, "pool", T, pool, "100.64.0.0/16", 0,
		   "inner addresses: the first is this cloud's, the others the devices'"),
	CONF_WORD("cipher", T, cipher, "aes-gcm-256", cipher_names, "of the tunnels"),
	CONF_VALUE(CONF_PATH, "state", T, state, "/var/lib/shunt/cloud", 0,
		   "directory of the jobs and their content"),
	CONF_RANGE(CONF_SIZE, "segment", T, segment, "256K", 4096, 16 << 20,
		   "content is sent in pieces of this size"),
	CONF_RANGE(CONF_SIZE, "max-size", T, max_size, "16G", 1, CONTENT_SIZE_MAX,
		   "largest content of a job"),
	CONF_RANGE(CONF_U32, "max-jobs", T, max_jobs, "10000", 1, 1000000,
		   "unfinished jobs; further ones are refused for the moment"),
	CONF_RANGE(CONF_U32, "max-running", T, max_running, "100", 1, 10000,
		   "jobs being delivered at once"),
	CONF_RANGE(CONF_U32, "max-waiting", T, max_waiting, "1000", 1, 100000,
		   "jobs beside them that wait for a tunnel or for their next try"),
	CONF_RANGE(CONF_U32, "attempts", T, attempts, "12", 1, 1000,
		   "tries in a row that bring nothing forward before a job fails"),
	CONF_RANGE(CONF_DURATION, "direct-linger", T, linger, "2s", 0, MS_DAY,
		   "how long a direct connection without jobs stays open"),
	CONF_RANGE(CONF_DURATION, "upload-timeout", T, upload_timeout, "1d", 0, 3650 * MS_DAY,
		   "how long an upload may stand still before its job fails; 0 = for ever"),
	CONF_RANGE(
		CONF_DURATION, "printer-patience", T, printer_patience, "1m", 0, MS_DAY,
		"a printer that waits for somebody keeps its tunnel so long, and is asked again after; 0: for ever"),
	CONF_RANGE(CONF_DURATION, "keep", T, keep, "30d", 0, 3650 * MS_DAY,
		   "how long finished jobs can be looked at; 0 = for ever"),
	CONF_RANGE(CONF_DURATION, "retry-min", T, retry_min, "30s", 100, MS_DAY,
		   "with decide = cloud: a device that failed to connect is left alone for this"),
	CONF_RANGE(CONF_DURATION, "retry-max", T, retry_max, "10m", 100, MS_DAY,
		   "... which doubles with each failure up to this"),
	CONF_VALUE(CONF_STRING, "user", T, user, NULL, 0,
		   "user to become; keeps only the right to configure the network"),
	CONF_WORD("log-level", T, log_level, "info", log_levels, "least severity that is logged"),
	POLICY_CONF(T, policy),
	CONF_END,
};
#undef T

static int default_helper(struct cloud_conf *conf, struct err *e)
{
	char path[4096];
	int ret = conf->smb_helper ? 0 : smb_default_helper(path, sizeof(path));

	if (!ret && !conf->smb_helper) {
		conf->smb_helper = strdup(path);
		ret = conf->smb_helper ? 0 : -ENOMEM;
	}
	return ret ? err_sys(e, ret, "smb-helper") : 0;
}

int cloud_conf_check(struct cloud_conf *conf, struct err *e)
{
	char pool[PREFIX_STR_LEN];

	if (!conf->public.port || addr_is_any(&conf->public.addr))
		return err_set(e, -SHUNT_ECONF,
			       "public: must be an address and port that others can dial");
	if (conf->tunnels && prefix_hosts(&conf->pool) < 2)
		return err_set(e, -SHUNT_ECONF,
			       "pool: %s has no room for this cloud and a device; at least 2 hosts",
			       prefix_print(&conf->pool, pool));
	if (conf->retry_max < conf->retry_min)
		return err_set(e, -SHUNT_ECONF, "retry-max: is below retry-min");
	if (default_helper(conf, e))
		return -SHUNT_ECONF;
	return policy_settings_check(&conf->policy, DECIDE_CLOUD, e);
}

int cloud_credentials(const struct cloud_conf *conf, struct tls_ctx **out, struct err *e)
{
	struct tls_files files = {
		.ca = conf->ca,
		.cert = conf->cert,
		.key = conf->key,
		.roles = ROLE_BIT(ROLE_CLOUD),
	};

	return tls_ctx_new(out, &files, e);
}

int cloud_device_credentials(const struct cloud_conf *conf, struct credentials **out, struct err *e)
{
	*out = NULL;
	return conf->device_credentials ? credentials_load(conf->device_credentials, out, e) : 0;
}

/* ---- what the parts tell each other ---- */

static void on_queued(void *arg)
{
	struct cloud *c = arg;

	deliveries_kick(c->deliveries);
}

static void on_gateway_event(const char *name, const struct sapi_gateway_event *ev, void *arg)
{
	struct cloud *c = arg;

	deliveries_gateway_event(c->deliveries, name, ev);
}

static bool is_known_tunnel(const char *name, const struct sapi_tunnel *tunnel, void *arg)
{
	struct cloud *c = arg;

	return c->tunnels && tunnels_knows(c->tunnels, name, tunnel);
}

static void on_adopted_tunnel(struct h2 *h2, const struct sapi_tunnel *tunnel, void *arg)
{
	struct cloud *c = arg;

	tunnels_adopted(c->tunnels, h2, tunnel);
}

static void on_connected(const char *device, void *arg)
{
	struct cloud *c = arg;
	struct h2 *h2;

	deliveries_connected(c->deliveries, device);
	h2 = directs_session(c->directs, device);
	if (h2) /* it may have said GOAWAY before its hello was complete */
		notices_deliver(c->notices, device, h2);
	decider_run(c->decider); /* jobs of the device that wait for a tunnel need none */
}

static void on_joined(const char *job, const char *device, void *arg)
{
	struct cloud *c = arg;

	deliveries_joined(c->deliveries, job, device);
}

static void on_reverse(struct h2 *h2, void *arg)
{
	struct cloud *c = arg;

	if (h2_peer(h2)->role == ROLE_GATEWAY)
		gateways_attach(c->gateways, h2);
	else
		directs_attach(c->directs, h2);
}

static void on_refused(const char *remote, int err, const char *why, void *arg)
{
	char host[PEER_HOST_LEN];

	(void)err;
	(void)arg;
	log_limited(peer_host(remote, host), LOG_LVL_WARNING, "tls: %s: refused: %s", remote, why);
}

/* ---- start ---- */

static int start_tunnels(struct cloud *c, struct err *e)
{
	struct tunnels_conf conf = {
		.loop = c->loop,
		.gateways = c->gateways,
		.device = c->conf->device,
		.port = (uint16_t)c->conf->port,
		.pool = c->conf->pool,
		.outer = c->conf->public_tunnel,
		.cipher = (enum cipher)c->conf->cipher,
	};

	if (!c->conf->tunnels)
		return 0;
	if (!addr_is_set(&conf.outer.addr)) {
		conf.outer = c->conf->public;
		conf.outer.port = conf.port;
	}
	return tunnels_new(&conf, &c->tunnels, e);
}

static struct h2 *gateway_session(const char *name, void *arg)
{
	struct cloud *c = arg;

	return gateways_session(c->gateways, name);
}

static struct h2 *direct_session(const char *device, void *arg)
{
	struct cloud *c = arg;

	return directs_session(c->directs, device);
}

static int start_decider(struct cloud *c, struct err *e)
{
	struct decider_conf conf = {
		.loop = c->loop,
		.policy = &c->conf->policy,
		.retry_min = c->conf->retry_min,
		.retry_max = c->conf->retry_max,
		.tokens = c->tokens,
		.self = tls_ctx_self(c->tls)->name,
		.public = c->conf->public,
		.gateway = gateway_session,
		.direct = direct_session,
		.arg = c,
	};

	if (c->conf->policy.decide != DECIDE_CLOUD)
		return 0;
	return decider_new(&conf, &c->decider) ? err_sys(e, -ENOMEM, "decider") : 0;
}

static int start_peers(struct cloud *c, struct err *e)
{
	struct registry_conf registry = {
		.loop = c->loop,
		.tls = c->tls,
		.manager = c->conf->manager,
		.self = tls_ctx_self(c->tls)->name,
		.public = c->conf->public,
	};
	struct gateways_conf gateways = {
		.loop = c->loop,
		.on_event = on_gateway_event,
		.is_known = is_known_tunnel,
		.on_adopted = on_adopted_tunnel,
		.arg = c,
	};
	struct directs_conf directs = {
		.loop = c->loop,
		.linger = c->conf->linger,
		.on_connected = on_connected,
		.on_joined = on_joined,
		.arg = c,
	};
	int ret;

	ret = tokens_new(&c->tokens);
	if (!ret)
		ret = registry_new(&registry, &c->registry, e);
	if (ret)
		return ret;
	gateways.registry = c->registry;
	directs.tokens = c->tokens;
	ret = gateways_new(&gateways, &c->gateways, e);
	if (!ret)
		ret = directs_new(&directs, &c->directs, e);
	if (!ret)
		ret = http_new(c->loop, c->conf->ca, &c->http, e);
	if (!ret)
		ret = start_tunnels(c, e);
	return ret ? ret : start_decider(c, e);
}

static int start_listener(struct cloud *c, struct err *e)
{
	char address[ENDPOINT_STR_LEN];
	struct peer_listen_conf conf = {
		.address = endpoint_print(&c->conf->listen, address),
		.tls = c->tls,
		.roles = ROLE_BIT(ROLE_TERMINAL) | ROLE_BIT(ROLE_ADMIN),
		.reverse_roles = ROLE_BIT(ROLE_GATEWAY) | ROLE_BIT(ROLE_DEVICE),
		.routes = &c->router,
		.on_reverse = on_reverse,
		.on_refused = on_refused,
		.arg = c,
	};

	api_router(c, &c->router);
	return peer_listen(c->loop, &conf, &c->listener, e);
}

static int make_dir(const char *path, struct err *e)
{
	if (mkdir(path, 0700) && errno != EEXIST)
		return err_sys(e, -errno, "state %s", path);
	return 0;
}

static int start_jobs(struct cloud *c, struct err *e)
{
	struct jobs_conf conf = {
		.loop = c->loop,
		.max = c->conf->max_jobs,
		.upload_timeout = c->conf->upload_timeout,
		.keep = c->conf->keep,
		.on_queued = on_queued,
		.arg = c,
	};
	char path[4096];
	int ret;

	ret = make_dir(c->conf->state, e);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "%s/jobs.db", c->conf->state);
	ret = store_open(path, STORE_CLOUD, &c->store, e);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "%s/spool", c->conf->state);
	ret = spool_open(path, &c->spool, e);
	if (ret)
		return ret;
	conf.store = c->store;
	conf.spool = c->spool;
	ret = deliveries_new(c, &c->deliveries, e);
	if (!ret)
		ret = probes_new(c, &c->probes);
	if (!ret)
		ret = jobs_open(&conf, &c->jobs, e);
	if (!ret)
		ret = notices_open(c->store, jobs_group(c->jobs), &c->notices, e);
	if (!ret)
		deliveries_recall(c->deliveries);
	return ret;
}

int cloud_start(struct cloud *c, struct err *e)
{
	int ret;

	ret = start_peers(c, e);
	if (!ret)
		ret = start_listener(c, e);
	if (!ret)
		ret = proc_drop(c->conf->user, c->conf->tunnels ? PROC_CAP_NET_ADMIN : 0, e);
	if (!ret)
		ret = start_jobs(c, e);
	if (ret)
		cloud_fini(c);
	return ret;
}

/* ---- stop ---- */

static void on_closed(void *arg)
{
	struct cloud *c = arg;

	loop_stop(c->loop, 0);
}

void cloud_stop(struct cloud *c)
{
	/* Jobs under way stay in the store as they are; the next start goes on with them. */
	deliveries_stop(c->deliveries);
	probes_stop(c->probes);
	tunnels_free(c->tunnels);
	c->tunnels = NULL;
	peer_listener_close(c->listener, on_closed, c);
}

void cloud_reload(struct cloud *c)
{
	struct credentials *credentials = NULL;
	struct tls_ctx *tls = NULL;
	struct err e = { 0 };

	if (cloud_credentials(c->conf, &tls, &e) ||
	    cloud_device_credentials(c->conf, &credentials, &e) ||
	    http_set_ca(c->http, c->conf->ca, &e)) {
		log_err("cloud: -: credentials not reloaded: %s", err_text(&e));
		credentials_free(credentials);
		tls_ctx_free(tls);
		return;
	}
	peer_listener_set_tls(c->listener, tls);
	registry_set_tls(c->registry, tls);
	tls_ctx_free(c->tls);
	c->tls = tls;
	credentials_free(c->credentials); /* hosts of http.h have copies */
	c->credentials = credentials;
	log_notice("cloud: -: credentials reloaded");
}

void cloud_fini(struct cloud *c)
{
	/* Requests hold jobs, jobs hold the store; sessions tell the parts of their end. */
	deliveries_free(c->deliveries);
	probes_free(c->probes);
	decider_free(c->decider);
	notices_free(c->notices);
	peer_listener_free(c->listener);
	jobs_close(c->jobs);
	tunnels_free(c->tunnels);
	directs_free(c->directs);
	gateways_free(c->gateways);
	registry_free(c->registry);
	http_free(c->http);
	tokens_free(c->tokens);
	spool_close(c->spool);
	store_close(c->store);
	c->deliveries = NULL;
	c->probes = NULL;
	c->decider = NULL;
	c->listener = NULL;
	c->jobs = NULL;
	c->notices = NULL;
	c->tunnels = NULL;
	c->directs = NULL;
	c->gateways = NULL;
	c->registry = NULL;
	c->http = NULL;
	c->tokens = NULL;
	c->spool = NULL;
	c->store = NULL;
}
