/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jobsend: a job and its content to the cloud, over as many connections as it takes.
 *
 * The job has an Idempotency-Key, so that announcing it again, now or by a later command, makes no second
 * one; of its content only what the cloud does not have yet is sent (RFC 9110 14.5).
 */
#ifndef SHUNT_CLI_JOBSEND_H
#define SHUNT_CLI_JOBSEND_H

#include "cli/remote.h"
#include "lib/sapi.h"

/*
 * Announce the job; @job is the cloud's view of it, to be released. @key: "" makes one. *@cloud may be
 * another connection afterwards, or NULL when there is none any more. 0 or a negative code with @e.
 */
int jobsend_announce(struct cli *c, struct remote **cloud, const struct sapi_job_submit *submit,
		     const char *key, struct sapi_job *job, struct err *e);
/* Send what is missing of @fd, the content of @job; @reply is the job after it. As above. */
int jobsend_content(struct cli *c, struct remote **cloud, const struct sapi_job *job, int fd,
		    struct buf *reply, struct err *e);
/* GET or DELETE a job. */
int jobsend_ask(struct remote *cloud, const char *method, const char *id, struct buf *reply,
		struct err *e);

#endif
