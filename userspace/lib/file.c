// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/file.h"

#include <errno.h>
#include <unistd.h>

/* What a write(2) of something means: octets written, 0 to try again, or -errno. */
static ssize_t outcome(ssize_t n)
{
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n ? n : -ENOSPC; /* "nothing, and no error" would be for ever */
}

int file_write(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;
	ssize_t n;

	while (len) {
		n = outcome(write(fd, p, len));
		if (n < 0)
			return (int)n;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_write_at(int fd, uint64_t offset, const void *data, size_t len, size_t *put)
{
	const uint8_t *p = data;
	size_t done = 0;
	ssize_t n = 0;

	while (done < len && n >= 0) {
		n = outcome(pwrite(fd, p + done, len - done, (off_t)(offset + done)));
		if (n > 0)
			done += (size_t)n;
	}
	if (put)
		*put = done;
	return n < 0 ? (int)n : 0;
}

int file_read_at(int fd, uint64_t offset, void *to, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, (uint8_t *)to + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		done += (size_t)n;
	}
	return 0;
}
