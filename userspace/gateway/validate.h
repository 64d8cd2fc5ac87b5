/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * validate: may this cloud have this tunnel? What sapi's decoder has checked (types, ranges) is
 * taken for granted; here it is about the gateway's own limits.
 */
#ifndef SHUNT_GATEWAY_VALIDATE_H
#define SHUNT_GATEWAY_VALIDATE_H

#include "gateway/config.h"
#include "lib/sapi.h"

#include <stdbool.h>

/* Why not, as an HTTP problem. */
struct refusal {
	int status;
	const char *code; /* static */
	char text[256];
};

/* What the answer depends on besides configuration and request. */
struct validate_env {
	struct shunt_addr cloud; /* where the asking cloud is, by its connection */
	/* Is @addr one of this host's own addresses? */
	bool (*is_local)(void *arg, const struct shunt_addr *addr);
	void *arg;
};

/*
 * 0, or -SHUNT_EFIELD with @why: 403 host-not-allowed, endpoint-not-allowed; 422 bad-address,
 * bad-scope.
 */
/* The same of open->connect alone, within open->scope: what an adopted tunnel's job is told to be. */
int validate_connect(const struct gateway_conf *conf, const struct validate_env *env,
		     const struct sapi_tunnel_open *open, struct refusal *why);
int validate_open(const struct gateway_conf *conf, const struct validate_env *env,
		  const struct sapi_tunnel_open *open, struct refusal *why);

#endif
