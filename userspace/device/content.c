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
#include "device/seal.h"
#include "lib/digest.h"
#include "lib/file.h"

#define HASH_CHUNK (64u << 10)

struct content {
	int fd; /* -1: sealed */
	struct seal *seal; /* NULL: in clear */
	uint64_t size;
	struct ranges received;
	struct ranges fresh; /* part of it that nobody has journaled yet */
	struct sha256 *sha; /* of [0, hashed) */
	uint64_t hashed;
	uint8_t digest[SHA256_LEN];
	bool digested;
};

static int content_alloc(uint64_t size, struct content **out)
{
	struct content *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->fd = -1;
	c->size = size;
	ranges_init(&c->received);
	ranges_init(&c->fresh);
	c->received.max = JOB_RANGES_MAX;
	rc = sha256_new(&c->sha);
	if (rc) {
		content_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

static struct seal_place place_of(int dirfd, const char *file, const struct content_seal *seal)
{
	return (struct seal_place){
		.dirfd = dirfd,
		.file = file,
		.keydir = seal->keydir,
		.key = seal->key,
		.scratchdir = seal->scratchdir,
		.scratch = seal->scratch,
	};
}

/* A chunk is hashed while it is at hand in clear, if all before it was. */
static void on_plain(void *arg, uint64_t offset, const uint8_t *plain, size_t len)
{
	struct content *c = arg;

	if (offset == c->hashed && sha256_update(c->sha, plain, len) == 0)
		c->hashed += len;
}

static int create_clear(struct content *c, int dirfd, const char *file)
{
	int rc = 0;

	c->fd = openat(dirfd, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (c->fd < 0)
		return -errno;
	if (ftruncate(c->fd, (off_t)c->size) < 0) {
		rc = -errno;
		unlinkat(dirfd, file, 0);
	}
	return rc;
}

int content_create(int dirfd, const char *file, uint64_t size, const struct content_seal *seal,
		   struct content **out)
{
	struct seal_place place;
	struct content *c;
	int rc;

	rc = content_alloc(size, &c);
	if (rc)
		return rc;
	if (seal) {
		place = place_of(dirfd, file, seal);
		rc = seal_create(&place, seal->to, seal->n, size, &c->seal);
	} else {
		rc = create_clear(c, dirfd, file);
	}
	if (rc) {
		content_free(c);
		return rc;
	}
	if (c->seal)
		seal_on_plain(c->seal, on_plain, c);
	*out = c;
	return 0;
}

static int open_clear(struct content *c, int dirfd, const char *file)
{
	struct stat st;

	c->fd = openat(dirfd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (c->fd < 0 || fstat(c->fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && (uint64_t)st.st_size == c->size ? 0 : -EIO;
}

int content_open(int dirfd, const char *file, uint64_t size, const struct ranges *received,
		 const struct content_seal *seal, struct content **out)
{
	struct seal_place place;
	struct content *c;
	int rc;

	rc = content_alloc(size, &c);
	if (rc)
		return rc;
	/* What was acknowledged is kept, even in more pieces than would be taken now. */
	if (received->n > c->received.max)
		c->received.max = received->n;
	if (seal) {
		place = place_of(dirfd, file, seal);
		rc = seal_open(&place, size, &c->seal);
	} else {
		rc = open_clear(c, dirfd, file);
	}
	if (!rc)
		rc = ranges_add_all(&c->received, received);
	if (rc) {
		content_free(c);
		return rc;
	}
	if (c->seal)
		seal_on_plain(c->seal, on_plain, c);
	*out = c;
	return 0;
}

void content_free(struct content *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	seal_free(c->seal);
	sha256_free(c->sha);
	ranges_fini(&c->received);
	ranges_fini(&c->fresh);
	free(c);
}

void content_remove(int dirfd, const char *file, const struct content_seal *seal)
{
	struct seal_place place;

	if (seal) {
		place = place_of(dirfd, file, seal);
		seal_remove(&place);
	} else {
		unlinkat(dirfd, file, 0);
	}
}

/* The lowest octets in [@pos, @end) that have not come. */
static bool next_missing(const struct content *c, uint64_t pos, uint64_t end, uint64_t *from,
			 uint64_t *to)
{
	uint64_t at, past;

	while (ranges_next_hole(&c->received, pos, end, from, to)) {
		if (!c->seal || !seal_gathered(c->seal, *from, *to, &at, &past))
			return true;
		if (at > *from) {
			*to = at;
			return true;
		}
		pos = past;
	}
	return false;
}

/* What is on disk now is held. */
static int content_hold(struct content *c, const struct ranges *put)
{
	int rc = ranges_add_all(&c->received, put);

	/* Sooner journaled twice than never. */
	return rc ? rc : ranges_add_all(&c->fresh, put);
}

static int put_clear(struct content *c, uint64_t from, const uint8_t *data, size_t len,
		     struct ranges *put)
{
	size_t n;
	int rc = file_write_at(c->fd, from, data, len, &n);
	int added = ranges_add(put, from, from + n, NULL);

	return rc ? rc : added;
}

int content_write(struct content *c, uint64_t offset, const void *data, size_t len,
		  uint64_t *duplicate)
{
	uint64_t end = offset + len, from, to, fresh = 0, pos;
	const uint8_t *bytes = data;
	struct ranges put;
	int rc = 0, held;

	if (offset > c->size || len > c->size - offset)
		return -ERANGE;
	ranges_init(&put);
	/* The holes change as they are filled, hence each search starts anew. */
	for (pos = offset; !rc && next_missing(c, pos, end, &from, &to); pos = to) {
		rc = c->seal ? seal_put(c->seal, from, bytes + (from - offset), to - from,
					&c->received, &put) :
			       put_clear(c, from, bytes + (from - offset), to - from, &put);
		held = content_hold(c, &put);
		ranges_clear(&put);
		if (!rc)
			rc = held;
		if (!rc)
			fresh += to - from;
	}
	ranges_fini(&put);
	if (duplicate && !rc)
		*duplicate += len - fresh;
	return rc;
}

int content_settle(struct content *c)
{
	struct ranges put;
	int rc, held;

	if (!c->seal)
		return 0;
	ranges_init(&put);
	rc = seal_flush(c->seal, &put);
	held = content_hold(c, &put);
	ranges_fini(&put);
	return rc ? rc : held;
}

struct ranges *content_fresh(struct content *c)
{
	return &c->fresh;
}

const struct ranges *content_received(const struct content *c)
{
	return &c->received;
}

bool content_complete(const struct content *c)
{
	return ranges_complete(&c->received, c->size);
}

/* End of what can be read back without a gap from the start: of a sealed content whole chunks. */
static uint64_t content_front(const struct content *c)
{
	uint64_t from, to;

	if (!ranges_next_hole(&c->received, 0, c->size, &from, &to))
		return c->size;
	return c->seal ? from - from % AGE_CHUNK : from;
}

int content_hash(struct content *c, uint64_t budget)
{
	uint64_t front = content_front(c), end;
	uint8_t chunk[HASH_CHUNK];
	ssize_t n;
	int rc = 0;

	end = c->hashed + budget;
	if (c->seal && end % AGE_CHUNK) /* a chunk is read as a whole */
		end += AGE_CHUNK - end % AGE_CHUNK;
	if (end > front)
		end = front;
	while (!rc && c->hashed < end) {
		size_t want = end - c->hashed < HASH_CHUNK ? end - c->hashed : HASH_CHUNK;

		n = c->seal ? seal_read(c->seal, c->hashed, chunk, want) :
			      pread(c->fd, chunk, want, (off_t)c->hashed);
		if (n < 0 && !c->seal && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -EIO : c->seal ? (int)n : -errno;
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
	if (c->seal)
		return seal_sync(c->seal);
	return fdatasync(c->fd) < 0 ? -errno : 0;
}
