// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/validate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

struct check {
	const struct gateway_conf *conf;
	const struct validate_env *env;
	const struct sapi_tunnel_open *open;
	struct refusal *why;
};

__attribute__((format(printf, 4, 5))) static int refuse(const struct check *c, int status,
							const char *code, const char *fmt, ...)
{
	va_list ap;

	c->why->status = status;
	c->why->code = code;
	va_start(ap, fmt);
	vsnprintf(c->why->text, sizeof(c->why->text), fmt, ap);
	va_end(ap);
	return -SHUNT_EFIELD;
}

static bool in_lan(const struct gateway_conf *conf, const struct shunt_addr *addr)
{
	size_t i;

	for (i = 0; i < conf->lan.n; i++) {
		if (prefix_contains(&conf->lan.v[i], addr))
			return true;
	}
	return false;
}

/* Nothing but the one service of this host that tunnels may reach. */
static bool is_own_service(const struct check *c)
{
	const struct shunt_endpoint *own = &c->conf->own_service;
	const struct sapi_tunnel_open *o = c->open;
	size_t i;

	if (!addr_is_set(&own->addr) || !addr_equal(&o->host, &own->addr))
		return false;
	for (i = 0; i < o->n_scope; i++) {
		if (o->scope[i].proto != PROTO_TCP || o->scope[i].port != own->port)
			return false;
	}
	return true;
}

/* A tunnel must not become a way into the router itself, nor past it to elsewhere. */
static int check_host(const struct check *c)
{
	const struct shunt_addr *host = &c->open->host;
	char text[ADDR_STR_LEN];

	if (!addr_is_unicast(host))
		return refuse(c, 422, "bad-address", "host: %s is no host's address",
			      addr_print(host, text));
	if (!in_lan(c->conf, host))
		return refuse(c, 403, "host-not-allowed", "host: %s is not on this gateway's LAN",
			      addr_print(host, text));
	/* Unless the router is the device itself, which is for its administrator to say (variants). */
	if (c->env->is_local(c->env->arg, host) && !is_own_service(c))
		return refuse(c, 403, "host-not-allowed", "host: %s is the gateway itself",
			      addr_print(host, text));
	return 0;
}

static int check_inner(const struct check *c)
{
	const struct sapi_tunnel_open *o = c->open;
	char text[ADDR_STR_LEN];

	if (!addr_is_unicast(&o->near))
		return refuse(c, 422, "bad-address", "near: %s is no host's address",
			      addr_print(&o->near, text));
	if (!addr_is_unicast(&o->far))
		return refuse(c, 422, "bad-address", "far: %s is no host's address",
			      addr_print(&o->far, text));
	if (addr_equal(&o->near, &o->far))
		return refuse(c, 422, "bad-address", "near and far: are the same address");
	if (o->near.family != o->host.family || o->far.family != o->host.family)
		return refuse(c, 422, "bad-address",
			      "near, far and host: are not of one address family");
	if (o->host.family != c->conf->alias_pool.addr.family)
		return refuse(c, 422, "bad-address",
			      "host: this gateway has no aliases of that address family");
	return 0;
}

/* Where capsules go: to the cloud that asked, so that it cannot have us send packets to others. */
static int check_endpoint(const struct check *c)
{
	const struct shunt_addr *to = &c->open->endpoint.addr;
	char text[ADDR_STR_LEN], cloud[ADDR_STR_LEN];

	if (!addr_is_set(to) || addr_is_any(to))
		return refuse(c, 422, "bad-address", "endpoint: is no host's address");
	if (!c->conf->endpoint_any && !addr_equal(to, &c->env->cloud))
		return refuse(c, 403, "endpoint-not-allowed", "endpoint: %s is not the cloud's %s",
			      addr_print(to, text), addr_print(&c->env->cloud, cloud));
	return 0;
}

static int check_scope(const struct check *c)
{
	const struct sapi_tunnel_open *o = c->open;
	size_t i;

	if (!o->n_scope)
		return refuse(c, 422, "bad-scope", "scope: must list at least one service");
	for (i = 0; i < o->n_scope; i++) {
		if (o->scope[i].proto != PROTO_ICMP && !o->scope[i].port)
			return refuse(c, 422, "bad-scope", "scope[%zu].port: is missing", i);
	}
	return 0;
}

/* The gateway itself dials the agent (7G): where the tunnel may lead, too, and nowhere else. */
static int check_agent(const struct check *c)
{
	const struct sapi_tunnel_open *o = c->open;
	size_t i;

	if (!o->connectable)
		return 0;
	for (i = 0; i < o->n_scope; i++) {
		if (o->scope[i].proto == PROTO_TCP && o->scope[i].port == o->connect.agent_port)
			return 0;
	}
	return refuse(c, 422, "bad-scope", "connect.agent_port: %u is not in the scope",
		      o->connect.agent_port);
}

/*
 * Where the device is asked to dial: the cloud itself, at the address where it is one, so that it cannot
 * have devices knock at doors of their LAN.
 */
static int check_cloud(const struct check *c)
{
	const struct shunt_addr *to = &c->open->connect.address.addr;
	char text[ADDR_STR_LEN], cloud[ADDR_STR_LEN];

	if (!c->open->connectable || c->conf->endpoint_any || addr_equal(to, &c->env->cloud))
		return 0;
	return refuse(c, 403, "endpoint-not-allowed", "connect.address: %s is not the cloud's %s",
		      addr_print(to, text), addr_print(&c->env->cloud, cloud));
}

int validate_connect(const struct gateway_conf *conf, const struct validate_env *env,
		     const struct sapi_tunnel_open *open, struct refusal *why)
{
	const struct check c = { conf, env, open, why };
	int rc = check_cloud(&c);

	return rc ? rc : check_agent(&c);
}

int validate_open(const struct gateway_conf *conf, const struct validate_env *env,
		  const struct sapi_tunnel_open *open, struct refusal *why)
{
	static int (*const checks[])(const struct check *c) = {
		check_host, check_inner, check_endpoint, check_scope, check_cloud, check_agent,
	};
	const struct check c = { conf, env, open, why };
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < sizeof(checks) / sizeof(checks[0]); i++)
		rc = checks[i](&c);
	return rc;
}
