// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * seal: store jobs whose content is encrypted as it comes: in any order and in any pieces, over restarts and kill -9, and
 * never in clear on a disk; and the quota of the store.
 */
#include "device_jobs.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "device/journal.h"
#include "device/seal.h"
#include "lib/clock.h"

#define ID_3 "00000000000000000000000000000003"
#define ID_4 "00000000000000000000000000000004"
#define ID_5 "00000000000000000000000000000005"
#define SIZE 300000 /* four chunks of 64 KiB and a bit */

static struct age_identity id;

static int setup(void **state)
{
	struct fixture *f = fixture_new(SIZE);

	make_dir(f, "store", f->store);
	assert_int_equal(age_identity_new(&id), 0);
	assert_int_equal(age_identity_recipient(&id, &f->to), 0);
	f->n_to = 1;
	start(f);
	*state = f;
	return 0;
}

static struct job *create_sized(struct fixture *f, const char *job_id, uint64_t size)
{
	struct job_meta meta = { .cloud = "cloud1", .job = { .kind = JOB_STORE, .size = size } };
	uint8_t digest[SHA256_LEN];
	struct job *job = NULL;
	struct err e = { 0 };

	assert_int_equal(sha256_once(f->data, size, digest), 0);
	strcpy(meta.id, job_id);
	strcpy(meta.job.name, "a file.bin");
	strcpy(meta.job.media_type, "application/octet-stream");
	sha256_hex(digest, meta.job.sha256);
	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), 1);
	return job;
}

static struct job *create(struct fixture *f)
{
	return create_sized(f, ID_1, SIZE);
}

/* In uneven pieces, as a connection delivers them. */
static void feed(struct fixture *f, struct upload *u, uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to;) {
		uint64_t n = to - at < 7001 ? to - at : 7001;

		assert_int_equal(upload_data(u, f->data + at, n), 0);
		at += n;
	}
}

static uint64_t put(struct fixture *f, struct job *job, uint64_t from, uint64_t to)
{
	struct upload *u = NULL;
	uint64_t duplicate = 0;

	assert_int_equal(upload_begin(job, from, to, &u), 0);
	feed(f, u, from, to);
	assert_int_equal(upload_end(u, &duplicate), 0);
	return duplicate;
}

static void assert_held(struct job *job, const char *text)
{
	struct ranges held = RANGES_INIT;
	struct buf b = BUF_INIT;

	assert_int_equal(job_received(job, &held), 0);
	assert_int_equal(ranges_print(&held, &b), 0);
	assert_string_equal(buf_str(&b), text);
	ranges_fini(&held);
	buf_fini(&b);
}

static const char *in_store(struct fixture *f, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", f->store, name);
	return path;
}

/* The stored file, for the holder of the identity, is the first @size octets. */
static void assert_stored(struct fixture *f, uint64_t size)
{
	static uint8_t prefix[AGE_PREFIX_MAX], got[SIZE];
	int fd = open(in_store(f, "a file.bin.age"), O_RDONLY);
	struct age_stream *s;
	struct err e = { 0 };
	struct age *age;
	struct stat st;
	uint64_t at = 0;
	ssize_t n;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	n = pread(fd, prefix, sizeof(prefix), 0);
	assert_true(n > 0);
	assert_int_equal(age_open(prefix, (size_t)n, &id, 1, &age, &e), 0);
	assert_int_equal(age_stream_open(age, fd, (uint64_t)st.st_size, &s), 0);
	while ((n = age_stream_read(s, at, got + at, SIZE)) > 0)
		at += (uint64_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(at, size);
	assert_memory_equal(got, f->data, size);
	age_stream_free(s);
	age_free(age);
	close(fd);
}

/* Files of @dir whose names have @part; with @clear those in which there are octets of the content. */
static unsigned int count_files(struct fixture *f, const char *dir, const char *part, bool clear)
{
	static uint8_t text[2 * SIZE];
	struct dirent *entry;
	DIR *d = opendir(dir);
	unsigned int n = 0;

	assert_non_null(d);
	while ((entry = readdir(d))) {
		int fd = openat(dirfd(d), entry->d_name, O_RDONLY);
		ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text));
		bool found = !clear && strstr(entry->d_name, part);

		for (uint64_t at = 0; clear && len > 0 && at + 16 <= SIZE && !found; at += 1000)
			found = memmem(text, (size_t)len, f->data + at, 16) != NULL;
		n += found && entry->d_name[0] != '\0';
		if (fd >= 0)
			close(fd);
	}
	closedir(d);
	return n;
}

static void assert_nothing_in_clear(struct fixture *f)
{
	assert_int_equal(count_files(f, f->state, "", true), 0);
	assert_int_equal(count_files(f, f->store, "", true), 0);
}

static void assert_no_litter(struct fixture *f)
{
	assert_int_equal(count_files(f, f->state, ".key", false), 0);
	assert_int_equal(count_files(f, f->state, ".scratch", false), 0);
	assert_int_equal(count_files(f, f->store, ".part", false), 0);
}

static void in_order_no_scratch_is_needed(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f);

	put(f, job, 0, 2 * AGE_CHUNK);
	assert_held(job, "0-131072");
	assert_int_equal(count_files(f, f->state, ".key", false), 1);
	assert_int_equal(count_files(f, f->state, ".scratch", false), 0);
	assert_nothing_in_clear(f);
	put(f, job, 2 * AGE_CHUNK, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_string_equal(job_reason(job), "stored encrypted, as a file.bin.age");
	assert_stored(f, SIZE);
	assert_int_equal(access(in_store(f, "a file.bin"), F_OK), -1);
	assert_no_litter(f);
	/* A sender that missed the answer: nothing happens twice. */
	assert_int_equal(put(f, job, 0, SIZE), SIZE);
}

static void pieces_in_any_order_on_two_paths(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f);
	struct upload *a, *b;
	uint64_t duplicate = 0;

	assert_int_equal(upload_begin(job, 200000, SIZE, &a), 0);
	assert_int_equal(upload_begin(job, 30000, 150000, &b), 0);
	for (int i = 0; i < 4; i++) {
		feed(f, a, 200000 + i * 25000, 200000 + (i + 1) * 25000);
		feed(f, b, 30000 + i * 30000, 30000 + (i + 1) * 30000);
	}
	/* Whole chunks are held already, the rest when the request ends. */
	assert_held(job, "65536-131072,262144-300000");
	assert_nothing_in_clear(f);
	assert_int_equal(upload_end(a, &duplicate), 0);
	assert_int_equal(upload_end(b, &duplicate), 0);
	assert_int_equal(duplicate, 0);
	assert_held(job, "30000-150000,200000-300000");
	assert_int_equal(count_files(f, f->state, ".scratch", false), 1);
	assert_nothing_in_clear(f);
	restart(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_held(job, "30000-150000,200000-300000");
	assert_int_equal(put(f, job, 100000, 210000), 60000); /* overlaps both ends */
	assert_int_equal(put(f, job, 0, 40000), 10000);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_stored(f, SIZE);
	assert_no_litter(f);
}

/* Octets that have come on a path and are not acknowledged yet are duplicates on another one. */
static void what_is_gathered_has_come(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f);
	struct upload *a;
	uint64_t duplicate = 0;

	assert_int_equal(upload_begin(job, 0, SIZE, &a), 0);
	feed(f, a, 0, 1000);
	assert_int_equal(put(f, job, 500, 1500), 500);
	assert_held(job, "0-1500");
	feed(f, a, 1000, SIZE);
	assert_int_equal(upload_end(a, &duplicate), 0);
	assert_int_equal(duplicate, 500);
	await_end(f, job);
	assert_stored(f, SIZE);
}

/* One piece that needs a chunk again which had to make room for the piece's own beginning. */
static void a_chunk_that_made_room_for_the_same_piece(void **state)
{
	static const uint64_t from[] = { AGE_CHUNK + 1000, 2 * AGE_CHUNK, 3 * AGE_CHUNK,
					 4 * AGE_CHUNK };
	static const uint64_t to[] = { 2 * AGE_CHUNK, 2 * AGE_CHUNK + 10, 3 * AGE_CHUNK + 10,
				       4 * AGE_CHUNK + 10 };
	struct fixture *f = *state;
	struct job *job = create(f);
	struct upload *open[SEAL_OPEN], *u;

	for (int i = 0; i < SEAL_OPEN; i++) {
		assert_int_equal(upload_begin(job, from[i], to[i], &open[i]), 0);
		feed(f, open[i], from[i], to[i]);
	}
	assert_int_equal(upload_begin(job, 500, AGE_CHUNK + 1000, &u), 0);
	assert_int_equal(upload_data(u, f->data + 500, AGE_CHUNK + 500), 0);
	assert_int_equal(upload_end(u, NULL), 0);
	for (int i = 0; i < SEAL_OPEN; i++)
		assert_int_equal(upload_end(open[i], NULL), 0);
	put(f, job, 0, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_stored(f, SIZE);
	assert_no_litter(f);
}

/* Many small pieces: more chunks begun than are kept in memory, and the agent stopped again and again. */
static void shuffled_pieces_over_restarts(void **state)
{
	enum { PIECE = 3001, N = (SIZE + PIECE - 1) / PIECE };
	struct fixture *f = *state;
	struct job *job = create(f);
	unsigned int order[N], k, swap;
	uint32_t seed = 7;

	for (unsigned int i = 0; i < N; i++)
		order[i] = i;
	for (unsigned int i = N - 1; i > 0; i--) {
		k = (seed = seed * 1103515245 + 12345) >> 8;
		k %= i + 1;
		swap = order[i];
		order[i] = order[k];
		order[k] = swap;
	}
	for (unsigned int i = 0; i < N; i++) {
		uint64_t from = (uint64_t)order[i] * PIECE;

		assert_int_equal(put(f, job, from, from + PIECE < SIZE ? from + PIECE : SIZE), 0);
		if (i % 17 == 16) {
			assert_nothing_in_clear(f);
			restart(f);
			job = jobs_find(f->jobs, "cloud1", ID_1);
		}
	}
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_stored(f, SIZE);
	assert_no_litter(f);
}

/* What the journal would say if the machine had lost its power now. */
static void durable(struct fixture *f, struct ranges *out)
{
	static const uint8_t other_boot[JOURNAL_BOOT_LEN] = { 1 };
	static uint8_t bytes[4096];
	struct journal_replay replay;
	char path[256];
	ssize_t n;
	size_t good;
	int fd;

	snprintf(path, sizeof(path), "%s/" ID_1 ".cloud1.journal", f->state);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, bytes, sizeof(bytes));
	assert_in_range(n, 1, sizeof(bytes) - 1);
	close(fd);
	assert_int_equal(journal_decode(bytes, (size_t)n, other_boot, &replay, &good), 0);
	assert_int_equal(ranges_copy(out, &replay.received), 0);
	journal_replay_fini(&replay);
}

/* Run the loop until [from, to) is; it has to be so a second after it was acknowledged, for which ten are granted. */
static void await_durable(struct fixture *f, uint64_t from, uint64_t to)
{
	uint64_t last = clock_mono_ms() + 10000;
	struct ranges held = RANGES_INIT;

	for (durable(f, &held); !ranges_contains(&held, from, to); durable(f, &held)) {
		assert_true(clock_mono_ms() < last);
		assert_int_equal(loop_step(f->loop, 1000), 0);
	}
	ranges_fini(&held);
}

/* Octets that came before a sync, and were acknowledged after it. */
static void what_came_before_a_sync_is_synced(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f);
	struct upload *a;

	assert_int_equal(upload_begin(job, 0, 1000, &a), 0);
	put(f, job, 200000, 201000);
	feed(f, a, 0, 1000);
	await_durable(f, 200000, 201000);
	assert_int_equal(upload_end(a, NULL), 0);
	assert_held(job, "0-1000,200000-201000");
	await_durable(f, 0, 1000);
}

static void what_came_in_clear_before_a_sync_is_synced(void **state)
{
	struct fixture *f = *state;

	stop(f);
	f->n_to = 0;
	start(f);
	what_came_before_a_sync_is_synced(state);
}

/* kill -9 in the middle of a request: what was acknowledged is held, and the rest is asked for. */
static void killed_in_the_middle(void **state)
{
	struct fixture *f = *state;
	struct job *job;
	struct upload *u;
	pid_t pid;
	int status;

	stop(f);
	pid = fork();
	if (pid == 0) {
		start(f);
		job = create(f);
		put(f, job, 10000, 90000);
		upload_begin(job, 90000, SIZE, &u);
		feed(f, u, 90000, 290000);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	start(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_held(job, "10000-90000");
	assert_nothing_in_clear(f);
	put(f, job, 0, 10000);
	put(f, job, 90000, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_stored(f, SIZE);
	assert_no_litter(f);
}

/* The directory of keys did not outlive the machine's restart, as in /run. */
static void without_its_key_a_job_starts_over(void **state)
{
	struct fixture *f = *state;
	struct job *job;
	char path[256];
	struct err e = { 0 };
	struct jobs *other;

	stop(f);
	make_dir(f, "keys", f->keys);
	start(f);
	job = create(f);
	put(f, job, 0, 100000);
	assert_int_equal(count_files(f, f->state, ".key", false), 0);
	assert_int_equal(count_files(f, f->keys, ".key", false), 1);
	stop(f);
	snprintf(path, sizeof(path), "%s/" ID_1 ".cloud1.key", f->keys);
	assert_int_equal(unlink(path), 0);
	start(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_int_equal(job_state(job), JOB_RECEIVING);
	assert_held(job, "");
	restart(f); /* the journal has forgotten it, too */
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_held(job, "");
	assert_int_equal(put(f, job, 0, SIZE), 0);
	await_end(f, job);
	assert_stored(f, SIZE);
	assert_int_equal(count_files(f, f->keys, ".key", false), 0);
	/* a directory that others can look into is no place for keys */
	assert_int_equal(chmod(f->keys, 0755), 0);
	jobs_free(f->jobs);
	assert_int_equal(jobs_new(f->loop, &f->conf, f->executor, &other, &e), -SHUNT_ESECRETFILE);
	assert_non_null(strstr(e.text, "lets others in"));
	assert_int_equal(chmod(f->keys, 0700), 0);
	assert_int_equal(jobs_new(f->loop, &f->conf, f->executor, &f->jobs, &e), 0);
}

static void what_came_in_clear_is_dropped_once_encryption_is_configured(void **state)
{
	struct fixture *f = *state;
	struct job *job;

	stop(f);
	f->n_to = 0;
	start(f);
	job = create(f);
	put(f, job, 0, 100000);
	assert_int_equal(count_files(f, f->store, "", true), 1);
	stop(f);
	f->n_to = 1;
	start(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_held(job, "");
	assert_nothing_in_clear(f);
	put(f, job, 0, 100000);
	/* and the other way round it stays what it is */
	stop(f);
	f->n_to = 0;
	start(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_held(job, "0-100000");
	put(f, job, 100000, SIZE);
	await_end(f, job);
	assert_string_equal(job_reason(job), "stored encrypted, as a file.bin.age");
	assert_stored(f, SIZE);
	assert_no_litter(f);
}

/* Killed while it drops what it had and makes new files: here by SIGXFSZ, as soon as the new one gets its length. */
static void killed_while_it_starts_over(void **state)
{
	struct fixture *f = *state;
	struct rlimit low = { 100000, RLIM_INFINITY }, none = { 0, 0 };
	struct job *job;
	pid_t pid;
	int status;

	stop(f);
	f->n_to = 0;
	start(f);
	job = create(f);
	put(f, job, 0, 200000);
	stop(f);
	f->n_to = 1;
	pid = fork();
	if (pid == 0) {
		signal(SIGXFSZ, SIG_DFL);
		setrlimit(RLIMIT_CORE, &none);
		setrlimit(RLIMIT_FSIZE, &low);
		start(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
	assert_nothing_in_clear(f);
	start(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_int_equal(job_state(job), JOB_RECEIVING);
	assert_held(job, "");
	put(f, job, 0, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_stored(f, SIZE);
	assert_no_litter(f);
}

static void small_contents(void **state)
{
	struct fixture *f = *state;
	struct job *job = create_sized(f, ID_1, 0);

	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_stored(f, 0);
	job = create_sized(f, ID_2, AGE_CHUNK);
	put(f, job, 1, AGE_CHUNK);
	put(f, job, 0, 1);
	await_end(f, job);
	assert_stored(f, AGE_CHUNK); /* in place of the empty one */
	assert_no_litter(f);
}

/* A store job that the agent's death caught between the decision to execute it and its end. */
static void restarted_while_storing(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f);

	put(f, job, 0, SIZE);
	while (job_state(job) == JOB_RECEIVING)
		assert_int_equal(loop_step(f->loop, 10000), 0);
	/* moved already, but not recorded: on_done comes from the loop */
	assert_int_equal(job_state(job), JOB_EXECUTING);
	restart(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_stored(f, SIZE);
	assert_no_litter(f);
}

static void damage_on_the_disk_fails_the_job(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f);
	struct upload *u;
	char path[256];
	int fd;

	put(f, job, 0, 200000);
	stop(f);
	snprintf(path, sizeof(path), "%s/.shunt-" ID_1 ".cloud1.age.part", f->store);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "damage", 6, 70000), 6);
	close(fd);
	start(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_int_equal(upload_begin(job, 200000, SIZE, &u), 0);
	while (!job_state_final(job_state(job)))
		upload_data(u, f->data + SIZE - upload_left(u),
			    upload_left(u) < 7001 ? upload_left(u) : 7001);
	assert_int_equal(upload_data(u, f->data, 1), -EALREADY);
	assert_int_equal(upload_end(u, NULL), -EALREADY);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_non_null(strstr(job_reason(job), "the content cannot be read back"));
	assert_no_litter(f);
	assert_int_equal(access(in_store(f, "a file.bin.age"), F_OK), -1);
}

static void pieces_that_somebody_took_away(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f);
	struct upload *u;
	char path[256];

	put(f, job, 1000, 2000);
	stop(f);
	snprintf(path, sizeof(path), "%s/" ID_1 ".cloud1.scratch", f->state);
	assert_int_equal(truncate(path, 1500), 0);
	start(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_int_equal(upload_begin(job, 0, 1000, &u), 0);
	assert_int_equal(upload_data(u, f->data, 1000), -EIO);
	assert_int_equal(upload_end(u, NULL), -EALREADY);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_no_litter(f);
}

/* The disk takes nothing beyond some point, then everything: what did not reach it is not held, and comes again. */
static void a_disk_that_refuses_for_a_while(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f);
	struct rlimit before, low = { 100000, RLIM_INFINITY };
	struct upload *u;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	put(f, job, 140000, 150000); /* of the third chunk: in the scratch file */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_equal(upload_begin(job, 0, SIZE, &u), 0);
	assert_int_equal(upload_data(u, f->data, 131072), -EFBIG);
	assert_int_equal(upload_end(u, NULL), 0);
	assert_int_equal(upload_begin(job, 131072, SIZE, &u), 0);
	assert_int_equal(upload_data(u, f->data + 131072, 8000),
			 0); /* gathered, no need of the disk yet */
	assert_int_equal(upload_end(u, NULL), -EFBIG);
	assert_held(job, "0-65536,140000-150000");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	put(f, job, 0, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_stored(f, SIZE);
	assert_no_litter(f);
}

static int try_create(struct fixture *f, const char *job_id, const char *name, uint64_t size,
		      struct err *e)
{
	struct job_meta meta = { .cloud = "cloud1", .job = { .kind = JOB_STORE, .size = size } };
	struct job *job;

	strcpy(meta.id, job_id);
	strcpy(meta.job.name, name);
	strcpy(meta.job.media_type, "text/plain");
	strcpy(meta.job.sha256, f->sha256);
	e->text[0] = '\0';
	return jobs_create(f->jobs, &meta, &job, e);
}

static void names_that_would_replace_or_leave(void **state)
{
	struct fixture *f = *state;
	char name[256];
	struct err e;
	struct job *job;

	stop(f);
	f->existing = STORE_REFUSE;
	start(f);
	job = create_sized(f, ID_1, 10);
	put(f, job, 0, 10);
	await_end(f, job);
	assert_int_equal(try_create(f, ID_2, "a file.bin", 10, &e), -ENOTSUP);
	assert_string_equal(e.text, "a file of that name exists");
	assert_int_equal(try_create(f, ID_2, "../up", 10, &e), -ENOTSUP);
	assert_int_equal(try_create(f, ID_2, ".shunt-x", 10, &e), -ENOTSUP);
	assert_int_equal(try_create(f, ID_2, "a\nb", 10, &e), -ENOTSUP);
	memset(name, 'n', 201);
	name[201] = '\0';
	assert_int_equal(try_create(f, ID_2, name, 10, &e), -ENOTSUP);
	name[200] = '\0';
	assert_int_equal(try_create(f, ID_2, name, 10, &e), 1); /* with its suffix, too */
}

static void the_quota_counts_files_and_claims(void **state)
{
	struct fixture *f = *state;
	struct job *job;
	struct err e;
	FILE *other;

	stop(f);
	f->n_to = 0;
	f->quota = 500000;
	start(f);
	job = create(f); /* claims 300000 */
	assert_int_equal(try_create(f, ID_2, "b", 200001, &e), -EDQUOT);
	assert_string_equal(e.text, "200001 octets beside 0 of stored files and 300000 of "
				    "unfinished jobs pass store-quota");
	put(f, job, 0, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_int_equal(try_create(f, ID_2, "b", 200001, &e), -EDQUOT);
	assert_string_equal(e.text, "200001 octets beside 300000 of stored files and 0 of "
				    "unfinished jobs pass store-quota");
	/* What others put there counts, and what they take away does not. */
	other = fopen(in_store(f, "theirs"), "w");
	assert_int_equal(fwrite(f->data, 1, 100000, other), 100000);
	fclose(other);
	assert_int_equal(try_create(f, ID_2, "b", 200001, &e), -EDQUOT);
	assert_non_null(strstr(e.text, "400000 of stored files"));
	assert_int_equal(unlink(in_store(f, "a file.bin")), 0);
	assert_int_equal(try_create(f, ID_2, "b", 200001, &e), 1);
	/* A link is no file of ours to count, or to follow. */
	assert_int_equal(symlink("/bin/sh", in_store(f, "link")), 0);
	restart(f);
	assert_int_equal(try_create(f, ID_3, "c", 200000, &e), -EDQUOT);
	assert_non_null(strstr(e.text, "100000 of stored files and 200001 of"));
}

/* Encrypted a content is longer, and that is what counts: of a file, of a claim, and of what can never have room. */
static void the_quota_counts_what_is_sealed(void **state)
{
	struct job_meta meta = { .id = ID_4,
				 .cloud = "cloud1",
				 .job = { .kind = JOB_STORE, .pull = true } };
	uint64_t need = seal_disk_size(1000);
	struct fixture *f = *state;
	struct job *job = create(f);
	char claims[64];
	struct stat st;
	struct err e;

	put(f, job, 0, SIZE);
	await_end(f, job);
	assert_int_equal(stat(in_store(f, "a file.bin.age"), &st), 0);
	assert_int_equal(unlink(in_store(f, "a file.bin.age")), 0);

	f->quota = (uint64_t)st.st_size + need -
		   1; /* an octet too few for that file and another one */
	restart(f);
	job = create_sized(f, ID_2, SIZE);
	put(f, job, 0, SIZE);
	await_end(f, job);
	assert_int_equal(try_create(f, ID_3, "b", 1000, &e), -EDQUOT);
	assert_int_equal(unlink(in_store(f, "a file.bin.age")), 0);
	assert_int_equal(try_create(f, ID_3, "b", 1000, &e), 1);

	f->quota = need + seal_disk_size(2000) - 1;
	restart(f); /* ID_3 is unfinished */
	assert_int_equal(try_create(f, ID_4, "c", 2000, &e), -EDQUOT);
	snprintf(claims, sizeof(claims), "and %llu of unfinished jobs", (unsigned long long)need);
	assert_non_null(strstr(e.text, claims));

	/* One that is pulled waits for room, but not when there will never be any. */
	strcpy(meta.job.name, "d");
	strcpy(meta.job.media_type, "text/plain");
	strcpy(meta.job.sha256, f->sha256);
	meta.job.size = 2000;
	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), 1);
	strcpy(meta.id, ID_5);
	meta.job.size = f->quota;
	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), -EDQUOT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_order_no_scratch_is_needed),
		TEST(pieces_in_any_order_on_two_paths),
		TEST(what_is_gathered_has_come),
		TEST(a_chunk_that_made_room_for_the_same_piece),
		TEST(shuffled_pieces_over_restarts),
		TEST(what_came_before_a_sync_is_synced),
		TEST(what_came_in_clear_before_a_sync_is_synced),
		TEST(killed_in_the_middle),
		TEST(without_its_key_a_job_starts_over),
		TEST(what_came_in_clear_is_dropped_once_encryption_is_configured),
		TEST(killed_while_it_starts_over),
		TEST(small_contents),
		TEST(restarted_while_storing),
		TEST(damage_on_the_disk_fails_the_job),
		TEST(pieces_that_somebody_took_away),
		TEST(a_disk_that_refuses_for_a_while),
		TEST(names_that_would_replace_or_leave),
		TEST(the_quota_counts_files_and_claims),
		TEST(the_quota_counts_what_is_sealed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
