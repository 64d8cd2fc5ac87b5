// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of kernels newer than the headers this is built with. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define FILE_READ LANDLOCK_ACCESS_FS_READ_FILE
#define FILE_WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define READ (FILE_READ | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE                                                                                      \
	(FILE_WRITE | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |               \
	 LANDLOCK_ACCESS_FS_REFER)
/* Denied everywhere, beside what no rule allows: to execute, and to make what is no regular file. */
#define NEVER                                                                                      \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                              \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |                              \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                             \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* What this kernel can hold back of that; 0: nothing. */
static uint64_t handled(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t all = READ | WRITE | NEVER;

	if (abi < 1)
		return 0;
	if (abi < 2)
		all &= ~LANDLOCK_ACCESS_FS_REFER;
	if (abi < 3)
		all &= ~LANDLOCK_ACCESS_FS_TRUNCATE;
	return all;
}

static int allow(int ruleset, uint64_t all, const struct sandbox_path *path, struct err *e)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = READ | (path->write ? WRITE : 0),
	};
	struct stat st;
	int rc = 0;

	rule.parent_fd = open(path->path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		/* What cannot be reached now is no loss later. */
		return errno == ENOENT || errno == EACCES ?
			       0 :
			       err_sys(e, -errno, "sandbox: %s", path->path);
	if (fstat(rule.parent_fd, &st) < 0)
		rc = err_sys(e, -errno, "sandbox: %s", path->path);
	if (!rc && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FILE_READ | FILE_WRITE;
	rule.allowed_access &= all;
	if (!rc &&
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		rc = err_sys(e, -errno, "sandbox: %s", path->path);
	close(rule.parent_fd);
	return rc;
}

int sandbox_enter(const struct sandbox_path *paths, size_t n, struct err *e)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = handled() };
	int ruleset, rc = 0;

	if (!attr.handled_access_fs)
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return err_sys(e, -errno, "sandbox");
	for (size_t i = 0; i < n && !rc; i++)
		if (paths[i].path)
			rc = allow(ruleset, attr.handled_access_fs, &paths[i], e);
	if (!rc && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    syscall(SYS_landlock_restrict_self, ruleset, 0) < 0))
		rc = err_sys(e, -errno, "sandbox");
	close(ruleset);
	return rc ? rc : 1;
}
