/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * offer: the content of one fetch job: a file of the state directory that is fixed, hashed, on
 * stable storage, and from then on served in any order and as often as asked.
 *
 * An exported file is copied rather than kept open, for two reasons: the cloud may come back for
 * the rest after a restart of the agent, when nothing but a path would be left; and a file that
 * somebody writes to meanwhile would be noticed only by a wrong digest when all of it had crossed.
 * Where the file system can, the copy is a clone (FICLONE): made at once, and of no size. Elsewhere
 * the octets are copied step by step, and once more from the start when the file was changed
 * meanwhile.
 */
#ifndef SHUNT_DEVICE_OFFER_H
#define SHUNT_DEVICE_OFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/types.h"

struct offer;

/* Begin to copy what the descriptor @source gives, which is taken over in any case, into the new
 * @file of @dirfd, at most @max octets. @dirfd must outlive the offer. 0, -EEXIST, -EDQUOT (more
 * than @max), -ENOMEM, -errno; on error there is no file.
 */
int offer_copy(int dirfd, const char *file, int source, uint64_t max, struct offer **out);
/* Begin to hash @file, which a command has made. 0, -ENOENT, -EINVAL (no regular file), -EDQUOT,
 * -ENOMEM, -errno.
 */
int offer_take(int dirfd, const char *file, uint64_t max, struct offer **out);
/* One that was fixed before a restart. -EIO when the file is not as long as that. */
int offer_open(int dirfd, const char *file, uint64_t size, const char *sha256, struct offer **out);
/* The file stays. NULL is allowed. */
void offer_free(struct offer *o);

/* From now on at most @max octets, should the file have to be copied once more. */
void offer_limit(struct offer *o, uint64_t max);
/* Go on for about @budget octets. Returns 0 (more to do), 1 (fixed, and on stable storage), -ESTALE
 * (the file changes faster than it can be copied), -EDQUOT, -ENOSPC, -errno.
 */
int offer_step(struct offer *o, uint64_t budget);
bool offer_fixed(const struct offer *o);
/* Octets it takes, as far as that is known by now; exact when fixed. */
uint64_t offer_size(const struct offer *o);
/* Hex, when fixed. */
const char *offer_sha256(const struct offer *o);
/* Readable at any offset; owned by the offer. */
int offer_fd(const struct offer *o);

#endif
