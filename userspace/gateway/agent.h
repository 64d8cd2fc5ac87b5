/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent: asks a device on the LAN to connect to a cloud (connect request 7G, #735, #813).
 */
#ifndef SHUNT_GATEWAY_AGENT_H
#define SHUNT_GATEWAY_AGENT_H

#include "lib/sapi.h"

#include <stdbool.h>
#include <stdint.h>

struct agent_call;
struct loop;
struct tls_ctx;

struct agent_target {
	const char *device; /* the agent's certificate must say this */
	struct shunt_endpoint at;
	uint64_t timeout_ms; /* for all: reaching the agent, and it the cloud */
};

/*
 * POST /v1/connect with @body, whose token is copied and wiped after use. An unset address in
 * body->log is replaced by ours on the connection to the agent (its port must be set). @done is
 * called exactly once, never from within: err 0 when the device is connected (@reused: it was
 * before), else a code and a sentence; the call is freed after it returns.
 */
int agent_connect(struct loop *loop, struct tls_ctx *tls, const struct agent_target *target,
		  const struct sapi_connect *body,
		  void (*done)(int err, const char *why, bool reused, void *arg), void *arg,
		  struct agent_call **out);
/* @done will not be called any more. NULL is allowed. */
void agent_cancel(struct agent_call *call);

#endif
