/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reply: a remote's JSON body on standard output, as it came: members that this version does not
 * know are kept.
 */
#ifndef SHUNT_CLI_REPLY_H
#define SHUNT_CLI_REPLY_H

#include "cli/cli.h"
#include "lib/buf.h"

/* One line, or indented with -p. -SHUNT_EPARSE when it is not JSON. */
int reply_json(const struct cli *c, const struct buf *reply, struct err *e);

#endif
