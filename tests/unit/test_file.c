// SPDX-License-Identifier: GPL-2.0-or-later
/* file: all of it, or how much and why not. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/file.h"

static int open_temporary(void)
{
	char path[] = "/tmp/shunt-file-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	return fd;
}

static void all_of_it(void **state)
{
	char got[16] = { 0 };
	size_t put = 99;
	int fd = open_temporary();

	(void)state;
	assert_int_equal(file_write(fd, "one", 3), 0);
	assert_int_equal(file_write(fd, "two", 3), 0);
	assert_int_equal(file_write_at(fd, 1, "ZZ", 2, &put), 0);
	assert_int_equal(put, 2);
	assert_int_equal(file_write_at(fd, 8, "end", 3, NULL), 0);
	assert_int_equal(file_write_at(fd, 0, "", 0, &put), 0);
	assert_int_equal(put, 0);
	assert_int_equal(pread(fd, got, sizeof(got), 0), 11);
	assert_memory_equal(got, "oZZtwo\0\0end", 11);
	assert_int_equal(file_read_at(fd, 1, got, 5), 0);
	assert_memory_equal(got, "ZZtwo", 5);
	assert_int_equal(file_read_at(fd, 8, got, 4), -ENODATA);
	close(fd);
}

static void on_signal(int sig)
{
	(void)sig;
}

/* A pipe takes as much as it has room for, and a signal interrupts the wait for more. */
static void piecewise(void **state)
{
	enum { MUCH = 1 << 20 };
	struct sigaction act = { .sa_handler = on_signal };
	uint8_t *data = calloc(1, MUCH), *got = malloc(MUCH);
	pid_t writer;
	size_t have = 0;
	int fds[2], status;
	ssize_t n = 1;

	(void)state;
	for (size_t i = 0; i < MUCH; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 11);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(sigaction(SIGUSR1, &act, NULL), 0);
	writer = fork();
	if (writer == 0)
		_exit(file_write(fds[1], data, MUCH) ? 1 : 0);
	close(fds[1]);
	while (n > 0) {
		kill(writer, SIGUSR1);
		n = read(fds[0], got + have, MUCH - have);
		have += n > 0 ? (size_t)n : 0;
	}
	close(fds[0]);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
	assert_int_equal(have, MUCH);
	assert_memory_equal(got, data, MUCH);
	free(data);
	free(got);
}

static void or_why_not(void **state)
{
	struct rlimit old, small;
	size_t put = 99;
	int fd = open("/dev/full", O_WRONLY);

	(void)state;
	assert_int_equal(file_write(fd, "x", 1), -ENOSPC);
	close(fd);
	assert_int_equal(file_write(-1, "x", 1), -EBADF);
	fd = open_temporary();
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){ 10, old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(file_write_at(fd, 4, "0123456789", 10, &put), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(put, 6);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it),
		cmocka_unit_test(piecewise),
		cmocka_unit_test(or_why_not),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
