// SPDX-License-Identifier: GPL-2.0-or-later
/* sandbox: what is left of the file system, as a process sees it that has entered it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/sandbox.h"

static char top[] = "/tmp/shunt-sandbox-XXXXXX";

static const char *in_top(const char *name)
{
	static char path[2][96];
	static unsigned int turn;
	char *p = path[turn++ % 2];

	snprintf(p, sizeof(path[0]), "%s/%s", top, name);
	return p;
}

static void put_file(const char *name)
{
	int fd = open(in_top(name), O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(top));
	assert_int_equal(mkdir(in_top("rw"), 0700), 0);
	assert_int_equal(mkdir(in_top("ro"), 0700), 0);
	put_file("rw/old");
	put_file("ro/file");
	put_file("outside");
	assert_int_equal(symlink(in_top("outside"), in_top("rw/link")), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", top);
	return system(command) ? -1 : 0;
}

/* 0, or the number of the first thing that is not as it should be. */
static int look_around(void)
{
	if (open(in_top("rw/new"), O_RDWR | O_CREAT | O_EXCL, 0600) < 0)
		return 1;
	if (rename(in_top("rw/new"), in_top("rw/old")) < 0)
		return 2;
	if (open(in_top("ro/file"), O_RDONLY) < 0)
		return 3;
	if (open(in_top("ro/file"), O_RDWR) >= 0 || errno != EACCES)
		return 4;
	if (open(in_top("ro/new"), O_RDWR | O_CREAT, 0600) >= 0 || errno != EACCES)
		return 5;
	if (open(in_top("outside"), O_RDONLY) >= 0 || errno != EACCES)
		return 6;
	if (open(in_top("rw/link"), O_RDONLY) >= 0 || errno != EACCES)
		return 7;
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES)
		return 8;
	if (symlink("x", in_top("rw/another")) == 0 || errno != EACCES)
		return 9;
	if (mkdir(in_top("rw/dir"), 0700) == 0 || errno != EACCES)
		return 10;
	if (execl("/bin/true", "true", NULL) == 0 || errno != EACCES)
		return 11;
	if (rename(in_top("rw/old"), in_top("out")) == 0 || (errno != EXDEV && errno != EACCES))
		return 12;
	return 0;
}

static void nothing_else_can_be_opened(void **state)
{
	char *rw = strdup(in_top("rw")), *ro = strdup(in_top("ro")),
	     *absent = strdup(in_top("absent"));
	const struct sandbox_path paths[] = {
		{ rw, true },
		{ NULL, true },
		{ absent, false },
		{ ro, false },
	};
	struct err e = { 0 };
	int status = 0;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		int rc = sandbox_enter(paths, sizeof(paths) / sizeof(paths[0]), &e);

		_exit(rc == 1 ? look_around() : rc == 0 ? 99 : 98);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	free(rw);
	free(ro);
	free(absent);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 99) {
		print_message("this kernel has no Landlock\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_else_can_be_opened),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
