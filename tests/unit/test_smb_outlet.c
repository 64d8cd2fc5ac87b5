// SPDX-License-Identifier: GPL-2.0-or-later
/* outlet: a library that connects gets the one connection that there is, once, and no other. */
#include "smb/outlet.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct sockaddr_in somewhere = { .sin_family = AF_INET };

static int listener(void)
{
	socklen_t len = sizeof(somewhere);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	somewhere.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&somewhere, sizeof(somewhere)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&somewhere, &len), 0);
	return fd;
}

static void one_connection(void **state)
{
	const struct sockaddr_in elsewhere = { .sin_family = AF_INET, .sin_port = 1 };
	int at = listener(), mine, other, lent, fd;
	char c;

	(void)state;
	mine = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(mine, (struct sockaddr *)&somewhere, sizeof(somewhere)), 0);
	other = accept(at, NULL, NULL);
	fd = socket(AF_INET, SOCK_STREAM, 0);

	outlet_set(mine);
	assert_int_equal(socket(AF_UNIX, SOCK_STREAM, 0), -1);
	assert_int_equal(errno, ENETUNREACH);
	lent = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(lent >= 0 && lent != mine);
	assert_int_equal(connect(lent, (struct sockaddr *)&elsewhere, sizeof(elsewhere)), 0);
	assert_int_equal(write(lent, "x", 1), 1);
	assert_int_equal(read(other, &c, 1), 1);
	assert_int_equal(c, 'x');
	assert_int_equal(connect(fd, (struct sockaddr *)&somewhere, sizeof(somewhere)), -1);
	assert_int_equal(errno, ENETUNREACH);
	assert_int_equal(socket(AF_INET, SOCK_STREAM, 0), -1);
	assert_int_equal(errno, ENETUNREACH);

	assert_false(outlet_broken());
	close(lent);
	assert_false(outlet_broken());
	close(other);
	assert_true(outlet_broken());
	close(mine);
	close(fd);
	close(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
