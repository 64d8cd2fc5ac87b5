// SPDX-License-Identifier: GPL-2.0-or-later
/* Fetch jobs from a file server without agent in a real cloud: how often a file is begun anew, and when that is enough. */
#include "cloud_steps.h"
#include "davkit.h"

#define NO_PROPFIND                                                                                \
	{                                                                                          \
		"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n", NULL, false                        \
	}

static struct dav dav;

static int setup(void **state)
{
	struct world *w;

	world_setup(state);
	w = *state;
	memset(&dav, 0, sizeof(dav));
	dav_listen(&dav, w->loop, INADDR_ANY);
	w->device.services[0].kind = SERVICE_WEBDAV;
	w->device.services[0].port = dav.port;
	w->device.services[0].tls = false;
	strcpy(w->device.services[0].path, "/files");
	return 0;
}

static int teardown(void **state)
{
	dav_shut(&dav);
	return world_teardown(state);
}

static void fetch(struct world *w, struct sapi_job *out)
{
	struct sapi_job_submit body = { .kind = JOB_FETCH, .size = CONTENT_SIZE_UNKNOWN };
	struct job_order order = { .submit = &body, .owner = "alice", .priority = 3, .key = "" };
	struct err e = { 0 };
	char id[ID_LEN];

	strcpy(body.device, "mfp-1");
	strcpy(body.path, "x");
	if (jobs_submit(w->cloud.jobs, &order, id, &e))
		fail_msg("%s", err_text(&e));
	await_end(w, id, out);
}

static size_t times(const struct sapi_job *job, const char *event)
{
	size_t i, n = 0;

	for (i = 0; i < job->n_timeline; i++)
		n += !strcmp(job->timeline[i].event, event);
	return n;
}

/* Nothing of what was said comes: one begins anew at once, but not for ever, and not without a pause. */
static void what_never_comes(void **state)
{
#define PROMISE                                                                                     \
	{                                                                                           \
		"HTTP/1.1 207 Multi-Status\r\nConnection: close\r\n\r\n"                            \
		"<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/files/x</D:href><D:propstat>" \
		"<D:prop><D:getcontentlength>10</D:getcontentlength></D:prop>"                      \
		"<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>",   \
			NULL, true                                                                  \
	}
#define NOTHING                                                                                    \
	{                                                                                          \
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", NULL, true                         \
	}
	static const struct dav_answer answers[] = { PROMISE, NOTHING, PROMISE, NOTHING,
						     PROMISE, NOTHING, PROMISE, NOTHING };
	struct world *w = *state;
	struct sapi_job job;

	DAV_ANSWERS(&dav, answers);
	fetch(w, &job);
	assert_int_equal(job.state, JOB_FAILED);
	assert_non_null(strstr(job.reason, "shorter"));
	/* One more than there are tries. */
	assert_int_equal(dav.next, 2 * (w->conf.attempts + 1));
	assert_int_equal(times(&job, "retry"), w->conf.attempts - 1);
	sapi_job_fini(&job);
}

/* A server that does not name what it sends: a line that breaks is no change of the file. */
static void interruptions_are_no_changes(void **state)
{
#define PART(octets)                                                                               \
	{                                                                                          \
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" octets, NULL, true                 \
	}
	static const struct dav_answer answers[] = {
		NO_PROPFIND,
		PART("0"),
		NO_PROPFIND,
		PART("01"),
		NO_PROPFIND,
		PART("012"),
		NO_PROPFIND,
		PART("0123"),
		NO_PROPFIND,
		PART("01234"),
		NO_PROPFIND,
		PART("012345"),
		NO_PROPFIND,
		PART("0123456"),
		NO_PROPFIND,
		{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", NULL, false },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", NULL, false },
	};
	struct world *w = *state;
	struct sapi_job job;

	DAV_ANSWERS(&dav, answers);
	fetch(w, &job);
	if (job.state != JOB_COMPLETED)
		fail_msg("%s", job.reason);
	assert_int_equal(times(&job, "content-dropped"), 7);
	assert_false(timeline_has(&job, "content-dropped", "content-changed"));
	sapi_job_fini(&job);
}

int main(void)
{
#define TEST(x) cmocka_unit_test_setup_teardown(x, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_never_comes),
		TEST(interruptions_are_no_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
