// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/spool.h"

#include <dirent.h>
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

#define DIGEST_CHUNK ((size_t)64 << 10)

struct spool {
	int dir;
};

struct spool_file {
	int fd;
	int light_in; /* the directory in which it is not durable yet; -1: it is */
	uint64_t size;
	struct ranges held;
	struct ranges dirty; /* part of held: written since the last flush */
	struct sha256 *sha;
	uint64_t hashed; /* bytes from the start that are in @sha */
};

int spool_open(const char *dir, struct spool **out, struct err *e)
{
	struct spool *s;
	int ret;

	if (mkdir(dir, 0700) && errno != EEXIST)
		return err_sys(e, -errno, "spool %s", dir);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_sys(e, -ENOMEM, "spool %s", dir);
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0) {
		ret = err_sys(e, -errno, "spool %s", dir);
		free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	close(s->dir);
	free(s);
}

#define KEY_SUFFIX ".key"
#define KEY_NAME_LEN (ID_LEN + sizeof(KEY_SUFFIX) + sizeof(".new"))

static const char *key_name(const char *id, const char *more, char out[KEY_NAME_LEN])
{
	snprintf(out, KEY_NAME_LEN, "%s" KEY_SUFFIX "%s", id, more);
	return out;
}

/* The job that a file of the spool belongs to; false: it is none of ours. */
static bool owner_of(const char *file, char id[ID_LEN])
{
	size_t len = strcspn(file, ".");

	if (len >= ID_LEN)
		return false;
	memcpy(id, file, len);
	id[len] = '\0';
	file += len;
	return id_ok(id) &&
	       (!*file || !strcmp(file, KEY_SUFFIX) || !strcmp(file, KEY_SUFFIX ".new"));
}

int spool_sweep(struct spool *s, bool (*known)(const char *id, void *arg), void *arg)
{
	char id[ID_LEN];
	struct dirent *d;
	DIR *dir;
	int fd;

	fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((d = readdir(dir)))
		if (owner_of(d->d_name, id) && !known(id, arg))
			spool_remove(s, id);
	closedir(dir);
	return 0;
}

/* Overwritten first; whether that reaches the old octets is the file system's and the disk's business. */
static void key_remove(struct spool *s, const char *id)
{
	static const uint8_t zeros[SPOOL_KEY_MAX];
	char name[KEY_NAME_LEN];
	struct stat st;
	int fd;

	unlinkat(s->dir, key_name(id, ".new", name), 0);
	fd = openat(s->dir, key_name(id, "", name), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && st.st_size > 0 && st.st_size <= SPOOL_KEY_MAX &&
	    !file_write(fd, zeros, (size_t)st.st_size))
		fsync(fd);
	close(fd);
	unlinkat(s->dir, name, 0);
}

int spool_key_write(struct spool *s, const char *id, const void *key, size_t len)
{
	char name[KEY_NAME_LEN], fresh[KEY_NAME_LEN];
	int fd, ret;

	if (!id_ok(id) || len > SPOOL_KEY_MAX)
		return -EINVAL;
	key_name(id, "", name);
	key_name(id, ".new", fresh);
	fd = openat(s->dir, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	ret = file_write(fd, key, len);
	if (!ret && (fsync(fd) || renameat(s->dir, fresh, s->dir, name) || fsync(s->dir)))
		ret = -errno;
	close(fd);
	if (ret)
		unlinkat(s->dir, fresh, 0);
	return ret;
}

ssize_t spool_key_read(struct spool *s, const char *id, void *key, size_t size)
{
	char name[KEY_NAME_LEN];
	ssize_t n;
	int fd;

	if (!id_ok(id))
		return -EINVAL;
	fd = openat(s->dir, key_name(id, "", name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = pread(fd, key, size, 0);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

int spool_remove(struct spool *s, const char *id)
{
	if (!id_ok(id))
		return -EINVAL;
	key_remove(s, id);
	return unlinkat(s->dir, id, 0) && errno != ENOENT ? -errno : 0;
}

int spool_open_read(struct spool *s, const char *id, int *fd)
{
	if (!id_ok(id))
		return -EINVAL;
	*fd = openat(s->dir, id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return *fd < 0 ? -errno : 0;
}

static int file_new(int fd, uint64_t size, struct spool_file **out)
{
	struct spool_file *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->fd = fd;
	f->light_in = -1;
	f->size = size;
	ranges_init(&f->held);
	ranges_init(&f->dirty);
	*out = f;
	return 0;
}

/*
 * Reserve the blocks; where the file system cannot (NFS before 4.2, 9p) set the length only: the
 * loop cannot wait for posix_fallocate(), which then writes to each block.
 */
static int reserve(int fd, uint64_t size)
{
	int ret;

	if (!size)
		return 0;
	do {
		ret = fallocate(fd, 0, 0, (off_t)size) ? errno : 0;
	} while (ret == EINTR);
	if (ret == EOPNOTSUPP || ret == ENOSYS)
		ret = ftruncate(fd, (off_t)size) ? errno : 0;
	return -ret;
}

static int create(struct spool *s, const char *id, uint64_t size, int flag, struct spool_file **out)
{
	int fd, ret;

	if (!id_ok(id))
		return -EINVAL;
	if (size > CONTENT_SIZE_MAX)
		return -EFBIG;
	fd = openat(s->dir, id, O_RDWR | O_CREAT | flag | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	ret = reserve(fd, size);
	if (!ret)
		ret = file_new(fd, size, out);
	if (ret) {
		close(fd);
		unlinkat(s->dir, id, 0);
		return ret;
	}
	(*out)->light_in = s->dir;
	return 0;
}

/* Its blocks and its name. */
static int file_settle(struct spool_file *f)
{
	if (f->light_in >= 0 && (fsync(f->fd) || fsync(f->light_in)))
		return -errno;
	f->light_in = -1;
	return 0;
}

int spool_file_new(struct spool *s, const char *id, uint64_t size, struct spool_file **out)
{
	int ret = create(s, id, size, O_EXCL, out);

	if (ret)
		return ret;
	ret = file_settle(*out);
	if (ret) {
		spool_file_close(*out);
		*out = NULL;
		unlinkat(s->dir, id, 0);
	}
	return ret;
}

int spool_file_light(struct spool *s, const char *id, uint64_t size, struct spool_file **out)
{
	return create(s, id, size, O_TRUNC, out);
}

int spool_file_open(struct spool *s, const char *id, uint64_t size, const struct ranges *held,
		    struct spool_file **out)
{
	struct stat st;
	int fd, ret = 0;

	if (!id_ok(id))
		return -EINVAL;
	fd = openat(s->dir, id, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		ret = -errno;
	else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < size ||
		 (held->n && held->v[held->n - 1].to > size))
		ret = -EINVAL;
	if (!ret)
		ret = file_new(fd, size, out);
	if (ret) {
		close(fd);
		return ret;
	}
	ret = ranges_copy(&(*out)->held, held);
	if (ret)
		spool_file_close(*out);
	return ret;
}

void spool_file_close(struct spool_file *f)
{
	if (!f)
		return;
	sha256_free(f->sha);
	ranges_fini(&f->held);
	ranges_fini(&f->dirty);
	close(f->fd);
	free(f);
}

int spool_write(struct spool_file *f, uint64_t offset, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t end, pos, from, to;
	int ret;

	if (offset > f->size || len > f->size - offset)
		return -ERANGE;
	end = offset + len;
	for (pos = offset; pos < end && ranges_next_hole(&f->held, pos, end, &from, &to);
	     pos = to) {
		ret = file_write_at(f->fd, from, p + (from - offset), to - from, NULL);
		/* Dirty first: what is held and not dirty counts as durable. */
		if (!ret)
			ret = ranges_add(&f->dirty, from, to, NULL);
		if (!ret)
			ret = ranges_add(&f->held, from, to, NULL);
		if (ret)
			return ret;
	}
	return 0;
}

bool spool_wants_flush(const struct spool_file *f)
{
	return ranges_total(&f->dirty) >= SPOOL_FLUSH;
}

const struct ranges *spool_held(const struct spool_file *f)
{
	return &f->held;
}

bool spool_complete(const struct spool_file *f)
{
	return ranges_complete(&f->held, f->size);
}

uint64_t spool_size(const struct spool_file *f)
{
	return f->size;
}

int spool_fd(const struct spool_file *f)
{
	return f->fd;
}

/* The end of what is held without gap from the start. */
static uint64_t contiguous(const struct spool_file *f)
{
	return f->held.n && !f->held.v[0].from ? f->held.v[0].to : 0;
}

/*
 * After a failed flush the kernel may take the pages for clean and the next flush for a success, so
 * only writing the bytes once more makes them durable.
 */
static void forget_dirty(struct spool_file *f)
{
	if (ranges_remove_all(&f->held, &f->dirty))
		ranges_clear(&f->held); /* no memory: rather too much */
	ranges_clear(&f->dirty);
	if (f->hashed > contiguous(f)) {
		sha256_free(f->sha);
		f->sha = NULL;
		f->hashed = 0;
	}
}

int spool_flush(struct spool_file *f)
{
	int ret;

	if (!f->dirty.n)
		return 0;
	ret = file_settle(f);
	if (!ret && fdatasync(f->fd))
		ret = -errno;
	if (ret) {
		forget_dirty(f);
		return ret;
	}
	ranges_clear(&f->dirty);
	return 0;
}

static int digest_some(struct spool_file *f, uint64_t until)
{
	uint8_t chunk[DIGEST_CHUNK];
	uint64_t want;
	ssize_t n;
	int ret;

	while (f->hashed < until) {
		want = until - f->hashed;
		n = pread(f->fd, chunk, want < sizeof(chunk) ? want : sizeof(chunk),
			  (off_t)f->hashed);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO; /* somebody truncated the file */
		ret = sha256_update(f->sha, chunk, (size_t)n);
		if (ret)
			return ret;
		f->hashed += (uint64_t)n;
	}
	return 0;
}

int spool_digest(struct spool_file *f, uint64_t max, char hex[SHA256_STR_LEN])
{
	uint64_t until = contiguous(f);
	uint8_t sum[SHA256_LEN];
	int ret;

	if (!f->sha) {
		ret = sha256_new(&f->sha);
		if (ret)
			return ret;
	}
	if (until > f->hashed && until - f->hashed > max)
		until = f->hashed + max;
	ret = digest_some(f, until);
	if (ret)
		return ret;
	if (f->hashed < f->size)
		return 0;
	ret = sha256_peek(f->sha, sum);
	if (ret)
		return ret;
	sha256_hex(sum, hex);
	return 1;
}
