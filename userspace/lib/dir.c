// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/dir.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/err.h"

int dir_make(const char *path, struct err *e)
{
	char part[4096];
	char *p;

	if (!path[0] || strlen(path) >= sizeof(part))
		return err_sys(e, path[0] ? -ENAMETOOLONG : -ENOENT, "directory %s", path);
	strcpy(part, path);
	for (p = part + 1; *p; p++) {
		if (*p != '/' || p[1] == '/' || !p[1])
			continue;
		*p = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return err_sys(e, -errno, "directory %s", part);
		*p = '/';
	}
	if (mkdir(part, 0700) < 0 && errno != EEXIST)
		return err_sys(e, -errno, "directory %s", part);
	return 0;
}
