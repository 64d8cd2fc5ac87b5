// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shunt-smb: one transfer with the file server of a device, over SMB; a child of shunt-cloud, which says on descriptor 3 what to
 * do (lib/smbmsg.h) and has connected descriptor 4 with the server. It says nothing to anybody else.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/opts.h"
#include "lib/smbmsg.h"
#include "smb/confine.h"
#include "smb/session.h"

static bool is_socket(int fd)
{
	int type;
	socklen_t len = sizeof(type);

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
}

/* libsmbclient writes to its standard output what it makes of a server's answers. */
static bool be_silent(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd;

	for (fd = 0; null >= 0 && fd <= 2; fd++)
		if (dup2(null, fd) < 0)
			return false;
	if (null > 2)
		close(null);
	return null >= 0;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	int ret;

	(void)argv;
	if (argc != 1 || !is_socket(SMB_FD_CONTROL) || !is_socket(SMB_FD_SERVER)) {
		fprintf(stderr, "shunt-smb: only shunt-cloud can start it\n");
		return EXIT_CONFIG;
	}
	ret = confine_begin(&e);
	if (!ret && be_silent())
		ret = session_run(SMB_FD_CONTROL, SMB_FD_SERVER, &e);
	/* The cloud knows more than could be said here: by DONE, or by its not having come. */
	return ret ? EXIT_RUNTIME : EXIT_STOPPED;
}
