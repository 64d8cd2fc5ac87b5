// SPDX-License-Identifier: GPL-2.0-or-later
/* Fetch jobs at the device: what may be fetched, when its content is fixed, and scans made once. */
#include "device_jobs.h"

#include <signal.h>
#include <sys/wait.h>

#include "device/offer.h"

#define SIZE ((10 << 20) + 77) /* more than one step */
static void write_file(struct fixture *f, const char *name, const void *data, size_t len)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->share, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static int setup(void **state)
{
	struct fixture *f = fixture_new(SIZE);
	char in[96];

	make_dir(f, "share", f->share);
	make_dir(f, "share/in", in);
	/* A scanner: notes each run, makes what it was asked for. */
	snprintf(f->scan, sizeof(f->scan),
		 "/bin/sh -c 'echo run >>%s/runs; printf \"page of %%%%s\" \"$1\" >\"$0\"' %%f %%n",
		 f->top);
	write_file(f, "in/a.bin", f->data, SIZE);
	f->conf.max_bytes = SIZE + 100;
	start(f);
	*state = f;
	return 0;
}

static int put(struct fixture *f, const char *id, const char *path, struct job **job, struct err *e)
{
	struct job_meta meta = { .cloud = "cloud1", .job = { .kind = JOB_FETCH } };

	strcpy(meta.id, id);
	strcpy(meta.job.name, "a");
	strcpy(meta.job.media_type, "application/octet-stream");
	meta.job.size = CONTENT_SIZE_UNKNOWN;
	strcpy(meta.job.path, path);
	return jobs_create(f->jobs, &meta, job, e);
}

static struct job *create(struct fixture *f, const char *id, const char *path)
{
	struct err e = { 0 };
	struct job *job;

	if (put(f, id, path, &job, &e) != 1)
		fail_msg("%s", err_text(&e));
	return job;
}

static void await(struct fixture *f, struct job *job, enum job_state state)
{
	while (job_state(job) != state) {
		if (job_state_final(job_state(job)))
			fail_msg("%s: %s", job_state_str(job_state(job)), job_reason(job));
		assert_int_equal(loop_step(f->loop, 10000), 0);
	}
}

static void assert_offers(struct fixture *f, const struct job *job, const void *data, size_t len)
{
	uint8_t *got = malloc(len + 1);
	int fd;

	(void)f;
	assert_int_equal(job_offered(job, &fd), 0);
	assert_int_equal(job_meta(job)->job.size, len);
	assert_int_equal(pread(fd, got, len + 1, 0), len);
	assert_memory_equal(got, data, len);
	free(got);
}

static int runs(struct fixture *f)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/runs", f->top);
	return stat(path, &st) ? 0 : (int)(st.st_size / 4);
}

static void a_file_is_fixed_and_offered_until_done(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f, ID_1, "in/a.bin"), *same;
	struct err e = { 0 };
	int fd;

	await(f, job, JOB_RUNNING);
	assert_string_equal(job_meta(job)->job.sha256, f->sha256);
	assert_offers(f, job, f->data, SIZE);
	/* What becomes of the file is no matter any more, nor is a restart. */
	write_file(f, "in/a.bin", "other", 5);
	restart(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_int_equal(job_state(job), JOB_RUNNING);
	assert_offers(f, job, f->data, SIZE);
	assert_int_equal(put(f, ID_1, "in/a.bin", &same, &e), 0);
	assert_ptr_equal(same, job);
	assert_int_equal(put(f, ID_1, "in/b.bin", &same, &e), -EEXIST);
	assert_int_equal(job_suspend(job), 0);
	assert_int_equal(job_offered(job, &fd), -EBUSY);
	assert_int_equal(job_resume(job), 0);
	assert_int_equal(job_done(job), 0);
	assert_int_equal(job_done(job), 0);
	assert_string_equal(f->trace, "suspended running completed ");
	assert_int_equal(job_offered(job, &fd), -EALREADY);
	/* Its claim is free again, and the record stays. */
	create(f, ID_2, "in/a.bin");
	restart(f);
	assert_int_equal(job_state(jobs_find(f->jobs, "cloud1", ID_1)), JOB_COMPLETED);
}

static void a_copy_caught_by_a_restart_begins_again(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f, ID_1, "in/a.bin");

	assert_int_equal(job_state(job), JOB_RECEIVING);
	write_file(f, "in/a.bin", "short", 5);
	restart(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	await(f, job, JOB_RUNNING);
	assert_offers(f, job, "short", 5);
}

/* A process that waits at a FIFO for somebody to read, then writes. */
static pid_t await_reader(const char *fifo)
{
	char stat[64], state = 0;
	pid_t pid = fork();
	FILE *f;

	if (pid == 0) {
		int fd;

		signal(SIGPIPE, SIG_IGN);
		fd = open(fifo, O_WRONLY);
		_exit(write(fd, "x", 1) == 1 ? 0 : 1);
	}
	snprintf(stat, sizeof(stat), "/proc/%d/stat", (int)pid);
	while (state != 'S') { /* it has nothing else to sleep for */
		f = fopen(stat, "r");
		assert_int_equal(fscanf(f, "%*d %*s %c", &state), 1);
		fclose(f);
	}
	return pid;
}

/* Had anybody opened it and gone, the writer would have found that out instead of writing to us. */
static void assert_met_nobody(pid_t writer, const char *fifo)
{
	int fd = open(fifo, O_RDONLY), status;
	char c;

	assert_int_equal(read(fd, &c, 1), 1);
	close(fd);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
}

static void what_may_not_be_fetched(void **state)
{
	static const struct {
		const char *path, *why;
	} cases[] = {
		{ "in/none.bin", "there is no such file" },
		{ "../state/lock", "leads out of the exported directory" },
		{ "in/../../state/lock", "leads out of the exported directory" },
		{ "/etc/passwd", "not a regular file" },
		{ "in", "not a regular file" },
		{ "fifo", "not a regular file" },
		{ "socket", "not a regular file" },
		{ ".shunt-1.cloud1.part", "there is no such file" },
		{ "in/.shunt-1.cloud1.part", "there is no such file" },
		{ "link", "a link is in the way" },
		{ "linked/a.bin", "a link is in the way" },
		{ "in/a.bin/x", "there is no such file" },
		{ "scan:../x", "begins with a dot" },
		{ "scan:a/b", "slash" },
		{ "scan:", "empty" },
	};
	struct fixture *f = *state;
	char path[160];
	struct job *job;
	pid_t writer;

	write_file(f, ".shunt-1.cloud1.part", "half", 4);
	write_file(f, "in/.shunt-1.cloud1.part", "half", 4);
	snprintf(path, sizeof(path), "%s/socket", f->share);
	assert_int_equal(mknod(path, S_IFSOCK | 0600, 0), 0);
	snprintf(path, sizeof(path), "%s/link", f->share);
	assert_int_equal(symlink("in/a.bin", path), 0);
	snprintf(path, sizeof(path), "%s/linked", f->share);
	assert_int_equal(symlink("in", path), 0);
	snprintf(path, sizeof(path), "%s/fifo", f->share);
	assert_int_equal(mkfifo(path, 0600), 0);
	writer = await_reader(path);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = { 0 };

		assert_int_equal(put(f, ID_1, cases[i].path, &job, &e), -ENOTSUP);
		if (!strstr(err_text(&e), cases[i].why))
			fail_msg("%s: %s", cases[i].path, err_text(&e));
	}
	assert_int_equal(runs(f), 0);
	assert_null(jobs_find(f->jobs, "cloud1", ID_1));
	assert_met_nobody(writer, path);
}

/* A file server's lease lets nobody in at once: that must not stop the agent until it is broken. */
static void a_leased_file_is_not_waited_for(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	char path[160];
	struct job *job;
	int fd, rc;

	snprintf(path, sizeof(path), "%s/in/a.bin", f->share);
	fd = open(path, O_RDONLY);
	if (fcntl(fd, F_SETLEASE, F_RDLCK)) {
		close(fd);
		skip();
	}
	close(fd);
	fd = open(path, O_RDWR);
	signal(SIGIO, SIG_IGN);
	assert_int_equal(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	rc = put(f, ID_1, "in/a.bin", &job, &e);
	close(fd);
	assert_int_equal(rc, -ENOTSUP);
	assert_non_null(strstr(err_text(&e), "keeps it to itself"));
	create(f, ID_1, "in/a.bin");
}

static void quota_counts_what_is_kept(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	struct job *job;

	create(f, ID_1, "in/a.bin");
	assert_int_equal(put(f, ID_2, "in/a.bin", &job, &e), -EDQUOT);
	write_file(f, "small", f->data, 100);
	create(f, ID_2, "small");
}

/* A file that grows while it is copied takes no more than others have left of the quota. */
static void a_growing_file_stays_within_the_quota(void **state)
{
	struct fixture *f = *state;
	uint8_t more[500] = { 0 };
	struct job *job, *other;
	char path[160];
	FILE *file;

	f->conf.max_bytes = SIZE + 1000;
	restart(f);
	job = create(f, ID_1, "in/a.bin");
	write_file(f, "small", f->data, 900);
	other = create(f, ID_2, "small");
	snprintf(path, sizeof(path), "%s/in/a.bin", f->share);
	file = fopen(path, "a");
	assert_non_null(file);
	assert_int_equal(fwrite(more, 1, sizeof(more), file),
			 sizeof(more)); /* fits, but for the other */
	fclose(file);
	await_end(f, job);
	assert_string_equal(job_reason(job), "the content passes max-bytes");
	await(f, other, JOB_RUNNING);
}

static void a_scan_is_made_once(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f, ID_1, "scan:flat bed"), *same;
	struct err e = { 0 };

	assert_int_equal(job_suspend(job), -EBUSY);
	await(f, job, JOB_RUNNING);
	assert_string_equal(f->trace, "executing running ");
	assert_offers(f, job, "page of flat bed", 16);
	restart(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_offers(f, job, "page of flat bed", 16);
	assert_int_equal(job_done(job), 0);
	restart(f);
	assert_int_equal(put(f, ID_1, "scan:flat bed", &same, &e), 0);
	assert_int_equal(job_state(same), JOB_COMPLETED);
	loop_step(f->loop, 0);
	assert_int_equal(runs(f), 1);
}

static void a_scan_caught_by_a_restart_is_interrupted(void **state)
{
	struct fixture *f = *state;
	struct job *job;

	stop(f);
	snprintf(f->scan, sizeof(f->scan), "/bin/sleep 1000");
	start(f);
	job = create(f, ID_1, "scan:x");
	await(f, job, JOB_EXECUTING);
	restart(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_int_equal(job_state(job), JOB_INTERRUPTED);
}

/* Jobs that waited when the configuration lost what they need. */
static void what_is_not_configured_any_more_fails(void **state)
{
	struct fixture *f = *state;
	struct job *job;

	create(f, ID_1, "scan:x");
	stop(f);
	f->scan[0] = '\0';
	start(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_non_null(strstr(job_reason(job), "takes no jobs of that kind any more"));
	create(f, ID_2, "in/a.bin");
	stop(f);
	f->share[0] = '\0';
	snprintf(f->scan, sizeof(f->scan), "/bin/true");
	start(f);
	job = jobs_find(f->jobs, "cloud1", ID_2);
	await_end(f, job);
	assert_non_null(strstr(job_reason(job), "takes no jobs of that kind any more"));
}

/* A scanner that finishes its page when it is told to end: nobody comes for that page. */
static void a_canceled_scan_is_not_offered(void **state)
{
	struct fixture *f = *state;
	char started[128];
	struct job *job;

	stop(f);
	snprintf(f->scan, sizeof(f->scan),
		 "/bin/sh -c 'trap \"echo page >$0; exit 0\" TERM; : >%s/started; "
		 "while :; do sleep 0.01; done' %%f",
		 f->top);
	start(f);
	snprintf(started, sizeof(started), "%s/started", f->top);
	job = create(f, ID_1, "scan:x");
	while (access(started, F_OK))
		assert_int_equal(loop_step(f->loop, 10), 0);
	assert_int_equal(job_cancel(job), 0);
	while (job_state(job) == JOB_EXECUTING)
		assert_int_equal(loop_step(f->loop, 10000), 0);
	assert_int_equal(job_state(job), JOB_CANCELED);
	assert_string_equal(f->trace, "executing canceled ");
}

static void scans_that_fail_say_why(void **state)
{
	struct fixture *f = *state;
	struct job *job;

	stop(f);
	snprintf(f->scan, sizeof(f->scan), "/bin/sh -c 'echo no paper; exit 2'");
	start(f);
	job = create(f, ID_1, "scan:x");
	await_end(f, job);
	assert_string_equal(job_reason(job), "the scan command failed with status 2: no paper");
	stop(f);
	snprintf(f->scan, sizeof(f->scan), "/bin/true");
	start(f);
	job = create(f, ID_2, "scan:x");
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_string_equal(job_reason(job), "the scan command has not made a file");
	stop(f);
	snprintf(f->scan, sizeof(f->scan), "/bin/ln -s %s/in/a.bin %%f", f->share);
	start(f);
	job = create(f, "00000000000000000000000000000003", "scan:x");
	await_end(f, job);
	assert_string_equal(job_reason(job), "the scan command has not made a file");
}

/* A file that changes while it is copied is copied again, and given up when that never ends. */
static void a_copy_is_one_state_of_the_file(void **state)
{
	struct fixture *f = *state;
	char path[160];
	uint8_t digest[SHA256_LEN];
	char sha256[SHA256_STR_LEN];
	struct offer *o;
	int dirfd = open(f->state, O_RDONLY | O_DIRECTORY), fd, rc;

	snprintf(path, sizeof(path), "%s/in/a.bin", f->share);
	fd = open(path, O_RDONLY);
	assert_int_equal(offer_copy(dirfd, "copy", fd, SIZE, &o), 0);
	assert_int_equal(offer_step(o, 4 << 20), 0);
	f->data[5] ^= 0xff; /* in what was copied already */
	write_file(f, "in/a.bin", f->data, SIZE);
	while ((rc = offer_step(o, 4 << 20)) == 0)
		;
	assert_int_equal(rc, 1);
	sha256_once(f->data, SIZE, digest);
	sha256_hex(digest, sha256);
	assert_string_equal(offer_sha256(o), sha256);
	offer_free(o);
	unlinkat(dirfd, "copy", 0);
	fd = open(path, O_RDONLY);
	assert_int_equal(offer_copy(dirfd, "copy", fd, SIZE, &o), 0);
	while ((rc = offer_step(o, 6 << 20)) == 0) {
		f->data[5]++;
		write_file(f, "in/a.bin", f->data, SIZE - (f->data[5] & 1));
	}
	assert_int_equal(rc, -ESTALE);
	offer_free(o);
	close(dirfd);
}

int main(void)
{
#define TEST(x) cmocka_unit_test_setup_teardown(x, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_fixed_and_offered_until_done),
		TEST(a_copy_caught_by_a_restart_begins_again),
		TEST(what_may_not_be_fetched),
		TEST(a_leased_file_is_not_waited_for),
		TEST(quota_counts_what_is_kept),
		TEST(a_growing_file_stays_within_the_quota),
		TEST(a_scan_is_made_once),
		TEST(a_scan_caught_by_a_restart_is_interrupted),
		TEST(what_is_not_configured_any_more_fails),
		TEST(a_canceled_scan_is_not_offered),
		TEST(scans_that_fail_say_why),
		TEST(a_copy_is_one_state_of_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
