// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * webdav_get: share.h's get over WebDAV.
 *
 *	PROPFIND: is it a file? ─▶ GET, of what is missing (RFC 9110 14.2) ─▶ PROPFIND: is it the same file still?
 *
 * What has come is never asked for again as long as the server names the content with a strong entity tag, and serves
 * ranges. If GET tells the tag, If-Range (RFC 9110 13.1.5) sees to it that the rest is of the same file; if only PROPFIND
 * does (lighttpd, of files without a media type), its answers before and after do. Where PROPFIND tells nothing the last
 * look is a HEAD.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/multistatus.h"
#include "cloud/webdav.h"
#include "cloud/webdav_int.h"
#include "lib/err.h"

#define RESUMES_MAX 3 /* of a broken GET within one call; then the tunnel may be what is broken */
#define MODIFIED_LEN 64
#define BY_PROPFIND 'P'

/* What PROPFIND says. */
struct props {
	bool directory;
	uint64_t size;
	int64_t modified;
	char etag[MULTISTATUS_TEXT_MAX];
};

struct get {
	struct webdav w;
	char url[WEBDAV_URL_MAX];
	struct webdav_body question;
	struct props props; /* as the first PROPFIND told, then as the last */
	/* of the content that comes, once there was a head */
	bool begun, got; /* got: by this call */
	uint64_t size, pos; /* octets [0, pos) are here */
	/* "": it has none; else a strong tag of GET, or, behind BY_PROPFIND, of PROPFIND. */
	char version[SHARE_VERSION_LEN];
	char etag[SHARE_VERSION_LEN],
		modified[MODIFIED_LEN]; /* as told, to be compared at the end */
	uint64_t asked; /* the GET begins there */
	bool stale; /* what is here is of another file than what is there */
	unsigned int resumes;
};

static void on_get(const struct http_reply *reply, void *arg);
static void on_properties(const struct http_reply *reply, void *arg);
static void on_check(const struct http_reply *reply, void *arg);

static void end(struct get *get, int err, bool fatal, const char *code, const char *text)
{
	webdav_set(&get->w, err, fatal, code, text);
	webdav_over(&get->w);
}

/* Where the call is ended from within: the words, and what it ends with. */
static int bad(struct get *get, const char *text)
{
	webdav_set(&get->w, -EBADMSG, true, "bad-answer", text);
	return -EBADMSG;
}

/* ---- GET ---- */

/* What of the two may be compared: a weak tag says that they are as good as equal (RFC 9110 8.8.3.2). */
static bool tags_differ(const char *a, const char *b)
{
	if (!strncmp(a, "W/", 2))
		a += 2;
	if (!strncmp(b, "W/", 2))
		b += 2;
	return *a && *b && strcmp(a, b);
}

/* The rest, as it was asked for: 206. */
static int head_of_rest(struct get *get, const struct http_head *head)
{
	struct content_range range;

	if (!get->asked || content_range_parse(head->range, &range) || range.from != get->asked)
		return bad(get, "the file server answered GET with a range that was not asked for");
	/* Of another file: If-Range should have seen to that, but older servers do not know it. */
	get->stale = (range.size != CONTENT_SIZE_UNKNOWN && range.size != get->size) ||
		     range.to > get->size ||
		     (get->version[0] != BY_PROPFIND && tags_differ(head->etag, get->version));
	return get->stale ? -ESTALE : 0;
}

/* All of it: 200. */
static int head_of_all(struct get *get, const struct http_head *head)
{
	const char *tag = webdav_strong(head->etag), *other = webdav_strong(get->props.etag);

	get->size = head->length == CONTENT_SIZE_UNKNOWN ? get->props.size : head->length;
	if (get->size == CONTENT_SIZE_UNKNOWN) {
		webdav_set(&get->w, -ENODATA, true, "no-length",
			   "the file server does not say how long the file is");
		return -ENODATA;
	}
	get->pos = 0;
	if (*tag || !*other ||
	    snprintf(get->version, sizeof(get->version), "%c%s", BY_PROPFIND, other) >=
		    (int)sizeof(get->version))
		snprintf(get->version, sizeof(get->version), "%s", tag);
	snprintf(get->etag, sizeof(get->etag), "%s", head->etag);
	snprintf(get->modified, sizeof(get->modified), "%s", head->modified);
	return 0;
}

static int on_head(void *arg, const struct http_head *head)
{
	struct get *get = arg;
	struct share_file file;
	bool known = get->begun;
	int ret;

	if (head->status == 206)
		ret = head_of_rest(get, head);
	else if (head->status == 200)
		ret = head_of_all(get, head);
	else
		ret = bad(get, "the file server answered GET with a status that is none of GET's");
	if (ret)
		return ret;
	get->begun = get->got = true;
	/* Resumed within the call: the caller knows it. */
	if (known && head->status == 206)
		return 0;
	file = (struct share_file){
		.size = get->size,
		.version = get->version,
		.type = head->type,
		.from = get->pos,
	};
	ret = get->w.ops.on_file(&file, get->w.arg);
	if (ret)
		webdav_set(&get->w, ret, false, "spool-failed", shunt_strerror(ret));
	return ret;
}

static int on_body(void *arg, const void *data, size_t len)
{
	struct get *get = arg;
	int ret;

	if (len > get->size - get->pos)
		return bad(get, "the file server sends more than it said");
	ret = get->w.ops.write(get->pos, data, len, get->w.arg);
	if (ret)
		webdav_set(&get->w, ret, false, "spool-failed", shunt_strerror(ret));
	else
		get->pos += len;
	return ret;
}

static int begin_get(struct get *get)
{
	char range[64], same[SHARE_VERSION_LEN + 16];
	const char *headers[] = { range, same, NULL };
	struct http_request req = {
		.method = "GET",
		.path = webdav_path(get->url),
		.stall_s = SHARE_STALL_S,
		.on_head = on_head,
		.on_body = on_body,
		.body_arg = get,
	};

	get->asked = get->version[0] ? get->pos : 0;
	if (get->asked) {
		snprintf(range, sizeof(range), "Range: bytes=%llu-",
			 (unsigned long long)get->asked);
		if (get->version[0] == BY_PROPFIND)
			headers[1] = NULL;
		else
			snprintf(same, sizeof(same), "If-Range: %s", get->version);
		req.headers = headers;
	}
	return webdav_ask(&get->w, &req, on_get);
}

static int begin_properties(struct get *get, void (*done)(const struct http_reply *, void *));
static void on_properties_again(const struct http_reply *reply, void *arg);

static int begin_head(struct get *get);

/* All of it is here. Without another look nobody would notice that it changed while it came. */
static int begin_check(struct get *get)
{
	/* Where a call before this one had all of it, PROPFIND has no word from before. */
	bool before = get->got || get->version[0] == BY_PROPFIND;

	if (before && (get->props.etag[0] || get->props.modified != INT64_MIN))
		return begin_properties(get, on_properties_again);
	return begin_head(get);
}

static int begin_head(struct get *get)
{
	struct http_request req = { .method = "HEAD", .path = webdav_path(get->url) };

	return webdav_ask(&get->w, &req, on_check);
}

static void go_on(struct get *get)
{
	bool all = get->begun && get->pos == get->size;

	if (all ? begin_check(get) : begin_get(get))
		webdav_out_of_memory(&get->w);
}

/* It broke off. What came counts, so that going on is no repetition; the tunnel itself may be gone, too. */
static void get_broken(struct get *get, const struct http_reply *reply)
{
	bool advanced = get->begun && get->pos > get->asked;

	if (!advanced || !get->version[0] || get->resumes == RESUMES_MAX) {
		webdav_broken(&get->w, reply);
		webdav_over(&get->w);
		return;
	}
	get->resumes++;
	webdav_event(&get->w, "get-resumed", "no-answer", reply->why);
	go_on(get);
}

static void refused(struct get *get, const struct http_reply *reply)
{
	if (webdav_leads_to_directory(&reply->head))
		webdav_set(&get->w, -EISDIR, true, "is-directory",
			   "a directory; with / at its end the job lists it");
	webdav_refused(&get->w, reply);
	webdav_over(&get->w);
}

static void on_get(const struct http_reply *reply, void *arg)
{
	struct get *get = arg;

	get->w.request = NULL;
	if (get->w.err) {
		webdav_over(&get->w); /* ended by what on_head or on_body found */
	} else if (get->stale || (reply->status == 416 && get->asked)) {
		/* 416: there is less than is here already. */
		get->stale = false;
		get->version[0] = '\0';
		go_on(get);
	} else if (!webdav_answered(reply)) {
		get_broken(get, reply);
	} else if (reply->login == HTTP_LOGIN_AGAIN) {
		go_on(get);
	} else if (reply->status < 200 || reply->status >= 300) {
		refused(get, reply);
	} else if (reply->status == 200 && get->pos < get->size) {
		end(get, -ESTALE, false, "content-changed",
		    "the file is shorter than the file server said");
	} else if (get->pos == get->asked && get->pos < get->size) {
		end(get, -EBADMSG, true, "bad-answer",
		    "the file server sends nothing of what is asked for");
	} else {
		go_on(get); /* it may send less of a range than was asked for */
	}
}

/* ---- HEAD, at the end ---- */

static bool changed(const struct get *get, const struct http_head *head)
{
	return tags_differ(head->etag, get->etag) ||
	       (head->modified[0] && get->modified[0] && strcmp(head->modified, get->modified)) ||
	       (head->length != CONTENT_SIZE_UNKNOWN && head->length != get->size);
}

static void was_changed(struct get *get)
{
	end(get, -ESTALE, false, "content-changed",
	    "the file was changed at the file server while it came");
}

/* Of a last look: is there no answer, or is it to be asked for again? */
static bool is_dealt_with(struct get *get, const struct http_reply *reply)
{
	get->w.request = NULL;
	if (!webdav_answered(reply)) {
		webdav_broken(&get->w, reply);
		webdav_over(&get->w);
	} else if (reply->login == HTTP_LOGIN_AGAIN) {
		go_on(get);
	} else {
		return false;
	}
	return true;
}

static void on_check(const struct http_reply *reply, void *arg)
{
	struct get *get = arg;
	int status = reply->status;

	if (is_dealt_with(get, reply))
		return;
	if (status == 405 || status == 501) {
		webdav_over(&get->w); /* it has no HEAD, and nobody can know */
	} else if (status == 404 || status == 410 ||
		   (status == 200 && changed(get, &reply->head))) {
		was_changed(get);
	} else if (status != 200) {
		refused(get, reply);
	} else {
		webdav_over(&get->w);
	}
}

/* ---- PROPFIND ---- */

static int on_item(const struct multistatus_item *item, void *arg)
{
	struct props *props = arg;

	props->directory = item->directory;
	props->size = item->size;
	props->modified = item->modified;
	snprintf(props->etag, sizeof(props->etag), "%s", item->etag);
	return 0;
}

static const struct props no_props = { .size = CONTENT_SIZE_UNKNOWN, .modified = INT64_MIN };

/* What it says of the file; nothing where it is none that says. */
static int read_properties(const struct http_reply *reply, struct props *out)
{
	struct multistatus *m;
	int ret = 0;

	*out = no_props;
	if (reply->err || reply->status != 207)
		return 0;
	ret = multistatus_new(on_item, out, &m);
	if (ret)
		return ret;
	if (multistatus_feed(m, reply->body, reply->len) || multistatus_end(m))
		*out = no_props;
	multistatus_free(m);
	return 0;
}

static int begin_properties(struct get *get, void (*done)(const struct http_reply *, void *))
{
	static const char *const headers[] = { "Depth: 0", "Content-Type: application/xml", NULL };
	struct http_request req = {
		.method = "PROPFIND",
		.path = webdav_path(get->url),
		.headers = headers,
		.read = webdav_body_read,
		.read_arg = &get->question,
		.size = sizeof(MULTISTATUS_QUESTION) - 1,
	};

	get->question = (struct webdav_body){ .text = MULTISTATUS_QUESTION };
	return webdav_ask(&get->w, &req, done);
}

/* A server that does not answer as WebDAV has it may still serve the file: GET will tell. */
static void on_properties(const struct http_reply *reply, void *arg)
{
	struct get *get = arg;
	int status = reply->status, ret = 0;

	get->w.request = NULL;
	if (!webdav_answered(reply) && reply->err != -EMSGSIZE) {
		webdav_broken(&get->w, reply);
		webdav_over(&get->w);
		return;
	}
	if (reply->login == HTTP_LOGIN_AGAIN) {
		ret = begin_properties(get, on_properties);
	} else if (status == 401 || status == 404 || status == 410 ||
		   (status >= 500 && status != 501)) {
		refused(get, reply);
		return;
	} else {
		ret = read_properties(reply, &get->props);
		if (get->props.directory) {
			end(get, -EISDIR, true, "is-directory",
			    "a directory; with / at its end the job lists it");
			return;
		}
		/* What is here goes by PROPFIND's tag, and that is another now. */
		if (get->version[0] == BY_PROPFIND && strcmp(get->version + 1, get->props.etag))
			get->version[0] = '\0';
		if (!get->version[0])
			get->begun = false;
		if (!ret) {
			go_on(get);
			return;
		}
	}
	if (ret)
		webdav_out_of_memory(&get->w);
}

static bool props_differ(const struct props *a, const struct props *b)
{
	return tags_differ(a->etag, b->etag) || a->modified != b->modified || a->size != b->size;
}

static void on_properties_again(const struct http_reply *reply, void *arg)
{
	struct get *get = arg;
	struct props now;

	if (is_dealt_with(get, reply))
		return;
	if (reply->status >= 500) {
		refused(get, reply);
	} else if (read_properties(reply, &now)) {
		webdav_out_of_memory(&get->w);
	} else if (props_differ(&now, &get->props)) {
		was_changed(get);
	} else {
		webdav_over(&get->w);
	}
}

/* ---- beginning and end ---- */

static void get_progress(struct webdav *w)
{
	struct get *get = (struct get *)w;

	if (get->begun && w->ops.on_progress)
		w->ops.on_progress(get->pos, w->arg);
}

static void get_free(struct webdav *w)
{
	webdav_fini(w);
	free(w);
}

/* What is here already is told as a GET that was begun. */
static void recall(struct get *get, const struct share_get *what)
{
	const char *version = what->version ? what->version : "";

	get->props = no_props;
	if (!what->from || !version[0])
		return;
	get->pos = what->from;
	get->size = what->size;
	snprintf(get->version, sizeof(get->version), "%s", version);
	if (version[0] != BY_PROPFIND)
		strcpy(get->etag, get->version);
	get->begun = get->pos == get->size;
}

int webdav_get(const struct share_conf *conf, const struct share_get *what,
	       const struct share_ops *ops, void *arg, struct share_call **out)
{
	static const struct webdav_kind kind = { .progress = get_progress, .free = get_free };
	struct get *get;
	int ret;

	if (!share_name_ok(what->name))
		return -EINVAL;
	get = calloc(1, sizeof(*get));
	if (!get)
		return -ENOMEM;
	recall(get, what);
	ret = webdav_init(&get->w, conf, ops, arg, &kind);
	if (!ret)
		ret = webdav_url(conf, what->name, NULL, get->url, sizeof(get->url));
	if (!ret)
		ret = begin_properties(get, on_properties);
	if (ret)
		get_free(&get->w);
	else
		*out = &get->w.call;
	return ret;
}
