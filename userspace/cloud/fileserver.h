/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fileserver: the part of a delivery that puts the content on a file server without an agent, through the tunnel (seed:
 * #757-#777): in the server's own protocol (share.h), encrypted (wrap.h) if the registry has a recipient for the device.
 * Counts are of the content's octets in either case. The other direction is fetching.c's.
 */
#ifndef SHUNT_CLOUD_FILESERVER_H
#define SHUNT_CLOUD_FILESERVER_H

struct delivery;
struct share_conf;

/* The tunnel is open: begin. How it ends the delivery learns as of every try. */
void fileserver_start(struct delivery *d);
/* What a PUT of this run or of the one before a restart had delivered was on the wire. */
void fileserver_recall(struct delivery *d);
/* Forget it at once. */
void fileserver_end(struct delivery *d);

/* ---- to fetching.c ---- */

/* The share, in the words of its protocol; valid as long as the delivery and its tunnel. */
void fileserver_conf(const struct delivery *d, struct share_conf *out);
/* A call could not begin: @err is what share.h's function returned. The try has failed. */
void fileserver_not_begun(struct delivery *d, int err);

#endif
