/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record: the gateway's log of closed tunnels (7K), connections (7J) and decisions: one JSON object
 * a line, rotated by size (FILE, FILE.1, FILE.2, ...).
 *
 * A line is written whole or not at all, by one write(2) when it is made, so it survives the end of
 * the process. Power loss: record_7j() returns after fdatasync(2), since the device forgets its log
 * then; the others are synced within RECORD_SYNC_MS. A record that cannot be written goes to the
 * program's own log instead.
 */
#ifndef SHUNT_GATEWAY_RECORD_H
#define SHUNT_GATEWAY_RECORD_H

#include "lib/err.h"
#include "lib/sapi.h"

#include <stdint.h>

struct loop;
struct record;

#define RECORD_SYNC_MS 1000

/*
 * Open or create @path (mode 0640) for appending; what a power loss left of a last line is cut off.
 * Rotates when the file would pass @max_size bytes, keeps @keep old ones. @loop may be NULL: then
 * every record is synced at once.
 */
int record_open(struct loop *loop, const char *path, uint64_t max_size, uint32_t keep,
		struct record **out, struct err *e);
void record_close(struct record *r); /* syncs; NULL is allowed */

/* 0, or -errno after saying so in the program's log. */
int record_7k(struct record *r, const struct sapi_record_7k *rec);
int record_7j(struct record *r, const struct sapi_record_7j *rec);
int record_decision(struct record *r, const struct sapi_record_decision *rec);

#endif
