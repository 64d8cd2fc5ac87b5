// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shunt device and shunt gateway: the manager's registry (seed data 7A) and who dialled in to it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/device.h"
#include "cli/param.h"
#include "cli/probed.h"
#include "cli/remote.h"
#include "cli/reply.h"
#include "lib/age.h"
#include "lib/sapi.h"

static const char device_usage[] =
	"Usage: shunt device add CODE --gateway NAME --address ADDRESS --service SERVICE...\n"
	"                             [ --connectable ] [ --priority 0..7 ] [ --spec TEXT ]\n"
	"                             [ --recipient age1... ] [ --pin sha256//BASE64 ]\n"
	"       shunt device set CODE ...      the same words: replaces the entry, or makes it\n"
	"       shunt device [ show ] [ CODE ]\n"
	"       shunt device del CODE\n"
	"       shunt device probe CODE [ --gateway NAME ] [ --address ADDRESS ] [ --service SERVICE ]...\n"
	"                             [ --timeout TIME ] [ --dry-run ] [ --prune ] [ --allow-clear ]\n"
	"       shunt device files CODE [ PATH ]\n"
	"\n"
	"SERVICE := { agent | webdav | smb | ipp }:PORT[:tls][:/PATH]\n"
	"           smb:445:/SHARE[/DIRECTORY]; without tls\n"
	"connectable: the device can dial out to a cloud, so that its jobs can leave tunnels.\n"
	"recipient: of \"shunt key new\"; the cloud encrypts to it what it stores on the device's file server. A\n"
	"device with an agent encrypts itself: encrypt-to in its configuration.\n"
	"pin: of the public key of the device's own servers (ipp, webdav) where they speak TLS with a certificate that the\n"
	"deployment's CA has not made, as libcurl's CURLOPT_PINNEDPUBLICKEY takes it.\n"
	"probe: has the cloud ask the device, through a tunnel, what it is, and makes the entry say that; one that\n"
	"is not registered yet needs --gateway and --address. What does not answer stays, unless with --prune;\n"
	"and so does TLS, unless with --allow-clear. Beside an agent only what is named with --service is added.\n"
	"files: what the device's file server has in the directory PATH, by a fetch job of PATH/: size, time, name.\n"
	"Changes need a certificate of role admin, and so does a probe.\n";

static const char gateway_usage[] = "Usage: shunt gateway [ show | list ]\n"
				    "Gateways that dialled in to the manager.\n";

enum {
	HAS_GATEWAY = 1 << 0,
	HAS_ADDRESS = 1 << 1,
	HAS_SERVICE = 1 << 2,
};

struct device_args {
	struct sapi_device d;
	const char *gateway, *spec, *recipient, *pin;
};

int device_parse_service(const char *value, struct sapi_service v[SAPI_SERVICES_MAX], size_t *count,
			 struct err *e)
{
	struct sapi_service *s = &v[*count];
	char *words, *word, *rest;
	uint64_t port = 0;
	int n, err = 0;

	if (*count == SAPI_SERVICES_MAX)
		return err_set(e, -E2BIG, "more than %d", SAPI_SERVICES_MAX);
	words = strdup(value);
	if (!words)
		return err_sys(e, -ENOMEM, "service");
	snprintf(s->path, sizeof(s->path), "/");
	rest = words;
	for (n = 0; !err && (word = strsep(&rest, ":")); n++) {
		if (n == 0)
			err = service_kind_parse(word, &s->kind);
		else if (n == 1)
			err = u64_parse(word, UINT16_MAX, &port);
		else if (n == 2 && !strcmp(word, "tls"))
			s->tls = true;
		else if (word[0] == '/' && !rest && strlen(word) < sizeof(s->path))
			snprintf(s->path, sizeof(s->path), "%s", word);
		else
			err = -EINVAL;
	}
	free(words);
	if (err || !port)
		return err_set(
			e, -EINVAL,
			"\"%s\": allowed is KIND:PORT[:tls][:/PATH] with KIND agent, webdav, "
			"smb or ipp",
			value);
	s->port = (uint16_t)port;
	++*count;
	return 0;
}

char *device_service_str(const struct sapi_service *s, char out[DEVICE_SERVICE_LEN])
{
	snprintf(out, DEVICE_SERVICE_LEN, "%s:%u%s%s%s", service_kind_str(s->kind), s->port,
		 s->tls ? ":tls" : "", strcmp(s->path, "/") ? ":" : "",
		 strcmp(s->path, "/") ? s->path : "");
	return out;
}

static int parse_service(const char *value, void *field, struct err *e)
{
	struct sapi_device *d = field;

	return device_parse_service(value, d->services, &d->n_services, e);
}

static const struct param device_params[] = {
	PARAM("--gateway", PARAM_STRING, struct device_args, gateway, 1, NAME_LEN - 1, HAS_GATEWAY),
	PARAM("--address", PARAM_ADDR, struct device_args, d.address, 0, 0, HAS_ADDRESS),
	PARAM("--connectable", PARAM_FLAG, struct device_args, d.connectable, 0, 0, 0),
	PARAM("--priority", PARAM_U8, struct device_args, d.priority, 0, SAPI_PRIORITY_MAX, 0),
	PARAM("--spec", PARAM_STRING, struct device_args, spec, 0, SAPI_SPEC_LEN - 1, 0),
	PARAM("--recipient", PARAM_STRING, struct device_args, recipient, 1,
	      SAPI_RECIPIENT_LEN + 64, 0),
	PARAM("--pin", PARAM_STRING, struct device_args, pin, 1, 255, 0),
	{ .word = "--service",
	  .type = PARAM_CUSTOM,
	  .offset = offsetof(struct device_args, d),
	  .parse = parse_service,
	  .bit = HAS_SERVICE,
	  .repeat = true },
	{ 0 },
};

static const struct param no_params[] = { { 0 } };

int device_check_code(struct cli *c, const char *code)
{
	if (!code)
		return cli_usage(c, "the device's CODE is missing, try \"shunt device help\"");
	if (!name_ok(code))
		return cli_usage(c, "CODE \"%s\": allowed are 1 to 63 of A-Z a-z 0-9 . _ -", code);
	return CLI_OK;
}

/* What is wrong with it is better said here than by the cloud when the first file is to be stored. */
static int take_recipient(struct cli *c, struct device_args *args)
{
	struct age_recipient key;
	struct age *age = NULL;
	int err;

	if (!args->recipient)
		return CLI_OK;
	if (!strncasecmp(args->recipient, "age-secret-key-", 15))
		return cli_usage(
			c, "--recipient: this is an identity, which is secret; \"shunt key show\" "
			   "prints its recipient");
	err = age_recipient_parse(args->recipient, &key);
	if (!err)
		err = age_new(&key, 1, &age);
	age_free(age);
	if (err)
		return cli_usage(c, "--recipient \"%s\": allowed is a recipient of age, age1...",
				 args->recipient);
	snprintf(args->d.recipient, sizeof(args->d.recipient), "%s", args->recipient);
	return CLI_OK;
}

static int take_pin(struct cli *c, struct device_args *args)
{
	if (!args->pin)
		return CLI_OK;
	if (!pin_ok(args->pin))
		return cli_usage(c, "--pin \"%s\": allowed is sha256// and 44 digits of base64",
				 args->pin);
	if (!sapi_device_own_tls(&args->d))
		return cli_usage(
			c, "--pin: is for a service ipp or webdav with tls, and there is none");
	snprintf(args->d.pin, sizeof(args->d.pin), "%s", args->pin);
	return CLI_OK;
}

static int take_device(struct cli *c, struct args *a, struct device_args *args)
{
	const char *code = NULL, *word;
	uint32_t seen;
	int status;

	memset(args, 0, sizeof(*args));
	args->d.priority = SAPI_PRIORITY_DEFAULT;
	status = params_parse(c, a, device_params, args, &seen, &code);
	if (!status)
		status = device_check_code(c, code);
	if (status)
		return status;
	word = params_missing(device_params, HAS_GATEWAY | HAS_ADDRESS | HAS_SERVICE, seen);
	if (word)
		return cli_usage(c, "%s is missing, try \"shunt device help\"", word);
	if (!name_ok(args->gateway))
		return cli_usage(c, "--gateway \"%s\": allowed are 1 to 63 of A-Z a-z 0-9 . _ -",
				 args->gateway);
	snprintf(args->d.code, sizeof(args->d.code), "%s", code);
	snprintf(args->d.gateway, sizeof(args->d.gateway), "%s", args->gateway);
	snprintf(args->d.spec, sizeof(args->d.spec), "%s", args->spec ? args->spec : "");
	status = take_recipient(c, args);
	return status ? status : take_pin(c, args);
}

/* ---- requests ---- */

/* One request to the manager; the answer, if any, in @reply. */
static int ask(const struct cli *c, const char *method, const char *path, const struct buf *body,
	       struct buf *reply, struct err *e)
{
	struct remote_request request = {
		.method = method,
		.path = path,
		.body = body ? body->data : NULL,
		.len = body ? body->len : 0,
	};
	struct remote *manager = NULL;
	int err;

	err = remote_open(&manager, c, ROLE_MANAGER, e);
	if (!err)
		err = remote_call(manager, &request, reply, e);
	remote_close(manager);
	return err;
}

/* It is stored as it was said, and may not be meant so. */
static void warn(const struct cli *c, const struct sapi_device *d)
{
	struct buf lines = BUF_INIT;
	char *rest, *line;

	if (!probed_odd(d, &lines) && lines.len) {
		rest = (char *)lines.data;
		rest[lines.len - 1] = '\0';
		while ((line = strsep(&rest, "\n")))
			fprintf(c->errors, "Warning: %s\n", line);
	}
	buf_fini(&lines);
}

static int device_write(struct cli *c, struct args *a, const char *method)
{
	struct buf body = BUF_INIT, reply = BUF_INIT;
	struct device_args args;
	struct err e = { 0 };
	char path[128];
	int status, err;

	status = take_device(c, a, &args);
	if (status)
		return status;
	snprintf(path, sizeof(path), "/v1/devices%s%s", !strcmp(method, "PUT") ? "/" : "",
		 !strcmp(method, "PUT") ? args.d.code : "");
	err = sapi_device_encode(&args.d, &body);
	if (err)
		err_sys(&e, err, "device %s", args.d.code);
	else
		err = ask(c, method, path, &body, &reply, &e);
	if (!err && c->json)
		err = reply_json(c, &reply, &e);
	if (err)
		status = cli_refused(c, &e);
	else
		warn(c, &args.d);
	buf_fini(&body);
	buf_fini(&reply);
	return status;
}

static int device_add(struct cli *c, struct args *a)
{
	return device_write(c, a, "POST");
}

static int device_set(struct cli *c, struct args *a)
{
	return device_write(c, a, "PUT");
}

static void print_device(const struct cli *c, const struct sapi_device *d)
{
	char text[ADDR_STR_LEN], service[DEVICE_SERVICE_LEN];
	size_t i;

	out_str(c->out, NULL, "%s:", d->code);
	out_str(c->out, NULL, " gateway %s", d->gateway);
	out_str(c->out, NULL, " address %s", addr_print(&d->address, text));
	out_uint(c->out, NULL, " priority %" PRIu64, d->priority);
	out_text(c->out, "%s", d->connectable ? " connectable" : "");
	for (i = 0; i < d->n_services; i++)
		out_str(c->out, NULL, " service %s", device_service_str(&d->services[i], service));
	if (d->recipient[0])
		out_str(c->out, NULL, " recipient %s", d->recipient);
	if (d->pin[0])
		out_str(c->out, NULL, " pin %s", d->pin);
	if (d->spec[0])
		out_str(c->out, NULL, " spec \"%s\"", d->spec);
	out_text(c->out, "\n");
}

static int print_devices(const struct cli *c, const struct buf *reply, bool one, struct err *e)
{
	struct sapi_device_list list;
	struct sapi_device d;
	size_t i;
	int err;

	if (one) {
		err = sapi_device_decode(reply->data, reply->len, &d, e);
		if (!err) {
			print_device(c, &d);
			sapi_device_fini(&d);
		}
		return err;
	}
	err = sapi_device_list_decode(reply->data, reply->len, &list, e);
	if (err)
		return err;
	for (i = 0; i < list.n; i++)
		print_device(c, &list.devices[i]);
	sapi_device_list_fini(&list);
	return 0;
}

static int device_show(struct cli *c, struct args *a)
{
	struct buf reply = BUF_INIT;
	const char *code = NULL;
	struct err e = { 0 };
	char path[128];
	int status, err;

	status = params_parse(c, a, no_params, NULL, NULL, &code);
	if (!status && code)
		status = device_check_code(c, code);
	if (status)
		return status;
	snprintf(path, sizeof(path), "/v1/devices%s%s", code ? "/" : "", code ? code : "");
	err = ask(c, "GET", path, NULL, &reply, &e);
	if (!err)
		err = c->json ? reply_json(c, &reply, &e) :
				print_devices(c, &reply, code != NULL, &e);
	if (err)
		status = cli_refused(c, &e);
	buf_fini(&reply);
	return status;
}

static int device_del(struct cli *c, struct args *a)
{
	const char *code = NULL;
	struct err e = { 0 };
	char path[128];
	int status;

	status = params_parse(c, a, no_params, NULL, NULL, &code);
	if (!status)
		status = device_check_code(c, code);
	if (status)
		return status;
	snprintf(path, sizeof(path), "/v1/devices/%s", code);
	return ask(c, "DELETE", path, NULL, NULL, &e) ? cli_refused(c, &e) : CLI_OK;
}

int cmd_device(struct cli *c, struct args *a)
{
	static const struct cli_command commands[] = {
		{ "show", device_show },   { "add", device_add },     { "set", device_set },
		{ "del", device_del },	   { "delete", device_del },  { "list", device_show },
		{ "probe", device_probe }, { "files", device_files }, { NULL, NULL },
	};

	return cli_dispatch(c, a, "device", commands, device_show, device_usage);
}

/* ---- gateways ---- */

static int print_gateways(const struct cli *c, const struct buf *reply, struct err *e)
{
	char address[ENDPOINT_STR_LEN], since[CLOCK_STR_LEN];
	struct sapi_gateway_list list;
	const struct sapi_gateway *g;
	size_t i;
	int err;

	err = sapi_gateway_list_decode(reply->data, reply->len, &list, e);
	if (err)
		return err;
	for (i = 0; i < list.n; i++) {
		g = &list.gateways[i];
		out_str(c->out, NULL, "%s:", g->name);
		out_text(c->out, "%s", g->connected ? " connected" : " not connected");
		if (addr_is_set(&g->address.addr))
			out_str(c->out, NULL, " address %s", endpoint_print(&g->address, address));
		if (g->since)
			out_str(c->out, NULL, " since %s", clock_print(g->since, since));
		out_text(c->out, "\n");
	}
	sapi_gateway_list_fini(&list);
	return 0;
}

static int gateway_show(struct cli *c, struct args *a)
{
	struct buf reply = BUF_INIT;
	struct err e = { 0 };
	int status, err;

	status = cli_end(c, a);
	if (status)
		return status;
	err = ask(c, "GET", "/v1/gateways", NULL, &reply, &e);
	if (!err)
		err = c->json ? reply_json(c, &reply, &e) : print_gateways(c, &reply, &e);
	if (err)
		status = cli_refused(c, &e);
	buf_fini(&reply);
	return status;
}

int cmd_gateway(struct cli *c, struct args *a)
{
	static const struct cli_command commands[] = {
		{ "show", gateway_show },
		{ "list", gateway_show },
		{ NULL, NULL },
	};

	return cli_dispatch(c, a, "gateway", commands, gateway_show, gateway_usage);
}
