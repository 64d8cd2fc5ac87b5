/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notice: jobs that are over here and of which their devices have to hear still, since they may keep
 * something for them: canceled or given up while there was no path, or none that worked.
 *
 * A notice is in the store before its job's end is told to anybody, and stays until the device has
 * confirmed (DELETE /v1/jobs/{id}) or knows no such job; so neither a restart of the cloud nor a device that
 * is away for a week loses it. It is delivered with the next session with the device, be it a direct
 * connection or through a tunnel for another job; to a printer without agent by cloud/printing.h. Their number and age are bounded: what is dropped
 * without having been delivered is logged, and left to the device's own housekeeping.
 */
#ifndef SHUNT_CLOUD_NOTICE_H
#define SHUNT_CLOUD_NOTICE_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct group;
struct h2;
struct notices;
struct store;

#define NOTICES_MAX 4096 /* the oldest makes room; some 300 octets each */
#define NOTICE_AGE_MS ((int64_t)30 * 86400 * 1000) /* wall clock */
#define NOTICE_REQUEST_MS 15000
#define NOTICES_AT_ONCE 8 /* requests of one session */

/* Read those of the last run. @store and @group must outlive the result. 0 or a negative code with @e. */
int notices_open(struct store *store, struct group *group, struct notices **out, struct err *e);
/* Requests under way are forgotten; the store keeps what is not confirmed. NULL is allowed. */
void notices_free(struct notices *n);

/* @device is to hear that @job is over. Nothing happens when that is noted already. */
void notices_add(struct notices *n, const char *device, const char *job);
/* It has heard, in another way. */
void notices_drop(struct notices *n, const char *device, const char *job);
/* @h2 is a session with @device's agent: tell it what there is to tell. Callbacks never come from within. */
void notices_deliver(struct notices *n, const char *device, struct h2 *h2);
/* Each of them, oldest first; @fn may drop the one that it is called for. */
void notices_list(const struct notices *n,
		  void (*fn)(const char *device, const char *job, void *arg), void *arg);
size_t notices_count(const struct notices *n);

#endif
