// SPDX-License-Identifier: GPL-2.0-or-later
/* webdav_put: share.h's put over WebDAV. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/quota.h"
#include "cloud/webdav.h"
#include "cloud/webdav_int.h"
#include "lib/err.h"
#include "lib/loop.h"

enum step {
	STEP_QUOTA, /* PROPFIND: is there room? */
	STEP_MKCOL, /* of the directories on the way, from the top */
	STEP_PUT,
	STEP_MOVE,
	STEP_DELETE, /* of the temporary file, after a refusal or an abort */
};

struct put {
	struct webdav w;
	enum step step;
	char final[WEBDAV_URL_MAX], temporary[WEBDAV_URL_MAX];
	uint64_t size, pos;
	size_t base_len; /* of the base in a path, with the slash behind */
	unsigned int missing; /* directories that MKCOL is still to be asked for */
	struct webdav_body question;
};

/* ---- one request ---- */

static ssize_t read_content(void *arg, void *buf, size_t len)
{
	struct put *put = arg;
	uint64_t left = put->size - put->pos;
	ssize_t got;

	if (len > left)
		len = left;
	if (!len)
		return 0;
	got = put->w.ops.read(put->pos, buf, len, put->w.arg);
	if (got <= 0)
		return got ? got : -ENODATA;
	if (put->w.ops.on_wire)
		put->w.ops.on_wire(put->pos, put->pos + (uint64_t)got, put->w.arg);
	put->pos += (uint64_t)got;
	return got;
}

/* The path of the first directory that is missing; @path is the temporary file's. RFC 4918 5.2: with a slash behind. */
static const char *collection_path(const struct put *put, const char *path,
				   char out[WEBDAV_URL_MAX])
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

static int begin(struct put *put, enum step step)
{
	static const char *const methods[] = { "PROPFIND", "MKCOL", "PUT", "MOVE", "DELETE" };
	char destination[WEBDAV_URL_MAX + 16], collection[WEBDAV_URL_MAX];
	/* RFC 4918 10.3, 10.6: as with a plain PUT, a file of that name is replaced. */
	const char *const headers[] = { destination, "Overwrite: T", NULL };
	static const char *const question[] = { "Depth: 0", "Content-Type: application/xml", NULL };
	struct http_request req = {
		.method = methods[step],
		.path = webdav_path(put->temporary),
	};

	put->step = step;
	if (step == STEP_QUOTA) {
		put->question = (struct webdav_body){ .text = QUOTA_QUESTION };
		snprintf(collection, sizeof(collection), "%.*s", (int)put->base_len, req.path);
		req.path = collection;
		req.headers = question;
		req.read = webdav_body_read;
		req.read_arg = &put->question;
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
		req.stall_s = SHARE_STALL_S;
	}
	return webdav_ask(&put->w, &req, on_answer);
}

static void next(struct put *put, enum step step)
{
	if (begin(put, step))
		webdav_out_of_memory(&put->w);
}

/* ---- results ---- */

/* Another try overwrites the temporary file; without one nobody would remove it. */
static void refused(struct put *put, const struct http_reply *reply)
{
	bool before = put->step < STEP_PUT;

	webdav_refused(&put->w, reply);
	if (!put->w.fatal || before || begin(put, STEP_DELETE))
		webdav_over(&put->w);
}

static void broken(struct put *put, const struct http_reply *reply)
{
	webdav_broken(&put->w, reply);
	webdav_over(&put->w);
}

/*
 * RFC 4918 9.3.1: 405 is a directory that is there. Other refusals may mean that, too, where only what is below may be
 * written to (403), or servers send elsewhere (301); whether it is there PUT will tell.
 */
static bool collection_passes(int status)
{
	return status < 400 ||
	       (status < 500 && status != 401 && status != 408 && status != 423 && status != 429) ||
	       status == 501 || status == 505;
}

/* A server that does not tell, whatever it says instead, is one that has room: PUT will be refused if not. */
static void on_quota(struct put *put, const struct http_reply *reply)
{
	uint64_t room = reply->err || reply->status != 207 ?
				QUOTA_UNKNOWN :
				quota_available(reply->body, reply->len);
	char text[128];

	if (put->size > room) {
		snprintf(text, sizeof(text),
			 "the file server has room for %llu bytes, the file has %llu",
			 (unsigned long long)room, (unsigned long long)put->size);
		webdav_set(&put->w, -ENOSPC, true, "no-room", text);
		webdav_over(&put->w);
	} else {
		next(put, put->missing ? STEP_MKCOL : STEP_PUT);
	}
}

static void on_collection(struct put *put)
{
	put->missing--;
	next(put, put->missing ? STEP_MKCOL : STEP_PUT);
}

static void on_answer(const struct http_reply *reply, void *arg)
{
	struct put *put = arg;

	put->w.request = NULL;
	if (put->step == STEP_DELETE) {
		webdav_over(&put->w); /* the result is known already; this was tidying up */
	} else if (!webdav_answered(reply) &&
		   !(put->step == STEP_QUOTA && reply->err == -EMSGSIZE)) {
		broken(put, reply);
	} else if (reply->login == HTTP_LOGIN_AGAIN) {
		next(put, put->step);
	} else if (put->step == STEP_QUOTA) {
		on_quota(put, reply);
	} else if (put->step == STEP_MKCOL && collection_passes(reply->status)) {
		on_collection(put);
	} else if (reply->status < 200 || reply->status >= 300) {
		refused(put, reply);
	} else if (put->step == STEP_PUT) {
		next(put, STEP_MOVE);
	} else {
		webdav_over(&put->w);
	}
}

static void put_progress(struct webdav *w)
{
	struct put *put = (struct put *)w;
	uint64_t acked = put->step == STEP_PUT && w->request ? http_call_acked(w->request) : 0;

	if (acked && w->ops.on_progress)
		w->ops.on_progress(acked, w->arg);
}

/* ---- beginning and end ---- */

static void put_free(struct webdav *w)
{
	webdav_fini(w);
	free(w);
}

static void put_abort(struct webdav *w)
{
	struct put *put = (struct put *)w;

	if (put->step == STEP_DELETE)
		return;
	http_call_free(w->request);
	w->request = NULL;
	webdav_set(w, -ECANCELED, false, "canceled", "canceled");
	if (begin(put, STEP_DELETE))
		webdav_over(w);
}

static int put_init(struct put *put, const struct share_conf *conf, const struct share_put *what)
{
	const char *p = what->name;
	int ret;

	while ((p = strchr(p, '/'))) {
		put->missing++;
		p++;
	}
	ret = webdav_url(conf, what->name, NULL, put->final, sizeof(put->final));
	if (!ret) {
		ret = webdav_url(conf, "", NULL, put->temporary, sizeof(put->temporary));
		put->base_len = strlen(webdav_path(put->temporary));
	}
	return ret ? ret :
		     webdav_url(conf, what->name, what->tag, put->temporary,
				sizeof(put->temporary));
}

int webdav_put(const struct share_conf *conf, const struct share_put *what,
	       const struct share_ops *ops, void *arg, struct share_call **out)
{
	static const struct webdav_kind kind = {
		.progress = put_progress,
		.abort = put_abort,
		.free = put_free,
	};
	struct put *put;
	int ret;

	if (!share_name_ok(what->name))
		return -EINVAL;
	put = calloc(1, sizeof(*put));
	if (!put)
		return -ENOMEM;
	put->size = what->size;
	ret = webdav_init(&put->w, conf, ops, arg, &kind);
	if (!ret)
		ret = put_init(put, conf, what);
	if (!ret)
		ret = begin(put, STEP_QUOTA);
	if (ret)
		put_free(&put->w);
	else
		*out = &put->w.call;
	return ret;
}
