/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fetching: the part of a delivery that gets a file, or the list of a directory's entries, from a file server without an
 * agent (share.h), through the tunnel.
 *
 *	told size and version ─▶ octets into the spool, in order ─▶ still the same file ─▶ durable ─▶ completed
 *
 * The version is kept beside the content in the spool, and names what is there: a try that follows goes on where the one
 * before ended, if the server's file still has it, also after a restart. Else what is here is dropped, and the job's
 * timeline says so; after the first such change within the job the next try follows only after the pause of every try that
 * failed. A server tells no digest; the one that the job shows is made of what came.
 *
 * A list is the content of a job, too: a line of JSON (sapi_entry) for each entry.
 */
#ifndef SHUNT_CLOUD_FETCHING_H
#define SHUNT_CLOUD_FETCHING_H

struct delivery;

#define FETCHING_RESTARTS_MAX 5 /* of a file that is another each time */
#define FETCHING_LIST_MAX ((size_t)16 << 20) /* octets of a list */

/* The tunnel is open: begin. How it ends the delivery learns as of every try. */
void fetching_start(struct delivery *d);
/* The call is given up: what is here stays. */
void fetching_shut(struct delivery *d);
void fetching_free(struct delivery *d);

#endif
