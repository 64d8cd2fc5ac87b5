// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/webdav.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/webdav_int.h"
#include "lib/err.h"
#include "lib/loop.h"

/* ---- names ---- */

/* RFC 3986 2.3: what needs no percent-encoding in a path; "/" separates segments here. */
static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("-._~/", c);
}

static int put_encoded(char *out, size_t size, size_t *len, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";
	const unsigned char *p;

	for (p = (const unsigned char *)text; *p; p++) {
		if (*len + 4 > size)
			return -ENAMETOOLONG;
		if (is_plain(*p)) {
			out[(*len)++] = (char)*p;
			continue;
		}
		out[(*len)++] = '%';
		out[(*len)++] = digits[*p >> 4];
		out[(*len)++] = digits[*p & 15];
	}
	out[*len] = '\0';
	return 0;
}

/*
 * Without the scheme's own port, as libcurl puts it into Host: servers compare that with the
 * Destination of a MOVE (RFC 4918 9.9.4) and take another spelling for another host.
 */
static const char *authority(const struct share_conf *conf, char out[ENDPOINT_STR_LEN])
{
	struct shunt_endpoint ep = { conf->address, conf->port };

	endpoint_print(&ep, out);
	if (conf->port == (conf->tls ? 443 : 80))
		*strrchr(out, ':') = '\0';
	return out;
}

int webdav_url(const struct share_conf *conf, const char *name, const char *tag, char *out,
	       size_t size)
{
	char host[ENDPOINT_STR_LEN], temporary[WEBDAV_URL_MAX];
	const char *slash;
	size_t len;
	int n;

	n = snprintf(out, size, "%s://%s", conf->tls ? "https" : "http", authority(conf, host));
	if (n < 0 || (size_t)n + 1 >= size)
		return -ENAMETOOLONG;
	len = (size_t)n;
	if (put_encoded(out, size, &len, conf->base))
		return -ENAMETOOLONG;
	if (out[len - 1] != '/') {
		out[len++] = '/';
		out[len] = '\0';
	}
	if (!tag)
		return put_encoded(out, size, &len, name);
	slash = strrchr(name, '/');
	n = snprintf(temporary, sizeof(temporary), "%.*s.shunt-%s.part",
		     slash ? (int)(slash + 1 - name) : 0, name, tag);
	if (n < 0 || (size_t)n >= sizeof(temporary))
		return -ENAMETOOLONG;
	return put_encoded(out, size, &len, temporary);
}

uint64_t webdav_sample_at(const char *tag, uint64_t from)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	for (; *tag; tag++)
		hash = (hash ^ (unsigned char)*tag) * 0x100000001b3;
	hash = (hash ^ from) * 0x100000001b3;
	hash ^= hash >> 32;
	return hash % (from - WEBDAV_TAIL_LEN - WEBDAV_SAMPLE_LEN);
}

const char *webdav_path(const char *url)
{
	return strchr(strstr(url, "://") + 3, '/');
}

const char *webdav_strong(const char *etag)
{
	size_t len = strlen(etag);

	return len >= 2 && len < SHARE_VERSION_LEN && etag[0] == '"' && etag[len - 1] == '"' ?
		       etag :
		       "";
}

/* ---- requests ---- */

int webdav_ask(struct webdav *w, struct http_request *req,
	       void (*done)(const struct http_reply *reply, void *arg))
{
	if (!req->timeout_ms && !req->stall_s)
		req->timeout_ms = SHARE_REQUEST_MS;
	req->max_reply = WEBDAV_REPLY_MAX;
	w->method = req->method;
	return http_call_new(w->host, req, done, w, &w->request);
}

ssize_t webdav_body_read(void *arg, void *buf, size_t len)
{
	struct webdav_body *body = arg;
	size_t left = strlen(body->text + body->pos);

	if (len > left)
		len = left;
	memcpy(buf, body->text + body->pos, len);
	body->pos += len;
	return (ssize_t)len;
}

/* ---- results ---- */

void webdav_set(struct webdav *w, int err, bool fatal, const char *code, const char *text)
{
	if (w->err)
		return;
	w->err = err;
	w->fatal = fatal;
	snprintf(w->code, sizeof(w->code), "%s", code);
	snprintf(w->text, sizeof(w->text), "%s", text);
}

void webdav_over(struct webdav *w)
{
	w->over = true;
	loop_timer_set(w->timer, 0);
}

void webdav_out_of_memory(struct webdav *w)
{
	webdav_set(w, -ENOMEM, false, "out-of-memory", "out of memory");
	webdav_over(w);
}

void webdav_stop(struct webdav *w)
{
	http_call_free(w->request);
	w->request = NULL;
	webdav_set(w, -ECANCELED, false, "canceled", "canceled");
	webdav_over(w);
}

void webdav_event(struct webdav *w, const char *event, const char *reason, const char *text)
{
	if (w->ops.on_event)
		w->ops.on_event(event, reason, text, w->arg);
}

/* RFC 4918 9.9.4 and 11, RFC 9110 15: which refusals stand. */
static bool status_fatal(const char *method, int status)
{
	if (status == 502 && !strcmp(method, "MOVE"))
		return true; /* the destination is taken for another server's */
	return status >= 300 && status != 408 && status != 423 && status != 429 &&
	       (status < 500 || status == 501 || status == 505 || status == 507);
}

/* What a refusal means whatever was asked; share.h has the words. */
static const struct {
	int status;
	const char *code, *hint;
} refusals[] = {
	{ 401, "login-refused", "" },
	{ 403, "not-allowed", ": not allowed" },
	{ 404, "not-found", ": there is no such file, or directory on the way" },
	{ 405, NULL, ": the server does not do WebDAV there" },
	{ 409, "not-found", ": the directory does not exist" },
	{ 410, "not-found", ": it is there no more" },
	{ 412, "exists", ": the file is there already" },
	{ 501, NULL, ": the server does not do WebDAV there" },
	{ 507, "no-room", ": no space left" },
};

bool webdav_answered(const struct http_reply *reply)
{
	return !reply->err || (reply->err == -EMSGSIZE && reply->status >= 300);
}

bool webdav_leads_to_directory(const struct http_head *head)
{
	size_t len = strlen(head->location);

	return head->status >= 301 && head->status <= 308 && len && head->location[len - 1] == '/';
}

void webdav_refused(struct webdav *w, const struct http_reply *reply)
{
	const char *hint = http_login_hint(reply->login), *code = NULL;
	char number[32], text[256];
	size_t i;

	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (refusals[i].status != reply->status)
			continue;
		code = refusals[i].code;
		hint = *hint ? hint : refusals[i].hint;
	}
	snprintf(number, sizeof(number), "http-%d", reply->status);
	snprintf(text, sizeof(text), "the file server answered %s with status %d%s", w->method,
		 reply->status, hint);
	webdav_set(w, -SHUNT_EREMOTE, status_fatal(w->method, reply->status), code ? code : number,
		   text);
}

void webdav_broken(struct webdav *w, const struct http_reply *reply)
{
	char text[512];

	snprintf(text, sizeof(text), "file server: %s: %.400s", w->method, reply->why);
	webdav_set(w, reply->err, reply->err == -SHUNT_EPEER, http_err_code(reply->err), text);
}

/* ---- calls ---- */

static void on_timer(void *arg)
{
	struct webdav *w = arg;

	if (!w->over) {
		w->kind->progress(w);
		return;
	}
	w->ops.on_done(w->err, w->fatal, w->code, w->text, w->arg);
	w->kind->free(w);
}

int webdav_init(struct webdav *w, const struct share_conf *conf, const struct share_ops *ops,
		void *arg, const struct webdav_kind *kind)
{
	struct http_target server = {
		.address = conf->address,
		.port = conf->port,
		.tls = conf->tls,
		.source = conf->source,
		.name = conf->user,
		.password = conf->password,
		.device = conf->device,
		.pin = conf->pin,
	};
	int ret;

	w->call.protocol = &webdav_protocol;
	w->ops = *ops;
	w->arg = arg;
	w->kind = kind;
	if (conf->base[0] != '/')
		return -EINVAL;
	ret = loop_timer_new(conf->loop, on_timer, w, &w->timer);
	if (ret)
		return ret;
	loop_timer_every(w->timer, SHARE_PROGRESS_MS);
	return http_host_new(conf->http, &server, &w->host);
}

void webdav_fini(struct webdav *w)
{
	http_host_free(w->host); /* with the request */
	loop_timer_free(w->timer);
}

static void call_abort(struct share_call *call)
{
	struct webdav *w = (struct webdav *)call;

	if (w->over)
		return;
	if (w->kind->abort)
		w->kind->abort(w);
	else
		webdav_stop(w);
}

static void call_free(struct share_call *call)
{
	struct webdav *w = (struct webdav *)call;

	w->kind->free(w);
}

const struct share_protocol webdav_protocol = {
	.kind = SERVICE_WEBDAV,
	.put = webdav_put,
	.get = webdav_get,
	.list = webdav_list,
	.abort = call_abort,
	.free = call_free,
};
