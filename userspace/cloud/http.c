// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/digest.h"
#include "lib/err.h"
#include "lib/loop.h"
#include "lib/tls.h"

#define URL_MAX 4352
#define UPLOAD_BUFFER (256L << 10)
#define CA_MAX ((size_t)1 << 20)
#define SERVER_QUIET_S                                                                             \
	60L /* TCP keepalive: a server that is gone is noticed after some three times that */

struct http {
	struct loop *loop;
	char *ca; /* the file's text, as whoever the program becomes may not be able to read it */
	size_t ca_len;
};

/* One socket of libcurl's. */
struct watch {
	struct http_host *host;
	struct loop_io *io;
	curl_socket_t fd;
	LIST_ENTRY(watch) link;
};

struct http_host {
	struct http *http;
	CURLM *multi;
	struct loop_timer *timer; /* libcurl's */
	struct loop_defer *over; /* calls have ended: tell, outside of libcurl's stack */
	char url[ENDPOINT_STR_LEN + 16];
	char source[ADDR_STR_LEN + 8]; /* "host!ADDRESS"; "": any */
	char *name, *password; /* NULL: none */
	char *pin; /* NULL: none */
	struct tls_foreign server; /* without a pin */
	bool tls;
	/*
	 * How the server wants the password: 0 before it has asked for it, as one that does not gets whole requests at
	 * once. With CURLAUTH_DIGEST libcurl asks without the body of a request first, and sends it once.
	 */
	unsigned long auth;
	LIST_HEAD(, watch) watches;
	TAILQ_HEAD(, http_call) calls;
	TAILQ_HEAD(, http_call) ended;
};

struct http_call {
	struct http_host *host;
	CURL *easy;
	struct curl_slist *headers;
	void (*done)(const struct http_reply *reply, void *arg);
	void *arg;
	ssize_t (*read)(void *arg, void *buf, size_t len);
	void *read_arg;
	int (*on_head)(void *arg, const struct http_head *head);
	int (*on_body)(void *arg, const void *data, size_t len);
	void *body_arg;
	struct buf body;
	bool headed; /* on_head was called */
	int read_error, body_error;
	bool ended;
	CURLcode result;
	curl_socket_t socket; /* the last that was opened for it, while that is open */
	uint64_t left; /* of the body, when the socket was closed */
	char curl_why[CURL_ERROR_SIZE];
	TAILQ_ENTRY(http_call) link; /* in host->calls, then in host->ended */
};

/* ---- libcurl in the loop ---- */

static void collect(struct http_host *host)
{
	struct http_call *call;
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(host->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		call->result = msg->data.result; /* msg does not outlive the next call */
		call->ended = true;
		curl_multi_remove_handle(host->multi, call->easy);
		TAILQ_REMOVE(&host->calls, call, link);
		TAILQ_INSERT_TAIL(&host->ended, call, link);
		loop_defer_call(host->over);
	}
}

static void on_timer(void *arg)
{
	struct http_host *host = arg;
	int running;

	curl_multi_socket_action(host->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(host);
}

static int want_timer(CURLM *multi, long ms, void *arg)
{
	struct http_host *host = arg;

	(void)multi;
	if (ms < 0)
		loop_timer_stop(host->timer);
	else
		loop_timer_set(host->timer, (uint64_t)ms);
	return 0;
}

static void on_io(unsigned int events, void *arg)
{
	struct watch *watch = arg;
	struct http_host *host = watch->host;
	int running, mask = 0;

	if (events & LOOP_READ)
		mask |= CURL_CSELECT_IN;
	if (events & LOOP_WRITE)
		mask |= CURL_CSELECT_OUT;
	curl_multi_socket_action(host->multi, watch->fd, mask, &running);
	/* watch may be gone now */
	collect(host);
}

static void watch_free(struct watch *watch)
{
	LIST_REMOVE(watch, link);
	loop_io_free(watch->io);
	free(watch);
}

static struct watch *watch_new(struct http_host *host, curl_socket_t fd)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->host = host;
	watch->fd = fd;
	if (loop_io_new(host->http->loop, fd, on_io, watch, &watch->io)) {
		free(watch);
		return NULL;
	}
	LIST_INSERT_HEAD(&host->watches, watch, link);
	curl_multi_assign(host->multi, fd, watch);
	return watch;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *data)
{
	struct http_host *host = arg;
	struct watch *watch = data;
	unsigned int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			watch_free(watch);
		return 0;
	}
	if (!watch)
		watch = watch_new(host, fd);
	if (!watch)
		return -1;
	if (what & CURL_POLL_IN)
		events |= LOOP_READ;
	if (what & CURL_POLL_OUT)
		events |= LOOP_WRITE;
	return loop_io_set(watch->io, events) ? -1 : 0;
}

/* ---- one call ---- */

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_call *call = arg;

	(void)purpose;
	call->socket = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	return call->socket < 0 ? CURL_SOCKET_BAD : call->socket;
}

/* What was written to the socket, less what @queue (tcp(7)) says is in there still. */
static uint64_t past(const struct http_call *call, unsigned long queue)
{
	curl_off_t sent = 0;
	int queued = 0;

	curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	if (call->socket != CURL_SOCKET_BAD)
		ioctl(call->socket, queue, &queued);
	return sent > queued ? (uint64_t)(sent - queued) : 0;
}

/* @arg is the host: a connection that is kept outlives the call that it was opened for. */
static int close_socket(void *arg, curl_socket_t fd)
{
	struct http_host *host = arg;
	struct http_call *call;

	TAILQ_FOREACH(call, &host->calls, link) {
		if (call->socket != fd)
			continue;
		call->left = past(call, SIOCOUTQNSD);
		call->socket = CURL_SOCKET_BAD;
	}
	return close(fd);
}

static size_t read_body(char *buf, size_t size, size_t n, void *arg)
{
	struct http_call *call = arg;
	ssize_t got = call->read(call->read_arg, buf, size * n);

	if (got >= 0)
		return (size_t)got;
	call->read_error = (int)got;
	return CURL_READFUNC_ABORT;
}

/* Of the last answer, should there have been several (RFC 9110 15.2, 11.6.1). */
static const char *header(struct http_call *call, const char *name)
{
	struct curl_header *h;

	return curl_easy_header(call->easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value :
											  "";
}

static void head_fill(struct http_call *call, struct http_head *head)
{
	curl_off_t length = -1;
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	*head = (struct http_head){
		.status = (int)status,
		.type = header(call, "Content-Type"),
		.length = length < 0 ? CONTENT_SIZE_UNKNOWN : (uint64_t)length,
		.range = header(call, "Content-Range"),
		.etag = header(call, "ETag"),
		.modified = header(call, "Last-Modified"),
		.location = header(call, "Location"),
	};
}

/* Is the body for on_body()? False also when on_head() has ended the call. */
static bool is_streamed(struct http_call *call)
{
	struct http_head head;

	if (!call->on_body || call->headed)
		return call->headed && !call->body_error;
	head_fill(call, &head);
	if (head.status < 200 || head.status >= 300)
		return false;
	call->headed = true;
	call->body_error = call->on_head(call->body_arg, &head);
	return !call->body_error;
}

static size_t take_reply(char *data, size_t size, size_t n, void *arg)
{
	struct http_call *call = arg;

	if (is_streamed(call))
		call->body_error = call->on_body(call->body_arg, data, size * n);
	else if (!call->headed && buf_put(&call->body, data, size * n))
		return 0;
	return call->body_error ? 0 : size * n;
}

#define SET(option, value)                                                                         \
	do {                                                                                       \
		if (curl_easy_setopt(call->easy, option, value) != CURLE_OK)                       \
			return -ENOMEM;                                                            \
	} while (0)

static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *arg)
{
	struct http_host *host = arg;

	(void)easy;
	tls_foreign_verify(ssl_ctx, &host->server);
	return CURLE_OK;
}

static int set_trust(struct http_call *call)
{
	const struct http_host *host = call->host;
	struct curl_blob ca = { host->http->ca, host->http->ca_len, CURL_BLOB_COPY };

	SET(CURLOPT_SSL_VERIFYHOST, 0L);
	if (host->http->ca)
		SET(CURLOPT_CAINFO_BLOB, &ca);
	/* Else the directory that libcurl was built with is trusted beside the file. */
	SET(CURLOPT_CAPATH, (char *)NULL);
	if (host->pin) {
		SET(CURLOPT_PINNEDPUBLICKEY, host->pin);
		SET(CURLOPT_SSL_VERIFYPEER, 0L);
	} else if (host->tls) {
		SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
		SET(CURLOPT_SSL_CTX_DATA, (void *)host);
	}
	return 0;
}

static int set_connection(struct http_call *call)
{
	const struct http_host *host = call->host;

	SET(CURLOPT_PRIVATE, call);
	SET(CURLOPT_ERRORBUFFER, call->curl_why);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_MS);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_TCP_KEEPIDLE, SERVER_QUIET_S);
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(CURLOPT_OPENSOCKETDATA, call);
	SET(CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	SET(CURLOPT_CLOSESOCKETDATA, (void *)host);
	if (host->source[0])
		SET(CURLOPT_INTERFACE, host->source);
	if (!host->auth)
		return 0;
	SET(CURLOPT_USERNAME, host->name);
	SET(CURLOPT_PASSWORD, host->password);
	SET(CURLOPT_HTTPAUTH, host->auth);
	return 0;
}

static int add_header(struct http_call *call, const char *line)
{
	struct curl_slist *list = curl_slist_append(call->headers, line);

	if (!list)
		return -ENOMEM;
	call->headers = list;
	return 0;
}

static int set_body(struct http_call *call, const struct http_request *req)
{
	if (!req->read)
		return 0;
	SET(CURLOPT_UPLOAD, 1L);
	SET(CURLOPT_READFUNCTION, read_body);
	SET(CURLOPT_READDATA, call);
	SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->size);
	if (req->size > UPLOAD_BUFFER)
		SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
	/* Many small servers never answer it, and each call would wait a second. */
	return add_header(call, "Expect:");
}

static int set_request(struct http_call *call, const struct http_request *req)
{
	const char *const *line;
	char url[URL_MAX];
	int ret, n = snprintf(url, sizeof(url), "%s%s", call->host->url, req->path);

	if (n < 0 || (size_t)n >= sizeof(url))
		return -ENAMETOOLONG;
	ret = set_body(call, req);
	for (line = req->headers; !ret && line && *line; line++)
		ret = add_header(call, *line);
	if (ret)
		return ret;
	SET(CURLOPT_URL, url);
	SET(CURLOPT_CUSTOMREQUEST, req->method);
	if (!strcmp(req->method, "HEAD"))
		SET(CURLOPT_NOBODY, 1L);
	if (call->headers)
		SET(CURLOPT_HTTPHEADER, call->headers);
	if (req->timeout_ms)
		SET(CURLOPT_TIMEOUT_MS, (long)req->timeout_ms);
	if (req->stall_s) {
		SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
		SET(CURLOPT_LOW_SPEED_TIME, (long)req->stall_s);
	}
	if (req->once)
		SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_WRITEFUNCTION, take_reply);
	SET(CURLOPT_WRITEDATA, call);
	return 0;
}

int http_call_new(struct http_host *host, const struct http_request *req,
		  void (*done)(const struct http_reply *reply, void *arg), void *arg,
		  struct http_call **out)
{
	struct http_call *call = calloc(1, sizeof(*call));
	int ret;

	if (!call)
		return -ENOMEM;
	call->host = host;
	call->done = done;
	call->arg = arg;
	call->read = req->read;
	call->read_arg = req->read_arg;
	call->on_head = req->on_head;
	call->on_body = req->on_body;
	call->body_arg = req->body_arg;
	call->socket = CURL_SOCKET_BAD;
	buf_init_max(&call->body, req->max_reply);
	TAILQ_INSERT_TAIL(&host->calls, call, link);
	call->easy = curl_easy_init();
	ret = call->easy ? set_connection(call) : -ENOMEM;
	if (!ret)
		ret = set_trust(call);
	if (!ret)
		ret = set_request(call, req);
	if (!ret && curl_multi_add_handle(host->multi, call->easy) != CURLM_OK)
		ret = -ENOMEM;
	if (ret) {
		http_call_free(call);
		return ret;
	}
	*out = call;
	return 0;
}

void http_call_free(struct http_call *call)
{
	if (!call)
		return;
	if (call->ended) {
		TAILQ_REMOVE(&call->host->ended, call, link);
	} else {
		TAILQ_REMOVE(&call->host->calls, call, link);
		if (call->easy)
			curl_multi_remove_handle(call->host->multi, call->easy);
	}
	if (call->easy)
		curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	buf_fini(&call->body);
	free(call);
}

uint64_t http_call_acked(const struct http_call *call)
{
	return call->ended ? 0 : past(call, SIOCOUTQ);
}

uint64_t http_call_left(const struct http_call *call)
{
	return call->socket == CURL_SOCKET_BAD ? call->left : past(call, SIOCOUTQNSD);
}

/* ---- results ---- */

static int code_of(const struct http_call *call)
{
	switch (call->result) {
	case CURLE_OK:
		return call->body_error;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_WRITE_ERROR:
		return call->body_error ? call->body_error :
		       call->body.error ? call->body.error :
					  -SHUNT_ECLOSED;
	case CURLE_ABORTED_BY_CALLBACK:
		return call->read_error ? call->read_error : -ECANCELED;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_SSL_CONNECT_ERROR:
		return -SHUNT_ETLS;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return -SHUNT_EPEER;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -SHUNT_ECLOSED;
	}
}

const char *http_err_code(int err)
{
	switch (err) {
	case -ECONNREFUSED:
		return "connect-failed";
	case -SHUNT_ETLS:
		return "no-tls";
	case -SHUNT_EPEER:
		return "bad-certificate";
	default:
		return "no-answer";
	}
}

static enum http_login login_of(struct http_call *call, long status)
{
	struct http_host *host = call->host;
	unsigned long way;
	long offered = 0;

	if (status != 401)
		return HTTP_LOGIN_NONE;
	if (!host->name)
		return HTTP_LOGIN_WANTED;
	curl_easy_getinfo(call->easy, CURLINFO_HTTPAUTH_AVAIL, &offered);
	way = (unsigned long)offered &
	      (offered & CURLAUTH_DIGEST ? CURLAUTH_DIGEST : CURLAUTH_BASIC);
	if (!way || host->auth == way || host->auth == CURLAUTH_BASIC)
		return HTTP_LOGIN_REFUSED;
	/* In clear it does not go: then no body goes in vain from here on. */
	host->auth = host->tls ? way : CURLAUTH_DIGEST;
	return host->auth == way ? HTTP_LOGIN_AGAIN : HTTP_LOGIN_CLEAR;
}

const char *http_login_hint(enum http_login login)
{
	switch (login) {
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
	return "";
}

static void reply_fill(struct http_call *call, struct http_reply *reply, char why[CURL_ERROR_SIZE])
{
	long os_error = 0;

	/* A body of no octets. */
	if (call->result == CURLE_OK)
		is_streamed(call);
	head_fill(call, &reply->head);
	reply->err = code_of(call);
	reply->left = http_call_left(call);
	if (reply->err == -EMSGSIZE && !call->body_error)
		snprintf(why, CURL_ERROR_SIZE, "the answer is longer than %zu octets",
			 call->body.max);
	else if (call->result == CURLE_COULDNT_CONNECT &&
		 curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_error) == CURLE_OK &&
		 os_error)
		/* Without the address, which is the tunnel's and says nothing to people. */
		snprintf(why, CURL_ERROR_SIZE, "%s", shunt_strerror(-(int)os_error));
	else if (reply->err == -SHUNT_EPEER && call->host->server.refused)
		snprintf(why, CURL_ERROR_SIZE,
			 "it is another party's of the deployment, not that of device %s",
			 call->host->server.only.name);
	else
		snprintf(why, CURL_ERROR_SIZE, "%s",
			 call->read_error  ? shunt_strerror(call->read_error) :
			 call->body_error  ? shunt_strerror(call->body_error) :
			 call->curl_why[0] ? call->curl_why :
					     curl_easy_strerror(call->result));
	reply->why = why;
	reply->status = reply->head.status;
	reply->login = reply->err && reply->err != -EMSGSIZE ? HTTP_LOGIN_NONE :
							       login_of(call, reply->status);
	reply->type = reply->head.type;
	reply->dav = header(call, "DAV");
	reply->body = buf_str(&call->body);
	reply->len = call->body.len;
}

static void on_over(void *arg)
{
	struct http_host *host = arg;
	struct http_call *call = TAILQ_FIRST(&host->ended);
	struct http_reply reply = { 0 };
	struct http_call copy;
	char why[CURL_ERROR_SIZE];

	if (!call)
		return;
	reply_fill(call, &reply, why);
	/* done() may free the host: what is needed after it is taken out before. */
	copy = *call;
	TAILQ_REMOVE(&host->ended, call, link);
	if (!TAILQ_EMPTY(&host->ended))
		loop_defer_call(host->over);
	call->done(&reply, call->arg);
	curl_easy_cleanup(copy.easy);
	curl_slist_free_all(copy.headers);
	buf_fini(&copy.body);
	free(call);
}

/* ---- hosts ---- */

static int set_login(struct http_host *host, const struct http_target *target)
{
	if (!target->name)
		return 0;
	host->name = strdup(target->name);
	host->password = strdup(target->password);
	return host->name && host->password ? 0 : -ENOMEM;
}

static void wipe(char *secret)
{
	if (secret)
		secret_wipe(secret, strlen(secret));
	free(secret);
}

int http_host_new(struct http *h, const struct http_target *target, struct http_host **out)
{
	struct shunt_endpoint ep = { target->address, target->port };
	char address[ENDPOINT_STR_LEN], source[ADDR_STR_LEN];
	struct http_host *host = calloc(1, sizeof(*host));
	int ret;

	if (!host)
		return -ENOMEM;
	host->http = h;
	host->tls = target->tls;
	host->server.only.role = ROLE_DEVICE;
	snprintf(host->server.only.name, sizeof(host->server.only.name), "%s",
		 target->device ? target->device : "");
	LIST_INIT(&host->watches);
	TAILQ_INIT(&host->calls);
	TAILQ_INIT(&host->ended);
	snprintf(host->url, sizeof(host->url), "%s://%s", target->tls ? "https" : "http",
		 endpoint_print(&ep, address));
	if (addr_is_set(&target->source))
		snprintf(host->source, sizeof(host->source), "host!%s",
			 addr_print(&target->source, source));
	host->multi = curl_multi_init();
	ret = host->multi ? set_login(host, target) : -ENOMEM;
	if (!ret && target->pin && target->pin[0]) {
		host->pin = strdup(target->pin);
		ret = host->pin ? 0 : -ENOMEM;
	}
	if (!ret)
		ret = loop_timer_new(h->loop, on_timer, host, &host->timer);
	if (!ret)
		ret = loop_defer_new(h->loop, on_over, host, &host->over);
	if (ret) {
		http_host_free(host);
		return ret;
	}
	curl_multi_setopt(host->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(host->multi, CURLMOPT_SOCKETDATA, host);
	curl_multi_setopt(host->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(host->multi, CURLMOPT_TIMERDATA, host);
	*out = host;
	return 0;
}

void http_host_free(struct http_host *host)
{
	struct http_call *call;

	if (!host)
		return;
	while ((call = TAILQ_FIRST(&host->calls)) || (call = TAILQ_FIRST(&host->ended)))
		http_call_free(call);
	curl_multi_cleanup(host->multi);
	while (!LIST_EMPTY(&host->watches))
		watch_free(LIST_FIRST(&host->watches));
	loop_timer_free(host->timer);
	loop_defer_free(host->over);
	wipe(host->name);
	wipe(host->password);
	free(host->pin);
	free(host);
}

/* ---- all of it ---- */

int http_set_ca(struct http *h, const char *file, struct err *e)
{
	FILE *in = fopen(file, "re");
	char *ca = NULL;
	size_t len = 0;
	int ret = 0;

	if (!in)
		return err_sys(e, -errno, "%s", file);
	ca = malloc(CA_MAX);
	if (!ca)
		ret = err_sys(e, -ENOMEM, "%s", file);
	else
		len = fread(ca, 1, CA_MAX, in);
	if (!ret && ferror(in))
		ret = err_sys(e, -EIO, "%s", file);
	else if (!ret && len == CA_MAX)
		ret = err_sys(e, -EFBIG, "%s", file);
	fclose(in);
	if (ret) {
		free(ca);
		return ret;
	}
	free(h->ca);
	h->ca = ca;
	h->ca_len = len;
	return 0;
}

int http_new(struct loop *loop, const char *ca, struct http **out, struct err *e)
{
	struct http *h = calloc(1, sizeof(*h));
	int ret = 0;

	if (!h)
		return err_sys(e, -ENOMEM, "http");
	h->loop = loop;
	if (ca)
		ret = http_set_ca(h, ca, e);
	/* Counted by libcurl; undone by http_free(). */
	if (!ret && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		ret = err_sys(e, -ENOMEM, "http");
	if (ret) {
		free(h->ca);
		free(h);
		return ret;
	}
	*out = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_global_cleanup();
	free(h->ca);
	free(h);
}
