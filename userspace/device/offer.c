// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/offer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/digest.h"
#include "lib/file.h"

#define CHUNK 65536
#define TRIES_MAX 5 /* copies of a file that is changed each time */
#define TICK_NS 20000000 /* time stamps of files are no finer than a tick; 10 ms at most */

struct offer {
	int dirfd; /* not owned */
	int fd;
	int source; /* being copied; -1: the file itself is hashed */
	struct stat before; /* the source when the copy was begun */
	struct timespec begun;
	uint64_t max, size, done;
	unsigned int tries;
	struct sha256 *sha;
	bool fixed;
	char sha256[SHA256_STR_LEN];
};

static int offer_alloc(int dirfd, int source, uint64_t max, struct offer **out)
{
	struct offer *o = calloc(1, sizeof(*o));
	int rc;

	if (!o) {
		if (source >= 0)
			close(source);
		return -ENOMEM;
	}
	o->dirfd = dirfd;
	o->fd = -1;
	o->source = source;
	o->max = max;
	rc = sha256_new(&o->sha);
	if (rc) {
		offer_free(o);
		return rc;
	}
	*out = o;
	return 0;
}

void offer_free(struct offer *o)
{
	if (!o)
		return;
	if (o->fd >= 0)
		close(o->fd);
	if (o->source >= 0)
		close(o->source);
	sha256_free(o->sha);
	free(o);
}

/* The file as it is now is what is hashed. */
static int measure(struct offer *o)
{
	struct stat st;

	if (fstat(o->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	o->size = (uint64_t)st.st_size;
	return o->size > o->max ? -EDQUOT : 0;
}

/* From the start, be it the first time or again. */
static int copy_begin(struct offer *o)
{
	if (o->tries++ == TRIES_MAX)
		return -ESTALE;
	clock_gettime(CLOCK_REALTIME_COARSE, &o->begun);
	if (fstat(o->source, &o->before) < 0)
		return -errno;
	o->size = (uint64_t)o->before.st_size;
	if (o->size > o->max)
		return -EDQUOT;
	o->done = 0;
	sha256_free(o->sha);
	o->sha = NULL;
	if (ftruncate(o->fd, 0) < 0)
		return -errno;
	return sha256_new(&o->sha);
}

static int64_t since(const struct timespec *a, const struct timespec *b)
{
	return (b->tv_sec - a->tv_sec) * 1000000000LL + b->tv_nsec - a->tv_nsec;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Is the copy one state of the file? 1 yes, 0 no, -EAGAIN: cannot be told, a write in the tick in
 * which the copy was begun leaves the time stamp as it is.
 */
static int copy_sound(const struct offer *o)
{
	struct stat now;
	int64_t age;

	if (fstat(o->source, &now) < 0)
		return -errno;
	if (now.st_size != o->before.st_size || !same_time(&now.st_mtim, &o->before.st_mtim) ||
	    !same_time(&now.st_ctim, &o->before.st_ctim))
		return 0;
	age = since(&now.st_ctim, &o->begun);
	return age <= 0 && age > -TICK_NS ? -EAGAIN : 1;
}

int offer_copy(int dirfd, const char *file, int source, uint64_t max, struct offer **out)
{
	struct offer *o;
	int rc;

	rc = offer_alloc(dirfd, source, max, &o);
	if (rc)
		return rc;
	o->fd = openat(dirfd, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (o->fd < 0) {
		rc = -errno;
		offer_free(o);
		return rc;
	}
	rc = copy_begin(o);
	if (!rc && ioctl(o->fd, FICLONE, source) == 0) {
		close(o->source);
		o->source = -1;
		rc = measure(o);
	}
	if (rc) {
		unlinkat(dirfd, file, 0);
		offer_free(o);
		return rc;
	}
	*out = o;
	return 0;
}

int offer_take(int dirfd, const char *file, uint64_t max, struct offer **out)
{
	struct offer *o;
	int rc;

	rc = offer_alloc(dirfd, -1, max, &o);
	if (rc)
		return rc;
	/* The command may have left anything under that name. */
	o->fd = openat(dirfd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	rc = o->fd < 0 ? -errno : measure(o);
	if (rc == -ELOOP || rc == -EISDIR)
		rc = -EINVAL;
	if (rc)
		offer_free(o);
	else
		*out = o;
	return rc;
}

int offer_open(int dirfd, const char *file, uint64_t size, const char *sha256, struct offer **out)
{
	struct offer *o;
	int rc;

	rc = offer_take(dirfd, file, CONTENT_SIZE_MAX, &o);
	if (rc)
		return rc;
	if (o->size != size) {
		offer_free(o);
		return -EIO;
	}
	o->fixed = true;
	snprintf(o->sha256, sizeof(o->sha256), "%s", sha256);
	*out = o;
	return 0;
}

/* One chunk. Returns 0, -ESTALE when the file ended before its size, -errno. */
static int step_chunk(struct offer *o)
{
	uint8_t chunk[CHUNK];
	uint64_t left = o->size - o->done;
	int from = o->source >= 0 ? o->source : o->fd, rc = 0;
	ssize_t n;

	do
		n = pread(from, chunk, left < CHUNK ? left : CHUNK, (off_t)o->done);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -ESTALE;
	if (o->source >= 0)
		rc = file_write_at(o->fd, o->done, chunk, (size_t)n, NULL);
	if (!rc)
		rc = sha256_update(o->sha, chunk, (size_t)n);
	o->done += (uint64_t)n;
	return rc;
}

/* All of it is hashed, and copied: durable, then said to be so. */
static int finish(struct offer *o)
{
	uint8_t digest[SHA256_LEN];
	int rc;

	if (fsync(o->fd) < 0 || fsync(o->dirfd) < 0)
		return -errno;
	rc = sha256_final(o->sha, digest);
	if (rc)
		return rc;
	sha256_hex(digest, o->sha256);
	if (o->source >= 0)
		close(o->source);
	o->source = -1;
	o->fixed = true;
	return 1;
}

void offer_limit(struct offer *o, uint64_t max)
{
	o->max = max;
}

int offer_step(struct offer *o, uint64_t budget)
{
	uint64_t until = budget < o->size - o->done ? o->done + budget : o->size;
	int rc = 0;

	if (o->fixed)
		return 1;
	while (!rc && o->done < until)
		rc = step_chunk(o);
	/* In portions, so that the last flush does not stop the agent for long. */
	if (!rc && o->source >= 0 && fdatasync(o->fd) < 0)
		rc = -errno;
	if (!rc && o->done < o->size)
		return 0;
	if (!rc && o->source >= 0) {
		rc = copy_sound(o);
		if (rc == -EAGAIN)
			o->tries--; /* settled within a tick, unless it is written to for ever */
		rc = rc == 1 ? 0 : rc == 0 || rc == -EAGAIN ? -ESTALE : rc;
	}
	if (rc == -ESTALE && o->source >= 0)
		return copy_begin(o);
	return rc ? rc : finish(o);
}

bool offer_fixed(const struct offer *o)
{
	return o->fixed;
}

uint64_t offer_size(const struct offer *o)
{
	return o->size;
}

const char *offer_sha256(const struct offer *o)
{
	return o->sha256;
}

int offer_fd(const struct offer *o)
{
	return o->fd;
}
