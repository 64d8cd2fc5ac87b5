/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * webdav_int: what webdav.c (the server, its answers' meaning), webdav_put.c, webdav_get.c and webdav_list.c share.
 */
#ifndef SHUNT_CLOUD_WEBDAV_INT_H
#define SHUNT_CLOUD_WEBDAV_INT_H

#include "cloud/http.h"
#include "cloud/share.h"

#define WEBDAV_URL_MAX 4096
#define WEBDAV_SAMPLE_LEN ((uint64_t)64 << 10)
#define WEBDAV_TAIL_LEN ((uint64_t)128 << 10) /* compared at the end */
#define WEBDAV_REPLY_MAX ((size_t)64 << 10) /* octets of an answer's body that are borne */

struct webdav;

/* Put, get or list. */
struct webdav_kind {
	void (*progress)(struct webdav *w); /* every SHARE_PROGRESS_MS, until it is over */
	void (*abort)(struct webdav *w); /* NULL: webdav_stop() */
	void (*free)(struct webdav *w); /* what it has besides struct webdav, then itself */
};

/* What every call has; a kind's own struct begins with it. */
struct webdav {
	struct share_call call;
	struct share_ops ops;
	void *arg;
	struct http_host *host;
	struct http_call *request; /* under way, or NULL */
	const char *method; /* of it, or of the last */
	const struct webdav_kind *kind;
	struct loop_timer *timer; /* for progress, then for on_done */
	bool over; /* the result is known, and nothing more will be asked */
	int err;
	bool fatal;
	char code[64];
	char text[512];
};

/* Strings of a @conf whose base is none are -EINVAL. On failure webdav_fini() is still to be called. */
int webdav_init(struct webdav *w, const struct share_conf *conf, const struct share_ops *ops,
		void *arg, const struct webdav_kind *kind);
void webdav_fini(struct webdav *w);

/* Ask; @req's time and octets are filled in where they are 0. 0 or -ENOMEM. */
int webdav_ask(struct webdav *w, struct http_request *req,
	       void (*done)(const struct http_reply *reply, void *arg));
/* The body of a request out of memory; @arg of its read is one of these. */
struct webdav_body {
	const char *text;
	size_t pos;
};
ssize_t webdav_body_read(void *body, void *buf, size_t len);

/* The server answered, if only with more than one wants to read of a refusal. */
bool webdav_answered(const struct http_reply *reply);
/* RFC 9110 15.4: as where a directory is asked for without the slash behind its name. */
bool webdav_leads_to_directory(const struct http_head *head);
/* The result; the first one counts. */
void webdav_set(struct webdav *w, int err, bool fatal, const char *code, const char *text);
/* The same of what the server refused: the words of share.h. */
void webdav_refused(struct webdav *w, const struct http_reply *reply);
/* And of what it did not answer. */
void webdav_broken(struct webdav *w, const struct http_reply *reply);
/* It is over, with what was set: on_done outside of the caller's stack. */
void webdav_over(struct webdav *w);
/* Set and over: there was no memory. */
void webdav_out_of_memory(struct webdav *w);
/* Set and over: canceled. */
void webdav_stop(struct webdav *w);
void webdav_event(struct webdav *w, const char *event, const char *reason, const char *text);

/* An entity tag that names the octets (RFC 9110 8.8.1), or "". */
const char *webdav_strong(const char *etag);
/*
 * Of @from octets that an earlier try of the job @tag left: where the block begins that is compared besides their end. The
 * same for the same.
 */
uint64_t webdav_sample_at(const char *tag, uint64_t from);
/* The path in a URL. */
const char *webdav_path(const char *url);

/* ---- the kinds ---- */

int webdav_put(const struct share_conf *conf, const struct share_put *what,
	       const struct share_ops *ops, void *arg, struct share_call **out);
int webdav_get(const struct share_conf *conf, const struct share_get *what,
	       const struct share_ops *ops, void *arg, struct share_call **out);
int webdav_list(const struct share_conf *conf, const char *name, const struct share_ops *ops,
		void *arg, struct share_call **out);

#endif
