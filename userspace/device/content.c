// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/journal.h"
#include "lib/digest.h"
#include "lib/file.h"

#define HASH_CHUNK (64u << 10)

struct content {
	int dirfd; /* not owned */
	int fd;
	uint64_t size;
	struct ranges received;
	struct sha256 *sha; /* of [0, hashed) */
	uint64_t hashed;
	uint8_t digest[SHA256_LEN];
	bool digested;
	char file[NAME_LEN + ID_LEN + 32];
};

static int content_alloc(int dirfd, const char *file, uint64_t size, struct content **out)
{
	struct content *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->dirfd = dirfd;
	c->fd = -1;
	c->size = size;
	ranges_init(&c->received);
	c->received.max = JOB_RANGES_MAX;
	snprintf(c->file, sizeof(c->file), "%s", file);
	rc = sha256_new(&c->sha);
	if (rc) {
		content_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

int content_create(int dirfd, const char *file, uint64_t size, struct content **out)
{
	struct content *c;
	int rc;

	rc = content_alloc(dirfd, file, size, &c);
	if (rc)
		return rc;
	c->fd = openat(dirfd, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (c->fd < 0) {
		rc = -errno;
		content_free(c);
		return rc;
	}
	if (ftruncate(c->fd, (off_t)size) < 0) {
		rc = -errno;
		content_remove(c);
		return rc;
	}
	*out = c;
	return 0;
}

int content_open(int dirfd, const char *file, uint64_t size, const struct ranges *received,
		 struct content **out)
{
	struct content *c;
	struct stat st;
	int rc;

	rc = content_alloc(dirfd, file, size, &c);
	if (rc)
		return rc;
	/* What was acknowledged is kept, even in more pieces than would be taken now. */
	if (received->n > c->received.max)
		c->received.max = received->n;
	c->fd = openat(dirfd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (c->fd < 0 || fstat(c->fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		rc = -EIO;
	else
		rc = ranges_add_all(&c->received, received);
	if (rc) {
		content_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void content_free(struct content *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	sha256_free(c->sha);
	ranges_fini(&c->received);
	free(c);
}

void content_remove(struct content *c)
{
	if (!c)
		return;
	unlinkat(c->dirfd, c->file, 0);
	content_free(c);
}

int content_write(struct content *c, uint64_t offset, const void *data, size_t len,
		  uint64_t *duplicate)
{
	uint64_t end = offset + len, from, to, fresh = 0;
	const uint8_t *bytes = data;
	size_t put;
	int rc = 0, added;

	if (offset > c->size || len > c->size - offset)
		return -ERANGE;
	/* The holes change as they are filled, hence each search starts anew. */
	while (!rc && ranges_next_hole(&c->received, offset, end, &from, &to)) {
		rc = file_write_at(c->fd, from, bytes + (from - offset), to - from, &put);
		added = ranges_add(&c->received, from, from + put, NULL);
		if (!added)
			fresh += put;
		if (!rc)
			rc = added;
	}
	if (duplicate && !rc)
		*duplicate += len - fresh;
	return rc;
}

const struct ranges *content_received(const struct content *c)
{
	return &c->received;
}

bool content_complete(const struct content *c)
{
	return ranges_complete(&c->received, c->size);
}

/* End of what is held without a gap from the start. */
static uint64_t content_front(const struct content *c)
{
	uint64_t from, to;

	return ranges_next_hole(&c->received, 0, c->size, &from, &to) ? from : c->size;
}

int content_hash(struct content *c, uint64_t budget)
{
	uint64_t front = content_front(c);
	uint64_t end = budget < front - c->hashed ? c->hashed + budget : front;
	uint8_t chunk[HASH_CHUNK];
	ssize_t n;
	int rc = 0;

	while (!rc && c->hashed < end) {
		size_t want = end - c->hashed < HASH_CHUNK ? end - c->hashed : HASH_CHUNK;

		n = pread(c->fd, chunk, want, (off_t)c->hashed);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		rc = sha256_update(c->sha, chunk, (size_t)n);
		c->hashed += (uint64_t)n;
	}
	if (rc || c->hashed < c->size)
		return rc;
	if (!c->digested)
		rc = sha256_final(c->sha, c->digest);
	c->digested = !rc;
	return rc ? rc : 1;
}

bool content_matches(struct content *c, const char *sha256)
{
	char hex[SHA256_HEX_LEN + 1];

	if (!c->digested)
		return false;
	sha256_hex(c->digest, hex);
	return strcmp(hex, sha256) == 0;
}

int content_sync(struct content *c)
{
	return fdatasync(c->fd) < 0 ? -errno : 0;
}
