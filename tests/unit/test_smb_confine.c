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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static int pair[2];

static bool refused(long ret)
{
	return ret == -1 && (errno == EPERM || errno == EACCES);
}

/* The C library's socket() is another one here (outlet.h), so the kernel is asked itself. */
static int look_around(pid_t parent)
{
	char *const argv[] = { "true", NULL };
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
	/* what it is there for */
	if (read(pair[0], &c, 1) != 1 || write(pair[0], "y", 1) != 1)
		return 14;
	return 0;
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
