/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transfer: which bytes of one job's content are still to be sent, and by whom.
 *
 * The content is cut into segments. Every byte is in exactly one of four states: free (nobody has
 * it yet), taken (a segment on one path), unsure (its segment was lost with its path, so only the
 * receiver knows) and held (acknowledged by the receiver). A taken byte is never given to a second
 * path, and an unsure one to nobody before the receiver was asked: that is how a job changes paths
 * without losing or repeating a byte (seed: claims 1 and 2). Pure: no I/O, no clock.
 */
#ifndef SHUNT_CLOUD_TRANSFER_H
#define SHUNT_CLOUD_TRANSFER_H

#include "lib/ranges.h"

#include <stdbool.h>
#include <stdint.h>

struct transfer;

/*
 * @size: bytes of the content, may be 0; @segment: largest segment in bytes, > 0. 0, -EINVAL,
 * -ENOMEM.
 */
int transfer_new(struct transfer **out, uint64_t size, uint32_t segment);
void transfer_free(struct transfer *t); /* NULL is allowed */
/* The size, made with 0, is known only now; nothing was taken yet. 0, -EBUSY when there was a size. */
int transfer_resize(struct transfer *t, uint64_t size);

/*
 * What the receiver says it holds. With @all it is the truth (nothing is in flight): bytes it had
 * acknowledged and now denies are free again. Without, it is added to what is known. Unsure bytes
 * become held or free. Ranges beyond the size are -ERANGE and change nothing; -ENOMEM.
 */
int transfer_learn(struct transfer *t, const struct ranges *held, bool all);
/*
 * Counts segments that were taken, acknowledged or lost: an answer may be learned as @all only if
 * this is what it was when the question was asked, else it is older than what is known.
 */
uint64_t transfer_changes(const struct transfer *t);
/* Are there unsure bytes, so that the receiver must be asked? */
bool transfer_unsure(const struct transfer *t);

/*
 * Take the next free segment: the lowest free bytes, at most one segment and never across a segment
 * boundary. 0; -ENODATA when nothing is free (all taken, unsure or held) or the
 * transfer is on hold; -ENOMEM.
 */
int transfer_take(struct transfer *t, uint64_t *from, uint64_t *to);
/* The same, of [@lo, @hi) only. */
int transfer_take_within(struct transfer *t, uint64_t lo, uint64_t hi, uint64_t *from,
			 uint64_t *to);
bool transfer_has_free(const struct transfer *t);
/* While on hold nothing is given out, to no path; what is taken goes on (seed: #811). */
void transfer_hold(struct transfer *t, bool hold);

/*
 * Bytes [from, to) of a taken segment are being put on the wire. Returns how many of them had been
 * put on the wire before; they are added to transfer_resent().
 */
uint64_t transfer_wire(struct transfer *t, uint64_t from, uint64_t to);

/*
 * The receiver acknowledged a taken segment, of which it held @duplicate bytes already. What it
 * held without our knowing (from before a restart) counts as sent twice too; @counted is what
 * transfer_wire() reported for this segment, so that nothing counts double. 0, -EINVAL when not
 * taken.
 */
int transfer_ack(struct transfer *t, uint64_t from, uint64_t to, uint64_t duplicate,
		 uint64_t counted);
/* A taken segment's path failed: unsure if any of it went out (@wired), else free again. */
int transfer_lose(struct transfer *t, uint64_t from, uint64_t to, bool wired);

/* Does the receiver hold all of [@lo, @hi), as far as there is content? */
bool transfer_holds(const struct transfer *t, uint64_t lo, uint64_t hi);
bool transfer_complete(const struct transfer *t); /* the receiver holds all of it */
/* All of it was on the wire, so that the receiver may hold it. */
bool transfer_all_wired(const struct transfer *t);
uint64_t transfer_size(const struct transfer *t);
uint64_t transfer_held(const struct transfer *t); /* bytes */
uint64_t transfer_taken(const struct transfer *t); /* bytes */
uint64_t transfer_resent(const struct transfer *t); /* bytes, since transfer_new() */

#endif
