/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * direct: the connections that devices dialled to this cloud (seed: #708, #742-#743).
 *
 * A device's certificate proves who it is; on a new connection it is asked for the one-time tokens
 * it was given with connect requests (GET /v1/hello), and each valid one lets its job join. A
 * connection that no job uses is closed after a short while (seed: #712). Of a device's connections
 * the newest counts.
 */
#ifndef SHUNT_CLOUD_DIRECT_H
#define SHUNT_CLOUD_DIRECT_H

#include <stddef.h>
#include <stdint.h>

struct directs;
struct err;
struct h2;
struct loop;
struct tokens;

#define DIRECT_HELLO_MS 10000

struct directs_conf {
	struct loop *loop;
	struct tokens *tokens;
	uint64_t linger; /* ms that an unused connection stays */
	/* The device is connected; called before its tokens are looked at. */
	void (*on_connected)(const char *device, void *arg);
	/* The device presented the job's token on this connection. */
	void (*on_joined)(const char *job, const char *device, void *arg);
	void *arg;
};

int directs_new(const struct directs_conf *conf, struct directs **out, struct err *e);
void directs_free(struct directs *d); /* after the sessions; NULL is allowed */

/* A party of role device dialled in. */
void directs_attach(struct directs *d, struct h2 *h2);
/* Usable connection of the device that has said hello, or NULL. */
struct h2 *directs_session(const struct directs *d, const char *device);
size_t directs_connected(const struct directs *d);

/* Count the users of a device's connection, so that it stays; each use is followed by one unuse. */
void directs_use(struct directs *d, const char *device);
void directs_unuse(struct directs *d, const char *device);

#endif
