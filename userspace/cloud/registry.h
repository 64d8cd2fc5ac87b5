/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry: the cloud's client to the manager: who a device is (seed: inquiry 7E, answer 7F), and
 * waking its gateway (seed: data 7D).
 *
 * Answers about devices are remembered for REGISTRY_FRESH_MS, so that a burst of jobs is one
 * question. Requests are coalesced: many askers, one request. Callbacks never come from within a
 * call.
 */
#ifndef SHUNT_CLOUD_REGISTRY_H
#define SHUNT_CLOUD_REGISTRY_H

#include "lib/addr.h"
#include "lib/sapi.h"

#include <stdint.h>

struct err;
struct loop;
struct registry;
struct registry_ask;
struct tls_ctx;

#define REGISTRY_FRESH_MS 5000
#define REGISTRY_TIMEOUT_MS 10000 /* a question about a device */
#define REGISTRY_DIAL_MS 20000 /* until a gateway has dialled us */
#define REGISTRY_CACHE_MAX 1024 /* devices remembered */

struct registry_conf {
	struct loop *loop;
	struct tls_ctx *tls;
	struct shunt_endpoint manager;
	const char *self; /* this cloud's name */
	struct shunt_endpoint public; /* where gateways reach us */
};

int registry_new(const struct registry_conf *conf, struct registry **out, struct err *e);
void registry_free(struct registry *r); /* no callbacks; NULL is allowed */
void registry_set_tls(struct registry *r, struct tls_ctx *tls);

/*
 * Look a device up. @done once: err 0 and the device; -ENOENT: the manager does not know it;
 * others: no answer, @why says what happened. 0 or -ENOMEM; *@out is valid until @done.
 */
int registry_device(struct registry *r, const char *code,
		    void (*done)(const struct sapi_device *dev, int err, const char *why,
				 void *arg),
		    void *arg, struct registry_ask **out);
/*
 * Have the manager tell gateway @name to dial us. @done once: err 0 when the gateway says it is
 * connected; otherwise the manager's or the gateway's words in @why.
 */
int registry_dial(struct registry *r, const char *name,
		  void (*done)(int err, const char *why, void *arg), void *arg,
		  struct registry_ask **out);
/* The entry of @code is about to change: whoever asks next is not told what is remembered. */
void registry_forget(struct registry *r, const char *code);
/* @done will not be called any more. NULL is allowed. */
void registry_cancel(struct registry_ask *ask);

#endif
