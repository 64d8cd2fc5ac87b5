// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/loop.h"

struct record {
	char *path;
	int fd; /* -1 after a rotation that failed; tried again with the next record */
	uint64_t size; /* of whole lines in the file */
	uint64_t max_size;
	uint32_t keep;
	struct loop_timer *sync_timer;
	struct buf line;
};

/* Where the last whole line ends. */
static int whole_lines(int fd, uint64_t size, uint64_t *out)
{
	char chunk[4096];

	while (size > 0) {
		size_t want = size < sizeof(chunk) ? size : sizeof(chunk);
		ssize_t n = pread(fd, chunk, want, (off_t)(size - want));
		const char *nl;

		if (n != (ssize_t)want)
			return n < 0 ? -errno : -EIO;
		nl = memrchr(chunk, '\n', want);
		if (nl) {
			*out = size - want + (size_t)(nl - chunk) + 1;
			return 0;
		}
		size -= want;
	}
	*out = 0;
	return 0;
}

static int open_file(struct record *r)
{
	int fd = open(r->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	struct stat st;
	int rc;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		rc = -EINVAL;
		goto err;
	}
	rc = whole_lines(fd, (uint64_t)st.st_size, &r->size);
	if (rc < 0)
		goto err;
	if (r->size != (uint64_t)st.st_size && ftruncate(fd, (off_t)r->size) < 0) {
		rc = -errno;
		goto err;
	}
	r->fd = fd;
	return 0;
err:
	close(fd);
	return rc;
}

static void on_sync(void *arg)
{
	struct record *r = arg;

	if (r->fd >= 0 && fdatasync(r->fd) < 0)
		log_err("record: %s: sync: %s", r->path, shunt_strerror(-errno));
}

int record_open(struct loop *loop, const char *path, uint64_t max_size, uint32_t keep,
		struct record **out, struct err *e)
{
	struct record *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (!r)
		return err_sys(e, rc, "record log");
	r->fd = -1;
	r->max_size = max_size;
	r->keep = keep;
	buf_init_max(&r->line, SAPI_MAX);
	r->path = strdup(path);
	if (!r->path)
		goto err;
	if (loop) {
		rc = loop_timer_new(loop, on_sync, r, &r->sync_timer);
		if (rc < 0)
			goto err;
	}
	rc = open_file(r);
	if (rc < 0)
		goto err;
	*out = r;
	return 0;
err:
	record_close(r);
	return err_sys(e, rc, "record log %s", path);
}

void record_close(struct record *r)
{
	if (!r)
		return;
	loop_timer_free(r->sync_timer);
	if (r->fd >= 0) {
		on_sync(r);
		close(r->fd);
	}
	buf_fini(&r->line);
	free(r->path);
	free(r);
}

/* FILE.n of the rotated ones, FILE itself for 0. */
static int nth_name(const struct record *r, uint32_t n, char *out, size_t size)
{
	int len = n ? snprintf(out, size, "%s.%u", r->path, n) : snprintf(out, size, "%s", r->path);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

static int rotate(struct record *r)
{
	char from[4096], to[4096];
	uint32_t n;

	on_sync(r);
	for (n = r->keep; n > 0; n--) {
		if (nth_name(r, n - 1, from, sizeof(from)) < 0 ||
		    nth_name(r, n, to, sizeof(to)) < 0)
			return -ENAMETOOLONG;
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	close(r->fd);
	r->fd = -1;
	return open_file(r);
}

static int append(struct record *r)
{
	ssize_t n;
	int rc;

	if (r->fd < 0) {
		rc = open_file(r);
		if (rc < 0)
			return rc;
	}
	if (r->size && r->size + r->line.len > r->max_size) {
		rc = rotate(r);
		if (rc < 0)
			return rc;
	}
	n = write(r->fd, r->line.data, r->line.len);
	if (n != (ssize_t)r->line.len) {
		rc = n < 0 ? -errno : -ENOSPC;
		/* Half a line would spoil the next one. */
		if (n > 0 && ftruncate(r->fd, (off_t)r->size) < 0)
			log_err("record: %s: truncate: %s", r->path, shunt_strerror(-errno));
		return rc;
	}
	r->size += r->line.len;
	return 0;
}

static int put(struct record *r, const struct sapi_schema *schema, const void *rec, bool sync)
{
	int rc;

	buf_reset(&r->line);
	rc = sapi_encode(schema, rec, &r->line);
	if (rc == 0)
		rc = buf_putc(&r->line, '\n');
	if (rc == 0) {
		rc = append(r);
		if (rc < 0 && r->line.len)
			r->line.data[r->line.len - 1] = '\0';
	}
	if (rc == 0 && (sync || !r->sync_timer))
		rc = fdatasync(r->fd) < 0 ? -errno : 0;
	else if (rc == 0 && !loop_timer_armed(r->sync_timer))
		loop_timer_set(r->sync_timer, RECORD_SYNC_MS);
	if (rc < 0)
		log_err("record: %s: not written: %s: %s", r->path, shunt_strerror(rc),
			buf_str(&r->line));
	return rc;
}

int record_7k(struct record *r, const struct sapi_record_7k *rec)
{
	return put(r, &sapi_record_7k_schema, rec, false);
}

int record_7j(struct record *r, const struct sapi_record_7j *rec)
{
	return put(r, &sapi_record_7j_schema, rec, true);
}

int record_decision(struct record *r, const struct sapi_record_decision *rec)
{
	return put(r, &sapi_record_decision_schema, rec, false);
}
