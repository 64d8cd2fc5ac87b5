/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * follow: those who follow a job's events, and what the device asks of them when it pulls (FIG. 18-19).
 *
 * Each line of the event stream tells the job's state and, for a job with `pull`, the octets that the
 * device asks for from now on (seed: #645). It asks on one stream only, that of the path it prefers: a
 * connection that it dialled before one that was accepted, the newest of its kind. It asks for the
 * lowest octets it lacks, a bounded number at a time, and for more as they arrive. When it was asked to
 * connect for a job of which it holds nothing yet it asks only when that connection is up, or clearly
 * does not come (first embodiment with pull). While there is no room for the content it does not ask
 * and says why.
 */
#ifndef SHUNT_DEVICE_FOLLOW_H
#define SHUNT_DEVICE_FOLLOW_H

#include <stdint.h>

struct connects;
struct follows;
struct h2_req;
struct job;
struct loop;

/* @ahead: missing octets asked for at a time. 0 or -ENOMEM. */
int follows_new(struct loop *loop, uint64_t ahead, struct follows **out);
/* Before the first follower. */
void follows_bind(struct follows *fs, struct connects *connects);
/* All requests must have ended. NULL is allowed. */
void follows_free(struct follows *fs);

/* Answer @req with the events of @job until it is over. 0 or -ENOMEM (not answered). */
int follows_add(struct follows *fs, struct job *job, struct h2_req *req);
/* The job has entered another state: tell those who follow it. */
void follows_changed(struct follows *fs, const struct job *job);
/* Octets arrived, or connections came or went: what is asked for may change, soon. */
void follows_review(struct follows *fs);
/* End all streams, so that connections can be closed. */
void follows_stop(struct follows *fs);

#endif
