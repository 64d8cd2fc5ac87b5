// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/webdav.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/http.h"
#include "cloud/quota.h"
#include "lib/err.h"
#include "lib/loop.h"

#define URL_MAX 4096
#define REPLY_MAX ((size_t)64 << 10) /* octets of an answer's body that are borne */

enum step {
	STEP_QUOTA, /* PROPFIND: is there room? */
	STEP_MKCOL, /* of the directories on the way, from the top */
	STEP_PUT,
	STEP_MOVE,
	STEP_DELETE, /* of the temporary file, after a refusal or an abort */
	STEP_DONE,
};

struct webdav_put {
	struct share_call call;
	struct share_ops ops;
	void *arg;
	enum step step;
	struct http_host *host;
	struct http_call *request;
	char final[URL_MAX], temporary[URL_MAX];
	uint64_t size, pos;
	size_t base_len; /* of the base in a path, with the slash behind */
	unsigned int missing; /* directories that MKCOL is still to be asked for */
	struct loop_timer *progress; /* while PUT is under way; then for on_done */
	int err; /* the result, once it is known */
	bool fatal;
	char code[64];
	char text[512];
};

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
	char host[ENDPOINT_STR_LEN], temporary[URL_MAX];
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

/* ---- one request ---- */

static ssize_t read_content(void *arg, void *buf, size_t len)
{
	struct webdav_put *put = arg;
	uint64_t left = put->size - put->pos;
	ssize_t got;

	if (len > left)
		len = left;
	if (!len)
		return 0;
	got = put->ops.read(put->pos, buf, len, put->arg);
	if (got <= 0)
		return got ? got : -ENODATA;
	if (put->ops.on_wire)
		put->ops.on_wire(put->pos, put->pos + (uint64_t)got, put->arg);
	put->pos += (uint64_t)got;
	return got;
}

static ssize_t read_question(void *arg, void *buf, size_t len)
{
	struct webdav_put *put = arg;
	size_t left = sizeof(QUOTA_QUESTION) - 1 - (size_t)put->pos;

	if (len > left)
		len = left;
	memcpy(buf, &QUOTA_QUESTION[put->pos], len);
	put->pos += len;
	return (ssize_t)len;
}

/* The path of the first directory that is missing; @path is the temporary file's. RFC 4918 5.2: with a slash behind. */
static const char *collection_path(const struct webdav_put *put, const char *path,
				   char out[URL_MAX])
{
	unsigned int left = put->missing;
	char *p = stpcpy(out, path);

	while (left)
		if (*--p == '/')
			left--;
	p[1] = '\0';
	return out;
}

static void on_answer(const struct http_reply *reply, void *arg);

static int begin(struct webdav_put *put, enum step step)
{
	static const char *const methods[] = { "PROPFIND", "MKCOL", "PUT", "MOVE", "DELETE" };
	char destination[URL_MAX + 16], collection[URL_MAX];
	/* RFC 4918 10.3, 10.6: as with a plain PUT, a file of that name is replaced. */
	const char *const headers[] = { destination, "Overwrite: T", NULL };
	static const char *const question[] = { "Depth: 0", "Content-Type: application/xml", NULL };
	struct http_request req = {
		.method = methods[step],
		.path = strchr(strstr(put->temporary, "://") + 3, '/'),
		.timeout_ms = SHARE_REQUEST_MS,
		.max_reply = REPLY_MAX,
	};

	put->step = step;
	if (step == STEP_QUOTA) {
		put->pos = 0;
		snprintf(collection, sizeof(collection), "%.*s", (int)put->base_len, req.path);
		req.path = collection;
		req.headers = question;
		req.read = read_question;
		req.read_arg = put;
		req.size = sizeof(QUOTA_QUESTION) - 1;
	} else if (step == STEP_MKCOL) {
		req.path = collection_path(put, req.path, collection);
	} else if (step == STEP_MOVE) {
		snprintf(destination, sizeof(destination), "Destination: %s", put->final);
		req.headers = headers;
	} else if (step == STEP_PUT) {
		put->pos = 0;
		req.read = read_content;
		req.read_arg = put;
		req.size = put->size;
		req.timeout_ms = 0;
		req.stall_s = SHARE_STALL_S;
	}
	return http_call_new(put->host, &req, on_answer, put, &put->request);
}

/* ---- results ---- */

static void set_result(struct webdav_put *put, int err, bool fatal, const char *code,
		       const char *text)
{
	put->err = err;
	put->fatal = fatal;
	snprintf(put->code, sizeof(put->code), "%s", code);
	snprintf(put->text, sizeof(put->text), "%s", text);
}

static void done(struct webdav_put *put)
{
	put->step = STEP_DONE;
	loop_timer_set(put->progress, 0); /* on_done outside of the caller's stack */
}

static const char *step_name(enum step step)
{
	return step == STEP_QUOTA ? "PROPFIND" :
	       step == STEP_MKCOL ? "MKCOL" :
	       step == STEP_PUT	  ? "PUT" :
	       step == STEP_MOVE  ? "MOVE" :
				    "DELETE";
}

/* RFC 4918 9.9.4 and 11, RFC 9110 15: which refusals stand. */
static bool status_fatal(enum step step, long status)
{
	if (step == STEP_MOVE && status == 502)
		return true; /* the destination is taken for another server's */
	return status >= 300 && status != 408 && status != 423 && status != 429 &&
	       (status < 500 || status == 501 || status == 505 || status == 507);
}

static const char *hint_of(const struct http_reply *reply)
{
	switch (reply->login) {
	case HTTP_LOGIN_WANTED:
		return ": it wants a name and password, and the cloud has none for the device";
	case HTTP_LOGIN_CLEAR:
		return ": it wants the password in clear (Basic), which is sent over https only";
	case HTTP_LOGIN_REFUSED:
	case HTTP_LOGIN_AGAIN:
		return ": it does not accept the name and password";
	case HTTP_LOGIN_NONE:
		break;
	}
	switch (reply->status) {
	case 403:
		return ": not allowed";
	case 404:
	case 409:
		return ": the directory does not exist";
	case 405:
	case 501:
		return ": the server does not do WebDAV there";
	case 507:
		return ": no space left";
	default:
		return "";
	}
}

static void refused(struct webdav_put *put, const struct http_reply *reply)
{
	long status = reply->status;
	char code[32], text[256];

	snprintf(code, sizeof(code), "http-%ld", status);
	snprintf(text, sizeof(text), "the file server answered %s with status %ld%s",
		 step_name(put->step), status, hint_of(reply));
	set_result(put, -SHUNT_EREMOTE, status_fatal(put->step, status), code, text);
	/* Another try overwrites the temporary file; without one nobody would remove it. */
	if (!put->fatal || put->step == STEP_MKCOL || begin(put, STEP_DELETE))
		done(put);
}

static void broken(struct webdav_put *put, const struct http_reply *reply)
{
	char text[512];

	snprintf(text, sizeof(text), "file server: %s: %.400s", step_name(put->step), reply->why);
	set_result(put, reply->err, false,
		   reply->err == -ECONNREFUSED ? "connect-failed" : "no-answer", text);
	done(put);
}

static void out_of_memory(struct webdav_put *put)
{
	set_result(put, -ENOMEM, false, "out-of-memory", "out of memory");
	done(put);
}

/*
 * RFC 4918 9.3.1: 405 is a directory that is there. Other refusals may mean that, too, where only what is below may be
 * written to (403), or servers send elsewhere (301); whether it is there PUT will tell.
 */
static bool collection_passes(const struct http_reply *reply)
{
	return reply->status < 400 || (status_fatal(STEP_MKCOL, reply->status) &&
				       reply->status != 401 && reply->status != 507);
}

/* A server that does not tell, whatever it says instead, is one that has room: PUT will be refused if not. */
static void on_quota(struct webdav_put *put, const struct http_reply *reply)
{
	uint64_t room = reply->err || reply->status != 207 ?
				QUOTA_UNKNOWN :
				quota_available(reply->body, reply->len);
	char text[128];

	if (put->size > room) {
		snprintf(text, sizeof(text),
			 "the file server has room for %llu bytes, the file has %llu",
			 (unsigned long long)room, (unsigned long long)put->size);
		set_result(put, -ENOSPC, true, "no-room", text);
		done(put);
	} else if (begin(put, put->missing ? STEP_MKCOL : STEP_PUT)) {
		out_of_memory(put);
	}
}

static void next_collection(struct webdav_put *put)
{
	put->missing--;
	if (begin(put, put->missing ? STEP_MKCOL : STEP_PUT))
		out_of_memory(put);
}

static void on_answer(const struct http_reply *reply, void *arg)
{
	struct webdav_put *put = arg;

	put->request = NULL;
	if (put->step == STEP_DELETE) {
		done(put); /* the result is known already; this was tidying up */
	} else if (reply->err && !(put->step == STEP_QUOTA && reply->err == -EMSGSIZE)) {
		broken(put, reply);
	} else if (reply->login == HTTP_LOGIN_AGAIN) {
		if (begin(put, put->step))
			out_of_memory(put);
	} else if (put->step == STEP_QUOTA) {
		on_quota(put, reply);
	} else if (put->step == STEP_MKCOL && collection_passes(reply)) {
		next_collection(put);
	} else if (reply->status < 200 || reply->status >= 300) {
		refused(put, reply);
	} else if (put->step == STEP_PUT) {
		loop_timer_stop(put->progress);
		if (begin(put, STEP_MOVE))
			out_of_memory(put);
	} else {
		set_result(put, 0, false, "", "");
		done(put);
	}
}

static void put_free(struct share_call *call);

static void on_progress(void *arg)
{
	struct webdav_put *put = arg;
	uint64_t acked;

	if (put->step == STEP_DONE) {
		put->ops.on_done(put->err, put->fatal, put->code, put->text, put->arg);
		put_free(&put->call);
		return;
	}
	acked = put->step == STEP_PUT ? http_call_acked(put->request) : 0;
	if (acked && put->ops.on_progress)
		put->ops.on_progress(acked, put->arg);
}

/* ---- puts ---- */

static void put_free(struct share_call *call)
{
	struct webdav_put *put = (struct webdav_put *)call;

	http_host_free(put->host); /* with the request */
	loop_timer_free(put->progress);
	free(put);
}

static int put_init(struct webdav_put *put, const struct share_conf *conf,
		    const struct share_put *what)
{
	struct http_target server = {
		.address = conf->address,
		.port = conf->port,
		.tls = conf->tls,
		.source = conf->source,
		.name = conf->user,
		.password = conf->password,
	};
	const char *p = what->name;
	int ret;

	while ((p = strchr(p, '/'))) {
		put->missing++;
		p++;
	}
	ret = webdav_url(conf, what->name, NULL, put->final, sizeof(put->final));
	if (!ret) {
		ret = webdav_url(conf, "", NULL, put->temporary, sizeof(put->temporary));
		put->base_len = strlen(strchr(strstr(put->temporary, "://") + 3, '/'));
	}
	if (!ret)
		ret = webdav_url(conf, what->name, what->tag, put->temporary,
				 sizeof(put->temporary));
	return ret ? ret : http_host_new(conf->http, &server, &put->host);
}

static int put_new(const struct share_conf *conf, const struct share_put *what,
		   const struct share_ops *ops, void *arg, struct share_call **out)
{
	struct webdav_put *put;
	int ret;

	if (!share_name_ok(what->name) || conf->base[0] != '/')
		return -EINVAL;
	put = calloc(1, sizeof(*put));
	if (!put)
		return -ENOMEM;
	put->call.protocol = &webdav_protocol;
	put->ops = *ops;
	put->arg = arg;
	put->size = what->size;
	ret = loop_timer_new(conf->loop, on_progress, put, &put->progress);
	if (!ret)
		ret = put_init(put, conf, what);
	if (!ret)
		ret = begin(put, STEP_QUOTA);
	if (ret) {
		put_free(&put->call);
		return ret;
	}
	loop_timer_every(put->progress, SHARE_PROGRESS_MS);
	*out = &put->call;
	return 0;
}

static void put_abort(struct share_call *call)
{
	struct webdav_put *put = (struct webdav_put *)call;

	if (put->step == STEP_DONE || put->step == STEP_DELETE)
		return;
	http_call_free(put->request);
	put->request = NULL;
	loop_timer_stop(put->progress);
	set_result(put, -ECANCELED, false, "canceled", "canceled");
	if (begin(put, STEP_DELETE))
		done(put);
}

const struct share_protocol webdav_protocol = {
	.kind = SERVICE_WEBDAV,
	.put = put_new,
	.abort = put_abort,
	.free = put_free,
};
