// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/file.h"

/* A chunk being gathered. */
struct slot {
	bool used;
	uint64_t index;
	uint64_t turn; /* when it was last added to */
	struct ranges filled; /* offsets in the content */
	struct ranges loose; /* part of it that only memory has */
	uint8_t *plain; /* AGE_CHUNK */
};

struct seal {
	struct age *age;
	int fd;
	int scratchdir, scratch_fd; /* -1: not needed so far */
	bool scratch_new; /* its name is not durable yet */
	char scratch[SEAL_NAME_LEN];
	uint64_t size;
	uint64_t turn;
	seal_plain_fn *on_plain;
	void *arg;
	struct slot slots[SEAL_OPEN];
	uint8_t sealed[AGE_SEALED];
};

uint64_t seal_disk_size(uint64_t size)
{
	/* ~100 octets a recipient, ~100 for the rest */
	return 100 * (AGE_RECIPIENTS_MAX + 2) + size + age_chunks(size) * AGE_TAG;
}

/* ---- the file key ---- */

static int key_write(const struct seal_place *place, const struct age *age)
{
	uint8_t key[AGE_FILE_KEY_LEN];
	int fd, rc;

	fd = openat(place->keydir, place->key, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	age_file_key(age, key);
	rc = file_write(fd, key, sizeof(key));
	secret_wipe(key, sizeof(key));
	if (!rc && (fsync(fd) < 0 || fsync(place->keydir) < 0))
		rc = -errno;
	close(fd);
	return rc;
}

static int key_read(const struct seal_place *place, uint8_t key[AGE_FILE_KEY_LEN])
{
	int fd = openat(place->keydir, place->key, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? -ENOKEY : -errno;
	n = pread(fd, key, AGE_FILE_KEY_LEN, 0);
	close(fd);
	return n == AGE_FILE_KEY_LEN ? 0 : n < 0 ? -errno : -ENOKEY;
}

/* Overwritten first; whether that reaches the old octets is the file system's and the disk's business. */
static void key_remove(const struct seal_place *place)
{
	static const uint8_t zeros[AGE_FILE_KEY_LEN];
	int fd = openat(place->keydir, place->key, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0) {
		if (!file_write(fd, zeros, sizeof(zeros)))
			fdatasync(fd);
		close(fd);
	}
	unlinkat(place->keydir, place->key, 0);
}

/* ---- chunks ---- */

static uint64_t chunk_from(uint64_t index)
{
	return index * AGE_CHUNK;
}

static uint64_t chunk_to(const struct seal *s, uint64_t index)
{
	return chunk_from(index) + age_chunk_len(s->size, index);
}

static int chunk_seal(struct seal *s, uint64_t index, const uint8_t *plain)
{
	size_t len = age_chunk_len(s->size, index);
	int rc;

	rc = age_seal(s->age, index, index + 1 == age_chunks(s->size), plain, len, s->sealed);
	if (!rc)
		rc = file_write_at(s->fd, age_chunk_at(s->age, index), s->sealed, len + AGE_TAG,
				   NULL);
	if (!rc && s->on_plain && len)
		s->on_plain(s->arg, chunk_from(index), plain, len);
	return rc;
}

/* ---- begin and end ---- */

static int seal_alloc(const struct seal_place *place, uint64_t size, struct seal **out)
{
	struct seal *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->fd = -1;
	s->scratchdir = place->scratchdir;
	s->scratch_fd = -1;
	s->size = size;
	snprintf(s->scratch, sizeof(s->scratch), "%s", place->scratch);
	for (int i = 0; i < SEAL_OPEN; i++) {
		ranges_init(&s->slots[i].filled);
		ranges_init(&s->slots[i].loose);
	}
	*out = s;
	return 0;
}

void seal_remove(const struct seal_place *place)
{
	key_remove(place);
	unlinkat(place->scratchdir, place->scratch, 0);
	unlinkat(place->dirfd, place->file, 0);
}

/* The age file: its prefix, and as long as it will be. */
static int file_make(struct seal *s, const struct seal_place *place)
{
	const void *prefix;
	size_t len;
	int rc;

	s->fd = openat(place->dirfd, place->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return -errno;
	prefix = age_prefix_of(s->age, &len);
	rc = file_write_at(s->fd, 0, prefix, len, NULL);
	if (!rc && ftruncate(s->fd, (off_t)age_size(s->age, s->size)) < 0)
		rc = -errno;
	/* Nothing will ever come that would make an empty content whole. */
	if (!rc && s->size == 0)
		rc = chunk_seal(s, 0, s->sealed);
	if (!rc && fsync(s->fd) < 0)
		rc = -errno;
	return rc;
}

int seal_create(const struct seal_place *place, const struct age_recipient *to, size_t n,
		uint64_t size, struct seal **out)
{
	struct seal *s;
	int rc = seal_alloc(place, size, &s);

	if (rc)
		return rc;
	rc = age_new(to, n, &s->age);
	if (!rc) {
		/* Those of an earlier content that was lost; the age file is what says that there is one. */
		if (faccessat(place->dirfd, place->file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			rc = -EEXIST;
		else
			seal_remove(place);
	}
	if (!rc) {
		rc = key_write(place, s->age);
		if (!rc)
			rc = file_make(s, place);
		if (rc)
			seal_remove(place);
	}
	if (rc)
		seal_free(s);
	else
		*out = s;
	return rc;
}

/* The prefix is in the file; the key kept proves that it is ours. */
static int prefix_read(struct seal *s, const struct seal_place *place)
{
	uint8_t key[AGE_FILE_KEY_LEN], *prefix = malloc(AGE_PREFIX_MAX);
	ssize_t n;
	int rc;

	if (!prefix)
		return -ENOMEM;
	rc = key_read(place, key);
	n = rc ? 0 : pread(s->fd, prefix, AGE_PREFIX_MAX, 0);
	if (n < 0)
		rc = -errno;
	if (!rc)
		rc = age_restore(prefix, (size_t)n, key, &s->age, NULL);
	if (rc == -EBADMSG || rc == -SHUNT_EPARSE)
		rc = -EIO;
	secret_wipe(key, sizeof(key));
	free(prefix);
	return rc;
}

int seal_open(const struct seal_place *place, uint64_t size, struct seal **out)
{
	struct seal *s;
	struct stat st;
	int rc = seal_alloc(place, size, &s);

	if (rc)
		return rc;
	s->fd = openat(place->dirfd, place->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		rc = -errno;
	else
		rc = S_ISREG(st.st_mode) ? prefix_read(s, place) : -EIO;
	if (!rc && (uint64_t)st.st_size != age_size(s->age, size))
		rc = -EIO;
	if (!rc) {
		s->scratch_fd = openat(s->scratchdir, s->scratch, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (s->scratch_fd < 0 && errno != ENOENT)
			rc = -errno;
	}
	if (rc)
		seal_free(s);
	else
		*out = s;
	return rc;
}

static void slot_release(struct slot *slot)
{
	if (slot->plain)
		secret_wipe(slot->plain, AGE_CHUNK);
	free(slot->plain);
	slot->plain = NULL;
	ranges_fini(&slot->filled);
	ranges_fini(&slot->loose);
	slot->used = false;
}

void seal_free(struct seal *s)
{
	if (!s)
		return;
	for (int i = 0; i < SEAL_OPEN; i++)
		slot_release(&s->slots[i]);
	if (s->fd >= 0)
		close(s->fd);
	if (s->scratch_fd >= 0)
		close(s->scratch_fd);
	age_free(s->age);
	free(s);
}

void seal_on_plain(struct seal *s, seal_plain_fn *fn, void *arg)
{
	s->on_plain = fn;
	s->arg = arg;
}

/* ---- the scratch file ---- */

static int scratch_write(struct seal *s, uint64_t from, const uint8_t *plain, size_t len)
{
	uint8_t *masked = s->sealed; /* of AGE_SEALED octets, which no piece passes */
	int rc;

	if (s->scratch_fd < 0) {
		s->scratch_fd = openat(s->scratchdir, s->scratch,
				       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (s->scratch_fd < 0)
			return -errno;
		s->scratch_new = true;
	}
	memcpy(masked, plain, len);
	rc = age_mask(s->age, from / AGE_CHUNK, from % AGE_CHUNK, masked, len);
	return rc ? rc : file_write_at(s->scratch_fd, from, masked, len, NULL);
}

static int scratch_read(struct seal *s, uint64_t from, uint8_t *plain, size_t len)
{
	int rc;

	/* That it is not there, or shorter, is no passing trouble: somebody took it away. */
	rc = s->scratch_fd < 0 ? -EIO : file_read_at(s->scratch_fd, from, plain, len);
	if (rc)
		return -EBADMSG;
	return age_mask(s->age, from / AGE_CHUNK, from % AGE_CHUNK, plain, len);
}

/* What only memory has of the chunk, from now on the disk has, too. */
static int slot_spill(struct seal *s, struct slot *slot, struct ranges *fresh)
{
	const struct range *r;
	int rc;

	while (slot->loose.n) {
		r = &slot->loose.v[slot->loose.n - 1];
		rc = scratch_write(s, r->from, slot->plain + r->from % AGE_CHUNK, r->to - r->from);
		if (!rc)
			rc = ranges_add(fresh, r->from, r->to, NULL);
		if (!rc)
			rc = ranges_remove(&slot->loose, r->from, r->to, NULL);
		if (rc)
			return rc;
	}
	return 0;
}

/* ---- slots ---- */

static struct slot *slot_find(struct seal *s, uint64_t index)
{
	for (int i = 0; i < SEAL_OPEN; i++)
		if (s->slots[i].used && s->slots[i].index == index)
			return &s->slots[i];
	return NULL;
}

/* Fetch back what of @held the scratch file has for the slot's chunk. */
static int slot_load(struct seal *s, struct slot *slot, const struct ranges *held)
{
	uint64_t from = chunk_from(slot->index), end = chunk_to(s, slot->index);
	int rc = 0;

	for (size_t i = 0; i < held->n && !rc && held->v[i].from < end; i++) {
		uint64_t a = held->v[i].from > from ? held->v[i].from : from;
		uint64_t b = held->v[i].to < end ? held->v[i].to : end;

		if (a >= b)
			continue;
		rc = scratch_read(s, a, slot->plain + (a - from), b - a);
		if (!rc)
			rc = ranges_add(&slot->filled, a, b, NULL);
	}
	return rc;
}

/* A slot for chunk @index; the one that nothing came for longest makes room. */
static int slot_take(struct seal *s, uint64_t index, const struct ranges *held,
		     struct ranges *fresh, struct slot **out)
{
	struct slot *slot = &s->slots[0];
	int rc;

	for (int i = 0; i < SEAL_OPEN && slot->used; i++)
		if (!s->slots[i].used || s->slots[i].turn < slot->turn)
			slot = &s->slots[i];
	if (slot->used) {
		rc = slot_spill(s, slot, fresh);
		if (rc)
			return rc;
		slot_release(slot);
	}
	slot->plain = malloc(AGE_CHUNK);
	if (!slot->plain)
		return -ENOMEM;
	slot->used = true;
	slot->index = index;
	rc = slot_load(s, slot, held);
	/* The chunk may have had a slot, and lost it, in this very call. */
	if (!rc)
		rc = slot_load(s, slot, fresh);
	if (rc)
		slot_release(slot);
	else
		*out = slot;
	return rc;
}

/* A piece that does not pass its chunk. */
static int put_piece(struct seal *s, uint64_t offset, const uint8_t *data, size_t len,
		     const struct ranges *held, struct ranges *fresh)
{
	uint64_t index = offset / AGE_CHUNK, from = chunk_from(index), to = chunk_to(s, index);
	struct slot *slot = slot_find(s, index);
	int rc = 0;

	if (!slot && offset == from && len == to - from) {
		rc = chunk_seal(s, index, data); /* whole: no need to gather it */
		return rc ? rc : ranges_add(fresh, from, to, NULL);
	}
	if (!slot)
		rc = slot_take(s, index, held, fresh, &slot);
	if (rc)
		return rc;
	slot->turn = ++s->turn;
	memcpy(slot->plain + (offset - from), data, len);
	rc = ranges_add(&slot->loose, offset, offset + len, NULL);
	if (!rc)
		rc = ranges_add(&slot->filled, offset, offset + len, NULL);
	if (rc || !ranges_contains(&slot->filled, from, to))
		return rc;
	rc = chunk_seal(s, index, slot->plain);
	if (rc) {
		/* Not taken, so that it comes again and the chunk is tried again. */
		ranges_remove(&slot->filled, offset, offset + len, NULL);
		ranges_remove(&slot->loose, offset, offset + len, NULL);
		return rc;
	}
	slot_release(slot);
	return ranges_add(fresh, from, to, NULL);
}

int seal_put(struct seal *s, uint64_t offset, const void *data, size_t len,
	     const struct ranges *held, struct ranges *fresh)
{
	const uint8_t *at = data;
	size_t n;
	int rc = 0;

	while (len && !rc) {
		n = AGE_CHUNK - offset % AGE_CHUNK;
		if (n > len)
			n = len;
		rc = put_piece(s, offset, at, n, held, fresh);
		offset += n;
		at += n;
		len -= n;
	}
	return rc;
}

bool seal_gathered(const struct seal *s, uint64_t from, uint64_t to, uint64_t *at, uint64_t *end)
{
	bool found = false;

	for (int i = 0; i < SEAL_OPEN; i++) {
		const struct ranges *loose = &s->slots[i].loose;

		for (size_t k = 0; k < loose->n; k++) {
			uint64_t a = loose->v[k].from > from ? loose->v[k].from : from;
			uint64_t b = loose->v[k].to < to ? loose->v[k].to : to;

			if (a >= b || (found && a >= *at))
				continue;
			found = true;
			*at = a;
			*end = b;
		}
	}
	return found;
}

int seal_flush(struct seal *s, struct ranges *fresh)
{
	int rc = 0;

	for (int i = 0; i < SEAL_OPEN && !rc; i++)
		rc = slot_spill(s, &s->slots[i], fresh);
	return rc;
}

ssize_t seal_read(struct seal *s, uint64_t offset, void *buf, size_t len)
{
	uint64_t index = offset / AGE_CHUNK;
	size_t chunk = age_chunk_len(s->size, index), skip = offset % AGE_CHUNK;
	int rc;

	rc = file_read_at(s->fd, age_chunk_at(s->age, index), s->sealed, chunk + AGE_TAG);
	if (rc == -ENODATA) /* it was shortened; 0 would be its end */
		rc = -EIO;
	if (!rc)
		rc = age_unseal(s->age, index, index + 1 == age_chunks(s->size), s->sealed,
				chunk + AGE_TAG, s->sealed);
	if (rc)
		return rc;
	if (len > chunk - skip)
		len = chunk - skip;
	memcpy(buf, s->sealed + skip, len);
	secret_wipe(s->sealed, chunk);
	return (ssize_t)len;
}

int seal_sync(struct seal *s)
{
	if (fdatasync(s->fd) < 0 || (s->scratch_fd >= 0 && fdatasync(s->scratch_fd) < 0))
		return -errno;
	if (s->scratch_new && fsync(s->scratchdir) < 0)
		return -errno;
	s->scratch_new = false;
	return 0;
}
