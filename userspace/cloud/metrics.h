/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics: the cloud's figures in Prometheus' text format 0.0.4. Base units, no names of jobs or
 * devices in labels.
 */
#ifndef SHUNT_CLOUD_METRICS_H
#define SHUNT_CLOUD_METRICS_H

struct buf;
struct cloud;

/* 0 or the buffer's error. */
int metrics_print(const struct cloud *c, struct buf *out);

#endif
