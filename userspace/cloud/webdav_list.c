// SPDX-License-Identifier: GPL-2.0-or-later
/* webdav_list: share.h's list over WebDAV: PROPFIND with Depth 1 (RFC 4918 9.1), read as it comes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/multistatus.h"
#include "cloud/webdav.h"
#include "cloud/webdav_int.h"
#include "lib/err.h"
#include "lib/types.h"

#define LIST_MS 300000 /* for all of the answer */
#define LIST_MAX ((uint64_t)64 << 20) /* octets of it */

struct list {
	struct webdav w;
	char url[WEBDAV_URL_MAX];
	char path[WEBDAV_URL_MAX]; /* of the directory as hrefs have it, decoded, with the slash behind */
	struct webdav_body question;
	struct multistatus *answer;
	uint64_t got; /* octets of it */
	size_t entries, odd; /* odd: with names that no job can have */
	bool seen; /* the directory itself is in the answer, and is one */
	bool is_file; /* it is there, and is none */
};

/* ---- the answer ---- */

static int bad(struct list *list, int err, const char *code, const char *text)
{
	webdav_set(&list->w, err, true, code, text);
	return err;
}

/* A name that can be told, and asked for. */
static bool name_take(const char *name, size_t len, char out[SHARE_ENTRY_NAME_MAX + 1])
{
	if (len > SHARE_ENTRY_NAME_MAX)
		return false;
	memcpy(out, name, len);
	out[len] = '\0';
	return strlen(out) == len && share_name_ok(out);
}

/* The directory itself, with or without the slash behind. */
static bool is_self(const struct list *list, const char *path)
{
	size_t len = strlen(path), whole = strlen(list->path);

	return !strncmp(path, list->path, len) && (len == whole || len + 1 == whole);
}

static int on_item(const struct multistatus_item *item, void *arg)
{
	struct list *list = arg;
	size_t prefix = strlen(list->path), len;
	char name[SHARE_ENTRY_NAME_MAX + 1];
	struct share_entry entry;
	const char *rest;
	int ret;

	if (is_self(list, item->path)) {
		list->seen = true;
		list->is_file = !item->directory;
		return 0;
	}
	rest = item->path + prefix;
	if (strncmp(item->path, list->path, prefix))
		return bad(list, -EBADMSG, "bad-answer",
			   "the file server lists what is not in the directory");
	len = strcspn(rest, "/");
	if (!len || (rest[len] && rest[len + 1]) || (len <= 2 && !strncmp(rest, "..", len)))
		return bad(list, -EBADMSG, "bad-answer",
			   "the file server lists what is no entry of the directory");
	if (list->entries + list->odd == SHARE_ENTRIES_MAX)
		return bad(list, -EMSGSIZE, "too-many",
			   "the directory has more entries than are listed");
	if (!name_take(rest, len, name)) {
		list->odd++;
		return 0;
	}
	list->entries++;
	entry = (struct share_entry){
		.name = name,
		.directory = item->directory,
		.size = item->directory ? CONTENT_SIZE_UNKNOWN : item->size,
		.modified = item->modified,
		.version = webdav_strong(item->etag),
	};
	ret = list->w.ops.on_entry(&entry, list->w.arg);
	if (ret == -EMSGSIZE)
		return bad(list, ret, "too-many", "the directory's entries are more than is taken");
	if (ret)
		webdav_set(&list->w, ret, false, "spool-failed", shunt_strerror(ret));
	return ret;
}

static int on_head(void *arg, const struct http_head *head)
{
	struct list *list = arg;

	/* Any other success is none: see on_answer(). */
	return head->status == 207 ? multistatus_new(on_item, list, &list->answer) : -EBADMSG;
}

static int on_body(void *arg, const void *data, size_t len)
{
	struct list *list = arg;

	list->got += len;
	if (list->got > LIST_MAX)
		return bad(list, -EMSGSIZE, "too-many",
			   "the file server's answer is longer than is taken");
	return multistatus_feed(list->answer, data, len);
}

/* ---- its end ---- */

static void end(struct list *list, int err, bool fatal, const char *code, const char *text)
{
	webdav_set(&list->w, err, fatal, code, text);
	webdav_over(&list->w);
}

static int begin(struct list *list);

static void tell_odd(struct list *list)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "%zu entries have names that no job can have, and are left out", list->odd);
	if (list->odd)
		webdav_event(&list->w, "entries-left-out", "bad-name", text);
}

static void complete(struct list *list)
{
	int err = multistatus_end(list->answer);

	if (list->w.err) {
		webdav_over(&list->w); /* what on_item found */
	} else if (err == -ENOMEM) {
		webdav_out_of_memory(&list->w);
	} else if (err || !list->seen) {
		end(list, -EBADMSG, true, "bad-answer",
		    "the file server's answer to PROPFIND is none that lists a directory");
	} else if (list->is_file) {
		end(list, -ENOTDIR, true, "not-directory", "not a directory");
	} else {
		tell_odd(list);
		webdav_over(&list->w);
	}
}

static void on_answer(const struct http_reply *reply, void *arg)
{
	struct list *list = arg;

	list->w.request = NULL;
	if (list->w.err) {
		webdav_over(&list->w);
	} else if (reply->login == HTTP_LOGIN_AGAIN) {
		if (begin(list))
			webdav_out_of_memory(&list->w);
	} else if (reply->err == -ENOMEM) {
		webdav_out_of_memory(&list->w);
	} else if (reply->err == -EBADMSG || (reply->err == -EMSGSIZE && reply->status < 300)) {
		end(list, -EBADMSG, true, "bad-answer",
		    "the file server's answer to PROPFIND cannot be read");
	} else if (!webdav_answered(reply)) {
		webdav_broken(&list->w, reply);
		webdav_over(&list->w);
	} else if (reply->status == 207 && list->answer) {
		complete(list);
	} else {
		webdav_refused(&list->w, reply);
		webdav_over(&list->w);
	}
}

static int begin(struct list *list)
{
	static const char *const headers[] = { "Depth: 1", "Content-Type: application/xml", NULL };
	struct http_request req = {
		.method = "PROPFIND",
		.path = webdav_path(list->url),
		.headers = headers,
		.read = webdav_body_read,
		.read_arg = &list->question,
		.size = sizeof(MULTISTATUS_QUESTION) - 1,
		.timeout_ms = LIST_MS,
		.stall_s = SHARE_STALL_S,
		.on_head = on_head,
		.on_body = on_body,
		.body_arg = list,
	};

	list->question = (struct webdav_body){ .text = MULTISTATUS_QUESTION };
	return webdav_ask(&list->w, &req, on_answer);
}

/* ---- beginning and end ---- */

static void list_progress(struct webdav *w)
{
	(void)w;
}

static void list_free(struct webdav *w)
{
	struct list *list = (struct list *)w;

	webdav_fini(w);
	multistatus_free(list->answer);
	free(list);
}

static int list_init(struct list *list, const struct share_conf *conf, const char *name)
{
	const char *slash = conf->base[strlen(conf->base) - 1] == '/' ? "" : "/";
	char dir[SHARE_DIR_MAX + 2] = "";
	int n;

	if (strlen(name) > SHARE_DIR_MAX)
		return -ENAMETOOLONG;
	if (*name)
		sprintf(dir, "%s/", name);
	n = snprintf(list->path, sizeof(list->path), "%s%s%s", conf->base, slash, dir);
	if (n < 0 || (size_t)n >= sizeof(list->path))
		return -ENAMETOOLONG;
	return webdav_url(conf, dir, NULL, list->url, sizeof(list->url));
}

int webdav_list(const struct share_conf *conf, const char *name, const struct share_ops *ops,
		void *arg, struct share_call **out)
{
	static const struct webdav_kind kind = { .progress = list_progress, .free = list_free };
	struct list *list;
	int ret;

	if (*name && !share_name_ok(name))
		return -EINVAL;
	list = calloc(1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	ret = webdav_init(&list->w, conf, ops, arg, &kind);
	if (!ret)
		ret = list_init(list, conf, name);
	if (!ret)
		ret = begin(list);
	if (ret)
		list_free(&list->w);
	else
		*out = &list->w.call;
	return ret;
}
