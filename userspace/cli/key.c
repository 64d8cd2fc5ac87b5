// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/key.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/conf.h"
#include "lib/err.h"
#include "lib/types.h"

#define KEY_MAX 64
#define TEXT_MAX (2 * KEY_MAX + 64) /* hex and some white space */
#define FILE_PREFIX "file:"

int key_source_check(const char *source, struct err *e)
{
	size_t n = strlen(FILE_PREFIX);

	if (!strcmp(source, "-") || (!strncmp(source, FILE_PREFIX, n) && source[n]))
		return 0;
	return err_set(e, -EINVAL, "a key comes from file:PATH or, with -, from standard input");
}

/* All of @fd up to @size octets: their number or -errno. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size) {
		got = read(fd, text + n, size - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* One line, read octet by octet so that the next "-" finds its own. */
static ssize_t read_line(int fd, char *text, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size) {
		got = read_all(fd, text + n, 1);
		if (got < 0)
			return got;
		if (!got || text[n] == '\n')
			break;
		n++;
	}
	return (ssize_t)n;
}

static int decode(const char *name, char *text, size_t n, bool raw, uint8_t *out, size_t len,
		  struct err *e)
{
	size_t from = 0;

	if (raw && n == len) {
		memcpy(out, text, len);
		return 0;
	}
	while (n > 0 && isspace((unsigned char)text[n - 1]))
		n--;
	while (from < n && isspace((unsigned char)text[from]))
		from++;
	if (n - from != 2 * len)
		return err_set(e, -SHUNT_EFIELD,
			       "%s: has %zu octets; this cipher's key takes %s%zu hex digits", name,
			       n - from, raw ? "its octets or " : "", 2 * len);
	text[n] = '\0';
	if (hex_decode(text + from, out, len))
		return err_set(e, -SHUNT_EFIELD, "%s: not hex digits", name);
	return 0;
}

static int read_file(const char *path, char *text, ssize_t *n, struct err *e)
{
	int fd, err;

	err = conf_check_secret_file(path, e);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, -errno, "%s", path);
	*n = read_all(fd, text, TEXT_MAX);
	close(fd);
	return *n < 0 ? err_sys(e, (int)*n, "%s", path) : 0;
}

int key_read(const char *source, uint8_t *out, size_t len, struct err *e)
{
	bool raw = strcmp(source, "-") != 0;
	const char *name = raw ? source + strlen(FILE_PREFIX) : "standard input";
	char text[TEXT_MAX + 1];
	ssize_t n = 0;
	int err;

	err = len > KEY_MAX ? err_set(e, -EINVAL, "keys have at most %d octets", KEY_MAX) :
			      key_source_check(source, e);
	if (!err && raw) {
		err = read_file(name, text, &n, e);
	} else if (!err) {
		n = read_line(STDIN_FILENO, text, TEXT_MAX);
		if (n < 0)
			err = err_sys(e, (int)n, "%s", name);
	}
	if (!err)
		err = decode(name, text, (size_t)n, raw, out, len, e);
	explicit_bzero(text, sizeof(text));
	if (err)
		explicit_bzero(out, len);
	return err;
}
