// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/inquiry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/credentials.h"
#include "cloud/http.h"
#include "cloud/ipp.h"
#include "cloud/problem.h"
#include "cloud/quota.h"
#include "cloud/share.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/loop.h"
#include "lib/peer.h"
#include "lib/tls.h"

#define PATHS_MAX 4

/* How much an answer that is not the one says; of two the better is told. */
enum rank {
	RANK_NONE,
	RANK_SILENT, /* no connection, or no answer */
	RANK_TLS, /* no TLS, as of a server that does none */
	RANK_OTHER, /* it answered, and is something else */
	RANK_CERT, /* it does TLS, with a certificate that will not do; what it says in clear is no more than that */
};

struct inquiry {
	struct inquiry_conf conf;
	struct sapi_probe_service *answer;
	void (*done)(struct inquiry *q, void *arg);
	void *arg;
	struct loop_timer *over; /* tells done() outside of everybody's stack */
	enum rank rank; /* of what is in answer->reason and text */
	/* a printer, a file server */
	const char *paths[PATHS_MAX];
	size_t n_paths, path;
	char hint[SAPI_SERVICE_PATH_LEN];
	unsigned int ways; /* tried: without TLS and with */
	bool tls;
	bool asked_again; /* the same, now that it is known how the server wants the password */
	struct http_host *host;
	struct http_call *call;
	struct buf message;
	size_t pos;
	char uri[ENDPOINT_STR_LEN + SAPI_SERVICE_PATH_LEN + 8];
	/* an agent */
	struct peer_dial *dial;
	struct h2 *agent;
	struct h2_call *hello;
	/* a share */
	struct share_call *share;
};

static void finish(struct inquiry *q)
{
	loop_timer_set(q->over, 0);
}

static void found(struct inquiry *q)
{
	q->answer->found = true;
	q->answer->reason[0] = q->answer->text[0] = '\0';
}

static void note(struct inquiry *q, enum rank rank, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void note(struct inquiry *q, enum rank rank, const char *reason, const char *fmt, ...)
{
	va_list ap;

	if (rank <= q->rank)
		return;
	q->rank = rank;
	snprintf(q->answer->reason, sizeof(q->answer->reason), "%s", reason);
	va_start(ap, fmt);
	vsnprintf(q->answer->text, sizeof(q->answer->text), fmt, ap);
	va_end(ap);
}

/* ---- an agent ---- */

static const char *reason_of(int err)
{
	switch (err) {
	case -ETIMEDOUT:
		return "no-answer";
	case -SHUNT_EPEER:
		return "other-identity";
	case -SHUNT_ETLS:
		return "no-tls";
	default:
		return "connect-failed";
	}
}

static void on_hello(const struct h2_reply *reply, void *arg)
{
	struct inquiry *q = arg;
	struct sapi_hello hello;
	struct problem problem;
	struct err e = { 0 };

	q->hello = NULL;
	if (problem_of_reply(reply, "agent", &problem)) {
		note(q, RANK_OTHER, problem.code, "%s", problem.text);
	} else if (sapi_hello_decode(reply->body, reply->len, &hello, &e)) {
		note(q, RANK_OTHER, "bad-answer", "agent: %.480s", err_text(&e));
	} else {
		found(q);
		q->answer->at.tls = true;
		snprintf(q->answer->at.path, sizeof(q->answer->at.path), "/");
		memcpy(q->answer->version, hello.version, sizeof(hello.version));
		q->answer->jobs = hello.services;
		q->answer->connectable = hello.connectable;
		sapi_hello_fini(&hello);
	}
	finish(q);
}

static void on_agent_closed(struct h2 *h2, int err, const char *why, void *arg)
{
	struct inquiry *q = arg;

	(void)h2;
	(void)err;
	(void)why;
	q->agent = NULL; /* its call has ended before */
}

static void on_agent(struct h2 *h2, int err, const char *why, void *arg)
{
	struct h2_request req = { .method = "GET", .path = "/v1/hello", .timeout_ms = INQUIRY_MS };
	struct inquiry *q = arg;
	const char *text;

	q->dial = NULL;
	if (err) {
		/* Without the address, which is the tunnel's and says nothing to people. */
		text = strstr(why, ": ");
		note(q, RANK_OTHER, reason_of(err), "%s", text ? text + 2 : why);
		finish(q);
		return;
	}
	q->agent = h2;
	h2_on_close(h2, on_agent_closed, q);
	if (h2_fetch(h2, &req, on_hello, q, &q->hello)) {
		note(q, RANK_OTHER, "no-answer", "the agent's session ended at once");
		finish(q);
	}
}

static int ask_agent(struct inquiry *q)
{
	struct shunt_endpoint ep = { q->conf.address, q->answer->at.port };
	char address[ENDPOINT_STR_LEN], source[ADDR_STR_LEN];
	struct peer_dial_conf conf = {
		.address = endpoint_print(&ep, address),
		.source = addr_is_set(&q->conf.source) ? addr_print(&q->conf.source, source) : NULL,
		.tls = q->conf.tls,
		.roles = ROLE_BIT(ROLE_DEVICE),
		.name = q->conf.device,
		.connect_ms = INQUIRY_MS,
		.handshake_ms = INQUIRY_MS,
	};

	return peer_dial(q->conf.loop, &conf, on_agent, q, &q->dial);
}

/* ---- servers of devices' own: which way, which path ---- */

static int ask(struct inquiry *q);

/* Out of memory in the middle: what was found out so far is the answer. */
static void ask_or_finish(struct inquiry *q)
{
	if (q->answer->found || ask(q))
		finish(q);
}

static bool is_tls_only(const struct inquiry *q)
{
	return q->conf.tls_only || (q->conf.pin && q->conf.pin[0]);
}

static void next_way(struct inquiry *q)
{
	http_host_free(q->host);
	q->host = NULL;
	if (is_tls_only(q)) {
		finish(q);
		return;
	}
	q->path = 0;
	q->asked_again = false;
	q->tls = !q->tls;
	if (++q->ways == 2)
		finish(q);
	else
		ask_or_finish(q);
}

static void next_path(struct inquiry *q)
{
	q->asked_again = false;
	if (++q->path == q->n_paths)
		next_way(q);
	else
		ask_or_finish(q);
}

/* It is not there, or not so: is it worth asking on? */
static void failed(struct inquiry *q, const struct http_reply *reply)
{
	const char *way = is_tls_only(q) ? "with TLS, and is not asked without" :
			  q->tls	 ? "with TLS" :
					   "without TLS";

	if (reply->err == -ECONNREFUSED) {
		note(q, RANK_SILENT, "connect-failed", "%.480s", reply->why);
		finish(q);
		return;
	}
	if (reply->err == -SHUNT_EPEER && q->conf.pin && q->conf.pin[0]) {
		note(q, RANK_CERT, "other-key",
		     "its certificate is not of the key that the registry has: %.400s", reply->why);
		finish(q);
		return;
	}
	if (reply->err == -SHUNT_EPEER)
		note(q, RANK_CERT, "bad-certificate",
		     "its certificate is not to be trusted: %.400s", reply->why);
	else if (reply->err == -SHUNT_ETLS)
		note(q, RANK_TLS, "no-tls", "%s: %.480s", way, reply->why);
	else if (reply->err == -EMSGSIZE)
		note(q, RANK_OTHER, "bad-answer", "%s: %.480s", way, reply->why);
	else
		note(q, RANK_SILENT, "no-answer", "%s: %.480s", way, reply->why);
	next_way(q);
}

static bool is_login(struct inquiry *q, const struct http_reply *reply)
{
	if (reply->login)
		note(q, RANK_OTHER, "http-401", "it answered with HTTP status 401%s",
		     http_login_hint(reply->login));
	return reply->login;
}

/* It has told only now how it wants to hear who asks. */
static void ask_again(struct inquiry *q)
{
	q->asked_again = true;
	ask_or_finish(q);
}

static ssize_t read_message(void *arg, void *to, size_t len)
{
	struct inquiry *q = arg;

	return (ssize_t)buf_copy(&q->message, &q->pos, to, len);
}

static int request(struct inquiry *q, const char *method, const char *const *headers, size_t max,
		   void (*done)(const struct http_reply *reply, void *arg))
{
	struct http_request req = {
		.method = method,
		.path = q->paths[q->path],
		.headers = headers,
		.read = q->message.len ? read_message : NULL,
		.read_arg = q,
		.size = q->message.len,
		.timeout_ms = INQUIRY_MS,
		.max_reply = max,
	};

	q->pos = 0;
	return http_call_new(q->host, &req, done, q, &q->call);
}

/* ---- a printer ---- */

static void take_words(struct sapi_words *to, const struct ipp_words *from)
{
	size_t i;

	for (i = 0; i < from->n && to->n < SAPI_WORDS_MAX; i++)
		if (strlen(from->v[i]) < SAPI_WORD_LEN)
			strcpy(to->v[to->n++], from->v[i]);
}

static void take_place(struct inquiry *q)
{
	q->answer->at.tls = q->tls;
	snprintf(q->answer->at.path, sizeof(q->answer->at.path), "%s", q->paths[q->path]);
}

static void take_printer(struct inquiry *q, const struct ipp_printer *p)
{
	found(q);
	take_place(q);
	snprintf(q->answer->model, sizeof(q->answer->model), "%.127s", p->model);
	take_words(&q->answer->formats, &p->formats);
	take_words(&q->answer->media, &p->media);
	take_words(&q->answer->sides, &p->sides);
	take_words(&q->answer->colors, &p->colors);
	if (p->takes_jobs)
		return;
	/* Jobs for it would fail, see cloud/printer.h. */
	q->answer->found = false;
	q->rank = RANK_NONE;
	note(q, RANK_OTHER, "no-create-job", "it is a printer that lacks Create-Job");
}

/* RFC 8011 4.2.5. False: there is no printer there. */
static bool read_printer(struct inquiry *q, const struct http_reply *reply)
{
	struct ipp_printer printer;
	struct ipp_status status;
	struct err e = { 0 };

	if (reply->status != 200) {
		note(q, RANK_OTHER, "not-ipp", "it answered with HTTP status %d at %s",
		     reply->status, q->paths[q->path]);
		return false;
	}
	if (ipp_printer_read(reply->body, reply->len, &status, &printer, &e)) {
		note(q, RANK_OTHER, "not-ipp", "at %s: %.200s", q->paths[q->path], err_text(&e));
		return false;
	}
	if (status.outcome == IPP_OUTCOME_OK)
		take_printer(q, &printer);
	else
		note(q, RANK_OTHER, "not-told", "at %s: %.300s", q->paths[q->path], status.text);
	ipp_printer_fini(&printer);
	return status.outcome == IPP_OUTCOME_OK;
}

static void on_printer(const struct http_reply *reply, void *arg)
{
	struct inquiry *q = arg;

	q->call = NULL;
	if (reply->err)
		failed(q, reply);
	else if (reply->status == 426 && !q->tls)
		next_way(q); /* RFC 9110 15.5.22: not without TLS */
	else if (reply->login == HTTP_LOGIN_AGAIN && !q->asked_again)
		ask_again(q);
	else if (is_login(q, reply) || read_printer(q, reply))
		finish(q);
	else
		next_path(q);
}

static int ask_printer(struct inquiry *q)
{
	static const char *const headers[] = { "Content-Type: application/ipp", NULL };
	struct shunt_endpoint ep = { q->conf.address, q->answer->at.port };
	struct ipp_printer_ref ref = { .uri = q->uri, .user = "shunt" };
	char address[ENDPOINT_STR_LEN];
	int ret;

	snprintf(q->uri, sizeof(q->uri), "%s://%s%s", q->tls ? "ipps" : "ipp",
		 endpoint_print(&ep, address), q->paths[q->path]);
	buf_reset(&q->message);
	ret = ipp_get_printer(&ref, &q->message);
	return ret ? ret : request(q, "POST", headers, IPP_REPLY_MAX, on_printer);
}

/* ---- a file server ---- */

/* Is class 1 among "1, 2, <http://...>"? RFC 4918 18.1 */
static bool is_dav(const char *classes)
{
	while (*classes) {
		classes += strspn(classes, " \t,");
		if (*classes == '1' && strchr(" \t,", classes[1]))
			return true;
		classes += strcspn(classes, ",");
	}
	return false;
}

/* Whatever a file server was asked: is there no answer, or a login before it? */
static bool is_dealt_with(struct inquiry *q, const struct http_reply *reply)
{
	q->call = NULL;
	if (reply->err)
		failed(q, reply);
	else if (reply->login == HTTP_LOGIN_AGAIN && !q->asked_again)
		ask_again(q);
	else if (is_login(q, reply))
		finish(q);
	else
		return false;
	return true;
}

static void on_room(const struct http_reply *reply, void *arg)
{
	struct inquiry *q = arg;

	if (is_dealt_with(q, reply))
		return;
	if (reply->status == 207) {
		found(q);
		take_place(q);
		q->answer->room = quota_available(reply->body, reply->len);
		finish(q);
	} else {
		note(q, RANK_OTHER, "not-webdav", "it answered PROPFIND with HTTP status %d at %s",
		     reply->status, q->paths[q->path]);
		next_path(q);
	}
}

static void ask_room(struct inquiry *q)
{
	static const char *const headers[] = { "Depth: 0", "Content-Type: application/xml", NULL };

	buf_reset(&q->message);
	if (buf_put(&q->message, QUOTA_QUESTION, sizeof(QUOTA_QUESTION) - 1) ||
	    request(q, "PROPFIND", headers, INQUIRY_REPLY_MAX, on_room))
		finish(q);
}

static void on_options(const struct http_reply *reply, void *arg)
{
	struct inquiry *q = arg;

	if (is_dealt_with(q, reply))
		return;
	if (is_dav(reply->dav)) {
		snprintf(q->answer->dav, sizeof(q->answer->dav), "%.127s", reply->dav);
		ask_room(q);
	} else {
		note(q, RANK_OTHER, "not-webdav",
		     "a web server, whose answer to OPTIONS at %s (status %d) does not speak of WebDAV",
		     q->paths[q->path], reply->status);
		next_path(q);
	}
}

static int ask_file_server(struct inquiry *q)
{
	buf_reset(&q->message);
	return request(q, "OPTIONS", NULL, INQUIRY_REPLY_MAX, on_options);
}

/* ---- beginning and end ---- */

static int ask(struct inquiry *q)
{
	const struct credentials_entry *login = NULL;
	struct http_target target = {
		.address = q->conf.address,
		.port = q->answer->at.port,
		.tls = q->tls,
		.source = q->conf.source,
		.device = q->conf.device,
		.pin = q->conf.pin,
	};
	int ret = 0;

	if (q->conf.credentials)
		login = credentials_find(*q->conf.credentials, q->conf.device);
	if (login && (q->tls || q->conf.clear_login)) {
		target.name = login->name;
		target.password = login->password;
	}
	if (!q->host)
		ret = http_host_new(q->conf.http, &target, &q->host);
	if (ret)
		return ret;
	return q->answer->at.kind == SERVICE_IPP ? ask_printer(q) : ask_file_server(q);
}

/* ---- a share ---- */

/* What it has is nobody's business here: that it lists anything is enough. */
static int on_entry(const struct share_entry *entry, void *arg)
{
	struct inquiry *q = arg;

	(void)entry;
	found(q);
	return -ECANCELED;
}

static void on_listed(int err, bool fatal, const char *code, const char *text, void *arg)
{
	struct inquiry *q = arg;

	(void)fatal;
	q->share = NULL;
	if (!err)
		found(q);
	else if (!q->answer->found)
		note(q, RANK_OTHER, code, "%s", text);
	finish(q);
}

static int ask_share(struct inquiry *q)
{
	static const struct share_ops ops = { .on_entry = on_entry, .on_done = on_listed };
	const struct credentials_entry *login = NULL;
	struct share_conf conf = {
		.loop = q->conf.loop,
		.address = q->conf.address,
		.source = q->conf.source,
		.port = q->answer->at.port,
		.base = q->answer->at.path,
		.smb_helper = q->conf.smb_helper,
	};
	int ret;

	if (q->conf.credentials)
		login = credentials_find(*q->conf.credentials, q->conf.device);
	if (login) {
		conf.user = login->name;
		conf.password = login->password;
	}
	ret = share_protocol(SERVICE_SMB)->list(&conf, "", &ops, q, &q->share);
	if (ret != -EINVAL)
		return ret;
	note(q, RANK_OTHER, "no-share", "its path has to name a share: /SHARE[/DIRECTORY]");
	finish(q);
	return 0;
}

static void add_path(struct inquiry *q, const char *path)
{
	size_t i;

	for (i = 0; i < q->n_paths; i++)
		if (!strcmp(q->paths[i], path))
			return;
	if (path[0] && q->n_paths < PATHS_MAX)
		q->paths[q->n_paths++] = path;
}

static void choose_paths(struct inquiry *q)
{
	static const char *const printers[] = { "/ipp/print", "/ipp", "/" };
	static const char *const servers[] = { "/", "/dav/", "/webdav/" };
	const char *const *usual = q->answer->at.kind == SERVICE_IPP ? printers : servers;
	size_t i;

	/* "/" is what is said when nothing was, and the last of a printer's. */
	snprintf(q->hint, sizeof(q->hint), "%s", q->answer->at.path);
	if (strcmp(q->hint, "/"))
		add_path(q, q->hint);
	for (i = 0; i < sizeof(printers) / sizeof(printers[0]); i++)
		add_path(q, usual[i]);
	/* What is told of one that is not found: where it was looked for first. */
	snprintf(q->answer->at.path, sizeof(q->answer->at.path), "%s", q->paths[0]);
}

static void on_over(void *arg)
{
	struct inquiry *q = arg;

	if (!q->answer->found)
		q->answer->dav[0] = '\0';
	q->done(q, q->arg);
}

static int begin(struct inquiry *q)
{
	q->tls = q->answer->at.tls || is_tls_only(q);
	q->answer->room = CONTENT_SIZE_UNKNOWN;
	switch (q->answer->at.kind) {
	case SERVICE_AGENT:
		snprintf(q->answer->at.path, sizeof(q->answer->at.path), "/");
		return ask_agent(q);
	case SERVICE_SMB:
		return ask_share(q);
	case SERVICE_IPP:
	case SERVICE_WEBDAV:
		choose_paths(q);
		return ask(q);
	default:
		note(q, RANK_OTHER, "not-asked", "nobody knows how to ask such a service");
		finish(q);
		return 0;
	}
}

int inquiry_new(const struct inquiry_conf *conf, struct sapi_probe_service *answer,
		void (*done)(struct inquiry *q, void *arg), void *arg, struct inquiry **out)
{
	struct inquiry *q = calloc(1, sizeof(*q));
	int ret;

	if (!q)
		return -ENOMEM;
	q->conf = *conf;
	q->answer = answer;
	q->done = done;
	q->arg = arg;
	buf_init(&q->message);
	ret = loop_timer_new(conf->loop, on_over, q, &q->over);
	if (!ret)
		ret = begin(q);
	if (ret) {
		inquiry_free(q);
		return ret;
	}
	*out = q;
	return 0;
}

void inquiry_free(struct inquiry *q)
{
	if (!q)
		return;
	peer_dial_cancel(q->dial);
	if (q->hello)
		h2_call_cancel(q->hello);
	if (q->agent) {
		h2_on_close(q->agent, NULL, NULL);
		h2_abort(q->agent, 0, "done");
	}
	share_free(q->share);
	http_host_free(q->host); /* with the call */
	loop_timer_free(q->over);
	buf_fini(&q->message);
	free(q);
}
