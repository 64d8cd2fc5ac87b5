// SPDX-License-Identifier: GPL-2.0-or-later
/* shunt job: submit to the cloud and follow (seed #701). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/jobcontent.h"
#include "cli/jobsend.h"
#include "cli/jobshow.h"
#include "cli/param.h"
#include "cli/remote.h"
#include "cli/reply.h"
#include "lib/sapi.h"

static const char usage_text[] =
	"Usage: shunt job submit FILE --device CODE [ --kind { print | store } ] [ --name NAME ]\n"
	"                        [ --media-type TYPE/SUBTYPE ] [ --priority 0..7 ]\n"
	"                        [ --copies N ] [ --media NAME ] [ --sides SIDES ]\n"
	"                        [ --color { auto | color | monochrome } ]\n"
	"                        [ --path PATH ] [ --no-clobber ] [ --idempotency-key KEY ] [ --wait ]\n"
	"       shunt job submit --kind fetch --path { PATH | scan:NAME } --device CODE\n"
	"                        [ --name NAME ] [ --media-type TYPE/SUBTYPE ] [ --priority 0..7 ]\n"
	"                        [ --idempotency-key KEY ] [ --wait ] [ -o FILE ]\n"
	"       shunt job content ID [ -o FILE ]\n"
	"       shunt job [ list ] [ --state STATE ]\n"
	"       shunt job show ID\n"
	"       shunt job events ID          past ones, then live until the job has ended\n"
	"       shunt job cancel ID\n"
	"\n"
	"SIDES := { one-sided | two-sided-long-edge | two-sided-short-edge }\n"
	"--media is a name such as a4 or letter, or the printer's own word for what is in its trays.\n"
	"A command that is given again with the same --idempotency-key makes no second job, and sends\n"
	"of its content what the cloud does not have yet.\n"
	"--wait ends when the job has ended, with exit status 0 only if it was completed.\n"
	"--path is the destination on the device, for --kind store, or what to fetch from it: a file, or with /\n"
	"at its end a directory's list. --no-clobber fails the job rather than replace a file.\n"
	"-o waits for what is fetched and takes it into FILE; without, job content writes it to\n"
	"standard output. A download that broke off goes on when it is asked for again.\n"
	"With -j the last line of standard output is the job.\n";

/* ---- submit ---- */

enum {
	HAS_DEVICE = 1 << 0,
	HAS_TYPE = 1 << 1,
	HAS_PRIORITY = 1 << 2,
};

#define KEY_MAX 127 /* octets of an Idempotency-Key that the cloud takes */

struct submit_args {
	const char *device, *name, *type, *path, *output;
	enum job_kind kind;
	uint8_t priority;
	bool no_clobber, wait;
	const char *key, *media;
	struct sapi_print print;
};

static const struct param submit_params[] = {
	PARAM("--device", PARAM_STRING, struct submit_args, device, 1, NAME_LEN - 1, HAS_DEVICE),
	PARAM_WORDS("--kind", struct submit_args, kind, job_kind_names, 0),
	PARAM("--name", PARAM_STRING, struct submit_args, name, 1, SAPI_FILE_NAME_LEN - 1, 0),
	PARAM("--media-type", PARAM_STRING, struct submit_args, type, 3, MEDIA_TYPE_LEN - 1,
	      HAS_TYPE),
	PARAM("--priority", PARAM_U8, struct submit_args, priority, 0, SAPI_PRIORITY_MAX,
	      HAS_PRIORITY),
	PARAM("--path", PARAM_STRING, struct submit_args, path, 1, SAPI_PATH_LEN - 1, 0),
	PARAM("--copies", PARAM_U32, struct submit_args, print.copies, 1, SAPI_COPIES_MAX, 0),
	PARAM("--media", PARAM_STRING, struct submit_args, media, 1, SAPI_MEDIA_LEN - 1, 0),
	PARAM_WORDS("--sides", struct submit_args, print.sides, print_sides_names + 1, 0),
	PARAM_WORDS("--color", struct submit_args, print.color, print_color_names + 1, 0),
	PARAM("--idempotency-key", PARAM_STRING, struct submit_args, key, 1, KEY_MAX, 0),
	PARAM("--no-clobber", PARAM_FLAG, struct submit_args, no_clobber, 0, 0, 0),
	PARAM("--wait", PARAM_FLAG, struct submit_args, wait, 0, 0, 0),
	PARAM("-o", PARAM_STRING, struct submit_args, output, 1, PATH_MAX - 1, 0),
	PARAM("--output", PARAM_STRING, struct submit_args, output, 1, PATH_MAX - 1, 0),
	{ 0 },
};

static const char *guess_type(const char *name)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {
		{ ".pdf", "application/pdf" },
		{ ".jpg", "image/jpeg" },
		{ ".jpeg", "image/jpeg" },
		{ ".png", "image/png" },
		{ ".txt", "text/plain" },
		{ ".pwg", "image/pwg-raster" },
		{ ".ps", "application/postscript" },
	};
	const char *dot = strrchr(name, '.');
	size_t i;

	for (i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcasecmp(dot, types[i].suffix))
			return types[i].type;
	return "application/octet-stream";
}

static int open_content(struct cli *c, const char *file, uint64_t *size, int *fd)
{
	struct stat st;

	*fd = open(file, O_RDONLY | O_CLOEXEC);
	if (*fd < 0 || fstat(*fd, &st))
		return cli_usage(c, "%s: %s", file, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return cli_usage(c, "%s: not a regular file", file);
	*size = (uint64_t)st.st_size;
	return CLI_OK;
}

/* What is fetched is named by its path, unless somebody says otherwise. */
static int fill_fetch(struct cli *c, const struct submit_args *args, uint32_t seen,
		      struct sapi_job_submit *out)
{
	snprintf(out->device, sizeof(out->device), "%s", args->device);
	snprintf(out->name, sizeof(out->name), "%s", args->name ? args->name : "");
	snprintf(out->media_type, sizeof(out->media_type), "%s", args->type ? args->type : "");
	snprintf(out->path, sizeof(out->path), "%s", args->path);
	if (args->type && !media_type_ok(args->type))
		return cli_usage(c, "--media-type \"%s\": allowed is TYPE/SUBTYPE", args->type);
	out->kind = JOB_FETCH;
	out->size = CONTENT_SIZE_UNKNOWN;
	out->priority = seen & HAS_PRIORITY ? args->priority : SAPI_PRIORITY_UNSET;
	return CLI_OK;
}

/* From the arguments to the body; @file only gives the name where none was given. */
static int fill_submit(struct cli *c, const struct submit_args *args, uint32_t seen,
		       const char *file, uint64_t size, struct sapi_job_submit *out)
{
	char *copy = NULL;
	const char *name = args->name;

	memset(out, 0, sizeof(*out));
	if (args->kind == JOB_FETCH)
		return fill_fetch(c, args, seen, out);
	if (!name) {
		copy = strdup(file);
		name = copy ? basename(copy) : file;
	}
	snprintf(out->name, sizeof(out->name), "%s", name);
	free(copy);
	if (!utf8_ok(out->name, strlen(out->name)))
		return cli_usage(c, "the file's name is not UTF-8: give it one with --name");
	snprintf(out->device, sizeof(out->device), "%s", args->device);
	snprintf(out->media_type, sizeof(out->media_type), "%s",
		 args->type ? args->type : guess_type(out->name));
	if (!media_type_ok(out->media_type))
		return cli_usage(c, "--media-type \"%s\": allowed is TYPE/SUBTYPE",
				 out->media_type);
	if (args->path && args->kind != JOB_STORE)
		return cli_usage(c, "--path is for --kind store and fetch only");
	snprintf(out->path, sizeof(out->path), "%s", args->path ? args->path : "");
	out->print = args->print;
	snprintf(out->print.media, sizeof(out->print.media), "%s", args->media ? args->media : "");
	out->no_clobber = args->no_clobber;
	out->kind = args->kind;
	out->size = size;
	out->priority = seen & HAS_PRIORITY ? args->priority : SAPI_PRIORITY_UNSET;
	return CLI_OK;
}

static int take_submit(struct cli *c, struct args *a, struct submit_args *args, uint32_t *seen,
		       const char **file)
{
	int status;

	memset(args, 0, sizeof(*args));
	*file = NULL;
	status = params_parse(c, a, submit_params, args, seen, file);
	if (status)
		return status;
	if (args->kind == JOB_FETCH && *file)
		return cli_usage(c, "\"%s\": a fetch job takes no FILE; what to fetch is --path",
				 *file);
	if (args->kind == JOB_FETCH && !args->path)
		return cli_usage(c, "--path is missing: what is to be fetched?");
	args->print.media[0] = args->media ? args->media[0] : '\0';
	if (args->kind != JOB_PRINT && sapi_print_is_set(&args->print))
		return cli_usage(
			c, "--copies, --media, --sides and --color are for --kind print only");
	if (args->kind != JOB_STORE && args->no_clobber)
		return cli_usage(c, "--no-clobber is for --kind store only");
	if (args->kind != JOB_FETCH && args->output)
		return cli_usage(c, "-o is for --kind fetch only");
	if (args->kind != JOB_FETCH && !*file)
		return cli_usage(c, "FILE is missing, try \"shunt job help\"");
	if (!args->device)
		return cli_usage(c, "--device is missing, try \"shunt job help\"");
	if (!name_ok(args->device))
		return cli_usage(c, "--device \"%s\": allowed are 1 to 63 of A-Z a-z 0-9 . _ -",
				 args->device);
	return CLI_OK;
}

/* ---- one job ---- */

/* Events as they come; after a broken connection the past ones come again. */
struct following {
	struct cli *c;
	bool print;
	uint64_t seen, skip;
};

static int on_event_line(void *arg, const char *line, size_t len)
{
	struct following *f = arg;
	struct sapi_job_event event;
	struct err e = { 0 };
	int err;

	if (f->skip) {
		f->skip--;
		return 0;
	}
	f->seen++;
	if (!f->print)
		return 0;
	err = sapi_job_event_decode(line, len, &event, &e);
	if (err)
		return err;
	if (f->c->json) {
		out_json(f->c->out, line, len);
	} else {
		jobshow_event(f->c, &event);
		out_flush(f->c->out);
	}
	sapi_job_event_fini(&event);
	return 0;
}

/* Until the job has ended. *@cloud may be another connection then, or NULL. */
static int follow(struct cli *c, struct remote **cloud, const char *id, bool print, struct err *e)
{
	struct following f = { .c = c, .print = print };
	unsigned int tries = 0;
	uint64_t before;
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/v1/jobs/%s/events", id);
	do {
		before = f.seen;
		f.skip = f.seen;
		err = remote_lines(*cloud, path, on_event_line, &f, e);
		if (f.seen > before)
			tries = 0;
	} while (err && !remote_again(cloud, c, ROLE_CLOUD, &tries, err, e));
	if (err && !e->code)
		err_sys(e, err, "job %s: events", id);
	return err;
}

/* Print what @reply says of a job; @job (may be NULL) gets it too. */
static int show_reply(struct cli *c, const struct buf *reply, bool full, enum job_state *state,
		      struct err *e)
{
	struct sapi_job job;
	int err = sapi_job_decode(reply->data, reply->len, &job, e);

	if (err)
		return err;
	if (c->json)
		err = reply_json(c, reply, e);
	else if (full)
		jobshow_full(c, &job);
	else
		jobshow_line(c, &job);
	*state = job.state;
	sapi_job_fini(&job);
	return err;
}

/* Until the job has ended; @reply gets its last state. */
static int await_job(struct cli *c, struct remote **cloud, const char *id, struct buf *reply,
		     struct err *e)
{
	int err;

	/* Nobody should have to wait for the end to learn the id. */
	if (!c->json)
		out_str(c->out, NULL, "job %s\n", id);
	out_flush(c->out);
	err = follow(c, cloud, id, !c->json, e);
	return err ? err : jobsend_ask(*cloud, "GET", id, reply, e);
}

/* The content of the job that @reply shows, if it was completed. */
static int take_content(struct cli *c, struct remote *cloud, const struct buf *reply,
			const char *output, struct err *e)
{
	struct sapi_job job;
	int err = sapi_job_decode(reply->data, reply->len, &job, e);

	if (err)
		return err;
	if (job.state == JOB_COMPLETED)
		err = jobcontent_get(c, cloud, &job, output, e);
	sapi_job_fini(&job);
	return err;
}

static int submit_to(struct cli *c, struct remote **cloud, const struct sapi_job_submit *submit,
		     int fd, const struct submit_args *args, enum job_state *state, struct err *e)
{
	bool wait = args->wait || args->output;
	struct buf reply = BUF_INIT;
	struct sapi_job job;
	int err;

	err = jobsend_announce(c, cloud, submit, args->key ? args->key : "", &job, e);
	if (err)
		return err;
	if (submit->kind == JOB_FETCH)
		err = wait ? 0 : jobsend_ask(*cloud, "GET", job.id, &reply, e);
	else
		err = jobsend_content(c, cloud, &job, fd, &reply, e);
	if (!err && wait)
		err = await_job(c, cloud, job.id, &reply, e);
	if (!err && args->output)
		err = take_content(c, *cloud, &reply, args->output, e);
	if (!err)
		err = show_reply(c, &reply, false, state, e);
	sapi_job_fini(&job);
	buf_fini(&reply);
	return err;
}

static int job_submit(struct cli *c, struct args *a)
{
	enum job_state state = JOB_COMPLETED;
	struct sapi_job_submit submit;
	struct remote *cloud = NULL;
	struct submit_args args;
	struct err e = { 0 };
	const char *file;
	uint64_t size = 0;
	uint32_t seen;
	int status, fd = -1;

	status = take_submit(c, a, &args, &seen, &file);
	if (!status && args.kind != JOB_FETCH)
		status = open_content(c, file, &size, &fd);
	if (!status)
		status = fill_submit(c, &args, seen, file, size, &submit);
	if (status)
		goto out;
	if (remote_open(&cloud, c, ROLE_CLOUD, &e) ||
	    submit_to(c, &cloud, &submit, fd, &args, &state, &e))
		status = cli_refused(c, &e);
	else if ((args.wait || args.output) && state != JOB_COMPLETED)
		status = CLI_REFUSED;
out:
	remote_close(cloud);
	if (fd >= 0)
		close(fd);
	return status;
}

/* ---- list, show, events, cancel ---- */

static int print_jobs(struct cli *c, const struct buf *reply, struct err *e)
{
	struct sapi_job_list list;
	size_t i;
	int err;

	err = sapi_job_list_decode(reply->data, reply->len, &list, e);
	if (err)
		return err;
	for (i = 0; i < list.n; i++)
		jobshow_line(c, &list.jobs[i]);
	sapi_job_list_fini(&list);
	return 0;
}

struct list_args {
	enum job_state state;
};

static const struct param list_params[] = {
	PARAM_WORDS("--state", struct list_args, state, job_state_names, 1),
	{ 0 },
};

static int job_list(struct cli *c, struct args *a)
{
	struct buf reply = BUF_INIT;
	struct remote *cloud = NULL;
	struct list_args args;
	struct err e = { 0 };
	char path[64];
	struct remote_request request = { .method = "GET", .path = path };
	uint32_t seen;
	int status, err;

	status = params_parse(c, a, list_params, &args, &seen, NULL);
	if (status)
		return status;
	snprintf(path, sizeof(path), "/v1/jobs%s%s", seen ? "?state=" : "",
		 seen ? job_state_str(args.state) : "");
	buf_init_max(&reply, SAPI_LIST_MAX);
	err = remote_open(&cloud, c, ROLE_CLOUD, &e);
	if (!err)
		err = remote_call(cloud, &request, &reply, &e);
	if (!err)
		err = c->json ? reply_json(c, &reply, &e) : print_jobs(c, &reply, &e);
	if (err)
		status = cli_refused(c, &e);
	remote_close(cloud);
	buf_fini(&reply);
	return status;
}

static int take_id_and(struct cli *c, struct args *a, const struct param *table, void *target,
		       const char **id)
{
	int status;

	*id = NULL;
	status = params_parse(c, a, table, target, NULL, id);
	if (status)
		return status;
	if (!*id)
		return cli_usage(c, "the job's ID is missing, try \"shunt job help\"");
	if (!id_ok(*id))
		return cli_usage(c, "\"%s\" is not a job's ID (32 lower-case hex digits)", *id);
	return CLI_OK;
}

static int take_id(struct cli *c, struct args *a, const char **id)
{
	static const struct param none[] = { { 0 } };

	return take_id_and(c, a, none, NULL, id);
}

static int one_job(struct cli *c, struct args *a, const char *method, bool full)
{
	struct buf reply = BUF_INIT;
	struct remote *cloud = NULL;
	enum job_state state;
	struct err e = { 0 };
	const char *id;
	int status, err;

	status = take_id(c, a, &id);
	if (status)
		return status;
	err = remote_open(&cloud, c, ROLE_CLOUD, &e);
	if (!err)
		err = jobsend_ask(cloud, method, id, &reply, &e);
	if (!err)
		err = show_reply(c, &reply, full, &state, &e);
	if (err)
		status = cli_refused(c, &e);
	remote_close(cloud);
	buf_fini(&reply);
	return status;
}

static int job_show(struct cli *c, struct args *a)
{
	return one_job(c, a, "GET", true);
}

static int job_cancel(struct cli *c, struct args *a)
{
	return one_job(c, a, "DELETE", false);
}

static int job_events(struct cli *c, struct args *a)
{
	struct remote *cloud = NULL;
	struct err e = { 0 };
	const char *id;
	int status, err;

	status = take_id(c, a, &id);
	if (status)
		return status;
	err = remote_open(&cloud, c, ROLE_CLOUD, &e);
	if (!err)
		err = follow(c, &cloud, id, true, &e);
	if (err)
		status = cli_refused(c, &e);
	remote_close(cloud);
	return status;
}

struct content_args {
	const char *output;
};

static const struct param content_params[] = {
	PARAM("-o", PARAM_STRING, struct content_args, output, 1, PATH_MAX - 1, 0),
	PARAM("--output", PARAM_STRING, struct content_args, output, 1, PATH_MAX - 1, 0),
	{ 0 },
};

static int job_content(struct cli *c, struct args *a)
{
	struct content_args args = { 0 };
	struct buf reply = BUF_INIT;
	struct remote *cloud = NULL;
	struct sapi_job job;
	struct err e = { 0 };
	const char *id;
	int status, err;

	status = take_id_and(c, a, content_params, &args, &id);
	if (status)
		return status;
	err = remote_open(&cloud, c, ROLE_CLOUD, &e);
	if (!err)
		err = jobsend_ask(cloud, "GET", id, &reply, &e);
	if (!err)
		err = sapi_job_decode(reply.data, reply.len, &job, &e);
	if (!err) {
		err = jobcontent_get(c, cloud, &job, args.output, &e);
		sapi_job_fini(&job);
	}
	if (err)
		status = cli_refused(c, &e);
	remote_close(cloud);
	buf_fini(&reply);
	return status;
}

int cmd_job(struct cli *c, struct args *a)
{
	static const struct cli_command commands[] = {
		{ "list", job_list },	  { "submit", job_submit }, { "show", job_show },
		{ "events", job_events }, { "cancel", job_cancel }, { "content", job_content },
		{ "ls", job_list },	  { NULL, NULL },
	};

	return cli_dispatch(c, a, "job", commands, job_list, usage_text);
}
