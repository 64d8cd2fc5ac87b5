// SPDX-License-Identifier: GPL-2.0-or-later
/* wrap: what a file server gets is one encrypted file, however often it is sent; and its keys in the spool. */
#include <errno.h>
#include <fcntl.h>

#include "netkit.h"

#include "cloud/spool.h"
#include "cloud/wrap.h"
#include "lib/age.h"

#define ID "0123456789abcdef0123456789abcdef"
#define OTHER "00000000000000000000000000000001"
#define SIZE 200000

struct fixture {
	char *dir;
	struct spool *spool;
	struct age_identity id;
	char to[AGE_RECIPIENT_STR_LEN];
	uint8_t plain[SIZE];
	int fd;
};

static void identity_new(struct age_identity *id, char to[AGE_RECIPIENT_STR_LEN])
{
	struct age_recipient r;

	assert_int_equal(age_identity_new(id), 0);
	assert_int_equal(age_identity_recipient(id, &r), 0);
	age_recipient_print(&r, to);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct spool_file *file;
	struct err e = { 0 };

	f->dir = kit_dir_new();
	assert_int_equal(spool_open(f->dir, &f->spool, &e), 0);
	for (size_t i = 0; i < SIZE; i++)
		f->plain[i] = (uint8_t)(i * 2654435761u >> 7);
	assert_int_equal(spool_file_new(f->spool, ID, SIZE, &file), 0);
	assert_int_equal(spool_write(file, 0, f->plain, SIZE), 0);
	assert_int_equal(spool_flush(file), 0);
	spool_file_close(file);
	assert_int_equal(spool_open_read(f->spool, ID, &f->fd), 0);
	identity_new(&f->id, f->to);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	spool_close(f->spool);
	kit_dir_free(f->dir);
	free(f);
	return 0;
}

/* All of it, in pieces of @piece; the caller frees. */
static uint8_t *read_all(struct wrap *w, size_t piece)
{
	uint8_t *out = malloc(wrap_size(w) + piece);
	uint64_t at = 0;
	ssize_t n;

	while ((n = wrap_read(w, at, out + at, piece)) > 0)
		at += (uint64_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(at, wrap_size(w));
	return out;
}

static bool opens(const struct age_identity *id, const uint8_t *file, size_t len)
{
	struct err e = { 0 };
	struct age *age = NULL;
	int rc = age_open(file, len, id, 1, &age, &e);

	age_free(age);
	return rc == 0;
}

static void the_same_octets_also_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	struct wrap *w;
	uint8_t *first, *again;
	size_t size;

	assert_int_equal(wrap_open(f->spool, ID, f->to, f->fd, SIZE, &w), 0);
	size = wrap_size(w);
	first = read_all(w, 10000);
	wrap_free(w);
	assert_true(opens(&f->id, first, size));
	spool_close(f->spool);
	assert_int_equal(spool_open(f->dir, &f->spool, &e), 0);
	assert_int_equal(wrap_open(f->spool, ID, f->to, f->fd, SIZE, &w), 0);
	assert_int_equal(wrap_size(w), size);
	again = read_all(w, 65536);
	assert_memory_equal(first, again, size);
	wrap_free(w);
	free(first);
	free(again);
}

static void another_recipient_is_another_file(void **state)
{
	struct fixture *f = *state;
	char to[AGE_RECIPIENT_STR_LEN];
	struct age_identity other;
	uint8_t *file;
	struct wrap *w;

	identity_new(&other, to);
	assert_int_equal(wrap_open(f->spool, ID, f->to, f->fd, SIZE, &w), 0);
	wrap_free(w);
	assert_int_equal(wrap_open(f->spool, ID, to, f->fd, SIZE, &w), 0);
	file = read_all(w, 65536);
	assert_true(opens(&other, file, wrap_size(w)));
	assert_false(opens(&f->id, file, wrap_size(w)));
	wrap_free(w);
	free(file);
	assert_int_equal(wrap_open(f->spool, ID, "age1nobody", f->fd, SIZE, &w), -EINVAL);
	/* well spelt, and yet a key that nobody can have */
	age_recipient_print(&(struct age_recipient){ 0 }, to);
	assert_int_equal(wrap_open(f->spool, ID, to, f->fd, SIZE, &w), -EINVAL);
}

static void counts_are_of_the_content(void **state)
{
	struct fixture *f = *state;
	uint64_t before = 0, now;
	struct wrap *w;

	assert_int_equal(wrap_open(f->spool, ID, f->to, f->fd, SIZE, &w), 0);
	for (uint64_t at = 0; at <= wrap_size(w); at += 7) {
		now = wrap_content(w, at);
		assert_true(now >= before && now <= at && now <= SIZE);
		before = now;
	}
	assert_int_equal(wrap_content(w, wrap_size(w)), SIZE);
	assert_int_equal(wrap_content(w, 100), 0);
	wrap_free(w);
}

static int keys_in(const char *dir)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	int n = 0;

	while ((entry = readdir(d)))
		n += strstr(entry->d_name, ".key") != NULL;
	closedir(d);
	return n;
}

static bool only_id(const char *id, void *arg)
{
	(void)arg;
	return !strcmp(id, ID);
}

static void keys_go_with_the_content(void **state)
{
	struct fixture *f = *state;
	char key[16], path[PATH_MAX];
	struct stat st;
	struct wrap *w;

	assert_int_equal(spool_key_read(f->spool, ID, key, sizeof(key)), -ENOENT);
	assert_int_equal(wrap_open(f->spool, ID, f->to, f->fd, SIZE, &w), 0);
	wrap_free(w);
	snprintf(path, sizeof(path), "%s/" ID ".key", f->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* of a job that nobody knows, and what a crash has left of the writing of one */
	assert_int_equal(spool_key_write(f->spool, OTHER, "secret", 6), 0);
	snprintf(path, sizeof(path), "%s/" OTHER ".key.new", f->dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(keys_in(f->dir), 3);
	assert_int_equal(spool_sweep(f->spool, only_id, NULL), 0);
	assert_int_equal(keys_in(f->dir), 1);
	assert_int_equal(spool_remove(f->spool, ID), 0);
	assert_int_equal(keys_in(f->dir), 0);
	/* names that are no ids lead nowhere */
	assert_int_equal(spool_key_write(f->spool, "../x", "secret", 6), -EINVAL);
	assert_int_equal(spool_key_read(f->spool, "../x", key, sizeof(key)), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_same_octets_also_after_a_restart),
		TEST(another_recipient_is_another_file),
		TEST(counts_are_of_the_content),
		TEST(keys_go_with_the_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
