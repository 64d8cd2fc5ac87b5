/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device_jobs: the jobs of a device with a real executor, in directories of their own, to be stopped and
 * started again; for one test program. What is configured when start() is called is what the strings say;
 * "" is not configured.
 */
#ifndef SHUNT_TESTS_DEVICE_JOBS_H
#define SHUNT_TESTS_DEVICE_JOBS_H

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

#include "device/executor.h"
#include "device/jobs.h"
#include "lib/age.h"
#include "lib/digest.h"
#include "lib/loop.h"

#define ID_1 "00000000000000000000000000000001"
#define ID_2 "00000000000000000000000000000002"

struct fixture {
	char top[64], state[96];
	char store[96], share[96]; /* directories */
	char print[512], scan[512]; /* commands */
	char printer[96], helper[96]; /* URI, and the program for it */
	enum store_existing existing;
	uint64_t quota;
	char keys[96]; /* directory of file keys */
	struct age_recipient to; /* of stored files, when n_to is 1 */
	size_t n_to;
	struct loop *loop;
	struct executor *executor;
	struct jobs *jobs;
	struct jobs_conf conf;
	uint8_t *data; /* content of jobs */
	char sha256[SHA256_STR_LEN];
	char trace[512]; /* states entered, in order */
};

static inline const char *configured(const char *s)
{
	return s[0] ? s : NULL;
}

static inline void start(struct fixture *f)
{
	struct executor_conf ex = { .state_dir = f->state,
				    .print_command = configured(f->print),
				    .printer = configured(f->printer),
				    .printer_helper = f->helper,
				    .store_dir = configured(f->store),
				    .store_existing = f->existing,
				    .store_quota = f->quota,
				    .encrypt_to = &f->to,
				    .n_encrypt_to = f->n_to,
				    .fetch_dir = configured(f->share),
				    .scan_command = configured(f->scan) };
	struct err e = { 0 };

	f->conf.key_dir = configured(f->keys);
	assert_int_equal(executor_new(f->loop, &ex, &f->executor, &e), 0);
	assert_int_equal(jobs_new(f->loop, &f->conf, f->executor, &f->jobs, &e), 0);
}

static inline void stop(struct fixture *f)
{
	jobs_free(f->jobs);
	executor_free(f->executor);
	f->jobs = NULL;
	f->executor = NULL;
}

static inline void restart(struct fixture *f)
{
	stop(f);
	f->trace[0] = '\0';
	start(f);
}

static void on_job_change(struct job *job, void *arg)
{
	struct fixture *f = arg;
	size_t n = strlen(f->trace);

	snprintf(f->trace + n, sizeof(f->trace) - n, "%s ", job_state_str(job_state(job)));
}

/* Everything but commands and directories beside the state's, for the caller to set and to start. */
static inline struct fixture *fixture_new(size_t size)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint8_t digest[SHA256_LEN];

	strcpy(f->top, "/tmp/shunt-jobs-XXXXXX");
	assert_non_null(mkdtemp(f->top));
	snprintf(f->state, sizeof(f->state), "%s/state", f->top);
	assert_int_equal(mkdir(f->state, 0700), 0);
	f->data = malloc(size);
	for (size_t i = 0; i < size; i++)
		f->data[i] = (uint8_t)(i * 2654435761u >> 13);
	assert_int_equal(sha256_once(f->data, size, digest), 0);
	sha256_hex(digest, f->sha256);
	f->conf = (struct jobs_conf){ .state_dir = f->state,
				      .max_bytes = 1 << 20,
				      .max_jobs = 3,
				      .max_running = 1,
				      .keep_finished = 2,
				      .on_change = on_job_change,
				      .arg = f };
	assert_int_equal(loop_new(&f->loop), 0);
	return f;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	stop(f);
	loop_free(f->loop);
	snprintf(command, sizeof(command), "rm -r %s", f->top);
	assert_int_equal(system(command), 0);
	free(f->data);
	free(f);
	return 0;
}

/* A directory of the fixture's. */
static inline void make_dir(struct fixture *f, const char *name, char out[96])
{
	snprintf(out, 96, "%s/%s", f->top, name);
	assert_int_equal(mkdir(out, 0700), 0);
}

/* Run the loop until the job has ended. */
static inline void await_end(struct fixture *f, struct job *job)
{
	while (!job_state_final(job_state(job)))
		assert_int_equal(loop_step(f->loop, 10000), 0);
}

#endif
