// SPDX-License-Identifier: GPL-2.0-or-later
/* store: registry and jobs, what survives a kill, what a foreign or damaged file gives. */
#include "lib/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define ID1 "0123456789abcdef0123456789abcdef"
#define ID2 "1123456789abcdef0123456789abcdef"
#define ID3 "2123456789abcdef0123456789abcdef"

static char dir[64], path[96];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/shunt-store-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/db", dir);
	return 0;
}

static int teardown(void **state)
{
	char wal[128];

	(void)state;
	unlink(path);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	unlink(wal);
	return rmdir(dir);
}

static struct store *open_store(const char *file, enum store_schema schema)
{
	struct store *s;
	struct err e = { 0 };

	if (store_open(file, schema, &s, &e))
		fail_msg("%s", err_text(&e));
	return s;
}

static struct sapi_device device(const char *code)
{
	struct sapi_device d = { .connectable = true, .priority = 3, .n_services = 1 };

	snprintf(d.code, sizeof(d.code), "%s", code);
	snprintf(d.gateway, sizeof(d.gateway), "gw1");
	addr_parse("192.168.1.10", &d.address);
	d.services[0] = (struct sapi_service){ SERVICE_AGENT, 8632, true, "/" };
	return d;
}

static struct store_job job(const char *id, const char *owner, const char *key)
{
	struct store_job j = { .kind = JOB_PRINT, .size = 1000, .priority = 4, .created = 1000 };

	snprintf(j.id, sizeof(j.id), "%s", id);
	snprintf(j.device, sizeof(j.device), "mfp");
	snprintf(j.name, sizeof(j.name), "gr\xc3\xbc\xc3\x9f'; DROP TABLE job; --.pdf");
	snprintf(j.media_type, sizeof(j.media_type), "application/pdf");
	snprintf(j.owner, sizeof(j.owner), "%s", owner);
	snprintf(j.idem_key, sizeof(j.idem_key), "%s", key);
	return j;
}

static int on_device(void *arg, const struct sapi_device *d)
{
	char *codes = arg;

	strcat(codes, d->code);
	strcat(codes, " ");
	return strcmp(d->code, "stop") ? 0 : 77;
}

static void test_devices(void **state)
{
	struct store *s = open_store(path, STORE_MANAGER);
	struct sapi_device d = device("mfp"), got;
	char codes[256] = "";
	bool created = true;
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(store_device_get(s, "mfp", &got), -ENOENT);
	assert_string_equal(err_text(store_err(s)), "device mfp is not known");
	assert_int_equal(store_device_add(s, &d), 0);
	assert_int_equal(store_device_add(s, &d), -EEXIST);
	assert_int_equal(store_device_get(s, "mfp", &got), 0);
	assert_memory_equal(&got, &d, sizeof(d));
	d.connectable = false;
	assert_int_equal(store_device_put(s, &d, &created), 0);
	assert_false(created);
	d = device("a");
	assert_int_equal(store_device_put(s, &d, &created), 0);
	assert_true(created);
	d.n_services = 0; /* could not be read back */
	assert_int_equal(store_device_put(s, &d, NULL), -EINVAL);
	store_close(s);

	s = open_store(path, STORE_MANAGER);
	assert_int_equal(store_device_get(s, "mfp", &got), 0);
	assert_false(got.connectable);
	assert_int_equal(store_device_list(s, on_device, codes), 0);
	assert_string_equal(codes, "a mfp ");
	d = device("stop");
	assert_int_equal(store_device_add(s, &d), 0);
	d = device("z");
	assert_int_equal(store_device_add(s, &d), 0);
	assert_int_equal(store_device_list(s, on_device, codes), 77);
	assert_int_equal(store_device_del(s, "mfp"), 0);
	assert_int_equal(store_device_del(s, "mfp"), -ENOENT);
	store_close(s);
	store_close(NULL);
}

static int on_job(void *arg, const struct store_job *j)
{
	char *ids = arg;

	strncat(ids, j->id, 1);
	return 0;
}

static void expect_list(struct store *s, struct store_job_filter f, const char *want)
{
	char ids[64] = "";

	assert_int_equal(store_job_list(s, &f, on_job, ids), 0);
	assert_string_equal(ids, want);
}

static void test_jobs(void **state)
{
	struct store *s = open_store(":memory:", STORE_CLOUD);
	struct store_job j = job(ID1, "alice", "k1"), got;
	uint64_t n;

	(void)state;
	snprintf(j.path, sizeof(j.path), "x/y");
	snprintf(j.idem_hash, sizeof(j.idem_hash), "%064d", 7);
	j.no_clobber = true;
	j.print = (struct sapi_print){ 2, "na_letter_8.5x11in", SIDES_LONG_EDGE, COLOR_COLOR };
	assert_int_equal(store_job_add(s, &j), 0);
	assert_int_equal(store_job_get(s, ID1, &got), 0);
	assert_memory_equal(&got, &j, sizeof(j));
	assert_int_equal(store_job_printer_put(s, ID1, INT32_MAX), 0);
	assert_int_equal(store_job_get(s, ID1, &got), 0);
	assert_int_equal(got.printer_job, INT32_MAX);
	assert_int_equal(store_job_printer_put(s, ID2, 1), -ENOENT);
	assert_int_equal(store_job_add(s, &j), -EEXIST);
	j = job(ID2, "alice", "k1"); /* the same key of the same owner */
	assert_int_equal(store_job_add(s, &j), -EEXIST);
	j = job(ID2, "bob", "k1");
	assert_int_equal(store_job_add(s, &j), 0);
	j = job(ID3, "bob", ""); /* no key never collides */
	assert_int_equal(store_job_add(s, &j), 0);
	assert_int_equal(store_job_find_key(s, "bob", "k1", &got), 0);
	assert_string_equal(got.id, ID2);
	assert_int_equal(store_job_find_key(s, "carol", "k1", &got), -ENOENT);
	assert_int_equal(store_job_find_key(s, "bob", "", &got), -ENOENT);

	j.state = JOB_COMPLETED;
	j.size = 5; /* never changes */
	j.delivered = 1000;
	j.resent = 12;
	j.moved = true;
	j.attempts = 3;
	j.finished = 5000;
	snprintf(j.reason, sizeof(j.reason), "printed");
	snprintf(j.sha256, sizeof(j.sha256), "%064d", 1);
	assert_int_equal(store_job_update(s, &j), 0);
	assert_int_equal(store_job_get(s, ID3, &got), 0);
	assert_int_equal(got.size, 1000);
	j.size = 1000;
	assert_memory_equal(&got, &j, sizeof(j));

	assert_int_equal(store_job_size_put(s, ID3, CONTENT_SIZE_UNKNOWN), 0);
	assert_int_equal(store_job_get(s, ID3, &got), 0);
	assert_true(got.size == CONTENT_SIZE_UNKNOWN);
	assert_int_equal(store_job_size_put(s, ID3, 7), 0);
	assert_int_equal(store_job_get(s, ID3, &got), 0);
	assert_int_equal(got.size, 7);

	expect_list(s, (struct store_job_filter){ 0 }, "012");
	expect_list(s, (struct store_job_filter){ .owner = "bob" }, "12");
	expect_list(s, (struct store_job_filter){ .device = "nas" }, "");
	expect_list(s, (struct store_job_filter){ .states = 1u << JOB_COMPLETED }, "2");
	expect_list(s, (struct store_job_filter){ .states = ~0u }, "012");
	expect_list(s, (struct store_job_filter){ .states = 1u << JOB_RECEIVING, .limit = 1 }, "0");
	expect_list(s, (struct store_job_filter){ .finished_before = 5001 }, "2");
	expect_list(s, (struct store_job_filter){ .finished_before = 5000 }, "");
	assert_int_equal(store_job_count(s, 0, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(store_job_count(s, 1u << JOB_RECEIVING | 1u << JOB_QUEUED, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(store_job_del(s, ID3), 0);
	assert_int_equal(store_job_del(s, ID3), -ENOENT);
	assert_int_equal(store_job_update(s, &j), -ENOENT);
	assert_int_equal(store_job_size_put(s, ID3, 1), -ENOENT);
	assert_int_equal(store_job_get(s, ID3, &got), -ENOENT);
	assert_string_equal(err_text(store_err(s)), "job " ID3 " is not known");
	store_close(s);
}

static void test_content(void **state)
{
	struct store *s = open_store(":memory:", STORE_CLOUD);
	struct store_job j = job(ID1, "alice", "");
	struct buf got = BUF_INIT;

	(void)state;
	assert_int_equal(store_content_put(s, ID1, "x", 1), -ENOENT);
	assert_int_equal(store_job_add(s, &j), 0);
	assert_int_equal(store_content_get(s, ID1, &got), -ENOENT);
	assert_int_equal(store_content_put(s, ID1, "a\0b", 3), 0);
	assert_int_equal(store_content_put(s, ID1, "a\0c", 3), 0); /* the last one counts */
	assert_int_equal(store_content_get(s, ID1, &got), 0);
	assert_int_equal(got.len, 3);
	assert_memory_equal(got.data, "a\0c", 3);
	assert_int_equal(store_content_del(s, ID1), 0);
	assert_int_equal(store_content_del(s, ID1), 0);
	assert_int_equal(store_content_get(s, ID1, &got), -ENOENT);
	assert_int_equal(store_content_put(s, ID1, NULL, 0), 0);
	buf_fini(&got);
	buf_init(&got);
	assert_int_equal(store_content_get(s, ID1, &got), 0);
	assert_int_equal(got.len, 0);
	assert_int_equal(store_job_del(s, ID1), 0);
	assert_int_equal(store_content_get(s, ID1, &got), -ENOENT); /* gone with its job */
	buf_fini(&got);
	store_close(s);
}

static void test_full(void **state)
{
	struct store *s = open_store(":memory:", STORE_CLOUD);
	struct store_job j = job(ID1, "alice", "");
	struct sapi_job_event ev = { .time = 5,
				     .event = "decision",
				     .text = "t",
				     .path = PATH_TUNNEL,
				     .reason = "r",
				     .action = "move" };
	struct sapi_job_path p = { .kind = PATH_TUNNEL,
				   .state = PATH_OPENING,
				   .gateway = "gw1",
				   .tunnel = 0xffffffff,
				   .opened = 5 };
	struct ranges r = RANGES_INIT;
	struct sapi_job out;
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(store_event_add(s, ID1, &ev), -ENOENT);
	assert_int_equal(store_path_put(s, ID1, 0, &p), -ENOENT);
	assert_int_equal(store_ranges_put(s, ID1, STORE_UPLOADED, &r), -ENOENT);
	assert_int_equal(store_ranges_get(s, ID1, STORE_UPLOADED, &r), -ENOENT);
	assert_int_equal(store_job_full(s, ID1, true, &out), -ENOENT);

	assert_int_equal(store_job_add(s, &j), 0);
	assert_int_equal(store_ranges_get(s, ID1, STORE_UPLOADED, &r), 0);
	assert_int_equal(r.n, 0);
	assert_int_equal(ranges_parse("0-10,20-30", &r), 0);
	assert_int_equal(store_ranges_put(s, ID1, STORE_UPLOADED, &r), 0);
	assert_int_equal(ranges_parse("0-5", &r), 0);
	assert_int_equal(store_ranges_put(s, ID1, STORE_DELIVERED, &r), 0);
	assert_int_equal(store_ranges_get(s, ID1, STORE_UPLOADED, &r), 0);
	assert_int_equal(ranges_total(&r), 20);
	assert_int_equal(store_ranges_get(s, ID1, STORE_DELIVERED, &r), 0);
	assert_int_equal(ranges_total(&r), 5);
	for (int i = 0; i < 3; i++) {
		ev.time++;
		assert_int_equal(store_event_add(s, ID1, &ev), 0);
	}
	assert_int_equal(store_path_put(s, ID1, 1, &p), 0);
	assert_int_equal(store_path_put(s, ID1, 0, &p), 0);
	p.state = PATH_CLOSED;
	p.bytes = CONTENT_SIZE_MAX;
	assert_int_equal(store_path_put(s, ID1, 1, &p), 0);

	assert_int_equal(store_job_full(s, ID1, true, &out), 0);
	assert_int_equal(out.uploaded, 20);
	assert_int_equal(out.n_paths, 2);
	assert_int_equal(out.paths[0].state, PATH_OPENING);
	assert_true(out.paths[1].tunnel == 0xffffffff);
	assert_true(out.paths[1].bytes == CONTENT_SIZE_MAX);
	assert_int_equal(out.n_timeline, 3);
	assert_int_equal(out.timeline[2].time, 8);
	assert_memory_equal(&out.timeline[2], &ev, sizeof(ev));
	assert_int_equal(sapi_job_encode(&out, &b), 0);
	sapi_job_fini(&out);
	assert_int_equal(store_job_full(s, ID1, false, &out), 0);
	assert_int_equal(out.n_timeline, 0);
	sapi_job_fini(&out);

	/* A job takes everything of it along. */
	assert_int_equal(store_job_del(s, ID1), 0);
	assert_int_equal(store_job_add(s, &j), 0);
	assert_int_equal(store_job_full(s, ID1, true, &out), 0);
	assert_int_equal(out.n_timeline + out.n_paths + out.uploaded, 0);
	sapi_job_fini(&out);
	buf_fini(&b);
	ranges_fini(&r);
	store_close(s);
}

static void test_transactions(void **state)
{
	struct store *s = open_store(path, STORE_CLOUD);
	struct store_job j = job(ID1, "alice", ""), got;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_begin(s), -EBUSY);
	assert_int_equal(store_job_add(s, &j), 0);
	store_rollback(s);
	assert_int_equal(store_job_get(s, ID1, &got), -ENOENT);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_job_add(s, &j), 0);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(store_job_get(s, ID1, &got), 0);
	assert_int_equal(store_commit(s), -SHUNT_EDB);
	store_rollback(s); /* harmless */
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_job_del(s, ID1), 0);
	store_close(s); /* rolls back */
	s = open_store(path, STORE_CLOUD);
	assert_int_equal(store_job_get(s, ID1, &got), 0);
	store_close(s);
}

static int walk_twice(void *arg, const struct store_job *j)
{
	(void)j;
	return store_job_list(arg, NULL, on_job, (char[8]){ "" });
}

static void test_nested_walk(void **state)
{
	struct store *s = open_store(":memory:", STORE_CLOUD);
	struct store_job j = job(ID1, "alice", "");

	(void)state;
	assert_int_equal(store_job_add(s, &j), 0);
	assert_int_equal(store_job_list(s, NULL, walk_twice, s), -EBUSY);
	assert_int_equal(store_job_list(s, NULL, on_job, (char[8]){ "" }), 0);
	store_close(s);
}

/* A writer killed in the middle: what returned 0 is there, what had not been committed is not. */
static void test_kill(void **state)
{
	struct store_job j = job(ID1, "alice", ""), got;
	struct store *s;
	int fds[2], status;
	char c;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct err e;

		if (!store_open(path, STORE_CLOUD, &s, &e) && !store_job_add(s, &j)) {
			memcpy(j.id, ID2, sizeof(j.id));
			if (!store_begin(s) && !store_job_add(s, &j) && write(fds[1], "x", 1) == 1)
				pause();
		}
		_exit(1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);

	/* While it lives, nobody else gets in. */
	{
		struct err e = { 0 };

		assert_int_equal(store_open(path, STORE_CLOUD, &s, &e), -EBUSY);
		assert_non_null(strstr(err_text(&e), "is in use by another process"));
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	s = open_store(path, STORE_CLOUD);
	assert_int_equal(store_job_get(s, ID1, &got), 0);
	assert_int_equal(store_job_get(s, ID2, &got), -ENOENT);
	store_close(s);
}

static void expect_open_error(const char *file, enum store_schema schema, const char *text)
{
	struct store *s;
	struct err e = { 0 };

	assert_true(store_open(file, schema, &s, &e) < 0);
	assert_null(s);
	if (!strstr(err_text(&e), text))
		fail_msg("%s", err_text(&e));
}

static void test_bad_files(void **state)
{
	struct store *s;
	FILE *f;

	(void)state;
	expect_open_error("/nonexistent/x", STORE_CLOUD, "No such file or directory");
	expect_open_error(dir, STORE_CLOUD, "Is a directory");
	f = fopen(path, "w");
	assert_non_null(f);
	for (int i = 0; i < 1000; i++)
		fputs("this is not a database\n", f);
	fclose(f);
	expect_open_error(path, STORE_CLOUD, "file is not a database");
	unlink(path);
	s = open_store(path, STORE_MANAGER);
	store_close(s);
	expect_open_error(path, STORE_CLOUD, "is not a database of this program");
}

static int next_notice(void *arg, const struct store_notice *n)
{
	char *out = arg;

	snprintf(out + strlen(out), 200 - strlen(out), "%s %s %lld|", n->device, n->job,
		 (long long)n->created);
	return 0;
}

static void test_notices(void **state)
{
	struct store *s = open_store(path, STORE_CLOUD);
	struct store_notice a = { "mfp-1", "0123456789abcdef0123456789abcdef", 5 };
	struct store_notice b = { "mfp-2", "0123456789abcdef0123456789abcdef", 7 };
	char all[200] = "";

	(void)state;
	assert_int_equal(store_notice_add(s, &b), 0);
	assert_int_equal(store_notice_add(s, &a), 0);
	a.created = 9; /* it stays as it is */
	assert_int_equal(store_notice_add(s, &a), 0);
	store_close(s);
	s = open_store(path, STORE_CLOUD);
	assert_int_equal(store_notice_list(s, next_notice, all), 0);
	assert_string_equal(all, "mfp-2 0123456789abcdef0123456789abcdef 7|"
				 "mfp-1 0123456789abcdef0123456789abcdef 5|");
	assert_int_equal(store_notice_del(s, "mfp-2", a.job), 0);
	assert_int_equal(store_notice_del(s, "mfp-2", a.job), 0);
	all[0] = '\0';
	assert_int_equal(store_notice_list(s, next_notice, all), 0);
	assert_string_equal(all, "mfp-1 0123456789abcdef0123456789abcdef 5|");
	store_close(s);
}

/* A page overwritten with noise is an error of the store, not a wrong answer or a crash. */
static void test_damaged(void **state)
{
	struct store *s = open_store(path, STORE_CLOUD);
	struct store_job j, got;
	char noise[4096];
	int fd, failed = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		char id[ID_LEN];

		snprintf(id, sizeof(id), "%032x", i);
		j = job(id, "alice", "");
		assert_int_equal(store_job_add(s, &j), 0);
	}
	store_close(s);
	memset(noise, 0xa5, sizeof(noise));
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	for (off_t at = 4096 * 4; at < 4096 * 24; at += 4096)
		assert_int_equal(pwrite(fd, noise, sizeof(noise), at), sizeof(noise));
	close(fd);
	s = open_store(path, STORE_CLOUD);
	for (int i = 0; i < 200; i++) {
		char id[ID_LEN];
		int ret;

		snprintf(id, sizeof(id), "%032x", i);
		ret = store_job_get(s, id, &got);
		assert_true(!ret || ret == -ENOENT || ret == -SHUNT_EDB);
		failed += ret == -SHUNT_EDB;
	}
	assert_true(failed > 0);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_devices, setup, teardown),
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_full),
		cmocka_unit_test_setup_teardown(test_transactions, setup, teardown),
		cmocka_unit_test(test_nested_walk),
		cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_notices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
