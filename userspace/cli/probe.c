// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shunt device probe: the cloud asks the device what it is, and the registry's entry becomes that.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/device.h"
#include "cli/param.h"
#include "cli/probed.h"
#include "cli/remote.h"
#include "cli/reply.h"

#define ANSWER_MS                                                                                  \
	40000 /* beyond what may be waited for a tunnel: questions, and the tunnel's end */

struct probe_args {
	const char *gateway;
	uint32_t timeout;
	bool dry_run, prune, allow_clear;
	struct sapi_probe_ask ask;
};

static int parse_service(const char *value, void *field, struct err *e)
{
	struct sapi_probe_ask *ask = field;

	return device_parse_service(value, ask->services, &ask->n_services, e);
}

static const struct param probe_params[] = {
	PARAM("--gateway", PARAM_STRING, struct probe_args, gateway, 1, NAME_LEN - 1, 0),
	PARAM("--address", PARAM_ADDR, struct probe_args, ask.address, 0, 0, 0),
	PARAM("--timeout", PARAM_SECONDS, struct probe_args, timeout, 1, SAPI_PROBE_MAX_S, 0),
	PARAM("--dry-run", PARAM_FLAG, struct probe_args, dry_run, 0, 0, 0),
	PARAM("--prune", PARAM_FLAG, struct probe_args, prune, 0, 0, 0),
	PARAM("--allow-clear", PARAM_FLAG, struct probe_args, allow_clear, 0, 0, 0),
	{ .word = "--service",
	  .type = PARAM_CUSTOM,
	  .offset = offsetof(struct probe_args, ask),
	  .parse = parse_service,
	  .repeat = true },
	{ 0 },
};

/* What is known before and after. */
struct probing {
	struct buf json; /* the cloud's answer */
	struct sapi_probe found;
	struct sapi_device before, after; /* before.code "": it was not registered */
	struct buf changes, warnings; /* lines */
	bool written;
};

/* ---- requests ---- */

static int ask_cloud(const struct cli *c, const char *code, const struct probe_args *args,
		     struct probing *p, struct err *e)
{
	struct buf body = BUF_INIT;
	char path[NAME_LEN + 32];
	struct remote_request request = {
		.method = "POST",
		.path = path,
		.timeout_ms = args->timeout * 1000 + ANSWER_MS,
	};
	struct remote *cloud = NULL;
	int err;

	snprintf(path, sizeof(path), "/v1/devices/%s/probe", code);
	err = sapi_probe_ask_encode(&args->ask, &body);
	if (err)
		err_sys(e, err, "device %s", code);
	request.body = body.data;
	request.len = body.len;
	if (!err)
		err = remote_open(&cloud, c, ROLE_CLOUD, e);
	if (!err)
		err = remote_call(cloud, &request, &p->json, e);
	if (!err)
		err = sapi_probe_decode(p->json.data, p->json.len, &p->found, e);
	remote_close(cloud);
	buf_fini(&body);
	return err;
}

static int get_entry(struct remote *manager, const char *path, struct probing *p, struct err *e)
{
	struct buf reply = BUF_INIT;
	int status = 0, err;
	struct remote_request request = { .method = "GET", .path = path, .status = &status };

	err = remote_call(manager, &request, &reply, e);
	if (!err)
		err = sapi_device_decode(reply.data, reply.len, &p->before, e);
	if (status == 404) {
		err = 0;
		err_clear(e);
	}
	buf_fini(&reply);
	return err;
}

static int put_entry(struct remote *manager, const char *path, struct probing *p, struct err *e)
{
	struct buf body = BUF_INIT;
	struct remote_request request = { .method = "PUT", .path = path };
	int err = sapi_device_encode(&p->after, &body);

	if (err)
		err = err_sys(e, err, "device %s", p->after.code);
	request.body = body.data;
	request.len = body.len;
	if (!err)
		err = remote_call(manager, &request, NULL, e);
	p->written = !err;
	buf_fini(&body);
	return err;
}

/* What the entry is and what it becomes; and have it become that. */
static int update(const struct cli *c, const struct probe_args *args, struct probing *p,
		  struct err *e)
{
	struct probed_leave leave = {
		.prune = args->prune,
		.clear = args->allow_clear,
		.named = args->ask.services,
		.n_named = args->ask.n_services,
	};
	struct remote *manager = NULL;
	char path[NAME_LEN + 16];
	int err;

	snprintf(path, sizeof(path), "/v1/devices/%s", p->found.device);
	err = remote_open(&manager, c, ROLE_MANAGER, e);
	if (!err)
		err = get_entry(manager, path, p, e);
	if (!err) {
		p->after = p->before;
		/* A device that does not answer at all may just be off. */
		if (probed_any(&p->found))
			probed_apply(&p->found, &leave, &p->after);
		if (probed_diff(&p->before, &p->after, &p->changes) ||
		    probed_warn(&p->found, &p->after, &p->warnings))
			err = err_sys(e, -ENOMEM, "device %s", p->found.device);
	}
	if (!err && p->changes.len && !args->dry_run)
		err = put_entry(manager, path, p, e);
	remote_close(manager);
	return err;
}

/* ---- output ---- */

static void print_words(const struct cli *c, const char *what, const struct sapi_words *w)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		out_text(c->out, "%s%s", i ? " " : what, w->v[i]);
}

static void print_agent(const struct cli *c, const struct sapi_probe_service *s)
{
	int kind;

	out_text(c->out, " version %s", s->version);
	for (kind = JOB_PRINT; kind <= JOB_FETCH; kind++)
		if (s->jobs >> kind & 1)
			out_text(c->out, " %s", job_kind_str((enum job_kind)kind));
	out_text(c->out, "%s", s->connectable ? " connectable" : " not connectable");
}

static void print_service(const struct cli *c, const struct sapi_probe_service *s)
{
	char text[DEVICE_SERVICE_LEN];

	out_text(c->out, "  %s %s", device_service_str(&s->at, text),
		 s->found ? "found:" : "not found:");
	if (!s->found) {
		out_text(c->out, " %s (%s)", s->text, s->reason);
	} else if (s->at.kind == SERVICE_AGENT) {
		print_agent(c, s);
	} else if (s->at.kind == SERVICE_IPP) {
		out_text(c->out, " %s", s->model);
		print_words(c, "; formats ", &s->formats);
		print_words(c, "; media ", &s->media);
		print_words(c, "; sides ", &s->sides);
		print_words(c, "; colors ", &s->colors);
	} else if (s->at.kind == SERVICE_WEBDAV) {
		out_text(c->out, " classes %s", s->dav);
		if (s->room != CONTENT_SIZE_UNKNOWN)
			out_uint(c->out, NULL, ", room for %" PRIu64 " bytes", s->room);
	} else if (s->at.kind == SERVICE_SMB) {
		out_text(c->out, " the share lets the cloud in");
	}
	out_text(c->out, "\n");
}

static void print_lines(const struct cli *c, const char *before, const struct buf *lines)
{
	const char *p = buf_str(lines), *end;

	for (; *p; p = end + 1) {
		end = strchrnul(p, '\n');
		out_text(c->out, "%s%.*s\n", before, (int)(end - p), p);
		if (!*end)
			break;
	}
}

static void print_text(const struct cli *c, const struct probe_args *args, const struct probing *p)
{
	char address[ADDR_STR_LEN];
	size_t i;

	out_text(c->out, "%s: at %s behind %s\n", p->found.device,
		 addr_print(&p->found.address, address), p->found.gateway);
	for (i = 0; i < p->found.n_services; i++)
		print_service(c, &p->found.services[i]);
	print_lines(c, "  Warning: ", &p->warnings);
	print_lines(c, "", &p->changes);
	out_text(c->out, "%s\n",
		 p->written	 ? p->before.code[0] ? "changed in the registry" : "registered" :
		 !p->changes.len ? "nothing to change" :
		 args->dry_run	 ? "not written" :
				   "");
}

static void put_lines(struct buf *json, const char *key, const struct buf *lines)
{
	const char *p = buf_str(lines);

	buf_printf(json, ",\"%s\":[", key);
	for (; *p; p++) {
		if (p == buf_str(lines))
			buf_putc(json, '"');
		if (*p == '"' || *p == '\\')
			buf_putc(json, '\\');
		if (*p != '\n')
			buf_putc(json, (uint8_t)*p);
		else
			buf_puts(json, p[1] ? "\",\"" : "\"");
	}
	buf_putc(json, ']');
}

static int print_json(const struct cli *c, const struct probing *p, struct err *e)
{
	struct buf json = BUF_INIT;
	int err;

	buf_puts(&json, "{\"probe\":");
	buf_put(&json, p->json.data, p->json.len);
	if (p->after.code[0]) {
		buf_puts(&json, ",\"device\":");
		sapi_device_encode(&p->after, &json);
	}
	put_lines(&json, "changes", &p->changes);
	put_lines(&json, "warnings", &p->warnings);
	buf_printf(&json, ",\"written\":%s}", p->written ? "true" : "false");
	err = json.error ? err_sys(e, json.error, "answer") : reply_json(c, &json, e);
	buf_fini(&json);
	return err;
}

/* ---- the command ---- */

static int take_args(struct cli *c, struct args *a, struct probe_args *args, const char **code)
{
	int status;

	memset(args, 0, sizeof(*args));
	args->timeout = SAPI_PROBE_S;
	status = params_parse(c, a, probe_params, args, NULL, code);
	if (!status)
		status = device_check_code(c, *code);
	if (status)
		return status;
	if (args->gateway && !name_ok(args->gateway))
		return cli_usage(c, "--gateway \"%s\": allowed are 1 to 63 of A-Z a-z 0-9 . _ -",
				 args->gateway);
	snprintf(args->ask.gateway, sizeof(args->ask.gateway), "%s",
		 args->gateway ? args->gateway : "");
	args->ask.timeout = args->timeout;
	return CLI_OK;
}

static int probe(struct cli *c, const char *code, const struct probe_args *args, struct probing *p)
{
	char address[ADDR_STR_LEN];
	struct err e = { 0 };
	int err = ask_cloud(c, code, args, p, &e);

	if (!err)
		err = update(c, args, p, &e);
	if (!err && c->json)
		err = print_json(c, p, &e);
	else if (!err)
		print_text(c, args, p);
	if (!err && !probed_any(&p->found))
		err = err_set(&e, -SHUNT_EREMOTE, "device %s: none of its services was found at %s",
			      code, addr_print(&p->found.address, address));
	return err ? cli_refused(c, &e) : CLI_OK;
}

int device_probe(struct cli *c, struct args *a)
{
	struct probe_args args;
	struct probing p = { 0 };
	const char *code = NULL;
	int status = take_args(c, a, &args, &code);

	if (status)
		return status;
	buf_init_max(&p.json, SAPI_LIST_MAX);
	buf_init(&p.changes);
	buf_init(&p.warnings);
	status = probe(c, code, &args, &p);
	sapi_probe_fini(&p.found);
	buf_fini(&p.json);
	buf_fini(&p.changes);
	buf_fini(&p.warnings);
	return status;
}
