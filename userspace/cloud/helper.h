/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper: a child process that speaks with one server through a tunnel, so that a library that blocks, or a device that breaks
 * into it, has nothing of the cloud's.
 *
 * The connection is made here, from the tunnel's end, and handed over; the helper has that (SMB_FD_SERVER), one end of a
 * SOCK_SEQPACKET pair (SMB_FD_CONTROL), no other descriptor, no arguments and no environment. It is killed when it is freed.
 */
#ifndef SHUNT_CLOUD_HELPER_H
#define SHUNT_CLOUD_HELPER_H

#include "lib/addr.h"

#include <stddef.h>

struct helper;
struct loop;

#define HELPER_CONNECT_MS 15000

struct helper_conf {
	struct loop *loop;
	const char *program; /* absolute path */
	struct shunt_addr address, source; /* of the server; of this end, unset: any */
	uint16_t port;
};

/* From the loop, never from within a function of this header; any may free the helper. */
struct helper_ops {
	/* It runs, or takes messages again after helper_send() had said -EAGAIN. */
	void (*on_ready)(void *arg);
	void (*on_message)(const void *p, size_t len, void *arg);
	/*
	 * Nothing will follow. -ECONNREFUSED, -ETIMEDOUT and others of connect(2): there is no connection; -EPIPE: the helper has
	 * ended; others: it could not be started.
	 */
	void (*on_end)(int err, void *arg);
};

/* 0 or -errno; @conf lives during the call only. */
int helper_new(const struct helper_conf *conf, const struct helper_ops *ops, void *arg,
	       struct helper **out);
void helper_free(struct helper *h); /* NULL is allowed */
/* One message. 0, -EAGAIN: not now; -EPIPE: on_end follows. */
int helper_send(struct helper *h, const void *p, size_t len);

#endif
