// SPDX-License-Identifier: GPL-2.0-or-later
/* jobs: the state machine, content by ranges, execution once, and what a restart makes of it. */
#include "device_jobs.h"

#include <dirent.h>
#include <sys/wait.h>

#define SIZE 300000
static char out[96]; /* what the printer printed last */

static int setup(void **state)
{
	struct fixture *f = fixture_new(SIZE);

	snprintf(out, sizeof(out), "%s/out", f->top);
	make_dir(f, "store", f->store);
	/* A printer: appends a line for each run, keeps a copy of what it was given. */
	snprintf(
		f->print, sizeof(f->print),
		"/bin/sh -c 'echo run >>\"$2.runs\"; cat \"$0\" >\"$2\"; echo printing \"$1\"' %%f %%n %s",
		out);
	start(f);
	*state = f;
	return 0;
}

static struct job_meta make_meta(struct fixture *f, const char *id, enum job_kind kind)
{
	struct job_meta meta = { .cloud = "cloud1", .job = { .kind = kind, .size = SIZE } };

	strcpy(meta.id, id);
	strcpy(meta.job.name, "a file.bin");
	strcpy(meta.job.media_type, "application/octet-stream");
	strcpy(meta.job.sha256, f->sha256);
	return meta;
}

static struct job *create(struct fixture *f, const char *id, enum job_kind kind)
{
	struct job_meta meta = make_meta(f, id, kind);
	struct job *job = NULL;
	struct err e = { 0 };

	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), 1);
	return job;
}

static uint64_t put(struct fixture *f, struct job *job, uint64_t from, uint64_t to)
{
	struct upload *u = NULL;
	uint64_t duplicate = 0;

	assert_int_equal(upload_begin(job, from, to, &u), 0);
	/* In uneven pieces, as a connection delivers them. */
	for (uint64_t at = from; at < to;) {
		uint64_t n = to - at < 7001 ? to - at : 7001;

		assert_int_equal(upload_data(u, f->data + at, n), 0);
		at += n;
	}
	assert_int_equal(upload_left(u), 0);
	assert_int_equal(upload_end(u, &duplicate), 0);
	return duplicate;
}

static void assert_file(const char *path, const void *data, size_t len)
{
	static uint8_t got[SIZE + 1];
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, got, sizeof(got)), len);
	assert_memory_equal(got, data, len);
	close(fd);
}

static void assert_runs(size_t n)
{
	char path[128], lines[64] = "";

	snprintf(path, sizeof(path), "%s.runs", out);
	if (n == 0) {
		assert_int_equal(access(path, F_OK), -1);
		return;
	}
	while (n--)
		strcat(lines, "run\n");
	assert_file(path, lines, strlen(lines));
}

static unsigned int count_files(const char *dir, const char *part)
{
	unsigned int n = 0;
	struct dirent *entry;
	DIR *d = opendir(dir);

	while ((entry = readdir(d)))
		n += strstr(entry->d_name, part) != NULL;
	closedir(d);
	return n;
}

static void content_in_any_order_is_printed_once(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f, ID_1, JOB_PRINT);
	struct ranges held = RANGES_INIT;

	assert_int_equal(put(f, job, 200000, SIZE), 0);
	assert_int_equal(put(f, job, 0, 50000), 0);
	assert_int_equal(put(f, job, 40000, 210000), 20000); /* overlaps both ends */
	assert_int_equal(job_received(job, &held), 0);
	assert_true(ranges_complete(&held, SIZE));
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_string_equal(f->trace, "executing completed ");
	assert_file(out, f->data, SIZE);
	assert_runs(1);
	/* A sender that missed the answer sends again: all of it duplicate, nothing executed. */
	assert_int_equal(put(f, job, 0, SIZE), SIZE);
	loop_step(f->loop, 0);
	assert_runs(1);
	assert_int_equal(count_files(f->state, ".content"), 0);
	ranges_fini(&held);
}

static void duplicates_do_not_overwrite(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f, ID_1, JOB_PRINT);
	static uint8_t junk[1000];
	struct upload *u;
	uint64_t duplicate;

	put(f, job, 0, 1000);
	assert_int_equal(upload_begin(job, 0, 1000, &u), 0);
	assert_int_equal(upload_data(u, junk, sizeof(junk)), 0);
	assert_int_equal(upload_end(u, &duplicate), 0);
	assert_int_equal(duplicate, 1000);
	put(f, job, 1000, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
}

static void wrong_content_is_not_executed(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f, ID_1, JOB_PRINT);

	f->data[12345] ^= 1;
	put(f, job, 0, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_non_null(strstr(job_reason(job), "SHA-256"));
	assert_runs(0);
}

static void a_failing_command_says_why(void **state)
{
	struct fixture *f = *state;
	struct job *job;

	stop(f);
	strcpy(f->print, "/bin/sh -c 'echo first; echo out of \"paper\" >&2; exit 3'");
	start(f);
	job = create(f, ID_1, JOB_PRINT);
	put(f, job, 0, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_string_equal(job_reason(job),
			    "the print command failed with status 3: out of paper");
	stop(f);
	strcpy(f->print, "/no/such/program %f");
	start(f);
	job = create(f, ID_2, JOB_PRINT);
	put(f, job, 0, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_non_null(strstr(job_reason(job), "/no/such/program: No such file"));
}

/* In place of a command: shunt-ipp, whose last line needs no introduction. */
static void a_printer_gets_the_job(void **state)
{
	struct fixture *f = *state;
	struct job *job;
	FILE *program;

	stop(f);
	f->print[0] = '\0';
	strcpy(f->printer, "ipp://localhost/%f");
	snprintf(f->helper, sizeof(f->helper), "%s/shunt-ipp", f->top);
	program = fopen(f->helper, "w");
	assert_non_null(program);
	fprintf(program,
		"#!/bin/sh\ncmp \"$2\" %s/want || exit 2\n"
		"echo \"printer: $# $1 $3 $CONTENT_TYPE\"; exit 1\n",
		f->top);
	assert_int_equal(fchmod(fileno(program), 0700), 0);
	fclose(program);
	snprintf(out, sizeof(out), "%s/want", f->top);
	program = fopen(out, "w");
	assert_int_equal(fwrite(f->data, 1, SIZE, program), SIZE);
	fclose(program);
	start(f);
	job = create(f, ID_1, JOB_PRINT);
	put(f, job, 0, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_string_equal(job_reason(job),
			    "printer: 3 ipp://localhost/%f a file.bin application/octet-stream");
}

static void stored_under_its_name(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f, ID_1, JOB_STORE);
	char path[128];

	snprintf(path, sizeof(path), "%s/a file.bin", f->store);
	put(f, job, 0, 1000);
	assert_int_equal(access(path, F_OK), -1); /* nothing shows before it is whole */
	put(f, job, 1000, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_file(path, f->data, SIZE);
	assert_int_equal(count_files(f->store, ".part"), 0);
}

static void stored_files_are_kept_when_told_so(void **state)
{
	struct fixture *f = *state;
	struct job_meta meta = make_meta(f, ID_2, JOB_STORE);
	struct job *job;
	struct err e = { 0 };

	stop(f);
	f->existing = STORE_REFUSE;
	start(f);
	job = create(f, ID_1, JOB_STORE);
	put(f, job, 0, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), -ENOTSUP);
	assert_string_equal(e.text, "a file of that name exists");
}

/* The job says so: before content is sent, and of a file that came meanwhile, over a restart as well. */
static void a_job_replaces_no_file(void **state)
{
	struct fixture *f = *state;
	struct job_meta meta = make_meta(f, ID_1, JOB_STORE);
	struct job *job;
	struct err e = { 0 };
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/a file.bin", f->store);
	meta.job.no_clobber = true;
	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), 1);
	put(f, job, 0, 1000);
	stop(f);
	start(f);
	job = jobs_find(f->jobs, meta.cloud, ID_1);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	put(f, job, 0, SIZE);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_FAILED);
	meta = make_meta(f, ID_2, JOB_STORE);
	meta.job.no_clobber = true;
	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), -ENOTSUP);
	assert_string_equal(e.text, "a file of that name exists");
}

static void names_that_leave_the_directory_are_refused(void **state)
{
	struct fixture *f = *state;
	struct job_meta meta = make_meta(f, ID_1, JOB_STORE);
	struct job *job;
	struct err e = { 0 };

	strcpy(meta.job.name, "../escape");
	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), -ENOTSUP);
	strcpy(meta.job.name, ".hidden");
	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), -ENOTSUP);
}

static void suspended_keeps_and_refuses(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f, ID_1, JOB_PRINT);
	struct upload *u, *late;

	assert_int_equal(upload_begin(job, 0, 1000, &late), 0);
	assert_int_equal(job_suspend(job), 0);
	assert_int_equal(job_suspend(job), 0);
	assert_int_equal(upload_begin(job, 1000, SIZE, &u), -EBUSY);
	assert_int_equal(job_done(job), -EBUSY); /* that is for fetch jobs */
	/* What was under way may end, and is kept. */
	assert_int_equal(upload_data(late, f->data, 1000), 0);
	assert_int_equal(upload_end(late, NULL), 0);
	assert_string_equal(f->trace, "suspended ");
	restart(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_int_equal(job_state(job), JOB_SUSPENDED);
	assert_int_equal(job_resume(job), 0);
	assert_int_equal(put(f, job, 0, SIZE), 1000);
	await_end(f, job);
	assert_string_equal(f->trace, "receiving executing completed ");
	assert_int_equal(job_suspend(job), -EALREADY);
	assert_int_equal(job_resume(job), -EALREADY);
}

/* Complete while suspended: executed only after it is resumed. */
static void suspended_is_not_executed(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f, ID_1, JOB_PRINT);
	struct upload *u;

	assert_int_equal(upload_begin(job, 0, SIZE, &u), 0);
	assert_int_equal(job_suspend(job), 0);
	assert_int_equal(upload_data(u, f->data, SIZE), 0);
	assert_int_equal(upload_end(u, NULL), 0);
	for (int i = 0; i < 5; i++)
		loop_step(f->loop, 0);
	assert_int_equal(job_state(job), JOB_SUSPENDED);
	assert_runs(0);
	assert_int_equal(job_resume(job), 0);
	await_end(f, job);
	assert_runs(1);
}

static void a_restart_resumes_receiving(void **state)
{
	struct fixture *f = *state;
	struct job *job = create(f, ID_1, JOB_PRINT);
	struct ranges held = RANGES_INIT;
	struct upload *u;

	put(f, job, 1000, 2000);
	/* A request that broke off in the middle. */
	assert_int_equal(upload_begin(job, 5000, 9000, &u), 0);
	assert_int_equal(upload_data(u, f->data + 5000, 1500), 0);
	assert_int_equal(upload_end(u, NULL), 0);
	restart(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_non_null(job);
	assert_int_equal(job_received(job, &held), 0);
	assert_int_equal(held.n, 2);
	assert_int_equal(held.v[1].from, 5000);
	assert_int_equal(held.v[1].to, 6500);
	assert_int_equal(put(f, job, 0, SIZE), 2500);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	assert_file(out, f->data, SIZE);
	ranges_fini(&held);
}

/* A journal may lag behind the content that closed gaps: all it says is still believed. */
static void a_restart_takes_more_pieces_than_a_cloud_may_send(void **state)
{
	struct fixture *f = *state;
	char file[] = ID_1 ".cloud1.journal";
	struct ranges held = RANGES_INIT;
	struct journal_replay replay;
	struct journal *journal;
	struct err e = { 0 };
	struct job *job;
	int fd;

	create(f, ID_1, JOB_PRINT);
	stop(f);
	fd = open(f->state, O_RDONLY | O_DIRECTORY);
	assert_int_equal(journal_open(fd, file, &replay, &journal, &e), 0);
	for (uint64_t i = 0; i < JOB_RANGES_MAX + 100; i++)
		assert_int_equal(journal_range(journal, 100 * i, 100 * i + 50), 0);
	journal_replay_fini(&replay);
	journal_close(journal);
	close(fd);
	start(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_non_null(job);
	assert_int_equal(job_state(job), JOB_RECEIVING);
	assert_int_equal(job_received(job, &held), 0);
	assert_int_equal(held.n, JOB_RANGES_MAX + 100);
	ranges_fini(&held);
}

static void a_print_caught_by_a_restart_is_interrupted(void **state)
{
	struct fixture *f = *state;
	struct job *job;

	stop(f);
	snprintf(f->print, sizeof(f->print), "/bin/sh -c 'echo run >>\"$0.runs\"; sleep 1000' %s",
		 out);
	start(f);
	job = create(f, ID_1, JOB_PRINT);
	put(f, job, 0, SIZE);
	while (job_state(job) != JOB_EXECUTING)
		loop_step(f->loop, 10000);
	restart(f);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	assert_int_equal(job_state(job), JOB_INTERRUPTED);
	/* Nor does the same job start again when it is put again. */
	{
		struct job_meta meta = make_meta(f, ID_1, JOB_PRINT);
		struct job *same;
		struct upload *u;
		struct err e = { 0 };

		assert_int_equal(jobs_create(f->jobs, &meta, &same, &e), 0);
		assert_ptr_equal(same, job);
		assert_int_equal(upload_begin(job, 0, SIZE, &u), -EALREADY);
	}
	loop_step(f->loop, 0);
	assert_int_equal(job_state(job), JOB_INTERRUPTED);
	assert_int_equal(count_files(f->state, ".content"), 0);
}

/* A journal as a kill leaves it between "executing" and the rename, and just after the rename. */
static void a_store_caught_by_a_restart_is_finished(void **state)
{
	struct fixture *f = *state;
	char part[256], path[128];
	struct job_meta meta = make_meta(f, ID_1, JOB_STORE);
	struct journal *j;
	struct job *job;
	int dirfd, fd;

	stop(f);
	dirfd = open(f->state, O_RDONLY | O_DIRECTORY);
	assert_int_equal(journal_create(dirfd, ID_1 ".cloud1.journal", &meta, &j), 0);
	assert_int_equal(journal_range(j, 0, SIZE), 0);
	assert_int_equal(journal_sync(j), 0);
	assert_int_equal(journal_state(j, JOB_EXECUTING, "", 1), 0);
	journal_close(j);
	strcpy(meta.id, ID_2);
	assert_int_equal(journal_create(dirfd, ID_2 ".cloud1.journal", &meta, &j), 0);
	assert_int_equal(journal_state(j, JOB_EXECUTING, "", 2), 0);
	journal_close(j);
	close(dirfd);
	snprintf(part, sizeof(part), "%s/.shunt-" ID_1 ".cloud1.part", f->store);
	fd = open(part, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, f->data, SIZE), SIZE);
	close(fd);

	start(f);
	job = jobs_find(f->jobs, "cloud1", ID_2);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	job = jobs_find(f->jobs, "cloud1", ID_1);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
	snprintf(path, sizeof(path), "%s/a file.bin", f->store);
	assert_file(path, f->data, SIZE);
}

static void canceled_commands_are_ended(void **state)
{
	struct fixture *f = *state;
	struct job *job;

	stop(f);
	strcpy(f->print, "/bin/sleep 1000");
	start(f);
	job = create(f, ID_1, JOB_PRINT);
	put(f, job, 0, SIZE);
	while (job_state(job) != JOB_EXECUTING)
		loop_step(f->loop, 10000);
	assert_int_equal(job_cancel(job), 0);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_CANCELED);
	assert_int_equal(job_cancel(job), 0);
	job = create(f, ID_2, JOB_PRINT);
	assert_int_equal(job_cancel(job), 0);
	assert_int_equal(job_state(job), JOB_CANCELED);
}

static void count_stop(void *arg)
{
	++*(unsigned int *)arg;
}

static void on_canceled(enum job_state state, const char *reason, void *arg)
{
	(void)reason;
	*(enum job_state *)arg = state;
}

/* The command's signal is not the agent's, however early it comes: not even before the exec. */
static void a_cancellation_stops_the_command_alone(void **state)
{
	struct fixture *f = *state;
	struct job_meta meta = make_meta(f, ID_1, JOB_PRINT);
	unsigned int stops = 0;

	stop(f);
	strcpy(f->print, "/bin/sleep 1000");
	start(f);
	assert_int_equal(loop_on_stop(f->loop, count_stop, NULL, &stops), 0);
	for (int i = 0; i < 20; i++) {
		enum job_state end = JOB_EXECUTING;
		struct execution *x;

		assert_int_equal(executor_start(f->executor, &meta, "none", false, on_canceled,
						&end, &x),
				 0);
		execution_cancel(x);
		while (end == JOB_EXECUTING)
			assert_int_equal(loop_step(f->loop, 10000), 0);
		assert_int_equal(end, JOB_CANCELED);
		assert_int_equal(loop_step(f->loop, 0), 0);
		assert_int_equal(stops, 0);
	}
}

static void bounds_hold(void **state)
{
	struct fixture *f = *state;
	struct job_meta meta = make_meta(f, ID_1, JOB_PRINT);
	struct job *job = NULL;
	struct err e = { 0 };

	meta.job.size = (1 << 20) + 1;
	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), -EDQUOT);
	meta.job.size = (1 << 20) - 2;
	for (int i = 1; i <= 3; i++) {
		snprintf(meta.id, sizeof(meta.id), "%032d", i);
		assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), 1);
		meta.job.size = 1;
	}
	snprintf(meta.id, sizeof(meta.id), "%032d", 4);
	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), -EDQUOT);
	assert_non_null(strstr(e.text, "max-jobs"));
	/* The same id and other content is another job; another cloud's id is its own affair. */
	snprintf(meta.id, sizeof(meta.id), "%032d", 3);
	meta.job.size = 2;
	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), -EEXIST);
	assert_null(jobs_find(f->jobs, "cloud2", meta.id));
	assert_true(jobs_busy(f->jobs, "cloud1"));
	assert_false(jobs_busy(f->jobs, "cloud2"));
}

static void oldest_finished_records_make_room(void **state)
{
	struct fixture *f = *state;

	for (int i = 1; i <= 4; i++) {
		char id[ID_LEN];

		snprintf(id, sizeof(id), "%032d", i);
		assert_int_equal(job_cancel(create(f, id, JOB_PRINT)), 0);
		loop_step(f->loop, 0);
	}
	assert_null(jobs_find(f->jobs, "cloud1", ID_1));
	assert_null(jobs_find(f->jobs, "cloud1", ID_2));
	assert_non_null(jobs_find(f->jobs, "cloud1", "00000000000000000000000000000004"));
	assert_int_equal(count_files(f->state, ".journal"), 2);
	restart(f);
	assert_non_null(jobs_find(f->jobs, "cloud1", "00000000000000000000000000000003"));
}

static void empty_jobs_run_at_once(void **state)
{
	struct fixture *f = *state;
	struct job_meta meta = make_meta(f, ID_1, JOB_PRINT);
	uint8_t digest[SHA256_LEN];
	struct job *job;
	struct err e = { 0 };

	meta.job.size = 0;
	assert_int_equal(sha256_once("", 0, digest), 0);
	sha256_hex(digest, meta.job.sha256);
	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), 1);
	await_end(f, job);
	assert_int_equal(job_state(job), JOB_COMPLETED);
}

static void a_second_agent_is_kept_out(void **state)
{
	struct fixture *f = *state;
	struct jobs *second;
	struct err e = { 0 };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (jobs_new(f->loop, &f->conf, f->executor, &second, &e) != -EBUSY)
			_exit(1);
		_exit(strstr(e.text, "another shunt-device") ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void damaged_journals_are_set_aside(void **state)
{
	struct fixture *f = *state;
	char path[160];
	int fd;

	stop(f);
	snprintf(path, sizeof(path), "%s/" ID_1 ".cloud1.journal", f->state);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "rubbish", 7), 7);
	close(fd);
	start(f);
	assert_null(jobs_find(f->jobs, "cloud1", ID_1));
	assert_int_equal(count_files(f->state, ".bad"), 1);
}

/* A file recovery could not read is neither lost nor taken for a job of the cloud that differs. */
static void files_in_the_way_are_no_other_job(void **state)
{
	struct fixture *f = *state;
	struct job_meta meta = make_meta(f, ID_1, JOB_PRINT);
	struct job *job;
	struct err e = { 0 };
	char path[160];
	int fd;

	stop(f);
	snprintf(path, sizeof(path), "%s/" ID_1 ".cloud1.journal", f->state);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, 64 << 20), 0); /* -EFBIG */
	close(fd);
	start(f);
	assert_int_equal(jobs_create(f->jobs, &meta, &job, &e), -EIO);
	assert_non_null(strstr(e.text, "in the way"));
	assert_int_equal(access(path, F_OK), 0);
}

static void the_table_of_transitions(void **state)
{
	static const enum job_state all[] = { JOB_RECEIVING, JOB_QUEUED,    JOB_WAITING,
					      JOB_RUNNING,   JOB_SUSPENDED, JOB_EXECUTING,
					      JOB_COMPLETED, JOB_FAILED,    JOB_INTERRUPTED,
					      JOB_CANCELED };
	unsigned int allowed = 0;

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		for (size_t k = 0; k < 10; k++) {
			if (job_state_may(all[i], all[k]))
				allowed++;
			if (job_state_final(all[i]))
				assert_false(job_state_may(all[i], all[k]));
		}
	}
	assert_int_equal(allowed, 11 + 8); /* inward, and what fetch jobs need beside */
	assert_true(job_state_may(JOB_RECEIVING, JOB_EXECUTING));
	assert_false(job_state_may(JOB_SUSPENDED, JOB_EXECUTING));
	assert_true(job_state_may(JOB_RUNNING, JOB_COMPLETED));
	assert_false(job_state_may(JOB_RUNNING, JOB_EXECUTING));
	assert_false(job_state_may(JOB_RECEIVING, JOB_COMPLETED));
	assert_false(job_state_may(JOB_EXECUTING, JOB_RECEIVING));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(content_in_any_order_is_printed_once),
		TEST(a_printer_gets_the_job),
		TEST(duplicates_do_not_overwrite),
		TEST(wrong_content_is_not_executed),
		TEST(a_failing_command_says_why),
		TEST(stored_under_its_name),
		TEST(stored_files_are_kept_when_told_so),
		TEST(a_job_replaces_no_file),
		TEST(names_that_leave_the_directory_are_refused),
		TEST(suspended_keeps_and_refuses),
		TEST(suspended_is_not_executed),
		TEST(a_restart_resumes_receiving),
		TEST(a_restart_takes_more_pieces_than_a_cloud_may_send),
		TEST(a_print_caught_by_a_restart_is_interrupted),
		TEST(a_store_caught_by_a_restart_is_finished),
		TEST(canceled_commands_are_ended),
		TEST(a_cancellation_stops_the_command_alone),
		TEST(bounds_hold),
		TEST(oldest_finished_records_make_room),
		TEST(empty_jobs_run_at_once),
		TEST(a_second_agent_is_kept_out),
		TEST(damaged_journals_are_set_aside),
		TEST(files_in_the_way_are_no_other_job),
		cmocka_unit_test(the_table_of_transitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
