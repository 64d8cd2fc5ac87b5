/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jobshow: how a job looks as text. With -j its JSON is printed as the cloud sent it (reply.h). */
#ifndef SHUNT_CLI_JOBSHOW_H
#define SHUNT_CLI_JOBSHOW_H

#include "cli/cli.h"
#include "lib/sapi.h"

/* One line. */
void jobshow_line(const struct cli *c, const struct sapi_job *job);
/* With its paths and its timeline. */
void jobshow_full(const struct cli *c, const struct sapi_job *job);
/* One line of a timeline. */
void jobshow_event(const struct cli *c, const struct sapi_job_event *event);

#endif
