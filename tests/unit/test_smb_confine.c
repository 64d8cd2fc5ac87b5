// SPDX-License-Identifier: GPL-2.0-or-later
/* confine: what is left to a process that has given up what it does not need. */
#include "smb/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static int pair[2];
static int tcp; /* connected */

static bool refused(long ret)
{
	return ret == -1 && (errno == EPERM || errno == EACCES);
}

/* A call that sends would connect, too. */
static int reach_out(int fd)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1
	};

	if (!refused(sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to))))
		return 20;
	if (!refused(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to))))
		return 21;
	if (!refused(sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, NULL, 0)))
		return 22;
	if (!refused(sendmsg(fd, &msg, MSG_FASTOPEN | MSG_NOSIGNAL)))
		return 23;
	if (!refused(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){ 1 }, sizeof(int))))
		return 24;
	return 0;
}

/* The kernel would signal the parent in our name. */
static int have_signalled(int fd, pid_t parent)
{
	const struct f_owner_ex owner = { F_OWNER_PID, parent };
	int flags = fcntl(fd, F_GETFL), on = 1;

	if (!refused(fcntl(fd, F_SETOWN, parent)))
		return 30;
	if (!refused(fcntl(fd, F_SETOWN_EX, &owner)))
		return 31;
	if (!refused(fcntl(fd, F_SETSIG, SIGKILL)))
		return 32;
	if (!refused(fcntl(fd, F_SETFL, flags | O_ASYNC)))
		return 33;
	if (!refused(ioctl(fd, FIOSETOWN, &parent)))
		return 34;
	if (!refused(ioctl(fd, SIOCSPGRP, &parent)))
		return 35;
	if (!refused(ioctl(fd, FIOASYNC, &on)))
		return 36;
	return 0;
}

/* What libsmbclient does with its connection. */
static int use(int fd)
{
	int flags = fcntl(fd, F_GETFL), n = 0, copy;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFL, flags))
		return 40;
	if (fcntl(fd, F_GETFD) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return 41;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0 || close(copy))
		return 42;
	if (ioctl(fd, FIONREAD, &n) || ioctl(fd, FIONBIO, &(int){ 0 }))
		return 43;
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)))
		return 44;
	if (send(fd, "a", 1, MSG_NOSIGNAL) != 1)
		return 45;
	return 0;
}

/* The C library's socket() is another one here (outlet.h), so the kernel is asked itself. */
static int look_around(pid_t parent)
{
	char *const argv[] = { "true", NULL };
	int ret;
	char c;

	if (getuid() == 0 || geteuid() == 0)
		return 1;
	if (!refused(open("/etc/passwd", O_RDONLY)))
		return 2;
	if (!refused(open("/tmp/shunt-confined", O_WRONLY | O_CREAT, 0600)))
		return 3;
	if (!refused(execv("/bin/true", argv)))
		return 4;
	if (!refused(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0)))
		return 5;
	if (!refused(syscall(SYS_connect, pair[0], NULL, 0)))
		return 6;
	if (!refused(kill(parent, 0)))
		return 7;
	if (!refused(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL)))
		return 8;
	if (!refused(syscall(SYS_process_vm_readv, parent, NULL, 0, NULL, 0, 0)))
		return 9;
	if (!refused((long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				0)))
		return 10;
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED)
		return 11;
	if (!refused(unlink("/tmp/shunt-confined")))
		return 12;
	if (!refused(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)))
		return 13;
	ret = reach_out(tcp);
	if (!ret)
		ret = have_signalled(pair[0], parent);
	if (!ret)
		ret = use(tcp);
	if (ret)
		return ret;
	/* what it is there for */
	if (read(pair[0], &c, 1) != 1 || write(pair[0], "y", 1) != 1)
		return 14;
	return 0;
}

static int connected(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	assert_true(accept(listener, NULL, NULL) >= 0); /* stays open until the end */
	close(listener);
	return fd;
}

static void only_what_is_open(void **state)
{
	struct err e = { 0 };
	pid_t pid, parent = getpid();
	int status = 0;
	char c;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	tcp = connected();
	pid = fork();
	if (pid == 0) {
		if (confine_begin(&e) || confine_end(&e))
			_exit(99);
		if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) > 0)
			_exit(98);
		_exit(look_around(parent));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(read(pair[1], &c, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
