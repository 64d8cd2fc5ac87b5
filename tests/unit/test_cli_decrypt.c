// SPDX-License-Identifier: GPL-2.0-or-later
/* shunt key and shunt decrypt: what they make, what they say, and that no half of a file is left. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "lib/age.h"

#define SIZE 150000

static char top[] = "/tmp/shunt-decrypt-XXXXXX";
static uint8_t plain[SIZE];

static char *in_top(const char *name)
{
	static char paths[4][128];
	static unsigned int turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
	return path;
}

/* Run; standard output goes to the file "out", what was said to @said. */
static int run(int (*command)(struct cli *c, struct args *a), char *words[], char said[512])
{
	struct cli c = { 0 };
	struct args a = { words, 0 };
	char *text = NULL;
	size_t n = 0;
	int status;

	while (words[a.n])
		a.n++;
	c.errors = open_memstream(&text, &n);
	c.output = fopen(in_top("out"), "w");
	assert_non_null(c.output);
	c.out = out_new(c.output, 0);
	status = command(&c, &a);
	out_free(c.out);
	fclose(c.output);
	fclose(c.errors);
	snprintf(said, 512, "%s", text);
	free(text);
	return status;
}

static size_t size_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(in_top(name), &st), 0);
	return (size_t)st.st_size;
}

static void assert_plain(const char *name, size_t from, size_t len)
{
	static uint8_t got[SIZE + 1];
	int fd = open(in_top(name), O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, got, sizeof(got)), len);
	assert_memory_equal(got, plain + from, len);
	close(fd);
}

static unsigned int files(void)
{
	unsigned int n = 0;
	DIR *d = opendir(top);

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* "stored": SIZE octets for the identity "key". */
static int setup(void **state)
{
	char said[512], text[AGE_RECIPIENT_STR_LEN + 1] = "";
	struct age_recipient to;
	struct age_stream *s;
	struct age *age;
	uint8_t buf[4096];
	uint64_t at = 0;
	ssize_t n;
	FILE *f;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(top));
	for (size_t i = 0; i < SIZE; i++)
		plain[i] = (uint8_t)(i * 2654435761u >> 9);
	assert_int_equal(run(cmd_key, (char *[]){ "new", in_top("key"), NULL }, said), CLI_OK);
	f = fopen(in_top("out"), "r");
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	assert_int_equal(age_recipient_parse(text, &to), 0);
	fd = open(in_top("plain"), O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(fd, plain, SIZE), SIZE);
	assert_int_equal(age_new(&to, 1, &age), 0);
	assert_int_equal(age_stream_seal(age, fd, SIZE, &s), 0);
	f = fopen(in_top("stored"), "w");
	while ((n = age_stream_read(s, at, buf, sizeof(buf))) > 0)
		at += fwrite(buf, 1, (size_t)n, f);
	fclose(f);
	close(fd);
	age_stream_free(s);
	age_free(age);
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", top);
	return system(command) ? -1 : 0;
}

static int decrypt(const char *file, const char *out, char said[512])
{
	return run(cmd_decrypt,
		   (char *[]){ "-i", in_top("key"), "-o", in_top(out), in_top(file), NULL }, said);
}

static void a_file_comes_back(void **state)
{
	char said[512];

	(void)state;
	assert_int_equal(decrypt("stored", "whole", said), CLI_OK);
	assert_plain("whole", 0, SIZE);
	assert_int_equal(run(cmd_decrypt, (char *[]){ "-i", in_top("key"), in_top("stored"), NULL },
			     said),
			 CLI_OK);
	assert_plain("out", 0, SIZE);
	assert_int_equal(run(cmd_decrypt,
			     (char *[]){ "-i", in_top("key"), "--range", "65530-131080",
					 in_top("stored"), NULL },
			     said),
			 CLI_OK);
	assert_plain("out", 65530, 131081 - 65530);
	/* the end of the file ends the range */
	assert_int_equal(run(cmd_decrypt,
			     (char *[]){ "-i", in_top("key"), "--range=149990-200000",
					 in_top("stored"), NULL },
			     said),
			 CLI_OK);
	assert_plain("out", 149990, 10);
}

static void keys_are_never_overwritten(void **state)
{
	char said[512];
	struct stat st;

	(void)state;
	assert_int_equal(stat(in_top("key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(run(cmd_key, (char *[]){ "new", in_top("key"), NULL }, said), CLI_USAGE);
	assert_non_null(strstr(said, "File exists"));
	assert_int_equal(run(cmd_key, (char *[]){ "show", in_top("key"), NULL }, said), CLI_OK);
	assert_int_equal(size_of("out"), AGE_RECIPIENT_STR_LEN);
}

/* A disk that is full says nothing about the file. */
static void what_cannot_be_written_is_no_damage(void **state)
{
	struct rlimit before, low = { 70000, RLIM_INFINITY };
	char said[512];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_equal(decrypt("stored", "never", said), CLI_USAGE);
	assert_non_null(strstr(said, "never: "));
	assert_non_null(strstr(said, strerror(EFBIG)));
	assert_int_equal(run(cmd_decrypt, (char *[]){ "-i", in_top("key"), in_top("stored"), NULL },
			     said),
			 CLI_USAGE);
	assert_non_null(strstr(said, "standard output: "));
	assert_int_equal(
		run(cmd_decrypt,
		    (char *[]){ "-i", in_top("key"), "--range", "0-99999", in_top("stored"), NULL },
		    said),
		CLI_USAGE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(access(in_top("never"), F_OK), -1);
}

static void damage_leaves_nothing(void **state)
{
	char said[512];
	unsigned int before;
	int fd;

	(void)state;
	assert_int_equal(rename(in_top("stored"), in_top("damaged")), 0);
	before = files();
	assert_int_equal(truncate(in_top("damaged"), (off_t)size_of("damaged") - 1), 0);
	assert_int_equal(decrypt("damaged", "never", said), CLI_REFUSED);
	assert_non_null(strstr(said, "cut off or damaged behind octet 131072 of its plaintext"));
	/* cut behind a whole chunk */
	assert_int_equal(truncate(in_top("damaged"),
				  (off_t)size_of("damaged") - (SIZE - 2 * AGE_CHUNK + AGE_TAG - 1)),
			 0);
	assert_int_equal(decrypt("damaged", "never", said), CLI_REFUSED);
	assert_non_null(strstr(said, "cut off or damaged behind octet 65536"));
	assert_int_equal(
		run(cmd_decrypt,
		    (char *[]){ "-i", in_top("key"), "--range", "0-9", in_top("damaged"), NULL },
		    said),
		CLI_REFUSED);
	fd = open(in_top("damaged"), O_WRONLY);
	assert_int_equal(pwrite(fd, "?", 1, 1000), 1);
	close(fd);
	assert_int_equal(decrypt("damaged", "never", said), CLI_REFUSED);
	assert_non_null(strstr(said, "damaged within the 64 KiB at octet 0"));
	assert_int_equal(decrypt("plain", "never", said), CLI_REFUSED);
	assert_non_null(strstr(said, "not an age file"));
	assert_int_equal(files(), before);
	assert_int_equal(access(in_top("never"), F_OK), -1);
}

static void wrong_keys(void **state)
{
	char said[512];

	(void)state;
	assert_int_equal(run(cmd_key, (char *[]){ "new", in_top("other"), NULL }, said), CLI_OK);
	assert_int_equal(run(cmd_decrypt,
			     (char *[]){ "-i", in_top("other"), in_top("damaged"), NULL }, said),
			 CLI_REFUSED);
	assert_non_null(strstr(said, "not encrypted to this identity"));
	assert_int_equal(chmod(in_top("other"), 0644), 0);
	assert_int_equal(run(cmd_decrypt,
			     (char *[]){ "-i", in_top("other"), in_top("damaged"), NULL }, said),
			 CLI_USAGE);
	assert_non_null(strstr(said, "lets others in"));
	assert_int_equal(run(cmd_decrypt, (char *[]){ in_top("damaged"), NULL }, said), CLI_USAGE);
	assert_int_equal(
		run(cmd_decrypt,
		    (char *[]){ "-i", in_top("key"), "--range", "9-1", in_top("damaged"), NULL },
		    said),
		CLI_USAGE);
	assert_int_equal(decrypt("absent", "never", said), CLI_USAGE);
	/* a result in place of a directory */
	assert_int_equal(mkdir(in_top("dir"), 0700), 0);
	assert_int_equal(decrypt("damaged", "dir", said), CLI_USAGE);
	assert_non_null(strstr(said, "not a regular file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_comes_back),
		cmocka_unit_test(keys_are_never_overwritten),
		cmocka_unit_test(what_cannot_be_written_is_no_damage),
		cmocka_unit_test(damage_leaves_nothing),
		cmocka_unit_test(wrong_keys),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
