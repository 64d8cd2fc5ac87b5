// SPDX-License-Identifier: GPL-2.0-or-later

#include "manager/manager.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/dir.h"
#include "lib/h2.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/peer.h"
#include "lib/proc.h"
#include "lib/store.h"
#include "lib/tls.h"
#include "manager/devices.h"
#include "manager/gateways.h"

struct manager {
	struct loop *loop;
	const struct manager_conf *conf;
	struct tls_ctx *tls;
	struct peer_listener *listener;
	struct store *store;
	struct gateways *gateways;
	struct h2_router router;
};

const struct opts_about manager_about = {
	.name = "shunt-manager",
	.what = "registry of devices, and the way to wake their gateways",
};

static const struct enum_name log_levels[] = {
	{ LOG_LVL_ERR, "error" }, { LOG_LVL_WARNING, "warning" }, { LOG_LVL_NOTICE, "notice" },
	{ LOG_LVL_INFO, "info" }, { LOG_LVL_DEBUG, "debug" },	  { 0, NULL },
};

#define T struct manager_conf
const struct conf_row manager_conf_table[] = {
	CONF_VALUE(CONF_PATH, "ca", T, ca, NULL, CONF_REQUIRED,
		   "PEM certificate of the deployment's CA"),
	CONF_VALUE(CONF_PATH, "cert", T, cert, NULL, CONF_REQUIRED,
		   "PEM certificate, role manager"),
	CONF_VALUE(CONF_PATH, "key", T, key, NULL, CONF_REQUIRED, "PEM private key, mode 0600"),
	CONF_RANGE(CONF_ENDPOINT, "listen", T, listen, "0.0.0.0:8443", 0, UINT64_MAX,
		   "address for clouds, gateways, terminals"),
	CONF_VALUE(CONF_PATH, "state", T, state, "/var/lib/shunt/manager", 0,
		   "directory of the registry"),
	CONF_VALUE(CONF_STRING, "user", T, user, NULL, 0, "user to become once listening"),
	CONF_WORD("log-level", T, log_level, "info", log_levels, "least severity that is logged"),
	CONF_RANGE(CONF_U32, "max-connections", T, max_connections, "1024", 1, 65536,
		   "connections at once"),
	CONF_END,
};
#undef T

/* ---- routes ---- */

#define MAY_READ (ROLE_BIT(ROLE_ADMIN) | ROLE_BIT(ROLE_TERMINAL) | ROLE_BIT(ROLE_CLOUD))
#define MAY_WRITE ROLE_BIT(ROLE_ADMIN)

#define HANDLER(name, fn, member)                                                                  \
	static void name(struct h2_req *req, void *arg)                                            \
	{                                                                                          \
		fn(req, ((struct manager *)arg)->member);                                          \
	}
HANDLER(on_devices_list, devices_list, store)
HANDLER(on_devices_add, devices_add, store)
HANDLER(on_devices_get, devices_get, store)
HANDLER(on_devices_put, devices_put, store)
HANDLER(on_devices_delete, devices_delete, store)
HANDLER(on_gateways_list, gateways_list, gateways)
HANDLER(on_gateways_dial, gateways_dial, gateways)

static const struct h2_route routes[] = {
	{ "GET", "/v1/devices", MAY_READ, 0, 0, on_devices_list },
	{ "POST", "/v1/devices", MAY_WRITE, SAPI_MAX, 0, on_devices_add },
	{ "GET", "/v1/devices/{code}", MAY_READ, 0, 0, on_devices_get },
	{ "PUT", "/v1/devices/{code}", MAY_WRITE, SAPI_MAX, 0, on_devices_put },
	{ "DELETE", "/v1/devices/{code}", MAY_WRITE, 0, 0, on_devices_delete },
	{ "GET", "/v1/gateways", MAY_READ, 0, 0, on_gateways_list },
	{ "POST", "/v1/gateways/{name}/dial", ROLE_BIT(ROLE_CLOUD), SAPI_MAX, 0, on_gateways_dial },
};

/* ---- life ---- */

static int load_tls(const struct manager_conf *conf, struct tls_ctx **out, struct err *e)
{
	const struct tls_files files = { .ca = conf->ca,
					 .cert = conf->cert,
					 .key = conf->key,
					 .roles = ROLE_BIT(ROLE_MANAGER) };

	return tls_ctx_new(out, &files, e);
}

int manager_check(const struct manager_conf *conf, struct err *e)
{
	struct tls_ctx *tls = NULL;
	int rc = load_tls(conf, &tls, e);

	tls_ctx_free(tls);
	return rc;
}

static void on_reverse(struct h2 *h2, void *arg)
{
	struct manager *m = arg;

	gateways_attach(m->gateways, h2);
}

static void on_refused(const char *remote, int err, const char *why, void *arg)
{
	char host[PEER_HOST_LEN];

	(void)err;
	(void)arg;
	log_limited(peer_host(remote, host), LOG_LVL_WARNING, "tls: %s: refused: %s", remote, why);
}

static int listen_on(struct manager *m, struct err *e)
{
	char address[ENDPOINT_STR_LEN];
	struct peer_listen_conf conf = {
		.address = endpoint_print(&m->conf->listen, address),
		.tls = m->tls,
		.roles = MAY_READ | MAY_WRITE,
		.reverse_roles = ROLE_BIT(ROLE_GATEWAY),
		.routes = &m->router,
		.max_conns = m->conf->max_connections,
		.on_reverse = on_reverse,
		.on_refused = on_refused,
		.arg = m,
	};

	return peer_listen(m->loop, &conf, &m->listener, e);
}

static int open_store(struct manager *m, struct err *e)
{
	char path[4096];
	int rc = dir_make(m->conf->state, e);

	if (rc < 0)
		return rc;
	if (snprintf(path, sizeof(path), "%s/registry.db", m->conf->state) >= (int)sizeof(path))
		return err_sys(e, -ENAMETOOLONG, "state: %s", m->conf->state);
	return store_open(path, STORE_MANAGER, &m->store, e);
}

int manager_new(struct loop *loop, const struct manager_conf *conf, struct manager **out,
		struct err *e)
{
	struct manager *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return err_sys(e, -ENOMEM, "manager");
	m->loop = loop;
	m->conf = conf;
	m->router = (struct h2_router){ routes, sizeof(routes) / sizeof(routes[0]), m };
	rc = gateways_new(&m->gateways);
	if (rc < 0)
		goto err;
	/* In this order, because key and port may need rights that the registry must not. */
	rc = load_tls(conf, &m->tls, e);
	if (rc < 0)
		goto err;
	rc = listen_on(m, e);
	if (rc < 0)
		goto err;
	rc = proc_drop(conf->user, 0, e);
	if (rc < 0)
		goto err;
	rc = open_store(m, e);
	if (rc < 0)
		goto err;
	*out = m;
	return 0;
err:
	manager_free(m);
	return rc;
}

uint16_t manager_port(const struct manager *m)
{
	return peer_listener_port(m->listener);
}

static void on_closed(void *arg)
{
	struct manager *m = arg;

	loop_stop(m->loop, EXIT_STOPPED);
}

void manager_stop(struct manager *m)
{
	peer_listener_close(m->listener, on_closed, m);
}

int manager_reload(struct manager *m, struct err *e)
{
	struct tls_ctx *tls = NULL;
	int rc = load_tls(m->conf, &tls, e);

	if (rc < 0)
		return rc;
	peer_listener_set_tls(m->listener, tls);
	tls_ctx_free(m->tls);
	m->tls = tls;
	return 0;
}

void manager_free(struct manager *m)
{
	if (!m)
		return;
	peer_listener_free(m->listener);
	gateways_free(m->gateways);
	store_close(m->store);
	tls_ctx_free(m->tls);
	free(m);
}
