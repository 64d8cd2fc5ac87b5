/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report: posts connection logs (data 7J) to the gateway that asked for the connection (seed
 * #747/#862). Best effort: five attempts within about two minutes, a bounded number of logs at
 * once, and losing one loses no job.
 */
#ifndef SHUNT_DEVICE_REPORT_H
#define SHUNT_DEVICE_REPORT_H

#include "lib/sapi.h"

struct loop;
struct reports;
struct tls_ctx;

int reports_new(struct loop *loop, struct tls_ctx *tls, struct reports **out);
/* Forgets what is not sent. NULL is allowed. */
void reports_free(struct reports *reports);
/* For posts to come (SIGHUP). */
void reports_set_tls(struct reports *reports, struct tls_ctx *tls);

/* Post @log to the gateway at @to. What goes wrong is logged. */
void report_post(struct reports *reports, const struct shunt_endpoint *to,
		 const struct sapi_conn_log *log);

#endif
