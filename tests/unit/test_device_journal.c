// SPDX-License-Identifier: GPL-2.0-or-later
/* journal: what a restart, a torn write and a power failure leave of a job's record. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/journal.h"

#define FILE_NAME "j.journal"

/* Lets a test run out of memory: the ranges below need 8 MiB in one piece, the file less than 7. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1:max_allocation_size_mb=7";
}

#define TOO_MANY ((1u << 18) + 1)

struct fixture {
	char dir[64];
	int fd;
};

static const struct job_meta meta = {
	.id = "0123456789abcdef0123456789abcdef",
	.cloud = "cloud1",
	.job = { .kind = JOB_PRINT,
		 .name = "report.pdf",
		 .media_type = "application/pdf",
		 .size = 1000,
		 .sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/shunt-journal-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY);
	assert_true(f->fd >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlinkat(f->fd, FILE_NAME, 0);
	close(f->fd);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static struct journal *create(struct fixture *f)
{
	struct journal *j = NULL;

	assert_int_equal(journal_create(f->fd, FILE_NAME, &meta, &j), 0);
	return j;
}

static size_t slurp(struct fixture *f, uint8_t *bytes, size_t size)
{
	int fd = openat(f->fd, FILE_NAME, O_RDONLY);
	ssize_t n = read(fd, bytes, size);

	assert_true(n > 0 && (size_t)n < size);
	close(fd);
	return (size_t)n;
}

static void assert_ranges(const struct ranges *r, const char *expected)
{
	struct buf text;

	buf_init(&text);
	assert_int_equal(ranges_print(r, &text), 0);
	assert_string_equal(buf_str(&text), expected);
	buf_fini(&text);
}

static void reopened_says_what_was_written(void **state)
{
	struct fixture *f = *state;
	struct journal *j = create(f);
	struct journal_replay r;
	struct err e = { 0 };

	assert_int_equal(journal_range(j, 0, 100), 0);
	assert_int_equal(journal_range(j, 300, 400), 0);
	assert_int_equal(journal_sync(j), 0);
	assert_int_equal(journal_range(j, 100, 200), 0);
	assert_int_equal(journal_state(j, JOB_SUSPENDED, "held", 12345), 0);
	journal_close(j);

	assert_int_equal(journal_open(f->fd, FILE_NAME, &r, &j, &e), 0);
	assert_memory_equal(&r.meta, &meta, sizeof(meta));
	assert_ranges(&r.received, "0-200,300-400");
	assert_int_equal(r.state, JOB_SUSPENDED);
	assert_int_equal(r.changed, 12345);
	assert_string_equal(r.reason, "held");
	journal_replay_fini(&r);
	/* And goes on where it ended. */
	assert_int_equal(journal_range(j, 200, 300), 0);
	journal_close(j);
	assert_int_equal(journal_open(f->fd, FILE_NAME, &r, &j, &e), 0);
	assert_ranges(&r.received, "0-400");
	journal_replay_fini(&r);
	journal_close(j);
}

static void create_refuses_what_exists(void **state)
{
	struct fixture *f = *state;
	struct journal *j = create(f), *second;

	assert_int_equal(journal_create(f->fd, FILE_NAME, &meta, &second), -EEXIST);
	journal_close(j);
}

/* A journal cut at any octet still says everything of its whole records, and accepts more. */
static void any_torn_tail_is_cut(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[4096], boot[JOURNAL_BOOT_LEN];
	struct journal *j = create(f);
	size_t begin, len, good, last_good = 0;
	struct journal_replay r;
	struct stat st;
	struct err e = { 0 };

	begin = slurp(f, bytes, sizeof(bytes));
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(journal_range(j, i * 10, i * 10 + 10), 0);
	journal_close(j);
	len = slurp(f, bytes, sizeof(bytes));
	assert_int_equal(journal_boot_id(boot), 0);

	for (size_t cut = 0; cut <= len; cut++) {
		int rc = journal_decode(bytes, cut, boot, &r, &good);

		if (rc)
			assert_true(cut < begin); /* META itself is torn */
		else
			assert_int_equal(ranges_total(&r.received) % 10, 0);
		assert_true(good <= cut && good >= last_good);
		last_good = good;
		journal_replay_fini(&r);
	}
	assert_int_equal(last_good, len);

	assert_int_equal(truncate(f->dir, 0),
			 -1); /* not a file: the fixture is what it should be */
	{
		int fd = openat(f->fd, FILE_NAME, O_WRONLY);

		assert_int_equal(ftruncate(fd, (off_t)len - 3), 0);
		close(fd);
	}
	assert_int_equal(journal_open(f->fd, FILE_NAME, &r, &j, &e), 0);
	assert_ranges(&r.received, "0-40");
	journal_replay_fini(&r);
	assert_int_equal(journal_range(j, 900, 1000), 0);
	journal_close(j);
	assert_int_equal(fstatat(f->fd, FILE_NAME, &st, 0), 0);
	assert_int_equal(st.st_size, len);
	assert_int_equal(journal_open(f->fd, FILE_NAME, &r, &j, &e), 0);
	assert_ranges(&r.received, "0-40,900-1000");
	journal_replay_fini(&r);
	journal_close(j);
}

/* No flipped bit is believed: what is decoded is a prefix of what was written. */
static void any_flipped_bit_is_noticed(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[4096], boot[JOURNAL_BOOT_LEN];
	struct journal *j = create(f);
	struct journal_replay r;
	size_t len, good;

	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(journal_range(j, i * 10, i * 10 + 10), 0);
	journal_close(j);
	len = slurp(f, bytes, sizeof(bytes));
	assert_int_equal(journal_boot_id(boot), 0);
	for (size_t bit = 0; bit < len * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (journal_decode(bytes, len, boot, &r, &good) == 0) {
			assert_memory_equal(&r.meta, &meta, sizeof(meta));
			assert_true(good <= bit / 8);
			assert_int_equal(ranges_total(&r.received),
					 r.received.n ? r.received.v[0].to : 0);
		}
		journal_replay_fini(&r);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* After a power failure only what was synced counts; later BOOT records do not revive the rest. */
static void unsynced_ranges_die_with_the_machine(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[4096], other[JOURNAL_BOOT_LEN] = { 1, 2, 3 };
	struct journal *j = create(f);
	struct journal_replay r;
	size_t len, good;

	assert_int_equal(journal_range(j, 0, 100), 0);
	assert_int_equal(journal_sync(j), 0);
	assert_int_equal(journal_range(j, 100, 200), 0);
	journal_close(j);
	len = slurp(f, bytes, sizeof(bytes));
	assert_int_equal(journal_decode(bytes, len, other, &r, &good), 0);
	assert_ranges(&r.received, "0-100");
	assert_int_equal(good, len);
	journal_replay_fini(&r);
}

static void nonsense_is_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t boot[JOURNAL_BOOT_LEN] = { 0 };
	struct journal_replay r;
	struct journal *j;
	struct err e = { 0 };
	size_t good;
	int fd;

	assert_int_equal(journal_decode("", 0, boot, &r, &good), -SHUNT_EPARSE);
	journal_replay_fini(&r);
	assert_int_equal(journal_decode("SHNTJNL1", 8, boot, &r, &good), -SHUNT_EPARSE);
	journal_replay_fini(&r);
	fd = openat(f->fd, FILE_NAME, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "not a journal at all", 20), 20);
	close(fd);
	assert_int_equal(journal_open(f->fd, FILE_NAME, &r, &j, &e), -SHUNT_EPARSE);
	assert_non_null(strstr(e.text, FILE_NAME));
	journal_replay_fini(&r);
}

static void compaction_keeps_what_counts(void **state)
{
	struct fixture *f = *state;
	struct journal *j = create(f);
	struct journal_replay r, now = { .meta = meta, .state = JOB_RECEIVING, .changed = 77 };
	struct stat before, after;
	struct err e = { 0 };

	while (!journal_bloated(j))
		assert_int_equal(journal_range(j, 5, 6), 0);
	assert_int_equal(fstatat(f->fd, FILE_NAME, &before, 0), 0);
	assert_int_equal(ranges_add(&now.received, 5, 6, NULL), 0);
	assert_int_equal(ranges_add(&now.received, 8, 1000, NULL), 0);
	assert_int_equal(journal_compact(j, &now), 0);
	assert_false(journal_bloated(j));
	assert_int_equal(fstatat(f->fd, FILE_NAME, &after, 0), 0);
	assert_true(after.st_size < 1000 && before.st_size > 1000000);
	assert_int_equal(journal_range(j, 6, 8), 0);
	journal_close(j);
	assert_int_equal(journal_open(f->fd, FILE_NAME, &r, &j, &e), 0);
	assert_ranges(&r.received, "5-1000");
	assert_int_equal(r.changed, 77);
	journal_replay_fini(&r);
	ranges_fini(&now.received);
	journal_close(j);
}

/* More ranges than a content may have: the state behind them counts all the same. */
static void many_ranges_hide_no_state(void **state)
{
	struct fixture *f = *state;
	struct job_meta big = meta;
	struct journal_replay r;
	struct journal *j;
	struct err e = { 0 };

	big.job.size = 1 << 20;
	assert_int_equal(journal_create(f->fd, FILE_NAME, &big, &j), 0);
	for (uint64_t i = 0; i < JOB_RANGES_MAX; i++)
		assert_int_equal(journal_range(j, 20 * i, 20 * i + 5), 0);
	assert_int_equal(journal_sync(j), 0);
	for (uint64_t i = 0; i < JOB_RANGES_MAX; i++)
		assert_int_equal(journal_range(j, 20 * i + 10, 20 * i + 15), 0);
	assert_int_equal(journal_sync(j), 0);
	assert_int_equal(journal_state(j, JOB_EXECUTING, "", 5), 0);
	journal_close(j);
	assert_int_equal(journal_open(f->fd, FILE_NAME, &r, &j, &e), 0);
	assert_int_equal(r.received.n, 2 * JOB_RANGES_MAX);
	assert_int_equal(r.state, JOB_EXECUTING);
	journal_replay_fini(&r);
	journal_close(j);
}

/* To run out of memory is no torn tail: the file stays as it is, with the state at its end. */
static void want_of_memory_cuts_nothing(void **state)
{
	struct fixture *f = *state;
	struct job_meta big = meta;
	struct stat before, after;
	struct journal_replay r;
	struct journal *j;
	struct err e = { 0 };

	big.job.size = 2 * TOO_MANY;
	assert_int_equal(journal_create(f->fd, FILE_NAME, &big, &j), 0);
	for (uint64_t i = 0; i < TOO_MANY; i++)
		assert_int_equal(journal_range(j, 2 * i, 2 * i + 1), 0);
	assert_int_equal(journal_state(j, JOB_EXECUTING, "", 5), 0);
	journal_close(j);
	assert_int_equal(fstatat(f->fd, FILE_NAME, &before, 0), 0);
	assert_int_equal(journal_open(f->fd, FILE_NAME, &r, &j, &e), -ENOMEM);
	journal_replay_fini(&r);
	assert_int_equal(fstatat(f->fd, FILE_NAME, &after, 0), 0);
	assert_int_equal(after.st_size, before.st_size);
}

static void how_it_is_to_be_printed_is_remembered(void **state)
{
	struct fixture *f = *state;
	struct job_meta print = meta;
	struct journal_replay r;
	struct journal *j;
	struct err e = { 0 };

	print.job.print =
		(struct sapi_print){ SAPI_COPIES_MAX, "", SIDES_SHORT_EDGE, COLOR_MONOCHROME };
	memset(print.job.print.media, 'm', SAPI_MEDIA_LEN - 1);
	assert_int_equal(journal_create(f->fd, FILE_NAME, &print, &j), 0);
	journal_close(j);
	assert_int_equal(journal_open(f->fd, FILE_NAME, &r, &j, &e), 0);
	assert_memory_equal(&r.meta, &print, sizeof(print));
	journal_replay_fini(&r);
	journal_close(j);
}

/* A fetch job's path goes with it; its size and digest come later. */
static void a_content_to_offer_is_remembered(void **state)
{
	struct fixture *f = *state;
	struct job_meta fetch = meta;
	struct journal_replay r;
	struct journal *j;
	struct err e = { 0 };

	fetch.job.kind = JOB_FETCH;
	fetch.job.size = CONTENT_SIZE_UNKNOWN;
	memset(fetch.job.sha256, 0, sizeof(fetch.job.sha256));
	memset(fetch.job.path, 'p', sizeof(fetch.job.path) - 1);
	memset(fetch.job.name, 'n', sizeof(fetch.job.name) - 1);
	assert_int_equal(journal_create(f->fd, FILE_NAME, &fetch, &j), 0);
	journal_close(j);
	assert_int_equal(journal_open(f->fd, FILE_NAME, &r, &j, &e), 0);
	assert_memory_equal(&r.meta, &fetch, sizeof(fetch));
	journal_replay_fini(&r);
	/* Running without a content is no state. */
	assert_int_equal(journal_state(j, JOB_RUNNING, "", 5), 0);
	journal_close(j);
	assert_int_equal(journal_open(f->fd, FILE_NAME, &r, &j, &e), 0);
	assert_int_equal(r.state, JOB_RECEIVING);
	journal_replay_fini(&r);
	assert_int_equal(journal_content(j, 77, meta.job.sha256), 0);
	assert_int_equal(journal_state(j, JOB_RUNNING, "", 5), 0);
	journal_close(j);
	assert_int_equal(journal_open(f->fd, FILE_NAME, &r, &j, &e), 0);
	assert_int_equal(r.state, JOB_RUNNING);
	assert_int_equal(r.meta.job.size, 77);
	assert_string_equal(r.meta.job.sha256, meta.job.sha256);
	journal_replay_fini(&r);
	journal_close(j);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(reopened_says_what_was_written),
		TEST(create_refuses_what_exists),
		TEST(any_torn_tail_is_cut),
		TEST(any_flipped_bit_is_noticed),
		TEST(unsynced_ranges_die_with_the_machine),
		TEST(nonsense_is_refused),
		TEST(many_ranges_hide_no_state),
		TEST(want_of_memory_cuts_nothing),
		TEST(compaction_keeps_what_counts),
		TEST(a_content_to_offer_is_remembered),
		TEST(how_it_is_to_be_printed_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
