/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fileserver: the part of a delivery that puts the content on a file server without an agent, through the tunnel (seed:
 * #757-#777): with WebDAV, encrypted (wrap.h) if the registry has a recipient for the device. Counts are of the content's
 * octets in either case.
 */
#ifndef SHUNT_CLOUD_FILESERVER_H
#define SHUNT_CLOUD_FILESERVER_H

struct delivery;

/* The tunnel is open: begin. How it ends the delivery learns as of every try. */
void fileserver_put(struct delivery *d);
/* What a PUT of this run or of the one before a restart had delivered was on the wire. */
void fileserver_recall(struct delivery *d);
/* Forget it at once. */
void fileserver_end(struct delivery *d);

#endif
