/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * content: the octets of one job, in a sparse file written at the offsets they belong to, in any
 * order. An octet held is never written again, so a duplicate cannot change what has been hashed.
 *
 * A content may be sealed (seal.h): then its file is an encrypted one, and what does not fill a chunk yet
 * is gathered in memory until content_settle(); it is not held before that.
 */
#ifndef SHUNT_DEVICE_CONTENT_H
#define SHUNT_DEVICE_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ranges.h"
#include "lib/types.h"

struct age_recipient;
struct content;

/* To have a content sealed: for whom, and where what belongs to it beside its file is. */
struct content_seal {
	const struct age_recipient *to;
	size_t n;
	int keydir, scratchdir; /* must outlive the content */
	const char *key, *scratch; /* names there; copied */
};

/* A new file of @size octets, all of them missing. @dirfd must outlive the content; @file is
 * copied. @seal may be NULL. Returns 0, -EEXIST, -ENOMEM, -errno.
 */
int content_create(int dirfd, const char *file, uint64_t size, const struct content_seal *seal,
		   struct content **out);
/* The existing one, of which @received is held. -EIO when the file is not as long as that says; -ENOKEY when it is
 * sealed and its key is lost. @seal->to is not used.
 */
int content_open(int dirfd, const char *file, uint64_t size, const struct ranges *received,
		 const struct content_seal *seal, struct content **out);
/* Closes; the file stays. NULL is allowed. */
void content_free(struct content *c);
/* Delete what content_create() made under these names. */
void content_remove(int dirfd, const char *file, const struct content_seal *seal);

/* Put [@offset, @offset + @len) where it belongs; *@duplicate (may be NULL) grows by the octets
 * that were held already. Returns 0, -ERANGE beyond the size, -E2BIG (too many disjoint ranges),
 * -ENOSPC, -errno; octets written before an error are held. A sealed content holds them when their chunk is
 * whole; -EBADMSG: its pieces of that chunk cannot be read back, so it is lost.
 */
int content_write(struct content *c, uint64_t offset, const void *data, size_t len,
		  uint64_t *duplicate);
/* Have all octets that came held. 0 or -errno. */
int content_settle(struct content *c);
const struct ranges *content_received(const struct content *c);
/* What is held and was not when it was asked the last time, to be journaled; owned by the content, the caller clears
 * it when that is done.
 */
struct ranges *content_fresh(struct content *c);
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
