/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dial: the connections the gateway dials and then serves (ALPN shunt-rh2): one to the manager,
 * always; one to each cloud that asked for it through the manager (7D, #731-#732), as long as it
 * has tunnels or requests here and cloud-idle beyond.
 */
#ifndef SHUNT_GATEWAY_DIAL_H
#define SHUNT_GATEWAY_DIAL_H

#include "gateway/config.h"
#include "lib/err.h"

#include <stdbool.h>

struct dial;
struct h2;
struct h2_req;
struct h2_router;
struct ledger;
struct loop;
struct tls_ctx;

/* Clouds at once; Dial for another one is answered 503. */
#define DIAL_CLOUDS_MAX 64
/* Nonces remembered per connection; then it is replaced by a new one, with keys of its own. */
#define DIAL_NONCES_MAX 65536

struct dial_deps {
	struct loop *loop;
	const struct gateway_conf *conf;
	struct tls_ctx *tls;
	const struct h2_router *routes;
	struct ledger *ledger;
	/* Has @cloud tunnels or waiting requests here? */
	bool (*in_use)(const char *cloud, void *arg);
	/* Its connection is being closed gracefully: streams on it are to end. */
	void (*leaving)(const char *cloud, void *arg);
	void *arg;
};

int dial_new(const struct dial_deps *deps, struct dial **out);
void dial_free(struct dial *d); /* NULL is allowed */
void dial_set_tls(struct dial *d, struct tls_ctx *tls);

/* Dial the manager, and the clouds of the ledger that are in use. 0 or -errno. */
int dial_start(struct dial *d, struct err *e);
/* End all connections gracefully; @done from the loop when the last has ended. */
void dial_stop(struct dial *d, void (*done)(void *arg), void *arg);

/* Handler of POST /v1/dial. */
void dial_request(struct dial *d, struct h2_req *req);

/* @cloud opened or closed a tunnel: its connection stays for cloud-idle from now on at least. */
void dial_touch(struct dial *d, const char *cloud);

/*
 * Use @nonce (an id) for a tunnel of the cloud connection @h2. 0; -EEXIST it was used; -ENOSPC the
 * connection has seen too many and is being replaced; -ENOTCONN not a cloud's; -ENOMEM.
 */
int dial_use_nonce(struct dial *d, struct h2 *h2, const char *nonce);

#endif
