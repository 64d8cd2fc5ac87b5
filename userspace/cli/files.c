// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shunt device files: a fetch job for the list of a directory, waited for and printed.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/device.h"
#include "cli/jobsend.h"
#include "cli/param.h"
#include "cli/remote.h"
#include "lib/clock.h"
#include "lib/sapi.h"

/* The path of a job that lists @dir: without "/" before it, with one behind. */
static int list_path(struct cli *c, const char *dir, char out[SAPI_PATH_LEN])
{
	size_t len;

	dir += strspn(dir, "/");
	len = strlen(dir);
	if (len + 2 > SAPI_PATH_LEN)
		return cli_usage(c, "PATH: at most %d octets", SAPI_PATH_LEN - 2);
	memcpy(out, dir, len + 1);
	if (!len || out[len - 1] != '/')
		strcpy(out + len, "/");
	return CLI_OK;
}

static int on_line(void *arg, const char *line, size_t len)
{
	char when[CLOCK_STR_LEN] = "-", size[24] = "-";
	struct cli *c = arg;
	struct sapi_entry entry;
	struct err e = { 0 };
	int err = sapi_entry_decode(line, len, &entry, &e);

	if (err)
		return err;
	if (c->json) {
		out_json(c->out, line, len);
		return 0;
	}
	if (entry.size != CONTENT_SIZE_UNKNOWN)
		snprintf(size, sizeof(size), "%" PRIu64, entry.size);
	if (entry.modified)
		clock_print(entry.modified, when);
	out_text(c->out, "%12s  %-24s  ", size, when);
	out_str(c->out, NULL, "%s", entry.name);
	out_text(c->out, "%s\n", entry.directory ? "/" : "");
	return 0;
}

static int on_event(void *arg, const char *line, size_t len)
{
	(void)arg;
	(void)line;
	(void)len;
	return 0;
}

/* Until the job has ended; its last state. */
static int await(struct cli *c, struct remote **cloud, struct sapi_job *job, struct err *e)
{
	struct buf reply = BUF_INIT;
	unsigned int tries = 0;
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/v1/jobs/%s/events", job->id);
	do
		err = remote_lines(*cloud, path, on_event, NULL, e);
	while (err && !remote_again(cloud, c, ROLE_CLOUD, &tries, err, e));
	if (!err)
		err = jobsend_ask(*cloud, "GET", job->id, &reply, e);
	sapi_job_fini(job);
	if (!err)
		err = sapi_job_decode(reply.data, reply.len, job, e);
	buf_fini(&reply);
	return err;
}

static int show(struct cli *c, struct remote *cloud, const char *id, struct err *e)
{
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/v1/jobs/%s/content", id);
	if (c->json)
		out_list_begin(c->out, NULL);
	err = remote_lines(cloud, path, on_line, c, e);
	if (c->json)
		out_list_end(c->out);
	return err;
}

static int list(struct cli *c, struct remote **cloud, const struct sapi_job_submit *submit,
		struct err *e)
{
	struct buf reply = BUF_INIT;
	struct err ignored = { 0 };
	struct sapi_job job;
	int err = jobsend_announce(c, cloud, submit, "", &job, e);

	if (err)
		return err;
	err = await(c, cloud, &job, e);
	if (!err && job.state != JOB_COMPLETED)
		err = err_set(e, -SHUNT_EREMOTE, "job %s %s: %s", job.id, job_state_str(job.state),
			      job.reason);
	if (!err)
		err = show(c, *cloud, job.id, e);
	/* It was for us only; should that fail, the cloud forgets it some day. */
	if (!err)
		jobsend_ask(*cloud, "DELETE", job.id, &reply, &ignored);
	buf_fini(&reply);
	sapi_job_fini(&job);
	return err;
}

int device_files(struct cli *c, struct args *a)
{
	struct sapi_job_submit submit = {
		.kind = JOB_FETCH,
		.size = CONTENT_SIZE_UNKNOWN,
		.priority = SAPI_PRIORITY_UNSET,
	};
	static const struct param no_params[] = { { 0 } };
	const char *code, *dir = NULL;
	struct remote *cloud = NULL;
	struct err e = { 0 };
	int status;

	while ((status = cli_option(c, a)) > 0)
		;
	if (status)
		return CLI_USAGE;
	code = args_next(a);
	status = device_check_code(c, code);
	if (!status)
		status = params_parse(c, a, no_params, NULL, NULL, &dir);
	if (!status)
		status = list_path(c, dir ? dir : "", submit.path);
	if (status)
		return status;
	snprintf(submit.device, sizeof(submit.device), "%s", code);
	if (remote_open(&cloud, c, ROLE_CLOUD, &e) || list(c, &cloud, &submit, &e))
		status = cli_refused(c, &e);
	remote_close(cloud);
	return status;
}
