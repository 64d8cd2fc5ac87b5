/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outward: the part of a delivery whose content comes from the device (fetch jobs; seed: variant
 * "transmitting a file stored in the image forming apparatus 10 to an external device").
 *
 *	asked ─▶ the device told size and digest ─▶ all of it is in the spool ─▶ digest right and
 *	durable ─▶ the device is told that it is done ─▶ completed
 *
 * The device keeps the content until it is told, so nothing is lost whoever dies when; and once all
 * of it is here and right the job completes, even if the device cannot be told.
 */
#ifndef SHUNT_CLOUD_OUTWARD_H
#define SHUNT_CLOUD_OUTWARD_H

#include "cloud/delivery_int.h"

struct path_conf;

bool outward_is(const struct delivery *d);
/* At the begin of a delivery: what is here already need not be fetched. 0 or -ENOMEM. */
int outward_begin(struct delivery *d);
/* The delivery is being freed. */
void outward_end(struct delivery *d);
/* Where the content that comes on a path goes. */
void outward_path(struct delivery *d, struct path_conf *conf);

/* The device tells what it has. */
void outward_offered(struct delivery *d, uint64_t size, const char *sha256);
/* Some of it came, or nothing is missing from the start. */
void outward_progress(struct delivery *d);
/* The device says that the job is completed; so it was told, or thinks so. */
void outward_completed(struct delivery *d);
/* The device needs the job no more. */
void outward_done(struct delivery *d);
/* Is all of it here and right, so that nothing the device does can make the job fail? */
bool outward_is_here(const struct delivery *d);

#endif
