/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * content: the octets of one job, in a sparse file written at the offsets they belong to, in any
 * order. An octet held is never written again, so a duplicate cannot change what has been hashed.
 */
#ifndef SHUNT_DEVICE_CONTENT_H
#define SHUNT_DEVICE_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ranges.h"
#include "lib/types.h"

struct content;

/* A new file of @size octets, all of them missing. @dirfd must outlive the content; @file is
 * copied. Returns 0, -EEXIST, -ENOMEM, -errno.
 */
int content_create(int dirfd, const char *file, uint64_t size, struct content **out);
/* The existing one, of which @received is held. -EIO when the file is not as long as that says. */
int content_open(int dirfd, const char *file, uint64_t size, const struct ranges *received,
		 struct content **out);
/* Closes; the file stays. NULL is allowed. */
void content_free(struct content *c);
/* Closes and deletes. NULL is allowed. */
void content_remove(struct content *c);

/* Put [@offset, @offset + @len) where it belongs; *@duplicate (may be NULL) grows by the octets
 * that were held already. Returns 0, -ERANGE beyond the size, -E2BIG (too many disjoint ranges),
 * -ENOSPC, -errno; octets written before an error are held.
 */
int content_write(struct content *c, uint64_t offset, const void *data, size_t len,
		  uint64_t *duplicate);
const struct ranges *content_received(const struct content *c);
bool content_complete(const struct content *c);

/* Hash on for at most @budget octets of what is held without a gap from the start.
 * Returns 0 (more to do, or a gap ahead), 1 (all octets of a complete content hashed), -errno.
 */
int content_hash(struct content *c, uint64_t budget);
/* After content_hash() returned 1: is it @sha256 (hex)? Constant until the content is freed. */
bool content_matches(struct content *c, const char *sha256);

/* Put what was written on stable storage. 0 or -errno. */
int content_sync(struct content *c);

#endif
