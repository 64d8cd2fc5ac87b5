/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jobcontent: takes the content of a completed fetch job from the cloud.
 *
 * Into a file: what has come stands in FILE.ID.part until all of it is there and has the job's
 * SHA-256, so FILE is whole or absent, and a download that broke off goes on where it was when it is
 * asked for again.
 */
#ifndef SHUNT_CLI_JOBCONTENT_H
#define SHUNT_CLI_JOBCONTENT_H

#include "cli/cli.h"
#include "lib/sapi.h"

struct remote;

/*
 * Take the content of @job into @file (NULL or "-": standard output), with progress on standard
 * error. 0, or a negative code with @e.
 */
int jobcontent_get(struct cli *c, struct remote *cloud, const struct sapi_job *job,
		   const char *file, struct err *e);

#endif
