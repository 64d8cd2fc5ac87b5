// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shunt log: the records a gateway keeps (seed data 7J, 7K), one JSON object a line in a local
 * file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/param.h"
#include "lib/sapi.h"

static const char usage_text[] =
	"Usage: shunt log show [ FILE ] [ --record { 7J | 7K | decision } ] [ --job ID ]\n"
	"FILE is shuntd's record-log, "
	"/var/log/shunt/record.log unless given; - is standard input.\n"
	"7K: a tunnel ended. 7J: a device's direct connection ended. decision: why a tunnel\n"
	"was moved or not.\n";

#define FILE_DEFAULT "/var/log/shunt/record.log"

enum record { RECORD_7K, RECORD_7J, RECORD_DECISION };

static const struct enum_name record_names[] = {
	{ RECORD_7K, "7K" },
	{ RECORD_7J, "7J" },
	{ RECORD_DECISION, "decision" },
	{ 0, NULL },
};

struct log_args {
	enum record record;
	const char *job;
};

#define HAS_RECORD 1u

static const struct param show_params[] = {
	PARAM_WORDS("--record", struct log_args, record, record_names, HAS_RECORD),
	PARAM("--job", PARAM_STRING, struct log_args, job, ID_LEN - 1, ID_LEN - 1, 0),
	{ 0 },
};

struct filter {
	struct cli *c;
	bool by_record;
	struct log_args args;
};

static bool wanted(const struct filter *f, enum record record, const char *job)
{
	return (!f->by_record || f->args.record == record) &&
	       (!f->args.job || !strcmp(f->args.job, job));
}

static void begin(const struct cli *c, int64_t time, const char *record, const char *job)
{
	char when[CLOCK_STR_LEN];

	out_str(c->out, NULL, "%s", clock_print(time, when));
	out_str(c->out, NULL, " %s", record);
	if (job[0])
		out_str(c->out, NULL, " job %s", job);
}

static void show_7k(const struct cli *c, const struct sapi_record_7k *r)
{
	char id[TUNNEL_ID_LEN];

	begin(c, r->time, "7K", r->job);
	out_str(c->out, NULL, " tunnel %s", tunnel_id_print(r->tunnel, id));
	out_str(c->out, NULL, " device %s", r->device);
	out_str(c->out, NULL, " cloud %s", r->cloud);
	out_str(c->out, NULL, " reason %s", r->reason);
	out_uint(c->out, NULL, " lived %" PRIu64 "ms", (uint64_t)(r->closed - r->opened));
	out_uint(c->out, NULL, " rx %" PRIu64, r->rx.packets);
	out_uint(c->out, NULL, " packets %" PRIu64, r->rx.bytes);
	out_uint(c->out, NULL, " bytes tx %" PRIu64, r->tx.packets);
	out_uint(c->out, NULL, " packets %" PRIu64, r->tx.bytes);
	out_uint(c->out, NULL, " bytes cpu %" PRIu64 "us\n", (r->rx.cpu_ns + r->tx.cpu_ns) / 1000);
}

static void show_7j(const struct cli *c, const struct sapi_record_7j *r)
{
	char address[ENDPOINT_STR_LEN];

	begin(c, r->time, "7J", r->log.job);
	out_str(c->out, NULL, " device %s", r->log.device);
	out_str(c->out, NULL, " cloud %s", r->log.cloud);
	out_str(c->out, NULL, " %s", endpoint_print(&r->log.address, address));
	out_uint(c->out, NULL, " in %" PRIu64, r->log.bytes_in);
	out_uint(c->out, NULL, " out %" PRIu64, r->log.bytes_out);
	out_str(c->out, NULL, " bytes %s", r->log.result);
	if (r->log.text[0])
		out_str(c->out, NULL, ": %s", r->log.text);
	out_text(c->out, "\n");
}

static void show_decision(const struct cli *c, const struct sapi_record_decision *r)
{
	char id[TUNNEL_ID_LEN];

	begin(c, r->time, "decision", r->job);
	if (r->tunnel)
		out_str(c->out, NULL, " tunnel %s", tunnel_id_print(r->tunnel, id));
	out_str(c->out, NULL, " %s", sapi_gateway_action_str(r->action));
	out_str(c->out, NULL, " (%s)", r->reason);
	out_str(c->out, NULL, ": %s\n", r->text);
}

/* Each record body knows its own "record" member, so the first that decodes is it. */
static int on_line(const struct filter *f, const char *line, size_t len, struct err *e)
{
	struct sapi_record_decision decision;
	struct sapi_record_7k k;
	struct sapi_record_7j j;
	enum record record;
	const char *job;
	int err;

	if (!sapi_record_7k_decode(line, len, &k, e)) {
		record = RECORD_7K;
		job = k.job;
	} else if (!sapi_record_7j_decode(line, len, &j, e)) {
		record = RECORD_7J;
		job = j.log.job;
	} else {
		err = sapi_record_decision_decode(line, len, &decision, e);
		if (err)
			return err;
		record = RECORD_DECISION;
		job = decision.job;
	}
	if (!wanted(f, record, job))
		return 0;
	if (f->c->json)
		out_json(f->c->out, line, len);
	else if (record == RECORD_7K)
		show_7k(f->c, &k);
	else if (record == RECORD_7J)
		show_7j(f->c, &j);
	else
		show_decision(f->c, &decision);
	return 0;
}

/* A line cut short by a crash, or one of a newer version, must not hide the others. */
static void show_file(const struct filter *f, FILE *in, const char *name)
{
	size_t room = 0, number = 0;
	char *line = NULL;
	ssize_t n;
	struct err e;

	while ((n = getline(&line, &room, in)) > 0) {
		number++;
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			line[--n] = '\0';
		err_clear(&e);
		if (n && on_line(f, line, (size_t)n, &e))
			fprintf(f->c->errors, "Warning: %s: line %zu: %s\n", name, number,
				err_text(&e));
	}
	free(line);
}

static int log_show(struct cli *c, struct args *a)
{
	struct filter f = { .c = c };
	const char *file = NULL;
	uint32_t seen;
	int status;
	FILE *in;

	status = params_parse(c, a, show_params, &f.args, &seen, &file);
	if (status)
		return status;
	f.by_record = seen & HAS_RECORD;
	if (!file)
		file = FILE_DEFAULT;
	in = strcmp(file, "-") ? fopen(file, "re") : stdin;
	if (!in)
		return cli_usage(c, "%s: %s", file, strerror(errno));
	show_file(&f, in, file);
	if (in != stdin)
		fclose(in);
	return CLI_OK;
}

int cmd_log(struct cli *c, struct args *a)
{
	static const struct cli_command commands[] = {
		{ "show", log_show },
		{ NULL, NULL },
	};

	return cli_dispatch(c, a, "log", commands, log_show, usage_text);
}
