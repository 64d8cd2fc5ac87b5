// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/remote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/conf.h"
#include "lib/h2.h"
#include "lib/loop.h"
#include "lib/peer.h"
#include "lib/sapi.h"
#include "lib/tls.h"

#define CONFIG_DEFAULT "/etc/shunt/shunt.conf"
#define REPLY_MS 30000 /* for an answer to a request without content */
#define STEP_MS 200 /* how often progress is looked at */
#define LINE_MAX_LEN SAPI_MAX
#define AGAIN_MS 250 /* before the first further try; each pause is twice the one before */

struct settings {
	char *cloud, *manager, *ca, *cert, *key;
};

static const struct conf_row settings_table[] = {
	CONF_VALUE(CONF_STRING, "cloud", struct settings, cloud, NULL, 0,
		   "ADDRESS:PORT of the cloud, for jobs"),
	CONF_VALUE(CONF_STRING, "manager", struct settings, manager, NULL, 0,
		   "ADDRESS:PORT of the manager, for devices and gateways"),
	CONF_VALUE(CONF_PATH, "ca", struct settings, ca, NULL, 0,
		   "certificate of the deployment's CA"),
	CONF_VALUE(CONF_PATH, "cert", struct settings, cert, NULL, 0, "own certificate"),
	CONF_VALUE(CONF_PATH, "key", struct settings, key, NULL, 0,
		   "its key, readable by its owner only"),
	CONF_END,
};

struct remote {
	char name[160]; /* "cloud 203.0.113.10:8443" */
	struct loop *loop;
	struct tls_ctx *tls;
	struct peer_dial *dial;
	struct h2 *h2;
	int error; /* why there is no session (any more) */
	char why[ERR_TEXT_MAX];
};

/* ---- settings ---- */

static int settings_load(const struct cli *c, struct settings *s, struct err *e)
{
	const char *env = getenv("SHUNT_CONFIG");
	const char *file = c->config ? c->config : env && env[0] ? env : CONFIG_DEFAULT;

	/* Without a file the options may be enough; one that was asked for must be there. */
	if (!c->config && !(env && env[0]) && access(file, F_OK))
		return conf_defaults(settings_table, s, e);
	return conf_load(file, settings_table, s, e);
}

static const char *choose(const char *option, const char *setting)
{
	return option ? option : setting;
}

static int settings_missing(const char *word, struct err *e)
{
	return err_set(e, -SHUNT_ECONF, "%s is not set: give --%s or put it into " CONFIG_DEFAULT,
		       word, word);
}

/* ---- connecting ---- */

static void on_closed(struct h2 *h2, int err, const char *why, void *arg)
{
	struct remote *r = arg;

	(void)h2;
	r->h2 = NULL;
	r->error = err ? err : -SHUNT_ECLOSED;
	snprintf(r->why, sizeof(r->why), "%s", why && why[0] ? why : "connection closed");
}

static void on_dialled(struct h2 *h2, int err, const char *why, void *arg)
{
	struct remote *r = arg;

	r->dial = NULL;
	r->h2 = h2;
	if (h2)
		h2_on_close(h2, on_closed, r);
	else
		on_closed(NULL, err, why, r);
}

static int connect_to(struct remote *r, const char *address, enum role server, struct err *e)
{
	struct peer_dial_conf conf = {
		.address = address,
		.tls = r->tls,
		.roles = ROLE_BIT(server),
	};
	int err;

	err = peer_dial(r->loop, &conf, on_dialled, r, &r->dial);
	while (!err && r->dial)
		err = loop_step(r->loop, -1);
	if (err)
		return err_sys(e, err < 0 ? err : -ECANCELED, "%s", r->name);
	/* What peer says of a dial names the address already. */
	return r->h2 ? 0 : err_set(e, r->error, "%s %s", role_str(server), r->why);
}

int remote_open(struct remote **out, const struct cli *c, enum role server, struct err *e)
{
	struct settings s = { 0 };
	struct tls_files files = { 0 };
	const char *address;
	struct remote *r;
	int err;

	*out = NULL;
	err = settings_load(c, &s, e);
	if (err)
		return err;
	r = calloc(1, sizeof(*r));
	if (!r) {
		err = err_sys(e, -ENOMEM, "connection");
		goto out;
	}
	address = server == ROLE_CLOUD ? choose(c->cloud, s.cloud) : choose(c->manager, s.manager);
	files.ca = choose(c->ca, s.ca);
	files.cert = choose(c->cert, s.cert);
	files.key = choose(c->key, s.key);
	if (!address)
		err = settings_missing(role_str(server), e);
	else if (!files.ca || !files.cert || !files.key)
		err = settings_missing(!files.ca ? "ca" : !files.cert ? "cert" : "key", e);
	if (err)
		goto out;
	snprintf(r->name, sizeof(r->name), "%s %s", role_str(server), address);
	err = loop_new(&r->loop);
	if (err) {
		err_sys(e, err, "event loop");
		goto out;
	}
	err = tls_ctx_new(&r->tls, &files, e);
	if (!err)
		err = connect_to(r, address, server, e);
out:
	if (err) {
		remote_close(r);
		r = NULL;
	}
	conf_free(settings_table, &s);
	*out = r;
	return err;
}

/* What another connection may mend. */
static bool is_lost(int err)
{
	return err != -SHUNT_EREMOTE && err != -SHUNT_ECONF && err != -SHUNT_EPARSE &&
	       err != -SHUNT_EFIELD && err != -SHUNT_EPEER && err != -SHUNT_ETLS &&
	       err != -ENOMEM && err != -EINVAL;
}

/* Until the pause before the next try is over. */
static void pause_ms(uint64_t ms)
{
	struct timespec left = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

int remote_again(struct remote **r, const struct cli *c, enum role server, unsigned int *tries,
		 int err, struct err *e)
{
	char why[ERR_TEXT_MAX];

	while (is_lost(err) && *tries < REMOTE_TRIES) {
		snprintf(why, sizeof(why), "%s", err_text(e));
		fprintf(c->errors, "%s; trying again\n", why);
		pause_ms((uint64_t)AGAIN_MS << (*tries)++);
		remote_close(*r);
		*r = NULL;
		err = remote_open(r, c, server, e);
		if (!err)
			return 0;
	}
	return err;
}

void remote_close(struct remote *r)
{
	if (!r)
		return;
	peer_dial_cancel(r->dial);
	if (r->h2)
		h2_close(r->h2);
	while (r->h2 && !loop_step(r->loop, STEP_MS))
		;
	tls_ctx_free(r->tls);
	loop_free(r->loop);
	free(r);
}

/* ---- requests ---- */

struct answer {
	struct remote *remote;
	int status;
	bool done;
	int error;
	char why[ERR_TEXT_MAX];
	struct buf body; /* an unfinished line, or the whole of it */
	int (*on_line)(void *arg, const char *line, size_t len);
	void *arg;
	const struct remote_download *download;
	uint64_t offset; /* of the next byte of it */
};

static void on_headers(struct h2_call *call, int status, void *arg)
{
	struct answer *a = arg;

	(void)call;
	a->status = status;
	a->offset = a->download && status == 206 ? a->download->from : 0;
}

static int take_lines(struct answer *a)
{
	size_t n;
	char *end;
	int err;

	while (a->body.len && (end = memchr(a->body.data, '\n', a->body.len))) {
		n = (size_t)(end - (char *)a->body.data);
		*end = '\0';
		err = n ? a->on_line(a->arg, (const char *)a->body.data, n) : 0;
		buf_consume(&a->body, n + 1);
		if (err)
			return err;
	}
	return 0;
}

static int on_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	struct answer *a = arg;
	int err;

	(void)call;
	if (a->download && a->status / 100 == 2) {
		err = a->download->on_data(a->download->arg, a->offset, data, len);
		a->offset += len;
		return err;
	}
	err = buf_put(&a->body, data, len);
	if (!err && a->on_line && a->status == 200)
		err = take_lines(a);
	return err;
}

static void on_end(struct h2_call *call, int err, const char *why, void *arg)
{
	struct answer *a = arg;

	(void)call;
	a->done = true;
	a->error = err;
	snprintf(a->why, sizeof(a->why), "%s", why ? why : "");
}

static const struct h2_call_ops answer_ops = { on_headers, on_data, on_end };

/* The server's own words for a status that is not 2xx. */
static int refusal(const struct answer *a, struct err *e)
{
	struct sapi_problem p;

	if (sapi_problem_decode(a->body.data, a->body.len, &p, NULL))
		return err_set(e, -SHUNT_EREMOTE, "%s: answered with status %d", a->remote->name,
			       a->status);
	return err_set(e, -SHUNT_EREMOTE, "%s: %s%s%s%s", a->remote->name,
		       p.detail[0] ? p.detail : p.title, p.code[0] ? " (" : "", p.code,
		       p.code[0] ? ")" : "");
}

static int verdict(const struct answer *a, struct err *e)
{
	if (a->error)
		return err_set(e, a->error, "%s: %s", a->remote->name,
			       a->why[0] ? a->why : shunt_strerror(a->error));
	return a->status / 100 == 2 ? 0 : refusal(a, e);
}

static int perform(struct remote *r, const struct h2_request *h,
		   const struct remote_request *request, struct answer *a, struct err *e)
{
	struct h2_call *call;
	int err;

	if (!r->h2) {
		if (h->source.done)
			h->source.done(h->source.arg);
		return err_set(e, r->error, "%s: %s", r->name, r->why);
	}
	a->remote = r;
	err = h2_call_start(r->h2, h, &answer_ops, a, &call);
	while (!err && !a->done) {
		err = loop_step(r->loop, STEP_MS);
		if (!err && !a->done && request && request->on_sent)
			request->on_sent(request->arg, h2_call_sent(call));
	}
	if (err)
		return err_sys(e, err < 0 ? err : -ECANCELED, "%s", r->name);
	return verdict(a, e);
}

int remote_call(struct remote *r, const struct remote_request *request, struct buf *reply,
		struct err *e)
{
	struct h2_header headers[2] = { { "idempotency-key", request->idempotency_key } };
	struct content_range rest = { request->from, request->size, request->size };
	char range[CONTENT_RANGE_STR_LEN];
	struct h2_request h = {
		.method = request->method,
		.path = request->path,
		.headers = headers,
		.header_count = request->idempotency_key ? 1 : 0,
		.type = request->content ? "application/octet-stream" :
			request->body	 ? "application/json" :
					   NULL,
		.body = request->body,
		.body_len = request->len,
		.timeout_ms = request->content	  ? 0 :
			      request->timeout_ms ? request->timeout_ms :
						    REPLY_MS,
	};
	struct answer a = { 0 };
	int err = 0;

	if (request->from) {
		content_range_print(&rest, range);
		headers[h.header_count++] = (struct h2_header){ "content-range", range };
	}
	if (request->content && request->size)
		err = h2_source_fd(&h.source, request->fd, request->from,
				   request->size - request->from);
	if (err)
		return err_sys(e, err, "content");
	buf_init_max(&a.body, SAPI_LIST_MAX);
	err = perform(r, &h, request, &a, e);
	if (request->status)
		*request->status = a.status;
	if (!err && request->on_sent)
		request->on_sent(request->arg, request->size - request->from);
	if (!err && reply && buf_put(reply, a.body.data, a.body.len))
		err = err_sys(e, reply->error, "%s", r->name);
	buf_fini(&a.body);
	return err;
}

int remote_download(struct remote *r, const struct remote_download *d, struct err *e)
{
	char range[48];
	struct h2_header headers[] = { { "range", range }, { "if-range", d->etag } };
	struct h2_request h = {
		.method = "GET",
		.path = d->path,
		.headers = headers,
		.header_count = d->from ? 2 : 0,
	};
	struct answer a = { .download = d };
	int err;

	snprintf(range, sizeof(range), "bytes=%" PRIu64 "-", d->from);
	buf_init_max(&a.body, SAPI_MAX);
	err = perform(r, &h, NULL, &a, e);
	buf_fini(&a.body);
	return err;
}

int remote_lines(struct remote *r, const char *path,
		 int (*on_line)(void *arg, const char *line, size_t len), void *arg, struct err *e)
{
	struct h2_request h = { .method = "GET", .path = path };
	struct answer a = { .on_line = on_line, .arg = arg };
	int err;

	buf_init_max(&a.body, LINE_MAX_LEN);
	err = perform(r, &h, NULL, &a, e);
	buf_fini(&a.body);
	return err;
}
