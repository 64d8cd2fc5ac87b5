/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connect: the direct connections this device dials to clouds on request (data 7G, seed #741-#743).
 *
 * A connection is kept while jobs use it or are about to (their tokens wait for the cloud), and
 * `linger` longer, so that the next job needs no tunnel. When it breaks while jobs use it, it is
 * dialled again for a while; when the cloud hangs up in order without having come for a job whose token
 * it was shown, that job is forgotten. When a job that used it ends, the connection log 7J goes to the
 * gateway that asked for the connection.
 */
#ifndef SHUNT_DEVICE_CONNECT_H
#define SHUNT_DEVICE_CONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/sapi.h"

struct connect_wait;
struct connects;
struct h2;
struct h2_router;
struct job;
struct loop;
struct reports;
struct tls_ctx;

struct connects_conf {
	struct tls_ctx *tls;
	const struct h2_router *routes; /* served on dialled connections */
	const char *device; /* own name; outlives the connections */
	struct reports *reports;
	uint64_t linger_ms;
	uint64_t connect_ms; /* a dial's time limit */
	uint32_t close_ms; /* how long closing waits for requests in flight */
	/* What connects_awaited() says may have changed. */
	void (*on_change)(void *arg);
	void *arg;
};

int connects_new(struct loop *loop, const struct connects_conf *conf, struct connects **out);
/* Begin to close all connections in order (bounded by the sessions' close_ms);
 * @idle is called once when that is over, at once when there are none. No more are dialled.
 */
void connects_stop(struct connects *c, void (*idle)(void *arg), void *arg);
/* What is still open ends at once; nothing is reported any more. NULL is allowed. */
void connects_free(struct connects *c);
/* For dials to come (SIGHUP). */
void connects_set_tls(struct connects *c, struct tls_ctx *tls);

/* Be connected to @ask->cloud at @ask->address and have @ask->token ready for it. An unset
 * @ask->log leaves standing what was asked for before. Returns 1 when that is so already, 0 when
 * @done will be called once (err 0, or -errno with a sentence), -EDQUOT when there are too many
 * connections or tokens, -ENOMEM.
 */
int connects_ask(struct connects *c, const struct sapi_connect *ask,
		 void (*done)(int err, const char *why, void *arg), void *arg,
		 struct connect_wait **out);
/* @done will not be called. */
void connect_wait_cancel(struct connect_wait *wait);

/* The tokens for the cloud at the other end of @h2, appended to @hello; none unless this device
 * dialled it. 0 or -ENOMEM.
 */
int connects_tokens(struct connects *c, const struct h2 *h2, struct sapi_hello *hello);

/* Did this device dial @h2? */
bool connects_dialled(const struct connects *c, const struct h2 *h2);
/* Was this device asked to connect for @job, so lately that the cloud may yet come by that connection? */
bool connects_awaited(const struct connects *c, const char *job);

/* A request about @job came in by @h2; when that is a dialled connection, the job uses it from now
 * on, and @octets more of its content came that way.
 */
void connects_used(struct connects *c, const struct h2 *h2, const char *job, uint64_t octets);

/* The job is over: its token is wiped, its use of connections ends and is reported. */
void connects_job_over(struct connects *c, const struct job *job);

#endif
