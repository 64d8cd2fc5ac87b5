/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h2_route: from method, path and role to a route, and what is encoded in a path. Pure.
 */
#ifndef SHUNT_LIB_H2_ROUTE_H
#define SHUNT_LIB_H2_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/h2.h"

#define H2_PARAMS_MAX 4
#define H2_ALLOW_LEN 64

struct h2_match {
	const struct h2_route *route; /* when status is 0 */
	int status; /* 0, 400 (bad percent-encoding), 403, 404 or 405 */
	char allow[H2_ALLOW_LEN]; /* 405: the methods there are, "GET, PUT" */
	size_t params;
	struct {
		const char *name; /* in the pattern, name_len octets */
		size_t name_len;
		char *value; /* decoded, owned by the match */
	} param[H2_PARAMS_MAX];
};

/* @roles: the peer's ROLE_BIT(), 0 for an unknown peer. @path without query. Returns 0 with the verdict
 * in @match, which needs h2_match_fini() in any case, or -ENOMEM.
 */
int h2_match(const struct h2_router *router, const char *method, const char *path, uint32_t roles,
	     struct h2_match *match);
void h2_match_fini(struct h2_match *match);

/* Decode @len octets of percent-encoding (RFC 3986 2.1) to a new string. NULL with errno EINVAL (broken
 * escape, or a NUL) or ENOMEM. @plus: '+' stands for a blank, as forms send it.
 */
char *h2_percent_decode(const char *in, size_t len, int plus);

#endif
