// SPDX-License-Identifier: GPL-2.0-or-later
/* The spool: bytes that were promised stay what they are. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "netkit.h"

#include "cloud/spool.h"
#include "lib/digest.h"

#define ID "0123456789abcdef0123456789abcdef"
#define OTHER "00000000000000000000000000000001"

/* The disk fails when told to: these stand before those of the C library. */
static int flush_err;
static bool cannot_allocate;

int fdatasync(int fd)
{
	(void)fd;
	errno = flush_err;
	return flush_err ? -1 : 0;
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	if (!cannot_allocate)
		return (int)syscall(SYS_fallocate, fd, mode, offset, len);
	errno = EOPNOTSUPP;
	return -1;
}

static int setup(void **state)
{
	*state = kit_dir_new();
	return 0;
}

static int teardown(void **state)
{
	kit_dir_free(*state);
	return 0;
}

static struct spool *open_spool(const char *dir)
{
	struct err e = { 0 };
	struct spool *s;

	if (spool_open(dir, &s, &e))
		fail_msg("%s", err_text(&e));
	return s;
}

static void writes_holes_only(void **state)
{
	struct spool *s = open_spool(*state);
	struct spool_file *f;
	char got[11] = "";

	assert_int_equal(spool_file_new(s, ID, 10, &f), 0);
	assert_int_equal(spool_write(f, 4, "4567", 4), 0);
	assert_int_equal(spool_write(f, 0, "abcdefgh", 8), 0); /* 4..7 stay as they were */
	assert_false(spool_complete(f));
	assert_int_equal(spool_write(f, 8, "89", 2), 0);
	assert_true(spool_complete(f));
	assert_int_equal(spool_write(f, 0, "0123456789", 10), 0);
	assert_int_equal(pread(spool_fd(f), got, 10, 0), 10);
	assert_string_equal(got, "abcd456789");
	assert_int_equal(spool_write(f, 9, "xy", 2), -ERANGE);
	assert_int_equal(spool_write(f, UINT64_MAX, "x", 1), -ERANGE);
	assert_int_equal(spool_flush(f), 0);
	spool_file_close(f);
	assert_int_equal(spool_file_new(s, ID, 10, &f), -EEXIST);
	assert_int_equal(spool_remove(s, ID), 0);
	assert_int_equal(spool_remove(s, ID), 0);
	assert_int_equal(spool_remove(s, "../x"), -EINVAL);
	spool_close(s);
}

static void a_failed_flush_is_not_forgotten(void **state)
{
	struct spool *s = open_spool(*state);
	char hex[SHA256_STR_LEN], want[SHA256_STR_LEN], got[9] = "";
	uint8_t sum[SHA256_LEN];
	struct spool_file *f;

	assert_int_equal(spool_file_new(s, ID, 8, &f), 0);
	assert_int_equal(spool_write(f, 0, "01", 2), 0);
	assert_int_equal(spool_flush(f), 0);
	assert_int_equal(spool_write(f, 2, "abcdef", 6), 0);
	assert_int_equal(spool_digest(f, 4, hex), 0);
	flush_err = EIO;
	assert_int_equal(spool_flush(f), -EIO);
	flush_err = 0;
	assert_true(ranges_contains(spool_held(f), 0, 2));
	assert_int_equal(ranges_total(spool_held(f)), 2);
	assert_int_equal(spool_write(f, 0, "xx234567", 8), 0);
	assert_int_equal(spool_flush(f), 0);
	assert_true(spool_complete(f));
	assert_int_equal(pread(spool_fd(f), got, 8, 0), 8);
	assert_string_equal(got, "01234567");
	sha256_once(got, 8, sum);
	sha256_hex(sum, want);
	assert_int_equal(spool_digest(f, UINT64_MAX, hex), 1);
	assert_string_equal(hex, want);
	spool_file_close(f);
	spool_remove(s, ID);
	spool_close(s);
}

static void opens_what_was_durable(void **state)
{
	struct spool *s = open_spool(*state);
	struct ranges held = RANGES_INIT;
	struct spool_file *f;

	assert_int_equal(spool_file_open(s, ID, 8, &held, &f), -ENOENT);
	assert_int_equal(spool_file_new(s, ID, 8, &f), 0);
	spool_write(f, 0, "0123", 4);
	spool_file_close(f);
	assert_int_equal(spool_file_open(s, ID, 9, &held, &f),
			 -EINVAL); /* shorter than it should be */
	ranges_add(&held, 0, 4, NULL);
	assert_int_equal(spool_file_open(s, ID, 8, &held, &f), 0);
	assert_true(ranges_contains(spool_held(f), 0, 4));
	spool_write(f, 4, "4567", 4);
	assert_true(spool_complete(f));
	spool_file_close(f);
	ranges_add(&held, 4, 9, NULL);
	assert_int_equal(spool_file_open(s, ID, 8, &held, &f),
			 -EINVAL); /* holds more than there is */
	ranges_fini(&held);
	spool_remove(s, ID);
	spool_close(s);
}

static void refuses_what_does_not_fit(void **state)
{
	struct spool *s = open_spool(*state);
	struct spool_file *f;
	int ret;

	assert_int_equal(spool_file_new(s, ID, CONTENT_SIZE_MAX + 1, &f), -EFBIG);
	ret = spool_file_new(s, ID, CONTENT_SIZE_MAX, &f);
	assert_true(ret == -ENOSPC || ret == -EFBIG);
	/* ... and leaves nothing behind */
	assert_int_equal(spool_file_new(s, ID, 1, &f), 0);
	spool_file_close(f);
	spool_remove(s, ID);
	spool_close(s);
}

static void does_without_reserved_space(void **state)
{
	struct spool *s = open_spool(*state);
	struct spool_file *f;
	struct stat st;

	cannot_allocate = true;
	assert_int_equal(spool_file_new(s, ID, 1 << 20, &f), 0);
	cannot_allocate = false;
	assert_int_equal(fstat(spool_fd(f), &st), 0);
	assert_int_equal(st.st_size, 1 << 20);
	assert_int_equal(st.st_blocks, 0); /* nothing was written to make room */
	spool_file_close(f);
	spool_remove(s, ID);
	spool_close(s);
}

static void digests_as_it_comes(void **state)
{
	struct spool *s = open_spool(*state);
	char hex[SHA256_STR_LEN], want[SHA256_STR_LEN];
	uint8_t data[200000], sum[SHA256_LEN];
	struct spool_file *f;
	size_t i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	sha256_once(data, sizeof(data), sum);
	sha256_hex(sum, want);
	assert_int_equal(spool_file_new(s, ID, sizeof(data), &f), 0);
	spool_write(f, 100000, data + 100000, 100000);
	assert_int_equal(spool_digest(f, UINT64_MAX, hex), 0); /* nothing from the start yet */
	spool_write(f, 0, data, 100000);
	assert_int_equal(spool_digest(f, 70000, hex), 0);
	assert_int_equal(spool_digest(f, 70000, hex), 0);
	assert_int_equal(spool_digest(f, 70000, hex), 1);
	assert_string_equal(hex, want);
	assert_int_equal(spool_digest(f, 1, hex), 1); /* asked again */
	assert_string_equal(hex, want);
	spool_file_close(f);
	spool_remove(s, ID);
	spool_close(s);
}

static void empty_content(void **state)
{
	struct spool *s = open_spool(*state);
	char hex[SHA256_STR_LEN];
	struct spool_file *f;

	assert_int_equal(spool_file_new(s, ID, 0, &f), 0);
	assert_true(spool_complete(f));
	assert_int_equal(spool_digest(f, 1, hex), 1);
	assert_string_equal(hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	spool_file_close(f);
	spool_remove(s, ID);
	spool_close(s);
}

static bool only_id(const char *id, void *arg)
{
	(void)arg;
	return !strcmp(id, ID);
}

static void sweeps_orphans(void **state)
{
	struct spool *s = open_spool(*state);
	struct ranges none = RANGES_INIT;
	struct spool_file *f;
	char path[PATH_MAX];
	int fd;

	assert_int_equal(spool_file_new(s, ID, 1, &f), 0);
	spool_file_close(f);
	assert_int_equal(spool_file_new(s, OTHER, 1, &f), 0);
	spool_file_close(f);
	snprintf(path, sizeof(path), "%s/not-ours", (char *)*state);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(spool_sweep(s, only_id, NULL), 0);
	assert_int_equal(spool_file_open(s, ID, 1, &none, &f), 0);
	spool_file_close(f);
	assert_int_equal(spool_file_open(s, OTHER, 1, &none, &f), -ENOENT);
	assert_int_equal(access(path, F_OK), 0);
	spool_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_holes_only, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_flush_is_not_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(opens_what_was_durable, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_what_does_not_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(does_without_reserved_space, setup, teardown),
		cmocka_unit_test_setup_teardown(digests_as_it_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(empty_content, setup, teardown),
		cmocka_unit_test_setup_teardown(sweeps_orphans, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
