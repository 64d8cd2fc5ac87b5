/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * token: one-time permissions to join a job over a direct connection.
 *
 * A token is 128 random bits, bound to one job and one device. It goes to the gateway with the
 * request for the job's tunnel, from there to the device with the connect request (seed: data 7G),
 * and comes back once on the connection the device dials: the certificate proves who the device is,
 * the token that it was asked to connect for this job. Compared in constant time, wiped when used
 * or dropped.
 */
#ifndef SHUNT_CLOUD_TOKEN_H
#define SHUNT_CLOUD_TOKEN_H

#include "lib/types.h"

#include <stdbool.h>
#include <stddef.h>

struct tokens;

int tokens_new(struct tokens **out); /* 0 or -ENOMEM */
void tokens_free(struct tokens *t); /* wipes; NULL is allowed */

/*
 * Make a token for @job at @device; an earlier one of the job is void from now on. @out is a secret
 * that the caller wipes. 0, -ENOMEM, -errno of the random source.
 */
int tokens_issue(struct tokens *t, const char *job, const char *device, char out[ID_LEN]);
/* Is @token the one of @job, and was it made for @device? If so it is used up. */
bool tokens_take(struct tokens *t, const char *job, const char *device, const char *token);
/* Drop the job's token, if any. */
void tokens_revoke(struct tokens *t, const char *job);
size_t tokens_count(const struct tokens *t);

#endif
