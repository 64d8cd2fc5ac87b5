// SPDX-License-Identifier: GPL-2.0-or-later
/* credentials: what stands in the file, what is refused with which line, and that no message tells a secret. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "netkit.h"

#include "cloud/credentials.h"

static void assert_entry(const struct credentials *c, const char *device, const char *name,
			 const char *password)
{
	const struct credentials_entry *entry = credentials_find(c, device);

	assert_non_null(entry);
	assert_string_equal(entry->device, device);
	assert_string_equal(entry->name, name);
	assert_string_equal(entry->password, password);
}

static void lines(void **state)
{
	static const char text[] = "nas-2 shunt one\n\n# nas-9 a b\n \t# nas-8 a b\n"
				   "\tnas-1\t \tst\xc3\xb6r  two: #three \t\nnas-3 a b";
	struct credentials *c;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(credentials_parse(text, strlen(text), &c, &e), 0);
	assert_entry(c, "nas-1", "st\xc3\xb6r", "two: #three");
	assert_entry(c, "nas-2", "shunt", "one");
	assert_entry(c, "nas-3", "a", "b");
	assert_null(credentials_find(c, "nas-9"));
	assert_null(credentials_find(c, "nas"));
	credentials_free(c);
	assert_int_equal(credentials_parse("", 0, &c, &e), 0);
	assert_null(credentials_find(c, "nas-1"));
	credentials_free(c);
	assert_null(credentials_find(NULL, "nas-1"));
}

static void assert_refused(const char *text, size_t len, const char *why)
{
	struct credentials *c;
	struct err e = { 0 };

	assert_int_equal(credentials_parse(text, len, &c, &e), -SHUNT_EPARSE);
	assert_string_equal(err_text(&e), why);
	assert_null(strstr(err_text(&e), "s3cret"));
}

static void bad_lines(void **state)
{
	static const char nul[] = "# x\nnas-1 a s3cret\0more\n";
	char text[400], word[258];
	int n;

	(void)state;
	assert_refused(nul, sizeof(nul) - 1, "line 2: holds a control character");
#define REFUSED(text, why) assert_refused(text, strlen(text), why)
	REFUSED("nas-1 a s3cret\r\n", "line 1: holds a control character");
	REFUSED("\n\ns3cret/ a b\n", "line 3: the first word is no device code");
	REFUSED("nas-1\n", "line 1: not of the form DEVICE NAME PASSWORD");
	REFUSED("nas-1 s3cret \n", "line 1: not of the form DEVICE NAME PASSWORD");
	REFUSED("nas-1 a:s3cret b\n", "line 1: the name holds a colon");
	REFUSED("nas-1 a s3cret\nnas-2 a b\nnas-1 c d\n", "device nas-1 has more than one line");
	memset(word, 'x', 256);
	word[256] = '\0';
	n = snprintf(text, sizeof(text), "nas-1 %s b\n", word);
	assert_refused(text, (size_t)n, "line 1: the name is longer than 255 octets");
	n = snprintf(text, sizeof(text), "nas-1 b %s\n", word);
	assert_refused(text, (size_t)n, "line 1: the password is longer than 255 octets");
}

static void files(void **state)
{
	static const char text[] = "nas-1 shunt s3cret\n";
	char *dir = kit_dir_new(), file[PATH_MAX], why[PATH_MAX + 100];
	struct credentials *c;
	struct err e = { 0 };
	int fd;

	(void)state;
	snprintf(file, sizeof(file), "%s/credentials", dir);
	assert_int_equal(credentials_load(file, &c, &e), -ENOENT);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(credentials_load(file, &c, &e), 0);
	assert_entry(c, "nas-1", "shunt", "s3cret");
	credentials_free(c);
	assert_int_equal(fchmod(fd, 0640), 0);
	assert_int_equal(credentials_load(file, &c, &e), -SHUNT_ESECRETFILE);
	snprintf(why, sizeof(why), "%s: mode 0640 lets others in; run chmod 600 on it", file);
	assert_string_equal(err_text(&e), why);
	assert_int_equal(fchmod(fd, 0602), 0);
	assert_int_equal(credentials_load(file, &c, &e), -SHUNT_ESECRETFILE);
	assert_int_equal(fchmod(fd, 0400), 0);
	assert_int_equal(ftruncate(fd, (off_t)CREDENTIALS_FILE_MAX + 1), 0);
	assert_int_equal(credentials_load(file, &c, &e), -EFBIG);
	assert_int_equal(ftruncate(fd, 8), 0);
	assert_int_equal(credentials_load(file, &c, &e), -SHUNT_EPARSE);
	snprintf(why, sizeof(why), "%s: line 1: not of the form DEVICE NAME PASSWORD", file);
	assert_string_equal(err_text(&e), why);
	close(fd);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(credentials_load(file, &c, &e), -SHUNT_ESECRETFILE);
	kit_dir_free(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(bad_lines),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
