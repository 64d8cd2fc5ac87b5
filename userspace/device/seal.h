/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seal: the content of one store job on its way to the disk, encrypted as it comes (#782).
 *
 * The file is an age file (lib/age.h) from the start, of its final length. Content comes in any order and in any
 * pieces, but only whole chunks can be sealed, so what has come of a chunk is gathered in memory first, in at most
 * SEAL_OPEN chunks. Pieces that are to outlive the program before their chunk is whole go into the scratch file,
 * at the offsets they have in the content and masked (age_mask()); there is none as long as senders keep to
 * whole chunks. No octet of the content is ever on a disk in clear.
 *
 * Of a chunk whose octets are all held the file has it sealed, of any other one the scratch file has what is held. A
 * crash can undo neither: what has been written is held only afterwards, and both places may be written to again
 * with the same octets.
 *
 * The file key lies in a file of its own as long as the job is unfinished, since this device may have recipients
 * only. Whoever has it and the stored file can read that file; where it may lie is Documentation/storage.md's.
 */
#ifndef SHUNT_DEVICE_SEAL_H
#define SHUNT_DEVICE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/age.h"
#include "lib/ranges.h"

#define SEAL_OPEN 4 /* chunks being gathered: two paths, each with an end in two of them */
#define SEAL_NAME_LEN 160

struct seal;

/* The files of one job; directories must outlive the seal, names are copied. */
struct seal_place {
	int dirfd; /* of the age file */
	const char *file;
	int keydir;
	const char *key;
	int scratchdir;
	const char *scratch;
};

/* [offset, offset + len) of the content, before it is encrypted. */
typedef void seal_plain_fn(void *arg, uint64_t offset, const uint8_t *plain, size_t len);

/* Octets of the file of a content of @size; a header as large as one can be is counted. */
uint64_t seal_disk_size(uint64_t size);

/*
 * Make the files, the key's durable. Returns 0, -EEXIST, -ENOSPC, -EINVAL (recipients), -ENOMEM, -errno; then there is none
 * of them.
 */
int seal_create(const struct seal_place *place, const struct age_recipient *to, size_t n,
		uint64_t size, struct seal **out);
/* After a restart. -ENOENT: no file; -ENOKEY: no key; -EIO: they do not belong together; -errno. */
int seal_open(const struct seal_place *place, uint64_t size, struct seal **out);
/* Files stay. NULL is allowed. */
void seal_free(struct seal *s);
/* Delete key and scratch; and the age file, if it is still there. */
void seal_remove(const struct seal_place *place);

/* Is told of each chunk that is sealed, in the order of sealing. */
void seal_on_plain(struct seal *s, seal_plain_fn *fn, void *arg);

/*
 * Take [@offset, @offset + @len), none of which is @held or was taken before. What is on disk because of that is added to
 * @fresh, which counts as held: the chunks that became whole, and pieces of others that had to make room in memory
 * (one of them may be needed again in the same call). 0 or -errno; then
 * some of it may have been taken. -EBADMSG: pieces that were held cannot be read back, so the content is lost.
 */
int seal_put(struct seal *s, uint64_t offset, const void *data, size_t len,
	     const struct ranges *held, struct ranges *fresh);
/* Has it taken, and not given to the disk, any of [@from, @to)? The lowest such octets as [*@at, *@end). */
bool seal_gathered(const struct seal *s, uint64_t from, uint64_t to, uint64_t *at, uint64_t *end);
/* Put the gathered pieces on disk, too, and add them to @fresh. 0 or -errno. */
int seal_flush(struct seal *s, struct ranges *fresh);
/*
 * Read back up to @len octets from @offset, as far as their chunk goes, all of which is held. Octets, -EBADMSG (the file
 * was altered), -EIO, -errno.
 */
ssize_t seal_read(struct seal *s, uint64_t offset, void *buf, size_t len);
/* Put on stable storage what is on disk. 0 or -errno. */
int seal_sync(struct seal *s);

#endif
