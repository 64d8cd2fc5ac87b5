// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/export.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/sapi.h"

const char *export_scan(const char *path)
{
	size_t n = strlen(SAPI_SCAN_PREFIX);

	return strncmp(path, SAPI_SCAN_PREFIX, n) == 0 ? path + n : NULL;
}

#define TRIES 64 /* against renames; the agent must not spin for as long as somebody likes */

/* Names that the agent itself gives to what is not complete yet, should it store into the same place. */
static bool is_ours(const char *path)
{
	size_t n = strlen(EXPORT_RESERVED);
	const char *p;

	for (p = path; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (strncmp(p, EXPORT_RESERVED, n) == 0)
			return true;
	}
	return false;
}

/* The kernel walks; nothing is opened yet, so that whatever is there does not notice. */
static int locate(int dirfd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	unsigned int tries = 0;
	long fd;

	do
		/* A rename during the walk makes the kernel unsure whether it left the directory. */
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EAGAIN || errno == EINTR) && ++tries < TRIES);
	return fd < 0 ? -errno : (int)fd;
}

/* Open what @located is, which is a regular file: the same one, whatever has taken its name by now. */
static int reopen(int located)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", located);
	/* A lease (fcntl(2)) of another program must not be waited for. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int export_open(int dirfd, const char *path)
{
	struct stat st;
	int located, fd;

	if (!path[0] || path[0] == '/')
		return -EINVAL;
	if (is_ours(path))
		return -ENOENT;
	located = locate(dirfd, path);
	if (located < 0)
		return located;
	if (fstat(located, &st) < 0)
		fd = -errno;
	else
		fd = S_ISREG(st.st_mode) ? reopen(located) : -EINVAL;
	close(located);
	return fd;
}

const char *export_fault(int code)
{
	switch (code) {
	case -ENOENT:
	case -ENOTDIR:
		return "there is no such file";
	case -EACCES:
	case -EPERM:
		return "may not be read";
	case -EXDEV:
		return "leads out of the exported directory";
	case -ELOOP:
		return "a link is in the way";
	case -EINVAL:
		return "not a regular file of the exported directory";
	case -EAGAIN:
		return "another program keeps it to itself";
	case -ENAMETOOLONG:
		return "the name is too long";
	default:
		return NULL;
	}
}
