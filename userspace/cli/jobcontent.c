// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/jobcontent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/progress.h"
#include "cli/remote.h"
#include "lib/digest.h"
#include "lib/file.h"

#define CHUNK 65536

struct download {
	int fd; /* -1: into the stream, where nothing can be written twice */
	FILE *stream;
	uint64_t size; /* of what is there */
	uint64_t total; /* the job's */
	struct sha256 *sha; /* of what went into the stream; NULL: the file is read again */
	struct progress progress;
};

static int on_data(void *arg, uint64_t offset, const void *data, size_t len)
{
	struct download *d = arg;
	int err;

	/* The cloud begins anew when what is there is of something else; the file is appended to. */
	if (offset != d->size) {
		if (d->fd < 0 || ftruncate(d->fd, (off_t)offset) < 0)
			return -EIO;
		d->size = offset;
	}
	if (len > d->total - d->size)
		return -EMSGSIZE;
	if (d->fd >= 0)
		err = file_write(d->fd, data, len);
	else
		err = fwrite(data, 1, len, d->stream) == len ? sha256_update(d->sha, data, len) :
							       -EIO;
	if (err)
		return err;
	d->size += len;
	progress_set(&d->progress, d->size, clock_mono_ms());
	return 0;
}

static int transfer(struct cli *c, struct remote *cloud, const struct sapi_job *job,
		    struct download *d, struct err *e)
{
	bool terminal = isatty(fileno(c->errors));
	char path[64], etag[SHA256_STR_LEN + 2];
	struct remote_download request = {
		.path = path,
		.from = d->size,
		.etag = etag,
		.on_data = on_data,
		.arg = d,
	};
	int err;

	d->total = job->size;
	snprintf(path, sizeof(path), "/v1/jobs/%s/content", job->id);
	snprintf(etag, sizeof(etag), "\"%s\"", job->sha256);
	progress_init(&d->progress, c->json && !terminal ? NULL : c->errors, terminal, job->name,
		      job->size);
	d->progress.verb = "received";
	err = d->size < job->size ? remote_download(cloud, &request, e) : 0;
	progress_set(&d->progress, d->size, clock_mono_ms());
	progress_end(&d->progress);
	if (!err && d->size != job->size)
		err = err_set(e, -SHUNT_EREMOTE, "only %llu of %llu bytes came",
			      (unsigned long long)d->size, (unsigned long long)job->size);
	return err;
}

/* Is it the job's digest? Takes @sha. */
static int compare(struct sha256 *sha, const struct sapi_job *job, struct err *e)
{
	uint8_t digest[SHA256_LEN];
	char hex[SHA256_STR_LEN];
	int err = sha256_final(sha, digest);

	sha256_free(sha);
	if (err)
		return err_sys(e, err, "SHA-256");
	sha256_hex(digest, hex);
	return strcmp(hex, job->sha256) ? err_set(e, -EBADMSG, "it has another SHA-256") : 0;
}

/* Does the whole file have the job's digest? */
static int verify(int fd, const struct sapi_job *job, struct err *e)
{
	uint8_t chunk[CHUNK];
	struct sha256 *sha;
	uint64_t at = 0;
	ssize_t n = 0;
	int err = sha256_new(&sha);

	while (!err && (n = pread(fd, chunk, sizeof(chunk), (off_t)at)) > 0) {
		err = sha256_update(sha, chunk, (size_t)n);
		at += (uint64_t)n;
	}
	if (!err && n < 0)
		err = -errno;
	if (!err)
		return compare(sha, job, e);
	sha256_free(sha);
	return err_sys(e, err, "reading it back");
}

static int into_file(struct cli *c, struct remote *cloud, const struct sapi_job *job,
		     const char *file, struct err *e)
{
	struct download d = { .fd = -1 };
	char part[PATH_MAX];
	struct stat st;
	int err;

	/* The rename would put a file in place of a device, with a user's rights or root's. */
	if (stat(file, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s: is there already, and not a regular file", file);
	if ((size_t)snprintf(part, sizeof(part), "%s.%s.part", file, job->id) >= sizeof(part))
		return err_sys(e, -ENAMETOOLONG, "%s", file);
	d.fd = open(part, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (d.fd < 0 || fstat(d.fd, &st) < 0) {
		err = err_sys(e, -errno, "%s", part);
		goto out;
	}
	d.size = (uint64_t)st.st_size;
	if (d.size > job->size) { /* nothing of ours is that long */
		d.size = 0;
		if (ftruncate(d.fd, 0) < 0) {
			err = err_sys(e, -errno, "%s", part);
			goto out;
		}
	}
	err = transfer(c, cloud, job, &d, e);
	if (err) {
		err_prefix(e, "%s: the same command goes on with it", part);
		goto out;
	}
	err = verify(d.fd, job, e);
	if (err) {
		unlink(part); /* asking again could not mend it */
		err_prefix(e, "%s", file);
	} else if (fsync(d.fd) < 0 || rename(part, file) < 0) {
		err = err_sys(e, -errno, "%s", file);
	}
out:
	if (d.fd >= 0)
		close(d.fd);
	return err;
}

/* What went wrong is known only when whoever reads the stream has all of it: the status tells. */
static int into_stream(struct cli *c, struct remote *cloud, const struct sapi_job *job,
		       struct err *e)
{
	struct download d = { .fd = -1, .stream = c->output };
	int err = sha256_new(&d.sha);

	if (err)
		return err_sys(e, err, "SHA-256");
	err = transfer(c, cloud, job, &d, e);
	if (!err && fflush(c->output))
		err = err_sys(e, -errno, "standard output");
	if (err) {
		sha256_free(d.sha);
		return err;
	}
	err = compare(d.sha, job, e);
	if (err)
		err_prefix(e, "job %s: the content on standard output", job->id);
	return err;
}

int jobcontent_get(struct cli *c, struct remote *cloud, const struct sapi_job *job,
		   const char *file, struct err *e)
{
	if (job->size == CONTENT_SIZE_UNKNOWN || job->state != JOB_COMPLETED)
		return err_set(e, -SHUNT_EREMOTE, "job %s: has no content to be taken, it is %s",
			       job->id, job_state_str(job->state));
	if (file && strcmp(file, "-"))
		return into_file(c, cloud, job, file, e);
	if (isatty(fileno(c->output)))
		return err_set(e, -EINVAL, "standard output is a terminal: give -o FILE");
	return into_stream(c, cloud, job, e);
}
