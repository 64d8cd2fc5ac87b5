// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/export.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
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

int export_open(int dirfd, const char *path)
{
	struct open_how how = {
		/* Whatever it is, opening it must neither wait nor make it our terminal. */
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	unsigned int tries = 0;
	struct stat st;
	long fd;
	int rc;

	if (!path[0] || path[0] == '/')
		return -EINVAL;
	do
		/* A rename during the walk makes the kernel unsure whether it left the directory;
		 * a lease (fcntl(2)) gives the same code until its holder has let go.
		 */
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EAGAIN || errno == EINTR) && ++tries < TRIES);
	if (fd < 0)
		return -errno;
	rc = fstat((int)fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	if (rc) {
		close((int)fd);
		return rc;
	}
	return (int)fd;
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
	case -ENXIO: /* a FIFO or a socket */
		return "not a regular file of the exported directory";
	case -EAGAIN:
		return "another program keeps it to itself";
	case -ENAMETOOLONG:
		return "the name is too long";
	default:
		return NULL;
	}
}
