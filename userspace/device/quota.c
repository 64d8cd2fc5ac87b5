// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/export.h"

struct quota {
	int dirfd;
	uint64_t max; /* 0: none */
	uint64_t used;
	bool counted;
};

int quota_new(int dirfd, uint64_t max, struct quota **out)
{
	struct quota *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->dirfd = dirfd;
	q->max = max;
	*out = q;
	return 0;
}

void quota_free(struct quota *q)
{
	free(q);
}

uint64_t quota_max(const struct quota *q)
{
	return q && q->max ? q->max : UINT64_MAX;
}

static int count(struct quota *q)
{
	int fd = openat(q->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (!dir) {
		int rc = -errno;

		if (fd >= 0)
			close(fd);
		return rc;
	}
	q->used = 0;
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, EXPORT_RESERVED, strlen(EXPORT_RESERVED)) != 0 &&
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			q->used += (uint64_t)st.st_size;
	closedir(dir);
	q->counted = true;
	return 0;
}

/* All of them below 2^63. */
static bool fits(const struct quota *q, uint64_t claimed, uint64_t size)
{
	return q->used <= q->max && claimed <= q->max - q->used &&
	       size <= q->max - q->used - claimed;
}

int quota_check(struct quota *q, uint64_t claimed, uint64_t size, struct err *e)
{
	int rc;

	if (!q || !q->max || (q->counted && fits(q, claimed, size)))
		return 0;
	rc = count(q);
	if (rc)
		return err_sys(e, rc, "store-dir");
	if (fits(q, claimed, size))
		return 0;
	return err_set(e, -EDQUOT,
		       "%llu octets beside %llu of stored files and %llu of unfinished jobs pass "
		       "store-quota",
		       (unsigned long long)size, (unsigned long long)q->used,
		       (unsigned long long)claimed);
}

void quota_stored(struct quota *q, uint64_t size)
{
	if (q)
		q->used += size;
}
