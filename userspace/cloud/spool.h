/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spool: content of jobs on disk, one file a job, named by the job's id.
 *
 * A file is written at offsets in any order while the terminal uploads; what was written once is
 * never overwritten, so an upload that is repeated or resumed cannot change content that was
 * acknowledged. Space for the whole content is reserved when the file is made: a disk that is too
 * small is noticed before anything is accepted. Calls block for the time of the disk; writes go to
 * the page cache and are flushed in portions (SPOOL_FLUSH) so that no single flush stops the loop
 * for long.
 */
#ifndef SHUNT_CLOUD_SPOOL_H
#define SHUNT_CLOUD_SPOOL_H

#include "lib/ranges.h"
#include "lib/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct spool;
struct spool_file;

#define SPOOL_FLUSH ((uint64_t)16 << 20) /* bytes between two flushes */

/* Open directory @dir, making it (mode 0700) when absent. 0 or -errno with @e set. */
int spool_open(const char *dir, struct spool **out, struct err *e);
void spool_close(struct spool *s); /* after its files; NULL is allowed */
/* Remove files that @known does not claim: left over from a crash between file and job. */
int spool_sweep(struct spool *s, bool (*known)(const char *id, void *arg), void *arg);
/* Delete the content of @id, and its key. 0, also when there is none; -errno. */
int spool_remove(struct spool *s, const char *id);
/* Open the file of @id for reading only; the descriptor is the caller's. -ENOENT, -errno. */
int spool_open_read(struct spool *s, const char *id, int *fd);

#define SPOOL_KEY_MAX 1024
/*
 * What is kept beside the content of @id for as long as that is there, and is secret: in place of what was kept
 * before, durable on return. 0, -EINVAL, -errno.
 */
int spool_key_write(struct spool *s, const char *id, const void *key, size_t len);
/* Octets read, at most @size; -ENOENT, -errno. */
ssize_t spool_key_read(struct spool *s, const char *id, void *key, size_t size);

/*
 * Make the file of job @id with @size bytes of reserved space; durable on return. -EEXIST, -ENOSPC,
 * -EFBIG, -errno.
 */
int spool_file_new(struct spool *s, const char *id, uint64_t size, struct spool_file **out);
/*
 * The same, but durable after the first spool_flush() only: for content that the caller keeps elsewhere
 * as long as it does not flush. A file that is there from before is replaced.
 */
int spool_file_light(struct spool *s, const char *id, uint64_t size, struct spool_file **out);
/*
 * Open an existing one of which @held is durable (empty: nothing). -ENOENT, -EINVAL: shorter than
 * @size.
 */
int spool_file_open(struct spool *s, const char *id, uint64_t size, const struct ranges *held,
		    struct spool_file **out);
void spool_file_close(struct spool_file *f); /* NULL is allowed */

/*
 * Store the bytes of [offset, offset + len) that are not held yet. -ERANGE beyond the size;
 * -ENOSPC, -EIO.
 */
int spool_write(struct spool_file *f, uint64_t offset, const void *data, size_t len);
/* Bytes written since the last flush reached SPOOL_FLUSH: time for spool_flush(). */
bool spool_wants_flush(const struct spool_file *f);
/*
 * Make everything written so far durable; only then may spool_held() be promised to anyone. On
 * failure what was written since the last flush is not held any more and is to be written again.
 */
int spool_flush(struct spool_file *f);

/* What was written (durable after spool_flush()). */
const struct ranges *spool_held(const struct spool_file *f);
bool spool_complete(const struct spool_file *f);
uint64_t spool_size(const struct spool_file *f);
/* For readers; owned by the file. */
int spool_fd(const struct spool_file *f);

/*
 * SHA-256 of the whole content, computed in steps of at most @max bytes as far as the content is
 * held without gap. 1 when done (then @hex is filled), 0 when there is more to do or nothing can be
 * done yet, -errno.
 */
int spool_digest(struct spool_file *f, uint64_t max, char hex[SHA256_STR_LEN]);

#endif
