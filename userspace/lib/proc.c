// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/proc.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/types.h"

int proc_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len;
	ssize_t sent;
	int fd;

	if (!path || !*path)
		return 0;
	len = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof(sun.sun_path))
		return -EINVAL;
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sun,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	len = sent < 0 ? (size_t)errno : 0;
	close(fd);
	return len ? -(int)len : 1;
}

/* "name" or "uid:gid"; *@name stays NULL for the latter. */
static int find_user(const char *user, uid_t *uid, gid_t *gid, const char **name, struct err *e)
{
	const char *colon = strchr(user, ':');
	struct passwd *pw;
	uint64_t u, g;
	char digits[24];

	if (colon) {
		if ((size_t)(colon - user) >= sizeof(digits))
			return err_set(e, -EINVAL, "user %s: not NAME or UID:GID", user);
		memcpy(digits, user, (size_t)(colon - user));
		digits[colon - user] = '\0';
		if (u64_parse(digits, UINT32_MAX - 1, &u) < 0 ||
		    u64_parse(colon + 1, UINT32_MAX - 1, &g) < 0)
			return err_set(e, -EINVAL, "user %s: not NAME or UID:GID", user);
		*uid = (uid_t)u;
		*gid = (gid_t)g;
		return 0;
	}
	errno = 0;
	pw = getpwnam(user);
	if (!pw)
		return err_set(e, -ENOENT, "user %s: no such user", user);
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	*name = user;
	return 0;
}

int proc_keep_caps(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int i;

	/* Keep what we have of it: asking for more than the permitted set is an error. */
	memset(data, 0, sizeof(data));
	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if ((data[0].permitted | (uint64_t)data[1].permitted << 32) != keep)
		return -EPERM;
	if (syscall(SYS_capset, &head, data) < 0)
		return -errno;
	return 0;
}

static int change_user(const char *user, uid_t uid, gid_t gid, const char *name, struct err *e)
{
	int rc;

	/* Without this the capabilities would go with the uid. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(e, -errno, "user %s: keep capabilities", user);
	rc = name ? initgroups(name, gid) : setgroups(0, NULL);
	if (rc < 0)
		return err_sys(e, -errno, "user %s: set groups", user);
	/* With CAP_SETGID and CAP_SETUID these set the real, effective and saved ids. */
	if (setgid(gid) < 0)
		return err_sys(e, -errno, "user %s: set group %u", user, gid);
	if (setuid(uid) < 0)
		return err_sys(e, -errno, "user %s: set user %u", user, uid);
	return 0;
}

int proc_drop(const char *user, uint64_t keep, struct err *e)
{
	const char *name = NULL;
	uid_t uid = 0;
	gid_t gid = 0;
	int rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, -errno, "set no_new_privs");
	if (!user || !*user)
		return 0;
	rc = find_user(user, &uid, &gid, &name, e);
	if (rc < 0)
		return rc;
	if (uid == getuid() && uid == geteuid() && gid == getgid() && uid != 0)
		return 0;
	rc = change_user(user, uid, gid, name, e);
	if (rc < 0)
		return rc;
	rc = proc_keep_caps(keep);
	if (rc < 0)
		return err_sys(e, rc, "user %s: keep only the needed capabilities", user);
	/* The way back must be shut: a success here would mean that root is one call away. */
	if (uid != 0 && setuid(0) == 0)
		return err_set(e, -EPERM, "user %s: root could be regained", user);
	return 0;
}

uint64_t proc_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit))
			getrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_cur;
}

int proc_beside(const char *name, char *out, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", out, size);
	char *slash;

	if (n < 0)
		return -errno;
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (!slash || (size_t)(slash + 1 - out) + strlen(name) >= size)
		return -ENAMETOOLONG;
	memcpy(slash + 1, name, strlen(name) + 1);
	return 0;
}
