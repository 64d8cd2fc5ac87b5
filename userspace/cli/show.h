/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show: how tunnels, load and counts look, for `tunnel show`, `load show` and `monitor` alike.
 *
 * Text uses the words of `tunnel add`, so that a line can be given back. JSON members are those of
 * the API's Tunnel where there is one (Documentation/api.md).
 */
#ifndef SHUNT_CLI_SHOW_H
#define SHUNT_CLI_SHOW_H

#include "cli/cli.h"
#include "lib/tunnel.h"

/*
 * The members of one tunnel, without the braces of an object around them; @counters: with its
 * counts.
 */
void show_tunnel(const struct cli *c, const struct tunnel_info *t, bool counters);
/* The name, outer address and job only: one line of monitor. */
void show_tunnel_brief(const struct cli *c, const struct tunnel_info *t);
/* Names, addresses and sums of counters in columns: one line of `tunnel show -brief`, see shunt(8). */
void show_tunnel_line(const struct cli *c, const struct tunnel_info *t);
void show_load(const struct cli *c, const struct tunnel_load *l);
/* "dev NAME", or the number when the device is gone. */
void show_dev(const struct cli *c, uint32_t ifindex);

#endif
